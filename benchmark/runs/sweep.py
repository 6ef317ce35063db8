"""Sweeps: every run of a suite (`mirbench.runs.suite`), as one command `mirbench run` after another would do them.

What cannot be done on this machine, or by this method, does not stop the others. Data that are missing do, before the
first run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import mean
from typing import Literal

from mirbench.errors import BadInput, BrokenInstallation, MirbenchError, MissingData, MissingExtra, NotApplicable
from mirbench.features.claims import clock
from mirbench.features.effects import require_packages
from mirbench.features.temporary import using
from mirbench.features.weights import on_disk
from mirbench.plain_text import one_message, say
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import grid
from mirbench.runs.measure import EnergyMeter
from mirbench.runs.plan import DEMO_SOURCE, Request, draft_plan, make_plan
from mirbench.runs.report import over_seeds, print_rows
from mirbench.runs.runner import Job, Outcome
from mirbench.runs.store import RunStore
from mirbench.runs.suite import Suite, naming
from mirbench.runs.suite_runs import Entry
from mirbench.runs.surroundings import find_device
from mirbench.source import SourceCard
from mirbench.types import Task

__all__ = ["SHORTENED", "Result", "as_demo", "print_plan", "report", "run_suite", "shortened"]


SHORTENED = (
    "one seed, one epoch, windows side by side, two models of a search, and the first task where a table has several"
)
"""What `shortened` leaves."""


@dataclass(frozen=True)
class Result:
    """The runs of an entry; `reason` is why there are none, `no_curve` why their clips were not deformed as asked."""

    entry: Entry
    outcomes: tuple[Outcome, ...] = ()
    reason: str = ""
    no_curve: str = ""

    @property
    def done(self) -> list[Outcome]:
        """Those with a result."""
        return [outcome for outcome in self.outcomes if outcome.record.status == "done"]

    @property
    def complete(self) -> bool:
        """Whether every run has a result."""
        return bool(self.outcomes) and len(self.done) == len(self.outcomes)


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
    if request.source and not _is_here(card := catalogue.source(request.source), task, request):
        nano = catalogue.source(DEMO_SOURCE)
        if task.medium not in nano.accepts:
            return replace(
                entry,
                request=request,
                unable=f"its clips are {task.medium}s, no source that takes them ships with mirbench, and the weights "
                f"of {card.name} are not here (--weights DIR)",
            )
        request = replace(request, source=nano.name, source_params=dict(nano.options))
    return replace(entry, request=request, unable="")


def shortened(suite: Suite, catalogue: Catalogue) -> Suite:
    """The same with one seed, one epoch, windows side by side, two points of a search and the first task of a table.

    To see that all of it works, in seconds or minutes; `SHORTENED` says so to readers.
    """
    first: dict[tuple[str, str, str, str], str] = {}
    entries = []
    for entry in suite.entries:
        request = entry.request
        task = first.setdefault((entry.where, request.method, request.source, entry.settings), request.task)
        left_out = "" if task == request.task else f"left out of the demo, which does the same on {task}"
        entries.append(replace(_short(entry, catalogue), unable=entry.unable or left_out))
    return replace(suite, entries=tuple(entries))


def _short(entry: Entry, catalogue: Catalogue) -> Entry:
    request = entry.request
    search = {name: values[:1] for name, values in request.search.items()}
    for name, values in list(request.search.items())[:1]:
        search[name] = values[:2]
    params = dict(request.params)
    if "epochs" in {field.name for field in fields(catalogue.method(request.method))}:  # type: ignore[arg-type]
        params["epochs"] = 1
        search.pop("epochs", None)
    windowing = replace(request.windowing, windows="nonoverlap")
    return replace(
        entry, request=replace(request, seeds=request.seeds[:1], params=params, search=search, windowing=windowing)
    )


def _is_here(card: SourceCard, task: Task, request: Request) -> bool:
    """Whether a source can be used for a stand-in without fetching anything."""
    if card.missing or card.file:  # features of a file are of other clips
        return False
    if card.shipped:
        return card.shipped in task.ships
    return on_disk(card, request.weights, request.cache)


def run_suite(
    suite: Suite,
    catalogue: Catalogue,
    progress: Progress,
    *,
    deform: Sequence[str] = (),
    without_data: Literal["stop", "skip"] = "stop",
) -> list[Result]:
    """Do every run of a suite that is not on record; what fails or cannot be done does not stop the others.

    Parameters
    ----------
    deform : sequence of str
        As of `mirbench.runs.runner.run`.
    without_data : {"stop", "skip"}
        What is done where the data of an entry are missing.

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
    first = _first(suite)  # circumstance is the same for all
    EnergyMeter(first.energy)
    require_packages(deform)
    find_device(first.device, first.threads)
    left_out = (MissingExtra, NotApplicable, *((MissingData,) if without_data == "skip" else ()))
    with using(first.cache):
        since = clock(first.runs)
        entries = [_tried(entry, catalogue, progress, left_out) for entry in suite.entries]
        begun = []
        with progress.bar(suite.title, len(entries), "entries") as step:
            for entry in entries:
                begun.append(_begun(entry, catalogue, progress, deform, since))
                step(1, entry.name)
        return [_finished(entry, *job) for entry, job in zip(entries, begun, strict=True)]


def _first(suite: Suite) -> Request:
    """The request of the first entry.

    Raises
    ------
    BadInput
        If there is none.
    """
    if not suite.entries:
        raise BadInput(f"{suite.title}: it asks for no run, only what data are; `mirbench reproduce` compares that")
    return suite.entries[0].request


