"""The common use of the loop: windows go in, one logit a class comes out, and the windows of a clip are averaged.

`fit_module` trains such a module and keeps the epoch that scores best on valid, `predictor` asks one, and `clip_scores`
makes scores of clips from logits of windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mirbench import AnySplit, Context, clip_means
from mirbench.methods.training.at_once import windows_at_once
from mirbench.methods.training.batch import Batch, Draw, Inputs, batches
from mirbench.methods.training.loop import seeded, train
from mirbench.methods.training.recipe import Loss, Recipe
from mirbench.metrics import METRICS
from mirbench.types import BlindSplit, FloatArray, IntArray, Split, Targets

__all__ = ["Learnt", "clip_scores", "every_window", "fit_module", "predictor", "window_logits"]


@dataclass(frozen=True)
class Learnt:
    """What `fit_module` returns.

    Parameters
    ----------
    predict : callable
        ``predict(blind split)`` -> scores of clips.
    history : list of dict
        See `train`.
    valid_score : float or None
        What the kept epoch was selected by, higher is better, where that is not the task's first metric.
    """

    predict: Callable[[BlindSplit], FloatArray]
    history: list[dict[str, float]]
    valid_score: float | None


def fit_module(
    module: nn.Module,
    inputs: Callable[[AnySplit], Inputs],
    train_split: Split,
    valid: Split,
    context: Context,
    recipe: Recipe,
    *,
    seed: int,
    independent: bool = False,
    draw: Draw | None = None,
    what: str = "training",
) -> Learnt:
    """Train a module that maps windows to one logit a class.

    Parameters
    ----------
    inputs : callable
        ``inputs(split)`` -> what the module is fed.
    independent : bool
        See `clip_scores`.
    draw : callable or None
        Batches of an epoch; None takes every window of train once, in random order.
    """
    known_valid, seen_valid = valid.targets(), inputs(valid)
    metric = METRICS[valid.task.metrics[0]]

    def score() -> tuple[float, float]:
        logits = window_logits(module, seen_valid, context)
        scores = clip_scores(logits, seen_valid, valid.task.kind, context, independent=independent)
        value = metric.function(scores, known_valid)
        return value if metric.higher_is_better else -value, _valid_loss(logits, seen_valid, known_valid, recipe.loss)

    if draw is None:
        seen = inputs(train_split)

        def order(generator: np.random.Generator) -> IntArray:
            return context.reading_order(seen.arrays, generator)

        draw = every_window(seen, train_split.targets(), recipe.batch_size, context, order)
    with seeded(seed, context.device):
        history = train(module, recipe, draw, score, context, seed=seed, what=what)
    lowest = min((row["valid_loss"] for row in history), default=None) if recipe.select == "loss" else None
    predict = predictor(module, inputs, context, independent=independent)
    return Learnt(predict, history, None if lowest is None else -lowest)


def predictor(
    module: nn.Module, inputs: Callable[[AnySplit], Inputs], context: Context, *, independent: bool = False
) -> Callable[[BlindSplit], FloatArray]:
    """`predict` of a module that maps windows to one logit a class; see `clip_scores`."""

    def predict(split: BlindSplit) -> FloatArray:
        seen = inputs(split)
        return clip_scores(window_logits(module, seen, context), seen, split.kind, context, independent=independent)

    return predict


def clip_scores(
    logits: FloatArray, seen: Inputs, kind: str, context: Context, *, independent: bool = False
) -> FloatArray:
    """Scores of clips in [0, 1] from logits of windows, shape (…, n_clips, n_classes).

    Parameters
    ----------
    logits : ndarray, shape (…, n_windows, n_classes)
        Of one module, or of several.
    independent : bool
        Whether a network for a single-label task was taught each class by itself, so that its sigmoids are the
        probabilities that windows are averaged by, and not its softmax.

    Notes
    -----
    A single-label task takes the softmax over classes, a multi-label task the sigmoid. Windows are averaged before or
    after that, as the run's windowing says. Averages of sigmoids of a single-label task go through a softmax of their
    log-odds: the scores of a clip sum to one, and keep their order where the probabilities all round to 0 or 1.
    """
    values = torch.from_numpy(logits).double()

    def squash(x: Tensor) -> Tensor:
        return x.softmax(dim=-1) if kind == "single-label" else x.sigmoid()

    def means(x: Tensor) -> Tensor:
        by_window = np.moveaxis(x.numpy(), -2, 0)
        return torch.from_numpy(np.moveaxis(clip_means(by_window, seen.clip_index, seen.n_clips), 0, -2))

    if context.windowing.average == "logit":
        scores = squash(means(values))
    elif independent and kind == "single-label":
        yes, no = (means(x.sigmoid()).clamp(min=1e-300).log() for x in (values, -values))
        scores = squash(yes - no)
    else:
        scores = means(squash(values))
    return scores.numpy().clip(0.0, 1.0).astype(np.float32)


def every_window(
    seen: Inputs, targets: Targets, batch_size: int, context: Context, order: Callable[[np.random.Generator], IntArray]
) -> Draw:
    """Batches of an epoch that takes every window once, in this order."""

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        yield from batches(seen, targets, order(generator), batch_size, context)

    return draw


@torch.no_grad()
def window_logits(module: nn.Module, seen: Inputs, context: Context) -> FloatArray:
    """Logits of every window, (n_windows, n_classes), in eval mode."""
    module.eval()
    parts = []
    batch_size = windows_at_once(module, seen, context)
    for first in range(0, len(seen.clip_index), batch_size):
        with context.autocast():
            out = module(*seen.take(slice(first, first + batch_size), context))
        parts.append(out.float().cpu().numpy())
    logits: FloatArray = np.concatenate(parts)
    return logits


def _valid_loss(logits: FloatArray, seen: Inputs, targets: Targets, loss: Loss) -> float:
    value = torch.from_numpy(targets.value[seen.clip_index])
    known = torch.from_numpy(targets.known[seen.clip_index])
    return float(loss(torch.from_numpy(logits), Batch((), value, known)))
