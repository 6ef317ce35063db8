"""From a table [[run]] of a suite to its entries: every combination of what it names, each as one request."""

from __future__ import annotations

import itertools
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mirbench.errors import BadInput, MissingExtra, NotApplicable, UnknownName
from mirbench.method import Method
from mirbench.record import CalibrateBy, FitOn, ThresholdsFrom
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import (
    MOST_POINTS,
    grid,
    n_points,
    parse_method,
    parse_seeds,
    parse_source,
    refuse_large,
)
from mirbench.runs.plan import DEFAULT_SOURCE, Request, draft_plan
from mirbench.runs.toml_tables import Kinds, as_text, listed
from mirbench.spelling import travelled
from mirbench.types import Pad, Windowing

__all__ = ["RUN_KEYS", "Entry", "count_runs", "entries_of", "identity", "merged", "names_in"]

RUN_KEYS: Kinds = {
    "task": (str, list),
    "method": (str, list),
    "source": (str, list),
    "seeds": (int, str, list),
    "fold": (int,),
    "windows": (str,),
    "average": (str,),
    "fit-on": (str,),
    "refit": (bool,),
    "pad": (str,),
    "thresholds": (str,),
    "calibrate": (str,),
    "test-on": (str,),
    "classes": (str,),
    "set": (dict,),
    "search": (dict,),
    "each": (dict,),
    "source-set": (dict,),
    "row": (str,),
    "other": (str,),
    "demo-task": (str,),
    "demo-set": (dict,),
    "fitted": (str, list),
}
"""What a table may hold; see `mirbench.runs.suite`."""


@dataclass(frozen=True)
class Entry:
    """One combination of a suite.

    Parameters
    ----------
    where : str
        Its table, as "[[run]] 2".
    unable : str
        Why it cannot be done; "" where nothing is known against it.
    row, other, demo_task : str
        What `mirbench reproduce` asks for; see `mirbench.runs.suite`.
    demo_set : mapping
        The same, read as hyperparameters.
    fitted : tuple of str
        The same.
    instead_of : str
        The source, with its options, that another one stands in for, in a demo.
    """

    where: str
    request: Request
    settings: str
    unable: str = ""
    row: str = ""
    other: str = ""
    demo_task: str = ""
    demo_set: Mapping[str, Any] = field(default_factory=dict)
    fitted: tuple[str, ...] = ()
    instead_of: str = ""

    @property
    def name(self) -> str:
        """Task, method, source and settings."""
        request = self.request
        source = f" + {request.source}" if request.source else ""
        settings = f" ({self.settings})" if self.settings else ""
        return f"{request.task}: {request.method}{source}{settings}"


