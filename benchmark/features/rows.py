"""Rows that lie in several shards, as one array that is read as far as it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.features.shard import Shard

__all__ = ["Rows"]


class Rows:
    """Rows gathered from the shards of a store; behaves like a read-only array along its first axis.

    Parameters
    ----------
    shards : sequence of Shard
        Their rows agree in all axes but the first.
    shard, row : ndarray of int, shape (n,)
        Where row i lies: ``shards[shard[i]].rows[row[i]]``.
    """

    def __init__(self, shards: Sequence[Shard], shard: npt.NDArray[Any], row: npt.NDArray[Any]) -> None:
        self._shards, self._shard, self._row = shards, shard, row
        example = shards[shard[0] if len(shard) else 0].rows
        self.shape: tuple[int, ...] = (len(row), *example.shape[1:])
        self.dtype = example.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> npt.NDArray[Any]:
        shard, row = self._shard[index], self._row[index]
        if len(row) and (shard == shard[0]).all():  # as a batch of a small task
            return np.asarray(self._shards[shard[0]].rows[row])
        out = np.empty((len(row), *self.shape[1:]), dtype=self.dtype)
        for number in np.unique(shard):
            here = shard == number
            out[here] = self._shards[number].rows[row[here]]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype, copy=False) if dtype is not None else self[:]
