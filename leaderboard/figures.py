"""What the figures share: size and style for papers, files that are the same byte for byte, labels that keep apart."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mirbench.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

__all__ = [
    "COLOURS",
    "INK",
    "MARKERS",
    "PALE",
    "blank",
    "label_points",
    "one_line",
    "save",
    "styled",
    "suffix_of",
    "wrap",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
"""Told apart by the colour-blind: Okabe and Ito (2008), Color Universal Design; grey in place of their black."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")
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


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    marks: Sequence[tuple[float, float]],
    lines: Sequence[tuple[float, float]],
) -> None:
    """Write a text beside each point, where it covers least of lines; none where it would cover a mark or a text.

    Parameters
    ----------
    points : sequence of (x, y)
        In the axes' own units: those with a text.
    marks, lines : sequence of (x, y)
        What should stay visible: points, and points on lines, which matter less.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # sizes of texts are known only now
    shown = [axes.transData.transform(np.asarray(held, dtype=np.float64).reshape(-1, 2)) for held in (marks, lines)]
    frame = axes.get_window_extent()
    taken: list[Bbox] = []
    for point, text in zip(points, texts, strict=True):
        start = axes.transData.transform(point)
        size = _size(axes, text)
        boxes = {spot: _box(start, size, spot, figure.dpi / 72) for spot in _spots()}
        costs = {spot: _cost(box, start, spot, shown, taken, frame) for spot, box in boxes.items()}
        best = min(costs, key=lambda spot: costs[spot])
        if costs[best] < _HIDES:
            taken.append(boxes[best])
            _write(axes, point, text, best)


def _size(axes: Axes, text: str) -> tuple[float, float]:
    note = axes.text(0, 0, text, fontsize=6.5, linespacing=1.0, transform=None)
    box = note.get_window_extent()
    note.remove()
    return box.width, box.height


def _write(axes: Axes, point: tuple[float, float], text: str, spot: tuple[float, float]) -> None:
    x, y = spot
    far = max(abs(x), abs(y)) > _NEAR
    axes.annotate(
        text,
        point,
        xytext=spot,
        textcoords="offset points",
        ha="left" if x > 0 else "right" if x < 0 else "center",
        va="bottom" if y > 0 else "top" if y < 0 else "center",
        fontsize=6.5,
        linespacing=1.0,
        arrowprops={"arrowstyle": "-", "lw": 0.5, "color": PALE, "shrinkA": 1, "shrinkB": 3} if far else None,
    ).set_in_layout(False)


_HIDES = 20.0
_NEAR = 8  # points: no line to the text is needed


def _spots() -> list[tuple[float, float]]:
    """Offsets in points, the nearest first."""
    around = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1), (2, 1), (-2, 1), (2, -1), (-2, -1)]
    return [(distance * x, distance * y) for distance, (x, y) in product((5, 8, 12, 18, 26), around)]


def _box(start: Any, size: tuple[float, float], spot: tuple[float, float], scale: float) -> Bbox:
    """Where a text of this size stands, in pixels: on the side of its point that the offset goes to."""
    from matplotlib.transforms import Bbox

    corner = [
        at + scale * offset - {1: 0.0, 0: length / 2, -1: length}[(offset > 0) - (offset < 0)]
        for at, offset, length in zip(start, spot, size, strict=True)
    ]
    return Bbox.from_bounds(corner[0], corner[1], *size)


def _cost(
    box: Bbox, start: Any, spot: tuple[float, float], shown: Sequence[Any], taken: Sequence[Bbox], frame: Bbox
) -> float:
    """What a text hides, and how far it is from its point; its line to the point should cross no other text."""
    marks, lines = (_inside(held, box.padded(pad)) for held, pad in zip(shown, (4, 1), strict=True))
    leader = np.linspace(start, ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2), 20)
    crossed = sum(box.padded(4).overlaps(other) or _inside(leader, other) > 0 for other in taken)
    outside = np.maximum(0, [frame.x0 - box.x0, box.x1 - frame.x1, frame.y0 - box.y0, box.y1 - frame.y1]).sum()
    far = max(map(abs, spot))
    return float(_HIDES * (crossed + marks) + 3 * lines + 5 * outside + far / 4 + 4 * (far > _NEAR))


def _inside(points: Any, box: Bbox) -> int:
    return int(((points > box.min) & (points < box.max)).all(axis=1).sum())
