"""What accuracy costs: a metric against a cost, with the front of those that nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.columns import COSTS
from mirbench.leaderboard.drawn import Dot, axis_label, dots, front, metric_of
from mirbench.leaderboard.figures import (
    COLOURS,
    DOUBLE,
    INK,
    MARKERS,
    PALE,
    WIDE,
    blank,
    one_line,
    styled,
    wrap,
)
from mirbench.leaderboard.labels import label_points
from mirbench.leaderboard.table import Board
from mirbench.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["pareto"]

_LABELS = {
    "trainable": "trainable parameters",
    "total": "parameters, with those of the source",
    "train-seconds": "time to train (s)",
    "epoch-seconds": "time per epoch (s)",
    "clips-per-second": "clips per second (faster to the left)",
    "gflops": "GFLOP per clip",
    "kwh": "energy to train (kWh)",
}
_FALLING = {"clips-per-second"}
"""Costs of which more is cheaper."""


@dataclass(frozen=True)
class _Look:
    """One colour a source, hollow from the ninth on; one marker a method."""

    colour: str
    fill: str
    marker: str

    @property
    def style(self) -> dict[str, Any]:
        edge = "white" if self.fill == self.colour else self.colour
        return {"color": self.colour, "marker": self.marker, "mfc": self.fill, "mec": edge, "ms": 4.5, "mew": 0.5}


@dataclass(frozen=True)
class _Point:
    """Where a system stands: at its cost, or at a place in the strip of those that a logarithmic axis cannot show."""

    dot: Dot
    cost: float | None
    look: _Look
    place: float | None = None

    @property
    def at(self) -> tuple[float, float]:
        x = self.place if self.place is not None else self.cost
        assert x is not None
        return x, self.dot.value


def _others(points: Sequence[_Point]) -> str:
    """Which costs there are numbers of."""
    rows = [point.dot.row for point in points]
    there = [name for name, field in COSTS.items() if any((getattr(row, field) or 0) > 0 for row in rows)]
    return f"there are some for --cost {', '.join(there)}" if there else "nor is there any other cost"


@styled
def pareto(board: Board, metric: str = "", cost: str = "trainable", width: float = DOUBLE) -> Figure:
    """A metric against a cost on a logarithmic axis, cheap to the left, with the front and 95 % intervals.

    Systems that cost nothing, or whose cost means nothing (n/a), stand in a strip of their own; the latter are no part
    of the front.

    Raises
    ------
    BadInput
        If there is nothing to draw.
    """
    if cost not in COSTS:
        raise UnknownName("cost", cost, COSTS)
    used = metric_of(board, metric)
    points = _placed(dots(board, used), cost)
    at_cost = [point for point in points if point.place is None]
    aside = [point for point in points if point.place is not None]
    if not at_cost:
        raise BadInput(f"{board.title}: no system that can be drawn has a number above 0 for {cost}; {_others(points)}")
    figure, panels = _panels(points, len(aside), width)
    for point in points:
        _draw(panels[-1 if point.place is None else 0], point)
    if aside:
        _strip(panels[0], aside)
    _log_axis(panels[-1], [point.cost or 0.0 for point in at_cost], cost)
    best = _front_of(points, used, cost)
    steps = _front(panels, best)
    panels[-1].set_xlabel(_LABELS[cost])
    panels[0].set_ylabel(axis_label(board, used))
    _legend(figure, points, width)
    spans = [(point.cost, point.dot.interval) for point in at_cost]
    bars = [(x or 0.0, y) for x, found in spans if found for y in np.linspace(found.low, found.high, 12)]
    named = [point for point in best if point.place is None]
    label_points(
        panels[-1],
        [point.at for point in named],
        [wrap(point.dot.row.label, 26) for point in named],
        [point.at for point in at_cost],
        [*bars, *steps],
    )
    return figure


def _placed(found: Sequence[Dot], cost: str) -> list[_Point]:
    """Every system with its look and its place: first those that cost nothing, then those without such a cost."""
    looks = _looks(found)
    costs = [getattr(dot.row, COSTS[cost]) for dot in found]
    free = [n for n, value in enumerate(costs) if value == 0]
    without = [n for n, value in enumerate(costs) if value is None]
    gap = len(free) + 1 if free else 0
    place = {n: float(k) for k, n in enumerate(free)} | {n: float(gap + k) for k, n in enumerate(without)}
    return [_Point(dot, costs[n], looks[n], place.get(n)) for n, dot in enumerate(found)]


def _looks(found: Sequence[Dot]) -> list[_Look]:
    specs = [dot.row.system.record.spec for dot in found]
    sources = list(dict.fromkeys(spec.source for spec in specs if spec.source))
    methods = list(dict.fromkeys(spec.method for spec in specs))
    looks = []
    for spec in specs:
        number = sources.index(spec.source) if spec.source else 0
        colour = COLOURS[number % len(COLOURS)] if spec.source else INK
        fill = colour if number < len(COLOURS) else "white"
        looks.append(_Look(colour, fill, MARKERS[methods.index(spec.method) % len(MARKERS)]))
    return looks


def _panels(points: Sequence[_Point], n_aside: int, width: float) -> tuple[Figure, list[Axes]]:
    """The axes, with a strip at their left for so many systems; the height leaves room for the legend."""
    specs = [point.dot.row.system.record.spec for point in points]
    n_sources, n_methods = len({spec.source for spec in specs}), len({spec.method for spec in specs})
    below = 2.3 + 0.14 * (1 + max(n_sources, n_methods))
    beside = max(3.0, 0.3 + 0.14 * (n_sources + n_methods + 3))
    figure = blank(width, below if width < WIDE else beside)
    ratios = [min(0.35, 0.06 + 0.022 * n_aside), 1] if n_aside else [1]
    panels = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False)[0]
    for axes in panels:
        axes.grid(axis="y")
    for axes in panels[1:]:
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure, list(panels)


def _draw(axes: Axes, point: _Point) -> None:
    row, found = point.dot.row, point.dot.interval
    x, value = point.at
    if found:
        axes.plot(
            [x, x], [found.low, found.high], color=point.look.colour, lw=0.7, alpha=0.45, gid=f"interval-{row.key}"
        )
    axes.plot([x], [value], ls="", gid=row.key, zorder=3, **point.look.style)


def _strip(axes: Axes, aside: Sequence[_Point]) -> None:
    ticks = []
    for name, asked in (("0", 0), ("n/a", None)):
        places = [point.place or 0.0 for point in aside if point.cost == asked]
        if places:
            ticks.append(((places[0] + places[-1]) / 2, name))
    axes.set_xlim(-0.9, max(point.place or 0.0 for point in aside) + 0.9)
    axes.set_xticks([x for x, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="x", length=0)


def _log_axis(axes: Axes, costs: Sequence[float], cost: str) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

    low, high = min(costs), max(costs)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.8, high * 1.8)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 30 else (1.0, 2.0, 5.0)))
    counts = cost in ("trainable", "total")
    axes.xaxis.set_major_formatter(EngFormatter(sep=" ") if counts else FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if cost in _FALLING:
        axes.invert_xaxis()


def _front_of(points: Sequence[_Point], metric: str, cost: str) -> list[_Point]:
    """The points of the front, the cheapest first."""
    known = [point for point in points if point.cost is not None]
    falls = -1 if cost in _FALLING else 1
    sign = 1 if METRICS[metric].higher_is_better else -1
    found = front([falls * (point.cost or 0.0) for point in known], [sign * point.dot.value for point in known])
    return [known[n] for n in found]


def _front(panels: Sequence[Axes], best: Sequence[_Point]) -> list[tuple[float, float]]:
    """A line of steps: the best that any cost up to here buys. Returns points on it, close together."""
    style: dict[str, Any] = {"color": PALE, "lw": 1, "ls": (0, (4, 2)), "zorder": 1, "gid": "front", "scalex": False}
    left, right = panels[-1].get_xlim()
    x = np.array([*(point.cost or left for point in best), right])
    y = np.array([*(point.dot.value for point in best), best[-1].dot.value])
    panels[-1].plot(x, y, drawstyle="steps-post", **style)
    for point in best:
        if point.place is not None:
            panels[0].plot([point.place, panels[0].get_xlim()[1]], [point.dot.value] * 2, **style)
    flat = [(u, v) for a, b, v in zip(x, x[1:], y, strict=False) for u in np.geomspace(a, b, 20)]
    steep = [(u, v) for u, a, b in zip(x[1:], y, y[1:], strict=False) for v in np.linspace(a, b, 12)]
    return flat + steep


def _legend(figure: Figure, points: Sequence[_Point], width: float) -> None:
    """Colours are sources, markers methods: two columns below, or one at the right where there is room."""
    from matplotlib.lines import Line2D

    sources: dict[str, Line2D] = {"source": Line2D([], [], ls="")}
    methods: dict[str, Line2D] = {"method": Line2D([], [], ls="")}
    for point in points:
        spec, style = point.dot.row.system.record.spec, {**point.look.style, "ls": ""}
        sources[one_line(spec.source) or "no source"] = Line2D([], [], **(style | {"marker": "o"}))
        grey = {"color": PALE, "mfc": PALE, "mec": "white"}
        methods[one_line(spec.method)] = Line2D([], [], **(style | grey))
    narrow = width < WIDE
    n_gap = max(0, len(methods) - len(sources)) if narrow else 1
    sources, methods = ({wrap(name, 28): line for name, line in held.items()} for held in (sources, methods))
    handles = [*sources.values(), *[Line2D([], [], ls="")] * n_gap, *methods.values()]
    figure.legend(
        handles, [*sources, *[""] * n_gap, *methods], ncols=2 if narrow else 1,
        loc="outside lower center" if narrow else "outside right upper",
        handletextpad=0.3, labelspacing=0.3, columnspacing=2.0, borderaxespad=0.3,
    )  # fmt: skip
