"""What a task holds, class by class."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.features import audio
from mirbench.features.datasets import read_labels, read_task
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.tasks.audit.statistics import as_text, describe
from mirbench.tasks.own.folder import folder_task
from mirbench.types import Split, Task, excerpts

QUIET = Progress(quiet=True)
STORED = sorted(path.stem for path in Path(str(files("mirbench.tasks") / "stats")).glob("*.json"))
LEVELS = {"loud": 0.5, "quiet": 0.1}


@pytest.fixture
def own(tmp_path: Path) -> Task:
    """Six constant files of a second of each of two levels; full scale is 1, so that RMS is the level."""
    for name, level in LEVELS.items():
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(6):
            value = level * (1.1 if number % 2 else 0.9)
            soundfile.write(tmp_path / "own" / name / f"{number}.wav", np.full(8000, value), 8000, subtype="FLOAT")
    return folder_task(str(tmp_path / "own"))


def described(task: Task, cache: Path) -> dict:
    folds = read_task(task, None)
    places = [place for clips in folds for place in excerpts(Split(task, clips))]
    return describe(task, folds, audio.survey(places, cache / "files.sqlite", QUIET))


@pytest.mark.parametrize("name", LEVELS)
def test_describe_gives_mean_and_sample_deviation_of_rms(name: str, own: Task, tmp_path: Path) -> None:
    row = described(own, tmp_path)["classes"][name]
    levels = LEVELS[name] * np.array([0.9, 1.1] * 3)
    assert (row["rms_mean"], row["rms_sd"]) == pytest.approx((levels.mean(), levels.std(ddof=1)), abs=1e-4)


def test_describe_counts_every_clip_of_each_class_once(own: Task, tmp_path: Path) -> None:
    found = described(own, tmp_path)
    counts = {name: sum(row[split] for split in found["splits"]) for name, row in found["classes"].items()}
    assert (counts, found["n_clips"], sum(found["splits"].values())) == ({"loud": 6, "quiet": 6}, 12, 12)


def test_describe_gives_minutes(own: Task, tmp_path: Path) -> None:
    found = described(own, tmp_path)
    assert (found["minutes"], found["classes"]["loud"]["minutes"]) == (0.2, 0.1)


def test_describe_of_normalized_hears_the_same_level(own: Task, tmp_path: Path) -> None:
    from mirbench.tasks.modifiers import normalized

    found = described(normalized(own, ""), tmp_path)
    assert [row["rms_mean"] for row in found["classes"].values()] == pytest.approx([1.0, 1.0], abs=1e-4)


def test_describe_without_audio_counts_and_hears_nothing() -> None:
    task = Catalogue().task("gtzan")
    found = describe(task, read_task(task, None), {})
    assert (found["splits"], found["minutes"], found["classes"]["jazz"]["rms_mean"]) == (
        {"train": 443, "valid": 197, "test": 290}, None, None
    )  # fmt: skip


def test_text_has_a_line_a_class_and_the_printed_means(own: Task, tmp_path: Path) -> None:
    lines = as_text(described(own, tmp_path)).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| loud")]
    assert cells[0][-2:] == ["0.500", "0.055"]


@pytest.mark.parametrize("name", [name for name in STORED if name != "gtzan-mini"])
def test_stored_counts_are_those_of_the_frozen_lists(name: str, tmp_path: Path) -> None:
    task = Catalogue().task(name)
    folds, _ = read_labels(task, tmp_path, tmp_path, QUIET)
    stored = json.loads((files("mirbench.tasks") / "stats" / f"{name}.json").read_text(encoding="utf-8"))
    assert describe(task, folds, {}) == stored


@pytest.mark.real
@pytest.mark.slow
def test_stored_loudness_of_gtzan_mini_is_what_is_measured(shared: Path, tmp_path: Path) -> None:
    task = Catalogue().task("gtzan-mini")
    folds = read_task(task, shared / "data" / task.folder)
    places = [place for clips in folds for place in excerpts(Split(task, clips))]
    found = describe(task, folds, audio.survey(places, tmp_path / "files.sqlite", QUIET))
    assert found == json.loads((files("mirbench.tasks") / "stats" / "gtzan-mini.json").read_text(encoding="utf-8"))
