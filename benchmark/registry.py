"""Names to things: tables that a reader can grep, entry points, and local plugin files.

A table maps a name to an `Entry`, whose target "module:attribute" is imported when somebody asks for it; listing names
imports nothing heavy. A name may also be of a *family*, "prefix:argument", whose target is a function of the argument
("folder:/my/songs"); and a task's name may carry *modifiers*, "name+modifier", whose targets are functions from task to
task ("gtzan+shots10+normalized", applied from left to right; see `mirbench.spelling`). Plugins add to the tables by a
file given to ``--plugin``, or by an entry point of the groups ``mirbench.tasks``, ``mirbench.methods`` and
``mirbench.sources``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mirbench.encoder import encoder_card, is_encoder
from mirbench.errors import BadInput, MirbenchError, OneSided, UnknownName
from mirbench.lasting import made_to_last
from mirbench.method import Method
from mirbench.places import user_path
from mirbench.plain_text import printable
from mirbench.plugin_file import Plugin, check_identity, file_sha256
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.spelling import called_word, in_one_order, taken_apart
from mirbench.tables import Entry, OwnNetwork, families, modifier, modifiers, own_networks, table, target_of
from mirbench.taken_names import KINDS, Kind, Ours, refuse_taken
from mirbench.types import Task

__all__ = ["Catalogue", "Entry", "is_ours", "taken", "version_here"]


_BESIDE = ("flops", "untrained", "shorter")
"""What a row says in place of the card of a source."""


class Catalogue:
    """Every task, method and source that can be named here.

    Parameters
    ----------
    plugins : sequence of Plugin
        Local plugin files, from `mirbench.plugin_file.load_plugin`.
    data, weights : Path or None
        Where families of tasks look for data that was fetched, and those of sources for weights; None is the default
        place.

    Raises
    ------
    BadInput
        If a plugin calls something as mirbench does, or as another plugin does.
    """

    def __init__(self, plugins: Iterable[Plugin] = (), data: Path | None = None, weights: Path | None = None) -> None:
        self._plugins = tuple(plugins)
        if self._plugins:
            refuse_taken(self._plugins, _ours())
        self._data, self._weights = data, weights
        self._held: dict[tuple[str, str], Any] = {}
        self._read: dict[str, list[importlib.metadata.EntryPoint]] = {}

    def names(self, kind: str) -> dict[str, str]:
        """Names of one kind ("task", "method", "source") with one line each; imports no plugin package."""
        found = {name: entry.summary for name, entry in table(kind).items()}
        found |= {point.name: f"from {point.value}" for point in self._points(kind) if point.name not in found}
        for plugin in self._plugins:
            found |= {name: f"from {plugin.origin}" for name in getattr(plugin, kind + "s")}
        return found

    @functools.cached_property
    def _tasks(self) -> frozenset[str]:
        """Names of tasks: a suite asks for thousands, and entry points are read from many files."""
        return frozenset(self.names("task"))

    def families(self, kind: str) -> dict[str, str]:
        """Families of one kind, as "prefix:ARGUMENT", with one line each."""
        return {name: entry.summary for name, entry in families(kind).values()}

    def modifiers(self) -> dict[str, str]:
        """Modifiers of tasks, as "+word", with one line each."""
        return {name: entry.summary for name, entry in modifiers().values()}

    def task(self, name: str) -> Task:
        """The task called `name`; raises `UnknownName`."""
        base, words = self.parts(name)
        try:
            task = self._find("task", base)
        except OneSided as error:
            if not (error.learns and any(_names_another(word) for word in words)):
                raise
            task = error.task
        assert isinstance(task, Task)
        _refuse_ambiguous(base, task)
        if (version := self._version("task", base, task)) != task.version:
            task = replace(task, version=version)
        ordered = in_one_order(words)
        if twice := [word for word in ordered if ordered.count(word) > 1]:
            raise BadInput(f"{name}: +{twice[0]} is there twice; give it once")
        for word in ordered:
            task = self._modified(task, word)
        return task

    def _modified(self, task: Task, word: str) -> Task:
        """A task with one modifier, "word" or "word" and an argument, as in "shots10"."""
        _refuse_unknown([word])
        known, prefix = modifiers(), modifier(word)
        entry, argument = known[prefix][1], word.removeprefix(prefix)
        others = (self._tested(argument.partition("::")[0]),) if entry.names_another else ()
        modified = target_of(entry.target)(task, argument, *others)
        assert isinstance(modified, Task)
        demo = modified.demo if others else f"{task.demo}+{word}" if task.demo else ""
        return replace(modified, name=f"{task.name}+{called_word(word)}", demo=demo)

    def _tested(self, name: str) -> Task:
        """A task that another is tested on: nothing needs to be learnt from it."""
        try:
            return self.task(name)
        except OneSided as error:
            if not error.tests:
                raise
            return error.task

    def parts(self, name: str) -> tuple[str, list[str]]:
        """A task's own name and its modifiers.

        Raises
        ------
        UnknownName
            If what follows a "+" behind a query is no modifier: there a "+" is no space.
        """
        base, words = taken_apart(name, (name,) if name in self._tasks or _looks_like("task", name) else ())
        typed, mark, query = base.partition("?")
        if mark and "+" in query and not user_path(base.partition(":")[2]).exists():
            _refuse_unknown(query.split("+")[1:], f"Behind '{printable(typed)}?', a space is %20 and a plus is %2B.")
        return base, words

    def fetcher(self, name: str) -> Callable[[Path, Progress], Path] | None:
        """What fetches the data of a family's task, ``fetcher(root, progress) -> folder``; None where nothing does."""
        base, _ = self.parts(name)
        prefix, colon, argument = base.partition(":")
        _, entry = families("task").get(prefix, ("", Entry("", "")))
        if not colon or not entry.fetch:
            return None
        fetch = target_of(entry.fetch)
        return lambda root, progress: fetch(argument, root, progress)

    def method(self, name: str) -> type[Method]:
        """The class of the method called `name`; raises `UnknownName`."""
        method: type[Method] = self._find("method", name)
        return method

    def source(self, name: str) -> SourceCard:
        """The card of the source called `name`; raises `UnknownName`."""
        card = self._find("source", name)
        assert isinstance(card, SourceCard)
        return card

    def own_network(self, method: str) -> OwnNetwork | None:
        """What is known of the network that a method brings along; None where that is nothing."""
        return own_networks().get(method)

    def version(self, kind: str, name: str) -> str:
        """Version of a thing; for one from a plugin, with the hash of the plugin's source."""
        return self.task(name).version if kind == "task" else self._version(kind, name, self._find(kind, name))

    def _version(self, kind: str, name: str, found: Any) -> str:
        plugin = next((p for p in self._plugins if name in getattr(p, kind + "s")), None)
        if plugin is not None:
            return f"{found.version}+{plugin.sha256[:12]}"
        if name not in table(kind) and any(point.name == name for point in self._points(kind)):
            module = found if inspect.isclass(found) else importlib.import_module(_entry_module(kind, name))
            return f"{found.version}+{file_sha256(Path(inspect.getfile(module)))[:12]}"
        return str(found.version)

    def _points(self, kind: str) -> list[importlib.metadata.EntryPoint]:
        """Entry points of one kind, read once: hundreds of files hold them."""
        if kind not in self._read:
            self._read[kind] = _entry_points(kind)
        return self._read[kind]

    def _find(self, kind: str, name: str) -> Any:
        if (kind, name) not in self._held:  # a card of a family may take a second to make
            self._require_one(kind, name)
            with made_to_last():
                self._held[kind, name] = self._look_up(kind, name)
        return self._held[kind, name]

    def _require_one(self, kind: str, name: str) -> None:
        """Refuse a name that an installed package gave to something of its own, and that others have too."""
        points = [point for point in self._points(kind) if point.name == name]
        if not points:
            return
        if why := _ours().taken(kind, name):  # type: ignore[arg-type]
            raise BadInput(
                f"The plugin {points[0].value} is installed, and the name of its {kind} '{printable(name)}' {why}: it "
                f"must have another (uninstall it to use ours)"
            )
        origins = [plugin.origin for plugin in self._plugins if name in getattr(plugin, kind + "s")]
        origins += sorted({point.value for point in points})
        if len(origins) > 1:
            raise BadInput(f"{' and '.join(origins)}: both have a {kind} '{name}'; one of them must have another name")

    def _look_up(self, kind: str, name: str) -> Any:
        for plugin in self._plugins:
            if name in getattr(plugin, kind + "s"):
                return getattr(plugin, kind + "s")[name]
        if name in table(kind):
            entry = table(kind)[name]
            beside = {name: said for name in _BESIDE if (said := getattr(entry, name))}
            return replace(target_of(entry.target), **beside) if beside else target_of(entry.target)
        for point in self._points(kind):
            if point.name == name:
                try:
                    found = point.load()
                except Exception as error:  # somebody else's code: whatever it raises, say whose it is
                    raise MirbenchError(
                        f"The plugin {point.value} of {kind} '{name}' does not load: {error}"
                    ) from error
                found = encoder_card(found) if kind == "source" and is_encoder(found) else found
                check_identity(f"The plugin {point.value}", kind, found)
                if found.name != name:
                    raise BadInput(
                        f"The plugin {point.value}: its {kind} calls itself '{printable(found.name, 80)}', and its "
                        f"entry point calls it '{name}'; both must be the same"
                    )
                return found
        prefix, colon, argument = name.partition(":")
        if colon and prefix in families(kind):
            folder = self._data if kind == "task" else self._weights
            return target_of(families(kind)[prefix][1].target)(argument, folder)
        if meant := _looks_like(kind, name):
            raise BadInput(f"No {kind} is called '{printable(name)}', and there is {meant}")
        known = [] if colon else [name for name in self.names(kind) if not name.endswith("-demo")]
        raise UnknownName(kind, name, [*known, *self.families(kind)])


