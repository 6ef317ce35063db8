"""Where lists, folders and models lie that records call by the last part of a path: ``--as NAME=PLACE``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mirbench.errors import BadInput, UnknownName
from mirbench.places import user_path
from mirbench.record import RunRecord, RunSpec
from mirbench.spelling import in_one_spelling, of_files, on_record, source_of_files, taken_apart, with_places

__all__ = ["lacking", "parse_places", "refuse_of_none", "said_in", "source_here", "task_here", "task_of"]


def parse_places(texts: Sequence[str]) -> dict[str, str]:
    """``folder:songs=folder:/music/songs`` and the like: where a task or a source lies that has a short name on record.

    Of a file of classes, ``::pairs=/music/pairs.csv``.
    """
    places = {}
    for text in texts:
        name, equals, place = text.partition("=")
        if not (name.strip(":") and equals and place):
            raise BadInput(f"--as {text}: NAME=PLACE is needed, as in --as folder:songs=folder:/music/songs")
        prefix, colon, _ = name.partition(":")
        family = place.partition(":")[0] if ":" in place else "csv"
        if not colon:
            raise BadInput(f"--as {text}: a name begins as its place does: --as {family}:{name}={place}")
        if prefix and not place.startswith(f"{prefix}:"):
            raise BadInput(f"--as {text}: a place of {name} begins with {prefix}:, as in --as {name}={prefix}:{place}")
        places[name if name.startswith(("::", "hf:")) else on_record("task", name)] = place
    return places


def refuse_of_none(places: Mapping[str, str], specs: Collection[RunSpec]) -> None:
    """Refuse a place of what none of some runs has.

    Raises
    ------
    UnknownName
        Naming what they have.
    """
    tasks = {in_one_spelling(spec.task): spec for spec in specs}
    held = {name for task in tasks for name in of_files(task)}
    held |= {name for spec in specs if (name := source_of_files(spec.source))}
    for name in places:
        if name not in held and not any(task == name or task.startswith(f"{name}+") for task in tasks):
            raise UnknownName("list, folder or model of these runs", name, held)


def said_in(name: str, spec: RunSpec) -> dict[str, str]:
    """Where the task of a run lies by the name that the run was asked for with: ``PATH/METHOD+SOURCE``, as run took it.

    Empty where the name says no place, as on record or in the name of a folder of runs.
    """
    task = in_one_spelling(spec.task)
    for typed in (name[:n] for n, letter in enumerate(name) if letter == "/" and n):
        if of_files(typed) != of_files(task) and on_record("task", typed) == task:
            return {task: typed}
    return {}


def task_of(record: RunRecord, places: Mapping[str, str], data: Path | None = None) -> str:
    """The task of a run, as one types it here; see `task_here`.

    A list of numbers that is named without its targets and their ranges gets those of the record.
    """
    return task_here(record.spec.task, places, data, _query(record))


def task_here(task: str, places: Mapping[str, str], data: Path | None = None, query: str = "") -> str:
    """The name of a task on record, as one types it here: with what `places` says, or what lies in the folder `data`.

    What follows the name of a list or folder, modifiers of a task, is kept.

    Parameters
    ----------
    query : str
        What stands behind a list that is named without.
    """
    task = in_one_spelling(task)
    for name, place in places.items():  # which may say a modifier, too
        if "+" in name and (task == name or task.startswith(f"{name}+")):
            base, words = taken_apart(place)
            return "+".join([_asked(base, query), *words]) + task.removeprefix(name)
    return with_places(task, lambda name: _asked(places.get(name) or _found(name, data), query))


def _query(record: RunRecord) -> str:
    """The targets of a run and their ranges as they stand behind a list; "" of a run that predicts classes."""
    if record.kind != "regression" or not record.target_ranges:
        return ""
    ranges = ",".join(f"{low!r}:{high!r}" for low, high in record.target_ranges)
    return f"?value={','.join(quote(name, safe='') for name in record.classes)}&range={ranges}"


def _asked(place: str, query: str) -> str:
    family, _, path = place.partition(":")
    return place + query if family == "csv" and query and user_path(path).is_file() else place


def source_here(source: str, places: Mapping[str, str]) -> str:
    """The name of a source on record, as one types it here; see `task_here`."""
    name = source_of_files(source)
    return source.removesuffix(name) + places[name] if name in places else source


def lacking(spec: RunSpec, places: Mapping[str, str]) -> str:
    """How to say where own data, features and models lie, of which a record holds the names alone; "" where all are."""
    task = in_one_spelling(spec.task)
    named = [*(() if task in places else of_files(task)), source_of_files(spec.source)]
    lacks = [name for name in named if name and name not in places]
    said = [f"--as {name}={'' if name.startswith('::') else name.partition(':')[0] + ':'}PATH" for name in lacks]
    return f"say where it is: {' '.join(said)}" if said else ""


def _found(name: str, data: Path | None) -> str:
    """A list, folder or file of classes in a folder, by its name; the name where it is not there."""
    family, _, called = name.rpartition(":")
    suffixes = {"csv": ("", ".csv"), ":": (".csv",), "folder": ("",)}.get(family, ())
    for suffix in suffixes:
        if data is None:
            break
        place = data / f"{called}{suffix}"
        if place.exists():
            return f"{family}:{place.resolve()}" if family != ":" else str(place.resolve())
    return name
