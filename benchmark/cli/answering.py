"""What of ours answers the rows of a printed table: runs that were done or are on record, and what clips are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirbench.leaderboard.reproduction.answers import Answer
    from mirbench.leaderboard.reproduction.printed import Printed
    from mirbench.leaderboard.results import Question
    from mirbench.progress import Progress
    from mirbench.registry import Catalogue
    from mirbench.runs.suite import DataEntry
    from mirbench.runs.sweep import Result
    from mirbench.types import Task

__all__ = ["answers_of", "descriptions", "failures"]

_HEARD = ("rms_", "clip_seconds")  # quantities that need audio


def answers_of(result: Result, catalogue: Catalogue, known: Sequence[Question]) -> Iterator[Answer]:
    """The system on record that did what an entry asks, or why there is none."""
    from mirbench.leaderboard.reproduction.answers import Answer
    from mirbench.leaderboard.reproduction.verdicts import systems_of
    from mirbench.runs.plan import draft_plan
    from mirbench.source import trained_on_it

    entry = result.entry
    if not entry.row:
        return
    specs = () if entry.unable else draft_plan(entry.request, catalogue).specs
    folders = [str(outcome.folder) for outcome in result.done]
    if systems := systems_of(specs, known, folders, complete=entry.request.folds is None):
        system = systems[0]
        record = system.record
        beware = f" [{trained_on_it(record.contaminated)}]" if record.contaminated else ""
        name = f"{record.spec.task}: {system.label}{beware}"
        yield Answer(entry.row, name, (system,), standing=record.standing, other=entry.other, fitted=entry.fitted)
    else:
        yield Answer(entry.row, entry.name, other=entry.other, reason=_why(result), fitted=entry.fitted)


def _why(result: Result) -> str:
    if result.reason:
        return result.reason.removeprefix("skipped: ")
    return next((o.record.reason for o in result.outcomes if o.record.status != "done"), "not on record")


def failures(result: Result) -> list[str]:
    """What of an entry failed, in a line; nothing where nothing did."""
    if result.reason.startswith("failed: "):
        return [f"{result.entry.where}, {result.entry.name}: {result.reason}"]
    failed = [outcome.record for outcome in result.outcomes if outcome.record.status == "failed"]
    return [f"{result.entry.where}, {result.entry.name}: {len(failed)} failed: {failed[0].reason}"] if failed else []


def descriptions(
    entry: DataEntry,
    printed: Sequence[Printed],
    catalogue: Catalogue,
    data: Path | None,
    progress: Progress,
    *,
    demo: bool,
    no_run: bool,
) -> Iterator[Answer]:
    """What the clips of a task are, for each row that asks for it, or why that is not known."""
    from dataclasses import replace

    from mirbench.errors import MissingData
    from mirbench.leaderboard.reproduction.answers import Answer

    card = catalogue.task(entry.task)
    if demo and card.demo:
        card = catalogue.task(card.demo)
    rows = {**({entry.row: ""} if entry.row else {}), **entry.rows}
    heard = any(number.row in rows and number.quantity.startswith(_HEARD) for number in printed)
    blank = Answer("", card.name, standing=card.standing, other=entry.other)
    try:
        if no_run:
            blank = replace(blank, reason="data are not looked at with --no-run")
        else:
            blank = replace(blank, data=_described(card, entry.splits, data, progress, heard=heard))
    except MissingData as error:
        blank = replace(blank, reason=str(error))
    for row, of_class in rows.items():
        yield replace(blank, row=row, of_class=of_class)


def _described(
    card: Task, splits: Sequence[str], data: Path | None, progress: Progress, *, heard: bool
) -> dict[str, object]:
    from mirbench.features.datasets import facts_of, read_labels
    from mirbench.places import default_cache
    from mirbench.tasks.audit.statistics import describe

    folds, _ = read_labels(card, data, default_cache(), progress)
    clips = tuple(clip for clip in folds[0] if not splits or clip.split in splits)
    return describe(card, [clips], facts_of(card, [clips], default_cache(), progress) if heard else {})
