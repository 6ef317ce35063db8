"""The one torch loop: phases of optimisation, selection on valid, deterministic from a seed.

`train` is the loop. `fit_module` puts it to the common use: windows go in, one logit a class comes out, the windows of
a clip are averaged, and the epoch that scores best on valid is kept.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from mirbench import AnySplit, Context, Windows, clip_means
from mirbench.metrics import METRICS
from mirbench.types import BlindSplit, FloatArray, IntArray, Split, Targets

__all__ = [
    "Batch", "Draw", "Inputs", "Learnt", "Loss", "Phase", "Recipe", "batches", "clip_scores", "cross_entropy",
    "fit_module", "in_batches", "masked_bce", "moving_state", "predictor", "seeded", "train",
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

    def parts(self, count: int) -> Iterator[tuple[Batch, float]]:
        """The batch in so many parts, of two items at least, each with its share of the entries that count."""
        if count == 1:
            yield self, 1.0
            return
        total = self.known.sum().clamp(min=1)
        n_items = len(self.target)
        edges = np.linspace(0, n_items, max(1, min(count, n_items // 2)) + 1).astype(int)  # batch norm needs two
        for first, last in itertools.pairwise(edges):
            rows, pieces = slice(first, last), slice(first * self.pieces, last * self.pieces)
            part = Batch(tuple(x[pieces] for x in self.inputs), self.target[rows], self.known[rows], self.pieces)
            yield part, float(part.known.sum() / total)


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one optimiser.

    Parameters
    ----------
    momentum : float
        Of SGD, in Nesterov's form; 0 is plain gradient descent.
    betas : tuple of float
        Of Adam and AdamW.
    milestones : tuple of int
        Epochs of this phase after which the rate is multiplied by `gamma`.
    from_best : bool
        Begin from the best weights so far.
    """

    epochs: int
    lr: float
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    milestones: tuple[int, ...] = ()
    gamma: float = 1.0
    from_best: bool = False

    def build(
        self, parameters: Sequence[nn.Parameter]
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """The optimiser of this phase and its schedule."""
        decay = self.weight_decay
        optimizer: torch.optim.Optimizer
        if self.optimizer == "sgd":
            optimizer = torch.optim.SGD(
                parameters, self.lr, momentum=self.momentum, nesterov=self.momentum > 0, weight_decay=decay
            )
        elif self.optimizer == "adamw":
            optimizer = torch.optim.AdamW(parameters, self.lr, betas=self.betas, weight_decay=decay)
        else:
            optimizer = torch.optim.Adam(parameters, self.lr, betas=self.betas, weight_decay=decay)
        return optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, list(self.milestones), self.gamma)


Loss = Callable[[Tensor, Batch], Tensor]
"""``loss(logits, batch)``."""

Draw = Callable[[np.random.Generator], Iterable[Batch]]
"""``draw(generator)`` -> the batches of one epoch."""


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

    @classmethod
    def of(cls, *windows: Windows) -> Inputs:
        """The same windows of some stages, an argument of the module each."""
        first = windows[0]
        return cls(tuple(stage.values for stage in windows), first.clip_index, first.n_clips)

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
        Stop after so many epochs without a better one.
    select : {"score", "loss", "last"}
        Which epoch is kept: of the best score on valid (among equals the lower loss, then the earlier), of the lowest
        loss on valid, or the last.
    accumulate : int
        Parts in which a batch is computed, for memory; batch norm sees the parts.
    after_step : callable or None
        Called after every step of the optimiser.
    """

    phases: tuple[Phase, ...]
    batch_size: int
    loss: Loss
    patience: int | None = None
    select: Literal["score", "loss", "last"] = "score"
    accumulate: int = 1
    after_step: Callable[[], None] | None = None


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
        logits = _logits(module, seen_valid, context)
        scores = clip_scores(logits, seen_valid, valid.task.kind, context, independent=independent)
        value = metric.function(scores, known_valid)
        return value if metric.higher_is_better else -value, _valid_loss(logits, seen_valid, known_valid, recipe.loss)

    draw = draw or _every_window(inputs(train_split), train_split.targets(), recipe.batch_size, context)
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
        return clip_scores(_logits(module, seen, context), seen, split.kind, context, independent=independent)

    return predict


def clip_scores(
    logits: FloatArray, seen: Inputs, kind: str, context: Context, *, independent: bool = False
) -> FloatArray:
    """Scores of clips in [0, 1] from logits of windows, shape (n_clips, n_classes).

    Parameters
    ----------
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
        return x.softmax(dim=1) if kind == "single-label" else x.sigmoid()

    def means(x: Tensor) -> Tensor:
        return torch.from_numpy(clip_means(x.numpy(), seen.clip_index, seen.n_clips))

    if context.windowing.average == "logit":
        scores = squash(means(values))
    elif independent and kind == "single-label":
        yes, no = (means(x.sigmoid()).clamp(min=1e-300).log() for x in (values, -values))
        scores = squash(yes - no)
    else:
        scores = means(squash(values))
    return scores.numpy().clip(0.0, 1.0).astype(np.float32)