def _refuse_unknown(words: Iterable[str], besides: str = "") -> None:
    """Refuse the first word that is no modifier."""
    if wrong := [word for word in words if not modifier(word)]:
        written = [name for name, _ in modifiers().values()]
        raise UnknownName("modifier of tasks", wrong[0], written, besides=besides)


def _names_another(word: str) -> bool:
    """Whether a modifier names another task."""
    return bool(prefix := modifier(word)) and modifiers()[prefix][1].names_another


def _refuse_ambiguous(base: str, task: Task) -> None:
    """Refuse a list or folder whose name ends as a modified task's does: its records could be taken for others."""
    words = task.name.split("+")[1:] if ":" in base else []
    if words and (word := modifier(words[-1])):
        raise BadInput(
            f"{base}: called '{task.name}', it would be taken for a task with the modifier +{word}; give the file or "
            "folder another name"
        )


def _looks_like(kind: str, name: str) -> str:
    """How to write what was given as a bare path; "" where there is nothing of that name."""
    suffix = os.path.splitext(name)[1].lower()
    if kind == "task" and os.path.isdir(name):
        return f"a folder so called: write folder:{name} (a sub-folder of audio a class)"
    if kind == "task" and suffix == ".csv" and os.path.isfile(name):
        return f"a file so called: write csv:{name} (a line a clip)"
    if kind == "source" and suffix == ".npz" and os.path.isfile(name):
        return f"a file so called: write features:{name} (a row a clip)"
    if suffix == ".py" and os.path.isfile(name):
        return f"a file so called: give it as --plugin {name}, and here the name of the {kind} that it holds"
    return ""


