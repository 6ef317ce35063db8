"""Attention over the tokens of a hidden layer of a frozen source, which runs once for each window, ever.

References
----------
Lee et al. (2019), Set transformer, ICML (pooling by multi-head attention); Chen et al. (2024), Context autoencoder for
self-supervised representation learning, IJCV (attentive probing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirbench import AnySplit
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.training.network import NetworkMethod
from mirbench.source import SourceCard

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training import Inputs
    from mirbench.types import Task

__all__ = ["AttentivePooling"]


@dataclass(frozen=True)
class AttentivePooling(NetworkMethod):
    """One learnt query attends to the tokens of a hidden layer of a frozen source, in several heads.

    Parameters
    ----------
    hidden : int
        Width of query, keys and values. AST: 128 make 233,098 values with ten classes.
    heads : int
        By which `hidden` can be divided.
    layer : int or None
        Whose tokens; None is the last.
    """

    lr: float = 1e-3
    hidden: int = 128
    heads: int = 8
    layer: int | None = None

    name, needs = "attentive-pooling", ("layers",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.hidden, self.heads) < 1 or self.hidden % self.heads:
            raise BadInput(f"{self.name}: hidden={self.hidden} must be a multiple of heads={self.heads}")

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        """The attention and its head."""
        from mirbench.methods.token_attention import TokenAttention

        tokens = context.source.layer(split, self._layer(context.source.card)).values
        return TokenAttention(int(tokens.shape[2]), self.hidden, self.heads, len(split.classes))

    def require_usable(self, card: SourceCard | None, task: Task) -> None:
        """A hidden layer that the source has not, too."""
        super().require_usable(card, task)
        assert card is not None
        self._layer(card)

    def stages(self, context: Context) -> tuple[tuple[str, ...], bool]:
        """Tokens of the layer."""
        return (f"layer{self._layer(context.source.card)}",), False

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        """Tokens of the layer."""
        from mirbench.methods.training import Inputs

        return Inputs.of(context.source.layer(split, self._layer(context.source.card)))

    def _layer(self, card: SourceCard) -> int:
        layer = card.n_layers - 1 if self.layer is None else self.layer
        if not 0 <= layer < card.n_layers:
            raise NotApplicable(f"layer={layer}: {card.name} has layers 0 to {card.n_layers - 1}")
        return layer
