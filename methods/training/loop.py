"""The one torch loop: phases of optimisation, selection on valid, deterministic from a seed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from mirbench import Context
from mirbench.methods.training.batch import Batch, Draw
from mirbench.methods.training.recipe import Recipe

__all__ = ["finite_loss", "moving_state", "reached", "seeded", "train", "without_gradient"]

_IDLE = "what is behind them gives the same whatever they are, as a source does that cuts off what is out of its range"


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's own random numbers (initial weights, dropout) come from `seed` within the block, and only there."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


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

    Notes
    -----
    A module with a function `before_epoch` has it called before each epoch but the first.

    Returns
    -------
    list of dict
        A row an epoch: loss, valid_score, valid_loss, seconds (of training, without validation); and without_gradient,
        how many trained values had none in its last step, where that is so of all of a tensor.
    """
    generator = np.random.default_rng(seed)
    trainable = [p for p in module.parameters() if p.requires_grad]
    history: list[dict[str, float]] = []
    best, best_state, waited = (-np.inf, -np.inf), moving_state(module), 0
    total = sum(phase.epochs for phase in recipe.phases)
    # half precision has too short a range for small gradients; in other precisions the scaler does nothing
    scaler = GradScaler(context.device.type, enabled=context.precision == "float16")
    exhausted = False
    optimizer: torch.optim.Optimizer | None = None
    with context.progress.bar(what, total, "epochs") as step:
        for phase in recipe.phases:
            if exhausted:
                break
            if phase.from_best:
                module.load_state_dict(best_state, strict=False)
            before = optimizer
            optimizer, schedule = phase.build(trainable)
            if phase.goes_on and before is not None:
                optimizer.state = before.state
            for _ in range(phase.epochs):
                if history and (prepares := getattr(module, "before_epoch", None)):
                    prepares()
                row = _epoch(module, optimizer, scaler, draw(generator), recipe, context)
                schedule.step()
                if n := without_gradient(trainable):
                    row["without_gradient"] = float(n)
                module.eval()
                valid_score, valid_loss = score()
                history.append({**row, "valid_score": valid_score, "valid_loss": valid_loss})
                step(1, f"loss {row['loss']:.3f}, valid {valid_score:.3f}")
                waited += 1
                rank = reached(recipe.select, len(history), valid_score, valid_loss)
                if rank > best:
                    best, best_state, waited = rank, moving_state(module), 0
                exhausted = recipe.patience is not None and waited >= recipe.patience
                exhausted = exhausted or len(history) == recipe.stop_after
                if exhausted:
                    break
    module.load_state_dict(best_state, strict=False)
    module.eval()
    if idle := min((int(row.get("without_gradient", 0)) for row in history), default=0):
        n = sum(p.numel() for p in trainable)
        context.progress.say(f"{what}: {idle:,} of {n:,} trained values had no gradient in any epoch: {_IDLE}")
    return history


def without_gradient(parameters: Iterable[nn.Parameter]) -> int:
    """How many values a loss depends on, by the graph, and did not: their last gradient is zero, of all of a tensor."""
    return sum(p.numel() for p in parameters if p.grad is not None and not p.grad.any())


def reached(select: str, epoch: int, score: float, loss: float) -> tuple[float, float]:
    """What the kept epoch has most of; an undefined score leaves the choice to the loss."""
    if select == "last":
        return float(epoch), 0.0
    if select == "loss":
        return -loss, 0.0
    return -np.inf if np.isnan(score) else score, 0.0 if select == "first-score" and not np.isnan(score) else -loss


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
    mean = finite_loss(float(total) / max(count, 1))  # waits for the GPU
    return {"loss": mean, "seconds": time.perf_counter() - began}


def finite_loss(loss: float) -> float:
    """The mean loss of an epoch.

    Raises
    ------
    FloatingPointError
        If it is not finite.
    """
    if not np.isfinite(loss):
        raise FloatingPointError(f"the training loss is {loss}: lower the learning rate, or use --precision float32")
    return loss
