"""The command reproduce: the runs of a paper's table, and printed results and ours side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.answering import answers_of, descriptions, failures
from mirbench.cli.left_out import end
from mirbench.cli.options import WHERE, Machine, about, one_of, taking
from mirbench.errors import BadInput, UnknownName
from mirbench.plain_text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    from mirbench.runs.suite import plugins_of, read_suite, shipped, titles

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
    asked = read_suite(suite, catalogue, {**how.circumstance(), "runs": runs})
    if not asked.printed:
        raise BadInput(
            f'{suite}: no printed table belongs to it (printed = ["…"] names some); `mirbench sweep` runs it'
        )
    printed = read_printed(asked.printed)
    notes = []
    if demo:
        notes = [_banner(asked, catalogue)]
        asked = sweeps.shortened(sweeps.as_demo(asked, catalogue), catalogue)
    results = _results(asked, catalogue, progress, no_run=no_run)
    left_out: list[str] = []
    known = [with_scores(question, left_out) for question in questions(runs, left_out)]
    answers = [answer for result in results for answer in answers_of(result, catalogue, known)]
    for entry in asked.data:
        answers += descriptions(entry, printed, catalogue, how.data, progress, demo=demo, no_run=no_run)
    lines = compare(printed, answers)
    _put(form, output, asked, lines, notes)
    if failed := [line for result in results for line in failures(result)]:
        say("\n".join(failed), error=True)
    end(left_out)
    if failed:
        raise typer.Exit(1)


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


def _results(suite: Suite, catalogue: Catalogue, progress: Progress, *, no_run: bool) -> list[Result]:
    from mirbench.runs.sweep import Result, run_suite

    if no_run:
        return [Result(entry, reason=entry.unable or "not on record") for entry in suite.entries]
    return run_suite(suite, catalogue, progress, without_data="skip") if suite.entries else []


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
