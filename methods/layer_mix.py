"""A probe on a learnt mixture of the hidden layers of a source.

References
----------
Yang et al. (2021), SUPERB: speech processing universal performance benchmark; Yuan et al. (2023), MARBLE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mirbench import AnySplit
from mirbench.method import require_least
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.stackable import Stackable
from mirbench.types import Split

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Inputs, Recipe

__all__ = ["LayerMix"]


@dataclass(frozen=True)
class LayerMix(Stackable, NetworkMethod):
    """One hidden layer on a learnt mixture of the time means of all layers; early stopping on valid.

    Parameters
    ----------
    hidden : int
        Units of the hidden layer.
    patience : int
        Epochs without a better valid score before it stops.

    Notes
    -----
    SUPERB and MARBLE mix one layer more, what a transformer's first block begins with; here only what blocks give.
    They mix layers as they are, here each is standardised on train, so that none is heard for being loud.
    """

    lr: float = 1e-3
    batch_size: int = 64
    epochs: int = 200
    hidden: int = 512
    patience: int = 20

    name, needs = "layer-mix", ("layers",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "hidden", "patience")

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """The mixture and its perceptron."""
        from mirbench.methods.layer_mixture import Mixture

        widths = tuple(int(layer.values.shape[1]) for layer in context.source.layer_means(split))
        return Mixture(widths, self.hidden, len(split.classes))

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        """Mean and scale of each layer on train."""
        from mirbench.methods.layer_mixture import Mixture
        from mirbench.methods.reprogramming.adapters import Standardise

        assert isinstance(module, Mixture)
        for standardise, layer in zip(module.standardise, self.inputs(context, train).arrays, strict=True):
            assert isinstance(standardise, Standardise)
            standardise.learn(layer)

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """Mean of each layer over the tokens and windows of a clip."""
        return tuple(f"mean{k}" for k in range(context.source.card.n_layers)), True

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Mean of each layer over the tokens and windows of a clip."""
        from mirbench.methods.training import Inputs

        layers = tuple(layer.clip_means() for layer in context.source.layer_means(split))
        return Inputs(layers, np.arange(len(split)), len(split))

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """Early stopping."""
        return replace(super().recipe(module, kind), patience=self.patience)
