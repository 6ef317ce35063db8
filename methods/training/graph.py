"""A trained method as one torch module, from the windows of one clip to its probabilities: what can be exported.

A graph has two parts. The front computes what a method reads of its source, and is shared by methods that read the
same; the head is what was learnt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mirbench.source import deviations

if TYPE_CHECKING:
    from mirbench import Context

__all__ = ["Front", "NetworkHead"]

_HALF = torch.finfo(torch.float16).max
_SMALL = 1e-38  # the least that single precision holds


class Front(nn.Module):
    """What is read of a source: (n_windows, n_samples) -> a tensor a stage, as the rows are that methods learn from.

    Parameters
    ----------
    stages : tuple of str
        "audio", "entry" (what the body begins from), "pooled", "layerK", "meanK" or "sdK".
    by_clip : bool
        Whether the mean over the windows is handed on, (1, …).
    joined : bool
        Whether the stages are handed on as one tensor, side by side.
    """

    def __init__(self, context: Context, stages: tuple[str, ...], by_clip: bool, joined: bool = False) -> None:
        super().__init__()
        self.network = context.source.network
        self._offers = "frontend" in context.source.card.offers
        self._stages, self._by_clip, self._joined = stages, by_clip, joined and len(stages) > 1
        self._layers = tuple(sorted({int(m[2]) for s in stages if (m := re.fullmatch(r"(layer|mean|sd)(\d+)", s))}))

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where two compute the same."""
        return id(self.network), self._stages, self._by_clip, self._joined

    def forward(self, windows: Tensor) -> tuple[Tensor, ...]:
        """Each stage, in the order asked for."""
        held = {"audio": windows}
        if self._stages != ("audio",):
            held["entry"] = self.network.frontend(windows) if self._offers else windows
        if self._layers or "pooled" in self._stages:
            found = self.network.body(held["entry"], layers=self._layers)
            held["pooled"] = found.pooled
            for k in self._layers:
                # layers are kept in half precision
                held[f"layer{k}"] = found.layers[k].clamp(-_HALF, _HALF).half().float()
                held[f"mean{k}"] = found.layers[k].mean(dim=1)
                held[f"sd{k}"] = deviations(found.layers[k])
        out = (held[stage] for stage in self._stages)
        handed = tuple(value.mean(dim=0, keepdim=True) if self._by_clip else value for value in out)
        return (torch.cat(handed, dim=1),) if self._joined else handed


class NetworkHead(nn.Module):
    """A trained module, and the mean over the windows of a clip; see `mirbench.methods.training.clip_scores`."""

    def __init__(self, module: nn.Module, kind: str, average: str, independent: bool) -> None:
        super().__init__()
        self.module = module
        self._single, self._logits, self._independent = kind == "single-label", average == "logit", independent

    def forward(self, *read: Tensor) -> Tensor:
        """What was read -> (n_classes,)."""
        logits = self.module(*read)
        if self._logits:
            return self._squashed(logits.mean(dim=0))
        if self._independent and self._single:
            yes, no = (value.sigmoid().mean(dim=0).clamp(min=_SMALL).log() for value in (logits, -logits))
            return (yes - no).softmax(dim=-1)
        return self._squashed(logits).mean(dim=0)

    def _squashed(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=-1) if self._single else logits.sigmoid()
