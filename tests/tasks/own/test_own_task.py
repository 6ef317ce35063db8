"""A user's own data: folders and lists, and what users get wrong."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, MissingData
from mirbench.features.datasets import read_task
from mirbench.leaderboard.table import boards
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.trust.checks import check_clips, check_task
from mirbench.types import Clip, Task

QUIET = Progress(quiet=True)
PLENTY = tuple(f"{genre}/{n:02}.wav" for genre in ("folk", "jazz", "rock") for n in range(10))


def plant(root: Path, names: Iterable[str]) -> Path:
    """Empty files: making a task decodes nothing."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def sing(root: Path, names: Iterable[str]) -> Path:
    """Half a second of a tone a file, whose pitch tells its class."""
    time = np.arange(4000) / 8000
    for n, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hertz = {"folk": 250, "jazz": 900, "rock": 2500}[path.parent.name]
        soundfile.write(path, (0.1 + 0.01 * n) * np.sin(2 * np.pi * (hertz + n) * time), 8000)
    return root


def folder(root: Path) -> Task:
    return Catalogue().task(f"folder:{root}")


def clips_of(task: Task, fold: int = 0) -> dict[str, Clip]:
    return {clip.id: clip for clip in task.read_clips(None, fold)}


def splits_of(task: Task, fold: int = 0) -> dict[str, str]:
    return {name: clip.split for name, clip in clips_of(task, fold).items()}


def refusal(make: Callable[[], object]) -> str:
    """The one line that refuses what a user gave."""
    with pytest.raises(BadInput) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Folders


def test_folder_has_a_class_for_each_sub_folder(tmp_path: Path) -> None:
    assert folder(plant(tmp_path, PLENTY)).classes == ("folk", "jazz", "rock")


def test_folder_conforms(tmp_path: Path) -> None:
    task = folder(plant(tmp_path, PLENTY))
    assert check_task(task) + check_clips(task, read_task(task, None)) == []


def test_folder_is_called_by_its_own_name(tmp_path: Path) -> None:
    assert folder(plant(tmp_path / "my songs", PLENTY)).name == "folder:my songs"


def test_folder_stands_apart_as_own_data(tmp_path: Path) -> None:
    task = folder(plant(tmp_path, PLENTY))
    assert (task.standing, task.kind, task.metrics[0]) == ("own", "single-label", "accuracy")


def test_folder_names_clips_by_their_path_inside_it(tmp_path: Path) -> None:
    assert sorted(clips_of(folder(plant(tmp_path, PLENTY)))) == sorted(PLENTY)


def test_folder_draws_splits_by_class(tmp_path: Path) -> None:
    clips = clips_of(folder(plant(tmp_path, PLENTY))).values()
    count = Counter((clip.labels[0], clip.split) for clip in clips)
    assert {count[genre, "train"] for genre in ("folk", "jazz", "rock")} == {7}
    assert all(count[genre, split] in (1, 2) for genre in ("folk", "jazz", "rock") for split in ("valid", "test"))


def test_folder_is_drawn_the_same_elsewhere(tmp_path: Path) -> None:
    here, there = (plant(tmp_path / name, PLENTY) for name in ("here", "there"))
    assert splits_of(folder(here)) == splits_of(folder(there))
    assert folder(here).version == folder(there).version


def test_folder_with_another_clip_is_another_version(tmp_path: Path) -> None:
    before = folder(plant(tmp_path, PLENTY)).version
    assert folder(plant(tmp_path, ["jazz/new.wav"])).version != before


def test_folder_inside_a_class_is_a_group(tmp_path: Path) -> None:
    names = [f"{genre}/{artist}/{n}.wav" for genre in ("folk", "jazz") for artist in "abcdefgh" for n in range(3)]
    split: dict[str, set[str]] = {}
    for clip in clips_of(folder(plant(tmp_path, names))).values():
        split.setdefault(clip.group, set()).add(clip.split)
    assert sorted(split) == list("abcdefgh")
    assert {len(found) for found in split.values()} == {1}


def test_folder_deep_inside_a_class_belongs_to_the_first_folder(tmp_path: Path) -> None:
    task = folder(plant(tmp_path, [*PLENTY, "jazz/monk/live/1.wav"]))
    assert clips_of(task)["jazz/monk/live/1.wav"].group == "monk"


@pytest.mark.parametrize("valid", ["valid", "val", "validation"])
def test_folder_of_split_folders_keeps_its_splits(tmp_path: Path, valid: str) -> None:
    names = [f"{split}/{genre}/{n}.wav" for split in ("train", valid, "test") for genre in "ab" for n in range(2)]
    task = folder(plant(tmp_path, names))
    assert task.classes == ("a", "b")
    assert splits_of(task) == {name: name.split("/")[0].replace(valid, "valid") for name in names}


