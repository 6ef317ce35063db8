"""Curves that runs of several tasks, or the deformations of their clips, make together.

A *curve* is ``{"title", "said", "y", "panels"}``; a panel ``{"title", "x", "log", "ticks", "lines"}``; a line
``{"key", "name", "x", "y", "sd", "text"}``, where x counts the ticks if there are some.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from mirbench import metrics
from mirbench.leaderboard.by_class import mean
from mirbench.leaderboard.drawn import folds_said
from mirbench.leaderboard.few_clips import FEWER, amounts, families, paths, system_of
from mirbench.leaderboard.results import System
from mirbench.leaderboard.table import Board, Row
from mirbench.runs.store import RunStore
from mirbench.types import IntArray

__all__ = ["across", "confusion", "within"]

_LEVEL = re.compile(r"\+(?:normalized|levels8)(?=\+|$)")
_LEVELS = {"": "as recorded", "+normalized": "peaks at 0 dBFS", "+levels8": "eight levels"}
_BY_LOUDNESS = re.compile(r"\+(?:loudness|loud1v5)(?=\+|$)")

_CurveFacts = dict[str, Any]


def confusion(system: System) -> IntArray:
    """Clips by true class (rows) and predicted class (columns), over folds and seeds."""
    stack = system.stack
    total: IntArray = np.sum([metrics.confusion(layer, stack.targets) for layer in stack.scores], axis=0)
    return total


def across(boards: Sequence[Board]) -> dict[str, list[_CurveFacts]]:
    """Curves over tasks that differ in how much is learnt from, or in their level, by the title of every such table."""
    found: dict[str, list[_CurveFacts]] = defaultdict(list)
    for curve, pattern, lines_of in ((_few_shot, FEWER, _by_clips), (_levels, _LEVEL, _by_level)):
        for family in families(boards, pattern):
            lines = lines_of(family)
            if lines:
                for board in family:
                    found[board.title].append(curve(family[0], lines))
    return found


def within(board: Board) -> list[_CurveFacts]:
    """Curves of one table: over classes of loudness, and over the severity of deformations."""
    if not board.metrics:
        return []
    return [curve for curve in (_by_loudness(board), _deformed(board)) if curve]


def _by_clips(family: Sequence[Board]) -> list[dict[str, Any]]:
    """A line for each system that learnt from two numbers of clips or more."""
    lines = []
    for path in paths(amounts(family, intervals=False)):
        texts = [amount.said(row) for amount, row in path]
        lines.append(
            _line([row for _, row in path], [amount.n_clips for amount, _ in path], texts, family[0].metrics[0])
        )
    return lines


def _by_level(family: Sequence[Board]) -> list[dict[str, Any]]:
    """A line for each system that heard two levels or more."""
    held: dict[Any, list[tuple[int, Row]]] = defaultdict(list)
    for board in family:
        match = _LEVEL.search(board.task)
        for row in board.rows:
            if row.metrics.get(board.metrics[0]):
                held[system_of(row)].append((list(_LEVELS).index(match[0] if match else ""), row))
    lines = []
    for points in held.values():
        points.sort(key=lambda point: point[0])
        places = [place for place, _ in points]
        texts = [list(_LEVELS.values())[place] for place in places]
        lines.append(_line([row for _, row in points], places, texts, family[0].metrics[0]))
    return [line for line in lines if len(line["x"]) > 1]


def _line(rows: Sequence[Row], x: Sequence[float], text: Sequence[str], metric: str) -> dict[str, Any]:
    first = rows[0]
    said = folds_said(first.system)
    folds = f" ({said} alone)" if said else ""
    values = [row.metrics[metric] or (None, None) for row in rows]
    y, sd = [value for value, _ in values], [deviation for _, deviation in values]
    return {"key": first.key, "name": first.label + folds, "x": list(x), "y": y, "sd": sd, "text": list(text)}


def _few_shot(board: Board, lines: list[dict[str, Any]]) -> _CurveFacts:
    said = "From fewer labelled clips: each line is one system; the test clips are the same all along."
    panel = {"title": "", "x": "clips to learn from", "log": True, "ticks": [], "lines": lines}
    return {"title": "Few-shot", "said": said, "y": board.metrics[0], "panels": [panel]}


def _levels(board: Board, lines: list[dict[str, Any]]) -> _CurveFacts:
    said = "The same clips as recorded, each brought to a peak of 0 dBFS, or heard eight times from −35 to 0 dBFS."
    panel = {"title": "", "x": "", "log": False, "ticks": list(_LEVELS.values()), "lines": lines}
    return {"title": "Level", "said": said, "y": board.metrics[0], "panels": [panel]}


def _by_loudness(board: Board) -> _CurveFacts | None:
    """The share that is found of each class of loudness."""
    if not _BY_LOUDNESS.search(board.task):
        return None
    lines = []
    for row in board.rows:
        matrix = confusion(row.system)
        shares = [float(hit / n) if n else None for hit, n in zip(np.diag(matrix), matrix.sum(axis=1), strict=True)]
        lines.append(_over_ticks(row, shares))
    panel = {"title": "", "x": "class, from quiet to loud", "log": False, "ticks": list(board.classes), "lines": lines}
    said = "Does it hear how loud a clip is? The share of each class that is found."
    return {"title": "Loudness", "said": said, "y": "share found", "panels": [panel]}


def _deformed(board: Board) -> _CurveFacts | None:
    """Test clips deformed at rising severity, a panel a deformation; the runs of a system are averaged."""
    panels: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in board.rows:
        for (name, unit, _, *severities), runs in _of_row(row, board.metrics[0]).items():
            ticks = ["clean", *(f"{severity:g}" for severity in severities)]
            blank = {"title": name, "x": unit, "log": False, "ticks": ticks, "lines": []}
            panel = panels.setdefault((name, unit, *severities), blank)
            line = _over_ticks(row, [mean(values) for values in zip(*runs, strict=True)])
            if len(runs) < len(row.system.runs):
                line["name"] += f" ({len(runs)} of {len(row.system.runs)} runs)"
            panel["lines"].append(line)
    if not panels:
        return None
    said = "Learnt from clean clips, tested on deformed ones: from left to right they get worse."
    return {"title": "Deformations", "said": said, "y": board.metrics[0], "panels": list(panels.values())}


def _of_row(row: Row, metric: str) -> dict[tuple[Any, ...], list[list[float | None]]]:
    """Values at clean and at each severity of the runs that were deformed, by deformation: name, unit, version …"""
    held: dict[tuple[Any, ...], list[list[float | None]]] = defaultdict(list)
    for run in row.system.runs:
        robustness = RunStore(run.folder.parents[2]).robustness(run.folder) if run.curves else None
        if robustness is None:
            continue
        for name, curve in robustness.curves.items():
            if metric in curve.metrics:
                values = [robustness.clean.get(metric), *curve.metrics[metric]]
                held[name, curve.unit, curve.version, *curve.severities].append(values)
    return held


def _over_ticks(row: Row, y: Sequence[float | None]) -> dict[str, Any]:
    return {"key": row.key, "name": row.label, "x": list(range(len(y))), "y": y, "sd": [], "text": []}
