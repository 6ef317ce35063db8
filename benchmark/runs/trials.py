"""What is kept of each point of a search: what it is chosen by, and how it came there, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mirbench.method import Fitted
from mirbench.record import Trial

__all__ = ["tried", "within_bounds"]

_MOST_VALUES = 200_000
"""Of the curves of a search: three megabytes of a record."""


def tried(point: Mapping[str, Any], score: float, seconds: float | None, fitted: Fitted) -> Trial:
    """A point of a search, with the curves of what was fitted at it."""
    return Trial(point, score, seconds, *(_curve(fitted, name) for name in ("valid_score", "valid_loss")))


def within_bounds(trials: Sequence[Trial]) -> list[Trial]:
    """The same trials, without curves where all of them together would fill the record."""
    if sum(len(trial.valid_scores) + len(trial.valid_losses) for trial in trials) <= _MOST_VALUES:
        return list(trials)
    return [replace(trial, valid_scores=(), valid_losses=()) for trial in trials]


def _curve(fitted: Fitted, name: str) -> tuple[float, ...]:
    """A column of the history; empty where some epoch lacks it."""
    rows = list(fitted.history)
    if not rows or not all(isinstance(row.get(name), int | float) for row in rows):
        return ()
    return tuple(float(f"{row[name]:.5g}") for row in rows)
