"""A process that does one run, as the command that watches over it sees it."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from mirbench.errors import BrokenInstallation
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.runs.at_once.child import Answer, Errand, Said
from mirbench.runs.runner import Job

__all__ = ["Child", "Todo"]

_MOST_SAID = 20_000  # letters of what a process printed


@dataclass
class Todo:
    """A run to be done.

    Parameters
    ----------
    errand : Errand
        What its process is told.
    spec : RunSpec
        Its identity.
    name : str
        For people.
    jobs : list of Job
        Those that wait for it.
    error : str
        Why it came to no record.
    """

    errand: Errand
    spec: RunSpec
    name: str
    jobs: list[Job] = field(default_factory=list)
    error: str = ""

    @property
    def shares(self) -> set[object]:
        """What it has in common with other runs, and the first of them makes: rows, and the speed of its system."""
        spec = self.spec
        rows = (spec.task, spec.source or spec.method, str(spec.source_params), spec.windowing.windows, spec.precision)
        return {(*rows, spec.pad), spec.system}


@dataclass(eq=False)
class Child:
    """A process at work."""

    todo: Todo
    process: Any
    pipe: Connection
    gpu: str
    began: float
    answer: Answer | None = None
    answered: float = math.inf
    is_silent: bool = False

    def begin(self) -> None:
        """Start it.

        Raises
        ------
        BrokenInstallation
            If that cannot be done.
        """
        try:
            with _without_main_module():
                self.process.start()
        except (EOFError, OSError) as error:
            raise BrokenInstallation(
                f"--jobs: no process can be started ({type(error).__name__}: {error}); leave it out to do one run "
                "after another"
            ) from error

    def listen(self, progress: Progress) -> None:
        """Take what it has sent."""
        while not self.is_silent and self.pipe.poll():
            try:
                said = self.pipe.recv()
            except Exception:  # it ended, or something else wrote into its pipe
                self.is_silent = True
                return
            if isinstance(said, Said):
                (progress.warn if said.warning else progress.say)(said.line)
            elif isinstance(said, Answer):
                self.answer, self.answered = said, time.monotonic()

    def tell(self, number: int) -> None:
        """Send it a signal."""
        if self.process.pid is not None:
            with suppress(OSError):
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it, and all that it started."""
        if self.process.pid is None:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def printed(self) -> str:
        """The end of what it printed."""
        path = self.todo.errand.output
        with suppress(OSError), path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 4 * _MOST_SAID))
            text = stream.read().decode("utf-8", "backslashreplace")
            return text if len(text) <= _MOST_SAID else f"[…]\n{text[-_MOST_SAID:]}"
        return ""

    @property
    def end(self) -> str:
        """What its exit code says of a run that has no result."""
        code = self.process.exitcode or 0
        number = -code if code < 0 else code - 128
        name = next((one.name for one in signal.Signals if one == number), "")
        if code < 0:
            often = {"SIGKILL": "; often memory is full", "SIGSEGV": "; a library crashed"}.get(name, "")
            return f"its process was killed by signal {number}{f' ({name})' if name else ''}{often}"
        if name in ("SIGTERM", "SIGINT", "SIGHUP"):
            return f"its process was stopped by signal {number} ({name})"
        return f"its process ended with exit code {code}, and without a result"


@contextmanager
def _without_main_module() -> Iterator[None]:
    """A process that is started in the block does not run the command's own script again, which it has no use for."""
    main = sys.modules["__main__"]
    held: dict[str, Any] = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(held)
