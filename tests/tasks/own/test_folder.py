"""Folders of one's own as people have them: what they may lose, splits in sub-folders, and names that are no UTF-8."""

from __future__ import annotations

import cProfile
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, MissingData
from mirbench.features.clip_list import write_clip_list
from mirbench.features.datasets import dataset_folder, read_task
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.trust.checks import check_clips
from mirbench.types import Clip, Task
from tests.conftest import Answer
from tests.tasks.own.test_own_task import clips_of, folder, plant, splits_of

Typed = Callable[..., Answer]

KINDS = ("low", "mid", "high")
HERTZ = {"low": 250, "mid": 900, "high": 2500}
SONGS = tuple(f"{kind}/{n:02}.wav" for kind in KINDS for n in range(8))


def sing(root: Path, names: Iterable[str] = SONGS) -> Path:
    """Half a second of a tone a file; its pitch tells the first of the classes that its path names."""
    time = np.arange(4000) / 8000
    for n, name in enumerate(names):
        hertz = next(HERTZ[kind] for kind in KINDS if kind in name)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        with (root / name).open("wb") as stream:  # soundfile would refuse names that are no UTF-8
            soundfile.write(stream, (0.1 + 0.01 * n) * np.sin(2 * np.pi * (hertz + n) * time), 8000, format="WAV")
    return root


def refusal(root: Path, kind: type[BadInput] = BadInput) -> str:
    with pytest.raises(kind) as caught:
        folder(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def heard(capsys: pytest.CaptureFixture[str], task: Task) -> str:
    """What a command that reads the data says, quiet as it may be."""
    dataset_folder(task, None, Path("cache"), Progress(quiet=True))
    return capsys.readouterr().err


# What would be lost


def test_folder_of_linked_artists_holds_their_files_as_groups(tmp_path: Path) -> None:
    plant(tmp_path, [f"artists/{kind}-{a}/{n}.wav" for kind in KINDS for a in range(4) for n in range(2)])
    for kind in KINDS:
        (tmp_path / "songs" / kind).mkdir(parents=True)
        for a in range(4):
            (tmp_path / "songs" / kind / f"{kind}{a}").symlink_to(tmp_path / "artists" / f"{kind}-{a}")
    clips = clips_of(folder(tmp_path / "songs"))
    assert Counter(clip.labels[0] for clip in clips.values()) == dict.fromkeys(KINDS, 8)
    assert clips["low/low0/0.wav"].group == "low0"


def test_folder_whose_classes_are_links_is_the_folder_itself(tmp_path: Path) -> None:
    plant(tmp_path / "store", SONGS)
    (tmp_path / "songs").mkdir()
    for kind in KINDS:
        (tmp_path / "songs" / kind).symlink_to(tmp_path / "store" / kind)
    assert splits_of(folder(tmp_path / "songs")) == splits_of(folder(tmp_path / "store"))
    assert folder(tmp_path / "songs").version == folder(tmp_path / "store").version


@pytest.mark.parametrize("link", ["low/more", "low/more.wav", "best"])
def test_folder_with_a_link_into_another_class_is_refused(tmp_path: Path, link: str) -> None:
    plant(tmp_path, SONGS)
    target = tmp_path / "mid" / ("00.wav" if link.endswith(".wav") else "")
    (tmp_path / link).symlink_to(target)
    line = refusal(tmp_path)
    assert f"{link} is a link to what is in mid" in line
    assert "two classes" in line


def test_folder_with_a_link_from_test_into_train_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, [f"{split}/{kind}/{n}.wav" for split in ("train", "test") for kind in "ab" for n in range(5)])
    (tmp_path / "test" / "a" / "again").symlink_to("../../train/a")
    assert "test/a/again is a link to what is in train/a too" in refusal(tmp_path)


def test_folder_whose_classes_link_to_the_same_texts_is_a_task(tmp_path: Path) -> None:
    plant(tmp_path / "songs", SONGS)
    plant(tmp_path, ["texts/licence.txt"])
    for kind in KINDS:
        (tmp_path / "songs" / kind / "texts").symlink_to(tmp_path / "texts")
    assert (folder(tmp_path / "songs").n_clips, folder(tmp_path / "songs").cautions) == (24, ())


