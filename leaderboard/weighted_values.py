"""The metrics of regression tasks for clips with weights, many weightings at once; see `weighted_metrics`.

What a replicate needs are sums over its clips of errors, squares and products, taken as matrix products. Values are
centred first: a variance that is the difference of two large sums loses its digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.leaderboard.replicates import Drawn
from mirbench.told_values import tempo_hits
from mirbench.types import FloatArray

__all__ = ["OF_VALUES"]

ValueArray = npt.NDArray[np.float64]
Value = Callable[[ValueArray, ValueArray, ValueArray], ValueArray]
"""``value(true, predicted, weights)`` of one target, weights (n_clips, n_replicates); shape (n_replicates,)."""

_NOTHING = 1e-12
"""Of a variance that is rounding, as a share of the squared range."""


def _targets(scores: FloatArray, drawn: Drawn) -> Iterator[tuple[ValueArray, ValueArray, ValueArray]]:
    true, predicted = drawn.targets.in_units(drawn.targets.value), drawn.targets.in_units(scores)
    for k, known in enumerate(drawn.targets.known.T):
        yield true[known, k], predicted[known, k], drawn.weights[known].astype(np.float64)


def _mean_over_targets(value: Value, scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Mean over the targets that are defined, shape (n_replicates,); NaN where none is."""
    n_replicates = drawn.weights.shape[1]
    each = np.array([
        value(*parts) if len(parts[0]) else np.full(n_replicates, np.nan) for parts in _targets(scores, drawn)
    ])  # fmt: skip
    defined = ~np.isnan(each)
    count, total = defined.sum(axis=0), np.where(defined, each, 0.0).sum(axis=0)
    return _ratio(total, count)


def _mean_of(error: Callable[[ValueArray, ValueArray], npt.NDArray[Any]]) -> Value:
    return lambda true, predicted, weights: _ratio(error(true, predicted) @ weights, weights.sum(axis=0))


def _rmse(true: ValueArray, predicted: ValueArray, weights: ValueArray) -> ValueArray:
    return np.sqrt(_mean_of(lambda a, b: (a - b) ** 2)(true, predicted, weights))


def _r2(true: ValueArray, predicted: ValueArray, weights: ValueArray) -> ValueArray:
    _, spread, _, _ = _moments(true, predicted, weights)
    return 1 - _ratio(_mean_of(lambda a, b: (a - b) ** 2)(true, predicted, weights), spread)


def _pearson(true: ValueArray, predicted: ValueArray, weights: ValueArray) -> ValueArray:
    _, spread, told, both = _moments(true, predicted, weights)
    return np.clip(_ratio(both, np.sqrt(spread * told)), -1, 1)


def _ccc(true: ValueArray, predicted: ValueArray, weights: ValueArray) -> ValueArray:
    apart, spread, told, both = _moments(true, predicted, weights)
    return np.where(spread > 0, _ratio(2 * both, spread + told + apart**2), np.nan)


def _moments(
    true: ValueArray, predicted: ValueArray, weights: ValueArray
) -> tuple[ValueArray, ValueArray, ValueArray, ValueArray]:
    """Difference of the means, both variances (0 where they are rounding) and the covariance."""
    total = weights.sum(axis=0)
    a, b = true - true.mean(), predicted - predicted.mean()
    mean_a, mean_b = _ratio(a @ weights, total), _ratio(b @ weights, total)
    apart = true.mean() - predicted.mean() + mean_a - mean_b
    both = _ratio((a * b) @ weights, total) - mean_a * mean_b
    variances = []
    for centred, mean in ((a, mean_a), (b, mean_b)):
        variance = _ratio(centred**2 @ weights, total) - mean**2
        variances.append(np.where(variance > _NOTHING * np.max(centred**2, initial=0.0), variance, 0.0))
    return apart, variances[0], variances[1], both


def _ratio(above: ValueArray, below: ValueArray) -> ValueArray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


OF_VALUES: Mapping[str, Callable[[FloatArray, Drawn], ValueArray]] = {
    name: partial(_mean_over_targets, value)
    for name, value in (
        ("r2", _r2),
        ("ccc", _ccc),
        ("pearson", _pearson),
        ("rmse", _rmse),
        ("mae", _mean_of(lambda a, b: np.abs(a - b))),
        ("tempo-accuracy-1", _mean_of(partial(tempo_hits, octaves=False))),
        ("tempo-accuracy-2", _mean_of(partial(tempo_hits, octaves=True))),
    )
}
"""By the names of `mirbench.metrics.METRICS`."""
