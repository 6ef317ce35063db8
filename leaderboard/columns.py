"""The columns that a table can have: what each is called, and how it is read from a row, for people and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mirbench.errors import UnknownName
from mirbench.leaderboard.marks import labelled
from mirbench.leaderboard.table import OF_TIMES, SHOWN, Board, Row, Summary
from mirbench.metrics import IN_UNITS, METRICS

__all__ = [
    "COLUMNS", "COSTS", "DEFAULT", "TIMES", "Column", "chosen", "every_column", "first_of_targets", "from_to",
    "mean_sd", "notes_of", "title_of",
]  # fmt: skip

Raw = dict[str, str | float | int | None]

_TITLES = {
    "balanced-accuracy": "bal. accuracy", "macro-f1": "macro-F1", "roc-auc": "ROC-AUC", "pr-auc": "PR-AUC",
    "macro-precision": "precision", "macro-recall": "recall", "ece": "ECE",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
        For ``--columns``.
    heading : str
    text : callable
        ``text(row)``: a cell for people; "—" where there is nothing to say.
    raw : callable
        ``raw(row, board)``: numbers as they are, one or more, each with its name; None where there is none.
    left : bool
        Whether its cells begin at the left.
    """

    name: str
    heading: str
    text: Callable[[Row], str]
    raw: Callable[[Row, Board], Raw]
    left: bool = False


def title_of(metric: str) -> str:
    """A metric's name for people."""
    return _TITLES.get(metric, metric)


def mean_sd(value: tuple[float, float | None] | None) -> str:
    """A score for people; "—" where there is none."""
    if value is None:
        return "—"
    mean, sd = value
    return f"{mean:z.3f}" if sd is None else f"{mean:z.3f} ± {sd:.3f}"


def from_to(low: float, high: float) -> str:
    """An interval for people; a dash beside a minus would be read as one.

    >>> from_to(0.25, 0.5), from_to(-0.25, 0.5)
    ('0.250–0.500', '-0.250 to 0.500')
    """
    return f"{low:z.3f}{'–' if low >= 0 else ' to '}{high:z.3f}"


def _count(value: int | None) -> str:
    return "—" if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g}"


def _runs(row: Row) -> str:
    said = f"{row.n_seeds} {'seed' if row.n_seeds == 1 else 'seeds'}" if row.system.uses_seed else "1 (nothing random)"
    said += ", all equal" if row.alike else ""
    if row.n_done < row.n_folds:
        return f"{said} × {row.n_done} of {row.n_folds} folds"
    return said if row.n_folds == 1 else f"{said} × {row.n_folds} folds"


def _interval(row: Row) -> str:
    return "—" if row.interval is None else from_to(row.interval.low, row.interval.high)


def _raw_interval(row: Row, board: Board) -> Raw:
    found = row.interval
    return {
        "interval_metric": board.metrics[0] if found and board.metrics else None,
        "interval_low": found.low if found else None,
        "interval_high": found.high if found else None,
        "interval_method": found.method if found else None,
    }


def _marks(row: Row) -> Raw:
    """Beside each name of a row, so that no choice of columns loses them."""
    return {"marks": "; ".join(row.marks) or None}


def _metric(name: str) -> Column:
    def raw(row: Row, board: Board) -> Raw:
        mean, sd = row.metrics.get(name) or (None, None)
        return {name: mean, f"{name}_sd": sd}

    return Column(name, title_of(name), lambda row: mean_sd(row.metrics.get(name)), raw)


def _field(name: str, heading: str, field: str, text: Callable[[Any], str], left: bool = False) -> Column:
    """A column that is one field of a row."""
    return Column(
        name, heading, lambda row: text(getattr(row, field)), lambda row, board: {field: getattr(row, field)}, left
    )


_ALL = (
    _field("rank", "rank", "rank", lambda rank: "—" if rank is None else str(rank)),
    Column(
        "system", "method + source", lambda row: row.label,
        lambda row, board: {"system": row.name, **_marks(row)}, left=True,
    ),
    Column(
        "method", "method", lambda row: labelled(row.system.record.spec.method, row.marks),
        lambda row, board: {"method": row.system.record.spec.method, **_marks(row)}, left=True,
    ),
    Column(
        "source", "source", lambda row: row.system.record.spec.source or "—",
        lambda row, board: {"source": row.system.record.spec.source or None}, left=True,
    ),
    _field("key", "key", "key", str, left=True),
    Column(
        "runs", "runs", _runs,
        lambda row, board: {"n_seeds": row.n_seeds, "n_folds": row.n_folds, "n_done": row.n_done}, left=True,
    ),
    *map(_metric, SHOWN),
    Column("interval", "95 % interval", _interval, _raw_interval),
    _field("p", "p against the best", "p_best", _number),
    _field("clips", "test clips", "n_clips", _count),
    _field("trainable", "trainable", "n_trainable", _count),
    _field("total", "total", "n_total", _count),
    _field("epoch-seconds", "s/epoch", "epoch_seconds", _number),
    _field("train-seconds", "s to train", "train_seconds", _number),
    _field("clips-per-second", "clips/s", "clips_per_second", _number),
    _field("gflops", "GFLOP/clip", "gflops", _number),
    _field("kwh", "kWh to train", "kwh", _number),
    _field("device", "timed on", "device", str, left=True),
    Column("flags", "beware", lambda row: "; ".join(row.flags), lambda row, board: {"flags": "; ".join(row.flags)},
           left=True),
)  # fmt: skip

