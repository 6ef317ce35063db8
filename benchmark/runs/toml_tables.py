"""Tables of TOML files: keys and types that are accepted, and lists and ranges of values."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, DecimalException
from typing import Any

from mirbench.errors import BadInput, UnknownName

__all__ = ["Kinds", "as_text", "check_table", "listed"]

Kinds = Mapping[str, tuple[type, ...]]
"""The keys of a table, and the types that each may have; a number that is not whole is a Decimal."""

_MOST = 10_000  # values of one range
_RANGE: Kinds = {name: (int, Decimal) for name in ("from", "to", "step")}
_SAID = {str: "text", int: "a whole number", Decimal: "a number", list: "a list", dict: "a table"}


def check_table(table: Mapping[str, Any], known: Kinds, where: str) -> None:
    """Refuse a key that is not known, or a value of another type.

    Raises
    ------
    BadInput
    """
    for key, value in table.items():
        if key not in known:
            raise UnknownName(f"key of {where}", key, known)
        if type(value) not in known[key]:  # not isinstance: true is no whole number
            accepted = " or ".join(_SAID[kind] for kind in known[key])
            raise BadInput(f"{where}: {key} must be {accepted}, not {as_text(value)}")


def listed(key: str, table: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values of each name, as they are written."""
    found = {}
    for name, given in table.items():
        values = _range(f"{key} {name}", given) if isinstance(given, dict) else given
        if not isinstance(values, list) or not values:
            raise BadInput(f"{key} {name}: a list, or a table of from, to and step, is needed, not {as_text(given)}")
        found[name] = values
    return found


def _range(where: str, table: Mapping[str, Any]) -> list[Decimal]:
    """Both ends and what lies between, exactly: floats would add up to another last digit."""
    check_table(table, _RANGE, where)
    if lacking := [key for key in _RANGE if key not in table]:
        raise BadInput(f"{where}: {lacking[0]} is needed")
    try:
        return _between(where, *(Decimal(table[key]) for key in _RANGE))
    except DecimalException as error:  # more digits than a Decimal counts in
        raise BadInput(f"{where}: numbers of so many digits make no range") from error


def _between(where: str, first: Decimal, last: Decimal, step: Decimal) -> list[Decimal]:
    if not (first.is_finite() and last.is_finite() and step.is_finite() and step > 0 and first <= last):
        raise BadInput(f"{where}: from must not be above to, and step must be above 0")
    if (last - first) % step != 0 or (last - first) / step >= _MOST:
        raise BadInput(f"{where}: steps of {step} from {first} do not meet {last} in under {_MOST} values")
    return [first + number * step for number in range(int((last - first) / step) + 1)]


def as_text(value: Any) -> str:
    """A value of TOML as it would be typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)
