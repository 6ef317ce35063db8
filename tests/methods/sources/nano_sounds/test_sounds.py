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


@pytest.mark.parametrize(("seconds", "sample_rate"), [(0.1, 16_000), (1.23, 8_000), (2.0, 44_100)])
def test_every_sound_is_float32_of_the_length_asked_for(seconds: float, sample_rate: int) -> None:
    sounds = {name: made(name, 0, seconds, sample_rate) for name in SOUNDS}
    facts = (np.float32, (round(seconds * sample_rate),))
    assert {name: (sound.dtype, sound.shape) for name, sound in sounds.items()} == dict.fromkeys(SOUNDS, facts)


@pytest.mark.parametrize("seconds", [0.1, 5.0])
@pytest.mark.slow
def test_every_sound_peaks_between_01_and_1(seconds: float) -> None:
    peaks = {name: np.array([np.abs(made(name, seed, seconds)).max() for seed in range(5)]) for name in SOUNDS}
    wrong = {name: p for name, p in peaks.items() if not np.all((p >= 0.1 - 1e-6) & (p <= 1 + 1e-6))}  # or is NaN
    assert wrong == {}


def test_every_sound_of_one_seed_is_one_sound_and_of_another_another_and_all_are_finite() -> None:
    for name in SOUNDS:
        sounds = [made(name, seed) for seed in range(5)]
        assert all(np.isfinite(sound).all() for sound in sounds), name
        np.testing.assert_array_equal(sounds[3], made(name, 3), err_msg=name)
        levelled = {(sound / np.abs(sound).max()).round(3).tobytes() for sound in sounds}
        assert (name, len(levelled)) == (name, 5)


def test_sound_shorter_than_a_tenth_of_a_second_is_refused() -> None:
    for name in SOUNDS:
        with pytest.raises(ValueError, match=r"0\.09 s at 16000 Hz has 1440 samples; ask for at least 0\.1 s"):
            made(name, 0, 0.09)


def test_sounds_all_differ() -> None:
    assert len({made(name, 0).tobytes() for name in SOUNDS}) == len(SOUNDS)


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
