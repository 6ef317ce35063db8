"""Headers of arrays in numpy's format."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.lib import format as npy

from mirbench.npy_header import read_npy_header


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_header_tells_shape_order_and_type_and_stops_before_the_values(version: tuple[int, int]) -> None:
    stream, array = io.BytesIO(), np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3))
    npy.write_array(stream, array, version=version)
    stream.seek(0)
    assert read_npy_header(stream) == ((2, 3), True, np.dtype("<f4"))
    assert stream.read() == array.tobytes("F")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\x93NUMPY\x03\x00", b"\x93NUMPY\x01\x00\xff\xff{"])
def test_what_is_no_header_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_npy_header(io.BytesIO(content))
