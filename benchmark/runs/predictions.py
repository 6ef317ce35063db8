"""What trained models say about some files: the class or the labels of each, how sure they are, every probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirbench.types import FloatArray, Range

__all__ = ["THRESHOLD", "Predictions"]

THRESHOLD = 0.5
"""From which probability on a label of several is predicted."""


@dataclass(frozen=True)
class Predictions:
    """What the model of a run says about some files.

    Parameters
    ----------
    title : str
        Task, method and source.
    runs : str
        Whose mean the probabilities are, "mean of 5 folds × 3 seeds"; "" of a single run.
    files : tuple of Path
        Those that could be read, in the order given.
    probabilities : ndarray of float32, shape (n_files, n_classes)
        Mean over the models; of a regression task, where in its range each value is.
    faults : tuple of str
        A line for each file that could not.
    kind : {"single-label", "multi-label", "regression"}
        Whether a file has one class, any number of labels, or a value of each target.
    threshold : float
        The probability from which on a label of several is predicted.
    ranges : tuple of (float, float)
        Of a regression task's targets, in their units.
    """

    title: str
    runs: str
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    probabilities: FloatArray
    faults: tuple[str, ...]
    kind: str = "single-label"
    threshold: float = THRESHOLD
    ranges: tuple[Range, ...] = ()

    @property
    def labels(self) -> list[tuple[str, ...]]:
        """Of each file, the most probable class (the first of equals), or the labels that reach the threshold.

        None of a regression task: see `values`.
        """
        return [tuple(self.classes[k] for k in self._columns(row)) for row in range(len(self.files))]

    @property
    def predicted(self) -> tuple[str, ...]:
        """The same as text; several labels are joined by "; ", and none is empty. Of a regression task its values."""
        if self.kind == "regression":
            return tuple(
                "; ".join(f"{name} {value:.4g}" for name, value in zip(self.classes, row, strict=True))
                for row in self.values
            )
        return tuple("; ".join(names) for names in self.labels)

    @property
    def confidence(self) -> tuple[float | None, ...]:
        """Of each file, the probability of what is predicted: of several labels, of the least probable one.

        None where no label reaches the threshold, and of values.
        """
        return tuple(
            min((self.probability(row, k) for k in self._columns(row)), default=None) for row in range(len(self.files))
        )

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """Of a regression task, the value of each target in its unit, shape (n_files, n_targets)."""
        low, high = np.array(self.ranges, dtype=np.float64).reshape(-1, 2).T
        return low + self.probabilities.astype(np.float64) * (high - low)

    def probability(self, row: int, column: int) -> float:
        """Of a class, as the shortest decimal that tells it from its neighbours in single precision.

        Parameters
        ----------
        row, column : int
            Of the file, and of the class.
        """
        return float(str(self.probabilities[row, column]))

    def best(self, row: int, count: int) -> list[int]:
        """Columns of the highest probabilities of a file, the first of equals first.

        Parameters
        ----------
        row : int
            Of the file.
        count : int
            How many.
        """
        values = self.probabilities[row]
        return sorted(range(len(values)), key=lambda k: -values[k])[:count]

    def _columns(self, row: int) -> list[int]:
        if self.kind == "regression":
            return []
        if self.kind == "single-label":
            return self.best(row, 1)
        return [k for k in self.best(row, len(self.classes)) if self.probabilities[row, k] >= self.threshold]
