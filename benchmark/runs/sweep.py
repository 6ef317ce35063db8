"""Sweeps: every run of a suite (`mirbench.runs.suite`), as one command `mirbench run` after another would do them.

What cannot be done on this machine, or by this method, does not stop the others. Data that are missing do, before the
first run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Literal

from mirbench.errors import BrokenInstallation, MirbenchError, MissingData, MissingExtra, NotApplicable
from mirbench.features.claims import clock
from mirbench.features.effects import require_packages
from mirbench.features.merging import merge_small_shards
from mirbench.features.temporary import using
from mirbench.features.weights import on_disk
from mirbench.method import Method
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.limits import Limits
from mirbench.runs.measure import EnergyMeter
from mirbench.runs.pieces import Piece
from mirbench.runs.plan import DEMO_SOURCE, Request, make_plan
from mirbench.runs.runner import Job, Outcome
from mirbench.runs.suite import Suite, naming
from mirbench.runs.suite_runs import Entry, identity
from mirbench.runs.surroundings import find_device
from mirbench.source import SourceCard, with_weights
from mirbench.tables import LEAVE_OUT, modifier
from mirbench.types import Task

__all__ = [
    "LEFT_OUT",
    "QUICK",
    "SHORTENED",
    "Result",
    "able",
    "as_demo",
    "begun",
    "finished",
    "part_of",
    "quick",
    "run_suite",
    "shortened",
    "tried",
]


SHORTENED = (
    "one seed, one epoch or a few at a high rate (all of them in a search or curve on embeddings, of 18 at most), the "
    "first and the last point of a grid that makes one row, batches of at most four windows where a whole network "
    "learns, a quarter of train where it does so from scratch for one epoch, windows side by side, and the first task "
    "where a table has several"
)
"""What `shortened` leaves."""

QUICK = (
    "five epochs and two points of a search at most, batches of at most four windows where a whole network learns, and "
    "windows side by side"
)
"""What `quick` leaves of each run."""

LEFT_OUT = "left out of the demo"
"""How it begins why an entry is not done there."""

_SMALL_BATCH = 4
_FEW_QUERIES, _FEW_EPOCHS, _FEW_CLIPS = 4000, 5, 0.25


@dataclass(frozen=True)
class Result:
    """The runs of an entry.

    Parameters
    ----------
    reason : str
        Why there are none.
    no_curve : str
        Why their clips were not deformed as asked.
    n_left : int
        How many were not begun for lack of time.
    """

    entry: Entry
    outcomes: tuple[Outcome, ...] = ()
    reason: str = ""
    no_curve: str = ""
    n_left: int = 0

    @property
    def done(self) -> list[Outcome]:
        """Those with a result."""
        return [outcome for outcome in self.outcomes if outcome.record.status == "done"]

    @property
    def complete(self) -> bool:
        """Whether every run has a result."""
        return bool(self.outcomes) and not self.n_left and len(self.done) == len(self.outcomes)

    @property
    def why(self) -> str:
        """Why some of its runs have no result; "" where all that were begun have one."""
        if self.reason:
            return self.reason
        lacking = (outcome.record for outcome in self.outcomes if outcome.record.status != "done")
        return next((f"{record.status}: {record.reason}" for record in lacking), "")


def as_demo(suite: Suite, catalogue: Catalogue) -> Suite:
    """The same on synthesised stand-ins, with the source nano where an entry's own would have to be fetched."""
    return replace(suite, entries=tuple(_demo(entry, catalogue) for entry in suite.entries))


def _demo(entry: Entry, catalogue: Catalogue) -> Entry:
    made = _stand_in(entry, entry.request.task, catalogue)
    return _stand_in(entry, entry.demo_task, catalogue) if made.unable and entry.demo_task else made


def _stand_in(entry: Entry, name: str, catalogue: Catalogue) -> Entry:
    request = entry.request
    task = catalogue.task(name)
    if task.synthesise is None:
        if not task.demo:
            return replace(entry, unable=f"{task.name} has no stand-in")
        task = catalogue.task(task.demo)
    request = replace(request, task=task.name, data=None, folds=None)
    if request.source and not _is_here(
        with_weights(catalogue.source(request.source), request.source_params), task, request
    ):
        nano = catalogue.source(DEMO_SOURCE)
        instead_of = f"{request.source} {sorted(request.source_params.items())}"
        request = replace(request, source=nano.name, source_params=dict(nano.options))
        return replace(entry, request=request, unable="", instead_of=instead_of)
    return replace(entry, request=request, unable="")


