"""GTZAN as pictures: the layout of the Kaggle copy, the splits, and the stand-in."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirbench.errors import MissingData
from mirbench.features import pictures
from mirbench.progress import Progress
from mirbench.tasks import gtzan_pictures
from mirbench.tasks.gtzan import GENRES, GTZAN_KAGGLE
from mirbench.tasks.gtzan_pictures import (
    GTZAN_PICTURES,
    GTZAN_PICTURES_DEMO,
    GTZAN_PICTURES_FILTERED,
    GTZAN_PICTURES_REDRAWN,
    drawn,
)  # fmt: skip
from mirbench.trust.checks import check_clips, check_data, check_task
from mirbench.types import Clip, Task

QUIET = Progress(quiet=True)
TASKS = (GTZAN_PICTURES, GTZAN_PICTURES_REDRAWN, GTZAN_PICTURES_FILTERED)
NAMES = [f"{genre}.{n:05}" for genre in GENRES for n in range(100) if (genre, n) != ("jazz", 54)]

by_name = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def plant(folder: Path, names: Iterable[str] = NAMES) -> Path:
    """Empty files in the official layout, whose names have no dot before the number; reading decodes nothing."""
    for name in names:
        genre, _, number = name.partition(".")
        path = folder / genre / f"{genre}{number}.png"
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        path.touch()
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole of the data set, its last file written first."""
    folder = tmp_path_factory.mktemp("gtzan-kaggle")
    plant(folder / "images_original", reversed(NAMES))
    return folder


def counts(clips: Iterable[Clip]) -> dict[str, int]:
    return dict(Counter(clip.split for clip in clips))


@by_name
def test_pictures_card_conforms(task: Task) -> None:
    assert (check_task(task), task.medium) == ([], "picture")


@by_name
def test_pictures_clips_conform(task: Task, root: Path) -> None:
    assert check_clips(task, (tuple(task.read_clips(root, 0)),)) == []


@by_name
@pytest.mark.parametrize("inside", ["images_original", "Data/images_original", "."])
def test_pictures_are_found_in_the_layout(inside: str, task: Task, root: Path, tmp_path: Path) -> None:
    for genre in GENRES:
        (tmp_path / inside).mkdir(parents=True, exist_ok=True)
        (tmp_path / inside / genre).symlink_to(root / "images_original" / genre)
    clips = task.read_clips(tmp_path, 0)
    assert all(clip.path.is_file() and clip.path.is_relative_to(tmp_path / inside) for clip in clips)


@by_name
def test_pictures_clip_is_labelled_and_named_as_its_file(task: Task, root: Path) -> None:
    clips = task.read_clips(root, 0)
    assert all(
        (clip.labels[0], clip.id.replace(".", "")) == (c.parent.name, c.stem) for clip in clips for c in [clip.path]
    )


@by_name
def test_pictures_without_a_folder_are_the_same_clips_whatever_the_order_of_its_files(task: Task, root: Path) -> None:
    listed = task.read_clips(None, 0)
    assert [replace(clip, path=None) for clip in task.read_clips(root, 0)] == listed


@by_name
def test_pictures_without_their_folder_say_what_is_needed(task: Task, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=rf"{task.name}: {tmp_path} holds no images_original/ .* fetched by hand"):
        task.read_clips(tmp_path, 0)


@by_name
def test_pictures_that_are_missing_are_counted_and_named(task: Task, root: Path, tmp_path: Path) -> None:
    folder = plant(
        tmp_path / "images_original",
        [name for name in NAMES if name.startswith("rock") and name != "rock.00001"],
    )
    for genre in GENRES[:-1]:
        (folder / genre).symlink_to(root / "images_original" / genre)
    told = rf"1 of {task.n_clips} pictures are missing in \S+: rock/rock00001.png; .*by hand"
    with pytest.raises(MissingData, match=told):
        task.read_clips(tmp_path, 0)


@pytest.mark.parametrize("task", TASKS[:2], ids=lambda task: task.name)
def test_random_split_is_800_100_99_of_all_999(task: Task) -> None:
    clips = task.read_clips(None, 0)
    assert ([clip.id for clip in clips], counts(clips)) == (NAMES, {"train": 800, "valid": 100, "test": 99})


def test_random_split_is_not_stratified() -> None:
    tested = Counter(clip.labels[0] for clip in GTZAN_PICTURES.read_clips(None, 0) if clip.split == "test")
    assert max(tested.values()) - min(tested.values()) > 2


