"""Features that were computed elsewhere: files of users, and arrays that ship with a data set."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mirbench.errors import BadInput, MissingData, NotApplicable
from mirbench.methods.sources.precomputed import FileFeatures, ShippedFeatures, features_card
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, demo_needed
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from mirbench.types import ArrayRow, Clip, Task

QUIET = Progress(quiet=True)
CLIPS = tuple(Clip(f"c{n}", None, "train", ("ab"[n % 2],)) for n in range(4))
IDS = np.array([clip.id for clip in CLIPS])
X = np.arange(12, dtype=np.float32).reshape(4, 3)


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def pooled(path: Path, clips: tuple[Clip, ...] = CLIPS, array: str = "") -> Any:
    card = features_card(str(path))
    return FileFeatures(path, array or card.options["array"]).pooled(clips)


def refusal(make: Callable[[], object]) -> str:
    """The one line that refuses what a user gave."""
    with pytest.raises(BadInput) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Files


def test_features_are_matched_to_clips_by_id(tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=IDS[::-1], x=X[::-1])
    assert np.array_equal(pooled(path).values, X)


def test_features_of_other_clips_are_left_aside(tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=IDS, x=X)
    assert np.array_equal(pooled(path, (CLIPS[2], CLIPS[0])).values, X[[2, 0]])


def test_features_of_several_frames_are_windows(tmp_path: Path) -> None:
    frames = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    found = pooled(save(tmp_path / "f.npz", id=IDS, x=frames))
    assert found.clip_index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert np.array_equal(found.clip_means(), frames.mean(axis=1))


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4", "int64", "uint8"])
def test_features_of_any_kind_of_number_become_float32(tmp_path: Path, dtype: str) -> None:
    found = pooled(save(tmp_path / "f.npz", id=IDS, x=X.astype(dtype)), array="x")
    assert (found.values.dtype, np.array_equal(found.values, X)) == (np.float32, True)


@pytest.mark.parametrize("name", ["id", "ids", "clip_id", "sample_key", "whatever"])
def test_features_find_the_array_of_ids(tmp_path: Path, name: str) -> None:
    assert len(pooled(save(tmp_path / "f.npz", **{name: IDS, "x": X}))) == 4


def test_features_prefer_an_array_called_id_to_other_text(tmp_path: Path) -> None:
    assert len(pooled(save(tmp_path / "f.npz", label=np.array(list("abab")), id=IDS, x=X))) == 4


def test_features_take_ids_that_are_bytes(tmp_path: Path) -> None:
    assert np.array_equal(pooled(save(tmp_path / "f.npz", id=IDS.astype("S"), x=X)).values, X)


def test_features_card_says_what_the_file_holds(tmp_path: Path) -> None:
    card = features_card(str(save(tmp_path / "f.npz", id=IDS, x=X, y=X[:, :2])))
    assert (card.name, card.kind, card.n_features, card.options) == ("features:f.npz", "precomputed", 3, {"array": "x"})
    assert "y (4, 2)" in card.title


def test_features_card_offers_embeddings_alone(tmp_path: Path) -> None:
    assert features_card(str(save(tmp_path / "f.npz", id=IDS, x=X))).offers == ("pooled",)


def test_features_of_another_array_can_be_chosen(tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=IDS, x=X, y=X[:, :2])
    assert pooled(path, array="y").values.shape == (4, 2)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": X}, "no array of ids; call it 'id'"),
        ({"id": IDS}, "no array of numbers"),
        ({"id": np.array("c0"), "x": X}, "its array 'id' must be text, one id a row"),
        ({"id": IDS[:, None], "x": X}, "its array 'id' must be text"),
        ({"id": np.arange(4), "x": X}, "c0 is one); its ids look like '0'"),
        ({"id": np.arange(4.0), "x": X}, "its array 'id' must be text"),
        ({"id": np.arange(4), "label": np.array(list("abab")), "x": X}, "c0 is one); its ids look like '0'"),
        ({"id": IDS.astype(object), "x": X}, "it holds Python objects, which are not read"),
        ({"id": IDS, "x": X.astype(object)}, "x (4, 3) of Python objects, which are not read"),
        ({f"c{n}": X[n % 4] for n in range(20)}, "if each array is a clip, stack them"),
        ({"one": IDS, "two": IDS, "x": X}, "no array of ids"),
        ({"id": IDS, "x": X[:3]}, "a row for each of 4 ids; it has id (4,), x (3, 3)"),
        ({"id": IDS, "x": X[:, 0]}, "no array of numbers"),
        ({"id": IDS, "x": X[:, :0]}, "no array of numbers"),
        ({"id": IDS, "x": X.reshape(4, 1, 3)[:, :0]}, "no array of numbers"),
        ({"id": IDS, "x": X.reshape(4, 1, 1, 3)}, "no array of numbers"),
        ({"id": IDS, "x": X.astype(str)}, "no array of numbers"),
        ({"id": IDS, "x": X.astype(complex)}, "no array of numbers"),
        ({"id": IDS, "x": X > 1}, "no array of numbers"),
        ({"id": IDS[:0], "x": X[:0]}, "no array of numbers"),
        ({"id": np.array(["c0"] * 4), "x": X}, "some ids occur twice"),
        ({"id": np.array([f"{n}.wav" for n in IDS]), "x": X}, "c0 is one); its ids look like 'c0.wav'"),
        ({"id": np.array([b"\xff", b"b", b"c", b"d"]), "x": X}, "its ids are not text in UTF-8"),
    ],
    ids=[
        "no ids", "no numbers", "one id", "table of ids", "numbers for ids", "fractions for ids",
        "labels beside numbers", "objects for ids", "objects for numbers", "a clip an array", "two texts",
        "too few rows", "one column", "no column", "no frame", "four axes", "text", "complex", "truth", "no row",
        "ids twice", "other ids", "ids of no text",
    ],
)  # fmt: skip
def test_features_that_are_no_features_are_refused(tmp_path: Path, arrays: dict[str, Any], says: str) -> None:
    path = save(tmp_path / "f.npz", **arrays)
    line = refusal(lambda: pooled(path))
    assert "f.npz" in line
    assert says in line


# Labels beside features

CODES = np.arange(64 * 32).reshape(64, 32) % 251  # as many rows and columns as an embedding has, in whole numbers
MANY = np.array([f"m{n}" for n in range(64)])
NOISE = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
CLASS = np.arange(64) % 3


@pytest.mark.parametrize(
    "labels",
    [
        {"a": np.eye(3)[CLASS]},
        {"a": np.eye(3, dtype=np.float32)[CLASS]},
        {"a": np.eye(3, dtype=np.uint8)[CLASS]},
        {"a": np.eye(40)[np.arange(64) % 40]},
        {"a": np.where(np.eye(3)[CLASS] > 0, 1, -1)},
        {"a": np.where(np.eye(3)[CLASS] > 0, 0.9, 0.05)},
        {"a": np.where(np.eye(3)[CLASS] > 0, 1, np.nan)},
        {"a": np.eye(3)[CLASS] + np.eye(3)[(CLASS + 1) % 3]},
        {"a": CLASS[:, None]},
        {"a": CLASS[:, None].astype(np.float32) * 5 + np.arange(64)[:, None]},
        {"a": np.stack([CLASS, np.arange(64)], axis=1)},
        {"Y": NOISE[:, :3]},
        {"Y_true": NOISE[:, :3], "Y_mask": NOISE[:, :3] > 0},
        {"soft-labels": NOISE[:, :3]},
        {"a": np.asfortranarray(np.eye(3)[CLASS])},
    ],
    ids=[
        "one-hot", "one-hot float32", "one-hot bytes", "one-hot of many", "plus minus one", "smoothed", "unknown",
        "several", "numbers", "numbers as fractions", "two columns", "Y", "Y_true", "soft labels", "Fortran",
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_features_are_never_the_labels_beside_them(tmp_path: Path, labels: dict[str, Any], first: bool) -> None:
    held = {**labels, "X": NOISE, "sample_key": MANY} if first else {"sample_key": MANY, "X": NOISE, **labels}
    card = features_card(str(save(tmp_path / "f.npz", **held)))
    assert (card.options, card.n_features) == ({"array": "X"}, 4)
    assert all(f"{name} (" in card.title for name in labels if name != "Y_mask")


@pytest.mark.parametrize(
    "features",
    [
        CODES.astype(np.uint8), CODES, CODES.reshape(64, 2, 16).astype(np.int16), NOISE[:, :1],
        NOISE.astype(np.float16),
        np.tile(NOISE[:, None], (1, 5, 1)), np.maximum(NOISE, 0), np.concatenate([NOISE, np.ones((64, 2))], axis=1),
    ],
    ids=["bytes", "whole numbers", "frames of them", "a column", "halves", "frames", "many zeros", "constants"],
)  # fmt: skip
def test_features_of_a_file_that_holds_no_others_are_taken(tmp_path: Path, features: Any) -> None:
    path = save(tmp_path / "f.npz", id=MANY, z=np.eye(3)[CLASS], a=features)
    assert features_card(str(path)).options == {"array": "a"}


def test_features_that_may_be_several_arrays_are_asked_for_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=MANY, a=NOISE, b=NOISE[:, :2], c=np.eye(3)[CLASS])
    says = "which array is meant must be said (a (64, 4), b (64, 2); no features unless asked for: c (64, 3) (holds 0"
    line = refusal(lambda: FileFeatures(path))
    assert says in line
    assert line.endswith("--source-set array=a")


def test_labels_are_features_where_they_are_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=MANY, a=np.eye(3)[CLASS])
    clips = tuple(Clip(str(name), None, "train", ("a",)) for name in MANY)
    assert "none; no features unless asked for: a (64, 3)" in refusal(lambda: FileFeatures(path))
    assert FileFeatures(path, "a").pooled(clips).values.shape == (64, 3)


@pytest.mark.parametrize("written", ["  {}", "{}  ", "{}\n"])
def test_features_are_matched_to_ids_with_spaces_around_them(tmp_path: Path, written: str) -> None:
    path = save(tmp_path / "f.npz", id=np.array([written.format(name) for name in IDS]), x=X)
    assert np.array_equal(pooled(path).values, X)


def test_features_are_matched_to_ids_of_the_other_form_and_separators(tmp_path: Path) -> None:
    clips = tuple(replace(clip, id=f"fl\u00f6te/{clip.id}") for clip in CLIPS)
    path = save(tmp_path / "f.npz", id=np.array([f"flo\u0308te\\{name}" for name in IDS]), x=X)
    assert np.array_equal(pooled(path, clips).values, X)


def test_features_of_two_ids_that_differ_in_spaces_alone_are_matched_exactly(tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=np.array(["c0", "c0 ", "c1", "c2 ", " c2"]), x=np.vstack([X, X[:1]]))
    assert np.array_equal(pooled(path, CLIPS[:2]).values, X[[0, 2]])
    assert "no row of 1 of 1 clips (c2" in refusal(lambda: pooled(path, CLIPS[2:3]))


def test_features_are_matched_to_ids_that_are_numbers(tmp_path: Path) -> None:
    clips = tuple(replace(clip, id=clip.id[1:]) for clip in CLIPS)
    assert np.array_equal(pooled(save(tmp_path / "f.npz", id=np.arange(4)[::-1], x=X[::-1]), clips).values, X)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_features_that_are_not_finite_name_file_and_clip(tmp_path: Path, value: float) -> None:
    broken = X.astype(np.float64)
    broken[2, 1] = value
    line = refusal(lambda: pooled(save(tmp_path / "f.npz", id=IDS, x=broken)))
    assert ("features:f.npz" in line, "1 rows hold" in line, "c2" in line) == (True, True, True)


def test_features_that_are_not_finite_matter_only_where_they_are_used(tmp_path: Path) -> None:
    broken = X.copy()
    broken[2, 1] = np.nan
    assert len(pooled(save(tmp_path / "f.npz", id=IDS, x=broken), CLIPS[:2])) == 2


class Evil:
    """Runs code where somebody unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("code-ran"),))


