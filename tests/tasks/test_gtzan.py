"""The GTZAN tasks: frozen splits, layouts, folds of the excerpt, and the synthesised stand-in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
import soundfile

from mirbench.errors import MissingData
from mirbench.features.datasets import dataset_folder, read_task
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.tasks import gtzan
from mirbench.tasks.gtzan import GENRES, GTZAN, GTZAN_DEMO, GTZAN_KAGGLE, GTZAN_MINI, fault_filtered
from mirbench.trust.checks import check_clips
from mirbench.types import Clip, Task

Folds = tuple[tuple[Clip, ...], ...]

QUIET = Progress(quiet=True)

# Clips of each genre, in the order of GENRES (published lists of hung2022's code).
PUBLISHED = {
    "train": (46, 48, 45, 42, 47, 43, 44, 41, 43, 44),
    "valid": (23, 20, 23, 22, 18, 17, 20, 13, 17, 24),
    "test": (31, 31, 30, 29, 27, 27, 27, 30, 26, 32),
}
GAPPED = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12)  # as the published excerpt numbers its jazz


def plant(genres: Path, names: Iterable[str], suffix: str = ".wav") -> None:
    """Empty files in the official layout: reading a task decodes nothing."""
    for name in names:
        path = genres / name.partition(".")[0] / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def numbered(numbers: Iterable[int] = range(100), genres: Iterable[str] = GENRES) -> list[str]:
    numbers = list(numbers)
    return [f"{genre}.{number:05}" for genre in genres for number in numbers]


def layout(task: Task, root: Path) -> Path:
    """A data root with the whole of a task's data set, as empty files; returns the data set's own folder."""
    own = root / task.folder
    numbers = {"gtzan-mini": range(10), "gtzan-demo": range(30)}.get(task.name, range(100))
    plant(own / ("genres_original" if task is GTZAN_KAGGLE else "genres"), numbered(numbers))
    return own


def counts(clips: Iterable[Clip]) -> dict[str, int]:
    return dict(Counter(clip.split for clip in clips))


@pytest.mark.parametrize("split", PUBLISHED)
def test_gtzan_split_has_the_published_count_of_each_genre(split: str, tmp_path: Path) -> None:
    clips = GTZAN.read_clips(layout(GTZAN, tmp_path), 0)
    found = Counter(clip.labels[0] for clip in clips if clip.split == split)
    assert tuple(found[genre] for genre in GENRES) == PUBLISHED[split]


def test_gtzan_split_is_443_197_290(tmp_path: Path) -> None:
    assert counts(GTZAN.read_clips(layout(GTZAN, tmp_path), 0)) == {"train": 443, "valid": 197, "test": 290}


def test_gtzan_kaggle_split_is_442_197_290(tmp_path: Path) -> None:
    clips = GTZAN_KAGGLE.read_clips(layout(GTZAN_KAGGLE, tmp_path), 0)
    assert counts(clips) == {"train": 442, "valid": 197, "test": 290}


def test_gtzan_kaggle_differs_from_gtzan_by_the_broken_clip_alone(tmp_path: Path) -> None:
    whole, kaggle = (
        {(clip.id, clip.split) for clip in task.read_clips(layout(task, tmp_path), 0)} for task in (GTZAN, GTZAN_KAGGLE)
    )
    assert (whole - kaggle, kaggle - whole) == ({("jazz.00054", "train")}, set())


def test_gtzan_kaggle_reads_the_folder_data_too(tmp_path: Path) -> None:
    plant(tmp_path / "Data" / "genres_original", numbered())
    assert len(GTZAN_KAGGLE.read_clips(tmp_path, 0)) == 929


def test_gtzan_clip_is_labelled_by_its_folder_and_name(tmp_path: Path) -> None:
    clips = GTZAN.read_clips(layout(GTZAN, tmp_path), 0)
    assert all((clip.labels[0], clip.id) == (clip.path.parent.name, clip.path.stem) for clip in clips)


@pytest.mark.parametrize("suffix", [".wav", ".au", ".flac", ".WAV"])
def test_gtzan_accepts_the_suffix(suffix: str, tmp_path: Path) -> None:
    plant(tmp_path / "genres", numbered(), suffix)
    assert len(GTZAN.read_clips(tmp_path, 0)) == 930


def test_gtzan_ignores_other_files(tmp_path: Path) -> None:
    plant(tmp_path / "genres", numbered())
    plant(tmp_path / "genres", numbered(), ".png")
    (tmp_path / "genres" / "blues" / "._blues.00000.wav").touch()
    assert {clip.path.suffix for clip in GTZAN.read_clips(tmp_path, 0)} == {".wav"}


def test_gtzan_reads_the_same_clips_in_the_same_order_whatever_the_suffix(tmp_path: Path) -> None:
    plant(tmp_path / "a" / "genres", numbered())
    plant(tmp_path / "b" / "genres", reversed(numbered()), ".au")
    a, b = ([clip.id for clip in GTZAN.read_clips(tmp_path / name, 0)] for name in "ab")
    assert a == b


def test_missing_clips_are_counted_and_named(tmp_path: Path) -> None:
    kept = sorted(fault_filtered())
    plant(tmp_path / "genres", kept[2:])
    with pytest.raises(MissingData, match=rf"^gtzan: 2 of 930 clips are missing: {kept[0]}, {kept[1]}$"):
        GTZAN.read_clips(tmp_path, 0)


def test_missing_clips_beyond_three_are_abridged(tmp_path: Path) -> None:
    plant(tmp_path / "genres", sorted(fault_filtered())[5:])
    with pytest.raises(MissingData, match=r"5 of 930 clips are missing: (\S+, ){2}\S+ …$"):
        GTZAN.read_clips(tmp_path, 0)


def test_gtzan_on_the_excerpt_hints_at_its_task(tmp_path: Path) -> None:
    plant(tmp_path / "genres", numbered(range(10)))
    with pytest.raises(MissingData, match=r"of 930 clips are missing.*gtzan-mini"):
        GTZAN.read_clips(tmp_path, 0)


def test_gtzan_mini_on_the_whole_hints_at_its_task(tmp_path: Path) -> None:
    plant(tmp_path / "genres", numbered())
    with pytest.raises(MissingData, match=r"100 clips of blues, 10 are needed.*the task gtzan"):
        GTZAN_MINI.read_clips(tmp_path, 0)


def test_gtzan_mini_short_of_a_clip_names_the_genre(tmp_path: Path) -> None:
    plant(tmp_path / "genres", set(numbered(range(10))) - {"rock.00003"})
    with pytest.raises(MissingData, match=r"9 clips of rock, 10 are needed$"):
        GTZAN_MINI.read_clips(tmp_path, 0)


@pytest.mark.parametrize("name", ["gtzan", "gtzan-kaggle", "gtzan-mini"])
def test_folder_without_genres_is_missing_data_that_names_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=f"{name}: {tmp_path} holds no genres"):
        Catalogue().task(name).read_clips(tmp_path, 0)


@pytest.mark.parametrize("name", ["gtzan", "gtzan-kaggle", "gtzan-mini"])
@pytest.mark.parametrize("own", [False, True], ids=["data-root", "own-folder"])
def test_dataset_folder_takes_the_data_root_and_the_own_folder(name: str, own: bool, tmp_path: Path) -> None:
    task = Catalogue().task(name)
    folder = layout(task, tmp_path)
    found = dataset_folder(task, folder if own else tmp_path, tmp_path / "cache", QUIET)
    assert {clip.path.is_relative_to(folder) for clip in task.read_clips(found, 0)} == {True}


def test_dataset_folder_of_a_missing_root_says_how_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"--data .*nowhere: no such folder.*mirbench data get gtzan"):
        dataset_folder(GTZAN, tmp_path / "nowhere", tmp_path / "cache", QUIET)


@pytest.fixture
def mini(tmp_path: Path) -> Folds:
    """Clips of the five folds of an excerpt whose jazz has gaps in its numbers."""
    plant(tmp_path / "genres", numbered(range(10), [genre for genre in GENRES if genre != "jazz"]))
    plant(tmp_path / "genres", numbered(GAPPED, ["jazz"]), ".flac")
    return read_task(GTZAN_MINI, tmp_path)


def test_gtzan_mini_tests_every_clip_once_over_its_folds(mini: Folds) -> None:
    tested = Counter(clip.id for clips in mini for clip in clips if clip.split == "test")
    assert (len(tested), set(tested.values())) == (100, {1})


def test_gtzan_mini_validates_every_clip_once_over_its_folds(mini: Folds) -> None:
    valid = Counter(clip.id for clips in mini for clip in clips if clip.split == "valid")
    assert (len(valid), set(valid.values())) == (100, {1})


@pytest.mark.parametrize("fold", range(5))
def test_gtzan_mini_fold_is_60_20_20(fold: int, mini: Folds) -> None:
    assert counts(mini[fold]) == {"train": 60, "valid": 20, "test": 20}


@pytest.mark.parametrize("fold", range(5))
def test_gtzan_mini_fold_is_balanced(fold: int, mini: Folds) -> None:
    found = Counter((clip.labels[0], clip.split) for clip in mini[fold])
    assert found == {(g, s): n for g in GENRES for s, n in (("train", 6), ("valid", 2), ("test", 2))}


@pytest.mark.parametrize("fold", range(5))
@pytest.mark.parametrize("genre", GENRES)
def test_gtzan_mini_keeps_neighbouring_ranks_together(fold: int, genre: str, mini: Folds) -> None:
    splits = [clip.split for clip in sorted(mini[fold], key=lambda c: c.id) if clip.labels == (genre,)]
    assert splits[0::2] == splits[1::2]


@pytest.mark.parametrize("fold", range(5))
def test_gtzan_mini_fold_tests_the_ranks_on_its_card(fold: int, mini: Folds) -> None:
    tested = [clip.id for clip in mini[fold] if clip.split == "test" and clip.labels == ("jazz",)]
    assert sorted(tested) == [f"jazz.{GAPPED[rank]:05}" for rank in (2 * fold, 2 * fold + 1)]


@pytest.mark.parametrize("name", ["gtzan", "gtzan-kaggle", "gtzan-mini", "gtzan-demo"])
def test_task_clips_conform(name: str, tmp_path: Path) -> None:
    task = Catalogue().task(name)
    assert check_clips(task, read_task(task, layout(task, tmp_path))) == []


def test_demo_splits_are_disjoint(tmp_path: Path) -> None:
    (clips,) = read_task(GTZAN_DEMO, layout(GTZAN_DEMO, tmp_path))
    assert (len({clip.path for clip in clips}), counts(clips)) == (300, {"train": 120, "valid": 60, "test": 120})


def test_demo_version_of_the_task_is_that_of_its_audio() -> None:
    assert GTZAN_DEMO.version == str(gtzan._DEMO_VERSION)  # or a cache would serve audio of another version


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clips a style, not thirty."""
    monkeypatch.setattr(gtzan, "_DEMO_CLIPS", 2)


