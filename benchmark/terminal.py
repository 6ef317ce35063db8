"""What is drawn on a terminal, by rich: as wide as it is, in its colours; plain text where standard output is none."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.text import Text

from mirbench.plain_text import cut_middle, is_terminal, knows_all_letters, printable, put

__all__ = ["WIDTH", "Words", "draw", "drawn", "height", "width", "wrapped"]

WIDTH = 120
"""Of what goes to no terminal."""
_LEAST = 24
"""Cells below which no column of names should shrink."""


class Words:
    """A text that wraps between words alone; of a word that is too long for a line, the middle is left out.

    Parameters
    ----------
    text : str
        Anybody's: it is drawn as it is, and commands nothing.
    style : str
    suffix : str
        What stands behind it in a paler colour.
    most_lines : int or None
        One keeps a table's rows in line.
    whole : bool
        Whether a word that is too long goes on in the next line instead, as an address should.
    """

    def __init__(
        self, text: str, style: str = "", suffix: str = "", most_lines: int | None = None, *, whole: bool = False
    ) -> None:
        self.text, self.style, self.suffix = printable(text), style, printable(suffix)
        self.most_lines, self.whole = most_lines, whole

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        words = (*self.text.split(" "), *self.suffix.split(" "))
        whole = cell_len(self.text) + bool(self.suffix) + cell_len(self.suffix)
        return Measurement(min(max(map(cell_len, words)), _LEAST), whole)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        if self.whole:
            yield Text(self.text, self.style, overflow="fold")
            return
        shown = Text(no_wrap=True)
        if self.most_lines == 1:
            shown.append(cut_middle(self.text, options.max_width), self.style)
        else:
            shown.append("\n".join(wrapped(self.text, options.max_width)), self.style)
            if self.suffix:
                beside = cell_len(shown.plain.split("\n")[-1]) + 1 + cell_len(self.suffix) <= options.max_width
                shown.append(" " if beside else "\n")
                shown.append("\n".join(wrapped(self.suffix, options.max_width)), "dim")
        yield shown


def wrapped(text: str, n_cells: int) -> list[str]:
    """A text as lines of so many cells, broken between words; a longer word without its middle."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(longer) <= n_cells:
            lines[-1] = longer
        else:
            lines.append(cut_middle(word, n_cells))
    return [line for line in lines if line] or [""]


def width() -> int:
    """Columns to draw for."""
    return shutil.get_terminal_size().columns if is_terminal() else WIDTH


def height() -> int:
    """Lines that can be seen at once; 0 where there is no terminal."""
    return shutil.get_terminal_size().lines if is_terminal() else 0


def draw(*parts: RenderableType) -> None:
    """Draw on standard output; names in the parts must be `printable`."""
    put(drawn(parts, width(), colours=is_terminal()))


def drawn(parts: Sequence[RenderableType], n_columns: int, *, colours: bool) -> str:
    """The same as a text."""
    stream = io.StringIO()
    plain = not colours or os.environ.get("TERM") == "dumb"
    console = Console(
        file=stream,
        width=n_columns,
        force_terminal=not plain,
        color_system=None if plain else "auto",
        safe_box=not knows_all_letters(),
        highlight=False,
        emoji=False,
        markup=False,
    )
    for part in parts:
        console.print(part)
    lines = (line.rstrip(" ") for line in stream.getvalue().split("\n"))
    return "\n".join(lines)
