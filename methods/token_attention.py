"""The network of `mirbench.methods.attentive_pooling`: learnt attention over the tokens of a hidden layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirbench.methods.reprogramming.adapters import new_head

__all__ = ["TokenAttention"]


class TokenAttention(nn.Module):
    """A learnt query that attends to tokens in several heads, then a layer norm and a linear layer.

    Parameters
    ----------
    width : int
        Of the tokens.
    hidden : int
        Of query, keys and values.
    heads : int
        By which `hidden` can be divided.
    """

    def __init__(self, width: int, hidden: int, heads: int, n_classes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query = nn.Parameter(torch.randn(1, 1, hidden) * 0.02)
        self.attention = nn.MultiheadAttention(hidden, heads, kdim=width, vdim=width, batch_first=True)
        self.head = new_head(hidden, n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, n_tokens, width) -> (n, n_classes) logits."""
        heard = self.norm(tokens)
        query = self.query.repeat(
            len(tokens), 1, 1
        )  # not expand: torch cannot count operations of a view of a parameter
        attended, _ = self.attention(query, heard, heard, need_weights=False)
        logits: Tensor = self.head(attended[:, 0])
        return logits
