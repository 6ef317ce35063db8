"""MTG-Jamendo: the published tables, tracks in two qualities, the rules of the two chosen sets, and the stand-ins."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from mirbench.errors import BadInput, MissingData
from mirbench.features.datasets import dataset_folder, read_task
from mirbench.metrics import TAGGING
from mirbench.progress import Progress
from mirbench.tasks import jamendo
from mirbench.tasks.jamendo import (
    GENRE_3_JAMENDO,
    GENRE_3_JAMENDO_DEMO,
    GUITAR_TYPE_JAMENDO,
    GUITAR_TYPE_JAMENDO_DEMO,
    JAMENDO_TOP50,
    JAMENDO_TOP50_DEMO,
    TAGS,
)  # fmt: skip
from mirbench.tasks.splitting import draw_order
from mirbench.tasks.stand_in_music.stand_ins import dealt
from mirbench.trust.checks import check_clips
from mirbench.types import Clip, Task

QUIET = Progress(quiet=True)
HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
PUBLISHED = [  # rows of the published split-0
    "track_0786434\tartist_368880\talbum_092222\t34/786434.mp3\t460.8\tgenre---electronic\tgenre---house",
    "track_0655496\tartist_342618\talbum_075904\t96/655496.mp3\t278.9\t"
    "genre---electronic\tgenre---newage\tgenre---soundtrack",
    "track_0000215\tartist_000014\talbum_000031\t15/215.mp3\t151.4\tgenre---metal",
]
ACOUSTIC, CLASSICAL = "instrument---acousticguitar", "instrument---classicalguitar"


def row(number: int, *tags: str, seconds: float = 200.0, artist: int | None = None) -> str:
    artist = number if artist is None else artist
    start = f"track_{number:07}\tartist_{artist:06}\talbum_000001\t{number % 100:02}/{number}.mp3\t{seconds}"
    return "\t".join([start, *tags])


def plant(
    root: Path,
    subset: str,
    rows: Mapping[str, Sequence[str]],
    folder: str = "data/splits/split-0",
    header: str = HEADER,
    end: str = "\n",
) -> Path:
    """The three tables of a subset; a split that is not given has one row of an artist of its own."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    fillers = {"train": 9_000_001, "validation": 9_000_002, "test": 9_000_003}
    for split, filler in fillers.items():
        tag = {"top50tags": "genre---rock", "instrument": "instrument---piano", "genre": "genre---jazz"}[subset]
        lines = [header, *rows.get(split, [row(filler, tag)])]
        path = root / folder / f"autotagging_{subset}-{split}.tsv"
        path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
    return root


def named(clips: Iterable[Clip]) -> dict[str, Clip]:
    return {clip.id: clip for clip in clips}


def top50(root: Path) -> dict[str, Clip]:
    return named(JAMENDO_TOP50.read_clips(root, 0))


def guitars(root: Path) -> dict[str, Clip]:
    return named(GUITAR_TYPE_JAMENDO.read_clips(root, 0))


def test_tags_are_fifty_in_sorted_order() -> None:
    assert (len(TAGS), TAGS) == (50, tuple(sorted(set(TAGS))))


def test_top50_is_scored_as_tagging() -> None:
    assert (JAMENDO_TOP50.kind, JAMENDO_TOP50.metrics) == ("multi-label", TAGGING)


def test_row_goes_on_with_tags_to_its_end(tmp_path: Path) -> None:
    found = top50(plant(tmp_path, "top50tags", {"test": PUBLISHED}))
    assert [len(found[name].labels) for name in ("track_0786434", "track_0655496", "track_0000215")] == [2, 3, 1]


def test_row_gives_labels_and_artist(tmp_path: Path) -> None:
    clip = top50(plant(tmp_path, "top50tags", {"test": PUBLISHED}))["track_0786434"]
    assert (clip.labels, clip.group) == (("genre---electronic", "genre---house"), "artist_368880")


def test_whole_track_is_the_clip(tmp_path: Path) -> None:
    clip = top50(plant(tmp_path, "top50tags", {"test": PUBLISHED}))["track_0786434"]
    assert (clip.start, clip.duration) == (0.0, None)


@pytest.mark.parametrize(("table", "split"), [("train", "train"), ("validation", "valid"), ("test", "test")])
def test_table_gives_the_split(table: str, split: str, tmp_path: Path) -> None:
    assert top50(plant(tmp_path, "top50tags", {table: PUBLISHED}))["track_0000215"].split == split


