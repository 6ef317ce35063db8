"""Processes that do one run each, watched over: begun while there is room, heard, buried where they die, ended in time.

Nothing here computes or touches a GPU.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext

from mirbench.errors import BrokenInstallation, MissingData
from mirbench.features.claims import holder_of
from mirbench.features.temporary import sweep
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.runs.at_once.child import Answer, work
from mirbench.runs.at_once.processes import Child, Todo
from mirbench.runs.limits import Limits, TimeLeft
from mirbench.runs.store import RunStore

__all__ = ["Supervisor"]

_PATIENCE = 5.0  # seconds between asking a process to end and ending it
_POLL = (0.2, 2.0)  # seconds between two looks at runs that others are at, at first and at last
_LOOK_AT = 64  # runs of the queue


class Supervisor:
    """Does runs in processes of their own.

    Parameters
    ----------
    context : BaseContext
        What makes processes.
    n_jobs : int
        Processes at once.
    gpus : sequence of str
        What ``CUDA_VISIBLE_DEVICES`` may be; each process gets the one with the fewest others.
    progress : Progress
        What says how far it is, and what the processes say.
    limits : Limits
        What may still be begun.
    """

    def __init__(
        self, context: BaseContext, n_jobs: int, gpus: Sequence[str], progress: Progress, limits: Limits
    ) -> None:
        self._context, self._n_jobs, self._gpus = context, n_jobs, gpus
        self._progress, self._limits = progress, limits
        self._children: list[Child] = []
        self._queue: list[Todo] = []
        self._ready: set[object] = set()
        self._told: set[str] = set()
        self._n_failed = 0
        self._left = TimeLeft(n_jobs, limits)
        self._step: Callable[..., None] = lambda n, note, left: None

    def do(self, todo: Sequence[Todo], title: str, n_known: int) -> None:
        """Do runs; their jobs take what comes of them, or it is in their `error`.

        Parameters
        ----------
        title : str
            Of the display.
        n_known : int
            Runs that were on record before, for the display.

        Raises
        ------
        MissingData, BrokenInstallation
            If a process says so: no run could be done then.
        """
        self._queue = list(todo)
        self._left.add(one.spec for one in todo)
        pause = _POLL[0]
        try:
            with self._progress.bar(title, n_known + len(todo), "runs") as self._step:
                self._step(n_known, "", measured=False)
                while self._queue or self._children:
                    while len(self._children) < self._n_jobs and (following := self._next()):
                        self._begin(following)
                        self._count(0)
                    pause = _POLL[0] if self._hear(pause) else min(2 * pause, _POLL[1])
        finally:
            self._end_all()

    def _count(self, n: int, said: str = "") -> None:
        """Let the display say that so many runs more are done, how many are under way, and how long it takes."""
        words = [said, f"{len(self._children)} running", f"{self._n_failed} failed" if self._n_failed else ""]
        self._step(n, ", ".join(filter(None, words)), left=self._left.seconds)

    def _next(self) -> Todo | None:
        """The run to begin now; those that cannot end in time are put off on the way."""
        if self._limits.seconds_left <= 0:
            late, self._queue = self._queue, []
            for one in late:
                self._put_off(one)
        while (todo := self._candidate()) is not None:
            self._queue.remove(todo)
            if self._limits.let_begin(todo.spec):
                return todo
            self._put_off(todo)
        return None

    def _put_off(self, todo: Todo) -> None:
        self._limits.let_begin(todo.spec)
        self._left.remove(todo.spec)
        self._count(1, f"no time is left for {todo.name}")

    def _candidate(self) -> Todo | None:
        """A run that no other command is at; rather one that finds what it shares than one that waits for it."""
        busy = {made for child in self._children for made in child.todo.shares} - self._ready
        first = None
        for todo in self._queue[:_LOOK_AT]:
            if holder := holder_of(RunStore(todo.errand.request.runs).folder(todo.spec)):
                self._queue.remove(todo)
                self._queue.append(todo)
                self._say_once(f"{holder} does runs of this sweep, too; they are waited for")
            elif not todo.shares & busy:
                return todo
            else:
                first = first or todo
        return first

    def _say_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._progress.say(line)

    def _begin(self, todo: Todo) -> None:
        gpu = min(self._gpus, key=[child.gpu for child in self._children].count, default="")
        errand = todo.errand
        if gpu:
            errand = replace(errand, environment={**errand.environment, "CUDA_VISIBLE_DEVICES": gpu})
        pipe, own_end = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(errand, own_end), name=todo.name)  # type: ignore[attr-defined]
        self._children.append(Child(todo, process, pipe, gpu, time.monotonic()))
        try:
            self._children[-1].begin()
        finally:
            own_end.close()

    def _hear(self, seconds: float) -> bool:
        """Wait for something to happen, and see to it; whether a run ended."""
        heard = [child.pipe for child in self._children if not child.is_silent]
        ended = set(wait([*heard, *(child.process.sentinel for child in self._children)], seconds))
        if not self._children:
            time.sleep(seconds)
        n_children = len(self._children)
        for child in list(self._children):
            child.listen(self._progress)
            if time.monotonic() - child.answered > _PATIENCE:
                child.kill()
            if child.process.sentinel in ended:
                self._children.remove(child)
                self._close(child)
        return len(self._children) < n_children

    def _close(self, child: Child) -> None:
        """See to what a process that ended leaves."""
        child.process.join()
        child.kill()  # whatever it started
        child.pipe.close()
        todo, answer = child.todo, child.answer or self._bury(child)
        self._say_output(child)
        if answer.missing or answer.broken:
            raise (MissingData if answer.missing else BrokenInstallation)(answer.error)
        if answer.outcome is None and not answer.error:  # another command is at it
            self._queue.append(todo)
            return
        self._left.remove(todo.spec)
        if answer.outcome is None:
            todo.error = answer.error
            self._n_failed += 1
            self._count(1, f"{todo.name}: {answer.error}")
            return
        outcome = answer.outcome
        for job in todo.jobs:
            job.take(todo.spec, outcome)
        self._ready |= todo.shares
        if not outcome.read_back:
            self._limits.ended(todo.spec, time.monotonic() - child.began)
        self._n_failed += outcome.record.status == "failed"
        self._count(1, f"{todo.name}: {outcome.record.status}" if outcome.record.status != "done" else "")

    def _bury(self, child: Child) -> Answer:
        """Put on record what ended a process that did not answer."""
        cache = child.todo.errand.request.cache
        for folder in (cache, *cache.glob("*/"), *cache.glob("rows/*/")):
            sweep(folder)
        return Answer(child.todo.jobs[0].bury(child.todo.spec, child.end, child.printed() or "\n"))

    def _say_output(self, child: Child) -> None:
        """Say the last of what a process printed, the same only once."""
        lines = [line for line in child.printed().splitlines() if line.strip()]
        if lines:
            more = f" (the last of {len(lines)} lines)" if len(lines) > 1 else ""
            self._say_once(f"{child.todo.name} printed{more}: {printable(lines[-1], 300)}")
        child.todo.errand.output.unlink(missing_ok=True)

    def _end_all(self) -> None:
        """End every process, and what it started, within seconds; remove what it leaves."""
        for child in self._children:
            child.tell(signal.SIGTERM)
        until = time.monotonic() + _PATIENCE
        for child in self._children:
            if child.process.pid is None:
                continue
            child.process.join(max(0.0, until - time.monotonic()))
            child.kill()
            child.process.join(1.0)
            request = child.todo.errand.request
            place = RunStore(request.runs).folder(child.todo.spec).parent
            for folder in (place, place.parent, request.cache, *request.cache.glob("rows/*/")):
                sweep(folder)
        self._children.clear()
