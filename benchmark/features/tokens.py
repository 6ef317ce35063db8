"""Fewer tokens of hidden layers: the mean of so many that follow each other, which takes so much less disk and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mirbench.source import Activations

__all__ = ["FewerTokens", "neighbour_means"]


def neighbour_means(tokens: Tensor, count: int) -> Tensor:
    """Means of `count` tokens that follow each other, (n, n_tokens, width) -> (n, n_tokens / count, width).

    Where the number does not go into that of the tokens, the last mean is of those that are left.
    """
    whole = tokens.shape[1] // count * count
    means = tokens[:, :whole].unflatten(1, (-1, count)).mean(dim=2) if whole else tokens[:, :0]
    if whole == tokens.shape[1]:
        return means
    return torch.cat([means, tokens[:, whole:].mean(dim=1, keepdim=True)], dim=1)


class FewerTokens(nn.Module):
    """A source network whose hidden layers have fewer tokens; in all else the same.

    Parameters
    ----------
    network : Module
        Of a source.
    count : int
        Tokens that are one.
    """

    def __init__(self, network: Any, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count

    def body(self, x: Tensor, layers: Sequence[int] = ()) -> Activations:
        """As of the network, with fewer tokens."""
        found: Activations = self.network.body(x, layers=layers)
        return replace(found, layers={k: neighbour_means(tokens, self.count) for k, tokens in found.layers.items()})

    def __getattr__(self, name: str) -> Any:
        """Whatever else the network has."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "network":  # in a copy that is being made
                raise
            return getattr(self.network, name)
