"""Figures for papers, by matplotlib: what accuracy costs, intervals, seeds, and ranks over tasks.

Every function takes tables (`mirbench.leaderboard.table.boards`) and a width in inches, and returns a figure that
`mirbench.leaderboard.figures.save` writes. A figure shows systems that heard the same clips; see
`mirbench.leaderboard.drawn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench.leaderboard import statistics
from mirbench.leaderboard.drawn import across, axis_label, comparable, dots, metric_of
from mirbench.leaderboard.figures import COLOURS, DOUBLE, INK, WIDE, blank, one_line, styled, wrap
from mirbench.leaderboard.pareto import pareto
from mirbench.leaderboard.table import Board, Row, over_folds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["box", "forest", "pareto", "ranks"]

_MOST_TASKS = 6
"""Tasks that are named, beside those of some folds alone."""
_QUARTILES = 5
"""Seeds from which on quartiles are drawn."""


@styled
def forest(board: Board, metric: str = "", width: float = DOUBLE) -> Figure:
    """The mean of each system with its 95 % interval, the best on top; full where none is better.

    Raises
    ------
    BadInput
        If there is nothing to draw.
    """
    used = metric_of(board, metric)
    found = dots(board, used)
    figure, axes, places = _lines([dot.row for dot in found], width)
    ranked = used == board.metrics[0] and any(dot.row.rank for dot in found)
    notes = []
    digits = 3 if width >= WIDE else 2
    for y, dot in zip(places, found, strict=True):
        said, span = f"{dot.value:.3f}", dot.interval
        if span:
            axes.plot([span.low, span.high], [y, y], color=COLOURS[0], lw=1.1, gid=f"interval-{dot.row.key}")
            said += f" [{span.low:.{digits}f}, {span.high:.{digits}f}]"
        fill = COLOURS[0] if not ranked or dot.row.rank == 1 else "white"
        axes.plot([dot.value], [y], "o", ms=4, color=COLOURS[0], mfc=fill, gid=dot.row.key)
        notes.append(said)
    _right(axes, places, notes)
    key = "\n● none is significantly better   ○ some are" if ranked else ""
    axes.set_xlabel(f"{axis_label(board, used)}, 95 % interval{key}")
    return figure


@styled
def box(board: Board, metric: str = "", width: float = DOUBLE) -> Figure:
    """Quartiles of each system over its seeds, and the seeds as points, as in Figure 4 of chen2022 (turned).

    Whiskers reach the last seed within 1.5 interquartile ranges. Fewer than five seeds have no quartiles worth the
    name: they are points alone, with a line at their mean.

    Raises
    ------
    BadInput
        If there is nothing to draw.
    """
    used = metric_of(board, metric)
    rows = comparable(board, used)
    values = [[seed[used] for seed in over_folds(row.system, [used])] for row in rows]
    there = [[value for value in seeds if value is not None] for seeds in values]
    figure, axes, places = _lines(rows, width)
    boxed = [n for n, seeds in enumerate(there) if len(seeds) >= _QUARTILES]
    if boxed:
        patches = _boxes(axes, [there[n] for n in boxed], [places[n] for n in boxed])
        for patch, n in zip(patches, boxed, strict=True):
            patch.set_gid(f"box-{rows[n].key}")
    for n, seeds in enumerate(there):
        if n not in boxed and len(seeds) > 1:
            span = [places[n] - 0.3, places[n] + 0.3]
            axes.plot([np.mean(seeds)] * 2, span, color=COLOURS[1], lw=1.2, gid=f"mean-{rows[n].key}")
    for y, row, seeds in zip(places, rows, there, strict=True):
        spread = np.linspace(-0.18, 0.18, len(seeds)) if len(seeds) > 1 else np.zeros(1)
        axes.plot(seeds, y + spread, "o", ms=2.6, color=INK, alpha=0.75, mew=0, gid=row.key, zorder=3)
    _right(axes, places, [f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}" for seeds in there])
    means = any(1 < len(seeds) < _QUARTILES for seeds in there)
    few = "\na line where there are fewer than five seeds: their mean" if means else ""
    axes.set_xlabel(axis_label(board, used) + few)
    return figure


def _boxes(axes: Axes, values: Sequence[Sequence[float]], places: Sequence[float]) -> list[Any]:
    line = {"color": INK, "lw": 0.7}
    drawn = axes.boxplot(
        values, positions=places, orientation="horizontal", widths=0.6, showfliers=False, patch_artist=True,
        manage_ticks=False, boxprops={"fc": "#cfe3f1", "ec": INK, "lw": 0.7}, whiskerprops=line, capprops=line,
        medianprops={"color": COLOURS[1], "lw": 1.2},
    )  # fmt: skip
    return list(drawn["boxes"])


def _lines(rows: Sequence[Row], width: float) -> tuple[Figure, Axes, list[float]]:
    """A figure with a line a system, names at the left; the height of each line's middle."""
    names = [wrap(row.label, 33 if width < WIDE else 56) for row in rows]
    places, total = _stacked(names)
    figure = blank(width, 0.65 + 0.135 * max(total, 3))
    axes = figure.subplots()
    axes.set_yticks(places, names)
    axes.set_ylim(total + 0.1, -0.1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    return figure, axes, places


def _stacked(names: Sequence[str]) -> tuple[list[float], float]:
    """Middles of texts of one line or more, below each other, and the height of all, in lines."""
    heights = [1.0 + 0.8 * name.count("\n") for name in names]
    ends = np.cumsum(heights)
    return [float(end - height / 2) for end, height in zip(ends, heights, strict=True)], float(ends[-1])


def _right(axes: Axes, places: Sequence[float], notes: Sequence[str]) -> None:
    """A column of texts beside the lines."""
    right = axes.secondary_yaxis("right")
    right.set_yticks(places, notes)
    right.tick_params(axis="y", length=0)
    right.spines["right"].set_visible(False)


@styled
def ranks(boards: Sequence[Board], metric: str = "", width: float = DOUBLE) -> Figure:
    """Average ranks over tasks, best at the right; a bar joins systems that cannot be told apart (Demšar 2006).

    Raises
    ------
    BadInput
        See `across`.
    """
    held = across(boards, metric)
    found = statistics.across_tasks(held.values)
    order = np.argsort(found.average_ranks, kind="stable")
    average = found.average_ranks[order]
    names = [held.names[n] for n in order]
    texts = [wrap(name, 17) for name in names]
    if width >= WIDE:
        texts = [wrap(f"{name} ({rank:.2f})", 40) for name, rank in zip(names, average, strict=True)]
    bars = _bars(average, found.critical_difference)
    k = len(names)
    half = (k + 1) // 2
    top = 0.5 * len(bars) + 0.6
    right, left = _stacked(texts[:half]), _stacked(texts[: half - 1 : -1])
    depth = top + max(right[1], left[1])
    figure = blank(width, 0.5 + 0.13 * (depth + 3.4))
    axes = figure.subplots()
    axes.axis("off")
    letters = max(len(line) for text in texts for line in text.split("\n"))
    beside = 0.2 + 0.056 * letters  # inches
    per_inch = (k - 1) / max(0.8, width - 0.1 - 2 * beside)
    axes.set_xlim(k + beside * per_inch, 1 - beside * per_inch)  # the best at the right
    axes.set_ylim(depth + 0.2, -3.4)
    _scale(axes, k, found.critical_difference)
    for level, (first, last) in enumerate(bars):
        x = [average[first] - 0.03 * per_inch, average[last] + 0.03 * per_inch]
        axes.plot(x, [0.5 + 0.5 * level] * 2, color=INK, lw=2.2, solid_capstyle="butt", gid="bar")
    ends = [(1 - 0.1 * per_inch, "left")] * half + [(k + 0.1 * per_inch, "right")] * (k - half)
    for text, rank, y, (end, side) in zip(texts, average, [*right[0], *left[0][::-1]], ends, strict=True):
        axes.plot([rank, rank, end], [0, top + y, top + y], color=INK, lw=0.6, gid="system")
        note = axes.annotate(text, (end, top + y), xytext=(2 if side == "left" else -2, 0), textcoords="offset points",
                             ha=side, va="center", fontsize=6.5, linespacing=1.0)  # fmt: skip
        note.set_in_layout(False)
    names_of = [
        f"{one_line(task)}{f', {folds} alone' if folds else ''}"
        for task, folds in zip(held.tasks, held.folds, strict=True)
        if folds or len(held.tasks) <= _MOST_TASKS
    ]
    tasks = f" ({'; '.join(names_of)})" if names_of else ""
    said = (
        f"Average rank of {k} systems over {len(held.tasks)} tasks{tasks}. Friedman χ² = {found.statistic:.1f}, "
        f"p = {found.p:.2g}. A bar joins what the Nemenyi test at 5 % cannot tell apart."
    )
    figure.supxlabel(wrap(said, int(18 * width)), fontsize=6.5)
    return figure


def _bars(average: Any, critical: float) -> list[tuple[int, int]]:
    """The widest runs of systems, by average rank, whose ends are no further apart than the critical difference."""
    found: list[tuple[int, int]] = []
    for first in range(len(average)):
        last = int(np.searchsorted(average, average[first] + critical, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _scale(axes: Axes, k: int, critical: float) -> None:
    """The axis of ranks, and above it the critical difference."""
    axes.plot([1, k], [0, 0], color=INK, lw=0.8)
    step = max(1, round(k / 8))
    for rank in range(1, k + 1):
        labelled = (rank - 1) % step == 0
        axes.plot([rank, rank], [0, -0.35 if labelled else -0.2], color=INK, lw=0.6)
        if labelled:
            axes.text(rank, -0.5, str(rank), ha="center", va="bottom", fontsize=6.5)
    shown = min(critical, k - 1)
    longer = ", longer than the axis" if critical > k - 1 else ""
    axes.plot([k, k - shown], [-2.2, -2.2], color=INK, lw=1.2, marker="|", ms=5, gid="critical-difference")
    axes.text(k - shown / 2, -2.4, f"CD = {critical:.2f}{longer}", ha="center", va="bottom", fontsize=6.5)