@pytest.mark.parametrize("name", ["id", "x"])
def test_features_with_pickled_objects_are_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = np.empty(4, dtype=object)
    evil[:] = [Evil() for _ in range(4)]
    path = save(tmp_path / "f.npz", **{"id": IDS, "x": X, name: evil})
    refusal(lambda: pooled(path))
    assert not Path("code-ran").exists()


def test_features_beside_pickled_objects_are_read_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = np.empty(4, dtype=object)
    evil[:] = [Evil() for _ in range(4)]
    assert len(pooled(save(tmp_path / "f.npz", id=IDS, x=X, more=evil))) == 4
    assert not Path("code-ran").exists()


def bare_npy(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, X)


def words_in_a_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("readme.txt", "no array")


def cut_short(path: Path) -> None:
    save(path, id=IDS, x=X)
    path.write_bytes(path.read_bytes()[:-40])


def locked(path: Path) -> None:
    """A zip whose directory says that its files are encrypted."""
    save(path, id=IDS, x=X)
    content = bytearray(path.read_bytes())
    for at in [i for i in range(len(content)) if content[i : i + 4] == b"PK\x01\x02"]:
        content[at + 8] |= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "make",
    [
        bare_npy, words_in_a_zip, cut_short, locked, lambda path: path.write_bytes(b""),
        lambda path: path.write_text("id,x\nc0,1\n"), lambda path: path.write_bytes(pickle.dumps({"id": IDS, "x": X})),
    ],
    ids=["npy", "words", "cut short", "locked", "empty", "csv", "pickle"],
)  # fmt: skip
def test_features_of_another_kind_of_file_are_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "f.npz")
    assert "f.npz: not readable as an .npz file of arrays" in refusal(lambda: pooled(tmp_path / "f.npz"))


