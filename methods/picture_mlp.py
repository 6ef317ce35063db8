"""The head of rommel2023 on a frozen image network: three linear layers, AdamW.

References
----------
Rommel & Cerullo (2023), code and logs: nick-rommel/CSC561-Final-Project.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from mirbench import AnySplit
from mirbench.method import require_least
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.stackable import Stackable
from mirbench.types import IntArray, Split

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Inputs, Phase, Recipe

__all__ = ["PictureMlp", "linear_layers"]


def linear_layers(width: int, n_classes: int, hidden: int = 1024, depth: int = 1) -> nn.Sequential:
    """Linear layer, `depth` of (linear layer, ReLU), linear layer: (n, width) -> (n, n_classes)."""
    from torch import nn

    middle = [layer for _ in range(depth) for layer in (nn.Linear(hidden, hidden), nn.ReLU())]
    return nn.Sequential(nn.Linear(width, hidden), *middle, nn.Linear(hidden, n_classes))


@dataclass(frozen=True)
class PictureMlp(Stackable, NetworkMethod):
    """Linear layer, `depth` of (linear layer, ReLU), linear layer, on the embedding of any source.

    Parameters
    ----------
    lr, weight_decay : float
        Learning rate and decoupled weight decay of AdamW.
    hidden, depth : int
        1024 units, and 1, in the paper; as in its code, nothing stands between the first two linear layers.
    select : {"score", "loss"}
        Which epoch is kept, and which model of a search: of the best metric on valid (the first sweep), or of the
        lowest loss (the second).
    fixed_minibatches : bool
        Minibatches are drawn once and come again in every epoch, as the paper's loaders do.
    ties : {"lower-loss", "first"}
        Of select=score: which of several epochs of the best metric is kept. The paper's code keeps the first.
    starts : {"own", "alike"}
        What a model begins from: weights that are drawn for its seed, learning rate and weight decay, as each model of
        the paper's sweeps has its own, or for its seed alone. Minibatches are the seed's in both.
    """

    epochs: int = 25
    lr: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 100
    hidden: int = 1024
    depth: int = 1
    select: Literal["score", "loss"] = "score"
    fixed_minibatches: bool = True
    ties: Literal["lower-loss", "first"] = "lower-loss"
    starts: Literal["own", "alike"] = "own"

    name, version, needs = "picture-mlp", "2", ("pooled",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, 1, "hidden")
        require_least(self, 0, "depth")

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """The layers."""
        width = int(context.source.pooled(split).values.shape[1])
        return linear_layers(width, len(split.classes), self.hidden, self.depth)

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

    def fresh(self, train: Split, context: Context, seed: int) -> tuple[nn.Module, Recipe]:
        """From weights of its own, if wanted."""
        if self.starts == "own":
            text = f"{seed} {self.lr!r} {self.weight_decay!r}"
            seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())
        return super().fresh(train, context, seed)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        """With the selection that was chosen."""
        first = self.select == "score" and self.ties == "first"
        return replace(super().recipe(module, kind), select="first-score" if first else self.select)
