"""Finds recordings that occur twice: copies, re-encodings and overlapping excerpts, without comparing all pairs.

Two stages. *Landmarks* are pairs of neighbouring spectral peaks, hashed as (frequency, frequency step, time step) with
the time of the first; an index over all clips finds pairs of clips that share several hashes at one and the same time
offset. *Verification* then compares the waveforms of such a pair, aligned: the same recording correlates, another
performance of the same notes does not.

Measured on GTZAN: 560 bytes of landmarks a second of audio. 20,000 clips of 10 s are 112 MB of landmarks, which are
searched in 9 s with a peak of 0.8 GB (landmarks drawn from those of GTZAN's, and jittered).

Conventions: audio is float32 mono at `RATE`; frames are `HOP` samples; an offset is what must be added to a time in
the first clip to find the same moment in the second.

References
----------
A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003: the landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter

from mirbench.types import FloatArray, IntArray

__all__ = ["HOP", "RATE", "Repeat", "compare", "landmarks", "repeats"]

Prints = npt.NDArray[np.uint64]

RATE = 8000
"""Samples per second of the audio that landmarks are taken from, in Hz."""

HOP = 128
"""Samples between frames: 16 ms."""

MIN_SCORE = 0.85
"""Least correlation of a repeat. Measured: unrelated music reaches 0.28 and MP3 copies at the lowest quality 0.95 (100
clips of GTZAN); different notes of one pitch reach 0.79 over their length, whatever their alignment, and MP3 copies of
notes 0.95, at the lowest quality 0.87 (240 notes of the Philharmonia)."""

MIN_SECONDS = 1.0
"""A shorter overlap is no repeat, unless it is half of the shorter clip: songs share the samples of drum machines."""

_FRAME = 1024
_NEAR_FRAMES, _NEAR_BINS = 12, 20  # a peak is the largest within so many frames and bins to each side
_LOWEST = 5  # bins below 40 Hz hold hum
_FLOOR = 2e-4  # of a sinusoid at the clip's peak: what is 74 dB below it is noise
_FAN = 3  # landmarks that begin at one peak
_REACH = 60  # peaks looked through for partners
_MAX_STEP, _MIN_STEP, _MAX_RISE = 63, 2, 127  # frames and bins between the two peaks of a landmark
_CHUNK = 4096  # frames analysed at once

_VOTES = 4  # landmarks that must agree on an offset
_COMMON = 400  # a hash with more occurrences tells nothing, and its pairs would take the time of all others
_OFFSETS = 3  # candidate offsets for a pair of clips
_BLOCK = 2_000_000  # pairs of equal hashes held at once: about 0.13 GB

_COMPARE_RATE = 4000  # waveforms are compared below 2 kHz, which every encoder keeps
_PIECE = 2000  # samples that are aligned together: 0.5 s
_SLACK, _FINER = 8, 4  # samples that a piece may be off (2 ms), and steps within a sample


@dataclass(frozen=True)
class Repeat:
    """Two clips that hold the same recording.

    Parameters
    ----------
    a, b : int
        Indices of the clips, a < b.
    offset : float
        Seconds: what is heard at t in a is heard at t + offset in b.
    overlap : float
        Seconds that both hold.
    score : float
        Correlation of the two waveforms over the overlap, below 2 kHz, where each half second may be aligned anew by
        up to 2 ms: 1 where they differ by a constant gain alone.
    """

    a: int
    b: int
    offset: float
    overlap: float
    score: float


@dataclass(frozen=True)
class _Candidate:
    """Landmarks of clips a and b agree on an offset, from the first to the last of these frames of a."""

    a: int
    b: int
    offset: int
    first: int
    last: int


def landmarks(audio: FloatArray) -> Prints:
    """Hashes of a clip's landmarks and when they occur.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        Mono at `RATE`.

    Returns
    -------
    ndarray of uint64, shape (n_landmarks,)
        The hash in the upper 32 bits, the frame in the lower.
    """
    time, bin_ = _peaks(audio)
    found = np.zeros(len(time), dtype=np.int64)  # partners so far
    prints: list[Prints] = []
    for apart in range(1, min(_REACH, len(time))):
        step, rise = time[apart:] - time[:-apart], bin_[apart:] - bin_[:-apart]
        fits = (step >= _MIN_STEP) & (step <= _MAX_STEP) & (np.abs(rise) <= _MAX_RISE) & (found[:-apart] < _FAN)
        first = np.flatnonzero(fits)
        found[first] += 1
        hashed = bin_[first] << 14 | (rise[first] + 128) << 6 | step[first]
        prints.append((hashed << 32 | time[first]).astype(np.uint64))
    return np.concatenate(prints) if prints else np.empty(0, dtype=np.uint64)


def _peaks(audio: FloatArray) -> tuple[IntArray, IntArray]:
    """Frames and bins where the spectrogram is largest around, in order of time."""
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    padded = np.pad(audio, _FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::HOP]
    floor = _FLOOR * 0.5 * float(window.sum()) * float(np.max(np.abs(audio), initial=0.0))
    times, bins = [], []
    for begin in range(0, len(frames), _CHUNK):  # or an hour would take gigabytes
        lead = min(begin, _NEAR_FRAMES)
        level = np.abs(rfft(frames[begin - lead : begin + _CHUNK + _NEAR_FRAMES] * window, axis=1))[:, : _FRAME // 2]
        level[:, :_LOWEST] = 0
        around = maximum_filter(level, (2 * _NEAR_FRAMES + 1, 2 * _NEAR_BINS + 1), mode="constant")
        time, bin_ = np.nonzero(((level == around) & (level > floor))[lead : lead + _CHUNK])
        times.append(time + begin)
        bins.append(bin_)
    return np.concatenate(times).astype(np.int64), np.concatenate(bins).astype(np.int64)


def repeats(
    prints: Sequence[Prints],
    load: Callable[[int, int], FloatArray],
    apart: Callable[[int, int], bool] = lambda a, b: True,
    step: Callable[..., None] = lambda n=1: None,
) -> list[Repeat]:
    """Pairs of clips that hold the same recording.

    Parameters
    ----------
    prints : sequence of ndarray
        Landmarks of each clip.
    load : callable
        ``load(clip, sample_rate)`` gives the mono audio of a clip, for verification; asked only for clips that share
        landmarks with another.
    apart : callable
        ``apart(a, b)`` is False for pairs that are not to be looked at.
    step : callable
        Called with the number of clips just searched.

    Returns
    -------
    list of Repeat
        At most one for each pair, that of the largest score, in order of a and b.
    """
    recent = lru_cache(maxsize=64)(lambda clip: load(clip, _COMPARE_RATE))
    best: dict[tuple[int, int], Repeat] = {}
    for candidate in _candidates(prints, step):
        a, b = candidate.a, candidate.b
        if not apart(a, b):
            continue
        second = HOP / RATE
        span = (candidate.first * second - 0.5, candidate.last * second + 0.5)  # landmarks are half a second apart
        found = compare(recent(a), recent(b), candidate.offset * second, span)
        if found is None or ((a, b) in best and found[2] <= best[a, b].score):
            continue
        offset, overlap, score = found
        shorter = min(len(recent(a)), len(recent(b))) / _COMPARE_RATE
        if score >= MIN_SCORE and overlap >= min(MIN_SECONDS, 0.5 * shorter):
            best[a, b] = Repeat(a, b, offset, overlap, score)
    return [best[pair] for pair in sorted(best)]


def _candidates(prints: Sequence[Prints], step: Callable[..., None]) -> Iterator[_Candidate]:
    """Pairs of clips whose landmarks agree on an offset, by way of an index of all hashes."""
    n_frames = np.array([int((p & 0xFFFFFFFF).max()) + 1 if len(p) else 1 for p in prints], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(n_frames)])  # all clips lie one after the other on one axis of time
    index = np.concatenate([p + np.uint64(s) for p, s in zip(prints, starts, strict=False)] or [np.empty(0, np.uint64)])
    index.sort()
    hashed = (index >> np.uint64(32)).astype(np.uint32)
    time = (index & np.uint64(0xFFFFFFFF)).astype(np.int64)
    del index
    clip = (np.searchsorted(starts, time, side="right") - 1).astype(np.int32)
    time -= starts[clip]
    begins = np.flatnonzero(np.diff(hashed, prepend=~hashed[:1]))
    counts = np.diff(begins, append=len(hashed))
    count = np.repeat(counts, counts).astype(np.int32)
    begin = np.repeat(begins, counts).astype(np.int32)
    count[count > _COMMON] = 0
    work = np.cumsum(np.bincount(clip, weights=count, minlength=len(prints)))
    low = 0
    while low < len(prints):
        done = work[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(work, done + _BLOCK, side="right")))
        query = np.flatnonzero((clip >= low) & (clip < high) & (count > 1))
        one, other = _same(query, begin[query], count[query])
        later = clip[other] > clip[one]  # each pair once
        one, other = one[later], other[later]
        yield from _agreeing(clip[one], clip[other], time[one], time[other])
        step(high - low)
        low = high


def _same(query: IntArray, begin: npt.NDArray[np.int32], count: npt.NDArray[np.int32]) -> tuple[IntArray, IntArray]:
    """Each entry of the index that is asked for, with every entry of the same hash."""
    ends = np.cumsum(count, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    other = np.arange(total) - np.repeat(ends - count - begin, count)
    return np.repeat(query, count), other


def _agreeing(
    a: npt.NDArray[np.int32], b: npt.NDArray[np.int32], time_a: IntArray, time_b: IntArray
) -> Iterator[_Candidate]:
    """Pairs of clips with `_VOTES` equal hashes at one offset, give or take a frame; best offsets first."""
    if not len(a):
        return
    offset = time_b - time_a
    width = int(np.abs(offset).max()) * 2 + 4  # leaves a gap between the offsets of one pair and of the next
    n_clips = int(b.max()) + 1
    key = (a.astype(np.int64) * n_clips + b) * width + offset + width // 2
    order = np.argsort(key)
    key, time_a = key[order], time_a[order]
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    votes = np.diff(begins, append=len(key))
    key = key[begins]
    first, last = np.minimum.reduceat(time_a, begins), np.maximum.reduceat(time_a, begins)
    before = np.concatenate([[False], np.diff(key) == 1])  # the offset one frame below has votes too
    at = np.flatnonzero(before)
    near = votes.copy()
    near[at] += votes[at - 1]
    near[at - 1] += votes[at]
    for low, high in ((at - 1, at), (at, at - 1)):
        first[low], last[low] = np.minimum(first[low], first[high]), np.maximum(last[low], last[high])
    kept = np.flatnonzero(near >= _VOTES)
    pair = key[kept] // width
    kept, pair = (x[np.lexsort((-near[kept], pair))] for x in (kept, pair))
    rank = np.arange(len(pair)) - np.searchsorted(pair, pair)
    for row in kept[rank < _OFFSETS].tolist():
        both, shifted = divmod(int(key[row]), width)
        yield _Candidate(*divmod(both, n_clips), shifted - width // 2, int(first[row]), int(last[row]))


def compare(
    a: FloatArray, b: FloatArray, offset: float, span: tuple[float, float]
) -> tuple[float, float, float] | None:
    """How alike two waveforms are where they overlap.

    Parameters
    ----------
    a, b : ndarray of float32
        Mono at 4000 Hz.
    offset : float
        Seconds, right to within 64 ms.
    span : tuple of float
        Seconds of a that are compared.

    Returns
    -------
    tuple of float or None
        Offset to within a sample, overlap in seconds and score, as in `Repeat`; None where nothing overlaps.
    """
    a, b = (np.diff(x, prepend=x[:1]) for x in (a, b))  # or the bass would outweigh everything
    shift = _alignment(a, b, round(offset * _COMPARE_RATE))
    first = max(0, -shift, round(span[0] * _COMPARE_RATE))
    last = min(len(a), len(b) - shift, round(span[1] * _COMPARE_RATE))
    if last - first < _PIECE // 10:
        return None
    pieces, score = _correlation(a[first:last], b[first + shift : last + shift])
    return shift / _COMPARE_RATE, pieces * (last - first) / _COMPARE_RATE, score


def _alignment(a: FloatArray, b: FloatArray, near: int, reach: int = 256) -> int:
    """Shift at which two signals correlate most, within a reach."""
    n = next_fast_len(len(a) + len(b) + reach, real=True)
    product = irfft(np.conj(rfft(a, n)) * rfft(b, n), n)
    shifts = np.arange(near - reach, near + reach + 1)
    return int(shifts[np.argmax(np.abs(product[shifts % n]))])


def _correlation(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Share of two aligned signals that is compared, and their normalised correlation.

    Each piece is aligned again. The first and the last are left out where they do not correlate: the span of the
    landmarks tells the ends of what both hold only to about half a second.
    """
    n_pieces = max(1, round(len(a) / _PIECE))
    size = len(a) // n_pieces
    x, y = (signal[: n_pieces * size].reshape(n_pieces, size).astype(np.float64) for signal in (a, b))
    n = next_fast_len(size + _SLACK + 1, real=True)
    product = irfft(np.conj(rfft(x, n)) * rfft(y, n), n * _FINER) * _FINER
    product = np.concatenate([product[:, -_SLACK * _FINER :], product[:, : _SLACK * _FINER + 1]], axis=1)
    alike = max(product.max(axis=1), -product.min(axis=1), key=np.sum)  # the better of both polarities
    power_a, power_b = np.sum(x**2, axis=1), np.sum(y**2, axis=1)
    fits = alike > 0.5 * np.sqrt(power_a * power_b)
    kept = slice(0, n_pieces)
    if n_pieces > 2:
        kept = slice(int(not fits[0]), n_pieces - int(not fits[-1]))
    norm = float(np.sqrt(power_a[kept].sum() * power_b[kept].sum()))
    return (kept.stop - kept.start) / n_pieces, float(alike[kept].sum()) / norm if norm > 0 else 0.0
