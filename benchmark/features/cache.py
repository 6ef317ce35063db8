"""Rows on disk that are computed once: content-addressed, memory-mapped, written whole or not at all.

A *store* is a folder for one frozen computation (these weights, options, precision, window length). It holds *shards*,
each a folder with ``rows.npy`` (n, …), ``keys.npy`` (n,) and ``cost.json``. A shard is written under a temporary name
and renamed, so a reader sees all of it or none. A row's key names a window by the bytes of its audio and its place in
it: folds, splits and tasks that hold the same clip share its rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.places import written

__all__ = ["RowStore", "Rows", "file_sha256", "replace_folder"]

_KEY_DTYPE = "S32"


class Rows:
    """Rows gathered from memory-mapped shards; behaves like a read-only array along its first axis.

    Parameters
    ----------
    shards : sequence of ndarray
        Arrays (usually memory-mapped) that agree in all axes but the first.
    shard, row : ndarray of int, shape (n,)
        Where row i lies: ``shards[shard[i]][row[i]]``.
    """

    def __init__(self, shards: Sequence[npt.NDArray[Any]], shard: npt.NDArray[Any], row: npt.NDArray[Any]) -> None:
        self._shards, self._shard, self._row = shards, shard, row
        self.shape: tuple[int, ...] = (len(row), *shards[0].shape[1:])
        self.dtype = shards[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> npt.NDArray[Any]:
        shard, row = self._shard[index], self._row[index]
        out = np.empty((len(row), *self.shape[1:]), dtype=self.dtype)
        for number in np.unique(shard):
            here = shard == number
            out[here] = self._shards[number][row[here]]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype, copy=False) if dtype is not None else self[:]


class RowStore:
    """The rows of one frozen computation.

    Parameters
    ----------
    folder : Path
        Where its shards lie; made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._where: dict[bytes, tuple[int, int]] = {}
        self._shards: list[npt.NDArray[Any]] = []
        self._cost: list[float] = []  # seconds a row, one entry a shard
        self._seen: set[str] = set()
        self._look()

    def missing(self, keys: Sequence[str]) -> list[int]:
        """Positions of the keys that have no row yet."""
        if any(key.encode() not in self._where for key in keys):
            self._look()  # another process may have written them
        return [i for i, key in enumerate(keys) if key.encode() not in self._where]

    def get(self, keys: Sequence[str]) -> Rows:
        """Rows of the keys, in their order; every key must be there."""
        places = np.array([self._where[key.encode()] for key in keys], dtype=np.int64).reshape(-1, 2)
        return Rows(self._shards, places[:, 0], places[:, 1])

    def seconds(self, keys: Sequence[str]) -> float:
        """What computing these rows cost when it was done."""
        return float(sum(self._cost[self._where[key.encode()][0]] for key in keys))

    def put(self, keys: Sequence[str], rows: npt.NDArray[Any], seconds: float, about: dict[str, Any]) -> None:
        """Write a shard, whole or not at all; `seconds` is what it cost, `about` says what the store holds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        try:
            np.save(work / "rows.npy", np.ascontiguousarray(rows))
            np.save(work / "keys.npy", np.array([key.encode() for key in keys], dtype=_KEY_DTYPE))
            cost = {"seconds": seconds, "n_rows": len(keys), "about": about}
            (work / "cost.json").write_text(json.dumps(cost, allow_nan=False))
            work.chmod(0o755)
            os.replace(work, self.folder / work.name.removeprefix(".writing-"))
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._look()

    def _look(self) -> None:
        """Take up shards that were written since the last look, by this process or another."""
        if not self.folder.is_dir():
            return
        for shard in sorted(self.folder.iterdir()):
            if shard.name.startswith(".") or shard.name in self._seen:
                continue
            rows = np.load(shard / "rows.npy", mmap_mode="r", allow_pickle=False)
            cost = json.loads((shard / "cost.json").read_text())
            number = len(self._shards)
            for row, key in enumerate(np.load(shard / "keys.npy", allow_pickle=False)):
                self._where.setdefault(bytes(key), (number, row))
            self._shards.append(rows)
            self._cost.append(cost["seconds"] / max(cost["n_rows"], 1))
            self._seen.add(shard.name)


def file_sha256(path: Path, memo: Path) -> str:
    """Hash of a file, remembered by path, size and modification time in the SQLite file `memo`."""
    status = path.stat()
    key = f"{written(path.resolve())}|{status.st_size}|{status.st_mtime_ns}"
    memo.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(memo, timeout=60)
    try:
        database.execute("CREATE TABLE IF NOT EXISTS hashes (key TEXT PRIMARY KEY, sha256 TEXT)")
        row = database.execute("SELECT sha256 FROM hashes WHERE key = ?", (key,)).fetchone()
        if row:
            return str(row[0])
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        database.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?)", (key, sha256))
        database.commit()
        return sha256
    finally:
        database.close()


def replace_folder(work: Path, target: Path) -> None:
    """Put the finished folder `work` in the place of `target`; a reader never sees half of one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(work, target)
    except OSError:  # the target is there and not empty: move it aside first
        old = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent))
        os.replace(target, old / "it")
        try:
            os.replace(work, target)
        except OSError:
            os.replace(old / "it", target)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
