"""Building blocks of the sound events that the `nano` source is trained on.

Conventions
-----------
A signal is a float64 array of shape (n,). Frequencies and the sample rate are in Hz, times in seconds, onsets in
samples. All chance comes from the generator that is passed in. A recipe makes a whole event out of these blocks; its
level is arbitrary, since `sounds.py` scales it.

Sums of sines are the bulk of the work, so they are read from a table (`tone`) or taken as one matrix product
(`ringing`): a five-second event costs one to three milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import signal

Signal = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Recipe = Callable[[np.random.Generator, int, int], Signal]

_TABLE = 4096  # samples of one cycle
_HIGHEST = 0.45  # of the sample rate: no component is put above it, so that nothing aliases


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw log-uniformly between two positive numbers: pitches, rates and times are heard on a log scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def times(n: int, sample_rate: int) -> Signal:
    """Times of the samples in seconds."""
    return np.arange(n) / sample_rate


def unit(x: Signal) -> Signal:
    """Scale a signal to a peak of 1."""
    return x / max(float(np.abs(x).max()), 1e-12)


def curve(values: Sequence[float] | Signal, n: int) -> Signal:
    """Join equally spaced values by straight lines over n samples."""
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(values)), values)


def wander(rng: np.random.Generator, per_second: float, n: int, sample_rate: int) -> Signal:
    """Drift at random in [-1, 1], in straight lines between `per_second` points a second."""
    return curve(rng.uniform(-1, 1, 2 + round(per_second * n / sample_rate)), n)


def sine(frequency: float | Signal, n: int, sample_rate: int) -> Signal:
    """Sine of a constant or moving frequency, from phase 0."""
    return tone(frequency, np.ones(1), n, sample_rate)


def slope(exponent: float, n_partials: int = 40) -> Signal:
    """Strengths of partials that fall as a power of their number: 1 is a saw, 2 is mellow."""
    return np.arange(1.0, n_partials + 1) ** -exponent


def tone(frequency: float | Signal, strengths: Signal, n: int, sample_rate: int) -> Signal:
    """Harmonic tone of a constant or moving frequency; partials that would alias are left out."""
    frequency = np.minimum(frequency, _HIGHEST * sample_rate)
    kept = strengths[: max(1, int(_HIGHEST * sample_rate / np.max(frequency)))]
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(kept) + 1] = -0.5j * _TABLE * kept
    phase = np.cumsum(np.broadcast_to(frequency, n)) / sample_rate
    table: Signal = np.fft.irfft(spectrum)
    return table[((phase - np.floor(phase)) * _TABLE).astype(np.int32)]


def ringing(frequencies: Signal, decays: float | Signal, strengths: Signal, n: int, sample_rate: int) -> Signal:
    """Sum of sines that are struck at time 0 and die away, each by 1/e in its decay time.

    A damped sine is geometric, z**(row * width + column) = z**(row * width) * z**column, so that the sum over the
    modes is the product of two small matrices.
    """
    frequencies = frequencies * min(1.0, 0.4 * sample_rate / float(frequencies.min()))
    strengths = strengths * (frequencies < _HIGHEST * sample_rate)
    width = int(np.sqrt(n)) + 1
    log_poles = (2j * np.pi * frequencies - 1 / np.asarray(decays)) / sample_rate
    rows = strengths * np.exp(np.outer(np.arange(0, n, width), log_poles))  # (n / width, n_modes)
    columns = np.exp(np.outer(log_poles, np.arange(width)))  # (n_modes, width)
    product: Signal = (rows @ columns).imag
    return product.ravel()[:n]


def noise(rng: np.random.Generator, n: int) -> Signal:
    """White noise."""
    return rng.standard_normal(n)


def soften(x: Signal, cutoff: float, sample_rate: int) -> Signal:
    """Low-pass of one pole; `x - soften(x, ...)` is the high-pass that belongs to it."""
    pole = np.exp(-2 * np.pi * cutoff / sample_rate)
    softened: Signal = signal.lfilter([1 - pole], [1, -pole], x)
    return softened


def formants(x: Signal, centres: Sequence[float] | Signal, widths: float | Signal, sample_rate: int) -> Signal:
    """Resonances in cascade, as a vocal tract or a hollow body has them, scaled to a peak of 1."""
    centres = np.minimum(centres, _HIGHEST * sample_rate)
    poles = np.exp((2j * np.pi * centres - np.pi * np.asarray(widths)) / sample_rate)
    filtered: Signal = signal.lfilter([1.0], np.poly(np.concatenate([poles, poles.conj()])).real, x)
    return unit(filtered)


def envelope(attack: float, decay: float, n: int, sample_rate: int) -> Signal:
    """Level of a blow: rises within about `attack`, then falls by 1/e in every `decay`."""
    t = times(n, sample_rate)
    return (1 - np.exp(-(t + 1 / sample_rate) / attack)) * np.exp(-t / decay)


def fade(n: int, attack: float, release: float) -> Signal:
    """Level of a held sound: rises and falls in straight lines over the given fractions of n."""
    return np.interp(np.arange(1, n + 1) / n, [0, attack, 1 - release, 1.001], [0, 1, 1, 0])


def regular(rng: np.random.Generator, per_second: float, jitter: float, n: int, sample_rate: int) -> Indices:
    """Draw onsets of a steady rhythm, as samples; each is moved by up to `jitter` / 2 of the period, but the first."""
    period = sample_rate / per_second
    steps = np.arange(int(n / period) + 1, dtype=np.float64)
    steps[1:] += rng.uniform(-jitter / 2, jitter / 2, len(steps) - 1)
    onsets = rng.uniform(0, min(period, 0.1 * n)) + period * steps
    return onsets[onsets < 0.97 * n].astype(np.int64)


def irregular(rng: np.random.Generator, per_second: float, n: int, sample_rate: int) -> Indices:
    """Draw onsets of independent events, as samples: at least one, in order, none in the last 20 ms."""
    count = 1 + rng.poisson(per_second * n / sample_rate)
    return np.sort(rng.integers(0, n - sample_rate // 50, count))


def impulses(onsets: Indices, levels: float | Signal, n: int) -> Signal:
    """One sample of the given level at every onset."""
    return np.bincount(onsets, np.broadcast_to(levels, onsets.shape), n).astype(np.float64)


def fading(x: Signal, decay: float, sample_rate: int) -> Signal:
    """Turn impulses into exponential decays: times noise, a train of noise bursts."""
    faded: Signal = signal.lfilter([1.0], [1, -np.exp(-1 / (decay * sample_rate))], x)
    return faded


def place(events: Iterable[Signal], onsets: Indices, n: int) -> Signal:
    """Lay one event at every onset; what runs past the end is cut."""
    out = np.zeros(n)
    for event, onset in zip(events, onsets.tolist(), strict=True):
        end = min(n, onset + len(event))
        out[onset:end] += event[: end - onset]
    return out


def held_notes(rng: np.random.Generator, low: float, high: float, attack: float, n: int) -> tuple[Signal, Signal]:
    """Frequency and level of one to four held tones in a row, within an octave of a pitch drawn from a wide range."""
    count = int(rng.integers(1, 5))
    pitch = between(rng, low, high)
    edges = (n * (np.arange(count + 1) + np.r_[0, rng.uniform(-0.3, 0.3, count - 1), 0]) / count).astype(np.int64)
    lengths = np.diff(edges)
    pitches = np.clip(pitch * 2 ** rng.uniform(-0.5, 0.5, count), low, high)
    levels = [rng.uniform(0.4, 1) * fade(length, attack, rng.uniform(0.02, 0.3)) for length in lengths.tolist()]
    return np.repeat(pitches, lengths), np.concatenate(levels)


def vibrato(rng: np.random.Generator, depth: float, n: int, sample_rate: int) -> Signal:
    """Factor on a frequency that swings four to eight times a second by up to `depth`."""
    return 1 + rng.uniform(0, depth) * sine(rng.uniform(4, 8), n, sample_rate)


def gate(rng: np.random.Generator, on: float, off: float, n: int, sample_rate: int) -> Signal:
    """Level that is 1 for `on` seconds and 0 for `off` seconds, in turn, with edges of a few milliseconds."""
    t = times(n, sample_rate) + rng.uniform(0, 0.7 * on)
    level = (np.modf(t / (on + off))[0] < on / (on + off)).astype(np.float64)
    return soften(level, 60, sample_rate)
