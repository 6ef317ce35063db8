"""The floor: what is scored without listening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirbench.context import Context
from mirbench.types import BlindSplit, Fitted, FloatArray, Split

__all__ = ["Prior"]


@dataclass(frozen=True)
class Prior:
    """Predicts, for every clip, how often each class occurs in train."""

    name, version, needs = "prior", "1", ()
    uses_audio = False

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Count the classes of train."""
        targets = train.targets()
        known = targets.known.sum(axis=0)
        frequency = (targets.value * targets.known).sum(axis=0) / np.maximum(known, 1)
        row = frequency.astype(np.float32)

        def predict(split: BlindSplit) -> FloatArray:
            return np.tile(row, (len(split), 1))

        return Fitted(predict, n_trainable=None, state={"frequency": row})
