"""What a shell completes: names of tasks, methods, sources and suites, and of systems that are on record.

Nothing heavy is imported for it, and no plugin file is run. ``mirbench --install-completion`` sets it up.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import typer
from typer.models import ParameterInfo

from mirbench.errors import MirbenchError

__all__ = ["COMPLETED", "complete"]

_MOST = 500


def _tasks(incomplete: str) -> list[str]:
    """Names of tasks; after a "+", modifiers."""
    base, plus, _ = incomplete.rpartition("+")
    offers = _named("task")
    if plus:
        offers = [f"{base}{name.rstrip('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}" for name in _modifiers()]
    return _beginning(incomplete, offers)


def _methods(incomplete: str) -> list[str]:
    """Names of methods."""
    return _beginning(incomplete, _named("method"))


def _sources(incomplete: str) -> list[str]:
    """Names of sources."""
    return _beginning(incomplete, _named("source"))


def _suites(incomplete: str) -> list[str]:
    """Names of suites that ship with mirbench."""
    from mirbench.runs.suite import titles

    return _beginning(incomplete, titles())


def _systems(ctx: typer.Context, incomplete: str) -> list[str]:
    """TASK/METHOD+SOURCE of what is on record."""
    return _beginning(incomplete, _on_record(ctx))


def _shown(ctx: typer.Context, incomplete: str) -> list[str]:
    """Whatever `mirbench show` knows."""
    cards = [offer for offers in (_tasks, _methods, _sources, _suites) for offer in offers(incomplete)]
    return [*cards, *_systems(ctx, incomplete)]


def _kinds(incomplete: str) -> list[str]:
    """What `mirbench list` lists."""
    return _beginning(incomplete, ("tasks", "methods", "sources", "suites"))


COMPLETED: dict[str, Callable[..., list[str]]] = {
    "task": _tasks,
    "method": _methods,
    "source": _sources,
    "suite": _suites,
    "run": _systems,
    "a": _systems,
    "b": _systems,
    "members": _systems,
    "name": _shown,
    "kind": _kinds,
}
"""By the name of a command's parameter: what completes it."""


def complete(command: Callable[..., None]) -> Callable[..., None]:
    """Let a shell complete the parameters of a command; returns the command."""
    kinds = command.__annotations__ = typing.get_type_hints(command, include_extras=True)  # texts, until now
    for name, kind in kinds.items():
        for info in getattr(kind, "__metadata__", ()):
            if name in COMPLETED and isinstance(info, ParameterInfo):
                info.autocompletion = COMPLETED[name]
    return command


def _named(kind: str) -> list[str]:
    from mirbench.registry import Catalogue

    return list(Catalogue().names(kind))


def _modifiers() -> list[str]:
    from mirbench.registry import Catalogue

    return list(Catalogue().modifiers())


def _on_record(ctx: typer.Context) -> Iterator[str]:
    root = Path(ctx.params.get("runs") or "runs")
    with suppress(OSError):
        for folder in sorted(root.glob("*/*")):
            if not folder.name.startswith(".") and folder.is_dir():
                yield f"{folder.parent.name}/{folder.name}"


def _beginning(incomplete: str, offers: Iterable[str]) -> list[str]:
    """Those that begin so, without a line about each: for that typer would load all of rich, at every key."""
    found: list[str] = []
    with suppress(MirbenchError, OSError):
        found = [name for name in offers if name.startswith(incomplete)]
    return found[:_MOST]
