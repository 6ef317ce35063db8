"""The stores of rows that a context reads and fills: opened once, claimed while rows are computed, counted once a run.

Where nothing can be written to the cache, new rows go to a folder that goes with them.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.features.cache import RowStore, unwritable
from mirbench.features.claims import claimed
from mirbench.features.row_index import KeyArray, key_numbers
from mirbench.features.temporary import temporary
from mirbench.progress import Progress

__all__ = ["RowStores", "StoreContents", "contents"]


@dataclass(frozen=True)
class StoreContents:
    """What lies in a store of rows, by what its shards say of themselves.

    Parameters
    ----------
    name : str
        Of its folder: a stage, and a hash of all that its rows depend on.
    n_shards, n_rows, n_bytes : int
        Whole shards, and what they hold.
    seconds : float
        What computing the rows cost.
    """

    name: str
    n_shards: int
    n_rows: int
    n_bytes: int
    seconds: float


def contents(cache: Path) -> list[StoreContents]:
    """What lies in every store of a cache; no row and no key is read."""
    return [_contents(store) for store in sorted((cache / "rows").glob("*/")) if not store.name.startswith(".")]


def _contents(store: Path) -> StoreContents:
    n_shards, n_rows, n_bytes, seconds = 0, 0, 0, 0.0
    for folder in store.glob("*/"):
        with suppress(OSError, ValueError, KeyError, TypeError, OverflowError):  # damaged, or none of ours
            cost = {} if folder.name.startswith(".") else json.loads((folder / "cost.json").read_bytes())
            n_rows, seconds = n_rows + int(cost["n_rows"]), seconds + float(cost["seconds"])
            n_shards, n_bytes = n_shards + 1, n_bytes + sum(file.stat().st_size for file in folder.iterdir())
    return StoreContents(store.name, n_shards, n_rows, n_bytes, seconds)


class RowStores:
    """The stores of rows of one task.

    Parameters
    ----------
    cache : Path
        Root of the cache.
    scratch : Path or None
        Where rows that are new go instead; see `mirbench.features.context.Context`.
    hashes : iterable of str
        Of the files of the task: whose rows a process claims while it computes them.
    progress : Progress
        What says that others are waited for, or that nothing can be kept.
    """

    def __init__(self, cache: Path, scratch: Path | None, hashes: Iterable[str], progress: Progress) -> None:
        self._cache, self._scratch, self._progress = cache, scratch, progress
        self._task_digest = hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()[:12]
        self._stores: dict[Path, RowStore] = {}
        self._counted: dict[Path, npt.NDArray[np.uint64]] = {}
        self._claiming = False

    @property
    def root(self) -> Path:
        """Where new rows go."""
        return self._scratch or self._cache

    def begin_run(self) -> None:
        """Start to count afresh; see `uncounted_seconds`."""
        self._counted.clear()

    def uncounted_seconds(self, store: RowStore, keys: KeyArray) -> float:
        """What these rows cost when they were computed, less those that were counted before in this run."""
        numbers = key_numbers(keys)
        counted = self._counted.get(store.folder, numbers[:0])
        fresh = ~np.isin(numbers, counted)
        self._counted[store.folder] = np.concatenate([counted, numbers[fresh]])
        return store.seconds(keys[fresh])

    @contextmanager
    def alone_at(self, stores: Mapping[str, RowStore]) -> Iterator[None]:
        """Wait until no other process computes rows of this task for a store, and keep others waiting in the block."""
        # a computation that needs rows itself must not wait: others may wait for it
        if self._claiming or self._scratch is not None:
            yield
            return
        self._claiming = True
        try:
            with ExitStack() as held:
                for stage, store in sorted(stores.items(), key=lambda item: item[1].folder):  # for all in one order
                    claim = store.folder / f"rows-{self._task_digest}"
                    held.enter_context(claimed(claim, f"computing {stage}", self._progress))
                yield
        finally:
            self._claiming = False

    def writable(self, stores: dict[str, RowStore]) -> dict[str, RowStore]:
        """The same stores, with another place for what is new where nothing can be written to the cache."""
        if self._scratch is not None or not (why := unwritable(self._cache)):
            return stores
        held = ExitStack()
        self._scratch = held.enter_context(temporary())
        weakref.finalize(self, held.close)
        self._progress.say(f"{self._cache}: no rows can be kept there ({why}); they are kept for this command alone")
        self._stores.clear()
        return {stage: self._opened(store.folder) for stage, store in stores.items()}

    def store(self, stage: str, about: Mapping[str, Any]) -> RowStore:
        """Where rows of a stage lie.

        Parameters
        ----------
        about : mapping
            What they depend on besides the audio.
        """
        import soxr

        depends = {**about, "stage": stage, "soxr": soxr.__version__}
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:20]
        return self._opened(self._cache / "rows" / f"{stage}-{digest}")

    def hand_out(self, keys_of: Callable[[Mapping[str, Any]], KeyArray], cache: Path) -> None:
        """Copy rows of every store that is open to another cache: those of ``keys_of(what the rows depend on)``."""
        for folder, store in self._stores.items():
            store.copy_to(RowStore(cache / "rows" / folder.name), keys_of(store.about))

    def take_in(self, cache: Path) -> None:
        """Keep the rows of another cache here, too."""
        for folder in sorted((cache / "rows").glob("*/")):
            new = RowStore(folder)
            own = self._opened(self._cache / "rows" / folder.name)
            if own.missing(new.keys):
                new.copy_to(self.writable({"": own})[""], new.keys)

    def _opened(self, folder: Path) -> RowStore:
        if folder not in self._stores:
            scratch = self._scratch and self._scratch / folder.name
            self._stores[folder] = RowStore(folder, scratch, self._progress.say)
        return self._stores[folder]
