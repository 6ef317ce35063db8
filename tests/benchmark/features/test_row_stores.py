"""What the stores of a cache hold, without a look at their rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mirbench.features.cache import RowStore
from mirbench.features.row_stores import StoreContents, contents
from tests.conftest import Answer


def put(store: Path, *counts: int) -> None:
    first = 0
    for count in counts:
        keys = [f"{n:032x}" for n in range(first, first + count)]
        RowStore(store).put(keys, np.ones((count, 3), np.float32), 2.0 * count, {})
        first += count


def test_contents_are_what_was_put(tmp_path: Path) -> None:
    put(tmp_path / "rows" / "pooled-a", 3, 4)
    put(tmp_path / "rows" / "layer8-b", 5)
    layer, pooled = contents(tmp_path)
    size = sum(file.stat().st_size for file in (tmp_path / "rows" / "pooled-a").glob("*/*"))
    assert pooled == StoreContents("pooled-a", 2, 7, size, 14.0)
    assert (layer.name, layer.n_shards, layer.n_rows, layer.seconds) == ("layer8-b", 1, 5, 10.0)


def test_what_is_damaged_or_none_of_ours_is_not_counted(tmp_path: Path) -> None:
    store = tmp_path / "rows" / "pooled-a"
    put(store, 3, 4)
    (store / "@eaDir").mkdir()
    (store / ".writing-x").mkdir()
    for number, text in enumerate(("", "[1]", "{}", '{"n_rows": "x", "seconds": 1}', '{"n_rows": 1e999}')):
        (store / f"other{number}").mkdir()
        (store / f"other{number}" / "cost.json").write_text(text)
    (found,) = contents(tmp_path)
    assert (found.n_shards, found.n_rows) == (2, 7)


def test_no_cache_holds_nothing(tmp_path: Path) -> None:
    assert contents(tmp_path / "none") == []


def test_cache_info_says_how_many_rows_there_are(typed: Callable[..., Answer], tmp_path: Path) -> None:
    put(tmp_path / "cache" / "rows" / "pooled-a", 3, 4)
    line = typed("cache", "info").out.splitlines()[-1]
    assert line.split()[0] == "pooled-a"
    assert "7 rows in 2 shards" in line
    assert "computed in 14 s" in line
