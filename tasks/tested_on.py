"""``task+on:other``: does it travel? What learns from the clips of one task is tested on those of another.

Train and valid are those of the task, test is that of the other; both are told by the classes that they share. The name
says both, so that its records stand in a table of their own and beside none of either task.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mirbench.class_names import alike, composed
from mirbench.errors import BadInput
from mirbench.features.datasets import dataset_folder
from mirbench.places import default_cache, user_path
from mirbench.progress import Progress
from mirbench.spelling import on_record
from mirbench.types import Clip, Task

__all__ = ["called_on", "tested_on"]

_STANDINGS = ("synthesised", "own", "excerpt", "full")


@dataclass(frozen=True)
class _Shared:
    """The classes that two tasks share: what each class of either is called, and those that are left out."""

    names: tuple[str, ...]
    of_task: Mapping[str, str]
    of_other: Mapping[str, str]


def tested_on(task: Task, argument: str, other: Task) -> Task:
    """Train and valid of one task, test of another, with the classes that both have.

    Parameters
    ----------
    task, other : Task
        What is learnt from, and what is tested on. Of a task with folds, the first fold is learnt from; every clip is
        tested that is in test of some fold, and every clip at all of a list whose split was drawn.
    argument : str
        Name of the other, and, behind "::", which of its classes is which: "rock=Rock,metal=Heavy Metal", or a .csv
        file of such pairs. By default classes match by their names, without case, spaces, hyphens and the like.

    Raises
    ------
    BadInput
        If both cannot be joined, or share fewer than two classes.
    """
    _refuse(task, other)
    shared = _shared(task, other, argument.partition("::")[2])
    single = task.kind == other.kind == "single-label"
    kind: Literal["single-label", "multi-label"] = "single-label" if single else "multi-label"
    told = task if task.kind == kind else other
    version = hashlib.sha256(repr((other.version, shared)).encode()).hexdigest()[:8]
    return replace(
        task,
        version=f"{task.version}.{version}",
        title=f"learnt from {task.name}, tested on {other.name}",
        kind=kind,
        classes=shared.names,
        metrics=told.metrics,
        read_clips=_reader(task, other, shared, kind),
        folder=_folder(task, other),
        n_clips=0,
        clip_seconds=task.clip_seconds if task.clip_seconds == other.clip_seconds else 0.0,
        n_folds=1,
        standing=min((task.standing, other.standing), key=_STANDINGS.index),
        ships=tuple(name for name in task.ships if name in other.ships),
        manifest=True,
        splits_drawn=False,
        datasets=tuple(dict.fromkeys((*task.datasets, *other.datasets))),
        archives=(),  # each has a folder of its own
        reference="; ".join(dict.fromkeys(filter(None, (task.reference, other.reference)))),
        license="; ".join(dict.fromkeys(filter(None, (task.license, other.license)))),
        notes=(f"train and valid are of {task.name}, test is of {other.name}; {_said(shared)}",),
        cautions=_left_out(task, other, shared, "not among --classes" if argument.partition("::")[2] else ""),
        demo=_stand_in(task, argument, other),
        synthesise=None,
    )


def called_on(argument: str) -> str:
    """What records call it: the other task by its name there, and a file of classes by its own without folders."""
    name, mark, pairs = argument.partition("::")
    if pairs.lower().endswith(".csv"):
        pairs = Path(pairs).stem
    return f"{on_record('task', name)}{mark}{pairs}"


def _refuse(task: Task, other: Task) -> None:
    if "+on:" in task.name + other.name:
        raise BadInput(f"+on:{other.name}: {task.name} is tested on another task already; name two tasks")
    if task.name == other.name:
        raise BadInput(f"+on:{other.name}: that is the task itself, which has clips to test of its own; leave it out")
    if values := [each.name for each in (task, other) if each.kind == "regression"]:
        raise BadInput(
            f"+on:{other.name}: {values[0]} asks for values; tasks of classes alone are tested on each other"
        )
    if task.medium != other.medium:
        raise BadInput(f"+on:{other.name}: its clips are {other.medium}s, those of {task.name} {task.medium}s")


def _shared(task: Task, other: Task, pairs: str) -> _Shared:
    """The classes of both; a class that stands for several of the other has its own name."""
    found = _given(pairs, task, other) if pairs else _by_name(task.classes, other.classes)
    groups: list[tuple[set[str], set[str]]] = []
    for a, b in found:
        near = [group for group in groups if a in group[0] or b in group[1]]
        groups = [group for group in groups if group not in near]
        groups.append(({a}.union(*(group[0] for group in near)), {b}.union(*(group[1] for group in near))))
    if several := next((group for group in groups if min(map(len, group)) > 1), None):
        raise BadInput(
            f"+on:{other.name}: {', '.join(sorted(several[0]))} and {', '.join(sorted(several[1]))} are several "
            "classes on both sides; let one stand for several, or one for one"
        )
    if len(groups) < 2:
        raise BadInput(
            f"+on:{other.name}: {task.name} shares {len(groups)} of its classes with it by "
            f"{'--classes' if pairs else 'name'}, and two are needed. It has {', '.join(task.classes)}; "
            f"{other.name} has {', '.join(other.classes)}. Say which is which: --classes 'a=b,c=d', all of them, "
            "those of the task that is learnt from first, or --classes FILE.csv"
        )
    groups.sort(key=lambda group: min(map(task.classes.index, group[0])))
    names = tuple(min(ours) if len(ours) == 1 else min(theirs) for ours, theirs in groups)
    of_task = {name: called for called, (ours, _) in zip(names, groups, strict=True) for name in sorted(ours)}
    of_other = {name: called for called, (_, theirs) in zip(names, groups, strict=True) for name in sorted(theirs)}
    return _Shared(names, of_task, of_other)


def _by_name(ours: Iterable[str], theirs: Iterable[str]) -> list[tuple[str, str]]:
    """Classes of the same name, and those that look the same; not those of which there are two."""
    mine, others = set(ours), set(theirs)
    found = [(name, name) for name in mine & others]
    for group in alike(mine | others):
        a, b = ([name for name in group if name in side] for side in (mine, others))
        if len(a) == len(b) == 1 and a != b:
            found.append((a[0], b[0]))
    return sorted(found)


def _given(text: str, task: Task, other: Task) -> list[tuple[str, str]]:
    """Pairs of classes as they were typed, or from a file of two columns."""
    if text.lower().endswith(".csv"):
        path = user_path(text)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = [[cell.strip() for cell in line] for line in csv.reader(file) if any(line)]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"--classes {text}: not readable ({error})") from error
    else:
        lines = [[part.strip() for part in pair.split("=")] for pair in text.split(",")]
    if wrong := [line for line in lines if len(line) != 2]:
        raise BadInput(f"--classes: {' '.join(wrong[0])!r} is no pair; a=b, or two columns of a .csv, are needed")
    found = [(composed(a), composed(b)) for a, b in lines]
    for name, held, of in (pair for a, b in found for pair in ((a, task.classes, task), (b, other.classes, other))):
        if name not in held:
            raise BadInput(f"--classes: {of.name} has no class {name!r}; it has {', '.join(held)}")
    return list(dict.fromkeys(found))


def _reader(
    task: Task, other: Task, shared: _Shared, kind: Literal["single-label", "multi-label"]
) -> Callable[[Path | None, int], list[Clip]]:
    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        learnt = [clip for clip in _clips(task, root, 0) if clip.split in ("train", "valid")]
        tested = {clip.id: clip for k in range(other.n_folds) for clip in _clips(other, root, k) if _tests(other, clip)}
        ids = {clip.id for clip in learnt}
        before = f"{other.name}/" if ids & set(tested) else ""  # else features that are found by ids are not
        own = [_told(clip, shared.of_task, kind) for clip in learnt]
        theirs = [
            _told(replace(clip, id=before + clip.id, split="test", group=clip.group), shared.of_other, kind)
            for clip in tested.values()
        ]
        return [clip for clip in (*own, *theirs) if clip.labels or kind == "multi-label"]

    return read_clips


def _clips(task: Task, root: Path | None, fold: int) -> list[Clip]:
    folder = root and dataset_folder(task, root, default_cache(), Progress(quiet=True))
    return task.read_clips(folder, fold)


def _tests(other: Task, clip: Clip) -> bool:
    """Whether a clip is tested; a split that was drawn here for learning means nothing."""
    return clip.split == "test" or (other.splits_drawn and clip.split in ("train", "valid"))


def _told(clip: Clip, names: Mapping[str, str], kind: str) -> Clip:
    """A clip with the shared classes alone; of several that are one, the surest counts."""
    sure: dict[str, float] = {}
    for label, strength in zip(clip.labels, clip.strengths or (1.0,) * len(clip.labels), strict=True):
        if label in names:
            sure[names[label]] = max(strength, sure.get(names[label], 0.0))
    unknown = dict.fromkeys(names[label] for label in clip.unknown if label in names)
    return replace(
        clip,
        labels=tuple(sure),
        strengths=tuple(sure.values()) if clip.strengths else (),
        unknown=tuple(name for name in unknown if sure.get(name, 0.0) < 0.5) if kind == "multi-label" else (),
    )


def _folder(task: Task, other: Task) -> str:
    """An absolute folder where neither needs a data root; else that root."""
    needs_root = any(part.synthesise is None and not Path(part.folder).is_absolute() for part in (task, other))
    return "" if needs_root else str(default_cache().absolute())


def _stand_in(task: Task, argument: str, other: Task) -> str:
    """Of both, where they are two; it has the classes that they have."""
    there = other.demo or other.name
    if not task.demo or task.demo.partition("+")[0] == there.partition("+")[0]:
        return ""
    return f"{task.demo}+on:{there}" + "".join(argument.partition("::")[1:])


def _said(shared: _Shared) -> str:
    pairs = {name: [b for b, called in shared.of_other.items() if called == name] for name in shared.names}
    return "its classes there: " + ", ".join(f"{name} = {' or '.join(theirs)}" for name, theirs in pairs.items())


def _left_out(task: Task, other: Task, shared: _Shared, why: str) -> tuple[str, ...]:
    """What a user should know of the classes that have no counterpart, or are left out because of something else."""
    lacking = [
        f"{', '.join(names)} of {part.name}"
        for part, held in ((task, shared.of_task), (other, shared.of_other))
        if (names := [name for name in part.classes if name not in held])
    ]
    return (f"{why or 'without a counterpart'}, and left out: {'; '.join(lacking)}",) if lacking else ()
