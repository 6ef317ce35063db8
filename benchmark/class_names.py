"""Names of classes and groups as people write them: which are one, which look like one, which are several at once.

Names are compared in Unicode's composed form (NFC), in which "ö" is one character wherever it was typed. Those that
still differ, but only in what the eye passes over, may be meant: they are said, not merged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Joined", "alike", "beware", "composed", "empty", "joined", "written_list"]

_INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")
_DASHES, _QUOTES = "Pd", "‘’‛′`´"
_SEPARATORS = (",", "|", "/", "+", "&", ";", "、")
"""With ";" for its full-width form, which NFKC makes the plain one."""

_LISTED = (",", "|", ";", "、")  # those that few names hold: names that stand first here and later there are parts
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-_](?=[^\W\d_])")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_WRITTEN_LIST = re.compile(
    r"""[\[({]\s*(['"]).*\1\s*,?\s*[\])}]|\[\s*\]|\[\s*\d+\.?\d*(?:[\s,]+\d+\.?\d*)+\s*\]""", re.DOTALL
)
_EMPTY = frozenset({"nan", "na", "n/a", "#n/a", "<na>", "none", "null", "nat"})


def composed(text: str) -> str:
    """A name in NFC."""
    return unicodedata.normalize("NFC", text)


def alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that differ in case, white space, hyphens, invisible characters or how a number is written alone."""
    found: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        found.setdefault(_seen(name), []).append(name)
    return [tuple(own) for own in found.values() if len(own) > 1]


def _seen(name: str) -> str:
    """What is left of a name for the eye: "Hip\u00a0Hop" and "hip-hop" are the same, "1" and "001" too."""
    plain = unicodedata.normalize("NFKC", name)
    kept = []
    for character in plain:
        kind = unicodedata.category(character)
        if kind not in _INVISIBLE and not "\ufe00" <= character <= "\ufe0f":  # which form of a sign is meant
            kept.append("-" if kind == _DASHES else "'" if character in _QUOTES else character)
    text = unicodedata.normalize("NFC", _HYPHEN.sub("", "".join(kept).casefold()))
    return repr(float(text)) if text.isascii() and _NUMBER.fullmatch(text) else text or name


@dataclass(frozen=True)
class Joined:
    """A name that holds several others.

    Parameters
    ----------
    name, separator : str
        The name, and what stands between its parts.
    parts : tuple of str
        What it is made of.
    n_names : int
        How many such names there are.
    """

    name: str
    separator: str
    parts: tuple[str, ...]
    n_names: int


def joined(names: Iterable[str]) -> Joined | None:
    """Names whose parts are names themselves, as "rock|pop" beside "rock" and "pop"; None where there are none.

    Most parts must be known: as a name of their own, or, between separators that few names hold, because they stand
    first in one and later in another. So "Folk, World, & Country" is one name, and so is each of "Bach, Johann" and
    "Bach, Carl".
    """
    every = sorted(set(names))
    for separator in _SEPARATORS:
        parts = {name: _parts(name, separator) for name in every}
        several = {name: own for name, own in parts.items() if len(own) > 1}
        known = {_seen(own[0]) for own in parts.values() if len(own) == 1}
        if separator in _LISTED:
            places: dict[str, set[int]] = {}
            for own in several.values():
                for place, part in enumerate(own):
                    places.setdefault(_seen(part), set()).add(place)
            known |= {part for part, own_places in places.items() if len(own_places) > 1}
        made = [name for name, own in several.items() if 2 * sum(_seen(part) in known for part in own) > len(own)]
        if made:
            return Joined(made[0], separator, several[made[0]], len(made))
    return None


def _parts(name: str, separator: str) -> tuple[str, ...]:
    """The parts of a name; where several separators stand in it, all of them part it."""
    plain = unicodedata.normalize("NFKC", name)
    pattern = "[" + re.escape("".join(_SEPARATORS)) + "]" if separator in plain else "$"
    return tuple(filter(None, (part.strip(" []()") for part in re.split(pattern, plain)))) or (name,)


def written_list(name: str) -> bool:
    """Whether a name is a list as Python writes it, "['rock', 'pop']" or "[0 1 1]"."""
    return bool(_WRITTEN_LIST.fullmatch(name))


def empty(names: Iterable[str]) -> list[str]:
    """Names that programs write where nothing was: nan, N/A, None."""
    return [name for name in sorted(set(names)) if name.strip().lower() in _EMPTY]


def beware(classes: Sequence[str], groups: Collection[str]) -> tuple[str, ...]:
    """What a user should know of their names, a line each."""
    lines = []
    for what, names in (("classes", classes), ("groups", groups)):
        if pairs := alike(names):
            more = f" (and {len(pairs) - 1} more such)" if len(pairs) > 1 else ""
            shown = " and ".join(map(repr, pairs[0][:4])) + more
            lines.append(
                f"{what} {shown} differ in case, white space, invisible characters or the like alone: they stay apart; "
                "give them one name if they are one"
            )
    for what, names in (("class", classes), ("group", groups)):
        if nothing := empty(names):
            shown = " and ".join(map(repr, nothing))
            lines.append(
                f"the {what} {shown} may be what a program writes of an empty cell: leave "
                f"{'those clips out' if what == 'class' else 'the cell empty'} if so"
            )
    if made := joined(classes):
        lines.append(f"the class {made.name!r} looks like several ({', '.join(made.parts)}), and is learnt as one")
    return tuple(lines)
