"""MagnaTagATune: the published tables, the split by folder, the rules of the vocalist set, and the stand-ins."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mirbench.errors import BadInput, MissingData
from mirbench.features.datasets import dataset_folder, read_task
from mirbench.metrics import TAGGING
from mirbench.progress import Progress
from mirbench.tasks import magnatagatune
from mirbench.tasks.magnatagatune import BROKEN, FEMALE, MAGNATAGATUNE, MALE, NO_VOCAL, TAGS
from mirbench.tasks.splitting import draw_order
from mirbench.trust.checks import check_clips
from mirbench.types import Clip, Task

VOCALIST = magnatagatune.VOCALIST_MAGNATAGATUNE
DEMOS = (magnatagatune.MAGNATAGATUNE_DEMO, magnatagatune.VOCALIST_MAGNATAGATUNE_DEMO)
BOTH = (MAGNATAGATUNE, VOCALIST)

QUIET = Progress(quiet=True)
OTHERS = ("clasical", "not rock", "foreign", "monks")  # of the 188, and in no list of ours
COLUMNS = sorted({*TAGS, *FEMALE, *MALE, *NO_VOCAL, *OTHERS})
INFO = ("clip_id", "track_number", "title", "artist", "album", "url", "segmentStart", "segmentEnd", "original_url")

Row = tuple[str, Sequence[str]]  # path, tags


def table(path: Path, rows: Iterable[Sequence[object]], end: str = "\n", quoted: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        if quoted:
            csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator=end).writerows(rows)
        else:
            csv.writer(stream, delimiter="\t", lineterminator=end).writerows(rows)


def plant(
    root: Path, rows: Mapping[int, Row], artists: Mapping[int, str] | None = None, end: str = "\n", quoted: bool = True
) -> Path:
    """The two tables in the published form; a clip whose artist is not given has one of its own."""
    annotations = [("clip_id", *COLUMNS, "mp3_path")]
    annotations += [(str(n), *(str(int(t in tags)) for t in COLUMNS), path) for n, (path, tags) in rows.items()]
    table(root / "annotations_final.csv", annotations, end, quoted)
    named = {number: f"Artist {number}" for number in rows} | dict(artists or {})
    info = [(*INFO, "mp3_path")]
    info += [(str(n), "1", 'A "title"', artist, "Album", "", "0", "29", "", "") for n, artist in named.items()]
    table(root / "clip_info_final.csv", info, end, quoted)
    return root


def read(task: Task, root: Path) -> dict[str, Clip]:
    return {clip.id: clip for clip in task.read_clips(root, 0)}


def test_tags_are_fifty_in_sorted_order() -> None:
    assert (len(TAGS), TAGS) == (50, tuple(sorted(set(TAGS))))


def test_card_counts_the_customary_split() -> None:
    assert MAGNATAGATUNE.n_clips == 15_247 + 1_529 + 4_332


def test_tagging_is_scored_as_tagging() -> None:
    assert (MAGNATAGATUNE.kind, MAGNATAGATUNE.metrics) == ("multi-label", TAGGING)


def test_clip_has_its_tags_in_the_order_of_the_classes(tmp_path: Path) -> None:
    found = read(MAGNATAGATUNE, plant(tmp_path, {7: ("6/a-b-01-c-0-29.mp3", ["violin", "no vocal", "ambient"])}))
    assert found["7"].labels == ("ambient", "no vocal", "violin")


@pytest.mark.parametrize(
    ("folder", "split"),
    [*((digit, "train") for digit in "0123456789ab"), ("c", "valid"), *((digit, "test") for digit in "def")],
)
def test_folder_gives_the_split(folder: str, split: str, tmp_path: Path) -> None:
    assert read(MAGNATAGATUNE, plant(tmp_path, {1: (f"{folder}/a.mp3", ["rock"])}))["1"].split == split


def test_clip_with_none_of_the_fifty_tags_is_left_out(tmp_path: Path) -> None:
    rows = {1: ("0/a.mp3", ["clasical", "not rock"]), 2: ("0/b.mp3", ["not rock", "rock"]), 3: ("0/c.mp3", [])}
    assert {name: clip.labels for name, clip in read(MAGNATAGATUNE, plant(tmp_path, rows)).items()} == {"2": ("rock",)}


@pytest.mark.parametrize("task", BOTH, ids=lambda task: task.name)
def test_broken_files_are_left_out(task: Task, tmp_path: Path) -> None:
    rows = {number: (path, ["female"]) for number, path in enumerate((*BROKEN, "0/a.mp3", "1/b.mp3"))}
    rows |= {9: ("2/c.mp3", ["male"])}
    assert set(read(task, plant(tmp_path, rows))) == {"3", "4", "9"}


def test_clip_without_a_file_is_left_out(tmp_path: Path) -> None:
    assert set(read(MAGNATAGATUNE, plant(tmp_path, {1: ("", ["rock"]), 2: ("0/a.mp3", ["rock"])}))) == {"2"}


def test_clips_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    rows = {number: (f"0/{number}.mp3", ["rock"]) for number in (100, 9, 25)}
    assert list(read(MAGNATAGATUNE, plant(tmp_path, rows))) == ["9", "25", "100"]


def test_tagging_clips_conform(tmp_path: Path) -> None:
    rows = {number: (f"{digit}/a.mp3", ["rock"]) for number, digit in enumerate("0123456789abcdef")}
    small = replace(MAGNATAGATUNE, n_clips=16)
    assert check_clips(small, read_task(small, plant(tmp_path, rows))) == []


def test_tagging_clips_have_no_group(tmp_path: Path) -> None:
    assert read(MAGNATAGATUNE, plant(tmp_path, {1: ("0/a.mp3", ["rock"])}))["1"].group == ""


@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "plain"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("task", BOTH, ids=lambda task: task.name)
def test_quotes_and_line_ends_do_not_matter(task: Task, end: str, quoted: bool, tmp_path: Path) -> None:
    rows = {number: (f"0/{number}.mp3", ["male" if number % 2 else "female"]) for number in range(12)}
    a = task.read_clips(plant(tmp_path, rows), 0)
    b = task.read_clips(plant(tmp_path, rows, end=end, quoted=quoted), 0)
    assert (len(a), a) == (12, b)


def test_columns_may_come_in_another_order(tmp_path: Path) -> None:
    header = ["mp3_path", *reversed(COLUMNS), "clip_id"]
    row = [{"mp3_path": "0/a.mp3", "clip_id": "5", "no vocals": "1"}.get(column, "0") for column in header]
    table(tmp_path / "annotations_final.csv", [header, row])
    assert read(MAGNATAGATUNE, tmp_path)["5"].labels == ("no vocals",)


@pytest.mark.parametrize("task", BOTH, ids=lambda task: task.name)
def test_order_of_rows_does_not_matter(task: Task, tmp_path: Path) -> None:
    rows = {n: (f"{n % 16:x}/{n}.mp3", [("female", "male")[n % 2]]) for n in range(40)}
    a = task.read_clips(plant(tmp_path, rows), 0)
    b = task.read_clips(plant(tmp_path, dict(reversed(rows.items()))), 0)
    assert a == b


@pytest.mark.parametrize("file", ["6/a.mp3", "mp3/6/a.mp3"])
def test_audio_is_found_at(file: str, tmp_path: Path) -> None:
    plant(tmp_path, {1: ("6/a.mp3", ["rock"])})
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    assert read(MAGNATAGATUNE, tmp_path)["1"].path == tmp_path / file


def test_clip_without_audio_has_no_path(tmp_path: Path) -> None:
    assert read(MAGNATAGATUNE, plant(tmp_path, {1: ("6/a.mp3", ["rock"])}))["1"].path is None


def test_packed_audio_says_how_to_join_it(tmp_path: Path) -> None:
    plant(tmp_path, {1: ("6/a.mp3", ["rock"])})
    (tmp_path / "mp3.zip.001").touch()
    with pytest.raises(MissingData, match=r"still packed; .*cat mp3\.zip\.001 mp3\.zip\.002 mp3\.zip\.003 > mp3_all"):
        MAGNATAGATUNE.read_clips(tmp_path, 0)


def test_unpacked_audio_is_read_though_the_parts_are_there(tmp_path: Path) -> None:
    plant(tmp_path, {1: ("6/a.mp3", ["rock"])})
    (tmp_path / "mp3.zip.001").touch()
    (tmp_path / "0").mkdir()
    assert len(MAGNATAGATUNE.read_clips(tmp_path, 0)) == 1


@pytest.mark.parametrize("task", BOTH, ids=lambda task: task.name)
def test_without_a_folder_names_the_table(task: Task) -> None:
    with pytest.raises(MissingData, match=rf"^{task.name}: its clips are listed in annotations_final\.csv"):
        task.read_clips(None, 0)


@pytest.mark.parametrize("file", ["annotations_final.csv", "clip_info_final.csv"])
def test_missing_table_is_named(file: str, tmp_path: Path) -> None:
    plant(tmp_path, {1: ("6/a.mp3", ["male"])})
    (tmp_path / file).unlink()
    with pytest.raises(MissingData, match=rf"{file} is missing; .*data get vocalist-magnatagatune --data ROOT"):
        VOCALIST.read_clips(tmp_path, 0)


def test_tagging_does_not_need_the_artists(tmp_path: Path) -> None:
    plant(tmp_path, {1: ("6/a.mp3", ["male"])})
    (tmp_path / "clip_info_final.csv").unlink()
    assert len(MAGNATAGATUNE.read_clips(tmp_path, 0)) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mp3_path": "../../etc/passwd"}, "a path of the form 6/name.mp3"),
        ({"mp3_path": "g/a.mp3"}, "a path of the form 6/name.mp3"),
        ({"mp3_path": "0/../a.mp3"}, "a path of the form 6/name.mp3"),
        ({"clip_id": "two"}, "a number and a path"),
        ({"clip_id": "1"}, "clip 1 occurs twice"),
        ({"no vocal": "2"}, "'2' in the column no vocal; 0 or 1 is needed"),
        ({"no vocal": ""}, "'' in the column no vocal; 0 or 1 is needed"),
        ({"mp3_path": None}, r"\d+ fields, the header has \d+"),
    ],
)
def test_malformed_row_is_told_by_file_and_line(change: Mapping[str, str | None], why: str, tmp_path: Path) -> None:
    header = ["clip_id", *COLUMNS, "mp3_path"]
    good = {"clip_id": "1", "mp3_path": "0/a.mp3"}
    bad = {"clip_id": "2", "mp3_path": "0/b.mp3"} | dict(change)
    rows = [[cell for column in header if (cell := row.get(column, "0")) is not None] for row in (good, bad)]
    table(tmp_path / "annotations_final.csv", [header, *rows])
    with pytest.raises(BadInput, match=rf"annotations_final\.csv, line 3: .*{why}"):
        MAGNATAGATUNE.read_clips(tmp_path, 0)


def test_missing_column_is_named(tmp_path: Path) -> None:
    header = ["clip_id", *(name for name in COLUMNS if name != "sitar"), "mp3_path"]
    table(tmp_path / "annotations_final.csv", [header])
    with pytest.raises(BadInput, match=r"annotations_final\.csv, line 1: has no column sitar"):
        MAGNATAGATUNE.read_clips(tmp_path, 0)


@pytest.mark.parametrize(
    ("tags", "label"),
    [
        (["female"], "female"),
        (["woman singing", "soprano", "guitar", "vocal"], "female"),
        (["male opera", "opera"], "male"),
        (["men", "man", "monks"], "male"),
        (["monks"], None),
        (["vocal", "singing"], None),
        (["female", "male"], None),
        (["female", "no vocals"], None),
        (["man", "instrumental"], None),
    ],
)
def test_vocalist_is_one_of_two_by_the_tags(tags: list[str], label: str | None, tmp_path: Path) -> None:
    found = read(VOCALIST, plant(tmp_path, {1: ("0/a.mp3", tags)}))
    assert [clip.labels for clip in found.values()] == ([(label,)] if label else [])


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 700 clips of women by 70 artists and 100 of men by 20."""
    rows: dict[int, Row] = {n: (f"{n % 16:x}/{n}.mp3", [FEMALE[n % len(FEMALE)]]) for n in range(700)}
    rows |= {n: (f"{n % 16:x}/{n}.mp3", [MALE[n % len(MALE)], "rock"]) for n in range(700, 800)}
    artists = {n: f"Woman {n % 70}" if n < 700 else f"Man {n % 20}" for n in rows}
    return plant(tmp_path_factory.mktemp("crowded"), rows, artists)


