"""What a program may name: all that the command line knows, and methods that are classes of the program itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from mirbench.api.own_code import code_sha256, file_of
from mirbench.errors import BadInput
from mirbench.method import Method
from mirbench.places import user_path
from mirbench.plugin_file import Plugin, check_identity, check_method, load_plugin, looks_like_method
from mirbench.registry import Catalogue

__all__ = ["Known", "PluginLike", "path_of"]

PluginLike = str | PathLike[str] | type[Method] | Method
"""A plugin's file, or a method as a class or an object."""


@dataclass(frozen=True)
class Known:
    """Plugins, as a program gives them.

    Parameters
    ----------
    plugins : tuple of Plugin
        Files, and classes of the program.
    files : tuple of Path
        Those from which another process can read all of them.
    nowhere : str
        The name of a class that no other process can import; "" where there is none.
    """

    plugins: tuple[Plugin, ...]
    files: tuple[Path, ...]
    nowhere: str

    @classmethod
    def of(cls, given: Iterable[PluginLike] | PluginLike, *more: PluginLike) -> Known:
        """What was given as plugins: files, and methods as classes or objects; those that mirbench has are none.

        Raises
        ------
        BadInput
            If one of them is no plugin, or its code cannot be told.
        """
        one = isinstance(given, str | PathLike) or not isinstance(given, Iterable)
        each: list[Any] = [given, *more] if one else [*given, *more]  # type: ignore[misc]
        plugins: list[Plugin] = []
        files: list[Path] = []
        nowhere = ""
        for thing in each:
            if isinstance(thing, str | PathLike):
                files.append(user_path(fspath(thing)))
                plugins.append(load_plugin(files[-1], "plugins: "))
                continue
            kind: Any = thing if inspect.isclass(thing) else type(thing)
            if _is_installed(kind):
                continue
            plugins.append(_plugin_of(kind))
            path = file_of(kind)
            files += [path] if path else []
            nowhere = nowhere or ("" if path else kind.__name__)
        return cls(tuple(plugins), tuple(dict.fromkeys(files)), nowhere)

    def catalogue(self, data: Path | None, weights: Path | None) -> Catalogue:
        """All that can be named with them."""
        return Catalogue(self.plugins, data, weights)


def path_of(given: str | PathLike[str] | None) -> Path | None:
    """A path that a program gave, with ``~`` as the user's home; None stays."""
    return None if given is None else user_path(fspath(given))


def _is_installed(kind: Any) -> bool:
    """Whether a class is a method that mirbench or an installed package has under its own name."""
    catalogue, name = Catalogue(), getattr(kind, "name", "")
    return name in catalogue.names("method") and catalogue.method(name) is kind


def _plugin_of(kind: Any) -> Plugin:
    if not looks_like_method(kind):
        raise BadInput(f"{kind.__name__} is no method: a class with name, version, needs and fit is needed")
    check_method(kind.__name__, kind)
    check_identity(kind.__name__, "method", kind)
    return Plugin(kind.__name__, code_sha256(kind), {}, {kind.name: kind}, {})
