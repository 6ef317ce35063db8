"""What the process of one run does, where a command does several runs at once (`mirbench.runs.at_once.parallel`).

It is a process group of its own, so that whatever the run starts ends with it; it ends when its parent does, and
what it prints goes to a file.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from mirbench.errors import BrokenInstallation, MirbenchError, MissingData
from mirbench.features.claims import give_back_everything
from mirbench.features.temporary import using
from mirbench.progress import Progress
from mirbench.runs.plan import Request
from mirbench.runs.runner import Outcome
from mirbench.runs.stopping import stoppable

__all__ = ["Answer", "Errand", "Said", "work"]

_PATIENCE = 3.0  # seconds, to tidy up when told to stop


@dataclass(frozen=True)
class Errand:
    """What a child is sent for.

    Parameters
    ----------
    request : Request
        Of one run.
    plugins : tuple of Path
        Files that its names may come from.
    deform : tuple of str
        As of `mirbench.runs.runner.run`.
    since : float
        As of `mirbench.runs.runner.Job`.
    environment : mapping of str to str
        All of its environment.
    blas_threads : int
        Of numpy's and scikit-learn's arithmetic.
    output : Path
        File for what it prints.
    """

    request: Request
    plugins: tuple[Path, ...]
    deform: tuple[str, ...]
    since: float
    environment: Mapping[str, str]
    blas_threads: int
    output: Path


@dataclass(frozen=True)
class Said:
    """A line for people; `warning` if it must be seen."""

    line: str
    warning: bool = False


@dataclass(frozen=True)
class Answer:
    """What came of an errand.

    Parameters
    ----------
    outcome : Outcome or None
        None where there is none.
    error : str
        Why not, in one line; "" where another command is at the run.
    missing, broken : bool
        Whether the error is not of the run: data are missing; a library does not import.
    """

    outcome: Outcome | None = None
    error: str = ""
    missing: bool = False
    broken: bool = False


class _Telling(Progress):
    """Hands lines to the parent, and draws nothing."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__(quiet=True)
        self._pipe, self._lock = pipe, threading.Lock()

    def say(self, line: str) -> None:
        self._send(Said(line))

    def warn(self, line: str) -> None:
        self._send(Said(line, warning=True))

    def _send(self, said: Said) -> None:
        with self._lock, suppress(OSError):
            self._pipe.send(said)


def work(errand: Errand, pipe: Connection) -> None:
    """Do one run, and answer; the child's main function."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    if not errand.output.parent.is_dir():
        return  # the command has ended meanwhile, and nobody is there to hear it
    _print_to(errand.output)
    os.environ.clear()
    os.environ.update(errand.environment)
    threading.Thread(target=_follow_parent, name="mirbench-parent", daemon=True).start()
    signals: list[int] = []
    try:
        with stoppable(signals, _PATIENCE):
            answer = _answer(errand, pipe)
    except KeyboardInterrupt:
        give_back_everything()
        sys.exit(128 + signals[0] if signals else 130)
    with suppress(OSError):  # nobody is there to hear it
        pipe.send(answer)
    give_back_everything()


def _answer(errand: Errand, pipe: Connection) -> Answer:
    try:
        return _run(errand, _Telling(pipe))
    except (MissingData, BrokenInstallation) as error:
        return Answer(
            error=str(error), missing=isinstance(error, MissingData), broken=not isinstance(error, MissingData)
        )
    except MirbenchError as error:
        return Answer(error=str(error))


def _run(errand: Errand, progress: Progress) -> Answer:
    from mirbench.plugin_file import load_plugin
    from mirbench.registry import Catalogue
    from mirbench.runs.runner import Job

    request = errand.request
    catalogue = Catalogue([load_plugin(path) for path in errand.plugins], request.data, request.weights)
    with ExitStack() as held:
        held.enter_context(using(request.cache))
        held.enter_context(_arithmetic(errand.blas_threads))
        job = Job(request, catalogue, progress, errand.deform, errand.since)
        job.do_free()
        return Answer(job.done[0] if job.done else None)


def _arithmetic(threads: int) -> Any:
    """Threads of the libraries that the server of processes has loaded with one."""
    import numpy  # noqa: F401  (libraries that are not loaded yet are not found)
    import sklearn.utils  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(threads)


def _print_to(path: Path) -> None:
    """Let everything that the process prints, also in C or when it dies, go to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("ab") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    faulthandler.enable(2)


def _follow_parent() -> None:
    """End when the parent does, however it did."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(2 * _PATIENCE)
    if hasattr(os, "killpg"):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
