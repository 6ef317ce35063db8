"""Audio files to samples, a block at a time, whole or said: soundfile decodes, and what is cut or damaged is refused.

A length in a header is a hint: it never decides how much memory is taken, nor where a file ends that goes on.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mirbench.errors import BadAudio
from mirbench.features.containers.layout import FileBytes, Part
from mirbench.features.containers.mp3 import after_id3
from mirbench.features.containers.sniff import layout_of
from mirbench.features.quiet import without_decoder_lines
from mirbench.places import in_bytes
from mirbench.types import Excerpt, FloatArray

__all__ = ["DecodeStretch", "Heard", "Stretch", "decode", "hear", "heard", "mono", "of_channels"]

_BLOCK = 1 << 17
"""Samples of each channel that are decoded at a time."""

_STRAIGHT = (
    "GSM610", "G721_32", "G723_24", "G723_40", "DWVW_12", "DWVW_16", "DWVW_24", "NMS_ADPCM_16", "NMS_ADPCM_24",
    "NMS_ADPCM_32", "VORBIS",
)  # fmt: skip
"""Codecs in which libsndfile finds no place but the beginning, or some places wrongly (Vorbis)."""

Stretch = tuple[float, float | None]
"""Start and duration in seconds; None is to the end of the file."""

Take = Callable[[int, FloatArray], None]
"""``take(number of the stretch, samples (n, channels))``, called with one block after the other."""

DecodeStretch = Callable[[Excerpt], tuple[FloatArray, int]]
"""Samples of a stretch of a file, channels averaged or the first alone, and their rate in Hz."""


def decode(excerpt: Excerpt) -> tuple[FloatArray, int]:
    """Samples of a stretch of a file, channels averaged or the first alone, and their rate in Hz.

    Raises
    ------
    BadAudio
        If the file cannot be decoded, or is cut or damaged.
    """
    pieces: list[FloatArray] = []

    def take(_: int, block: FloatArray) -> None:
        pieces.append(mono(of_channels(block, excerpt)))

    rate, _ = hear(excerpt.path, [(excerpt.start, excerpt.duration)], take)
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32), rate


def of_channels(block: FloatArray, excerpt: Excerpt) -> FloatArray:
    """The channels of a block (n, channels) that are heard of a stretch: all, or the first."""
    return block[:, :1] if excerpt.first_channel else block


def mono(block: FloatArray) -> FloatArray:
    """The mean of the channels of a block (n, channels)."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is found by whoever looks for them
        return np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))


def hear(path: Path, stretches: Sequence[Stretch], take: Take) -> tuple[int, int]:
    """Decode stretches of a file, in one pass where its decoder begins at the beginning.

    Parameters
    ----------
    stretches : sequence of (float, float or None)
        Start and duration of each in seconds; None is to the end of the file.
    take : callable
        Is given the blocks of each stretch in order.

    Returns
    -------
    rate, n_parts : int
        In Hz, and how many files were joined in this one; 0 where it was decoded as it is.

    Raises
    ------
    BadAudio
        If the file cannot be decoded, or is cut or damaged.
    """
    pieces = heard(path, stretches)
    opened = next(pieces)
    for piece in pieces:
        if piece.stretch is not None:
            take(piece.stretch, piece.block)
    return opened.rate, opened.n_parts


class Heard(NamedTuple):
    """A piece of what is heard of a file."""

    stretch: int | None
    """Which of those that were asked for; None where the file was opened, and nothing was heard yet."""
    block: FloatArray
    """Samples (n, channels)."""
    rate: int
    """In Hz."""
    n_parts: int
    """How many files were joined in this one; 0 where it was decoded as it is."""


def heard(path: Path, stretches: Sequence[Stretch]) -> Iterator[Heard]:
    """What `hear` hands over, as it is asked for; the file is open until the last of it, or until this is closed."""
    with _faults_of(path):
        layout = layout_of(path)
    if layout.foreign or layout.fault:
        raise BadAudio([f"{path}: {layout.foreign or f'broken ({layout.fault})'}"])
    with _faults_of(path, layout.suspected), _opened(path, layout.parts[0] if layout.parts else None) as file:
        rate, n_parts = int(file.samplerate), len(layout.parts)
        yield Heard(None, np.zeros((0, file.channels), dtype=np.float32), rate, n_parts)
        spans = [_span(stretch, rate, None if n_parts > 1 else file.frames) for stretch in stretches]
        if n_parts > 1 or file.format == "MP3" or file.subtype in _STRAIGHT or not any(first for first, _ in spans):
            end = None if any(last is None for _, last in spans) else max((last or 0 for _, last in spans), default=0)
            found = _shares(_from_beginning(path, file, layout.parts, end), spans)
        else:
            found = _sought(file, spans)
        for number, block in found:
            yield Heard(number, block, rate, n_parts)


def _span(stretch: Stretch, rate: int, frames: int | None) -> tuple[int, int | None]:
    """First sample of a stretch, not past the end, and the sample after its last."""
    start, duration = stretch
    first = round(start * rate) if frames is None else min(round(start * rate), frames)
    return first, None if duration is None else first + round(duration * rate)


def _sought(file: Any, spans: Sequence[tuple[int, int | None]]) -> Iterator[tuple[int, FloatArray]]:
    """Blocks of each stretch, one stretch after the other."""
    for number, (first, last) in enumerate(spans):
        file.seek(first)
        for block in _blocks(file, first, last):
            yield number, block