def merged(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """A table with what the defaults say beside it."""
    inner = {key: defaults[key] | value for key, value in table.items() if type(value) is dict and key in defaults}
    return {**defaults, **table, **inner}


def count_runs(table: Mapping[str, Any]) -> int:
    """Runs a fold that a table asks for.

    Raises
    ------
    BadInput
        If there are more combinations than a table may have.
    """
    return _count(table) * len(_seeds(table.get("seeds", 5)))


def _count(table: Mapping[str, Any]) -> int:
    """Combinations that a table asks for."""
    names = (len(names_in(table, key)) for key in ("task", "method", "source"))
    each = listed("each", table.get("each", {}))
    refuse_large(each, "each")
    count = math.prod(max(1, n) for n in names) * n_points(each)
    if count > MOST_POINTS:
        raise BadInput(f"{count:,} combinations; at most {MOST_POINTS:,} of a table are accepted")
    return count


def identity(request: Request) -> str:
    """A text that is the same of requests that are equal."""
    held = {f.name: getattr(request, f.name) for f in fields(request)}
    return repr({name: sorted(of.items()) if isinstance(of, Mapping) else of for name, of in held.items()})


def entries_of(
    table: Mapping[str, Any], where: str, catalogue: Catalogue, circumstance: Mapping[str, Any]
) -> Iterator[Entry]:
    """Every combination that a table asks for.

    Parameters
    ----------
    table : mapping
        With the defaults of the suite beside what it says itself.
    where : str
        What it is called, as "[[run]] 2".
    circumstance : mapping
        Fields of `Request` that hold for all.

    Raises
    ------
    BadInput
        On whatever `mirbench run` would refuse before looking at data.
    """
    for key in ("task", "method"):
        if not table.get(key):
            raise BadInput(f"{key} is needed")
    windowing = Windowing(_choice(table, "windows"), _choice(table, "average"))
    sources = names_in(table, "source") or [""]
    tasks = [travelled(task, table.get("test-on", ""), table.get("classes", "")) for task in names_in(table, "task")]
    for task, method in itertools.product(tasks, names_in(table, "method")):
        kind = catalogue.method(method)
        for source, point in itertools.product(sources if kind.needs else [""], _points(table.get("each", {}))):
            own = {**table, "set": table.get("set", {}) | point}
            request = Request(
                task=task,
                method=method,
                source=source or (DEFAULT_SOURCE if kind.needs else ""),
                seeds=_seeds(table.get("seeds", 5)),
                folds=(table["fold"],) if "fold" in table else None,
                params=_params(kind, own["set"]),
                search=_search(kind, table.get("search", {})),
                windowing=windowing,
                **_protocol(table),
                **circumstance,
            )
            if request.source:
                options = [f"{name}={as_text(value)}" for name, value in table.get("source-set", {}).items()]
                request = replace(request, source_params=parse_source(catalogue.source(request.source), options))
            words = {"task": task, "method": method, "source": request.source, **point}
            yield replace(_entry(where, request, own, catalogue), row=_filled(table.get("row", ""), words))


def _entry(where: str, request: Request, table: Mapping[str, Any], catalogue: Catalogue) -> Entry:
    """An entry, after a look at whether it can be done at all."""
    said = [f"{name}={as_text(value)}" for name, value in table.get("set", {}).items()]
    said += [f"{name}: {len(values)} values" for name, values in request.search.items()]
    said += [f"{name}={as_text(value)}" for name, value in table.get("source-set", {}).items() if request.source]
    usual = Request("", "")
    for name in ("fit_on", "pad", "thresholds", "calibrate"):
        if (value := getattr(request, name)) != getattr(usual, name):
            said.append(f"{name.replace('_', '-')}={value}")
    texts = {"other": table.get("other", ""), "demo_task": table.get("demo-task", "")}
    short = _params(catalogue.method(request.method), table.get("demo-set", {}))
    fitted = tuple(names_in(table, "fitted"))
    entry = Entry(where, request, ", ".join(said), **texts, demo_set=short, fitted=fitted)
    try:
        draft_plan(request, catalogue)
    except (MissingExtra, NotApplicable) as error:
        return replace(entry, unable=str(error))
    return entry


def _protocol(table: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a request that came last; see `RunSpec`."""
    if table.get("refit") and table.get("fit-on", "refit") != "refit":
        raise BadInput("fit-on and refit: the one is for what selects nothing on valid, the other for what does")
    given = {"fit-on": "refit" if table.get("refit") else "train", "thresholds": "0.5", "calibrate": "none", **table}
    choices = {"fit-on": FitOn, "pad": Pad, "thresholds": ThresholdsFrom, "calibrate": CalibrateBy}
    for key, known in choices.items():
        if key in given and given[key] not in typing.get_args(known):
            raise UnknownName(key, given[key], typing.get_args(known))
    return {key.replace("-", "_"): given[key] for key in choices if key in given}


def _choice(table: Mapping[str, Any], key: str) -> Any:
    known = typing.get_args(typing.get_type_hints(Windowing)[key])
    value = table.get(key, known[0])
    if value not in known:
        raise UnknownName(key, value, known)
    return value


def _seeds(given: int | str | list[Any]) -> tuple[int, ...]:
    if isinstance(given, list):  # of one number: "3," is that seed, "3" is how many
        return parse_seeds(",".join(map(as_text, given)) if len(given) != 1 else f"{given[0]}-{given[0]}", "seeds")
    return parse_seeds(str(given), "seeds")


def _params(method: type[Method], table: Mapping[str, Any]) -> dict[str, Any]:
    return parse_method(method, [f"{name}={as_text(value)}" for name, value in table.items()], "set")


def _search(method: type[Method], table: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {
        name: [parse_method(method, [f"{name}={as_text(value)}"], "search")[name] for value in values]
        for name, values in listed("search", table).items()
    }


def _points(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the values of ``each``; a single empty one without."""
    return list(grid(listed("each", table)))


def _filled(row: str, words: Mapping[str, Any]) -> str:
    for name, value in words.items():
        row = row.replace(f"{{{name}}}", as_text(value))
    return row


def names_in(table: Mapping[str, Any], key: str) -> list[str]:
    """The one name, or the several, that stand behind a key."""
    given = table.get(key, [])
    names = given if isinstance(given, list) else [given]
    if not all(isinstance(name, str) for name in names):
        raise BadInput(f"{key} must be text or a list of texts, not {as_text(given)}")
    return names
