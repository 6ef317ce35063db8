"""Layers of music taggers: front ends, harmonic filters, convolution blocks, pooling over time.

References
----------
Won, Ferraro, Bogdanov, Serra (2020), Evaluation of CNN-based automatic music tagging models, SMC; code:
minzwon/sota-music-tagging-models. Won, Chun, Nieto, Serra (2020), Data-driven harmonic filters for audio
representation learning, ICASSP.
"""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torchaudio
from torch import Tensor, nn

from mirbench.methods.training.precision import in_single_precision

__all__ = [
    "AttentionPool", "GatedBlock", "GlobalPool", "HarmonicFilters", "LastStep", "LogMel", "ParallelFilters",
    "PooledResidual", "Spectrum", "StridedResidual", "conv1d_block", "conv2d_block", "dense_head", "harmonic_centres",
]  # fmt: skip

Size = int | tuple[int, int]

_LOWEST_NOTE = 24  # C1 in MIDI
_ALPHA, _BETA = 0.1079, 24.7  # Hz: width of an auditory filter over its centre, at 0 Hz


class LogMel(nn.Module):
    """Mel spectrogram in dB behind a batch norm of one channel: (n, n_samples) -> (n, 1, n_bands, n_frames).

    Parameters
    ----------
    n_bands, sample_rate : int
        HTK mel bands from 0 Hz to half the rate (in Hz), of a power spectrum of 512 points every 256.
    affine : bool
        Whether the batch norm has its two learnt parameters, as in Won et al.'s code.
    """

    def __init__(self, n_bands: int, sample_rate: int = 16_000, affine: bool = True) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # of 128 bands the lowest are narrower than a bin and some stay empty: so it is in the benchmark
            warnings.filterwarnings("ignore", "At least one mel filterbank has all zero values")
            self.mel = torchaudio.transforms.MelSpectrogram(
                sample_rate, n_fft=512, hop_length=256, f_min=0.0, f_max=sample_rate / 2, n_mels=n_bands
            )
        self.decibels = torchaudio.transforms.AmplitudeToDB()
        self.norm = nn.BatchNorm2d(1, affine=affine)

    def forward(self, audio: Tensor) -> Tensor:
        """See the class."""
        picture: Tensor = self.norm(in_single_precision(self._log_mel, audio).unsqueeze(1))
        return picture

    def _log_mel(self, audio: Tensor) -> Tensor:
        picture: Tensor = self.decibels(self.mel(audio))
        return picture


