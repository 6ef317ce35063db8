"""A figure of what each hidden layer of a source knows: probes of one layer each, beside those of the embedding."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mirbench.errors import BadInput
from mirbench.leaderboard.drawn import Dot, axis_label, dots, metric_of
from mirbench.leaderboard.figures import COLOURS, DOUBLE, MARKERS, blank, styled, wrap
from mirbench.leaderboard.table import Board, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["by_layer", "probes_of"]

_COLOURS = tuple(colour for colour in COLOURS if colour != "#F0E442")
"""A line of that yellow is not seen on white."""
_EMBEDDING = -1
_MOST = 7
"""Curves that can be told apart by colour."""


def probes_of(found: Sequence[Dot]) -> dict[str, Mapping[int, Dot]]:
    """Curves by what they are called: of each probe and source the systems by their layer, -1 for the embedding.

    Probes of several layers side by side, and those of which no single layer was probed, are no curves.
    """
    curves: dict[str, dict[int, Dot]] = defaultdict(dict)
    embeddings: dict[str, Dot] = {}
    for dot in found:
        layers = str(dot.row.system.record.spec.params.get("layers", "pooled"))
        if layers == "pooled":
            embeddings[_probe(dot.row, "pooling")] = dot
        elif layers.isdecimal():
            curves[_probe(dot.row)][int(layers)] = dot
    held: dict[str, Mapping[int, Dot]] = {}
    for curve in curves.values():
        first = next(iter(curve.values())).row
        pooling = first.system.record.spec.params.get("pooling", "mean")
        name = _name(first) + ("" if pooling == "mean" else f", {pooling}")
        while name in held:
            name += ", other settings"
        embedding = embeddings.get(_probe(first, "pooling"))
        held[name] = ({_EMBEDDING: embedding} if embedding else {}) | dict(sorted(curve.items()))
    return held


@styled
def by_layer(board: Board, metric: str = "", width: float = DOUBLE) -> Figure:
    """The metric by the layer that was probed, with 95 % intervals, each embedding as a broken line.

    Raises
    ------
    BadInput
        If no probe of a single layer is in the table, or more than can be told apart.
    """
    used = metric_of(board, metric)
    curves = probes_of(dots(board, used))
    if not curves:
        raise BadInput(
            f"plot layers: no probe of a single layer is in the table of {board.title}; --set layers=0, then 1, … of "
            "probe-linear and its like leave some"
        )
    if len(curves) > _MOST:
        raise BadInput(f"plot layers: {len(curves)} probes with curves; {_MOST} can be told apart: take some records")
    figure = blank(width, 2.6 + 0.14 * len(curves))
    axes = figure.subplots()
    embeddings: set[str] = set()
    last = max(max(curve) for curve in curves.values())
    for number, (name, curve) in enumerate(curves.items()):
        colour, shift = _COLOURS[number], 0.06 * (number - (len(curves) - 1) / 2)
        layers = [layer for layer in curve if layer != _EMBEDDING]
        for layer in layers:
            if span := curve[layer].interval:
                axes.plot([layer + shift] * 2, [span.low, span.high], color=colour, lw=0.8, alpha=0.5)
        x, y = [layer + shift for layer in layers], [curve[layer].value for layer in layers]
        axes.plot(x, y, color=colour, marker=MARKERS[number], ms=3.6, lw=1.1, label=wrap(name, 60), gid=name, zorder=3)
        embedding = curve.get(_EMBEDDING)
        if embedding and embedding.row.key not in embeddings:
            embeddings.add(embedding.row.key)
            reach = [0, max(layers)]
            axes.plot(reach, [embedding.value] * 2, color=colour, lw=0.9, ls=(0, (4, 1.5)), gid=f"pooled-{name}")
    axes.set_xticks(range(0, last + 1, max(1, last // 16)))
    axes.set_xlabel("hidden layer that was probed; bars: 95 % intervals; broken: the embedding")
    axes.set_ylabel(axis_label(board, used))
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=1, labelspacing=0.3, borderaxespad=0.3)
    return figure


def _name(row: Row) -> str:
    spec = row.system.record.spec
    return f"{spec.method} + {spec.source}"


def _probe(row: Row, *other: str) -> str:
    """The same of systems that differ in the layer alone, and in other hyperparameters that are named."""
    spec = row.system.record.spec
    params = {name: value for name, value in spec.params.items() if name not in ("layers", *other)}
    held = (spec.method, spec.method_version, params, dict(spec.search), spec.source, spec.source_version)
    return json.dumps([*held, dict(spec.source_params), spec.precision, spec.later], sort_keys=True, default=str)
