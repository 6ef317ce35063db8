"""The recipe of Chen & Lerch (2022), which several methods share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import nn

from mirbench.methods.network import NetworkMethod
from mirbench.methods.training import Loss, Phase, Recipe, masked_bce

__all__ = ["Chen2022Method", "Chen2022Schedule", "chen2022_phases"]

Chen2022Schedule = Literal["paper", "authors-code", "constant"]
"""Halved after 10 epochs and every 5 from then on (as printed); the released script's own rates, 1e-5 times 0.85 after
each of the epochs 5 to 25, betas 0.95 and 0.999 and weight decay 5e-7; or no schedule."""


def chen2022_phases(schedule: Chen2022Schedule, epochs: int, lr: float, weight_decay: float) -> tuple[Phase, ...]:
    """The phases of a schedule of Chen & Lerch (2022)."""
    if schedule == "paper":
        return (Phase(epochs, lr, weight_decay=weight_decay, milestones=tuple(range(10, 50, 5)), gamma=0.5),)
    if schedule == "authors-code":
        milestones = tuple(range(5, 26))
        return (Phase(epochs, 1e-5, weight_decay=5e-7, betas=(0.95, 0.999), milestones=milestones, gamma=0.85),)
    return (Phase(epochs, lr, weight_decay=weight_decay),)


@dataclass(frozen=True)
class Chen2022Method(NetworkMethod):
    """A method with the paper's recipe: Adam for 50 epochs of batches of 8.

    Parameters
    ----------
    schedule : {"paper", "authors-code", "constant"}
        See `Chen2022Schedule`; the authors' script has 30 epochs of batches of 4, and rates of its own, whatever `lr`
        and `weight_decay` say.
    select : {"score", "last"}
        Whether the best epoch on valid is kept, or the last, as in the released script.
    """

    epochs: int = 50
    lr: float = 5e-5
    batch_size: int = 8
    schedule: Chen2022Schedule = "paper"
    select: Literal["score", "last"] = "score"

    version: ClassVar[str] = "2"

    def loss(self, kind: str) -> Loss:
        """Binary cross entropy over what is known, on soft targets where there are some."""
        return masked_bce

    def phases(self) -> tuple[Phase, ...]:
        """Of the schedule that was chosen."""
        return chen2022_phases(self.schedule, self.epochs, self.lr, self.weight_decay)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """With the selection that was chosen."""
        return replace(super().recipe(module, kind), select=self.select)
