"""The GTZAN tasks: frozen splits, layouts, folds of the excerpt, and the synthesised stand-in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
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
from mirbench.types import Clip

Folds = tuple[tuple[Clip, ...], ...]

QUIET = Progress(quiet=True)

# Clips of each genre, in the order of GENRES (published lists of hung2022's code).
PUBLISHED = {
    "train": (46, 48, 45, 42, 47, 43, 44, 41, 43, 44),
    "valid": (23, 20, 23, 22, 18, 17, 20, 13, 17, 24),
    "test": (31, 31, 30, 29, 27, 27, 27, 30, 26, 32),
}
SUFFIXES = (".wav", ".au", ".flac", ".WAV")
GAPPED = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12)  # as the published excerpt numbers its jazz


def plant(genres: Path, names: Iterable[str], suffixes: Sequence[str] = (".wav",)) -> None:
    """Empty files in the official layout, of these suffixes in turn: reading a task decodes nothing."""
    for index, name in enumerate(names):
        path = genres / name.partition(".")[0] / f"{name}{suffixes[index % len(suffixes)]}"
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        path.touch()


def numbered(numbers: Iterable[int] = range(100), genres: Iterable[str] = GENRES) -> list[str]:
    numbers = list(numbers)
    return [f"{genre}.{number:05}" for genre in genres for number in numbers]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the whole of every data set, as empty files; the copy of Kaggle is a link."""
    root = tmp_path_factory.mktemp("root")
    for folder, n_clips in ((GTZAN.folder, 100), (GTZAN_MINI.folder, 10), (GTZAN_DEMO.folder, 30)):
        plant(root / folder / "genres", numbered(range(n_clips)))
    (root / GTZAN_KAGGLE.folder).mkdir()
    (root / GTZAN_KAGGLE.folder / "genres_original").symlink_to(root / GTZAN.folder / "genres")
    return root