@functools.cache
def _ours() -> Ours:
    """What nothing of a plugin's may be called."""
    return Ours(
        {kind: tuple(table(kind)) for kind in KINDS},
        {kind: tuple(families(kind)) for kind in KINDS},
        tuple(modifiers()),
    )


def version_here(task: str) -> str:
    """The version of a list or folder of clips that lies where a name says; "" where there is none.

    By it, those of the same name in different folders are told apart.
    """
    base, _ = taken_apart(task)
    prefix, colon, argument = base.partition(":")
    entry = families("task").get(prefix, ("", None))[1]
    if not colon or entry is None or entry.fetch or not user_path(argument.partition("?")[0]).exists():
        return ""
    try:
        return Catalogue().task(task).version
    except MirbenchError:
        return ""


def is_ours(kind: Kind, name: str) -> bool:
    """Whether mirbench itself has something of this name, a modified task or a source of a family included."""
    base = name.partition("+")[0] if kind == "task" else name
    return base in table(kind) or (kind == "source" and name.partition(":")[0] in families(kind))


def taken(kind: Kind, name: str) -> str:
    """Why nothing of a plugin's may be called so, as "is …"; "" where it may."""
    return _ours().taken(kind, name)


def _entry_points(kind: str) -> list[importlib.metadata.EntryPoint]:
    return list(_read_points(importlib.metadata.entry_points, f"mirbench.{kind}s", _installed()))


@functools.lru_cache(maxsize=2 * len(KINDS))
def _read_points(
    read: Callable[..., Iterable[importlib.metadata.EntryPoint]], group: str, installed: tuple[tuple[str, int], ...]
) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Entry points of a group, read again when a package came or went: each time hundreds of files are opened."""
    return tuple(read(group=group))


def _installed() -> tuple[tuple[str, int], ...]:
    """Folders that packages are in, and when one of them came or went."""
    there = []
    for path in sys.path:
        try:
            there.append((path, os.stat(path or os.curdir).st_mtime_ns))
        except OSError:
            continue
    return tuple(there)


def _entry_module(kind: str, name: str) -> str:
    return next(point.module for point in _entry_points(kind) if point.name == name)
