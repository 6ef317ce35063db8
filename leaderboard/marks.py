"""Marks of rows: what sets a system apart from one that was run here with mirbench's own code.

A mark is a word beside the name of a row, the same in every table, figure and page; a note says what those that occur
mean. A plugin that has the name of a built-in method is told apart by them: its version holds the hash of its code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.taken_names import is_claimed, is_hashed

__all__ = [
    "CLAIMED", "PLUGIN", "REFERENCE", "REPEATED", "UNKNOWN", "explained", "labelled", "marks_of", "meanings", "often",
]  # fmt: skip

REFERENCE, CLAIMED, PLUGIN, UNKNOWN, REPEATED = "reference", "claimed", "plugin", "unknown", "repeated"

_SAID = {
    REFERENCE: "not run here: results that ship with mirbench",
    CLAIMED: "predictions were made elsewhere and scored here: how they were made is the word of who brought them",
    PLUGIN: "method, source or task is code from outside mirbench, whatever it is called; its version has a hash of it",
    UNKNOWN: "method, source or task is none that this mirbench knows",
    REPEATED: "every run was done again where this was made, by `mirbench verify --rerun`, with the same scores",
}
_MOST = 3
_FROM_ELSEWHERE = "not run here: results of others, added by `mirbench results add`"


def marks_of(record: RunRecord, pack: str = "", members: Mapping[str, RunRecord] = {}) -> tuple[str, ...]:
    """The marks of a system, by one of its records.

    Parameters
    ----------
    pack : str
        The results of others that it came with, if it did.
    members : mapping of str to RunRecord
        Records by their keys, in which those that an ensemble averages are looked up.
    """
    parts = [record, *(members[key] for key in record.spec.params.get("members", ()) if key in members)]
    marks = [pack] if pack else []
    marks += [CLAIMED] if any(is_claimed(part.spec.method_version) for part in parts) else []
    marks += [PLUGIN] if any(map(_of_plugin, parts)) else []
    marks += [UNKNOWN] if any(map(_unknown, parts)) else []
    return tuple(marks)


def labelled(name: str, marks: Iterable[str]) -> str:
    """A name with its marks, in one line."""
    return " ".join([name, *(f"[{mark}]" for mark in marks)])


def explained(marks: Iterable[str]) -> list[str]:
    """What the marks that occur mean, a text each; those of this module first."""
    return [f"[{mark}] {said}" for mark, said in meanings(marks).items()]


def often(marks: Iterable[Sequence[str]]) -> set[str]:
    """Those of the marks of rows that so many rows have that each in full would hide the names."""
    counted = Counter(mark for row in marks for mark in row)
    return {mark for mark, n in counted.items() if n > _MOST}


def meanings(marks: Iterable[str]) -> dict[str, str]:
    """The marks that occur and what each means; those of this module first."""
    there = set(marks)
    order = [*(mark for mark in _SAID if mark in there), *sorted(there - set(_SAID))]
    return {mark: _SAID.get(mark, _FROM_ELSEWHERE) for mark in order}


def _parts(record: RunRecord) -> list[tuple[str, str, str]]:
    """Kind, name and version of method, source and task."""
    spec = record.spec
    parts = [("method", spec.method, spec.method_version), ("source", spec.source, spec.source_version)]
    return [*parts, ("task", spec.task.partition("+")[0], spec.task_version)]


def _of_plugin(record: RunRecord) -> bool:
    return any(is_hashed(version) for _, _, version in _parts(record))


def _unknown(record: RunRecord) -> bool:
    parts = [(kind, name) for kind, name, version in _parts(record) if not (is_hashed(version) or is_claimed(version))]
    for name in record.spec.params.get("systems", ()) if record.spec.method == "ensemble" else ():
        method, _, source = str(name).partition(" + ")
        parts += [] if method.startswith("ensemble (") else [("method", method), ("source", source)]
    return any(name and not _known(kind, name) for kind, name in parts)


def _known(kind: str, name: str) -> bool:
    names, families = _catalogue(kind)
    return name in names or name.partition(":")[0] in families or (kind, name) == ("method", "ensemble")


@cache
def _catalogue(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names of a kind, and the beginnings of those of families; packages that are installed bring names too."""
    catalogue = Catalogue()
    prefixes = {written.partition(":")[0] for written in catalogue.families(kind)}
    return frozenset(catalogue.names(kind)), frozenset(prefixes)
