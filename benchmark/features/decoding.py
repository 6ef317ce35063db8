"""Audio files to samples: soundfile decodes, channels are averaged, and what was cut or damaged is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.errors import BadAudio
from mirbench.types import Excerpt, FloatArray

__all__ = ["decode"]


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


def decode(excerpt: Excerpt) -> tuple[FloatArray, int]:
    """Samples of a stretch of a file, channels averaged, and their rate in Hz.

    Raises
    ------
    BadAudio
        If the file cannot be decoded, or is cut short.
    """
    import soundfile

    try:
        with soundfile.SoundFile(excerpt.path) as file:
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
