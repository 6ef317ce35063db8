"""Schedules of the papers that several methods share."""

from __future__ import annotations

from typing import Literal

from mirbench.methods.training import Phase

__all__ = ["Chen2022Schedule", "chen2022_phases"]

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
