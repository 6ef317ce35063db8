"""Progress of long work: a bar with count and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mirbench.plain_text import printable_lines, say

if TYPE_CHECKING:
    from mirbench.progress_bars import Bars

__all__ = ["Pace", "Progress", "said_time"]

_LINE_EVERY = (15.0, 600.0)
"""Seconds between plain lines: the first of them, or a tenth of the time until now, and never more than the second."""


class Pace:
    """How fast work goes, and how long the rest of it takes.

    Parameters
    ----------
    total : float
        Units of all of it.

    Attributes
    ----------
    done : float
        Units until now.
    """

    def __init__(self, total: float) -> None:
        self.total, self.done = total, 0.0
        self._began = self._at = time.monotonic()
        self._measured = 0.0
        self._told: float | None = None

    def step(self, n: float = 1, *, left: float | None = None, measured: bool = True) -> None:
        """Count units that are done now.

        Parameters
        ----------
        left : float or None
            Seconds that the rest takes, where the work itself knows better than its pace until now.
        measured : bool
            False of units that took no time, for they were there before: they say nothing of the others.
        """
        self.done += n
        self._measured += n if measured else 0
        self._at, self._told = time.monotonic(), left

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def rate(self) -> float | None:
        """Units a second; None before any is measured."""
        spent = self._at - self._began
        return self._measured / spent if self._measured > 0 and spent > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes; None where nothing tells."""
        since = time.monotonic() - self._at
        if self._told is not None:
            return max(0.0, self._told - since)
        if self.done >= self.total:
            return 0.0
        if self.rate is None:
            return None
        each, units = 1 / self.rate, self.total - self.done
        under_way = min(1.0, units)
        return (units - under_way) * each + max(0.0, under_way * each - since)

    def said_left(self) -> str:
        """The time left in words."""
        return "time left unknown" if self.left is None else f"{said_time(self.left)} left"

    def said_rate(self) -> str:
        """The rate in words; "" before it is known."""
        if self.rate is None:
            return ""
        return f"{self.rate:.3g}/s" if self.rate >= 0.1 else f"{said_time(1 / self.rate)} each"


class Progress:
    """Says on standard error how far long work has come.

    Parameters
    ----------
    quiet : bool
        Say nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._live: Bars | None = None
        self._warned: set[str] = set()

    def say(self, line: str) -> None:
        """Print one line, above the bars where there are any."""
        if not self.quiet:
            self._print(line)

    def _print(self, line: str) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(printable_lines(line)))  # a Text holds neither markup nor emoji codes
        else:
            say(line, error=True)

    def warn(self, line: str) -> None:
        """Print one line that must be seen, quiet or not, and the same one only once."""
        if line not in self._warned:
            self._warned.add(line)
            self._print(line)

    @contextmanager
    def bar(self, what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
        """A bar over `total` units; yields ``step(n, note="")``, to be called with the units just done.

        ``step`` takes ``left`` and ``measured`` of `Pace.step`, too. Bars nest: a second one is drawn below the first.
        """
        if self.quiet or total == 0:
            yield lambda n=1, note="", left=None, measured=True: None
        elif not self._terminal:
            yield self._lines(what, Pace(total), unit)
        elif self._live is not None:
            row, step = self._live.row(what, Pace(total), unit)
            try:
                yield step
            finally:
                self._live.remove_task(row)
        else:
            from mirbench.progress_bars import Bars

            with Bars() as self._live:
                try:
                    yield self._live.row(what, Pace(total), unit)[1]
                finally:
                    self._live = None

    def _lines(self, what: str, pace: Pace, unit: str) -> Callable[..., None]:
        last = 0.0

        def step(n: float = 1, note: str = "", *, left: float | None = None, measured: bool = True) -> None:
            nonlocal last
            pace.step(n, left=left, measured=measured)
            shortest, longest = _LINE_EVERY
            if pace.elapsed - last >= min(max(shortest, pace.elapsed / 10), longest):
                said = (f"{pace.done:.0f}/{pace.total:.0f} {unit}", pace.said_rate(), pace.said_left(), note)
                self.say(f"{what}: {', '.join(part for part in said if part)}")
                last = pace.elapsed

        return step


def said_time(seconds: float) -> str:
    """A stretch of time for people: "45 s", "12 min", "3:50 h", "2 d 4 h"."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h" if hours < 48 else f"{hours // 24} d {hours % 24} h"
