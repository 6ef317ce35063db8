"""What a file is, by what it begins with: its layout where it is decoded, and a name for it where it is not."""

from __future__ import annotations

from pathlib import Path

from mirbench.features.containers import chunks, frames
from mirbench.features.containers.formats import MAGIC_BYTES, OTHERS, undecoded
from mirbench.features.containers.layout import FileBytes, Layout
from mirbench.features.containers.mp3 import after_id3, begins_mp3, mp3

__all__ = ["layout_of"]

_READERS = {
    b"RIFF": chunks.wave, b"RIFX": chunks.wave, b"RF64": chunks.wave, b"BW64": chunks.wave, b"FORM": chunks.aiff,
    b"riff": chunks.wave64, b"caff": chunks.caf, b".snd": chunks.au, b"dns.": chunks.au, b"OggS": frames.ogg,
}  # fmt: skip

_PIECE = 1 << 20


def layout_of(path: Path) -> Layout:
    """The layout of a file.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as stream:
        data = FileBytes(stream)
        if reader := _READERS.get(data(0, 4)):
            return reader(data)
        tag = after_id3(data, 0)
        if data(tag, 4) == b"fLaC":
            return frames.flac(data, tag)
        if words := _foreign(data, tag):
            return Layout(foreign=words)
        if tag or path.suffix.lower() == ".mp3" or begins_mp3(data):
            return mp3(data, tag)
    return Layout()


def _foreign(data: FileBytes, tag: int) -> str:
    """What a file is that is not decoded, and what to do; "" where this is not known."""
    for magic, words in OTHERS.items():
        if data(tag, len(magic)) == magic:
            return words
    if name := undecoded(data(tag, MAGIC_BYTES)):
        return f"{name}; convert it: `ffmpeg -i IN OUT.wav`"
    head = data(0, 4096)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "a web page; download the file again"
    if head and head.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "text, and no audio; if it was downloaded, download it again"
    if not any(data(n, _PIECE).strip(b"\x00") for n in range(0, data.size, _PIECE)):
        return "nothing but zeros; download or copy the file again"
    return ""
