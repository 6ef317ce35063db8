"""One pass over clips that computes rows: decoding runs ahead in threads, shards are written as it goes."""

from __future__ import annotations

import shutil
import time
from binascii import hexlify
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.features import audio
from mirbench.features.ahead import ahead
from mirbench.features.cache import NewRows, RowStore
from mirbench.features.row_index import KEY, KeyArray
from mirbench.features.stopwatch import Stopwatch
from mirbench.progress import Progress
from mirbench.types import Excerpt, Pad

__all__ = ["Compute", "Decode", "Extraction", "as_keys", "row_digests", "row_key"]

_SHARD_BYTES = 2**30  # of one stage
_SHARD_SECONDS = 120.0  # which a stop loses at most
_SAY_BYTES = 500 * 2**20

Compute = Callable[[npt.NDArray[Any], tuple[str, ...]], dict[str, npt.NDArray[Any]]]
"""``compute(windows (n, …), stages)`` -> rows of each stage."""

Decode = Callable[[Excerpt, Sequence[int]], npt.NDArray[Any]]
"""``decode(excerpt, first samples of its windows)`` -> windows (n, …), of audio or of a picture."""


Batch = tuple[int, dict[str, npt.NDArray[Any]], float]
"""Number of windows, rows of each stage, and seconds."""


def row_digests(facts: audio.Facts, excerpt: Excerpt, starts: Iterable[int], pad: Pad = "zeros") -> bytes:
    """What each window of a clip holds: bytes of the file, stretch (its end decides the padding), start, levels.

    Sixteen bytes a window; `as_keys` makes keys of them.

    Parameters
    ----------
    pad : str
        How the clip was filled up where it is shorter than its window; rows of other clips are those of all.
    """
    levels = f"|{excerpt.peaks}" if excerpt.peaks else ""
    levels += "|first channel" if excerpt.first_channel else ""
    parts = f"|{facts.n_parts} parts" if facts.n_parts else ""  # of which only the first was heard once
    # of which some stretches were once read from the wrong place
    vorbis = "|vorbis" if excerpt.start and excerpt.path.suffix.lower() in (".ogg", ".oga") else ""
    fill = f"|{pad}" if pad != "zeros" else ""
    stretch, rest = f"{facts.sha256}|{excerpt.start:.6f}|{excerpt.duration}|", f"{levels}{parts}{vorbis}{fill}"
    return b"".join([blake2b(f"{stretch}{start}{rest}".encode(), digest_size=16).digest() for start in starts])


def as_keys(digests: bytes) -> KeyArray:
    """Keys of rows, one for every sixteen bytes of `row_digests`."""
    return np.frombuffer(hexlify(digests), dtype=KEY)


def row_key(facts: audio.Facts, excerpt: Excerpt, start: int) -> str:
    """What one window holds; see `row_digests`."""
    return row_digests(facts, excerpt, [start]).hex()


@dataclass(frozen=True)
class Extraction:
    """What to compute, and with what.

    Parameters
    ----------
    work : sequence of (Excerpt, sequence of int)
        Clips with the first samples of their windows.
    decode, compute : callable
        See `Decode` and `Compute`.
    batch : int
        Windows a call of it.
    cache : Path
        Root of the cache, for the message about disk.
    watch : Stopwatch
        Takes how long decoding was waited for, and what it took its threads.
    """

    work: Sequence[tuple[Excerpt, Sequence[int]]]
    stages: tuple[str, ...]
    decode: Decode
    compute: Compute
    batch: int
    workers: int
    cache: Path
    progress: Progress
    watch: Stopwatch

    def fill(
        self, stores: Mapping[str, RowStore], keys: KeyArray, about: dict[str, Any], sure: Callable[[], object]
    ) -> None:
        """Compute all rows and write them, a shard at a time, so that a stop loses little.

        `sure` is called before anything is written, and raises where what computed it is not to be trusted.
        """
        batches, done = self.batches(), 0
        with self.progress.bar("computing " + " and ".join(self.stages), len(keys), "windows") as step:
            for batch in batches:
                if done == 0:
                    self._warn_of_size(len(keys), sum(part[0].nbytes for part in batch[1].values()))
                with ExitStack() as held:
                    most = max(1, _SHARD_BYTES // max(part[0].nbytes for part in batch[1].values()))
                    some = keys[done : done + most]
                    lacking = {stage: store for stage, store in stores.items() if store.missing(some)}
                    new = {stage: held.enter_context(store.begin()) for stage, store in lacking.items()}
                    count, seconds = _add(new, chain([batch], batches), most, step)
                    sure()
                    for shard in new.values():
                        shard.finish(keys[done : done + count], seconds, about)
                done += count

    def batches(self) -> Iterator[Batch]:
        """Rows, batch by batch."""
        began = time.perf_counter()
        with ThreadPoolExecutor(self.workers) as pool:
            waiting: list[npt.NDArray[Any]] = []
            for windows in self._windows(pool):
                waiting.extend(windows)
                while len(waiting) >= self.batch:
                    rows = self.compute(np.stack(waiting[: self.batch]), self.stages)
                    del waiting[: self.batch]
                    now = time.perf_counter()
                    yield self.batch, rows, now - began
                    began = time.perf_counter()
            if waiting:
                rows = self.compute(np.stack(waiting), self.stages)
                yield len(waiting), rows, time.perf_counter() - began

    def all_rows(self) -> dict[str, npt.NDArray[Any]]:
        """Those of each stage, in memory."""
        parts = [rows for _, rows, _ in self.batches()]
        return {stage: np.concatenate([rows[stage] for rows in parts]) for stage in self.stages}

    def _windows(self, pool: ThreadPoolExecutor) -> Iterator[npt.NDArray[Any]]:
        """Those of each clip, in order; a few clips are decoded ahead."""
        found = ahead(pool, self._decoded, self.work, 4 * self.workers)
        while True:
            with self.watch.phase("decoding"):
                windows = next(found, None)
            if windows is None:
                return
            yield windows

    def _decoded(self, job: tuple[Excerpt, Sequence[int]]) -> npt.NDArray[Any]:
        with self.watch.working_beside():
            return self.decode(*job)

    def _warn_of_size(self, n_rows: int, row_bytes: int) -> None:
        size = n_rows * row_bytes
        if size < _SAY_BYTES:
            return
        root = self.cache
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
        what = f"{' and '.join(self.stages)} of {n_rows} windows take {size / 1e9:.1f} GB of disk in {root}"
        if size > 0.95 * free:
            raise BadInput(f"{what}, where {free / 1e9:.1f} GB are free: free some, or point MIRBENCH_CACHE elsewhere")
        self.progress.say(f"{what} (`mirbench cache clear` frees it)")


def _add(
    new: Mapping[str, NewRows], batches: Iterable[Batch], most: int, step: Callable[[int], None]
) -> tuple[int, float]:
    """Add batches to shards until those are full; how many rows, and what they cost."""
    began, n_rows, seconds = time.monotonic(), 0, 0.0
    for count, rows, cost in batches:
        for stage, shard in new.items():
            shard.add(rows[stage])
        n_rows, seconds = n_rows + count, seconds + cost
        step(count)
        if n_rows >= most or time.monotonic() - began > _SHARD_SECONDS:
            break
    return n_rows, seconds
