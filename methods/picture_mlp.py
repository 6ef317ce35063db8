"""The head of rommel2023 on a frozen image network: three linear layers, AdamW.

References
----------
Rommel & Cerullo (2023), code and logs: nick-rommel/CSC561-Final-Project.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from mirbench import AnySplit
from mirbench.errors import BadInput
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.stackable import Stackable
from mirbench.types import IntArray

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Inputs, Phase, Recipe

__all__ = ["PictureMlp"]


@dataclass(frozen=True)
class PictureMlp(Stackable, NetworkMethod):
    """Linear layer, `depth` of (linear layer, ReLU), linear layer, on the embedding of any source.

    Parameters
    ----------
    hidden, depth : int
        1024 units, and 1, in the paper; as in its code, nothing stands between the first two linear layers.
    select : {"score", "loss"}
        Which epoch is kept, and which model of a search: of the best metric on valid (the first sweep), or of the
        lowest loss (the second).
    fixed_minibatches : bool
        Minibatches are drawn once and come again in every epoch, as the paper's loaders do.
    """

    epochs: int = 25
    lr: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 100
    hidden: int = 1024
    depth: int = 1
    select: Literal["score", "loss"] = "score"
    fixed_minibatches: bool = True

    name, needs = "picture-mlp", ("pooled",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden < 1 or self.depth < 0:
            raise BadInput(f"{self.name}: hidden must be at least 1, depth at least 0")

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """The layers."""
        from torch import nn

        width = int(context.source.pooled(split).values.shape[1])
        middle = [layer for _ in range(self.depth) for layer in (nn.Linear(self.hidden, self.hidden), nn.ReLU())]
        return nn.Sequential(nn.Linear(width, self.hidden), *middle, nn.Linear(self.hidden, len(split.classes)))

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Embeddings, window by window."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.source.pooled(split))

    def window_order(self, seen: Inputs, context: Context, generator: np.random.Generator, seed: int) -> IntArray:
        """The same in every epoch, from the run's seed."""
        if self.fixed_minibatches:
            generator = np.random.default_rng(seed)
        return super().window_order(seen, context, generator, seed)

    def phases(self) -> tuple[Phase, ...]:
        """AdamW at a constant rate."""
        from mirbench.methods.training import Phase

        return (Phase(self.epochs, self.lr, "adamw", self.weight_decay),)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """With the selection that was chosen."""
        return replace(super().recipe(module, kind), select=self.select)
