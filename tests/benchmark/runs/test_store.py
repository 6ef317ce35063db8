"""Records on disk."""

import dataclasses
import errno
import gc
import hashlib
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.record import RunRecord, RunSpec
from mirbench.runs import store as store_module
from mirbench.runs.run_files import changed_files
from mirbench.runs.scores import Scores, target_hashes
from mirbench.runs.store import RunStore
from mirbench.types import Clip, Split, Targets, Task, Windowing

SPEC = RunSpec(
    task="tiny",
    task_version="1",
    fold=0,
    windowing=Windowing(average="logit"),
    method="probe-linear",
    method_version="1",
    params={"C": 0.5, "norm": None},
    search={"C": [0.1, 1.0]},
    source="nano",
    source_version="1",
    source_params={"input_norm": "audioset"},
    source_sha256="ab" * 32,
    audio_sha256="cd" * 32,
    precision="float32",
    seed=3,
)
RECORD = RunRecord(
    SPEC,
    "done",
    metrics={"accuracy": 0.75, "roc-auc": None, "confusion": [[3, 1], [0, 0]]},
    n_scored={"roc-auc": 0},
    n_trainable=130,
    n_clips={"train": 4, "valid": 2, "test": 4},
    seconds={"train": 0.25, "epoch": None},
    trials=[{"params": {"C": 0.1}, "valid_score": 0.5, "seconds": 0.125}],
    history=[{"loss": 0.5}],
    classes=["a", "b"],
    kind="single-label",
    contaminated=["audioset"],
    environment={"python": "3.11"},
)
TASK = Task("tiny", "1", "", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: [], "tiny", 3, 1.0)
CLIPS = (
    Clip("1", Path("1.wav"), "test", ("a",)),
    Clip("2", Path("2.wav"), "test", ("b",)),
    Clip("3", Path("3.wav"), "test", ("a",), unknown=("b",)),
)


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def scores_of(clips=CLIPS):
    scores = np.linspace(0, 1, 2 * len(clips)).reshape(-1, 2)
    return Scores.of(Split(TASK, clips), scores)


def hashes_of(clips):
    return scores_of(clips).hashes.tolist()


def edit(folder, change):
    path = folder / "record.json"
    path.write_text(change(path.read_text()))


def test_record_round_trips(store):
    store.write(RECORD)
    assert store.read(SPEC) == RECORD


def test_record_read_back_has_the_key_that_was_asked_for(store):
    spec = dataclasses.replace(SPEC, params={"sizes": (1, 2)}, search={"C": (0.1, 1.0)})
    store.write(dataclasses.replace(RECORD, spec=spec))
    assert store.read(spec).spec.key == spec.key


def test_record_lies_under_task_method_and_source(store):
    assert store.write(RECORD) == store.root / "tiny" / "probe-linear+nano" / SPEC.key


def test_record_without_source_lies_under_its_method(store):
    spec = dataclasses.replace(SPEC, source="")
    assert store.folder(spec) == store.root / "tiny" / "probe-linear" / spec.key


def test_read_of_a_run_that_was_not_done_is_none(store):
    assert store.read(SPEC) is None


def test_read_gives_no_record_of_another_seed(store):
    store.write(RECORD)
    assert store.read(dataclasses.replace(SPEC, seed=4)) is None


def test_write_knows_numpy_scalars(store):
    store.write(dataclasses.replace(RECORD, metrics={"accuracy": np.float32(0.5), "n": np.int64(3)}))
    assert store.read(SPEC).metrics == {"accuracy": 0.5, "n": 3}


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), np.float32("nan")])
def test_write_makes_null_of_what_json_has_no_word_for(store, value):
    folder = store.write(dataclasses.replace(RECORD, metrics={"accuracy": [value, 0.5]}))
    assert json.loads((folder / "record.json").read_text())["metrics"] == {"accuracy": [None, 0.5]}


def test_write_that_json_refuses_leaves_no_file(store):
    with pytest.raises(ValueError, match="JSON"):
        store.write(dataclasses.replace(RECORD, metrics={"accuracy": object()}), scores_of())
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_read_refuses_what_json_has_no_word_for(store, word):
    folder = store.write(RECORD)
    edit(folder, lambda text: text.replace("0.75", word))
    with pytest.raises(BadInput, match=f"not a record .*{word} is not JSON"):
        store.read(SPEC)


def test_read_refuses_another_schema_version(store):
    folder = store.write(RECORD)
    edit(folder, lambda text: text.replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(BadInput, match="schema version 99; this mirbench reads version 1"):
        store.read(SPEC)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        "{}",
        '{"schema_version": 1}',
        '{"schema_version": 1, "spec": {"windowing": {}}}',
        "\x00",
    ],
)
def test_read_of_what_is_no_record_names_its_file(store, content):
    folder = store.write(RECORD)
    edit(folder, lambda _: content)
    with pytest.raises(BadInput, match=r"record\.json: not a record"):
        store.read(SPEC)


def test_read_refuses_a_field_that_records_do_not_have(store):
    folder = store.write(RECORD)
    edit(folder, lambda text: json.dumps({**json.loads(text), "verdict": "good"}))
    with pytest.raises(BadInput, match="verdict"):
        store.read(SPEC)


