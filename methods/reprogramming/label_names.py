"""Which classes of a source mean a class of a task, by their names: for zero-shot use of a source's own head.

Names are compared without case, spaces, punctuation and plural: "French horn" is "french-horn", "Hip hop music" is
"hiphop". What this does not find (AudioSet says "Heavy metal" and "Singing") is in two small tables.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from mirbench.errors import NotApplicable
from mirbench.source import SourceCard

__all__ = ["match", "require_named"]

_SAME: tuple[tuple[str, ...], ...] = (
    ("metal", "heavy metal"),
    ("hip hop", "rap"),
    ("classical", "classic"),
    ("rhythm and blues", "rnb", "r&b"),
    ("punk", "punk rock"),
    ("indie", "independent"),
    ("electronic", "electro"),
    ("latin", "music of Latin America"),
    ("film", "soundtrack"),
    ("choir", "choral"),
    ("orchestra", "orchestral"),
    ("synthesizer", "synth", "synth lead"),
    ("mallet", "mallet percussion"),
    ("voice", "vocal", "vocal music", "singing"),
    ("female singing", "female", "female vocal", "female vocalist", "female voice", "woman", "woman singing"),
    ("male singing", "male", "male vocal", "male vocalist", "male voice", "man", "man singing"),
)
"""Names of one thing."""

_PARTS: Mapping[str, tuple[str, ...]] = {
    "bass": ("bass guitar", "double bass"),
    "drum": ("drum kit",),
    "cymbal": ("hi-hat",),
    "string": ("bowed string instrument", "string section"),
    "reed": ("saxophone", "clarinet"),
    "mallet": ("marimba, xylophone", "glockenspiel", "vibraphone"),
    "indian": ("Carnatic music", "music of Bollywood"),
}
"""Names of what a wider name holds; here only, and not the other way round."""

_ENDINGS = ("music", "instrument")


def match(classes: Sequence[str], labels: Sequence[str]) -> dict[str, list[int]]:
    """Indices of the labels that mean each class, in the order of the labels; none where no label does.

    Parameters
    ----------
    classes : sequence of str
        Of a task. Each is taken by itself: "classical" is the music, of guitars too.
    labels : sequence of str
        Of a source, in the order of its outputs.

    Returns
    -------
    dict of str to list of int
        A key for every class. Two classes can have a label in common ("voice" and "vocal"); a wider label stands for
        no class of its own (AudioSet has woodwind instruments, and no oboe).
    """
    readings = [list(_readings(_plain(label))) for label in labels]
    return {name: sorted(set().union(*(_find(word, readings) for word in _words(name)))) for name in classes}


def require_named(card: SourceCard, *, named: bool) -> None:
    """Refuse mapping=names of a source whose classes have no names.

    Raises
    ------
    NotApplicable
        If they have none.
    """
    if not named:
        raise NotApplicable(f"mapping=names: {card.name} has no names of its classes; take another mapping")


def _find(word: str, readings: Sequence[Sequence[str]]) -> set[int]:
    """Labels that read as the word, in the strictest way in which any does: "pop" is "Pop music", not "Burst, pop"."""
    ranks = {k: names.index(word) for k, names in enumerate(readings) if word in names}
    return {k for k, rank in ranks.items() if min(rank, 2) == min(2, *ranks.values())}


def _readings(label: str) -> Iterable[str]:
    """The label as it is; without "music" or "instrument"; then its parts between commas, without brackets."""
    whole = _key(label)
    yield whole
    yield next((whole.removesuffix(end) for end in _ENDINGS if whole.endswith(end) and whole != end), whole)
    yield from map(_key, re.sub(r"\(.*?\)", "", label).split(","))


def _words(name: str) -> set[str]:
    """Keys of everything that a class may be called."""
    own = _key(_plain(name))
    same = {own}.union(*(group for group in _SAME_KEYS if own in group))
    return same.union(*(_PART_KEYS.get(word, ()) for word in same))


def _plain(name: str) -> str:
    """Without the category that MTG-Jamendo puts before it: "genre---rock"."""
    return name.rpartition("---")[2]


def _key(name: str) -> str:
    """Letters and digits alone, in lower case and the singular."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    key = re.sub(r"[\W_]", "", folded)
    return key[:-1] if len(key) > 3 and key.endswith("s") and not key.endswith("ss") else key


_SAME_KEYS = tuple({_key(name) for name in group} for group in _SAME)
_PART_KEYS = {_key(name): {_key(part) for part in parts} for name, parts in _PARTS.items()}
