"""Where things lie on this machine: paths that a user gave, data, weights, and what is kept of earlier work."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from mirbench.errors import BadInput

__all__ = [
    "default_cache", "default_data_root", "default_results", "in_bytes", "no_folder", "path_of_text", "path_text",
    "refuse_whole_machine", "user_path", "weights_folder",
]  # fmt: skip


def user_path(text: str) -> Path:
    r"""A path that a user gave, with ``~`` as their home, and with ``\`` for ``/`` where that alone leads to something.

    Raises
    ------
    BadInput
        If it begins with the home of a user that does not exist.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise BadInput(f"{text}: no user of that name has a home here") from error
    if "\\" in text and not os.path.lexists(path):
        turned = Path(text.replace("\\", "/")).expanduser()
        return turned if os.path.lexists(turned) else path
    return path


def no_folder(path: Path) -> str:
    """Why a path that is no folder cannot be used as one."""
    return "a file; the folder that holds it is needed" if os.path.isfile(path) else "no such folder"


def refuse_whole_machine(path: Path) -> None:
    """Refuse the folder that all others are in, before a walk through it; a drive of Windows may be a collection.

    Raises
    ------
    BadInput
        If the path, or what it links to, is that folder.
    """
    if os.path.realpath(path) == "/":
        raise BadInput(f"{path}: holds all that is on this machine; name the folder in it that is meant")


def path_text(path: str | Path) -> str:
    r"""A path as text that every file, terminal and table takes: bytes that are no UTF-8, and line ends, as ``\xe9``.

    >>> path_text("caf\udce9/a\nb.wav") == r"caf\xe9/a\x0ab.wav"
    True
    """
    text = str(path)
    if text.isprintable() or not any(map(_is_unwritable, text)):
        return text
    return "".join(map(_escaped, text))


def _is_unwritable(letter: str) -> bool:
    return not letter.isprintable() and unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _escaped(letter: str) -> str:
    if letter != "\\" and not _is_unwritable(letter):
        return letter
    code = ord(letter)
    is_byte = 0xDC80 <= code <= 0xDCFF  # how Python holds a byte of a name that it cannot read
    return f"\\x{code & 0xFF:02x}" if is_byte or code < 0x80 else f"\\u{code:04x}"


def in_bytes(path: Path) -> Path | bytes:
    """A path for soundfile, which takes a name that is no UTF-8 as bytes, and those of Windows as text alone."""
    return os.fsencode(path) if os.name == "posix" else path


def path_of_text(path: Path) -> Path:
    """The path that `path_text` tells: that very one where it is there, else the one with its bytes put back."""
    if "\\" not in str(path) or os.path.lexists(path):
        return path
    put_back = Path(re.sub(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})", _letter, str(path)))
    return put_back if os.path.lexists(put_back) else path


def _letter(found: re.Match[str]) -> str:
    byte, letter = found.groups()
    return os.fsdecode(bytes([int(byte, 16)])) if byte else chr(int(letter, 16))


def default_data_root() -> Path:
    """``MIRBENCH_DATA``, or ``~/mirbench-data``."""
    given = os.environ.get("MIRBENCH_DATA")
    return user_path(given) if given else Path.home() / "mirbench-data"


def weights_folder(given: Path | None) -> Path | None:
    """The user's folder of weights: the given one, or ``MIRBENCH_WEIGHTS``; None where there is neither.

    Raises
    ------
    BadInput
        If it is not there.
    """
    if given is None and os.environ.get("MIRBENCH_WEIGHTS"):
        given = user_path(os.environ["MIRBENCH_WEIGHTS"])
    if given is not None and not given.is_dir():
        raise BadInput(f"--weights (or MIRBENCH_WEIGHTS) {given}: {no_folder(given)}")
    return given


def default_results() -> Path:
    """``MIRBENCH_RESULTS``, or a folder beside the user's other data: packs of results of others, and notes."""
    if given := os.environ.get("MIRBENCH_RESULTS"):
        return user_path(given)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "mirbench" / "results"


def default_cache() -> Path:
    """``MIRBENCH_CACHE``, or the user's cache folder."""
    if given := os.environ.get("MIRBENCH_CACHE"):
        return user_path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mirbench"
