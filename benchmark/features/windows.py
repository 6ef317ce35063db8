"""Windows of the clips of a split, and their means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.features.rows import Rows
from mirbench.types import BlindSplit, IntArray, Split

__all__ = ["AnySplit", "Windows", "clip_means"]

AnySplit = Split | BlindSplit


@dataclass(frozen=True)
class Windows:
    """Windows of the clips of a split, in order.

    Parameters
    ----------
    values : array-like, shape (n_windows, …)
        Lazy rows; index with slices or arrays of int, or take them whole with ``numpy.asarray``.
    clip_index : ndarray of int, shape (n_windows,)
        Which clip of the split each window is from.
    n_clips : int
        Number of clips.
    """

    values: Rows | npt.NDArray[Any]
    clip_index: IntArray
    n_clips: int

    def __len__(self) -> int:
        return len(self.clip_index)

    def clip_means(self) -> npt.NDArray[np.float64]:
        """Mean over each clip's windows, shape (n_clips, …)."""
        return clip_means(np.asarray(self.values), self.clip_index, self.n_clips)


def clip_means(values: npt.NDArray[Any], clip_index: IntArray, n_clips: int) -> npt.NDArray[np.float64]:
    """Mean of window values over each clip, shape (n_clips, …), float64.

    Parameters
    ----------
    values : ndarray, shape (n_windows, …)
        What each window has.
    clip_index : ndarray of int, shape (n_windows,)
        The clip that each window is of.
    n_clips : int
        Number of clips.
    """
    total = np.zeros((n_clips, *values.shape[1:]))
    count = np.bincount(clip_index, minlength=n_clips)
    by_clip = np.argsort(clip_index, kind="stable")
    first = np.cumsum(count) - count
    for nth in range(count.max(initial=0)):  # as np.add.at adds, and many times as fast
        clips = np.flatnonzero(count > nth)
        total[clips] += values[by_clip[first[clips] + nth]]
    mean: npt.NDArray[np.float64] = total / count.reshape(-1, *[1] * (values.ndim - 1))
    return mean
