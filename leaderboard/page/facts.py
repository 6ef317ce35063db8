"""What the page says: tables, records and curves as plain lists, strings and numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirbench.leaderboard.by_class import by_class
from mirbench.leaderboard.columns import COLUMNS, COSTS, title_of
from mirbench.leaderboard.constant_answer import constant_answer
from mirbench.leaderboard.drawn import front
from mirbench.leaderboard.marks import meanings
from mirbench.leaderboard.page import curves
from mirbench.leaderboard.page.over_tasks import over_tasks
from mirbench.leaderboard.page.record_facts import pairs, record_facts, short, text_of
from mirbench.leaderboard.page.source_facts import SourceFacts, sources_of
from mirbench.leaderboard.render import SAID
from mirbench.leaderboard.results import System
from mirbench.leaderboard.table import Board, Row
from mirbench.metrics import METRICS
from mirbench.record import RunRecord
from mirbench.source import trained_on_it

__all__ = ["described"]

ALPHA = 0.05
_PER_CLASS = {"f1-per-class": "F1", "two-class-f1-per-class": "two-class F1"}
_COSTS = {
    "trainable": "values moved by an optimiser",
    "total": "values of the source and of what is learnt",
    "train-seconds": "of training alone, frozen parts from the cache",
    "epoch-seconds": "of one epoch of training",
    "clips-per-second": "from file to score, nothing cached",
    "gflops": "from the audio of one clip to its score",
    "kwh": "of training",
}
_MORE_IS_CHEAPER = ("clips-per-second",)
_EPOCHS = (12, 60)  # points of a learning curve, at least and at most; a longer one is thinned
_MOST_POINTS = 60_000  # of all learning curves of a page
_PATH = re.compile(r"(?<![\w:/.~-])(?:~|[A-Za-z]:)?(?:[/\\][\w.@+=-]+)+[/\\]([\w.@+=-]+)")


def described(boards: Sequence[Board], title: str, sources: Mapping[str, SourceFacts] = {}) -> dict[str, Any]:
    """Everything that the page shows, as JSON has it; no path of a machine is in it.

    Parameters
    ----------
    sources : mapping of str to SourceFacts
        What cards say of sources, by their names; of others their records speak alone.
    """
    environments: list[dict[str, Any]] = []
    shared = curves.across(boards)
    n_curves = sum(len(row.system.runs) for board in boards for row in board.rows)
    n_points = min(max(_EPOCHS[0], _MOST_POINTS // max(n_curves, 1)), _EPOCHS[1])
    found = [_board(board, shared.get(board.title, []), environments, n_points) for board in boards]
    page = {
        "title": title,
        "boards": found,
        "over": over_tasks(boards),
        "sources": sources_of(boards, sources),
        "environments": [pairs(known) for known in environments],
    }
    return _without_paths(page)


def _board(board: Board, shared: Sequence[Any], environments: list[dict[str, Any]], n_points: int) -> dict[str, Any]:
    metric = board.metrics[0] if board.metrics else ""
    per_class = (METRICS[metric].per_class or "f1-per-class") if metric else ""
    costs = [name for name in _COSTS if any(_cost(row, name) is not None for row in board.rows)]
    names = Counter(row.name for row in board.rows)
    return {
        "title": board.title,
        "standing": board.standing,
        "said": SAID.get(board.standing, ""),
        "badges": meanings(mark for row in board.rows for mark in row.marks),
        "notes": list(board.notes),
        "summary": _summary(board),
        "verdict": _verdict(board, names),
        "kind": board.kind,
        "clips": max((row.n_clips for row in board.rows), default=0),
        "classes": list(board.classes),
        "perClass": _PER_CLASS.get(per_class, title_of(per_class.removesuffix("-per-class"))),
        "chance": short(constant_answer(metric, board.rows[0].system.stack)) if metric else None,
        "metrics": [_measure(name, title_of(name), METRICS[name].higher_is_better) for name in board.metrics],
        "costs": [_measure(name, COLUMNS[name].heading, name in _MORE_IS_CHEAPER, _COSTS[name]) for name in costs],
        "rows": [
            {
                **_row(row, metric, per_class, names),
                "history": [known for run in row.system.runs if (known := _history(run.record, n_points))],
                "record": record_facts(row, metric, environments),
            }
            for row in board.rows
            if metric
        ],
        "pairs": _pairs(board.rows) if metric else [],
        "fronts": {name: _front(board.rows, metric, name) for name in costs},
        "curves": [*shared, *curves.within(board)],
        "problems": list(board.problems),
    }


def _pairs(rows: Sequence[Row]) -> list[float | None]:
    """p of every pair of rows, in the order of ``np.triu_indices``; [] where there are too many."""
    if not any(row.p_others for row in rows):
        return []
    return [_digits(row.p_others.get(other.key), 2) for n, row in enumerate(rows) for other in rows[n + 1 :]]


def _digits(value: float | None, n: int) -> float | None:
    return None if value is None else float(f"{value:.{n}g}")


def _measure(name: str, title: str, higher: bool, said: str = "") -> dict[str, Any]:
    return {"name": name, "title": title, "said": said, "higher": higher}


def _cost(row: Row, name: str) -> float | None:
    value: float | None = getattr(row, COSTS[name])
    return value


def _front(rows: Sequence[Row], metric: str, cost: str) -> list[str]:
    """Keys of the ranked rows on the Pareto front, the cheapest first; those without the number have no place."""
    known = [row for row in rows if row.rank is not None and _cost(row, cost) is not None and row.metrics.get(metric)]
    if not known:
        return []
    sign = 1 if METRICS[metric].higher_is_better else -1
    less = -1 if cost in _MORE_IS_CHEAPER else 1
    values = [sign * (row.metrics[metric] or (0.0,))[0] for row in known]
    return [known[n].key for n in front([less * (_cost(row, cost) or 0.0) for row in known], values)]


def _summary(board: Board) -> str:
    clips = max((row.n_clips for row in board.rows), default=0)
    runs = sum(len(row.system.runs) for row in board.rows)
    words = [_count(len(board.rows), "system"), _count(runs, "run"), _count(clips, "test clip")]
    if board.classes:
        words.append(
            _count(len(board.classes), "target")
            if board.kind == "regression"
            else _count(len(board.classes), "class", "classes")
        )
    return " · ".join([*words, board.kind] if board.kind else words)


def _verdict(board: Board, names: Mapping[str, int]) -> str:
    """The table in a sentence or two."""
    ranked = [row for row in board.rows if row.rank is not None]
    if not ranked:
        return "No system has every fold: nothing is ranked yet." if board.rows else "No run has a result yet."
    best, *others = ranked
    value, *_ = best.metrics[board.metrics[0]] or (0.0,)
    said = f"{_label(best, names)} has the best {title_of(board.metrics[0])}, {value:.3f}"
    tied = sum(map(_tied, others))
    if tied:
        said += f"; {tied} of {_count(len(others), 'other')} cannot be told apart from it on {best.n_clips} clips."
    elif others:
        said += (
            f", and is significantly better than {'the other' if len(others) == 1 else f'all {len(others)} others'}."
        )
    else:
        said += "; there is nothing to compare it with."
    known = best.system.record.contaminated
    return f"{said} Beware: {trained_on_it(known, 'its source was')}." if known else said


def _tied(row: Row) -> bool:
    return row.rank is not None and (row.p_best is None or row.p_best >= ALPHA)


def _label(row: Row, names: Mapping[str, int]) -> str:
    """Its name; with its marks where another row is called the same."""
    return row.label if names[row.name] > 1 else row.name


def _row(row: Row, metric: str, per_class: str, names: Mapping[str, int]) -> dict[str, Any]:
    record = row.system.record
    options = [f"{name.removeprefix('source ')}={text_of(value)}" for name, value in record.changed.items()
               if name.startswith("source ")]  # fmt: skip
    return {
        "key": row.key,
        "name": row.name,
        "label": _label(row, names),
        "marks": list(row.marks),
        "method": record.spec.method,
        "source": record.spec.source,
        "origin": " ".join([record.spec.source, *options]),
        "rank": row.rank,
        "tied": _tied(row),
        "p": row.p_best,
        "interval": None if row.interval is None else [row.interval.low, row.interval.high, row.interval.method],
        "metrics": {name: list(value) for name, value in row.metrics.items() if value},
        "runs": COLUMNS["runs"].text(row),
        "costs": {name: _cost(row, name) for name in _COSTS},
        "flags": list(row.flags),
        "contaminated": list(record.contaminated),
        "classes": [short(value) for value in by_class(row.system, per_class)] if per_class else [],
        "confusion": _confusion(row.system),
    }


def _confusion(system: System) -> list[list[int]]:
    """[true, predicted, clips] where there are some."""
    if system.stack.targets.kind != "single-label":
        return []
    matrix = curves.confusion(system)
    return [[int(i), int(j), int(matrix[i, j])] for i, j in np.argwhere(matrix)]


def _history(record: RunRecord, n_points: int) -> dict[str, Any] | None:
    """The learning curve of a run, a list a measure."""
    n = len(record.history)
    if n < 2:
        return None
    kept = sorted({round(k) for k in np.linspace(0, n - 1, min(n, n_points))})
    names = [name for name in record.history[0] if name not in ("seconds", "without_gradient")]
    values = {name: [short(record.history[k].get(name)) for k in kept] for name in names}
    return {"seed": record.spec.seed, "fold": record.spec.fold, "epoch": [k + 1 for k in kept], "values": values}


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _without_paths(value: Any) -> Any:
    """The same with the last part of every absolute path alone: a reason of a failed run may hold one."""
    if isinstance(value, list):
        return [item if type(item) is float else _without_paths(item) for item in value]  # of which most are numbers
    if isinstance(value, dict):
        return {name: _without_paths(item) for name, item in value.items()}
    return _PATH.sub(r"…/\1", value) if isinstance(value, str) else value
