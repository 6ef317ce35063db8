"""Settings of methods and sources from text: ``lr=1e-4`` becomes a float because the field is one."""

from __future__ import annotations

import dataclasses
import itertools
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from mirbench.errors import BadInput, MirbenchError, UnknownName
from mirbench.method import Method
from mirbench.plain_text import printable
from mirbench.runs.who_has import who_has
from mirbench.source import PRETRAINED, WHOLE, SourceCard, further_options, seed_of

__all__ = [
    "MOST_POINTS",
    "build",
    "grid",
    "n_points",
    "parse_method",
    "parse_options",
    "parse_search",
    "parse_seeds",
    "parse_source",
    "refuse_large",
    "split_setting",
    "typed",
]

_MAX_SEEDS = 10_000
MOST_POINTS = 10_000  # of a grid, and combinations of a suite


def parse_seeds(text: str, flag: str = "--seeds") -> tuple[int, ...]:
    """``"5"`` -> 0 … 4; ``"0-4"`` -> 0 … 4; ``"0,3"`` -> 0, 3."""
    wrong = BadInput(
        f"{flag} {text}: a number (5), a range (0-4) or a list (0,3) is needed, of fewer than {_MAX_SEEDS:,} different "
        "seeds below 2**32"
    )
    try:
        if "," in text:
            seeds = tuple(int(part) for part in text.split(","))
        elif "-" in text[1:]:
            first, _, last = text.partition("-")
            seeds = tuple(range(int(first), min(int(last) + 1, _MAX_SEEDS)))
        else:
            seeds = tuple(range(min(int(text), _MAX_SEEDS)))
    except ValueError as error:
        raise wrong from error
    if not 0 < len(seeds) < _MAX_SEEDS or min(seeds) < 0 or max(seeds) >= 2**32 or len(set(seeds)) < len(seeds):
        raise wrong
    return seeds


def split_setting(text: str, flag: str) -> tuple[str, str]:
    """``"lr=1e-4"`` -> ``("lr", "1e-4")``."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise BadInput(f"{flag} {text}: NAME=VALUE is needed, as in {flag} lr=1e-4")
    return name.strip(), value.strip()


def parse_method(method: type[Method], settings: Sequence[str], flag: str = "--set") -> dict[str, Any]:
    """``--set`` of a method: values of the types of its fields."""
    kinds = _field_types(method)
    found: dict[str, Any] = {}
    for text in settings:
        name, value = split_setting(text, flag)
        _once(name, found, flag)
        found[name] = _value(value, _kind(method.name, name, kinds), f"{flag} {text}")
    return found


def parse_search(method: type[Method], settings: Sequence[str]) -> dict[str, list[Any]]:
    """``--search lr=1e-4,1e-3``: each name with the values to try."""
    kinds = _field_types(method)
    found: dict[str, list[Any]] = {}
    for text in settings:
        name, values = split_setting(text, "--search")
        _once(name, found, "--search")
        kind = _kind(method.name, name, kinds)
        found[name] = [_value(value.strip(), kind, f"--search {text}") for value in values.split(",")]
    return found


def typed(method: type[Method], name: str, value: Any, where: str) -> Any:
    """A hyperparameter that is a value already, as its field's type has it: 1 of a float is 1.0, as ``--set`` reads it.

    Raises
    ------
    BadInput
        If there is no such hyperparameter, or the value is none of its type.
    """
    kinds = _field_types(method)
    kind = _kind(method.name, name, kinds)
    if not _is_text(kind) or (value is None and type(None) in typing.get_args(kind)):
        return value
    return _value(str(value), kind, f"{where} {name}={value}")


def _is_text(kind: Any) -> bool:
    """Whether a value of this type can be given as text."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return all(map(_is_text, typing.get_args(kind)))
    return typing.get_origin(kind) is Literal or kind in (int, float, str, bool, type(None))


