"""Local plugin files: the tasks, source cards, encoders and methods that a Python file of the user's defines."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import hashlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mirbench.encoder import encoder_card, is_encoder
from mirbench.errors import BadInput
from mirbench.method import Method
from mirbench.names import MOST_LETTERS, confusable, unseen, wrong_name
from mirbench.plain_text import printable
from mirbench.source import SourceCard
from mirbench.types import Task

__all__ = [
    "Plugin", "check_identity", "check_method", "file_sha256", "load_plugin", "looks_like_method", "plugin_of",
]  # fmt: skip


@dataclass(frozen=True)
class Plugin:
    """What a plugin file or entry point brings.

    Parameters
    ----------
    origin : str
        The file or entry point, for messages.
    sha256 : str
        Hash of its source, a part of the identity of every run that uses it.
    """

    origin: str
    sha256: str
    tasks: Mapping[str, Task]
    methods: Mapping[str, type[Method]]
    sources: Mapping[str, SourceCard]


def load_plugin(path: Path, flag: str = "--plugin ") -> Plugin:
    """Read a local plugin file: its tasks, source cards, encoders and methods, by the names that they give themselves.

    Parameters
    ----------
    flag : str
        What stands before the file in errors.

    Raises
    ------
    BadInput
        If the file is missing, does not run, or holds nothing that is a task, method or source.
    """
    if not path.is_file():
        raise BadInput(f"{flag}{path}: no such file")
    return plugin_of(_import_file(path, flag), f"{flag}{path}", path.name)


def plugin_of(module: ModuleType, said: str, origin: str) -> Plugin:
    """What a module that was imported brings; a package brings what its modules hold and it hands on.

    Parameters
    ----------
    said, origin : str
        What it is called in errors, and in lists of names.

    Raises
    ------
    BadInput
        If it holds nothing that is a task, method or source, or one that nothing can be.
    """
    path = Path(inspect.getfile(module))
    imported = _imported_names(path) if path.name != "__init__.py" else set()
    held = [thing for name, thing in vars(module).items() if name not in imported]
    own = [thing for thing in held if not inspect.isclass(thing) or _is_of(thing, module.__name__)]
    methods: list[Any] = [m for m in own if inspect.isclass(m) and looks_like_method(m)]
    for method in methods:
        check_method(said, method)
    cards = [thing for thing in own if isinstance(thing, SourceCard)]
    with _naming(said):
        kinds = dict.fromkeys(thing for thing in own if is_encoder(thing) and _is_of(thing, module.__name__))
        cards += map(encoder_card, kinds)
    things = [*methods, *(thing for thing in own if isinstance(thing, Task)), *cards]
    for thing in things:
        check_identity(said, _kind(thing), thing)
    _refuse_twice(said, things)
    plugin = Plugin(
        origin=origin,
        sha256=file_sha256(path),
        tasks={thing.name: thing for thing in own if isinstance(thing, Task)},
        methods={method.name: method for method in methods},
        sources={card.name: card for card in cards},
    )
    if not (plugin.tasks or plugin.methods or plugin.sources):
        raise BadInput(
            f"{said}: holds no method (a class with name, version, needs and fit), Task, SourceCard or encoder "
            "(a class with name, sample_rate and embed)"
        )
    return plugin


def check_method(origin: str, method: Any) -> None:
    """Refuse a class that looks like a method and is none.

    Raises
    ------
    BadInput
        If it is one.
    """
    if not hasattr(method, "__dataclass_fields__"):
        raise BadInput(f"{origin}: {method.__name__} must be a frozen dataclass: add @dataclass(frozen=True)")
    if not isinstance(method.needs, tuple):
        raise BadInput(f'{origin}: needs of {method.__name__} must be a tuple, as in needs = ("pooled",)')
    if fixed := {"name", "version", "needs"} & {field.name for field in dataclasses.fields(method)}:
        raise BadInput(
            f"{origin}: {min(fixed)} of {method.__name__} is a hyperparameter; write it without a type, as in "
            f'name, version, needs = "my-method", "1", ()'
        )


@contextlib.contextmanager
def _naming(where: str) -> Iterator[None]:
    """Say in an error which file it comes from."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error


def _is_of(thing: type, module: str) -> bool:
    return thing.__module__ == module or thing.__module__.startswith(f"{module}.")


def check_identity(origin: str, kind: str, thing: Any) -> None:
    """Refuse a name or version that commands, tables and folders cannot have.

    Raises
    ------
    BadInput
        If it is one.
    """
    name, version = thing.name, thing.version
    fault = wrong_name(name, kind) or confusable(name)  # type: ignore[arg-type]
    if fault:
        raise BadInput(f"{origin}: the name of its {kind} {printable(ascii(name), 80)} {fault}; give it another")
    if not isinstance(version, str) or not 1 <= len(version) <= MOST_LETTERS or unseen(version):
        said = printable(ascii(version), 80)
        raise BadInput(f'{origin}: the version of its {kind} {name} is {said}; text is needed, as in "1"')


def _kind(thing: Any) -> str:
    return "task" if isinstance(thing, Task) else "source" if isinstance(thing, SourceCard) else "method"


def _refuse_twice(origin: str, things: Sequence[Any]) -> None:
    """Refuse two different things of one kind and name, of which the last would stand for both."""
    seen: dict[tuple[str, str], Any] = {}
    for thing in things:
        if seen.setdefault((_kind(thing), thing.name), thing) is not thing:
            raise BadInput(f"{origin}: has two {_kind(thing)}s of the name '{thing.name}'; give one of them another")


def _imported_names(path: Path) -> set[str]:
    """Names that a file's import statements bind: they are not its own."""
    tree = ast.parse(path.read_bytes())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name.partition(".")[0] for node in nodes for alias in node.names}


def looks_like_method(thing: Any) -> bool:
    """Whether a class has what every method has."""
    return all(hasattr(thing, word) for word in ("name", "version", "needs", "fit")) and isinstance(thing.name, str)


def _import_file(path: Path, flag: str) -> ModuleType:
    name = f"mirbench_plugin_{path.stem}_{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or path.suffix != ".py":
        raise BadInput(f"{flag}{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what is printed on import is none of the command's results
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise BadInput(f"{flag}{path}: does not run: {type(error).__name__}: {error}") from error
    return module


def file_sha256(path: Path) -> str:
    """Hash of a file, a part of the version of what it defines."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
