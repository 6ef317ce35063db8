"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

    def say(self, line: str) -> None:
        """Print one line."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)

    @contextmanager
    def bar(self, what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
        """A bar over `total` units; yields ``step(n, note="")``, to be called with the units just done."""
        if self.quiet or total == 0:
            yield lambda n=1, note="": None
        elif self._terminal:
            with self._rich(what, total, unit) as step:
                yield step
        else:
            yield self._lines(what, total, unit)

    @contextmanager
    def _rich(self, what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
            TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )  # fmt: skip
        began = time.monotonic()
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            row = bars.add_task(what, total=total, note="", rate="")

            def step(n: int = 1, note: str = "") -> None:
                bars.advance(row, n)
                seconds = max(time.monotonic() - began, 1e-9)
                bars.update(row, note=note, rate=f"{bars.tasks[0].completed / seconds:.3g}/s")

            yield step

    def _lines(self, what: str, total: int, unit: str) -> Callable[..., None]:
        began = last = time.monotonic()
        done = 0

        def step(n: int = 1, note: str = "") -> None:
            nonlocal done, last
            done += n
            now = time.monotonic()
            if now - last >= _LINE_EVERY:
                rate = done / (now - began)
                left = (total - done) / rate
                self.say(f"{what}: {done}/{total} {unit}, {rate:.3g}/s, {left:.0f} s left {note}".rstrip())
                last = now

        return step