class Spectrum(nn.Module):
    """|STFT| ** power with half-overlapping Hann windows: (n, n_samples) -> (n, 1, n_fft / 2 + 1, n_frames)."""

    def __init__(self, n_fft: int, power: float) -> None:
        super().__init__()
        self.spectrum = torchaudio.transforms.Spectrogram(n_fft, hop_length=n_fft // 2, power=power)

    def forward(self, audio: Tensor) -> Tensor:
        """See the class."""
        picture: Tensor = self.spectrum(audio).unsqueeze(1)
        return picture


def harmonic_centres(n_harmonics: int, sample_rate: int = 16_000) -> Tensor:
    """Centres in Hz of the filters of every harmonic, shape (n_harmonics, n_bands), two bands a semitone from C1 on.

    The last band lies below the note nearest to the frequency whose highest harmonic is at half the sample rate.
    """
    top_hz = sample_rate / (2 * n_harmonics)
    top_note = round(12 * math.log2(top_hz / 440.0) + 69)
    notes = torch.arange(_LOWEST_NOTE, top_note, 0.5, dtype=torch.float64)
    fundamental = 440.0 * 2.0 ** ((notes - 69.0) / 12.0)
    return torch.outer(torch.arange(1, n_harmonics + 1, dtype=torch.float64), fundamental).float()


class HarmonicFilters(nn.Module):
    """Triangular filters at multiples of notes, one learnt width for all, in dB.

    (n, 1, n_bins, n_frames) -> (n, n_harmonics, n_bands, n_frames). A filter at f Hz is (0.1079 f + 24.7) / Q wide.
    """

    centres: Tensor

    def __init__(self, n_harmonics: int, sample_rate: int = 16_000) -> None:
        super().__init__()
        self.top_hz = sample_rate / 2
        self.register_buffer("centres", harmonic_centres(n_harmonics, sample_rate), persistent=False)
        self.q = nn.Parameter(torch.ones(1))
        self.decibels = torchaudio.transforms.AmplitudeToDB()

    def filters(self, n_bins: int) -> Tensor:
        """Weights of the bins of a spectrum, shape (n_harmonics, n_bands, n_bins), in [0, 1]."""
        bins = torch.linspace(0.0, self.top_hz, n_bins, device=self.q.device)
        centres = self.centres.unsqueeze(2)
        width = (_ALPHA * centres + _BETA) / self.q
        return torch.relu(1.0 - 2.0 * (bins - centres).abs() / width)

    def forward(self, spectrum: Tensor) -> Tensor:
        """See the class."""
        return in_single_precision(self._heard, spectrum)

    def _heard(self, spectrum: Tensor) -> Tensor:
        heard: Tensor = self.decibels(self.filters(spectrum.shape[2]) @ spectrum)
        return heard


def conv2d_block(n_in: int, n_out: int, pool: Size, batch_norm: bool = True) -> nn.Sequential:
    """Convolution 3×3, batch norm, ReLU, max pooling."""
    norm = nn.BatchNorm2d(n_out) if batch_norm else nn.Identity()
    layers = (("conv", nn.Conv2d(n_in, n_out, 3, padding=1)), ("norm", norm), ("relu", nn.ReLU()))
    return nn.Sequential(OrderedDict([*layers, ("pool", nn.MaxPool2d(pool))]))


def conv1d_block(n_in: int, n_out: int, kernel: int = 3, stride: int = 1, pool: int = 1) -> nn.Sequential:
    """Convolution in time, batch norm, ReLU, max pooling."""
    conv = nn.Conv1d(n_in, n_out, kernel, stride, padding=kernel // 2)
    layers = (("conv", conv), ("norm", nn.BatchNorm1d(n_out)), ("relu", nn.ReLU()))
    return nn.Sequential(OrderedDict([*layers, ("pool", nn.MaxPool1d(pool))]))


def dense_head(n_features: int, n_hidden: int, n_classes: int) -> nn.Sequential:
    """Linear, batch norm, ReLU, dropout, Linear: (n, n_features) -> (n, n_classes) logits."""
    return nn.Sequential(
        nn.Linear(n_features, n_hidden), nn.BatchNorm1d(n_hidden), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(n_hidden, n_classes),
    )  # fmt: skip


def _double2d(n_in: int, n_out: int, stride: Size = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, stride, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(),
        nn.Conv2d(n_out, n_out, 3, padding=1), nn.BatchNorm2d(n_out),
    )  # fmt: skip


class StridedResidual(nn.Module):
    """Two convolutions, the first with a stride, beside one: Res_2d of Won et al.'s code."""

    def __init__(self, n_in: int, n_out: int, stride: Size) -> None:
        super().__init__()
        self.convolutions = _double2d(n_in, n_out, stride)
        self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride, padding=1), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, bands, frames) -> (n, n_out, bands / stride, frames / stride), rounded up."""
        return torch.relu(self.shortcut(x) + self.convolutions(x))


class PooledResidual(nn.Module):
    """Two convolutions beside the identity, then max pooling: Res_2d_mp of Won et al.'s code.

    Parameters
    ----------
    n_in : int or None
        Channels of the input where they are others; one convolution then takes the place of the identity.
    """

    def __init__(self, n_channels: int, pool: Size, n_in: int | None = None) -> None:
        super().__init__()
        self.convolutions = _double2d(n_in or n_channels, n_channels)
        self.shortcut: nn.Module = nn.Identity()
        if n_in:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_channels, 3, padding=1), nn.BatchNorm2d(n_channels))
        self.pool = nn.MaxPool2d(pool)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, bands, frames) -> (n, channels, bands / pool, frames / pool), rounded down."""
        pooled: Tensor = self.pool(torch.relu(self.shortcut(x) + self.convolutions(x)))
        return pooled


