"""What the header of an array in numpy's format tells, without a look at its values."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

__all__ = ["read_npy_header"]

_READ = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_BYTES_OF_LENGTH = {(1, 0): 2, (2, 0): 4}

_Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def read_npy_header(stream: IO[bytes]) -> _Header:
    """Shape, whether it is stored column by column, and type; the stream stands at the first value then.

    Raises
    ------
    ValueError
        If it is no such header, or of a version of the format that only arrays of named fields have.
    """
    version = npy.read_magic(stream)
    if version not in _READ:
        raise ValueError(f"version {'.'.join(map(str, version))} of the format of arrays is not read")
    length = stream.read(_BYTES_OF_LENGTH[version])
    return _parsed(version, length + stream.read(int.from_bytes(length, "little")))


@lru_cache
def _parsed(version: tuple[int, int], header: bytes) -> _Header:
    """What a header says; numpy compiles it as Python, and those of a thousand records are alike."""
    found: _Header = _READ[version](io.BytesIO(header))
    return found
