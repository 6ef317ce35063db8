"""How loud a stretch of audio is, told block by block: peak, level, and whether its channels cancel in their mean."""

from __future__ import annotations

import numpy as np

from mirbench.features.decoding import mono
from mirbench.types import FloatArray

__all__ = ["CANCELLED", "LOUD_PEAK", "ONE_CHANNEL", "Tally"]

CANCELLED = 0.1
"""Channels cancel where their mean is 20 dB below what it would be if they had nothing in common. Those of recordings
have much in common, and even what sounds from one side alone is no further down than that."""

LOUD_PEAK = 4.0
"""12 dB over full scale: decoders of compressed music go over it by some dB, samples in other units by far more."""

ONE_CHANNEL = "keep one: `ffmpeg -i IN -af 'pan=mono|c0=c0' OUT.wav`"

_HELD = 1 << 25


class Tally:
    """Counts what is heard of a stretch.

    Of up to twelve minutes the samples are held, so that the level is what it is of the whole array, to the bit; of
    what is longer only sums are.
    """

    def __init__(self) -> None:
        self.count, self.peak, self._n_channels = 0, 0.0, 1
        self._squares, self._power = 0.0, 0.0
        self._held: list[FloatArray] = []

    def add(self, block: FloatArray) -> None:
        """Take the next samples, shape (n, channels)."""
        heard, self._n_channels = mono(block), block.shape[1]
        self.count += len(heard)
        self.peak = float(np.maximum(self.peak, np.max(np.abs(heard), initial=0.0)))  # nan stays nan
        self._squares += float(np.sum(np.square(heard, dtype=np.float64)))
        if self._n_channels > 1:
            self._power += float(np.sum(np.square(block, dtype=np.float64))) / self._n_channels**2
        if self.count <= _HELD:
            self._held.append(heard)
        else:
            self._held.clear()

    def rms(self) -> float:
        """Root mean square of the mean of the channels."""
        if self._held:
            return float(np.sqrt(np.mean(np.square(np.concatenate(self._held), dtype=np.float64))))
        return float(np.sqrt(self._squares / max(self.count, 1)))

    def rms_unrelated(self) -> float:
        """What `rms` would be if the channels had nothing in common."""
        return self.rms() if self._n_channels == 1 else float(np.sqrt(self._power / max(self.count, 1)))
