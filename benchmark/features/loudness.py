"""How loud a stretch of audio is, told block by block: peak, level, and whether its channels cancel in their mean."""

from __future__ import annotations

import numpy as np

from mirbench.features.decoding import mono
from mirbench.types import FloatArray

__all__ = ["Tally", "cancel", "out_of_scale"]

_CANCELLED = 0.2
"""Channels cancel where their mean is 14 dB below what it would be if they had nothing in common: of two, where their
correlation is under -0.96. What sounds from one side alone is not below it; codecs leave about -19 dB of inverted
channels."""

_LOUD_PEAK = 4.0
"""12 dB over full scale: decoders of compressed music go over it by some dB, samples in other units by far more."""

_ONE_CHANNEL = "keep one: `ffmpeg -i IN -af 'pan=mono|c0=c0' OUT.wav`"

_HELD = 1 << 25


def cancel(rms: float, rms_unrelated: float) -> str:
    """What to say of channels that cancel in their mean, or ""."""
    if rms >= _CANCELLED * rms_unrelated:
        return ""
    far = f"{20 * np.log10(rms_unrelated / rms):.0f} dB below what unrelated ones leave" if rms else "silence"
    return f"its channels cancel (their mean, which is heard, is {far}): one of them is inverted; {_ONE_CHANNEL}"


def out_of_scale(peak: float) -> str:
    """What to say of samples that are not in ±1, or ""."""
    if peak <= _LOUD_PEAK:
        return ""
    return f"samples reach {peak:.3g} times full scale: they are in another unit; divide them, or write integers"


class Tally:
    """Counts what is heard of a stretch.

    Of up to twelve minutes the samples are held, so that the level is what it is of the whole array, to the bit; of
    what is longer only sums are.
    """

    def __init__(self) -> None:
        self.count, self.peak = 0, 0.0
        self._squares, self._power = 0.0, 0.0
        self._held: list[FloatArray] = []

    def add(self, block: FloatArray) -> None:
        """Take the next samples, shape (n, channels)."""
        heard, n_channels = mono(block), block.shape[1]
        self.count += len(heard)
        self.peak = float(np.maximum(self.peak, np.max(np.abs(heard), initial=0.0)))  # nan stays nan
        with np.errstate(invalid="ignore", over="ignore"):  # the peak tells of what is not finite
            squares = float(np.sum(np.square(heard, dtype=np.float64)))
            every = squares if n_channels == 1 else float(np.sum(np.square(block, dtype=np.float64)))
        self._squares += squares
        self._power += every / n_channels**2
        if self.count <= _HELD:
            self._held.append(heard)
        else:
            self._held.clear()

    def rms(self) -> float:
        """Root mean square of the mean of the channels."""
        if not self._held:
            return float(np.sqrt(self._squares / max(self.count, 1)))
        with np.errstate(invalid="ignore", over="ignore"):
            return float(np.sqrt(np.mean(np.square(np.concatenate(self._held), dtype=np.float64))))

    def rms_unrelated(self) -> float:
        """What `rms` would be if the channels had nothing in common."""
        return float(np.sqrt(self._power / max(self.count, 1)))
