"""The one torch loop, and what surrounds it: batches, recipes, schedules, scores of clips.

Importing this loads no torch: a name is looked up when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirbench.methods.training.batch import Batch, Draw, Inputs, batches, in_batches
    from mirbench.methods.training.fitting import Learnt, clip_scores, fit_module, predictor
    from mirbench.methods.training.loop import moving_state, seeded, train
    from mirbench.methods.training.recipe import Loss, Phase, Recipe, cross_entropy, loss_of, masked_bce, masked_mse

__all__ = [
    "Batch", "Draw", "Inputs", "Learnt", "Loss", "Phase", "Recipe", "batches", "clip_scores", "cross_entropy",
    "fit_module", "in_batches", "loss_of", "masked_bce", "masked_mse", "moving_state", "predictor", "seeded", "train",
]  # fmt: skip

_NAMES = {
    "batch": ("Batch", "Draw", "Inputs", "batches", "in_batches"),
    "fitting": ("Learnt", "clip_scores", "fit_module", "predictor"),
    "loop": ("moving_state", "seeded", "train"),
    "recipe": ("Loss", "Phase", "Recipe", "cross_entropy", "loss_of", "masked_bce", "masked_mse"),
}


def __getattr__(name: str) -> Any:
    for module, names in _NAMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
