"""Rows are found by key as a dict of keys would find them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirbench.features import row_index
from mirbench.features.row_index import KEY, RowIndex, keys_as_array

KEYS = st.lists(st.text("abcdef0123456789", min_size=1, max_size=32), max_size=12)


@settings(max_examples=100, deadline=None, database=None)
@given(shards=st.lists(KEYS, max_size=6), asked=KEYS, bits=st.sampled_from([0, 1, 2, 64]))
def test_index_finds_what_a_dict_of_the_first_of_each_key_holds(shards, asked, bits):
    """Also where keys share their numbers, which no two of real ones do."""
    with pytest.MonkeyPatch.context() as patch:
        numbers, mask = row_index.key_numbers, np.uint64(2**bits - 1)
        patch.setattr(row_index, "key_numbers", lambda keys: numbers(keys) & mask)
        index, expected = RowIndex(), {}
        for number, keys in enumerate(shards):
            index.enter(number, keys_as_array(keys))
            for row, key in enumerate(keys):
                expected.setdefault(key.encode(), (number, row))
            index.find(keys_as_array(asked))  # sorts what was entered until now
        asked = [*asked, *(key for keys in shards for key in keys)]
        found = index.find(keys_as_array(asked))
        assert list(map(tuple, found.tolist())) == [expected.get(key.encode(), (-1, -1)) for key in asked]
        assert index.keys.tolist() == list(expected)


def test_numbers_of_keys_differ():
    keys = np.array([f"{n:032x}" for n in range(100_000)] + [f"{n}" for n in range(100_000)], dtype=KEY)
    assert len(np.unique(row_index.key_numbers(keys))) == len(np.unique(keys))
