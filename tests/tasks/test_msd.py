"""The Million Song Dataset: the table, audio by the letters of an id, the table made from plain lists, the stand-in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mirbench.errors import BadInput, MissingData
from mirbench.features.datasets import dataset_folder, read_task
from mirbench.metrics import TAGGING
from mirbench.progress import Progress
from mirbench.tasks import msd
from mirbench.tasks.msd import MSD, MSD_DEMO, TAGS, write_tracks
from mirbench.trust.checks import check_clips
from mirbench.types import Clip

QUIET = Progress(quiet=True)
IDS = ("TRAADIN128F931D672", "TRAADQW128F427CE68", "TRAADRX12903D0EFE8", "TRAADXK12903CFAE92")
ROWS = (f"{IDS[0]},train,rock|Hip-Hop", f"{IDS[1]},valid,female vocalists", f"{IDS[2]},test,80s|House|rock")


def plant(root: Path, rows: Sequence[str] = ROWS, header: str = "track_id,split,tags", end: str = "\n") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "tracks.csv").write_text(end.join([header, *rows, ""]), encoding="utf-8", newline="")
    return root


def read(root: Path) -> dict[str, Clip]:
    return {clip.id: clip for clip in MSD.read_clips(root, 0)}


def test_tags_are_fifty() -> None:
    assert len(set(TAGS)) == len(TAGS) == 50


def test_tags_keep_the_published_order() -> None:
    assert [TAGS.index(tag) for tag in ("rock", "jazz", "80s", "Hip-Hop", "happy")] == [0, 9, 19, 33, 49]


def test_msd_is_scored_as_tagging() -> None:
    assert (MSD.kind, MSD.metrics, MSD.n_clips) == ("multi-label", TAGGING, 0)


def test_labels_come_in_the_order_of_the_classes(tmp_path: Path) -> None:
    found = read(plant(tmp_path))
    assert [found[name].labels for name in IDS[:3]] == [
        ("rock", "Hip-Hop"), ("female vocalists",), ("rock", "80s", "House")
    ]  # fmt: skip


def test_table_gives_the_split(tmp_path: Path) -> None:
    assert [read(plant(tmp_path))[name].split for name in IDS[:3]] == ["train", "valid", "test"]


def test_clips_conform(tmp_path: Path) -> None:
    assert check_clips(MSD, read_task(MSD, plant(tmp_path))) == []


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order-mark"])
def test_line_ends_and_byte_order_marks_do_not_matter(end: str, mark: str, tmp_path: Path) -> None:
    a = read(plant(tmp_path))
    assert read(plant(tmp_path, header=mark + "track_id,split,tags", end=end)) == a


def test_columns_may_come_in_another_order(tmp_path: Path) -> None:
    plant(tmp_path, [f"rock|happy,{IDS[0]},test"], header="tags,track_id,split")
    assert read(tmp_path)[IDS[0]].labels == ("rock", "happy")


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    a, b = (MSD.read_clips(plant(tmp_path / name, rows), 0) for name, rows in (("a", ROWS), ("b", ROWS[::-1])))
    assert [clip.id for clip in a] == [clip.id for clip in b]


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".MP3"])
def test_audio_is_found_by_the_letters_of_the_id(suffix: str, tmp_path: Path) -> None:
    path = plant(tmp_path) / "audio" / "A" / "A" / "D" / f"{IDS[0]}{suffix}"
    path.parent.mkdir(parents=True)
    path.touch()
    assert read(tmp_path)[IDS[0]].path == path


def test_other_files_are_no_audio(tmp_path: Path) -> None:
    folder = plant(tmp_path) / "audio" / "A" / "A" / "D"
    folder.mkdir(parents=True)
    (folder / f"{IDS[0]}.npy").touch()
    assert read(tmp_path)[IDS[0]].path is None


def test_clip_without_audio_has_no_path(tmp_path: Path) -> None:
    assert {clip.path for clip in read(plant(tmp_path)).values()} == {None}


def test_without_a_folder_names_the_table() -> None:
    with pytest.raises(MissingData, match=r"^msd: its tracks are listed in tracks\.csv"):
        MSD.read_clips(None, 0)


def test_folder_without_a_table_says_where_to_read_on(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"holds no tracks\.csv; `mirbench show msd` says how to make it"):
        MSD.read_clips(tmp_path, 0)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (f"{IDS[3]},train", "2 fields, 3 are needed"),
        (f"{IDS[3]},train,rock,happy", "4 fields, 3 are needed"),
        ("TR../../../etc,train,rock", "is no track id"),
        (f"{IDS[3].lower()},train,rock", "is no track id"),
        (f"{IDS[3]},validation,rock", "split 'validation'; one of train, valid, test"),
        (f"{IDS[3]},train,", "has no tag"),
        (f"{IDS[3]},train,rock|mellow", "the tag 'mellow' is none of the 50"),
        (f"{IDS[0]},test,rock", "occurs twice"),
    ],
)
def test_malformed_row_is_told_by_file_and_line(bad: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"tracks\.csv, line 5: .*{why}"):
        read(plant(tmp_path, [*ROWS, bad]))


@pytest.mark.parametrize("header", ["", "track_id,split", "track_id\tsplit\ttags", "track_id,split,tags,artist"])
def test_other_header_is_refused(header: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"tracks\.csv, line 1: the columns track_id,split,tags are needed"):
        read(plant(tmp_path, header=header))


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_bytes(b"\x80\x02]q\x00(U\x12TRAADIN128F931D672")
    with pytest.raises(BadInput, match="not readable as a CSV file in UTF-8"):
        MSD.read_clips(tmp_path, 0)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """The published plain lists on a small scale: a train track with tags 0 and 33, one with none, valid and test."""
    folder = tmp_path / "lists"
    folder.mkdir()
    for split, ids, tags in (
        ("train", IDS[:2], [(0, 33), ()]),
        ("valid", IDS[2:3], [(49,)]),
        ("test", IDS[3:], [(5,)]),
    ):
        (folder / f"{split}_x_msd_id.txt").write_text("\n".join(ids) + "\n")
        present = np.zeros((len(ids), 50))
        for row, held in enumerate(tags):
            present[row, list(held)] = 1
        np.save(folder / f"{split}_y.npy", present)
    return folder


def test_written_table_is_read_by_the_task(lists: Path, tmp_path: Path) -> None:
    write_tracks(lists, tmp_path / "tracks.csv")
    assert {name: (clip.split, clip.labels) for name, clip in read(tmp_path).items()} == {
        IDS[0]: ("train", ("rock", "Hip-Hop")),
        IDS[2]: ("valid", ("happy",)),
        IDS[3]: ("test", ("female vocalists",)),
    }


def test_write_tracks_counts_what_each_split_has(lists: Path, tmp_path: Path) -> None:
    assert write_tracks(str(lists), str(tmp_path / "tracks.csv")) == {"train": 1, "valid": 1, "test": 1}


def test_write_tracks_keeps_the_ids_found_in_a_file_that_is_never_unpickled(lists: Path, tmp_path: Path) -> None:
    would_run = b"cos\nsystem\n(S'false'\ntR."
    (tmp_path / "filtered.cP").write_bytes(f"(lp1\nS'{IDS[0]}'\np2\naS'{IDS[3]}'\n".encode() + would_run)
    assert write_tracks(lists, tmp_path / "tracks.csv", [tmp_path / "filtered.cP"]) == {"train": 1, "test": 1}


@pytest.mark.parametrize("file", ["valid_x_msd_id.txt", "valid_y.npy"])
def test_write_tracks_names_a_missing_list(file: str, lists: Path, tmp_path: Path) -> None:
    (lists / file).unlink()
    with pytest.raises(MissingData, match=rf"{file} is missing; .*keunwoochoi/MSD_split_for_tagging"):
        write_tracks(lists, tmp_path / "tracks.csv")


@pytest.mark.parametrize(
    "labels",
    [np.zeros((2, 50)), np.zeros((1, 49)), np.full((1, 50), 0.5), np.full((1, 50), np.nan), np.array([["rock"] * 50])],
    ids=["rows", "columns", "half", "nan", "text"],
)
def test_write_tracks_refuses_labels_that_do_not_fit(labels: np.ndarray, lists: Path, tmp_path: Path) -> None:
    np.save(lists / "valid_y.npy", labels)
    with pytest.raises(BadInput, match=r"valid_y\.npy: .*\(1, 50\) of 0 and 1 is needed"):
        write_tracks(lists, tmp_path / "tracks.csv")


def test_write_tracks_loads_no_pickle(lists: Path, tmp_path: Path) -> None:
    np.save(lists / "valid_y.npy", np.array([[None] * 50], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match=r"valid_y\.npy: not an array of numbers \(Object arrays"):
        write_tracks(lists, tmp_path / "tracks.csv")


def test_refused_lists_leave_no_table(lists: Path, tmp_path: Path) -> None:
    np.save(lists / "test_y.npy", np.zeros((3, 50)))
    with pytest.raises(BadInput):
        write_tracks(lists, tmp_path / "tracks.csv")
    assert not (tmp_path / "tracks.csv").exists()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in is, made once."""
    return tmp_path_factory.mktemp("msd")


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_stand_in_has_every_class_in(split: str, cache: Path) -> None:
    (clips,) = read_task(MSD_DEMO, dataset_folder(MSD_DEMO, None, cache, QUIET))
    assert {label for clip in clips if clip.split == split for label in clip.labels} == set(TAGS)


@pytest.mark.slow
def test_stand_in_is_read_by_the_task(cache: Path) -> None:
    folder = dataset_folder(MSD_DEMO, None, cache, QUIET)
    assert Counter(clip.split for clip in MSD.read_clips(folder, 0)) == msd._DEMO_SPLITS


@pytest.mark.slow
def test_stand_in_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msd, "_DEMO_SPLITS", {"train": 2, "valid": 1, "test": 1})
    folders = [dataset_folder(MSD_DEMO, None, tmp_path / name, QUIET) for name in "ab"]
    first, second = ([path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()] for folder in folders)
    assert first == second
