"""The sets of shtern2017 for music of one's own: layout, splits by name, stretches, and the stand-ins."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.errors import BadInput, MissingData
from mirbench.progress import Progress
from mirbench.tasks import shtern
from mirbench.tasks.own.folder import folder_task
from mirbench.tasks.retrain import retrain_split
from mirbench.tasks.shtern import (
    COMPOSER,
    GENRE_3,
    GENRE_3_SHORT,
    GENRE_3_SHORT_DEMO,
    GUITAR_TYPE,
    METAL_CLASSICAL,
    VOCALIST,
)  # fmt: skip
from mirbench.trust.checks import check_clips, check_data, check_task
from mirbench.types import Clip, Task

QUIET = Progress(quiet=True)
TASKS = (GENRE_3, GENRE_3_SHORT, METAL_CLASSICAL, GUITAR_TYPE, VOCALIST, COMPOSER)
DEMOS = tuple(getattr(shtern, name) for name in shtern.__all__ if name.endswith("_DEMO"))
NUMBERS = range(60)  # enough for each class to be in each split

by_name = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def plant(root: Path, classes: Iterable[str], suffix: str = ".wav", inside: str = "") -> Path:
    """Empty files: reading a task decodes nothing."""
    for label in classes:
        for number in NUMBERS:
            path = root / label / inside / f"{number}{suffix}"
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True)
            path.touch()
    return root


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The data of every task, which no test changes."""
    return {task.name: plant(tmp_path_factory.mktemp(task.name), task.classes) for task in TASKS}


def facts(clips: Iterable[Clip]) -> list[tuple[object, ...]]:
    return [(clip.id, clip.split, clip.labels, clip.start, clip.duration) for clip in clips]


@by_name
def test_shtern_card_conforms(task: Task) -> None:
    assert check_task(task) == []


@by_name
def test_shtern_clips_conform(task: Task, roots: dict[str, Path]) -> None:
    clips = task.read_clips(roots[task.name], 0)
    assert (len(clips), check_clips(task, (tuple(clips),))) == (60 * len(task.classes), [])


@by_name
def test_shtern_split_is_that_of_the_class_and_name(task: Task, roots: dict[str, Path]) -> None:
    clips = task.read_clips(roots[task.name], 0)
    assert all(clip.split == retrain_split(f"{clip.labels[0]}/{clip.path.stem}.jpg") for clip in clips)


@by_name
def test_shtern_leaves_a_manifest(task: Task) -> None:
    assert task.manifest  # its clips are a user's own, in no published list


@by_name
def test_shtern_card_says_the_printed_number_or_where_it_is(task: Task) -> None:
    notes = " ".join(task.notes)
    assert "printed: 600" in notes or "two classes of genre-3" in notes


@by_name
def test_shtern_without_a_folder_says_what_to_do(task: Task) -> None:
    with pytest.raises(MissingData, match=rf"^{task.name}: its audio was never published; put music of your own"):
        task.read_clips(None, 0)


def test_shtern_names_the_class_folders_that_are_missing(tmp_path: Path) -> None:
    plant(tmp_path, ["classical"])
    with pytest.raises(MissingData, match=r"^genre-3: \S+ holds no metal/, rock/; .*`mirbench show genre-3`"):
        GENRE_3.read_clips(tmp_path, 0)


def test_shtern_split_depends_on_neither_suffix_nor_place_nor_order_of_files(
    roots: dict[str, Path], tmp_path: Path
) -> None:
    for index, (label, number) in enumerate(itertools.product(reversed(GENRE_3.classes), reversed(NUMBERS))):
        path = tmp_path / "b" / "c" / label / f"{number}{('.MP3', '.flac')[index % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    a, b = (GENRE_3.read_clips(folder, 0) for folder in (roots["genre-3"], tmp_path / "b" / "c"))
    assert facts(a) == facts(b)


def test_shtern_clip_keeps_its_split_when_others_come(tmp_path: Path) -> None:
    before = {clip.id: clip.split for clip in GENRE_3.read_clips(plant(tmp_path, GENRE_3.classes), 0)}
    plant(tmp_path, GENRE_3.classes, inside="more")
    after = {clip.id: clip.split for clip in GENRE_3.read_clips(tmp_path, 0)}
    assert (len(after), {name: after[name] for name in before}) == (2 * len(before), before)


