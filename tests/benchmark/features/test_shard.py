"""Shards that are not as they were written are put aside; descriptors stay few."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.features import cache, shard
from mirbench.features.cache import RowStore

KEYS = [f"{n:032x}" for n in range(6)]
ROWS = np.random.default_rng(0).standard_normal((6, 5, 3)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of two shards."""
    store = RowStore(tmp_path / "rows")
    store.put(KEYS[:4], ROWS[:4], 4.0, {"stage": "pooled"})
    store.put(KEYS[4:], ROWS[4:], 2.0, {"stage": "pooled"})
    return tmp_path / "rows"


def shard_of(folder: Path, key: str) -> Path:
    held = [path for path in folder.iterdir() if key.encode() in np.load(path / "keys.npy")]
    return held[0]


def flip(path: Path, byte: int, bit: int = 0) -> None:
    held = bytearray(path.read_bytes())
    held[byte] ^= 1 << bit
    path.write_bytes(held)


def unseal(path: Path) -> None:
    """Make a shard as earlier versions wrote them."""
    cost = json.loads((path / "cost.json").read_text())
    (path / "cost.json").write_text(json.dumps({name: cost[name] for name in ("seconds", "n_rows", "about")}))
    (path / "sums.npy").unlink()


def asked(folder: Path) -> tuple[RowStore, list[int], list[str]]:
    """A new store, what it lacks, and what it says."""
    said: list[str] = []
    store = RowStore(folder, say=said.append)
    return store, store.missing(KEYS), said


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit of a row": lambda shard: flip(shard / "rows.npy", -1),
    "a row of zeros": lambda shard: (shard / "rows.npy").write_bytes(
        (shard / "rows.npy").read_bytes()[:-60] + bytes(60)
    ),
    "rows of zeros alone": lambda shard: (shard / "rows.npy").write_bytes(bytes((shard / "rows.npy").stat().st_size)),
    "rows cut": lambda shard: os.truncate(shard / "rows.npy", 200),
    "rows empty": lambda shard: os.truncate(shard / "rows.npy", 0),
    "rows longer": lambda shard: os.truncate(shard / "rows.npy", 9999),
    "rows of another byte order": lambda shard: (shard / "rows.npy").write_bytes(
        (shard / "rows.npy").read_bytes().replace(b"'<f4'", b"'>f4'")
    ),
    "rows of another type": lambda shard: np.save(shard / "rows.npy", ROWS[:4].astype(np.float64)),
    "rows of another shape": lambda shard: np.save(shard / "rows.npy", ROWS[:4, :2]),
    "rows that are a pickle": lambda shard: np.save(shard / "rows.npy", np.array([{}] * 4), allow_pickle=True),
    "no rows": lambda shard: (shard / "rows.npy").unlink(),
    "a folder for rows": lambda shard: ((shard / "rows.npy").unlink(), (shard / "rows.npy").mkdir()),
    "a bit of a key": lambda shard: flip(shard / "keys.npy", -1),
    "keys cut": lambda shard: os.truncate(shard / "keys.npy", 150),
    "no keys": lambda shard: (shard / "keys.npy").unlink(),
    "keys of another shard": lambda shard: np.save(shard / "keys.npy", np.array(KEYS[2:], dtype="S32")),
    "cost empty": lambda shard: os.truncate(shard / "cost.json", 0),
    "cost no JSON": lambda shard: (shard / "cost.json").write_text("{"),
    "cost another JSON": lambda shard: (shard / "cost.json").write_text("[1]"),
    "cost dearer": lambda shard: (shard / "cost.json").write_text(
        (shard / "cost.json").read_text().replace("4.0", "9.0")
    ),
    "cost no text": lambda shard: (shard / "cost.json").write_bytes(b"\xff\xfe"),
    "no cost": lambda shard: (shard / "cost.json").unlink(),
    "a bit of the checksums": lambda shard: flip(shard / "sums.npy", -1),
    "no checksums": lambda shard: (shard / "sums.npy").unlink(),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_shard_is_put_aside_and_its_rows_are_missing(folder: Path, how: str) -> None:
    damaged = shard_of(folder, KEYS[0])
    DAMAGE[how](damaged)
    store, missing, (line,) = asked(folder)
    assert missing == [0, 1, 2, 3]
    assert "1 shards of kept rows are damaged" in line
    assert [path.name for path in folder.glob(".damaged-*")] == [f".damaged-{damaged.name}"]
    store.put(KEYS[:4], ROWS[:4], 4.0, {"stage": "pooled"})
    assert store.missing(KEYS) == []
    np.testing.assert_array_equal(store.get(KEYS)[:], ROWS)


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_shard_of_a_cache_that_cannot_be_changed_is_passed_over(
    folder: Path, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DAMAGE[how](shard_of(folder, KEYS[0]))
    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError("read-only")))
        store = RowStore(folder, tmp_path / "scratch")
        assert store.missing(KEYS) == [0, 1, 2, 3]
        assert store.missing(KEYS) == [0, 1, 2, 3]
    store.put(KEYS[:4], ROWS[:4], 4.0, {})
    assert store.missing(KEYS) == []
    np.testing.assert_array_equal(store.get(KEYS)[:], ROWS)


