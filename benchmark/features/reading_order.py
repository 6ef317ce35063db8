"""In which order training reads rows: at random, and where they do not fit in memory at random among neighbours.

Rows that lie on disk and are more than memory holds would each be fetched by a read of its own, epoch after epoch. Then
blocks of consecutive rows are put in random order, a few of them are taken at a time, and rows are drawn at random from
among those. The order depends on seed and sizes alone, not on how the rows lie in files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.features.rows import Rows
from mirbench.progress import Progress
from mirbench.types import IntArray

__all__ = ["by_blocks", "epoch_order", "memory_bytes"]

_BLOCK_BYTES = 64 * 2**20
_SHARE = 0.25  # of memory, for the rows that are drawn from


def epoch_order(
    arrays: Sequence[Any], generator: np.random.Generator, progress: Progress
) -> tuple[IntArray, dict[str, str]]:
    """Every row of some arrays once, and what a record must say of the order.

    Parameters
    ----------
    arrays : sequence of array-like, each (n, …)
        Of which those that lie on disk count.
    """
    n_rows, memory = len(arrays[0]), memory_bytes()
    row_bytes = sum(array[:1].nbytes for array in arrays if isinstance(array, Rows))
    if not memory or n_rows * row_bytes <= memory:
        return generator.permutation(n_rows), {}
    progress.warn(
        f"{n_rows} windows take {n_rows * row_bytes / 1e9:.1f} GB, more than memory holds: batches are drawn from near "
        "ones, block by block, and results may differ from those of a larger machine; the record says so"
    )
    return by_blocks(n_rows, row_bytes, memory, generator), {"batches": "drawn block by block"}


def memory_bytes() -> int:
    """What rows may take: most of the memory of this machine, or of what this process may have of it; 0 if unknown."""
    found = []
    with suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # "max" where there is no limit
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return int(0.8 * min(found, default=0))


def by_blocks(n_rows: int, row_bytes: int, memory: int, generator: np.random.Generator) -> IntArray:
    """Every row once: blocks in random order, and rows at random from as many blocks as fit in part of the memory.

    Parameters
    ----------
    memory : int
        Bytes that all rows may take.
    """
    size = max(1, _BLOCK_BYTES // row_bytes)
    at_once = max(2, int(_SHARE * memory) // (size * row_bytes))
    starts = generator.permutation(np.arange(0, n_rows, size))
    order = [
        generator.permutation(np.concatenate([np.arange(at, min(at + size, n_rows)) for at in some]))
        for some in np.split(starts, range(at_once, len(starts), at_once))
    ]
    return np.concatenate(order).astype(np.int64)
