"""Keeps off the terminal what libmpg123, which cannot be told to be silent, prints there of odd files.

While an MP3 is decoded, what is written to standard error goes to a file. When the decoder is done with its block, all
that is not libmpg123's is passed on: what others print comes some milliseconds later, perhaps after a line that was
written just then, and is never lost.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["without_decoder_lines"]

_STDERR = 2
_DECODER = re.compile(rb"\s*(?:(?:Note|Warning|NOTE|WARNING): |\[src/libmpg123/|$)")


class _Aside:
    """Where standard error goes meanwhile; threads share it, and the last one puts it back."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._users, self._terminal, self._read = 0, -1, 0
        self._open = False  # whether what was passed on last ended within a line
        self._file: IO[bytes] | None = None

    def begin(self) -> None:
        if self._users == 0:
            self._file = self._file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (as long as the process)
            self._terminal = os.dup(_STDERR)
            os.dup2(self._file.fileno(), _STDERR)
        self._users += 1

    def end(self) -> None:
        self._users -= 1
        self._pass_on()
        if self._users == 0:
            os.dup2(self._terminal, _STDERR)
            self._pass_on()
        if self._users == 0:
            os.close(self._terminal)

    def forget(self) -> None:
        """In a child process: its standard error is the terminal again."""
        if self._users:
            os.dup2(self._terminal, _STDERR)
            os.close(self._terminal)
        self.__init__()  # type: ignore[misc]

    def _pass_on(self) -> None:
        assert self._file is not None
        content = os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size - self._read, self._read)
        self._read += len(content)
        for line in content.splitlines(keepends=True):
            if self._open or not _DECODER.match(line):  # the end of a line may come apart from it
                os.write(self._terminal, line)
                self._open = not line.endswith(b"\n")


_aside = _Aside()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_aside.forget)


@contextmanager
def without_decoder_lines() -> Iterator[None]:
    """What libmpg123 prints is dropped; where there is no standard error, nothing is done."""
    try:
        with _aside.lock:
            _aside.begin()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with _aside.lock:
            _aside.end()
