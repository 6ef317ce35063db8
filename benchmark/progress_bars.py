"""Bars on a terminal, by rich: whatever its width, none loses its bar, its count and its time left."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console, RenderableType
from rich.progress import Progress, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mirbench.pace import Pace, said_time
from mirbench.plain_text import cut_middle, printable

__all__ = ["Bars"]

_ROOMY = 100
"""From this width on, rate and time since the beginning are said, too."""


class Bars(Progress):
    """Bars, one a line, and below them what was said last.

    Parameters
    ----------
    console : Console or None
        Standard error where none is given.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._note = ""
        self._console = console or Console(stderr=True, force_terminal=True)
        super().__init__(console=self._console, transient=True)  # which draws at once

    def row(self, what: str, pace: Pace, unit: str) -> tuple[TaskID, Callable[..., None]]:
        """One more bar: what it is removed by, and its ``step``."""
        row = self.add_task(printable(what), total=pace.total, pace=pace, unit=unit)

        def step(n: float = 1, note: str = "", *, left: float | None = None, measured: bool = True) -> None:
            pace.step(n, left=left, measured=measured)
            self._note = printable(note) or self._note
            self.update(row, completed=pace.done)

        return row, step

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn; rich asks for it ten times a second."""
        yield self.make_tasks_table(self.tasks)
        if self._note:
            yield Text("  " + cut_middle(self._note, self._console.width - 3), style="dim", no_wrap=True)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """A line a task: the name gets the room that the others leave, and is cut in its middle."""
        tasks = list(tasks)
        width = self._console.width
        bar = max(4, min(20, width // 5))
        told = [_told(task, unit=width >= 60, more=width >= _ROOMY) for task in tasks]
        widest = [max(map(len, column)) for column in zip(*told, strict=True)]
        room = max(8, width - bar - 2 - sum(size + 2 for size in widest if size))
        grid = Table.grid(padding=(0, 2, 0, 0))
        for task, said in zip(tasks, told, strict=True):
            grid.add_row(
                Text(cut_middle(task.description, room), no_wrap=True),
                ProgressBar(total=task.total or 1, completed=task.completed, width=bar),
                *(Text(part, no_wrap=True) for part, size in zip(said, widest, strict=True) if size),
            )
        return grid


def _told(task: Task, *, unit: bool, more: bool) -> tuple[str, ...]:
    """Count, rate, time until now and time left; what there is no room for is ""."""
    pace: Pace = task.fields["pace"]
    count = f"{pace.done:.0f}/{pace.total:.0f}" + (f" {task.fields['unit']}" if unit else "")
    since = f"{said_time(pace.elapsed)} gone" if more else ""
    left = "? left" if pace.left is None else pace.said_left()
    return count, pace.said_rate() if more else "", since, left
