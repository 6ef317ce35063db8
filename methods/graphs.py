"""Trained methods as one torch module each, from the windows of one clip to its probabilities: what can be exported.

A graph has two parts. The front computes what a method reads of its source, and is shared by methods that read the
same; the head is what was learnt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirbench import Context

__all__ = ["Front", "KernelHead", "LinearHead", "NetworkHead"]

_HALF = torch.finfo(torch.float16).max
_SMALL = 1e-38  # the least that single precision holds


class Front(nn.Module):
    """What is read of a source: (n_windows, n_samples) -> a tensor a stage, as the rows are that methods learn from.

    Parameters
    ----------
    stages : tuple of str
        "audio", "entry" (what the body begins from), "pooled", "layerK" or "meanK".
    by_clip : bool
        Whether the mean over the windows is handed on, (1, …).
    """

    def __init__(self, context: Context, stages: tuple[str, ...], by_clip: bool) -> None:
        super().__init__()
        self.network = context.source.network
        self._offers = "frontend" in context.source.card.offers
        self._stages, self._by_clip = stages, by_clip
        self._layers = tuple(sorted({int(m[2]) for s in stages if (m := re.fullmatch(r"(layer|mean)(\d+)", s))}))

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where two compute the same."""
        return id(self.network), self._stages, self._by_clip

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
        out = (held[stage] for stage in self._stages)
        return tuple(value.mean(dim=0, keepdim=True) if self._by_clip else value for value in out)


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


class LinearHead(nn.Module):
    """A logistic regression of the classes, or one of each label; see `mirbench.methods.probes.LinearProbe`."""

    weight: Tensor
    bias: Tensor
    constant: Tensor

    def __init__(self, state: Mapping[str, npt.NDArray[Any]], n_classes: int) -> None:
        super().__init__()
        self._single = "constant" not in state
        self._n_classes = n_classes
        if self._single:
            weight, bias = _folded(state, "")
            if len(weight) == 1:  # two classes have one margin
                weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
            self._columns = [int(k) for k in state["classes"]]
            constant = np.zeros(n_classes)
        else:
            self._columns = sorted(int(name.partition(".")[2]) for name in state if name.startswith("coef."))
            each = [_folded(state, f".{k}") for k in self._columns]
            weight, bias = (np.concatenate(parts) for parts in zip(*each, strict=True))
            constant = state["constant"]
        for name, value in (("weight", weight), ("bias", bias), ("constant", constant)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))

    def forward(self, features: Tensor) -> Tensor:
        """(1, n_features) -> (n_classes,)."""
        margins = nn.functional.linear(features, self.weight, self.bias)[0]
        shares = margins.softmax(dim=0) if self._single else margins.sigmoid()
        return _placed(shares, self._columns, self.constant)


def _folded(state: Mapping[str, npt.NDArray[Any]], label: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Weights and bias of a linear classifier on features that are not standardised."""
    mean, scale, coef, bias = (state[f"{name}{label}"] for name in ("mean", "scale", "coef", "intercept"))
    return coef / scale, bias - (coef / scale) @ mean


class KernelHead(nn.Module):
    """A kernel machine of the classes, one against one; see `mirbench.methods.stored.KernelMachine`."""

    vectors: Tensor
    mean: Tensor
    scale: Tensor
    weights: Tensor
    intercept: Tensor
    constant: Tensor

    def __init__(self, state: Mapping[str, npt.NDArray[Any]], weights: npt.NDArray[Any], n_classes: int) -> None:
        super().__init__()
        self._columns = [int(k) for k in state["classes"]]
        n = len(self._columns)
        self._pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
        self._gamma, self._n_classes = float(state["gamma"]), n_classes
        vectors = (state["features"][state["support"]].astype(np.float64) - state["mean"]) / state["scale"]
        held = {
            "vectors": vectors, "mean": state["mean"], "scale": state["scale"], "weights": weights,
            "intercept": state["intercept"], "constant": np.zeros(n_classes),
        }  # fmt: skip
        for name, value in held.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))

    def forward(self, features: Tensor) -> Tensor:
        """(1, n_features) -> (n_classes,)."""
        distances = (((features - self.mean) / self.scale - self.vectors) ** 2).sum(dim=1)
        margins = self.weights @ torch.exp(-self._gamma * distances) + self.intercept  # (n_pairs,)
        if len(self._columns) == 2:
            shares = torch.stack([-margins[0] / 2, margins[0] / 2]).softmax(dim=0)
        else:
            first, second = (torch.tensor(side) for side in zip(*self._pairs, strict=True))
            one = nn.functional.one_hot(first, len(self._columns)).float()
            other = nn.functional.one_hot(second, len(self._columns)).float()
            won = (margins > 0).float()
            votes, total = won @ one + (1 - won) @ other, margins @ (one - other)
            found = votes + total / (3 * (total.abs() + 1))
            top = nn.functional.one_hot(votes.argmax(), len(self._columns)).bool()
            shares = torch.where(top, found.max(), found).softmax(dim=0)
        return _placed(shares, self._columns, self.constant)


def _placed(shares: Tensor, columns: list[int], others: Tensor) -> Tensor:
    """Shares in their columns, among those of the classes that have no classifier."""
    if columns == list(range(len(others))):
        return shares
    held = list(others)
    for value, column in zip(shares, columns, strict=True):
        held[column] = value
    return torch.stack(held)
