"""The one torch loop, and what surrounds it: batches, recipes, schedules, scores of clips."""

from mirbench.methods.training.batch import Batch, Draw, Inputs, batches, in_batches
from mirbench.methods.training.fitting import Learnt, clip_scores, fit_module, predictor
from mirbench.methods.training.loop import moving_state, seeded, train
from mirbench.methods.training.recipe import Loss, Phase, Recipe, cross_entropy, masked_bce

__all__ = [
    "Batch", "Draw", "Inputs", "Learnt", "Loss", "Phase", "Recipe", "batches", "clip_scores", "cross_entropy",
    "fit_module", "in_batches", "masked_bce", "moving_state", "predictor", "seeded", "train",
]  # fmt: skip
