"""The synthesised songs of the stand-in task."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mirbench.tasks import gtzan
from mirbench.tasks.stand_in_music.song_styles import CHORDS, GENRES, VOICES, Part
from mirbench.tasks.stand_in_music.songs import Signal, song


def made(genre: str, seed: int, seconds: float = 2.0, sample_rate: int = 16_000) -> Signal:
    return song(genre, np.random.default_rng(seed), seconds=seconds, sample_rate=sample_rate)


def test_genres_are_those_of_the_task() -> None:
    assert tuple(GENRES) == gtzan.GENRES


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize(("seconds", "sample_rate"), [(2.0, 22_050), (0.05, 16_000), (1.23, 8_000), (1.0, 44_100)])
def test_song_has_the_length_asked_for(genre: str, seconds: float, sample_rate: int) -> None:
    assert made(genre, 0, seconds, sample_rate).shape == (round(seconds * sample_rate),)


@pytest.mark.parametrize("genre", GENRES)
def test_song_is_float32(genre: str) -> None:
    assert made(genre, 0).dtype == np.float32


@pytest.mark.parametrize("genre", GENRES)
def test_song_is_finite_and_peaks_between_03_and_09(genre: str) -> None:
    peaks = np.array([np.abs(made(genre, seed)).max() for seed in range(10)])
    assert np.all((peaks >= 0.3 - 1e-6) & (peaks <= 0.9 + 1e-6)), peaks  # a sample that is not finite would be the peak


@pytest.mark.parametrize("genre", GENRES)
def test_song_sounds_throughout(genre: str) -> None:
    quarters = np.concatenate([made(genre, seed, 4.0).reshape(4, -1).std(axis=1) for seed in range(5)])
    assert quarters.min() > 1e-3


@pytest.mark.parametrize("genre", GENRES)
def test_song_of_one_seed_is_one_song(genre: str) -> None:
    np.testing.assert_array_equal(made(genre, 3), made(genre, 3))


@pytest.mark.parametrize("genre", GENRES)
def test_song_of_another_seed_is_another_song(genre: str) -> None:
    songs = np.array([made(genre, seed) for seed in range(8)])
    alike = np.abs(np.corrcoef(songs) - np.eye(len(songs)))
    assert alike.max() < 0.9


def test_song_takes_all_chance_from_its_generator() -> None:
    np.random.seed(0)  # noqa: NPY002  (that nobody draws from it is the claim)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    made("rock", 0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_song_of_an_unknown_genre_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'polka'; known: blues, classical"):
        made("polka", 0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-6])
def test_song_without_a_sample_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="hold no sample"):
        made("rock", 0, seconds)


@pytest.mark.parametrize("genre", GENRES)
def test_style_is_related_to_other_known_genres(genre: str) -> None:
    assert set(GENRES[genre].related) <= set(GENRES) - {genre}


@pytest.mark.parametrize("genre", GENRES)
def test_style_patterns_have_sixteen_digits(genre: str) -> None:
    style = GENRES[genre]
    parts = [value for field in fields(style) if isinstance(value := getattr(style, field.name), Part)]
    patterns = [pattern.replace(" ", "") for pattern in (*style.drums, *(part.pattern for part in parts))]
    assert [pattern for pattern in patterns if len(pattern) != 16 or not pattern.isdigit()] == []


@pytest.mark.parametrize("genre", GENRES)
def test_style_voices_are_known(genre: str) -> None:
    style = GENRES[genre]
    assert {voice for part in (style.bass, style.comp, style.lead) for voice in part.voices} <= set(VOICES)


@pytest.mark.parametrize("genre", GENRES)
def test_style_chords_are_known(genre: str) -> None:
    qualities = {chord.split(":")[1] for text in GENRES[genre].progressions for chord in text.split()}
    assert qualities <= set(CHORDS)


def features(audio: Signal) -> np.ndarray:
    """Mean, spread and flux of 24 log bands: what a simple classifier would hear."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, 1024)[::512] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames)) ** 2  # (n_frames, 513)
    edges = np.unique(np.geomspace(1, 513, 25).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0), np.abs(np.diff(bands, axis=0)).mean(axis=0)])


@pytest.mark.slow
def test_genres_can_be_learnt_and_not_perfectly() -> None:
    rows = np.array([features(made(genre, 100 * k + n, 4.0)) for k, genre in enumerate(GENRES) for n in range(18)])
    labels = np.repeat(np.arange(len(GENRES)), 18)
    test = np.arange(len(labels)) % 3 == 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    accuracy = model.fit(rows[~test], labels[~test]).score(rows[test], labels[test])
    assert 0.4 < accuracy < 0.97  # chance is 0.1
