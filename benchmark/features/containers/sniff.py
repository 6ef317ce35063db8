"""What a file is, by what it begins with: its layout where it is decoded, and a name for it where it is not."""

from __future__ import annotations

from pathlib import Path

from mirbench.features.containers import chunks, frames
from mirbench.features.containers.layout import FileBytes, Layout
from mirbench.features.containers.mp3 import after_id3, begins_mp3, mp3

__all__ = ["layout_of"]

_READERS = {
    b"RIFF": chunks.wave, b"RIFX": chunks.wave, b"RF64": chunks.wave, b"BW64": chunks.wave, b"FORM": chunks.aiff,
    b"riff": chunks.wave64, b"caff": chunks.caf, b".snd": chunks.au, b"dns.": chunks.au, b"OggS": frames.ogg,
}  # fmt: skip

_PIECE = 1 << 20
_AUDIO = "convert it: `ffmpeg -i IN OUT.wav`"
_FOREIGN = (
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", f"WMA; {_AUDIO}"),
    (0, b"\x1a\x45\xdf\xa3", f"Matroska or WebM; {_AUDIO}"),
    (4, b"ftyp", f"M4A or MP4 (AAC or ALAC); {_AUDIO}"),
    (0, b"\xff\xf1", f"AAC (ADTS); {_AUDIO}"),
    (0, b"\xff\xf9", f"AAC (ADTS); {_AUDIO}"),
    (0, b"\xff\xf0", f"AAC (ADTS); {_AUDIO}"),
    (0, b"\xff\xf8", f"AAC (ADTS); {_AUDIO}"),
    (0, b"ADIF", f"AAC (ADIF); {_AUDIO}"),
    (0, b"\x0b\x77", f"AC-3; {_AUDIO}"),
    (0, b"#!AMR", f"AMR; {_AUDIO}"),
    (0, b"MAC ", f"Monkey's Audio; {_AUDIO}"),
    (0, b"wvpk", f"WavPack; {_AUDIO}"),
    (0, b"TTA1", f"TTA; {_AUDIO}"),
    (0, b"MPCK", f"Musepack; {_AUDIO}"),
    (0, b"MP+", f"Musepack; {_AUDIO}"),
    (0, b"DSD ", f"DSF; {_AUDIO}"),
    (0, b"FLV\x01", f"Flash video; {_AUDIO}"),
    (0, b"MThd", "MIDI: notes, no sound; render it to audio"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; fetch what it points to: `git lfs pull`"),
    (0, b"/annex/objects/", "a pointer of git-annex; fetch what it points to: `git annex get`"),
    (0, b"\x1f\x8b", "compressed by gzip; unpack it"),
    (0, b"PK\x03\x04", "a ZIP archive; unpack it"),
    (0, b"BZh", "compressed by bzip2; unpack it"),
    (0, b"\xfd7zXZ", "compressed by xz; unpack it"),
    (0, b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (0, b"Rar!", "a RAR archive; unpack it"),
    (0, b"%PDF", "a PDF"),
    (0, b"\x89PNG", "a picture (PNG)"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)"),
    (0, b"GIF8", "a picture (GIF)"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array"),
)  # fmt: skip


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
    for place, magic, words in _FOREIGN:
        if data(tag + place, len(magic)) == magic:
            return words
    head = data(0, 4096)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "a web page; download the file again"
    if head and head.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "text; download the file again"
    if not any(data(n, _PIECE).strip(b"\x00") for n in range(0, data.size, _PIECE)):
        return "nothing but zeros; download or copy the file again"
    return ""
