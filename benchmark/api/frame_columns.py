"""Runs as the columns of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirbench.leaderboard.record_columns import COSTS, IDENTITY, of_targets
from mirbench.metrics import METRICS
from mirbench.record import RunRecord

__all__ = ["column_names", "columns_of"]


def column_names(classes: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Names of the columns of classes; one that is called as a column beside them is is told apart."""
    return [f"class {name}" if name in taken else name for name in classes]


def columns_of(runs: Sequence[tuple[Path, RunRecord]]) -> dict[str, Any]:
    """The columns of runs, each a folder and a record; of metrics those that are one number and that some run has.

    Of clips with several numbers, the metrics of each target, too.
    """
    import pandas as pd

    records = [record for _, record in runs]
    there = {name for record in records for name in record.metrics}
    values = [name for name in METRICS if name in there and METRICS[name].kind == "value"]
    found: dict[str, Any] = {name: [read(record) for record in records] for name, read in IDENTITY.items()}
    found |= {name: pd.array([record.metrics.get(name) for record in records], dtype="float64") for name in values}
    each = [of_targets(record) for record in records]
    for name in dict.fromkeys(name for held in each for name in held):
        found[name] = pd.array([held.get(name) for held in each], dtype="float64")
    for name, read in COSTS.items():
        found[name] = _column(name, [read(record) for record in records])
    return found | {"folder": [str(folder) for folder, _ in runs]}


_WHOLE = ("test_clips", "trainable", "total", "flops", "cpu_bytes", "gpu_bytes")
_REAL = ("train_seconds", "epoch_seconds", "feature_seconds", "inference_seconds", "clips_per_second", "train_kwh")


def _column(name: str, values: list[Any]) -> Any:
    """Counts stay whole numbers beside cells without one; amounts are floats."""
    import pandas as pd

    if name in _WHOLE:
        return pd.array(values, dtype="Int64")
    return pd.array(values, dtype="float64") if name in _REAL else values
