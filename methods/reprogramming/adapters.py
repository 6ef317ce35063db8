"""The small trainable networks of neural model reprogramming, and the label mapping behind them.

References
----------
Hung, Yang, Chen, Lerch (2022), Low-resource music genre classification with cross-modal neural model reprogramming,
arXiv:2211.01317. Yang, Tsai, Chen (2021), Voice2Series: reprogramming acoustic models for time series classification.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy.typing as npt
import torch
from torch import Tensor, nn

from mirbench.methods.training.precision import in_single_precision

__all__ = [
    "InputNoise",
    "LabelMapping",
    "PictureTransform",
    "Reprogrammed",
    "SkipTransform",
    "SourceHead",
    "Standardise",
    "fresh_head",
    "new_head",
]


class Standardise(nn.Module):
    """Features less the mean of train, over their scale there; kept as buffers."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def learn(self, features: npt.NDArray[Any]) -> None:
        """Take mean and scale from the features of train, (n, width); what does not vary keeps its scale."""
        scale = features.std(axis=0)
        scale[scale == 0] = 1.0
        self.mean.copy_(torch.as_tensor(features.mean(axis=0)))
        self.scale.copy_(torch.as_tensor(scale))

    def forward(self, features: Tensor) -> Tensor:
        """(n, …, width) -> (n, …, width)."""
        return (features - self.mean) / self.scale


class InputNoise(nn.Module):
    """II-NMR: one waveform, learnt, added to every window."""

    def __init__(self, n_samples: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, n_samples)))

    def forward(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, n_samples)."""
        return audio + self.theta


class _Convolutions(nn.Sequential):
    """Three of [convolution over time, ReLU, batch norm], then a convolution."""

    def __init__(self, n_in: int, channels: int, stride: int) -> None:
        padding = 1 if stride == 1 else 0
        super().__init__(
            nn.Conv1d(n_in, channels, 3, padding=1), nn.ReLU(), nn.BatchNorm1d(channels),
            nn.Conv1d(channels, channels, 3, stride, padding), nn.ReLU(), nn.BatchNorm1d(channels),
            nn.Conv1d(channels, channels, 3, stride, padding), nn.ReLU(), nn.BatchNorm1d(channels),
            nn.Conv1d(channels, channels, 3, stride, padding),
        )  # fmt: skip


class PictureTransform(nn.Module):
    """ID-NMR: a picture in place of the picture, by a CNN over time with the bands as channels."""

    def __init__(self, n_bands: int, channels: int) -> None:
        super().__init__()
        self.convolutions = _Convolutions(n_bands, channels, stride=1)
        self.linear = nn.Linear(channels, n_bands)

    def forward(self, picture: Tensor) -> Tensor:
        """(n, 1, n_bands, n_frames) -> (n, 1, n_bands, n_frames)."""
        x = self.convolutions(picture.squeeze(1))  # (n, channels, n_frames)
        return self.linear(x.transpose(1, 2)).transpose(1, 2).unsqueeze(1)


class SkipTransform(nn.Module):
    """IDS-NMR: a hidden layer of the body, by a CNN over its tokens, moves the embedding before the head.

    Parameters
    ----------
    stride : int
        Of the second to fourth convolution: 1 for AST, 3 for SpeechATT.
    injection : {"scale-shift", "add"}
        ``p * g + b`` (the printed count needs it) or ``p + b`` (the paper's words).
    one_plus : bool
        ``p * (1 + g) + b``, as in the authors' lines for SpeechATT.
    """

    def __init__(
        self,
        width: int,
        channels: int,
        n_features: int,
        *,
        stride: int = 1,
        injection: Literal["scale-shift", "add"] = "scale-shift",
        one_plus: bool = False,
    ) -> None:
        super().__init__()
        self.injection, self.one_plus = injection, one_plus
        self.convolutions = _Convolutions(width, channels, stride)
        self.linear = nn.Linear(channels, 2 * n_features if injection == "scale-shift" else n_features)

    def forward(self, tokens: Tensor, pooled: Tensor) -> Tensor:
        """(n, n_tokens, width), (n, n_features) -> (n, n_features)."""
        x = self.convolutions(tokens.transpose(1, 2)).mean(dim=2)  # (n, channels)
        moved = self.linear(x)
        if self.injection == "add":
            return pooled + moved
        gain, shift = moved.chunk(2, dim=1)
        return pooled * (1 + gain if self.one_plus else gain) + shift


class LabelMapping(nn.Module):
    """Many source classes to one target class: target k owns sources k n … k n + n - 1; nothing is learnt.

    Parameters
    ----------
    n_classes : int
        Target classes.
    per_class : int
        Sources of each, n.
    rule : {"mean-prob", "sum-logit"}
        "mean-prob" (paper) averages the source's probabilities; "sum-logit" (authors' code) adds its logits.
    activation : {"sigmoid", "softmax"}
        What makes the source's probabilities.
    """

    def __init__(self, n_classes: int, per_class: int, rule: str, activation: str) -> None:
        super().__init__()
        self.n_classes, self.per_class, self.rule, self.activation = n_classes, per_class, rule, activation

    def forward(self, logits: Tensor) -> Tensor:
        """(n, n_outputs) -> (n, n_classes) logits; their sigmoid is the mapped probability."""
        used = self.n_classes * self.per_class
        if self.rule == "sum-logit":
            return logits[:, :used].unflatten(1, (self.n_classes, self.per_class)).sum(dim=2)
        # log-odds of the mean probability, in logarithms: a sigmoid of 1e-9 must keep its gradient
        log_n = math.log(self.per_class)
        if self.activation == "sigmoid":
            groups = logits[:, :used].unflatten(1, (self.n_classes, self.per_class))
            yes = nn.functional.logsigmoid(groups).logsumexp(dim=2)
            no = nn.functional.logsigmoid(-groups).logsumexp(dim=2)
            return yes - no
        groups = logits.log_softmax(dim=1)[:, :used].unflatten(1, (self.n_classes, self.per_class))
        yes = (groups.logsumexp(dim=2) - log_n).clamp(max=-1e-6)
        return yes - torch.log(-torch.expm1(yes))


def new_head(n_features: int, n_outputs: int) -> nn.Module:
    """Layer norm and linear layer, AST's own form of a classifier, at random weights."""
    return nn.Sequential(nn.LayerNorm(n_features), nn.Linear(n_features, n_outputs))


