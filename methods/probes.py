"""Probes: a small classifier on the mean embedding of each clip; the source stays frozen.

Every probe standardises its features on train. In a multi-label task scikit-learn's classifiers learn each label by
itself, on the clips of which it is known. The kernel SVM and the forest have no count of trainable parameters:
what they keep grows with the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import Fitted
from mirbench.methods.classifiers import (
    Features,
    align_columns,
    embeddings,
    fit_sklearn,
    margins,
    probabilities,
    restore_sklearn,
    with_examples,
)
from mirbench.methods.stored import KernelMachine, Logistic, Trees, keep_kernel, keep_linear, keep_trees
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.stackable import Stackable
from mirbench.metrics import METRICS
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Inputs, Recipe

__all__ = ["ForestProbe", "LinearProbe", "MlpProbe", "NeighboursProbe", "SvmProbe", "align_columns"]

Predict = Callable[[BlindSplit], FloatArray]


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
    uses_seed = uses_valid = False

    def __post_init__(self) -> None:
        if self.C <= 0:
            raise BadInput(f"{self.name}: C must be above 0")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train; nothing here is random."""
        from sklearn.linear_model import LogisticRegression

        fit = fit_sklearn(lambda: LogisticRegression(C=self.C, max_iter=2000), probabilities, train, context)
        state = fit.state(lambda part: keep_linear(part.model))
        return Fitted(fit.predict, n_trainable=fit.n_linear(), state=state)

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same weights."""
        return restore_sklearn(state, lambda held, _: Logistic(held), probabilities, context)

    def graph(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> tuple[Any, Any]:
        """See `mirbench.method.Graphed`."""
        from mirbench.methods.graphs import Front, LinearHead

        return Front(context, ("pooled",), by_clip=True), LinearHead(state, len(split.classes))


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
    uses_seed = uses_valid = False

    def __post_init__(self) -> None:
        if self.C <= 0 or (self.gamma is not None and self.gamma <= 0):
            raise BadInput(f"{self.name}: C and gamma must be above 0")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train; nothing here is random."""
        from sklearn.svm import SVC

        gamma = "scale" if self.gamma is None else self.gamma
        fit = fit_sklearn(lambda: SVC(C=self.C, gamma=gamma), margins, train, context)
        state = fit.state(lambda part: {"support": part.rows[part.model.support_], **keep_kernel(part.model)})
        return Fitted(fit.predict, n_trainable=None, state=with_examples(state, embeddings(context, train)))

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same support vectors."""

        def load(held: Mapping[str, Any], standardised: Callable[[Features], Features]) -> KernelMachine:
            return KernelMachine(held, standardised(held["features"][held["support"]].astype(np.float64)))

        return restore_sklearn(state, load, margins, context)

    def graph(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> tuple[Any, Any]:
        """See `mirbench.method.Graphed`; of a task of one class a clip."""
        from mirbench.methods.graphs import Front, KernelHead

        if split.kind != "single-label":
            raise NotApplicable("--onnx: a kernel machine of each label is not written so; leave --onnx out")
        weights = KernelMachine(state, state["features"]).pair_weights
        return Front(context, ("pooled",), by_clip=True), KernelHead(state, weights, len(split.classes))


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
        False leaves the features as they are.
    fit_on : {"train", "train-and-valid"}
        The latter joins the clips of valid to those of train, in the order of their ids; a search still chooses by what
        a forest of train alone, grown for that, scores on valid.

    Notes
    -----
    The baseline of OpenMIC-2018's notebook, which is the RF of chen2022, is ``--source shipped:vggish`` with 100 trees
    of depth 8 on features as they are, seed 0, and ``fit_on=train-and-valid``: the notebook has no valid.

    References
    ----------
    Humphrey, Durand, McFee (2018), OpenMIC-2018; cosmir/openmic-2018, examples/modeling-baseline.ipynb.
    """

    n_trees: int = 500
    max_depth: int | None = None
    standardise: bool = True
    fit_on: Literal["train", "train-and-valid"] = "train"

    name, version, needs = "probe-forest", "1", ("pooled",)

    def __post_init__(self) -> None:
        if self.n_trees < 1 or (self.max_depth is not None and self.max_depth < 1):
            raise BadInput(f"{self.name}: n_trees and max_depth must be at least 1")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the mean embeddings of train, or of train and valid."""
        from sklearn.ensemble import RandomForestClassifier

        def make() -> Any:
            return RandomForestClassifier(self.n_trees, max_depth=self.max_depth, random_state=seed)

        fit = fit_sklearn(make, probabilities, train, context, standardise=self.standardise)
        valid_score = None
        if self.fit_on == "train-and-valid":
            valid_score = _score(fit.predict, valid)  # before it has seen valid
            fit = fit_sklearn(make, probabilities, _joined(train, valid), context, standardise=self.standardise)
        state = fit.state(lambda part: keep_trees(part.model))
        return Fitted(fit.predict, n_trainable=None, state=state, valid_score=valid_score)

    def refit(self, clips: Split, context: Context, *, seed: int, histories: Sequence[Any]) -> Fitted:
        """Grow on all clips; see `mirbench.method.Refittable`."""
        return replace(self, fit_on="train").fit(clips, clips, context, seed=seed)

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same trees."""
        return restore_sklearn(state, lambda held, _: Trees(held), probabilities, context)


def _joined(train: Split, valid: Split) -> Split:
    """The clips of both, so ordered that it does not matter which were in valid."""
    return Split(train.task, tuple(sorted(train.clips + valid.clips, key=lambda clip: clip.id)))


def _score(predict: Predict, split: Split) -> float:
    """The task's first metric, turned so that higher is better."""
    metric = METRICS[split.task.metrics[0]]
    value = float(metric.function(predict(split.blind()), split.targets()))
    return value if metric.higher_is_better else -value


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
    uses_seed = uses_valid = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadInput(f"{self.name}: k must be at least 1")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Keep the mean embeddings of train; nothing here is random."""

        fit = fit_sklearn(self._make, self._votes, train, context)
        state = fit.state(lambda part: {"support": part.rows, "answers": part.answers})
        return Fitted(fit.predict, n_trainable=None, state=with_examples(state, embeddings(context, train)))

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same clips of train."""

        def load(held: Mapping[str, Any], standardised: Callable[[Features], Features]) -> Any:
            clips = standardised(held["features"][held["support"]].astype(np.float64))
            return self._make().fit(clips, held["answers"])

        return restore_sklearn(state, load, self._votes, context)

    def _make(self) -> Any:
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(self.k, weights="distance", metric="cosine")

    def _votes(self, model: Any, features: Features) -> npt.NDArray[Any]:
        model.n_neighbors = min(self.k, model.n_samples_fit_)
        return probabilities(model, features)


@dataclass(frozen=True)
class MlpProbe(Stackable, NetworkMethod):
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
        from torch import nn

        from mirbench.methods.reprogramming.adapters import Standardise

        width = embeddings(context, split).shape[1]
        return nn.Sequential(
            Standardise(width), nn.Linear(width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, len(split.classes))
        )

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        """Mean and scale of train."""
        from mirbench.methods.reprogramming.adapters import Standardise

        standardise = next(module.children())
        assert isinstance(standardise, Standardise)
        standardise.learn(embeddings(context, train))

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """Mean embeddings of clips."""
        return ("pooled",), True

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Mean embeddings of clips."""
        from mirbench.methods.training import Inputs

        return Inputs((embeddings(context, split),), np.arange(len(split)), len(split))

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """Early stopping."""
        return replace(super().recipe(module, kind), patience=self.patience)
