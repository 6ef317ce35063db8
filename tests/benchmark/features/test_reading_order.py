"""Rows that memory does not hold are drawn from near ones; all others as they always were."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mirbench.features import reading_order
from mirbench.features.cache import RowStore
from mirbench.features.reading_order import by_blocks, epoch_order, memory_bytes
from mirbench.features.rows import Rows
from mirbench.methods.reprogramming.nmr import IdsNmr
from mirbench.progress import Progress

N_ROWS, WIDTH = 1000, 16


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    keys = [f"{n:032x}" for n in range(N_ROWS)]
    store = RowStore(tmp_path / "rows")
    store.put(keys, np.zeros((N_ROWS, WIDTH), np.float32), 1.0, {})
    return store.get(keys)


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_rows_that_fit_in_memory_are_drawn_as_they_always_were(rows: Rows) -> None:
    order, said = epoch_order([rows], drawn(), Progress(quiet=True))
    np.testing.assert_array_equal(order, drawn().permutation(N_ROWS))
    assert said == {}


def test_arrays_in_memory_are_drawn_as_they_always_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_order, "memory_bytes", lambda: 100)
    order, said = epoch_order([np.zeros((N_ROWS, WIDTH))], drawn(), Progress(quiet=True))
    np.testing.assert_array_equal(order, drawn().permutation(N_ROWS))
    assert said == {}


def test_rows_that_do_not_fit_are_drawn_block_by_block_and_it_is_said(
    rows: Rows, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reading_order, "memory_bytes", lambda: 4 * WIDTH * 400)
    monkeypatch.setattr(reading_order, "_BLOCK_BYTES", 4 * WIDTH * 20)
    order, said = epoch_order([rows], drawn(), Progress())
    assert said == {"batches": "drawn block by block"}
    assert "more than memory holds" in capsys.readouterr().err
    np.testing.assert_array_equal(np.sort(order), np.arange(N_ROWS))
    blocks = order.reshape(10, 100) // 20  # from five blocks at a time
    assert all(len(np.unique(some)) == 5 for some in blocks)
    assert all((np.diff(some) != 0).mean() > 0.5 for some in blocks)  # and mixed among those


@pytest.mark.parametrize("n_rows", [1, 2, 19, 20, 21, 333, 1000])
@pytest.mark.parametrize("row_bytes", [1, 1000, 10**9])
@pytest.mark.parametrize("memory", [1, 10**6, 10**9])
def test_every_row_comes_once(n_rows: int, row_bytes: int, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_order, "_BLOCK_BYTES", 20_000)
    order = by_blocks(n_rows, row_bytes, memory, drawn())
    np.testing.assert_array_equal(np.sort(order), np.arange(n_rows))
    np.testing.assert_array_equal(order, by_blocks(n_rows, row_bytes, memory, drawn()))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    generator = drawn()
    orders = [by_blocks(N_ROWS, 10**6, 10**9, generator) for _ in range(2)] + [
        by_blocks(N_ROWS, 10**6, 10**9, drawn(1))
    ]
    assert not any(np.array_equal(a, b) for a, b in ((orders[0], orders[1]), (orders[0], orders[2])))


def test_memory_is_known_where_the_system_tells() -> None:
    assert memory_bytes() > 10**8


def test_training_beyond_memory_reads_block_by_block_and_tells_the_record(
    tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, (train, valid, test) = tiny
    context.begin_run()
    usual = IdsNmr(epochs=1).fit(train, valid, context, seed=0).predict(test.blind())
    assert context.circumstances == {}
    monkeypatch.setattr(reading_order, "memory_bytes", lambda: 1000)
    monkeypatch.setattr(reading_order, "_BLOCK_BYTES", 1)
    near = IdsNmr(epochs=1).fit(train, valid, context, seed=0).predict(test.blind())
    assert context.circumstances == {"batches": "drawn block by block"}
    assert near.shape == usual.shape
    context.begin_run()
    assert context.circumstances == {}
