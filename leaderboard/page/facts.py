"""What the page says: tables, records and curves as plain lists, strings and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mirbench import metrics
from mirbench.leaderboard import repeat
from mirbench.leaderboard.columns import COLUMNS, COSTS, title_of
from mirbench.leaderboard.drawn import front
from mirbench.leaderboard.marks import explained
from mirbench.leaderboard.page import curves
from mirbench.leaderboard.render import SAID
from mirbench.leaderboard.results import Run, System
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
_MOMENT = ("load", "finished", "timed_run", "timed_load")  # of one run; the rest of an environment is shared by many
_MOST_EPOCHS = 60  # of a learning curve; a longer one is thinned
_PATH = re.compile(r"(?<![\w:/.~-])(?:~|[A-Za-z]:)?(?:[/\\][\w.@+=-]+)+[/\\]([\w.@+=-]+)")


def described(boards: Sequence[Board], title: str) -> dict[str, Any]:
    """Everything that the page shows, as JSON has it; no path of a machine is in it."""
    environments: list[dict[str, Any]] = []
    shared = curves.across(boards)
    found = [_board(board, shared.get(board.title, []), environments) for board in boards]
    page = {"title": title, "boards": found, "environments": [_pairs(known) for known in environments]}
    return _without_paths(page)


def _board(board: Board, shared: Sequence[Any], environments: list[dict[str, Any]]) -> dict[str, Any]:
    metric = board.metrics[0] if board.metrics else ""
    per_class = (METRICS[metric].per_class or "f1-per-class") if metric else ""
    return {
        "title": board.title,
        "standing": board.standing,
        "said": SAID.get(board.standing, ""),
        "marks": [*explained(mark for row in board.rows for mark in row.marks), *board.notes],
        "summary": _summary(board),
        "verdict": _verdict(board),
        "classes": list(board.classes),
        "perClass": _PER_CLASS.get(per_class, title_of(per_class.removesuffix("-per-class"))),
        "metrics": [_measure(name, title_of(name), METRICS[name].higher_is_better) for name in board.metrics],
        "costs": [
            _measure(name, COLUMNS[name].heading, name == "clips-per-second", said)
            for name, said in _COSTS.items()
            if any(_cost(row, name) is not None for row in board.rows)
        ],
        "rows": [_row(row, metric, per_class, environments) for row in board.rows if metric],
        "fronts": {name: _front(board.rows, metric, name) for name in ("trainable", "train-seconds")},
        "curves": [*shared, *curves.within(board)],
        "problems": list(board.problems),
    }


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
    values = [sign * (row.metrics[metric] or (0.0,))[0] for row in known]
    return [known[n].key for n in front([_cost(row, cost) or 0.0 for row in known], values)]


def _summary(board: Board) -> str:
    clips = max((row.n_clips for row in board.rows), default=0)
    runs = sum(len(row.system.runs) for row in board.rows)
    words = [_count(len(board.rows), "system"), _count(runs, "run"), _count(clips, "test clip")]
    if board.classes:
        words.append(_count(len(board.classes), "class", "classes"))
    return " · ".join([*words, board.kind] if board.kind else words)


def _verdict(board: Board) -> str:
    """The table in a sentence or two."""
    ranked = [row for row in board.rows if row.rank is not None]
    if not ranked:
        return "No system has every fold: nothing is ranked yet." if board.rows else "No run has a result yet."
    best, *others = ranked
    value, *_ = best.metrics[board.metrics[0]] or (0.0,)
    said = f"{best.label} has the best {title_of(board.metrics[0])}, {value:.3f}"
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


def _row(row: Row, metric: str, per_class: str, environments: list[dict[str, Any]]) -> dict[str, Any]:
    record = row.system.record
    return {
        "key": row.key,
        "name": row.label,
        "method": record.spec.method,
        "source": record.spec.source,
        "rank": row.rank,
        "tied": _tied(row),
        "p": row.p_best,
        "interval": None if row.interval is None else [row.interval.low, row.interval.high, row.interval.method],
        "metrics": {name: list(value) for name, value in row.metrics.items() if value},
        "runs": COLUMNS["runs"].text(row),
        "costs": {name: _cost(row, name) for name in _COSTS},
        "flags": list(row.flags),
        "contaminated": list(record.contaminated),
        "classes": _of_classes(row.system, per_class) if per_class else [],
        "confusion": _confusion(row.system),
        "history": [known for run in row.system.runs if (known := _history(run.record))],
        "record": _record(row, metric, environments),
    }


def _confusion(system: System) -> list[list[int]]:
    """[true, predicted, clips] where there are some."""
    if system.stack.targets.kind != "single-label":
        return []
    matrix = curves.confusion(system)
    return [[int(i), int(j), int(matrix[i, j])] for i, j in np.argwhere(matrix)]


def _of_classes(system: System, name: str) -> list[float | None]:
    """A metric class by class, over folds as its card says, then the mean over seeds."""
    stack = system.stack
    if METRICS[name].over_folds == "average":
        layers = [run.record.metrics.get(name, []) for run in system.runs]
    else:
        layers = [metrics.evaluate((name,), layer, stack.targets)[name] for layer in stack.scores]
    return [short(curves.mean(values)) for values in zip(*layers, strict=True)]


def _history(record: RunRecord) -> dict[str, Any] | None:
    """The learning curve of a run, a list a measure."""
    n = len(record.history)
    if n < 2:
        return None
    kept = sorted({round(k) for k in np.linspace(0, n - 1, min(n, _MOST_EPOCHS))})
    names = [name for name in record.history[0] if name != "seconds"]
    values = {name: [short(record.history[k].get(name)) for k in kept] for name in names}
    return {"seed": record.spec.seed, "fold": record.spec.fold, "epoch": [k + 1 for k in kept], "values": values}


def _record(row: Row, metric: str, environments: list[dict[str, Any]]) -> dict[str, Any]:
    record, system = row.system.record, row.system
    spec = record.spec
    known = []
    for run in system.runs:
        environment = {name: value for name, value in run.record.environment.items() if name not in _MOMENT}
        if environment not in environments:
            environments.append(environment)
        known.append(environments.index(environment))
    return {
        "asked": _asked(record, system),
        "chosen": [[f"seed {r.spec.seed}, fold {r.spec.fold}", _text(dict(r.chosen))] for r in _records(system.runs)
                   if r.chosen],
        "hashes": [
            ["weights", spec.source_sha256],
            ["clips and audio", spec.audio_sha256],
            ["system", row.key],
        ],
        "clips": _text(dict(record.n_clips)) + (f" (fold {spec.fold})" if record.n_folds > 1 else ""),
        "command": repeat.command(record, system.seeds, system.folds),
        "notes": repeat.notes(record),
        "runs": [
            [r.spec.seed, r.spec.fold, short(r.metrics.get(metric)), short(r.seconds.get("train")), r.spec.key,
             _day(r.environment.get("finished"))]
            for r in _records(system.runs)
        ],
        "environments": sorted(set(known)),
    }  # fmt: skip


def _records(runs: Iterable[Run]) -> list[RunRecord]:
    return [run.record for run in runs]


def _asked(record: RunRecord, system: System) -> list[list[Any]]:
    """[what, value, whether it differs from its default]."""
    spec = record.spec
    windowing = f"{spec.windowing.windows}, average of {spec.windowing.average}"
    lines: list[list[Any]] = [
        ["task", f"{spec.task}, version {spec.task_version}", False],
        ["method", f"{spec.method}, version {spec.method_version}", False],
    ]
    if spec.source:
        lines.append(["source", f"{spec.source}, version {spec.source_version}", False])
    lines += [
        ["seeds", ", ".join(map(str, system.seeds)) if system.uses_seed else "one (nothing is random)", False],
        ["folds", f"{', '.join(map(str, system.folds))} of {system.n_folds}", False],
        ["windows", windowing, False],
        ["precision", spec.precision, False],
    ]
    lines += [[name, value, name in spec.later] for name, value in spec.as_asked.items()]
    lines += [[name, _text(value), name in record.changed] for name, value in spec.params.items() if name != "members"]
    lines += [[f"{name} (searched)", _text(values), True] for name, values in spec.search.items()]
    options = {f"source {name}": value for name, value in spec.source_params.items()}
    return lines + [[name, _text(value), name in record.changed] for name, value in options.items()]


def _pairs(environment: Mapping[str, Any]) -> list[list[str]]:
    flat = {name: value for name, value in environment.items() if name != "versions"}
    return [[name, _text(value)] for name, value in {**flat, **environment.get("versions", {})}.items()]


def _text(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _day(moment: Any) -> str:
    return str(moment)[:16].replace("T", " ") if moment else ""


def short(value: float | None) -> float | None:
    """Five digits are enough to draw."""
    return None if value is None else float(f"{value:.5g}")


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _without_paths(value: Any) -> Any:
    """The same with the last part of every absolute path alone: a reason of a failed run may hold one."""
    if isinstance(value, list):
        return [item if type(item) is float else _without_paths(item) for item in value]  # of which most are numbers
    if isinstance(value, dict):
        return {name: _without_paths(item) for name, item in value.items()}
    return _PATH.sub(r"…/\1", value) if isinstance(value, str) else value
