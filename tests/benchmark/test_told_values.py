"""Metrics of predicted values, against scikit-learn, scipy, and their definitions."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from mirbench.errors import BadInput
from mirbench.metrics import METRICS, REGRESSION, TEMPO, evaluate, n_scored
from mirbench.types import Clip, Split, Targets, Task

RANGES = ((30.0, 300.0), (1.0, 9.0))
quick = settings(max_examples=40, deadline=None, database=None)


def told(seed, n_clips=30, masked=0.2):
    """Random values of two targets, some unknown, and predictions that know something of them."""
    generator = np.random.default_rng(seed)
    value = generator.random((n_clips, 2)).astype(np.float32)
    known = generator.random(value.shape) >= masked
    known[:2] = True
    scores = (0.5 * value + 0.5 * generator.random(value.shape)).astype(np.float32)
    return scores, Targets(value, known, "regression", RANGES)


def in_units(targets, scores, k):
    low, high = RANGES[k]
    rows = targets.known[:, k]
    return tuple(low + array[rows, k].astype(np.float64) * (high - low) for array in (targets.value, scores))


@quick
@given(seed=st.integers(0, 2**32 - 1), n_clips=st.integers(3, 40))
def test_values_are_scored_as_sklearn_and_scipy_score_them(seed, n_clips):
    scores, targets = told(seed, n_clips)
    found = evaluate(REGRESSION, scores, targets)
    for k in range(2):
        true, predicted = in_units(targets, scores, k)
        assert found["r2-per-class"][k] == pytest.approx(reference.r2_score(true, predicted), rel=1e-9)
        assert found["rmse-per-class"][k] == pytest.approx(reference.root_mean_squared_error(true, predicted))
        assert found["mae-per-class"][k] == pytest.approx(reference.mean_absolute_error(true, predicted))
        assert found["pearson-per-class"][k] == pytest.approx(scipy.stats.pearsonr(true, predicted).statistic)
    for name in ("r2", "rmse", "mae", "pearson", "ccc"):
        assert found[name] == pytest.approx(np.mean(found[f"{name}-per-class"]))
    assert n_scored(found)["r2"] == 2


def test_concordance_is_that_of_lins_definition_and_falls_with_a_shift():
    scores, targets = told(0, masked=0.0)
    true, predicted = in_units(targets, scores, 0)
    by_definition = (
        2
        * np.cov(true, predicted, ddof=0)[0, 1]
        / (true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2)
    )
    assert evaluate(("ccc-per-class",), scores, targets)["ccc-per-class"][0] == pytest.approx(by_definition)
    shifted = np.clip(targets.value + 0.1, 0, 2)
    found = evaluate(("ccc", "pearson"), shifted, targets)
    assert found["pearson"] == pytest.approx(1.0)
    assert found["ccc"] < 0.99


def test_the_mean_of_the_clips_has_an_r2_and_a_concordance_of_zero_and_no_correlation():
    _, targets = told(1, masked=0.0)
    constant = np.tile(targets.value.mean(axis=0), (len(targets.value), 1)).astype(np.float32)
    found = evaluate(("r2", "ccc", "pearson"), constant, targets)
    assert [found["r2"], found["ccc"]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert found["pearson"] is None


@pytest.mark.parametrize(
    ("true", "said", "first", "second"),
    [
        (120, 120, 1, 1), (120, 124.8, 1, 1), (120, 125, 0, 0), (120, 115.2, 1, 1), (120, 115, 0, 0), (120, 60, 0, 1),
        (120, 62.3, 0, 1), (120, 62.5, 0, 0), (100, 200, 0, 1), (90, 270, 0, 1), (120, 40, 0, 1), (120, 180, 0, 0),
    ],
)  # fmt: skip
def test_a_tempo_is_right_within_four_percent_and_for_the_second_accuracy_at_octaves(true, said, first, second):
    low, high = RANGES[0]
    place = [np.array([[(tempo - low) / (high - low)]], dtype=np.float64) for tempo in (said, true)]
    targets = Targets(place[1], np.ones((1, 1), dtype=bool), "regression", RANGES[:1])
    found = evaluate(("tempo-accuracy-1", "tempo-accuracy-2"), place[0], targets)
    assert (found["tempo-accuracy-1"], found["tempo-accuracy-2"]) == (first, second)


def test_an_unknown_value_counts_nowhere():
    scores, targets = told(2)
    other = np.where(targets.known, scores, 0.0).astype(np.float32)
    assert evaluate(TEMPO, scores, targets) == evaluate(TEMPO, other, targets)


def test_one_clip_has_errors_but_no_r2_and_no_clip_has_nothing():
    scores, targets = told(3, masked=0.0)
    found = evaluate(REGRESSION, scores[:1], targets.take(np.arange(1)))
    assert (found["r2"], found["pearson"], found["ccc"]) == (None, None, None)
    assert found["mae"] > 0
    nothing = Targets(targets.value, np.zeros_like(targets.known), "regression", RANGES)
    for name, value in evaluate(TEMPO, scores, nothing).items():
        assert value in (None, [None, None]), name


def test_metrics_of_values_say_their_bounds_and_which_way_is_better():
    assert [METRICS[name].bounds for name in ("r2", "ccc", "mae", "tempo-accuracy-1")] == [
        (-np.inf, 1.0), (-1.0, 1.0), (0.0, np.inf), (0.0, 1.0)
    ]  # fmt: skip
    assert [name for name in REGRESSION if not METRICS[name].higher_is_better] == [
        "rmse", "mae", "rmse-per-class", "mae-per-class"
    ]  # fmt: skip


def test_targets_are_places_in_their_ranges_and_a_value_that_lacks_is_unknown():
    clips = (
        Clip("a", None, "train", ("tempo", "valence"), values=(165.0, 9.0)),
        Clip("b", None, "train", ("valence",), ("tempo",), values=(5.0,)),
    )
    task = Task(
        "values", "1", "for tests", "regression", ("tempo", "valence"), REGRESSION, lambda root, fold: list(clips),
        "", 2, 1.0, ranges=RANGES,
    )  # fmt: skip
    targets = Split(task, clips).targets()
    assert targets.value.tolist() == [[0.5, 1.0], [0.0, 0.5]]
    assert targets.known.tolist() == [[True, True], [False, True]]
    assert targets.in_units(targets.value)[targets.known].tolist() == [165.0, 9.0, 5.0]
    with pytest.raises(BadInput, match="values is regression: a clip has no single class"):
        Split(task, clips).class_index()
