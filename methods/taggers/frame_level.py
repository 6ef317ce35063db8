"""Frame-level network of Dieleman & Schrauwen (2014): what it hears is the waveform, cut into frames, or a spectrogram.

The lecture prints its ten areas under the curve, by the length and the stride of a frame. A convolution as long as a
frame takes the place of the spectrogram; behind either stand the same layers, so that what learning the filters costs
can be read off.

References
----------
Dieleman, Schrauwen (2014), End-to-end learning for music audio, ICASSP; table and figure on the slides of Nam, GCT634.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Literal

import torch
import torchaudio
from torch import Tensor, nn

from mirbench.errors import BadInput
from mirbench.methods.taggers.networks import Architecture, SpectrumTagger, Tagger
from mirbench.methods.training.precision import in_single_precision

__all__ = ["FRAME_LEVEL", "CompressedMel", "frame_level"]

_RATE = 16_000
_SECONDS = 3
_N_BANDS = 128
_WIDTH, _KERNEL, _POOL = 32, 8, 4
_COMPRESSION = 10_000


class CompressedMel(nn.Module):
    """Mel bands of magnitudes, as log(1 + 10,000 x): (n, n_samples) -> (n, 1, 128, n_frames).

    Only whole frames count, as in a convolution of the same length and stride without padding.

    Parameters
    ----------
    length, stride : int
        Of a frame, in samples.
    """

    def __init__(self, length: int, stride: int) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # of short frames the lowest bands are narrower than a bin, and stay empty
            warnings.filterwarnings("ignore", "At least one mel filterbank has all zero values")
            self.mel = torchaudio.transforms.MelSpectrogram(
                _RATE, n_fft=length, hop_length=stride, n_mels=_N_BANDS, power=1.0, center=False
            )

    def forward(self, audio: Tensor) -> Tensor:
        """See the class."""
        return in_single_precision(self._compressed, audio).unsqueeze(1)

    def _compressed(self, audio: Tensor) -> Tensor:
        return torch.log1p(_COMPRESSION * self.mel(audio))


def _block(n_in: int) -> nn.Sequential:
    """32 filters eight frames long at every frame, ReLU, the maximum of four."""
    pad = nn.ConstantPad1d(((_KERNEL - 1) // 2, _KERNEL // 2), 0.0)
    layers = (("pad", pad), ("conv", nn.Conv1d(n_in, _WIDTH, _KERNEL)), ("relu", nn.ReLU()))
    return nn.Sequential(OrderedDict([*layers, ("pool", nn.MaxPool1d(_POOL))]))


def frame_level(
    n_classes: int,
    *,
    hears: Literal["waveform", "spectrogram"] = "waveform",
    length: int = 256,
    stride: int = 256,
    n_filters: int = 32,
) -> Tagger:
    """Frames of a waveform or of a spectrogram, two convolutions over them, two dense layers.

    Parameters
    ----------
    length, stride : int
        Of a frame, in samples.
    n_filters : int
        That learn from the waveform.
    """
    if hears not in ("waveform", "spectrogram"):
        raise BadInput(f"hears {hears!r} of frame-level; waveform or spectrogram is needed")
    n_samples = _SECONDS * _RATE
    n_frames = (n_samples - length) // stride + 1
    n_steps = n_frames // _POOL // _POOL
    head = nn.Sequential(nn.Linear(_WIDTH * n_steps, 100), nn.ReLU(), nn.Linear(100, n_classes))
    if hears == "spectrogram":
        first = nn.Sequential(nn.Flatten(1, 2), _block(_N_BANDS))  # (n, 1, bands, frames) -> (n, bands, frames)
        return SpectrumTagger(CompressedMel(length, stride), [first, _block(_WIDTH)], nn.Flatten(), head)
    frames = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, n_filters, length, stride), nn.ReLU())
    return Tagger([frames, _block(n_filters), _block(_WIDTH)], nn.Flatten(), head)


FRAME_LEVEL = Architecture(
    frame_level, _SECONDS * _RATE, 0,
    "Dieleman, Schrauwen (2014), End-to-end learning for music audio, ICASSP; as quoted by Nam, GCT634",
)  # fmt: skip
