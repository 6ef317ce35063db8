"""Marsyas' timbre features and a random forest: the baseline of Shtern, Ejaz, Tzerpos (2017).

The paper names the tools and no settings. Features and their statistics are the defaults of Marsyas' `bextract` for one
vector a file; the forest has the defaults of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mirbench import AnySplit
from mirbench.errors import BadInput
from mirbench.method import Fitted, Part
from mirbench.methods.classifiers import fit_sklearn, probabilities, restore_sklearn
from mirbench.methods.stored import Trees, keep_trees
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from mirbench import Context, Windows

__all__ = ["MarsyasForest"]


def _statistics(audio: FloatArray, longest: float) -> FloatArray:
    from mirbench.methods.hand_made.timbre import texture_statistics, timbre

    return texture_statistics(timbre(audio)).astype(np.float32)


@dataclass(frozen=True)
class MarsyasForest:
    """Random forest on means and deviations, over texture windows and then the clip, of frame features of timbre.

    Parameters
    ----------
    features : {"timbre", "timbre+chroma"}
        68 values a clip, or 124.
    n_trees : int
        Number of trees.
    max_depth : int or None
        None grows every tree to pure leaves.

    References
    ----------
    Shtern, Ejaz, Tzerpos (2017). Tzanetakis, Cook (2000), MARSYAS: a framework for audio analysis. See
    `mirbench.methods.hand_made.timbre`.
    """

    features: Literal["timbre", "timbre+chroma"] = "timbre"
    n_trees: int = 100
    max_depth: int | None = None

    name, version, needs = "marsyas-forest", "1", ()
    uses_valid = False

    def __post_init__(self) -> None:
        if self.n_trees < 1 or (self.max_depth is not None and self.max_depth < 1):
            raise BadInput(f"{self.name}: n_trees and max_depth must be at least 1")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on train; a forest needs no selection and no scaling."""
        from sklearn.ensemble import RandomForestClassifier

        def make() -> Any:
            return RandomForestClassifier(self.n_trees, max_depth=self.max_depth, random_state=seed)

        fitted = fit_sklearn(make, probabilities, train, context, features_of=self._vectors, standardise=False)
        return Fitted(fitted.predict, n_trainable=None, state=fitted.state(lambda part: keep_trees(part.model)))

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """The same trees."""
        return restore_sklearn(state, lambda held, _: Trees(held), probabilities, context, features_of=self._vectors)

    def reads(self, split: AnySplit, part: Part, context: Context) -> None:
        """Statistics of frames."""
        self._rows(context, split)

    def _rows(self, context: Context, split: AnySplit) -> Windows:
        from mirbench.methods.hand_made.timbre import SAMPLE_RATE

        return context.whole(split, "marsyas", SAMPLE_RATE, _statistics, identity="marsyas 1")

    def _vectors(self, context: Context, split: AnySplit) -> npt.NDArray[np.float64]:
        from mirbench.methods.hand_made.timbre import TIMBRE

        rows = np.asarray(self._rows(context, split).values)
        kept = rows[:, :, :TIMBRE] if self.features == "timbre" else rows
        return kept.reshape(len(kept), -1).astype(np.float64)
