"""Texts beside points of a figure: each next to its own, and nearer to no other; a line leads to one that is far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench.leaderboard.figures import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

__all__ = ["label_points"]

_SIZE = 6.5
_HIDES = 1000.0
"""The cost of a text that covers a mark or another text, or is outside: it is left out."""
_NEAR = 6
"""Points, up to which no line to the text is needed."""
_CLEAR = 5
"""Points by which another mark must be farther from a text than its own."""


@dataclass(frozen=True)
class _Shown:
    """What a text should not cover, in pixels: marks, and points on lines; `scale` is pixels a point."""

    marks: Any
    lines: Any
    frame: Bbox
    scale: float


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    marks: Sequence[tuple[float, float]],
    lines: Sequence[tuple[float, float]],
) -> None:
    """Write a text beside each point, where nobody takes it for another's; none where it would cover a mark or a text.

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
    held = [axes.transData.transform(np.asarray(some, dtype=np.float64).reshape(-1, 2)) for some in (marks, lines)]
    shown = _Shown(held[0], held[1], axes.get_window_extent(), figure.dpi / 72)
    taken: list[Bbox] = []
    leaders: list[Any] = []
    for point, text in zip(points, texts, strict=True):
        start = axes.transData.transform(point)
        size = _size(axes, text)
        boxes = {spot: _box(start, size, spot, shown.scale) for spot in _spots()}
        costs = {spot: _cost(box, start, spot, shown, taken, leaders) for spot, box in boxes.items()}
        best = min(costs, key=lambda spot: costs[spot])
        if costs[best] < _HIDES:
            taken.append(boxes[best])
            leads = _rivals(boxes[best], start, shown) > 0 or max(map(abs, best)) > _NEAR
            leaders += [_leader(start, boxes[best])] if leads else []
            _write(axes, point, text, best, leads=leads)


def _size(axes: Axes, text: str) -> tuple[float, float]:
    note = axes.text(0, 0, text, fontsize=_SIZE, linespacing=1.0, transform=None)
    box = note.get_window_extent()
    note.remove()
    return box.width, box.height


def _write(axes: Axes, point: tuple[float, float], text: str, spot: tuple[float, float], *, leads: bool) -> None:
    from matplotlib.patheffects import withStroke

    x, y = spot
    note = axes.annotate(
        text,
        point,
        xytext=spot,
        textcoords="offset points",
        ha="left" if x > 0 else "right" if x < 0 else "center",
        va="bottom" if y > 0 else "top" if y < 0 else "center",
        fontsize=_SIZE,
        linespacing=1.0,
        arrowprops={"arrowstyle": "-", "lw": 0.6, "color": INK, "shrinkA": 1, "shrinkB": 2.5} if leads else None,
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
    )
    note.set_in_layout(False)


def _spots() -> list[tuple[float, float]]:
    """Offsets in points, the nearest first."""
    around = [
        (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1), (2, 1), (-2, 1), (2, -1), (-2, -1),
        (1, 2), (-1, 2), (1, -2), (-1, -2),
    ]  # fmt: skip
    return [(distance * x, distance * y) for distance, (x, y) in product((5, 8, 12, 18, 26, 36), around)]


def _box(start: Any, size: tuple[float, float], spot: tuple[float, float], scale: float) -> Bbox:
    """Where a text of this size stands, in pixels: on the side of its point that the offset goes to."""
    from matplotlib.transforms import Bbox

    corner = [
        at + scale * offset - {1: 0.0, 0: length / 2, -1: length}[(offset > 0) - (offset < 0)]
        for at, offset, length in zip(start, spot, size, strict=True)
    ]
    return Bbox.from_bounds(corner[0], corner[1], *size)


def _leader(start: Any, box: Bbox) -> Any:
    """Points on the line from a mark to its text."""
    return np.linspace(start, np.clip(start, box.min, box.max), 20)


def _cost(
    box: Bbox,
    start: Any,
    spot: tuple[float, float],
    shown: _Shown,
    taken: Sequence[Bbox],
    leaders: Sequence[Any],
) -> float:
    """What a text hides, how far it is from its point, whether it may be taken for another's; and its line besides."""
    marks, lines = _inside(shown.marks, box.padded(4)), _inside(shown.lines, box.padded(1))
    leader = _leader(start, box)
    crossed = sum(_inside(other, box.padded(2)) > 0 for other in leaders)
    crossed += sum(box.padded(4).overlaps(other) or _inside(leader, other) > 0 for other in taken)
    outside = np.maximum(0, [shown.frame.x0 - box.x0, box.x1 - shown.frame.x1, shown.frame.y0 - box.y0,
                             box.y1 - shown.frame.y1]).sum()  # fmt: skip
    far = max(map(abs, spot))
    others = shown.marks[np.hypot(*(shown.marks - start).T) > 1]
    met = _along(start, leader[-1], others, 4 * shown.scale) + 0.2 * _along(
        leader[6], leader[-1], shown.lines, 2 * shown.scale
    )
    unclear = (2 if far > _NEAR else 6) * _rivals(box, start, shown)
    return float(
        _HIDES * (crossed + marks)
        + 3 * lines
        + (_HIDES if outside > 2 * shown.scale else 0)
        + far / 4
        + 4 * (far > _NEAR)
        + unclear
        + 6 * met
    )


def _rivals(box: Bbox, start: Any, shown: _Shown) -> int:
    """How many other marks are about as near to a text as its own."""
    away = np.hypot(*(shown.marks - np.clip(shown.marks, box.min, box.max)).T)
    own = float(np.hypot(*(start - np.clip(start, box.min, box.max))))
    other = np.hypot(*(shown.marks - start).T) > 1
    return int((other & (away < own + _CLEAR * shown.scale)).sum())


def _along(begin: Any, end: Any, points: Any, reach: float) -> int:
    """How many points are no farther than this from a line."""
    along = end - begin
    length = float(along @ along)
    if not len(points) or not length:
        return 0
    place = np.clip((points - begin) @ along / length, 0, 1)
    return int((np.hypot(*(points - begin - place[:, None] * along).T) < reach).sum())


def _inside(points: Any, box: Bbox) -> int:
    return int(((points > box.min) & (points < box.max)).all(axis=1).sum())
