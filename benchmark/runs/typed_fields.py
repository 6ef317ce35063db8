"""Whether what was read from JSON is of the types, and in the ranges, that a dataclass declares."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mirbench.record import Between

__all__ = ["mistyped", "unbounded"]

_WORDS = {
    int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: "null", Mapping: "a table",
    Sequence: "a list",
}  # fmt: skip

_MOST_LEVELS = 12  # of lists and tables in one another
_MOST_LETTERS = 2**16
_MOST_WHOLE = 2**64


def unbounded(value: Any, where: str = "it", level: int = 0) -> Iterator[str]:
    """What no reader of JSON should have to bear: numbers and texts without bounds, nests, halves of letters."""
    if level > _MOST_LEVELS:
        yield f"{where[:80]} nests lists and tables more than {_MOST_LEVELS} deep"
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                yield f"{where} has the name {name!r:.40}, which is not text"
            else:
                yield from unbounded(name, f"a name in {where}")
                yield from unbounded(item, name if where == "it" else f"{where}.{name}", level + 1)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from unbounded(item, f"{where}[{number}]", level + 1)
    elif isinstance(value, str):
        if len(value) > _MOST_LETTERS:
            yield f"{where} has {len(value)} letters; {_MOST_LETTERS} are accepted"
        elif any("\ud800" <= letter <= "\udfff" for letter in value):
            yield f"{where} is {ascii(value)[:40]}, which holds half of a letter (a surrogate)"
    elif isinstance(value, int):
        if abs(value) >= _MOST_WHOLE:
            yield f"{where} is a number of {math.ceil(value.bit_length() / 3.33)} digits; less than 2^64 is needed"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{where} is {value}, which is no finite number"
    elif value is not None:
        yield f"{where} is of the type {type(value).__name__}, for which JSON has no word"


def mistyped(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Fields of a record whose values are not of the types, or in the ranges, that its dataclass declares."""
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
    if origin is Annotated:
        return _is_of(value, parts[0], None, ()) and (value is None or _inside(value, parts[1]))
    if origin is Literal:
        return value in parts
    if kind is float:  # JSON has no word for an undefined one, nor for 1.0
        return value is None or type(value) in (int, float)
    return type(value) is kind


def _inside(value: float, allowed: Between) -> bool:
    return allowed.low <= value <= allowed.high


def _words(kind: Any, origin: Any, parts: tuple[Any, ...]) -> str:
    if origin in (Union, UnionType):
        return " or ".join(_words(part, get_origin(part), get_args(part)) for part in parts)
    if origin is Annotated:
        return f"{_WORDS[parts[0]]} from {parts[1].low} to {parts[1].high}"
    if origin is Literal:
        return " or ".join(map(repr, parts))
    return _WORDS.get(origin or kind, str(kind))


@cache
def _fields(kind: type) -> dict[str, Any]:
    """Fields of a dataclass and their types."""
    known = typing.get_type_hints(kind, include_extras=True)
    return {f.name: known[f.name] for f in dataclasses.fields(kind)}
