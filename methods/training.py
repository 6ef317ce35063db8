"""The one torch loop: phases of optimisation, selection on valid, deterministic from a seed.

`train` is the loop. `fit_module` puts it to the common use: windows go in, one logit a class comes out, the windows of
a clip are averaged, and the epoch that scores best on valid is kept.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from mirbench.context import Context
from mirbench.metrics import METRICS
from mirbench.types import BlindSplit, FloatArray, IntArray, Split, Targets
from mirbench.windows import AnySplit, clip_means

__all__ = [
    "Batch", "Inputs", "Phase", "Recipe", "clip_scores", "cross_entropy", "fit_module", "masked_bce", "seeded", "train",
]  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """A step's worth of items.

    Parameters
    ----------
    inputs : tuple of Tensor, each (n, …)
        What the module takes.
    target : Tensor, shape (n, n_classes)
    known : Tensor of bool, shape (n, n_classes)
        Entries that count in the loss.
    pieces : int
        Consecutive inputs that make one item: their logits are averaged before the loss.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    known: Tensor
    pieces: int = 1


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one optimiser.

    Parameters
    ----------
    optimizer : {"adam", "sgd"}
        SGD is with Nesterov momentum 0.9.
    from_best : bool
        Begin from the best weights so far.
    """

    epochs: int
    lr: float
    optimizer: str = "adam"
    weight_decay: float = 0.0
    from_best: bool = False

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of this phase."""
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameters, lr=self.lr, momentum=0.9, nesterov=True, weight_decay=self.weight_decay)
        return torch.optim.Adam(parameters, lr=self.lr, weight_decay=self.weight_decay)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's own random numbers (initial weights, dropout) come from `seed` within the block, and only there."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class Inputs:
    """What a module is fed for a split.

    Parameters
    ----------
    arrays : tuple of array-like, each (n_windows, …)
        Lazy rows or arrays, one an argument of the module.
    clip_index : ndarray of int, shape (n_windows,)
        The clip of each window.
    n_clips : int
        Number of clips.
    """

    arrays: tuple[Any, ...]
    clip_index: IntArray
    n_clips: int

    def take(self, index: Any, context: Context) -> tuple[Tensor, ...]:
        """Some windows as float32 tensors on the device."""
        return tuple(
            torch.from_numpy(np.ascontiguousarray(array[index])).to(context.device, torch.float32)
            for array in self.arrays
        )


