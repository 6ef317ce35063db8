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
from mirbench.plain_text import is_terminal, say

if TYPE_CHECKING:
    from mirbench.leaderboard.chosen_rows import Pivot
    from mirbench.leaderboard.table import Board

FORMATS = ("md", "csv", "latex", "json", "html")
AGAINST = ("sources",)  # systems against tasks are --pivot

Tasks = Annotated[list[str], typer.Option("--task", metavar="TASK", help="Only this task; may be given again.")]


Reference = Annotated[
    bool | None,
    typer.Option(
        "--reference/--no-reference",
        help="Results that ship with mirbench, and added ones: of tasks that none of the runs are of, too; or none.",
        show_default=False,
    ),
]


def leaderboard(
    runs: RunsFolder = Path("runs"),
    form: Annotated[
        str,
        typer.Option("--format", metavar="|".join(FORMATS), help="Default: a table on a terminal, md in a pipe."),
    ] = "",
    columns: Annotated[
        str,
        typer.Option(
            "--columns", metavar="NAMES", help="Those to show, in this order: rank,system,accuracy,macro-f1:CLASS,…."
        ),
    ] = "",
    task: Tasks = [],  # noqa: B006
    rows: Annotated[
        str, typer.Option("--rows", metavar="ROWS", help="How many, or METHOD+SOURCE,METHOD+SOURCE,….")
    ] = "",
    pivoted: Annotated[bool, typer.Option("--pivot", help="One table: systems against tasks.")] = False,
    by_clips: Annotated[
        bool,
        typer.Option("--by-clips", help="One table: systems against numbers of labelled clips (+shots, +fraction)."),
    ] = False,
    against: Annotated[
        str,
        typer.Option("--against", metavar="|".join(AGAINST), help="A table a task: methods against sources."),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="Default: leaderboard.md or .html in the runs folder, if all is shown."
        ),
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option(
            "--update", metavar="FILE", help="Rewrite its tables, between the markers mirbench:begin and :end."
        ),
    ] = None,
    reference: Reference = None,
) -> None:
    """Print the tables of all records, or write them as a file or a web page."""
    if form:
        one_of("--format", form, FORMATS)
    shown = _columns(form, columns)
    if update and (form not in ("", "md") or output):
        raise BadInput("--update: writes markdown into its own file; leave out --format and --output")
    if form == "html" and task and not output:
        raise BadInput(
            f"--format html --task {task[0]}: a page of some tasks does not replace the one of all in {runs}; name its "
            "file with --output"
        )
    if against:
        one_of("--against", against, AGAINST)
    said = {"--by-clips": by_clips, "--pivot": pivoted, "--against": bool(against)}
    together = [flag for flag, given in said.items() if given]
    if len(together) > 1:
        raise BadInput(f"{' and '.join(together)}: each asks for another table; leave one of them out")
    against = against or ("tasks" if pivoted or by_clips else "")
    _refuse_together(form, rows, columns, update, together)
    left_out: list[str] = []
    if update and reference is None:
        reference = False  # what people maintain does not change because others have results, or repeat runs
    found = read_boards(runs, left_out, reference, task)
    if update:
        _update(update, found, task, shown)
    else:
        from mirbench.leaderboard.asked_columns import refuse_of_no_table
        from mirbench.leaderboard.chosen_rows import of_rows
        from mirbench.leaderboard.few_clips import of_best
        from mirbench.leaderboard.render import of_tasks
        from mirbench.leaderboard.repeated import with_repeated

        partial = bool(task or shown or rows or against)
        kept = form in ("", "md", "html") and not partial and runs.is_dir()
        usual = runs / f"leaderboard.{form or 'md'}" if kept else None
        if form == "html" and not (usual or output):
            raise BadInput(f"--format html: {runs} is no folder to write into; name its file with --output")
        asked = _by_clips(found, task) if by_clips else of_tasks(found, task)
        marked = with_repeated(asked, left_out)
        chosen = of_best(marked, rows) if by_clips else of_rows(marked, rows)
        refuse_of_no_table(shown, chosen)
        _write(form, chosen, shown, output, usual, against)
    end(left_out)


