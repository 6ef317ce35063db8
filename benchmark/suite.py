"""Suites: many runs in one file, in TOML.

::

    title = "Probes on an excerpt"              # what it is, and what it reproduces
    reference = "Somebody (2023)"

    [defaults]                                  # for every [[run]] that does not say it itself
    task = "gtzan-mini"
    seeds = 3                                   # how many; or "0-4", or [0, 3]

    [[run]]                                     # lists of tasks, methods and sources: every combination of them
    method = ["probe-linear", "probe-svm"]
    source = ["efficientat-mn04", "speechatt"]  # left out where a method needs none

    [[run]]
    method = "ids-nmr"
    source = "efficientat-mn04"
    source-set = { input_norm = "none" }
    set = { epochs = 50 }
    search = { lr = { from = 1e-4, to = 5e-4, step = 1e-4 }, batch_size = [8, 16] }
    fold = 0                                    # one alone; all if left out
    windows = "nonoverlap"                      # and `average`, as the flags of `mirbench run`

``set``, ``search`` and ``source-set`` of the defaults hold beside those of a run. Ranges are counted in decimals, hold
both ends, and have to meet the second one. A combination is what one command ``mirbench run`` would do.
"""

from __future__ import annotations

import itertools
import tomllib
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from mirbench.datasets import user_path
from mirbench.errors import BadInput, MissingExtra, NotApplicable, UnknownName
from mirbench.hyperparameters import parse_method, parse_seeds, parse_source
from mirbench.plan import DEFAULT_SOURCE, Request, draft_plan
from mirbench.registry import Catalogue
from mirbench.types import Method, Windowing

__all__ = ["Entry", "Suite", "naming", "read_suite", "shipped"]

_MOST = 10_000  # values of one range

_TOP: Mapping[str, tuple[type, ...]] = {"title": (str,), "reference": (str,), "defaults": (dict,), "run": (list,)}
_RUN: Mapping[str, tuple[type, ...]] = {
    "task": (str, list),
    "method": (str, list),
    "source": (str, list),
    "seeds": (int, str, list),
    "fold": (int,),
    "windows": (str,),
    "average": (str,),
    "set": (dict,),
    "search": (dict,),
    "source-set": (dict,),
}
_RANGE: Mapping[str, tuple[type, ...]] = {name: (int, Decimal) for name in ("from", "to", "step")}
_SAID = {str: "text", int: "a whole number", Decimal: "a number", list: "a list", dict: "a table"}


@dataclass(frozen=True)
class Entry:
    """One combination of a suite.

    Parameters
    ----------
    where : str
        Its table, as "[[run]] 2".
    unable : str
        Why it cannot be done; "" where nothing is known against it.
    """

    where: str
    request: Request
    settings: str
    unable: str = ""

    @property
    def name(self) -> str:
        """Task, method, source and settings."""
        request = self.request
        source = f" + {request.source}" if request.source else ""
        settings = f" ({self.settings})" if self.settings else ""
        return f"{request.task}: {request.method}{source}{settings}"


@dataclass(frozen=True)
class Suite:
    """What a file asks for."""

    title: str
    reference: str
    entries: tuple[Entry, ...]


def read_suite(name: str, catalogue: Catalogue, circumstance: Mapping[str, Any]) -> Suite:
    """The requests of a suite.

    Parameters
    ----------
    name : str
        A file, or the name of a suite that ships with mirbench.
    circumstance : mapping
        Fields of `Request` that hold for all: folders, device, threads.

    Raises
    ------
    BadInput
        In one line that names file and table, on whatever `mirbench run` would refuse before looking at data.
    """
    path = _file(name)
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path.name}: not readable as TOML: {error}") from error
    _check(held, _TOP, path.name)
    defaults, tables = held.get("defaults", {}), held.get("run", [])
    _check(defaults, _RUN, f"{path.name}: [defaults]")
    if not tables or not all(isinstance(table, dict) for table in tables):
        raise BadInput(f"{path.name}: at least one table [[run]] is needed")
    entries: list[Entry] = []
    for number, table in enumerate(tables, 1):
        where = f"[[run]] {number}"
        _check(table, _RUN, f"{path.name}: {where}")
        with naming(f"{path.name}: {where}"):
            entries += _entries(_merged(defaults, table), where, catalogue, circumstance)
    return Suite(held.get("title", path.stem), held.get("reference", ""), tuple(entries))


def _file(name: str) -> Path:
    path = user_path(name)
    if path.is_file():
        return path
    if path.suffix == ".toml" or path.name != name:
        raise BadInput(f"{name}: no such file")
    if name not in shipped():
        raise UnknownName("suite", name, shipped())
    return shipped()[name]


def shipped() -> dict[str, Path]:
    """The suites that ship with mirbench, by name."""
    return {path.stem: path for path in sorted(Path(str(files("mirbench") / "suites")).glob("*.toml"))}


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Say in an error which table it comes from."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error


