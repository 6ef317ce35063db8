"""Where rows lie, by key: sorted arrays of numbers, which a million keys take a second and 70 MB of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["KEY", "KeyArray", "Keys", "RowIndex", "key_numbers", "keys_as_array"]

KEY = np.dtype("S32")
KeyArray = npt.NDArray[np.bytes_]
Keys = Sequence[str] | KeyArray


def keys_as_array(keys: Keys) -> KeyArray:
    """Keys of rows as an array of bytes, shape (n,)."""
    return keys if isinstance(keys, np.ndarray) else np.array([key.encode() for key in keys], dtype=KEY)


def key_numbers(keys: KeyArray) -> npt.NDArray[np.uint64]:
    """A number for each key, which sorts and compares faster; two keys hardly ever share one."""
    words = np.ascontiguousarray(keys).view("<u8").reshape(len(keys), 4)
    number = np.zeros(len(keys), dtype=np.uint64)
    for word in words.T:
        number = (number ^ word) * np.uint64(0x9E3779B97F4A7C15)  # spreads what differs over all bits
        number ^= number >> np.uint64(29)
    return number


class RowIndex:
    """Which shard holds the row of a key, and where in it; of a key in several shards, the first that was entered."""

    def __init__(self) -> None:
        self._numbers = np.zeros(0, dtype=np.uint64)
        self._keys = np.zeros(0, dtype=KEY)
        self._places = np.zeros((0, 2), dtype=np.int64)
        self._new: list[tuple[int, KeyArray]] = []

    def enter(self, shard: int, keys: KeyArray) -> None:
        """Take up the keys of a shard."""
        self._new.append((shard, keys))

    def find(self, keys: KeyArray) -> npt.NDArray[np.int64]:
        """Shard and row of each key, shape (n, 2); -1 where there is none."""
        self._sort()
        found = np.full((len(keys), 2), -1, dtype=np.int64)
        numbers = key_numbers(keys)
        which, at = np.arange(len(keys)), np.searchsorted(self._numbers, numbers)
        while True:  # once, and once more for each other key of the same number
            alike = np.zeros(len(at), dtype=bool)
            inside = at < len(self._numbers)
            alike[inside] = self._numbers[at[inside]] == numbers[which[inside]]
            which, at = which[alike], at[alike]
            if not len(which):
                return found
            same = self._keys[at] == keys[which]
            found[which[same]] = self._places[at[same]]
            which, at = which[~same], at[~same] + 1

    @property
    def keys(self) -> KeyArray:
        """Every key once, in the order in which they were entered."""
        self._sort()
        order = np.lexsort((self._places[:, 1], self._places[:, 0]))
        keys, places = self._keys[order], self._places[order]
        return keys[(self.find(keys) == places).all(axis=1)]

    def _sort(self) -> None:
        if not self._new:
            return
        new, self._new = self._new, []
        places = [np.stack([np.full(len(keys), shard), np.arange(len(keys))], axis=1) for shard, keys in new]
        keys = np.concatenate([self._keys, *(keys for _, keys in new)])
        numbers = np.concatenate([self._numbers, *(key_numbers(keys) for _, keys in new)])
        order = np.argsort(numbers, kind="stable")  # of equal keys the first stays the first
        self._numbers, self._keys = numbers[order], keys[order]
        self._places = np.concatenate([self._places, *places])[order]
