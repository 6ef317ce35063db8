"""Areas under the curves of scores: ROC and precision against recall, of each class against the rest.

They are metrics as `mirbench.metrics` has them; see there for what scores and targets are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mirbench.targets import FloatArray, IntArray, Targets

__all__ = ["defined_mean", "pr_auc", "pr_auc_per_class", "roc_auc", "roc_auc_per_class"]

ValueArray = npt.NDArray[np.float64]


def roc_auc_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Area under the ROC curve of each class against the rest; NaN where a class has no positive or no negative.

    Raises
    ------
    ValueError
        If a score that counts is not finite.
    """
    return _per_class(_roc_area, scores, targets)


def roc_auc(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `roc_auc_per_class`."""
    return defined_mean(roc_auc_per_class(scores, targets))


def pr_auc_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Average precision of each class against the rest; NaN where a class has no positive or no negative.

    Raises
    ------
    ValueError
        If a score that counts is not finite.
    """
    return _per_class(_average_precision, scores, targets)


def pr_auc(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `pr_auc_per_class`."""
    return defined_mean(pr_auc_per_class(scores, targets))


def defined_mean(values: ValueArray) -> float:
    """Mean of what is not NaN; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


_Area = Callable[[IntArray, IntArray], ValueArray]
_AT_ONCE = 2**20  # entries of a table of scores whose curves are drawn together: some 60 MB


def _per_class(area: _Area, scores: FloatArray, targets: Targets) -> ValueArray:
    """An area under a curve of each class, shape (n_classes,).

    Parameters
    ----------
    area : callable
        ``area(hits, alarms)`` of whole numbers, each (n_classes, n_clips): of the clips that score as high as the
        first, second, … from the top, how many are positives and how many negatives. Of equal scores the last counts
        all, and the others nothing.
    """
    n_clips, n_classes = scores.shape
    values = np.full(n_classes, np.nan)
    if n_clips == 0:
        return values
    step = max(1, _AT_ONCE // n_clips)
    for classes in (slice(first, first + step) for first in range(0, n_classes, step)):
        score, known = scores[:, classes].T, targets.known[:, classes].T
        present = targets.value[:, classes].T >= 0.5
        positive, negative = known & present, known & ~present
        defined = positive.any(axis=1) & negative.any(axis=1)
        if strange := int((~np.isfinite(score) & known)[defined].sum()):
            raise ValueError(f"{strange} of {scores.size} scores are not finite")
        ranked = np.where(known, score, -np.inf)  # what nobody judged comes last: it does not even move a rounding
        order = np.argsort(ranked, axis=1)[:, ::-1]
        sorted_score = np.take_along_axis(ranked, order, axis=1)
        last = np.ones(score.shape, dtype=np.bool_)
        last[:, :-1] = sorted_score[:, :-1] != sorted_score[:, 1:]
        hits, alarms = (
            np.maximum.accumulate(np.cumsum(np.take_along_axis(each, order, axis=1), axis=1) * last, axis=1)
            for each in (positive, negative)
        )
        values[classes] = np.where(defined, area(hits, alarms), np.nan)
    return values


def _roc_area(hits: IntArray, alarms: IntArray) -> ValueArray:
    """Share of pairs in which the positive is above the negative, equals counted half (Mann, Whitney 1947); exact."""
    twice = ((alarms - _before(alarms)) * (hits + _before(hits))).sum(axis=1)
    return twice / np.maximum(2 * hits[:, -1] * alarms[:, -1], 1)


def _average_precision(hits: IntArray, alarms: IntArray) -> ValueArray:
    """Sum of precision times the gain in recall."""
    precision = hits / np.maximum(hits + alarms, 1)
    total: ValueArray = (precision * (hits - _before(hits))).sum(axis=1)
    return total / np.maximum(hits[:, -1], 1)


def _before(counts: IntArray) -> IntArray:
    return np.pad(counts[:, :-1], ((0, 0), (1, 0)))