def test_random_split_goes_by_the_hash_of_the_names() -> None:
    order = sorted(NAMES, key=lambda name: hashlib.sha256(f"0|{name}".encode()).hexdigest())
    tested = {clip.id for clip in GTZAN_PICTURES.read_clips(None, 0) if clip.split == "test"}
    assert tested == set(order[900:])


FROZEN = {"gtzan-pictures": "e03cb55d443d24f4", "gtzan-pictures-redrawn": "62be63e7e885bd9f"}


@pytest.mark.parametrize("task", TASKS[:2], ids=lambda task: task.name)
def test_random_split_of_version_1_is_frozen(task: Task) -> None:
    listed = "".join(f"{clip.id} {clip.split}\n" for clip in task.read_clips(None, 0))
    assert (task.version, hashlib.sha256(listed.encode()).hexdigest()[:16]) == ("1", FROZEN[task.name])


def test_redrawn_split_tests_other_pictures() -> None:
    tested = [{c.id for c in task.read_clips(None, 0) if c.split == "test"} for task in TASKS[:2]]
    assert len(tested[0] & tested[1]) < 25  # of 99, ten are expected by chance


def test_drawn_does_not_depend_on_the_order_of_names() -> None:
    sizes = {"train": 899, "test": 100}
    assert drawn(reversed(NAMES), sizes, 3) == drawn(NAMES, sizes, 3)


def test_filtered_split_is_442_197_290() -> None:
    assert counts(GTZAN_PICTURES_FILTERED.read_clips(None, 0)) == {"train": 442, "valid": 197, "test": 290}


def test_filtered_split_is_that_of_the_audio_in_the_same_copy() -> None:
    sound, seen = (task.read_clips(None, 0) for task in (GTZAN_KAGGLE, GTZAN_PICTURES_FILTERED))
    assert ([(c.id, c.split) for c in sound], GTZAN_KAGGLE.folder) == (
        [(c.id, c.split) for c in seen],
        GTZAN_PICTURES_FILTERED.folder,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, of shorter sounds."""
    folder = tmp_path_factory.mktemp("pictures")
    assert GTZAN_PICTURES_DEMO.synthesise is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gtzan_pictures, "_DEMO_SECONDS", 0.5)
        GTZAN_PICTURES_DEMO.synthesise(folder, lambda n: None)
    return folder


@pytest.mark.slow
def test_pictures_demo_is_a_sound_data_set(made: Path, tmp_path: Path) -> None:
    assert (check_task(GTZAN_PICTURES_DEMO), check_data(GTZAN_PICTURES_DEMO, made, tmp_path, QUIET)) == ([], [])


def test_pictures_demo_is_in_the_official_layout(made: Path) -> None:
    found = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert found == {f"images_original/{genre}/{genre}{n:05}.png" for genre in GENRES for n in range(10)}


def test_pictures_demo_has_each_genre_in_each_split(made: Path) -> None:
    found = Counter((clip.labels[0], clip.split) for clip in GTZAN_PICTURES_DEMO.read_clips(made, 0))
    assert set(found) == {(genre, split) for genre in GENRES for split in ("train", "valid", "test")}


def test_pictures_demo_is_split_60_20_20(made: Path) -> None:
    assert counts(GTZAN_PICTURES_DEMO.read_clips(made, 0)) == {"train": 60, "valid": 20, "test": 20}


def test_pictures_demo_files_are_opaque_rgba_of_the_official_size(made: Path) -> None:
    from PIL import Image

    facts = set()
    for path in made.rglob("*.png"):
        with Image.open(path) as picture:
            facts.add((picture.format, picture.mode, picture.size, picture.getextrema()[3]))
    assert facts == {("PNG", "RGBA", (432, 288), (255, 255))}


def test_pictures_demo_has_a_white_border_around_a_spectrogram(made: Path) -> None:
    picture = pictures.read(made / "images_original" / "rock" / "rock00000.png")
    border = np.concatenate([picture[:30].reshape(-1, 3), picture[:, :50].reshape(-1, 3), picture[260:].reshape(-1, 3)])
    assert (border.min(), picture[40:250, 60:380].std() > 10) == (255, True)


def test_pictures_demo_pictures_all_differ(made: Path) -> None:
    assert len({path.read_bytes() for path in made.rglob("*.png")}) == 100


def test_pictures_share_a_stand_in() -> None:
    assert {task.demo for task in TASKS} == {GTZAN_PICTURES_DEMO.name}