def read_boards(
    runs: Path, left_out: list[str], reference: bool | None = False, tasks: Sequence[str] = ()
) -> list[Board]:
    """Every table that a folder of records gives; one line where there is none. `left_out` takes what is unreadable.

    Parameters
    ----------
    reference : bool or None
        Whether results of others are shown: none of them (False), beside one's own (None), or of all tasks (True).
    tasks : sequence of str
        Those that are asked for.
    """
    from mirbench.leaderboard.packs import every_pack
    from mirbench.leaderboard.table import boards

    packs = [] if reference is False else every_pack(left_out)
    if not runs.is_dir() and not (reference and packs):
        raise BadInput(f"--runs {runs}: {no_folder(runs)}; `mirbench run` makes one{_of_others(reference, tasks)}")
    found = boards(runs, left_out, packs, alone=bool(reference))
    if not found:
        end(left_out)
        raise BadInput(f"--runs {runs}: no records in it; `mirbench run` makes some{_of_others(reference, tasks)}")
    lacking = [task for task in tasks if not any(task in (board.task, board.title) for board in found)]
    if lacking and (said := _of_others(reference, lacking)):
        raise BadInput(f"--runs {runs}: no runs of {', '.join(lacking)} in it{said}")
    return found


def _of_others(reference: bool | None, tasks: Sequence[str]) -> str:
    """What is to be said of results of others where there are none of one's own."""
    from mirbench.leaderboard.packs import every_pack

    known = sorted({task for pack in every_pack([]) for task in pack.tasks()}) if reference is None else []
    shown = [task for task in tasks if task in known] if tasks else known
    command = " ".join(["mirbench leaderboard --reference", *(f"--task {task}" for task in tasks)])
    return f"; of {', '.join(shown)} there are reference results: `{command}`" if shown else ""


def _columns(form: str, columns: str) -> list[str]:
    if columns and form in ("json", "html"):
        raise BadInput(f"--columns: {form} holds every column; it is for md, csv and latex")
    return [name for name in (part.strip() for part in columns.split(",")) if name]


def _by_clips(boards: Sequence[Board], tasks: Sequence[str]) -> list[Board]:
    """A table for each number of labelled clips of a task."""
    from mirbench.leaderboard.few_clips import asked_for

    return [amount.board for amount in asked_for(boards, tasks)]


def _refuse_together(form: str, rows: str, columns: str, update: Path | None, pivots: Sequence[str]) -> None:
    """Refuse options that do not go together; `pivots` are the flags that ask for tables side by side."""
    if rows and form in ("json", "html"):
        raise BadInput(f"--rows: {form} holds every row; it is for md, csv and latex")
    if pivots and (form in ("json", "html") or columns):
        idle = "--columns" if columns else f"--format {form}"
        raise BadInput(f"{pivots[0]}: md, csv and latex show the first metric of each task by it; leave {idle} out")
    if update and (rows or pivots):
        raise BadInput(
            "--update: rows are chosen between its markers (rows=N); leave --rows, --pivot, --against, --by-clips out"
        )


def _update(path: Path, boards: Sequence[Board], tasks: Sequence[str], columns: Sequence[str]) -> None:
    from mirbench.leaderboard.readme import update

    changed = update(path, boards, tasks, columns)
    say(f"{path}: {'updated' if changed else 'up to date'}", error=True)


def _write(
    form: str,
    boards: Sequence[Board],
    columns: Sequence[str],
    output: Path | None,
    usual: Path | None,
    against: str,
) -> None:
    """Print tables, and write them into the file that is asked for, or the usual one, which holds all of them.

    A terminal gets a table that fits, whatever the file is; markdown is for files and pipes.
    """
    target = output or usual
    tables = _pivots(boards, against)
    text = _pivot(form or "md", tables) if against else _text(form or "md", boards, columns)
    if target:
        target.write_text(text, encoding="utf-8", newline="\n")
    if not form and is_terminal():
        from mirbench.leaderboard import terminal
        from mirbench.terminal import draw, height, width

        draw(*(terminal.pivoted(tables) if against else terminal.tables(boards, columns, width(), height())))
    elif form in ("", "md") or not target:
        say(text, end="\n" if form in ("", "md") else "", whole=True)
    if target:
        say(f"written to {target}", error=True)


def _pivots(boards: Sequence[Board], against: str) -> list[Pivot]:
    """The tables that ``--against`` asks for."""
    from mirbench.leaderboard.against_sources import against_sources
    from mirbench.leaderboard.chosen_rows import pivot

    if against == "sources":
        return against_sources(boards)
    return [pivot(boards)] if against else []


def _pivot(form: str, tables: Sequence[Pivot]) -> str:
    from mirbench.leaderboard import latex, render

    return {"md": render.markdown_pivot, "csv": render.csv_pivot, "latex": latex.latex_pivot}[form](tables)


def _text(form: str, boards: Sequence[Board], columns: Sequence[str]) -> str:
    from mirbench.leaderboard import latex, render

    if form == "html":
        from mirbench.cli.source_cards import source_cards
        from mirbench.leaderboard.page import page

        return page(boards, sources=source_cards(boards))
    if form == "json":
        return render.as_json(boards)
    write = {"md": render.markdown, "csv": render.as_csv, "latex": latex.latex}[form]
    return write(boards, columns)
