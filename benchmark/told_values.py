"""How near predicted values are to true ones: the metrics of regression tasks, as functions for `mirbench.metrics`.

Conventions
-----------
Every function takes ``scores`` (float, shape (n_clips, n_targets), each where in its target's range the prediction is)
and ``targets`` (`Targets` of the same shape, with ranges). Values are compared in the units of the targets. A clip of
which nobody knows the value counts nowhere. What the data do not define (R² of one clip, or where all true values are
equal; a correlation where either side is constant) is NaN; a mean over targets runs over those that are defined.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mirbench.areas import defined_mean
from mirbench.targets import BoolArray, FloatArray, Targets

__all__ = [
    "TOLERANCE", "ccc", "ccc_per_class", "mae", "mae_per_class", "pearson", "pearson_per_class", "r2", "r2_per_class",
    "rmse", "rmse_per_class", "tempo_accuracy_1", "tempo_accuracy_1_per_class", "tempo_accuracy_2",
    "tempo_accuracy_2_per_class", "tempo_hits",
]  # fmt: skip

ValueArray = npt.NDArray[np.float64]

TOLERANCE = 0.04
"""By how much of the true tempo an estimate may be off, as in Gouyon et al. (2006)."""

_OCTAVES = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)


def _per_target(value: Callable[[ValueArray, ValueArray], float], scores: FloatArray, targets: Targets) -> ValueArray:
    """``value(true, predicted)`` of the known clips of each target, shape (n_targets,); NaN where there is none."""
    true, predicted = targets.in_units(targets.value), targets.in_units(scores)
    found = [
        value(true[known, k], predicted[known, k]) if known.any() else np.nan for k, known in enumerate(targets.known.T)
    ]
    return np.array(found, dtype=np.float64)


def r2_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Coefficient of determination R² of each target: 1 less the squared error over that of the true mean.

    It is 0 for whoever predicts the mean of these clips, and has no lower bound.
    """

    def value(true: ValueArray, predicted: ValueArray) -> float:
        spread = ((true - true.mean()) ** 2).sum()
        return float(1 - ((true - predicted) ** 2).sum() / spread) if _varies(true) else np.nan

    return _per_target(value, scores, targets)


def r2(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `r2_per_class`."""
    return defined_mean(r2_per_class(scores, targets))


def pearson_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Correlation of the true and the predicted values of each target."""

    def value(true: ValueArray, predicted: ValueArray) -> float:
        if not (_varies(true) and _varies(predicted)):
            return np.nan
        a, b = true - true.mean(), predicted - predicted.mean()
        return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1, 1))

    return _per_target(value, scores, targets)


def pearson(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `pearson_per_class`."""
    return defined_mean(pearson_per_class(scores, targets))


def ccc_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Lin's concordance correlation coefficient of each target: 2 cov / (var + var + squared difference of means).

    A correlation that falls where predictions are shifted or scaled; variances are over n. 0 for a constant prediction.
    """

    def value(true: ValueArray, predicted: ValueArray) -> float:
        if not _varies(true):
            return np.nan
        a, b = true - true.mean(), predicted - predicted.mean()
        apart = (true.mean() - predicted.mean()) ** 2
        return float(2 * (a @ b) / (a @ a + b @ b + len(true) * apart))

    return _per_target(value, scores, targets)


def ccc(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `ccc_per_class`."""
    return defined_mean(ccc_per_class(scores, targets))


def rmse_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Root of the mean squared error of each target, in its unit. A lower value is better."""
    return _per_target(lambda true, told: float(np.sqrt(np.mean((told - true) ** 2))), scores, targets)


def rmse(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `rmse_per_class`: of targets in one unit."""
    return defined_mean(rmse_per_class(scores, targets))


def mae_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Mean absolute error of each target, in its unit. A lower value is better."""
    return _per_target(lambda true, told: float(np.mean(np.abs(told - true))), scores, targets)


def mae(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `mae_per_class`: of targets in one unit."""
    return defined_mean(mae_per_class(scores, targets))


def tempo_hits(true: ValueArray, predicted: ValueArray, *, octaves: bool) -> BoolArray:
    """Whether each predicted tempo is within 4 % of the true one, or with `octaves` of 2, 3, 1/2 or 1/3 times it."""
    factors = _OCTAVES if octaves else _OCTAVES[:1]
    near = [np.abs(predicted - factor * true) <= TOLERANCE * factor * true for factor in factors]
    return np.asarray(np.logical_or.reduce(near))


def tempo_accuracy_1_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Share of clips whose predicted tempo is within 4 % of the true one: Accuracy 1."""
    return _per_target(lambda true, told: float(tempo_hits(true, told, octaves=False).mean()), scores, targets)


def tempo_accuracy_1(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `tempo_accuracy_1_per_class`."""
    return defined_mean(tempo_accuracy_1_per_class(scores, targets))


def tempo_accuracy_2_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """As Accuracy 1, and twice, three times, half and a third of the true tempo count as right too: Accuracy 2."""
    return _per_target(lambda true, told: float(tempo_hits(true, told, octaves=True).mean()), scores, targets)


def tempo_accuracy_2(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `tempo_accuracy_2_per_class`."""
    return defined_mean(tempo_accuracy_2_per_class(scores, targets))


def _varies(values: ValueArray) -> bool:
    return bool(values.min() < values.max())