class GatedBlock(nn.Module):
    """Two 1-D convolutions under squeeze and excitation without reduction, beside a shortcut, then max pooling."""

    def __init__(self, n_in: int, n_out: int, kernel: int = 3, stride: int = 1, pool: int = 1) -> None:
        super().__init__()
        half = kernel // 2
        self.convolutions = nn.Sequential(
            nn.Conv1d(n_in, n_out, kernel, stride, padding=half), nn.BatchNorm1d(n_out), nn.ReLU(),
            nn.Conv1d(n_out, n_out, kernel, padding=half), nn.BatchNorm1d(n_out),
        )  # fmt: skip
        self.gate = nn.Sequential(nn.Linear(n_out, n_out), nn.ReLU(), nn.Linear(n_out, n_out), nn.Sigmoid())
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv1d(n_in, n_out, kernel, stride, padding=half), nn.BatchNorm1d(n_out)
            )  # fmt: skip
        self.pool = nn.MaxPool1d(pool)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, steps) -> (n, n_out, steps / stride / pool)."""
        heard = self.convolutions(x)
        heard = heard * self.gate(heard.mean(dim=2)).unsqueeze(2)
        pooled: Tensor = self.pool(torch.relu(self.shortcut(x) + heard))
        return pooled


class ParallelFilters(nn.Module):
    """Musicnn's first layer: tall filters for timbre, long ones for rhythm; (n, 1, n_bands, t) -> (n, 561, t).

    Tall ones are 0.7 and 0.4 of the bands high and 7 frames long, and their maximum over bands is taken; long ones
    (129, 65, 33 frames) see the mean of the bands.

    Parameters
    ----------
    n_bands : int
    shapes : {"both", "frequency", "time"}
        Which filters there are: all, the tall ones (408 channels come out), or the long ones (153).
    """

    def __init__(self, n_bands: int, shapes: str = "both") -> None:
        super().__init__()
        heights = (int(0.7 * n_bands), int(0.4 * n_bands)) if shapes != "time" else ()
        lengths = (129, 65, 33) if shapes != "frequency" else ()
        self.tall = nn.ModuleList(_filters2d(204, (height, 7)) for height in heights)
        self.long = nn.ModuleList(conv1d_block(1, 51, length) for length in lengths)
        self.n_channels = 204 * len(heights) + 51 * len(lengths)

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        timbre = [branch(picture).amax(dim=2) for branch in self.tall]
        envelope = picture.mean(dim=2)
        return torch.cat([*timbre, *(branch(envelope) for branch in self.long)], dim=1)


def _filters2d(n_out: int, shape: tuple[int, int]) -> nn.Sequential:
    conv = nn.Conv2d(1, n_out, shape, padding=(0, shape[1] // 2))
    return nn.Sequential(OrderedDict([("conv", conv), ("norm", nn.BatchNorm2d(n_out)), ("relu", nn.ReLU())]))


class GlobalPool(nn.Module):
    """Statistics over time, side by side: (n, channels, steps) -> (n, channels * statistics).

    Parameters
    ----------
    statistics : sequence of {"max", "mean", "l2"}
        In the order in which they are joined.
    """

    def __init__(self, statistics: Sequence[str]) -> None:
        super().__init__()
        self.statistics = tuple(statistics)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        of = {
            "max": lambda: x.amax(dim=2),
            "mean": lambda: x.mean(dim=2),
            "l2": lambda: torch.linalg.vector_norm(x, dim=2),
        }
        return torch.cat([of[name]() for name in self.statistics], dim=1)


class LastStep(nn.Module):
    """What a two-layer GRU holds at the last frame: (n, channels, 1, frames) -> (n, n_hidden)."""

    def __init__(self, n_channels: int, n_hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(n_channels, n_hidden, num_layers=2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        # cuDNN refuses the backward pass of an RNN in eval mode, which reprogramming needs
        with torch.backends.cudnn.flags(enabled=self.training or not torch.is_grad_enabled()):
            heard, _ = self.gru(x.flatten(1, 2).transpose(1, 2))
        last: Tensor = heard[:, -1]
        return last


class AttentionPool(nn.Module):
    """Two layers of BERT over the frames and a fixed class token: (n, width, 1, frames) -> (n, width).

    No positions are encoded. What attends is the token's output, through a linear layer and tanh.
    """

    token: Tensor

    def __init__(self, width: int, n_heads: int = 8, n_layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_bert_layer(width, n_heads) for _ in range(n_layers))
        self.pooler = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.register_buffer("token", torch.rand(1, 1, width, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        frames = x.flatten(1, 2).transpose(1, 2)
        heard = torch.cat([self.token.expand(len(frames), -1, -1), frames], dim=1)
        for layer in self.layers:
            heard = layer(heard)
        pooled: Tensor = self.pooler(heard[:, 0])
        return pooled


def _bert_layer(width: int, n_heads: int) -> nn.TransformerEncoderLayer:
    """A layer of BERT with hidden dropout 0.4 and attention dropout 0.5, and none inside the feed-forward part."""
    layer = nn.TransformerEncoderLayer(
        width, n_heads, 4 * width, dropout=0.4, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    layer.self_attn.dropout = 0.5
    layer.dropout = nn.Dropout(0.0)
    return layer
