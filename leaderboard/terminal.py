"""Tables for a terminal, by rich: what a reader looks for first, in the width that is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mirbench.leaderboard.asked_columns import said_of_columns
from mirbench.leaderboard.chosen_rows import Pivot, of_how_many, pivot_cells
from mirbench.leaderboard.columns import COLUMNS, Column, chosen, first_of_targets, notes_of
from mirbench.leaderboard.marks import explained, meanings, often
from mirbench.leaderboard.render import SAID
from mirbench.leaderboard.table import Board, Row
from mirbench.plain_text import knows_all_letters, printable, superscript
from mirbench.runs.scores import how_over_folds
from mirbench.terminal import Words

__all__ = ["pivoted", "tables"]

_SCARCE = ("rank", "system", "score", "interval", "trainable")
_NAMES = {"system", "method", "source", "flags", "device"}
"""Columns that may take several lines."""
_ENOUGH = 32
_WHO = {"rank", "system", "method", "source", "key"}
_MOST_PROBLEMS = 8
_AROUND = 12  # lines beside the rows of a table, about

_HOW = (
    "Rank 1: not to be told apart from the best on these clips. ±: over seeds. 95 %: over other clips and seeds. More: "
    "--columns system,metrics,total,… or --format md, csv, latex, json, html"
)


def tables(
    boards: Sequence[Board], columns: Sequence[str], n_columns: int, n_lines: int = 0
) -> Iterator[RenderableType]:
    """What is drawn of some tables: each with its title and notes, and at the end how to read them.

    Parameters
    ----------
    columns : sequence of str
        Names of `COLUMNS`; none for the few that matter most.
    n_columns : int
        Of the terminal. Columns that do not fit stand below, beside the names once more, if they were asked for.
    n_lines : int
        Of the terminal: of a table that is longer it is said how to see its first rows; 0 is as many as there are.

    Raises
    ------
    UnknownName
        If no column is called so.
    """
    for board in boards:
        yield from _one(board, columns, n_columns)
    if any(board.rows for board in boards):
        yield Words(_HOW, style="dim")
    longest = max((len(board.rows) for board in boards), default=0)
    if 0 < n_lines < longest + _AROUND:
        fit = max(1, n_lines - _AROUND)
        yield Words(f"{longest} rows are more than this terminal shows: --rows {fit} gives the first.", style="dim")


def pivoted(tables: Sequence[Pivot]) -> Iterator[RenderableType]:
    """Systems against tasks, or methods against sources: the leader of each in bold."""
    for found in tables:
        yield from _pivoted(found)


def _pivoted(found: Pivot) -> Iterator[RenderableType]:
    lines = box.SIMPLE_HEAD if knows_all_letters() else box.ASCII
    table = Table(box=lines, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(Words(found.stub))
    for head in found.heads:
        table.add_column(Words(head), justify="right")
    for (name, _), cells in zip(found.rows, pivot_cells(found), strict=True):
        table.add_row(Words(name), *(Text(text, "bold" if where == "leads" else "") for text, where in cells))
    yield table
    yield Text("")
    yield Words("Mean ± standard deviation over seeds.", style="dim")
    for said in dict.fromkeys(SAID[board.standing] for board in found.boards if SAID[board.standing]):
        yield Words(said, style="dim")
    notes = (*found.notes, found.incomplete, *(note for board in found.boards for note in board.notes))
    for note in dict.fromkeys(filter(None, notes)):
        yield Words(note, style="dim")


def _one(board: Board, columns: Sequence[str], n_columns: int) -> Iterator[RenderableType]:
    yield Text.assemble((printable(board.title), "bold"), (f"  {_about(board)}", "dim"))
    if said := SAID.get(board.standing):
        yield Words(said, style="dim")
    if board.rows:
        shown = chosen(columns or _few(board), board)
        frequent = often(row.marks for row in board.rows)
        told = {mark: f"[{mark}] {meaning}" for mark, meaning in meanings(frequent).items()}
        notes = [(*(told[m] for m in row.marks if m in told), *notes_of(row, shown)) for row in board.rows]
        for_all = set(notes[0]).intersection(*notes) if len(notes) > 1 else set()
        marks = {flag: "" for flag in dict.fromkeys(flag for flags in notes for flag in flags) if flag not in for_all}
        marks = {flag: superscript(number) for number, flag in enumerate(marks, 1)}
        beside = [[marks[flag] for flag in flags if flag in marks] for flags in notes]
        parts = _that_fit(board, shown, n_columns)
        for part in parts if columns else parts[:1]:
            yield Text("")
            yield _table(board, part, beside, frequent)
        if any(notes):
            yield Text("")
        yield from (_note(f"{mark} {flag}") for flag, mark in marks.items())
        yield from (_note(f"All rows: {flag}") for flag in notes[0] if flag in for_all)
        yield from map(_note, explained(mark for row in board.rows for mark in row.marks if mark not in frequent))
        yield from map(_note, filter(None, [of_how_many(board), *said_of_columns(columns, board), *board.notes]))
    if board.problems:
        yield Words("Without a result:")
        yield from (_note(line) for line in board.problems[:_MOST_PROBLEMS])
        if more := len(board.problems) - _MOST_PROBLEMS:
            yield from [_note(f"… and {more} more (--format md has all)")] if more > 0 else []
    yield Text("")


def _that_fit(board: Board, shown: Sequence[Column], n_columns: int) -> list[list[Column]]:
    """Columns in tables that are not too wide: who a row is stands in each of them."""
    who = [column for column in shown if column.name in _WHO]
    held = [*who]
    parts = [held]
    for column in shown:
        if column in who:
            continue
        if len(held) > len(who) and _widths(board, [*held, column]) > n_columns:
            held = [*who]
            parts.append(held)
        held.append(column)
    if len(parts) == 1:
        return [list(shown)]  # in the order that was asked for
    return parts


def _widths(board: Board, columns: Sequence[Column]) -> int:
    """Cells that columns take: all of each, but of those with names what is enough to read."""
    total = 0
    for column in columns:
        widest = max(cell_len(text) for text in (_heading(column), *map(column.text, board.rows)))
        total += 2 + (min(widest, _ENOUGH) if column.name in _NAMES else widest)
    return total - 2


def _heading(column: Column) -> str:
    return "95 %" if column.name == "interval" else column.heading


def _few(board: Board) -> list[str]:
    """The columns of a narrow table: one metric, one cost."""
    names = [board.metrics[0] if name == "score" else name for name in _SCARCE if name != "score" or board.metrics]
    names = names if any(row.n_trainable is not None for row in board.rows) else names[:-1]
    return [*names, *first_of_targets(board)]


def _about(board: Board) -> str:
    """Clips, folds and seeds of a table, where its rows agree."""
    if not board.rows:
        return ""
    clips = {row.n_clips for row in board.rows if row.n_done == row.n_folds}
    said = [f"{next(iter(clips)):,} test clips"] if len(clips) == 1 else []
    n_folds = board.rows[0].n_folds
    said += [f"{board.metrics[0]} {how_over_folds(board.metrics[0], n_folds)}"] if n_folds > 1 and board.metrics else []
    seeds = sorted({row.n_seeds for row in board.rows if row.system.uses_seed})
    if seeds:
        span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        said.append(f"{span} {'seed' if seeds == [1] else 'seeds'}")
    return ", ".join(said)


def _table(board: Board, shown: Sequence[Column], marks: Sequence[Sequence[str]], frequent: set[str]) -> Table:
    lines = box.SIMPLE_HEAD if knows_all_letters() else box.ASCII
    table = Table(box=lines, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for column in shown:
        heading = {"interval": "95 %"}.get(column.name, column.heading)
        table.add_column(Text(heading), justify="left" if column.left else "right", no_wrap=column.name not in _NAMES)
    for number, row in enumerate(board.rows):
        style = "bold" if number == 0 and row.rank == 1 else ""
        table.add_row(*(_cell(column, row, marks[number], frequent, style) for column in shown))
    return table


def _cell(column: Column, row: Row, marks: Sequence[str], frequent: set[str], style: str) -> RenderableType:
    text = column.text(row)
    if column is COLUMNS["system"]:
        beside = (*(f"[{mark}]" for mark in row.marks if mark not in frequent), " ".join(marks))
        return Words(row.name, style, " ".join(filter(None, beside)))
    return Words(text, style) if column.name in _NAMES else Text(printable(text), style)


def _note(line: str) -> RenderableType:
    return Padding(Words(line), (0, 0, 0, 2))
