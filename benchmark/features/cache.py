"""Rows on disk that are computed once: content-addressed, memory-mapped, written whole or not at all.

A *store* is a folder for one frozen computation (these weights, options, precision, window length). It holds *shards*
(`mirbench.features.shard`). A shard is written under a temporary name and renamed, so a reader sees all of it or none.
A row's key names a window by the bytes of its audio and its place in it: folds, splits and tasks that hold the same
clip share its rows. What lies on disk is believed as far as its checksums go: a shard that is not as it was written is
put aside, as ``.damaged-NAME``, and its rows are computed again.
"""

from __future__ import annotations

import errno
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.features.new_shard import ArrayLike, NewShard
from mirbench.features.row_index import KeyArray, Keys, RowIndex, keys_as_array
from mirbench.features.rows import Rows
from mirbench.features.shard import DamagedShard, Shard, sync
from mirbench.features.temporary import temporary

__all__ = ["NewRows", "RowStore", "throwaway", "unwritable", "writing_to"]

_AT_ONCE = 128  # rows that are copied together: a hidden layer of a window may take megabytes
_BYTES_AT_ONCE = 2**22  # that are written together


class RowStore:
    """The rows of one frozen computation.

    Parameters
    ----------
    folder : Path
        Where its shards lie; made on the first write.
    scratch : Path or None
        Where new shards are written instead: what is not to be kept, or has no other place.
    say : callable or None
        Is given a line about shards that were put aside.

    Attributes
    ----------
    shards : list of Shard
        In the order in which they were found; of a key in several, the first counts.
    """

    def __init__(self, folder: Path, scratch: Path | None = None, say: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self._scratch, self._say = scratch, say or (lambda line: None)
        self._index = RowIndex()
        self.shards: list[Shard] = []
        self._seen: set[Path] = set()
        self._form: tuple[tuple[int, ...], np.dtype[Any]] | None = None
        self._faults: list[str] = []
        self.look()

    def missing(self, keys: Keys) -> list[int]:
        """Positions of the keys that have no row yet, or none that is as it was written."""
        wanted = keys_as_array(keys)
        if (self._index.find(wanted) < 0).any():
            self.look()  # another process may have written them
        while not self._all_sound(places := self._index.find(wanted)):
            pass  # a shard was put aside; another may hold some of its rows
        if self._faults:
            self._say(
                f"{self.folder}: {len(self._faults)} shards of kept rows are damaged ({self._faults[0]}); put aside as "
                f".damaged-*, what is needed of them is computed again (`mirbench cache clear` removes them)"
            )
            self._faults.clear()
        return np.flatnonzero(places[:, 0] < 0).tolist()

    def get(self, keys: Keys) -> Rows:
        """Rows of the keys, in their order; every key must be there."""
        places = self.places(keys)
        return Rows(self.shards, places[:, 0], places[:, 1])

    @property
    def keys(self) -> KeyArray:
        """Of every row that is there."""
        return self._index.keys

    @property
    def about(self) -> dict[str, Any]:
        """What the store holds, as its first shard says; nothing where it has none."""
        return next((shard.about for shard in self.shards), {})

    def copy_to(self, other: RowStore, keys: Keys) -> None:
        """Put those of some rows that are here, and that the other lacks, into it."""
        wanted = keys_as_array(keys)
        lacking = wanted[other.missing(wanted)]
        found = np.delete(lacking, self.missing(lacking))
        for first in range(0, len(found), _AT_ONCE):
            some = found[first : first + _AT_ONCE]
            other.put(some, self.get(some)[:], self.costs(some), self.about)

    def seconds(self, keys: Keys) -> float:
        """What computing these rows cost when it was done."""
        return float(self.costs(keys).sum())

    def costs(self, keys: Keys) -> npt.NDArray[np.float64]:
        """Seconds that each of these rows cost, shape (n,)."""
        places = self.places(keys)
        found = np.zeros(len(places))
        for number in np.unique(places[:, 0]):
            here = places[:, 0] == number
            found[here] = self.shards[number].costs[places[here, 1]]
        return found

    def put(
        self,
        keys: Keys,
        rows: ArrayLike,
        costs: float | npt.NDArray[np.float64],
        about: dict[str, Any],
        *,
        name: str = "",
        replaces: Sequence[str] = (),
    ) -> None:
        """Write a shard, whole or not at all.

        Parameters
        ----------
        costs : float or ndarray, shape (n,)
            Seconds that all rows cost together, or that each did.
        about : dict
            What the store holds.
        name : str
            Of the shard; "" is one of its own.
        replaces : sequence of str
            Names of the shards whose rows it holds.

        Raises
        ------
        BadInput
            If the disk is full, or the folder cannot be written to.
        """
        step = max(1, _BYTES_AT_ONCE * len(keys) // max(1, math.prod(rows.shape) * rows.dtype.itemsize))
        with self.begin(name) as new:
            for first in range(0, len(keys), step):
                new.add(rows[first : first + step])
            new.finish(keys, costs, about, replaces)

    @contextmanager
    def begin(self, name: str = "") -> Iterator[NewRows]:
        """A shard to write rows to; it is there, whole, once it is finished, and is not if it was not.

        Raises
        ------
        BadInput
            As `put`.
        """
        folder = self._scratch or self.folder
        with ExitStack() as held:
            with writing_to(folder, _REMEDY):
                work = held.enter_context(temporary(folder))
                new = NewShard(work)
            held.callback(new.let_go)
            yield NewRows(self, new, work, folder / (name or work.name.removeprefix(".writing-")))

    def places(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Shard, as a place in `shards`, and row of each key, shape (n, 2); every key must be there."""
        places = self._index.find(wanted := keys_as_array(keys))
        if (lacking := places[:, 0] < 0).any():
            raise KeyError(wanted[lacking][0].decode())
        return places

    def _all_sound(self, places: npt.NDArray[np.int64]) -> bool:
        """Look at rows that were not looked at yet; False where a shard had to be put aside."""
        touched = np.unique(places[:, 0])
        for number in sorted(touched[touched >= 0], key=lambda number: not self.shards[number].sealed):
            shard = self.shards[number]
            try:
                shard.check(places[places[:, 0] == number, 1])
                form = (shard.rows.shape[1:], shard.rows.dtype)
                self._form = self._form or form
                if form != self._form:
                    raise DamagedShard(f"rows of {form[1]} and shape {form[0]} among those of {self._form}")
            except DamagedShard as damage:
                if shard.folder.exists():
                    self._put_aside(shard.folder, damage)
                else:  # merged with others, or cleared
                    self.look()
                shard.keys = shard.keys[:0]
                self._index = RowIndex()
                for other, left in enumerate(self.shards):
                    self._index.enter(other, left.keys)
                return False
        return True

    def _put_aside(self, folder: Path, damage: DamagedShard) -> None:
        self._faults.append(f"{folder.name}: {damage}")
        with suppress(OSError):  # it may lie where nothing can be changed; this process knows
            os.replace(folder, folder.with_name(f".damaged-{folder.name}"))

    def look(self) -> None:
        """Take up shards that were written since the last look, by this process or another."""
        for folder in self._listed():
            self._seen.add(folder)
            try:
                self.shards.append(Shard(folder))
            except DamagedShard as damage:
                if Shard.is_one(folder):
                    self._put_aside(folder, damage)
                continue
            self._index.enter(len(self.shards) - 1, self.shards[-1].keys)

    def _listed(self) -> list[Path]:
        """Folders that were not seen before; others' files are none of ours."""
        found = []
        for store in filter(None, (self.folder, self._scratch)):
            with suppress(OSError), os.scandir(store) as entries:
                new = [store / entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
                found += sorted(folder for folder in new if folder not in self._seen)
        return found


class NewRows:
    """A shard of a store that is being written; see `RowStore.begin`."""

    def __init__(self, store: RowStore, shard: NewShard, work: Path, place: Path) -> None:
        self._store, self._shard, self._work, self._place = store, shard, work, place

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Write rows, shape (n, …), behind those that were added before."""
        with writing_to(self._place.parent, _REMEDY):
            self._shard.add(rows)

    def finish(
        self, keys: Keys, costs: float | npt.NDArray[np.float64], about: dict[str, Any], replaces: Sequence[str] = ()
    ) -> None:
        """Put the shard in its place; see `RowStore.put`."""
        with writing_to(folder := self._place.parent, _REMEDY):
            self._shard.finish(keys, costs, about, replaces)
            self._work.chmod(0o755)
            kept = folder == self._store.folder
            if kept:
                sync(self._work)
            os.replace(self._work, self._place)
            if kept:
                sync(folder, files=False)
        self._store.look()


_REMEDY = "free some, or point MIRBENCH_CACHE elsewhere"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)


@contextmanager
def writing_to(folder: Path, remedy: str) -> Iterator[None]:
    """Say which folder it is that cannot be written to, and what to do.

    Raises
    ------
    BadInput
        If within the block a disk is full, or refuses.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or (error.errno is None and "requested and" in str(error)):  # numpy's word for it
            raise BadInput(f"{folder}: no space is left ({error.strerror or error}); {remedy}") from error
        if error.errno in _REFUSED:
            raise BadInput(f"{folder}: cannot be written to ({error.strerror}); {remedy}") from error
        raise


def unwritable(folder: Path) -> str:
    """Why nothing can be written to a folder, which need not be there yet; "" where something can."""
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if not there.is_dir():
        return f"{there} is no folder"
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return str(error.strerror or error)


@contextmanager
def throwaway(cache: Path) -> Iterator[Path]:
    """A folder for what is not kept, on the disk of the cache, where large things have room; removed at the end."""
    with temporary(None if unwritable(cache) else cache / "scratch") as folder:
        yield folder
