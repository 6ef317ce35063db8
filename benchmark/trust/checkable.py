"""What `mirbench check` can be asked to look at: a file, an installed name, a package, ``module:Thing``."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from mirbench.errors import BadInput, MirbenchError, UnknownName
from mirbench.plain_text import printable
from mirbench.plugin_file import Plugin, load_plugin, plugin_of
from mirbench.registry import Catalogue
from mirbench.tables import families
from mirbench.taken_names import KINDS

__all__ = ["checkable"]

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_ENTRY_POINTS = ("mirbench.tasks", "mirbench.methods", "mirbench.sources")


def checkable(what: str, data: Path | None = None, weights: Path | None = None) -> tuple[Plugin, bool]:
    """What is to be checked, and whether it is named without a plugin: mirbench's own, or installed.

    Parameters
    ----------
    what : str
        A Python file; the name of a task, method or source; a package that is installed or lies here; or
        ``module:Thing``.

    Raises
    ------
    BadInput
        If it is none of these, or does not import.
    """
    if what.endswith(".py") or Path(what).is_file():
        return load_plugin(Path(what), ""), False
    catalogue = Catalogue((), data, weights)
    if held := dict(_named(what, catalogue)):
        return _as_plugin(what, held), True
    module, colon, attribute = what.strip("/").partition(":")
    if _MODULE.fullmatch(module):
        if not colon and (held := dict(_installed(module, catalogue))):
            return _as_plugin(what, held), True
        if (found := _imported(module)) is not None:
            return _of_module(found, what, attribute), False
    names = {name for kind in KINDS for name in catalogue.names(kind)}
    raise UnknownName("file, task, method, source or package", what, names)


_Held = Iterator[tuple[tuple[str, str], Any]]


def _named(what: str, catalogue: Catalogue) -> _Held:
    """The things of a name, of every kind."""
    for kind in KINDS:
        base = what.partition("+")[0] if kind == "task" else what
        if base in catalogue.names(kind) or what.partition(":")[0] in families(kind):
            yield (kind, what), getattr(catalogue, kind)(what)


def _installed(package: str, catalogue: Catalogue) -> _Held:
    """What an installed package, or a distribution of that name, offers by entry points."""
    for group, kind in zip(_ENTRY_POINTS, KINDS, strict=True):
        for point in importlib.metadata.entry_points(group=group):
            owner = point.dist.name if point.dist else ""
            if package in (point.module.partition(".")[0], point.module, re.sub(r"[-.]", "_", owner)):
                yield (kind, point.name), getattr(catalogue, kind)(point.name)


def _as_plugin(origin: str, held: dict[tuple[str, str], Any]) -> Plugin:
    tasks, methods, sources = ({thing.name: thing for (k, _), thing in held.items() if k == kind} for kind in KINDS)
    return Plugin(origin, "", tasks, methods, sources)


def _imported(module: str) -> ModuleType | None:
    """A module that is installed, or lies in this folder; None where there is none of that name."""
    here = str(Path.cwd())
    with _looking_in(here), contextlib.redirect_stdout(sys.stderr):
        try:
            spec = importlib.util.find_spec(module)
            if spec is None or not spec.has_location:  # a folder that is no package, or a part of Python
                return None
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and (module == error.name or module.startswith(f"{error.name}.")):
                return None
            raise BadInput(f"{module}: does not import: {printable(error, 300)}") from error
        except MirbenchError:
            raise
        except (Exception, SystemExit) as error:  # somebody else's code may raise anything
            raise BadInput(f"{module}: does not import: {type(error).__name__}: {printable(error, 300)}") from error


@contextlib.contextmanager
def _looking_in(folder: str) -> Iterator[None]:
    """As ``python -m`` does; it stays among the places, for modules that are imported late."""
    if folder not in sys.path:
        sys.path.append(folder)
    yield


def _of_module(module: ModuleType, what: str, attribute: str) -> Plugin:
    plugin = plugin_of(module, what, what)
    if not attribute:
        return plugin
    thing = getattr(module, attribute, None)
    every = {(kind, name): held for kind in KINDS for name, held in getattr(plugin, kind + "s").items()}
    if not any(held is thing for held in every.values()):
        known = [name for name, held in vars(module).items() if any(held is other for other in every.values())]
        raise UnknownName(f"task, method or source of {module.__name__}", attribute, known)
    return Plugin(
        plugin.origin,
        plugin.sha256,
        {name: task for name, task in plugin.tasks.items() if task is thing},
        {name: method for name, method in plugin.methods.items() if method is thing},
        {name: card for name, card in plugin.sources.items() if card is thing},
    )
