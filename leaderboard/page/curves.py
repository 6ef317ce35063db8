"""Curves that runs of several tasks, or the deformations of their clips, make together.

A *curve* is ``{"title", "said", "y", "panels"}``; a panel ``{"title", "x", "log", "ticks", "lines"}``; a line
``{"key", "name", "x", "y", "sd", "text"}``, where x counts the ticks if there are some.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mirbench import metrics
from mirbench.leaderboard.by_class import mean
from mirbench.leaderboard.results import System
from mirbench.leaderboard.table import Board, Row
from mirbench.runs.store import RunStore
from mirbench.types import IntArray

__all__ = ["across", "confusion", "within"]

_FEWER = re.compile(r"\+(?:shots|fraction)\d+(?:\.\d+)?(-draw\d+)?(?=\+|$)")
_LEVEL = re.compile(r"\+(?:normalized|levels8)(?=\+|$)")
_LEVELS = {"": "as recorded", "+normalized": "peaks at 0 dBFS", "+levels8": "eight levels"}
_BY_LOUDNESS = re.compile(r"\+(?:loudness|loud1v5)(?=\+|$)")

_CurveFacts = dict[str, Any]
_Point = tuple[float, str, float, float | None]
"""Place on the x axis, what it is called, mean and standard deviation."""


def confusion(system: System) -> IntArray:
    """Clips by true class (rows) and predicted class (columns), over folds and seeds."""
    stack = system.stack
    total: IntArray = np.sum([metrics.confusion(layer, stack.targets) for layer in stack.scores], axis=0)
    return total


def across(boards: Sequence[Board]) -> dict[str, list[_CurveFacts]]:
    """Curves over tasks that differ in how much is learnt from, or in their level, by the title of every such table."""
    found: dict[str, list[_CurveFacts]] = defaultdict(list)
    for curve, pattern, placed in ((_few_shot, _FEWER, _by_clips), (_levels, _LEVEL, _by_level)):
        for family in _families(boards, pattern):
            lines = _lines(family, pattern, placed)
            if lines:
                for board in family:
                    found[board.title].append(curve(family[0], lines))
    return found


def within(board: Board) -> list[_CurveFacts]:
    """Curves of one table: over classes of loudness, and over the severity of deformations."""
    if not board.metrics:
        return []
    return [curve for curve in (_by_loudness(board), _deformed(board)) if curve]


def _families(boards: Sequence[Board], pattern: re.Pattern[str]) -> list[list[Board]]:
    """Tables of the same task but for a modifier, two or more."""
    families: dict[str, list[Board]] = defaultdict(list)
    for board in boards:
        if board.rows and board.metrics:
            windowing = asdict(board.rows[0].system.record.spec.windowing)
            base = pattern.sub("", board.task)
            families[json.dumps([base, board.version, board.metrics[:1], windowing])].append(board)
    return [family for family in families.values() if len(family) > 1]


def _lines(
    family: Sequence[Board], pattern: re.Pattern[str], placed: Callable[[Row, str], tuple[float, str]]
) -> list[dict[str, Any]]:
    """A line for each system that answered two of the tasks or more, over the same folds."""
    points: dict[str, list[_Point]] = defaultdict(list)
    names: dict[str, Row] = {}
    for board in family:
        match = pattern.search(board.task)
        for row in board.rows:
            if value := row.metrics.get(board.metrics[0]):
                key = _system(row)
                points[key].append((*placed(row, match[0] if match else ""), *value))
                names.setdefault(key, row)
    lines = [_line(names[key], _averaged(their)) for key, their in points.items()]
    return [line for line in lines if len(line["x"]) > 1]


def _averaged(points: Iterable[_Point]) -> list[_Point]:
    """One point a place; several draws of the same number are averaged, and their deviation is over draws."""
    alike: dict[str, list[_Point]] = defaultdict(list)
    for point in points:
        alike[point[1]].append(point)
    found = []
    for text, same in alike.items():
        values = [value for _, _, value, _ in same]
        drawn = float(np.std(values, ddof=1)) if len(same) > 1 else same[0][3]
        said = f"{text}, {len(same)} draws" if len(same) > 1 else text
        found.append((float(np.mean([place for place, *_ in same])), said, float(np.mean(values)), drawn))
    return sorted(found)


def _line(row: Row, points: Sequence[_Point]) -> dict[str, Any]:
    folds = "" if row.system.complete else f" (folds {', '.join(map(str, row.system.folds))})"
    x, text, y, sd = (list(column) for column in zip(*points, strict=True))
    return {"key": row.key, "name": row.label + folds, "x": x, "y": y, "sd": sd, "text": text}


def _system(row: Row) -> str:
    """What is the same of a system in two tasks."""
    fields = asdict(row.system.record.spec)
    for name in ("task", "task_version", "audio_sha256", "fold", "seed"):
        del fields[name]
    return json.dumps([fields, row.system.folds], sort_keys=True)


def _by_clips(row: Row, word: str) -> tuple[float, str]:
    drawn = _FEWER.search(word)
    text = word.removesuffix((drawn[1] or "") if drawn else "").removeprefix("+")
    clips = mean(run.record.n_clips.get("train") for run in row.system.runs)
    return clips or 0.0, text or "all"


def _by_level(row: Row, word: str) -> tuple[float, str]:
    return float(list(_LEVELS).index(word)), _LEVELS[word]


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