def test_vocalist_takes_at_most_600_a_class(crowded: Path) -> None:
    assert Counter(clip.labels[0] for clip in read(VOCALIST, crowded).values()) == {"female": 600, "male": 100}


def test_vocalist_takes_the_first_of_a_fixed_draw(crowded: Path) -> None:
    first = sorted(map(str, range(700)), key=draw_order)[:600]
    assert {name for name, clip in read(VOCALIST, crowded).items() if clip.labels == ("female",)} == set(first)


def test_vocalist_clips_conform(crowded: Path) -> None:
    assert check_clips(VOCALIST, read_task(VOCALIST, crowded)) == []


def test_vocalist_groups_are_artists(crowded: Path) -> None:
    found = read(VOCALIST, crowded)
    assert all(
        clip.group == (f"Woman {int(name) % 70}" if int(name) < 700 else f"Man {int(name) % 20}")
        for name, clip in found.items()
    )


def test_vocalist_is_split_70_15_15(crowded: Path) -> None:
    count = Counter(clip.split for clip in read(VOCALIST, crowded).values())
    assert {split: round(n / 700, 1) for split, n in count.items()} == pytest.approx(
        {"train": 0.7, "valid": 0.15, "test": 0.15}, abs=0.06
    )


def test_vocalist_has_both_classes_in_every_split(crowded: Path) -> None:
    assert len({(clip.split, clip.labels) for clip in read(VOCALIST, crowded).values()}) == 6


