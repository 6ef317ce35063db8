"""Names that mirbench's own tasks, methods and sources have, and nothing of anybody else's may be called.

What is called ``probe-linear`` stands on boards and in records as the real one, whoever wrote it. The name of a plugin
is therefore none of ours, in no spelling that a reader or a file system takes for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Literal

from mirbench.errors import BadInput
from mirbench.plain_text import printable
from mirbench.plugin_file import Plugin

__all__ = ["CLAIMED", "KINDS", "Kind", "Ours", "is_claimed", "is_hashed", "refuse_taken"]

Kind = Literal["task", "method", "source"]
KINDS: tuple[Kind, ...] = ("task", "method", "source")

CLAIMED = "claimed-"
"""How the version of predictions begins that were made elsewhere; the hash of their file follows."""

_HASHED = re.compile(r"\+[0-9a-f]{12}\Z")
"""How the version of what a plugin brings ends: with the hash of its file."""


class Ours:
    """What mirbench itself calls its tasks, methods and sources.

    Parameters
    ----------
    names, prefixes : mapping of {"task", "method", "source"} to collection of str
        Of the built-in ones, and of families ("folder", of ``folder:PATH``).
    modifiers : collection of str
        Words that change a task, without their arguments.
    """

    def __init__(
        self,
        names: Mapping[Kind, Collection[str]],
        prefixes: Mapping[Kind, Collection[str]],
        modifiers: Collection[str],
    ) -> None:
        self._names = {kind: {_folded(name): name for name in held} for kind, held in names.items()}
        self._names["method"].setdefault("ensemble", "ensemble")  # as averages of runs are recorded
        self._prefixes = {kind: {_folded(prefix) for prefix in held} for kind, held in prefixes.items()}
        self._modifiers = tuple(modifiers)

    def taken(self, kind: Kind, name: str) -> str:
        """Why nothing of a plugin's may be called so, as "is …"; "" where it may."""
        base, *words = name.split("+")
        prefix, colon, _ = base.partition(":")
        if colon and _folded(prefix) in self._prefixes[kind]:
            return f"begins as mirbench's own {kind}s {prefix}:… do"
        if own := self._names[kind].get(_folded(base), ""):
            if base != own:
                return f"may be taken for mirbench's own {kind} '{own}'"
            return f"begins as mirbench's own '{own}+…'" if words else f"is that of mirbench's own {kind} '{own}'"
        changes = next((word for word in words if word.startswith(self._modifiers)), "") if kind == "task" else ""
        return f"ends as a modified task does (+{changes})" if changes else ""


def _folded(name: str) -> str:
    """A name as a file system that knows no capitals has it, its words run together."""
    return re.sub(r"[-_. ]+", "", name).casefold()


def refuse_taken(plugins: Sequence[Plugin], ours: Ours) -> None:
    """Refuse plugins that call something as mirbench does, or as another of them.

    Raises
    ------
    BadInput
        If one does.
    """
    for plugin in plugins:
        for kind in KINDS:
            for name in getattr(plugin, kind + "s"):
                if why := ours.taken(kind, name):
                    raise BadInput(
                        f"{plugin.origin}: the name of its {kind} {printable(ascii(name), 80)} {why}; give it another"
                    )
    for one, other in combinations(plugins, 2):
        for kind in KINDS:
            both = set(getattr(one, kind + "s")) & set(getattr(other, kind + "s"))
            if both and one.sha256 != other.sha256:  # a file that is given twice is one
                raise BadInput(
                    f"{one.origin} and {other.origin}: both have a {kind} '{min(both)}'; give one of them another name"
                )


def is_claimed(version: str) -> bool:
    """Whether a version is that of predictions that were made elsewhere (`mirbench import`)."""
    return version.startswith(CLAIMED)


def is_hashed(version: str) -> bool:
    """Whether a version is that of a plugin: none of ours ends with the hash of a file."""
    return _HASHED.search(version) is not None
