"""What figures show of tables: which systems can be compared, and their numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard import statistics
from mirbench.leaderboard.columns import title_of
from mirbench.leaderboard.figures import one_line
from mirbench.leaderboard.results import System
from mirbench.leaderboard.statistics import Interval
from mirbench.leaderboard.table import Board, Row
from mirbench.metrics import METRICS

__all__ = [
    "Across", "Dot", "across", "axis_label", "comparable", "dots", "folds_said", "front", "label_of", "metric_of",
    "same", "task_said",
]  # fmt: skip


def metric_of(board: Board, name: str = "") -> str:
    """The metric of a figure: the table's first, or the one that is asked for.

    Raises
    ------
    BadInput
        If the table has no such metric, or no result at all.
    """
    if not board.metrics:
        raise BadInput(f"{board.title}: no run of it is done; there is nothing to draw")
    if name and name not in board.metrics:
        raise UnknownName(f"metric in the table of {board.title}", name, board.metrics)
    return name or board.metrics[0]


def comparable(board: Board, metric: str) -> list[Row]:
    """Rows with a value of the metric that heard the same clips, best first.

    They are those with a rank; where none has one (every system lacks folds), those that share their clips with most.
    """
    rows = [row for row in board.rows if row.metrics.get(metric)]
    if any(row.rank is not None for row in rows):
        rows = [row for row in rows if row.rank is not None]
    elif rows:
        heard = [row.system.stack.hashes.tobytes() for row in rows]
        most = Counter(heard).most_common(1)[0][0]
        rows = [row for row, clips in zip(rows, heard, strict=True) if clips == most]
    return sorted(rows, key=lambda row: -_sign(metric) * _mean(row, metric))


def front(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Which points no other one beats: none is cheaper and as good, or better and as cheap. The cheapest first."""
    order = sorted(range(len(costs)), key=lambda n: (costs[n], -values[n]))
    found: list[int] = []
    for n in order:
        if not found or values[n] > values[found[-1]]:
            found.append(n)
    return found


@dataclass(frozen=True)
class Dot:
    """A system in a figure: its row, the mean of the metric over seeds, its 95 % interval."""

    row: Row
    value: float
    interval: Interval | None


def dots(board: Board, metric: str) -> list[Dot]:
    """The comparable systems of a table with what is drawn of them, best first."""
    found = []
    for row in comparable(board, metric):
        interval = row.interval
        if metric != board.metrics[0]:
            stack = row.system.stack
            interval = statistics.interval(metric, stack.scores, stack.targets, stack.groups, stack.folds)
        found.append(Dot(row, _mean(row, metric), interval))
    return found


def axis_label(board: Board, metric: str) -> str:
    """Metric, task, and the folds that systems have where some lack; a reader must see what is no full task."""
    rows = comparable(board, metric) or comparable(board, board.metrics[0])
    folds = folds_said(rows[0].system) if rows else ""
    return f"{label_of(board, metric)}{f', {folds} alone' if folds else ''}"


def label_of(board: Board, metric: str) -> str:
    """Metric and task, where each line says its folds."""
    return f"{title_of(metric)} on {task_said(board.task, board.standing)}"


def folds_said(system: System) -> str:
    """Which folds of the task a system has, "fold 0 of 5"; "" where it has all."""
    if system.complete:
        return ""
    return f"fold{'s' * (len(system.folds) > 1)} {', '.join(map(str, system.folds))} of {system.n_folds}"


def task_said(task: str, standing: str) -> str:
    """A task's name in a figure, with what it is where it is no full data set."""
    noted = {"excerpt": " (an excerpt)", "synthesised": " (synthesised audio)"}.get(standing, "")
    return f"{one_line(task)}{noted}"


@dataclass(frozen=True)
class Across:
    """Systems over several tasks.

    Parameters
    ----------
    tasks, names, keys : tuple of str
        Of systems the names, and what is the `same` of them in all tables.
    folds : tuple of str
        Of each task the folds that systems have, where they lack some; see `folds_said`.
    values : ndarray, shape (n_tasks, n_systems)
        Of each task's metric; higher is better.
    """

    tasks: tuple[str, ...]
    names: tuple[str, ...]
    keys: tuple[str, ...]
    values: Any
    folds: tuple[str, ...] = ()


def across(boards: Sequence[Board], metric: str = "") -> Across:
    """What systems have in common that every table has.

    Raises
    ------
    BadInput
        For fewer than two tasks, or two systems that all of them have, or two tables of one task.
    """
    drawn = [board for board in boards if board.metrics]
    count = Counter(board.task for board in drawn)
    if len(count) < 2:
        said = f"only {next(iter(count))} has results" if count else "no task has results"
        raise BadInput(f"ranks over tasks: two tasks are needed, {said}; run the same systems on another")
    for task, n in count.items():
        if n > 1:
            raise BadInput(f"ranks over tasks: {task} has {n} tables (versions or windowings); name others with --task")
    held, folds = [], []
    for board in drawn:
        used = metric_of(board, metric)
        rows = comparable(board, used)
        folds.append(folds_said(rows[0].system) if rows else "")
        held.append({same(row): (row.label, _sign(used) * _mean(row, used)) for row in rows})
    shared = [key for key in held[0] if all(key in other for other in held)]
    if len(shared) < 2:
        raise BadInput(
            f"ranks over tasks: {len(shared)} systems have results on all of {', '.join(count)}; two are needed, with "
            "the same settings on each"
        )
    return Across(
        tasks=tuple(count),
        names=tuple(held[0][key][0] for key in shared),
        keys=tuple(shared),
        values=np.array([[other[key][1] for key in shared] for other in held]),
        folds=tuple(folds),
    )


def same(row: Row) -> str:
    """What makes a system the same one on another task: method, source and settings."""
    fields = asdict(row.system.record.spec)
    for name in ("task", "task_version", "fold", "seed", "windowing", "audio_sha256"):
        del fields[name]
    if "systems" in fields["params"]:  # of an ensemble: the runs that it combines are others on each task
        fields["params"].pop("members", None)
    return json.dumps(fields, sort_keys=True)


def _mean(row: Row, metric: str) -> float:
    return (row.metrics[metric] or (np.nan,))[0]


def _sign(metric: str) -> int:
    return 1 if METRICS[metric].higher_is_better else -1