def _shares(blocks: Iterable[FloatArray], spans: Sequence[tuple[int, int | None]]) -> Iterator[tuple[int, FloatArray]]:
    """What each stretch has of blocks that follow one another from the first sample on."""
    ahead, here, at = deque(sorted(range(len(spans)), key=lambda number: spans[number][0])), list[int](), 0
    for block in blocks:
        while ahead and spans[ahead[0]][0] < at + len(block):
            here.append(ahead.popleft())
        for number in here:
            first, last = spans[number]
            if len(share := block[max(first - at, 0) : len(block) if last is None else max(last - at, 0)]):
                yield number, share
        at += len(block)
        here = [number for number in here if (last := spans[number][1]) is None or last > at]


def _from_beginning(path: Path, file: Any, parts: Sequence[Part], end: int | None) -> Iterator[FloatArray]:
    """Blocks of all parts of a file, of which the first is open, at the rate of the first, until `end` is reached."""
    import soxr

    rate, at = file.samplerate, 0
    for number, part in enumerate(parts or (None,)):
        if end is not None and at >= end:
            return
        with nullcontext(file) if number == 0 else _opened(path, part) as here:
            if here.samplerate == rate:
                blocks = _blocks(here, 0, None if end is None else end - at)
            else:
                whole = np.concatenate(list(_blocks(here, 0, None)))
                blocks = iter((soxr.resample(whole, here.samplerate, rate).astype(np.float32, copy=False),))
            for block in blocks:
                at += len(block)
                yield block


def _blocks(file: Any, first: int, last: int | None) -> Iterator[FloatArray]:
    """Blocks of a file that stands at sample `first`, up to `last` or to its end.

    Raises
    ------
    BadAudio
        If it ends too early, or its decoder lost its place.
    """
    wanted = (file.frames if last is None else min(last, file.frames)) - first
    file.seekable = lambda: False  # else soundfile seeks after each block, which some codecs cannot
    heard = 0
    while heard < wanted:
        try:
            with without_decoder_lines() if file.format == "MP3" else nullcontext():
                block = file.read(min(_BLOCK, wanted - heard), dtype="float32", always_2d=True)
        except (RuntimeError, OSError) as error:
            raise _Damaged(f"damaged in the middle: {_reason(error)}") from error
        if not len(block):
            break
        heard += len(block)
        yield block
    if heard < 0.95 * wanted and (file.format != "MP3" or _declares_length(file.name)):
        raise _Damaged("cut short")
    if "synchronisation error" in file.extra_info:  # of ADPCM
        raise _Damaged("damaged in the middle: its blocks are out of step")


class _Damaged(Exception):
    """What is wrong with the samples of a file."""


class _PartFile(io.RawIOBase):
    """Some bytes of a file, with others before them, or in the place of those of its header that are wrong."""

    def __init__(self, path: Path, part: Part) -> None:
        self._stream, self._part, self._at = path.open("rb"), part, 0
        self._length = len(part.lead) + part.last - part.first

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._at, self._length)[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        lead = self._part.lead[self._at :]
        content = lead[: len(buffer)] or self._from_file(
            self._part.first + self._at - len(self._part.lead), len(buffer)
        )
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def _from_file(self, place: int, count: int) -> bytes:
        self._stream.seek(place)
        content = bytearray(self._stream.read(max(0, min(count, self._part.last - place))))
        for at, patch in self._part.patches:
            for k, byte in enumerate(patch, at - place):
                if 0 <= k < len(content):
                    content[k] = byte
        return bytes(content)

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def _opened(path: Path, part: Part | None) -> Iterator[Any]:
    """A file, or a part of it, open for decoding.

    Raises
    ------
    _Damaged
        If it has no header.
    """
    import soundfile

    with ExitStack() as stack:
        source = in_bytes(path) if part is None else stack.enter_context(_PartFile(path, part))
        with without_decoder_lines():
            file = stack.enter_context(soundfile.SoundFile(source))
        if file.format == "RAW":  # a guess for an .au without a header
            raise _Damaged("no header")
        yield file


@contextmanager
def _faults_of(path: Path, suspected: str = "") -> Iterator[None]:
    """Say what is wrong with a file in one line that names it."""
    try:
        yield
    except _Damaged as error:
        raise BadAudio([f"{path}: broken ({suspected or error})"]) from error
    except PermissionError as error:
        raise BadAudio([f"{path}: no permission to read it"]) from error
    except (RuntimeError, OSError) as error:
        reason = suspected if suspected and isinstance(error, RuntimeError) else _reason(error)
        if path.is_file() and "does not exist" in reason:
            reason = "no MP3 frame in it"
        raise BadAudio([f"{path}: broken, or not audio ({reason})"]) from error


def _reason(error: Exception) -> str:
    return str(error).rpartition(": ")[2].strip() or type(error).__name__


def _declares_length(mp3: bytes | str | _PartFile) -> bool:
    """Whether an MP3 says how many frames it has; without that, libsndfile guesses from the size, tags included."""
    if isinstance(mp3, _PartFile):  # its frames were counted
        return False
    with open(mp3, "rb") as stream:
        data = FileBytes(stream)
        return any(word in data(after_id3(data, 0), 256) for word in (b"Xing", b"Info", b"VBRI"))
