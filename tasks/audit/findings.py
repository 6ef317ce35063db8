"""Finds the faults of a data set that make its scores untrustworthy: `mirbench data audit TASK`.

Repeats and groups that cross splits, duplicates whose labels contradict each other, and files that are broken, silent,
clipped, out of phase, in another unit or of another length than they should be. Near-duplicates are found by
`mirbench.tasks.audit.fingerprint`, also where they were re-encoded, brought to another level, cut or overlap by part.
What `mirbench.tasks.audit.listening` hears is remembered in ``audit.sqlite`` of the cache; a stretch is decoded once
more if it must be compared with another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from mirbench.class_names import alike, empty, joined
from mirbench.features import audio
from mirbench.plain_text import json_text, printable
from mirbench.progress import Progress
from mirbench.tasks.audit import fingerprint
from mirbench.tasks.audit.listening import Heard, file_digest, listen
from mirbench.types import Clip, Excerpt, FloatArray, Task

__all__ = ["KINDS", "Finding", "as_json", "audit", "summary"]

Folds = tuple[tuple[Clip, ...], ...]

KINDS: Mapping[str, str] = {
    "exact-duplicate": "the same samples",
    "near-duplicate": "the same recording",
    "label-conflict": "duplicates whose labels contradict each other",
    "group-crosses-splits": "an artist, album, … in more than one split",
    "names-alike": "classes or groups whose names may be one",
    "names-joined": "a class that may be several",
    "names-empty": "a class that may be an empty cell",
    "unreadable": "broken, empty or missing",
    "silence": "never louder than -80 dBFS",
    "out-of-phase": "channels that cancel in their mean, which is what is heard",
    "out-of-scale": "samples far outside of full scale",
    "clipping": "over 0.1 % of the samples in runs at full scale",
    "duration": "over 10 % from the nominal length",
    "no-audio": "no audio on this machine",
}
"""What each kind of finding means, worst first."""

SILENT = 1e-4
"""Peak of a silent clip, full scale 1: three steps of 16-bit audio."""

CLIPPED = 1e-3
"""Share of samples in runs at full scale above which a clip counts as clipped; of the 100 clips of GTZAN's public
excerpt none has more than 0.0007."""


@dataclass(frozen=True)
class Finding:
    """A fault of a data set.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    clips : tuple of str
        Ids of the clips concerned.
    detail : str
        One line.
    across : bool
        Whether these clips lie in different splits in some fold, so that test scores are affected.
    """

    kind: str
    clips: tuple[str, ...]
    detail: str
    across: bool


def audit(task: Task, folds: Folds, cache: Path, progress: Progress, workers: int = 2) -> list[Finding]:
    """Listen to every clip of a task and find the faults of the data set.

    Parameters
    ----------
    folds : tuple of tuple of Clip
        Clips of every fold, from `mirbench.features.datasets.read_task`.
    cache : Path
        Folder that remembers what was heard.
    workers : int
        Threads.

    Returns
    -------
    list of Finding
        Those across splits first, then in the order of `KINDS`.
    """
    clips = {clip.id: clip for fold in folds for clip in fold}
    findings = [*_groups(folds), *_names(task, folds)]
    if lacking := tuple(clip.id for clip in clips.values() if clip.path is None):
        detail = f"{len(lacking)} of {len(clips)} clips have no audio on this machine and were not listened to"
        findings.append(Finding("no-audio", lacking, detail, False))
    places = {
        c.id: Excerpt(c.path, c.start, c.duration, first_channel=c.first_channel)
        for c in clips.values()
        if c.path is not None
    }
    heard: dict[str, Heard] = {}
    answers = listen(places.values(), task.medium == "picture", cache / "audit.sqlite", progress, workers)
    for name, place in places.items():
        answer = answers[place]
        if isinstance(answer, str):
            findings.append(Finding("unreadable", (name,), answer, False))
        else:
            heard[name] = answer
            findings += _lone_faults(task, clips[name], answer)
    heard = {name: answer for name, answer in heard.items() if answer.peak >= SILENT}
    repeated = _Repeated(clips, places, folds)
    findings += repeated.findings(heard, progress)
    order = list(KINDS)
    return sorted(findings, key=lambda f: (not f.across, order.index(f.kind), f.clips))


def summary(findings: Sequence[Finding], n_clips: int, lines: int = 10) -> str:
    """Findings as text: counts by kind, and the first `lines` of each."""
    if not findings:
        return f"{n_clips} clips: no faults found"
    across = sum(f.across for f in findings)
    text = [f"{n_clips} clips: {_count(len(findings), 'finding')}, {across} across splits"]
    for kind, meaning in KINDS.items():
        if not (own := [f for f in findings if f.kind == kind]):
            continue
        crossing = sum(f.across for f in own)
        text += ["", f"{kind}: {len(own)}{f', {crossing} across splits' if crossing else ''} ({meaning})"]
        for f in own[:lines]:
            few = ", ".join(f.clips[:4]) + (f" and {len(f.clips) - 4} more" if len(f.clips) > 4 else "")
            text.append(f"  {printable(few)}: {printable(f.detail)}{' [across splits]' if f.across else ''}")
        if len(own) > lines:
            text.append(f"  … and {len(own) - lines} more")
    return "\n".join(text)


def as_json(findings: Sequence[Finding]) -> str:
    """Findings as a JSON list of objects with the fields of `Finding`."""
    return json_text([asdict(f) for f in findings])


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _groups(folds: Folds) -> list[Finding]:
    """Groups with clips in more than one split of a fold."""
    crossing: dict[str, list[str]] = defaultdict(list)
    members: dict[str, dict[str, None]] = defaultdict(dict)
    for number, fold in enumerate(folds):
        splits: dict[str, dict[str, None]] = defaultdict(dict)
        for clip in fold:
            if clip.group:
                splits[clip.group][clip.split] = None
                members[clip.group][clip.id] = None
        for group, names in splits.items():
            if len(names) > 1:
                where = f" of fold {number}" if len(folds) > 1 else ""
                crossing[group].append(" and ".join(sorted(names)) + where)
    return [
        Finding("group-crosses-splits", tuple(members[group]), f"group '{group}' is in {'; '.join(where)}", True)
        for group, where in crossing.items()
    ]


def _names(task: Task, folds: Folds) -> Iterator[Finding]:
    """Classes and groups whose names are suspicious."""
    classes: dict[str, list[Clip]] = defaultdict(list, {name: [] for name in task.classes})
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in {clip.id: clip for fold in folds for clip in fold}.values():
        for label in clip.present:
            classes[label].append(clip)
        if clip.group:
            groups[clip.group].append(clip)
    for what, held in (("classes", classes), ("groups", groups)):
        for names in alike(held):
            shown = ", ".join(f"{name!r} ({_count(len(held[name]), 'clip')})" for name in names)
            across = what == "groups" and any(
                len({clip.split for clip in fold if clip.group in names}) > 1 for fold in folds
            )
            own = tuple(clip.id for name in names for clip in held[name])
            yield Finding("names-alike", own, f"{what} {shown}", across)
    if made := joined(classes):
        own = tuple(clip.id for clip in classes[made.name])
        detail = f"{made.name!r} ({_count(len(own), 'clip')}) of {', '.join(made.parts)}; {made.n_names} such"
        yield Finding("names-joined", own, detail, False)
    for name in empty(classes):
        own = tuple(clip.id for clip in classes[name])
        yield Finding("names-empty", own, f"{name!r} ({_count(len(own), 'clip')})", False)


def _lone_faults(task: Task, clip: Clip, heard: Heard) -> Iterator[Finding]:
    """What is wrong with one clip that could be read."""
    if phase := audio.cancel(heard.rms, heard.rms_unrelated):
        yield Finding("out-of-phase", (clip.id,), phase, False)
    elif heard.peak < SILENT:
        yield Finding("silence", (clip.id,), f"peak {heard.peak:.1e} of full scale", False)
    if scale := audio.out_of_scale(heard.peak):
        yield Finding("out-of-scale", (clip.id,), scale, False)
    elif heard.clipped > CLIPPED:
        yield Finding("clipping", (clip.id,), f"{heard.clipped:.2%} of its samples in runs at full scale", False)
    seconds = heard.seconds * max(1, len(clip.peaks))
    if task.medium == "audio" and task.clip_seconds and abs(seconds / task.clip_seconds - 1) > 0.1:
        yield Finding("duration", (clip.id,), f"{seconds:.2f} s, {task.clip_seconds:g} s are expected", False)


class _Repeated:
    """Duplicates among the clips of a task, and whether they cross splits and agree on their labels."""

    def __init__(self, clips: Mapping[str, Clip], places: Mapping[str, Excerpt], folds: Folds) -> None:
        self._clips, self._places = clips, places
        self._splits = [{clip.id: clip.split for clip in fold} for fold in folds]
        self._files = {name: place.path.resolve() for name, place in places.items()}

    def findings(self, heard: Mapping[str, Heard], progress: Progress) -> list[Finding]:
        same: dict[str, list[str]] = defaultdict(list)
        for name, answer in heard.items():
            same[answer.digest].append(name)
        groups = list(same.values())
        found = [self._exact(group) for group in groups if len(group) > 1]
        found += [self._near(pair, text) for pair, text in self._overlapping(heard)]
        prints = [np.frombuffer(heard[group[0]].prints, dtype=np.uint64) for group in groups]
        files = [{self._files[name] for name in group} for group in groups]

        def load(k: int, rate: int) -> FloatArray:
            return audio.read(self._places[groups[k][0]], rate)

        def apart(a: int, b: int) -> bool:
            return files[a].isdisjoint(files[b])

        with progress.bar("comparing clips", len(prints), "clips") as step:
            for r in fingerprint.repeats(prints, load, apart, step):
                pairs = list(product(groups[r.a], groups[r.b]))
                pair = next((p for p in pairs if self._across(p)), pairs[0])
                at = f", {abs(r.offset):.2f} s {'later' if r.offset > 0 else 'earlier'} in the second"
                text = f"{r.overlap:.1f} s in common{at if abs(r.offset) >= 0.005 else ''}, correlation {r.score:.3f}"
                found.append(self._near(pair, text))
        return found + [conflict for finding in found for conflict in self._conflicts(finding)]

    def _exact(self, group: Sequence[str]) -> Finding:
        files = {self._files[name] for name in group}
        if len(files) == 1:
            text = "the same stretch of one file"
        elif len({file_digest(path) for path in files}) == 1:
            text = "files of the same bytes"
        else:
            text = "the same samples in files of other bytes"
        return Finding("exact-duplicate", tuple(group), text, self._across(group))

    def _near(self, pair: tuple[str, str], text: str) -> Finding:
        return Finding("near-duplicate", pair, text, self._across(pair))

    def _overlapping(self, heard: Mapping[str, Heard]) -> Iterator[tuple[tuple[str, str], str]]:
        """Clips of one file whose stretches overlap; what merely sounds the same in one file is no duplicate."""
        inside: dict[Path, list[str]] = defaultdict(list)
        for name in heard:
            inside[self._files[name]].append(name)
        for names in inside.values():
            names.sort(key=lambda name: self._places[name].start)
            for k, one in enumerate(names):
                end = self._places[one].start + heard[one].seconds
                for other in names[k + 1 :]:
                    shared = min(end, self._places[other].start + heard[other].seconds) - self._places[other].start
                    if shared <= 0.001:
                        break
                    if heard[one].digest != heard[other].digest:
                        yield (one, other), f"stretches of one file that overlap by {shared:.1f} s"

    def _across(self, names: Iterable[str]) -> bool:
        names = list(names)
        return any(len({fold[name] for name in names if name in fold}) > 1 for fold in self._splits)

    def _conflicts(self, finding: Finding) -> Iterator[Finding]:
        """The finding again if a class is present in one of its clips and absent, by judgement, in another."""
        clips = [self._clips[name] for name in finding.clips]
        disputed = {
            label
            for one, other in product(clips, clips)
            for label in set(one.present) - set(other.present) - set(other.unknown)
        }
        if disputed:
            text = "; ".join(f"{clip.id} is {', '.join(clip.present) or 'of no class'}" for clip in clips[:4])
            yield Finding("label-conflict", finding.clips, text, finding.across)