def test_tagging_clips_conform(tmp_path: Path) -> None:
    plant(tmp_path, "top50tags", {"test": PUBLISHED})
    assert check_clips(JAMENDO_TOP50, read_task(JAMENDO_TOP50, tmp_path)) == []


def test_artist_in_two_splits_is_told_by_the_check(tmp_path: Path) -> None:
    both = {"train": [row(1, TAGS[0], artist=5)], "test": [row(2, TAGS[0], artist=5)]}
    (problem,) = check_clips(JAMENDO_TOP50, read_task(JAMENDO_TOP50, plant(tmp_path, "top50tags", both)))
    assert problem.startswith("group 'artist_000005' is in test and train")


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_line_ends_do_not_matter(end: str, tmp_path: Path) -> None:
    found = top50(plant(tmp_path, "top50tags", {"test": PUBLISHED}, end=end))
    assert found["track_0786434"].labels == ("genre---electronic", "genre---house")


def test_columns_may_come_in_another_order(tmp_path: Path) -> None:
    rows = {
        split: [f"{path}\t77.5\ttrack_{path[3:-4]:0>7}\tartist_{path[3:-4]}\tgenre---rock\tgenre---pop"]
        for split, path in (("train", "01/1.mp3"), ("validation", "02/2.mp3"), ("test", "03/3.mp3"))
    }
    found = top50(plant(tmp_path, "top50tags", rows, header="PATH\tDURATION\tTRACK_ID\tARTIST_ID\tTAGS"))
    assert {clip.labels for clip in found.values()} == {("genre---pop", "genre---rock")}


@pytest.mark.parametrize("mark", ["\ufeff", ""], ids=["byte-order-mark", "none"])
def test_byte_order_mark_does_not_matter(mark: str, tmp_path: Path) -> None:
    assert len(top50(plant(tmp_path, "top50tags", {"test": PUBLISHED}, header=mark + HEADER))) == 5


def test_empty_lines_and_trailing_tabs_are_passed_over(tmp_path: Path) -> None:
    found = top50(plant(tmp_path, "top50tags", {"test": [PUBLISHED[0] + "\t\t", "", PUBLISHED[2]]}))
    assert (len(found), len(found["track_0786434"].labels)) == (4, 2)


def test_tag_with_a_space_is_one_tag(tmp_path: Path) -> None:
    plant(tmp_path, "instrument", {"test": [row(1, "instrument---acoustic guitar", CLASSICAL)]})
    assert guitars(tmp_path)["track_0000001"].labels == ("classical",)


@pytest.mark.parametrize("folder", ["data/splits/split-0", "splits/split-0", ""])
def test_tables_are_found_in(folder: str, tmp_path: Path) -> None:
    assert len(top50(plant(tmp_path, "top50tags", {"test": PUBLISHED}, folder))) == 5


@pytest.mark.parametrize(
    "file", ["audio/34/786434.mp3", "audio-low/34/786434.low.mp3", "34/786434.mp3", "34/786434.low.mp3"]
)
def test_audio_is_found_at(file: str, tmp_path: Path) -> None:
    plant(tmp_path, "top50tags", {"test": PUBLISHED})
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    assert top50(tmp_path)["track_0786434"].path == tmp_path / file


def test_track_without_audio_has_no_path(tmp_path: Path) -> None:
    assert top50(plant(tmp_path, "top50tags", {"test": PUBLISHED}))["track_0000215"].path is None


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    clips = [
        JAMENDO_TOP50.read_clips(plant(tmp_path / name, "top50tags", {"test": rows}), 0)
        for name, rows in (("a", PUBLISHED), ("b", PUBLISHED[::-1]))
    ]
    assert clips[0] == clips[1]


@pytest.mark.parametrize("task", [JAMENDO_TOP50, GUITAR_TYPE_JAMENDO, GENRE_3_JAMENDO], ids=lambda task: task.name)
def test_without_a_folder_names_the_table(task: Task) -> None:
    with pytest.raises(MissingData, match=rf"^{task.name}: its tracks are listed in data/splits/split-0/autotagging_"):
        task.read_clips(None, 0)


@pytest.mark.parametrize("task", [JAMENDO_TOP50, GUITAR_TYPE_JAMENDO, GENRE_3_JAMENDO], ids=lambda task: task.name)
def test_folder_without_tables_says_how_to_get_them(task: Task, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=rf"holds no data/splits/split-0/auto\S+\.tsv; .*data get {task.name} --data"):
        task.read_clips(tmp_path, 0)