def test_folder_of_train_and_test_draws_valid_from_train_alone(tmp_path: Path) -> None:
    names = [f"{split}/{genre}/{n}.wav" for split in ("train", "test") for genre in "ab" for n in range(10)]
    splits = splits_of(folder(plant(tmp_path, names)))
    assert {name.split("/")[0] for name, split in splits.items() if split == "test"} == {"test"}
    assert {name.split("/")[:2][1] for name, split in splits.items() if split == "valid"} == {"a", "b"}
    assert Counter(splits.values())["test"] == 20


@pytest.mark.parametrize(
    "names",
    [("Train", "Test"), ("train", "valid"), ("train", "test", "docs"), ("TRAIN", "VAL", "TEST", "extra")],
    ids=" ".join,
)
def test_folder_does_not_take_splits_for_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Six folders inside each, so that they would be split like artists of the class "Train"."""
    plant(tmp_path, [f"{split}/{genre}/{n}.wav" for split in names for genre in "abcdef" for n in range(3)])
    try:
        found = folder(tmp_path).classes
    except BadInput:
        found = tuple("abcdef")
    assert found == tuple("abcdef")


def test_folder_leaves_out_what_is_no_audio(tmp_path: Path) -> None:
    plant(tmp_path, [*PLENTY, "readme.txt", "jazz/cover.jpg", "jazz/._00.wav", "jazz/.trash/1.wav", ".git/a/1.wav"])
    (tmp_path / "notes").mkdir()
    (tmp_path / "jazz" / "bundle.wav").mkdir()
    assert sorted(clips_of(folder(tmp_path))) == sorted(PLENTY)


def test_folder_takes_suffixes_in_capitals(tmp_path: Path) -> None:
    assert "jazz/LOUD.WAV" in clips_of(folder(plant(tmp_path, [*PLENTY, "jazz/LOUD.WAV"])))


def test_folder_of_a_class_called_by_two_names_separated_in_a_list_is_refused(tmp_path: Path) -> None:
    """A semicolon separates labels in the list that is written beside the records."""
    plant(tmp_path, [*PLENTY, *(f"rock;pop/{n}.wav" for n in range(10))])
    assert "rock;pop" in refusal(lambda: folder(tmp_path))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no audio (.wav"),
        (["1.wav", "2.wav"], "one sub-folder a class is needed"),
        (["a/1.txt", "b/2.pdf"], "no audio (.wav"),
        ([f"a/{n}.wav" for n in range(9)], "1 class (a); two or more are needed"),
        ([*PLENTY, "solo/1.wav"], "no clip of 'solo' is in test (it has 1 in all)"),
        (["train/a/1.wav", "train/b/1.wav", "valid/a/1.wav", "test/a/1.wav"], "no clip of 'b' is in test"),
        (["train/a/1.wav", "valid/b/1.wav", "test/a/1.wav", "test/b/1.wav"], "no clip of 'b' is in train"),
        (["train/a/1.wav", "train/b/1.wav", "test/a/1.wav", "test/b/1.wav"], "no clip is in valid"),
    ],
    ids=["empty", "no sub-folders", "no audio", "one class", "one clip", "not tested", "not learnt", "no valid"],
)
def test_folder_that_is_no_task_is_refused(tmp_path: Path, names: list[str], says: str) -> None:
    line = refusal(lambda: folder(plant(tmp_path, names)))
    assert line.startswith("folder:")
    assert says in line


def test_folder_whose_group_is_in_two_splits_is_refused(tmp_path: Path) -> None:
    names = [f"{split}/{c}/{n}.wav" for split in ("train", "valid", "test") for c in "ab" for n in range(3)]
    plant(tmp_path, [*names, "train/a/monk/1.wav", "test/a/monk/2.wav"])
    assert "monk" in refusal(lambda: folder(tmp_path))


def test_folder_that_is_not_there_is_missing_data() -> None:
    with pytest.raises(MissingData, match="folder:nowhere: no such folder"):
        Catalogue().task("folder:nowhere")


@pytest.mark.skipif(os.name == "nt", reason="a drive may be a collection")
def test_folder_of_the_whole_machine_is_refused() -> None:
    assert "/: holds all that is on this machine" in refusal(lambda: Catalogue().task("folder:/"))


@pytest.mark.parametrize("name", ["folder:", "csv:"])
def test_family_without_an_argument_says_what_to_write(name: str) -> None:
    assert f"names nothing; write {name}PATH" in refusal(lambda: Catalogue().task(name))


@pytest.mark.parametrize("name", ["folder:~nobody-of-this-name/x", "csv:~nobody-of-this-name/x.csv"])
def test_family_of_an_unknown_home_is_refused(name: str) -> None:
    assert "nobody-of-this-name" in refusal(lambda: Catalogue().task(name))


def test_folder_in_the_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(plant(tmp_path, [f"songs/{name}" for name in PLENTY])))
    assert Catalogue().task("folder:~/songs").n_clips == 30


# Lists


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def listed(path: Path) -> Task:
    return Catalogue().task(f"csv:{path}")


def rows(header: str, row: str, n: int = 10, classes: str = "ab") -> str:
    """A list of `n` clips a class; `row` may say {c} for the class and {n} for the number."""
    return "\n".join([header, *(row.format(c=c, n=k) for c in classes for k in range(n))]) + "\n"


SIMPLE = rows("path,label", "{c}{n}.wav,{c}")


def test_list_is_called_by_its_stem(tmp_path: Path) -> None:
    assert listed(write(tmp_path / "mine.csv", SIMPLE)).name == "csv:mine"


def test_list_conforms(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "mine.csv", SIMPLE))
    assert check_task(task) + check_clips(task, read_task(task, None)) == []


def test_list_draws_as_the_folder_of_the_same_ids_does(tmp_path: Path) -> None:
    plant(tmp_path, PLENTY)
    text = "path,label\n" + "".join(f"{name},{name.split('/')[0]}\n" for name in PLENTY)
    task = listed(write(tmp_path / "mine.csv", text))
    assert splits_of(task) == splits_of(folder(tmp_path))
    assert task.version == folder(tmp_path).version


def test_list_draws_the_same_in_any_order(tmp_path: Path) -> None:
    header, *lines = SIMPLE.splitlines()
    backwards = write(tmp_path / "b.csv", "\n".join([header, *reversed(lines)]))
    assert splits_of(listed(backwards)) == splits_of(listed(write(tmp_path / "a.csv", SIMPLE)))


def test_list_keeps_its_splits(tmp_path: Path) -> None:
    text = "path,label,split\n" + "".join(f"{s}{c},{c},{s}\n" for s in ("train", "valid", "test") for c in "ab")
    task = listed(write(tmp_path / "l.csv", text))
    assert splits_of(task) == {f"{s}{c}": s for s in ("train", "valid", "test") for c in "ab"}


def test_list_with_folds_tests_a_clip_in_its_own_fold(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", rows("path,label,fold", "{c}{n},{c},{n}", n=4)))
    tested = {fold: {name for name, split in splits_of(task, fold).items() if split == "test"} for fold in range(4)}
    assert (task.n_folds, tested) == (4, {fold: {f"a{fold}", f"b{fold}"} for fold in range(4)})


def test_list_with_folds_validates_a_clip_in_the_fold_before(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", rows("path,label,fold", "{c}{n},{c},{n}", n=4)))
    assert [splits_of(task, fold)["a0"] for fold in range(4)] == ["test", "train", "train", "valid"]


def test_list_keeps_groups_whole(tmp_path: Path) -> None:
    text = "path,label,group\n" + "".join(f"{c}{n},{c},artist {c}{n % 6}\n" for c in "ab" for n in range(30))
    found: dict[str, set[str]] = {}
    for clip in clips_of(listed(write(tmp_path / "l.csv", text))).values():
        found.setdefault(clip.group, set()).add(clip.split)
    assert {len(splits) for splits in found.values()} == {1}


def test_list_with_several_labels_is_multi_label(tmp_path: Path) -> None:
    text = rows("path,label", "{c}{n},{c}") + rows("", "both{c}{n}, a ; b;a ").lstrip("\n")
    task = listed(write(tmp_path / "l.csv", text))
    assert (task.kind, task.metrics[0], clips_of(task)["botha0"].labels) == ("multi-label", "roc-auc", ("a", "b"))


def test_list_with_unknown_labels_is_multi_label(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", rows("path,label,unknown", "{c}{n},{c},a;b")))
    assert task.kind == "multi-label"
    assert (clips_of(task)["a0"].labels, clips_of(task)["a0"].unknown) == (("a",), ("b",))


def test_list_may_hold_clips_of_no_class_among_those_of_several(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", rows("path,label", "{c}{n},{c}") + "x.wav,a;b\nnone.wav,\n"))
    assert clips_of(task)["none.wav"].labels == ()


def test_list_of_one_class_a_clip_with_a_forgotten_label_is_refused(tmp_path: Path) -> None:
    """It would turn into a multi-label task without a word."""
    path = write(tmp_path / "l.csv", SIMPLE + "forgotten.wav,\n")
    assert "forgotten.wav" in refusal(lambda: listed(path))


def test_list_reads_stretches_of_a_file(tmp_path: Path) -> None:
    text = rows("id,path,label,start,duration", "{c}{n},{c}{n}.wav,{c},{n},1.5")
    clip = clips_of(listed(write(tmp_path / "l.csv", text)))["b3"]
    assert (clip.path, clip.start, clip.duration) == (tmp_path / "b3.wav", 3.0, 1.5)


def test_list_without_times_reads_the_whole_file(tmp_path: Path) -> None:
    clip = clips_of(listed(write(tmp_path / "l.csv", SIMPLE)))["a0.wav"]
    assert (clip.start, clip.duration) == (0.0, None)


def test_list_keeps_stretches_of_one_file_in_one_split(tmp_path: Path) -> None:
    text = "id,path,label,start,duration\n"
    text += "".join(f"{c}{n}-{k},{c}{n}.wav,{c},{k},1\n" for c in "ab" for n in range(8) for k in range(3))
    found: dict[Path | None, set[str]] = {}
    for clip in clips_of(listed(write(tmp_path / "l.csv", text))).values():
        found.setdefault(clip.path, set()).add(clip.split)
    assert {len(splits) for splits in found.values()} == {1}


def test_list_by_ids_alone_has_no_paths(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", rows("id,label", "{c}{n},{c}")))
    assert {clip.path for clip in clips_of(task).values()} == {None}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLE, "utf-8-sig"),
        (SIMPLE.replace("\n", "\r\n"), "utf-8"),
        (SIMPLE.rstrip("\n"), "utf-8"),
        (SIMPLE.replace("\n", "\n\n"), "utf-8"),
        (SIMPLE.replace("a0.wav", '"a0.wav"'), "utf-8"),
        (SIMPLE.replace(",a\n", ", a \n"), "utf-8"),
        (rows("label,path", "{c},{c}{n}.wav"), "utf-8"),
    ],
    ids=["byte order mark", "Windows", "no last line end", "empty lines", "quotes", "spaces", "columns turned"],
)
def test_list_is_read_as_the_plain_one(tmp_path: Path, text: str, encoding: str) -> None:
    plain = listed(write(tmp_path / "plain.csv", SIMPLE))
    assert listed(write(tmp_path / "other.csv", text, encoding)).version == plain.version


def test_list_reads_a_comma_in_quotes(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", SIMPLE + '"Monk, live.wav","a"\n'))
    assert "Monk, live.wav" in clips_of(task)


def test_list_reads_letters_of_any_language(tmp_path: Path) -> None:
    text = rows("path,label", "Füße {c}{n}.wav,{c}").replace(",a\n", ",Sänger\n").replace(",b\n", ",歌\n")
    assert listed(write(tmp_path / "l.csv", text)).classes == ("Sänger", "歌")


def test_list_finds_paths_beside_it_absolute_and_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = write(tmp_path / "l.csv", SIMPLE + "/far/away.wav,a\n~/tune.wav,b\nsub/x.wav,a\n")
    clips = clips_of(listed(path))
    found = [clips[name].path for name in ("/far/away.wav", "~/tune.wav", "sub/x.wav")]
    assert found == [Path("/far/away.wav"), tmp_path / "home" / "tune.wav", tmp_path / "sub" / "x.wav"]


def test_list_is_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "l.csv", SIMPLE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert clips_of(Catalogue().task("csv:../l.csv"))["a0.wav"].path == tmp_path / "a0.wav"


def test_list_with_another_label_is_another_version(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", SIMPLE)
    before = listed(path).version
    write(path, SIMPLE.replace("a0.wav,a", "a0.wav,b"))
    assert listed(path).version != before


SPLIT = rows("path,label,split", "{c}{n},{c},train")


@pytest.mark.parametrize("n_clips", range(12, 40, 3))
def test_numbers_as_labels_of_one_clip_each_are_refused_with_how_they_are_asked(tmp_path: Path, n_clips: int) -> None:
    path = write(tmp_path / "mine.csv", "path,label\n" + "".join(f"{n}.wav,{n}.5\n" for n in range(n_clips)))
    line = refusal(lambda: listed(path))
    assert "has 1 in all, and three or more of a class are needed" in line
    assert "numbers to be predicted are said to be some behind a list: ?value=label" in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line must name the columns path (or id) and label"),
        ("path,label\n", "holds no clip"),
        ("a0.wav,a\nb0.wav,b\n", "it is 'a0.wav,a'"),
        ("path,genre\na,b\n", "it is 'path,genre'"),
        ("label\na\n", "it is 'label'"),
        ("path;genre\na;b\n", "columns"),
        ("path,label,splits\na,b,3\n", "'splits' is none of them, and may be meant for split ('csv:mine.csv?split=spl"),
        ("path,label,folds\na,b,3\n", "'folds' is none of them, and may be meant for fold"),
        ("path,label,start,end\na,b,0,3\n", "'end' is none of them, and may be meant for duration (a length in sec"),
        (
            rows("path,label,subset", "{c}{n},{c},train") + "t,a,test\n",
            "'subset' is none of them, and may be meant for spl",
        ),
        ("path,label,split,fold\na,b,train,0\n", "split and fold; give one of them"),
        (SIMPLE + "x,y.wav,a\n", "line 22: has another number of fields"),
        (SIMPLE + "x.wav\n", "line 22: has another number of fields"),
        (SIMPLE + " ,a\n", "line 22: neither a path nor an id"),
        (SIMPLE + "a0.wav,a\n", "a0.wav is listed twice"),
        (SIMPLE + "./a0.wav,a\n", "a0.wav is listed twice"),
        (rows("id,path,label", "{c},{c}{n},{c}"), "'a' occurs twice"),
        (rows("path,label,label", "{c}{n},{c},{c}"), "names a column twice"),
        (SPLIT.replace("a0,a,train", "a0,a,eval"), "line 2: split 'eval'; one of train, valid, test is needed"),
        (SPLIT.replace("a0,a,train", "a0,a,"), "a0 has no split and others have"),
        (SPLIT, "no clip is in test; give some the split test, or give none a split"),
        (rows("path,label", "{c}{n},{c}{n}"), "'a0' has 1 in all, and three or more of a class are needed for splits"),
        (SPLIT.replace("0,a,train", "0,a,test"), "no clip of 'b' is in test"),
        (rows("path,label,split", "{c}{n},{c},test"), "no clip"),
        (rows("path,label,fold", "{c}{n},{c},{n}", n=2), "folds [0, 1]"),
        (rows("path,label,fold", "{c}{n},{c},{n}0", n=4), "folds [0, 10, 20, 30]; 0, 1, 2 … without a gap"),
        (rows("path,label,fold", "{c}{n},{c},{n}", n=4).replace("a0,a,0", "a0,a,1"), "no clip of 'a' is in test"),
        (rows("path,label,fold", "{c}{n},{c},f{n}"), "the fold of a0 is 'f0'; a whole number from 0 on is needed"),
        (rows("path,label,fold", "{c}{n},{c},-{n}"), "the fold of a0 is '-0'"),
        (rows("path,label,fold", "{c}{n},{c},"), "the fold of a0 is ''"),
        (rows("path,label,start", "{c}{n},{c},soon"), "line 2: start 'soon'; a number of seconds is needed"),
        (rows("path,label,start", "{c}{n},{c},nan"), "line 2: start 'nan'"),
        (rows("path,label,start", "{c}{n},{c},-1"), "line 2: start '-1'"),
        (rows("path,label,duration", "{c}{n},{c},0"), "line 2: duration '0'"),
        (rows("path,label", "{c}{n},"), "a0 has no label (20 such)"),
        (rows("path,label", "{c}{n},a"), "1 class (a); two or more are needed"),
        (SIMPLE + "solo.wav,c\n", "no clip of 'c' is in test (it has 1 in all)"),
        (rows("path,label,unknown", "{c}{n},{c},typo"), "no clip of 'typo' is in train (it has 0 in all)"),
        (rows("path,label,split,group", "{c}{n},{c},train,monk") + "t,a,test,monk\nu,b,test,\nv,b,valid,\n", "monk"),
        (rows("path,label,fold,group", "{c}{n},{c},{n},monk", n=4), "monk"),
    ],
)
def test_list_that_is_no_task_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path / "mine.csv", text)
    line = refusal(lambda: listed(path))
    assert "mine" in line
    assert says in line


@pytest.mark.parametrize(
    "content",
    [SIMPLE.encode("utf-16") + b"\0", "path,label\nFüße.wav,a\n".encode("latin-1"), b"RIFF\x9c\x00\xff\xfeWAVE" * 9],
    ids=["UTF-16", "Latin-1", "no text"],
)
def test_list_that_is_not_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.csv").write_bytes(content)
    assert "l.csv: not readable as a CSV file in UTF-" in refusal(lambda: listed(tmp_path / "l.csv"))


ESC = rows("filename,fold,target,category,take", "{c}{n}.wav,{n},0,{c},A", n=5)


def test_list_of_other_names_of_columns_is_read_as_they_are_told(tmp_path: Path) -> None:
    write(tmp_path / "esc50.csv", ESC)
    task = Catalogue().task(f"csv:{tmp_path}/esc50.csv?path=filename&label=category")
    assert task.classes == tuple(sorted({line.split(",")[3] for line in ESC.splitlines()[1:]}))
    assert (task.n_folds, task.read_clips(None, 0)[0].path.parent) == (5, tmp_path)
    assert task.cautions == (
        "columns that say nothing here: target, take; those that do are id, path, label, unknown, split, fold, group, "
        "start, duration",
    )


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("path=file&label=category", "say which they are: 'csv:esc50.csv?path=…&label=…'"),
        ("path=filename&label=category&group=artist", "no column is called 'artist'; it has filename, fold"),
        ("path=filename&labels=category", "Did you mean 'label'"),
        ("path=filename&label=", "label needs one plain value"),
    ],
)
def test_list_of_columns_that_it_has_not_is_refused(tmp_path: Path, query: str, says: str) -> None:
    write(tmp_path / "esc50.csv", ESC)
    assert says in refusal(lambda: Catalogue().task(f"csv:{tmp_path}/esc50.csv?{query}"))


def test_column_that_was_told_stands_before_the_one_of_that_name(tmp_path: Path) -> None:
    write(tmp_path / "l.csv", rows("path,label,name", "{c}{n},0,{c}"))
    task = Catalogue().task(f"csv:{tmp_path}/l.csv?label=name")
    assert task.classes == ("a", "b")
    assert "columns that say nothing here: label;" in task.cautions[0]


def test_list_of_a_path_in_an_unknown_home_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", SIMPLE + "~nobody-of-this-name/x.wav,a\n")
    assert "~nobody-of-this-name/x.wav" in refusal(lambda: listed(path))


def test_list_that_is_not_there_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"no such file; a table with the columns path,label is needed"):
        listed(tmp_path / "nowhere.csv")


def test_list_that_is_a_folder_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="no such file"):
        listed(tmp_path)


def test_list_of_train_and_test_draws_valid_from_train_with_whole_groups(tmp_path: Path) -> None:
    lines = [f"{c}{n},{c},{'test' if n < 4 else 'train'},{c} artist {n // 2}\n" for c in "ab" for n in range(24)]
    task = listed(write(tmp_path / "l.csv", "path,label,split,group\n" + "".join(lines)))
    count = Counter(splits_of(task).values())
    assert (count["test"], count["valid"] > 0, check_clips(task, read_task(task, None))) == (8, True, [])


# What lists mean

NFC, NFD = (unicodedata.normalize(form, "flöte") for form in ("NFC", "NFD"))


def test_list_with_a_class_in_two_forms_has_it_once(tmp_path: Path) -> None:
    text = rows("path,label", "{c}{n}.wav,{c}")
    both = write(tmp_path / "both.csv", text.replace(",a\n", f",{NFD}\n", 5).replace(",a\n", f",{NFC}\n"))
    one = write(tmp_path / "one.csv", text.replace(",a\n", f",{NFC}\n"))
    assert (listed(both).classes, listed(both).version) == (("b", NFC), listed(one).version)


def test_folder_with_a_class_in_two_forms_has_it_once(tmp_path: Path) -> None:
    plant(tmp_path, [f"{name}/{n}{name}.wav" for name in (NFC, NFD, "geige") for n in range(8)])
    assert (folder(tmp_path).classes, folder(tmp_path).n_clips) == ((NFC, "geige"), 24)


def test_list_with_a_group_in_two_forms_keeps_it_whole(tmp_path: Path) -> None:
    names = "aäbcdöeüfg"
    lines = [
        f"{c}{n}{form},{c},{unicodedata.normalize(form, names[n])}"
        for c in "xy"
        for n in range(10)
        for form in ("NFC", "NFD")
    ]
    split: dict[str, set[str]] = {}
    for clip in clips_of(listed(write(tmp_path / "l.csv", "\n".join(["path,label,group", *lines])))).values():
        split.setdefault(unicodedata.normalize("NFD", clip.group), set()).add(clip.split)
    assert ({len(found) for found in split.values()}, len(split)) == ({1}, 10)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (("Hip-Hop", "hip-hop"), "classes 'Hip-Hop' and 'hip-hop' differ in case, white space"),
        (("hip hop", "hip\u00a0hop"), "classes 'hip hop' and 'hip\\xa0hop' differ"),
        (("rock", "nan"), "the class 'nan' may be what a program writes of an empty cell"),
        (("001", "1"), "classes '001' and '1' differ"),
    ],
)
def test_list_says_what_may_be_wrong_with_its_classes(tmp_path: Path, labels: tuple[str, str], says: str) -> None:
    text = rows("path,label", "{c}{n}.wav,{c}").replace(",a\n", f",{labels[0]}\n").replace(",b\n", f",{labels[1]}\n")
    (line,) = listed(write(tmp_path / "l.csv", text)).cautions
    assert says in line


def test_folder_of_a_class_that_may_be_several_says_so(tmp_path: Path) -> None:
    (line,) = folder(
        plant(tmp_path, [f"{c}/{n}.wav" for c in ("Rock", "Pop", "Rock & Pop") for n in range(8)])
    ).cautions
    assert line == "the class 'Rock & Pop' looks like several (Rock, Pop), and is learnt as one"


def test_list_of_plain_classes_warns_of_nothing(tmp_path: Path) -> None:
    assert listed(write(tmp_path / "l.csv", SIMPLE)).cautions == ()


def test_list_of_folds_from_one_is_that_of_folds_from_zero(tmp_path: Path) -> None:
    zero = listed(write(tmp_path / "l.csv", rows("path,label,fold", "{c}{n},{c},{n}", n=4)))
    text = "path,label,fold\n" + "".join(f"{c}{n},{c},{n + 1}\n" for c in "ab" for n in range(4))
    assert listed(write(tmp_path / "l.csv", text)).version == zero.version


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ("me", "all 20 clips are of 1 group ('me'), and a group is never parted between splits; 3 or more are needed"),
        ("{c}", "the clips of 'a' (10) are of 1 group ('a'), and a group is never parted"),
    ],
)
def test_list_of_too_few_groups_says_that_it_is_the_groups(tmp_path: Path, group: str, says: str) -> None:
    text = rows("path,label,group", "{c}{n}.wav,{c}," + group, classes="ab" if group == "me" else "abc")
    assert says in refusal(lambda: listed(write(tmp_path / "l.csv", text)))


def test_list_of_stretches_of_one_file_says_that_it_is_the_file(tmp_path: Path) -> None:
    text = rows("id,path,label,start,duration", "{c}{n},x.wav,{c},{n}.{c},1").replace(".a", ".0").replace(".b", ".5")
    assert "all 20 clips are of 1 file (" in refusal(lambda: listed(write(tmp_path / "l.csv", text)))


# Running on them


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Audio of three classes that anything can tell apart; no test changes it."""
    return sing(tmp_path_factory.mktemp("data") / "songs", [f"{g}/{n}.wav" for g in ("folk", "jazz") for n in range(8)])