def test_features_with_damaged_bytes_are_refused_or_read(tmp_path: Path) -> None:
    """Whatever byte is wrong, no other error than `BadInput`."""
    whole = save(tmp_path / "whole.npz", id=IDS, x=X).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "f.npz"
    for at in rng.choice(len(whole), 250, replace=False):
        damaged = bytearray(whole)
        damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        with suppress(BadInput):
            assert pooled(path).values.shape[1:] == (3,)


@pytest.mark.parametrize("name", ["nowhere.npz", "."])
def test_features_that_are_not_there_are_missing_data(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingData, match=r"no such file; an \.npz file with ids and features is needed"):
        features_card(str(tmp_path / name))


def test_features_in_an_unknown_home_are_refused() -> None:
    assert "nobody-of-this-name" in refusal(lambda: features_card("~nobody-of-this-name/f.npz"))


def test_features_in_the_home_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "f.npz", id=IDS, x=X)
    assert features_card("~/f.npz").n_features == 3


# Features that ship with a data set


def shipped(path: Path, name: str = "vggish") -> tuple[Clip, ...]:
    return tuple(
        replace(clip, arrays=(ArrayRow("mel", path, "z", 0), ArrayRow(name, path, "x", n)))
        for n, clip in enumerate(CLIPS)
    )


