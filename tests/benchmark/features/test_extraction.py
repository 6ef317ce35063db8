"""Shards are written as rows come, and a stop loses what is in the last of them alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mirbench.features import cache, extraction
from mirbench.features.audio import Facts
from mirbench.features.cache import RowStore
from mirbench.features.extraction import Extraction, as_keys, row_digests, row_key
from mirbench.features.row_index import KEY
from mirbench.features.stopwatch import Stopwatch
from mirbench.progress import Progress
from mirbench.types import Excerpt

N_CLIPS, WIDTH = 40, 1000


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "sync", lambda folder, files=True: None)


def decode(place: Excerpt, starts: list[int]) -> npt.NDArray[np.float32]:
    return np.array([[float(place.path.name), start] for start in starts], dtype=np.float32)


def compute(windows: npt.NDArray[np.float32], stages: tuple[str, ...]) -> dict[str, npt.NDArray[np.float32]]:
    made = np.repeat(windows[:, :1] + windows[:, 1:] / 100, WIDTH, axis=1)
    return {stage: made * (n + 1) for n, stage in enumerate(stages)}


def fill(
    root: Path, stages: tuple[str, ...] = ("a", "b"), sure: Callable[[], object] = lambda: None
) -> tuple[dict[str, RowStore], npt.NDArray[np.bytes_]]:
    stores = {stage: RowStore(root / stage) for stage in stages}
    keys = np.array([f"{n:032x}" for n in range(2 * N_CLIPS)], dtype=KEY)
    work = [(Excerpt(Path(str(n))), [0, 7]) for n in range(N_CLIPS)]
    watch = Stopwatch(torch.device("cpu"))
    Extraction(work, stages, decode, compute, 3, 2, root, Progress(quiet=True), watch).fill(stores, keys, {}, sure)
    return stores, keys


def expected(n_stages: int = 1) -> npt.NDArray[np.float32]:
    heard = np.array([[n, start] for n in range(N_CLIPS) for start in (0, 7)], dtype=np.float32)
    return compute(heard, ("a",) * n_stages)["a"]


@pytest.mark.parametrize("n_rows", [1, 7, 20, 1000])
def test_rows_are_the_same_in_shards_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_rows: int) -> None:
    monkeypatch.setattr(extraction, "_SHARD_BYTES", 4 * WIDTH * n_rows)
    stores, keys = fill(tmp_path)
    a, b = (store.get(keys)[:] for store in stores.values())
    np.testing.assert_array_equal(a, expected())
    np.testing.assert_array_equal(b, 2 * expected())
    sizes = [len(shard.keys) for shard in stores["a"].shards]
    assert sum(sizes) == len(keys)
    assert max(sizes) <= -(-n_rows // 3) * 3  # whole batches


def test_shard_ends_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "_SHARD_SECONDS", -1.0)
    stores, keys = fill(tmp_path)
    assert len(stores["a"].shards) == -(-len(keys) // 3)
    np.testing.assert_array_equal(stores["a"].get(keys)[:], expected())


def test_stage_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    fill(tmp_path, ("a",))
    stores, keys = fill(tmp_path)
    assert [len(store.shards) for store in stores.values()] == [1, 1]
    np.testing.assert_array_equal(stores["b"].get(keys)[:], 2 * expected())


def test_rows_that_are_not_to_be_trusted_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "_SHARD_BYTES", 4 * WIDTH * 30)
    asked = []

    def sure() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise RuntimeError("changed")

    with pytest.raises(RuntimeError, match="changed"):
        fill(tmp_path, sure=sure)
    for stage in ("a", "b"):
        assert [path.name for path in (tmp_path / stage).iterdir() if path.name.startswith(".")] == []
        assert len(RowStore(tmp_path / stage).keys) == 30


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_stop_in_the_middle_of_a_shard_leaves_the_ones_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(extraction, "_SHARD_BYTES", 4 * WIDTH * 30)
    add, n_added = cache.NewShard.add, [0]

    def stop(self: cache.NewShard, rows: npt.NDArray[np.float32]) -> None:
        n_added[0] += 1
        if n_added[0] == 13:
            raise error
        add(self, rows)

    monkeypatch.setattr(cache.NewShard, "add", stop)
    with pytest.raises(BaseException, match="no space is left" if isinstance(error, OSError) else None):
        fill(tmp_path, ("a",))
    assert [path.name for path in (tmp_path / "a").iterdir() if path.name.startswith(".")] == []
    store = RowStore(tmp_path / "a")
    np.testing.assert_array_equal(store.get(store.keys)[:], expected()[:30])


def test_memory_does_not_grow_with_the_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "_SHARD_BYTES", 2**30)
    monkeypatch.setattr("tests.benchmark.features.test_extraction.WIDTH", 100_000)
    tracemalloc.start()
    try:
        fill(tmp_path, ("a",))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 0.4 * 2 * N_CLIPS * 4 * 100_000


@pytest.mark.parametrize("place", [
    Excerpt(Path("a.wav")), Excerpt(Path("a.ogg"), 1.5, 2.0), Excerpt(Path("a.OGA"), 0.5),
    Excerpt(Path("a.wav"), 0.0, 3.0, (-3.0, -20.0)),
])  # fmt: skip
def test_keys_of_windows_are_those_of_the_windows_one_by_one_and_of_earlier_versions(place: Excerpt) -> None:
    facts = Facts("ab" * 32, 3.0, n_parts=2)
    keys = as_keys(row_digests(facts, place, [0, 160_000, 320_000]))
    assert keys.tolist() == [row_key(facts, place, start).encode() for start in (0, 160_000, 320_000)]
    assert row_key(Facts("ab" * 32), Excerpt(Path("a.wav"), 0.5, 2.0), 160_000) == "f0df38fcafd17e2d6c28da4261a9f71f"
