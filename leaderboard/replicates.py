"""Clips as the replicates of a bootstrap drew them, and the sums over them that metrics share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mirbench.types import BoolArray, FloatArray, Targets

__all__ = ["Drawn", "one_hot"]

ValueArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """Clips as replicates of a bootstrap drew them.

    Parameters
    ----------
    targets : Targets
        Shape (n_clips, n_classes).
    weights : ndarray of float32, shape (n_clips, n_replicates)
        How often each replicate holds each clip: whole numbers, whose sums float32 holds exactly up to 16 million.
    """

    targets: Targets
    weights: FloatArray

    def sums(self, marked: BoolArray) -> ValueArray:
        """Weight of the marked clips, few of (n_clips, n_classes); shape (n_classes, n_replicates)."""
        from scipy.sparse import csr_array

        n_clips, n_classes = marked.shape
        places = np.flatnonzero(marked.T)
        ends = np.searchsorted(places, n_clips * np.arange(n_classes + 1))
        ones = np.ones(len(places), dtype=self.weights.dtype)
        marks = csr_array((ones, places % n_clips, ends), shape=(n_classes, n_clips))
        return np.asarray(marks @ self.weights, dtype=np.float64)

    @cached_property
    def all(self) -> ValueArray:
        """Weight of the clips, shape (n_replicates,)."""
        return self.sums(np.ones((len(self.weights), 1), np.bool_))[0]

    @cached_property
    def of_class(self) -> ValueArray:
        """Weight of the clips of each class of a single-label task, shape (n_classes, n_replicates)."""
        return self.sums(one_hot(self.targets))

    @cached_property
    def present(self) -> ValueArray:
        """Weight of the clips that a class is known to be in, shape (n_classes, n_replicates)."""
        return self.sums((self.targets.value >= 0.5) & self.targets.known)

    @cached_property
    def absent(self) -> ValueArray:
        """Weight of the clips that a class is known not to be in, shape (n_classes, n_replicates)."""
        return self.sums((self.targets.value < 0.5) & self.targets.known)


def one_hot(targets: Targets) -> BoolArray:
    """The class of each clip of a single-label task, one hot."""
    return np.asarray(np.argmax(targets.value, axis=1)[:, None] == np.arange(targets.value.shape[1]))
