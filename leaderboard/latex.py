"""Tables for papers: LaTeX with booktabs, by pandas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirbench.leaderboard.chosen_rows import of_how_many, pivot, pivot_cells, place
from mirbench.leaderboard.columns import Column, chosen, notes_of
from mirbench.leaderboard.marks import explained
from mirbench.leaderboard.render import SAID
from mirbench.leaderboard.table import Board, Row
from mirbench.plain_text import printable

__all__ = ["escaped", "latex", "latex_pivot"]

_TWO = ("macro-f1", "pr-auc")
"""What papers print beside accuracy, or beside the area under the ROC curve."""

_HEAD = "% Needs \\usepackage{booktabs}.\n"
_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "—": r"\textemdash{}", "–": r"\textendash{}", "…": r"\ldots{}",
        "±": r"$\pm$", "×": r"$\times$",
        "[": "{[}", "]": "{]}", "*": "{*}",  # what follows the end of a line, \\, must not be one of these
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    }
)  # fmt: skip


_LEGEND = "In bold: the highest; underlined: not significantly worse than it."


def latex(boards: Sequence[Board], columns: Sequence[str] = ()) -> str:
    """A table environment for each table that has rows: the leader in bold, what ties with it underlined."""
    return _HEAD + "\n".join(_table(board, columns or usual_columns(board)) for board in boards if board.rows)


def usual_columns(board: Board) -> list[str]:
    """What fits the width of a page: the score that ranks with its interval, one more, and what was trained."""
    first = list(board.metrics[:1])
    more = [name for name in board.metrics[1:] if name in _TWO][:1]
    return ["system", *first, *(["interval"] if first else []), *more, "trainable"]


def latex_pivot(boards: Sequence[Board]) -> str:
    """One table, systems against tasks, of the first metric of each."""
    table = pivot(boards)
    names = [escaped(name) for name, _ in table.rows]
    lines = [[name, *(_marked(escaped(t), p) for t, p in cells)] for name, cells in zip(
        names, pivot_cells(table), strict=True)]  # fmt: skip
    said = ["Mean ± standard deviation over seeds.", *dict.fromkeys(SAID[board.standing] for board in table.boards)]
    some = [f"{board.title}: {name} ({'; '.join(row.flags)})" for name, rows in table.rows
            for board, row in zip(table.boards, rows, strict=True) if row and not row.system.complete]  # fmt: skip
    said += [_LEGEND, *([f"Of some folds alone: {'; '.join(some)}."] if some else [])]
    caption = " ".join(escaped(text) for text in said if text)
    heads = ["method + source", *table.heads]
    return _HEAD + _environment(lines, heads, "l" + "r" * len(table.boards), caption, "tab:systems-by-task")


def escaped(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return printable(" ".join(text.split())).translate(_SPECIAL).replace("--", "-{}-")


def _table(board: Board, columns: Sequence[str]) -> str:
    shown = chosen(columns, board)
    notes = [notes_of(row, shown) for row in board.rows]
    marks = _marks(notes)
    lines = [
        [_cell(column, row, board, [marks[flag] for flag in flags]) for column in shown]
        for row, flags in zip(board.rows, notes, strict=True)
    ]
    form = "".join("l" if column.left else "r" for column in shown)
    label = "tab:" + re.sub("[^a-z0-9]+", "-", board.title.lower()).strip("-")
    return _environment(lines, [column.heading for column in shown], form, _caption(board, marks, shown), label)


def _environment(lines: Sequence[Sequence[str]], heads: Sequence[str], form: str, caption: str, label: str) -> str:
    """A table as pandas writes it, of cells that are LaTeX."""
    import pandas as pd

    frame = pd.DataFrame(lines, columns=[escaped(head) for head in heads])
    text = frame.style.hide(axis="index").to_latex(
        column_format=form, position="t", position_float="centering", hrules=True, caption=caption, label=label
    )
    return str(text)


def _marked(text: str, where: str) -> str:
    return {"leads": f"\\textbf{{{text}}}", "tied": f"\\underline{{{text}}}", "": text}[where]


def _cell(column: Column, row: Row, board: Board, marks: Sequence[str]) -> str:
    text = escaped(column.text(row))
    if column.name in board.metrics[:1]:
        return _marked(text, place(row, board))
    if column.name == "system" and marks:
        return f"{text}\\textsuperscript{{{','.join(marks)}}}"
    return text


def _marks(notes: Sequence[Sequence[str]]) -> dict[str, str]:
    """A letter for each thing that a reader must know of some row."""
    flags = dict.fromkeys(flag for row in notes for flag in row)
    return {flag: chr(ord("a") + n) if n < 26 else str(n) for n, flag in enumerate(flags)}


def _caption(board: Board, marks: dict[str, str], shown: Sequence[Column]) -> str:
    said = [f"{board.title}: mean ± standard deviation over seeds.", SAID.get(board.standing, "")]
    if any(row.rank for row in board.rows) and any(column.name in board.metrics[:1] for column in shown):
        said += [_LEGEND, of_how_many(board)]
    said += [f"{mark}." for mark in explained(mark for row in board.rows for mark in row.marks)]
    notes = [f"\\textsuperscript{{{mark}}}~{escaped(flag)}." for flag, mark in marks.items()]
    return " ".join([*(escaped(text) for text in said if text), *notes])