def test_missing_table_is_named(tmp_path: Path) -> None:
    plant(tmp_path, "top50tags", {})
    (tmp_path / "data/splits/split-0/autotagging_top50tags-test.tsv").unlink()
    with pytest.raises(MissingData, match=r"autotagging_top50tags-test\.tsv is missing"):
        top50(tmp_path)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (PUBLISHED[0].rsplit("\t", 2)[0], "one tag or more are needed"),
        ("track_0000215\tartist_000014", "one tag or more are needed"),
        (PUBLISHED[0].replace("34/786434.mp3", "../../../etc/passwd"), "the path '.*' is not of the form"),
        (PUBLISHED[0].replace("460.8", "long"), "the duration 'long' is no number of seconds"),
        (PUBLISHED[0].replace("460.8", "nan"), "the duration 'nan' is no number of seconds"),
        (PUBLISHED[0].replace("artist_368880", ""), "has no track or no artist"),
        (PUBLISHED[0].replace("genre---house", "genre---polka"), "the tag 'genre---polka' is none of the 50"),
        (PUBLISHED[2], r"track_0000215 stands in .*-test\.tsv, line 2 already"),
    ],
)
def test_malformed_row_is_told_by_file_and_line(bad: str, why: str, tmp_path: Path) -> None:
    plant(tmp_path, "top50tags", {"test": [PUBLISHED[2], bad]})
    with pytest.raises(BadInput, match=rf"autotagging_top50tags-test\.tsv, line 3: .*{why}"):
        top50(tmp_path)


