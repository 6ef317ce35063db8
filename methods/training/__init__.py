"""The one torch loop, and what surrounds it: batches, recipes, schedules, scores of clips."""

from mirbench.methods.training.loop import (
    Batch,
    Draw,
    Inputs,
    Learnt,
    Loss,
    Phase,
    Recipe,
    batches,
    clip_scores,
    cross_entropy,
    fit_module,
    in_batches,
    masked_bce,
    moving_state,
    predictor,
    seeded,
    train,
)

__all__ = [
    "Batch", "Draw", "Inputs", "Learnt", "Loss", "Phase", "Recipe", "batches", "clip_scores", "cross_entropy",
    "fit_module", "in_batches", "masked_bce", "moving_state", "predictor", "seeded", "train",
]  # fmt: skip