COLUMNS = {column.name: column for column in _ALL}
"""Every column, in the order of files that have them all."""

COSTS = {
    "trainable": "n_trainable",
    "total": "n_total",
    "train-seconds": "train_seconds",
    "epoch-seconds": "epoch_seconds",
    "clips-per-second": "clips_per_second",
    "gflops": "gflops",
    "kwh": "kwh",
}
"""Columns that say what a system costs, and the fields of a row that they read."""

TIMES = ("epoch-seconds", "train-seconds", "clips-per-second")
"""Columns of the clock."""

EVERY_METRIC = "metrics"
"""Stands for those that a table has, the interval beside the first; of several numbers a clip, target by target too."""

MOST_TARGETS = 4
"""Whose columns are shown without being asked for."""

DEFAULT = (
    "rank", "system", "runs", EVERY_METRIC, "trainable", "total", "epoch-seconds", "clips-per-second", "gflops", "flags"
)  # fmt: skip
"""What a table shows where nothing else is asked."""


def chosen(names: Sequence[str], board: Board) -> list[Column]:
    """Columns of a table, in the order of their names, each once; none of them: the default, flags where there are any.

    Raises
    ------
    UnknownName
        If no column is called so.
    """
    asked = list(names) or [name for name in DEFAULT if name != "flags" or any(row.flags for row in board.rows)]
    found: dict[str, Column] = {}
    for name in asked:
        for each in _every_metric(board) if name == EVERY_METRIC else [name]:
            found[each] = COLUMNS.get(each) or _of_class(each, board)
    return list(found.values())


def every_column(board: Board, metrics: Iterable[str]) -> list[Column]:
    """Every column, of metrics those that are named; of clips with several numbers each, target by target too."""
    there = {*metrics}
    held = [column for name, column in COLUMNS.items() if name not in SHOWN or name in there]
    return held + [_of_class(f"{metric}:{target}", board) for metric in board.metrics for target in board.targets]


def first_of_targets(board: Board) -> list[str]:
    """Names of the columns of the first metric, target by target, where there are few."""
    few = board.targets if len(board.targets) <= MOST_TARGETS else ()
    return [f"{metric}:{target}" for metric in board.metrics[:1] for target in few]


def _of_class(name: str, board: Board) -> Column:
    """The column of a metric of one class, or one target: ``macro-f1:rock``, ``rmse:valence``."""
    metric, _, part = name.partition(":")
    each = [known for known in SHOWN if METRICS[known].per_class]
    if not part or metric not in each:
        raise UnknownName("column", name, [*COLUMNS, EVERY_METRIC, *(f"{known}:{part}" for known in each if part)])
    k = board.classes.index(part) if metric in board.metrics and part in board.classes else None

    def value(row: Row) -> Summary | None:
        return None if k is None else row.of_classes(metric)[k]

    def raw(row: Row, board: Board) -> Raw:
        mean, sd = value(row) or (None, None)
        return {name: mean, f"{name}_sd": sd}

    return Column(name, f"{title_of(metric).removeprefix('macro-')} of {part}", lambda row: mean_sd(value(row)), raw)


def notes_of(row: Row, shown: Sequence[Column]) -> tuple[str, ...]:
    """What a reader of these columns must know of a row: nothing of times where none is shown."""
    names = {column.name for column in shown}
    if "flags" in names:
        return ()
    return tuple(flag for flag in row.flags if flag not in OF_TIMES or names & set(TIMES))


def _every_metric(board: Board) -> list[str]:
    if not board.metrics:
        return []
    first, *others = board.metrics
    beside = first_of_targets(board)
    each = {metric: [f"{metric}:{name}" for name in board.targets] if beside else [metric] for metric in IN_UNITS}
    return [first, "interval", *beside, *(name for other in others for name in each.get(other, [other]))]
