"""What is true of clips, as arrays: whether a class is present, or where in its range a value is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "FloatArray", "IntArray", "Range", "Targets", "TaskKind"]

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

TaskKind = Literal["single-label", "multi-label", "regression"]
"""A clip has exactly one class; any number of labels; or a number for each target, as a tempo, valence and arousal."""

Range = tuple[float, float]
"""The lowest and the highest value of a target, in its unit."""


@dataclass(frozen=True)
class Targets:
    """What is true of each clip.

    Parameters
    ----------
    value : ndarray of float32, shape (n_clips, n_classes)
        1 where the class is present, 0 where absent; in between for soft labels. Of a regression task: where in its
        range the value of a target is, 0 at its lowest and 1 at its highest.
    known : ndarray of bool, shape (n_clips, n_classes)
        False where nobody judged; `value` means nothing there.
    kind : {"single-label", "multi-label", "regression"}
        Of the task: whether one class is predicted for a clip, each class is decided on, or values are told.
    ranges : tuple of (float, float)
        Of the task, see there; () unless it is a regression task.
    """

    value: FloatArray
    known: BoolArray
    kind: TaskKind
    ranges: tuple[Range, ...] = ()

    def take(self, rows: npt.NDArray[Any]) -> Targets:
        """Those of some clips.

        Parameters
        ----------
        rows : ndarray of int or bool
            Which, as numpy takes an index.
        """
        return Targets(self.value[rows], self.known[rows], self.kind, self.ranges)

    @classmethod
    def joined(cls, parts: Sequence[Targets]) -> Targets:
        """Those of several sets of clips of one task, one after another.

        Parameters
        ----------
        parts : sequence of Targets
            One or more.
        """
        value, known = (np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "known"))
        return cls(value, known, parts[0].kind, parts[0].ranges)

    def in_units(self, scores: FloatArray) -> npt.NDArray[np.float64]:
        """Values of a regression task's targets in their units, of places in their ranges; 0 to 1 where there are none.

        Parameters
        ----------
        scores : ndarray, shape (..., n_classes)
            In [0, 1].
        """
        low, high = np.array(self.ranges or ((0.0, 1.0),), dtype=np.float64).T
        return low + scores.astype(np.float64) * (high - low)
