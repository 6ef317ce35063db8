"""What a layout is, and the bytes of a file.

Decoders believe headers. They hear the first of several files that were joined, nothing of a recording whose length was
never written down, and as much as there is of one that was cut.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["FileBytes", "Layout", "Part", "is_placeholder"]

_PIECE = 1 << 20
_PLACEHOLDERS = ((0x7F000000, 0x7F001000), (0x7FFF0000, 0x80010000), (0xFFFF0000, 1 << 32), (1 << 62, 1 << 64))
"""Lengths that programs write into a pipe, for want of a better one: those of SoX, arecord, ffmpeg, mplayer, lame."""


@dataclass(frozen=True)
class Part:
    """Bytes that one decoder reads as a file of their own.

    Parameters
    ----------
    first, last : int
        Where they begin, and where they have ended.
    patches : tuple of (int, bytes)
        Places in the file, and what a decoder should find there instead: a length that is true.
    lead : bytes
        What a decoder should find before them: a length where the file has no place for one.
    """

    first: int
    last: int
    patches: tuple[tuple[int, bytes], ...] = ()
    lead: bytes = b""


@dataclass(frozen=True)
class Layout:
    """What is known of a file before it is decoded.

    Parameters
    ----------
    parts : tuple of Part
        What it was joined of, in order; empty where it is decoded as it is.
    fault : str
        What is cut or damaged, or "".
    foreign : str
        What it is where it is of no kind that is decoded, and what to do; or "".
    suspected : str
        What is wrong if it turns out that it cannot be decoded, or "".
    """

    parts: tuple[Part, ...] = ()
    fault: str = ""
    foreign: str = ""
    suspected: str = ""


class FileBytes:
    """The bytes of a file, of which few are held at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = os.fstat(stream.fileno()).st_size
        self._first, self._held = 0, b""

    def __call__(self, first: int, count: int) -> bytes:
        """`count` bytes from `first` on, fewer where the file ends; none before its beginning."""
        if (count := min(count, self.size - first)) <= 0 or first < 0:
            return b""
        begin = first - self._first
        if begin < 0 or begin + count > len(self._held):
            self._stream.seek(first)
            self._first, self._held, begin = first, self._stream.read(max(count, _PIECE)), 0
        return self._held[begin : begin + count]

    def number(self, first: int, count: int, order: str = "little") -> int:
        """An unsigned integer."""
        return int.from_bytes(self(first, count), "big" if order == "big" else "little")

    def find(self, word: bytes, first: int) -> int:
        """Where `word` is next, from `first` on; -1 if nowhere."""
        while first + len(word) <= self.size:
            piece = self(first, _PIECE)
            if (place := piece.find(word)) >= 0:
                return first + place
            if len(piece) < _PIECE:
                break
            first += len(piece) - len(word) + 1
        return -1


def is_placeholder(length: int) -> bool:
    """Whether a length in a header says that it was not known."""
    return any(low <= length < high for low, high in _PLACEHOLDERS)
