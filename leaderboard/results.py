"""Records to systems: which runs belong together, what they are called, and their scores as one stack.

A *system* is everything that was asked but fold and seed: a method with its settings, on a source or on none. Systems
that answer the same question (task, task version, windowing) are compared with each other, and with no other.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.lasting import made_to_last
from mirbench.leaderboard.marks import labelled, marks_of
from mirbench.leaderboard.system_names import names_of
from mirbench.names import natural
from mirbench.record import RunRecord
from mirbench.runs.scores import Scores, that_count
from mirbench.runs.store import RunStore
from mirbench.spelling import in_one_spelling
from mirbench.types import FloatArray, IntArray, Targets

__all__ = [
    "Question", "Run", "Stack", "System", "in_order", "question_of", "questions", "questions_of", "with_scores",
]  # fmt: skip

_FEW = 3
"""Names of systems in one line."""
_UNREADABLE = (BadInput, ValueError, TypeError, IndexError, KeyError, AttributeError, MemoryError)
"""What arrays of a stranger bring about."""


@dataclass(frozen=True)
class Run:
    """A record and where it lies; `curves` is False where those beside it cannot be read."""

    folder: Path
    record: RunRecord
    curves: bool = True


@dataclass(frozen=True)
class Stack:
    """What a system predicted: its folds side by side, a layer a seed.

    Parameters
    ----------
    clip_ids, groups : ndarray of str, shape (n_clips,)
        In the order of folds and names; a group is "" where unknown.
    folds : ndarray of int, shape (n_clips,)
        The fold in whose test set a clip is.
    hashes : ndarray of bytes, shape (n_clips,)
        Of ids and labels.
    seeds : tuple of int
        Of the layers.
    scores : ndarray of float32, shape (n_seeds, n_clips, n_classes)
    """

    clip_ids: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    folds: IntArray
    hashes: npt.NDArray[np.bytes_]
    targets: Targets
    seeds: tuple[int, ...]
    scores: FloatArray


@dataclass(frozen=True)
class System:
    """The runs of one method, source and settings.

    Parameters
    ----------
    name : str
        Method + source, and the settings that differ from their defaults or from another system's of the same name.
    key : str
        Eight hex digits over what was asked, the same on every machine.
    runs : tuple of Run
        Those that count: of the seeds that have every fold; where no seed has, of those folds that most seeds have.
    seeds, folds : tuple of int
        Of these runs: a run each of every seed and fold; where nothing is random, the first seed alone.
    n_folds : int
        Of the task.
    lacking : tuple of int
        Seeds that are left out, for they lack folds.
    others : tuple of Run
        The runs that do not count.
    marks : tuple of str
        What sets it apart from one of mirbench's own that was run here; see `mirbench.leaderboard.marks`.
    pack : str
        The results of others that it came with; "" of one's own.
    """

    name: str
    key: str
    runs: tuple[Run, ...]
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    n_folds: int
    lacking: tuple[int, ...] = ()
    others: tuple[Run, ...] = ()
    marks: tuple[str, ...] = ()
    pack: str = ""

    @property
    def label(self) -> str:
        """Its name with its marks, for people."""
        return labelled(self.name, self.marks)

    @property
    def record(self) -> RunRecord:
        """One of its records, for what all share."""
        return self.runs[0].record

    @property
    def uses_seed(self) -> bool:
        """Whether another seed may give another result."""
        return all(run.record.uses_seed for run in (*self.runs, *self.others))

    @property
    def complete(self) -> bool:
        """Whether every fold of the task is there."""
        return len(self.folds) == self.n_folds

    @property
    def by_seed(self) -> list[list[Run]]:
        """Its runs, a list a seed, in the order of their folds."""
        return [[run for run in self.runs if run.record.spec.seed == seed] for seed in self.seeds]

    @cached_property
    def stack(self) -> Stack:
        """Its scores, read when they are first asked for.

        Raises
        ------
        BadInput
            If its seeds were tested on different clips or labels, or scores cannot be read.
        """
        layers = [_side_by_side(runs) for runs in self.by_seed]
        (first, folds), *others = layers
        for other, _ in others:
            if not np.array_equal(first.hashes, other.hashes):
                raise BadInput(f"{self.runs[0].folder.parent}: seeds of {self.name} were tested on different clips")
        return Stack(
            clip_ids=first.clip_ids,
            groups=first.groups,
            folds=folds,
            hashes=first.hashes,
            targets=first.targets,
            seeds=self.seeds,
            scores=np.stack([layer.scores for layer, _ in layers]),
        )


@dataclass(frozen=True)
class Question:
    """What systems can be compared on, and the systems.

    Parameters
    ----------
    problems : tuple of str
        A line for each run without a result.
    notes : tuple of str
        What is not shown of the results of others, and why.
    """

    title: str
    record: RunRecord
    systems: tuple[System, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def questions(root: Path, left_out: list[str] | None = None) -> list[Question]:
    """Every question that the records below a folder answer, full tasks first.

    Parameters
    ----------
    left_out : list of str, optional
        As of `RunStore`.
    """
    return questions_of(RunStore(root, left_out).records())


def questions_of(records: Iterable[tuple[Path, RunRecord]]) -> list[Question]:
    """Every question that some runs answer, each with its folder; full tasks first."""
    groups: dict[str, list[Run]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    with made_to_last():
        for folder, record in records:
            place = (folder / "record.json").stat()
            if (place.st_dev, place.st_ino) not in seen:  # a link leads to a run a second time
                groups[question_of(record)].append(Run(folder, record))
            seen.add((place.st_dev, place.st_ino))
    return in_order(_question(runs) for _, runs in sorted(groups.items()))


def in_order(found: Iterable[Question]) -> list[Question]:
    """Full tasks first, then by their titles."""
    order = {"full": 0, "excerpt": 1, "own": 2, "synthesised": 3}
    return sorted(found, key=lambda question: (order.get(question.record.standing, 4), natural(question.title)))


def with_scores(question: Question, left_out: list[str] | None = None) -> Question:
    """The same question, less the runs whose scores cannot be read.

    Parameters
    ----------
    left_out : list of str, optional
        Takes a line for each; without it the first of them raises when its scores are asked for.
    """
    if left_out is None:
        return question
    systems = (_with_scores(system, left_out) for system in question.systems)
    return replace(question, systems=tuple(system for system in systems if system))


def _with_scores(system: System, left_out: list[str]) -> System | None:
    """The system as its runs with scores make it; None where nothing of it is left."""
    system = replace(system, runs=tuple(_with_curves(run, left_out) for run in system.runs))
    try:
        _ = system.stack
        return system
    except _UNREADABLE:
        readable = [run for run in (*system.runs, *system.others) if _readable(run, left_out)]
    if not readable:
        return None
    less = replace(_system(system.name, system.key, readable), marks=system.marks, pack=system.pack)
    try:
        _ = less.stack
        return less
    except _UNREADABLE as error:
        left_out.append(f"{less.runs[0].folder.parent}: {system.name} is left out ({error})")
        return None


def _with_curves(run: Run, left_out: list[str]) -> Run:
    try:
        RunStore(run.folder.parents[2]).robustness(run.folder)
        return run
    except BadInput as error:
        left_out.append(str(error))
        return replace(run, curves=False)


def _readable(run: Run, left_out: list[str]) -> bool:
    """Whether the scores of a run fit its record; if not, `left_out` takes why."""
    path = run.folder / "scores.npz"
    try:
        scores = RunStore(run.folder.parents[2]).scores(run.folder)
        wanted = (run.record.n_clips.get("test", len(scores.clip_ids)), scores.targets.value.shape[1])
        if scores.scores.shape != wanted or scores.hashes.shape != wanted[:1] or scores.scores.dtype.kind != "f":
            raise BadInput(f"{path}: its arrays do not fit the record")
        return True
    except BadInput as error:
        left_out.append(str(error))
    except _UNREADABLE as error:
        left_out.append(f"{path}: not readable as scores ({type(error).__name__})")
    return False


def _question(runs: Sequence[Run]) -> Question:
    record = runs[0].record
    spec = record.spec
    task = in_one_spelling(spec.task)
    title = task if spec.task_version == "1" else f"{task} (version {spec.task_version})"
    windowing = asdict(spec.windowing)
    if windowing != {"windows": "nonoverlap", "average": "prob"}:
        title += f" [{windowing['windows']}, average {windowing['average']}]"
    asked: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.record.status == "done":
            asked[run.record.spec.system].append(run)
    names = names_of([alike[0].record for alike in asked.values()])
    members = {run.record.spec.key: run.record for run in runs}
    systems = tuple(
        replace(_system(names[key], key, alike), marks=marks_of(alike[0].record, members=members))
        for key, alike in asked.items()
    )
    return Question(title, record, systems, _problems(run.record for run in runs))


def _system(name: str, key: str, runs: Sequence[Run]) -> System:
    n_folds = runs[0].record.n_folds
    held: dict[int, set[int]] = defaultdict(set)
    for run in runs:
        held[run.record.spec.seed].add(_fold(run))
    folds, seeds = that_count(held, n_folds)
    if not all(run.record.uses_seed for run in runs):  # nothing is random: one stands for all
        seeds = seeds[:1]
    counted = [run for run in runs if run.record.spec.seed in seeds and _fold(run) in folds]
    return System(
        name=name,
        key=key,
        runs=tuple(sorted(counted, key=lambda run: (run.record.spec.seed, _fold(run)))),
        seeds=tuple(seeds),
        folds=tuple(sorted(folds)),
        n_folds=n_folds,
        lacking=tuple(sorted(seed for seed, theirs in held.items() if not theirs >= folds)),
        others=tuple(run for run in runs if run not in counted),
    )


def _fold(run: Run) -> int:
    return run.record.spec.fold


def _side_by_side(runs: Sequence[Run]) -> tuple[Scores, IntArray]:
    """Scores of one seed over its folds, clips in the order of their names in each, and the fold of each."""
    parts = []
    for run in runs:
        scores = RunStore(run.folder.parents[2]).scores(run.folder)
        in_order = bool((scores.clip_ids[:-1] <= scores.clip_ids[1:]).all())
        parts.append(scores if in_order else scores.take(np.argsort(scores.clip_ids, kind="stable")))
    folds = np.repeat([_fold(run) for run in runs], [len(part.clip_ids) for part in parts])
    if len(parts) == 1:
        return parts[0], folds.astype(np.int64)
    return Scores.joined(parts), folds.astype(np.int64)


def _problems(records: Iterable[RunRecord]) -> tuple[str, ...]:
    """A line for each reason, with the systems that share it and the number of their runs."""
    shared: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record.status != "done":
            source = f" + {record.spec.source}" if record.spec.source else ""
            shared[f"{record.status}: {record.reason}"][f"{record.spec.method}{source}"] += 1
    return tuple(sorted(f"{_some(sorted(count))}: {reason} {_runs(count.total())}" for reason, count in shared.items()))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def _runs(n: int) -> str:
    return f"({n} {'run' if n == 1 else 'runs'})"


def question_of(record: RunRecord) -> str:
    """The question that a record answers, whatever system answered it, as a text."""
    spec = record.spec
    return json.dumps([in_one_spelling(spec.task), spec.task_version, vars(spec.windowing)], sort_keys=True)
