"""Audio files to float32 mono windows: decode with soundfile, resample with soxr, cut and pad.

Conventions: audio is float32 mono, full scale 1; times are seconds; a window is a fixed number of samples.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.errors import BadAudio
from mirbench.places import in_bytes, written
from mirbench.progress import Progress
from mirbench.types import Excerpt, FloatArray, Windowing

__all__ = [
    "MIN_SECONDS", "SUFFIXES", "Facts", "at_levels", "cut", "heard_rms", "heard_seconds", "memo_key", "read", "survey",
    "window_starts",
]  # fmt: skip

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".snd", ".w64", ".caf")
"""What libsndfile decodes."""

MIN_SECONDS = 0.1
"""A stretch shorter than this holds nothing that a network could hear."""

_HOPPED = 16

SILENCE_PEAK = 1e-5
"""Under a third of one step of 16-bit audio."""

_TABLE = "CREATE TABLE IF NOT EXISTS stretches (key TEXT PRIMARY KEY, sha256 TEXT, seconds REAL, peak REAL, rms REAL)"


@dataclass(frozen=True)
class Facts:
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
    """

    sha256: str
    seconds: float = 0.0
    peak: float = 0.0
    rms: float = 0.0


def read(
    excerpt: Excerpt, sample_rate: int, change: Callable[[FloatArray, int], FloatArray] | None = None
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

    Returns
    -------
    ndarray of float32, shape (n_samples,)

    Raises
    ------
    BadAudio
        If the file cannot be decoded.
    """
    import soxr

    audio, rate = _decode(excerpt)
    if change is not None:
        audio = change(audio, rate)
    peak = float(np.max(np.abs(audio), initial=0.0))
    if rate != sample_rate:
        audio = soxr.resample(audio, rate, sample_rate).astype(np.float32, copy=False)
    return at_levels(audio, excerpt.peaks, peak)


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
    memo.parent.mkdir(parents=True, exist_ok=True)
    found: dict[Excerpt, Facts] = {}
    faults: list[str] = []
    database = sqlite3.connect(memo, timeout=60)
    try:
        database.execute(_TABLE)
        keys = {excerpt: memo_key(excerpt) for excerpt in excerpts}
        found |= {e: facts for e, key in keys.items() if key and (facts := _recall(database, key))}
        missing = [excerpt for excerpt in keys if excerpt not in found]
        with ThreadPoolExecutor(workers) as pool, progress.bar(f"checking {what}", len(missing), "files") as step:
            for excerpt, answer in zip(missing, pool.map(look or _look, missing), strict=True):
                step(1)
                if isinstance(answer, str):
                    faults.append(answer)
                    continue
                found[excerpt] = answer
                database.execute(
                    "INSERT OR REPLACE INTO stretches VALUES (?, ?, ?, ?, ?)",
                    (keys[excerpt], answer.sha256, answer.seconds, answer.peak, answer.rms),
                )
    finally:
        database.commit()  # an interrupt keeps what was learnt
        database.close()
    if faults:
        raise BadAudio(faults)
    return found


def _recall(database: sqlite3.Connection, key: str) -> Facts | None:
    row = database.execute("SELECT sha256, seconds, peak, rms FROM stretches WHERE key = ?", (key,)).fetchone()
    return Facts(*row) if row else None


def memo_key(excerpt: Excerpt) -> str:
    """What tells a stretch of a file on this machine from any other: path, size, time of change; "" where it is not.

    Levels are not in it: what is remembered is about the stretch as it was recorded.
    """
    try:
        status = excerpt.path.stat()
    except OSError:
        return ""
    where = written(excerpt.path.resolve())
    return f"{where}|{status.st_size}|{status.st_mtime_ns}|{excerpt.start:.6f}|{excerpt.duration}"


def _look(excerpt: Excerpt) -> Facts | str:
    """Facts of a stretch, or one line saying what is wrong with it."""
    path = excerpt.path
    if not path.is_file():
        return f"{path}: no such file"
    if path.stat().st_size == 0:
        return f"{path}: empty (0 bytes)"
    try:
        audio, rate = _decode(excerpt)
    except BadAudio as error:
        return error.faults[0]
    seconds = len(audio) / rate
    if seconds < MIN_SECONDS:
        return f"{path}: too short ({seconds:.3f} s from {excerpt.start:g} s on; at least {MIN_SECONDS} s are needed)"
    peak = float(np.max(np.abs(audio)))
    if not np.isfinite(peak):
        return f"{path}: broken (holds values that are not finite)"
    if peak < SILENCE_PEAK:
        return f"{path}: silent (peak {peak:.1e} of full scale)"
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Facts(sha256, seconds, peak, float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))))


def _shape_fault(file: Any) -> str:
    """What libsndfile noticed and did not refuse."""
    if file.format == "RAW":  # its guess for an .au without a header
        return "no header"
    streamed = re.search(r"(?i)(: 0xffffffff|: 4294967295|: 0) \(should be", file.extra_info)
    short = re.search(r"data : \d+ \(should be|Data Size +: \d+ \(should be|SSND : \d+ \(should be", file.extra_info)
    if (short and not streamed) or "lacks an end-of-stream" in file.extra_info:
        return "cut short"
    return ""


def _declares_length(mp3: Path) -> bool:
    """Whether an MP3 says how many frames it has; without that, libsndfile guesses from the size, tags included."""
    with mp3.open("rb") as stream:
        head = stream.read(10)
        tag = sum((byte & 127) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False))
        stream.seek(10 + tag if head.startswith(b"ID3") else 0)
        frame = stream.read(256)
    return any(word in frame for word in (b"Xing", b"Info", b"VBRI"))


def _decode(excerpt: Excerpt) -> tuple[FloatArray, int]:
    import soundfile

    try:
        with soundfile.SoundFile(in_bytes(excerpt.path)) as file:
            rate = int(file.samplerate)
            fault = _shape_fault(file)
            first = min(round(excerpt.start * rate), file.frames)
            last = file.frames if excerpt.duration is None else first + round(excerpt.duration * rate)
            # an MP3 is decoded from its beginning: after a jump its first frames lack what earlier ones hold
            jump = 0 if file.format == "MP3" else first
            file.seek(jump)
            audio = file.read(last - jump, dtype="float32", always_2d=True)[first - jump :]
            short = len(audio) < 0.95 * (min(last, file.frames) - first)
            if not fault and short and (file.format != "MP3" or _declares_length(excerpt.path)):
                fault = "cut short"
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        reason = str(error).rpartition(": ")[2].strip() or type(error).__name__
        if excerpt.path.is_file() and "does not exist" in reason:
            reason = "no MP3 frame in it"
        raise BadAudio([f"{excerpt.path}: broken, or not audio ({reason})"]) from error
    if fault:
        raise BadAudio([f"{excerpt.path}: broken ({fault})"])
    with np.errstate(invalid="ignore"):  # infinities that cancel are found by `survey`
        return np.ascontiguousarray(audio.mean(axis=1, dtype=np.float32)), rate
