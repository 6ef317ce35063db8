"""The floor: what is scored without listening."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench.method import EVERY_KIND, Fitted
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from mirbench import Context

__all__ = ["Prior"]


@dataclass(frozen=True)
class Prior:
    """Predicts, for every clip, how often each class occurs in train; of a regression task, the mean of train."""

    name, version, needs = "prior", "1", ()
    task_kinds = EVERY_KIND
    uses_audio = uses_seed = uses_valid = False

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        """Count the classes of train, or average its values."""
        targets = train.targets()
        known = targets.known.sum(axis=0)
        frequency = (targets.value * targets.known).sum(axis=0) / np.maximum(known, 1)
        state = {"frequency": frequency.astype(np.float32)}
        return Fitted(self.restore(state, valid.blind(), context), n_trainable=None, state=state)

    def restore(
        self, state: Mapping[str, Any], split: BlindSplit, context: Context
    ) -> Callable[[BlindSplit], FloatArray]:
        """The same frequencies."""
        return lambda split: np.tile(state["frequency"], (len(split), 1))
