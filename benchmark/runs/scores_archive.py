"""The arrays of ``scores.npz``, and whether it is what it is called: sizes and types are looked at before the values.

It may be somebody else's: nothing is unpickled, and no header is believed that says more than follows it.
"""

from __future__ import annotations

import functools
import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.npy_header import read_npy_header
from mirbench.plain_text import printable

__all__ = ["REMEDY", "once_for_shared", "read_arrays", "unreadable_scores"]

_Answer = TypeVar("_Answer")

_MAX_SCORES = 2**29  # bytes of all arrays together, unpacked

_MOST_ROWS = 2**31
_MOST_LETTERS = 2**12  # of a clip's id or group, which may be a path

_BESIDE_MEMBER = 1_000  # bytes of headers

_ARRAYS = {
    "clip_ids": ("U", 1), "groups": ("U", 1), "scores": ("f4", 2), "target_value": ("f4", 2),
    "target_known": ("b1", 2), "target_kind": ("U", 0), "target_hashes": ("S16", 1), "target_ranges": ("f8", 2),
}  # fmt: skip
"""Of scores.npz: how the dtype of each array begins, and its number of axes."""

_MOST_SHARED = 256  # arrays
_LARGEST_SHARED = 2**21  # bytes
_MOST_ANSWERS = 32  # of a function of shared arrays: the folds of a few tasks

REMEDY = "run it again, or remove its folder"

_shared: dict[tuple[Any, ...], npt.NDArray[Any]] = {}
"""Arrays of files that were read, by all that they are unpacked from."""


