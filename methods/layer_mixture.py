"""The network of `mirbench.methods.layer_mix`: layers, weighed and mixed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirbench.methods.reprogramming.adapters import Standardise

__all__ = ["Mixture"]


class Mixture(nn.Module):
    """Softmax weights over standardised layers, then a perceptron.

    Parameters
    ----------
    widths : tuple of int
        Of the layers. Layers of different widths (of convolutional networks) are each brought to the width of the
        hidden units by a linear layer before they are mixed, which makes this a large probe.
    hidden : int
        Units of the perceptron.
    """

    def __init__(self, widths: tuple[int, ...], hidden: int, n_classes: int) -> None:
        super().__init__()
        self.standardise = nn.ModuleList(Standardise(width) for width in widths)
        alike = len(set(widths)) == 1
        self.bring = nn.ModuleList(nn.Identity() if alike else nn.Linear(width, hidden) for width in widths)
        self.weight = nn.Parameter(torch.zeros(len(widths)))
        width = widths[0] if alike else hidden
        self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, n_classes))

    def forward(self, *layers: Tensor) -> Tensor:
        """Mean tokens of each layer, (n, width) each -> (n, n_classes) logits."""
        brought = [
            bring(standardise(layer))
            for layer, standardise, bring in zip(layers, self.standardise, self.bring, strict=True)
        ]
        mixed = (torch.stack(brought) * self.weight.softmax(dim=0)[:, None, None]).sum(dim=0)
        logits: Tensor = self.perceptron(mixed)
        return logits
