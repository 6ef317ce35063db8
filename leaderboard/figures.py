"""What the figures share: size and style for papers, files that are the same byte for byte."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, cast

from mirbench.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "INK",
    "MARKERS",
    "PALE",
    "blank",
    "one_line",
    "save",
    "styled",
    "suffix_of",
    "wrap",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
"""Told apart by the colour-blind: Okabe and Ito (2008), Color Universal Design; grey in place of their black."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d", *(f"${letter}$" for letter in ascii_uppercase))
"""Of methods; from the thirteenth on, letters."""
SINGLE, DOUBLE = 3.5, 7.0
"""Inches: one column of a journal, and both."""
WIDE = 5.0
"""From here on there is room beside a figure."""
INK, PALE = "#222222", "#9a9a9a"

_NO_DATE: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "text.usetex": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "savefig.dpi": 300,
    "savefig.bbox": None,  # the width that was asked for
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "mirbench",
    "pdf.fonttype": 42,
}


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user has in a matplotlibrc
        cast(Any, matplotlib.rcParams).update(_STYLE)  # its stubs want every name spelt out
        yield


def styled(plot: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw in this style, whatever the user's is."""

    @wraps(plot)
    def drawn(*args: Any, **options: Any) -> Figure:
        with _style():
            return plot(*args, **options)

    return drawn


def blank(width: float, height: float) -> Figure:
    """An empty figure, inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # whatever the user's backend is, no window
    return figure


def suffix_of(path: Path) -> str:
    """The kind of figure that a file is.

    Raises
    ------
    BadInput
        If it is none that can be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _NO_DATE:
        raise BadInput(f"{path}: a figure is written as {', '.join(_NO_DATE)}; name a file that ends so")
    return suffix


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the file's suffix; the same figure gives the same bytes.

    Raises
    ------
    BadInput
        For any other suffix.
    """
    suffix = suffix_of(path)
    held = io.BytesIO()
    with _style():
        figure.savefig(held, format=suffix[1:], metadata=_NO_DATE[suffix])
    path.write_bytes(held.getvalue())


def one_line(text: str) -> str:
    """A name as one line of what can be printed."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def wrap(text: str, n_letters: int) -> str:
    """A name on as many lines as it needs."""
    return "\n".join(textwrap.wrap(one_line(text), n_letters, break_on_hyphens=False))
