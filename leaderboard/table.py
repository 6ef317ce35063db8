"""Systems to rows: the numbers of each, how sure they are, and which cannot be told apart.

Over folds, a metric is taken on the pooled predictions of one seed or averaged, as its card says; mean and standard
deviation are then over seeds. Interval and rank are of a table's first metric; see `mirbench.leaderboard.statistics`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mirbench import metrics
from mirbench.lasting import made_to_last
from mirbench.leaderboard import statistics
from mirbench.leaderboard.beside import beside
from mirbench.leaderboard.by_class import of_each_seed
from mirbench.leaderboard.marks import REPEATED, labelled
from mirbench.leaderboard.packs import Pack
from mirbench.leaderboard.results import Question, Run, Stack, System, questions, with_scores
from mirbench.leaderboard.statistics import Interval
from mirbench.record import RunRecord, copies
from mirbench.runs.scores import over_folds as one_value
from mirbench.source import trained_on_it
from mirbench.spelling import in_one_spelling
from mirbench.types import Windowing

__all__ = [
    "OF_TIMES",
    "Board",
    "Row",
    "Summary",
    "boards",
    "boards_of",
    "device_of",
    "mean_and_sd",
    "over_folds",
    "timing",
]

_BUSY = "timed on a busy machine"
_OTHERWISE = "its speed is left out: it was timed by an earlier version of mirbench, in another way"
OF_TIMES = (_BUSY, _OTHERWISE)
"""Flags that say something of times alone."""

SHOWN = tuple(metric.name for metric in metrics.METRICS.values() if metric.kind == "value")
"""Metrics that are one number, in the order of their columns."""

_MOST_PAIRS = 60  # rows of which p of every pair is kept: 1,770 pairs
Summary = tuple[float, float | None]
"""Mean and standard deviation (n - 1) over seeds; the latter is None for one seed."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Parameters
    ----------
    metrics : dict of str to (mean, SD) or None
        Over seeds.
    interval : Interval or None
        95 %, of the table's first metric.
    rank : int or None
        One more than the rows that are significantly better; None where folds are missing, or other clips were heard.
    p_best : float or None
        That the difference from the best row is chance, corrected for all pairs of the table; None for the best.
    p_others : mapping of str to float
        The same of the difference from each other row that it is ranked with, by key; {} in tables of over 60 rows.
    n_seeds, n_folds, n_done : int
        Seeds for which these folds are there; number of folds of the task; number of those that are there.
    flags : tuple of str
        What a reader must know: contamination, incomplete folds.
    alike : bool
        Whether several seeds predicted the same to the bit, so that there is no deviation.
    repeated : bool
        Whether this user repeated all of its runs; see `mirbench.leaderboard.repeated`.
    """

    system: System
    metrics: dict[str, Summary | None]
    n_seeds: int
    n_folds: int
    n_done: int
    n_clips: int
    n_trainable: int | None
    n_total: int | None
    epoch_seconds: float | None
    train_seconds: float | None
    clips_per_second: float | None
    gflops: float | None
    kwh: float | None
    device: str
    flags: tuple[str, ...]
    interval: Interval | None = None
    rank: int | None = None
    p_best: float | None = None
    alike: bool = False
    p_others: Mapping[str, float] = field(default_factory=dict)
    repeated: bool = False

    @property
    def name(self) -> str:
        """Method + source, with the settings that set it apart."""
        return self.system.name

    @property
    def marks(self) -> tuple[str, ...]:
        """What sets it apart from a system of mirbench's own that was run here; see `mirbench.leaderboard.marks`."""
        return (*self.system.marks, REPEATED) if self.repeated else self.system.marks

    @property
    def label(self) -> str:
        """Its name with its marks, for people."""
        return labelled(self.name, self.marks)

    @property
    def key(self) -> str:
        """Eight hex digits over what was asked."""
        return self.system.key

    def of_classes(self, metric: str) -> list[Summary | None]:
        """A metric that has values class by class, or target by target: those values, over seeds."""
        if metric not in self._of_classes:
            seeds = of_each_seed(self.system, metrics.METRICS[metric].per_class)
            counted = seeds[:1] if self.alike else seeds
            self._of_classes[metric] = [mean_and_sd(values) for values in zip(*counted, strict=True)]
        return self._of_classes[metric]

    @cached_property
    def _of_classes(self) -> dict[str, list[Summary | None]]:
        return {}


