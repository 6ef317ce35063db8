"""Where the files of a list lie: in which folder, in which Unicode form, and what is there under another name.

Of folders in which many files are looked for, the names are read once: asking for each file costs several times that.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from mirbench.features.sound_files import is_called_sound
from mirbench.places import path_of_text, user_path

__all__ = ["Folders", "find_file", "impossible_name", "listed_path", "nearest"]

_LONGEST = 255  # bytes of a name in a path, on the file systems that there are
_FEW = 64  # files of a folder that are asked for one by one: it may hold a million others


class Folders:
    """What lies in folders, as it was when it was first asked for."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._held: dict[str, dict[str, bool]] = {}

    def holds(self, path: Path) -> bool:
        """Whether there is anything at a path."""
        return self._known(path) is not None or os.path.exists(path)

    def is_folder(self, path: Path) -> bool:
        """Whether there is a folder at a path."""
        known = self._known(path)
        return path.is_dir() if known is None else known

    def _known(self, path: Path) -> bool | None:
        """Whether it is a folder, as the names in its own folder tell; None where they do not."""
        folder, _, name = str(path).rpartition(os.sep)  # `os.path.split` takes several times as long
        if (held := self._held.get(folder)) is None:
            asked = self._asked[folder] = self._asked.get(folder, 0) + 1
            if asked <= _FEW:
                return None
            held = self._held[folder] = _names_in(folder)
        # another spelling may lead to a file too, where a disk takes capitals for small letters
        return held.get(name)


def _names_in(folder: str) -> dict[str, bool]:
    """Names of what lies in a folder, and whether each is a folder; those of links, which may lead nowhere, are left
    out.
    """
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.is_dir() for entry in entries if not entry.is_symlink()}
    except OSError:
        return {}


def listed_path(text: str) -> Path:
    """A path of a list, with ``~`` at its beginning as the user's home; "./~" is a name."""
    return user_path(text) if text.startswith("~") else Path(text)


def find_file(text: str, bases: Sequence[Path], folders: Folders) -> Path | None:
    """The file that a list names, relative to the first of some folders that holds it; None where none does.

    A name that is not there is looked for with its backslashes as slashes, as Windows writes them, and in the composed
    and the decomposed form of Unicode (NFC, NFD).
    """
    for base in bases:
        if folders.holds(there := path_of_text(base / (listed_path(text) if text.startswith("~") else text))):
            return there
    if "\\" in text and (there_too := find_file(text.replace("\\", "/"), bases, folders)):
        return there_too
    if text.isascii():
        return None
    given = listed_path(text)
    for base in bases:
        anchor = Path(given.anchor) if given.is_absolute() else base
        if found := _in_any_form(anchor, given.parts[1 if given.is_absolute() else 0 :]):
            return found
    return None


def _in_any_form(here: Path, parts: Sequence[str]) -> Path | None:
    if not parts:
        return here
    for name in dict.fromkeys((parts[0], *(unicodedata.normalize(form, parts[0]) for form in ("NFC", "NFD")))):
        if os.path.exists(here / name) and (found := _in_any_form(here / name, parts[1:])):
            return found
    return None


def impossible_name(text: str) -> str:
    """Why no file can have this name; "" where one can."""
    if 4 * len(text) <= _LONGEST:  # as nearly all are
        return ""
    for name in text.split("/"):
        if (n_bytes := len(name.encode("utf-8", "surrogateescape"))) > _LONGEST:
            return f"the name {name[:40]!r} … has {n_bytes} bytes; no file can be called so"
    return ""


def nearest(text: str, bases: Sequence[Path]) -> str:
    """What is there in place of a file that is not: the end of its path, with other case, spaces, suffix; or ""."""
    parts = [part for part in re.split(r"[\\/]", unquote(text)) if part not in ("", ".")]
    for start in range(len(parts)):
        for base in bases:
            if found := _loosely(base, parts[start:]):
                return found.relative_to(base).as_posix()
    return ""


def _loosely(here: Path, parts: Sequence[str]) -> Path | None:
    if not parts:
        return here if here.is_file() else None
    try:
        names = os.listdir(here)
    except OSError:
        return None
    wanted = _loose(parts[0])
    alike = [name for name in sorted(names) if _loose(name) == wanted]
    if not parts[1:] and not alike:  # a file's name without its suffix, or with another
        stem = _loose(Path(parts[0]).stem if is_called_sound(parts[0]) else parts[0])
        alike = [name for name in sorted(names) if is_called_sound(name) and _loose(Path(name).stem) == stem]
    return next((found for name in alike if (found := _loosely(here / name, parts[1:]))), None)


def _loose(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
