"""How a clip that is shorter than a window fills it.

It is about whole clips alone: the last window of a longer clip hangs over its end, and is filled with zeros whatever is
asked, as hung2022 does it.
"""

from __future__ import annotations

import numpy as np

from mirbench.types import FloatArray, Pad

__all__ = ["NOISE_DB", "filled", "is_short"]

NOISE_DB = -60.0
"""Root mean square of the noise that a clip lies in, against the clip's absolute peak: of a quiet room. Against full
scale the same noise would drown clips that were recorded softly."""


def is_short(n_samples: int, window: int) -> bool:
    """Whether a clip has to be filled up."""
    return n_samples < window


def filled(audio: FloatArray, window: int, pad: Pad, seed: int) -> FloatArray:
    """A clip as a window, shape (window,); one that is as long or longer is cut.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        At least one sample.
    pad : {"zeros", "center", "repeat", "reflect", "noise"}
        Zeros behind the clip; as many before it as behind it; the clip again and again; the clip forwards and backwards
        in turns; or the clip in the middle, in white Gaussian noise of `NOISE_DB`, which is under it too.
    seed : int
        Of the noise.

    Examples
    --------
    >>> [filled(np.array([1, 2, 3], dtype=np.float32), 7, pad, 0).tolist() for pad in ("center", "repeat", "reflect")]
    [[0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0], [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0], [1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0]]
    """
    missing = window - len(audio)
    if missing <= 0:
        return audio[:window]
    before = missing // 2
    if pad == "zeros":
        return np.pad(audio, (0, missing))
    if pad == "repeat":
        return np.pad(audio, (0, missing), mode="wrap")
    if pad == "reflect":
        return np.pad(audio, (0, missing), mode="reflect" if len(audio) > 1 else "edge")
    centred = np.pad(audio, (before, missing - before))
    if pad == "center":
        return centred
    noise = np.random.default_rng(seed).standard_normal(window, dtype=np.float32)
    return centred + noise * np.float32(10 ** (NOISE_DB / 20) * np.max(np.abs(audio)))