def test_shipped_features_are_the_rows_that_the_clips_name(tmp_path: Path) -> None:
    clips = shipped(save(tmp_path / "f.npz", x=X))
    assert np.array_equal(ShippedFeatures("vggish").pooled(clips[::-1]).values, X[::-1])


def test_shipped_features_of_several_frames_are_windows(tmp_path: Path) -> None:
    frames = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    found = ShippedFeatures("vggish").pooled(shipped(save(tmp_path / "f.npz", x=frames)))
    assert np.array_equal(found.clip_means(), frames.mean(axis=1))


def test_shipped_features_of_another_name_are_not_applicable(tmp_path: Path) -> None:
    clips = shipped(save(tmp_path / "f.npz", x=X))
    with pytest.raises(NotApplicable, match="c0: no features called openl3"):
        ShippedFeatures("openl3").pooled(clips)


def test_shipped_features_in_a_broken_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f.npz").write_bytes(b"no arrays")
    assert "f.npz: not readable" in refusal(lambda: ShippedFeatures("vggish").pooled(shipped(tmp_path / "f.npz")))


def test_shipped_features_that_are_pickled_objects_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = np.empty(4, dtype=object)
    evil[:] = [Evil() for _ in range(4)]
    path = save(tmp_path / "f.npz", x=evil)
    refusal(lambda: ShippedFeatures("vggish").pooled(shipped(path)))
    assert not Path("code-ran").exists()


