"""Probes: a small classifier on the mean embedding of each clip; the source stays frozen.

Every probe standardises its features on train. The kernel SVM and the forest have no count of trainable parameters:
what they keep grows with the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from mirbench.context import Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.measure import count_parameters
from mirbench.methods.training import Inputs, Phase, Recipe, cross_entropy, fit_module, masked_bce, seeded
from mirbench.types import BlindSplit, Fitted, FloatArray, Split
from mirbench.windows import AnySplit

__all__ = ["ForestProbe", "LinearProbe", "MlpProbe", "SvmProbe", "align_columns"]

Features = npt.NDArray[np.float64]


def align_columns(scores: npt.NDArray[Any], present: npt.NDArray[Any], n_classes: int) -> FloatArray:
    """Scores of the classes that train holds, as columns of all classes; the others score 0."""
    full = np.zeros((len(scores), n_classes), dtype=np.float32)
    full[:, present] = scores
    return full


def _features(context: Context, split: Split | BlindSplit) -> Features:
    return context.source.pooled(split).clip_means()


def _fit_sklearn(
    classifier: Any, scores_of: Callable[[Any, Features], npt.NDArray[Any]], train: Split, context: Context
) -> tuple[Any, Callable[[BlindSplit], FloatArray]]:
    """Fit a standardised scikit-learn classifier of one label a clip; returns its pipeline and `predict`."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if train.task.kind != "single-label":
        raise NotApplicable("this probe takes single-label tasks; use probe-mlp for multi-label ones")

    pipeline = make_pipeline(StandardScaler(), classifier)
    pipeline.fit(_features(context, train), train.class_index())

    def predict(split: BlindSplit) -> FloatArray:
        scores = scores_of(pipeline, _features(context, split))
        return align_columns(scores, pipeline.classes_, len(split.classes))

    return pipeline, predict


def _probabilities(pipeline: Any, features: Features) -> npt.NDArray[Any]:
    probabilities: npt.NDArray[Any] = pipeline.predict_proba(features)
    return probabilities


def _margins(pipeline: Any, features: Features) -> npt.NDArray[Any]:
    """Softmax of the margins: their order, in [0, 1]; not calibrated."""
    from scipy.special import softmax

    margins = pipeline.decision_function(features)
    if margins.ndim == 1:  # two classes
        margins = np.stack([-margins, margins], axis=1)
    order: npt.NDArray[Any] = softmax(margins, axis=1)
    return order


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression.

    Parameters
    ----------
    C : float
        Inverse of the L2 penalty.
    """

    C: float = 1.0

    name, version, needs = "probe-linear", "1", ("pooled",)

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train; nothing here is random."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.C, max_iter=2000)
        pipeline, predict = _fit_sklearn(model, _probabilities, train, context)
        scaler = pipeline[0]
        state = {
            "mean": scaler.mean_, "scale": scaler.scale_, "coef": model.coef_, "intercept": model.intercept_,
            "classes": model.classes_,
        }  # fmt: skip
        return Fitted(predict, n_trainable=model.coef_.size + model.intercept_.size, state=state)


@dataclass(frozen=True)
class SvmProbe:
    """RBF support vector machine.

    Parameters
    ----------
    C : float
        Penalty of an error.
    gamma : float or None
        Width of the kernel; None is 1 / n_features (on standardised features, scikit-learn's "scale").
    """

    C: float = 1.0
    gamma: float | None = None

    name, version, needs = "probe-svm", "1", ("pooled",)

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train; nothing here is random."""
        from sklearn.svm import SVC

        model = SVC(C=self.C, gamma="scale" if self.gamma is None else self.gamma)
        _, predict = _fit_sklearn(model, _margins, train, context)
        return Fitted(predict, n_trainable=None)


@dataclass(frozen=True)
class ForestProbe:
    """Random forest.

    Parameters
    ----------
    n_trees : int
        Number of trees.
    max_depth : int or None
        None grows every tree to pure leaves.
    """

    n_trees: int = 500
    max_depth: int | None = None

    name, version, needs = "probe-forest", "1", ("pooled",)

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(self.n_trees, max_depth=self.max_depth, random_state=seed)
        _, predict = _fit_sklearn(model, _probabilities, train, context)
        return Fitted(predict, n_trainable=None)


@dataclass(frozen=True)
class MlpProbe:
    """One hidden layer, ReLU, Adam, early stopping on valid: BL-R of hung2022, trained as Castellon et al. do.

    Parameters
    ----------
    hidden : int
        Units of the hidden layer; 512 in the paper.
    patience : int
        Epochs without a better valid score before it stops.

    References
    ----------
    Hung, Yang, Chen, Lerch (2022), Low-resource music genre classification with cross-modal neural model
    reprogramming. Castellon, Donahue, Liang (2021), Codified audio language modeling learns useful representations
    for music information retrieval.
    """

    hidden: int = 512
    lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 64
    epochs: int = 200
    patience: int = 20

    name, version, needs = "probe-mlp", "1", ("pooled",)

    def __post_init__(self) -> None:
        if min(self.hidden, self.batch_size, self.epochs, self.patience) < 1:
            raise BadInput(f"{self.name}: hidden, batch_size, epochs and patience must be at least 1")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train, select on valid."""
        heard = _features(context, train)
        mean, scale = heard.mean(axis=0), heard.std(axis=0)
        scale[scale == 0] = 1.0

        def inputs(split: AnySplit) -> Inputs:
            features = ((_features(context, split) - mean) / scale).astype(np.float32)
            return Inputs((features,), np.arange(len(split)), len(split))

        with seeded(seed, context.device):
            module = nn.Sequential(
                nn.Linear(heard.shape[1], self.hidden), nn.ReLU(), nn.Linear(self.hidden, len(train.classes))
            ).to(context.device)
        recipe = Recipe(
            (Phase(self.epochs, self.lr, weight_decay=self.weight_decay),),
            self.batch_size,
            cross_entropy if train.task.kind == "single-label" else masked_bce,
            self.patience,
        )
        predict, history = fit_module(
            module, inputs, train, valid, context, recipe, seed=seed, what=f"{self.name} seed {seed}"
        )
        state = {"mean": mean, "scale": scale, **{k: v.cpu().numpy() for k, v in module.state_dict().items()}}
        return Fitted(predict, count_parameters(module, trainable=True), state, history)
