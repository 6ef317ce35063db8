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
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from torch import nn

from mirbench.context import Context
from mirbench.errors import BadInput
from mirbench.methods.adapters import Standardise
from mirbench.methods.network import NetworkMethod
from mirbench.methods.training import Inputs, Recipe
from mirbench.types import BlindSplit, Fitted, FloatArray, Split
from mirbench.windows import AnySplit

__all__ = [
    "ForestProbe", "LinearProbe", "MlpProbe", "NeighboursProbe", "SklearnFit", "SvmProbe", "align_columns",
    "fit_sklearn", "margins", "probabilities",
]  # fmt: skip

Features = npt.NDArray[np.float64]


def align_columns(scores: npt.NDArray[Any], present: npt.NDArray[Any], n_classes: int) -> FloatArray:
    """Scores of the classes that train holds, as columns of all classes; the others score 0."""
    full = np.zeros((len(scores), n_classes), dtype=np.float32)
    full[:, present] = scores
    return full


def _features(context: Context, split: Split | BlindSplit) -> Features:
    return context.source.pooled(split).clip_means()


Scores = Callable[[Any, Features], npt.NDArray[Any]]
FeaturesOf = Callable[[Context, AnySplit], Features]


@dataclass(frozen=True)
class SklearnFit:
    """A fitted probe: its pipelines of scaler and classifier, one, or one a class, and what it predicts.

    Parameters
    ----------
    pipelines : dict of int to Pipeline
        By class; a class of which train knows one answer alone has none. The single one of a single-label task is 0.
    several : bool
        Whether there is one a label.
    """

    pipelines: dict[int, Any]
    predict: Callable[[BlindSplit], FloatArray]
    several: bool

    def linear_state(self) -> dict[str, npt.NDArray[Any]]:
        """Scalers and weights of linear classifiers, "coef" and so on, or "coef.K" for each label K of several."""
        state: dict[str, npt.NDArray[Any]] = {}
        for k, (scaler, model) in self.pipelines.items():
            parts = {
                "mean": scaler.mean_, "scale": scaler.scale_, "coef": model.coef_, "intercept": model.intercept_,
                "classes": model.classes_,
            }  # fmt: skip
            state |= {f"{name}.{k}" if self.several else name: value for name, value in parts.items()}
        return state

    def n_linear(self) -> int:
        """Number of weights of linear classifiers."""
        return int(sum(model.coef_.size + model.intercept_.size for _, model in self.pipelines.values()))


def fit_sklearn(
    make: Callable[[], Any],
    scores_of: Scores,
    train: Split,
    context: Context,
    *,
    features_of: FeaturesOf = _features,
    standardise: bool = True,
) -> SklearnFit:
    """Fit a scikit-learn classifier: of the class of a clip, or of each label by itself.

    Parameters
    ----------
    make : callable
        ``make()`` -> a fresh classifier.
    scores_of : callable
        ``scores_of(pipeline, features)`` -> scores in [0, 1] of the pipeline's classes.
    features_of : callable
        ``features_of(context, split)`` -> features, (n_clips, n_features); the source's mean embeddings.
    standardise : bool
        Whether features are standardised on train.
    """

    def pipeline_of() -> Any:
        return make_pipeline(StandardScaler() if standardise else FunctionTransformer(), make())

    fit = _fit_classes if train.task.kind == "single-label" else _fit_labels
    return fit(pipeline_of, scores_of, train, context, features_of)


def _fit_classes(
    make: Callable[[], Any], scores_of: Scores, train: Split, context: Context, features_of: FeaturesOf
) -> SklearnFit:
    pipeline = make().fit(features_of(context, train), train.class_index())

    def predict(split: BlindSplit) -> FloatArray:
        scores = scores_of(pipeline, features_of(context, split))
        return align_columns(scores, pipeline.classes_, len(split.classes))

    return SklearnFit({0: pipeline}, predict, several=False)


def _fit_labels(
    make: Callable[[], Any], scores_of: Scores, train: Split, context: Context, features_of: FeaturesOf
) -> SklearnFit:
    """One classifier a label, on the clips of which the label is known; soft labels are made hard at 0.5."""
    features, targets = features_of(context, train), train.targets()
    present = targets.value >= 0.5
    pipelines: dict[int, Any] = {}
    constant = np.zeros(len(train.classes), dtype=np.float32)
    for k in range(len(train.classes)):
        known = targets.known[:, k]
        if len(np.unique(present[known, k])) == 2:
            pipelines[k] = make().fit(features[known], present[known, k])
        elif known.any():
            constant[k] = present[known, k][0]

    def predict(split: BlindSplit) -> FloatArray:
        heard = features_of(context, split)
        scores = np.tile(constant, (len(split), 1))
        for k, pipeline in pipelines.items():
            scores[:, k] = scores_of(pipeline, heard)[:, 1]
        return scores

    return SklearnFit(pipelines, predict, several=True)