def once_for_shared(function: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """The same function of arrays, which is asked once where those are arrays that many files share."""
    known: dict[tuple[int, ...], tuple[tuple[npt.NDArray[Any], ...], _Answer]] = {}

    @functools.wraps(function)
    def asked(*arrays: npt.NDArray[Any]) -> _Answer:
        if not all(map(_may_be_shared, arrays)):
            return function(*arrays)
        key = tuple(map(id, arrays))
        if key not in known:
            if len(known) >= _MOST_ANSWERS:
                known.clear()
            known[key] = arrays, function(*arrays)  # which holds on to them: a number is theirs while they live
        return known[key][1]

    return asked


def _may_be_shared(array: npt.NDArray[Any]) -> bool:
    """Whether an array is one of a file, which nobody can write to, and a small one."""
    base: Any = array.base
    return isinstance(base, bytes) and array.nbytes <= _LARGEST_SHARED


class _Strange(ValueError):
    """It is no file of scores."""


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of scores by their names, which nobody may write to.

    All runs of a fold hold the same clips and labels: what lies packed byte for byte as it lay in another file is not
    unpacked a second time, and is the same array.

    Raises
    ------
    BadInput
        If it cannot be read, or is not what it is called.
    """
    try:
        if not path.is_file():
            raise _Strange("no such file")
        if path.stat().st_size > _MAX_SCORES:
            raise _Strange(f"has more than {_MAX_SCORES // 2**20} MB")
        return _arrays(path.read_bytes())
    except _Strange as error:
        raise BadInput(f"{path}: {error}; {REMEDY}") from error
    except Exception as error:  # somebody else's bytes: zipfile, zlib, numpy and tokenize each have errors of their own
        said = printable(str(error) or type(error).__name__, 200)
        raise BadInput(f"{path}: not readable as scores ({said}); {REMEDY}") from error


def _arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as held:
        if not content.startswith(b"PK"):  # zipfile looks for its end alone
            raise _Strange("does not begin as an archive")
        if fault := _strange_contents(held) or _strange_size(held, len(content)):
            raise _Strange(fault)
        members = sorted(held.infolist(), key=lambda member: member.header_offset)
        ends = [*(member.header_offset for member in members[1:]), held.start_dir]
        return {
            _name(member): _array(held, member, content[member.header_offset : end])
            for member, end in zip(members, ends, strict=True)
        }


def _array(held: zipfile.ZipFile, member: zipfile.ZipInfo, packed: bytes) -> npt.NDArray[Any]:
    """An array of the archive; `packed` is the part of the file that is of it."""
    name, sizes = _name(member), (member.compress_size, member.file_size)
    if name == "scores" or max(sizes) > _LARGEST_SHARED:
        return _unpacked(name, held.read(member), member.file_size)
    key = (packed, member.filename, member.CRC, *sizes, member.compress_type, member.flag_bits)
    if key not in _shared:
        if len(_shared) >= _MOST_SHARED:
            _shared.clear()
        _shared[key] = _unpacked(name, held.read(member), member.file_size)
    return _shared[key]


def _unpacked(name: str, content: bytes, size: int) -> npt.NDArray[Any]:
    """An array from its file, which has `size` bytes by the table of contents."""
    stream = io.BytesIO(content)
    if fault := next(_strange_array(name, stream, size), ""):
        raise _Strange(fault)
    stream.seek(0)
    shape, in_columns, dtype = read_npy_header(stream)
    array = np.ndarray(shape, dtype, content, stream.tell(), order="F" if in_columns else "C")
    # text, which is numbers: numpy looks at them when each is used, and then has no words
    if dtype.kind == "U" and (array.reshape(-1).view(np.uint32) > sys.maxunicode).any():
        raise ValueError(f"{name} holds numbers that are no letters")
    return array


def unreadable_scores(path: Path) -> Iterator[str]:
    """What is wrong with the container of scores; looks at nothing but its table of contents and headers."""
    if not path.is_file():
        yield "scores.npz: no such file"
        return
    try:
        with zipfile.ZipFile(path) as held:
            for fault in _strange(held, path.stat().st_size):
                yield f"scores.npz: {fault}"
    except Exception as error:  # somebody else's bytes: zipfile, zlib, numpy and tokenize each have errors of their own
        yield f"scores.npz: not readable as scores ({printable(str(error) or type(error).__name__, 200)})"


def _strange(held: zipfile.ZipFile, n_bytes: int) -> Iterator[str]:
    if fault := _strange_contents(held):
        yield fault
    else:
        for member in held.infolist():
            with held.open(member) as stream:
                yield from _strange_array(_name(member), stream, member.file_size)
    if fault := _strange_size(held, n_bytes):
        yield fault


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _strange_contents(held: zipfile.ZipFile) -> str:
    """What is wrong with the table of contents."""
    members = held.infolist()
    names = [_name(member) for member in members]
    if strange := [name for name in names if name not in _ARRAYS or names.count(name) > 1]:
        return f"holds {printable(strange[0], 80)!r}, which scores do not have, or have once"
    if sum(member.file_size for member in members) > _MAX_SCORES:
        return f"unpacks to more than {_MAX_SCORES // 2**20} MB"
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        return "is packed in a way that numpy does not pack"
    return ""


def _strange_size(held: zipfile.ZipFile, n_bytes: int) -> str:
    members = held.infolist()
    beside = n_bytes - sum(member.compress_size for member in members)
    many = beside > _BESIDE_MEMBER * (len(members) + 1)
    return f"holds {beside} bytes that are none of its arrays" if many else ""


def _strange_array(name: str, stream: Any, size: int) -> Iterator[str]:
    """What is wrong with the header of an array: a pickle, another type, a shape that is not what follows."""
    shape, _, dtype = read_npy_header(stream)
    begins, n_axes = _ARRAYS[name]
    if dtype.hasobject:
        yield f"{name} is a pickle, which is not read"
    elif not f"{dtype.kind}{dtype.itemsize}".startswith(begins) or len(shape) != n_axes:
        yield f"{name} is an array of {dtype} of shape {shape}; {begins} with {n_axes} axes is needed"
    elif dtype.itemsize == 0 or dtype.byteorder == ">" or (dtype.kind == "U" and dtype.itemsize > 4 * _MOST_LETTERS):
        yield f"{name} is of {dtype}, which no mirbench writes"
    elif any(type(n) is not int or not 0 <= n <= _MOST_ROWS for n in shape):
        yield f"{name} says it has shape {str(shape)[:80]}, and holds {size - stream.tell()} bytes"
    elif int(np.prod(shape, dtype=object)) * dtype.itemsize != size - stream.tell():
        yield f"{name} says it has shape {shape}, and holds {size - stream.tell()} bytes"
