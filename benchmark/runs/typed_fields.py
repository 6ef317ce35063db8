"""Whether what was read from JSON is of the types that a dataclass declares."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

__all__ = ["mistyped"]

_WORDS = {
    int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: "null", Mapping: "a table",
    Sequence: "a list",
}  # fmt: skip


def mistyped(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Fields of a record whose values are not of the types that its dataclass declares."""
    origin, parts = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        for name, of in _fields(kind).items():
            yield from mistyped(getattr(value, name), of, f"{where}.{name}" if where else name)
    elif origin is Mapping and isinstance(value, dict):
        for name, item in value.items():
            yield from mistyped(item, parts[1], f"{where}.{name}")
    elif origin is Sequence and isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from mistyped(item, parts[0], f"{where}[{number}]")
    elif not _is_of(value, kind, origin, parts):
        yield f"{where} is {json.dumps(value)[:40]}, which is not {_words(kind, origin, parts)}"


def _is_of(value: Any, kind: Any, origin: Any, parts: tuple[Any, ...]) -> bool:
    if kind is Any:
        return True
    if origin in (Union, UnionType):
        return any(next(mistyped(value, part, ""), None) is None for part in parts)
    if origin is Literal:
        return value in parts
    if kind is float:  # JSON has no word for an undefined one, nor for 1.0
        return value is None or type(value) in (int, float)
    return type(value) is kind


def _words(kind: Any, origin: Any, parts: tuple[Any, ...]) -> str:
    if origin in (Union, UnionType):
        return " or ".join(_words(part, get_origin(part), get_args(part)) for part in parts)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    return _WORDS.get(origin or kind, str(kind))


@cache
def _fields(kind: type) -> dict[str, Any]:
    """Fields of a dataclass and their types."""
    known = typing.get_type_hints(kind)
    return {f.name: known[f.name] for f in dataclasses.fields(kind)}
