"""A metric of a system class by class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mirbench import metrics
from mirbench.leaderboard.results import System

__all__ = ["by_class", "mean", "of_each_seed"]


def by_class(system: System, name: str) -> list[float | None]:
    """A metric of single classes: over folds pooled or averaged as its card says, then the mean over seeds."""
    return [mean(values) for values in zip(*of_each_seed(system, name), strict=True)]


def of_each_seed(system: System, name: str) -> list[list[float | None]]:
    """The same of each seed by itself, in the order of `System.seeds`."""
    stack = system.stack
    if metrics.METRICS[name].over_folds == "average":
        held = [[run.record.metrics.get(name, []) for run in runs] for runs in system.by_seed]
        return [[mean(values) for values in zip(*folds, strict=True)] for folds in held]
    return [metrics.evaluate((name,), layer, stack.targets)[name] for layer in stack.scores]


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are defined."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
