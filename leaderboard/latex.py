"""Tables for papers: LaTeX with booktabs, by pandas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirbench.leaderboard.columns import Column, chosen
from mirbench.leaderboard.marks import explained
from mirbench.leaderboard.render import SAID
from mirbench.leaderboard.table import Board, Row
from mirbench.plain_text import printable

__all__ = ["escaped", "latex"]

DEFAULT = ("rank", "system", "runs", "metrics", "trainable")
"""What fits a page; flags are notes of the caption."""

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


def latex(boards: Sequence[Board], columns: Sequence[str] = ()) -> str:
    """A table environment for each table that has rows: those of rank 1 in bold."""
    return _HEAD + "\n".join(_table(board, columns or DEFAULT) for board in boards if board.rows)


def escaped(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return printable(" ".join(text.split())).translate(_SPECIAL).replace("--", "-{}-")


def _table(board: Board, columns: Sequence[str]) -> str:
    import pandas as pd

    shown = chosen(columns, board)
    marks = {} if any(column.name == "flags" for column in shown) else _marks(board)
    lines = [[_cell(column, row, board, marks) for column in shown] for row in board.rows]
    frame = pd.DataFrame(lines, columns=[escaped(column.heading) for column in shown])
    text = frame.style.hide(axis="index").to_latex(
        column_format="".join("l" if column.left else "r" for column in shown),
        position="t",
        position_float="centering",
        hrules=True,
        caption=_caption(board, marks),
        label="tab:" + re.sub("[^a-z0-9]+", "-", board.title.lower()).strip("-"),
    )
    return str(text)


def _cell(column: Column, row: Row, board: Board, marks: dict[str, str]) -> str:
    text = escaped(column.text(row))
    if column.name in board.metrics[:1] and row.rank == 1:
        return f"\\textbf{{{text}}}"
    if column.name == "system" and marks and row.flags:
        return f"{text}\\textsuperscript{{{','.join(marks[flag] for flag in row.flags)}}}"
    return text


def _marks(board: Board) -> dict[str, str]:
    """A letter for each thing that a reader must know of some row."""
    flags = dict.fromkeys(flag for row in board.rows for flag in row.flags)
    return {flag: chr(ord("a") + n) if n < 26 else str(n) for n, flag in enumerate(flags)}


def _caption(board: Board, marks: dict[str, str]) -> str:
    said = [f"{board.title}: mean ± standard deviation over seeds.", SAID.get(board.standing, "")]
    if any(row.rank for row in board.rows):
        said.append("In bold: no other is significantly better.")
    said += [f"{mark}." for mark in explained(mark for row in board.rows for mark in row.marks)]
    notes = [f"\\textsuperscript{{{mark}}}~{escaped(flag)}." for flag, mark in marks.items()]
    return " ".join([*(escaped(text) for text in said if text), *notes])