def _every_window(
    seen: Inputs, targets: Targets, batch_size: int, context: Context
) -> Callable[[np.random.Generator], Iterator[Batch]]:
    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        yield from batches(seen, targets, generator.permutation(len(seen.clip_index)), batch_size, context)

    return draw


def in_batches(order: IntArray, batch_size: int) -> list[IntArray]:
    """So many at a time; a last one alone joins the batch before it, for batch norm cannot learn from one item."""
    starts = list(range(0, len(order), batch_size))
    if len(order) - starts[-1] == 1 and batch_size > 1 and len(starts) > 1:
        del starts[-1]
    return np.split(order, starts[1:])


def batches(seen: Inputs, targets: Targets, order: IntArray, batch_size: int, context: Context) -> Iterator[Batch]:
    """Windows in this order, so many at a time."""
    value, known = torch.from_numpy(targets.value), torch.from_numpy(targets.known)
    for rows in in_batches(order, batch_size):
        clips = torch.from_numpy(seen.clip_index[rows])
        yield Batch(seen.take(rows, context), value[clips].to(context.device), known[clips].to(context.device))


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


def _valid_loss(logits: FloatArray, seen: Inputs, targets: Targets, loss: Loss) -> float:
    value = torch.from_numpy(targets.value[seen.clip_index])
    known = torch.from_numpy(targets.known[seen.clip_index])
    return float(loss(torch.from_numpy(logits), Batch((), value, known)))


def train(
    module: nn.Module,
    recipe: Recipe,
    draw: Draw,
    score: Callable[[], tuple[float, float]],
    context: Context,
    *,
    seed: int,
    what: str = "training",
) -> list[dict[str, float]]:
    """Train a module in place and leave it, in eval mode, with the weights of the epoch that was selected on valid.

    Parameters
    ----------
    draw : callable
        ``draw(generator)`` yields the batches of one epoch.
    score : callable
        ``score()`` -> (score, loss) on valid; called in eval mode after each epoch.

    Returns
    -------
    list of dict
        A row an epoch: loss, valid_score, valid_loss, seconds (of training, without validation).
    """
    generator = np.random.default_rng(seed)
    trainable = [p for p in module.parameters() if p.requires_grad]
    history: list[dict[str, float]] = []
    best, best_state, waited = (-np.inf, -np.inf), moving_state(module), 0
    total = sum(phase.epochs for phase in recipe.phases)
    # half precision has too short a range for small gradients; in other precisions the scaler does nothing
    scaler = GradScaler(context.device.type, enabled=context.precision == "float16")
    exhausted = False
    with context.progress.bar(what, total, "epochs") as step:
        for phase in recipe.phases:
            if exhausted:
                break
            if phase.from_best:
                module.load_state_dict(best_state, strict=False)
            optimizer, schedule = phase.build(trainable)
            for _ in range(phase.epochs):
                row = _epoch(module, optimizer, scaler, draw(generator), recipe, context)
                schedule.step()
                module.eval()
                valid_score, valid_loss = score()
                history.append({**row, "valid_score": valid_score, "valid_loss": valid_loss})
                step(1, f"loss {row['loss']:.3f}, valid {valid_score:.3f}")
                waited += 1
                reached = _rank(recipe.select, len(history), valid_score, valid_loss)
                if reached > best:
                    best, best_state, waited = reached, moving_state(module), 0
                exhausted = recipe.patience is not None and waited >= recipe.patience
                if exhausted:
                    break
    module.load_state_dict(best_state, strict=False)
    module.eval()
    return history


def _rank(select: str, epoch: int, score: float, loss: float) -> tuple[float, float]:
    """What the kept epoch has most of; an undefined score leaves the choice to the loss."""
    if select == "last":
        return float(epoch), 0.0
    if select == "loss":
        return -loss, 0.0
    return -np.inf if np.isnan(score) else score, -loss


def moving_state(module: nn.Module) -> dict[str, Tensor]:
    """A copy of what training changes: trainable parameters, buffers, and what the module says that `follows` them."""
    follows = getattr(module, "follows", ())
    frozen = {
        name
        for name, parameter in module.named_parameters()
        if not parameter.requires_grad and not name.startswith(tuple(follows))
    }
    return {name: copy.deepcopy(value) for name, value in module.state_dict().items() if name not in frozen}


def _epoch(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: GradScaler,
    batches: Iterable[Batch],
    recipe: Recipe,
    context: Context,
) -> dict[str, float]:
    module.train()
    began = time.perf_counter()
    total, count = torch.zeros((), device=context.device), 0
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        for part, share in batch.parts(recipe.accumulate):
            with context.autocast():
                outputs = module(*part.inputs).unflatten(0, (-1, part.pieces)).mean(dim=1)
                value = recipe.loss(outputs, part) * share
            scaler.scale(value).backward()
            total += value.detach() * len(batch.target)
        scaler.step(optimizer)
        scaler.update()
        if recipe.after_step:
            recipe.after_step()
        count += len(batch.target)
    mean = float(total) / max(count, 1)  # waits for the GPU
    if not np.isfinite(mean):
        raise FloatingPointError(f"the training loss is {mean}: lower the learning rate, or use --precision float32")
    return {"loss": mean, "seconds": time.perf_counter() - began}
