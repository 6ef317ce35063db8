"""A metric of a system class by class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mirbench import metrics
from mirbench.leaderboard.results import System

__all__ = ["by_class", "mean"]


def by_class(system: System, name: str) -> list[float | None]:
    """A metric of single classes: over folds pooled or averaged as its card says, then the mean over seeds."""
    stack = system.stack
    if metrics.METRICS[name].over_folds == "average":
        layers = [run.record.metrics.get(name, []) for run in system.runs]
    else:
        layers = [metrics.evaluate((name,), layer, stack.targets)[name] for layer in stack.scores]
    return [mean(values) for values in zip(*layers, strict=True)]


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are defined."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
