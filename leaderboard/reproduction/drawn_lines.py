"""Lines of a printed table as what figures draw: the printed numbers of a row, and ours of its systems."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirbench.errors import BadInput
from mirbench.leaderboard.class_plots import Series
from mirbench.leaderboard.reproduction.printed import SCALES
from mirbench.leaderboard.reproduction.verdicts import Line

__all__ = ["series_of_lines"]


def series_of_lines(lines: Sequence[Line], pattern: str) -> list[Series]:
    """The rows of a printed table whose quantities match, by the first group of the pattern.

    Raises
    ------
    BadInput
        If it has none.
    """
    ours: dict[str, dict[str, float]] = {}
    printed: dict[str, dict[str, float]] = {}
    names: dict[str, str] = {}
    for line in lines:
        if (found := re.fullmatch(pattern, line.printed.quantity)) and line.printed.number is not None:
            key, row = found[1], line.printed.row
            printed.setdefault(row, {})[key] = line.printed.number
            system = f"{row}, {line.by.partition(': ')[2] or line.by}" if line.by and line.verdict != "not run" else row
            names.setdefault(system, row)
            ours.setdefault(system, {})
            if line.ours is not None:
                ours[system][key] = line.ours * SCALES[line.printed.unit]
    if not printed:
        raise BadInput("nothing of this printed table can be drawn so")
    told: set[str] = set()  # the printed numbers stand beside the first of a row's systems
    series = []
    for system, row in names.items():
        if ours[system] or not any(ours[other] for other, of in names.items() if of == row):
            series.append(Series(system if ours[system] else row, ours[system], {} if row in told else printed[row]))
            told.add(row)
    return series