def test_shipped_without_a_name_says_what_to_write() -> None:
    assert "write shipped:NAME" in refusal(lambda: Catalogue().source("shipped:"))


# Runs


def task_of(clips: list[Clip]) -> Catalogue:
    """A catalogue with the task "mine", which has no audio."""
    ships = tuple({row.name for clip in clips for row in clip.arrays})
    task = Task(
        "mine", "1", "", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: clips, "mine", len(clips), 1.0,
        ships=ships,
    )  # fmt: skip
    return Catalogue([Plugin("test", "0" * 64, {"mine": task}, {}, {})])


def easy(root: Path, **more: Any) -> tuple[list[Clip], Path]:
    """Thirty clips of two classes, and features that tell them apart, but for a few."""
    rng = np.random.default_rng(0)
    splits = ("train", "train", "valid", "test", "test")
    clips = [Clip(f"{'ab'[n % 2]}{n}", None, splits[n // 2 % 5], ("ab"[n % 2],)) for n in range(60)]
    x = rng.normal(size=(60, 5)) + np.array([[n % 2] for n in range(60)])
    return clips, save(root / "f.npz", id=np.array([clip.id for clip in clips]), x=x, y=x[:, :1], **more)


def ask(source: str, root: Path, **changes: Any) -> Request:
    request = Request("mine", "probe-svm", source, (0,), runs=root / "runs", cache=root / "cache")
    return replace(request, **{"source_params": {"array": "x"} if source.startswith("features") else {}, **changes})


def test_run_on_features_equals_scikit_learn_on_them(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    (outcome,) = run(ask(f"features:{path}", tmp_path, params={"C": 2.0}), task_of(clips), QUIET)
    x = np.load(path)["x"].astype(np.float32).astype(np.float64)
    y = np.array([clip.labels[0] for clip in clips])
    train, test = (np.array([clip.split == split for clip in clips]) for split in ("train", "test"))
    scaler = StandardScaler().fit(x[train])
    wanted = SVC(C=2).fit(scaler.transform(x[train]), y[train]).score(scaler.transform(x[test]), y[test])
    assert outcome.record.metrics["accuracy"] == pytest.approx(wanted)


def test_run_on_features_needs_no_audio(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    (outcome,) = run(ask(f"features:{path}", tmp_path), task_of(clips), QUIET)
    assert (outcome.record.status, outcome.record.n_clips) == ("done", {"train": 24, "valid": 12, "test": 24})


def test_run_on_features_claims_no_count_and_no_speed_of_a_network(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    (outcome,) = run(ask(f"features:{path}", tmp_path), task_of(clips), QUIET)
    assert (outcome.record.n_total, outcome.record.seconds["clips_per_second"]) == (None, None)


def twice(tmp_path: Path, change: Callable[[list[Clip], Path], Request]) -> tuple[Outcome, Outcome]:
    """A run, and another one after something was changed."""
    clips, path = easy(tmp_path)
    (first,) = run(ask(f"features:{path}", tmp_path), task_of(clips), QUIET)
    (second,) = run(change(clips, path), task_of(clips), QUIET)
    return first, second


def test_run_on_the_same_features_is_read_back(tmp_path: Path) -> None:
    _, second = twice(tmp_path, lambda _, path: ask(f"features:{path}", tmp_path))
    assert second.read_back


def test_run_on_the_same_features_elsewhere_is_read_back(tmp_path: Path) -> None:
    def move(_: list[Clip], path: Path) -> Request:
        (tmp_path / "there").mkdir()
        return ask(f"features:{path.rename(tmp_path / 'there' / path.name)}", tmp_path)

    assert twice(tmp_path, move)[1].read_back


def test_run_on_changed_features_is_another_run(tmp_path: Path) -> None:
    def change(clips: list[Clip], path: Path) -> Request:
        save(path, id=np.array([clip.id for clip in clips]), x=np.random.default_rng(1).normal(size=(60, 5)))
        return ask(f"features:{path}", tmp_path)

    first, second = twice(tmp_path, change)
    assert (second.read_back, first.record.spec.key == second.record.spec.key) == (False, False)


def test_run_on_another_array_is_another_run(tmp_path: Path) -> None:
    first, second = twice(tmp_path, lambda _, path: ask(f"features:{path}", tmp_path, source_params={"array": "y"}))
    assert first.record.spec.key != second.record.spec.key


def test_run_on_an_array_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    request = ask(f"features:{path}", tmp_path, source_params={"array": "z"})
    line = refusal(lambda: run(request, task_of(clips), QUIET))
    assert line == "features:f.npz: no array of features is called 'z'; it has x, y"


def test_run_on_one_of_several_arrays_says_which_on_record(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    (outcome,) = run(ask(f"features:{path}", tmp_path), task_of(clips), QUIET)
    assert (outcome.record.spec.source_params, outcome.record.changed) == ({"array": "x"}, {"source array": "x"})


def test_run_on_clips_that_lack_rows_says_how_many(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    strange = [replace(clip, id=f"strange {clip.id}") if clip.labels == ("b",) else clip for clip in clips]
    line = refusal(lambda: run(ask(f"features:{path}", tmp_path), task_of(strange), QUIET))
    assert "no row of 12 of 24 clips (strange b1 is one); its ids look like 'a0'" in line


def test_run_of_a_method_inside_the_network_is_not_applicable(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    with pytest.raises(NotApplicable, match=r"ids-nmr cannot use features:f.npz: it needs .* offers pooled"):
        run(ask(f"features:{path}", tmp_path, method="ids-nmr"), task_of(clips), QUIET)


@pytest.mark.parametrize("word", ["normalized", "levels8", "normalized-files", "first-channel"])
def test_run_on_features_at_other_levels_is_not_applicable(tmp_path: Path, word: str) -> None:
    """They were computed before anything here could change the audio."""
    clips, path = easy(tmp_path)
    with pytest.raises(NotApplicable, match="before its level or its channels were changed"):
        run(ask(f"features:{path}", tmp_path, task=f"mine+{word}"), task_of(clips), QUIET)


def test_run_on_features_of_fewer_shots_is_done(tmp_path: Path) -> None:
    clips, path = easy(tmp_path)
    (outcome,) = run(ask(f"features:{path}", tmp_path, task="mine+shots3"), task_of(clips), QUIET)
    assert (outcome.record.status, outcome.record.n_clips["train"]) == ("done", 6)


def with_arrays(root: Path) -> list[Clip]:
    clips, path = easy(root)
    return [replace(clip, arrays=(ArrayRow("vggish", path, "x", n),)) for n, clip in enumerate(clips)]


def test_run_on_shipped_features_equals_that_on_the_same_file(tmp_path: Path) -> None:
    clips = with_arrays(tmp_path)
    (one,) = run(ask("shipped:vggish", tmp_path), task_of(clips), QUIET)
    (two,) = run(ask(f"features:{tmp_path / 'f.npz'}", tmp_path), task_of(clips), QUIET)
    assert one.record.metrics == two.record.metrics


def test_run_on_changed_shipped_features_is_another_run(tmp_path: Path) -> None:
    clips = with_arrays(tmp_path)
    (first,) = run(ask("shipped:vggish", tmp_path), task_of(clips), QUIET)
    save(tmp_path / "f.npz", x=np.random.default_rng(1).normal(size=(60, 5)))
    (second,) = run(ask("shipped:vggish", tmp_path), task_of(clips), QUIET)
    assert first.record.spec.key != second.record.spec.key


def test_run_on_shipped_features_of_a_task_without_is_not_applicable(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="mine: no features called vggish ship with it; it has none"):
        run(ask("shipped:vggish", tmp_path), task_of(easy(tmp_path)[0]), QUIET)


def test_run_on_shipped_features_of_another_name_lists_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="no features called openl3 ship with it; it has vggish"):
        run(ask("shipped:openl3", tmp_path), task_of(with_arrays(tmp_path)), QUIET)


def test_demo_is_not_needed_where_features_are_given(tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=IDS, x=X)
    assert not demo_needed(Request("gtzan", "probe-svm", f"features:{path}"), Catalogue())


def gtzan_features(root: Path) -> Path:
    """Features of every clip of GTZAN that know its genre, with noise."""
    clips = Catalogue().task("gtzan").read_clips(None, 0)
    rng = np.random.default_rng(0)
    genre = np.array([Catalogue().task("gtzan").classes.index(clip.labels[0]) for clip in clips])
    return save(
        root / "f.npz", id=np.array([clip.id for clip in clips]), x=np.eye(10)[genre] + rng.normal(size=(930, 10)) / 4
    )


@pytest.fixture
def probed(typed: Any) -> Any:
    """``probed(…)``: what ``mirbench run … --method knn --seeds 1 --quiet`` leaves."""
    return lambda *words: typed("run", *words, "--method", "knn", "--seeds", "1", "--quiet")


def test_run_typed_on_features_of_gtzan_needs_no_data_at_all(probed: Any, tmp_path: Path) -> None:
    code, out, _ = probed("--task", "gtzan", "--source", f"features:{gtzan_features(tmp_path)}")
    (_, record) = next(RunStore(Path("runs")).records())
    assert (code, "DEMO" in out, record.n_clips) == (0, False, {"train": 443, "valid": 197, "test": 290})


def test_run_typed_on_features_with_an_unknown_option_guesses_what_was_meant(probed: Any, tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=IDS, x=X)
    code, out, err = probed("--task", "gtzan", "--source", f"features:{path}", "--source-set", "aray=x")
    assert (code, out, err.count("\n"), "Did you mean 'array'?" in err) == (2, "", 1, True)


def test_run_typed_on_one_of_several_arrays_must_say_which(probed: Any, tmp_path: Path) -> None:
    path = save(tmp_path / "f.npz", id=IDS, x=X, z=X)
    code, out, err = probed("--task", "gtzan", "--source", f"features:{path}")
    assert (code, out, err.count("\n"), "--source-set array=x" in err) == (2, "", 1, True)


@pytest.mark.parametrize("arrays", [{"x": X}, {"id": IDS, "x": X}, {"id": IDS.astype(object), "x": X}])
def test_run_typed_on_bad_features_is_one_line(probed: Any, tmp_path: Path, arrays: dict[str, Any]) -> None:
    path = save(tmp_path / "f.npz", **arrays)
    code, out, err = probed("--task", "gtzan", "--source", f"features:{path}")
    assert (code, out, err.count("\n"), err.startswith("mirbench: ")) == (2, "", 1, True)


def test_run_typed_on_shipped_features_that_are_not_there_asks_for_the_data(probed: Any) -> None:
    code, out, err = probed("--task", "gtzan", "--source", "shipped:vggish")
    assert (code, out, err.count("\n"), "demo" in err) == (2, "", 1, False)


@pytest.mark.real
@pytest.mark.parametrize(("array", "accuracy"), [("array=convnet", 0.769), ("array=mfcc", 0.528)])
def test_svm_on_choi2017s_features_of_gtzan_has_the_accuracy_measured(
    shared: Path, typed: Any, array: str, accuracy: float
) -> None:
    """On the fault-filtered split, with no audio on the machine."""
    source = f"features:{shared / 'data' / 'choi2017' / 'gtzan.npz'}"
    words = ["--task", "gtzan", "--source", source, "--set", "C=2", "--source-set", array]
    assert typed("run", *words, "--method", "probe-svm", "--seeds", "1", "--quiet").code == 0
    (_, record) = next(RunStore(Path("runs")).records())
    assert round(record.metrics["accuracy"], 3) == accuracy