@pytest.mark.parametrize("artists", [{1: ""}, {2: "somebody"}], ids=["empty", "absent"])
def test_clip_whose_artist_is_not_named_is_told(artists: dict[int, str], tmp_path: Path) -> None:
    plant(tmp_path, {1: ("0/a.mp3", ["male"])}, artists)
    if 1 not in artists:
        table(tmp_path / "clip_info_final.csv", [INFO, ("2", *[""] * 8)])
    with pytest.raises(BadInput, match=r"clip_info_final\.csv: names no artist of clip 1"):
        VOCALIST.read_clips(tmp_path, 0)


def test_letter_in_another_encoding_does_not_stop_the_reader(tmp_path: Path) -> None:
    plant(tmp_path, {1: ("0/a.mp3", ["male"])}, {1: "Björk"})
    path = tmp_path / "clip_info_final.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    assert len(VOCALIST.read_clips(tmp_path, 0)) == 1


def test_chosen_clips_are_written_beside_the_records() -> None:
    assert (VOCALIST.manifest, VOCALIST.n_clips) == (True, 0)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-ins of this module are, each made when it is first asked for."""
    return tmp_path_factory.mktemp("magnatagatune")


@pytest.mark.slow
def test_stand_ins_have_folders_of_their_own() -> None:
    assert len({demo.folder for demo in DEMOS}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.name)
def test_stand_in_has_every_class_in(split: str, demo: Task, cache: Path) -> None:
    (clips,) = read_task(demo, dataset_folder(demo, None, cache, QUIET))
    assert {label for clip in clips if clip.split == split for label in clip.labels} == set(demo.classes)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "demo"), list(zip(BOTH, DEMOS, strict=True)), ids=["tagging", "vocalist"])
def test_stand_in_is_read_by_the_task(task: Task, demo: Task, cache: Path) -> None:
    folder = dataset_folder(demo, None, cache, QUIET)
    assert task.read_clips(folder, 0) == demo.read_clips(folder, 0)


@pytest.mark.slow
def test_stand_in_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(magnatagatune, "_DEMO_FOLDERS", {"0": 2, "c": 1, "f": 1})
    folders = [dataset_folder(DEMOS[0], None, tmp_path / name, QUIET) for name in "ab"]
    first, second = ([path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()] for folder in folders)
    assert first == second