@dataclass(frozen=True)
class Board:
    """One table.

    Parameters
    ----------
    title : str
        Task, version where it is not the first, windowing where it is not the default.
    standing : str
        "full", "excerpt", "own" or "synthesised".
    classes : tuple of str
        Of the task; () where no record says it.
    metrics : tuple of str
        Those that some row has; the first ranks.
    problems : tuple of str
        One line for each run that failed or was skipped.
    notes : tuple of str
        What is not shown of the results of others, and why.
    n_ranked_among : int
        How many rows the whole table has, of which these were chosen; 0 if they are all of them.
    """

    title: str
    task: str
    version: str
    windowing: Windowing
    standing: str
    classes: tuple[str, ...]
    kind: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    n_ranked_among: int = 0

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of its numbers, where a clip has several."""
        return self.classes if self.kind == "regression" and len(self.classes) > 1 else ()


def boards(
    root: Path, left_out: list[str] | None = None, packs: Iterable[Pack] = (), *, alone: bool = False
) -> list[Board]:
    """Every table that the records below a folder give, full tasks first.

    Parameters
    ----------
    left_out : list of str, optional
        Takes a line for each run whose record or scores cannot be read, which is then left out; without it the first
        of them raises.
    packs : iterable of Pack
        Results of others that are shown beside one's own of the same task.
    alone : bool
        Whether they are shown of tasks of which there are none of one's own, too.
    """
    with made_to_last():
        return boards_of(questions(root, left_out), left_out, packs, alone=alone)


def boards_of(
    found: Iterable[Question], left_out: list[str] | None = None, packs: Iterable[Pack] = (), *, alone: bool = False
) -> list[Board]:
    """Every table that some questions give; the rest as of `boards`."""
    asked = [with_scores(question, left_out) for question in found]
    if held := list(packs):
        asked = beside(asked, held, alone=alone)
    return [_board(question) for question in asked if question.systems or question.problems]


def _board(question: Question) -> Board:
    record = question.record
    newest = max((timing(run.record) for system in question.systems for run in system.runs), default=1)
    rows = [_row(system, newest) for system in question.systems]
    first = next((name for row in rows for name in row.metrics), "")
    order = (first, *(name for name in SHOWN if name != first))
    present = tuple(name for name in order if any(row.metrics.get(name) for row in rows))
    if present:
        rows = _ranked(rows, present[0])
    return Board(
        title=question.title,
        task=in_one_spelling(record.spec.task),
        version=record.spec.task_version,
        windowing=record.spec.windowing,
        standing=record.standing,
        classes=next((tuple(s.record.classes) for s in question.systems if s.record.classes), ()),
        kind=rows[0].system.stack.targets.kind if rows else record.kind,
        metrics=present,
        rows=tuple(rows),
        problems=question.problems,
        notes=question.notes,
    )


def _ranked(rows: Sequence[Row], metric: str) -> list[Row]:
    """The same with intervals and ranks, the best first; rows without every fold last.

    Those ranked against each other were tested on the same clips: every fold where some row has them; and where rows
    differ even then, what most of them heard.
    """
    higher = metrics.METRICS[metric].higher_is_better
    sign = 1 if higher else -1
    rows = sorted(rows, key=lambda row: (not row.system.complete, -sign * (row.metrics.get(metric) or (0.0,))[0]))
    alike: dict[tuple[bool, bytes], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        alike[row.system.complete, row.system.stack.hashes.tobytes()].append(number)
    main = max(alike, key=lambda clips: (clips[0], len(alike[clips])))
    found = dict(enumerate(rows))
    for clips, numbers in alike.items():
        for number, row in zip(numbers, _assessed([rows[n] for n in numbers], metric, higher), strict=True):
            if clips != main:
                row = replace(row, rank=None, p_best=None)
            if clips[0] and clips != main:
                row = replace(row, flags=(*row.flags, "other test clips"))
            found[number] = row
    return [found[number] for number in range(len(rows))]


def _assessed(rows: Sequence[Row], metric: str, higher_is_better: bool) -> list[Row]:
    """Rows of the same test clips, the best first, with what chance says of them."""
    stack = rows[0].system.stack
    scores = [row.system.stack.scores for row in rows]
    intervals, p = statistics.assessed(metric, scores, stack.targets, stack.groups, stack.folds)
    values = [(row.metrics.get(metric) or (np.nan,))[0] for row in rows]
    places = statistics.ranks(values, p, higher_is_better=higher_is_better)
    found = []
    for k, (row, rank) in enumerate(zip(rows, places, strict=True)):
        others = {other.key: float(each) for other, each in zip(rows, p[k], strict=True)
                  if other is not row and not np.isnan(each)} if len(rows) <= _MOST_PAIRS else {}  # fmt: skip
        p_best = None if k == 0 or np.isnan(p[k, 0]) else float(p[k, 0])
        found.append(replace(row, interval=intervals[k], rank=rank, p_best=p_best, p_others=others))
    return found


def _row(system: System, newest: int) -> Row:
    """A row without chance; its speed is of runs that were timed by this version of the protocol."""
    record, runs = system.record, [run.record for run in system.runs]
    timed = [run for run in runs if timing(run) == newest]
    flags = []
    if not system.complete:
        flags.append(f"only fold {', '.join(map(str, system.folds))} of {system.n_folds}")
    if system.lacking:
        flags.append(f"without seed {', '.join(map(str, system.lacking))}, which lacks folds")
    if any(_busy(run) for run in runs):
        flags.append(_BUSY)
    if not timed and any(run.seconds.get("clips_per_second") for run in runs):
        flags.append(_OTHERWISE)
    if n := sum({run.spec.fold: copies(run) for run in runs}.values()):
        flags.append(f"{n} of its test clips it learnt from, as copies")
    if idle := sum(_learnt_in_vain(run) for run in runs):
        flags.append(f"in {idle} of {len(runs)} runs some trained values had no gradient in any epoch")
    if record.contaminated:
        flags.append(trained_on_it(record.contaminated))
    known = [metric for metric in record.metrics if metric in SHOWN]  # the one that selects is the first
    values = over_folds(system, known)
    scores = system.stack.scores
    alike = len(scores) > 1 and bool((scores == scores[:1]).all())
    counted = values[:1] if alike else values
    return Row(
        system=system,
        metrics={metric: mean_and_sd([value[metric] for value in counted]) for metric in known},
        n_seeds=len(system.seeds),
        n_folds=record.n_folds,
        n_done=len(system.folds),
        n_clips=len(system.stack.clip_ids),
        n_trainable=record.n_trainable,
        n_total=record.n_total,
        epoch_seconds=_mean([run.seconds.get("epoch") for run in runs]),
        train_seconds=_mean([run.seconds.get("train") for run in runs]),
        clips_per_second=_mean([run.seconds.get("clips_per_second") for run in timed]),
        gflops=_mean([None if run.flops is None else run.flops / 1e9 for run in runs]),
        kwh=_mean([run.energy.get("train_kwh") for run in runs]),
        device=device_of(record),
        flags=tuple(flags),
        alike=alike,
    )


def device_of(record: RunRecord) -> str:
    """Where a run computed: the GPU, or the processor, its cores and, if that is another number, the threads."""
    known = record.environment
    cores, threads = known.get("cores", "?"), known.get("threads")
    shared = "" if threads in (None, cores) else f", {threads} thread{'' if threads == 1 else 's'}"
    return str(known.get("gpu") or f"{known.get('processor', 'unknown')}, {cores} cores{shared}")


def timing(record: RunRecord) -> int:
    """Version of how the speed of a record was measured; speeds of different versions are not compared."""
    version = record.environment.get("timing", 1)
    return version if isinstance(version, int) and not isinstance(version, bool) else 1


def _learnt_in_vain(record: RunRecord) -> bool:
    """Whether some of what was trained never had a gradient, as before a source that cuts off what comes."""
    return bool(record.history) and all(row.get("without_gradient") for row in record.history)


def _busy(record: RunRecord) -> bool:
    """Whether more was waiting for the processor than it has cores, and one more, when it was timed or ended."""
    if not any(record.seconds.values()):
        return False
    cores, *loads = (record.environment.get(name) for name in ("cores", "load", "timed_load"))
    known = [load for load in loads if isinstance(load, int | float)]
    return isinstance(cores, int | float) and any(load > cores + 1 for load in known)


def over_folds(system: System, names: Iterable[str]) -> list[dict[str, float | None]]:
    """Metrics that are one number, of each seed over its folds: of the predictions pooled, or averaged."""
    return [
        {name: _of_seed(name, runs, system.stack, layer) for name in names} for layer, runs in enumerate(system.by_seed)
    ]


def _of_seed(name: str, runs: Sequence[Run], stack: Stack, layer: int) -> float | None:
    values = [_of_run(name, run, stack, layer) for run in runs]
    return one_value(name, values, lambda: (stack.scores[layer], stack.targets))


def _of_run(name: str, run: Run, stack: Stack, layer: int) -> float | None:
    """As its record says; of a metric that came later than the record, from its scores."""
    if name in run.record.metrics:
        value: float | None = run.record.metrics[name]
        return value
    held = np.flatnonzero(stack.folds == run.record.spec.fold)
    computed: float | None = metrics.evaluate((name,), stack.scores[layer][held], stack.targets.take(held))[name]
    return computed


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def mean_and_sd(values: Sequence[float | None]) -> Summary | None:
    """Of those that are defined; the deviation is None for one of them, all is for none."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    return float(np.mean(there)), float(np.std(there, ddof=1)) if len(there) > 1 else None
