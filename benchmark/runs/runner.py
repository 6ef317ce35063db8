"""Specs to outcomes: what was asked becomes runs, each of which leaves a record.

A run that is on record is read back; a failed one is tried again. Processes that share a folder of records claim each
run before they do it: those that another has claimed are waited for at the end, when all others are done.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.errors import BadInput, MirbenchError
from mirbench.features.cache import unwritable
from mirbench.features.claims import Claim, clock
from mirbench.features.deformation import Robustness
from mirbench.features.effects import require_packages
from mirbench.features.merging import merge_small_shards
from mirbench.features.temporary import sweep, using
from mirbench.method import Fitted
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs import robustness
from mirbench.runs.attempt import attempt, first_line, splits, unfinished
from mirbench.runs.calibration import what_is_tuned
from mirbench.runs.learnt_from import held_back
from mirbench.runs.limits import Limits
from mirbench.runs.measure import give_back_memory
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.runs.run_folders import is_there
from mirbench.runs.speed import Speeds
from mirbench.runs.stacked import Stack, can_stack
from mirbench.runs.store import RunStore
from mirbench.runs.surroundings import context_of, load_libraries, require_device_name
from mirbench.runs.told_before import few_to_test, fewer_than_shots, learnt_by_heart, padded_clips

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["Job", "Outcome", "read_back_otherwise", "run"]


@dataclass(frozen=True)
class Outcome:
    """A record, where it lies, and whether it was read back rather than computed.

    `robustness` holds the curves that were asked for, or `refused` says in one line why they could not be measured.
    """

    record: RunRecord
    folder: Path
    read_back: bool
    robustness: Robustness | None = None
    refused: str = ""


def run(request: Request, catalogue: Catalogue, progress: Progress, deform: Sequence[str] = ()) -> list[Outcome]:
    """Do every run of a request that is not on record, and that no other process does at the same time.

    Parameters
    ----------
    deform : sequence of str
        Deformations under which each run that is done is scored too, those on record included; see
        `mirbench.features.effects`.

    Returns
    -------
    list of Outcome
        One a (fold, seed), in that order.

    Raises
    ------
    BadInput
        If the request cannot be carried out; nothing was run then.
    MissingExtra, NotApplicable
        If what is to be deformed cannot be; nothing was run then.
    """
    require_device_name(request.device)  # also where all is on record
    merge_small_shards(request.cache, progress)
    with using(request.cache):
        job = Job(request, catalogue, progress, deform)
        for said in filter(None, (job.seeds_left_out, job.held_back, *job.told_before(catalogue))):
            progress.say(said)
        job.do_free()
        return job.finish()


class Job:
    """A request under way; other processes may have it under way too, and each run is done by one of them.

    Parameters
    ----------
    since : float or None
        The time of the file system when the command began: what was tried since then is not tried again. None is now.
    limits : Limits or None
        Which runs are asked for, and which may still be begun; None is all.

    Raises
    ------
    BadInput, MissingExtra, NotApplicable
        As `run`.
    """

    def __init__(
        self,
        request: Request,
        catalogue: Catalogue,
        progress: Progress,
        deform: Sequence[str] = (),
        since: float | None = None,
        limits: Limits | None = None,
    ) -> None:
        require_packages(deform)
        self._store, self._deform, self._progress = RunStore(request.runs), deform, progress
        if not any(request.runs.glob("*/*/*/record.json")):  # else all may be on record, and only be read back
            self._store.require_writable()
        self._since = clock(request.runs) if since is None else since
        self._plan = make_plan(request, catalogue, progress)
        self._limits = limits or Limits()
        self._specs = [spec for spec in self._plan.specs if self._limits.ask_for(spec)]
        if deform:
            robustness.require_heard(self._plan)
        lacking = not all(map(self._is_there, self._specs))
        if lacking:
            self._store.require_writable()
        place = self._store.folder(self._plan.specs[0]).parent
        sweep(place)
        sweep(place.parent)
        if self._plan.task.manifest and (lacking or (place.parent.is_dir() and not unwritable(request.runs))):
            self._store.write_clips(self._plan.specs[0], self._plan.folds, self._plan.data)
        self._found: dict[str, Outcome] = {}
        self._context: Context | None = None
        self._speeds = Speeds(self._plan, self._store, progress)

    def _is_there(self, spec: RunSpec) -> bool:
        """Whether a run has a record, be it under another spelling of its task's name."""
        there = is_there(self._store.folder(spec) / "record.json")
        return there or self._store.done_under_another_name(spec) is not None

    @property
    def plan(self) -> Plan:
        """What is to be done."""
        return self._plan

    @property
    def seeds_left_out(self) -> str:
        """Why fewer seeds than were asked for are run; "" where all are."""
        asked = len(self._plan.request.seeds)
        if self._plan.uses_seed or asked == 1:
            return ""
        return f"{self._plan.method.name}: nothing is random, so one run a fold stands for all {asked} seeds"

    @property
    def held_back(self) -> str:
        """What is to be said of the clips of valid, where runs are left to do."""
        plan, request = self._plan, self._plan.request
        if all(map(self._is_there, self._specs)):
            return ""
        clips = plan.folds[self._specs[0].fold] if self._specs else ()
        tunes = what_is_tuned(request.thresholds, request.calibrate, plan.task)
        searches = bool(request.search)
        return held_back(plan.task, clips, request.fit_on, plan.method, tunes=tunes, searches=searches)

    def told_before(self, catalogue: Catalogue) -> tuple[str, ...]:
        """What else is to be said of the clips: what makes a score doubtful, and of what is left to do, the padding."""
        folds = {spec.fold for spec in self._specs}
        few = few_to_test(self._plan, folds, catalogue), fewer_than_shots(self._plan)
        doubts = *few, learnt_by_heart(self._plan, folds)
        if all(map(self._is_there, self._specs)):
            return doubts
        return *doubts, padded_clips(self._plan, catalogue)

    def do_free(self) -> set[str]:
        """Do, one after another, every run that no other process is at; returns who is at the others."""
        plan = self._plan
        with self._progress.bar(f"{plan.method.name} on {plan.task.name}", len(self._specs), "runs") as step:
            if can_stack(plan) and self._limits.seconds_left == math.inf:  # else a part of a stack may be all that ends
                for _, specs in itertools.groupby(self._specs, lambda spec: spec.fold):
                    self._do_together(list(specs), step)
            holders = {holder for spec in self._open() if (holder := self._try(spec, step))}
        if self._context is not None:
            self._context.let_go()  # while we wait, or while other entries run
            self._context = None
            give_back_memory()
        return holders

    @property
    def done(self) -> list[Outcome]:
        """What came of the runs that are done until now."""
        return [self._found[spec.key] for spec in self._specs if spec.key in self._found]

    @property
    def put_off(self) -> list[RunSpec]:
        """Runs that were not begun for lack of time."""
        return [spec for spec in self._specs if spec.key in self._limits.put_off]

    def take(self, spec: RunSpec, outcome: Outcome) -> None:
        """Count a run that another process did for this one."""
        self._found[spec.key] = outcome

    def bury(self, spec: RunSpec, reason: str, said: str) -> Outcome | None:
        """Record that the process of a run died, and why; None where another process is at the run by now.

        Parameters
        ----------
        said : str
            What it printed.
        """
        folder = self._store.folder(spec)
        sweep(folder.parent)
        claim = Claim(folder, self._progress)
        if not claim.take():
            return None
        try:
            record = self._on_record(spec)  # it may have died after it wrote that
            if record is None:
                record = replace(unfinished(spec, self._plan), reason=reason)
                self._store.write(record, traceback=said)
        finally:
            claim.give_back()
        return Outcome(record, folder, False)

    def finish(self) -> list[Outcome]:
        """Wait for the runs that others are at, or do them where those have stopped; those put off are left out."""
        pause = 0.1
        told: set[str] = set()
        while holders := self._try_left():
            if holders - told:
                left = len(self._open())
                runs = "a run is" if left == 1 else f"{left} runs are"
                self._progress.say(f"{runs} being done by {' and '.join(sorted(holders))}; waiting")
                told |= holders
            time.sleep(max(0.0, min(pause, self._limits.seconds_left)))
            pause = min(2 * pause, 2.0)
        outcomes = self.done
        for line in read_back_otherwise(self._plan.request, outcomes):
            self._progress.say(line)
        return outcomes

    def _try_left(self) -> set[str]:
        """Who has the runs that are not done yet."""
        return {holder for spec in self._open() if (holder := self._try(spec, lambda n, note, measured: None))}

    def _open(self) -> list[RunSpec]:
        """Runs that are neither done nor put off."""
        return [spec for spec in self._specs if spec.key not in self._found and spec.key not in self._limits.put_off]

    def _try(self, spec: RunSpec, step: Callable[..., None]) -> str:
        """Read a run back, or do it; returns who else is at it."""
        folder = self._store.folder(spec)
        try:
            record = self._on_record(spec)
        except BadInput as error:  # it may be of a newer mirbench: it stays as it is
            unread = replace(unfinished(spec, self._plan), reason=printable(error, 500))
            self._found[spec.key] = Outcome(unread, folder, False)
            step(1, "unreadable", measured=False)
            return ""
        if record is not None and not self._deform:
            outcome = Outcome(record, self._store.folder(record.spec), True)
        elif not self._limits.let_begin(spec):
            step(1, "no time is left for it", measured=False)
            return ""
        else:
            claim = Claim(folder, self._progress)
            if not claim.take():
                return claim.holder
            began = time.monotonic()
            try:
                outcome = self._do(spec, self._on_record(spec))  # which another may have written before we claimed it
            finally:
                claim.give_back()
            self._limits.ended(spec, time.monotonic() - began)
        self._found[spec.key] = outcome
        step(1, _note(self._plan, outcome.record), measured=not outcome.read_back)
        return ""

    def _do_together(self, specs: Sequence[RunSpec], step: Callable[..., None]) -> None:
        """Fit those runs of a fold together that lack and that nobody else is at; each leaves its own record."""
        claims: dict[str, Claim] = {}
        try:
            for spec in specs:
                claim = Claim(self._store.folder(spec), self._progress)
                if self._lacks(spec) and self._limits.let_begin(spec) and claim.take():
                    claims[spec.key] = claim
            ours = [spec for spec in specs if spec.key in claims and self._lacks(spec)]
            stack = Stack(ours, self._plan)
            for spec in ours if len(stack) > 1 else ():
                outcome = self._found[spec.key] = self._do(spec, None, stack)
                claims.pop(spec.key).give_back()
                step(1, _note(self._plan, outcome.record))
        finally:
            for claim in claims.values():
                claim.give_back()

    def _lacks(self, spec: RunSpec) -> bool:
        """Whether a run is to be done; one that cannot be read is not."""
        try:
            return self._on_record(spec) is None
        except BadInput:
            return False

    def _on_record(self, spec: RunSpec) -> RunRecord | None:
        """A record that is not to be tried again: it is done, or was tried since the command began."""
        record = self._store.read(spec)
        if record is None:
            record = self._store.done_under_another_name(spec)
        if record is None and self._plan.unable:
            record = self._store.done_before(spec)
        if record is None or record.status == "done":
            return record
        written = (self._store.folder(spec) / "record.json").stat().st_mtime
        return record if written > self._since else None

    def _do(self, spec: RunSpec, record: RunRecord | None, stack: Stack | None = None) -> Outcome:
        """Do what lacks of a run that nobody else is at."""
        plan, store = self._plan, self._store
        known = record is not None
        fitted: Fitted | None = None
        if record is None:
            if plan.unable:
                record = replace(unfinished(spec, plan), status="skipped", reason=plan.unable)
                store.write(record)
            else:
                context = self._ready()
                with self._speeds:  # until the record is there that others read the speed from
                    record, scores, fitted, trace = attempt(spec, plan, context, self._speeds, stack)
                    store.write(record, scores, fitted.state if fitted else None, trace)
            if record.status == "done":
                store.forget_skipped(spec)
        outcome = Outcome(record, store.folder(record.spec), known)
        if not self._deform or record.status != "done":
            return outcome
        if plan.unable:  # now; it was done when its source was here
            return replace(outcome, refused=plan.unable)
        return _deformed(outcome, self._deform, plan, fitted, self._ready(), store)

    def _ready(self) -> Context:
        if self._context is None:
            self._context = context_of(self._plan, self._progress)
            load_libraries(type(self._plan.method))
        return self._context


