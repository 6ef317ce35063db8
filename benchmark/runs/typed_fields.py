"""Whether what was read from JSON is of the types, and in the ranges, that a dataclass declares.

A board reads thousands of records of hundreds of values: a value that is as it should be costs a comparison, and where
it stands is put together for one that is not, on the way out.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

__all__ = ["mistyped", "unbounded"]

_WORDS = {
    int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: "null", Mapping: "a table",
    Sequence: "a list",
}  # fmt: skip

_MOST_LEVELS = 12  # of lists and tables in one another
_MOST_LETTERS = 2**16
_MOST_WHOLE = 2**64
_MOST_OF_PLACE = 80  # letters

_Fault = tuple[str, str]
"""Where inside of a value something is wrong (``.name`` or ``[number]``, one after the other), and what."""

_Odd = tuple[str, Any, Any]
"""Where inside of a value one is not as declared, that one, and the type that was declared."""

_Check = Callable[[Any], _Odd | None]

_checks: dict[int, tuple[Any, _Check]] = {}
"""What looks at values of a type, by the identity of the type, which is kept with it."""


def unbounded(value: Any) -> Iterator[str]:
    """The first thing that no reader of JSON should have to bear, if any: a number or a text without bounds, a nest
    of lists and tables, half of a letter.
    """
    if isinstance(value, dict) and _surely_bounded(value, 0):
        return
    if fault := _unbounded(value, 0):
        place, said = fault
        where = (place[1:] if place.startswith(".") else f"it{place}")[:_MOST_OF_PLACE]
        yield said.replace("{}", where, 1)


def _surely_bounded(value: Any, level: int) -> bool:
    """Whether all that a table or list holds is as short, small and flat as nearly all of it is; else look closer."""
    if level == _MOST_LEVELS:
        return False
    if type(value) is dict:
        if not _plain_names(value):
            return False
        value = value.values()
    for item in value:
        kind = type(item)
        if kind is float:
            fine = math.isfinite(item)
        elif kind is str:
            fine = _plain(item)
        elif kind is int:
            fine = -_MOST_WHOLE < item < _MOST_WHOLE
        elif kind is dict or kind is list or kind is tuple:
            fine = not item or _surely_bounded(item, level + 1)
        else:
            fine = item is None or kind is bool
        if not fine:
            return False
    return True


def _unbounded(value: Any, level: int) -> _Fault | None:
    """A fault, which says "{}" for its place."""
    if isinstance(value, str):
        said = _unreadable(value)
        return ("", f"{{}} {said}") if said else None
    if isinstance(value, float):
        return None if math.isfinite(value) else ("", f"{{}} is {value}, which is no finite number")
    if isinstance(value, int):
        if abs(value) < _MOST_WHOLE:
            return None
        return "", f"{{}} is a number of {math.ceil(value.bit_length() / 3.33)} digits; less than 2^64 is needed"
    if isinstance(value, dict | list | tuple | Mapping):
        return _unbounded_parts(value, level)
    return None if value is None else ("", f"{{}} is of the type {type(value).__name__}, for which JSON has no word")


def _unbounded_parts(value: Any, level: int) -> _Fault | None:
    if value and level == _MOST_LEVELS:
        return "", f"{{}} nests lists and tables more than {_MOST_LEVELS} deep"
    named = isinstance(value, Mapping)
    items: Iterable[tuple[Any, Any]] = value.items() if named else enumerate(value)
    for name, item in items:
        if named and not isinstance(name, str):
            return "", f"{{}} has the name {name!r:.40}, which is not text"
        if named and not _plain(name) and (said := _unreadable(name)):
            return "", f"a name in {{}} {said}"
        kind = type(item)
        if (kind is float and math.isfinite(item)) or (kind is str and _plain(item)):  # most are
            continue
        if fault := _unbounded(item, level + 1):
            return (f".{name}" if named else f"[{name}]") + fault[0], fault[1]
    return None


def _plain_names(table: Mapping[Any, Any]) -> bool:
    try:
        return _plain("".join(table))
    except TypeError:  # no text
        return False


def _plain(text: str) -> bool:
    return text.isascii() and len(text) <= _MOST_LETTERS


def _unreadable(text: str) -> str:
    if len(text) > _MOST_LETTERS:
        return f"has {len(text)} letters; {_MOST_LETTERS} are accepted"
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"is {ascii(text)[:40]}, which holds half of a letter (a surrogate)"
    return ""


def mistyped(value: Any, kind: Any, where: str) -> Iterator[str]:
    """The first field, if any, whose value is not of the type, or in the range, that is declared.

    Parameters
    ----------
    value
        What was read from JSON, or a dataclass made of it.
    kind : type
        A dataclass, or what the type of a field may be.
    where : str
        What the value is called; "" where its fields are.
    """
    if id(kind) not in _checks:  # the hash of a type of types takes longer than most checks
        _checks[id(kind)] = kind, _check_of(kind)
    if odd := _checks[id(kind)][1](value):
        place, found, of = odd
        place = f"{where}{place}".removeprefix("" if where else ".")
        yield f"{place} is {json.dumps(found)[:40]}, which is not {_words(of)}"


@cache
def _check_of(kind: Any) -> _Check:
    """What looks at values of a type, put together once."""
    origin, parts = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _check_of_fields(kind)
    if origin is Mapping:
        return _check_of_items(dict, kind, parts[1], dict.items, ".{}")
    if origin is Sequence:
        return _check_of_items((list, tuple), kind, parts[0], enumerate, "[{}]")
    fits = _fits(kind, origin, parts)
    return lambda value: None if fits(value) else ("", value, kind)


def _check_of_fields(kind: type) -> _Check:
    known = typing.get_type_hints(kind, include_extras=True)
    checks = [(field.name, _check_of(known[field.name])) for field in dataclasses.fields(kind)]

    def check(value: Any) -> _Odd | None:
        for name, of_field in checks:
            if odd := of_field(getattr(value, name)):
                return f".{name}{odd[0]}", *odd[1:]
        return None

    return check


def _check_of_items(holds: Any, kind: Any, item_kind: Any, items: Callable[[Any], Any], place: str) -> _Check:
    """Of a table or a list, and of what is in it."""
    of_item = _check_of(item_kind)

    def check(value: Any) -> _Odd | None:
        if not isinstance(value, holds):
            return "", value, kind
        for name, item in items(value) if item_kind is not Any else ():
            if odd := of_item(item):
                return place.format(name) + odd[0], *odd[1:]
        return None

    return check


def _fits(kind: Any, origin: Any, parts: tuple[Any, ...]) -> Callable[[Any], bool]:
    """Whether a value is of a type that has no parts of its own."""
    if kind is Any:
        return lambda value: True
    if origin in (Union, UnionType):
        checks = [_check_of(part) for part in parts]
        return lambda value: any(check(value) is None for check in checks)
    if origin is Annotated:
        low, high = parts[1].low, parts[1].high
        types, absent = ((int, float), True) if parts[0] is float else ((parts[0],), False)
        return lambda value: low <= value <= high if type(value) in types else absent and value is None
    if origin is Literal:
        return lambda value: value in parts
    if kind is float:  # JSON has no word for an undefined one, nor for 1.0
        return lambda value: value is None or type(value) in (int, float)
    return lambda value: type(value) is kind


def _words(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts)
    if origin is Annotated:
        return f"{_WORDS[parts[0]]} from {parts[1].low} to {parts[1].high}"
    if origin is Literal:
        return " or ".join(map(repr, parts))
    return _WORDS.get(origin or kind, str(kind))
