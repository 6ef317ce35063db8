"""What a line a record says beside metrics that are one number: what each column is called, how a record has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mirbench.leaderboard.marks import marks_of
from mirbench.metrics import METRICS
from mirbench.record import RunRecord
from mirbench.types import Windowing

__all__ = ["COSTS", "IDENTITY", "of_targets"]

_Read = Callable[[RunRecord], Any]


def _settings(record: RunRecord) -> str:
    """What differs from the defaults, as one types it."""
    said = {name: value for name, value in record.changed.items()}
    usual = Windowing()
    windowing, precision = record.spec.windowing, record.spec.precision
    said |= {} if windowing.windows == usual.windows else {"windows": windowing.windows}
    said |= {} if windowing.average == usual.average else {"average": windowing.average}
    said |= {} if precision == "float32" else {"precision": precision}
    said |= record.spec.later
    return ", ".join(f"{name}={value}" for name, value in said.items())


def _pairs(held: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in held.items())


def _device(record: RunRecord) -> str:
    known = record.environment
    return str(known.get("gpu") or known.get("processor") or "")


def _second(name: str) -> _Read:
    return lambda record: record.seconds.get(name)


IDENTITY: dict[str, _Read] = {
    "task": lambda record: record.spec.task,
    "task_version": lambda record: record.spec.task_version,
    "method": lambda record: record.spec.method,
    "method_version": lambda record: record.spec.method_version,
    "source": lambda record: record.spec.source,
    "settings": _settings,
    "fold": lambda record: record.spec.fold,
    "seed": lambda record: record.spec.seed,
    "status": lambda record: record.status,
    "reason": lambda record: record.reason,
}
"""Columns before the metrics."""

COSTS: dict[str, _Read] = {
    "chosen": lambda record: _pairs(record.chosen),
    "test_clips": lambda record: record.n_clips.get("test"),
    "trainable": lambda record: record.n_trainable,
    "total": lambda record: record.n_total,
    "train_seconds": _second("train"),
    "epoch_seconds": _second("epoch"),
    "feature_seconds": _second("features"),
    "inference_seconds": _second("inference"),
    "clips_per_second": _second("clips_per_second"),
    "flops": lambda record: record.flops,
    "train_kwh": lambda record: record.energy.get("train_kwh"),
    "cpu_bytes": lambda record: record.memory.get("cpu"),
    "gpu_bytes": lambda record: record.memory.get("gpu"),
    "device": _device,
    "standing": lambda record: record.standing,
    "contaminated": lambda record: ", ".join(record.contaminated),
    "marks": lambda record: "; ".join(marks_of(record)),
    "key": lambda record: record.spec.key,
    "system": lambda record: record.spec.system,
}
"""Columns after the metrics; the folder is the last."""


def of_targets(record: RunRecord) -> dict[str, float | None]:
    """Where a clip has several numbers, the metrics of each target, called as columns of tables are: ``rmse:bpm``."""
    if record.kind != "regression" or len(record.classes) < 2:
        return {}
    named = [name for name in record.metrics if name in METRICS and METRICS[name].per_class in record.metrics]
    return {
        f"{name}:{target}": value
        for name in named
        for target, value in zip(record.classes, record.metrics[METRICS[name].per_class], strict=False)
    }
