"""Modifiers: functions from task to task, written ``task+modifier`` and applied from left to right.

Each keeps the splits of the task that it modifies, but for `resplit` and `folds`, and takes whatever follows its word
as its argument. Draws go by a hash of the clips' ids (see `mirbench.tasks.splitting`), so that smaller selections are
inside larger ones of the same draw.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mirbench.errors import BadAudio, BadInput
from mirbench.features import audio
from mirbench.features.clip_list import in_fold
from mirbench.metrics import SINGLE_LABEL
from mirbench.places import default_cache
from mirbench.progress import Progress
from mirbench.tasks.splitting import draw_order, drawn_folds, drawn_split
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

__all__ = [
    "balanced", "binarised", "first_channel", "folds", "fraction", "levels8", "loud1v5", "loudness", "normalized",
    "normalized_files", "resplit", "shots",
]  # fmt: skip

LEVELS8 = (-35.0, -30.0, -25.0, -20.0, -15.0, -10.0, -5.0, 0.0)
LOUDNESS = ("loud1", "loud2", "loud3", "loud4", "loud5")

_Change = Callable[[list[Clip]], list[Clip]]


def normalized(task: Task, argument: str) -> Task:
    """One gain a clip, so that its absolute peak is 0 dBFS (the second version of every set in shtern2017)."""
    return _at_levels(task, "normalized", argument, (0.0,), "each clip is brought to a peak of 0 dBFS")


def normalized_files(task: Task, argument: str) -> Task:
    """One gain a file, so that its absolute peak, in all of it and over its channels, is 0 dBFS.

    That is what a program does that normalizes files, before clips are cut out of them and channels are mixed; in
    `normalized` the peak is that of what is heard of a clip.
    """
    said = "each file is brought to a peak of 0 dBFS, over its channels, before clips are cut out of it"

    def of_files(clips: list[Clip]) -> list[Clip]:
        here = [clip for clip in clips if clip.path is not None]
        memo, progress = default_cache() / "files.sqlite", Progress()
        heard = audio.survey([Excerpt.of(clip) for clip in here], memo, progress)
        files = audio.file_peaks([clip.path for clip in here if clip.path], memo, progress)
        if lost := [
            f"{path}: damaged outside of what is heard of it; take +normalized" for path in files if not files[path]
        ]:
            raise BadAudio(lost)

        def level(clip: Clip) -> float:
            """Where the peak of what is heard comes to lie when that of the file is at 0 dBFS."""
            if clip.path is None:
                return 0.0
            return 20 * math.log10(heard[Excerpt.of(clip)].peak / files[clip.path])

        return [replace(clip, peaks=(level(clip),)) for clip in clips]

    return replace(_at_levels(task, "normalized-files", argument, (), said), read_clips=_changed_clips(task, of_files))


def first_channel(task: Task, argument: str) -> Task:
    """The first channel of each file is heard alone, as by shtern2017's asperes, and not the mean of all."""
    _nothing("first-channel", argument)
    if task.medium == "picture":
        raise BadInput(f"+first-channel: the clips of {task.name} are pictures, which have no channels of sound")
    if set(task.name.split("+")[1:]) & {"loudness", "loud1v5", "normalized-files"}:
        raise BadInput(
            f"+first-channel: what {task.name} measures would be of all channels; write +first-channel before it"
        )

    def alone(clips: list[Clip]) -> list[Clip]:
        return [replace(clip, first_channel=True) for clip in clips]

    return _changed(task, alone, "the first channel of each file is heard alone")


def levels8(task: Task, argument: str) -> Task:
    """Eight copies of each clip, the quietest first, at peaks of −35, −30, …, 0 dBFS: shtern2017's augmentation."""
    said = "each clip is heard eight times in a row, at peaks of -35, -30, … 0 dBFS (shtern2017)"
    return replace(_at_levels(task, "levels8", argument, LEVELS8, said), clip_seconds=8 * task.clip_seconds)


def _at_levels(task: Task, word: str, argument: str, peaks: tuple[float, ...], said: str) -> Task:
    _nothing(word, argument)
    if task.medium == "picture":
        raise BadInput(f"+{word}: the clips of {task.name} are pictures; there is no level to change")
    if set(task.name.split("+")[1:]) & {"normalized", "normalized-files", "levels8"}:
        raise BadInput(
            f"+{word}: the levels of {task.name} are set already; give one of +normalized, +normalized-files and "
            "+levels8"
        )
    return _changed(task, lambda clips: [replace(clip, peaks=peaks) for clip in clips], said)


