"""Probes: a small classifier on the mean embedding of each clip; the source stays frozen.

Every probe standardises its features on train. In a multi-label task scikit-learn's classifiers learn each label by
itself, on the clips of which it is known. The kernel SVM and the forest have no count of trainable parameters:
what they keep grows with the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from mirbench.context import Context
from mirbench.errors import BadInput
from mirbench.methods.adapters import Standardise
from mirbench.methods.network import NetworkMethod
from mirbench.methods.training import Inputs, Recipe
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


Scores = Callable[[Any, Features], npt.NDArray[Any]]


@dataclass(frozen=True)
class _Fit:
    """A fitted probe: its pipelines of scaler and classifier, one, or one a class, and what it predicts.

    Parameters
    ----------
    pipelines : dict of int to Pipeline
        By class; a class of which train knows one answer alone has none. The single one of a single-label task is 0.
    """

    pipelines: dict[int, Any]
    predict: Callable[[BlindSplit], FloatArray]


def _fit_sklearn(make: Callable[[], Any], scores_of: Scores, train: Split, context: Context) -> _Fit:
    """Fit a standardised scikit-learn classifier: of the class of a clip, or of each label by itself."""
    if train.task.kind == "single-label":
        return _fit_classes(make, scores_of, train, context)
    return _fit_labels(make, scores_of, train, context)


def _pipeline(classifier: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), classifier)


def _fit_classes(make: Callable[[], Any], scores_of: Scores, train: Split, context: Context) -> _Fit:
    pipeline = _pipeline(make()).fit(_features(context, train), train.class_index())

    def predict(split: BlindSplit) -> FloatArray:
        scores = scores_of(pipeline, _features(context, split))
        return align_columns(scores, pipeline.classes_, len(split.classes))

    return _Fit({0: pipeline}, predict)


def _fit_labels(make: Callable[[], Any], scores_of: Scores, train: Split, context: Context) -> _Fit:
    """One classifier a label, on the clips of which the label is known; soft labels are made hard at 0.5."""
    features, targets = _features(context, train), train.targets()
    present = targets.value >= 0.5
    pipelines: dict[int, Any] = {}
    constant = np.zeros(len(train.classes), dtype=np.float32)
    for k in range(len(train.classes)):
        known = targets.known[:, k]
        if len(np.unique(present[known, k])) == 2:
            pipelines[k] = _pipeline(make()).fit(features[known], present[known, k])
        elif known.any():
            constant[k] = present[known, k][0]

    def predict(split: BlindSplit) -> FloatArray:
        heard = _features(context, split)
        scores = np.tile(constant, (len(split), 1))
        for k, pipeline in pipelines.items():
            scores[:, k] = scores_of(pipeline, heard)[:, 1]
        return scores

    return _Fit(pipelines, predict)


def _probabilities(pipeline: Any, features: Features) -> npt.NDArray[Any]:
    probabilities: npt.NDArray[Any] = pipeline.predict_proba(features)
    return probabilities


def _margins(pipeline: Any, features: Features) -> npt.NDArray[Any]:
    """Softmax of the margins: their order, in [0, 1]; not calibrated.

    Where classes tie in votes, scikit-learn's `predict` takes the first and its margins another; the first is put on
    top here, for everybody's published numbers of this classifier are of `predict`.
    """
    from scipy.special import softmax

    margins = pipeline.decision_function(features)
    if margins.ndim == 1:  # two classes; the softmax of the halves is the sigmoid of the margin
        margins = np.stack([-margins / 2, margins / 2], axis=1)
    else:
        voted = np.searchsorted(pipeline.classes_, pipeline.predict(features))
        margins[np.arange(len(margins)), voted] = np.nextafter(margins.max(axis=1), np.inf)
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

        fit = _fit_sklearn(lambda: LogisticRegression(C=self.C, max_iter=2000), _probabilities, train, context)
        state: dict[str, npt.NDArray[Any]] = {}
        n_trainable = 0
        for k, (scaler, model) in fit.pipelines.items():
            parts = {
                "mean": scaler.mean_, "scale": scaler.scale_, "coef": model.coef_, "intercept": model.intercept_,
                "classes": model.classes_,
            }  # fmt: skip
            state |= {name if train.task.kind == "single-label" else f"{name}.{k}": v for name, v in parts.items()}
            n_trainable += model.coef_.size + model.intercept_.size
        return Fitted(fit.predict, n_trainable=n_trainable, state=state)


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

    name, version, needs = "probe-svm", "2", ("pooled",)

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train; nothing here is random."""
        from sklearn.svm import SVC

        gamma = "scale" if self.gamma is None else self.gamma
        fit = _fit_sklearn(lambda: SVC(C=self.C, gamma=gamma), _margins, train, context)
        return Fitted(fit.predict, n_trainable=None)


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

        def make() -> Any:
            return RandomForestClassifier(self.n_trees, max_depth=self.max_depth, random_state=seed)

        return Fitted(_fit_sklearn(make, _probabilities, train, context).predict, n_trainable=None)


@dataclass(frozen=True)
class MlpProbe(NetworkMethod):
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
    batch_size: int = 64
    epochs: int = 200
    patience: int = 20

    name, version, needs = "probe-mlp", "2", ("pooled",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.hidden, self.patience) < 1:
            raise BadInput(f"{self.name}: hidden and patience must be at least 1")

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """Standardisation and two linear layers."""
        width = _features(context, split).shape[1]
        return nn.Sequential(
            Standardise(width), nn.Linear(width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, len(split.classes))
        )

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        """Mean and scale of train."""
        module[0].learn(_features(context, train))  # type: ignore[operator]

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Mean embeddings of clips."""
        return Inputs((_features(context, split),), np.arange(len(split)), len(split))

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """Early stopping."""
        return replace(super().recipe(module, kind), patience=self.patience)