def ask(name: str, tmp_path: Path, method: str = "probe-linear") -> Request:
    source = "nano" if method.startswith("probe") else ""
    return Request(name, method, source, seeds=(0,), runs=tmp_path / "runs", cache=tmp_path / "cache")


def test_run_on_a_folder_tells_easy_classes_apart(songs: Path, tmp_path: Path) -> None:
    (outcome,) = run(ask(f"folder:{songs}", tmp_path), Catalogue(), QUIET)
    assert (outcome.record.status, outcome.record.metrics["accuracy"]) == ("done", 1.0)


def test_run_on_own_data_makes_a_table_of_own_data(songs: Path, tmp_path: Path) -> None:
    run(ask(f"folder:{songs}", tmp_path, "prior"), Catalogue(), QUIET)
    (board,) = boards(tmp_path / "runs")
    assert (board.standing, board.title.split()[0]) == ("own", "folder:songs")


def test_run_on_changed_data_makes_a_table_of_its_own(songs: Path, tmp_path: Path) -> None:
    copy = sing(tmp_path / "songs", [f"{g}/{n}.wav" for g in ("folk", "jazz") for n in range(9)])
    for root in (songs, copy):
        run(ask(f"folder:{root}", tmp_path, "prior"), Catalogue(), QUIET)
    assert len(boards(tmp_path / "runs")) == 2


