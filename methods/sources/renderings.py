"""Spectrograms as pictures: the front ends of image networks.

`Mel` is the picture that most people draw; `Asperes` is shtern2017's, on a logarithmic frequency axis. All are
differentiable to the audio, treat every window by itself, and give pictures (n, 1, n_bands, n_frames) in [0, 1], band 0
the lowest. An `ImageNetwork` turns them over, so that the lowest is at the bottom.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torchaudio
from torch import Tensor, nn

from mirbench.errors import BadInput

__all__ = ["RENDERINGS", "Asperes", "Asperes8Bit", "Mel", "Rendering", "of_options", "rendering"]

_SILENCE = 1e-20  # added to power: the gradient of a square root at an exact zero is not defined
_DARK = 1e-7  # of full scale, 0.1 grey levels after gamma2: the same for the second square root


class Rendering(nn.Module):
    """Audio to picture: magnitudes in bands, and how bright each is drawn.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    image_scale : {"absolute", "per-image"}
        What is drawn white: a full-scale sine, or the loudest point of each picture.
    intensity : {"auto", "linear", "gamma2", "db"}
        Brightness of a magnitude: itself, its square root, or its level within `range_db`; "auto" takes the
        rendering's own.

    Raises
    ------
    BadInput
        If an option is none of these.
    """

    own_intensity: str
    range_db: float

    def __init__(self, sample_rate: int, image_scale: str = "absolute", intensity: str = "auto") -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.image_scale = _chosen("image_scale", image_scale, ("absolute", "per-image"))
        wanted = _chosen("intensity", intensity, ("auto", "linear", "gamma2", "db"))
        self.intensity = self.own_intensity if wanted == "auto" else wanted

    def magnitudes(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, n_bands, n_frames); 1 is a full-scale sine."""
        raise NotImplementedError

    def forward(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames) in [0, 1]."""
        magnitude = self.magnitudes(audio)
        if self.image_scale == "per-image":
            magnitude = magnitude / magnitude.amax(dim=(1, 2), keepdim=True).clamp_min(_DARK)
        if self.intensity == "gamma2":
            magnitude = (magnitude + _DARK).sqrt() - math.sqrt(_DARK)
        elif self.intensity == "db":
            floor = 10.0 ** (-self.range_db / 20)
            magnitude = 1.0 + magnitude.clamp_min(floor).log10() * (20 / self.range_db)
        return magnitude.clamp(0.0, 1.0).unsqueeze(1)


class Mel(Rendering):
    """The log-mel picture of librosa's defaults: 128 Slaney bands up to 11,025 Hz, the upper 80 dB.

    Windows and hops last as long as 2048 and 512 samples do at 22,050 Hz. With ``image_scale="per-image"`` and
    decibels it is ``power_to_db(melspectrogram(…), ref=max)``; the reference of an absolute picture is a full-scale
    sine in the band where that is strongest, so that loudness shows.
    """

    own_intensity, range_db = "db", 80.0
    mel: Tensor
    window: Tensor

    def __init__(self, sample_rate: int, image_scale: str = "absolute", intensity: str = "auto") -> None:
        super().__init__(sample_rate, image_scale, intensity)
        self.n_fft = round(sample_rate * 2048 / 22_050)
        self.hop = self.n_fft // 4
        top = min(11_025.0, sample_rate / 2)
        mel = torchaudio.functional.melscale_fbanks(
            self.n_fft // 2 + 1, 0.0, top, 128, sample_rate, norm="slaney", mel_scale="slaney"
        )
        window = torch.hann_window(self.n_fft)
        # a full-scale sine is sum(window) / 2 high in its bin of the spectrum, and half of that in both neighbours
        strongest = (mel[1:-1] + 0.25 * (mel[:-2] + mel[2:])).max() * (window.sum() / 2).square()
        self.register_buffer("mel", (mel / strongest).T.contiguous(), persistent=False)
        self.register_buffer("window", window, persistent=False)

    def magnitudes(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 128, n_frames)."""
        spectrum = torch.stft(
            audio, self.n_fft, self.hop, window=self.window, center=True, pad_mode="constant", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return _root(self.mel @ power)


class Asperes(Rendering):
    """The picture of the program asperes: 121 bands, 12 an octave from 20 Hz, 100 pixels a second.

    Each band is cut out of the spectrum of the whole window by a Hann weighting on the logarithmic frequency axis that
    spans one band either side of its centre; the magnitude of its analytic signal is smoothed by a Blackman window,
    one pixel either side. What lies outside the window counts as silence. A band whose frequencies are all above half
    the sample rate is black.

    Notes
    -----
    The program itself divides every picture by its maximum (``image_scale="per-image"``), which hides gain;
    shtern2017 compares gains, so "absolute" is the default.
    """

    own_intensity, range_db = "gamma2", 96.0
    n_bands, lowest, bands_per_octave, pixels_per_second = 121, 20.0, 12, 100

    def __init__(self, sample_rate: int, image_scale: str = "absolute", intensity: str = "auto") -> None:
        super().__init__(sample_rate, image_scale, intensity)
        if sample_rate % self.pixels_per_second:
            raise BadInput(f"asperes draws {self.pixels_per_second} pixels a second; {sample_rate} Hz does not divide")

    def magnitudes(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 121, n_frames)."""
        pixel = self.sample_rate // self.pixels_per_second
        n_pixels = -(-audio.shape[1] // pixel)
        n_padded = n_pixels + self.pixels_per_second  # a second of silence: the end must not ring into the start
        spectrum = torch.fft.rfft(audio, n_padded * pixel) * (2 / (n_padded * pixel))
        rows = [
            self._rows(spectrum, group, n_padded, n_pixels)
            for group in _band_groups(n_padded, spectrum.shape[1], audio.device)
        ]
        return torch.cat(rows, dim=1)

    def _rows(self, spectrum: Tensor, group: _Bands, n_padded: int, n_pixels: int) -> Tensor:
        """The pixels of neighbouring bands, whose envelopes are computed at the same rate."""
        n_points = n_padded * group.points
        # moving a band down to zero frequency leaves its magnitude as it is
        analytic = torch.fft.ifft(spectrum[:, group.bins] * group.weights, n_points) * n_points
        envelope = _root(analytic.real.square() + analytic.imag.square())
        # the first pixel's window begins half a pixel before the audio: there lies the end of the added silence
        half = group.points // 2
        envelope = torch.cat([envelope[..., -half:], envelope], dim=-1)
        # a product and no convolution, which a GPU would round to 10 bits
        around = envelope.unfold(-1, 2 * group.points + 1, group.points)[..., :n_pixels, :]
        return around @ group.kernel


class Asperes8Bit(Asperes):
    """The same as a picture file holds it: in 256 greys, of which what is darker than half a level is black.

    Gradients pass as if there were none.
    """

    def forward(self, audio: Tensor) -> Tensor:
        """See `Rendering`."""
        picture: Tensor = super().forward(audio)
        greys = (picture.detach() * 255).round() / 255
        return greys + (picture - picture.detach())


class _Bands(NamedTuple):
    """Neighbouring bands: their bins of the spectrum, the weights of these, and how a pixel is made of `points`."""

    points: int
    bins: Tensor  # (n_bands, n_bins) int64
    weights: Tensor  # (n_bands, n_bins)
    kernel: Tensor  # (2 * points + 1,)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept here must also serve training
def _band_groups(n_pixels: int, n_bins: int, device: torch.device) -> tuple[_Bands, ...]:
    """The filter bank for a spectrum of n_bins bins that belongs to n_pixels pixels; few points for narrow bands."""
    seconds = n_pixels / Asperes.pixels_per_second
    ratio = 2.0 ** (1 / Asperes.bands_per_octave)
    centre = [Asperes.lowest * ratio**k * seconds for k in range(Asperes.n_bands)]  # in bins
    first = [math.ceil(c / ratio) for c in centre]
    width = [max(1, min(math.floor(c * ratio), n_bins - 1) - f + 1) for c, f in zip(centre, first, strict=True)]
    # twice the rate that the band itself needs, for its envelope; at least 8 points a pixel
    points = [max(8, 2 ** math.ceil(math.log2(2 * c * (ratio - 1 / ratio) / n_pixels))) for c in centre]
    groups = []
    for size in sorted(set(points)):
        members = [k for k, p in enumerate(points) if p == size]
        offset = torch.arange(max(width[k] for k in members), device=device)
        bins = torch.tensor([first[k] for k in members], device=device)[:, None] + offset
        middle = torch.tensor([centre[k] for k in members], dtype=torch.float64, device=device)[:, None]
        distance = Asperes.bands_per_octave * torch.log2(bins / middle)  # in bands
        weights = torch.where(distance.abs() < 1, 0.5 + 0.5 * torch.cos(math.pi * distance), 0.0)
        weights = torch.where(bins < n_bins, weights, 0.0).float()
        kernel = torch.blackman_window(2 * size + 1, periodic=False, device=device)
        groups.append(_Bands(size, bins.clamp(max=n_bins - 1), weights, kernel / kernel.sum()))
    return tuple(groups)


RENDERINGS: Mapping[str, type[Rendering]] = {"mel": Mel, "asperes": Asperes, "asperes-8bit": Asperes8Bit}


def rendering(name: str, sample_rate: int, image_scale: str, intensity: str) -> Rendering:
    """The rendering called `name`; see `Rendering` for the options.

    Raises
    ------
    BadInput
        If there is none, or an option is not known.
    """
    return RENDERINGS[_chosen("rendering", name, tuple(RENDERINGS))](sample_rate, image_scale, intensity)


def of_options(sample_rate: int, options: Mapping[str, Any]) -> Rendering:
    """The rendering that the options of an image network name."""
    return rendering(options["rendering"], sample_rate, options["image_scale"], options["intensity"])


def _root(power: Tensor) -> Tensor:
    """Square root with a gradient at zero, where it is exactly zero."""
    return (power + _SILENCE).sqrt() - math.sqrt(_SILENCE)


def _chosen(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise BadInput(f"{option} is '{value}'; {', '.join(known)} are known")
    return value
