"""Tables for papers: LaTeX with booktabs, by pandas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mirbench.leaderboard.chosen_rows import Pivot, of_how_many, pivot_cells, place
from mirbench.leaderboard.columns import Column, chosen, first_of_targets, notes_of
from mirbench.leaderboard.marks import explained, labelled, meanings, often
from mirbench.leaderboard.render import SAID
from mirbench.leaderboard.table import Board, Row
from mirbench.plain_text import printable

__all__ = ["escaped", "latex", "latex_pivot"]

_TWO = ("macro-f1", "pr-auc")
"""What papers print beside accuracy, or beside the area under the ROC curve."""

_HEAD = "% Needs \\usepackage{booktabs}.\n"
_WRAPPED_HEAD = "% Needs \\usepackage{array,booktabs}.\n"
_PAGE = 345.0  # points that the text of a page is wide, in LaTeX's own article
_LETTER, _SPACE = 5.4, 12.0  # points of a letter at 10 pt, in bold, about, and between two columns
_SMALL, _SMALL_SPACE = 0.92, 8.0  # the same in a table that would be too wide
_LEAST = 0.2  # of the width of the text for a name
_PIECE = 12  # letters of a name between which no line is broken
_A_PAGE = 40  # rows
_RAISED = "\\textsuperscript{"
_NAMES = ("system", "method", "source", "flags", "device")
_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "—": r"\textemdash{}", "–": r"\textendash{}", "…": r"\ldots{}",
        "±": r"$\pm$", "×": r"$\times$",
        "[": "{[}", "]": "{]}", "*": "{*}",  # what follows the end of a line, \\, must not be one of these
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    }
)  # fmt: skip


_LONG_PIECE = re.compile(
    rf"(?:\\[a-z]+\{{\}}|\\[^_]|\{{.\}}|[^\\{{}}$ =/:-]){{{_PIECE}}}(?=[^ -]{{4}})|\\_|[=/:](?=[^ ])"
)

_LEGEND = "In bold: the highest; underlined: not significantly worse than it."


def latex(boards: Sequence[Board], columns: Sequence[str] = ()) -> str:
    """A table environment for each table that has rows: the leader in bold, what ties with it underlined."""
    return _headed([_table(board, columns or usual_columns(board)) for board in boards if board.rows])


def usual_columns(board: Board) -> list[str]:
    """What fits the width of a page: the score that ranks with its interval, one more, and what was trained."""
    first = list(board.metrics[:1])
    more = [name for name in board.metrics[1:] if name in _TWO][:1]
    return ["system", *first, *(["interval"] if first else []), *first_of_targets(board), *more, "trainable"]


def latex_pivot(tables: Sequence[Pivot]) -> str:
    """Systems against tasks, of the first metric of each, or methods against sources."""
    label = "methods-by-source" if any(table.of_sources for table in tables) else "systems-by-task"
    labels = [f"tab:{label}{f'-{n}' if n > 1 else ''}" for n in range(1, len(tables) + 1)]
    return _headed([_pivot_environment(table, label) for table, label in zip(tables, labels, strict=True)])


def _pivot_environment(table: Pivot, label: str) -> str:
    names = [escaped(name) for name, _ in table.rows]
    lines = [[name, *(_marked(escaped(t), p) for t, p in cells)] for name, cells in zip(
        names, pivot_cells(table), strict=True)]  # fmt: skip
    said = ["Mean ± standard deviation over seeds.", *dict.fromkeys(SAID[board.standing] for board in table.boards),
            *dict.fromkeys(note for board in table.boards for note in board.notes)]  # fmt: skip
    said += [_LEGEND, *table.notes, table.incomplete]
    caption = " ".join(escaped(text) for text in said if text)
    heads = [table.stub, *table.heads]
    plain = [[name, *(text for text, _ in cells)] for (name, _), cells in zip(
        table.rows, pivot_cells(table), strict=True)]  # fmt: skip
    page = _Page.of([heads, *plain], "l" + "r" * len(table.boards), [0])
    return _environment(lines, heads, page, caption, label)


def escaped(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return printable(" ".join(text.split())).translate(_SPECIAL).replace("--", "-{}-")


def _table(board: Board, columns: Sequence[str]) -> str:
    shown = chosen(columns, board)
    frequent = often(row.marks for row in board.rows)
    some = {mark for mark in frequent if not all(mark in row.marks for row in board.rows)}
    said = {mark: f"[{mark}] {meaning}" for mark, meaning in meanings(some).items()}
    notes = [(*(said[m] for m in row.marks if m in said), *notes_of(row, shown)) for row in board.rows]
    marks = _marks(notes)
    lines = [
        [_cell(column, row, board, frequent, [marks[flag] for flag in flags]) for column in shown]
        for row, flags in zip(board.rows, notes, strict=True)
    ]
    form = "".join("l" if column.left else "r" for column in shown)
    plain = [[_plain(column, row, frequent) for column in shown] for row in board.rows]
    names = [k for k, column in enumerate(shown) if column.name in _NAMES]
    heads = [column.heading for column in shown]
    label = "tab:" + re.sub("[^a-z0-9]+", "-", board.title.lower()).strip("-")
    page = _Page.of([heads, *plain], form, names)
    return _environment(lines, heads, page, _caption(board, marks, shown, some), label)


@dataclass(frozen=True)
class _Page:
    """How a table is set so that it is no wider than a page.

    Parameters
    ----------
    form : str
        Of the columns, as the environment takes it.
    wrapped : frozenset of int
        Columns of names that take several lines.
    small : bool
        Whether letters and gaps are smaller.
    """

    form: str
    wrapped: frozenset[int] = frozenset()
    small: bool = False

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]], form: str, names: Sequence[int]) -> _Page:
        """For the texts of these rows, the head among them; `names` are the columns that may be broken."""
        widths = [max(map(len, column)) * _LETTER for column in zip(*rows, strict=True)]
        if sum(widths) + _SPACE * len(form) <= _PAGE:
            return cls(form)
        widths = [_SMALL * width for width in widths]
        spaces = _SMALL_SPACE * len(form)
        if sum(widths) + spaces <= _PAGE or not names:
            return cls(form, small=True)
        others = sum(width for k, width in enumerate(widths) if k not in names)
        share = max(_LEAST, (_PAGE - others - spaces) / len(names) / _PAGE)
        column = f">{{\\raggedright\\arraybackslash}}p{{{share:.2f}\\linewidth}}"
        wrapped = frozenset(k for k in names if widths[k] > share * _PAGE)
        return cls("".join(column if k in wrapped else letter for k, letter in enumerate(form)), wrapped, small=True)


def _headed(tables: Sequence[str]) -> str:
    wrapped = any(r"\arraybackslash" in table for table in tables)
    long = any(table.count("\\\\\n") > _A_PAGE for table in tables)
    hint = f"% More than {_A_PAGE} rows are longer than a page: --rows 20 gives the first.\n" if long else ""
    return (_WRAPPED_HEAD if wrapped else _HEAD) + hint + "\n".join(tables)


def _breakable(cell: str) -> str:
    """A cell of LaTeX that may be broken where a name has no spaces; not within the command of its footnotes."""
    name, mark, notes = cell.partition(_RAISED)
    return _LONG_PIECE.sub(r"\g<0>\\allowbreak{}", name) + mark + notes


def _environment(lines: Sequence[Sequence[str]], heads: Sequence[str], page: _Page, caption: str, label: str) -> str:
    """A table as pandas writes it, of cells that are LaTeX."""
    import pandas as pd

    cells = [[_breakable(cell) if k in page.wrapped else cell for k, cell in enumerate(line)] for line in lines]
    frame = pd.DataFrame(cells, columns=[escaped(head) for head in heads])
    text = frame.style.hide(axis="index").to_latex(
        column_format=page.form, position="t", position_float="centering", hrules=True, caption=caption, label=label
    )
    if page.small:
        text = text.replace("\\centering\n", "\\centering\\small\\setlength{\\tabcolsep}{4pt}\n", 1)
    return str(text)


def _marked(text: str, where: str) -> str:
    return {"leads": f"\\textbf{{{text}}}", "tied": f"\\underline{{{text}}}", "": text}[where]


def _plain(column: Column, row: Row, frequent: set[str]) -> str:
    """A cell before it is LaTeX, without the marks that the caption tells of."""
    if column.name != "system":
        return column.text(row)
    return labelled(row.name, (mark for mark in row.marks if mark not in frequent))


def _cell(column: Column, row: Row, board: Board, frequent: set[str], marks: Sequence[str]) -> str:
    text = escaped(_plain(column, row, frequent))
    if column.name in board.metrics[:1]:
        return _marked(text, place(row, board))
    if column.name == "system" and marks:
        return f"{text}{_RAISED}{','.join(marks)}}}"
    return text


def _marks(notes: Sequence[Sequence[str]]) -> dict[str, str]:
    """A letter for each thing that a reader must know of some row."""
    flags = dict.fromkeys(flag for row in notes for flag in row)
    return {flag: chr(ord("a") + n) if n < 26 else str(n) for n, flag in enumerate(flags)}


def _caption(board: Board, marks: dict[str, str], shown: Sequence[Column], numbered: set[str]) -> str:
    said = [f"{board.title}: mean ± standard deviation over seeds.", SAID.get(board.standing, "")]
    if any(row.rank for row in board.rows) and any(column.name in board.metrics[:1] for column in shown):
        said += [_LEGEND, of_how_many(board)]
    every = [mark for row in board.rows for mark in row.marks if mark not in numbered]
    for_all = {mark for mark in often(row.marks for row in board.rows) if mark not in numbered}
    said += [f"All rows: {line}." for line in explained(for_all)]
    said += [f"{line}." for line in explained(mark for mark in every if mark not in for_all)]
    notes = [f"{_RAISED}{mark}}}~{escaped(flag)}." for flag, mark in marks.items()]
    return " ".join([*(escaped(text) for text in said if text), *notes])
