"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mirbench.plain_text import printable, printable_lines, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

__all__ = ["Progress"]

_LINE_EVERY = 15.0  # seconds between plain lines


class Progress:
    """Says on standard error how far long work has come.

    Parameters
    ----------
    quiet : bool
        Say nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._terminal = sys.stderr.isatty()
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

        Bars nest: a second one is drawn below the first.
        """
        if self.quiet or total == 0:
            yield lambda n=1, note="": None
        elif not self._terminal:
            yield self._lines(what, total, unit)
        elif self._live is not None:
            row, step = self._row(self._live, what, total, unit)
            try:
                yield step
            finally:
                self._live.remove_task(row)
        else:
            with _bars() as self._live:
                try:
                    yield self._row(self._live, what, total, unit)[1]
                finally:
                    self._live = None

    def _row(self, bars: Bars, what: str, total: int, unit: str) -> tuple[TaskID, Callable[..., None]]:
        began = time.monotonic()
        row = bars.add_task(printable(what), total=total, note="", rate="", unit=unit)

        def step(n: float = 1, note: str = "") -> None:
            bars.advance(row, n)
            rate = bars.tasks[bars.task_ids.index(row)].completed / max(time.monotonic() - began, 1e-9)
            bars.update(row, note=printable(note), rate=f"{rate:.3g}/s")

        return row, step

    def _lines(self, what: str, total: int, unit: str) -> Callable[..., None]:
        began = last = time.monotonic()
        done = 0.0

        def step(n: float = 1, note: str = "") -> None:
            nonlocal done, last
            done += n
            now = time.monotonic()
            if now - last >= _LINE_EVERY:
                rate = done / (now - began)
                left = f"{(total - done) / rate:.0f} s left" if rate else "time left unknown"
                self.say(f"{what}: {done:.0f}/{total} {unit}, {rate:.3g}/s, {left}{note and ', '}{note}")
                last = now

        return step


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]} {task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True, force_terminal=True),
        transient=True,
    )