@dataclass(frozen=True)
class Recipe:
    """How a module is trained.

    Parameters
    ----------
    loss : callable
        ``loss(logits, batch)``.
    patience : int or None
        See `train`.
    """

    phases: tuple[Phase, ...]
    batch_size: int
    loss: Callable[[Tensor, Batch], Tensor]
    patience: int | None = None


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of one class a clip."""
    return nn.functional.cross_entropy(logits, batch.target)


def masked_bce(logits: Tensor, batch: Batch) -> Tensor:
    """Mean binary cross entropy with logits over the entries that are known."""
    loss = nn.functional.binary_cross_entropy_with_logits(logits, batch.target, reduction="none")
    known = batch.known.to(loss.dtype)
    return (loss * known).sum() / known.sum().clamp(min=1.0)


def fit_module(
    module: nn.Module,
    inputs: Callable[[AnySplit], Inputs],
    train_split: Split,
    valid: Split,
    context: Context,
    recipe: Recipe,
    *,
    seed: int,
    draw: Callable[[np.random.Generator], Iterable[Batch]] | None = None,
    what: str = "training",
) -> tuple[Callable[[BlindSplit], FloatArray], list[dict[str, float]]]:
    """Train a module that maps windows to one logit a class; returns `predict` and the history.

    Parameters
    ----------
    inputs : callable
        ``inputs(split)`` -> what the module is fed.
    draw : callable or None
        Batches of an epoch; None takes every window of train once, in random order.
    """
    known_valid, seen_valid = valid.targets(), inputs(valid)
    metric = METRICS[valid.task.metrics[0]]

    def score() -> tuple[float, float]:
        logits = _logits(module, seen_valid, context)
        value = metric.function(clip_scores(logits, seen_valid, valid.task.kind, context), known_valid)
        return value, _valid_loss(logits, seen_valid, known_valid, recipe.loss)

    def predict(split: BlindSplit) -> FloatArray:
        seen = inputs(split)
        return clip_scores(_logits(module, seen, context), seen, split.kind, context)

    draw = draw or _every_window(inputs(train_split), train_split.targets(), recipe.batch_size, context)
    with seeded(seed, context.device):
        history = train(
            module, recipe.phases, draw, recipe.loss, score, context, seed=seed, patience=recipe.patience, what=what
        )
    return predict, history


def clip_scores(logits: FloatArray, seen: Inputs, kind: str, context: Context) -> FloatArray:
    """Scores of clips in [0, 1] from logits of windows, shape (n_clips, n_classes).

    A single-label task takes the softmax over classes, whose order is that of the logits also where sigmoids would all
    round to 0 or 1; a multi-label task takes the sigmoid. Windows are averaged before or after that, as the run's
    windowing says.
    """
    values = torch.from_numpy(logits).double()

    def squash(x: Tensor) -> Tensor:
        return x.softmax(dim=1) if kind == "single-label" else x.sigmoid()

    if context.windowing.average == "logit":
        means = squash(torch.from_numpy(clip_means(values.numpy(), seen.clip_index, seen.n_clips))).numpy()
    else:
        means = clip_means(squash(values).numpy(), seen.clip_index, seen.n_clips)
    return means.clip(0.0, 1.0).astype(np.float32)


def _every_window(
    seen: Inputs, targets: Targets, batch_size: int, context: Context
) -> Callable[[np.random.Generator], Iterator[Batch]]:
    value, known = torch.from_numpy(targets.value), torch.from_numpy(targets.known)

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        order = generator.permutation(len(seen.clip_index))
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            if len(rows) == 1 and len(order) > 1:
                continue  # batch norm cannot learn from one item
            clips = torch.from_numpy(seen.clip_index[rows])
            yield Batch(seen.take(rows, context), value[clips].to(context.device), known[clips].to(context.device))

    return draw


@torch.no_grad()
def _logits(module: nn.Module, seen: Inputs, context: Context, batch_size: int = 64) -> FloatArray:
    module.eval()
    parts = []
    for first in range(0, len(seen.clip_index), batch_size):
        with context.autocast():
            out = module(*seen.take(slice(first, first + batch_size), context))
        parts.append(out.float().cpu().numpy())
    logits: FloatArray = np.concatenate(parts)
    return logits


def _valid_loss(logits: FloatArray, seen: Inputs, targets: Targets, loss: Callable[[Tensor, Batch], Tensor]) -> float:
    value = torch.from_numpy(targets.value[seen.clip_index])
    known = torch.from_numpy(targets.known[seen.clip_index])
    return float(loss(torch.from_numpy(logits), Batch((), value, known)))


def train(
    module: nn.Module,
    phases: Sequence[Phase],
    draw: Callable[[np.random.Generator], Iterable[Batch]],
    loss: Callable[[Tensor, Batch], Tensor],
    score: Callable[[], tuple[float, float]],
    context: Context,
    *,
    seed: int,
    patience: int | None = None,
    what: str = "training",
) -> list[dict[str, float]]:
    """Train a module in place and leave it, in eval mode, with the weights that were best on valid.

    Parameters
    ----------
    draw : callable
        ``draw(generator)`` yields the batches of one epoch.
    loss : callable
        ``loss(outputs, batch)``.
    score : callable
        ``score()`` -> (score, loss) on valid; called in eval mode after each epoch. The highest score is kept, among
        equals the one of lower loss, then the earlier.
    patience : int or None
        Stop after so many epochs without a better one.

    Returns
    -------
    list of dict
        A row an epoch: loss, valid_score, valid_loss, seconds (of training, without validation).
    """
    generator = np.random.default_rng(seed)
    trainable = [p for p in module.parameters() if p.requires_grad]
    history: list[dict[str, float]] = []
    best, best_state, waited = (-np.inf, -np.inf), copy.deepcopy(module.state_dict()), 0
    total = sum(phase.epochs for phase in phases)
    # half precision has too short a range for small gradients; in other precisions the scaler does nothing
    half = context.precision == "float16" and context.device.type == "cuda"
    scaler = GradScaler(context.device.type, enabled=half)
    with context.progress.bar(what, total, "epochs") as step:
        for phase in phases:
            if phase.from_best:
                module.load_state_dict(best_state)
            optimizer = phase.build(trainable)
            for _ in range(phase.epochs):
                row = _epoch(module, optimizer, scaler, draw(generator), loss, context)
                module.eval()
                valid_score, valid_loss = score()
                history.append({**row, "valid_score": valid_score, "valid_loss": valid_loss})
                step(1, f"loss {row['loss']:.3f}, valid {valid_score:.3f}")
                waited += 1
                # an undefined score leaves the choice to the loss
                reached = (-np.inf if np.isnan(valid_score) else valid_score, -valid_loss)
                if reached > best:
                    best, best_state, waited = reached, copy.deepcopy(module.state_dict()), 0
                if patience is not None and waited >= patience:
                    break
    module.load_state_dict(best_state)
    module.eval()
    return history


def _epoch(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: GradScaler,
    batches: Iterable[Batch],
    loss: Callable[[Tensor, Batch], Tensor],
    context: Context,
) -> dict[str, float]:
    module.train()
    began = time.perf_counter()
    total, count = torch.zeros((), device=context.device), 0
    for batch in batches:
        with context.autocast():
            outputs = module(*batch.inputs).unflatten(0, (-1, batch.pieces)).mean(dim=1)
            value = loss(outputs, batch)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(value).backward()
        scaler.step(optimizer)
        scaler.update()
        total += value.detach() * len(batch.target)
        count += len(batch.target)
    mean = float(total) / max(count, 1)  # waits for the GPU
    if not np.isfinite(mean):
        raise FloatingPointError(f"the training loss is {mean}: lower the learning rate, or use --precision float32")
    return {"loss": mean, "seconds": time.perf_counter() - began}
