"""What rows cost is measured once, by the first who asks; others read the rows and take its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench.features.afresh import Afresh, Costs
from mirbench.features.cache import RowStore
from mirbench.features.row_index import keys_as_array

KEYS = [f"{n:032x}" for n in range(3)]


class Bench:
    """A clock that work moves, and rows of one stage that take it ten a row."""

    def __init__(self, folder: Path) -> None:
        self.now, self.computed = 0.0, 0
        self.store = RowStore(folder / "pooled-1")
        self.costs = Costs(folder / "files.sqlite", "seconds", "this machine", load=0.5, most_load=3.0)

    def keep(self) -> None:
        self.store.put(keys_as_array(KEYS), np.zeros((3, 2), np.float32), np.zeros(3), {})

    def compute(self) -> dict[str, Any]:
        self.computed += 1
        self.now += 30
        return {"pooled": np.zeros((3, 2), np.float32)}

    def cost(self, own: float, how: str = "cpu", compute: Callable[[], Any] | None = None, **changes: Any) -> float:
        """That of work that reads the rows, and does something itself."""
        self.afresh = Afresh(lambda: self.now, replace(self.costs, **changes))

        def work() -> None:
            keys = keys_as_array(KEYS)
            rows = self.afresh.rows({"pooled": self.store}, keys, how, compute or self.compute)
            assert rows["pooled"].shape == (3, 2)
            self.now += own

        return self.afresh.cost(work)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_second_reader_takes_what_the_rows_cost_the_first_and_computes_none(bench: Bench) -> None:
    bench.keep()
    assert [bench.cost(1), bench.cost(5), bench.cost(0)] == [31, 35, 30]
    assert bench.computed == 1


def test_rows_that_are_kept_nowhere_are_computed_again_at_the_cost_that_is_known(bench: Bench) -> None:
    def slower() -> dict[str, Any]:
        bench.now += 1000
        return bench.compute()

    assert [bench.cost(1), bench.cost(5, compute=slower)] == [31, 35]
    assert bench.computed == 2


@pytest.mark.parametrize("change", [{"machine": "another"}, {"unit": "operations"}, {"how": "cuda"}])
def test_another_machine_unit_or_way_is_measured_by_itself(change: dict[str, str], bench: Bench) -> None:
    bench.keep()
    bench.cost(1)
    bench.cost(1, **change)
    assert bench.computed == 2


def test_cost_measured_on_a_busy_machine_is_measured_again_on_a_calm_one_and_said_until_then(bench: Bench) -> None:
    bench.keep()
    bench.cost(1, load=9.0)
    assert (bench.computed, bench.afresh.load) == (1, 9.0)
    bench.cost(1, load=10.0)
    assert (bench.computed, bench.afresh.load) == (1, 10.0)
    bench.cost(1)
    assert (bench.computed, bench.afresh.load) == (2, 0.5)
    bench.cost(1, load=0.1)
    assert (bench.computed, bench.afresh.load) == (2, 0.5)  # of when the rows were measured


def test_rows_that_are_made_of_others_are_measured_with_them(bench: Bench) -> None:
    bench.keep()
    inner = RowStore(bench.store.folder.parent / "audio-1")

    def outer() -> dict[str, Any]:
        bench.now += 100
        return bench.afresh.rows({"audio": inner}, keys_as_array(KEYS), "cpu", bench.compute)

    assert [bench.cost(1, compute=outer), bench.cost(1, compute=outer)] == [131, 131]
    assert bench.computed == 1


def test_costs_that_are_damaged_are_measured_again(bench: Bench) -> None:
    bench.keep()
    bench.cost(1)
    (bench.store.folder.parent / "files.sqlite").write_bytes(b"no database")
    assert (bench.cost(2), bench.computed) == (32, 2)


def test_without_costs_of_others_everything_is_computed_each_time(bench: Bench) -> None:
    bench.keep()
    afresh = Afresh(lambda: bench.now)
    read = lambda: afresh.rows({"pooled": bench.store}, keys_as_array(KEYS), "cpu", bench.compute)  # noqa: E731
    assert [afresh.cost(read), afresh.cost(read)] == [30, 30]
    assert bench.computed == 2


def test_work_that_fails_leaves_no_cost(bench: Bench) -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        bench.cost(1, compute=broken)
    assert bench.cost(1) == 31
