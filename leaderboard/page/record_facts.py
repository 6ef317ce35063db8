"""What the page says of the record behind a row: what was asked, the command, runs, hashes and environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mirbench.leaderboard import repeat
from mirbench.leaderboard.results import Run, System
from mirbench.leaderboard.table import Row
from mirbench.record import RunRecord

__all__ = ["pairs", "record_facts", "short", "text_of"]

_MOMENT = ("load", "finished", "timed_run", "timed_load")  # of one run; the rest of an environment is shared by many


def record_facts(row: Row, metric: str, environments: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of a row; environments that are new are put into the list, which all rows share."""
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
        "chosen": [[f"seed {r.spec.seed}, fold {r.spec.fold}", text_of(dict(r.chosen))] for r in _records(system.runs)
                   if r.chosen],
        "hashes": [
            ["weights", spec.source_sha256],
            ["clips and audio", spec.audio_sha256],
            ["system", row.key],
        ],
        "clips": text_of(dict(record.n_clips)) + (f" (fold {spec.fold})" if record.n_folds > 1 else ""),
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
    lines += [
        [name, text_of(value), name in record.changed] for name, value in spec.params.items() if name != "members"
    ]
    lines += [[f"{name} (searched)", text_of(values), True] for name, values in spec.search.items()]
    options = {f"source {name}": value for name, value in spec.source_params.items()}
    return lines + [[name, text_of(value), name in record.changed] for name, value in options.items()]


def pairs(environment: Mapping[str, Any]) -> list[list[str]]:
    """An environment as labels and texts."""
    flat = {name: value for name, value in environment.items() if name != "versions"}
    return [[name, text_of(value)] for name, value in {**flat, **environment.get("versions", {})}.items()]


def text_of(value: Any) -> str:
    """A setting for people."""
    if value is None:
        return "—"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text_of(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _day(moment: Any) -> str:
    return str(moment)[:16].replace("T", " ") if moment else ""


def short(value: float | None) -> float | None:
    """Five digits are enough to draw."""
    return None if value is None else float(f"{value:.5g}")