def shortened(suite: Suite, catalogue: Catalogue) -> Suite:
    """The same with one seed, one epoch, small batches, windows side by side, two points of a search, one task.

    Of a grid that makes one row its first and last entry are kept. An entry that becomes the same as one above it, by
    the source that stands in for both, is left out.

    To see that all of it works, in seconds or minutes; `SHORTENED` says so to readers.
    """
    first: dict[tuple[str, str, str, str], str] = {}
    seen: dict[str, Entry] = {}
    ends = {_cell(entry): entry for entry in suite.entries}, {_cell(entry): entry for entry in reversed(suite.entries)}
    entries = []
    for entry in suite.entries:
        if entry.row and not any(held[_cell(entry)] is entry for held in ends):
            continue
        request = entry.request
        task = first.setdefault((entry.where, request.method, request.source, entry.settings), request.task)
        short = _of_few_clips(_short(entry, catalogue), catalogue)
        asked = identity(short.request)
        left_out = entry.unable or (f"{LEFT_OUT}, which does the same on {task}" if task != request.task else "")
        above = entry if left_out else seen.setdefault(asked, entry)
        if above.instead_of != entry.instead_of:
            left_out = f"{LEFT_OUT}, where it is the run of {above.row or above.name}"
        entries.append(replace(short, unable=left_out))
    return replace(suite, entries=tuple(entries))


def _cell(entry: Entry) -> tuple[str, ...]:
    """The same for entries that differ in settings alone and make one row."""
    return entry.where, entry.row, entry.request.task, entry.request.method, entry.request.source


def quick(suite: Suite, catalogue: Catalogue, *, seeds: bool) -> Suite:
    """The same with every run cut short, and none left out: to see that a sweep works, in minutes.

    Parameters
    ----------
    seeds : bool
        Whether all seeds that are asked for are kept, in place of the first.
    """
    return replace(suite, entries=tuple(_quick(entry, catalogue, seeds) for entry in suite.entries))


def _quick(entry: Entry, catalogue: Catalogue, seeds: bool) -> Entry:
    request = _short(entry, catalogue).request
    params, search = dict(request.params), dict(request.search)
    epochs = {field.name: field.default for field in fields(catalogue.method(request.method))}.get("epochs")  # type: ignore[arg-type]
    if epochs is not None:
        search.pop("epochs", None)
        params["epochs"] = min(params.get("epochs", epochs), _FEW_EPOCHS)
    search = {name: values[: 1 if number else 2] for number, (name, values) in enumerate(search.items())}
    kept = entry.request.seeds if seeds else request.seeds
    return replace(entry, request=replace(request, params=params, search=search, seeds=kept))


def _short(entry: Entry, catalogue: Catalogue) -> Entry:
    request = entry.request
    params, method = dict(request.params), catalogue.method(request.method)
    defaults = {field.name: field.default for field in fields(method)}  # type: ignore[arg-type]
    whole = _keeps_activations(method)
    search = {name: values[:1] for name, values in request.search.items()}
    for (name, values), count in zip(request.search.items(), (2,) if whole else (6, 3), strict=False):
        search[name] = values[:2] if whole else _spread(values, count)
    if "epochs" in defaults and (whole or not search):
        params |= {"epochs": 1, **entry.demo_set}
        search.pop("epochs", None)
    if whole and "batch_size" in defaults and "batch_size" not in search:
        params["batch_size"] = min(params.get("batch_size", defaults["batch_size"]), _SMALL_BATCH)
    if "queries" in defaults:
        params["queries"] = min(params.get("queries", defaults["queries"]), _FEW_QUERIES)
    windowing = replace(request.windowing, windows="nonoverlap")
    return replace(
        entry, request=replace(request, seeds=request.seeds[:1], params=params, search=search, windowing=windowing)
    )


def _of_few_clips(entry: Entry, catalogue: Catalogue) -> Entry:
    """The same on a quarter of train where a network learns from scratch for one epoch, which teaches it little."""
    request = entry.request
    learns = not catalogue.method(request.method).needs and request.params.get("epochs") == 1
    _, words = catalogue.parts(request.task)
    if not learns or any(modifier(word) in LEAVE_OUT for word in words):
        return entry
    return replace(entry, request=replace(request, task=catalogue.task(f"{request.task}+fraction{_FEW_CLIPS}").name))