def test_write_replaces_a_failed_run(store):
    store.write(RunRecord(SPEC, "failed", "out of memory"), traceback="Traceback …")
    store.write(RECORD, scores_of())
    assert store.read(SPEC).status == "done"


def test_write_leaves_nothing_of_the_run_that_it_replaces(store):
    store.write(RunRecord(SPEC, "failed", "out of memory"), traceback="Traceback …")
    folder = store.write(RECORD)
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == ["record.json"]
    assert [path for path in folder.parent.iterdir()] == [folder]


def test_write_keeps_the_traceback(store):
    folder = store.write(RunRecord(SPEC, "failed", "out of memory"), traceback="Traceback …")
    assert (folder / "traceback.txt").read_text() == "Traceback …"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_write_that_is_stopped_leaves_no_folder(store, monkeypatch, error):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(store_module, "sync", stop)
    with pytest.raises(type(error)):
        store.write(RECORD, scores_of())
    assert list((store.root / "tiny" / "probe-linear+nano").iterdir()) == []


def test_write_that_is_stopped_keeps_the_earlier_record(store, monkeypatch):
    store.write(RunRecord(SPEC, "failed", "out of memory"))

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(store_module, "sync", stop)
    with pytest.raises(KeyboardInterrupt):
        store.write(RECORD, scores_of())
    assert store.read(SPEC).reason == "out of memory"


def test_records_lists_every_record_with_its_folder(store):
    other = dataclasses.replace(RECORD, spec=dataclasses.replace(SPEC, seed=4))
    folders = {store.write(RECORD), store.write(other)}
    assert {folder for folder, _ in store.records()} == folders


def test_records_of_a_folder_that_is_not_there_are_none(store):
    assert list(store.records()) == []


def test_records_pass_over_a_folder_that_is_half_written(store):
    folder = store.write(RECORD)
    half = folder.parent / ".writing-abc"
    half.mkdir()
    (half / "record.json").write_text("{")
    assert [found for found, _ in store.records()] == [folder]


def test_records_pass_over_a_folder_without_a_record(store):
    folder = store.write(RECORD)
    (folder.parent / "0123456789abcdef").mkdir()
    assert [found for found, _ in store.records()] == [folder]


def test_scores_round_trip(store):
    given = scores_of()
    found = store.scores(store.write(RECORD, given))
    np.testing.assert_array_equal(found.scores, given.scores)
    np.testing.assert_array_equal(found.clip_ids, given.clip_ids)
    np.testing.assert_array_equal(found.targets.value, given.targets.value)
    np.testing.assert_array_equal(found.targets.known, given.targets.known)
    np.testing.assert_array_equal(found.hashes, given.hashes)


def test_scores_are_stored_as_float32(store):
    assert store.scores(store.write(RECORD, scores_of())).scores.dtype == np.float32


def test_scores_that_are_missing_are_named(store):
    with pytest.raises(BadInput, match=r"scores\.npz: no such file"):
        store.scores(store.write(RECORD))


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_scores_that_are_truncated_are_named(store, keep):
    folder = store.write(RECORD, scores_of())
    path = folder / "scores.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match=r"scores\.npz: not readable"):
        store.scores(folder)
    gc.collect()  # a file that was left open would warn here


def test_scores_without_a_field_are_named(store):
    folder = store.write(RECORD, scores_of())
    np.savez(folder / "scores.npz", scores=np.zeros((1, 2)))
    with pytest.raises(BadInput, match=r"scores\.npz: scores is an array of float64"):
        store.scores(folder)


def test_state_round_trips(store):
    from safetensors.numpy import load_file

    state = {"coef": np.arange(6, dtype=np.float32).reshape(2, 3).T, "steps": np.array([3])}
    found = load_file(store.write(RECORD, state=state) / "model.safetensors")
    np.testing.assert_array_equal(found["coef"], state["coef"])
    np.testing.assert_array_equal(found["steps"], state["steps"])


def test_state_keeps_the_shape_of_a_scalar(store):
    from safetensors.numpy import load_file

    folder = store.write(RECORD, state={"gain": np.array(0.5, dtype=np.float32)})
    assert load_file(folder / "model.safetensors")["gain"].shape == ()


def test_state_that_is_empty_makes_no_file(store):
    assert not (store.write(RECORD, state={}) / "model.safetensors").exists()


def test_target_hashes_are_sixteen_hex_digits():
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in hashes_of(CLIPS))


def test_target_hashes_are_the_same_for_the_same_labels():
    assert hashes_of(CLIPS) == hashes_of(CLIPS)


@pytest.mark.parametrize("change", [{"labels": ("b",)}, {"unknown": ("b",)}, {"id": "1 again"}])
def test_target_hashes_change_with_a_label_a_mask_or_an_id(change):
    changed = (dataclasses.replace(CLIPS[0], **change), *CLIPS[1:])
    before, after = hashes_of(CLIPS), hashes_of(changed)
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True, True]


