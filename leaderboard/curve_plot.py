"""A figure of what each system makes of few labelled clips and of many; the numbers are of `few_clips`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench.leaderboard.drawn import folds_said, label_of
from mirbench.leaderboard.few_clips import Amount, paths
from mirbench.leaderboard.figures import COLOURS, DOUBLE, MARKERS, WIDE, blank, styled, wrap
from mirbench.leaderboard.table import Row
from mirbench.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curve"]

_COLOURS = tuple(colour for colour in COLOURS if colour != "#F0E442")
"""A line of that yellow is not seen on white."""
_MOST = 12
"""Lines that can be followed."""
_SIZE = 6.5
_TICK = 0.42
"""Inches that the text of a tick takes."""

_Path = Sequence[tuple[Amount, Row]]


@styled
def curve(found: Sequence[Amount], width: float = DOUBLE) -> Figure:
    """The metric against labelled clips on a logarithmic axis, a line a system, with 95 % intervals.

    Names stand at the ends of their lines, or below where there is no room beside. Of more than twelve systems the
    twelve are drawn that are the best at the end.

    Parameters
    ----------
    found : sequence of Amount
        One at least, as `mirbench.leaderboard.few_clips.asked_for` gives them.
    """
    board = found[-1].board
    metric = board.metrics[0]
    sign = 1 if METRICS[metric].higher_is_better else -1
    every = sorted(paths(found), key=lambda path: (-path[-1][0].n_clips, -sign * _value(path[-1][1], metric)))
    drawn = every[:_MOST]
    figure = blank(width, max(2.6, 0.5 * width) if width >= WIDE else 2.6 + 0.14 * len(drawn))
    axes = figure.subplots()
    axes.set_xscale("log")
    dodged = _dodges(found, len(drawn))
    ends = [_draw(axes, path, metric, dodged[number], _look(number)) for number, path in enumerate(drawn)]
    left_out = f"\n{len(drawn)} of {len(every)} systems, the best at the end" if len(every) > len(drawn) else ""
    axes.set_xlabel(f"labelled clips to learn from; bars: 95 % intervals{left_out}")
    axes.set_ylabel(label_of(board, metric))
    axes.grid(axis="y")
    _ticks(figure, axes, found)
    names = [_name(path[0][1]) for path in drawn]
    if width >= WIDE:
        _name_ends(figure, axes, ends, names)
    else:
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside lower center", ncols=1, labelspacing=0.3, borderaxespad=0.3
        )
    return figure


def _value(row: Row, metric: str) -> float:
    return (row.metrics[metric] or (np.nan,))[0]


def _name(row: Row) -> str:
    folds = folds_said(row.system)
    return f"{row.label} ({folds} alone)" if folds else row.label


def _look(number: int) -> dict[str, Any]:
    """Seven colours with full marks, then the same with hollow ones and broken lines."""
    colour = _COLOURS[number % len(_COLOURS)]
    again = number >= len(_COLOURS)
    return {
        "color": colour,
        "marker": MARKERS[number % len(MARKERS)],
        "mfc": "white" if again else colour,
        "ls": (0, (4, 1.5)) if again else "-",
        "ms": 3.6,
        "mew": 0.8,
    }


def _dodges(found: Sequence[Amount], n_lines: int) -> list[float]:
    """Factors by which the points of a line stand beside their number of clips, so that bars do not hide each other."""
    places = np.unique(np.log([amount.n_clips for amount in found]))
    gap = float(np.diff(places).min()) if len(places) > 1 else 0.0
    reach = min(0.16 * gap, 0.03 * float(np.ptp(places)))
    return [float(factor) for factor in np.exp(np.linspace(-reach, reach, n_lines))] if n_lines > 1 else [1.0]


def _draw(axes: Axes, path: _Path, metric: str, dodge: float, look: dict[str, Any]) -> tuple[float, float]:
    """Draw a line; returns where it ends."""
    first = path[0][1]
    x = [amount.n_clips * dodge for amount, _ in path]
    for place, (_, row) in zip(x, path, strict=True):
        if span := row.interval:
            axes.plot(
                [place] * 2, [span.low, span.high], color=look["color"], lw=0.8, alpha=0.5, gid=f"interval-{first.key}"
            )
    y = [_value(row, metric) for _, row in path]
    axes.plot(x, y, label=wrap(_name(first), 60), gid=first.key, zorder=3, lw=1.1, **look)
    return x[-1], y[-1]


def _ticks(figure: Figure, axes: Axes, found: Sequence[Amount]) -> None:
    """At each number of clips, with its word where there is room."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    places = [amount.n_clips for amount in found]
    inches = 0.6 * figure.get_figwidth() / max(float(np.ptp(np.log(places))), 1e-9)
    texts, last = [], -np.inf
    for amount in found:
        near = (np.log(amount.n_clips) - last) * inches < _TICK
        texts.append("" if near else f"{amount.n_clips:.0f}\n{_said(amount)}")
        last = last if near else float(np.log(amount.n_clips))
    axes.set_xticks(places, texts)


def _said(amount: Amount) -> str:
    n_draws = max(amount.draws.values(), default=1)
    return f"{amount.word}\n{n_draws} draws" if n_draws > 1 else amount.word


def _name_ends(figure: Figure, axes: Axes, ends: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Write the names in a column at the right, each as near to the end of its line as the others let it be."""
    from scipy.optimize import isotonic_regression

    texts = [wrap(name, 34) for name in names]
    figure.draw_without_rendering()  # sizes are known only now
    tall = axes.get_window_extent().height
    lines = np.array([1 + text.count("\n") for text in texts])
    heights = lines * _SIZE * 1.15 * figure.dpi / 72 / tall
    wanted = axes.transAxes.inverted().transform(axes.transData.transform(ends))[:, 1]
    order = np.argsort(-wanted, kind="stable")
    below = np.cumsum(heights[order]) - heights[order] / 2  # how far the middle of each is below the top of the first
    tops = isotonic_regression(wanted[order] + below, increasing=False).x
    middles = np.clip(tops, min(1.0, heights.sum()), 1.0) - below
    for number, y in zip(order, middles, strict=True):
        colour = _COLOURS[number % len(_COLOURS)]
        axes.annotate(
            texts[number], ends[number], xytext=(1.05, y), textcoords=axes.transAxes, va="center", fontsize=_SIZE,
            linespacing=1.0, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": colour, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5)},
        )  # fmt: skip
