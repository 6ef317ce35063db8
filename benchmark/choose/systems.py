"""Which systems run in a race: cheap methods on every source that is here, then heavier ones on those that are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.features.weights import on_disk
from mirbench.method import Method, Restorable, learns
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import parse_source
from mirbench.runs.plan import Request
from mirbench.source import SourceCard
from mirbench.types import Task

__all__ = ["CHEAP", "FLOOR", "HEAVY", "Candidate", "Field", "field_of", "request_of"]

FLOOR = "prior"
"""What guesses without hearing: who cannot be told from it has learnt nothing."""

CHEAP = ("probe-linear", "probe-svm", "knn")
"""Fitted in seconds on frozen rows, and nothing in them is random."""

HEAVY = ("probe-mlp", "layer-mix", "ids-nmr")
"""What is tried on the sources that are left, if there is time; the cheapest first."""


@dataclass(frozen=True)
class Candidate:
    """A method, and its source or ""."""

    method: str
    source: str = ""

    @property
    def name(self) -> str:
        """As tables and records call it."""
        return f"{self.method}+{self.source}" if self.source else self.method


@dataclass(frozen=True)
class Field:
    """Who takes part.

    Parameters
    ----------
    first : tuple of Candidate
        That begin.
    later : tuple of Candidate
        That are tried afterwards, if their source is still in.
    absent : tuple of str
        Sources that are not on this machine and were not asked for by name.
    """

    first: tuple[Candidate, ...]
    later: tuple[Candidate, ...]
    absent: tuple[str, ...] = ()


def field_of(
    task: Task,
    methods: Sequence[str],
    sources: Sequence[str],
    catalogue: Catalogue,
    weights: Path | None,
    cache: Path,
) -> Field:
    """Who takes part in a race.

    Parameters
    ----------
    methods, sources : sequence of str
        Those that were asked for; empty are the usual methods, and every source that is on this machine.

    Raises
    ------
    BadInput
        If nothing of what was asked for fits together.
    """
    cheap, heavy = _in_two(methods, task, catalogue)
    here, absent = _here(task, sources, catalogue, weights, cache)
    first = tuple(_pairs(cheap, here, catalogue))
    later = tuple(_pairs(heavy, here, catalogue))
    if not first and not later:
        raise BadInput(_nothing(task, methods, sources, absent))
    floor = () if FLOOR in cheap else (Candidate(FLOOR),)
    return Field((*floor, *first), later, tuple(absent))


def request_of(candidate: Candidate, request: Request, catalogue: Catalogue) -> Request:
    """The request of a system, as `mirbench run` asks for it: options of its source are a part of what is asked."""
    options = parse_source(catalogue.source(candidate.source), ()) if candidate.source else {}
    return replace(request, method=candidate.method, source=candidate.source, source_params=options)


def _in_two(methods: Sequence[str], task: Task, catalogue: Catalogue) -> tuple[list[str], list[str]]:
    """Methods that begin, and those that wait."""
    if not methods:
        cheap, heavy = ([n for n in names if learns(catalogue.method(n)(), task)] for names in (CHEAP, HEAVY))
        return cheap, heavy
    kinds = {name: catalogue.method(name) for name in dict.fromkeys(methods)}
    if lacking := [name for name, kind in kinds.items() if not can_race(kind)]:
        raise BadInput(
            f"--methods {lacking[0]}: it cannot be loaded again, so nothing can be told of its validation clips; give "
            "its class `restore` (`mirbench check` tries it), or leave it out"
        )
    cheap = [name for name, kind in kinds.items() if getattr(kind, "uses_seed", True) is False]
    heavy = [name for name in kinds if name not in cheap]
    return (cheap, heavy) if cheap else (heavy, [])


def can_race(kind: type[Method]) -> bool:
    """Whether its models can be asked about validation clips after they are on record."""
    return callable(getattr(kind, "restore", None)) and issubclass(kind, Restorable)


def _here(
    task: Task, sources: Sequence[str], catalogue: Catalogue, weights: Path | None, cache: Path
) -> tuple[list[str], list[str]]:
    """Sources that run, and those that would have to be got first."""
    if sources:
        for name in sources:
            catalogue.source(name)  # refused before any work
        return list(dict.fromkeys(sources)), []
    here: list[str] = []
    absent: list[str] = []
    for name in catalogue.names("source"):
        card = catalogue.source(name)
        if task.medium not in card.accepts:
            continue
        if card.packaged:  # a stand-in for want of a source
            continue
        (here if _usable(card, weights, cache) else absent).append(name)
    here += [f"shipped:{name}" for name in task.ships]
    return here or [name for name in catalogue.names("source") if catalogue.source(name).packaged], absent


def _usable(card: SourceCard, weights: Path | None, cache: Path) -> bool:
    if card.missing or (card.kind == "embedding" and not (card.weights or card.hub or card.file or card.packaged)):
        return False
    return on_disk(card, weights, cache)


def _pairs(methods: Sequence[str], sources: Sequence[str], catalogue: Catalogue) -> list[Candidate]:
    found = []
    for name in methods:
        needs = set(catalogue.method(name).needs)
        if not needs:
            found.append(Candidate(name))
            continue
        found += [Candidate(name, source) for source in sources if needs <= set(catalogue.source(source).offers)]
    return found


def _nothing(task: Task, methods: Sequence[str], sources: Sequence[str], absent: Sequence[str]) -> str:
    if methods or sources:
        return (
            f"{task.name}: no method of {', '.join(methods or (*CHEAP, *HEAVY))} can use a source of "
            f"{', '.join(sources or ('those here',))}; `mirbench show SOURCE` says what it offers"
        )
    return f"{task.name}: no source is on this machine ({', '.join(absent)} are not); give --weights DIR, or --sources"
