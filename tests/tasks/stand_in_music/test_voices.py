"""The synthesised voices of the stand-in tasks."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mirbench.tasks.stand_in_music.songs import Signal
from mirbench.tasks.stand_in_music.voices import note, scene

RATE = 16_000


def made(kinds: list[int], seed: int, seconds: float = 2.0, n_kinds: int = 10) -> Signal:
    return scene(kinds, n_kinds, np.random.default_rng(seed), seconds=seconds, sample_rate=RATE)


@cache
def of_kind(kind: int, seed: int) -> Signal:
    """Two seconds of one voice."""
    return made([kind], seed)


def struck(kind: int, seed: int = 0, pitch: int = 60, velocity: int = 100, seconds: float = 1.0) -> Signal:
    return note(kind, 10, pitch, velocity, np.random.default_rng(seed), seconds=seconds, sample_rate=RATE)


def bands(audio: Signal) -> np.ndarray:
    """Power in 24 bands, evenly wide in pitch where they can be, for each frame: (n_frames, 24)."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, 1024)[::512] * np.hanning(1024)
    edges = np.unique(np.geomspace(1, 513, 29).astype(int))[:24]
    return np.add.reduceat(np.abs(np.fft.rfft(frames)) ** 2, edges, axis=1)


def spectrum(audio: Signal) -> np.ndarray:
    """Mean power in the bands, in log, less its mean: what is heard at any level."""
    power = np.log(bands(audio).mean(axis=0) + 1e-9)
    return power - power.mean()


def brightness(audio: Signal, pitch: int) -> float:
    """Power of the partials from the second to the fifth, against the first: breath hardly counts."""
    power = np.abs(np.fft.rfft(audio, RATE)) ** 2  # a bin for each Hz
    partials = [
        power[round(0.97 * f) : round(1.03 * f)].sum() for f in 440 * 2 ** ((pitch - 69) / 12) * np.arange(1, 6)
    ]
    return float(sum(partials[1:]) / partials[0])


def fundamental(audio: Signal) -> float:
    """Frequency of the first high peak of the autocorrelation, in Hz."""
    power = np.abs(np.fft.rfft(audio, 2 * len(audio))) ** 2
    likeness = np.fft.irfft(power, 16 * len(audio))[: 2 * len(audio)]  # eight lags a sample, for the height of peaks
    after = int(np.argmax(likeness < 0))  # the first zero crossing
    peaks = np.flatnonzero((likeness[1:-1] > likeness[:-2]) & (likeness[1:-1] >= likeness[2:])) + 1
    peaks = peaks[peaks > after]
    first = peaks[likeness[peaks] > 0.9 * likeness[peaks].max()][0]
    return float(8 * RATE / first)


@pytest.mark.parametrize("kinds", [[], [3], [0, 9], [2, 2, 5]])
@pytest.mark.parametrize(
    ("seconds", "sample_rate"), [(2.0, 22_050), (0.05, 16_000), (1.23, 8_000), (1 / 16_000, 16_000)]
)
def test_scene_has_the_length_asked_for(kinds: list[int], seconds: float, sample_rate: int) -> None:
    audio = scene(kinds, 10, np.random.default_rng(0), seconds=seconds, sample_rate=sample_rate)
    assert audio.shape == (round(seconds * sample_rate),)


@pytest.mark.parametrize("kinds", [[], [3], [1, 2, 3]])
def test_scene_is_float32(kinds: list[int]) -> None:
    assert made(kinds, 0).dtype == np.float32


@pytest.mark.parametrize("kinds", [[], [3], [1, 2, 3]])
@pytest.mark.parametrize("seconds", [1 / RATE, 0.2])
def test_scene_peaks_between_01_and_09(kinds: list[int], seconds: float) -> None:
    peaks = np.array([np.abs(made(kinds, seed, seconds)).max() for seed in range(12)])
    assert np.all((peaks >= 0.1) & (peaks <= 0.9)), peaks  # also fails on NaN


@pytest.mark.parametrize("kinds", [[], [3], [1, 2, 3]])
def test_scene_of_one_seed_is_one_scene(kinds: list[int]) -> None:
    np.testing.assert_array_equal(made(kinds, 3), made(kinds, 3))


def test_scene_of_another_seed_is_another_scene() -> None:
    alike = np.abs(np.corrcoef([made([3], seed) for seed in range(8)]) - np.eye(8))
    assert alike.max() < 0.9


def test_scene_takes_all_chance_from_its_generator() -> None:
    np.random.seed(0)  # noqa: NPY002  (that nobody draws from it is the claim)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    made([3], 0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.slow
def test_scenes_of_one_kind_are_more_alike_than_of_two() -> None:
    spectra = np.array([[spectrum(of_kind(kind, 100 * kind + n)) for n in range(5)] for kind in range(10)])
    distances = np.linalg.norm(spectra[:, :, None, None] - spectra, axis=-1)  # (kind, n, kind, n)
    same = np.mean([distances[kind, :, kind].sum() / (5 * 4) for kind in range(10)])
    other = np.mean([distances[a, :, b].mean() for a in range(10) for b in range(10) if a != b])
    assert other > 1.15 * same


def added(first: list[int], kind: int, seed: int, seconds: float = 2.0) -> tuple[Signal, float]:
    """What a voice adds to a scene of the first kinds, found by taking these away, and its share of the energy."""
    both, rest = made([*first, kind], seed, seconds), made(first, seed, seconds)
    left = both - rest * np.float32(both @ rest / (rest @ rest))
    return left, float(left @ left / (both @ both))


