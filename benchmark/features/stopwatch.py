"""Where the wall time of a run goes: phases by name, timed in the thread that the run is in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["Stopwatch"]


class Stopwatch:
    """Wall time of named phases; waits for the GPU at both ends of each.

    A phase within another is no part of the outer one, so that all of them add up to the time that passed. In other
    threads than that in which the watch was made no phase is timed: they work beside this one.

    Parameters
    ----------
    device : torch.device
        What to wait for.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self.beside = 0.0
        """Seconds that other threads worked, added up."""
        self._device = device
        self._thread = threading.get_ident()
        self._open: list[str] = []
        self._since = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block, less phases within it, to ``seconds[name]``."""
        if threading.get_ident() != self._thread:
            yield
            return
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    @contextmanager
    def working_beside(self) -> Iterator[None]:
        """Add the time of the block, in whatever thread, to ``beside``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.beside += time.perf_counter() - began

    def now(self) -> float:
        """Seconds since whenever, once the GPU has done what it was given."""
        if self._device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def _turn(self) -> None:
        """Book what passed since the last turn on the phase that is open."""
        now = self.now()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