def test_damage_is_said_in_one_line_for_all_shards_of_a_store(folder: Path) -> None:
    for path in list(folder.iterdir()):
        flip(path / "rows.npy", -1)
    _, missing, said = asked(folder)
    assert len(said) == 1
    assert missing == list(range(6))


def test_row_that_another_shard_holds_too_is_taken_from_it(folder: Path) -> None:
    RowStore(folder).put(KEYS[:2], ROWS[:2], 2.0, {})
    held = [path for path in folder.iterdir() if KEYS[3].encode() in np.load(path / "keys.npy")]
    flip(held[0] / "rows.npy", -1)
    store, missing, _ = asked(folder)
    assert missing == [2, 3]
    np.testing.assert_array_equal(store.get(KEYS[:2])[:], ROWS[:2])


def test_rows_that_were_handed_out_stay_when_their_shard_is_put_aside(folder: Path) -> None:
    store = RowStore(folder)
    store.missing(KEYS[:1])
    rows = store.get(KEYS[:1])
    flip(shard_of(folder, KEYS[0]) / "rows.npy", -1)  # of another row
    shard._read.cache_clear()
    assert store.missing(KEYS[:4]) == [0, 1, 2, 3]
    np.testing.assert_array_equal(rows[:], ROWS[:1])


def test_only_rows_that_are_asked_for_are_looked_at(folder: Path) -> None:
    flip(shard_of(folder, KEYS[0]) / "rows.npy", -1)
    assert RowStore(folder).missing(KEYS[:2]) == []
    assert RowStore(folder).missing(KEYS[:4]) == [0, 1, 2, 3]


def test_rows_are_looked_at_once(folder: Path) -> None:
    store = RowStore(folder)
    assert store.missing(KEYS) == []
    flip(shard_of(folder, KEYS[0]) / "rows.npy", -1)
    assert store.missing(KEYS) == []


def test_shard_of_an_earlier_version_is_read(folder: Path) -> None:
    for path in folder.iterdir():
        unseal(path)
    store, missing, said = asked(folder)
    assert (missing, said) == ([], [])
    np.testing.assert_array_equal(store.get(KEYS)[:], ROWS)
    assert store.seconds(KEYS) == 6.0


@pytest.mark.parametrize("length", [0, 100, 200])
def test_cut_shard_of_an_earlier_version_is_put_aside(folder: Path, length: int) -> None:
    unseal(shard_of(folder, KEYS[0]))
    os.truncate(shard_of(folder, KEYS[0]) / "rows.npy", length)
    assert asked(folder)[1] == [0, 1, 2, 3]


def test_others_files_in_a_store_are_passed_over_and_stay(folder: Path) -> None:
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "@eaDir").mkdir()
    (folder / "link").symlink_to(folder / "nowhere")
    assert asked(folder)[1:] == ([], [])
    assert (folder / "@eaDir").is_dir()


