"""How fast work goes and how long the rest of it takes, in seconds and in words."""

from __future__ import annotations

import time

__all__ = ["Pace", "said_time"]


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


def said_time(seconds: float) -> str:
    """A stretch of time for people: "45 s", "12 min", "3:50 h", "2 d 4 h"."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h" if hours < 48 else f"{hours // 24} d {hours % 24} h"
