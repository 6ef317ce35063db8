"""Metrics of values on boards: influences against derivatives, intervals that cover, differences that hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from mirbench.leaderboard import statistics
from mirbench.leaderboard.linearised import LINEARISED
from mirbench.metrics import METRICS
from mirbench.types import Targets

RANGES = ((40.0, 240.0), (1.0, 9.0))
STEP = 1e-6


def told(seed: int, n_clips: int = 40, masked: float = 0.2) -> tuple[Any, Targets]:
    generator = np.random.default_rng(seed)
    value = generator.random((n_clips, 2)).astype(np.float32)
    scores = (0.6 * value + 0.4 * generator.random(value.shape)).astype(np.float32)
    return scores, Targets(value, generator.random(value.shape) >= masked, "regression", RANGES)


def weighted(name: str, true: Any, predicted: Any, weight: Any) -> float:
    """What scikit-learn, numpy's covariance, or the definition says of values with weights."""
    if name in ("r2", "rmse", "mae"):
        score = {"r2": "r2_score", "rmse": "root_mean_squared_error", "mae": "mean_absolute_error"}[name]
        return float(getattr(reference, score)(true, predicted, sample_weight=weight))
    if name in ("pearson", "ccc"):
        (a, both), (_, b) = np.cov(true, predicted, aweights=weight, ddof=0)
        apart = np.average(true, weights=weight) - np.average(predicted, weights=weight)
        return float(both / np.sqrt(a * b) if name == "pearson" else 2 * both / (a + b + apart**2))
    factors = (1,) if name == "tempo-accuracy-1" else (1, 2, 3, 1 / 2, 1 / 3)
    off = np.min([np.abs(predicted / (factor * true) - 1) for factor in factors], axis=0)
    return float(np.average(off <= 0.04, weights=weight))


@pytest.mark.parametrize("name", LINEARISED)
def test_influences_are_the_derivatives_by_the_weight_of_each_clip(name: str) -> None:
    scores, targets = told(0)
    n_clips = len(scores)
    wanted = np.zeros(n_clips)
    for clip in range(n_clips):
        moved = []
        for step in (-STEP, STEP):
            each = []
            for k, known in enumerate(targets.known.T):
                weight = np.ones(n_clips)
                weight[clip] += step * n_clips
                pair = (targets.in_units(array)[known, k] for array in (targets.value, scores))
                each.append(weighted(name, *pair, weight[known]))
            moved.append(np.mean(each))
        wanted[clip] = (moved[1] - moved[0]) / (2 * STEP)
    np.testing.assert_allclose(LINEARISED[name](scores, targets), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LINEARISED)
def test_a_value_on_a_board_is_that_of_the_metric_and_lies_in_its_interval(name: str) -> None:
    scores, targets = told(1)
    alone = np.full(len(scores), ""), np.zeros(len(scores), dtype=int)
    found = statistics.interval(name, scores[None], targets, *alone)
    assert found is not None
    assert found.low <= METRICS[name].function(scores, targets) <= found.high
    assert METRICS[name].bounds[0] <= found.low < found.high <= METRICS[name].bounds[1]


def normal(rng: np.random.Generator, n: int, noise: float = 0.08) -> tuple[Any, Targets]:
    true = rng.normal(0.5, 0.15, (n, 1))
    scores = 0.5 + 0.8 * (true - 0.5) + rng.normal(0, noise, (n, 1))
    return scores.astype(np.float32), Targets(
        true.astype(np.float32), np.ones((n, 1), dtype=bool), "regression", ((0.0, 1.0),)
    )


@pytest.mark.parametrize("name", ["r2", "ccc", "pearson", "mae"])
def test_intervals_cover_the_value_of_all_clips_about_as_often_as_they_say(name: str) -> None:
    rng = np.random.default_rng(0)
    of_all = METRICS[name].function(*normal(rng, 200_000))
    covered = []
    for _ in range(200):
        scores, targets = normal(rng, 50)
        found = statistics.interval(name, scores[None], targets, np.full(50, ""), np.zeros(50, dtype=int))
        assert found is not None
        covered.append(found.low <= of_all <= found.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_a_constant_on_few_clips_is_surely_no_better_than_the_mean_and_worse_than_who_knows() -> None:
    scores, targets = normal(np.random.default_rng(1), 9, noise=0.03)
    constant = np.full_like(scores, 0.5)
    alone = np.full(9, ""), np.zeros(9, dtype=int)
    of_constant = statistics.interval("r2", constant[None], targets, *alone)
    assert of_constant is not None
    assert -1.5 < of_constant.low <= of_constant.high < 0.6
    found = statistics.difference("r2", scores[None], constant[None], targets, *alone)
    assert found is not None
    assert found.p < 0.05
    assert 0 < found.low < found.value < found.high < 2
