"""What the audit hears of a stretch of audio: a digest of its samples, level, clipping, and a fingerprint.

A picture is looked at instead, and only its file's digest is told. A stretch is decoded once: what was heard is
remembered in an SQLite file by path, size and modification time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mirbench.errors import NO_FILE, BadAudio
from mirbench.features import audio, pictures
from mirbench.features.memo import Memo
from mirbench.progress import Progress
from mirbench.tasks.audit import fingerprint
from mirbench.types import Excerpt, FloatArray

__all__ = ["Heard", "file_digest", "listen"]

_FULL_SCALE, _RUN = 0.999, 3  # a run is so many samples of at least this level in a row
_KIND = "heard3"  # another number where any field comes to mean something else, as when fingerprints change


@dataclass(frozen=True)
class Heard:
    """What listening to a stretch told.

    Parameters
    ----------
    digest : str
        SHA-256 of the rate and the samples in 16 bits, or of a picture's file.
    seconds : float
        Length of the stretch; 0 for a picture.
    peak : float
        Largest absolute sample, full scale 1, channels averaged; 1 for a picture, which is never silent.
    clipped : float
        Share of the samples that lie in runs at full scale.
    prints : bytes
        What `mirbench.tasks.audit.fingerprint.landmarks` returns.
    rms, rms_unrelated : float
        Those of `mirbench.features.audio.Facts`.
    """

    digest: str
    seconds: float = 0.0
    peak: float = 1.0
    clipped: float = 0.0
    prints: bytes = b""
    rms: float = 0.0
    rms_unrelated: float = 0.0


def listen(
    places: Iterable[Excerpt], picture: bool, memo: Path, progress: Progress, workers: int
) -> dict[Excerpt, Heard | str]:
    """What is heard of every stretch, or its fault in one line.

    Parameters
    ----------
    places : iterable of Excerpt
        The stretches; one that is named twice is heard once.
    picture : bool
        Whether they are pictures.
    memo : Path
        SQLite file that remembers what was heard; faults are not remembered.
    workers : int
        Threads.
    """
    answers: dict[Excerpt, Heard | str] = {}
    with Memo(memo, progress) as held:
        keys = _keys(sorted(set(places), key=lambda p: (str(p.path), p.start)))
        known = held.recall_all(_KIND, filter(None, keys.values()))
        for place, key in keys.items():
            if answer := known.get(key):
                answers[place] = Heard(**answer[0] | {"prints": bytes.fromhex(answer[0]["prints"])})
        missing = [place for place in keys if place not in answers]
        with ThreadPoolExecutor(workers) as pool, progress.bar("listening", len(missing), "clips") as step:
            for place, heard in zip(missing, pool.map(_look if picture else _hear, missing), strict=True):
                step(1)
                answers[place] = heard
                if isinstance(heard, Heard):
                    held.keep(_KIND, keys[place], [asdict(heard) | {"prints": heard.prints.hex()}])
    return answers


def _keys(places: Iterable[Excerpt]) -> dict[Excerpt, str]:
    return {place: f"{key}|{place.peaks}" if key else "" for place, key in audio.memo_keys(places).items()}


def _hear(place: Excerpt) -> Heard | str:
    import soxr

    if not place.path.is_file():
        return f"{place.path}: {NO_FILE}"
    try:
        samples, rate, tally = audio.recorded(place)
    except BadAudio as error:
        return error.faults[0]
    samples = audio.at_levels(samples, place.peaks, tally.peak)
    if not len(samples):
        return f"{place.path}: empty from {place.start:g} s on"
    peak = float(np.max(np.abs(samples)))
    if not np.isfinite(peak):
        return f"{place.path}: broken (holds values that are not finite)"
    steps = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2")
    digest = hashlib.sha256(f"{rate} ".encode() + steps.tobytes()).hexdigest()
    prints = fingerprint.landmarks(soxr.resample(samples, rate, fingerprint.RATE).astype(np.float32, copy=False))
    levels = (tally.rms(), tally.rms_unrelated())
    return Heard(digest, len(samples) / rate, peak, _clipped(samples), prints.tobytes(), *levels)


def _look(place: Excerpt) -> Heard | str:
    if not place.path.is_file():
        return f"{place.path}: {NO_FILE}"
    try:
        pictures.read(place.path)
    except BadAudio as error:
        return error.faults[0]
    return Heard(file_digest(place.path))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _clipped(samples: FloatArray) -> float:
    """Share of the samples that lie in runs at full scale."""
    full = np.abs(samples) >= _FULL_SCALE
    edges = np.flatnonzero(np.diff(full.astype(np.int8), prepend=0, append=0))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= _RUN].sum() / len(samples))
