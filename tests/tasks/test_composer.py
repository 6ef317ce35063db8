"""Beethoven or Mozart: the excerpts that are taken from MAESTRO's recordings, and the stand-in."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mirbench.errors import MissingData
from mirbench.progress import Progress
from mirbench.tasks.composer import COMPOSER_MAESTRO, COMPOSER_MAESTRO_DEMO, COMPOSERS, Recording, maestro, taken
from mirbench.trust.checks import check_clips, check_data, check_task
from mirbench.types import Clip

QUIET = Progress(quiet=True)
TRACK06 = "2004/MIDI-Unprocessed_XP_14_R1_2004_04_ORIG_MID--AUDIO_14_R1_2004_06_Track06_wav.wav"


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return COMPOSER_MAESTRO.read_clips(None, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The recordings as empty files in the official layout: reading a task decodes nothing."""
    for recording in maestro():
        path = tmp_path / "maestro-v3.0.0" / recording.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "maestro-v3.0.0"


def some(*lengths: float, split: str = "train") -> list[Recording]:
    return [Recording("mozart", split, seconds, f"{split}/{k}.wav") for k, seconds in enumerate(lengths)]


def test_maestro_lists_146_recordings_of_beethoven_and_38_of_mozart() -> None:
    assert Counter(recording.composer for recording in maestro()) == {"beethoven": 146, "mozart": 38}


def test_maestro_splits_are_the_official_ones_but_for_track06() -> None:
    # official: 110/12/24 and 27/4/7; Track06 of K. 280 goes from train to test
    found = Counter((recording.composer, recording.split) for recording in maestro())
    assert [found[c, s] for c in COMPOSERS for s in ("train", "valid", "test")] == [110, 12, 24, 26, 4, 8]


def test_maestro_keeps_the_tracks_of_one_performance_in_one_split() -> None:
    tracks = [r for r in maestro() if "XP_14_R1_2004_04_ORIG" in r.file]
    assert (TRACK06 in {r.file for r in tracks}, len(tracks), {r.split for r in tracks}) == (True, 3, {"test"})


def test_composer_takes_600_excerpts_a_class(clips: list[Clip]) -> None:
    assert Counter(clip.labels for clip in clips) == {("beethoven",): 600, ("mozart",): 600}


def test_composer_excerpts_of_version_1_are_frozen(clips: list[Clip]) -> None:
    listed = "".join(f"{clip.id} {clip.split}\n" for clip in clips)
    assert (COMPOSER_MAESTRO.version, hashlib.sha256(listed.encode()).hexdigest()[:16]) == ("1", "60b25e19425016ce")


