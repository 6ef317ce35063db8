"""Suites: many runs in one file, in TOML.

::

    title = "Probes on an excerpt"              # what it is, and what it reproduces
    reference = "Somebody (2023)"
    plugins = ["my_method.py"]                  # files with methods, tasks and sources of yours, beside this one

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
    windows = "nonoverlap"                      # and `average`, `fit-on`, `refit = true`, `pad`, `thresholds`,
                                                # `calibrate`, as the flags of `mirbench run`

    [[run]]
    method = "picture-mlp"
    source = "vit-b16"
    each = { lr = [1e-3, 2e-3] }                # hyperparameters again, but every combination is a run of its own

``set``, ``search``, ``each`` and ``source-set`` of the defaults hold beside those of a run. Ranges are counted in
decimals, hold both ends, and have to meet the second one. A combination is what one command ``mirbench run`` would do.

What follows is for `mirbench reproduce`, and a sweep does not look at it::

    printed = ["hung2022-table1"]               # tables of leaderboard/published; shipped suites: their own

    [[run]]
    row = "IDS-NMR, {source}"                   # the printed row that it answers; {task}, {method}, and those of `each`
    other = "public recordings"                 # it hears other clips than the paper did: shown beside, never judged
    demo-task = "gtzan-demo"                    # on which its demo is done, where its task has no stand-in
    demo-set = { epochs = 6, lr = 3e-3 }        # what a demo sets instead of one epoch, so that it learns something
    fitted = ["n_trainable"]                    # printed numbers that it was made to meet: shown beside, never judged

    [[data]]                                    # what the clips of a task are, no run needed
    task = "ballroom"
    row = "Ballroom"                            # a printed row about all of it, and
    rows = { "Ballroom:Tango" = "Tango" }       # rows about a class each
    splits = ["train", "valid"]                 # all of its clips if left out
    other = ""
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput, MissingData, UnknownName
from mirbench.places import user_path
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.suite_runs import RUN_KEYS, Entry, count_runs, entries_of, identity, merged, names_in
from mirbench.runs.toml_tables import Kinds, check_table

__all__ = ["DataEntry", "Suite", "naming", "plugins_of", "read_suite", "shipped", "titles"]

_MAX_BYTES = 16 * 10**6
_MOST_RUNS = 100_000  # of one suite, on one fold

_TOP: Kinds = {
    "title": (str,),
    "reference": (str,),
    "plugins": (list,),
    "printed": (list,),
    "defaults": (dict,),
    "run": (list,),
    "data": (list,),
}
_DATA: Kinds = {
    "task": (str,),
    "row": (str,),
    "rows": (dict,),
    "splits": (list,),
    "other": (str,),
}


@dataclass(frozen=True)
class DataEntry:
    """A task whose clips are counted and heard, and the printed rows about all of it and about its classes."""

    where: str
    task: str
    row: str = ""
    rows: Mapping[str, str] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    other: str = ""


@dataclass(frozen=True)
class Suite:
    """What a file asks for."""

    title: str
    reference: str
    entries: tuple[Entry, ...]
    data: tuple[DataEntry, ...] = ()
    printed: tuple[str, ...] = ()

    @property
    def first(self) -> Request:
        """The request of the first entry; where things are, and on what to compute, is the same in all.

        Raises
        ------
        BadInput
            If there is none.
        """
        if not self.entries:
            raise BadInput(f"{self.title}: it asks for no run, only what data are; `mirbench reproduce` compares that")
        return self.entries[0].request


def read_suite(
    name: str, catalogue: Catalogue, circumstance: Mapping[str, Any], instead: Mapping[str, Any] | None = None
) -> Suite:
    """The requests of a suite.

    Parameters
    ----------
    name : str
        A file, or the name of a suite that ships with mirbench.
    circumstance : mapping
        Fields of `Request` that hold for all: folders, device, threads.
    instead : mapping, optional
        Keys of a table [[run]] and what they hold in all of them, whatever the file says. Tables that become the same
        by it count once.

    Raises
    ------
    BadInput
        In one line that names file and table, on whatever `mirbench run` would refuse before looking at data.
    """
    path = _file(name)
    held = _toml(path)
    check_table(held, _TOP, path.name)
    defaults, tables, described = held.get("defaults", {}), held.get("run", []), held.get("data", [])
    check_table(defaults, RUN_KEYS, f"{path.name}: [defaults]")
    if not (tables or described) or not all(isinstance(table, dict) for table in [*tables, *described]):
        raise BadInput(f"{path.name}: at least one table [[run]] is needed")
    entries: list[Entry] = []
    n_runs = 0
    for number, table in enumerate(tables, 1):
        where = f"[[run]] {number}"
        check_table(table, RUN_KEYS, f"{path.name}: {where}")
        with naming(f"{path.name}: {where}"):
            asked = {**merged(defaults, table), **(instead or {})}
            n_runs += count_runs(asked)
            if n_runs > _MOST_RUNS:
                raise BadInput(f"asks for more than {_MOST_RUNS:,} runs a fold, with those above; split the suite")
            entries += entries_of(asked, where, catalogue, circumstance)
    if instead:
        first: dict[str, Entry] = {}
        for entry in entries:  # a printed row has runs of its own, be they those of another row
            first.setdefault(entry.row + identity(entry.request), entry)
        entries = list(first.values())
    data = tuple(_data_entry(table, f"[[data]] {n}", path.name, catalogue) for n, table in enumerate(described, 1))
    return Suite(held.get("title", path.stem), held.get("reference", ""), tuple(entries), data, _printed(held, path))


def plugins_of(name: str) -> tuple[Path, ...]:
    """The plugin files that a suite names, relative to its own folder; for the catalogue that `read_suite` is given.

    Raises
    ------
    BadInput
        If there is no such suite, or no such file.
    """
    path = _file(name)
    held = _toml(path)
    check_table(held, _TOP, path.name)
    with naming(f"{path.name}: plugins"):
        found = tuple(path.parent / user_path(given) for given in names_in(held, "plugins"))
    if lacking := [plugin for plugin in found if not plugin.is_file()]:
        raise BadInput(f"{path.name}: plugins: {lacking[0]}: no such file; paths are relative to the suite")
    return found


def _toml(path: Path) -> dict[str, Any]:
    """What a file holds; it may begin with a byte order mark, as Windows writes it."""
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise BadInput(f"{path.name}: has {size / 1e6:,.0f} MB; a suite has at most {_MAX_BYTES / 1e6:.0f}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (OSError, ValueError, RecursionError) as error:  # a ValueError for a number of thousands of digits, too
        raise BadInput(f"{path.name}: not readable as TOML: {error}") from error


def _printed(held: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    own = (path.stem,) if path in shipped().values() else ()
    return tuple(names_in(held, "printed")) if "printed" in held else own


def _data_entry(table: Mapping[str, Any], where: str, name: str, catalogue: Catalogue) -> DataEntry:
    check_table(table, _DATA, f"{name}: {where}")
    with naming(f"{name}: {where}"):
        if not table.get("task"):
            raise BadInput("task is needed")
        classes = catalogue.task(table["task"]).classes
        for known in table.get("rows", {}).values():
            if known not in classes:
                raise UnknownName(f"class of {table['task']}", str(known), classes)
        splits = tuple(names_in(table, "splits"))
        if wrong := sorted({*splits} - {"train", "valid", "test"}):
            raise UnknownName("split", wrong[0], ("train", "valid", "test"))
        rows = table.get("rows", {})
        return DataEntry(where, table["task"], table.get("row", ""), rows, splits, table.get("other", ""))


def _file(name: str) -> Path:
    path = user_path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise BadInput(f"{name}: a folder; a TOML file, or the name of a suite that ships, is needed")
    if path.suffix == ".toml" or path.name != name:
        raise BadInput(f"{name}: no such file")
    if name not in shipped():
        raise UnknownName("suite", name, shipped())
    return shipped()[name]


def shipped() -> dict[str, Path]:
    """The suites that ship with mirbench, by name."""
    return {path.stem: path for path in sorted(Path(str(files("mirbench.runs") / "suites")).glob("*.toml"))}


def titles(*, printed: bool = False) -> dict[str, str]:
    """The titles of the suites that ship with mirbench, by name; those of printed tables alone, if asked."""
    held = {name: (path, tomllib.loads(path.read_text("utf-8"))) for name, path in shipped().items()}
    return {name: str(of["title"]) for name, (path, of) in held.items() if not printed or _printed(of, path)}


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Say in an error which table it comes from."""
    try:
        yield
    except BadInput as error:
        kind = MissingData if isinstance(error, MissingData) else BadInput
        raise kind(f"{where}: {error}") from error
