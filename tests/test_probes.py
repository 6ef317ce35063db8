from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mirbench.context import Context
from mirbench.errors import BadInput
from mirbench.methods.prior import Prior
from mirbench.methods.probes import ForestProbe, LinearProbe, MlpProbe, SvmProbe, align_columns
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]


def features(context: Context, split: Split) -> np.ndarray:
    return context.source.pooled(split).clip_means()


def test_prior_scores_every_clip_by_the_frequencies_of_train(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scores = Prior().fit(Split(train.task, train.clips[:6]), valid, context, seed=0).predict(test.blind())
    assert np.allclose(scores, [[4 / 6, 2 / 6, 0]] * len(test))


def test_linear_probe_equals_scikit_learn_on_standardised_embeddings(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scaler = StandardScaler().fit(features(context, train))
    reference = LogisticRegression(max_iter=2000).fit(scaler.transform(features(context, train)), train.class_index())
    expected = reference.predict_proba(scaler.transform(features(context, test)))
    fitted = LinearProbe().fit(train, valid, context, seed=0)
    assert np.allclose(fitted.predict(test.blind()), expected, atol=1e-5)
    assert fitted.n_trainable == 3 * 96 + 3


def test_svm_probe_ranks_as_scikit_learn_margins_do(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scaler = StandardScaler().fit(features(context, train))
    reference = SVC().fit(scaler.transform(features(context, train)), train.class_index())
    margins = reference.decision_function(scaler.transform(features(context, test)))
    fitted = SvmProbe().fit(train, valid, context, seed=0)
    scores = fitted.predict(test.blind())
    assert (scores.argsort(axis=1) == margins.argsort(axis=1)).all()
    assert fitted.n_trainable is None


def test_svm_probe_takes_two_classes(tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, test = (Split(s.task, tuple(c for c in s.clips if c.labels != ("tone",))) for s in splits)
    scores = SvmProbe().fit(train, valid, context, seed=0).predict(test.blind())
    assert (scores[:, 2] == 0).all()
    assert (scores.argmax(axis=1) == test.class_index()).mean() > 0.5


def test_forest_probe_depends_on_the_seed_alone(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    first, again, other = (ForestProbe(20).fit(train, valid, context, seed=s).predict(test.blind()) for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_mlp_probe_on_ast_features_would_have_the_parameters_of_bl_r() -> None:
    hidden, n_features, n_classes = MlpProbe().hidden, 768, 10
    assert (n_features + 1) * hidden + (hidden + 1) * n_classes == 398_858


def test_mlp_probe_counts_its_parameters(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    fitted = MlpProbe(hidden=8, epochs=2).fit(train, valid, context, seed=0)
    assert fitted.n_trainable == (96 + 1) * 8 + (8 + 1) * 3


def test_mlp_probe_stops_when_valid_gets_no_better(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    fitted = MlpProbe(patience=3).fit(train, valid, context, seed=0)
    best = max(
        range(len(fitted.history)), key=lambda i: (fitted.history[i]["valid_score"], -fitted.history[i]["valid_loss"])
    )
    assert len(fitted.history) in (best + 1 + 3, 200)


@pytest.mark.parametrize("probe", [LinearProbe(), SvmProbe(), ForestProbe(50), MlpProbe()])
def test_probes_learn_the_tiny_task(probe, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scores = probe.fit(train, valid, context, seed=0).predict(test.blind())
    assert (scores.argmax(axis=1) == test.class_index()).mean() > 0.6  # chance is 0.33


def test_align_columns_scores_absent_classes_zero() -> None:
    full = align_columns(np.array([[0.25, 0.75]]), np.array([0, 2]), 4)
    assert full.tolist() == [[0.25, 0.0, 0.75, 0.0]]


def test_mlp_probe_refuses_no_hidden_unit() -> None:
    with pytest.raises(BadInput, match="at least 1"):
        MlpProbe(hidden=0)
