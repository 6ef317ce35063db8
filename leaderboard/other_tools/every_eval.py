"""Rows of tables in the form of Every Eval Ever, a shared store of evaluations: a file a row.

Files lie as its store has them, ``data/COLLECTION/DEVELOPER/MODEL/UUID.json``. Written without its package, which
needs libraries older than mirbench's; it reads them back in a test.

References
----------
Its schema, version 0.3.0: https://github.com/evaleval/every_eval_ever, ``every_eval_ever/schemas/eval.schema.json``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from mirbench import __version__
from mirbench.features.temporary import written_whole
from mirbench.leaderboard.other_tools.told import costs_of, data_set, label, plain, plain_and_own, protocol, warnings_of
from mirbench.leaderboard.repeat import command
from mirbench.leaderboard.table import Board, Row, Summary
from mirbench.metrics import METRICS

__all__ = ["SCHEMA", "write_every_eval"]

SCHEMA = "0.3.0"
"""Version of the schema that the files say they follow."""

_UNNAMED = "not named"
_MOST = 1e300
"""Stands for infinity, which JSON has not: R² has no lower bound, an error no upper one."""


def write_every_eval(boards: Iterable[Board], folder: Path, now: float | None = None) -> list[Path]:
    """Write a file a row below `folder`; those that are there are replaced.

    Parameters
    ----------
    now : float, optional
        Seconds since 1970 that the files say they were written at.
    """
    stamp = str(time.time() if now is None else now)
    written = []
    for board in boards:
        for row in board.rows:
            collection, (developer, model) = f"mirbench-{plain_and_own(board.title)}", _model(row)
            place = folder / "data" / collection / developer / model / f"{_uuid(board, row)}.json"
            text = json.dumps(_evaluation(board, row, stamp), indent=1, allow_nan=False) + "\n"
            place.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(place) as work:
                work.write_text(text, encoding="utf-8", newline="\n")
                work.chmod(0o644)
            written.append(place)
    return written


def _model(row: Row) -> tuple[str, str]:
    """Developer and model as parts of a path; only what is mirbench's own is filed under its name."""
    return plain("-".join(["mirbench", *row.marks])), f"{plain(row.name)}-{row.key}"


def _uuid(board: Board, row: Row) -> UUID:
    """The same for the same row, so that writing it again replaces it; in the form of version 4, which is asked for."""
    return UUID(bytes=sha256(f"{board.title}\n{row.key}".encode()).digest()[:16], version=4)


def _evaluation(board: Board, row: Row, stamp: str) -> dict[str, Any]:
    developer, model = _model(row)
    record = row.system.record
    known = {"warnings": "; ".join(warnings_of(record, row.marks, row.flags)), "standing": record.standing}
    found = {
        "schema_version": SCHEMA,
        "evaluation_id": f"mirbench-{plain_and_own(board.title)}/{developer}/{model}/{stamp}",
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "mirbench",
            "source_type": "evaluation_run",
            "source_organization_name": _UNNAMED,
            "evaluator_relationship": "other",
            "additional_details": _texts(known),
        },
        "eval_library": {"name": "mirbench", "version": _version(row)},
        "model_info": {
            "name": label(row.name, row.marks),
            "id": f"{developer}/{model}",
            "inference_engine": {"name": "mirbench", "version": _version(row)},
            "additional_details": {
                "deployment_type": "unknown" if "claimed" in row.marks else "self_deployed",
                "model_availability": "unknown",
                **_texts(_facts(row)),
            },
        },
        "evaluation_results": [
            _result(board, row, name, s) for name, s in row.metrics.items() if s and name in METRICS
        ],
    }
    finished = max((time for run in row.system.runs if (time := _finished(run.record.environment))), default="")
    return found | ({"evaluation_timestamp": finished} if finished else {})


def _facts(row: Row) -> dict[str, Any]:
    record, spec = row.system.record, row.system.record.spec
    return {
        "method": spec.method, "method_version": spec.method_version,
        "source": spec.source, "source_version": spec.source_version,
        "params": json.dumps(spec.params, sort_keys=True, default=str), "marks": "; ".join(row.marks),
        "system": row.key, "trainable": row.n_trainable, "parameters": row.n_total, "device": row.device,
        "again": command(record, row.system.seeds, row.system.folds),
        **costs_of(record),
    }  # fmt: skip


def _result(board: Board, row: Row, name: str, summary: Summary) -> dict[str, Any]:
    record = row.system.record
    mean, deviation = summary
    details = {"seeds": row.n_seeds, "folds": f"{row.n_done} of {row.n_folds}", "sd_over_seeds": deviation}
    score: dict[str, Any] = {"score": mean, "details": _texts(details)}
    if name == board.metrics[0] and row.interval:
        score["uncertainty"] = {
            "confidence_interval": {
                "lower": row.interval.low, "upper": row.interval.high, "confidence_level": 0.95,
                "method": row.interval.method,
            },
            "num_samples": row.n_clips,
        }  # fmt: skip
    said = {"version": board.version, "standing": record.standing, "split": "test", **protocol(record)}
    data = data_set(board.title, record.standing)
    low, high = (min(max(end, -_MOST), _MOST) for end in METRICS[name].bounds)
    unit = "proportion" if (low, high) == (0, 1) else "coefficient" if high == 1 else "unit of the targets"
    return {
        "evaluation_result_id": f"{row.key}:{name}",
        "evaluation_name": data,
        "source_data": {"dataset_name": data, "source_type": "other", "additional_details": _texts(said)},
        "metric_config": {
            "evaluation_description": f"{name} on the test clips of {data}, mean over seeds",
            "metric_id": name,
            "metric_name": name,
            "metric_unit": unit,
            "lower_is_better": not METRICS[name].higher_is_better,
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
        },
        "score_details": score,
    }


def _texts(held: dict[str, Any]) -> dict[str, str]:
    """Additional details are texts; what is not known is left out."""
    return {name: str(value) for name, value in held.items() if value not in (None, "")}


def _version(row: Row) -> str:
    versions = row.system.record.environment.get("versions")
    known = versions.get("mirbench") if isinstance(versions, dict) else None
    return str(known or __version__)


def _finished(environment: Any) -> str:
    try:
        return datetime.fromisoformat(str(environment.get("finished"))).isoformat()
    except ValueError:
        return ""
