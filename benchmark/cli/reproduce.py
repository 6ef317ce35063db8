"""The command reproduce: the runs of a paper's table, and printed results and ours side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.api.asking import PRECISIONS
from mirbench.cli.answering import answers_of, descriptions, failures
from mirbench.cli.left_out import end
from mirbench.cli.options import WHERE, Machine, Precision, about, one_of, taking
from mirbench.errors import BadInput, UnknownName
from mirbench.plain_text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirbench.leaderboard.reproduction.printed import Printed
    from mirbench.leaderboard.reproduction.verdicts import Line
    from mirbench.progress import Progress
    from mirbench.registry import Catalogue
    from mirbench.runs.suite import Suite
    from mirbench.runs.sweep import Result


@taking(Machine)
def reproduce(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="Of a paper's table; `--list` names them.")] = "",
    listed: Annotated[bool, typer.Option("--list", help="List the suites, and what each holds.")] = False,
    runs: Annotated[
        Path | None, about(WHERE, "--runs", metavar="FOLDER", help="Records. Default: runs; with --demo, runs-demo.")
    ] = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="On synthesised stand-ins, cut short."),
    ] = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="Compare what is on record, run and hear nothing.")] = False,
    only: Annotated[
        list[str], typer.Option("--only", metavar="ROW", help="This printed row; may be repeated.", show_default=False)
    ] = [],  # noqa: B006
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N", help="Instead of the suite's: how many, 0-4 or 0,3.")
    ] = "",
    fold: Annotated[int | None, typer.Option("--fold", metavar="K", help="One fold only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and what they cost, do nothing.")] = False,
    precision: Precision = "float32",
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write the table to a file.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="md|csv|json", help="Of the table.")] = "md",
    *,
    how: Machine,
) -> None:
    """Do the runs of a paper's table that are not on record, and show printed results and ours side by side."""
    from mirbench.leaderboard.reproduction.printed import read_printed
    from mirbench.leaderboard.reproduction.verdicts import compare
    from mirbench.leaderboard.results import questions, with_scores
    from mirbench.runs import sweep as sweeps
    from mirbench.runs.hyperparameters import parse_seeds
    from mirbench.runs.report import where_records_are
    from mirbench.runs.suite import plugins_of, read_suite, shipped, titles

    parse_seeds(seeds or "1")
    one_of("--precision", precision, PRECISIONS)
    one_of("--format", form, ("md", "csv", "json"))
    if listed:
        _list()
        return
    if not suite:
        raise BadInput("reproduce which suite? `mirbench reproduce --list` names them")
    if suite not in shipped() and not suite.endswith(".toml") and not Path(suite).exists():
        raise UnknownName("suite of a printed table", suite, titles(printed=True))
    if how.data is not None and not how.data.is_dir():
        raise BadInput(f"--data {how.data}: no such folder")
    if output is not None and not output.absolute().parent.is_dir():
        raise BadInput(f"--output {output}: there is no folder {output.parent}")
    runs = runs or Path("runs-demo" if demo else "runs")  # stand-ins stay apart
    catalogue, progress = how.with_plugins(plugins_of(suite)).catalogue(), how.progress()
    instead = {key: value for key, value in (("seeds", seeds or None), ("fold", fold)) if value is not None}
    asked = read_suite(suite, catalogue, {**how.circumstance(), "runs": runs, "precision": precision}, instead)
    if not asked.printed:
        raise BadInput(
            f'{suite}: no printed table belongs to it (printed = ["…"] names some); `mirbench sweep` runs it'
        )
    printed = read_printed(asked.printed)
    if only:
        asked, printed = _rows(asked, printed, only)
    notes = []
    if demo:
        notes = [_banner(asked, catalogue)]
        asked = sweeps.shortened(sweeps.as_demo(asked, catalogue), catalogue)
    if dry_run:
        _tell(asked, catalogue)
        return
    results = _results(asked, catalogue, progress, no_run=no_run, ahead=not demo)
    left_out: list[str] = []
    known = [with_scores(question, left_out) for question in questions(runs, left_out)]
    answers = [answer for result in results for answer in answers_of(result, catalogue, known)]
    for entry in asked.data:
        answers += descriptions(entry, printed, catalogue, how.data, progress, demo=demo, no_run=no_run)
    lines = compare(printed, answers)
    if demo:
        lines, notes = _told_once(lines, notes)
    _put(form, output, asked, lines, notes)
    if any(result.outcomes for result in results):
        say(where_records_are(runs), error=True)
    if failed := [line for result in results for line in failures(result)]:
        say("\n".join(failed), error=True)
    end(left_out)
    if failed:
        raise typer.Exit(1)


