"""Where the sound of a window ends: a clip that does not fill its window is followed by zeros."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["sounding", "sounding_samples"]

_LEAST_SECONDS = 0.1


def sounding_samples(audio: Tensor, sample_rate: int) -> list[int]:
    """Samples of each window of (n, n_samples) up to its last that is not 0; all of a silent one; a tenth of a second
    at least."""
    n_samples = audio.shape[1]
    places = torch.arange(1, n_samples + 1, device=audio.device)
    last = torch.where(audio.detach() != 0, places, 0).amax(dim=1).tolist()
    least = min(n_samples, round(_LEAST_SECONDS * sample_rate))
    return [max(found, least) if found else n_samples for found in last]


def sounding(audio: Tensor, sample_rate: int) -> list[Tensor]:
    """The windows of (n, n_samples), each up to there."""
    lengths = sounding_samples(audio, sample_rate)
    return [window[:length] for window, length in zip(audio.unbind(0), lengths, strict=True)]
