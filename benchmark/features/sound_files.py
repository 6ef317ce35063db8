"""What a file is, by its name and its first bytes: sound that can be decoded, sound that cannot, or something else.

A name decides where it can; a file whose name says nothing is looked into. Nothing is decoded here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from mirbench.features import pictures
from mirbench.features.containers.formats import undecoded

__all__ = ["SUFFIXES", "Kind", "is_called_sound", "is_document", "is_pointer", "kind_of", "suffix_of"]

Kind = Literal["sound", "misnamed", "undecoded", "document", "unknown"]
"""Decoded here; decoded too, but not called as sound is; sound that is not decoded here; a text, table or picture."""

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".snd", ".w64", ".caf")
"""What files of sound are usually called that are decoded here."""

_ALSO_DECODED = (".wave", ".bwf", ".rf64", ".sph", ".mp1", ".mp2", ".mpa", ".mpga")

_UNDECODED = (
    ".m4a", ".m4b", ".m4p", ".aac", ".adts", ".alac", ".wma", ".asf", ".ape", ".mpc", ".wv", ".tta", ".tak", ".ofr",
    ".spx", ".amr", ".awb", ".3gp", ".3g2", ".ra", ".ram", ".rm", ".ac3", ".eac3", ".dts", ".thd", ".mka", ".dsf",
    ".dff", ".shn", ".gsm", ".pcm", ".mp4", ".mkv", ".webm", ".mov", ".avi", ".flv",
)  # fmt: skip

_DOCUMENTS = (
    ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".html", ".htm",
    ".pdf", ".rtf", ".doc", ".docx", ".odt", ".xls", ".xlsx", ".lab", ".nfo", ".cue", ".log", ".m3u", ".m3u8", ".lrc",
    ".db", ".url", ".lnk", ".md5", ".sha1", ".sha256", ".sfv", ".svg", ".heic", *pictures.SUFFIXES,
    ".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".parquet", ".feather", ".arff", ".jams",
    ".pt", ".pth", ".ckpt", ".onnx", ".safetensors", ".tflite", ".py", ".pyc", ".ipynb", ".sh", ".bat", ".exe", ".dll",
    ".pk", ".pkf", ".asd", ".reapeaks", ".sqlite",
)  # fmt: skip
"""Texts, tables, pictures, features, models and programs, which lie beside sound everywhere and are passed by."""

_DECODED_STARTS = (b"RF64", b"fLaC", b"OggS", b"caff", b".snd", b"riff\x2e\x91\xcf\x11", b"NIST_1A", b"ID3")

_POINTERS = (b"version https://git-lfs.", b"/annex/objects/", b".git/annex/objects/")
_HEAD_BYTES = 512
_POINTER_BYTES = 1024  # git-LFS promises fewer


def suffix_of(name: str) -> str:
    """The suffix of a file's name in small letters, less what spaces and dots trail it; "" where there is none.

    >>> suffix_of("01.WAV "), suffix_of("blues.00001"), suffix_of("02 St. Thomas")
    ('.wav', '', '')
    """
    stem, dot, end = name.lower().rstrip(". \t\r\n\xa0").rpartition(".")
    sensible = re.fullmatch("[a-z0-9_~-]{1,8}", end) and not end.isdigit()
    return f".{end}" if stem and dot and sensible else ""


def is_called_sound(name: str) -> bool:
    """Whether a file is called as sound is, be it decoded here or not."""
    return suffix_of(name) in (*SUFFIXES, *_ALSO_DECODED, *_UNDECODED)


def is_document(name: str) -> bool:
    """Whether a file is called as a text, a table or a picture is."""
    return suffix_of(name) in _DOCUMENTS


def kind_of(path: Path) -> Kind:
    """What a file is.

    Raises
    ------
    OSError
        If it must be looked into and cannot be read.
    """
    suffix = suffix_of(path.name)
    if suffix in SUFFIXES or suffix in _ALSO_DECODED:
        return "sound"
    if suffix in _UNDECODED:
        return "undecoded"
    if suffix in _DOCUMENTS:
        return "document"
    if not path.stat().st_size:  # of those that systems show in /proc some can be read without end
        return "unknown"
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if _is_decoded(head):
        return "misnamed" if suffix else "sound"  # song.wav.bak is a copy, most likely
    if undecoded(head):
        return "undecoded"
    return "document" if _is_text(head) else "unknown"


def _is_decoded(head: bytes) -> bool:
    container = head[:4] + head[8:12] in (b"RIFFWAVE", b"FORMAIFF", b"FORMAIFC")
    # the two bytes by which a frame of MPEG layer II or III begins; those of layer I begin texts in UTF-16, too
    frame = head[:1] == b"\xff" and head[1:2] in b"\xe2\xe3\xf2\xf3\xf4\xf5\xfa\xfb\xfc\xfd" and len(head) > 1
    return container or frame or head.startswith(_DECODED_STARTS)


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return True
    text = head.decode("utf-8", "replace").removesuffix("\ufffd")  # what may be a letter cut in two
    return bool(text) and "\ufffd" not in text and all(letter.isprintable() or letter.isspace() for letter in text)


def is_pointer(path: Path, n_bytes: int) -> bool:
    """Whether a file only stands in for one that git-LFS or git-annex keeps elsewhere."""
    if not 0 < n_bytes < _POINTER_BYTES:
        return False
    with path.open("rb") as stream:
        head = stream.read(_POINTER_BYTES)
    return any(mark in head[:200] for mark in _POINTERS)
