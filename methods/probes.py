"""Probes: a small classifier on the mean embedding of each clip, or on hidden layers; the source stays frozen.

Every probe standardises its features on train. In a multi-label task scikit-learn's classifiers learn each label by
itself, on the clips of which it is known; in a regression task regressors of the same kind learn where in its range
each target is. The kernel SVM and the forest (`mirbench.methods.forest_probe`) have no count
of trainable parameters: what they keep grows with the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import EVERY_KIND, Fitted, require_least
from mirbench.methods.classifiers import (
    Features,
    align_columns,
    fit_sklearn,
    margins,
    probabilities,
    restore_sklearn,
    with_examples,
)
from mirbench.methods.probed_layers import ProbedLayers
from mirbench.methods.stored import KernelMachine, KernelValues, Line, Logistic, keep_kernel, keep_linear
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.stackable import Stackable
from mirbench.types import BlindSplit, FloatArray, Split, Task

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Inputs, Recipe
    from mirbench.source import SourceCard

__all__ = ["LinearProbe", "MlpProbe", "NeighboursProbe", "SvmProbe", "align_columns"]

Predict = Callable[[BlindSplit], FloatArray]

_TOLERATED = 0.01
"""Of a target's range: scikit-learn's 0.1, meant for values of any size, would be a tenth of it."""


@dataclass(frozen=True)
class LinearProbe(ProbedLayers):
    """Logistic regression; of a regression task, ridge regression of each target.

    Parameters
    ----------
    C : float
        Inverse of the L2 penalty.
    """

    C: float = 1.0

    name, version, needs = "probe-linear", "1", ("pooled",)
    task_kinds = EVERY_KIND
    uses_seed = uses_valid = False

    def __post_init__(self) -> None:
        self.check_layers()
        if self.C <= 0:
            raise BadInput(f"{self.name}: C must be above 0")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the features of train; nothing here is random."""
        from sklearn.linear_model import LogisticRegression, Ridge

        def make() -> Any:
            return LogisticRegression(C=self.C, max_iter=2000)

        def regressor() -> Any:
            return Ridge(alpha=1 / self.C)

        fit = fit_sklearn(make, probabilities, train, context, features_of=self.features, regressor=regressor)
        state = fit.state(lambda part: keep_linear(part.model))
        return Fitted(fit.predict, n_trainable=fit.n_linear(), state=state)

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same weights."""
        kind = Line if split.kind == "regression" else Logistic
        return restore_sklearn(state, lambda held, _: kind(held), probabilities, context, features_of=self.features)

    def graph(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> tuple[Any, Any]:
        """See `mirbench.method.Graphed`."""
        from mirbench.methods.graphs import LinearHead

        return self.front(context), LinearHead(state, len(split.classes), split.kind)


@dataclass(frozen=True)
class SvmProbe(ProbedLayers):
    """RBF support vector machine; of a regression task, a support vector regression of each target.

    The latter does not mind errors of less than a hundredth of a target's range.

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
    task_kinds = EVERY_KIND
    uses_seed = uses_valid = False

    def __post_init__(self) -> None:
        self.check_layers()
        if self.C <= 0 or (self.gamma is not None and self.gamma <= 0):
            raise BadInput(f"{self.name}: C and gamma must be above 0")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the features of train; nothing here is random."""
        from sklearn.svm import SVC, SVR

        gamma = "scale" if self.gamma is None else self.gamma

        def regressor() -> Any:
            return SVR(C=self.C, gamma=gamma, epsilon=_TOLERATED)

        def make() -> Any:
            return SVC(C=self.C, gamma=gamma)

        fit = fit_sklearn(make, margins, train, context, features_of=self.features, regressor=regressor)
        state = fit.state(lambda part: {"support": part.rows[part.model.support_], **keep_kernel(part.model)})
        return Fitted(fit.predict, n_trainable=None, state=with_examples(state, self.features(context, train)))

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same support vectors."""

        kind: Any = KernelValues if split.kind == "regression" else KernelMachine

        def load(held: Mapping[str, Any], standardised: Callable[[Features], Features]) -> Any:
            return kind(held, standardised(held["features"][held["support"]].astype(np.float64)))

        return restore_sklearn(state, load, margins, context, features_of=self.features)

    def graph(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> tuple[Any, Any]:
        """See `mirbench.method.Graphed`; of a task of one class a clip."""
        from mirbench.methods.graphs import KernelHead

        if split.kind != "single-label":
            raise NotApplicable("--onnx: a kernel machine of each label or target is not written so; leave --onnx out")
        weights = KernelMachine(state, state["features"]).pair_weights
        return self.front(context), KernelHead(state, weights, len(split.classes))


@dataclass(frozen=True)
class NeighboursProbe(ProbedLayers):
    """The classes, or values, of the nearest clips of train by cosine, weighted by nearness; nothing is learnt.

    Parameters
    ----------
    k : int
        Neighbours that vote; fewer where train is smaller.
    """

    k: int = 5

    name, version, needs = "knn", "1", ("pooled",)
    task_kinds = EVERY_KIND
    uses_seed = uses_valid = False

    def __post_init__(self) -> None:
        self.check_layers()
        require_least(self, 1, "k")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Keep the features of train; nothing here is random."""

        def regressor() -> Any:
            return self._regressor(len(train))

        fit = fit_sklearn(self._make, self._votes, train, context, features_of=self.features, regressor=regressor)
        state = fit.state(lambda part: {"support": part.rows, "answers": part.answers})
        return Fitted(fit.predict, n_trainable=None, state=with_examples(state, self.features(context, train)))

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same clips of train."""

        def load(held: Mapping[str, Any], standardised: Callable[[Features], Features]) -> Any:
            clips = standardised(held["features"][held["support"]].astype(np.float64))
            make = partial(self._regressor, len(clips)) if split.kind == "regression" else self._make
            return make().fit(clips, held["answers"])

        return restore_sklearn(state, load, self._votes, context, features_of=self.features)

    def _make(self) -> Any:
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(self.k, weights="distance", metric="cosine")

    def _regressor(self, n_clips: int) -> Any:
        from sklearn.neighbors import KNeighborsRegressor

        return KNeighborsRegressor(min(self.k, n_clips), weights="distance", metric="cosine")

    def _votes(self, model: Any, features: Features) -> npt.NDArray[Any]:
        model.n_neighbors = min(self.k, model.n_samples_fit_)
        return probabilities(model, features)


@dataclass(frozen=True)
class MlpProbe(ProbedLayers, Stackable, NetworkMethod):
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

    name, version, needs, joins = "probe-mlp", "2", ("pooled",), True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_layers()
        require_least(self, 1, "hidden", "patience")

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """Hidden layers, and augmentations."""
        super().require_usable(card, task)
        NetworkMethod.require_usable(self, card, task)

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """Standardisation and two linear layers."""
        from torch import nn

        from mirbench.methods.reprogramming.adapters import Standardise

        width = self.features(context, split).shape[1]
        return nn.Sequential(
            Standardise(width), nn.Linear(width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, len(split.classes))
        )

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        """Mean and scale of train."""
        from mirbench.methods.reprogramming.adapters import Standardise

        standardise = next(module.children())
        assert isinstance(standardise, Standardise)
        standardise.learn(self.features(context, train))

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """What it learns from, means over the windows of clips."""
        return self.stages_of(context.source.card), True

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """What it learns from of each clip."""
        from mirbench.methods.training import Inputs

        return Inputs((self.features(context, split),), np.arange(len(split)), len(split))

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """Early stopping."""
        return replace(super().recipe(module, kind), patience=self.patience)
