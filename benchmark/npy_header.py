"""What the header of an array in numpy's format tells, without a look at its values."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

__all__ = ["read_npy_header"]

_READ = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is stored column by column, and type; the stream stands at the first value then.

    Raises
    ------
    ValueError
        If it is no such header, or of a version of the format that only arrays of named fields have.
    """
    version = npy.read_magic(stream)
    if version not in _READ:
        raise ValueError(f"version {'.'.join(map(str, version))} of the format of arrays is not read")
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = _READ[version](stream)
    return found
