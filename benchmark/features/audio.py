"""Audio files to float32 mono windows: decode, resample with soxr, cut and pad.

Conventions: audio is float32 mono, full scale 1; times are seconds; a window is a fixed number of samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirbench.errors import NO_FILE, BadAudio
from mirbench.features.ahead import ahead
from mirbench.features.decoding import DecodeStretch, decode, hear, mono, of_channels
from mirbench.features.loudness import Tally, cancel, out_of_scale
from mirbench.features.memo import Memo, states
from mirbench.progress import Progress
from mirbench.types import Excerpt, FloatArray, Windowing

__all__ = [
    "MIN_SECONDS", "Facts", "Tally", "at_levels", "cancel", "crop", "cut", "file_peaks", "heard_rms", "heard_seconds",
    "memo_keys", "oddities", "out_of_scale", "read", "recorded", "survey", "window_starts",
]  # fmt: skip

MIN_SECONDS = 0.1
"""A stretch shorter than this holds nothing that a network could hear."""

_HOPPED = 16
_AHEAD = 64  # files that are looked at before their turn comes

SILENCE_PEAK = 1e-5
"""Under a third of one step of 16-bit audio."""

_KIND = "stretch3"  # another number where any field of `Facts` comes to mean something else, as when more is heard


_PEAK_KIND = "peak1"


class Facts(NamedTuple):
    """What looking at a stretch of a file once told, as it was recorded: before any change of level.

    Parameters
    ----------
    sha256 : str
        Of the bytes of the whole file.
    seconds : float
        Length of the stretch; 0 for a picture.
    peak, rms : float
        Largest absolute sample of the stretch and root of its mean square, full scale 1, channels averaged; 0 for a
        picture.
    rms_unrelated : float
        What `rms` would be if the channels had nothing in common; far above it, they cancel.
    n_parts : int
        Files that were joined in this one; 1 where a wrong length in its header was passed over, 0 where it was decoded
        as it is.
    """

    sha256: str
    seconds: float = 0.0
    peak: float = 0.0
    rms: float = 0.0
    rms_unrelated: float = 0.0
    n_parts: int = 0


def read(
    excerpt: Excerpt,
    sample_rate: int,
    change: Callable[[FloatArray, int], FloatArray] | None = None,
    decode: DecodeStretch = decode,
) -> FloatArray:
    """Decode a stretch of a file, average its channels, resample it.

    Parameters
    ----------
    excerpt : Excerpt
        File, start and duration in seconds; only this stretch is decoded. With peaks, the stretch is repeated, once at
        each level.
    sample_rate : int
        Of the result, in Hz.
    change : callable or None
        ``change(audio, rate)`` -> audio at the same rate, done before anything else.
    decode : callable
        Gives samples and rate of the stretch.

    Returns
    -------
    ndarray of float32, shape (n_samples,)

    Raises
    ------
    BadAudio
        If the file cannot be decoded.
    """
    import soxr

    audio, rate = decode(excerpt)
    if change is not None:
        audio = change(audio, rate)
    peak = float(np.max(np.abs(audio), initial=0.0))
    if rate != sample_rate:
        audio = soxr.resample(audio, rate, sample_rate).astype(np.float32, copy=False)
    return at_levels(audio, excerpt.peaks, peak)


def recorded(excerpt: Excerpt) -> tuple[FloatArray, int, Tally]:
    """A stretch of a file as it was recorded: samples, channels averaged; their rate in Hz; how loud the channels are.

    Raises
    ------
    BadAudio
        If the file cannot be decoded.
    """
    pieces, tally = [np.zeros(0, dtype=np.float32)], Tally()

    def take(_: int, block: FloatArray) -> None:
        heard = of_channels(block, excerpt)
        pieces.append(mono(heard))
        tally.add(heard)

    rate, _ = hear(excerpt.path, [(excerpt.start, excerpt.duration)], take)
    return np.concatenate(pieces), rate, tally


def at_levels(audio: FloatArray, peaks: Sequence[float], peak: float) -> FloatArray:
    """A signal once for each level in dBFS, one after the other; unchanged where none is given.

    Parameters
    ----------
    peak : float
        Absolute peak of the signal as it was recorded, which is brought to each of the levels.
    """
    if not peaks or peak == 0.0:
        return audio
    return np.concatenate([audio * np.float32(10 ** (level / 20) / peak) for level in peaks])


def heard_seconds(excerpt: Excerpt, facts: Facts) -> float:
    """Length of what is heard of a stretch: once for each of its levels."""
    return facts.seconds * max(1, len(excerpt.peaks))


def heard_rms(excerpt: Excerpt, facts: Facts) -> float:
    """Root mean square of what is heard of a stretch, at its levels."""
    if not excerpt.peaks or facts.peak == 0.0:
        return facts.rms
    gains = 10 ** (np.asarray(excerpt.peaks) / 20) / facts.peak
    return float(facts.rms * np.sqrt(np.mean(gains**2)))


def oddities(facts: Mapping[Excerpt, Facts]) -> list[str]:
    """A line for each stretch that can be used and hardly is what it should be: channels that cancel, wild samples."""
    found = {
        place: "; ".join(filter(None, (cancel(fact.rms, fact.rms_unrelated), out_of_scale(fact.peak))))
        for place, fact in facts.items()
    }
    return list(dict.fromkeys(f"{place.path}: {words}" for place, words in found.items() if words))


def window_starts(n_samples: int, window: int, windowing: Windowing) -> list[int]:
    """First samples of the windows of a clip; at least one window, the last padded where it hangs over.

    >>> window_starts(30 * 16000, 10 * 16000, Windowing())
    [0, 160000, 320000]
    >>> window_starts(24 * 16000, 10 * 16000, Windowing())
    [0, 160000]
    """
    if windowing.windows == "hopped16":
        hop = max(0, n_samples - window) // _HOPPED
        return [k * hop for k in range(_HOPPED)] if hop else [0]
    count = max(1, int(n_samples / window + 0.5))
    starts = [k * window for k in range(count)]
    if windowing.windows == "nonoverlap-plus-tail" and n_samples >= window:
        starts.append(n_samples - window)
    return starts


def cut(audio: FloatArray, starts: Sequence[int], window: int) -> FloatArray:
    """Windows of an audio signal, zero-padded at the end, shape (n_windows, window)."""
    windows = np.zeros((len(starts), window), dtype=np.float32)
    for row, start in enumerate(starts):
        piece = audio[start : start + window]
        windows[row, : len(piece)] = piece
    return windows


def crop(place: Excerpt, facts: Facts, sample_rate: int, seconds: float, offset: float) -> FloatArray:
    """A stretch of a clip, shape (round(seconds * sample_rate),), padded with zeros where the clip is shorter.

    Parameters
    ----------
    offset : float
        Where it begins: from 0, at the start of the clip, to 1, as late as it fits in.
    """
    window = round(seconds * sample_rate)
    start = offset * max(heard_seconds(place, facts) - seconds, 0.0)
    if len(place.peaks) > 1:  # a crop may begin at one level and end at another
        return cut(read(place, sample_rate), [round(start * sample_rate)], window)[0]
    length = seconds if place.duration is None else min(seconds, place.duration)
    piece = read(Excerpt(place.path, place.start + start, length, first_channel=place.first_channel), sample_rate)
    return cut(at_levels(piece, place.peaks, facts.peak), [0], window)[0]


def survey(
    excerpts: Sequence[Excerpt],
    memo: Path,
    progress: Progress,
    workers: int = 2,
    look: Callable[[Excerpt], Facts | str] | None = None,
    what: str = "audio",
) -> dict[Excerpt, Facts]:
    """Hash and decode every stretch once, and find all faults before any work is wasted.

    Parameters
    ----------
    excerpts : sequence of Excerpt
        The stretches to look at.
    memo : Path
        SQLite file that remembers answers by path, size and modification time.
    look : callable or None
        What tells the facts of one excerpt, or its fault in one line; None decodes audio.

    Raises
    ------
    BadAudio
        Naming every file that is missing, broken, empty, silent or too short.
    """
    found: dict[Excerpt, Facts] = {}
    faults: list[str] = []
    with Memo(memo, progress) as held:
        keys = memo_keys(excerpts)
        known = held.recall_all(_KIND, filter(None, keys.values()))
        found |= {excerpt: Facts(*known[key]) for excerpt, key in keys.items() if key in known}
        missing = [excerpt for excerpt in keys if excerpt not in found]
        jobs = _by_file(missing) if look is None else [[excerpt] for excerpt in missing]
        one_by_one = _look if look is None else lambda job: [look(job[0])]
        with ThreadPoolExecutor(workers) as pool, progress.bar(f"checking {what}", len(missing), "files") as step:
            answers = chain.from_iterable(ahead(pool, one_by_one, jobs, _AHEAD))
            for excerpt, answer in zip(chain.from_iterable(jobs), answers, strict=True):
                step(1)
                if isinstance(answer, str):
                    faults.append(answer)
                    continue
                found[excerpt] = answer
                held.keep(_KIND, keys[excerpt], list(answer))
    if faults:
        raise BadAudio(list(dict.fromkeys(faults)))
    return found


def file_peaks(paths: Iterable[Path], memo: Path, progress: Progress, workers: int = 2) -> dict[Path, float]:
    """The largest absolute sample of each file, in all of it and of all channels; 0 where it cannot be decoded.

    Parameters
    ----------
    memo : Path
        SQLite file that remembers answers by path, size and modification time.
    """
    found: dict[Path, float] = {}
    with Memo(memo, progress) as held:
        keys = {place.path: key for place, key in memo_keys(map(Excerpt, paths)).items()}
        known = held.recall_all(_PEAK_KIND, filter(None, keys.values()))
        found |= {path: float(known[key][0]) for path, key in keys.items() if key in known}
        missing = [path for path in keys if path not in found]
        with ThreadPoolExecutor(workers) as pool, progress.bar("finding peaks", len(missing), "files") as step:
            for path, peak in zip(missing, ahead(pool, _file_peak, missing, _AHEAD), strict=True):
                step(1)
                found[path] = peak
                if peak:
                    held.keep(_PEAK_KIND, keys[path], [peak])
    return found


def _file_peak(path: Path) -> float:
    peak = 0.0

    def take(_: int, block: FloatArray) -> None:
        nonlocal peak
        peak = float(np.maximum(peak, np.max(np.abs(block), initial=0.0)))

    try:
        hear(path, [(0.0, None)], take)
    except BadAudio:
        return 0.0
    return peak if np.isfinite(peak) else 0.0


def _by_file(places: Sequence[Excerpt]) -> list[list[Excerpt]]:
    """Stretches of the same file together, in the order of the files."""
    files: dict[Path, list[Excerpt]] = {}
    for place in places:
        files.setdefault(place.path, []).append(place)
    return list(files.values())


def memo_keys(excerpts: Iterable[Excerpt]) -> dict[Excerpt, str]:
    """What tells a stretch of a file on this machine from any other, for each; "" where there is no such file.

    Levels are not in it: what is remembered is about the stretch as it was recorded.
    """
    places = dict.fromkeys(excerpts)
    files = states(place.path for place in places)

    def key(place: Excerpt) -> str:
        channel = "|first channel" if place.first_channel else ""
        return f"{files[place.path]}|{place.start:.6f}|{place.duration}{channel}"

    return {place: key(place) if files[place.path] else "" for place in places}


def _look(places: Sequence[Excerpt]) -> list[Facts | str]:
    """Facts of stretches of one file, or one line saying what is wrong with it; hashed and decoded once."""
    path = places[0].path
    if not path.is_file():
        return [f"{path}: {NO_FILE}"] * len(places)
    if path.stat().st_size == 0:
        return [f"{path}: empty (0 bytes)"] * len(places)
    tallies = [Tally() for _ in places]
    try:
        stretches = [(place.start, place.duration) for place in places]
        rate, n_parts = hear(path, stretches, lambda n, block: tallies[n].add(of_channels(block, places[n])))
    except BadAudio as error:
        return [error.faults[0]] * len(places)
    faults = [_fault(place, tally, rate) for place, tally in zip(places, tallies, strict=True)]
    sha256 = ""
    if not all(faults):
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return [
        fault or Facts(sha256, tally.count / rate, tally.peak, tally.rms(), tally.rms_unrelated(), n_parts)
        for fault, tally in zip(faults, tallies, strict=True)
    ]


def _fault(place: Excerpt, tally: Tally, rate: int) -> str:
    """What makes a stretch that was decoded useless, or ""."""
    seconds = tally.count / rate
    if seconds < MIN_SECONDS:
        least = f"at least {MIN_SECONDS} s are needed"
        return f"{place.path}: too short ({seconds:.3f} s from {place.start:g} s on; {least})"
    if not np.isfinite(tally.peak):
        return f"{place.path}: broken (holds values that are not finite)"
    if tally.peak >= SILENCE_PEAK:
        return ""
    if tally.rms_unrelated() >= SILENCE_PEAK:
        return f"{place.path}: silent: {cancel(0.0, tally.rms_unrelated())}"
    return f"{place.path}: silent (peak {tally.peak:.1e} of full scale)"
