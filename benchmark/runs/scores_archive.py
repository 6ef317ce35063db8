"""Whether ``scores.npz`` is what it is called: sizes and types are looked at before anything of it is read.

It may be somebody else's: nothing is unpickled, and no header is believed that says more than follows it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.npy_header import read_npy_header
from mirbench.plain_text import printable

__all__ = ["unreadable_scores"]

_MAX_SCORES = 2**29  # bytes of all arrays together, unpacked

_MOST_ROWS = 2**31
_MOST_LETTERS = 2**12  # of a clip's id or group, which may be a path

_BESIDE_MEMBER = 1_000  # bytes of headers

_ARRAYS = {
    "clip_ids": ("U", 1), "groups": ("U", 1), "scores": ("f4", 2), "target_value": ("f4", 2),
    "target_known": ("b1", 2), "target_kind": ("U", 0), "target_hashes": ("S16", 1),
}  # fmt: skip
"""Of scores.npz: how the dtype of each array begins, and its number of axes."""


def unreadable_scores(path: Path) -> Iterator[str]:
    """What is wrong with the container of scores; looks at nothing but its table of contents and headers."""
    if not path.is_file():
        yield "scores.npz: no such file"
        return
    try:
        with zipfile.ZipFile(path) as held:
            yield from _strange_members(held)
            packed = sum(member.compress_size for member in held.infolist())
            if path.stat().st_size > packed + _BESIDE_MEMBER * (len(held.infolist()) + 1):
                yield f"scores.npz: holds {path.stat().st_size - packed} bytes that are none of its arrays"
    except Exception as error:  # somebody else's bytes: zipfile, zlib, numpy and tokenize each have errors of their own
        yield f"scores.npz: not readable as scores ({printable(str(error) or type(error).__name__, 200)})"


def _strange_members(held: zipfile.ZipFile) -> Iterator[str]:
    members = held.infolist()
    names = [member.filename.removesuffix(".npy") for member in members]
    if strange := [name for name in names if name not in _ARRAYS or names.count(name) > 1]:
        yield f"scores.npz: holds {printable(strange[0], 80)!r}, which scores do not have, or have once"
    elif sum(member.file_size for member in members) > _MAX_SCORES:
        yield f"scores.npz: unpacks to more than {_MAX_SCORES // 2**20} MB"
    elif any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        yield "scores.npz: is packed in a way that numpy does not pack"
    else:
        for name, member in zip(names, members, strict=True):
            with held.open(member) as stream:
                yield from _strange_array(name, stream, member.file_size)


def _strange_array(name: str, stream: Any, size: int) -> Iterator[str]:
    """What is wrong with the header of an array: a pickle, another type, a shape that is not what follows."""
    shape, _, dtype = read_npy_header(stream)
    begins, n_axes = _ARRAYS[name]
    if dtype.hasobject:
        yield f"scores.npz: {name} is a pickle, which is not read"
    elif not f"{dtype.kind}{dtype.itemsize}".startswith(begins) or len(shape) != n_axes:
        yield f"scores.npz: {name} is an array of {dtype} of shape {shape}; {begins} with {n_axes} axes is needed"
    elif dtype.itemsize == 0 or dtype.byteorder == ">" or (dtype.kind == "U" and dtype.itemsize > 4 * _MOST_LETTERS):
        yield f"scores.npz: {name} is of {dtype}, which no mirbench writes"
    elif any(type(n) is not int or not 0 <= n <= _MOST_ROWS for n in shape):
        yield f"scores.npz: {name} says it has shape {str(shape)[:80]}, and holds {size - stream.tell()} bytes"
    elif int(np.prod(shape, dtype=object)) * dtype.itemsize != size - stream.tell():
        yield f"scores.npz: {name} says it has shape {shape}, and holds {size - stream.tell()} bytes"
