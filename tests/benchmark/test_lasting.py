"""No look for garbage while much is made that stays."""

from __future__ import annotations

import gc

import pytest

from mirbench.lasting import made_to_last


def test_garbage_is_looked_for_again_after_the_block_and_after_an_error_in_it() -> None:
    with made_to_last():
        assert not gc.isenabled()
        with made_to_last():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), made_to_last():
        raise KeyError
    assert gc.isenabled()
