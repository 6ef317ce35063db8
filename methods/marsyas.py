"""Marsyas' timbre features and a random forest: the baseline of Chen and Steffens (2022).

The paper names the tools and no settings. Features and their statistics are the defaults of Marsyas' `bextract` for one
vector a file; the forest has the defaults of scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier

from mirbench.context import Context
from mirbench.errors import BadInput
from mirbench.methods.probes import fit_sklearn, probabilities
from mirbench.methods.timbre import SAMPLE_RATE, TIMBRE, texture_statistics, timbre
from mirbench.types import Fitted, FloatArray, Split
from mirbench.windows import AnySplit

__all__ = ["MarsyasForest"]


def _statistics(audio: FloatArray, longest: float) -> FloatArray:
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
    Tzanetakis, Cook (2000), MARSYAS: a framework for audio analysis. See `mirbench.methods.timbre`.
    """

    features: Literal["timbre", "timbre+chroma"] = "timbre"
    n_trees: int = 100
    max_depth: int | None = None

    name, version, needs = "marsyas-forest", "1", ()

    def __post_init__(self) -> None:
        if self.n_trees < 1 or (self.max_depth is not None and self.max_depth < 1):
            raise BadInput(f"{self.name}: n_trees and max_depth must be at least 1")

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Fit on train; a forest needs no selection and no scaling."""

        def make() -> Any:
            return RandomForestClassifier(self.n_trees, max_depth=self.max_depth, random_state=seed)

        fitted = fit_sklearn(make, probabilities, train, context, features_of=self._vectors, standardise=False)
        return Fitted(fitted.predict, n_trainable=None)

    def _vectors(self, context: Context, split: AnySplit) -> npt.NDArray[np.float64]:
        rows = np.asarray(context.whole(split, "marsyas", SAMPLE_RATE, _statistics, identity="marsyas 1").values)
        kept = rows[:, :, :TIMBRE] if self.features == "timbre" else rows
        return kept.reshape(len(kept), -1).astype(np.float64)
