"""Trained probes as torch modules: heads of what `mirbench export model --onnx` writes.

The other part of a graph, and the head of networks, are in `mirbench.methods.training.graph`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["KernelHead", "LinearHead"]


class LinearHead(nn.Module):
    """A logistic regression of the classes, or one of each label, or a ridge regression of each target.

    See `mirbench.methods.probes.LinearProbe`.
    """

    weight: Tensor
    bias: Tensor
    constant: Tensor

    def __init__(self, state: Mapping[str, npt.NDArray[Any]], n_classes: int, kind: str) -> None:
        super().__init__()
        self._single, self._values = kind == "single-label", kind == "regression"
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
        if self._values:
            return _placed(margins.clamp(0.0, 1.0), self._columns, self.constant)
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
