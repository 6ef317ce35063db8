"""How a network is trained, as data: phases with an optimiser each, a loss, and which epoch is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT

from mirbench.methods.training.batch import Batch

__all__ = ["Loss", "Phase", "Recipe", "cross_entropy", "loss_of", "masked_bce", "masked_mse"]


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
    goes_on : bool
        The optimiser of the phase before goes on, at the rate of this one: its momentum does not begin afresh.
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
    goes_on: bool = False

    def build(
        self, parameters: ParamsT, *, fused: bool | None = None
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """The optimiser of this phase and its schedule.

        Parameters
        ----------
        parameters : iterable
            As torch's optimisers take them; groups may have rates and decays of their own.
        fused : bool or None
            Whether a step is one pass over the values; None leaves that to torch.
        """
        decay = self.weight_decay
        optimizer: torch.optim.Optimizer
        if self.optimizer == "sgd":
            optimizer = torch.optim.SGD(
                parameters,
                self.lr,
                momentum=self.momentum,
                nesterov=self.momentum > 0,
                weight_decay=decay,
                fused=fused,
            )
        elif self.optimizer == "adamw":
            optimizer = torch.optim.AdamW(parameters, self.lr, betas=self.betas, weight_decay=decay, fused=fused)
        else:
            optimizer = torch.optim.Adam(parameters, self.lr, betas=self.betas, weight_decay=decay, fused=fused)
        return optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, list(self.milestones), self.gamma)


Loss = Callable[[Tensor, Batch], Tensor]
"""``loss(logits, batch)``."""


@dataclass(frozen=True)
class Recipe:
    """How a module is trained.

    Parameters
    ----------
    loss : callable
        ``loss(logits, batch)``.
    patience : int or None
        Stop after so many epochs without a better one.
    stop_after : int or None
        Stop after so many epochs, whatever the phases say.
    select : {"score", "first-score", "loss", "last"}
        Which epoch is kept: of the best score on valid (among equals the lower loss, then the earlier), the earliest of
        the best score, whatever its loss, that of the lowest loss on valid, or the last.
    accumulate : int
        Parts in which a batch is computed, for memory; batch norm sees the parts.
    after_step : callable or None
        Called after every step of the optimiser.
    """

    phases: tuple[Phase, ...]
    batch_size: int
    loss: Loss
    patience: int | None = None
    stop_after: int | None = None
    select: Literal["score", "first-score", "loss", "last"] = "score"
    accumulate: int = 1
    after_step: Callable[[], None] | None = None


def loss_of(kind: str, *, independent: bool = False) -> Loss:
    """What is minimised of a kind of task.

    Parameters
    ----------
    kind : {"single-label", "multi-label", "regression"}
        Of the task.
    independent : bool
        Whether each class is taught by itself where a clip has one, too.
    """
    if kind == "regression":
        return masked_mse
    return cross_entropy if kind == "single-label" and not independent else masked_bce


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of one class a clip."""
    return nn.functional.cross_entropy(logits, batch.target)


def masked_bce(logits: Tensor, batch: Batch) -> Tensor:
    """Mean binary cross entropy with logits over the entries that are known."""
    loss = nn.functional.binary_cross_entropy_with_logits(logits, batch.target, reduction="none")
    known = batch.known.to(loss.dtype)
    return (loss * known).sum() / known.sum().clamp(min=1.0)


def masked_mse(logits: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of the logits' sigmoids, places in the ranges of targets, over the entries that are known."""
    known = batch.known.to(logits.dtype)
    return ((logits.sigmoid() - batch.target) ** 2 * known).sum() / known.sum().clamp(min=1.0)
