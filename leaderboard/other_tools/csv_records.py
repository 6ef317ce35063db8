"""Records as CSV: a line a record, a column a fact; what has several values is JSON in its cell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mirbench.leaderboard.other_tools.told import Told, protocol, scores_of, warnings_of
from mirbench.leaderboard.record_columns import COSTS, IDENTITY
from mirbench.metrics import METRICS
from mirbench.plain_text import csv_text

__all__ = ["records_as_csv"]


def records_as_csv(told: Iterable[Told]) -> str:
    """The text of the file; the metrics are those that are one number and that some record has, and of each target.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    lines = [_line(each) for each in told]
    metrics = [name for name in METRICS if any(name in values for _, values, _ in lines)]
    metrics += dict.fromkeys(name for _, values, _ in lines for name in values if name not in METRICS)
    heading = [*(lines[0][0] if lines else ()), *metrics, *(lines[0][2] if lines else ())]
    rows = [
        [*before.values(), *(values.get(name) for name in metrics), *after.values()] for before, values, after in lines
    ]
    return csv_text([heading, *rows])


def _line(told: Told) -> tuple[dict[str, Any], dict[str, float], dict[str, Any]]:
    """What stands before the metrics, the metrics, and what stands after them."""
    record = told.record
    spec = record.spec
    before = {name: read(record) for name, read in IDENTITY.items() if name not in ("status", "reason")}
    before |= {
        "source_version": spec.source_version,
        "params": _json(spec.params),
        "search": _json(spec.search),
        "source_params": _json(spec.source_params),
        "protocol": _json(protocol(record)),
    }
    after = {name: read(record) for name, read in COSTS.items()}
    after |= {
        "marks": "; ".join(told.marks),
        "warnings": "; ".join(warnings_of(record, told.marks)),
        "versions": _json(record.environment.get("versions", {})),
        "finished": record.environment.get("finished", ""),
    }
    return before, scores_of(record), after


def _json(held: Mapping[str, Any]) -> str:
    return json.dumps(held, sort_keys=True, default=str)
