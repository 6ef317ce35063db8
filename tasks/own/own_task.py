"""A task of clips of one's own, wherever they are listed: splits completed, counts checked, a version of what it holds.

Splits that are not given are drawn: stratified by class, groups kept together, the same on every machine (see
`mirbench.tasks.splitting`); ``+resplit-draw1`` draws others, ``+folds5`` makes folds. The task's version is a hash of
its clips, labels and splits, so that changed data never shares a table with what it was before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mirbench.class_names import beware, composed, empty
from mirbench.errors import BadInput, OneSided
from mirbench.features.clip_list import in_fold
from mirbench.metrics import REGRESSION, SINGLE_LABEL, TAGGING, TEMPO
from mirbench.places import path_text, user_path
from mirbench.tasks.splitting import drawn_split, partition
from mirbench.types import Clip, Range, Task, TaskKind

__all__ = ["called_folder", "called_list", "named_path", "one_form", "own_task"]

_OF_TRAIN = {"train": 0.85, "valid": 0.15}
_MANY_NUMBERS = 5
"""Different ones; up to so many may be classes that are called by numbers."""
_TEMPI = {"tempo", "bpm"}
"""Targets that are tempi in beats a minute by their names."""

_NEEDED, _N_SPLITS = ("train", "test"), 3  # each class in both; whole groups for each of the three


def named_path(argument: str, family: str) -> Path:
    """The path that the name ``family:argument`` gives, absolute."""
    if not argument:
        raise BadInput(f"{family}: names nothing; write {family}:PATH")
    return user_path(argument).resolve()


def called_folder(argument: str) -> str:
    """What records call the folder that the argument of ``folder:`` names: the last part of its path."""
    return composed(path_text(_without_options(argument, "folder").name))


def called_list(argument: str) -> str:
    """What records call the list that the argument of ``csv:`` names: the last part of its path, less its suffix."""
    return composed(path_text(_without_options(argument, "csv").stem))


def _without_options(argument: str, family: str) -> Path:
    path = named_path(argument, family)
    return path if path.exists() else named_path(argument.partition("?")[0], family)


def own_task(
    name: str,
    title: str,
    root: Path,
    clips: Sequence[Clip],
    folds: Mapping[str, int],
    ranges: Mapping[str, Range] | None = None,
) -> Task:
    """A task of a user's own clips: splits completed, counts checked, version taken from what it holds.

    Parameters
    ----------
    root : Path
        Folder to which the clips' paths are written relative.
    clips : sequence of Clip
        Their split is "" where it is to be drawn.
    folds : mapping of str to int
        The fold of each clip, or empty.
    ranges : mapping of str to (float, float) or None
        Of each target, where clips have values; see `Task`.
    """
    clips = [_in_order(clip) for clip in one_form(clips)] if ranges else one_form(clips)
    _check_ids(name, clips)
    classes = tuple(sorted({label for clip in clips for label in (*clip.labels, *clip.unknown)}))
    kind = _kind(name, clips, classes, ranges or {})
    folds, notes = _from_zero(folds)
    n_folds = max(folds.values()) + 1 if folds else 1
    if folds and (n_folds < 3 or set(folds.values()) != set(range(n_folds))):
        raise BadInput(
            f"{name}: folds {sorted(set(folds.values()))}; 0, 1, 2 … without a gap, three or more, are needed"
        )
    drawn = not folds and not {"train", "valid", "test"} <= {clip.split for clip in clips}
    settled = list(clips) if folds else _completed(name, clips)

    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        return in_fold(settled, folds, n_folds, fold) if folds else settled

    cautions = beware(classes, {clip.group for clip in clips})
    task = Task(
        name=name,
        version=_version(settled, folds, ranges or {}),
        title=f"Your own: {title}",
        kind=kind,
        classes=classes,
        metrics=_metrics(kind, classes),
        read_clips=read_clips,
        folder=str(root),
        n_clips=len(clips),
        clip_seconds=0.0,
        n_folds=n_folds,
        standing="own",
        manifest=True,
        splits_drawn=drawn and not any(clip.split for clip in clips),
        valid_drawn=drawn and any(clip.split for clip in clips),
        datasets=(name,),
        notes=("its version is a hash of its clips, labels and splits, which stand beside its records", *notes),
        cautions=cautions,
        ranges=tuple(ranges[label] for label in classes) if ranges else (),
    )
    for fold in range(n_folds):
        try:
            _check_counts(name, classes, read_clips(None, fold), drawn)
            _check_values(name, classes, read_clips(None, fold))
        except BadInput as error:
            raise _one_sided(task, "; ".join((str(error), *cautions))) from error  # a second spelling may be too few
        _check_groups(name, read_clips(None, fold))
    return task


def _one_sided(task: Task, said: str) -> BadInput:
    """What is raised of clips that are no task by themselves: whether one side of ``+on:`` they can be."""
    if task.kind == "regression":
        return BadInput(said)
    clips = [clip for fold in range(task.n_folds) for clip in task.read_clips(None, fold)]
    held = {
        split: {label for clip in clips if clip.split == split for label in clip.present}
        for split in ("train", "valid", "test")
    }
    tested = {label for clip in clips for label in clip.present} if task.splits_drawn else held["test"]
    learns = not task.splits_drawn and held["valid"] > set() and held["train"] >= {*task.classes}
    tests = tested >= {*task.classes}
    if not (learns or tests):
        return BadInput(said)
    return OneSided(said, task, learns=learns, tests=tests)


def _kind(name: str, clips: Sequence[Clip], classes: Sequence[str], ranges: Mapping[str, Range]) -> TaskKind:
    """What is asked of the clips.

    Raises
    ------
    BadInput
        If nothing can be asked.
    """
    if ranges:
        if empty := [clip.id for clip in clips if not clip.values]:
            raise BadInput(f"{name}: {empty[0]} has no value ({len(empty)} such); leave such clips out")
        return "regression"
    _check_labels(name, clips)
    if len(classes) < 2:
        raise BadInput(f"{name}: {len(classes)} class ({', '.join(classes) or 'none'}); two or more are needed")
    return "single-label" if all(len(clip.labels) == 1 and not clip.unknown for clip in clips) else "multi-label"


def _metrics(kind: TaskKind, classes: Sequence[str]) -> tuple[str, ...]:
    if kind == "regression":
        return TEMPO if set(classes) <= _TEMPI else REGRESSION
    return SINGLE_LABEL if kind == "single-label" else TAGGING


def _check_values(name: str, targets: Sequence[str], clips: Sequence[Clip]) -> None:
    """Refuse a target that never varies where it is learnt or tested: R² is not defined then."""
    for split in _NEEDED if any(clip.values for clip in clips) else ():
        own = [dict(zip(clip.labels, clip.values, strict=True)) for clip in clips if clip.split == split]
        for target in targets:
            held = {values[target] for values in own if target in values}
            if len(held) == 1:
                n_clips = sum(target in values for values in own)
                of = f"every clip of {split}" if n_clips > 1 else f"the only clip of {split} that has one"
                raise BadInput(f"{name}: {target} is {held.pop():g} for {of}; two values or more are needed")


def one_form(clips: Iterable[Clip]) -> list[Clip]:
    """The clips with classes and groups in Unicode's composed form, in which names that look the same are the same."""
    found = []
    for clip in clips:
        labels, unknown, group = _each_composed(clip.labels), _each_composed(clip.unknown), composed(clip.group)
        same = labels == clip.labels and unknown == clip.unknown and group == clip.group
        found.append(clip if same else replace(clip, labels=labels, unknown=unknown, group=group))
    return found


