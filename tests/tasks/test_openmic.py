"""OpenMIC-2018: the published layout, labels nobody judged, keys without unpickling, artists, numbers on the card."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench.errors import BadInput, MissingData
from mirbench.features.datasets import read_task
from mirbench.methods.sources.precomputed import ShippedFeatures
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.tasks.openmic import INSTRUMENTS, OPENMIC, OPENMIC_DEMO
from mirbench.trust.checks import check_clips, check_task
from mirbench.types import Clip, Split, Targets

QUIET = Progress(quiet=True)
N = 40
METADATA = "track_id,album_id,artist_id,artist_name,track_information,sample_key,start_time\n"


def names(n: int = N) -> list[str]:
    """Keys as the published ones: six digits of a track, and a start in milliseconds."""
    return [f"{3 * number:06}_{3840 * (number % 90)}" for number in range(n)]


def labels(n: int = N) -> dict[str, Any]:
    """Arrays of the published file: accordion and banjo judged in turns, cymbals surely, half of them present."""
    value, known = np.full((n, 20), 0.5), np.zeros((n, 20), dtype=bool)
    for row in range(n):
        value[row, row % 2], known[row, row % 2] = (0.17105 if row % 4 < 2 else 0.9), True
        value[row, 5], known[row, 5] = (0.0 if row % 3 else 1.0), True
    features = np.random.default_rng(0).integers(0, 256, (n, 10, 128), dtype=np.int64)
    return {"X": features, "Y_true": value, "Y_mask": known, "sample_key": np.array(names(n))}


def plant(
    root: Path,
    *,
    train: Sequence[str] | None = None,
    test: Sequence[str] | None = None,
    without: Iterable[str] = (),
    end: str = "\n",
    **arrays: Any,
) -> Path:
    """The labels of the published archive, without audio: three quarters of the clips are train."""
    held = labels() | arrays
    keys = [str(key) for key in labels(len(held["Y_true"]))["sample_key"]]
    (root / "partitions").mkdir(parents=True, exist_ok=True)
    np.savez(root / "openmic-2018.npz", **{name: array for name, array in held.items() if name not in set(without)})
    cut = 3 * len(keys) // 4
    for split, part in (
        ("train", keys[:cut] if train is None else train),
        ("test", keys[cut:] if test is None else test),
    ):
        text = "".join(f"{key}{end}" for key in part)
        (root / "partitions" / f"split01_{split}.csv").write_text(text, encoding="utf-8", newline="")
    (root / "class-map.json").write_text(json.dumps({name: k for k, name in enumerate(INSTRUMENTS)}))
    return root


def read(root: Path) -> dict[str, Clip]:
    return {clip.id: clip for clip in OPENMIC.read_clips(root, 0)}


def targets(root: Path, task: str = "openmic") -> Targets:
    found = Catalogue().task(task)
    return Split(found, tuple(found.read_clips(root, 0))).targets()


def refusal(root: Path) -> str:
    """The one line that refuses what lies in a folder."""
    with pytest.raises(BadInput) as caught:
        OPENMIC.read_clips(root, 0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The card


@pytest.mark.parametrize("task", [OPENMIC, OPENMIC_DEMO], ids=lambda task: task.name)
def test_card_conforms(task: Any) -> None:
    assert check_task(task) == []


def test_classes_are_the_twenty_in_the_order_of_the_class_map() -> None:
    assert (len(INSTRUMENTS), INSTRUMENTS) == (20, tuple(sorted(set(INSTRUMENTS))))


def test_task_is_scored_by_the_two_class_f1_of_the_paper() -> None:
    assert (OPENMIC.kind, OPENMIC.metrics[0]) == ("multi-label", "two-class-macro-f1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    """Clips of a data set of the published size, 14,915 and 5,085."""
    root, keys = tmp_path_factory.mktemp("whole"), names(20_000)
    arrays = {name: np.zeros((20_000, 20), dtype=kind) for name, kind in (("Y_true", float), ("Y_mask", bool))}
    features = np.zeros((20_000, 10, 128), dtype=np.uint8)
    plant(root, train=keys[:14_915], test=keys[14_915:], sample_key=np.array(keys), X=features, **arrays)
    return tuple(OPENMIC.read_clips(root, 0))


def test_whole_set_conforms_to_its_card(whole: tuple[Clip, ...]) -> None:
    assert check_clips(OPENMIC, (whole,)) == []


def test_whole_set_has_2237_of_14915_clips_in_valid(whole: tuple[Clip, ...]) -> None:
    assert Counter(clip.split for clip in whole) == {"train": 12_678, "valid": 2_237, "test": 5_085}


# The split


def test_partitions_give_test(tmp_path: Path) -> None:
    found = read(plant(tmp_path))
    assert {key for key, clip in found.items() if clip.split == "test"} == set(names()[30:])


def test_valid_is_the_first_of_train_in_a_draw_by_hash(tmp_path: Path) -> None:
    found = read(plant(tmp_path))
    order = sorted(names()[:30], key=lambda key: hashlib.sha256(f"0|{key}".encode()).hexdigest())
    assert {key for key, clip in found.items() if clip.split == "valid"} == set(order[:4])  # 15 % of 30 is 4.5


def test_split_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    there, keys = read(plant(tmp_path / "a")), names()
    turned = {name: array[::-1] for name, array in labels().items()}
    back = read(plant(tmp_path / "b", train=keys[29::-1], test=keys[:29:-1], **turned))
    assert {key: clip.split for key, clip in back.items()} == {key: clip.split for key, clip in there.items()}


@pytest.mark.parametrize("end", ["\r\n", "\n\n", " \n"], ids=["windows", "empty lines", "blanks"])
def test_partitions_are_read_whatever_ends_their_lines(end: str, tmp_path: Path) -> None:
    assert read(plant(tmp_path / "a", end=end)).keys() == read(plant(tmp_path / "b")).keys()


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        (names()[:29], None, rf"1 clips are in the partitions or in the .npz file alone \({names()[29]} …\)"),
        ([*names()[:30], "999999_0"], None, "1 clips are in the partitions or in the .npz file alone"),
        (None, [], "10 clips are in the partitions or in the .npz file alone"),
    ],
    ids=["clip in no partition", "clip without labels", "empty partition"],
)
def test_partitions_that_disagree_with_the_labels_are_refused(
    train: list[str] | None, test: list[str] | None, says: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=says):
        read(plant(tmp_path, train=train, test=test))


def test_partitions_that_share_a_clip_are_refused(tmp_path: Path) -> None:
    assert names()[29] in refusal(plant(tmp_path, test=names()[29:]))


def test_partition_that_is_missing_is_told(tmp_path: Path) -> None:
    (plant(tmp_path) / "partitions" / "split01_test.csv").unlink()
    with pytest.raises(MissingData, match=r"openmic: \S+/partitions/split01_test.csv is missing"):
        read(tmp_path)


def test_partition_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    path = plant(tmp_path) / "partitions" / "split01_train.csv"
    path.write_bytes(b"\xff\xfe\x00\n")
    assert str(path) in refusal(tmp_path)


# Labels


def test_values_are_those_of_the_file_where_somebody_judged(tmp_path: Path) -> None:
    found, held = targets(plant(tmp_path)), labels()
    assert np.allclose(found.value[held["Y_mask"]], held["Y_true"][held["Y_mask"]])


def test_known_is_the_mask_of_the_file(tmp_path: Path) -> None:
    assert np.array_equal(targets(plant(tmp_path)).known, labels()["Y_mask"])


def test_value_without_a_judgement_is_no_label(tmp_path: Path) -> None:
    held = labels()
    held["Y_true"][:] = np.where(held["Y_mask"], held["Y_true"], 0.99)
    clip = read(plant(tmp_path, **held))[names()[2]]
    assert (set(clip.labels) & set(clip.unknown), len(clip.unknown)) == (set(), 18)


def test_label_under_a_half_is_a_soft_target_and_not_present(tmp_path: Path) -> None:
    clip = read(plant(tmp_path))[names()[0]]
    assert (clip.labels, clip.strengths, clip.present) == (("accordion", "cymbals"), (0.17105, 1.0), ("cymbals",))


def test_label_of_nought_is_known_to_be_absent(tmp_path: Path) -> None:
    clip = read(plant(tmp_path))[names()[1]]
    assert ("cymbals" in clip.labels, "cymbals" in clip.unknown) == (False, False)


def test_binarised_makes_each_known_label_nought_or_one(tmp_path: Path) -> None:
    found, held = targets(plant(tmp_path), "openmic+binarised"), labels()
    assert np.array_equal(found.value[held["Y_mask"]], held["Y_true"][held["Y_mask"]] >= 0.5)


def test_binarised_knows_what_the_soft_labels_know(tmp_path: Path) -> None:
    assert np.array_equal(targets(plant(tmp_path), "openmic+binarised").known, labels()["Y_mask"])


@pytest.mark.parametrize("value", [-0.1, 1.5, np.nan, np.inf])
def test_value_that_is_no_probability_is_refused(value: float, tmp_path: Path) -> None:
    held = labels()
    held["Y_true"][7, 5] = value
    assert "openmic-2018.npz" in refusal(plant(tmp_path, **held))


def test_value_that_is_no_probability_does_not_matter_where_nobody_judged(tmp_path: Path) -> None:
    held = labels()
    held["Y_true"][~held["Y_mask"]] = np.nan
    assert np.isfinite(targets(plant(tmp_path, **held)).value).all()


def test_clips_conform_but_for_their_number(tmp_path: Path) -> None:
    (problem,) = check_clips(OPENMIC, read_task(OPENMIC, plant(tmp_path)))
    assert problem == "40 clips, the card says 20000"


def test_class_map_in_another_order_is_refused(tmp_path: Path) -> None:
    turned = {name: k for k, name in enumerate(reversed(INSTRUMENTS))}
    (plant(tmp_path) / "class-map.json").write_text(json.dumps(turned))
    assert "class-map.json: names other instruments, or in another order" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"], ids=["broken", "list", "no text"])
def test_class_map_that_is_none_is_one_line(content: bytes, tmp_path: Path) -> None:
    (plant(tmp_path) / "class-map.json").write_bytes(content)
    assert "class-map.json" in refusal(tmp_path)


def test_class_map_may_be_absent(tmp_path: Path) -> None:
    (plant(tmp_path) / "class-map.json").unlink()
    assert len(read(tmp_path)) == N


# The file of labels


def with_pickled_keys(root: Path, pickled: bytes) -> Path:
    """The layout with a column of keys that numpy marks as Python objects, in the bytes given."""
    plant(root, without=["sample_key"])
    with zipfile.ZipFile(root / "openmic-2018.npz", "a") as zipped, zipped.open("sample_key.npy", "w") as stream:
        header = {"descr": "|O", "fortran_order": False, "shape": (N,)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(pickled)
    return root


def objects(*keys: object) -> np.ndarray[Any, Any]:
    array = np.empty(len(keys), dtype=object)
    array[:] = keys
    return array


def in_order(root: Path) -> list[str]:
    return [clip.id for clip in OPENMIC.read_clips(root, 0)]


def test_keys_are_read_from_text(tmp_path: Path) -> None:
    assert in_order(plant(tmp_path)) == names()


def test_keys_are_read_from_objects_as_numpy_saves_them(tmp_path: Path) -> None:
    assert in_order(plant(tmp_path, sample_key=objects(*names()))) == names()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_keys_are_read_from_a_pickle_of_any_age(protocol: int, tmp_path: Path) -> None:
    assert in_order(with_pickled_keys(tmp_path, pickle.dumps(objects(*names()), protocol))) == names()


def test_keys_are_read_from_a_pickle_of_python_2(tmp_path: Path) -> None:
    items = b"".join(b"U" + bytes([len(key)]) + key.encode() for key in names())  # SHORT_BINSTRING
    assert in_order(with_pickled_keys(tmp_path, b"\x80\x02](" + items + b"e.")) == names()


def test_keys_are_read_in_the_order_of_their_rows(tmp_path: Path) -> None:
    turned = {name: array[::-1] for name, array in labels().items()}
    rows = turned | {"sample_key": objects(*reversed(names()))}
    there, back = (read(plant(tmp_path / str(k), **held)) for k, held in enumerate((labels(), rows)))
    assert {key: clip.labels for key, clip in there.items()} == {key: clip.labels for key, clip in back.items()}


class Writes:
    """When unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "gotcha")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that is made if the layout in ``tmp_path / "set"`` is unpickled."""
    plant(tmp_path / "set", sample_key=objects(Writes(tmp_path / "gotcha"), *names()))
    return tmp_path / "gotcha"


def test_pickle_of_the_trap_would_write_a_file(trap: Path) -> None:
    with np.load(trap.parent / "set" / "openmic-2018.npz", allow_pickle=True) as held:
        assert len(held["sample_key"]) == N + 1
    assert trap.read_text() == "gotcha"


def test_keys_in_a_malicious_pickle_do_not_run_it(trap: Path) -> None:
    with contextlib.suppress(BadInput):
        read(trap.parent / "set")
    assert not trap.exists()


@pytest.mark.parametrize("name", ["Y_true", "Y_mask"])
def test_labels_in_a_malicious_pickle_are_refused(name: str, tmp_path: Path) -> None:
    root = plant(tmp_path / "set", **{name: objects(*[Writes(tmp_path / "gotcha")] * N)})
    assert ("not OpenMIC's file of labels" in refusal(root), (tmp_path / "gotcha").exists()) == (True, False)


def test_features_in_a_malicious_pickle_are_refused(tmp_path: Path) -> None:
    clips = list(read(plant(tmp_path / "set", X=objects(*[Writes(tmp_path / "gotcha")] * N))).values())
    with pytest.raises(BadInput, match=r"openmic-2018\.npz"):
        ShippedFeatures("vggish").pooled(clips)
    assert not (tmp_path / "gotcha").exists()


@pytest.mark.parametrize("pickled", [b"", b"\x80\x04", b"no pickle", pickle.dumps(objects(*names()))[:400]])
def test_keys_in_a_broken_pickle_are_one_line(pickled: bytes, tmp_path: Path) -> None:
    assert "openmic-2018.npz" in refusal(with_pickled_keys(tmp_path, pickled))


@pytest.mark.parametrize("key", ["../../../outside", "/etc/hosts", "000003", "000003_3840/../x"])
def test_key_that_is_none_is_refused(key: str, tmp_path: Path) -> None:
    keys = [*names()[:1], key, *names()[2:]]
    assert "openmic-2018.npz" in refusal(plant(tmp_path, sample_key=np.array(keys), train=keys[:30]))


@pytest.mark.parametrize(
    "arrays",
    [
        dict(sample_key=np.array(names()[:39])),
        dict(sample_key=np.array([*names()[:39], names()[0]])),
        dict(Y_true=np.zeros((N, 19))),
        dict(Y_mask=np.zeros((N, 21), dtype=bool)),
        dict(Y_mask=np.zeros((N - 1, 20), dtype=bool)),
        dict(Y_true=np.full((N, 20), "x")),
    ],
    ids=["a key less", "a key twice", "19 classes", "21 masks", "a mask less", "text"],
)
def test_labels_of_another_shape_are_refused(arrays: dict[str, Any], tmp_path: Path) -> None:
    assert "openmic-2018.npz" in refusal(plant(tmp_path, **arrays))


@pytest.mark.parametrize("name", ["Y_true", "Y_mask", "sample_key"])
def test_file_without_an_array_is_refused(name: str, tmp_path: Path) -> None:
    assert "openmic-2018.npz: not OpenMIC's file of labels" in refusal(plant(tmp_path, without=[name]))


def spoilt(how: str, path: Path) -> None:
    """Break the file of labels in a way."""
    content = bytearray(path.read_bytes())
    if how == "an .npy file":
        with path.open("wb") as stream:
            np.save(stream, np.zeros(3))
        return
    if how == "a password":
        place = -1
        while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
            content[place + 8] |= 1
        content[6] |= 1
    if how == "more rows than memory holds":
        with zipfile.ZipFile(path, "w") as zipped, zipped.open("Y_true.npy", "w") as stream:
            header = {"descr": "<f8", "fortran_order": False, "shape": (10**14, 20)}
            np.lib.format.write_array_header_1_0(stream, header)
        return
    path.write_bytes({"cut in half": content[: len(content) // 2], "empty": b"", "text": b"gone\n"}.get(how, content))


@pytest.mark.parametrize(
    "how", ["cut in half", "empty", "text", "an .npy file", "a password", "more rows than memory holds"]
)
def test_file_of_labels_that_is_none_is_one_line(how: str, tmp_path: Path) -> None:
    spoilt(how, plant(tmp_path) / "openmic-2018.npz")
    assert "openmic-2018.npz: not OpenMIC's file of labels" in refusal(tmp_path)


def test_folder_without_the_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"holds no openmic-2018.npz; `mirbench show openmic` .* `mirbench data get"):
        read(tmp_path)


def test_without_a_folder_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"its labels are in openmic-2018\.npz"):
        OPENMIC.read_clips(None, 0)


def test_set_is_found_one_folder_deeper(tmp_path: Path) -> None:
    assert len(read(plant(tmp_path / "openmic-2018").parent)) == N


# Artists


def with_artists(root: Path, artist: Callable[[int], object]) -> Path:
    lines = [f'{n},1,{artist(n)},Ann,"<p>a, ""b""\nc</p>",{key},{n}' for n, key in enumerate(names())]
    (plant(root) / "openmic-2018-metadata.csv").write_text(METADATA + "\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_artists_group_the_clips_of_test(tmp_path: Path) -> None:
    found = read(with_artists(tmp_path, lambda n: n % 3))
    assert [found[key].group for key in names()[30:33]] == ["artist 0", "artist 1", "artist 2"]


def test_artists_do_not_group_train_and_valid(tmp_path: Path) -> None:
    found = read(with_artists(tmp_path, lambda n: n % 3))
    assert {clip.group for clip in found.values() if clip.split != "test"} == {""}


def test_artists_do_not_make_the_check_complain(tmp_path: Path) -> None:
    problems = check_clips(OPENMIC, read_task(OPENMIC, with_artists(tmp_path, lambda n: n % 3)))
    assert [problem for problem in problems if "group" in problem] == []


def test_artists_may_be_unknown(tmp_path: Path) -> None:
    assert {clip.group for clip in read(plant(tmp_path)).values()} == {""}


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"sample_key,artist_id\n\xff,1\n"], ids=["columns", "no text"])
def test_artists_in_another_file_are_one_line(content: bytes, tmp_path: Path) -> None:
    (plant(tmp_path) / "openmic-2018-metadata.csv").write_bytes(content)
    assert "openmic-2018-metadata.csv: not OpenMIC's list of tracks" in refusal(tmp_path)


# The numbers on the card

# Clips of test in which each instrument is present and absent, as the notebook of the data set's authors prints them
TESTED = (
    (115, 423), (140, 338), (134, 329), (226, 259), (137, 503), (297, 139), (278, 146), (175, 387),
    (286, 150), (211, 267), (193, 434), (121, 310), (285, 130), (305, 324), (268, 112), (228, 492),
    (318, 467), (182, 408), (394, 237), (224, 150),
)  # fmt: skip


def two_class(present: int, absent: int, share: float) -> float:
    """Mean F1 of both answers, if a share of all clips is called present at random."""
    total = present + absent
    both = [2 * n * p / (n + total * p) if p else 0.0 for n, p in ((present, share), (absent, 1 - share))]
    return sum(both) / 2


@pytest.mark.parametrize(
    ("says", "share"),
    [("majority gives 0.398", lambda p, a: float(p > a)), ("fair coin 0.483", lambda p, a: 0.5)],
    ids=["majority", "coin"],
)
def test_card_says_what_no_listening_at_all_scores(says: str, share: Callable[[int, int], float]) -> None:
    mean = sum(two_class(p, a, share(p, a)) for p, a in TESTED) / len(TESTED)
    assert (any(says in note for note in OPENMIC.notes), f"{mean:.3f}") == (True, says[-5:])