def loudness(task: Task, argument: str) -> Task:
    """Five classes by RMS, as many clips in each: does a method hear loudness? (shtern2017)."""
    _nothing("loudness", argument)
    return _by_loudness(task, LOUDNESS, "classes are five equal-count quantiles of each clip's RMS, over all splits")


def loud1v5(task: Task, argument: str) -> Task:
    """The quietest fifth of a task's clips against the loudest (shtern2017)."""
    _nothing("loud1v5", argument)
    said = "of five equal-count quantiles of each clip's RMS, over all splits, the quietest and the loudest"
    modified = _by_loudness(task, (LOUDNESS[0], LOUDNESS[-1]), said)
    return replace(modified, n_clips=0)


def _by_loudness(task: Task, kept: tuple[str, ...], said: str) -> Task:
    if task.medium == "picture":
        raise BadInput(f"loudness: the clips of {task.name} are pictures; there is none to tell")

    def relabel(clips: list[Clip]) -> list[Clip]:
        places = excerpts(Split(task, tuple(clips)))
        facts = audio.survey(places, default_cache() / "files.sqlite", Progress())
        rms = np.array([audio.heard_rms(place, facts[place]) for place in places])
        order = sorted(range(len(clips)), key=lambda i: (rms[i], clips[i].id))
        quantile = {i: len(LOUDNESS) * rank // len(clips) for rank, i in enumerate(order)}
        named = [
            replace(clip, labels=(LOUDNESS[quantile[i]],), unknown=(), strengths=(), values=())
            for i, clip in enumerate(clips)
        ]
        return [clip for clip in named if clip.labels[0] in kept]

    modified = _changed(task, relabel, said)
    return replace(modified, kind="single-label", classes=kept, metrics=SINGLE_LABEL, manifest=True, ranges=())


def shots(task: Task, argument: str) -> Task:
    """The first K clips of each class of train, and of valid, in the order of a draw; test stays whole.

    Valid shrinks too: who has ten labelled clips a class has no hundred to choose a learning rate on (Oliver et al.
    2018). In a multi-label task a clip is kept if it is among the first K of any class that is present in it, in a
    regression task if it is among the first K of any target whose value is known of it: K in all, where every clip has
    a value of each.
    """
    number, draw = _number_and_draw("shots", argument, "a whole number of 1 or more (shots10)", whole=True)

    def keep(clips: list[Clip]) -> list[Clip]:
        kept = _first_of_each_class(clips, draw, lambda n: min(n, int(number)))
        return [clip for clip in clips if clip.split == "test" or clip.id in kept]

    what = f"{number:g} clips a class of train and of valid"
    if task.kind == "regression":
        what = f"{number:g} clips of all of train, and of valid (of each target, where some have no value of it)"
    return _fewer(task, keep, f"{what}, draw {draw}; test is whole")


def fraction(task: Task, argument: str) -> Task:
    """A share of the clips of each class of train and of valid, at least one, in the order of a draw; test is whole.

    In a multi-label task a clip is kept if it is in the share of any class that is present in it, so that more than the
    share is kept altogether; so of targets of a regression task, where some clips have no value of one.
    """
    needed = "a number above 0 and up to 1 (fraction0.1)"
    share, draw = _number_and_draw("fraction", argument, needed)
    if share > 1:
        raise BadInput(f"+fraction{argument}: {needed} is needed")

    def keep(clips: list[Clip]) -> list[Clip]:
        kept = _first_of_each_class(clips, draw, lambda n: max(1, math.ceil(share * n - 1e-9)))
        return [clip for clip in clips if clip.split == "test" or clip.id in kept]

    of = "" if task.kind == "regression" else "each class of "
    return _fewer(task, keep, f"a share of {share:g} of {of}train and of valid, draw {draw}; test is whole")


def balanced(task: Task, argument: str) -> Task:
    """As many clips of each class as the rarest that is there has, split by split."""
    draw = _draw("balanced", argument)
    if task.kind != "single-label":
        why = "a clip counts for several classes" if task.kind == "multi-label" else "a clip has values, and no class"
        raise BadInput(f"+balanced: {task.name} is {task.kind}; {why}, so none can be dropped")

    def keep(clips: list[Clip]) -> list[Clip]:
        kept: set[str] = set()
        for split in ("train", "valid", "test"):
            own = [clip for clip in clips if clip.split == split]
            rarest = min(Counter(clip.labels[0] for clip in own).values(), default=0)
            kept |= _first_of_each_class(own, draw, lambda n, rarest=rarest: rarest)  # type: ignore[misc]
        return [clip for clip in clips if clip.id in kept]

    return _fewer(task, keep, "as many clips of each class as the rarest has, in each split")


def binarised(task: Task, argument: str) -> Task:
    """Soft labels made hard: a class is present if it is at least as likely as not."""
    _nothing("binarised", argument)
    if task.kind == "regression":
        raise BadInput(f"+binarised: {task.name} asks for values, and has no labels that could be soft")

    def harden(clips: list[Clip]) -> list[Clip]:
        return [replace(clip, labels=clip.present, strengths=()) for clip in clips]

    return _changed(task, harden, "soft labels are made hard at 0.5")


def resplit(task: Task, argument: str) -> Task:
    """Train, valid and test drawn anew, 70/15/15, stratified by class, groups kept together."""
    draw = _draw("resplit", argument)

    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        return drawn_split(task.read_clips(root, 0), draw)

    return replace(
        _noted(task, f"splits drawn anew, 70/15/15, draw {draw}"), read_clips=read_clips, n_folds=1, manifest=True
    )


def folds(task: Task, argument: str) -> Task:
    """K folds drawn anew, stratified by class, groups kept together; a fold's clips are test once and valid once."""
    needed = "a whole number of 3 or more (folds5)"
    n_folds, draw = _number_and_draw("folds", argument, needed, whole=True)
    if n_folds < 3:
        raise BadInput(f"+folds{argument}: {needed} is needed, for train, valid and test")

    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        clips = task.read_clips(root, 0)
        if (n_units := len({("group", clip.group) if clip.group else ("id", clip.id) for clip in clips})) < n_folds:
            units = "groups" if any(clip.group for clip in clips) else "clips"
            raise BadInput(f"{task.name}+folds{argument}: {n_units} {units} make at most {n_units} folds")
        return in_fold(clips, drawn_folds(clips, int(n_folds), draw), int(n_folds), fold)

    said = f"{n_folds:g} folds drawn anew, draw {draw}: fold k is test, the next one valid, the rest train"
    return replace(_noted(task, said), read_clips=read_clips, n_folds=int(n_folds), manifest=True)


def _changed(task: Task, change: _Change, said: str) -> Task:
    return replace(_noted(task, said), read_clips=_changed_clips(task, change))


def _changed_clips(task: Task, change: _Change) -> Callable[[Path | None, int], list[Clip]]:
    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        return change(task.read_clips(root, fold))

    return read_clips


def _fewer(task: Task, keep: _Change, said: str) -> Task:
    return replace(_changed(task, keep, said), n_clips=0, manifest=True)  # how many is known when they are read


def _noted(task: Task, said: str) -> Task:
    return replace(task, notes=(*task.notes, said))


def _first_of_each_class(clips: Sequence[Clip], draw: int, count: Callable[[int], int]) -> set[str]:
    """Ids of the first ``count(n)`` of the n clips of each class, in each split."""
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    for clip in clips:
        for name in set(clip.present or ("",)):  # "": the clips in which no class is present
            members[clip.split, name].append(clip.id)
    kept: set[str] = set()
    for own in members.values():
        ordered = sorted(own, key=lambda clip_id: draw_order(clip_id, draw))
        kept.update(ordered[: count(len(ordered))])
    return kept


def _nothing(word: str, argument: str) -> None:
    if argument:
        raise BadInput(f"+{word}{argument}: write +{word}, which takes no argument")


def _draw(word: str, argument: str) -> int:
    match = re.fullmatch(r"(?:-draw(\d{1,6}))?", argument)
    if not match:
        raise BadInput(f"+{word}{argument}: write +{word}, or +{word}-draw1 for another draw")
    return int(match[1] or 0)


def _number_and_draw(word: str, argument: str, needed: str, *, whole: bool = False) -> tuple[float, int]:
    pattern = r"(\d{1,9})" if whole else r"(\d{1,9}(?:\.\d{1,9})?)"
    match = re.fullmatch(pattern + r"(-draw\d{1,6})?", argument)
    if not match or float(match[1]) <= 0:
        raise BadInput(f"+{word}{argument}: {needed} is needed")
    return float(match[1]), _draw(word, match[2] or "")
