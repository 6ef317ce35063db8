"""Frame features of timbre: zero crossings, shape of the spectrum, MFCC, chroma; and how they run over a clip.

The seventeen values a frame, and the fourteen of chroma, are those of Marsyas' `bextract`: power spectra of Hamming
windows of 512 samples, one after the other, here at 22,050 Hz by default; `bextract` takes files at the rate that they
have and does not resample. What is left out of Marsyas on purpose: its zero crossings
begin to count at 1, its rolloff is 1 where nearly all energy lies in the lowest bins, its chroma takes bins an octave
too high, and its flux compares the first frame with a spectrum of ones (here it is 0). The scale of its FFT, which
moves MFCC-0 alone, was not looked up: here a full-scale sine has power of about 0.07.

References
----------
Tzanetakis, Cook (2002), Musical genre classification of audio signals. Code: marsyas/marsyas (`MFCC`, `Flux`,
`Rolloff`, `Centroid`, `Spectrum2Chroma`, `PeakRatio`, `Memory`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, signal

from mirbench.types import FloatArray

__all__ = [
    "CHROMA", "HOP", "SAMPLE_RATE", "TEXTURE", "TIMBRE", "chroma", "chroma_bank", "frame_count", "log_mel",
    "mel_bank", "mfcc", "power_spectra", "texture_statistics", "timbre", "with_deltas",
]  # fmt: skip

SAMPLE_RATE = 22_050
HOP = 512
TEXTURE = 40
"""Frames of a texture window, 0.93 s, as the manual of `bextract` says; its code has 20 since August 2012."""
TIMBRE = 17
"""Zero crossings, centroid, rolloff, flux and 13 MFCC."""
CHROMA = 14
"""Twelve pitch classes from A on, maximum over mean, maximum over minimum."""

_FRAME = 512
_ROLLOFF = 0.9
_TINY = np.finfo(np.float64).tiny
_QUIET = 1e-10  # of mel energies, full scale 1: below it all is silence

Array = npt.NDArray[np.float64]


def frame_count(n_samples: int, frame: int = _FRAME, hop: int = HOP) -> int:
    """How many frames there are: whole ones only, but at least one.

    >>> frame_count(22_050), frame_count(100)
    (43, 1)
    """
    return max(0, n_samples - frame) // hop + 1


def _frames(audio: FloatArray, frame: int, hop: int) -> npt.NDArray[np.float32]:
    """Frames (n_frames, frame) of audio (n_samples,); zeros follow audio that is shorter than one."""
    padded = np.pad(audio, (0, max(0, frame - len(audio))))
    return sliding_window_view(padded, frame)[::hop]


def power_spectra(audio: FloatArray, frame: int = _FRAME, hop: int = HOP) -> Array:
    """Power spectra of Hamming windows, (n_frames, frame / 2 + 1), of audio (n_samples,)."""
    window = signal.get_window("hamming", frame) / frame
    spectra = fft.rfft(_frames(audio, frame, hop) * window, axis=1)
    power: Array = np.square(spectra.real) + np.square(spectra.imag)
    return power


@cache
def mel_bank(
    n_bands: int, frame: int = _FRAME, low: float = 0.0, high: float = SAMPLE_RATE / 2, sample_rate: int = SAMPLE_RATE
) -> Array:
    """Triangles of equal area on Slaney's mel scale, (frame / 2 + 1, n_bands)."""
    from torchaudio.functional import melscale_fbanks

    bank = melscale_fbanks(frame // 2 + 1, low, high, n_bands, sample_rate, norm="slaney", mel_scale="slaney")
    triangles: Array = bank.double().numpy()
    return triangles


def _auditory_bank(sample_rate: int) -> Array:
    """Marsyas' bank: 13 triangles spaced by 66.67 Hz from 133.33 Hz on, then 27 by a factor of 6.4 ** (1 / 27)."""
    return mel_bank(40, _FRAME, 400 / 3, 1000 * 6.4 ** (28 / 27), sample_rate)


def _cepstrum(log_energies: Array, n_coefficients: int) -> Array:
    coefficients: Array = fft.dct(log_energies, axis=1, norm="ortho")[:, :n_coefficients]
    return coefficients


def log_mel(audio: FloatArray, n_bands: int, frame: int = 1024, hop: int = HOP) -> Array:
    """Logarithm to base 10 of mel energies of audio (n_samples,), (n_frames, n_bands); silence is -10."""
    energies = power_spectra(audio, frame, hop) @ mel_bank(n_bands, frame)
    return np.log10(np.maximum(energies, _QUIET))


def mfcc(audio: FloatArray, n_coefficients: int = 20, n_bands: int = 40, frame: int = 1024, hop: int = HOP) -> Array:
    """Mel-frequency cepstral coefficients of audio (n_samples,), (n_frames, n_coefficients)."""
    return _cepstrum(log_mel(audio, n_bands, frame, hop), n_coefficients)


def with_deltas(features: npt.NDArray[Any], width: int = 9) -> npt.NDArray[np.float32]:
    """Features (n_frames, n) beside their slopes over `width` frames and the slopes of these, (n_frames, 3 n)."""
    import torch
    from torchaudio.functional import compute_deltas

    still = torch.from_numpy(np.ascontiguousarray(features.T, dtype=np.float32))[None]
    slope = compute_deltas(still, width)
    stacked: npt.NDArray[np.float32] = torch.cat([still, slope, compute_deltas(slope, width)], dim=1)[0].T.numpy()
    return stacked


def _zero_crossings(audio: FloatArray) -> Array:
    signs = np.sign(_frames(audio, _FRAME, HOP))
    rate: Array = (signs[:, 1:] * signs[:, :-1] < 0).mean(axis=1, dtype=np.float64)
    return rate


def _centroid(power: Array) -> Array:
    """As a part of the spectrum's width; half way in silence."""
    total = power.sum(axis=1)
    moment = power @ np.arange(power.shape[1])
    return np.where(total > 0, moment / np.maximum(total, _TINY) / power.shape[1], 0.5)


def _rolloff(power: Array) -> Array:
    """Below which 90 % of the power lie, as a part of the spectrum's width; 1 in silence."""
    heard = power.cumsum(axis=1)
    reached = (heard >= _ROLLOFF * heard[:, -1:]).argmax(axis=1)
    return np.where(heard[:, -1] > 0, reached / power.shape[1], 1.0)


def _flux(power: Array) -> Array:
    """Mean over bins of the squared change of the log spectrum, over its maximum; the first frame has none."""
    change = np.square(np.diff(np.log(power[:, 1:] + _TINY), axis=0, prepend=np.log(power[:1, 1:] + _TINY)))
    most = change.max(axis=1)
    flux: Array = change.sum(axis=1) / np.where(most > 0, most, 1.0) / power.shape[1]
    return flux


@cache
def chroma_bank(sample_rate: int = SAMPLE_RATE) -> Array:
    """Weights of FFT bins in the twelve pitch classes from A on, (257, 12): Ellis' Gaussians, unit length a bin."""
    hertz = np.arange(1, _FRAME // 2 + 1) * sample_rate / _FRAME
    semitones = 12 * np.log2(hertz / 27.5)
    semitones = np.concatenate([[semitones[0] - 18], semitones])  # 0 Hz has no pitch: one broad and far away
    width = np.maximum(np.diff(semitones, append=semitones[-1]), 1.0)
    away = np.remainder(semitones[:, None] - np.arange(12) + 6, 12) - 6
    bank = np.exp(-0.5 * np.square(2 * away / width[:, None]))
    unit: Array = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    return unit


def chroma(power: Array, sample_rate: int = SAMPLE_RATE) -> Array:
    """Power of the pitch classes, its maximum over its mean, and over its minimum, (n_frames, 14); 0 in silence."""
    classes = power @ chroma_bank(sample_rate)
    most, least, mean = classes.max(axis=1), classes.min(axis=1), classes.mean(axis=1)
    heard = least > 0
    ratios = [np.where(heard, most / np.where(heard, x, 1.0), 0.0) for x in (mean, least)]
    return np.column_stack([classes, *ratios])


def timbre(audio: FloatArray, sample_rate: int = SAMPLE_RATE) -> Array:
    """The 17 features of timbre and the 14 of chroma of each frame.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
    sample_rate : int
        Its rate in Hz. Frames are 512 samples at any.

    Returns
    -------
    ndarray, shape (n_frames, 31)
        Rate of zero crossings, centroid, rolloff, flux, 13 MFCC, 14 of `chroma`. As in Marsyas, a mel band that hears
        nothing at all has a log energy of 0.
    """
    power = power_spectra(audio)
    energies = power @ _auditory_bank(sample_rate)
    log_energies = np.log10(energies, where=energies > 0, out=np.zeros_like(energies))
    shape = [_zero_crossings(audio), _centroid(power), _rolloff(power), _flux(power)]
    return np.column_stack([*shape, _cepstrum(log_energies, 13), chroma(power, sample_rate)])


def texture_statistics(features: Array, window: int = TEXTURE) -> Array:
    """Mean and deviation over a clip of running mean and running deviation over the last `window` frames.

    Before the first frame, the window holds copies of it.

    Parameters
    ----------
    features : ndarray, shape (n_frames, n)

    Returns
    -------
    ndarray, shape (4, n)
        Mean of means, mean of deviations, deviation of means, deviation of deviations.
    """
    padded = np.pad(features, ((window - 1, 0), (0, 0)), mode="edge")
    running = np.empty((2, *features.shape))
    for k in range(features.shape[1]):  # one at a time: all windows of all features need much memory
        windows = sliding_window_view(padded[:, k], window)
        running[:, :, k] = windows.mean(axis=1), windows.std(axis=1)
    return np.concatenate([running.mean(axis=1), running.std(axis=1)])