def test_run_writes_clips_that_read_back_as_the_same_task(songs: Path, tmp_path: Path) -> None:
    """Where the audio is: paths in it are relative to the data."""
    run(ask(f"folder:{songs}", tmp_path, "prior"), Catalogue(), QUIET)
    (written,) = (tmp_path / "runs").rglob("clips-*.csv")
    copy = sing(tmp_path / "copy", [f"{g}/{n}.wav" for g in ("folk", "jazz") for n in range(8)])
    (copy / "splits.csv").write_text(written.read_text())
    assert splits_of(listed(copy / "splits.csv")) == splits_of(folder(songs))
    assert listed(copy / "splits.csv").version == folder(songs).version


def test_run_writes_folds_that_read_back_as_the_same_task(tmp_path: Path) -> None:
    task = listed(write(tmp_path / "l.csv", rows("path,label,fold,group", "{c}{n},{c},{n},{n}", n=4)))
    run(ask(f"csv:{tmp_path / 'l.csv'}", tmp_path, "prior"), Catalogue(), QUIET)
    (written,) = (tmp_path / "runs").rglob("clips-*.csv")
    assert listed(written).version == task.version


def test_run_on_a_list_by_ids_says_that_there_is_no_audio(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", rows("id,label", "{c}{n},{c}"))
    with pytest.raises(MissingData, match=r"20 of 20 clips have no audio on this machine \(a0, "):
        run(ask(f"csv:{path}", tmp_path), Catalogue(), QUIET)


def test_run_of_prior_needs_no_audio(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", rows("id,label", "{c}{n},{c}"))
    (outcome,) = run(ask(f"csv:{path}", tmp_path, "prior"), Catalogue(), QUIET)
    assert outcome.record.status == "done"


# As typed


Typed = Callable[..., tuple[int, str, str]]


def test_run_typed_on_a_folder_says_where_its_records_are(songs: Path, typed: Typed) -> None:
    code, out, _ = typed("run", "--task", f"folder:{songs}", "--method", "prior", "--seeds", "1", "--quiet")
    where = out.partition("Records: ")[2].partition(". ")[0]
    assert (code, Path(where).is_dir(), len(list(RunStore(Path("runs")).records()))) == (0, True, 1)


@pytest.mark.parametrize("text", ["", "path;label\na;b\n", SIMPLE + "x,y.wav,a\n", SIMPLE + "solo.wav,c\n"])
def test_run_typed_on_a_bad_list_is_one_line(typed: Typed, text: str) -> None:
    Path("mine.csv").write_text(text)
    code, out, err = typed("run", "--task", "csv:mine.csv", "--method", "prior", "--quiet")
    assert (code, out, err.count("\n"), err.startswith("mirbench: ")) == (2, "", 1, True)


def test_run_typed_on_files_of_a_wrong_type_names_each(typed: Typed) -> None:
    for n, name in enumerate(PLENTY):
        path = Path("songs") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"these are words, no sound {n}")
    words = ("--method", "probe-linear", "--source", "nano", "--seeds", "1", "--quiet")
    code, _, err = typed("run", "--task", "folder:songs", *words)
    assert (code, err.splitlines()[0]) == (2, "mirbench: 30 files cannot be used; replace or remove:")


def test_run_typed_on_own_data_is_no_demo(songs: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRBENCH_DATA", "nowhere")
    _, out, _ = typed("run", "--task", f"folder:{songs}", "--method", "prior", "--seeds", "1", "--quiet")
    assert "DEMO" not in out


@pytest.mark.parametrize("words", [("run", "--task"), ("data", "check"), ("data", "audit")], ids=" ".join)
def test_command_says_once_that_two_classes_may_be_one(songs: Path, typed: Typed, words: tuple[str, ...]) -> None:
    text = "path,label\n"
    text += "".join(
        f"{songs}/{g}/{n}.wav,{('Folk', 'folk')[n % 2] if g == 'folk' else g}\n"
        for g in ("folk", "jazz")
        for n in range(8)
    )
    Path("l.csv").write_text(text)
    more = ("--method", "prior", "--seeds", "1", "--quiet") if words[0] == "run" else ()
    code, _, err = typed(*words, "csv:l.csv", *more)
    assert (code, err.count("Beware: csv:l: classes 'Folk' and 'folk' differ in case")) == (0, 1)


def test_run_writes_classes_with_spaces_that_read_back_as_the_same_task(tmp_path: Path) -> None:
    task = folder(plant(tmp_path / "songs", [f"{g}/ {n} .wav" for g in (" low", "mid ", "mid") for n in range(8)]))
    run(ask(f"folder:{tmp_path / 'songs'}", tmp_path, "prior"), Catalogue(), QUIET)
    (written,) = (tmp_path / "runs").rglob("clips-*.csv")
    again = Catalogue(data=tmp_path / "songs").task(f"csv:{written}")
    assert (again.version, again.classes) == (task.version, (" low", "mid", "mid "))


def test_show_typed_of_a_folder_prints_its_card(songs: Path, typed: Typed) -> None:
    code, out, _ = typed("show", f"folder:{songs}")
    assert (code, "classes  folk, jazz" in out) == (0, True)


@pytest.mark.real
@pytest.mark.slow
def test_nano_tells_orchestral_instruments_apart(shared: Path, tmp_path: Path) -> None:
    """Ten instruments of 24 notes each, chance 0.1."""
    (outcome,) = run(ask(f"folder:{shared / 'data' / 'philharmonia'}", tmp_path), Catalogue(), QUIET)
    assert sum(outcome.record.n_clips.values()) == 240
    assert outcome.record.metrics["accuracy"] > 0.5


def test_too_few_clips_of_a_second_spelling_are_said_to_be_one(tmp_path: Path) -> None:
    text = SIMPLE + "c.wav,A\n"
    with pytest.raises(BadInput, match=r"'A' .*; classes 'A' and 'a' differ in case"):
        listed(write(tmp_path / "l.csv", text))
