"""What happens when a command is told to stop: by Ctrl-C, by a cluster (SIGTERM), by a terminal that closes (SIGHUP).

What is under way ends by an exception, which gives back claims and removes temporary files. A thread does the same
where that takes too long: clusters kill some seconds later, and an exception waits for the end of a computation in C.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from mirbench.features.claims import give_back_everything
from mirbench.plain_text import say

__all__ = ["last_words", "stoppable"]

_PATIENCE = 10.0  # seconds; Slurm kills 30 s after SIGTERM
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def stoppable(signals: list[int], patience: float | None = None) -> Iterator[None]:
    """Within the block a signal to stop ends the command tidily.

    Parameters
    ----------
    signals : list of int
        Takes the number of the signal that came, as its first.
    patience : float or None
        Seconds after which the process ends in any case; None is ten.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard, told = socket.socketpair()
    told.setblocking(False)
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    done = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(heard, done, patience or _PATIENCE), name="mirbench-stop", daemon=True
    )
    try:
        watched = [number for number, handler in before.items() if handler is not signal.SIG_IGN]  # as under nohup
        for number in watched:
            signal.signal(number, partial(_stop, signals, watched))
        watcher.start()
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        done.set()
        with suppress(OSError):
            told.send(b"\0")
        watcher.join()
        heard.close()
        told.close()


def _stop(signals: list[int], watched: Sequence[int], number: int, frame: FrameType | None) -> None:
    """End the command by the one exception that nobody on the way takes for a failure of a run."""
    for other in watched:  # a second one must not interrupt the tidying
        signal.signal(other, _wait)
    signals.append(number)
    raise KeyboardInterrupt


def _wait(number: int, frame: FrameType | None) -> None:
    """Do nothing: the command is ending already."""


def _watch(heard: socket.socket, done: threading.Event, patience: float) -> None:
    """End the process where the exception of a signal does not."""
    number = heard.recv(1)[0]
    while number and number not in _SIGNALS:
        number = heard.recv(1)[0]
    if done.wait(patience):
        return
    give_back_everything()
    say(last_words(number), error=True)
    os._exit(128 + number)


def last_words(number: int) -> str:
    """What a command that was told to stop says last."""
    word = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    return f"mirbench: {word}; finished runs are on record, the same command goes on"
