"""The synthesised sound events that the `nano` source is trained on."""

from __future__ import annotations

import numpy as np
import pytest

from mirbench.methods.sources.cards import NANO
from mirbench.methods.sources.nano_sounds.sounds import SOUNDS, Audio, scene


def made(name: str, seed: int, seconds: float = 1.0, sample_rate: int = 16_000) -> Audio:
    return SOUNDS[name](np.random.default_rng(seed), seconds, sample_rate)


def test_sounds_are_as_many_as_the_outputs_of_nano() -> None:
    assert len(SOUNDS) == NANO.n_outputs


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize(("seconds", "sample_rate"), [(0.1, 16_000), (1.23, 8_000), (2.0, 44_100)])
def test_sound_has_the_length_asked_for(name: str, seconds: float, sample_rate: int) -> None:
    assert made(name, 0, seconds, sample_rate).shape == (round(seconds * sample_rate),)


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_float32(name: str) -> None:
    assert made(name, 0).dtype == np.float32


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("seconds", [0.1, 5.0])
def test_sound_peaks_between_01_and_1(name: str, seconds: float) -> None:
    peaks = np.array([np.abs(made(name, seed, seconds)).max() for seed in range(5)])
    assert np.all((peaks >= 0.1 - 1e-6) & (peaks <= 1 + 1e-6)), peaks  # also fails on NaN


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_finite(name: str) -> None:
    assert all(np.isfinite(made(name, seed)).all() for seed in range(10))


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_of_one_seed_is_one_sound(name: str) -> None:
    np.testing.assert_array_equal(made(name, 3), made(name, 3))


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_of_another_seed_is_another_sound(name: str) -> None:
    sounds = np.array([made(name, seed) / np.abs(made(name, seed)).max() for seed in range(5)])
    assert len(np.unique(sounds.round(3), axis=0)) == 5


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_shorter_than_a_tenth_of_a_second_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"0\.09 s at 16000 Hz has 1440 samples; ask for at least 0\.1 s"):
        made(name, 0, 0.09)


def test_sounds_all_differ() -> None:
    sounds = np.array([made(name, 0) for name in SOUNDS])
    assert len(np.unique(sounds, axis=0)) == len(SOUNDS)


@pytest.mark.parametrize("n_events", [1, 2, 4, len(SOUNDS)])
def test_scene_names_as_many_different_sounds_as_asked_for(n_events: int) -> None:
    _, heard = scene(np.random.default_rng(0), 0.5, 16_000, n_events)
    assert len(set(heard)) == n_events


def test_scene_names_its_sounds_in_ascending_order() -> None:
    heard = [scene(np.random.default_rng(seed), 0.2, 16_000, 4)[1] for seed in range(10)]
    assert heard == [sorted(names) for names in heard]


def test_scene_draws_from_all_sounds() -> None:
    rng = np.random.default_rng(0)
    heard = {k for _ in range(40) for k in scene(rng, 0.1, 16_000, 10)[1]}
    assert heard == set(range(len(SOUNDS)))


def test_scene_is_float32_of_the_length_asked_for() -> None:
    audio, _ = scene(np.random.default_rng(0), 1.5, 16_000, 2)
    assert (audio.dtype, audio.shape) == (np.float32, (24_000,))


def test_scene_peaks_between_005_and_095() -> None:
    peaks = np.array([np.abs(scene(np.random.default_rng(seed), 1.0, 16_000, 3)[0]).max() for seed in range(30)])
    assert np.all((peaks >= 0.05 - 1e-6) & (peaks <= 0.95 + 1e-6)), peaks


def test_scene_of_one_seed_is_one_scene() -> None:
    first, second = (scene(np.random.default_rng(5), 1.0, 16_000, 3) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])


def test_scene_of_another_seed_is_another_scene() -> None:
    first, second = (scene(np.random.default_rng(seed), 1.0, 16_000, 3)[0] for seed in (5, 6))
    assert np.abs(np.corrcoef(first, second)[0, 1]) < 0.5


@pytest.mark.parametrize("n_events", [0, -1, len(SOUNDS) + 1])
def test_scene_of_an_impossible_number_of_sounds_is_refused(n_events: int) -> None:
    with pytest.raises(ValueError, match=f"a scene of {n_events} different sounds was asked for; it can have 1 to 50"):
        scene(np.random.default_rng(0), 1.0, 16_000, n_events)
