"""The command that checks records: verify."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.options import Machine, PlacesGiven, finite, taking
from mirbench.errors import BadInput
from mirbench.plain_text import printable, say

if TYPE_CHECKING:
    from mirbench.trust.rerun import Repeat
    from mirbench.trust.verify import Case

_FEW = 2
"""Records that share a problem and are named each."""
_LETTERS = 400  # of a line, most of which somebody else may have written


@taking(Machine)
def verify(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="Folder of records, or of one; or a pack.")] = Path(
        "runs"
    ),
    strict: Annotated[bool, typer.Option("--strict", help="As a submission: schema, files, labels.")] = False,
    allow_own: Annotated[bool, typer.Option("--allow-own", help="With --strict: own data and stand-ins, too.")] = False,
    since: Annotated[
        str,
        typer.Option("--since", metavar="COMMIT", help="With --strict: the branch may only add to RUNS."),
    ] = "",
    rerun: Annotated[bool, typer.Option("--rerun", help="Repeat, and note, the quickest run of each system.")] = False,
    only: Annotated[
        list[str],
        typer.Option("--only", metavar="KEY", help="With --rerun: of runs or systems, or all.", show_default=False),
    ] = [],  # noqa: B006  (typer copies it)
    places: PlacesGiven = [],  # noqa: B006
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", metavar="X", help="Of a score that is repeated. Default: 0.001.", min=0),
    ] = None,
    *,
    how: Machine,
) -> None:
    """Compute again what records say: metrics from scores, hashes from labels, keys from what was asked."""
    from mirbench.leaderboard.packs import Pack
    from mirbench.tasks.audit.statistics import committed
    from mirbench.trust.changes import unwelcome_since
    from mirbench.trust.loose_files import strange_files
    from mirbench.trust.submission import CLAIMED, Submission, lacking_members
    from mirbench.trust.verify import verify as check

    finite("--tolerance", tolerance)
    _refuse_idle(rerun, strict, only, places, tolerance, {"--allow-own": allow_own, "--since": since})
    changes = unwelcome_since(since, runs) if since else []
    if runs.is_file():
        runs = Pack(runs.name, runs).opened()
    catalogue, progress = how.catalogue(), how.progress()
    further = Submission(catalogue, committed, how.data, allow_own) if strict else None
    cases = check(runs, catalogue, progress, further)
    strange = list(strange_files(runs)) if strict else []
    if strict:
        lacking_members(cases)
    for line in changes:
        say(printable(line, _LETTERS))
    _say_once(strange, "files")
    _print(cases)
    failed = bool(strange or changes) or any(not case.holds for case in cases)
    if rerun:
        from mirbench.runs.own_places import parse_places, refuse_of_none
        from mirbench.trust.rerun import choose, repeat

        chosen = choose([(case.folder, case.record) for case in cases if case.record and case.holds], only)
        where = parse_places(places)
        refuse_of_none(where, [record.spec for _, record in chosen])
        others = sum(case.holds and case.record is not None and case.record.status == "done" for case in cases)
        if others > len(chosen) and not only:
            say(f"{len(chosen)} of {others} runs are repeated, of each system the quickest; --only all repeats all.")
        again = (repeat(run, catalogue, where, progress, **how.circumstance()) for run in chosen)
        failed |= not _print_repeats(again, tolerance)
    if strict:
        say(CLAIMED)
    say("A record that holds is consistent, which is not to say true" + ("." if rerun else "; --rerun repeats runs."))
    if failed:
        raise typer.Exit(1)


def _refuse_idle(
    rerun: bool,
    strict: bool,
    only: Sequence[str],
    places: Sequence[str],
    tolerance: float | None,
    of_submissions: Mapping[str, object],
) -> None:
    """Refuse options that would do nothing."""
    if places and strict and not rerun:
        raise BadInput(
            "--as says where own clips are for --rerun, which hears them; --strict looks at records alone, of own data "
            "with --allow-own: leave --as out, or add --rerun"
        )
    for flag, given in {"--only": only, "--as": places, "--tolerance": tolerance is not None}.items():
        if given and not rerun:
            raise BadInput(f"{flag} is about runs that are repeated: add --rerun")
    for flag, given in of_submissions.items():
        if given and not strict:
            raise BadInput(f"{flag} is about submissions: add --strict")


def _say_once(said: Iterable[tuple[Path, str]], what: str) -> None:
    """A line for each thing that is said, with the place of which; where it is said of many, with how many."""
    places: dict[str, list[Path]] = defaultdict(list)
    for place, text in said:
        places[text].append(place)
    for text, held in places.items():
        lines = [f"{place}: {text}" for place in held]
        if len(held) > _FEW:
            lines = [f"{os.path.commonpath(held)}: {len(held)} {what}: {text}"]
        for line in lines:
            say(printable(line, _LETTERS))


def _print(cases: Sequence[Case]) -> None:
    _say_once(((case.folder, problem) for case in cases for problem in case.problems), "records")
    notes: dict[str, list[Path]] = defaultdict(list)
    for case in cases:
        for note in case.notes:
            notes[note].append(case.folder)
    for note, folders in notes.items():
        line = f"note: {note} ({len(folders)} records)" if len(folders) > 1 else f"note: {folders[0]}: {note}"
        say(printable(line, _LETTERS))
    n_hold = sum(case.holds for case in cases)
    idle = sum(case.holds and case.record is not None and case.record.status != "done" for case in cases)
    counted = f"{len(cases)} records" if len(cases) > 1 else "1 record"
    without = f" ({idle} of them without a result)" if idle else ""
    say(f"{counted}: {n_hold} hold{without}, {len(cases) - n_hold} do not.")


def _print_repeats(again: Iterable[Repeat], tolerance: float | None) -> bool:
    """Print and note what comes of runs that are repeated; whether every one came out the same."""
    from mirbench.trust.rerun import TOLERANCE, put_down

    limit = TOLERANCE if tolerance is None else tolerance
    repeats, noted, lost = [], 0, ""
    for found in again:
        repeats.append(found)
        try:
            noted += put_down(found, limit)
        except OSError as error:
            lost = f"No note of it can be kept, so that tables do not mark it: {error}"
    for found in repeats:
        say(printable(f"{found.folder}: {found}", _LETTERS))
    within = sum(found.within(limit) for found in repeats)
    unable = sum(bool(found.unable) for found in repeats)
    counted = f"{len(repeats)} runs" if len(repeats) != 1 else "1 run"
    say(
        f"{counted} to repeat: {within} within {limit:g} of the scores on record, "
        f"{len(repeats) - within - unable} not, {unable} not compared."
    )
    if noted:
        say("Tables mark a system as repeated where every run that counts was; `mirbench leaderboard` shows them.")
    if lost:
        say(printable(lost, _LETTERS))
    return within == len(repeats)