def test_folder_of_an_annex_without_its_content_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, SONGS)
    for n in range(5):
        (tmp_path / "low" / f"{n:02}.wav").unlink()
        (tmp_path / "low" / f"{n:02}.wav").symlink_to(f"../.git/annex/objects/{n}.wav")
    line = refusal(tmp_path, MissingData)
    assert "5 files not on this machine (low/00.wav, low/01.wav, low/02.wav …)" in line
    assert "git annex get" in line


def test_folder_says_in_one_line_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, [*SONGS, "low/a.m4a", "low/b.wma", "mid/c.aac"])
    err = heard(capsys, folder(tmp_path))
    assert err.count("\n") == 1
    assert "left out: 3 files of sound (low/a.m4a, low/b.wma, mid/c.aac); convert" in err


@pytest.mark.parametrize("suffix", ["m4a", "wma", "xyz", "npy", ""])
def test_folder_whose_class_would_vanish_is_refused(tmp_path: Path, suffix: str) -> None:
    plant(tmp_path, [*(name for name in SONGS if "high" not in name), *(f"high/{n}.{suffix}" for n in range(8))])
    line = refusal(tmp_path)
    assert "no class is made of high" in line
    assert f"high/0.{suffix}, high/1" in line


def test_folder_whose_class_would_vanish_from_test_alone_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, [f"{split}/{kind}/{n}.wav" for split in ("train", "test") for kind in "ab" for n in range(5)])
    plant(tmp_path, ["train/c/1.wav", "test/c/1.m4a"])
    assert "no class is made of test/c" in refusal(tmp_path)


def test_folder_all_of_whose_files_cannot_be_decoded_says_so(tmp_path: Path) -> None:
    plant(tmp_path, ["low/a.m4a", "mid/a.m4a"])
    assert "low/a.m4a, mid/a.m4a; convert it (`ffmpeg" in refusal(tmp_path)


@pytest.mark.parametrize("names", [[], ["notes/readme.txt", "notes/cover.jpg"], ["notes/LICENCE"]])
def test_folder_says_which_sub_folders_are_no_classes(
    tmp_path: Path, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    plant(tmp_path, [*SONGS, *names])
    (tmp_path / "notes").mkdir(exist_ok=True)
    for name in names:
        (tmp_path / name).write_text("words of whoever recorded it\n")
    task = folder(tmp_path)
    assert task.classes == ("high", "low", "mid")
    assert "no class: notes" in heard(capsys, task)


def test_folder_says_which_files_lie_beside_its_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = folder(plant(tmp_path, [*SONGS, "intro.wav", "outro.mp3"]))
    assert task.n_clips == 24
    assert "2 audio files beside the folders of classes (intro.wav, outro.mp3)" in heard(capsys, task)


def test_folder_without_anything_odd_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, [*SONGS, "readme.md", "low/.DS_Store", "low/._00.wav", "Thumbs.db", "__MACOSX/low/._00.wav"])
    assert heard(capsys, folder(tmp_path)) == ""


def test_cautions_of_a_folder_stay_with_a_modifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, [*SONGS, "low/a.m4a"])
    assert "left out: 1 file" in heard(capsys, Catalogue().task(f"folder:{tmp_path}+folds4"))


def test_folder_of_one_folder_says_where_the_classes_may_be(tmp_path: Path) -> None:
    plant(tmp_path, [f"genres/{name}" for name in SONGS])
    assert f"write 'folder:{tmp_path}/genres'" in refusal(tmp_path)


def test_folder_of_twice_the_classes_is_twice_the_work(tmp_path: Path) -> None:
    def n_calls(n_classes: int) -> int:
        root = plant(tmp_path / str(n_classes), [f"c{c}/{n}.wav" for c in range(n_classes) for n in range(4)])
        profile = cProfile.Profile()
        task = profile.runcall(folder, root)
        profile.runcall(check_clips, task, read_task(task, None))
        return sum(row.callcount for row in profile.getstats())

    assert n_calls(300) < 2.2 * n_calls(150)


# Splits in sub-folders