def test_voice_adds_much_energy_to_a_scene() -> None:
    assert min(added([0], kind, kind)[1] for kind in range(1, 10)) > 0.1


@pytest.mark.slow
def test_voice_adds_energy_where_its_kind_has_it() -> None:
    typical = np.array([np.mean([spectrum(of_kind(k, 100 + n)) for n in range(4)], axis=0) for k in range(1, 10)])
    typical -= typical.mean(axis=0)
    ranks = []
    for kind in range(1, 10):
        heard = np.mean([spectrum(added([0], kind, n)[0]) for n in range(3)], axis=0)
        ranks.append(int((typical @ heard > typical[kind - 1] @ heard).sum()))
    assert np.mean(ranks) < 2, ranks  # of 0 to 8: 4 by chance


@pytest.mark.slow
def test_voice_is_heard_in_a_clip_shorter_than_its_bar() -> None:
    assert min(added([], kind, seed, 0.3)[1] for kind in range(10) for seed in range(5)) > 0.1


def test_scene_of_no_kind_is_the_accompaniment_of_the_others() -> None:
    alone, voiced = made([], 5), made([3], 5)
    assert 0.1 < alone @ voiced / np.linalg.norm(alone) / np.linalg.norm(voiced) < 0.9


@pytest.mark.slow
def test_kinds_can_be_learnt_and_not_perfectly() -> None:
    def features(audio: Signal) -> np.ndarray:
        power = np.log(bands(audio) + 1e-6)
        return np.concatenate([power.mean(axis=0), power.std(axis=0)])

    rows = np.array([features(of_kind(k, 100 * k + n)) for k in range(10) for n in range(15)])
    labels = np.repeat(np.arange(10), 15)
    test = np.arange(len(labels)) % 3 == 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    accuracy = model.fit(rows[~test], labels[~test]).score(rows[test], labels[test])
    assert 0.4 < accuracy < 0.95  # chance is 0.1


@pytest.mark.parametrize(("kinds", "wrong"), [([10], 10), ([0, -1], -1), ([3, 99], 99)])
def test_scene_of_an_unknown_kind_is_refused(kinds: list[int], wrong: int) -> None:
    with pytest.raises(ValueError, match=f"kind {wrong} is out of range; the 10 kinds are 0 to 9"):
        made(kinds, 0)


def test_scene_of_a_task_without_kinds_is_refused() -> None:
    with pytest.raises(ValueError, match="n_kinds is 0"):
        made([], 0, n_kinds=0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-6])
def test_scene_without_a_sample_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="hold no sample"):
        made([0], 0, seconds)


@pytest.mark.parametrize("seconds", [4.0, 0.05, 1.23, 1 / RATE])
def test_note_has_the_length_asked_for(seconds: float) -> None:
    assert struck(0, seconds=seconds).shape == (round(seconds * RATE),)


def test_note_is_float32() -> None:
    assert struck(0).dtype == np.float32


@pytest.mark.parametrize("kind", range(10))
def test_note_peaks_at_09_at_most(kind: int) -> None:
    peaks = np.array([np.abs(struck(kind, seed, velocity=127)).max() for seed in range(5)])
    assert np.all((peaks > 0.5) & (peaks <= 0.9)), peaks


def test_note_of_one_seed_is_one_note() -> None:
    np.testing.assert_array_equal(struck(4), struck(4))


@pytest.mark.parametrize("kind", range(10))
def test_note_grows_louder_with_velocity(kind: int) -> None:
    levels = [float(np.std(struck(kind, velocity=velocity))) for velocity in (25, 50, 75, 100, 127)]
    assert levels == sorted(levels)


@pytest.mark.parametrize("kind", range(10))
def test_note_grows_brighter_with_velocity(kind: int) -> None:
    assert brightness(struck(kind, velocity=127), 60) > 1.3 * brightness(struck(kind, velocity=25), 60)


@pytest.mark.parametrize("kind", range(10))
@pytest.mark.parametrize("pitch", [40, 57, 69, 88])
def test_note_has_its_pitch(kind: int, pitch: int) -> None:
    assert fundamental(struck(kind, pitch=pitch)) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.03)


@pytest.mark.parametrize("kind", range(10))
def test_note_fades_once_released(kind: int) -> None:
    quarters = struck(kind, seconds=4.0).reshape(4, -1)
    held, end = quarters[2].std(), quarters[3][-RATE // 4 :].std()
    assert end < 0.1 * held


@pytest.mark.parametrize("kind", [10, -1])
def test_note_of_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(ValueError, match=f"kind {kind} is out of range; the 10 kinds are 0 to 9"):
        struck(kind)


@pytest.mark.parametrize("pitch", [-1, 128, 120])  # 120 lies above half of the sample rate
def test_note_of_an_impossible_pitch_is_refused(pitch: int) -> None:
    with pytest.raises(ValueError, match=f"pitch {pitch} cannot sound at 16000 Hz"):
        struck(0, pitch=pitch)


@pytest.mark.parametrize("velocity", [0, 128])
def test_note_of_an_impossible_velocity_is_refused(velocity: int) -> None:
    with pytest.raises(ValueError, match=f"velocity {velocity} is out of range"):
        struck(0, velocity=velocity)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-6])
def test_note_without_a_sample_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="hold no sample"):
        struck(0, seconds=seconds)
