"""Stand-ins: a card made of another's, and names drawn so that each split is filled."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.archive import Archive
from mirbench.registry import Catalogue
from mirbench.tasks import TASKS
from mirbench.tasks.retrain import retrain_split
from mirbench.tasks.stand_in_music.stand_ins import SAMPLE_RATE, names_by_split, stand_in, write_scene
from mirbench.trust.checks import check_task
from mirbench.types import Clip, Task

CLIPS = [Clip("c0", None, "test", ("a",))]
REAL = Task(
    "real", "7", "Real music", "multi-label", ("a", "b"), ("roc-auc",), lambda root, fold: CLIPS, "real_set", 999,
    30.0, n_folds=3, ships=("vggish",), manifest=True, datasets=("fma",),
    archives=(Archive("https://example.org/a.zip", "a.zip", ""),), reference="Somebody (2001)", license="CC BY",
    notes=("known faults: many",), demo="real-demo",
)  # fmt: skip


def write_nothing(root: Path, step: object) -> None:
    pass


DEMO = stand_in(REAL, write_nothing, 12, 2.5, "2")


def test_stand_in_conforms() -> None:
    assert check_task(DEMO) == []


def test_stand_in_is_what_the_card_calls_its_demo() -> None:
    assert DEMO.name == REAL.demo


@pytest.mark.parametrize("name", ["kind", "classes", "metrics", "read_clips", "n_folds", "medium", "ships", "manifest"])
def test_stand_in_keeps(name: str) -> None:
    assert getattr(DEMO, name) == getattr(REAL, name)


def test_stand_in_takes_its_own_size_and_version() -> None:
    assert (DEMO.n_clips, DEMO.clip_seconds, DEMO.version, DEMO.synthesise) == (12, 2.5, "2", write_nothing)


def test_stand_in_lies_in_a_folder_of_its_own() -> None:
    assert DEMO.folder != REAL.folder


def test_stand_in_says_that_it_is_no_music() -> None:
    assert (DEMO.standing, "no music" in DEMO.title) == ("synthesised", True)


def test_stand_in_is_no_audio_of_the_real_data_set() -> None:
    assert set(DEMO.datasets).isdisjoint(REAL.datasets)


def test_stand_in_takes_over_no_words_about_the_real_data() -> None:
    said = " ".join([*DEMO.notes, DEMO.reference, DEMO.license, *(archive.url for archive in DEMO.archives)])
    assert not any(word in said for word in ("known faults", "Somebody", "CC BY", "example.org"))


def test_stand_in_has_no_stand_in() -> None:
    assert DEMO.demo == ""


def test_stand_in_leaves_the_card_alone() -> None:
    assert (REAL.name, REAL.standing, REAL.n_clips, REAL.synthesise) == ("real", "full", 999, None)


def test_stand_ins_that_lie_in_one_folder_write_the_same() -> None:
    """The folder is all that the cache tells them apart by; what differs besides must be how they are read."""
    cards = [Catalogue().task(name) for name in TASKS if name.endswith("-demo")]
    shared = {folder: [card for card in cards if card.folder == folder] for folder in {card.folder for card in cards}}
    alike = {
        folder: {(card.version, card.clip_seconds, card.medium) for card in some} for folder, some in shared.items()
    }
    assert {folder: facts for folder, facts in alike.items() if len(facts) > 1} == {}


def test_every_field_of_a_card_is_kept_or_replaced_knowingly() -> None:
    """A new field of Task must be thought about here."""
    replaced = {
        "name", "version", "title", "folder", "n_clips", "clip_seconds", "standing", "datasets", "archives",
        "reference", "license", "notes", "demo", "synthesise",
    }  # fmt: skip
    kept = {
        "kind", "classes", "metrics", "read_clips", "n_folds", "medium", "ships", "manifest", "cautions",
        "splits_drawn", "valid_drawn", "ranges",
    }  # fmt: skip
    assert {field.name for field in fields(Task)} == replaced | kept


# Names


def parity(name: str) -> str:
    return "odd" if int(name) % 2 else "even"


def test_names_fill_each_split_as_wanted() -> None:
    taken = names_by_split(map(str, itertools.count()), parity, {"odd": 3, "even": 1})
    assert Counter(map(parity, taken)) == {"odd": 3, "even": 1}


def test_names_are_the_first_of_their_split_in_the_order_of_the_supply() -> None:
    assert names_by_split(map(str, itertools.count()), parity, {"odd": 3, "even": 1}) == ["0", "1", "3", "5"]


def test_names_of_a_split_that_is_not_wanted_are_passed_over() -> None:
    assert names_by_split(map(str, itertools.count()), parity, {"odd": 2}) == ["1", "3"]


def test_names_are_none_where_none_are_wanted() -> None:
    assert names_by_split(map(str, itertools.count()), parity, {"odd": 0}) == []


def test_names_leave_what_is_wanted_as_it_was() -> None:
    wanted = {"odd": 2, "even": 2}
    names_by_split(map(str, itertools.count()), parity, wanted)
    assert wanted == {"odd": 2, "even": 2}


def test_names_are_the_same_each_time() -> None:
    def drawn() -> list[str]:
        split = "a/{}.jpg".format
        wanted = {"train": 4, "valid": 2, "test": 2}
        return names_by_split(map(str, itertools.count()), lambda name: retrain_split(split(name)), wanted)

    assert drawn() == drawn()


# Clips


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_scene_is_written_as_its_suffix_says(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"a.{suffix}"
    write_scene(path, [0, 2], 4, [1, 2], 0.5)
    info = soundfile.info(str(path))
    assert (info.format.lower(), info.samplerate, info.channels) == (suffix, SAMPLE_RATE, 1)


def test_scene_is_as_long_as_asked(tmp_path: Path) -> None:
    audio = write_scene(tmp_path / "a.flac", [1], 4, [0], 0.75)
    assert (len(audio), soundfile.info(str(tmp_path / "a.flac")).frames) == (12_000, 12_000)


def test_scene_returns_what_it_wrote(tmp_path: Path) -> None:
    audio = write_scene(tmp_path / "a.wav", [1], 4, [0], 0.5)
    assert np.allclose(soundfile.read(tmp_path / "a.wav")[0], audio, atol=1e-4)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_scene_of_one_seed_is_the_same_file(suffix: str, tmp_path: Path) -> None:
    for name in "ab":
        write_scene(tmp_path / f"{name}.{suffix}", [1], 4, [3, 4], 0.5)
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_scene_of_another_seed_differs(tmp_path: Path) -> None:
    first, second = (write_scene(tmp_path / "a.wav", [1], 4, [seed], 0.5) for seed in (0, 1))
    assert not np.allclose(first, second)
