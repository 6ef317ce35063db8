"""Figures of chen2022's kind: scores by class, scores by number of positives, and printed boxes beside ours.

What is printed is hollow, what is ours is full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench.errors import BadInput
from mirbench.leaderboard.by_class import by_class as by_class_of
from mirbench.leaderboard.drawn import comparable, metric_of
from mirbench.leaderboard.figures import COLOURS, DOUBLE, INK, blank, styled, wrap
from mirbench.leaderboard.table import Board

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Series", "boxes", "by_class", "by_positives", "series_of_board"]

_MOST = 5
"""Systems that one figure holds."""

_PARTS = {"median": "med", "lower-quartile": "q1", "upper-quartile": "q3", "lower-whisker": "whislo",
          "upper-whisker": "whishi"}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """A system and its numbers, by class, or by part of a box.

    Parameters
    ----------
    ours, printed : mapping of str to float
        Fractions; what lacks is not drawn.
    """

    name: str
    ours: Mapping[str, float]
    printed: Mapping[str, float] = field(default_factory=dict)


def series_of_board(board: Board, metric: str = "") -> tuple[list[Series], dict[str, int], str]:
    """The best systems of a table by class, how many clips of test have each, and the metric.

    Raises
    ------
    BadInput
        If no metric of the table is one of single classes.
    """
    rows = comparable(board, metric_of(board))[:_MOST]
    known = [name for name in rows[0].system.record.metrics if name.endswith("-per-class")]
    wanted = next((name for name in known if metric in ("", name, name.removesuffix("-per-class"))), "")
    if not wanted:
        raise BadInput(f"{board.title}: no metric {metric or 'by class'} of it; it has {', '.join(known) or 'none'}")
    series = []
    for row in rows:
        values = zip(row.system.record.classes, by_class_of(row.system, wanted), strict=True)
        series.append(Series(row.label, {name: value for name, value in values if value is not None}))
    targets = rows[0].system.stack.targets
    counts = ((targets.value >= 0.5) & targets.known).sum(axis=0)
    return series, dict(zip(rows[0].system.record.classes, map(int, counts), strict=True)), wanted


@styled
def by_class(series: Sequence[Series], label: str, width: float = DOUBLE) -> Figure:
    """A line a class, a point a system, as in Figure 5 of chen2022 (turned, and points for bars)."""
    classes = list(dict.fromkeys(name for one in series for name in (*one.printed, *one.ours)))
    figure = blank(width, 0.9 + 0.16 * len(classes))
    axes = figure.subplots()
    for number, one in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        for held, full in ((one.printed, False), (one.ours, True)):
            places = [classes.index(name) + _beside(number, len(series)) for name in held]
            if held:
                name = wrap(one.name, 40) + ("" if full else ", printed")
                _points(axes, list(held.values()), places, colour, name, number, full=full)
    axes.set_yticks(range(len(classes)), [name.replace("_", " ") for name in classes])
    axes.set_ylim(len(classes) - 0.4, -0.6)
    axes.grid(axis="both")
    axes.set_xlabel(label)
    figure.legend(loc="outside upper center", ncols=2, fontsize=6)
    return figure


def _points(axes: Axes, x: Any, y: Any, colour: str, label: str, number: int, *, full: bool) -> None:
    gid = f"{'ours' if full else 'printed'}-{number}"
    fill = colour if full else "none"
    axes.plot(x, y, "o" if full else "D", ms=3.5, color=colour, mfc=fill, mew=0.8, label=label, gid=gid)


def _beside(number: int, n: int) -> float:
    """How far the points of a system lie below the middle of a line."""
    return 0.0 if n < 2 else -0.3 + 0.6 * number / (n - 1)


@styled
def by_positives(
    series: Sequence[Series], n_present: Mapping[str, int], label: str, width: float = DOUBLE, of: str = "positives"
) -> Figure:
    """A point a class: how many clips have it, and its score; with the correlation of the two for each system."""
    figure = blank(width, 0.62 * width)
    axes = figure.subplots()
    for number, one in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        for held, full in ((one.printed, False), (one.ours, True)):
            names = [name for name in held if name in n_present]
            if len(names) < 2:
                continue
            x, y = np.array([n_present[name] for name in names]), np.array([held[name] for name in names])
            r = f"{np.corrcoef(x, y)[0, 1]:.3f}" if x.std() and y.std() else "undefined"
            said = f"{wrap(one.name, 40)}{'' if full else ', printed'}: r = {r}"
            _points(axes, x, y, colour, said, number, full=full)
    axes.grid(axis="both")
    axes.set_xlabel(of)
    axes.set_ylabel(label)
    figure.legend(loc="outside upper center", ncols=2, fontsize=6)
    return figure


@styled
def boxes(series: Sequence[Series], label: str, width: float = DOUBLE) -> Figure:
    """Printed boxes, hollow, each above ours; an outlier is a point.

    Parameters
    ----------
    series : sequence of Series
        By the parts of a box: median, lower-quartile, upper-quartile, lower-whisker, upper-whisker, outlier.
    """
    figure = blank(width, 0.7 + 0.36 * len(series))
    axes = figure.subplots()
    for number, one in enumerate(series):
        for held, full in ((one.printed, False), (one.ours, True)):
            if not held.keys() >= _PARTS.keys():
                continue
            place = number + (0.17 if full else -0.17)
            drawn: dict[str, Any] = {name: held[part] for part, name in _PARTS.items()} | {"fliers": []}
            line = {"color": INK, "lw": 0.7}
            patches = axes.bxp(
                [drawn], positions=[place], orientation="horizontal", widths=0.26, showfliers=False, patch_artist=True,
                manage_ticks=False, boxprops={"fc": "#cfe3f1" if full else "white", "ec": INK, "lw": 0.7},
                whiskerprops=line, capprops=line, medianprops={"color": COLOURS[1], "lw": 1.2},
            )  # fmt: skip
            patches["boxes"][0].set_gid(f"{'ours' if full else 'printed'}-{number}")
            outlier = held.get("outlier", np.nan)
            if not np.isnan(outlier):
                axes.plot([outlier], [place], "o", ms=2.6, color=INK, mfc=INK if full else "white")
    axes.set_yticks(range(len(series)), [wrap(one.name, 40) for one in series])
    axes.set_ylim(len(series) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel(f"{label}\nwhite: printed, blue: ours")
    return figure
