"""Classifiers as arrays score what scikit-learn's own score."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mirbench.methods.stored import Logistic, Scaler, keep_linear


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_linear_probe_from_its_arrays_scores_as_scikit_learn_does(n_classes: int, scale: float) -> None:
    rng = np.random.default_rng(n_classes)
    features, classes = scale * rng.normal(size=(60, 7)), np.arange(60) % n_classes
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(max_iter=2000).fit(scaler.transform(features), classes)
    fresh = scale * rng.normal(size=(40, 7)) * rng.choice([1, 100], size=(40, 1))  # some far away: e to the 700
    ours = Scaler({"mean": scaler.mean_, "scale": scaler.scale_}).transform(fresh)
    np.testing.assert_array_equal(ours, scaler.transform(fresh))
    np.testing.assert_allclose(
        Logistic(keep_linear(model)).predict_proba(ours), model.predict_proba(ours), rtol=1e-12, atol=1e-15
    )
