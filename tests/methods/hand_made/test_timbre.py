"""Frame features: against librosa, torchaudio's filter bank and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from mirbench.methods.hand_made import timbre as t

RATE = t.SAMPLE_RATE
# names of the columns of `timbre`
CROSSINGS, CENTROID, ROLLOFF, FLUX, MFCC = 0, 1, 2, 3, slice(4, 17)


def sine(hertz: float, seconds: float = 1.0, amplitude: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).normal(size=round(seconds * RATE))).astype(np.float32)


def test_power_spectra_keep_the_energy_of_each_windowed_frame() -> None:
    audio = noise()
    power = t.power_spectra(audio)
    frames = audio[: len(power) * 512].reshape(-1, 512) * signal.get_window("hamming", 512)
    both_sides = power[:, 0] + power[:, -1] + 2 * power[:, 1:-1].sum(axis=1)
    assert np.allclose(both_sides * 512, np.square(frames).sum(axis=1))


def test_power_spectra_of_overlapping_frames_are_scipy_s() -> None:
    audio = noise()
    power = t.power_spectra(audio, 1024, 512)
    _, _, expected = signal.spectrogram(
        audio.astype(np.float64), RATE, signal.get_window("hamming", 1024), noverlap=512, detrend=False, mode="complex",
        scaling="spectrum",
    )  # fmt: skip
    gain = signal.get_window("hamming", 1024).sum() / 1024  # scipy's scale is that of a sine's amplitude
    assert np.allclose(power.T, np.square(np.abs(expected)) * gain**2)


@pytest.mark.parametrize(("n_samples", "count"), [(100, 1), (512, 1), (1023, 1), (1024, 2), (22_050, 43)])
def test_frames_are_whole_and_at_least_one(n_samples: int, count: int) -> None:
    audio = noise()[:n_samples]
    assert t.frame_count(n_samples) == len(t.timbre(audio)) == count


def test_centroid_and_rolloff_of_a_sine_are_its_frequency() -> None:
    found = t.timbre(sine(4000))
    assert np.allclose(found[:, [CENTROID, ROLLOFF]], 4000 / (RATE / 2), atol=0.005)


def test_centroid_of_white_noise_is_half_way_and_its_rolloff_nine_tenths() -> None:
    mean = t.timbre(noise(20)).mean(axis=0)
    assert mean[CENTROID] == pytest.approx(0.5, abs=0.01)
    assert mean[ROLLOFF] == pytest.approx(0.9, abs=0.01)


@pytest.mark.slow
def test_centroid_and_rolloff_agree_with_librosa() -> None:
    feature = pytest.importorskip("librosa.feature")
    audio = noise(3) + sine(700, 3)
    power, found = t.power_spectra(audio).T, t.timbre(audio)
    centroid = feature.spectral_centroid(S=power, sr=RATE)[0] / (RATE / 2)
    rolloff = feature.spectral_rolloff(S=power, sr=RATE, roll_percent=0.9)[0] / (RATE / 2)
    assert np.allclose(found[:, CENTROID] * 257 / 256, centroid)
    assert np.allclose(found[:, ROLLOFF] * 257 / 256, rolloff)


def test_zero_crossings_of_a_sine_are_twice_its_frequency() -> None:
    assert t.timbre(sine(1000, 5))[:, CROSSINGS].mean() == pytest.approx(2 * 1000 / RATE, rel=0.01)


def test_flux_is_nothing_in_the_first_frame_and_after_one_like_it() -> None:
    frame = noise()[:512]
    assert np.array_equal(t.timbre(np.tile(frame, 3))[:, FLUX], [0, 0, 0])


def test_flux_of_a_change_of_level_is_that_of_all_bins_alike() -> None:
    frame = noise()[:512]
    assert t.timbre(np.concatenate([frame, 0.5 * frame]))[1, FLUX] == pytest.approx(256 / 257)


def test_level_moves_the_first_mfcc_and_chroma_alone() -> None:
    audio = noise(2)
    loud, quiet = t.timbre(audio), t.timbre(audio / 8)
    moved = np.flatnonzero(~np.isclose(loud, quiet, rtol=1e-4, atol=1e-6).all(axis=0))
    assert list(moved) == [4, *range(17, 29)]  # not the two ratios of chroma
    assert np.allclose(loud[:, 4] - quiet[:, 4], np.log10(64) * np.sqrt(40))


def test_mfcc_of_timbre_are_those_of_slaney_s_triangles() -> None:
    audio = noise()
    edges = [400 / 3 + 200 / 3 * k for k in range(13)]
    edges += [edges[-1] * 1.0711703**k for k in range(1, 30)]  # of the Auditory Toolbox
    hertz = np.arange(257) * RATE / 512
    bank = [
        np.interp(hertz, [low, mid, high], [0, 2 / (high - low), 0], 0, 0)
        for low, mid, high in zip(edges, edges[1:], edges[2:], strict=False)
    ]
    log = np.log10(t.power_spectra(audio) @ np.transpose(bank))
    order, band = np.arange(13)[:, None], np.arange(40)
    cosines = np.cos(np.pi * order * (2 * band + 1) / 80) * np.where(order, np.sqrt(2 / 40), np.sqrt(1 / 40))
    assert np.allclose(t.timbre(audio)[:, MFCC], log @ cosines.T, atol=0.02)


@pytest.mark.slow  # numba compiles it first
def test_mfcc_agree_with_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    audio = noise(2)
    spectra = librosa.stft(audio, n_fft=1024, hop_length=512, window="hamming", center=False) / 1024
    mel = librosa.feature.melspectrogram(S=np.abs(spectra) ** 2, sr=RATE, n_mels=40)
    expected = librosa.feature.mfcc(S=np.log10(mel), n_mfcc=20)
    assert np.allclose(t.mfcc(audio).T, expected, atol=1e-3)


def test_chroma_of_an_a_is_greatest_at_its_pitch_class_in_every_octave() -> None:
    for hertz, pitch in ((880, 0), (1760, 0), (3520, 0), (1760 * 2 ** (3 / 12), 3), (1760 * 2 ** (7 / 12), 7)):
        assert (t.timbre(sine(hertz))[:, 17:29].argmax(axis=1) == pitch).all()


def test_chroma_bank_is_librosa_s() -> None:
    filters = pytest.importorskip("librosa.filters")
    expected = filters.chroma(sr=RATE, n_fft=512, tuning=0, octwidth=None, norm=2, base_c=False)
    assert np.allclose(t.chroma_bank().T, expected, atol=1e-6)


def test_ratios_of_chroma_are_of_its_maximum() -> None:
    found = t.timbre(noise())[:, 17:]
    classes = found[:, :12]
    assert np.allclose(found[:, 12], classes.max(axis=1) / classes.mean(axis=1))
    assert np.allclose(found[:, 13], classes.max(axis=1) / classes.min(axis=1))


def test_slopes_of_a_line_are_its_slope_and_nothing() -> None:
    line = np.outer(np.arange(30), [1.0, -2.0])
    found = t.with_deltas(line)[10:-10]
    assert np.allclose(found, np.column_stack([line[10:-10], *np.tile([[1.0], [-2.0], [0], [0]], 10)]), atol=1e-5)


def test_texture_statistics_are_those_of_windows_that_begin_with_the_first_frame() -> None:
    features = np.random.default_rng(0).normal(size=(100, 3))
    history = [np.concatenate([np.repeat(features[:1], 40, axis=0), features[: k + 1]])[-40:] for k in range(100)]
    running = np.stack([np.concatenate([w.mean(axis=0), w.std(axis=0)]) for w in history])
    expected = np.concatenate([running.mean(axis=0), running.std(axis=0)]).reshape(4, 3)
    assert np.allclose(t.texture_statistics(features), expected)


@pytest.mark.parametrize("n_samples", [100, 512, 2205])
def test_a_short_or_silent_clip_has_features(n_samples: int) -> None:
    for audio in (np.zeros(n_samples, np.float32), noise()[:n_samples]):
        assert np.isfinite(t.texture_statistics(t.timbre(audio))).all()
        assert np.isfinite(t.with_deltas(t.mfcc(audio))).all()


def test_silence_within_a_clip_leaves_no_hole_in_its_features() -> None:
    audio = noise(3)
    audio[RATE : 2 * RATE] = 0
    found = t.timbre(audio)
    assert np.isfinite(found).all()
    assert np.array_equal(found[60, :4], [0, 0.5, 1, 0])
    assert np.isfinite(t.mfcc(audio)).all()