def _check(table: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], where: str) -> None:
    for key, value in table.items():
        if key not in known:
            raise UnknownName(f"key of {where}", key, known)
        if type(value) not in known[key]:  # not isinstance: true is no whole number
            accepted = " or ".join(_SAID[kind] for kind in known[key])
            raise BadInput(f"{where}: {key} must be {accepted}, not {_text(value)}")


def _merged(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    inner = {key: defaults[key] | value for key, value in table.items() if type(value) is dict and key in defaults}
    return {**defaults, **table, **inner}


def _entries(
    table: Mapping[str, Any], where: str, catalogue: Catalogue, circumstance: Mapping[str, Any]
) -> Iterator[Entry]:
    for key in ("task", "method"):
        if not table.get(key):
            raise BadInput(f"{key} is needed")
    windowing = Windowing(_choice(table, "windows"), _choice(table, "average"))
    sources = _several(table, "source") or [""]
    for task, method in itertools.product(_several(table, "task"), _several(table, "method")):
        kind = catalogue.method(method)
        for source in sources if kind.needs else [""]:
            request = Request(
                task=task,
                method=method,
                source=source or (DEFAULT_SOURCE if kind.needs else ""),
                seeds=_seeds(table.get("seeds", 5)),
                folds=(table["fold"],) if "fold" in table else None,
                params=_params(kind, table.get("set", {})),
                search=_search(kind, table.get("search", {})),
                windowing=windowing,
                **circumstance,
            )
            if request.source:
                options = [f"{name}={_text(value)}" for name, value in table.get("source-set", {}).items()]
                request = replace(request, source_params=parse_source(catalogue.source(request.source), options))
            yield _entry(where, request, table, catalogue)


def _entry(where: str, request: Request, table: Mapping[str, Any], catalogue: Catalogue) -> Entry:
    """An entry, after a look at whether it can be done at all."""
    said = [f"{name}={_text(value)}" for name, value in table.get("set", {}).items()]
    said += [f"{name}: {len(values)} values" for name, values in request.search.items()]
    said += [f"{name}={_text(value)}" for name, value in table.get("source-set", {}).items() if request.source]
    entry = Entry(where, request, ", ".join(said))
    try:
        draft_plan(request, catalogue)
    except (MissingExtra, NotApplicable) as error:
        return replace(entry, unable=str(error))
    return entry


def _several(table: Mapping[str, Any], key: str) -> list[str]:
    given = table.get(key, [])
    names = given if isinstance(given, list) else [given]
    if not all(isinstance(name, str) for name in names):
        raise BadInput(f"{key} must be text or a list of texts, not {_text(given)}")
    return names


def _choice(table: Mapping[str, Any], key: str) -> Any:
    known = typing.get_args(typing.get_type_hints(Windowing)[key])
    value = table.get(key, known[0])
    if value not in known:
        raise UnknownName(key, value, known)
    return value


def _seeds(given: int | str | list[Any]) -> tuple[int, ...]:
    if isinstance(given, list):  # of one number: "3," is that seed, "3" is how many
        return parse_seeds(",".join(map(_text, given)) if len(given) != 1 else f"{given[0]}-{given[0]}", "seeds")
    return parse_seeds(str(given), "seeds")


def _params(method: type[Method], table: Mapping[str, Any]) -> dict[str, Any]:
    return parse_method(method, [f"{name}={_text(value)}" for name, value in table.items()], "set")


def _search(method: type[Method], table: Mapping[str, Any]) -> dict[str, list[Any]]:
    found = {}
    for name, given in table.items():
        values = _range(name, given) if isinstance(given, dict) else given
        if not isinstance(values, list) or not values:
            raise BadInput(f"search {name}: a list, or a table of from, to and step, is needed, not {_text(given)}")
        found[name] = [parse_method(method, [f"{name}={_text(value)}"], "search")[name] for value in values]
    return found


def _range(name: str, table: Mapping[str, Any]) -> list[Decimal]:
    """Both ends and what lies between, exactly: floats would add up to another last digit."""
    _check(table, _RANGE, f"search {name}")
    if lacking := [key for key in _RANGE if key not in table]:
        raise BadInput(f"search {name}: {lacking[0]} is needed")
    first, last, step = (Decimal(table[key]) for key in _RANGE)
    if not (first.is_finite() and last.is_finite() and step.is_finite() and step > 0 and first <= last):
        raise BadInput(f"search {name}: from must not be above to, and step must be above 0")
    if (last - first) % step != 0 or (last - first) / step >= _MOST:
        raise BadInput(f"search {name}: steps of {step} from {first} do not meet {last} in under {_MOST} values")
    return [first + number * step for number in range(int((last - first) / step) + 1)]


def _text(value: Any) -> str:
    """A value of TOML as it would be typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)