def test_file_in_the_place_of_a_store_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("a file")
    store = RowStore(tmp_path / "rows")
    assert store.missing(KEYS) == list(range(6))
    with pytest.raises(BadInput, match="cannot be written to"):
        store.put(KEYS, ROWS, 1.0, {})


def test_rows_that_were_removed_while_in_use_are_one_line(folder: Path) -> None:
    store = RowStore(folder)
    store.missing(KEYS)
    rows = store.get(KEYS)
    shutil.rmtree(folder)
    shard._read.cache_clear()
    with pytest.raises(BadInput, match="removed"):
        rows[:]


def test_full_disk_names_the_folder_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = RowStore(tmp_path / "rows")
    monkeypatch.setattr(cache, "sync", full)
    with pytest.raises(BadInput, match=r"rows: no space is left .*point MIRBENCH_CACHE elsewhere"):
        store.put(KEYS, ROWS, 1.0, {})
    assert list((tmp_path / "rows").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize("most", [100, 4096])  # of which the first is met when the file is closed, too
def test_file_that_may_not_grow_names_the_folder(tmp_path: Path, most: int) -> None:
    code = (
        "import resource, sys, numpy as np; from pathlib import Path; from mirbench.features.cache import RowStore;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])));"
        "RowStore(Path(sys.argv[1])).put(['a'], np.ones((1, 2 * int(sys.argv[2])), np.float32), 1.0, {})"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "rows"), str(most)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith("mirbench.errors.BadInput: ")
    assert "no space is left" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "rows").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors as Linux does")
@pytest.mark.parametrize("width", [3, 70_000], ids=["small", "large"])
def test_two_thousand_shards_need_few_descriptors(tmp_path: Path, width: int) -> None:
    store = RowStore(tmp_path / "one")
    store.put(KEYS[:1], np.zeros((1, width), np.float32), 1.0, {})
    n_shards = 2000 if width == 3 else 600
    (first,) = store.folder.iterdir()
    code = (
        "import os, resource, sys, numpy as np; from pathlib import Path; from mirbench.features.cache import RowStore;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256));"
        "store = RowStore(Path(sys.argv[1])); keys = [f'{n:032x}' for n in range(int(sys.argv[2]))];"
        "assert store.missing(keys) == []; rows = store.get(keys);"
        "assert [rows[np.array([n])][0, 0] for n in range(len(keys))] == list(range(len(keys)));"
        "assert len(os.listdir('/proc/self/fd')) < 100"
    )
    monkey = pytest.MonkeyPatch()
    monkey.setattr(cache, "sync", lambda folder, files=True: None)
    monkey.setattr(RowStore, "look", lambda self: None)
    many = RowStore(tmp_path / "rows")
    for n in range(n_shards):
        many.put([f"{n:032x}"], np.full((1, width), n, np.float32), 1.0, {})
    monkey.undo()
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "rows"), str(n_shards)], check=True)
    shutil.rmtree(first)


@pytest.mark.slow
def test_no_flipped_bit_of_a_store_is_believed(folder: Path, tmp_path: Path) -> None:
    rng, outcomes = np.random.default_rng(0), {"recomputed": 0, "of no matter": 0}
    for part in ("rows.npy", "keys.npy", "sums.npy", "cost.json"):
        for _ in range(150):
            again = tmp_path / "again"
            shutil.copytree(folder, again)
            path = shard_of(again, KEYS[0]) / part
            flip(path, int(rng.integers(path.stat().st_size)), int(rng.integers(8)))
            store, missing, _ = asked(again)
            outcomes["recomputed" if missing else "of no matter"] += 1
            kept = [key for n, key in enumerate(KEYS) if n not in missing]
            np.testing.assert_array_equal(store.get(kept)[:], ROWS[[KEYS.index(key) for key in kept]])
            assert store.seconds(kept) == float(len(kept))
            shutil.rmtree(again)
    print(outcomes)