@pytest.fixture(scope="module")
def clips(root: Path) -> list[Clip]:
    """Clips of the task gtzan."""
    return GTZAN.read_clips(root / GTZAN.folder, 0)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Clips of a folder written from its end, of every suffix, in which other files lie too."""
    genres = tmp_path_factory.mktemp("mixed") / "genres"
    plant(genres, reversed(numbered()), SUFFIXES)
    plant(genres, numbered(range(0, 100, 9)), (".png",))
    (genres / "blues" / "._blues.00000.wav").touch()
    return GTZAN.read_clips(genres.parent, 0)


def lacking(root: Path, names: Collection[str], at: Path) -> Path:
    """A folder of the data set in which these clips are missing."""
    (at / "genres").mkdir()
    for genre in GENRES:
        there = numbered(genres=[genre])
        if kept := set(there) - set(names):
            if len(kept) < len(there):
                plant(at / "genres", kept)
            else:
                (at / "genres" / genre).symlink_to(root / GTZAN.folder / "genres" / genre)
    return at


def counts(clips: Iterable[Clip]) -> dict[str, int]:
    return dict(Counter(clip.split for clip in clips))


@pytest.mark.parametrize("split", PUBLISHED)
def test_gtzan_split_has_the_published_count_of_each_genre(split: str, clips: list[Clip]) -> None:
    found = Counter(clip.labels[0] for clip in clips if clip.split == split)
    assert tuple(found[genre] for genre in GENRES) == PUBLISHED[split]


def test_gtzan_split_is_443_197_290(clips: list[Clip]) -> None:
    assert counts(clips) == {"train": 443, "valid": 197, "test": 290}


def test_gtzan_kaggle_split_is_442_197_290_and_differs_from_gtzan_by_the_broken_clip_alone(
    root: Path, clips: list[Clip]
) -> None:
    found = GTZAN_KAGGLE.read_clips(root / GTZAN_KAGGLE.folder, 0)
    assert counts(found) == {"train": 442, "valid": 197, "test": 290}
    whole, kaggle = ({(clip.id, clip.split) for clip in each} for each in (clips, found))
    assert (whole - kaggle, kaggle - whole) == ({("jazz.00054", "train")}, set())


def test_gtzan_kaggle_reads_the_folder_data_too(root: Path, tmp_path: Path) -> None:
    (tmp_path / "Data").mkdir()
    (tmp_path / "Data" / "genres_original").symlink_to(root / GTZAN.folder / "genres")
    assert len(GTZAN_KAGGLE.read_clips(tmp_path, 0)) == 929


def test_gtzan_clip_is_labelled_by_its_folder_and_name(clips: list[Clip]) -> None:
    assert all((clip.labels[0], clip.id) == (clip.path.parent.name, clip.path.stem) for clip in clips)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_gtzan_accepts_the_suffix(suffix: str, mixed: list[Clip]) -> None:
    assert len(mixed) == 930
    assert [clip for clip in mixed if clip.path.suffix == suffix]


def test_gtzan_ignores_other_files(mixed: list[Clip]) -> None:
    assert {clip.path.suffix for clip in mixed} == set(SUFFIXES)
    assert [clip for clip in mixed if not clip.path.name.startswith(clip.labels[0])] == []


def test_gtzan_reads_the_same_clips_in_the_same_order_whatever_the_suffix(clips: list[Clip], mixed: list[Clip]) -> None:
    assert [clip.id for clip in clips] == [clip.id for clip in mixed]


def test_missing_clips_are_counted_and_named(root: Path, tmp_path: Path) -> None:
    first, second = sorted(fault_filtered())[:2]
    with pytest.raises(MissingData, match=rf"^gtzan: 2 of 930 clips are missing: {first}, {second}$"):
        GTZAN.read_clips(lacking(root, (first, second), tmp_path), 0)


def test_missing_clips_beyond_three_are_abridged(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"5 of 930 clips are missing: (\S+, ){2}\S+ …$"):
        GTZAN.read_clips(lacking(root, sorted(fault_filtered())[:5], tmp_path), 0)


def test_gtzan_on_the_excerpt_hints_at_its_task(root: Path) -> None:
    with pytest.raises(MissingData, match=r"of 930 clips are missing.*gtzan-mini"):
        GTZAN.read_clips(root / GTZAN_MINI.folder, 0)


def test_gtzan_mini_on_the_whole_hints_at_its_task(root: Path) -> None:
    with pytest.raises(MissingData, match=r"100 clips of blues, 10 are needed.*the task gtzan"):
        GTZAN_MINI.read_clips(root / GTZAN.folder, 0)


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
def test_dataset_folder_takes_the_data_root_and_the_own_folder(
    name: str, own: bool, root: Path, tmp_path: Path
) -> None:
    task = Catalogue().task(name)
    folder = root / task.folder
    found = dataset_folder(task, folder if own else root, tmp_path / "cache", QUIET)
    assert {clip.path.is_relative_to(folder) for clip in task.read_clips(found, 0)} == {True}


def test_dataset_folder_of_a_missing_root_says_how_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"--data .*nowhere: no such folder.*mirbench data get gtzan"):
        dataset_folder(GTZAN, tmp_path / "nowhere", tmp_path / "cache", QUIET)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Folds:
    """Clips of the five folds of an excerpt whose jazz has gaps in its numbers."""
    folder = tmp_path_factory.mktemp("mini")
    plant(folder / "genres", numbered(range(10), [genre for genre in GENRES if genre != "jazz"]))
    plant(folder / "genres", numbered(GAPPED, ["jazz"]), (".flac",))
    return read_task(GTZAN_MINI, folder)


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
def test_gtzan_mini_keeps_neighbouring_ranks_of_every_genre_together(fold: int, mini: Folds) -> None:
    in_order = sorted(mini[fold], key=lambda clip: clip.id)
    for genre in GENRES:
        splits = [clip.split for clip in in_order if clip.labels == (genre,)]
        assert (genre, len(splits), splits[0::2]) == (genre, 10, splits[1::2])


@pytest.mark.parametrize("fold", range(5))
def test_gtzan_mini_fold_tests_the_ranks_on_its_card(fold: int, mini: Folds) -> None:
    tested = [clip.id for clip in mini[fold] if clip.split == "test" and clip.labels == ("jazz",)]
    assert sorted(tested) == [f"jazz.{GAPPED[rank]:05}" for rank in (2 * fold, 2 * fold + 1)]


@pytest.mark.parametrize("name", ["gtzan", "gtzan-kaggle", "gtzan-mini", "gtzan-demo"])
def test_task_clips_conform(name: str, root: Path) -> None:
    task = Catalogue().task(name)
    assert check_clips(task, read_task(task, root / task.folder)) == []


def test_demo_splits_are_disjoint(root: Path) -> None:
    (clips,) = read_task(GTZAN_DEMO, root / GTZAN_DEMO.folder)
    assert (len({clip.path for clip in clips}), counts(clips)) == (300, {"train": 120, "valid": 60, "test": 120})


def test_demo_version_of_the_task_is_that_of_its_audio() -> None:
    assert GTZAN_DEMO.version == str(gtzan._DEMO_VERSION)  # or a cache would serve audio of another version


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """The stand-in of two clips a style, not thirty, and the steps that were reported."""
    cache = tmp_path_factory.mktemp("demo")
    steps: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gtzan, "_DEMO_CLIPS", 2)
        synthesise = GTZAN_DEMO.synthesise
        assert synthesise is not None

        def counted(root: Path, step: Callable[..., None]) -> None:
            synthesise(root, lambda n: (steps.append(n), step(n)))

        task = replace(GTZAN_DEMO, synthesise=counted)
        return dataset_folder(task, None, cache, QUIET), steps


def test_demo_is_synthesised_in_the_official_layout(demo: tuple[Path, list[int]]) -> None:
    found = {str(path.relative_to(demo[0])) for path in demo[0].rglob("*") if path.is_file()}
    assert found == {f"genres/{genre}/{genre}.{number:05}.wav" for genre in GENRES for number in range(2)}


def test_demo_is_read_from_where_it_is_synthesised(
    demo: tuple[Path, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gtzan, "_DEMO_CLIPS", 2)
    assert len([clip for clip in GTZAN_DEMO.read_clips(demo[0], 0) if clip.path.is_file()]) == 20


def test_demo_files_are_ten_seconds_of_16_bit_mono(demo: tuple[Path, list[int]]) -> None:
    facts = {(i.samplerate, i.channels, i.frames, i.subtype) for i in map(soundfile.info, demo[0].rglob("*.wav"))}
    assert facts == {(22_050, 1, round(GTZAN_DEMO.clip_seconds * 22_050), "PCM_16")}


def test_demo_is_the_same_bytes_each_time(
    demo: tuple[Path, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gtzan, "_DEMO_CLIPS", 1)
    again = dataset_folder(GTZAN_DEMO, None, tmp_path, QUIET)
    names = [path.relative_to(again) for path in again.rglob("*.wav")]
    assert len(names) == len(GENRES)
    assert [name for name in names if (demo[0] / name).read_bytes() != (again / name).read_bytes()] == []


def test_demo_clips_all_differ(demo: tuple[Path, list[int]]) -> None:
    assert len({path.read_bytes() for path in demo[0].rglob("*.wav")}) == 20


def test_demo_reports_each_clip(demo: tuple[Path, list[int]]) -> None:
    assert demo[1] == [1] * 20


def test_demo_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mirbench.tasks.stand_in_music.songs.song", broken)
    with pytest.raises(KeyboardInterrupt):
        dataset_folder(GTZAN_DEMO, None, tmp_path, QUIET)
    assert [path for path in tmp_path.rglob("*") if path.name != "synthesised"] == []
