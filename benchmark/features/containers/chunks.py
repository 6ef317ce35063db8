"""Files made of chunks (WAV, RF64, W64, AIFF, CAF, AU): where their audio ends, by the header and in fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mirbench.features.containers.layout import FileBytes, Layout, Part, is_placeholder

__all__ = ["aiff", "au", "caf", "wave", "wave64"]

Order = Literal["little", "big"]
_HEADER = 44
"""Bytes of the header of a WAV file, which some programs count as audio."""
_STRAY = 1 << 16
"""Bytes after the audio that are no chunk, and may be forgotten: more of them are audio that no length tells of."""

_AU_HEAD = 24  # bytes


@dataclass(frozen=True)
class _Length:
    """A length as it stands in a header: where, in how many bytes, and how much of it is no audio."""

    place: int
    width: int
    order: Order
    own: int = 0

    def read(self, data: FileBytes) -> int:
        return data.number(self.place, self.width, self.order) - self.own

    def patch(self, length: int) -> tuple[int, bytes]:
        """What should stand there, or the most that can."""
        return self.place, min(length + self.own, 256**self.width - 1).to_bytes(self.width, self.order)


@dataclass(frozen=True)
class _Chunks:
    """How chunks are written.

    Parameters
    ----------
    head : int
        Bytes before the first.
    audio : bytes
        Name of the chunk that holds samples.
    name, width : int
        Bytes of a name and of a length.
    order : str
        Of the bytes of a length.
    filled : int
        A chunk is filled up to a multiple of this.
    own : int
        What a length counts besides the chunk's content.
    lead : int
        Bytes of the audio's chunk before the first sample.
    """

    head: int
    audio: bytes
    name: int
    width: int
    order: Order
    filled: int
    own: int = 0
    lead: int = 0

    def walk(self, data: FileBytes, at: int) -> Iterator[tuple[bytes, _Length, int]]:
        """Name, length and first byte of the chunks from `at` on."""
        while at + self.name + self.width <= data.size:
            length = _Length(at + self.name, self.width, self.order, self.own)
            body = at + self.name + self.width
            yield data(at, 4), length, body
            count = max(0, length.read(data))
            at = body + count + -count % self.filled


@dataclass(frozen=True)
class _Audio:
    """Where the audio of a file begins, its length by the header (-1: none told), and where other chunks follow it."""

    begin: int
    told: int
    length: _Length
    after: Callable[[], Iterator[int]]


def wave(data: FileBytes) -> Layout:
    """RIFF, RIFX, RF64 and BW64."""

    def begins(at: int) -> bool:
        return data(at, 4) in (b"RIFF", b"RIFX", b"RF64", b"BW64") and data(at + 8, 4) == b"WAVE"

    return _layout(data, lambda first: _wave_audio(data, first), begins, (b"WAVEfmt ", 8))


def _wave_audio(data: FileBytes, first: int) -> _Audio | None:
    kind = _Chunks(12, b"data", 4, 4, "little", 2)
    if data(first, 4) == b"RIFX":
        kind = replace(kind, order="big")
    elif data(first, 4) in (b"RF64", b"BW64"):
        for name, length, body in kind.walk(data, first + kind.head):
            if name == b"ds64":
                return _audio(data, first, kind, _Length(body + 8, 8, "little"))
            if name == b"data" or length.read(data) == 0xFFFFFFFF:
                break
    return _audio(data, first, kind)


def aiff(data: FileBytes) -> Layout:
    """AIFF and AIFF-C."""

    def begins(at: int) -> bool:
        return data(at, 4) == b"FORM" and data(at + 8, 3) == b"AIF"

    kind = _Chunks(12, b"SSND", 4, 4, "big", 2, lead=8)
    return _layout(data, lambda first: _audio(data, first, kind), begins, (b"AIF", 8))


def caf(data: FileBytes) -> Layout:
    """Core Audio Format, where a length of -1 is allowed."""
    kind = _Chunks(8, b"data", 4, 8, "big", 1, lead=4)
    return _layout(data, lambda first: _audio(data, first, kind), lambda at: data(at, 4) == b"caff", (b"caff", 0))


def wave64(data: FileBytes) -> Layout:
    """Sony Wave64, whose lengths count the heads of chunks."""
    kind = _Chunks(40, b"data", 16, 8, "little", 8, own=24)
    found = _layout(
        data, lambda first: _audio(data, first, kind), lambda at: data(at, 8) == b"riff.\x91\xcf\x11", (b"riff.\x91", 0)
    )
    end = data.number(16, 8)
    if not found.parts and not found.fault and kind.head < end < data.size:
        return Layout((Part(0, end),))  # what stands after it would be taken for audio
    return found


def au(data: FileBytes) -> Layout:
    """AU of both byte orders."""

    def audio(first: int) -> _Audio | None:
        order: Order = "big" if data(first, 4) == b".snd" else "little"
        length = _Length(first + 8, 4, order)
        begin = first + data.number(first + 4, 4, order)
        if begin < first + _AU_HEAD:  # else this file would be taken for the one after it, for ever
            return None
        told = _told(data, begin, length.read(data))
        return _Audio(begin, told, length, lambda: iter((begin + told,)))

    return _layout(data, audio, lambda at: data(at, 4) in (b".snd", b"dns."), (b".snd\x00\x00\x00", 0))


def _audio(data: FileBytes, first: int, kind: _Chunks, long: _Length | None = None) -> _Audio | None:
    """The chunk that holds the audio of a file that begins at `first`; `long` is where RF64 keeps its length."""
    for name, length, body in kind.walk(data, first + kind.head):
        if name == kind.audio:
            if long and length.read(data) == 0xFFFFFFFF:
                length = long
            told = _told(data, body, length.read(data), kind.lead)
            end = body + told + -told % kind.filled

            def after(end: int = end) -> Iterator[int]:
                yield end
                for _, later, begin in kind.walk(data, end):
                    count = max(0, later.read(data))
                    yield begin + count + -count % kind.filled

            return _Audio(body, told, length, after)
    return None


def _told(data: FileBytes, begin: int, length: int, lead: int = 0) -> int:
    """A length by the header, -1 where it tells none: a placeholder, or that of no samples, after which some come."""
    if length <= lead:
        first = begin + lead
        return max(length, 0) if data(first, 4).isalpha() or first >= data.size else -1
    return -1 if is_placeholder(length) and begin + length > data.size else length


def _layout(
    data: FileBytes, audio: Callable[[int], _Audio | None], begins: Callable[[int], bool], mark: tuple[bytes, int]
) -> Layout:
    """Layout of files that stand one after the other, each of which says where its audio ends.

    Parameters
    ----------
    audio : callable
        ``audio(first)`` finds the audio of the file that begins at `first`.
    begins : callable
        Whether a file begins at a place.
    mark : (bytes, int)
        Bytes, and how far they stand after the beginning of a file: they are looked for where no length is told.
    """
    parts: list[Part] = []
    first = 0
    while first >= 0:
        found = audio(first)
        if found is None:
            return (
                Layout(fault=f"cut short in the header of the {len(parts) + 1}. of several files")
                if parts
                else Layout()
            )
        after = _next(data, found, begins, mark)
        end = after if after >= 0 else data.size
        there = end - found.begin
        if after < 0 <= found.told and (stray := _stray(data, found)):
            return Layout(
                fault=f"its header tells of {found.told} bytes of audio, and {stray} more follow that are no chunk; "
                "where they are audio, `sox --ignore-length IN OUT.wav` keeps them"
            )
        if found.told > there + _HEADER:
            return Layout(
                fault=f"cut short: its header tells of {found.told} bytes of audio, {max(there, 0)} are there"
            )
        parts.append(Part(first, end, () if found.told >= 0 else (found.length.patch(there),)))
        first = after
    return Layout(tuple(parts)) if len(parts) > 1 or parts[0].patches else Layout()


def _stray(data: FileBytes, found: _Audio) -> int:
    """Bytes after the last chunk that are none, and too many to be forgotten; as where a length is of 32 bits."""
    end = next(iter(found.after()))
    name = data(end, 4)
    rest = data.size - end
    is_chunk = all(32 <= byte < 127 for byte in name) or name.startswith((b"\0", b"ID3"))
    return 0 if is_chunk or rest < max(_STRAY, found.told // 16) else rest


def _next(data: FileBytes, found: _Audio, begins: Callable[[int], bool], mark: tuple[bytes, int]) -> int:
    """Where the file after this one begins, or -1."""
    if found.told >= 0:
        return next((at + pad for at in found.after() for pad in (0, 1) if begins(at + pad)), -1)
    word, back = mark
    at = data.find(word, found.begin)
    while at >= 0 and not begins(at - back):
        at = data.find(word, at + 1)
    return at - back if at >= 0 else -1
