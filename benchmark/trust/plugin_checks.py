"""Everything that a plugin brings, checked as `mirbench check` does: by the conformance checks, and by a run of it.

A run on a tiny task goes through the same code as every run: whatever it refuses, or records as failed, is a problem.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mirbench.errors import MirbenchError
from mirbench.features.datasets import dataset_folder
from mirbench.features.networks import load_network
from mirbench.features.temporary import temporary, using
from mirbench.features.weights import find_weights
from mirbench.method import Method, Restorable
from mirbench.places import default_cache
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, draft_plan
from mirbench.runs.runner import run
from mirbench.source import SourceCard
from mirbench.trust.blindness import check_blind
from mirbench.trust.checks import check_data, check_method, check_network, check_task
from mirbench.trust.encoder_checks import check_encoder
from mirbench.trust.tiny_task import built, tiny_context, tiny_task
from mirbench.types import Task

__all__ = ["Found", "check_plugin", "look_at_plugin"]

_TINY = "tiny-task-of-checks"
_QUIET = Progress(quiet=True)


@dataclass
class Found:
    """What is wrong with a thing, and what its author may want to know that is no fault."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Places:
    data: Path | None
    weights: Path | None


def check_plugin(
    plugin: Plugin, progress: Progress, data: Path | None = None, weights: Path | None = None
) -> dict[str, list[str]]:
    """Problems of everything that a plugin brings, by kind and name; see `look_at_plugin`."""
    return {name: found.problems for name, found in look_at_plugin(plugin, progress, data, weights).items()}


def look_at_plugin(
    plugin: Plugin,
    progress: Progress,
    data: Path | None = None,
    weights: Path | None = None,
    *,
    is_ours: bool = False,
) -> dict[str, Found]:
    """What was found of everything that a plugin brings, by kind and name.

    Parameters
    ----------
    data, weights : Path or None
        Where tasks have their clips, and sources their weights; without them, cards are read, and networks tried at
        random weights. Methods are tried with the source ``nano``.
    is_ours : bool
        Whether what it brings is mirbench's own, or installed, and is named without it.

    Raises
    ------
    BadInput
        If it calls something as mirbench does.
    """
    places, held = _Places(data, weights), () if is_ours else (plugin,)
    Catalogue(held)  # which refuses what it may not be called
    found: dict[str, Found] = {}
    n = len(plugin.tasks) + 2 * len(plugin.sources) + 3 * len(plugin.methods)
    with progress.bar("checking", n, "checks") as step:
        for name, task in plugin.tasks.items():
            found[f"task {name}"] = _checked(partial(_task, task, places, progress))
            step(1, name)
        for name, card in plugin.sources.items():
            found[f"source {name}"] = _checked(partial(_source, card, held, places, progress, step))
            step(1, name)
        for name, method in plugin.methods.items():
            found[f"method {name}"] = _checked(partial(_method, method, held, progress, step))
            step(1, name)
    return found


def _checked(check: Callable[[], Found]) -> Found:
    try:
        found = check()
    except MirbenchError as error:
        found = Found([str(error)])
    except Exception as error:  # somebody else's code
        found = Found([f"{type(error).__name__}: {error}"])
    return Found(list(dict.fromkeys(found.problems)), list(dict.fromkeys(found.notes)))


def _task(task: Task, places: _Places, progress: Progress) -> Found:
    found = Found(check_task(task))
    here = places.data is not None or task.synthesise is not None or Path(task.folder).is_absolute()
    if found.problems or not here:
        if not here:
            found.notes.append("its card was read, and no clip; --data ROOT reads them too")
        return found
    with using(default_cache()):
        folder = dataset_folder(task, places.data, default_cache(), progress)
        return Found(check_data(task, folder, default_cache(), progress))


def _source(
    card: SourceCard, held: tuple[Plugin, ...], places: _Places, progress: Progress, step: Callable[..., None]
) -> Found:
    found = Found()
    path: Path | None = None
    extra: tuple[Path, ...] = ()
    if card.missing:
        return Found([card.missing])
    if card.kind == "precomputed":
        return Found([], ["its rows are read from a file, and checked when a task asks for them"])
    if places.weights is not None or card.packaged or (card.adapter and (card.weights or card.hub)):
        weights = find_weights(card, places.weights, default_cache(), progress, card.options, must_load=True)
        path, extra = (weights.path, weights.extra) if weights else (None, ())
    elif card.weights or card.hub:
        found.notes.append("it was tried at random weights; --weights DIR tries yours")
    if card.adapter:
        network = load_network(card, (path, *extra) if path else (), card.options)
        found.problems += check_encoder(card, network)
    else:
        found.problems += check_network(card, built(card, path))
    step(1, f"{card.name}, a run")
    if "pooled" in card.offers and not found.problems and (path is not None or not (card.weights or card.hub)):
        found.problems += _run(held, "probe-linear", card.name, places.weights)
    return found


def _method(method: type[Method], held: tuple[Plugin, ...], progress: Progress, step: Callable[..., None]) -> Found:
    nano, source = Catalogue().source("nano"), "nano" if method.needs else ""
    with temporary() as folder:
        splits = tiny_task(folder)
        stages = [f"needs {stage}, which no source has" for stage in method.needs if stage not in nano.offers]
        problems = stages or _refused(held, method.name, source, folder)
        problems = problems or check_method(method, tiny_context(nano, splits, folder, progress), splits)
    step(1, f"{method.name}, blindness")
    problems = problems or check_blind(method, nano, progress)
    step(1, f"{method.name}, a run")
    problems = problems or _run(held, method.name, source, None)
    found = Found(problems)
    if not problems:
        found.notes += _of_other_processes(method)
    return found


def _tiny(held: tuple[Plugin, ...], folder: Path) -> Catalogue:
    """What can be named, and the tiny task, whose clips lie in a folder."""
    clips = tiny_task(folder)[0].task
    return Catalogue(
        [*held, Plugin("checks", "0" * 64, {_TINY: replace(clips, name=_TINY, folder=str(folder))}, {}, {})]
    )


def _refused(held: tuple[Plugin, ...], method: str, source: str, folder: Path) -> list[str]:
    """Why a run would be refused before it begins, for what its method says of itself."""
    try:
        draft_plan(Request(_TINY, method, source), _tiny(held, folder))
        return []
    except MirbenchError as error:
        return [f"a run is refused: {error}"]


def _run(held: tuple[Plugin, ...], method: str, source: str, weights: Path | None) -> list[str]:
    """Why a run on a tiny task is refused, or fails."""
    with temporary() as folder:
        asked = Request(
            _TINY, method, source, seeds=(0,), runs=folder / "runs", cache=folder / "cache", weights=weights
        )
        try:
            records = [outcome.record for outcome in run(asked, _tiny(held, folder), _QUIET)]
        except MirbenchError as error:
            return [f"a run is refused: {error}"]
        return [f"a run is {record.status}: {record.reason}" for record in records if record.status != "done"]


def _of_other_processes(method: type[Method]) -> list[str]:
    """What will not be possible with runs of a method that is fine otherwise."""
    notes = []
    if not isinstance(method, Restorable):
        notes.append("it has no `restore`: `predict` will not load its runs, --sealed not run it, --deform fit it anew")
    try:
        importable = operator.attrgetter(method.__qualname__)(sys.modules[method.__module__]) is method
    except (AttributeError, KeyError):
        importable = False
    if not importable:
        said = f"its file has nothing that is called {method.__qualname__}"
        notes.append(f"another process cannot import it (--sealed, clusters): {said}")
    return notes