def test_shtern_reads_sub_folders_and_leaves_the_group_empty(tmp_path: Path) -> None:
    clips = GENRE_3.read_clips(plant(tmp_path, GENRE_3.classes, inside="artist/album"), 0)
    assert {clip.id.rpartition("/")[0] for clip in clips} == {f"{label}/artist/album" for label in GENRE_3.classes}
    assert {clip.group for clip in clips} == {""}


def test_shtern_sub_folders_stay_together_in_the_folder_task_that_the_card_names(tmp_path: Path) -> None:
    for number, label in itertools.product(range(6), COMPOSER.classes):
        (tmp_path / label / f"pianist{number}").mkdir(parents=True)
        for song in range(4):
            (tmp_path / label / f"pianist{number}" / f"{song}.wav").touch()
    clips = folder_task(str(tmp_path)).read_clips(None, 0)
    splits = {group: {clip.split for clip in clips if clip.group == group} for group in {clip.group for clip in clips}}
    assert (len(splits), {len(found) for found in splits.values()}) == (6, {1})


def test_shtern_ignores_other_files(tmp_path: Path) -> None:
    plant(tmp_path, GENRE_3.classes)
    (tmp_path / "rock" / ".hidden").mkdir()
    for stray in ("notes.txt", ".hidden.wav", ".hidden/1.wav", "cover.jpg"):
        (tmp_path / "rock" / stray).touch()
    ids = {clip.id for clip in GENRE_3.read_clips(tmp_path, 0)}
    assert ids == {f"{label}/{number}" for label in GENRE_3.classes for number in NUMBERS}


def test_shtern_names_two_files_of_one_name(tmp_path: Path) -> None:
    plant(tmp_path, GENRE_3.classes)
    (tmp_path / "rock" / "7.mp3").touch()
    with pytest.raises(BadInput, match=r"rock/7\.mp3 and \S*rock/7\.wav differ in their suffixes alone"):
        GENRE_3.read_clips(tmp_path, 0)


