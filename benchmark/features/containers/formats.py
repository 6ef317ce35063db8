"""The bytes by which files begin that mirbench does not decode, and what each is called."""

from __future__ import annotations

__all__ = ["MAGIC_BYTES", "OTHERS", "undecoded"]

MAGIC_BYTES = 8
"""How many bytes of a file tell its format, at the most."""

_UNDECODED = (
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (4, b"ftyp", "M4A or MP4 (AAC or ALAC)"),
    (0, b"\xff\xf0", "AAC (ADTS)"),
    (0, b"\xff\xf1", "AAC (ADTS)"),
    (0, b"\xff\xf8", "AAC (ADTS)"),
    (0, b"\xff\xf9", "AAC (ADTS)"),
    (0, b"ADIF", "AAC (ADIF)"),
    (0, b"\x0b\x77", "AC-3"),
    (0, b"#!AMR", "AMR"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA1", "TTA"),
    (0, b"TTA2", "TTA"),
    (0, b"tBaK", "TAK"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"DSD ", "DSF"),
    (0, b"FRM8", "DSDIFF"),
    (0, b"ajkg", "Shorten"),
    (0, b".RMF", "RealMedia"),
    (0, b"FLV\x01", "Flash video"),
)
"""Sound: where the bytes stand, the bytes, and the format."""

OTHERS = {
    b"MThd": "MIDI: notes, no sound; render it to audio",
    b"version https://git-lfs": "a pointer of Git LFS; fetch what it points to: `git lfs pull`",
    b"/annex/objects/": "a pointer of git-annex; fetch what it points to: `git annex get`",
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"PK\x03\x04": "a ZIP archive; unpack it",
    b"BZh": "compressed by bzip2; unpack it",
    b"\xfd7zXZ": "compressed by xz; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
}
"""What is no sound, by its first bytes, and what to do where something can be done."""


def undecoded(head: bytes) -> str:
    """The format of sound that is not decoded here, by the first bytes of a file; "" for anything else."""
    return next((name for place, magic, name in _UNDECODED if head[place : place + len(magic)] == magic), "")