@pytest.mark.usefixtures("few")
def test_demo_is_synthesised_in_the_official_layout(tmp_path: Path) -> None:
    folder = dataset_folder(GTZAN_DEMO, None, tmp_path, QUIET)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {f"genres/{genre}/{genre}.{number:05}.wav" for genre in GENRES for number in range(2)}


@pytest.mark.usefixtures("few")
def test_demo_is_read_from_where_it_is_synthesised(tmp_path: Path) -> None:
    clips = GTZAN_DEMO.read_clips(dataset_folder(GTZAN_DEMO, None, tmp_path, QUIET), 0)
    assert len([clip for clip in clips if clip.path.is_file()]) == 20


@pytest.mark.usefixtures("few")
def test_demo_files_are_ten_seconds_of_16_bit_mono(tmp_path: Path) -> None:
    folder = dataset_folder(GTZAN_DEMO, None, tmp_path, QUIET)
    facts = {(i.samplerate, i.channels, i.frames, i.subtype) for i in map(soundfile.info, folder.rglob("*.wav"))}
    assert facts == {(22_050, 1, round(GTZAN_DEMO.clip_seconds * 22_050), "PCM_16")}


@pytest.mark.usefixtures("few")
def test_demo_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    folders = [dataset_folder(GTZAN_DEMO, None, tmp_path / name, QUIET) for name in "ab"]
    first, second = ([path.read_bytes() for path in sorted(folder.rglob("*.wav"))] for folder in folders)
    assert first == second


@pytest.mark.usefixtures("few")
def test_demo_clips_all_differ(tmp_path: Path) -> None:
    folder = dataset_folder(GTZAN_DEMO, None, tmp_path, QUIET)
    assert len({path.read_bytes() for path in folder.rglob("*.wav")}) == 20


@pytest.mark.usefixtures("few")
def test_demo_reports_each_clip(tmp_path: Path) -> None:
    steps: list[int] = []
    assert GTZAN_DEMO.synthesise is not None
    GTZAN_DEMO.synthesise(tmp_path, steps.append)
    assert steps == [1] * 20


def test_demo_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mirbench.tasks.stand_in_music.songs.song", broken)
    with pytest.raises(KeyboardInterrupt):
        dataset_folder(GTZAN_DEMO, None, tmp_path, QUIET)
    assert [path for path in tmp_path.rglob("*") if path.name != "synthesised"] == []
