"""What one command does of a suite: its share of the runs (``--part``), and how long it may take (``--until``)."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection, Iterable

from mirbench.errors import BadInput
from mirbench.pace import said_time
from mirbench.plain_text import printable
from mirbench.record import RunSpec
from mirbench.runs.pieces import draft_key

__all__ = ["Limits", "TimeLeft", "parse_part", "parse_until", "said_time"]

_MOST_PARTS = 1_000_000
_UNITS = {"d": 86_400, "h": 3600, "min": 60, "m": 60, "s": 1}

Cost = Callable[[RunSpec], float | None]
"""``cost(spec)``: what a run takes here in seconds; None where nothing tells."""


class Limits:
    """Which runs a command is asked for, and which of them it may begin.

    Parameters
    ----------
    keys : collection of str or None
        Of the pieces (`mirbench.runs.pieces`) that are asked for; None is all.
    seconds : float or None
        How long the command may take, from now.
    cost : callable
        What a run takes; where it says nothing, the longest of this command counts.

    Attributes
    ----------
    keys, cost
        As given.
    longest : float
        What the longest run of the command took, in seconds.
    put_off : dict of str to RunSpec
        Runs that were not begun for lack of time, by key.
    """

    def __init__(
        self, keys: Collection[str] | None = None, seconds: float | None = None, cost: Cost = lambda spec: None
    ) -> None:
        self.put_off: dict[str, RunSpec] = {}
        self.keys = keys
        self.cost = cost
        self._seconds, self._began = seconds, time.monotonic()
        self.longest = 0.0

    def ask_for(self, spec: RunSpec) -> bool:
        """Whether a run is this command's at all."""
        return self.keys is None or draft_key(spec) in self.keys

    def let_begin(self, spec: RunSpec) -> bool:
        """Whether a run can end in time; one that cannot is put off."""
        if self._seconds is None or self.expected(spec) < self.seconds_left:
            return True
        self.put_off[spec.key] = spec
        return False

    def expected(self, spec: RunSpec) -> float:
        """What a run is taken to take, in seconds."""
        known = self.cost(spec)
        return self.longest if known is None else known

    def ended(self, spec: RunSpec, seconds: float) -> None:
        """Learn what a run took."""
        self.longest = max(self.longest, seconds)

    @property
    def timed(self) -> bool:
        """Whether the command has to end at some time."""
        return self._seconds is not None

    @property
    def seconds_left(self) -> float:
        """Until the command has to end; below 0 where it should have ended."""
        return math.inf if self._seconds is None else self._seconds - (time.monotonic() - self._began)

    def said(self) -> str:
        """What is left for lack of time, in one line; "" where nothing is."""
        if not self.put_off or self._seconds is None:
            return ""
        n, shortest = len(self.put_off), min(map(self.expected, self.put_off.values()))
        line = f"{n} {'run is' if n == 1 else 'runs are'} left for lack of time (--until {said_time(self._seconds)})"
        if shortest >= self._seconds:
            return f"{line}: none can end in it, the shortest takes about {said_time(shortest)}; give more time"
        return f"{line}; the same command goes on"


class TimeLeft:
    """How long runs take that are not done yet, as far as is known."""

    def __init__(self, n_jobs: int, limits: Limits) -> None:
        self._n_jobs, self._limits = n_jobs, limits
        self._known: dict[str, float | None] = {}
        self._seconds, self._n_unknown = 0.0, 0

    def add(self, specs: Iterable[RunSpec]) -> None:
        """Count these."""
        for spec in specs:
            seconds = self._known[spec.key] = self._limits.cost(spec)
            self._seconds, self._n_unknown = self._seconds + (seconds or 0.0), self._n_unknown + (seconds is None)

    def remove(self, spec: RunSpec) -> None:
        """Count it no more."""
        seconds = self._known.pop(spec.key)
        self._seconds, self._n_unknown = self._seconds - (seconds or 0.0), self._n_unknown - (seconds is None)

    @property
    def seconds(self) -> float | None:
        """With so many jobs at once; None where nothing is known."""
        if self._n_unknown and not self._limits.longest:
            return None
        return (max(self._seconds, 0.0) + self._n_unknown * self._limits.longest) / self._n_jobs or None


def parse_part(text: str) -> tuple[int, int]:
    """K and N of ``--part K/N``.

    Raises
    ------
    BadInput
        If it is no part: K from 1 to N.
    """
    if not re.fullmatch(r"\s*\d{1,9}\s*/\s*\d{1,9}\s*", text, re.ASCII):
        raise BadInput(f"--part {printable(text, 40)}: K/N is needed, as 3/16 for the third of sixteen parts")
    k, n = map(int, text.split("/"))
    if not 1 <= n <= _MOST_PARTS:
        raise BadInput(f"--part {text}: 1 to {_MOST_PARTS:,} parts are accepted")
    if k == 0:
        raise BadInput(
            f"--part 0/{n}: parts count from 1, so the first is 1/{n}; for an array of jobs that counts from 0, "
            f"--part $((SLURM_ARRAY_TASK_ID + 1))/{n}"
        )
    if k > n:
        raise BadInput(f"--part {text}: parts 1/{n} to {n}/{n} are accepted")
    return k, n


def parse_until(text: str, flag: str = "--until") -> float:
    """Seconds of ``--until``, or another flag: h:mm, h:mm:ss, or a number with d, h, min or s, as 2h, 90min, 1h30min.

    Raises
    ------
    BadInput
        If it is no time above 0.
    """
    seconds = _seconds(text.strip().lower().replace(" ", ""))
    if seconds is None or not 0 < seconds < 1e9:
        raise BadInput(
            f"{flag} {printable(text, 40)}: a time from the start of the command is needed, as 3:50 (hours and "
            "minutes), 3:50:00, 90min or 2h"
        )
    return seconds


def _seconds(text: str) -> float | None:
    if clock := re.fullmatch(r"(\d{1,6}):([0-5]\d)(?::([0-5]\d))?", text, re.ASCII):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return 3600.0 * hours + 60 * minutes + seconds
    number = r"\d{1,9}(?:\.\d{1,9})?"
    if not re.fullmatch(rf"(?:{number}(?:d|h|min|m|s))+", text, re.ASCII):
        return None
    parts = re.findall(rf"({number})(d|h|min|m|s)", text)
    if len({unit for _, unit in parts}) < len(parts):
        return None
    return sum(float(value) * _UNITS[unit] for value, unit in parts)