def _told_once(lines: list[Line], notes: list[str]) -> tuple[list[Line], list[str]]:
    """Without the lines that a demo leaves out, and with a note on which rows lack by that."""
    from mirbench.runs.sweep import LEFT_OUT

    def is_left_out(line: Line) -> bool:
        return line.verdict == "not run" and all(said.startswith(LEFT_OUT) for said in line.reason.split("; "))

    gone = [line for line in lines if is_left_out(line)]
    kept = [line for line in lines if line not in gone]
    there = {line.printed.row for line in kept}
    rows = dict.fromkeys(line.printed.row for line in gone if line.printed.row not in there)
    note = [f"Left out, for stand-ins make them the runs of other rows: {'; '.join(rows)}."]
    return kept, [*notes, *(note if rows else [])]


def _list() -> None:
    from mirbench.runs.suite import titles

    for name, title in titles(printed=True).items():
        say(f"{name:<20}  {title}")


def _banner(suite: Suite, catalogue: Catalogue) -> str:
    from mirbench.runs.sweep import SHORTENED, as_demo

    pairs = zip(suite.entries, as_demo(suite, catalogue).entries, strict=True)
    replaced = sorted({a.request.source for a, b in pairs if a.request.source != b.request.source})
    instead = f" The source nano stands in for {', '.join(replaced)}." if replaced else ""
    return (
        f"DEMO: synthesised stand-ins, as asked; cut to {SHORTENED}."
        f"{instead} Its numbers say nothing about music, and get no verdict."
    )


def _results(suite: Suite, catalogue: Catalogue, progress: Progress, *, no_run: bool, ahead: bool) -> list[Result]:
    """What the runs of a suite come to; what they cost is said `ahead`, where that is much."""
    from mirbench.runs.dry_run import cost_ahead
    from mirbench.runs.limits import Limits
    from mirbench.runs.sweep import Result, able, run_suite

    if no_run:
        return [Result(entry, reason=entry.unable or "not on record") for entry in suite.entries]
    if not suite.entries:
        return []
    suite = able(suite, catalogue, progress, without_data="skip")
    if ahead and (said := cost_ahead(suite, catalogue, Limits())):
        say("\n".join([*said, "Fewer: --only ROW, --seeds N; all of it in a table: --dry-run."]), error=True)
    return run_suite(suite, catalogue, progress, without_data="skip")


def _rows(suite: Suite, printed: list[Printed], only: Sequence[str]) -> tuple[Suite, list[Printed]]:
    """What belongs to some of the printed rows; an order belongs to all that it names."""
    from dataclasses import replace

    from mirbench.leaderboard.reproduction.orders import named_in

    rows = {number.row for number in printed} | {name for number in printed for name in named_in(number)}
    for name in only:
        if name not in rows:
            raise UnknownName(f"row of {', '.join(suite.printed)}", name, rows)
    wanted = set(only) | {name for number in printed if number.row in only for name in named_in(number)}
    entries = tuple(entry for entry in suite.entries if entry.row in wanted)
    data = tuple(entry for entry in suite.data if wanted & {entry.row, *entry.rows})
    return replace(suite, entries=entries, data=data), [number for number in printed if number.row in only]


def _tell(suite: Suite, catalogue: Catalogue) -> None:
    """Do what ``--dry-run`` asks for."""
    from mirbench.runs.dry_run import print_plan
    from mirbench.runs.limits import Limits

    left_out: list[str] = []
    if not suite.entries:
        say(f"{suite.title}: it asks for no run, only what data are")
        return
    print_plan(suite, catalogue, Limits(), left_out=left_out)
    end(left_out)


def _put(form: str, output: Path | None, suite: Suite, lines: Sequence[Line], notes: Sequence[str]) -> None:
    from mirbench.leaderboard.reproduction import side_by_side as written

    if form == "csv":
        text = written.as_csv(lines)
    else:
        write = written.as_markdown if form == "md" else written.as_json
        text = write(suite.title, suite.reference, lines, notes)
    if output is None:
        say(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
        say(f"{written.summary(lines)}; written to {output}", error=True)