def test_target_hashes_do_not_depend_on_where_the_audio_lies():
    moved = tuple(dataclasses.replace(clip, path=Path("/elsewhere") / clip.path) for clip in CLIPS)
    assert hashes_of(moved) == hashes_of(CLIPS)


def test_target_hashes_refuse_arrays_that_do_not_match():
    with pytest.raises(ValueError, match="zip"):
        target_hashes(np.array(["1", "2"]), Targets(np.zeros((3, 2), np.float32), np.ones((3, 2), bool), "multi-label"))


NASTY = [
    "", ".", "..", "...", "../..", "a/b", "/etc/passwd", "a\\b", "..\\..", "a\0b", "CON", "nul.txt", "\udc80", "\n",
    "a" * 300, "日" * 300, "./", "../", "-rf", "*", "~", "C:\\x", "\u202e", ".git",
]  # fmt: skip


def test_folder_of_a_run_never_leaves_the_root(store):
    rng = random.Random(0)
    letters = [".", "..", "/", "\\", "\0", "a", "é", "日", "\udc80", "+", ":", "~", "\n", " ", "\u202e"]
    drawn = ["".join(rng.choices(letters, k=rng.randint(0, 12))) for _ in range(500)]
    root = store.root.resolve()
    for name in [*NASTY, *drawn]:
        for changes in ({"task": name}, {"method": name}, {"method": name, "source": ""}, {"source": name}):
            folder = store.folder(dataclasses.replace(SPEC, **changes))
            parts = folder.relative_to(store.root).parts
            assert folder.resolve().relative_to(root).parts == parts
            assert len(parts) == 3
            assert all(not part.startswith(".") and len(part.encode()) <= 255 for part in parts)


@pytest.mark.parametrize("name", NASTY)
def test_run_of_any_name_is_written_and_found_below_the_root(name, store, tmp_path):
    spec = dataclasses.replace(SPEC, task=name.replace("\udc80", "?"), method=name.replace("\udc80", "?"))
    folder = store.write(dataclasses.replace(RECORD, spec=spec))
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
    assert [path.parent for path in store.root.glob("*/*/*/record.json")] == [folder]


def test_names_of_other_runs_are_no_way_out(store):
    store.write(RECORD)
    (store.root.parent / "other" / ("0" * 16)).mkdir(parents=True)
    with pytest.raises(BadInput, match="No run below"):
        store.find("../other/x")


STATE = {"gain": np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_record_holds_the_hashes_of_its_files(store):
    folder = store.write(RECORD, scores_of(), STATE)
    files = store.read(SPEC).files
    held = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    assert files == held
    assert set(files) == {"scores.npz", "model.safetensors"}


def test_record_without_hashes_of_files_is_read(store):
    folder = store.write(RECORD, scores_of(), STATE)
    path = folder / "record.json"
    held = json.loads(path.read_text())
    del held["files"]
    path.write_text(json.dumps(held))
    assert store.read(SPEC).files == {}
    assert list(changed_files(folder, store.read(SPEC).files)) == []
    np.testing.assert_array_equal(store.state(folder, store.read(SPEC).files)["gain"], STATE["gain"])


def test_no_flipped_bit_of_a_model_is_believed(store):
    folder = store.write(RECORD, scores_of(), STATE)
    path, files = folder / "model.safetensors", store.read(SPEC).files
    whole = path.read_bytes()
    for byte in range(len(whole)):
        damaged = bytearray(whole)
        damaged[byte] ^= 1 << byte % 8
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"model.safetensors: is damaged or another one .*run it again"):
            store.state(folder, files)


@pytest.mark.parametrize("length", [0, 1, 8, 50])
def test_cut_model_is_one_line(store, length):
    folder = store.write(RECORD, scores_of(), STATE)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    for files in (store.read(SPEC).files, {}):
        with pytest.raises(BadInput, match=r"model.safetensors: .*again"):
            store.state(folder, files)


def test_model_that_is_gone_is_no_longer_there(store):
    folder = store.write(RECORD, scores_of(), STATE)
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="no longer there"):
        store.state(folder, store.read(SPEC).files)


def test_model_beside_a_record_that_has_none_is_refused(store):
    folder = store.write(RECORD, scores_of())
    (folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(BadInput, match="beside a record that has none"):
        store.state(folder, store.read(SPEC).files)


@pytest.mark.parametrize(
    ("error", "said"),
    [(errno.ENOSPC, "no space is left"), (errno.EDQUOT, "no space"), (errno.EROFS, "cannot be written")],
)
def test_write_that_the_disk_refuses_names_the_folder_and_leaves_nothing(store, monkeypatch, error, said):
    def stop(*_, **__):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(store_module, "sync", stop)
    with pytest.raises(BadInput, match=rf"runs: {said}.*--runs FOLDER"):
        store.write(RECORD, scores_of(), STATE)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_folder_of_runs_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(BadInput, match=r"runs: no record can be written there .*is no folder.*--runs FOLDER"):
        RunStore(tmp_path / "runs").require_writable()


def test_folder_of_runs_is_not_made_to_see_whether_it_can_be(tmp_path):
    RunStore(tmp_path / "deep" / "runs").require_writable()
    assert list(tmp_path.iterdir()) == []
