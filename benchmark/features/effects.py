"""The deformations of ``--deform``, each at five rising severities.

A clip is deformed as it was recorded, its channels averaged, at the rate of its file and before it is resampled; a task
that brings clips to a level (``+normalized``) does so afterwards, which undoes a gain. What is random is drawn by the
clip: it is the same for every method, source, run and severity. Nothing here touches the random state of `random` or
`numpy.random`, which the threads that decode would share.

The example of mir_ref (Plachouras, Alonso-Jiménez, Bogdanov 2023, mir_ref: a representation evaluation framework for
music information retrieval tasks) has a gain of -12 dB and white noise at 0 dB, which are among these levels. What
audiomentations would draw from the global random state (noise), or does by two calls of scipy (low-pass), is computed
here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirbench.errors import MissingExtra, UnknownName
from mirbench.features.deformation import Deformation
from mirbench.types import FloatArray

__all__ = ["EFFECTS", "Effect", "parse_deform", "require_packages"]


@dataclass(frozen=True)
class Effect:
    """A kind of deformation with its levels.

    Parameters
    ----------
    unit : str
        What the severities are counted in.
    severities : tuple of float
        From least to most severe.
    change : callable
        ``change(audio (n_samples,), sample rate, seed, severity)`` -> audio of the same rate.
    packages : tuple of str
        What computes it, as the package index calls it; of the extra ``effects``, or always there.
    length_ratio : callable
        Length after it over length before, by severity.
    version : str
        Raised when the definition changes.
    """

    name: str
    unit: str
    severities: tuple[float, ...]
    change: Callable[[FloatArray, int, int, float], FloatArray]
    packages: tuple[str, ...]
    length_ratio: Callable[[float], float] = lambda severity: 1.0
    version: str = "1"

    @property
    def library(self) -> str:
        """What computes it, with versions."""
        return ", ".join(f"{package} {importlib.metadata.version(package)}" for package in self.packages)

    def at(self, severity: float) -> Deformation:
        """The deformation at one severity."""

        def apply(audio: FloatArray, rate: int, seed: int) -> FloatArray:
            return np.ascontiguousarray(self.change(audio, rate, seed, severity), dtype=np.float32)

        identity = f"{self.name} {severity:g} {self.unit}, version {self.version}, {self.library}"
        return Deformation(identity, apply, self.length_ratio(severity))


def _attenuate(audio: FloatArray, rate: int, seed: int, decibels: float) -> FloatArray:
    """Turned down."""
    return audio * np.float32(10 ** (-decibels / 20))


def _add_noise(audio: FloatArray, rate: int, seed: int, snr: float) -> FloatArray:
    """White Gaussian noise; its power relative to the mean power of the clip, over the whole band of the file."""
    noise = np.random.default_rng(seed).standard_normal(len(audio), dtype=np.float32)
    rms = np.sqrt(np.mean(np.square(audio, dtype=np.float64)))
    return audio + noise * np.float32(rms * 10 ** (-snr / 20))


def _low_pass(audio: FloatArray, rate: int, seed: int, cutoff: float) -> FloatArray:
    """Butterworth filter of 24 dB an octave, -3 dB at the cutoff; no change where the file ends below it."""
    from scipy.signal import butter, sosfilt

    if cutoff >= rate / 2:
        return audio
    filtered: FloatArray = sosfilt(butter(4, cutoff, fs=rate, output="sos"), audio)
    return filtered


_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_MP3_LOW_RATE = 24_000  # above it MP3 knows no bit rate under 32 kbps, and LAME would silently write 32


def _mp3(audio: FloatArray, rate: int, seed: int, kbps: float) -> FloatArray:
    """To MP3 (mono, constant bit rate, LAME) and back, without the codec's delay; LAME turns it down by 0.45 dB.

    Audio at a rate that MP3 does not have at this bit rate is coded at the next lower one. Files of 12 kHz or less
    have no more than 64 kbps.
    """
    import soxr
    from audiomentations import Mp3Compression

    highest = min(rate, _MP3_LOW_RATE if kbps < 32 else _MP3_RATES[-1])
    coded_rate = max((known for known in _MP3_RATES if known <= highest), default=_MP3_RATES[0])
    transform = Mp3Compression(backend="fast-mp3-augment")
    coded = _fixed(transform, bitrate=int(kbps))(soxr.resample(audio, rate, coded_rate), coded_rate)
    back: FloatArray = soxr.resample(coded, coded_rate, rate)
    return np.pad(back, (0, max(0, len(audio) - len(back))))[: len(audio)]


def _stretch(audio: FloatArray, rate: int, seed: int, percent: float) -> FloatArray:
    """Slower, at the same pitch."""
    from audiomentations import TimeStretch

    return _fixed(TimeStretch(leave_length_unchanged=False), rate=1 - percent / 100)(audio, rate)


def _shift_pitch(audio: FloatArray, rate: int, seed: int, semitones: float) -> FloatArray:
    """Higher, at the same speed."""
    from audiomentations import PitchShift

    return _fixed(PitchShift(), num_semitones=semitones)(audio, rate)


def _fixed(transform: Any, **parameters: float) -> Any:
    """A transform of audiomentations that draws nothing."""
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    return transform


_STRETCHER = ("audiomentations", "python-stretch")

# Stretching ends at 40 %: from twice the length on, python-stretch draws phases from the system's random device.
EFFECTS: Mapping[str, Effect] = {
    effect.name: effect
    for effect in (
        Effect("gain", "dB down", (6, 12, 20, 30, 40), _attenuate, ("numpy",)),
        Effect("noise", "dB SNR", (30, 20, 10, 5, 0), _add_noise, ("numpy",)),
        Effect("mp3", "kbps", (128, 64, 32, 16, 8), _mp3, ("audiomentations", "fast-mp3-augment", "soxr")),
        Effect("lowpass", "Hz", (8000, 4000, 2000, 1000, 500), _low_pass, ("scipy",)),
        Effect("stretch", "% slower", (5, 10, 20, 30, 40), _stretch, _STRETCHER, lambda percent: 100 / (100 - percent)),
        Effect("pitch", "semitones up", (0.5, 1, 2, 4, 6), _shift_pitch, _STRETCHER),
    )
}


def parse_deform(text: str) -> tuple[str, ...]:
    """``"gain,noise"`` -> ``("gain", "noise")``; "all" is every one, "" none.

    Raises
    ------
    UnknownName
        If no deformation is called so.
    """
    if text.strip() == "all":
        return tuple(EFFECTS)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(","))) if text.strip() else ()
    for name in names:
        if name not in EFFECTS:
            raise UnknownName("deformation", name, [*EFFECTS, "all"])
    return names


def require_packages(names: Sequence[str]) -> None:
    """Refuse, before any work, deformations whose packages are not installed.

    Raises
    ------
    MissingExtra
        Naming the first of them.
    """
    for name in names:
        for package in EFFECTS[name].packages:
            if importlib.util.find_spec(package.replace("-", "_")) is None:
                raise MissingExtra(f"--deform {name}", package, "effects")
