"""What of ours stands beside a printed row, and a number that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mirbench.leaderboard.results import System
from mirbench.record import RunRecord

__all__ = ["NORMAL", "Answer", "Measured", "Seeds", "Unanswered", "around", "defined", "record_of", "system_of"]

NORMAL = 1.96
"""Standard deviations to each end of a 95 % interval of a normal mean."""


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
    fitted : tuple of str
        Quantities whose printed numbers were aimed at when the system was made.
    """

    row: str
    name: str
    systems: tuple[System, ...] = ()
    data: Mapping[str, Any] | None = None
    of_class: str = ""
    standing: str = "full"
    other: str = ""
    reason: str = ""
    fitted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seeds:
    """How a number varies over seeds on the same clips.

    Parameters
    ----------
    error : float or None
        Standard error of ours; None of one seed.
    of_one : float
        Standard deviation of what one run gives, or one of each system.
    free : float
        Degrees of freedom of both.
    widened : float
        Deviations of what is averaged in the number: 1 of a mean, 1.25 of a median.
    averaged : bool
        Whether the number is one over seeds, so that more of them make it surer.
    """

    error: float | None = None
    of_one: float = 0.0
    free: float = 0.0
    widened: float = 1.0
    averaged: bool = True

    @staticmethod
    def of(values: Sequence[float], widened: float = 1.0) -> Seeds:
        """Of a number that each seed gives."""
        n = len(values)
        if n < 2:
            return Seeds(widened=widened)
        of_one = widened * float(np.std(values, ddof=1))
        return Seeds(of_one / float(np.sqrt(n)), of_one, n - 1.0, widened)

    def less(self, other: Seeds) -> Seeds:
        """Of a difference of two numbers."""
        if self.error is None or other.error is None:
            return Seeds()
        own, theirs = self.error**2, other.error**2
        total = own + theirs
        free = total**2 / (own**2 / self.free + theirs**2 / other.free) if total else min(self.free, other.free)
        return Seeds(float(np.sqrt(total)), float(np.hypot(self.of_one, other.of_one)), free)


@dataclass(frozen=True)
class Measured:
    """A number of ours.

    Parameters
    ----------
    low, high : float or None
        95 % interval, over clips and seeds.
    seeds : Seeds or None
        How it varies over seeds alone; None of what has none.
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
    seeds: Seeds | None = None


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
    half = NORMAL * float(np.sqrt(variance))
    return Measured(value, value - half, value + half, n_seeds=n_seeds, n_clips=n_clips)
