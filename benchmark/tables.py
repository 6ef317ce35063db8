"""The tables of what mirbench itself brings: rows, and the rows of tasks, methods and sources.

A row's target "module:attribute" is imported when somebody asks for it; reading a table imports nothing heavy.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Entry", "OwnNetwork", "families", "modifier", "modifiers", "own_networks", "table", "target_of"]

_KINDS: Mapping[str, str] = {
    "task": "mirbench.tasks", "method": "mirbench.methods", "source": "mirbench.methods.sources",
}  # fmt: skip


@dataclass(frozen=True)
class OwnNetwork:
    """What a method that brings its own network passes it through, for what a run costs.

    Parameters
    ----------
    seconds : float
        Of a window.
    flops : int
        Operations of one, as `mirbench.runs.measure.flops_of` counts them, with the defaults of the method.
    """

    seconds: float
    flops: int


@dataclass(frozen=True)
class Entry:
    """A row of a registry: where the thing is, one line about it, and what else a family or a modifier has.

    Parameters
    ----------
    fetch : str
        Of a family, "module:function", which takes the argument of the name, the data root and a `Progress`, and
        returns the folder; "" where nothing fetches its data.
    called : str
        Of a family or modifier whose argument is a path or may be written in several ways, "module:function", which
        takes the argument and returns that by which records call it, without a look at what is there.
    goes_behind : tuple of str
        Of a modifier, those in whose place it may as well be: whichever of both comes first, the task is the same, and
        is called with this one behind.
    names_another : bool
        Of a modifier whose argument names another task, before "::" if that is there; its function takes that, too.
    flops : int
        Of a source whose card does not say them (a network's code is known by what it imports, its card among that):
        operations of one window, as `mirbench.runs.measure.flops_of` counts them.
    untrained, shorter : str
        The same of `SourceCard.untrained` and `SourceCard.shorter`.
    """

    target: str
    summary: str
    fetch: str = ""
    called: str = ""
    goes_behind: tuple[str, ...] = ()
    names_another: bool = False
    flops: int = 0
    untrained: str = ""
    shorter: str = ""


def table(kind: str) -> Mapping[str, Entry]:
    """The rows of one kind: "task", "method" or "source"."""
    found: Mapping[str, Entry] = getattr(importlib.import_module(_KINDS[kind]), kind.upper() + "S")
    return found


def own_networks() -> Mapping[str, OwnNetwork]:
    """The networks that methods of ours bring along."""
    found: Mapping[str, OwnNetwork] = importlib.import_module(_KINDS["method"]).OWN_NETWORKS
    return found


def families(kind: str) -> dict[str, tuple[str, Entry]]:
    """Families by prefix: how each is written, and its entry."""
    found: Mapping[str, Entry] = getattr(importlib.import_module(_KINDS[kind]), "FAMILIES", {})
    return {written.partition(":")[0]: (written, entry) for written, entry in found.items()}


LEAVE_OUT = ("shots", "fraction", "balanced")
"""Modifiers that leave clips out: behind folds, those of train alone (or of each split) are fewer."""


def modifiers() -> dict[str, tuple[str, Entry]]:
    """Modifiers by prefix: how each is written, "+wordARGUMENT", and its entry."""
    found: Mapping[str, Entry] = importlib.import_module(_KINDS["task"]).MODIFIERS
    return {
        written.removeprefix("+").rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"): (written, e) for written, e in found.items()
    }


def modifier(word: str) -> str:
    """The modifier that a word is, without its argument; "" for none."""
    if "/" in word and not word.startswith("on:"):  # the rest of a path with a plus in it
        return ""
    return max((prefix for prefix in modifiers() if word.startswith(prefix)), key=len, default="")


def target_of(target: str) -> Any:
    """What a "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
