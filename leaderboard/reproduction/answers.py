"""What of ours stands beside a printed row, and a number that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mirbench.leaderboard.results import System
from mirbench.record import RunRecord

__all__ = ["Answer", "Measured", "Unanswered", "around", "defined", "record_of", "system_of"]

_NORMAL = 1.96


class Unanswered(Exception):
    """Why there is no number of ours."""


@dataclass(frozen=True)
class Answer:
    """What of ours stands beside a printed row: the runs of systems, or a description of data.

    Parameters
    ----------
    name : str
        System or task.
    systems : tuple of System
        One; several where a row is an average over them.
    data : mapping
        From `mirbench.tasks.audit.statistics.describe`.
    of_class : str
        The class of the data that the row is about; "" for all.
    standing : str
        Of the task: "full", "synthesised" …
    other : str
        What was heard instead of the paper's clips; "" for those.
    reason : str
        Why there is nothing.
    """

    row: str
    name: str
    systems: tuple[System, ...] = ()
    data: Mapping[str, Any] | None = None
    of_class: str = ""
    standing: str = "full"
    other: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Measured:
    """A number of ours.

    Parameters
    ----------
    low, high : float or None
        95 % interval.
    kind : {"estimate", "count", "shown"}
        Judged by its interval, judged exactly, or not judged.
    """

    value: float
    low: float | None = None
    high: float | None = None
    kind: Literal["estimate", "count", "shown"] = "estimate"
    n_seeds: int | None = None
    n_models: int | None = None
    n_clips: int | None = None


def system_of(answer: Answer) -> System:
    """The system of an answer; raises `Unanswered` where there is none."""
    if not answer.systems:
        raise Unanswered(answer.reason or "nothing is on record")
    return answer.systems[0]


def record_of(answer: Answer) -> RunRecord:
    """One of its records; raises `Unanswered` where there is none."""
    return system_of(answer).record


def defined(values: Sequence[float | None]) -> list[float]:
    """Those that are; raises `Unanswered` where none is."""
    if not (there := [value for value in values if value is not None and not np.isnan(value)]):
        raise Unanswered("undefined on these clips")
    return there


def around(value: float, variance: float, *, n_seeds: int | None = None, n_clips: int | None = None) -> Measured:
    """An estimate of a mean, with its interval."""
    half = _NORMAL * float(np.sqrt(variance))
    return Measured(value, value - half, value + half, n_seeds=n_seeds, n_clips=n_clips)