def fresh_head(n_features: int, n_outputs: int) -> nn.Module:
    """The same, frozen: what hung2022's released code puts before the mapping."""
    return new_head(n_features, n_outputs).requires_grad_(False)


class SourceHead(nn.Module):
    """The head of a source, frozen and shared: it stays out of the state."""

    def __init__(self, source: Any) -> None:
        super().__init__()
        # in a list, so that torch does not take the shared network for a part of this one
        self._frozen = [source]

    def forward(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> (n, n_outputs) logits."""
        logits: Tensor = self._frozen[0].head(pooled)
        return logits


class Reprogrammed(nn.Module):
    """A trainable adapter, the frozen body of a source, and what makes logits of its embedding.

    Parameters
    ----------
    adapter : Module
        What comes before the source.
    source : network
        Frozen and shared; it stays in eval mode and out of the state.
    entry : {"frontend", "body", "head"}
        The first stage of the source behind the adapter.
    output : Module
        (n, n_features) -> (n, n_classes) logits.
    """

    def __init__(self, adapter: nn.Module, source: Any, entry: str, output: nn.Module) -> None:
        super().__init__()
        self.adapter, self.output = adapter, output
        self._frozen = [source]  # as in SourceHead
        self.entry = entry

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the adapter takes -> (n, n_classes) logits."""
        (source,) = self._frozen
        x = self.adapter(*inputs)
        if self.entry == "frontend" and hasattr(source, "frontend"):
            x = in_single_precision(source.frontend, x)
        if self.entry != "head":
            x = source.body(x).pooled
        logits: Tensor = self.output(x)
        return logits
