"""Commands that read records: leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.left_out import end
from mirbench.cli.options import RunsFolder, one_of
from mirbench.errors import BadInput
from mirbench.places import no_folder
from mirbench.plain_text import say

if TYPE_CHECKING:
    from mirbench.leaderboard.table import Board

FORMATS = ("md", "csv", "latex", "json", "html")

Tasks = Annotated[list[str], typer.Option("--task", help="Only this task; may be given again. Default: all.")]


def leaderboard(
    runs: RunsFolder = Path("runs"),
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}.")] = "md",
    columns: Annotated[
        str, typer.Option("--columns", metavar="NAMES", help="Those to show, in this order: rank,system,accuracy,….")
    ] = "",
    task: Tasks = [],  # noqa: B006
    output: Annotated[
        Path | None,
        typer.Option("--output", help="File. Default: leaderboard.md or .html in the runs folder, else the terminal."),
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option("--update", help="Rewrite the tables in this file, between the markers mirbench:begin and :end."),
    ] = None,
) -> None:
    """Print the tables of all records, or write them as a file, a web page, or into a README."""
    one_of("--format", form, FORMATS)
    shown = _columns(form, columns)
    if update and (form != "md" or output):
        raise BadInput("--update: writes markdown into its own file; leave out --format and --output")
    left_out: list[str] = []
    found = read_boards(runs, left_out)
    if update:
        _update(update, found, task, shown)
    else:
        from mirbench.leaderboard.render import of_tasks

        _write(form, of_tasks(found, task), shown, output, runs)
    end(left_out)


def read_boards(runs: Path, left_out: list[str]) -> list[Board]:
    """Every table that a folder of records gives; one line where there is none. `left_out` takes what is unreadable."""
    from mirbench.leaderboard.table import boards

    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: {no_folder(runs)}; `mirbench run` makes one")
    found = boards(runs, left_out)
    if not found:
        end(left_out)
        raise BadInput(f"--runs {runs}: no records in it; `mirbench run` makes some")
    return found


def _columns(form: str, columns: str) -> list[str]:
    if columns and form in ("json", "html"):
        raise BadInput(f"--columns: {form} holds every column; it is for md, csv and latex")
    return [name for name in (part.strip() for part in columns.split(",")) if name]


def _update(path: Path, boards: Sequence[Board], tasks: Sequence[str], columns: Sequence[str]) -> None:
    from mirbench.leaderboard.readme import update

    changed = update(path, boards, tasks, columns)
    say(f"{path}: {'updated' if changed else 'up to date'}", error=True)


def _write(form: str, boards: Sequence[Board], columns: Sequence[str], output: Path | None, runs: Path) -> None:
    text = _text(form, boards, columns)
    target = output or (runs / f"leaderboard.{form}" if form in ("md", "html") else None)
    if target:
        target.write_text(text, encoding="utf-8", newline="\n")
    if form == "md" or not target:
        say(text, end="\n" if form == "md" else "")
    if target:
        say(f"written to {target}", error=True)


def _text(form: str, boards: Sequence[Board], columns: Sequence[str]) -> str:
    from mirbench.leaderboard import latex, render

    if form == "html":
        from mirbench.leaderboard.page import page

        return page(boards)
    if form == "json":
        return render.as_json(boards)
    write = {"md": render.markdown, "csv": render.as_csv, "latex": latex.latex}[form]
    return write(boards, columns)
