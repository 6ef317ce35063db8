"""Recordings that occur twice: planted copies of songs are found, synthesised and real, and nothing else is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from mirbench.tasks.audit import fingerprint
from mirbench.tasks.audit.fingerprint import HOP, RATE, Repeat, compare, landmarks, repeats
from mirbench.tasks.stand_in_music.song_styles import GENRES
from mirbench.tasks.stand_in_music.songs import song

Signal = np.ndarray

SONG_RATE = 16_000
HALF = SONG_RATE // 2


def as_mp3(audio: Signal, rate: int = SONG_RATE) -> Signal:
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="MP3")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def quieter(audio: Signal) -> Signal:
    return audio * np.float32(10 ** (-6 / 20))


DEFORMATIONS: dict[str, Callable[[Signal], Signal]] = {
    "mp3": as_mp3,
    "-6 dB": quieter,
    "cut by 0.5 s": lambda audio: audio[HALF:],
    "all three": lambda audio: as_mp3(quieter(audio[HALF:])),
    "inverted": lambda audio: -audio,
    "3 s of it": lambda audio: as_mp3(audio[2 * HALF : 8 * HALF]),
    "3 s of it in silence": lambda audio: np.pad(audio[2 * HALF : 8 * HALF], 5 * HALF),
}


def found(clips: list[Signal], rate: int = SONG_RATE) -> list[Repeat]:
    prints = [landmarks(soxr.resample(clip, rate, RATE)) for clip in clips]
    return repeats(prints, lambda clip, wanted: soxr.resample(clips[clip], rate, wanted))


@pytest.fixture(scope="module")
def songs() -> list[Signal]:
    """Two songs of each style, 6 s each."""
    return [song(g, np.random.default_rng(n), seconds=6.0, sample_rate=SONG_RATE) for n in range(2) for g in GENRES]


@pytest.mark.slow
def test_songs_of_the_same_styles_are_no_repeats(songs: list[Signal]) -> None:
    assert found(songs) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFORMATIONS)
def test_each_planted_copy_is_found_and_nothing_else(name: str, songs: list[Signal]) -> None:
    originals = songs[: len(GENRES)]
    pairs = [(r.a, r.b) for r in found(originals + [DEFORMATIONS[name](audio) for audio in originals])]
    assert pairs == [(k, k + len(GENRES)) for k in range(len(GENRES))]


def test_excerpts_that_overlap_by_part_are_found_with_their_overlap() -> None:
    audio = song("jazz", np.random.default_rng(5), seconds=12.0, sample_rate=SONG_RATE)
    (repeat,) = found([audio[: 16 * HALF], audio[9 * HALF :]])
    assert repeat.offset == pytest.approx(-4.5, abs=0.01)
    assert repeat.overlap == pytest.approx(3.5, abs=0.3)


def test_repeat_says_where_the_first_lies_in_the_second(songs: list[Signal]) -> None:
    (repeat,) = found([songs[3][HALF:], songs[3]])
    assert repeat.offset == pytest.approx(0.5, abs=0.001)


def test_score_of_a_mere_gain_is_one(songs: list[Signal]) -> None:
    (repeat,) = found([songs[0], 0.25 * songs[0]])
    assert repeat.score == pytest.approx(1.0, abs=1e-3)


def test_score_falls_with_what_is_mixed_in(songs: list[Signal]) -> None:
    scores = [compare(songs[0], songs[0] + share * songs[1], 0.0, (0, 9))[2] for share in (0.0, 0.3, 1.0, 3.0)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.99
    assert scores[-1] < fingerprint.MIN_SCORE


def test_another_performance_of_the_same_note_is_no_repeat() -> None:
    """Same pitch, same partials at other phases and another vibrato: waveforms tell them apart."""
    time = np.arange(4 * SONG_RATE) / SONG_RATE

    def note(seed: int) -> Signal:
        rng = np.random.default_rng(seed)
        wobble = 0.3 * np.sin(2 * np.pi * rng.uniform(4, 6) * time + rng.uniform(0, 6))
        partials = [np.sin(k * (2 * np.pi * 220 * time + wobble) + rng.uniform(0, 6)) / k for k in range(1, 12)]
        return (0.1 * np.sum(partials, axis=0) + 1e-3 * rng.standard_normal(len(time))).astype(np.float32)

    assert found([note(seed) for seed in range(6)]) == []


@pytest.mark.parametrize("audio", [np.zeros(0), np.zeros(5), np.zeros(3 * RATE), np.eye(1, 3 * RATE)[0]])
def test_audio_that_holds_nothing_has_no_landmarks(audio: Signal) -> None:
    assert len(landmarks(audio.astype(np.float32))) == 0


def test_no_clips_have_no_repeats() -> None:
    assert repeats([], lambda clip, rate: np.zeros(0, np.float32)) == []


def test_repeats_step_over_every_clip(songs: list[Signal], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "_BLOCK", 50)  # many blocks
    steps: list[int] = []
    prints = [landmarks(soxr.resample(clip, SONG_RATE, RATE)) for clip in songs[:5]]
    repeats(prints, lambda clip, rate: soxr.resample(songs[clip], SONG_RATE, rate), step=steps.append)
    assert sum(steps) == 5
    assert len(steps) > 1


def test_repeats_do_not_depend_on_the_size_of_blocks(songs: list[Signal], monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [*songs[:6], *(as_mp3(audio) for audio in songs[:3])]
    whole = found(clips)
    monkeypatch.setattr(fingerprint, "_BLOCK", 50)
    assert found(clips) == whole
    assert len(whole) == 3


def test_landmarks_of_a_long_file_do_not_depend_on_chunks(songs: list[Signal], monkeypatch: pytest.MonkeyPatch) -> None:
    audio = soxr.resample(songs[0], SONG_RATE, RATE)
    whole = landmarks(audio)
    monkeypatch.setattr(fingerprint, "_CHUNK", 50)
    np.testing.assert_array_equal(landmarks(audio), whole)


def test_landmarks_move_with_the_audio(songs: list[Signal]) -> None:
    """A copy that begins a whole number of frames later has the same hashes, that much earlier."""
    audio = soxr.resample(songs[0], SONG_RATE, RATE)
    whole, later = (set(landmarks(x).tolist()) for x in (audio, audio[40 * HOP :]))
    assert len({p - 40 for p in whole} & later) > 0.8 * len(later)


def test_a_clip_holds_under_1_kb_of_landmarks_a_second(songs: list[Signal]) -> None:
    assert max(landmarks(soxr.resample(audio, SONG_RATE, RATE)).nbytes for audio in songs) < 6 * 1000


def test_pairs_that_are_not_to_be_looked_at_are_left_out(songs: list[Signal]) -> None:
    clips = [songs[0], songs[0], songs[0]]
    prints = [landmarks(soxr.resample(clip, SONG_RATE, RATE)) for clip in clips]
    pairs = repeats(prints, lambda clip, rate: soxr.resample(clips[clip], SONG_RATE, rate), lambda a, b: b != 1)
    assert [(r.a, r.b) for r in pairs] == [(0, 2), (1, 2)]


def read_all(folder: Path, pattern: str) -> tuple[list[Signal], int]:
    audio = [soundfile.read(path, dtype="float32") for path in sorted(folder.glob(pattern))]
    (rate,) = {rate for _, rate in audio}
    return [samples for samples, _ in audio], rate


@pytest.mark.real
@pytest.mark.slow
def test_each_planted_copy_in_gtzan_mini_is_found_and_nothing_else(shared: Path) -> None:
    """10 s of every clip, as MP3 at -6 dB, from another half second on."""
    clips, rate = read_all(shared / "data" / "gtzan_mini" / "genres", "*/*.flac")
    parts = [audio[round((k % 15 + 0.5) * rate) :][: 10 * rate] for k, audio in enumerate(clips)]
    pairs = [(r.a, r.b) for r in found(clips + [as_mp3(quieter(part), rate) for part in parts], rate)]
    assert pairs == [(k, k + 100) for k in range(100)]


@pytest.mark.real
@pytest.mark.slow
def test_single_notes_of_the_philharmonia_are_no_repeats(shared: Path) -> None:
    clips, rate = read_all(shared / "data" / "philharmonia", "*/*.mp3")
    assert len(clips) == 240
    assert found(clips, rate) == []
