"""The writing of a shard of a store of rows; what lies in one is told in `mirbench.features.shard`."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mirbench.features.row_index import Keys, keys_as_array

__all__ = ["ArrayLike", "NewShard", "as_bytes", "head_sum", "json_sum"]


class ArrayLike(Protocol):
    """An array, or rows that are gathered as they are sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all rows."""
        ...

    @property
    def dtype(self) -> Any:
        """Of a value."""
        ...

    def __getitem__(self, index: slice) -> npt.NDArray[Any]:
        """Rows."""
        ...


class NewShard:
    """A shard that is being written, some rows after others, so that no more of them are held in memory.

    Parameters
    ----------
    folder : Path
        It is there, and empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stream = (folder / "rows.npy").open("wb")
        self._form: tuple[tuple[int, ...], np.dtype[Any]] | None = None
        self._sums: list[int] = []

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Write rows, shape (n, …), behind those that were added before."""
        if self._form is None:
            self._form = (rows.shape[1:], rows.dtype)
            self._write_header()
        some = as_bytes(np.ascontiguousarray(rows))
        self._sums += [zlib.crc32(row) for row in some]
        self._stream.write(some.data)

    def finish(
        self, keys: Keys, costs: float | npt.NDArray[np.float64], about: Any, replaces: Sequence[str] = ()
    ) -> None:
        """Write what else belongs to the shard.

        Parameters
        ----------
        costs : float or ndarray, shape (n,)
            Seconds that all rows cost together, or that each did.
        about : object
            What the store holds, in JSON's words.
        replaces : sequence of str
            Names of the shards whose rows it holds.
        """
        self._stream.seek(0)
        offset = self._write_header()
        self._stream.close()
        files = {"keys.npy": keys_as_array(keys), "sums.npy": np.array(self._sums, dtype=np.uint32)}
        if isinstance(costs, np.ndarray):
            files["costs.npy"] = costs
        for name, held in files.items():
            np.save(self._folder / name, held)
        cost: dict[str, Any] = {"seconds": float(np.sum(costs)), "n_rows": len(keys), "about": about}
        if replaces:
            cost["replaces"] = list(replaces)
        cost["sums"] = {name: zlib.crc32((self._folder / name).read_bytes()) for name in files}
        cost["sums"]["header"] = [offset, head_sum(self._folder / "rows.npy", offset)]
        cost["sum"] = json_sum(cost)
        (self._folder / "cost.json").write_text(json.dumps(cost, allow_nan=False))

    def let_go(self) -> None:
        """Close the file, whatever is in it: what is left to be written to a full disk is no further error."""
        with suppress(OSError):
            self._stream.close()

    def _write_header(self) -> int:
        """Write how many rows there are by now; numpy leaves room for more digits. Where the rows begin."""
        shape, dtype = self._form or ((), np.dtype(np.float32))
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (len(self._sums), *shape),
        }  # fmt: skip
        np.lib.format.write_array_header_1_0(self._stream, header)
        return self._stream.tell()


def as_bytes(rows: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Bytes of each row, shape (n, n_bytes)."""
    return rows.reshape(len(rows), int(np.prod(rows.shape[1:]))).view(np.uint8)


def head_sum(path: Path, length: int) -> int:
    """Checksum of the beginning of a file."""
    with path.open("rb") as stream:
        return zlib.crc32(stream.read(length))


def json_sum(held: dict[str, Any]) -> int:
    """Checksum of what JSON has words for."""
    return zlib.crc32(json.dumps(held, sort_keys=True).encode())
