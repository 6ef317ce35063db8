"""Specs to outcomes: what was asked becomes runs, each of which leaves a record.

A run that is on record is read back; a failed one is tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.errors import MirbenchError
from mirbench.features.deformation import Robustness
from mirbench.features.effects import require_packages
from mirbench.method import Fitted
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs import robustness
from mirbench.runs.attempt import attempt, first_line, splits, unfinished
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.runs.store import RunStore
from mirbench.runs.surroundings import context_of

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["Outcome", "run"]


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
    """Do every run of a request that is not on record.

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
    require_packages(deform)
    store = RunStore(request.runs)
    if not any(store.root.glob("*/*/*/record.json")):  # else all may be on record, and only be read back
        store.require_writable()
    plan = make_plan(request, catalogue, progress)
    if deform:
        robustness.require_heard(plan)
    if any(store.read(spec) is None for spec in plan.specs):
        store.require_writable()
    if plan.task.manifest:
        store.write_clips(plan.specs[0], plan.folds, plan.data)
    outcomes: list[Outcome] = []
    context: Context | None = None
    with progress.bar(f"{plan.method.name} on {plan.task.name}", len(plan.specs), "runs") as step:
        for spec in plan.specs:
            record = store.read(spec)
            if record is None and plan.unable:
                record = store.done_before(spec)
            known = record is not None and record.status == "done"
            fitted: Fitted | None = None
            if not known:
                if plan.unable:
                    record, scores, trace = _skipped(unfinished(spec, plan), plan.unable)
                else:
                    context = context or context_of(plan, progress)
                    record, scores, fitted, trace = attempt(spec, plan, context)
                store.write(record, scores, fitted.state if fitted else None, trace)
                if record.status == "done":
                    store.forget_skipped(spec)
            assert record is not None
            outcome = Outcome(record, store.folder(record.spec), known)
            if deform and record.status == "done":
                if plan.unable:  # now; it was done when its source was here
                    outcome = replace(outcome, refused=plan.unable)
                else:
                    context = context or context_of(plan, progress)
                    outcome = _deformed(outcome, deform, plan, fitted, context, store)
            outcomes.append(outcome)
            step(1, _note(plan, record))
    unmetered = sum(outcome.read_back and not outcome.record.energy for outcome in outcomes)
    if request.energy and unmetered:
        progress.say(
            f"--energy: {unmetered} of {len(outcomes)} runs were on record, without their energy, and were not done "
            "again; --runs FOLDER does them anew"
        )
    return outcomes


def _skipped(record: RunRecord, reason: str) -> tuple[RunRecord, None, str]:
    return replace(record, status="skipped", reason=reason), None, ""


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
