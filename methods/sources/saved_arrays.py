"""The arrays of an .npz file: which hold ids, which may be features, which look like labels. Nothing is unpickled."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.npy_header import read_npy_header

__all__ = ["Saved", "arrays", "look"]

Array = npt.NDArray[Any]
_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)
_IDS = ("id", "ids", "clip_id", "sample_key")
_LABELS = {"y", "label", "labels", "target", "targets", "truth"}
_FEW_COLUMNS, _FEW_VALUES = 16, 3  # embeddings in whole numbers have more columns, and features more values
_HEAD = 1 << 20  # values that are looked at


@dataclass(frozen=True)
class Saved:
    """What an .npz file holds.

    Parameters
    ----------
    id_name : str
        The array of ids.
    shapes : mapping of str to tuple of int
        Arrays of numbers with a row an id, (n, n_features) or (n, n_frames, n_features).
    labels : mapping of str to str
        Those among them that look like labels, and why.
    """

    id_name: str
    shapes: dict[str, tuple[int, ...]]
    labels: dict[str, str]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the arrays that may be features without being asked for."""
        return tuple(name for name in self.shapes if name not in self.labels)

    def told(self) -> str:
        """All of them in a line."""
        said = [f"{name} {self.shapes[name]}" for name in self.features]
        aside = [f"{name} {self.shapes[name]} ({why})" for name, why in self.labels.items()]
        return (", ".join(said) or "none") + (f"; no features unless asked for: {', '.join(aside)}" if aside else "")


def look(path: Path) -> Saved:
    """What a file holds, of which the first values are read.

    Raises
    ------
    BadInput
        If it is no .npz file, or holds no ids or no features.
    """
    headers = _headers(path)
    id_name = _id_name(path, headers)
    n_rows = headers[id_name][0][0]
    shapes = {
        name: shape
        for name, (shape, dtype) in headers.items()
        if name != id_name and dtype.kind in "fiu" and len(shape) in (2, 3) and shape[0] == n_rows and all(shape)
    }
    if not shapes:
        said = ", ".join(f"{name} {_shape_and_kind(*held)}" for name, held in headers.items())
        raise BadInput(
            f"features:{path.name}: no array of numbers with a row for each of {n_rows} ids; it has {said}; "
            "(n, n_features) or (n, n_frames, n_features) is needed"
        )
    found = {name: _like_labels(path, name, headers[name][1], shape) for name, shape in shapes.items()}
    return Saved(id_name, shapes, {name: why for name, why in found.items() if why})


def arrays(path: Path, names: Sequence[str]) -> list[Array]:
    """The values of some arrays; raises `BadInput` where they are broken, or pickled objects."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            return [held[name] for name in names]
    except _BROKEN as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: BaseException) -> BadInput:
    return BadInput(
        f"{path}: not readable as an .npz file of arrays ({str(error).partition(chr(10))[0]}); "
        "np.savez(FILE, id=ids, x=features) makes one"
    )


_Headers = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]


def _headers(path: Path) -> _Headers:
    """Shape and type of each array, without reading their values."""
    try:
        with zipfile.ZipFile(path) as zipped:
            return {name.removesuffix(".npy"): _header(zipped, name) for name in zipped.namelist()}
    except _BROKEN as error:
        raise _broken(path, error) from error


def _header(zipped: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with zipped.open(name) as stream:
        shape, _, dtype = read_npy_header(stream)
        return shape, dtype


def _shape_and_kind(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    return f"{shape}{' of Python objects, which are not read' if dtype.kind == 'O' else ''}"


def _id_name(path: Path, headers: _Headers) -> str:
    texts = [name for name, (shape, dtype) in headers.items() if dtype.kind in "US" and len(shape) == 1]
    for name in (name for name in _IDS if name in headers):
        shape, dtype = headers[name]
        if dtype.kind == "O":
            raise BadInput(
                f"features:{path.name}: its array '{name}' must be text, one id a row; it holds Python objects, which "
                f"are not read (they could run code): save {name}=np.array({name}, dtype=str)"
            )
        if dtype.kind not in "USiu" or len(shape) != 1:
            raise BadInput(f"features:{path.name}: its array '{name}' must be text, one id a row")
        return name
    if len(texts) == 1:
        return texts[0]
    few = ", ".join(list(headers)[:8]) + (f" … and {len(headers) - 8} more" if len(headers) > 8 else "")
    each = "; if each array is a clip, stack them: np.savez(FILE, id=list(f), x=np.stack([f[k] for k in f]))"
    raise BadInput(
        f"features:{path.name}: no array of ids; call it 'id' (text, one a row). It has {few}"
        f"{each if len(headers) > 8 and len({shape for shape, _ in headers.values()}) == 1 else ''}"
    )


def _like_labels(path: Path, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    """Why an array looks like labels; "" where it does not."""
    if _LABELS & set(re.split(r"[^a-z]+", name.lower())):
        return "called like labels"
    if dtype.kind in "iu" and shape[-1] < _FEW_COLUMNS:
        return f"whole numbers in fewer than {_FEW_COLUMNS} columns"
    head = _head(path, name)
    head = head[np.isfinite(head)] if dtype.kind == "f" else head
    if len(head) > 2 * _FEW_VALUES and len(values := np.unique(head)) <= _FEW_VALUES:
        return f"holds {' and '.join(f'{value:g}' for value in values)} alone"
    if shape[1:] == (1,) and len(head) and np.array_equal(head, np.round(head)):
        return "one column of whole numbers"
    return ""


def _head(path: Path, name: str) -> Array:
    """The first values of an array, in the order of the file."""
    try:
        with zipfile.ZipFile(path) as zipped, zipped.open(f"{name}.npy") as stream:
            *_, dtype = read_npy_header(stream)
            content = stream.read(_HEAD * dtype.itemsize)
            return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype=dtype)
    except _BROKEN as error:
        raise _broken(path, error) from error