def _in_order(clip: Clip) -> Clip:
    """The clip with its targets in the order of their names: the task is the same in whatever order they are given."""
    told = sorted(zip(clip.labels, clip.values, strict=True))
    labels, values = tuple(name for name, _ in told), tuple(value for _, value in told)
    return replace(clip, labels=labels, values=values, unknown=tuple(sorted(clip.unknown)))


@lru_cache(maxsize=10_000)
def _each_composed(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(composed, names)))


def _from_zero(folds: Mapping[str, int]) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Folds that are counted from 1 counted from 0, and a note that says so."""
    if not folds or set(folds.values()) != set(range(1, len(set(folds.values())) + 1)):
        return folds, ()
    said = f"its folds 1 to {max(folds.values())} are counted from 0 here"
    return {name: fold - 1 for name, fold in folds.items()}, (said,)


def _check_ids(name: str, clips: Sequence[Clip]) -> None:
    if len({clip.id for clip in clips}) < len(clips):
        twice = [clip_id for clip_id, count in Counter(clip.id for clip in clips).items() if count > 1]
        raise BadInput(
            f"{name}: '{twice[0]}' occurs twice; give several stretches of one file ids of their own (a column id)"
        )


def _check_labels(name: str, clips: Sequence[Clip]) -> None:
    several = any(len(clip.labels) > 1 or clip.unknown for clip in clips)
    if not several and (empty := [clip.id for clip in clips if not clip.labels]):
        raise BadInput(
            f"{name}: {empty[0]} has no label ({len(empty)} such); each clip of a single-label task needs one"
        )


def _check_groups(name: str, clips: Sequence[Clip]) -> None:
    splits: dict[str, set[str]] = {}
    for clip in clips:
        if clip.group:
            splits.setdefault(clip.group, set()).add(clip.split)
    if crossing := next((group for group, own in splits.items() if len(own) > 1), None):
        where = " and ".join(sorted(splits[crossing]))
        raise BadInput(f"{name}: group '{crossing}' is in {where}; a group belongs to one split")


def _completed(name: str, clips: Sequence[Clip]) -> list[Clip]:
    """The clips with their splits: all as given, valid drawn from train where only that lacks, or all drawn."""
    given = {clip.split for clip in clips}
    if given == {""}:
        return drawn_split(clips)
    if "" in given:
        lacking = next(clip.id for clip in clips if not clip.split)
        raise BadInput(f"{name}: {lacking} has no split and others have; give all of them one, or none")
    if "valid" not in given:
        parts = partition([clip for clip in clips if clip.split == "train"], _OF_TRAIN)
        return [replace(clip, split=parts.get(clip.id, clip.split)) for clip in clips]
    return list(clips)


def _check_counts(name: str, classes: Sequence[str], clips: Sequence[Clip], drawn: bool) -> None:
    count = Counter((clip.split, clip.present) for clip in clips)
    held = {split: {label for own, present in count if own == split for label in present} for split in _NEEDED}
    lacking = next(((label, split) for split in _NEEDED for label in classes if label not in held[split]), None)
    no_valid = not any(own == "valid" for own, _ in count)
    if drawn and (lacking or no_valid) and (why := _not_parted(clips, lacking[0] if lacking else "")):
        if "column group" in why and name.startswith("folder:"):
            why = why.replace("leave out the column group", "write '?inside=nothing' behind the folder")
        raise BadInput(f"{name}: {why}")
    total: Counter[str] = Counter()
    for (_, present), n_clips in count.items():
        total.update(dict.fromkeys(present, n_clips))
    fewest = min(classes, key=lambda label: total[label])
    todo = f"'{fewest}' has {total[fewest]} in all, and three or more of a class are needed for splits to be drawn"
    if no_valid:
        raise BadInput(
            f"{name}: no clip is in valid, on which methods are selected; "
            f"{todo if drawn else 'give some the split valid'}{_numbers(classes)}"
        )
    if nobody := next((split for split in _NEEDED if not held[split]), None):
        if not (drawn and total[fewest] < _N_SPLITS):
            todo = f"give some the split {nobody}, or give none a split"
        raise BadInput(f"{name}: no clip is in {nobody}; {todo}{_numbers(classes)}")
    if lacking:
        label, split = lacking
        nothing = f"; '{label}' may be what a program writes of an empty cell" if empty([label]) else ""
        raise BadInput(
            f"{name}: no clip of '{label}' is in {split} (it has {total[label]} in all); a class needs clips, or "
            f"groups, for each split: add some, or leave the class out{nothing}{_numbers(classes)}"
        )


def _numbers(classes: Sequence[str]) -> str:
    """What to do where classes are many numbers, which may be meant as values."""
    try:
        many = len({float(name) for name in classes}) > _MANY_NUMBERS
    except ValueError:
        return ""
    return "; numbers to be predicted are said to be some behind a list: ?value=label" if many else ""


def _not_parted(clips: Sequence[Clip], label: str) -> str:
    """Why clips cannot be drawn into three splits, if they are of too few groups or files; else ""."""
    own = [clip for clip in clips if label in clip.present]
    for what, some in (("all", clips), (f"the clips of '{label}'", own)):
        wholes = {clip.group or clip.path or clip.id for clip in some}
        if len(some) >= _N_SPLITS > len(wholes):
            groups = sorted({clip.group for clip in some if clip.group})
            shown = ", ".join(f"'{name}'" for name in groups or sorted(str(clip.path) for clip in some[:1]))
            kind = "group" if groups else "file"
            said = f"all {len(some)} clips" if what == "all" else f"{what} ({len(some)})"
            return (
                f"{said} are of {len(wholes)} {kind}{'s' if len(wholes) > 1 else ''} ({shown}), and a {kind} is never "
                f"parted between splits; {_N_SPLITS} or more are needed"
                + (": if it is no artist, album or the like, leave out the column group" if groups else "")
            )
    return ""


def _version(clips: Sequence[Clip], folds: Mapping[str, int], ranges: Mapping[str, Range]) -> str:
    total = hashlib.sha256()
    if ranges:
        total.update(repr(sorted(ranges.items())).encode())
    for clip in sorted(clips, key=lambda clip: clip.id):
        where = (clip.start, clip.duration)
        line: tuple[Any, ...] = (clip.id, folds.get(clip.id, clip.split), clip.labels, clip.unknown, clip.group, *where)
        line += (clip.values,) if clip.values else ()
        total.update(repr(line).encode())
    return total.hexdigest()[:12]