def test_composer_splits_give_in_proportion_to_what_they_hold(clips: list[Clip]) -> None:
    for composer in COMPOSERS:
        held = Counter(r.split for r in maestro() for _ in range(int((r.seconds - 1) // 30)) if r.composer == composer)
        given = Counter(clip.split for clip in clips if clip.labels == (composer,))
        assert all(abs(given[split] - 600 * n / held.total()) < 1 for split, n in held.items())


def test_composer_hears_every_recording(clips: list[Clip]) -> None:
    assert {clip.group for clip in clips} == {recording.file for recording in maestro()}


def test_composer_excerpts_lie_inside_their_recordings(clips: list[Clip]) -> None:
    ends = {recording.file: recording.seconds for recording in maestro()}
    assert all(clip.start + clip.duration <= ends[clip.group] - 1 for clip in clips)


def test_composer_excerpts_are_named_by_recording_and_start(clips: list[Clip]) -> None:
    assert all(clip.id == f"{Path(clip.group).stem}@{clip.start:g}" for clip in clips)


def test_composer_excerpts_do_not_overlap(clips: list[Clip]) -> None:
    assert {(clip.start % 30, clip.duration) for clip in clips} == {(0.0, 30.0)}


def test_composer_clips_conform(clips: list[Clip]) -> None:
    assert check_clips(COMPOSER_MAESTRO, (tuple(clips),)) == []


@pytest.mark.parametrize("task", [COMPOSER_MAESTRO, COMPOSER_MAESTRO_DEMO], ids=lambda task: task.name)
def test_composer_card_conforms(task: object) -> None:
    assert check_task(task) == []  # type: ignore[arg-type]


def test_composer_without_audio_lists_the_same_clips(clips: list[Clip], folder: Path) -> None:
    assert [replace(clip, path=None) for clip in COMPOSER_MAESTRO.read_clips(folder, 0)] == clips


def test_composer_finds_its_recordings_from_the_data_root_too(folder: Path) -> None:
    assert all(clip.path.is_file() for clip in COMPOSER_MAESTRO.read_clips(folder.parent, 0))


def test_composer_counts_and_names_missing_recordings(folder: Path) -> None:
    (folder / TRACK06).unlink()
    with pytest.raises(MissingData, match=rf"1 of 184 recordings are missing in .*: {TRACK06}; `mirbench show"):
        COMPOSER_MAESTRO.read_clips(folder, 0)


def test_composer_of_an_empty_folder_abridges_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"184 of 184 recordings are missing in \S+: (\S+, ){2}\S+ …; "):
        COMPOSER_MAESTRO.read_clips(tmp_path, 0)


def test_taken_does_not_depend_on_the_order_of_the_list() -> None:
    recordings = maestro()
    assert taken(recordings[::-1], 30, 600) == taken(recordings, 30, 600)


def test_taken_leaves_a_second_at_the_end() -> None:
    assert [clip.start for clip in taken(some(61.0, 60.9), 30, 600)] == [0.0, 30.0, 0.0]


def test_taken_takes_all_of_a_class_that_has_no_more() -> None:
    assert len(taken(some(301.0, 91.0), 30, 13)) == 13


def test_taken_gives_each_recording_its_turn() -> None:
    found = Counter(clip.group for clip in taken(some(301.0, 61.0, 301.0), 30, 10))
    assert sorted(found.values()) == [2, 4, 4]


def test_taken_rounds_shares_by_largest_remainders() -> None:
    # 10 : 5 : 4 of 6 is 3.16 : 1.58 : 1.26
    recordings = some(301.0) + some(151.0, split="valid") + some(121.0, split="test")
    assert Counter(clip.split for clip in taken(recordings, 30, 6)) == {"train": 3, "valid": 2, "test": 1}


def test_taken_spreads_excerpts_over_a_recording() -> None:
    starts = [clip.start for clip in taken(some(3001.0), 30, 20)]
    assert max(starts) - min(starts) > 1500


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("composer")
    assert COMPOSER_MAESTRO_DEMO.synthesise is not None
    COMPOSER_MAESTRO_DEMO.synthesise(folder, lambda n: None)
    return folder


def test_composer_demo_is_a_sound_data_set(made: Path, tmp_path: Path) -> None:
    assert check_data(COMPOSER_MAESTRO_DEMO, made, tmp_path, QUIET) == []


def test_composer_demo_has_each_class_in_each_split(made: Path) -> None:
    found = Counter((clip.labels[0], clip.split) for clip in COMPOSER_MAESTRO_DEMO.read_clips(made, 0))
    assert found == {(c, s): n for c in COMPOSERS for s, n in (("train", 12), ("valid", 6), ("test", 6))}


def test_composer_demo_reports_as_many_steps_as_clips(tmp_path: Path) -> None:
    steps: list[int] = []
    COMPOSER_MAESTRO_DEMO.synthesise(tmp_path, steps.append)  # type: ignore[misc]
    assert sum(steps) == COMPOSER_MAESTRO_DEMO.n_clips


@pytest.mark.slow
def test_composer_demo_is_the_same_bytes_each_time(made: Path, tmp_path: Path) -> None:
    COMPOSER_MAESTRO_DEMO.synthesise(tmp_path, lambda n: None)  # type: ignore[misc]
    first, second = ([path.read_bytes() for path in sorted(at.rglob("*.wav"))] for at in (made, tmp_path))
    assert first == second