def _spread(values: Sequence[Any], count: int) -> tuple[Any, ...]:
    """So many of some values at even steps, from the first to the last."""
    if len(values) <= count:
        return tuple(values)
    return tuple(values[k * (len(values) - 1) // (count - 1)] for k in range(count))


def _keeps_activations(method: type[Method]) -> bool:
    """Whether a method trains through a whole network, of which a batch fills gigabytes."""
    return not method.needs or not {"frontend", "body"}.isdisjoint(method.needs)


def _is_here(card: SourceCard, task: Task, request: Request) -> bool:
    """Whether a source can be used for a stand-in without fetching anything."""
    if card.missing or card.file:  # features of a file are of other clips
        return False
    if card.shipped:
        return card.shipped in task.ships
    return on_disk(card, request.weights, request.cache, request.source_params)


def part_of(suite: Suite, pieces: Sequence[Piece], *, first: bool) -> Suite:
    """The entries of a suite that hold some of its runs; the first part has those that cannot be done, too."""
    held = {id(piece.entry) for piece in pieces}
    entries = (entry for entry in suite.entries if id(entry) in held or (first and entry.unable))
    return replace(suite, entries=tuple(entries))


def run_suite(
    suite: Suite,
    catalogue: Catalogue,
    progress: Progress,
    *,
    deform: Sequence[str] = (),
    without_data: Literal["stop", "skip"] = "stop",
    limits: Limits | None = None,
) -> list[Result]:
    """Do every run of a suite that is not on record; what fails or cannot be done does not stop the others.

    Parameters
    ----------
    deform : sequence of str
        As of `mirbench.runs.runner.run`.
    without_data : {"stop", "skip"}
        What is done where the data of an entry are missing.
    limits : Limits or None
        Which of the runs are asked for, and how long all of it may take.

    Raises
    ------
    BadInput
        Before the first run, if data of an entry are missing (unless those are skipped) or broken, or there is no such
        device.
    MissingExtra
        Before the first run, if energy cannot be measured, or test clips cannot be deformed.
    BrokenInstallation
        If a library does not import; what was done until then is on record.
    """
    first = suite.first
    EnergyMeter(first.energy)
    require_packages(deform)
    find_device(first.device, first.threads)
    merge_small_shards(first.cache, progress)
    with using(first.cache):
        begin = partial(Job, catalogue=catalogue, progress=progress, since=clock(first.runs), limits=limits or Limits())
        entries = able(suite, catalogue, progress, without_data=without_data).entries
        jobs = []
        with progress.bar(suite.title, len(entries), "entries") as step:
            for entry in entries:
                job, reason = begun(entry, begin, deform)
                jobs.append((job, reason))
                step(1, entry.name, measured=job is not None and not all(outcome.read_back for outcome in job.done))
        return [finished(entry, *job) for entry, job in zip(entries, jobs, strict=True)]


def able(suite: Suite, catalogue: Catalogue, progress: Progress, *, without_data: Literal["stop", "skip"]) -> Suite:
    """The same, with the reason beside each entry that cannot be done; parameters and errors as of `run_suite`."""
    left_out = (MissingExtra, NotApplicable, *((MissingData,) if without_data == "skip" else ()))
    return replace(suite, entries=tuple(tried(entry, catalogue, progress, left_out) for entry in suite.entries))


def tried(entry: Entry, catalogue: Catalogue, progress: Progress, left_out: tuple[type[MirbenchError], ...]) -> Entry:
    """The entry, with the reason if it cannot be done; any other error but those is raised."""
    if entry.unable:
        return entry
    with naming(f"{entry.where} ({entry.name})"):
        try:
            make_plan(entry.request, catalogue, progress)
        except left_out as error:
            return replace(entry, unable=str(error))
    return entry


def begun(entry: Entry, begin: Callable[..., Job], deform: Sequence[str]) -> tuple[Job | None, str]:
    """The runs of an entry, those done that no other process is at; and why there are none, or no curves."""
    if entry.unable:
        return None, f"skipped: {entry.unable}"
    try:
        try:
            job, no_curve = begin(entry.request, deform=deform), ""
        except NotApplicable as error:  # of a method that hears nothing, or of the runs themselves
            if not deform:
                raise
            job, no_curve = begin(entry.request), str(error)
        job.do_free()
        return job, no_curve
    except (MissingData, BrokenInstallation):
        raise
    except MirbenchError as error:  # a method that refuses the task, a record that is broken
        return None, f"failed: {error}"


def finished(entry: Entry, job: Job | None, reason: str) -> Result:
    """The same, once all of its runs are done."""
    if job is None:
        return Result(entry, reason=reason)
    try:
        outcomes = tuple(job.finish())
        return Result(entry, outcomes, no_curve=reason, n_left=len(job.put_off))
    except (MissingData, BrokenInstallation):
        raise
    except MirbenchError as error:
        return Result(entry, reason=f"failed: {error}")
