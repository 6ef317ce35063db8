"""What chance scores: the value of a metric where every clip gets the same answer, however it sounds."""

from __future__ import annotations

import numpy as np

from mirbench.leaderboard.results import Stack
from mirbench.metrics import evaluate
from mirbench.runs.scores import over_folds
from mirbench.types import FloatArray, Targets

__all__ = ["constant_answer"]


def constant_answer(metric: str, stack: Stack) -> float | None:
    """A metric of the one answer that gives each class its share of the test labels; None where it is undefined.

    For accuracy that is the share of the most common class, for ROC-AUC one half, for PR-AUC the mean share of clips
    that have a label. Over folds it is taken as the metric is: of all clips together, or averaged.

    Parameters
    ----------
    metric : str
        Name of one that is one number.
    stack : Stack
        Of any system of the table: its labels alone are read.
    """
    parts = [stack.targets.take(stack.folds == fold) for fold in np.unique(stack.folds)]
    values = [evaluate((metric,), _answer(part), part)[metric] for part in parts]
    value = over_folds(metric, values, lambda: (_answer(stack.targets), stack.targets))
    return None if value is None else round(value, 6) + 0.0  # R² of a mean in single precision is a little below 0


def _answer(targets: Targets) -> FloatArray:
    """The same row for every clip: of each class, the share of clips that have it among those it is known of.

    Of a regression task's target it is the mean of its values.
    """
    known = targets.known.sum(axis=0)
    share = np.where(targets.known, targets.value, 0).sum(axis=0) / np.maximum(known, 1)
    return np.tile(share.astype(np.float32), (len(targets.value), 1))
