"""What a call does to the process that it shares with its user: warnings, and settings that are put back."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mirbench.plain_text import one_message
from mirbench.progress import Progress

__all__ = ["Telling", "alone"]

_one_at_a_time = threading.RLock()
"""A run sets what a whole process shares (random numbers, torch's settings): calls in other threads wait."""


class Telling(Progress):
    """Draws a bar where it is asked for; what must be seen is a Python warning."""

    def warn(self, line: str) -> None:
        """Warn, as `warnings.warn` does."""
        warnings.warn(one_message(line), stacklevel=2)


@contextmanager
def alone() -> Iterator[None]:
    """One call at a time computes, and leaves the settings of torch as it found them."""
    from mirbench.runs.surroundings import settings_put_back

    with _one_at_a_time, settings_put_back():
        yield
