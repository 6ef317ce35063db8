"""Local networks of Lee & Nam (2017): each hears a short segment, and all of their layers are what a song is told by.

References
----------
Lee, Nam (2017), Multi-level and multi-scale feature aggregation using pretrained convolutional neural networks for
music auto-tagging, IEEE Signal Processing Letters 24(8), arXiv:1703.01793; on the slides of Nam, GCT634.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torchaudio
from torch import Tensor, nn

from mirbench.methods.taggers.layers import conv1d_block
from mirbench.methods.taggers.networks import Architecture, SpectrumTagger
from mirbench.methods.training.batch import Batch
from mirbench.methods.training.precision import in_single_precision
from mirbench.methods.training.recipe import masked_bce

__all__ = ["LOCAL_CNN", "SCALES", "LocalCnn", "SongClassifier", "local_cnn", "pools_of", "segment_bce"]

SCALES = (18, 27, 54, 108, 216)
"""Frames that a network hears: 0.4 to 5 s."""

_RATE, _N_FFT, _HOP, _N_BANDS = 22_050, 1024, 512, 128
_LONGEST = max(SCALES)
_WIDTHS = (128, 128, 256, 256, 256, 256)
_LAST = 512


class _LogCompressedMel(nn.Module):
    """128 mel bands of power as log(1 + 10 x), of whole frames alone: (n, n_samples) -> (n, 1, 128, n_frames)."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            _RATE, n_fft=_N_FFT, hop_length=_HOP, n_mels=_N_BANDS, center=False
        )

    def forward(self, audio: Tensor) -> Tensor:
        """See the class."""
        return in_single_precision(self._compressed, audio).unsqueeze(1)

    def _compressed(self, audio: Tensor) -> Tensor:
        return torch.log1p(10 * self.mel(audio))


def pools_of(n_frames: int) -> tuple[int, ...]:
    """Maxima that leave one frame of so many: over three as often as that divides it, then over two."""
    pools: list[int] = []
    for size in (3, 2):
        while n_frames % size == 0:
            pools.append(size)
            n_frames //= size
    if n_frames != 1:
        raise ValueError("the frames of a local network must be a product of twos and threes")
    return tuple(pools)


class LocalCnn(SpectrumTagger):
    """Convolutions over the frames of a segment until one is left; a window is heard as the segments that it holds.

    Parameters
    ----------
    n_frames : int
        Of a segment, one of `SCALES`.

    Notes
    -----
    In training each segment has a row of logits; otherwise a window has the log-odds of the mean of their sigmoids.
    """

    def __init__(self, n_frames: int, n_classes: int) -> None:
        pools = pools_of(n_frames)
        widths = (_N_BANDS, *_WIDTHS[: len(pools)])
        blocks = [conv1d_block(a, b, pool=p) for (a, b), p in zip(pairwise(widths), pools, strict=True)]
        blocks.append(conv1d_block(widths[-1], _LAST, kernel=1))
        head = nn.Sequential(nn.Dropout(0.5), nn.Linear(_LAST, n_classes))
        super().__init__(_LogCompressedMel(), blocks, nn.Flatten(), head)
        self.n_frames = n_frames

    def segments(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n * n_segments, 128, n_frames), those of one window together."""
        picture = self.frontend(audio)[:, 0]
        cut = picture.unflatten(2, (-1, self.n_frames)).transpose(1, 2)
        return cut.flatten(0, 1)

    def forward(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n * n_segments, n_classes) logits in training, else (n, n_classes)."""
        logits = self.head(self.body(self.segments(audio)).pooled)
        if self.training:
            return logits
        likely = logits.float().sigmoid().unflatten(0, (len(audio), -1)).mean(dim=1)
        return likely.clamp(1e-7, 1 - 1e-7).logit()

    @torch.no_grad()
    def levels(self, audio: Tensor, n_levels: int) -> Tensor:
        """(n, n_samples) -> (n, n_features): maxima over time of the last layers, averaged over the segments."""
        layers = range(max(0, len(self.blocks) - n_levels), len(self.blocks))
        held = self.body(self.segments(audio), tuple(layers)).layers
        features = torch.cat([held[k].amax(dim=1) for k in layers], dim=1)
        return features.unflatten(0, (len(audio), -1)).mean(dim=1)


def local_cnn(n_classes: int, *, n_frames: int) -> LocalCnn:
    """The network of a scale."""
    return LocalCnn(n_frames, n_classes)


def segment_bce(logits: Tensor, batch: Batch) -> Tensor:
    """Binary cross entropy where each window has a row of logits, or each of its segments has the window's targets."""
    count = len(logits) // len(batch.target)
    target, known = (x.repeat_interleave(count, dim=0) for x in (batch.target, batch.known))
    return masked_bce(logits, Batch((), target, known))


class SongClassifier(nn.Module):
    """Standardised features of a clip through two hidden layers: (n, n_features) -> (n, n_classes) logits."""

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_classes: int, n_hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        sizes = (n_features, n_hidden, n_hidden)
        hidden = [
            layer
            for a, b in pairwise(sizes)
            for layer in (nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(), nn.Dropout(0.5))
        ]
        self.layers = nn.Sequential(*hidden, nn.Linear(n_hidden, n_classes))

    def standardise(self, features: Tensor) -> None:
        """Take mean and spread of each feature, of train."""
        self.mean.copy_(features.mean(dim=0))
        spread = features.std(dim=0, unbiased=False)
        self.scale.copy_(torch.where(spread > 1e-6, spread, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        return cast(Tensor, self.layers((features - self.mean) / self.scale))


LOCAL_CNN = Architecture(
    local_cnn, _N_FFT + (_LONGEST - 1) * _HOP, _N_BANDS,
    "Lee, Nam (2017), Multi-level and multi-scale feature aggregation using pretrained convolutional neural networks "
    "for music auto-tagging, IEEE Signal Processing Letters 24(8)",
    _RATE,
)  # fmt: skip