@pytest.mark.parametrize("header", ["", "TRACK_ID,ARTIST_ID,PATH,DURATION,TAGS", HEADER + "\tMORE"])
def test_other_header_is_refused(header: str, tmp_path: Path) -> None:
    plant(tmp_path, "top50tags", {}, header=header)
    with pytest.raises(BadInput, match=r"-train\.tsv, line 1: the columns TRACK_ID, .*, the last of them TAGS"):
        top50(tmp_path)


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, "top50tags", {})
    (tmp_path / "data/splits/split-0/autotagging_top50tags-train.tsv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BadInput, match="not readable as a table in UTF-8"):
        top50(tmp_path)


@pytest.mark.parametrize(
    ("tags", "label"),
    [
        ((ACOUSTIC,), "acoustic"),
        ((CLASSICAL,), "classical"),
        ((CLASSICAL, "instrument---guitar", "instrument---voice"), "classical"),
        ((ACOUSTIC, CLASSICAL), None),
        (("instrument---guitar",), None),
    ],
)
def test_guitar_type_takes_exactly_one_of_two_tags(tags: tuple[str, ...], label: str | None, tmp_path: Path) -> None:
    found = guitars(plant(tmp_path, "instrument", {"test": [row(1, *tags)]}))
    assert [clip.labels for clip in found.values()] == ([(label,)] if label else [])


@pytest.mark.parametrize(("seconds", "taken"), [(59.9, False), (60.0, False), (60.1, True)])
def test_guitar_type_takes_tracks_of_more_than_a_minute(seconds: float, taken: bool, tmp_path: Path) -> None:
    found = guitars(plant(tmp_path, "instrument", {"test": [row(1, ACOUSTIC, seconds=seconds)]}))
    assert bool(found) == taken


def test_guitar_type_hears_the_second_half_minute(tmp_path: Path) -> None:
    (clip,) = guitars(plant(tmp_path, "instrument", {"test": [row(1, ACOUSTIC)]})).values()
    assert (clip.start, clip.duration) == (30.0, 30.0)


def many(first: int, count: int, tag: str) -> list[str]:
    return [row(number, tag) for number in range(first, first + count)]


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A folder with 650 tracks of acoustic guitar over the splits and 10 of classical guitar."""
    rows = {
        "train": many(1, 400, ACOUSTIC) + many(2001, 4, CLASSICAL),
        "validation": many(401, 100, ACOUSTIC) + many(2005, 3, CLASSICAL),
        "test": many(501, 150, ACOUSTIC) + many(2008, 3, CLASSICAL),
    }
    return plant(tmp_path, "instrument", rows)


def test_guitar_type_takes_at_most_600_a_class(crowded: Path) -> None:
    assert Counter(clip.labels[0] for clip in guitars(crowded).values()) == {"acoustic": 600, "classical": 10}


def test_guitar_type_takes_the_first_of_a_fixed_draw(crowded: Path) -> None:
    first = sorted((f"track_{number:07}" for number in range(1, 651)), key=draw_order)[:600]
    assert {name for name, clip in guitars(crowded).items() if clip.labels == ("acoustic",)} == set(first)


def test_guitar_type_keeps_the_official_splits(crowded: Path) -> None:
    ends = {"train": 400, "valid": 500, "test": 650}
    found = {name: clip for name, clip in guitars(crowded).items() if clip.labels == ("acoustic",)}
    assert all(clip.split == next(s for s, n in ends.items() if int(name[6:]) <= n) for name, clip in found.items())


def test_guitar_type_does_not_depend_on_the_order_of_rows(crowded: Path) -> None:
    before = GUITAR_TYPE_JAMENDO.read_clips(crowded, 0)
    for path in crowded.rglob("*.tsv"):
        header, *rows = path.read_text().splitlines()
        random.Random(0).shuffle(rows)
        path.write_text("\n".join([header, *rows]))
    assert GUITAR_TYPE_JAMENDO.read_clips(crowded, 0) == before


def test_guitar_type_clips_conform(crowded: Path) -> None:
    assert check_clips(GUITAR_TYPE_JAMENDO, read_task(GUITAR_TYPE_JAMENDO, crowded)) == []


@pytest.mark.parametrize(
    ("tags", "label"),
    [
        (("genre---classical", "genre---orchestral"), "classical"),
        (("genre---metal",), "metal"),
        (("genre---rock", "genre---pop"), "rock"),
        (("genre---rock", "genre---metal"), None),
    ],
)
def test_genre_3_takes_exactly_one_of_three_tags(tags: tuple[str, ...], label: str | None, tmp_path: Path) -> None:
    found = named(GENRE_3_JAMENDO.read_clips(plant(tmp_path, "genre", {"test": [row(1, *tags)]}), 0))
    assert [clip.labels for clip in found.values()] == ([(label,)] if label else [])


@pytest.mark.parametrize("task", [GUITAR_TYPE_JAMENDO, GENRE_3_JAMENDO], ids=lambda task: task.name)
def test_chosen_tracks_are_written_beside_the_records(task: Task) -> None:
    assert (task.manifest, task.n_clips) == (True, 0)


@pytest.mark.parametrize("n_clips", [17, 18, 54])
def test_dealt_gives_every_kind_to_some_clip(n_clips: int) -> None:
    assert {kind for kinds in dealt(50, n_clips, [1]) for kind in kinds} == set(range(50))


def test_dealt_is_the_same_for_the_same_seed() -> None:
    assert dealt(50, 20, [1, 2]) == dealt(50, 20, [1, 2]) != dealt(50, 20, [1, 3])


DEMOS = (JAMENDO_TOP50_DEMO, GUITAR_TYPE_JAMENDO_DEMO, GENRE_3_JAMENDO_DEMO)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-ins of this module are, each made when it is first asked for."""
    return tmp_path_factory.mktemp("jamendo")


@pytest.mark.slow
def test_stand_ins_have_folders_of_their_own() -> None:
    assert len({demo.folder for demo in DEMOS}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.name)
def test_stand_in_has_every_class_in(split: str, demo: Task, cache: Path) -> None:
    (clips,) = read_task(demo, dataset_folder(demo, None, cache, QUIET))
    assert {label for clip in clips if clip.split == split for label in clip.labels} == set(demo.classes)


@pytest.mark.slow
def test_tagging_stand_in_is_read_by_the_task(cache: Path) -> None:
    folder = dataset_folder(JAMENDO_TOP50_DEMO, None, cache, QUIET)
    assert JAMENDO_TOP50.read_clips(folder, 0) == JAMENDO_TOP50_DEMO.read_clips(folder, 0)


@pytest.mark.slow
def test_stand_in_is_in_the_official_layout(cache: Path) -> None:
    folder = dataset_folder(GUITAR_TYPE_JAMENDO_DEMO, None, cache, QUIET)
    tables = {path.relative_to(folder).as_posix() for path in folder.rglob("*.tsv")}
    assert tables == {
        f"data/splits/split-0/autotagging_instrument-{split}.tsv" for split in ("train", "validation", "test")
    }


@pytest.mark.slow
def test_stand_in_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jamendo, "_DEMO_SPLITS", {"train": 2, "valid": 1, "test": 1})
    folders = [dataset_folder(JAMENDO_TOP50_DEMO, None, tmp_path / name, QUIET) for name in "ab"]
    first, second = ([path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()] for folder in folders)
    assert first == second
