"""The card of a method, read from its fields and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import re
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from mirbench.cli.card_look import Card, Option
from mirbench.method import Method

__all__ = ["method_card"]

_POINTERS = (
    (r"\s*\((?:[Ss]ee )?`mirbench[^`]*`\)|\s*\([Ss]ee `[^`]*`\)", ""),
    (r"\s*[A-Z][^.`]*`mirbench\.[^`]*`\.", ""),
    (r"[;,]?\s*\b[Ss]ee `[^`]*`(?: and `[^`]*`)*(\.?)", r"\1"),
    (r"\.\.+", "."),
)
"""What points from one docstring to another, which leads a user nowhere, and what stands in its place."""


def method_card(method: type[Method], summary: str, source: str = "") -> Card:
    """What a user needs of a method: what it does, needs and takes; how it is written is not told.

    Parameters
    ----------
    summary : str
        Its line in the registry.
    source : str
        One that it can use, for the commands.
    """
    sections = _sections(method.__doc__ or "")
    text = [] if _is_made(method) else [_plain(part) for part in re.split(r"\n\s*\n", sections.get("", "")) if part]
    meanings = _meanings(method)
    kinds = typing.get_type_hints(method)
    options = [
        Option(field.name, _default(field), _accepted(kinds[field.name]), meanings.get(field.name, ""))
        for field in dataclasses.fields(method)  # type: ignore[arg-type]
    ]
    with_source = f" --source {source}" if source else ""
    return Card(
        "method",
        method.name,
        method.version,
        summary,
        text,
        facts=[
            ("needs", f"a source with {', '.join(method.needs)}" if method.needs else "no source"),
            ("seeds", "" if getattr(method, "uses_seed", True) is not False else "nothing is random: one run a fold"),
            ("reference", _reference(method)),
        ],
        options=options,
        flag="--set NAME=VALUE, --search NAME=A,B",
        commands=[f"mirbench run --task gtzan-mini --method {method.name}{with_source}"],
    )


def _sections(doc: str) -> dict[str, str]:
    """The parts of a numpydoc text by their headings; "" is what stands before the first."""
    found, title = {"": ""}, ""
    lines = inspect.cleandoc(doc).splitlines()
    for line, after in itertools.zip_longest(lines, lines[1:], fillvalue=""):
        if after and set(after) == {"-"}:
            title = line
            found[title] = ""
        elif not (line and set(line) == {"-"}):
            found[title] += line + "\n"
    return {name: text.strip("\n") for name, text in found.items()}


def _meanings(method: type) -> dict[str, str]:
    """What each hyperparameter means: the class that is nearest to the method has the word."""
    found: dict[str, str] = {}
    for cls in method.__mro__:
        if cls.__doc__ and not _is_made(cls):
            for names, text in _parameters(_sections(cls.__doc__).get("Parameters", "")):
                for name in names:
                    found.setdefault(name, _plain(text))
    return found


def _parameters(text: str) -> Iterator[tuple[list[str], str]]:
    """Names that share a description, and it."""
    for part in re.split(r"\n(?=\S)", text):
        head, _, said = part.partition("\n")
        yield [name.strip() for name in head.partition(" : ")[0].split(",")], said


def _reference(method: type) -> str:
    """Who has described it: of the class, of those that it is built on, or of the module."""
    own = [cls for cls in method.__mro__ if cls.__module__.startswith(method.__module__.rpartition(".")[0])]
    docs = [cls.__doc__ for cls in own] + [sys.modules[method.__module__].__doc__]
    return next((_plain(text) for doc in docs if (text := _sections(doc or "").get("References"))), "")


def _is_made(cls: type) -> bool:
    """Whether its docstring is the one that dataclass writes."""
    return str(cls.__doc__).startswith(f"{cls.__name__}(")


def _plain(text: str) -> str:
    """A paragraph on one line, without pointers into the code."""
    line = " ".join(text.split())
    for pointer, instead in _POINTERS:
        line = re.sub(pointer, instead, line)
    line = line.lstrip(" ;,.")
    return line[:1].upper() + line[1:]


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    return "none" if value is None else str(value)


def _accepted(kind: Any) -> str:
    """A type as people read it: "int or none", "one of paper, constant"; "" where the default shows it."""
    return "" if kind in (int, float, str, bool) else _said(kind)


def _said(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_said(part) for part in typing.get_args(kind))
    return "none" if kind is type(None) else getattr(kind, "__name__", str(kind))
