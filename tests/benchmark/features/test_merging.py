"""Small shards become few, and no row, checksum or cost changes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mirbench.features import cache, merging
from mirbench.features.cache import RowStore
from mirbench.features.merging import merge_small_shards
from mirbench.features.temporary import using
from mirbench.progress import Progress

from .test_shard import flip, unseal

QUIET = Progress(quiet=True)
N_SHARDS = 45


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "sync", lambda folder, files=True: None)
    monkeypatch.setattr(merging, "_MANY", 30)


def rows_of(numbers: np.ndarray) -> np.ndarray:
    return (numbers[:, None] + np.arange(6) / 10).astype(np.float32)


def keys_of(numbers: np.ndarray) -> list[str]:
    return [f"{n:032x}" for n in numbers]


def write(folder: Path, shards: Sequence[tuple[np.ndarray, np.ndarray, float]], about: object) -> None:
    """Shards of (numbers of rows, rows, seconds)."""
    store = RowStore(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RowStore, "look", lambda self: None)  # at all shards after each
        for numbers, rows, seconds in shards:
            store.put(keys_of(numbers), rows, seconds, about)


def fill(folder: Path, n_shards: int = N_SHARDS, seed: int = 0) -> np.ndarray:
    """Write shards of one to five rows with costs of their own; their numbers."""
    rng = np.random.default_rng(seed)
    numbers = np.split(np.arange(5 * n_shards), np.sort(rng.choice(np.arange(1, 5 * n_shards), n_shards - 1, False)))
    write(folder, [(some, rows_of(some), rng.random()) for some in numbers], {"stage": "pooled"})
    return np.arange(5 * n_shards)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "rows" / "pooled-x"


def shards(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def held(folder: Path, numbers: np.ndarray) -> tuple[list[int], bytes, bytes]:
    """What is missing, the rows that are there, and what each cost."""
    store = RowStore(folder)
    missing = store.missing(keys_of(numbers))
    keys = keys_of(np.delete(numbers, missing))
    return missing, store.get(keys)[:].tobytes(), store.costs(keys).tobytes()


def test_many_small_shards_become_few_with_the_same_rows_and_costs(root: Path, folder: Path) -> None:
    numbers = fill(folder)
    before = held(folder, numbers)
    merge_small_shards(root, QUIET)
    assert len(shards(folder)) < 20
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    assert held(folder, numbers) == before
    assert len(RowStore(folder).keys) == len(numbers)
    assert RowStore(folder).about == {"stage": "pooled"}


def test_rows_of_a_merged_shard_keep_their_checksums(root: Path, folder: Path) -> None:
    numbers = fill(folder)
    merge_small_shards(root, QUIET)
    (largest,) = sorted(shards(folder), key=lambda path: (path / "rows.npy").stat().st_size)[-1:]
    n_rows = len(np.load(largest / "keys.npy"))
    flip(largest / "rows.npy", -1)
    assert len(held(folder, numbers)[0]) == n_rows


@pytest.mark.parametrize("part", ["keys.npy", "sums.npy", "costs.npy", "cost.json", "rows.npy"])
def test_flipped_bit_of_any_file_of_a_merged_shard_is_found(root: Path, folder: Path, part: str) -> None:
    numbers = fill(folder)
    alone = np.arange(10**6, 10**6 + 600)
    RowStore(folder).put(keys_of(alone), rows_of(alone), 1.0, {"stage": "pooled"})
    numbers = np.concatenate([numbers, alone])
    before = held(folder, numbers)
    merge_small_shards(root, QUIET)
    for path in shards(folder):
        if "~" in path.name:
            flip(path / part, -3)
    missing, rows, costs = held(folder, numbers)
    assert 0 < len(missing) <= len(numbers) - len(alone)
    left = np.delete(np.arange(len(numbers)), missing)
    assert rows == np.frombuffer(before[1], np.float32).reshape(len(numbers), -1)[left].tobytes()
    assert costs == np.frombuffer(before[2], np.float64)[left].tobytes()


def test_few_shards_stay_as_they_are(root: Path, folder: Path) -> None:
    fill(folder, 25)
    before = shards(folder)
    merge_small_shards(root, QUIET)
    assert shards(folder) == before


def test_large_shards_are_not_copied(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_LARGE", 1000)
    large = np.arange(10**6, 10**6 + 100)
    RowStore(folder).put(keys_of(large), rows_of(large), 1.0, {"stage": "pooled"})
    (path,) = shards(folder)
    numbers = fill(folder)
    before = held(folder, np.concatenate([numbers, large]))
    merge_small_shards(root, QUIET)
    assert path in shards(folder)
    assert len(shards(folder)) < N_SHARDS
    assert held(folder, np.concatenate([numbers, large])) == before


@pytest.mark.slow
def test_row_is_copied_a_few_times_only_however_many_shards_come(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_MANY", 20)
    written, put, total = [], RowStore.put, 0

    def counted(self: RowStore, keys: np.ndarray, *rest: object, **named: object) -> None:
        written.append(len(keys))
        put(self, keys, *rest, **named)

    for turn in range(20):
        numbers = np.arange(10**4 * turn, 10**4 * turn + 16)
        write(folder, [(some, rows_of(some), 1.0) for some in numbers[:, None]], {})
        total += len(numbers)
        with monkeypatch.context() as patch:
            patch.setattr(RowStore, "put", counted)
            merge_small_shards(root, QUIET)
    assert len(RowStore(folder).keys) == total
    assert len(shards(folder)) < 40
    assert sum(written) < 4 * total


def test_duplicates_are_dropped_and_the_row_that_readers_took_stays(root: Path, folder: Path) -> None:
    numbers = fill(folder, 20)
    write(folder, [(some, -rows_of(some), 9.0) for some in numbers[:, None]], {"stage": "pooled"})
    before = held(folder, numbers)
    merge_small_shards(root, QUIET)
    assert held(folder, numbers) == before
    assert sum(len(np.load(path / "keys.npy")) for path in shards(folder)) < 1.2 * len(numbers)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_row_that_readers_took_stays_where_large_shards_hold_it_too(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(merging, "_LARGE", 2000)
    rng = np.random.default_rng(seed)
    numbers = np.arange(150)
    parts = [rng.choice(numbers, 90, replace=False) for _ in range(4)] + list(rng.permutation(numbers)[:, None])
    write(folder, [(some, rng.random((len(some), 6)).astype(np.float32), rng.random()) for some in parts], {})
    for n, path in zip(rng.permutation(len(parts)), shards(folder), strict=True):  # names that come in any order
        path.rename(folder / f"host.{n:03d}.abc")
    before = held(folder, numbers)
    merge_small_shards(root, QUIET)
    assert held(folder, numbers) == before
    assert len(shards(folder)) < 40


def test_damaged_shard_is_put_aside_and_not_merged(root: Path, folder: Path) -> None:
    numbers = fill(folder)
    damaged = shards(folder)[3]
    lost = np.load(damaged / "keys.npy").astype(str)
    flip(damaged / "rows.npy", -1)
    for _ in range(2):
        merge_small_shards(root, QUIET)
    missing, *_ = held(folder, numbers)
    assert keys_of(numbers[missing]) == sorted(lost)
    assert [path.name for path in folder.glob(".damaged-*")] == [f".damaged-{damaged.name}"]
    assert len(shards(folder)) < 20


def test_shards_of_earlier_versions_are_merged_and_have_checksums_from_then_on(root: Path, folder: Path) -> None:
    numbers = fill(folder)
    for path in shards(folder):
        unseal(path)
    before = held(folder, numbers)
    merge_small_shards(root, QUIET)
    assert held(folder, numbers) == before
    assert len(shards(folder)) < 20
    assert any((path / "sums.npy").exists() for path in shards(folder))


def test_shards_of_another_form_are_left_to_readers(root: Path, folder: Path) -> None:
    numbers = fill(folder)
    before = held(folder, numbers)
    wrong = np.arange(10**6, 10**6 + 30)
    write(folder, [(some, np.zeros((1, 7), np.float32), 1.0) for some in wrong[:, None]], {"stage": "pooled"})
    for path in shards(folder):
        if np.load(path / "rows.npy").shape[1] == 7:
            unseal(path)
    merge_small_shards(root, QUIET)
    assert held(folder, numbers) == before
    assert sum("~" not in path.name for path in shards(folder)) >= 30


def test_nothing_is_merged_while_the_cache_is_in_use(root: Path, folder: Path) -> None:
    fill(folder)
    before = shards(folder)
    with using(root):
        merge_small_shards(root, QUIET)
    assert shards(folder) == before


def test_store_that_is_open_beside_a_merge_finds_its_rows_again(root: Path, folder: Path) -> None:
    numbers = fill(folder)
    before = held(folder, numbers)
    store = RowStore(folder)
    merge_small_shards(root, QUIET)
    keys = keys_of(numbers)
    assert store.missing(keys) == []
    assert (store.get(keys)[:].tobytes(), store.costs(keys).tobytes()) == before[1:]
    assert list(folder.glob(".damaged-*")) == []


def test_cache_that_cannot_be_written_to_stays_as_it_is(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = fill(folder)
    before, listed = held(folder, numbers), shards(folder)
    monkeypatch.setattr(merging, "unwritable", lambda folder: "read-only")
    merge_small_shards(root, QUIET)
    assert (held(folder, numbers), shards(folder)) == (before, listed)


def test_full_disk_in_a_merge_is_one_line_and_changes_nothing(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = fill(folder)
    before, listed = held(folder, numbers), shards(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "sync", full)
    merge_small_shards(root, Progress())
    assert (held(folder, numbers), list(folder.iterdir())) == (before, list(folder.iterdir()))
    assert shards(folder) == listed
    assert "no space is left" in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("left", [1, 20, 44])
def test_what_a_stopped_merge_left_to_be_removed_is_removed_by_the_next(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    numbers = fill(folder)
    before = held(folder, numbers)
    remove = merging._remove
    monkeypatch.setattr(merging, "_remove", lambda store, replaced: remove(store, replaced[left:]))
    merge_small_shards(root, QUIET)
    assert held(folder, numbers) == before
    assert len(RowStore(folder).keys) == len(numbers)
    monkeypatch.setattr(merging, "_remove", remove)
    monkeypatch.setattr(merging, "_may_merge", lambda store: True)
    merge_small_shards(root, QUIET)
    assert held(folder, numbers) == before
    assert len(shards(folder)) < 20


_MERGE = (
    "import sys; from pathlib import Path; from mirbench.features.merging import merge_small_shards;"
    "from mirbench.progress import Progress; print('ready', flush=True);"
    "merge_small_shards(Path(sys.argv[1]), Progress(quiet=True))"
)


def merging_process(root: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", _MERGE, str(root)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as stream:
        stream.readline()
    return process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="nothing is killed so on Windows")
def test_killed_merges_lose_nothing_and_count_nothing_twice(root: Path, folder: Path, tmp_path: Path) -> None:
    numbers = fill(folder, 300)
    before, begun = held(folder, numbers), len(shards(folder))
    shutil.copytree(root, tmp_path / "whole")
    began = time.monotonic()
    merging_process(tmp_path / "whole").wait()
    whole, rng, met = time.monotonic() - began, np.random.default_rng(0), 0
    for _ in range(6):
        again = tmp_path / "again"
        shutil.copytree(root, again)
        store = again / "rows" / folder.name
        for _ in range(2):  # and the one that comes after it
            process = merging_process(again)
            time.sleep(float(rng.random()) * whole)
            process.send_signal(signal.SIGKILL)
            process.wait()
            met += 1 < len(shards(store)) < begun or any(path.name.startswith(".w") for path in store.iterdir())
            assert held(store, numbers) == before
            assert len(RowStore(store).keys) == len(numbers)
        merging_process(again).wait()
        assert held(store, numbers) == before
        with using(again):
            pass
        assert [path.name for path in store.iterdir() if path.name.startswith(".")] == []
        shutil.rmtree(again)
    print(f"{met} of 12 kills met a merge at work")
    assert met


@pytest.mark.slow
def test_two_merges_and_a_reader_at_once_leave_the_same_rows(root: Path, folder: Path) -> None:
    numbers = fill(folder, 300)
    before = held(folder, numbers)
    processes = [merging_process(root) for _ in range(3)]
    while any(process.poll() is None for process in processes):
        assert held(folder, numbers) == before
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert held(folder, numbers) == before
    assert len(shards(folder)) < 100
    assert os.listdir(root) == ["rows"]