def probabilities(pipeline: Any, features: Features) -> npt.NDArray[Any]:
    """Probabilities of the pipeline's classes, (n, n_classes)."""
    found: npt.NDArray[Any] = pipeline.predict_proba(features)
    return found


def margins(pipeline: Any, features: Features) -> npt.NDArray[Any]:
    """Softmax of the margins: their order, in [0, 1]; not calibrated.

    Where classes tie in votes, scikit-learn's `predict` takes the first and its margins another; the first is put on
    top here, for everybody's published numbers of this classifier are of `predict`.
    """
    from scipy.special import softmax

    found = pipeline.decision_function(features)
    if found.ndim == 1:  # two classes; the softmax of the halves is the sigmoid of the margin
        found = np.stack([-found / 2, found / 2], axis=1)
    else:
        voted = np.searchsorted(pipeline.classes_, pipeline.predict(features))
        found[np.arange(len(found)), voted] = np.nextafter(found.max(axis=1), np.inf)
    order: npt.NDArray[Any] = softmax(found, axis=1)
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

    def __post_init__(self) -> None:
        if self.C <= 0:
            raise BadInput(f"{self.name}: C must be above 0")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train; nothing here is random."""
        fit = fit_sklearn(lambda: LogisticRegression(C=self.C, max_iter=2000), probabilities, train, context)
        return Fitted(fit.predict, n_trainable=fit.n_linear(), state=fit.linear_state())


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

    def __post_init__(self) -> None:
        if self.C <= 0 or (self.gamma is not None and self.gamma <= 0):
            raise BadInput(f"{self.name}: C and gamma must be above 0")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train; nothing here is random."""
        gamma = "scale" if self.gamma is None else self.gamma
        fit = fit_sklearn(lambda: SVC(C=self.C, gamma=gamma), margins, train, context)
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
    standardise : bool
        False leaves the features as they are. With that, 100 trees of depth 8 and seed 0 this is the baseline of
        OpenMIC-2018's notebook (``--source shipped:vggish``), which is the RF of chen2022.

    References
    ----------
    Humphrey, Durand, McFee (2018), OpenMIC-2018; cosmir/openmic-2018, examples/modeling-baseline.ipynb.
    """

    n_trees: int = 500
    max_depth: int | None = None
    standardise: bool = True

    name, version, needs = "probe-forest", "1", ("pooled",)

    def __post_init__(self) -> None:
        if self.n_trees < 1 or (self.max_depth is not None and self.max_depth < 1):
            raise BadInput(f"{self.name}: n_trees and max_depth must be at least 1")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train."""

        def make() -> Any:
            return RandomForestClassifier(self.n_trees, max_depth=self.max_depth, random_state=seed)

        fit = fit_sklearn(make, probabilities, train, context, standardise=self.standardise)
        return Fitted(fit.predict, n_trainable=None)


@dataclass(frozen=True)
class NeighboursProbe:
    """The classes of the nearest clips of train by cosine, weighted by nearness; nothing is learnt.

    Parameters
    ----------
    k : int
        Neighbours that vote; fewer where train is smaller.
    """

    k: int = 5

    name, version, needs = "knn", "1", ("pooled",)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadInput(f"{self.name}: k must be at least 1")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Keep the mean embeddings of train; nothing here is random."""

        def votes(pipeline: Any, features: Features) -> npt.NDArray[Any]:
            model = pipeline[-1]
            model.n_neighbors = min(self.k, model.n_samples_fit_)
            return probabilities(pipeline, features)

        def make() -> Any:
            return KNeighborsClassifier(self.k, weights="distance", metric="cosine")

        return Fitted(fit_sklearn(make, votes, train, context).predict, n_trainable=None)


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
        standardise = next(module.children())
        assert isinstance(standardise, Standardise)
        standardise.learn(_features(context, train))

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Mean embeddings of clips."""
        return Inputs((_features(context, split),), np.arange(len(split)), len(split))

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """Early stopping."""
        return replace(super().recipe(module, kind), patience=self.patience)
