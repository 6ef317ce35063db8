"""Progress of long work: a bar with count and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mirbench.pace import Pace
from mirbench.plain_text import printable_lines, say

if TYPE_CHECKING:
    from mirbench.progress_bars import Bars

__all__ = ["Progress"]

_LINE_EVERY = (15.0, 600.0)
"""Seconds between plain lines: the first of them, or a tenth of the time until now, and never more than the second."""


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
        """Print one line, above the bars where there are any.

        Parameters
        ----------
        line : str
            Is left out where nothing is to be said.
        """
        if not self.quiet:
            self._print(line)

    def _print(self, line: str) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(printable_lines(line)))  # a Text holds neither markup nor emoji codes
        else:
            say(line, error=True)

    def warn(self, line: str) -> None:
        """Print one line that must be seen, quiet or not, and the same one only once.

        Parameters
        ----------
        line : str
            One line.
        """
        if line not in self._warned:
            self._warned.add(line)
            self._print(line)

    @contextmanager
    def bar(self, what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
        """A bar over a number of units. Bars nest: a second one is drawn below the first.

        Parameters
        ----------
        what : str
            What is being done.
        total : int
            Number of units.
        unit : str
            What a unit is, in the plural.

        Yields
        ------
        callable
            ``step(n, note="")``, to be called with the units just done; it takes ``left`` and ``measured`` of
            `Pace.step`, too.
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