def read_back_otherwise(request: Request, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line on each thing that was asked for and that some runs lack, for they were on record without it."""
    unmetered = sum(outcome.read_back and not outcome.record.energy for outcome in outcomes)
    if request.energy and unmetered:
        yield (
            f"--energy: {unmetered} of {len(outcomes)} runs were on record, without their energy, and were not done "
            "again; --runs FOLDER does them anew"
        )
    open_ones = sum(outcome.read_back and not outcome.record.environment.get("sealed") for outcome in outcomes)
    if request.sealed and open_ones:
        yield (
            f"--sealed: {open_ones} of {len(outcomes)} runs were on record, not predicted in a sealed process, and "
            "were not done again; --runs FOLDER does them anew"
        )


def _deformed(
    outcome: Outcome, names: Sequence[str], plan: Plan, fitted: Fitted | None, context: Context, store: RunStore
) -> Outcome:
    """The same with curves; whatever goes wrong is said, and leaves the record as it is."""
    record = outcome.record
    method = replace(plan.method, **record.chosen)  # type: ignore[type-var]
    train, valid, test = splits(plan, record.spec.fold)
    trained = robustness.Trained(record, outcome.folder, method, train, valid, test, fitted)
    try:
        return replace(outcome, robustness=robustness.measure(trained, names, context, store))
    except MirbenchError as error:
        return replace(outcome, refused=str(error))
    except Exception as error:
        return replace(outcome, refused=first_line(error))
    finally:
        context.source_changed()  # and loaded again, for the runs to come


def _note(plan: Plan, record: RunRecord) -> str:
    if record.status != "done":
        return f"{record.status}: {record.reason}"
    name = plan.task.metrics[0]
    value = record.metrics[name]
    return f"{name} {'undefined' if value is None else f'{value:.3f}'}"
