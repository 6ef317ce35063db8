"""How pictures get the size that an image network takes: torch's ways, and that of TensorFlow's graphs before 2019."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirbench.errors import BadInput

__all__ = ["RESIZES", "require_resize", "resized"]

RESIZES = ("bilinear", "bicubic", "tf1")
"""Bilinear and bicubic with antialiasing, as PIL; tf1 as ResizeBilinear of TensorFlow 1, which has none."""


def require_resize(name: str) -> str:
    """The name of a way; raises `BadInput` where it is none."""
    if name not in RESIZES:
        raise BadInput(f"resize is '{name}'; {', '.join(RESIZES)} are known")
    return name


def resized(picture: Tensor, size: tuple[int, int], how: str) -> Tensor:
    """(n, channels, height, width) in [0, 1] -> (n, channels, *size); the aspect ratio is not kept."""
    if how == "tf1":
        height, width = (_two_points(n_in, n_out, picture) for n_in, n_out in zip(picture.shape[2:], size, strict=True))
        return height @ picture @ width.T
    made = nn.functional.interpolate(picture, size, mode=how, align_corners=False, antialias=True)
    return made.clamp(0.0, 1.0)  # bicubic weights overshoot


def _two_points(n_in: int, n_out: int, like: Tensor) -> Tensor:
    """(n_out, n_in): each point out is a mean of two neighbours in, and all between them are passed over.

    Corners are not aligned and pixels have no centres: point k out lies at k * n_in / n_out.
    """
    place = torch.arange(n_out, device=like.device, dtype=torch.float64) * (n_in / n_out)
    lower = place.floor().long().clamp(max=n_in - 1)
    upper, share = (lower + 1).clamp(max=n_in - 1), (place - lower).to(like.dtype)
    weights = like.new_zeros(n_out, n_in)
    rows = torch.arange(n_out, device=like.device)
    weights[rows, lower] += 1 - share
    weights[rows, upper] += share
    return weights
