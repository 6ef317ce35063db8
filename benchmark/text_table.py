"""Tables as text, drawn by rich."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from mirbench.plain_text import knows_all_letters, printable

__all__ = ["table"]

_WORDY = 24  # letters of a cell that is no number


def table(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[int] = (),
    *,
    cut_first: bool = False,
) -> str:
    """A table as text, as wide as the terminal.

    Parameters
    ----------
    left : collection of int
        Columns that are flush left; the others are flush right.
    cut_first : bool
        Whether the first column is cut where the table is too wide, and none of the others.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mirbench.terminal import Words, drawn, width

    lines = box.SIMPLE_HEAD if knows_all_letters() else box.ASCII
    drawing = Table(box=lines, show_edge=lines is box.ASCII, pad_edge=False, padding=(0, 1, 0, 0))
    words = {column for column in range(len(heads)) if column in left or _is_wordy(row[column] for row in rows)}
    for column, head in enumerate(heads):
        justify: Literal["left", "right"] = "left" if column in words else "right"
        drawing.add_column(Words(head) if column in words else Text(printable(head)), justify=justify,
                           no_wrap=column not in words)  # fmt: skip
    for row in rows:
        drawing.add_row(
            *(
                Words(cell, most_lines=1 if cut_first and not column else None)
                if column in words and not (cut_first and column)
                else Text(printable(cell))  # a Text holds neither markup nor emoji codes
                for column, cell in enumerate(row)
            )
        )
    return drawn([Words(title), "", drawing, ""], width(), colours=False)


def _is_wordy(cells: Iterable[str]) -> bool:
    """Whether a column holds sentences, which read from the left and may take several lines."""
    return any(cell.count(" ") > 2 or len(cell) > _WORDY for cell in cells)
