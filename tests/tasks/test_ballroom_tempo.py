"""The tempo of Extended Ballroom: what its list of tracks says, and the stand-in."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import soundfile

from mirbench.errors import BadInput, MissingData
from mirbench.metrics import TEMPO
from mirbench.tasks import ballroom_tempo
from mirbench.tasks.ballroom import BALLROOM
from mirbench.tasks.ballroom_tempo import BALLROOM_TEMPO, BALLROOM_TEMPO_DEMO
from mirbench.trust.checks import check_clips, check_task
from tests.tasks.test_ballroom import PUBLISHED, SONGS, XML


def planted(folder: Path, text: str = PUBLISHED) -> Path:
    (folder / XML).write_text(text, encoding="utf-8")
    return folder


def test_tempi_are_those_of_the_list_on_the_split_of_the_dances(tmp_path: Path) -> None:
    root = planted(tmp_path)
    clips = {clip.id: clip for clip in BALLROOM_TEMPO.read_clips(root, 0)}
    assert {name: clip.values for name, clip in clips.items()} == dict(
        zip(SONGS, [(87.0,), (84.0,), (84.0,), (120.0,), (120.0,)], strict=True)
    )
    dances = {clip.id: clip for clip in BALLROOM.read_clips(root, 0)}
    assert {(c.id, c.split, c.group, c.path) for c in clips.values()} == {
        (c.id, c.split, c.group, c.path) for c in dances.values()
    }
    assert {clip.labels for clip in clips.values()} == {("tempo",)}


def test_a_track_without_a_tempo_is_left_out(tmp_path: Path) -> None:
    root = planted(tmp_path, PUBLISHED.replace('bpm="87" ', ""))
    assert {clip.id for clip in BALLROOM_TEMPO.read_clips(root, 0)} == set(SONGS) - {"100601"}


@pytest.mark.parametrize("bpm", ["fast", "0", "-87", "1000", "nan"])
def test_what_is_no_tempo_is_refused_with_its_track(bpm: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"the bpm of track 100601 is '{bpm}'; 30 to 300 is looked for"):
        BALLROOM_TEMPO.read_clips(planted(tmp_path, PUBLISHED.replace('bpm="87"', f'bpm="{bpm}"')), 0)


def test_a_list_without_tempi_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no track has a bpm"):
        BALLROOM_TEMPO.read_clips(planted(tmp_path, PUBLISHED.replace("bpm=", "was=")), 0)


def test_without_the_list_nothing_is_known() -> None:
    with pytest.raises(MissingData, match="ballroom-tempo: its tracks are listed in extendedballroom"):
        BALLROOM_TEMPO.read_clips(None, 0)


def test_the_card_conforms() -> None:
    for task in (BALLROOM_TEMPO, BALLROOM_TEMPO_DEMO):
        assert check_task(task) == []
        assert (task.kind, task.classes, task.metrics) == ("regression", ("tempo",), TEMPO)


def test_the_stand_in_beats_at_the_tempo_that_its_list_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.signal import find_peaks

    monkeypatch.setattr(ballroom_tempo, "_DEMO_DANCES", ("Jive",))
    monkeypatch.setattr(ballroom_tempo, "_DEMO_SPLITS", {"train": 2, "valid": 1, "test": 1})
    ballroom_tempo._synthesise(tmp_path, lambda n: None)
    task = replace(BALLROOM_TEMPO_DEMO, n_clips=4, read_clips=partial(ballroom_tempo._read, "ballroom-tempo-demo"))
    clips = task.read_clips(tmp_path, 0)
    assert check_clips(task, (tuple(clips),)) == []
    for clip in clips:
        audio, rate = soundfile.read(clip.path)
        hop = rate // 100
        energy = (audio[: len(audio) // hop * hop].reshape(-1, hop) ** 2).mean(axis=1)
        beats, _ = find_peaks(energy, height=0.2 * energy.max(), distance=20)
        found = 60 * (len(beats) - 1) / ((beats[-1] - beats[0]) / 100)
        assert found == pytest.approx(clip.values[0], rel=0.03)