def test_shtern_reads_a_name_alike_in_both_ways_of_writing_it(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        plant(tmp_path / form, COMPOSER.classes)
        (tmp_path / form / "mozart" / unicodedata.normalize(form, "été.wav")).touch()
    composed, decomposed = (COMPOSER.read_clips(tmp_path / form, 0) for form in ("NFC", "NFD"))
    assert facts(composed) == facts(decomposed)


def test_shtern_counts_a_class_that_a_split_lacks(tmp_path: Path) -> None:
    plant(tmp_path, ["classical", "metal"])
    for number in (0, 1):
        path = tmp_path / "rock" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    splits = Counter(retrain_split(f"rock/{number}.jpg") for number in (0, 1))
    told = f"rock has {splits['train']} in train, {splits['valid']} in valid, {splits['test']} in test"
    with pytest.raises(BadInput, match=rf"^genre-3: {told}; .*folder:PATH"):
        GENRE_3.read_clips(tmp_path, 0)


def test_metal_classical_is_two_classes_of_genre_3(roots: dict[str, Path]) -> None:
    of_three = [clip for clip in GENRE_3.read_clips(roots["genre-3"], 0) if clip.labels != ("rock",)]
    assert METAL_CLASSICAL.read_clips(roots["genre-3"], 0) == of_three


def test_sets_of_genre_share_a_folder() -> None:
    assert {task.folder for task in (GENRE_3, GENRE_3_SHORT, METAL_CLASSICAL)} == {"genre-3"}


@pytest.mark.parametrize(("task", "heard"), [(GENRE_3, (0.0, None)), (GENRE_3_SHORT, (30.0, 30.0))])
def test_genre_is_heard_whole_and_short_genre_from_30_to_60(
    task: Task, heard: tuple[float, float | None], roots: dict[str, Path]
) -> None:
    clips = task.read_clips(roots[task.name], 0)
    assert {(clip.start, clip.duration) for clip in clips} == {heard}


HEARD = {
    20.0: (0.0, None),
    30.04: (0.0, None),
    45.0: (15.0, 30.0),
    59.9996: (29.999, 30.0),
    60.0: (30.0, 30.0),
    200.0: (30.0, 30.0),
}


@pytest.fixture(scope="module")
def lengths(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Clips of a folder in which there is a file of each length."""
    folder = plant(tmp_path_factory.mktemp("lengths"), VOCALIST.classes)
    for seconds in HEARD:
        soundfile.write(folder / "male" / f"{seconds}.wav", np.zeros(round(2500 * seconds)), 2500)
    return VOCALIST.read_clips(folder, 0)


@pytest.mark.parametrize(("seconds", "heard"), HEARD.items())
def test_thirty_seconds_of_a_file(seconds: float, heard: tuple[float, float | None], lengths: list[Clip]) -> None:
    (clip,) = (clip for clip in lengths if clip.id == f"male/{seconds}")
    assert (clip.start, clip.duration) == heard


def test_file_that_is_not_audio_is_named_by_the_check_of_the_data(tmp_path: Path) -> None:
    plant(tmp_path, VOCALIST.classes)
    problems = check_data(VOCALIST, tmp_path, tmp_path / "cache", QUIET)
    assert sum("empty (0 bytes)" in line for line in problems) == 120


def write_noise(path: Path, kinds: list[int], n_kinds: int, seed: list[int], seconds: float) -> None:
    """A sound for each kind, number of kinds and seed, in less time than a scene takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([*kinds, n_kinds, *seed]).uniform(-0.5, 0.5, 1000).astype(np.float32)
    soundfile.write(path, np.resize(noise, round(16_000 * seconds)), 16_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The data of every stand-in, of noise in place of scenes; `test_conformance` makes the whole of them."""
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shtern, "write_scene", write_noise)
        for demo in DEMOS:
            folders[demo.name] = tmp_path_factory.mktemp(demo.name)
            demo.synthesise(folders[demo.name], lambda n: None)
    return folders


@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.name)
@pytest.mark.slow
def test_shtern_demo_is_a_sound_data_set(demo: Task, made: dict[str, Path], tmp_path: Path) -> None:
    assert (check_task(demo), check_data(demo, made[demo.name], tmp_path, QUIET)) == ([], [])


@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.name)
def test_shtern_demo_has_each_class_in_each_split_as_often(demo: Task, made: dict[str, Path]) -> None:
    found = Counter((clip.labels[0], clip.split) for clip in demo.read_clips(made[demo.name], 0))
    train, rest = (4, 2) if demo is GENRE_3_SHORT_DEMO else (16, 4)
    assert found == {(c, s): train if s == "train" else rest for c in demo.classes for s in ("train", "valid", "test")}


def test_shtern_demos_are_of_the_tasks() -> None:
    assert {task.demo for task in TASKS} == {demo.name for demo in DEMOS}


def test_shtern_demos_have_folders_of_their_own() -> None:
    assert len({demo.folder for demo in DEMOS}) == len(DEMOS)  # or one would be read from another's cache


def test_shtern_demos_all_sound_different(made: dict[str, Path]) -> None:
    files = [path.read_bytes() for folder in made.values() for path in folder.rglob("*.*")]
    assert len(set(files)) == len(files)


def test_shtern_demo_is_the_same_bytes_each_time_and_no_two_files_are(tmp_path: Path) -> None:
    (demo,) = (demo for demo in DEMOS if demo.name == "composer-demo")
    found = []
    for name in "ab":
        steps = iter(range(4))
        with pytest.raises(StopIteration):  # five files are enough
            demo.synthesise(tmp_path / name, lambda n, steps=steps: next(steps))
        found.append([path.read_bytes() for path in sorted((tmp_path / name).rglob("*.wav"))])
    assert found[0] == found[1]
    assert len(set(found[0])) == 5


def test_shtern_follows_links_and_says_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path / "songs", GENRE_3.classes)
    plant(tmp_path / "more", ("rock",), inside="queen")
    (tmp_path / "songs" / "rock" / "more").symlink_to(tmp_path / "more" / "rock")
    (tmp_path / "songs" / "metal" / "1.m4a").touch()
    ids = {clip.id for clip in GENRE_3.read_clips(tmp_path / "songs", 0)}
    assert (len(ids), any(name.startswith("rock/more/queen/") for name in ids)) == (240, True)
    assert "genre-3, metal: left out: 1 file of sound (1.m4a)" in capsys.readouterr().err


def test_shtern_refuses_links_to_nothing(tmp_path: Path) -> None:
    plant(tmp_path, GENRE_3.classes)
    (tmp_path / "rock" / "gone.wav").symlink_to("nowhere")
    with pytest.raises(MissingData, match=r"genre-3, rock: 1 file not on this machine \(gone.wav\)"):
        GENRE_3.read_clips(tmp_path, 0)
