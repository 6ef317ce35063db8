"""Facts that a record states of its task, method and source, beside what this mirbench knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from mirbench import metrics
from mirbench.errors import MirbenchError
from mirbench.record import RunRecord
from mirbench.registry import Catalogue, is_ours
from mirbench.taken_names import Kind, is_hashed
from mirbench.types import Task

__all__ = ["KnownFacts", "is_place", "unknown"]


class KnownFacts:
    """What this mirbench knows of tasks, methods and sources that records name.

    Parameters
    ----------
    catalogue : Catalogue
        What can be named here.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.task = cache(self._task)
        self.version = cache(self._version)

    def of(self, record: RunRecord) -> tuple[list[str], list[str]]:
        """Problems and notes of a record: facts of its task that it gets wrong; versions that are other ones now."""
        if taken := list(_taken(record)):
            return taken, []
        spec, task = record.spec, self.task(record.spec.task)
        notes = [*self._other("method", spec.method, spec.method_version)]
        notes += self._other("source", spec.source, spec.source_version) if spec.source else []
        if task is None:
            return [], [unknown("task", spec.task), *notes]
        if task.version != spec.task_version:
            said = f"task {spec.task} has version {spec.task_version} on record; this mirbench has {task.version}"
            return [], [said, *notes]
        return list(_unlike(record, task)), notes

    def _other(self, kind: str, name: str, version: str) -> Iterator[str]:
        now = self.version(kind, name)
        if now is None:
            yield unknown(kind, name)
        elif now != version:
            yield f"{kind} {name} has version {version} on record; this mirbench has {now}"

    def _task(self, name: str) -> Task | None:
        if is_place(name):  # a record from elsewhere does not tell this machine which folder or address to look into
            return None
        try:
            return self._catalogue.task(name)
        except MirbenchError:
            return None

    def _version(self, kind: str, name: str) -> str | None:
        if (kind, name) == ("method", "ensemble"):
            return "1"
        if is_place(name):
            return None
        try:
            return self._catalogue.version(kind, name)
        except MirbenchError:
            return None


def _taken(record: RunRecord) -> Iterator[str]:
    """Names of mirbench's own under which a plugin was recorded: earlier versions let it, and it looks like ours."""
    spec = record.spec
    named: tuple[tuple[Kind, str, str], ...] = (
        ("task", spec.task, spec.task_version),
        ("method", spec.method, spec.method_version),
        ("source", spec.source, spec.source_version),
    )
    for kind, name, version in named:
        if is_hashed(version) and is_ours(kind, name):
            yield (
                f"its {kind} {name} is a plugin (version {version}) under the name of mirbench's own, which it is not; "
                "give the plugin another name, and run it again"
            )


def is_place(name: str) -> bool:
    """Whether looking a name up would look into a folder or at an address that a record from elsewhere names."""
    name = name.replace("+on:", "+on-", 1)  # of a task that is tested on another, whose name may be a place, too
    return ":" in name and not name.startswith(("shipped:", "timm:"))


def unknown(kind: str, name: str) -> str:
    """What is noted of a task, method or source of a record that is none that is known here."""
    place = is_place(name)
    why = "is a path or address of whoever ran it, and not looked up" if place else "is unknown to this mirbench"
    return f"{kind} {name} {why}"


def _unlike(record: RunRecord, task: Task) -> Iterator[str]:
    """Facts of a task that its record gets wrong."""
    if not 0 <= record.spec.fold < task.n_folds:
        yield f"is of fold {record.spec.fold}; {task.name} has {task.n_folds}"
    if record.classes and tuple(record.classes) != task.classes:
        yield f"its classes are not those of {task.name}"
    facts = {"standing": task.standing, "n_folds": task.n_folds, "kind": task.kind if record.kind else ""}
    if record.kind == "regression" and record.target_ranges != task.ranges:
        yield f"its ranges are not those of {task.name}"
    for name, fact in facts.items():
        if getattr(record, name) != fact:
            yield f"{name} is {getattr(record, name)} on record; {task.name} has {fact}"
    differing = set(record.metrics) & set(metrics.METRICS) ^ set(task.metrics)
    of_before = differing == set(metrics.ADDED) & set(task.metrics) - set(record.metrics)
    if record.status == "done" and differing and not of_before:
        yield f"its metrics are not those of {task.name} ({', '.join(sorted(differing))})"