def _tried(entry: Entry, catalogue: Catalogue, progress: Progress, left_out: tuple[type[MirbenchError], ...]) -> Entry:
    """The entry, with the reason if it cannot be done; any other error but those is raised."""
    if entry.unable:
        return entry
    with naming(f"{entry.where} ({entry.name})"):
        try:
            make_plan(entry.request, catalogue, progress)
        except left_out as error:
            return replace(entry, unable=str(error))
    return entry


def _begun(
    entry: Entry, catalogue: Catalogue, progress: Progress, deform: Sequence[str], since: float
) -> tuple[Job | None, str]:
    """The runs of an entry, those done that no other process is at; and why there are none, or no curves."""
    if entry.unable:
        return None, f"skipped: {entry.unable}"
    try:
        try:
            job, no_curve = Job(entry.request, catalogue, progress, deform, since), ""
        except NotApplicable as error:  # of a method that hears nothing, or of the runs themselves
            if not deform:
                raise
            job, no_curve = Job(entry.request, catalogue, progress, since=since), str(error)
        job.do_free()
        return job, no_curve
    except (MissingData, BrokenInstallation):
        raise
    except MirbenchError as error:  # a method that refuses the task, a record that is broken
        return None, f"failed: {error}"


def _finished(entry: Entry, job: Job | None, reason: str) -> Result:
    """The same, once all of its runs are done."""
    if job is None:
        return Result(entry, reason=reason)
    try:
        return Result(entry, tuple(job.finish()), no_curve=reason)
    except (MissingData, BrokenInstallation):
        raise
    except MirbenchError as error:
        return Result(entry, reason=f"failed: {error}")


def report(suite: Suite, results: Sequence[Result]) -> bool:
    """Print every entry with its first metric, and why some have no result; returns whether all have one."""
    _print_heading(suite)
    rows = [_row(result) for result in results]
    print_rows(suite.title, ("", "runs", "first metric on test", "note"), rows, n_left=1)
    lacking = [result for result in results if not result.complete]
    reasons: dict[str, list[str]] = defaultdict(list)
    for result in lacking:
        reasons[_why(result)].append(f"{result.entry.where}, {result.entry.name}")
    for reason, names in reasons.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        say(f"{'; '.join(names[:3])}{more}: {one_message(reason)}")
    if fixed := sum(bool(result.done) and not result.done[0].record.uses_seed for result in results):
        say(f"Nothing is random in {fixed} of {len(results)} entries: one run a fold stands for all seeds.")
    root = _first(suite).runs
    where = "" if root == Path("runs") else f" --runs {root}"
    say(f"Records: {root}. All results as a table: mirbench leaderboard{where}")
    return not lacking


def _print_heading(suite: Suite) -> None:
    if suite.reference:
        say(suite.reference)


def _row(result: Result) -> list[str]:
    done = [outcome.record for outcome in result.done]
    score, notes = "—", []
    if done:
        metric = next(iter(done[0].metrics))
        score = f"{metric} {over_seeds(done, metric)[0]}"
        notes = [f"source trained on {', '.join(done[0].contaminated)}"] if done[0].contaminated else []
    if n_read := sum(outcome.read_back for outcome in result.outcomes):
        notes.append("on record" if n_read == len(result.outcomes) else f"{n_read} on record")
    notes += _kept_when_deformed(result)
    if not result.complete:
        notes.append(_why(result).partition(":")[0])
    return [result.entry.name, f"{len(done)} of {len(result.outcomes)}", score, "; ".join(notes)]


def _kept_when_deformed(result: Result) -> list[str]:
    """What share of the score is kept under each deformation, over all severities and runs."""
    shares: dict[str, list[float | None]] = {}
    for outcome in result.done:
        for name, curve in outcome.robustness.curves.items() if outcome.robustness else ():
            shares.setdefault(name, []).append(curve.relative_area)
    known = {name: [share for share in of if share is not None] for name, of in shares.items()}
    refused = [reason for reason in (result.no_curve, *(outcome.refused for outcome in result.done)) if reason]
    kept = [f"{name} {mean(of):.2f} of clean" for name, of in known.items() if of]
    return kept + [f"no curve: {reason}" for reason in refused[:1]]


def _why(result: Result) -> str:
    if result.reason:
        return result.reason
    record = next(outcome.record for outcome in result.outcomes if outcome.record.status != "done")
    return f"{record.status}: {record.reason}"


def print_plan(suite: Suite, catalogue: Catalogue, left_out: list[str] | None = None) -> None:
    """Print the entries, their numbers of runs and models, and which are on record; looks at no data or weights.

    Parameters
    ----------
    left_out : list of str, optional
        As of `RunStore`.
    """
    store = RunStore(_first(suite).runs, left_out)
    known = {_less_hashes(record.spec) for _, record in store.records() if record.status == "done"}
    rows, n_runs, n_known = [], 0, 0
    for entry in suite.entries:
        if entry.unable:
            rows.append([entry.name, "—", "—", "—", f"skipped: {entry.unable}"])
            continue
        specs = draft_plan(entry.request, catalogue).specs
        there = sum(_less_hashes(spec) in known for spec in specs)
        n_models = len(specs) * sum(1 for _ in grid(entry.request.search))
        runs = f"{len({spec.fold for spec in specs})} × {len({spec.seed for spec in specs})}"
        rows.append([entry.name, runs, str(n_models), f"{there} of {len(specs)}", ""])
        n_runs, n_known = n_runs + len(specs), n_known + there
    _print_heading(suite)
    print_rows(suite.title, ("", "folds × seeds", "models", "on record", "note"), rows, n_left=1)
    say(f"{n_runs} {'run' if n_runs == 1 else 'runs'}, {n_known} of them on record with the same settings.")
    say("Nothing was run or fetched; whether audio and weights are the same too is seen when they run.")


def _less_hashes(spec: RunSpec) -> str:
    return replace(spec, source_sha256="", audio_sha256="").key
