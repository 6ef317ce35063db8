"""Work that runs ahead of its reader in threads, but not far: of 300,000 files a few are held at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["ahead"]

Job = TypeVar("Job")
Answer = TypeVar("Answer")


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[Job], Answer], jobs: Iterable[Job], depth: int
) -> Iterator[Answer]:
    """Like ``pool.map`` in order, but never more than `depth` jobs ahead of the reader."""
    left = iter(jobs)
    pending: deque[Future[Answer]] = deque(pool.submit(function, job) for job in islice(left, depth))
    while pending:
        answer = pending.popleft().result()
        pending.extend(pool.submit(function, job) for job in islice(left, 1))
        yield answer
