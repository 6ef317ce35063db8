"""Rows on disk: whole or not at all, shared between processes."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirbench.features import cache
from mirbench.features.cache import RowStore
from mirbench.features.temporary import replace_folder
from mirbench.places import default_cache


def rows_of(*numbers):
    return np.array([[n, 10 * n] for n in numbers], dtype=np.float32)


@pytest.fixture
def store(tmp_path):
    return RowStore(tmp_path / "rows")


def test_rows_round_trip(store):
    store.put(["a", "b", "c"], rows_of(1, 2, 3), 1.0, {})
    np.testing.assert_array_equal(store.get(["a", "b", "c"])[:], rows_of(1, 2, 3))


def test_rows_come_in_the_order_of_the_keys(store):
    store.put(["a", "b", "c"], rows_of(1, 2, 3), 1.0, {})
    np.testing.assert_array_equal(store.get(["c", "a"])[:], rows_of(3, 1))


def test_rows_of_a_key_asked_twice_come_twice(store):
    store.put(["a", "b"], rows_of(1, 2), 1.0, {})
    np.testing.assert_array_equal(store.get(["b", "a", "b"])[:], rows_of(2, 1, 2))


def test_rows_written_under_one_key_twice_are_the_first(store):
    store.put(["a", "b"], rows_of(1, 2), 1.0, {})
    store.put(["b", "c"], rows_of(99, 3), 1.0, {})
    np.testing.assert_array_equal(store.get(["b"])[:], rows_of(2))


def test_rows_are_gathered_from_several_shards(store):
    store.put(["a", "b"], rows_of(1, 2), 1.0, {})
    store.put(["c"], rows_of(3), 1.0, {})
    store.put(["d", "e"], rows_of(4, 5), 1.0, {})
    np.testing.assert_array_equal(store.get(["e", "a", "c", "d", "b"])[:], rows_of(5, 1, 3, 4, 2))


@settings(max_examples=20, deadline=None, database=None)
@given(
    cuts=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    picks=st.lists(st.integers(0, 10**6), min_size=1, max_size=20),
    seed=st.integers(0, 2**32 - 1),
)
def test_rows_index_as_the_gathered_array_does(tmp_path_factory, cuts, picks, seed):
    store = RowStore(tmp_path_factory.mktemp("rows"))
    whole = np.random.default_rng(seed).standard_normal((sum(cuts), 3, 2)).astype(np.float32)
    first = 0
    for cut in cuts:
        store.put([f"k{i}" for i in range(first, first + cut)], whole[first : first + cut], 1.0, {})
        first += cut
    order = np.array(picks) % len(whole)
    rows = store.get([f"k{i}" for i in order])
    index = np.random.default_rng(seed).integers(len(order), size=7)
    np.testing.assert_array_equal(rows[index], whole[order][index])
    np.testing.assert_array_equal(rows[1:9:2], whole[order][1:9:2])
    np.testing.assert_array_equal(rows[order > 2], whole[order][order > 2])


def test_rows_say_their_shape(store):
    store.put(["a", "b"], rows_of(1, 2), 1.0, {})
    assert store.get(["a", "b", "a"]).shape == (3, 2)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int64"])
def test_rows_keep_their_type(store, kind):
    store.put(["a"], rows_of(1).astype(kind), 1.0, {})
    assert store.get(["a"])[:].dtype == kind


def test_rows_become_an_array(store):
    store.put(["a", "b"], rows_of(1, 2), 1.0, {})
    np.testing.assert_array_equal(np.asarray(store.get(["b", "a"])), rows_of(2, 1))


def test_rows_become_an_array_of_another_type(store):
    store.put(["a"], rows_of(1), 1.0, {})
    assert np.asarray(store.get(["a"]), dtype=np.float64).dtype == np.float64


def test_rows_do_not_change_the_file_when_they_are_written_to(store):
    store.put(["a"], rows_of(1), 1.0, {})
    store.get(["a"])[:][...] = 7
    np.testing.assert_array_equal(store.get(["a"])[:], rows_of(1))


def test_missing_gives_the_positions_of_keys_without_a_row(store):
    store.put(["b"], rows_of(2), 1.0, {})
    assert store.missing(["a", "b", "c"]) == [0, 2]


def test_missing_is_everything_in_a_new_store(store):
    assert store.missing(["a", "b"]) == [0, 1]


def test_missing_knows_a_key_of_full_length(store):
    key = hashlib.blake2b(b"window", digest_size=16).hexdigest()
    store.put([key], rows_of(1), 1.0, {})
    assert store.missing([key]) == []


def test_seconds_are_a_share_of_the_shard(store):
    store.put(["a", "b", "c", "d"], rows_of(1, 2, 3, 4), 8.0, {})
    store.put(["e"], rows_of(5), 3.0, {})
    assert store.seconds(["a", "e"]) == pytest.approx(5.0)


def test_store_opened_again_holds_its_rows(store):
    store.put(["a"], rows_of(1), 1.0, {})
    np.testing.assert_array_equal(RowStore(store.folder).get(["a"])[:], rows_of(1))


def test_store_makes_no_folder_before_it_writes(tmp_path):
    RowStore(tmp_path / "rows").missing(["a"])
    assert not (tmp_path / "rows").exists()


def test_store_picks_up_a_shard_of_another_process(store):
    store.put(["a"], rows_of(1), 1.0, {})
    code = (
        "import sys, numpy as np; from pathlib import Path; from mirbench.features.cache import RowStore;"
        "RowStore(Path(sys.argv[1])).put(['b'], np.array([[2, 20]], dtype=np.float32), 1.0, {})"
    )
    subprocess.run([sys.executable, "-c", code, str(store.folder)], check=True)
    store.put(["c"], rows_of(3), 1.0, {})
    np.testing.assert_array_equal(store.get(["a", "b", "c"])[:], rows_of(1, 2, 3))


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_put_that_is_stopped_leaves_no_file(store, monkeypatch, at, error):
    calls, save = [], np.save

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == at:
            raise error
        save(*arguments)

    monkeypatch.setattr(cache.np, "save", stop)
    with pytest.raises(type(error)):
        store.put(["a"], rows_of(1), 1.0, {})
    assert list(store.folder.iterdir()) == []


def test_put_that_is_stopped_leaves_its_rows_missing(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            store.put(["a"], rows_of(1), 1.0, {})
    assert store.missing(["a"]) == [0]


def test_store_passes_over_what_a_killed_write_left(store):
    store.put(["a"], rows_of(1), 1.0, {})
    half = store.folder / ".writing-abc"
    half.mkdir()
    (half / "rows.npy").write_bytes(b"\x93NUMPY half")
    assert RowStore(store.folder).missing(["a", "b"]) == [1]


def test_put_refuses_a_cost_that_json_has_no_word_for(store):
    with pytest.raises(ValueError, match="JSON"):
        store.put(["a"], rows_of(1), float("nan"), {})


@pytest.mark.skipif(os.name == "nt", reason="folders have no such mode on Windows")
def test_put_makes_shards_that_the_others_of_a_shared_cache_may_read(store):
    store.put(["a"], rows_of(1), 1.0, {})
    (shard,) = store.folder.iterdir()
    assert shard.stat().st_mode & 0o055 == 0o055


def folder_with(path, text):
    path.mkdir()
    (path / "note").write_text(text)
    return path


def test_replace_folder_puts_a_new_folder_in_place(tmp_path):
    replace_folder(folder_with(tmp_path / "work", "new"), tmp_path / "deep" / "target")
    assert (tmp_path / "deep" / "target" / "note").read_text() == "new"


def test_replace_folder_replaces_a_full_one(tmp_path):
    target = folder_with(tmp_path / "target", "old")
    replace_folder(folder_with(tmp_path / "work", "new"), target)
    assert (target / "note").read_text() == "new"


def test_replace_folder_leaves_nothing_beside_it(tmp_path):
    target = folder_with(tmp_path / "target", "old")
    replace_folder(folder_with(tmp_path / "work", "new"), target)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_replace_folder_that_fails_keeps_the_old_one(tmp_path):
    target = folder_with(tmp_path / "target", "old")
    with pytest.raises(OSError, match="nowhere"):
        replace_folder(tmp_path / "nowhere", target)
    assert (target / "note").read_text() == "old"


def test_default_cache_is_what_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRBENCH_CACHE", str(tmp_path / "mine"))
    assert default_cache() == tmp_path / "mine"


def test_default_cache_lies_in_the_cache_folder_of_the_user(tmp_path, monkeypatch):
    monkeypatch.delenv("MIRBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "mirbench"