def parse_options(of: str, defaults: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """``--source-set`` of a source: values of the types of its defaults, all options filled in."""
    found = dict(defaults)
    for text in settings:
        name, value = split_setting(text, "--source-set")
        if name not in defaults:
            raise UnknownName(f"option of {of}", name, defaults, besides=who_has(name))
        found[name] = _value(value, type(defaults[name]), f"--source-set {text}")
    return found


def parse_source(card: SourceCard, settings: Sequence[str]) -> dict[str, Any]:
    """`parse_options` of a source; texts where it is missing, for what options it has is not known then."""
    said = dict(split_setting(text, "--source-set") for text in settings)
    further = further_options(card)
    if "weights" in said and "weights" not in {**card.options, **further} and not card.missing:
        raise BadInput(f"--source-set weights={said['weights']}: no network of {card.name} is made here; leave it out")
    if card.missing and not ("weights" in further and seed_of(card, said) is not None):
        return said
    whole = [text for text in settings if card.any_length and text.replace(" ", "") == f"seconds={WHOLE}"]
    found = parse_options(card.name, {**card.options, **further}, [text for text in settings if text not in whole])
    for name, usual in further.items():
        if found[name] == usual:
            del found[name]
        else:
            _require_further(card, name, found)
    if whole:
        found["seconds"] = WHOLE
    for name, accepted in card.choices.items():
        if found[name] == "":  # no value is taken unless it is said
            raise BadInput(f"{card.title}: which {name} is meant must be said: --source-set {name}={accepted[0]}")
        if found[name] not in accepted:
            raise UnknownName(f"{name} of {card.name}", str(found[name]), [*map(str, accepted)])
    return found


def _require_further(card: SourceCard, name: str, found: Mapping[str, Any]) -> None:
    """Refuse a value of `further_options` that cannot be had."""
    where = f"--source-set {name}={found[name]}"
    if name == "weights" and seed_of(card, found) is None:
        raise BadInput(f"{where}: {PRETRAINED}, random, or random-1, random-2 … for other draws, are accepted")
    if name == "seconds" and not 0.1 <= found["seconds"] <= card.seconds:
        raise BadInput(f"{where}: {card.name} hears 0.1 to {card.seconds:g} s")


def _once(name: str, found: Mapping[str, Any], flag: str) -> None:
    if name in found:
        raise BadInput(f"{flag} {name}=…: it is given twice; give it once")


def build(method: type[Method], params: Mapping[str, Any]) -> Method:
    """A method with these hyperparameters; raises `BadInput` for a value that it refuses."""
    try:
        return method(**params)
    except MirbenchError:
        raise
    except Exception as error:  # a plugin's own check may raise anything
        raise BadInput(f"{method.name} refuses {dict(params)}: {printable(error, 500)}") from error


def n_points(search: Mapping[str, Sequence[Any]]) -> int:
    """How many combinations of the values there are."""
    return math.prod(map(len, search.values()))


def refuse_large(search: Mapping[str, Sequence[Any]], flag: str) -> None:
    """Refuse a grid of so many points that no machine would end it, before anything is made for each of them."""
    if (count := n_points(search)) > MOST_POINTS:
        raise BadInput(f"{flag}: {count:,} combinations of values; at most {MOST_POINTS:,} are accepted")


def grid(search: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values to try; one empty dict where there is nothing to search."""
    for values in itertools.product(*search.values()):
        yield dict(zip(search, values, strict=True))


def _field_types(method: type[Method]) -> dict[str, Any]:
    hints = typing.get_type_hints(method)
    return {field.name: hints[field.name] for field in dataclasses.fields(method)}  # type: ignore[arg-type]


def _kind(owner: str, name: str, kinds: Mapping[str, Any]) -> Any:
    if name not in kinds:
        raise UnknownName(f"hyperparameter of {owner}", name, kinds, besides=who_has(name))
    return kinds[name]


def _value(text: str, kind: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        return None if text.lower() == "none" else _value(text, members[0], where)
    if origin is Literal:
        accepted = {str(value): value for value in typing.get_args(kind)}
        if text not in accepted:
            raise BadInput(f"{where}: one of {', '.join(accepted)} is needed")
        return accepted[text]
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise BadInput(f"{where}: true or false is needed")
        return text.lower() == "true"
    if kind not in (int, float, str):
        raise BadInput(f"{where}: a value of type {kind} cannot be given as text")
    if kind is str and text != printable(text):
        raise BadInput(f"{where}: holds what cannot be printed")
    try:
        value = kind(text)
        if kind is float and not math.isfinite(value):
            raise ValueError("not finite")
        return value
    except (TypeError, ValueError) as error:
        several = (
            "; several values to choose from are for --search" if "," in text and where.startswith("--set") else ""
        )
        raise BadInput(f"{where}: {getattr(kind, '__name__', kind)} is needed, not '{text}'{several}") from error
