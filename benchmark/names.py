"""What a task, a method, a source or a version may be called: a name goes into commands, tables, records and folders.

A registered name is of ASCII letters, digits and ``-_.``. What follows a colon ("folder:Песни", "hf:owner/model") and
the name of an own task may hold letters of any script. No name holds what is not seen: control characters, those that
turn the direction of text, spaces of no width.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

__all__ = ["MOST_LETTERS", "confusable", "is_device", "natural", "unseen", "wrong_name"]

MOST_LETTERS = 200
"""Of a name or a version."""

_REGISTERED = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9_])?")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of Unicode: control, format (directions, no width), surrogate, separator of lines and of paragraphs."""

_JOINERS = "\u200c\u200d"
"""Within Persian words and within emoji they are a part of what is seen."""

_ALIKE = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Scripts with letters that look like those of another."""


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A key by which names sort as people count: ``shots2`` before ``shots12``."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part]


def unseen(text: str) -> str:
    """The first character that nobody sees, as "U+200B"; "" where there is none."""
    if text.isascii() and text.isprintable():  # most are
        return ""
    found = (letter for letter in text if unicodedata.category(letter) in _UNSEEN and letter not in _JOINERS)
    return next((f"U+{ord(letter):04X}" for letter in found), "")


def is_device(name: str) -> bool:
    """Whether Windows takes a file of this name for a device, whatever its suffix."""
    return _DEVICES.fullmatch(name) is not None


def wrong_name(name: object, kind: Literal["task", "method", "source"]) -> str:
    """Why nothing of this kind may be called so, as "is …" or "holds …"; "" where it may."""
    if not isinstance(name, str):
        return f"is {ascii(name)[:40]}, which is no text"
    if not 1 <= len(name) <= MOST_LETTERS:
        return f"has {len(name)} letters; 1 to {MOST_LETTERS} are needed"
    if strange := unseen(name):
        return f"holds {strange}, which nobody sees"
    base, colon, argument = name.partition(":")
    if ".." in name.replace("\\", "/").split("/") or is_device(base.partition("+")[0]):
        return "is a name that file systems keep for themselves"
    if colon and argument:
        return "" if _REGISTERED.fullmatch(base) else "begins with what is not of ASCII letters, digits and -_."
    if _REGISTERED.fullmatch(name) or (kind == "task" and _of_any_script(name)):
        return ""
    return f"is not of letters, digits and -_.{'' if kind == 'task' else ' alone, ASCII,'} from a letter or digit on"


def _of_any_script(name: str) -> bool:
    between = "-_.+ '"
    return (
        name[0].isalnum()
        and name[-1] not in ". "
        and all(
            letter.isalnum() or letter in between or unicodedata.category(letter) in ("Mn", "Mc") for letter in name
        )
    )


def confusable(name: str) -> str:
    """Why a name may be taken for another one, as "is …" or "mixes …"; "" where nothing speaks for it."""
    if unicodedata.normalize("NFC", name) != name:
        return "is not in the normal form NFC"
    if unicodedata.normalize("NFKC", name) != name or any(joiner in name for joiner in _JOINERS):
        return "holds another form of a usual letter"
    for word in re.findall(r"[^\W\d_]+", name):
        scripts = {script for letter in word for script in _ALIKE if unicodedata.name(letter, "").startswith(script)}
        if len(scripts) > 1:
            return f"mixes letters that look alike ({' and '.join(sorted(scripts)).lower()}) in one word"
    return ""