def parted(root: Path, tops: Iterable[str], n: int = 5, kinds: Iterable[str] = KINDS) -> Task:
    return folder(plant(root, [f"{top}/{kind}/{k}.wav" for top in tops for kind in kinds for k in range(n)]))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"), ("training", "testing"), ("TrainingData", "TestingData"), ("dev", "eval"), ("Train", "Test"),
        ("development", "evaluation"), ("train_set", "test_set"), ("Train-Data", "Test-Data"), ("01_train", "02_test"),
        ("trainset", "testset"), ("nsynth-train", "nsynth-test"), ("FSD50K.dev_audio", "FSD50K.eval_audio"),
        ("audio_train", "audio_test"), ("TRAIN", "EVAL"), ("train", "evaluation"), ("training_set", "test"),
        ("IRMAS-TrainingData", "IRMAS-TestingData"), ("Train_submission", "Test_submission"), ("train ", " test"),
    ],
)  # fmt: skip
def test_folders_called_as_splits_are_splits(tmp_path: Path, train: str, test: str) -> None:
    task = parted(tmp_path, (train, test))
    assert task.classes == ("high", "low", "mid")
    split = {name.split("/")[0]: set[str]() for name in splits_of(task)}
    for name, part in splits_of(task).items():
        split[name.split("/")[0]].add(part)
    assert split == {train: {"train", "valid"}, test: {"test"}}


@pytest.mark.parametrize(
    ("tops", "valid", "test"),
    [
        (("train", "dev", "test"), "dev", "test"), (("train", "eval", "test"), "eval", "test"),
        (("train", "valid", "eval"), "valid", "eval"), (("train", "dev", "eval"), "dev", "eval"),
        (("training", "validation", "testing"), "validation", "testing"), (("Train", "Val", "Test"), "Val", "Test"),
        (("nsynth-train", "nsynth-valid", "nsynth-test"), "nsynth-valid", "nsynth-test"),
        (("dev", "val", "test"), "val", "test"),
    ],
)  # fmt: skip
def test_three_folders_called_as_splits_are_splits(
    tmp_path: Path, tops: tuple[str, ...], valid: str, test: str
) -> None:
    splits = splits_of(parted(tmp_path, tops))
    assert {name.split("/")[0] for name, split in splits.items() if split == "valid"} == {valid}
    assert {name.split("/")[0] for name, split in splits.items() if split == "test"} == {test}


@pytest.mark.parametrize(
    "tops",
    [
        ("train", "valid"), ("train", "dev"), ("valid", "test"), ("train",), ("test",), ("dev",),
        ("train", "training", "test"),
        ("train", "dev", "eval", "test"), ("train", "val", "validation", "test"), ("train", "test", "more"),
        ("dev", "eval", "unlabelled"),
    ],
)  # fmt: skip
def test_folders_called_as_splits_of_which_one_lacks_or_is_too_many_are_refused(
    tmp_path: Path, tops: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput, match=r"its sub-folders are.*train.*test"):
        parted(tmp_path, tops)


