"""Marsyas' timbre features and a random forest: the baseline of Shtern, Ejaz, Tzerpos (2017).

The paper names the tools and no settings. Features and their statistics are those of Marsyas' `bextract` for one vector
a file, with the texture window of its manual and the rate that this supposes; what its code does since 2012 are
options. The forest has the defaults of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mirbench import AnySplit
from mirbench.errors import BadInput
from mirbench.method import Fitted, Part, require_least
from mirbench.methods.classifiers import fit_sklearn, probabilities, restore_sklearn
from mirbench.methods.stored import Trees, keep_trees
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from mirbench import Context, Windows

__all__ = ["MarsyasForest"]


def _statistics(audio: FloatArray, longest: float, *, texture: int, sample_rate: int) -> FloatArray:
    from mirbench.methods.hand_made.timbre import texture_statistics, timbre

    return texture_statistics(timbre(audio, sample_rate), texture).astype(np.float32)


@dataclass(frozen=True)
class MarsyasForest:
    """Random forest on means and deviations, over texture windows and then the clip, of frame features of timbre.

    Parameters
    ----------
    features : {"timbre", "timbre+chroma"}
        68 values a clip, or 124.
    texture : int
        Frames of a texture window: 40 says bextract's manual, 20 does its code since August 2012.
    sample_rate : int
        In Hz, to which clips are resampled; bextract itself does not resample: give the rate of your files.
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
    texture: int = 40
    sample_rate: int = 22_050
    n_trees: int = 100
    max_depth: int | None = None

    name, version, needs = "marsyas-forest", "1", ()
    uses_valid = False

    def __post_init__(self) -> None:
        require_least(self, 1, "n_trees", "max_depth")
        require_least(self, 1, "texture")
        if not 16_000 <= self.sample_rate <= 192_000:  # the bank of its MFCC ends near 7 kHz
            raise BadInput(f"{self.name}: sample_rate={self.sample_rate}: 16000 to 192000 is needed")

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
        statistics = partial(_statistics, texture=self.texture, sample_rate=self.sample_rate)
        identity = "marsyas 1" if self.texture == 40 else f"marsyas 1, texture {self.texture}"
        return context.whole(split, "marsyas", self.sample_rate, statistics, identity=identity)

    def _vectors(self, context: Context, split: AnySplit) -> npt.NDArray[np.float64]:
        from mirbench.methods.hand_made.timbre import TIMBRE

        rows = np.asarray(self._rows(context, split).values)
        kept = rows[:, :, :TIMBRE] if self.features == "timbre" else rows
        return kept.reshape(len(kept), -1).astype(np.float64)
