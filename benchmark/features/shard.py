"""One shard of a store of rows: a folder with ``rows.npy``, ``keys.npy``, ``sums.npy`` and ``cost.json``.

``rows.npy`` (n, …) holds the rows, ``keys.npy`` (n,) their keys, ``sums.npy`` (n,) the CRC-32 of each row, and
``cost.json`` what they cost, with checksums of all else. Where rows came from several shards, ``costs.npy`` (n,) holds
the seconds that each has cost. A row is looked at once a process, before it is first used.
Shards of earlier versions have no checksums: of these, sizes and types are compared.
"""

from __future__ import annotations

import io
import json
import mmap
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.features.new_shard import as_bytes, head_sum, json_sum
from mirbench.features.row_index import KEY, KeyArray
from mirbench.npy_header import read_npy_header

__all__ = ["DamagedShard", "Shard", "sync"]

_MOST_MAPS = 64  # open at once; a process may have 256 files open on some systems
_SMALL, _MOST_SMALL = 2**18, 1024  # bytes of a shard that is held in memory, where it takes no open file
_PARTS = ("rows.npy", "keys.npy", "cost.json")


class DamagedShard(Exception):
    """What is wrong with a shard, in a few words."""


class Shard:
    """The rows of a shard, mapped into memory while they are used.

    Parameters
    ----------
    folder : Path
        Where it lies.

    Attributes
    ----------
    keys : ndarray of bytes, shape (n,)
        Of its rows.
    costs : ndarray of float64, shape (n,)
        Seconds that each row cost.
    sealed : bool
        Whether it holds checksums.
    about : dict
        What the store holds.
    replaces : tuple of str
        Names of the shards that were merged into it.

    Raises
    ------
    DamagedShard
        If its keys or its cost are not as they were written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with _explained():
            cost = json.loads((folder / "cost.json").read_bytes())
            held = (folder / "keys.npy").read_bytes()
            self.sealed = "sum" in cost
            _require(self.sealed == (folder / "sums.npy").exists(), "sums.npy")
            self._sums_of: dict[str, Any] = cost.pop("sums") if self.sealed else {}
            if self.sealed:
                _require(cost.pop("sum") == json_sum({**cost, "sums": self._sums_of}), "cost.json")
                _require(self._sums_of["keys.npy"] == zlib.crc32(held), "keys.npy")
            keys = np.load(io.BytesIO(held), allow_pickle=False)
            _require(keys.dtype == KEY and keys.shape == (cost["n_rows"],), "keys.npy")
            self.keys: KeyArray = keys
            about = cost.get("about")
            self.about: dict[str, Any] = about if isinstance(about, dict) else {}
            self.replaces: tuple[str, ...] = tuple(cost.get("replaces", ()))
            mean = float(cost["seconds"]) / max(len(keys), 1)
            apart = "costs.npy" in self._sums_of
            self.costs = self._vouched("costs.npy") if apart else np.broadcast_to(mean, keys.shape)
            _require(self.costs.shape == keys.shape, "costs.npy")
        self._sound = np.zeros(len(self.keys), dtype=bool)
        self._open: Callable[..., npt.NDArray[Any]] = _mapped
        self._layout: tuple[int, tuple[int, ...], str] | None = None
        self._sums: npt.NDArray[np.uint32] | None = None

    @staticmethod
    def is_one(folder: Path) -> bool:
        """Whether a folder holds any part of a shard: others' folders are none of ours."""
        return any((folder / name).exists() for name in _PARTS)

    @property
    def form(self) -> tuple[tuple[int, ...], str]:
        """Shape and type of a row.

        Raises
        ------
        DamagedShard
            If the file of the rows is not as it was written.
        """
        _, shape, dtype = self._laid_out()
        return shape[1:], dtype

    @property
    def sums(self) -> npt.NDArray[Any]:
        """Checksum of each row, shape (n,), of a shard that is sealed.

        Raises
        ------
        DamagedShard
            If they are not as they were written.
        """
        if self._sums is None:
            with _explained():
                self._sums = self._vouched("sums.npy")
        return self._sums

    @property
    def rows(self) -> npt.NDArray[Any]:
        """All rows, read-only."""
        layout = self._laid_out()
        try:
            return self._open(str(self.folder / "rows.npy"), *layout)
        except OSError as error:
            raise BadInput(
                f"{self.folder}: rows in use were removed, or cannot be read ({error}); ask again"
            ) from error

    def check(self, wanted: npt.NDArray[np.int64]) -> None:
        """Compare rows with their checksums, those that were not before.

        Raises
        ------
        DamagedShard
            If one is not as it was written.
        """
        new = np.unique(wanted[~self._sound[wanted]])
        if not len(new):
            return
        rows = self.rows
        if self.sealed:
            flat = as_bytes(rows)
            found = np.array([zlib.crc32(flat[row]) for row in new], dtype=np.uint32)
            if wrong := int((found != self.sums[new]).sum()):
                raise DamagedShard(f"{wrong} of {len(new)} rows are not as they were written")
        self._sound[new] = True

    def _vouched(self, name: str) -> npt.NDArray[Any]:
        """An array of the shard that has a checksum."""
        held = (self.folder / name).read_bytes()
        _require(self._sums_of[name] == zlib.crc32(held), name)
        array: npt.NDArray[Any] = np.load(io.BytesIO(held), allow_pickle=False)
        return array

    def _laid_out(self) -> tuple[int, tuple[int, ...], str]:
        if self._layout is None:
            with _explained():
                self._layout = self._read_layout()
        return self._layout

    def _read_layout(self) -> tuple[int, tuple[int, ...], str]:
        """Where rows begin in their file, their shape and type."""
        path = self.folder / "rows.npy"
        if self.sealed:
            offset, expected = self._sums_of["header"]
            _require(head_sum(path, offset) == expected, "rows.npy")
        with path.open("rb") as stream:
            shape, in_columns, dtype = read_npy_header(stream)
            offset = stream.tell()
        _require(not in_columns and not dtype.hasobject and shape[:1] == (len(self.keys),), "rows.npy")
        size = path.stat().st_size
        _require(size == offset + int(np.prod(shape, dtype=object)) * dtype.itemsize, "rows.npy")
        self._open = _read if size <= _SMALL else _mapped
        return offset, shape, dtype.str


@lru_cache(maxsize=_MOST_MAPS)
def _mapped(path: str, offset: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    with open(path, "rb") as stream:
        held = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # closed when the last array over it is gone
    return np.frombuffer(held, dtype, int(np.prod(shape)), offset).reshape(shape)


@lru_cache(maxsize=_MOST_SMALL)
def _read(path: str, offset: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    held = Path(path).read_bytes()
    return np.frombuffer(held, dtype, int(np.prod(shape)), offset).reshape(shape)


def _require(right: bool, name: str) -> None:
    if not right:
        raise DamagedShard(f"{name} is not as it was written")


@contextmanager
def _explained() -> Iterator[None]:
    """Whatever reading a damaged file brings about, in the words of this module."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that numpy can make something of
            yield
    except DamagedShard:
        raise
    except Exception as error:  # numpy's reader of headers raises what Python's own parser does
        raise DamagedShard(f"{type(error).__name__}: {error}".partition("\n")[0]) from error


def sync(folder: Path, *, files: bool = True) -> None:
    """Bring a folder, and its files, onto the disk: a name must not outlive what it names when the power goes."""
    if os.name == "nt":  # folders cannot be opened there
        return
    for path in [*(folder.iterdir() if files else ()), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
