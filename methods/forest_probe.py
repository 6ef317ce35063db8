"""A random forest on mean embeddings or hidden layers, grown on train, or on train and valid, as OpenMIC-2018's is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mirbench.method import EVERY_KIND, Fitted, require_least
from mirbench.methods.classifiers import fit_sklearn, probabilities, restore_sklearn
from mirbench.methods.probed_layers import ProbedLayers
from mirbench.methods.stored import Trees, keep_trees
from mirbench.metrics import METRICS
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from mirbench import Context

__all__ = ["ForestProbe"]

Predict = Callable[[BlindSplit], FloatArray]

_OF_FEATURES = 1 / 3
"""That a split of a regression tree looks at: Hastie, Tibshirani, Friedman (2009), section 15.3."""


@dataclass(frozen=True)
class ForestProbe(ProbedLayers):
    """Random forest; of a regression task, one of each target, whose trees look at a third of the features each time.

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
    task_kinds = EVERY_KIND

    def __post_init__(self) -> None:
        self.check_layers()
        require_least(self, 1, "n_trees", "max_depth")

    @property
    def uses_valid(self) -> bool:
        """Only where it learns from it."""
        return self.fit_on != "train"

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on the features of train, or of train and valid."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        def make() -> Any:
            return RandomForestClassifier(self.n_trees, max_depth=self.max_depth, random_state=seed)

        def regressor() -> Any:
            return RandomForestRegressor(
                self.n_trees, max_depth=self.max_depth, random_state=seed, max_features=_OF_FEATURES
            )

        how: dict[str, Any] = {
            "standardise": self.standardise, "features_of": self.features, "regressor": regressor,
        }  # fmt: skip
        fit = fit_sklearn(make, probabilities, train, context, **how)
        valid_score = None
        if self.fit_on == "train-and-valid":
            valid_score = _score(fit.predict, valid)  # before it has seen valid
            fit = fit_sklearn(make, probabilities, _joined(train, valid), context, **how)
        state = fit.state(lambda part: keep_trees(part.model))
        return Fitted(fit.predict, n_trainable=None, state=state, valid_score=valid_score)

    def refit(self, clips: Split, context: Context, *, seed: int, histories: Sequence[Any]) -> Fitted:
        """Grow on all clips; see `mirbench.method.Refittable`."""
        return replace(self, fit_on="train").fit(clips, clips, context, seed=seed)

    def restore(self, state: Mapping[str, Any], split: BlindSplit, context: Context) -> Predict:
        """The same trees."""
        return restore_sklearn(state, lambda held, _: Trees(held), probabilities, context, features_of=self.features)


def _joined(train: Split, valid: Split) -> Split:
    """The clips of both, so ordered that it does not matter which were in valid."""
    return Split(train.task, tuple(sorted(train.clips + valid.clips, key=lambda clip: clip.id)))


def _score(predict: Predict, split: Split) -> float:
    """The task's first metric, turned so that higher is better."""
    metric = METRICS[split.task.metrics[0]]
    value = float(metric.function(predict(split.blind()), split.targets()))
    return value if metric.higher_is_better else -value