@pytest.mark.parametrize(
    "kinds",
    [
        ("train", "dog", "rain"), ("train", "test", "rain"), ("train horn", "truck horn"), ("dev", "ops"),
        ("freight train", "test tone"), ("fold", "tear", "cut"), ("train", "plane", "helicopter"), ("fold 1", "crease"),
    ],
)  # fmt: skip
def test_class_called_as_a_split_is_is_a_class(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    plant(tmp_path, [f"{kind}/{n}.wav" for kind in kinds for n in range(8)])
    assert folder(tmp_path).classes == tuple(sorted(kinds))


def test_class_called_train_may_be_in_train_and_test(tmp_path: Path) -> None:
    assert parted(tmp_path, ("train", "test"), kinds=("train", "dog")).classes == ("dog", "train")


def test_class_called_train_may_hold_artists(tmp_path: Path) -> None:
    names = [f"{kind}/{kind}{a}/{n}.wav" for kind in ("train", "dog") for a in range(5) for n in range(2)]
    assert folder(plant(tmp_path, names)).classes == ("dog", "train")


def test_splits_without_folders_of_classes_are_refused(tmp_path: Path) -> None:
    plant(tmp_path, [f"{split}/{n}.wav" for split in ("train", "test") for n in range(9)])
    assert "train, test without a sub-folder" in refusal(tmp_path).replace("test, train", "train, test")


def test_artists_inside_splits_are_groups(tmp_path: Path) -> None:
    names = [f"{s}/{kind}/{s}{a}/{n}.wav" for s in ("train", "test") for kind in "ab" for a in range(5) for n in (1, 2)]
    assert clips_of(folder(plant(tmp_path, names)))["test/a/test3/1.wav"].group == "test3"


@pytest.mark.parametrize(
    "tops",
    [
        ("fold1", "fold2", "fold3", "fold4"), ("fold_0", "fold_1", "fold_2"), ("Fold 1", "Fold 2", "Fold 3"),
        ("FOLD-01", "FOLD-02", "FOLD-03"), ("audio_fold1", "audio_fold2", "audio_fold3"),
        tuple(f"fold{n}" for n in range(1, 11)),
    ],
)  # fmt: skip
def test_folders_called_as_folds_are_folds(tmp_path: Path, tops: tuple[str, ...]) -> None:
    task = parted(tmp_path, tops)
    assert (task.classes, task.n_folds) == (("high", "low", "mid"), len(tops))
    for fold, top in enumerate(tops):
        splits = splits_of(task, fold)
        assert {name.split("/")[0] for name, split in splits.items() if split == "test"} == {top}


@pytest.mark.parametrize(
    "tops",
    [
        ("fold1", "fold2"), ("fold1", "fold2", "fold4"), ("fold2", "fold3", "fold4"),
        ("fold1", "fold2", "fold3", "extra"),
        ("fold1", "fold01", "fold2"),
    ],
)  # fmt: skip
def test_folds_that_are_none_are_refused(tmp_path: Path, tops: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="folds"):
        parted(tmp_path, tops)


def test_folds_of_loose_files_are_refused(tmp_path: Path) -> None:
    plant(tmp_path, [f"fold{k}/{n}.wav" for k in (1, 2, 3) for n in range(9)])
    assert "are folds, and not one folder of a class is in all of them" in refusal(tmp_path)


@pytest.mark.parametrize("tops", [("part1", "part2"), ("set_a", "set_b"), ("2019", "2020", "2021"), ("north", "south")])
def test_folders_that_all_hold_the_same_folders_are_no_classes(tmp_path: Path, tops: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match=r"holds the same sub-folders \(high, low, mid\)") as caught:
        parted(tmp_path, tops)
    assert "call the outer ones train, test" in str(caught.value)
    assert f"{tmp_path}?inside=groups'" in str(caught.value)


def test_folders_that_all_hold_the_same_folders_are_classes_where_it_is_said(tmp_path: Path) -> None:
    names = [f"{kind}/singer{a}/{n}.wav" for kind in ("part1", "part2") for a in range(6) for n in range(9)]
    task = Catalogue().task(f"folder:{plant(tmp_path / 'songs', names)}?inside=groups")
    assert (task.name, task.classes, task.cautions) == ("folder:songs", ("part1", "part2"), ())
    assert len({clip.group for clip in clips_of(task).values()}) == 6


def test_numbered_groups_that_every_class_holds_are_taken_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{kind}/singer{a}/{n}.wav" for kind in ("calm", "angry") for a in range(8) for n in range(3)]
    task = folder(plant(tmp_path, names))
    assert task.classes == ("angry", "calm")
    assert "holds the same sub-folders (singer0, singer1, singer2 …), which are taken for groups" in heard(capsys, task)


# Names


def in_bytes(root: Path, renamed: dict[bytes, bytes]) -> Path:
    for old, new in renamed.items():
        os.rename(os.path.join(os.fsencode(root), old), os.path.join(os.fsencode(root), new))
    return root


ODD = {b"low/00.wav": b"low/caf\xe9.wav", b"mid/01.wav": b"mid/lo\nw.wav", b"high": b"h\xefgh"}


def test_names_that_are_no_utf8_are_ids_that_can_be_written(tmp_path: Path) -> None:
    task = folder(in_bytes(plant(tmp_path / os.fsdecode(b"m\xfcsik"), SONGS), ODD))
    assert task.name == r"folder:m\xfcsik"
    assert task.classes == (r"h\xefgh", "low", "mid")
    clips = clips_of(task)
    assert {r"low/caf\xe9.wav", r"mid/lo\x0aw.wav", r"h\xefgh/00.wav"} < set(clips)
    assert all(clip.path and clip.path.is_file() for clip in clips.values())
    assert str(clips).encode("utf-8", "backslashreplace")


@pytest.mark.slow
def test_run_on_names_that_are_no_utf8_is_written_and_read_back(tmp_path: Path, typed: Typed) -> None:
    """From the folder to a record, to the list beside it, to the same task again, and to what is predicted."""
    root = in_bytes(sing(tmp_path / os.fsdecode(b"m\xfcsik")), ODD)
    words = ("--method", "probe-linear", "--source", "nano", "--seeds", "1", "--quiet")
    code, out, err = typed("run", "--task", f"folder:{root}", *words)
    assert (code, err) == (0, "")
    assert "Accuracy 1.000" in out
    (written,) = Path("runs").rglob("clips-*.csv")
    again = Catalogue(data=root).task(f"csv:{written}")
    assert again.version == folder(root).version
    same: Callable[[Task], list[Clip]] = lambda task: sorted(task.read_clips(None, 0), key=lambda clip: clip.id)  # noqa: E731
    assert same(again) == same(folder(root))
    code, out, err = typed("predict", "probe-linear+nano", str(root), "--format", "csv", "--quiet")
    assert (code, err, len(out.splitlines())) == (0, "", 25)
    assert r"/m\xfcsik/low/caf\xe9.wav," in out
    assert typed("predict", "probe-linear+nano", str(root), "--output", "table.txt", "--quiet").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_folder_of_any_names_is_taken_whole_and_read_back(tmp_path: Path, seed: int) -> None:
    """Bytes at random, as Linux takes them; a space at an end is what lists leave out."""
    rng = random.Random(seed)

    def name(longest: int) -> bytes:
        letters = rng.choice([range(1, 256), b"a\xe9\xff\n\\x7\x1b;,\"' ", "aé\u0301日\u2028\U0001f3b8\x85".encode()])
        text = (
            bytes(rng.choice(letters) for _ in range(rng.randint(1, longest)))
            .translate(bytes.maketrans(b"/;", b"__"))
            .strip()
        )
        return text.lstrip(b".") or b"x"

    for k in range(3):
        kind = tmp_path / "songs" / os.fsdecode(name(12) + b"%d" % k)
        for n in range(8):
            path = kind / os.fsdecode(name(40) + b"%d.wav" % n)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    n_files = sum(len(names) for _, _, names in os.walk(tmp_path / "songs"))
    task = folder(tmp_path / "songs")
    assert task.n_clips == n_files
    write_clip_list(tmp_path / "list.csv", [task.read_clips(None, 0)], tmp_path / "songs")
    again = Catalogue(data=tmp_path / "songs").task(f"csv:{tmp_path / 'list.csv'}")
    assert {clip.path for clip in clips_of(again).values()} == {clip.path for clip in clips_of(task).values()}


# As typed


@pytest.mark.parametrize(
    "words", [("data", "check"), ("data", "audit"), ("data", "stats"), ("run", "--task"), ("show",)]
)
def test_what_a_folder_leaves_out_is_said_by_every_command(
    tmp_path: Path, typed: Typed, words: tuple[str, ...]
) -> None:
    plant(sing(tmp_path / "songs"), ["low/a.m4a"])
    more = ("--method", "prior", "--seeds", "1", "--quiet") if words[0] == "run" else ()
    code, out, err = typed(*words, f"folder:{tmp_path / 'songs'}", *more)
    assert code == 0
    assert (out + err).count("left out: 1 file of sound (low/a.m4a)") == 1


def test_data_check_of_a_folder_counts_what_is_there(tmp_path: Path, typed: Typed) -> None:
    root = sing(tmp_path / "songs")
    code, out, err = typed("data", "check", f"folder:{root}")
    assert (code, err) == (0, "")
    assert out.endswith(": 24 clips of 3 classes (high 8, low 8, mid 8), all of them readable\n")
    assert "card" not in out


@pytest.mark.slow
def test_predict_takes_a_folder_as_a_task_does(tmp_path: Path, typed: Typed) -> None:
    root = sing(tmp_path / "songs")
    typed("run", "--task", f"folder:{root}", "--method", "probe-linear", "--source", "nano", "--seeds", "1", "--quiet")
    sing(tmp_path / "more", ["low/x.wav ", "low/y", "z low.wave"])
    given = tmp_path / "given"
    plant(given, ["a.m4a", "b.wma", "notes.txt", "._c.wav"])
    (given / "link").symlink_to(tmp_path / "more")
    (given / "again").symlink_to(tmp_path / "more" / "low")
    (given / "gone.wav").symlink_to("nowhere.wav")
    code, out, err = typed("predict", "probe-linear+nano", str(given), "--format", "csv", "--quiet")
    assert [line.split(",")[0].removeprefix(f"{given}/") for line in out.splitlines()] == [
        "file", "again/x.wav ", "again/y", "link/z low.wave",
    ]  # fmt: skip
    assert code == 1  # one file is not here
    assert f"{given}/gone.wav: not on this machine" in err
    assert err.count(f"{given}: left out: 2 files of sound (a.m4a, b.wma)") == 1


def test_predict_of_a_folder_without_audio_says_what_is_there(tmp_path: Path, typed: Typed) -> None:
    root = sing(tmp_path / "songs")
    typed("run", "--task", f"folder:{root}", "--method", "probe-linear", "--source", "nano", "--seeds", "1", "--quiet")
    plant(tmp_path / "given", ["a.m4a", "b.m4a"])
    code, out, err = typed("predict", "probe-linear+nano", str(tmp_path / "given"), "--quiet")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "holds no file that ends in .wav" in err
    assert "2 files of sound (a.m4a, b.m4a); convert" in err


def test_folders_that_are_neither_groups_nor_classes_say_nothing_if_told_so(tmp_path: Path) -> None:
    names = [f"{g}/CD{d}/{n}.wav" for g in ("pop", "rock") for d in (1, 2) for n in range(5)]
    root = plant(tmp_path / "songs", names)
    with pytest.raises(BadInput, match="write '\\?inside=nothing' behind the folder"):
        Catalogue().task(f"folder:{root}")
    clips = Catalogue().task(f"folder:{root}?inside=nothing").read_clips(None, 0)
    assert {(clip.labels, clip.group) for clip in clips} == {(("pop",), ""), (("rock",), "")}
    assert {clip.split for clip in clips} == {"train", "valid", "test"}


def test_folder_of_one_folder_names_the_one_that_holds_several(tmp_path: Path) -> None:
    root = plant(tmp_path / "gtzan", [f"Data/genres_original/{g}/{n}.wav" for g in ("a", "b") for n in range(5)])
    with pytest.raises(
        BadInput, match=r"the 2 sub-folders of Data/genres_original are the classes, write 'folder:.*nal'"
    ):
        Catalogue().task(f"folder:{root}")


@pytest.mark.parametrize(
    ("file", "said"),
    [("{k:03d}/{k:03d}{n:03d}.mp3", 1), ("{k:02d}/{n}{k:02d}.low.mp3", 1), ("{k:02d}/0_{k:02d}_{n}.wav", 0),
     ("{k}/{n}.wav", 0), ("g{k}/{k}{n}.wav", 0)],
)  # fmt: skip
def test_folders_that_part_files_by_their_numbers_are_said(tmp_path: Path, file: str, said: int) -> None:
    root = plant(tmp_path / "fma", [file.format(k=k, n=n) for k in range(3) for n in range(6)])
    cautions = Catalogue().task(f"folder:{root}").cautions
    assert sum("part the files, and say nothing" in line for line in cautions) == said


def test_folders_of_models_and_programs_are_passed_by(tmp_path: Path) -> None:
    root = plant(tmp_path / "songs", [f"{g}/{n}.wav" for g in ("a", "b") for n in range(5)])
    for name in ("models/best.pt", "code/train.ipynb", "h5/all.hdf5"):
        (root / name).parent.mkdir()
        (root / name).write_bytes(b"\x93\x00\xff" * 90)
    assert Catalogue().task(f"folder:{root}").classes == ("a", "b")
