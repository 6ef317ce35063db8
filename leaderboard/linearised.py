"""What each clip adds to a metric of values, to first order: by how much one more clip like it would move the value.

R², correlations and mean errors are smooth functions of means over clips, so that these influences, of which the mean
is 0, tell the variance over draws of clips (the delta method; Efron 1982, *The jackknife, the bootstrap and other
resampling plans*, chapter 6). A bootstrap of few clips does not: R² divides by the variance of the values that were
drawn, and replicates of a handful of clips in which these hardly differ outweigh all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.told_values import tempo_hits
from mirbench.types import FloatArray, Targets

__all__ = ["LINEARISED"]

ValueArray = npt.NDArray[np.float64]
Influence = Callable[[ValueArray, ValueArray], ValueArray]
"""``influence(true, predicted)`` of the known clips of one target, shape (n_known,)."""


def _mean_over_targets(influence: Influence, scores: FloatArray, targets: Targets) -> ValueArray:
    """Influences on the mean over targets, shape (n_clips,): as if the mean were over all clips of each."""
    true, predicted = targets.in_units(targets.value), targets.in_units(scores)
    n_clips = len(true)
    found = []
    for k, known in enumerate(targets.known.T):
        if known.any() and np.isfinite(own := influence(true[known, k], predicted[known, k])).all():
            column = np.zeros(n_clips)
            column[known] = own * n_clips / known.sum()
            found.append(column)
    return np.mean(found, axis=0) if found else np.full(n_clips, np.nan)


def _mean_of(error: Callable[[ValueArray, ValueArray], npt.NDArray[Any]]) -> Influence:
    def influence(true: ValueArray, predicted: ValueArray) -> ValueArray:
        each = error(true, predicted).astype(np.float64)
        centred: ValueArray = each - each.mean()
        return centred

    return influence


def _rmse(true: ValueArray, predicted: ValueArray) -> ValueArray:
    square = (true - predicted) ** 2
    root = np.sqrt(square.mean())
    return (square - square.mean()) / (2 * root) if root > 0 else np.zeros(len(true))


def _r2(true: ValueArray, predicted: ValueArray) -> ValueArray:
    square, spread = (true - predicted) ** 2, (true - true.mean()) ** 2
    if not spread.mean() > 0:
        return np.full(len(true), np.nan)
    ratio = square.mean() / spread.mean()
    return -((square - square.mean()) - ratio * (spread - spread.mean())) / spread.mean()


def _pearson(true: ValueArray, predicted: ValueArray) -> ValueArray:
    if not (true.std() > 0 and predicted.std() > 0):
        return np.full(len(true), np.nan)
    a, b = (true - true.mean()) / true.std(), (predicted - predicted.mean()) / predicted.std()
    return a * b - np.mean(a * b) / 2 * (a**2 + b**2)


def _ccc(true: ValueArray, predicted: ValueArray) -> ValueArray:
    a, b, apart = true - true.mean(), predicted - predicted.mean(), true.mean() - predicted.mean()
    below = np.mean(a**2) + np.mean(b**2) + apart**2
    if not np.mean(a**2) > 0:
        return np.full(len(true), np.nan)
    value = 2 * np.mean(a * b) / below
    change = (a**2 - np.mean(a**2)) + (b**2 - np.mean(b**2)) + 2 * apart * (a - b)
    return (2 * (a * b - np.mean(a * b)) - value * change) / below


LINEARISED: Mapping[str, Callable[[FloatArray, Targets], ValueArray]] = {
    name: partial(_mean_over_targets, influence)
    for name, influence in (
        ("r2", _r2),
        ("ccc", _ccc),
        ("pearson", _pearson),
        ("rmse", _rmse),
        ("mae", _mean_of(lambda true, predicted: np.abs(true - predicted))),
        ("tempo-accuracy-1", _mean_of(partial(tempo_hits, octaves=False))),
        ("tempo-accuracy-2", _mean_of(partial(tempo_hits, octaves=True))),
    )
}
"""``influences(scores, targets)`` by the names of `mirbench.metrics.METRICS`: every metric of values."""
