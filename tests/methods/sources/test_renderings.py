from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import fft, signal
from torchaudio import transforms

from mirbench.errors import BadInput
from mirbench.methods.sources.renderings import RENDERINGS, Asperes, Asperes8Bit, Mel, rendering

RATE = 44_100


def tone(frequency: float, seconds: float = 2.0, amplitude: float = 1.0, rate: int = RATE) -> torch.Tensor:
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (amplitude * torch.sin(2 * torch.pi * frequency * time)).float()[None]


def melody(peak: float) -> torch.Tensor:
    """Three seconds of plucked chords over soft noise, peaking at `peak`, in 16 bits as a file would hold them."""
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    wave = 0.01 * rng.normal(size=len(time))
    for start, notes in ((0.0, (220, 277, 330)), (0.8, (196, 247, 294)), (1.7, (165, 208, 247))):
        late = np.clip(time - start, 0, None)
        for note, partial in itertools.product(notes, range(1, 9)):
            wave += (time >= start) * np.exp(-3 * late) * np.sin(2 * np.pi * note * partial * late) / partial
    wave *= peak / np.abs(wave).max()
    return torch.from_numpy(np.round(wave * 32_767) / 32_767).float()[None]


def grey(picture: torch.Tensor) -> torch.Tensor:
    return (picture * 255).round()


def test_mel_per_image_is_the_log_mel_of_torchaudio() -> None:
    power = transforms.MelSpectrogram(
        RATE, 4096, hop_length=1024, f_max=11_025, n_mels=128, norm="slaney", mel_scale="slaney", pad_mode="constant"
    )(melody(0.5))[0]
    level = 10 * torch.log10(power / power.max()).clamp_min(-8)
    assert torch.allclose(Mel(RATE, "per-image")(melody(0.5))[0, 0], 1 + level / 80, atol=2e-3)


@pytest.mark.slow
def test_mel_per_image_is_the_picture_that_librosa_draws() -> None:
    librosa = pytest.importorskip("librosa")
    wave = melody(0.5)
    power = librosa.feature.melspectrogram(y=wave[0].numpy(), sr=RATE, n_fft=4096, hop_length=1024, fmax=11_025)
    level = librosa.power_to_db(power, ref=np.max, top_db=80)
    drawn = Mel(RATE, "per-image")(wave)[0, 0]
    assert drawn.shape == level.shape
    np.testing.assert_allclose(drawn.numpy(), 1 + level / 80, atol=2e-3)


def test_mel_draws_half_the_amplitude_6_decibels_darker() -> None:
    draw = Mel(RATE)
    loud, soft = draw(tone(440.0)), draw(tone(440.0, amplitude=0.5))
    lit = soft > 0.05
    assert lit.sum() > 100
    assert torch.allclose((loud - soft)[lit], torch.tensor(20 * np.log10(2) / 80, dtype=torch.float32), atol=1e-4)


def test_mel_white_is_a_full_scale_sine_in_the_strongest_band() -> None:
    draw = Mel(RATE, intensity="linear")
    levels = [float(draw.magnitudes(tone(k * RATE / draw.n_fft, 0.5))[..., 2:-2].max()) for k in range(1, 60)]
    assert max(levels) == pytest.approx(1.0, abs=1e-3)


def test_asperes_has_121_rows_and_100_pixels_a_second() -> None:
    assert Asperes(RATE)(torch.zeros(1, 30 * RATE)).shape == (1, 1, 121, 3000)
    assert Asperes(32_000)(torch.zeros(2, 16_000)).shape == (2, 1, 121, 50)


@pytest.mark.parametrize("band", [0, 33, 67, 92, 104, 120])
def test_asperes_tone_lights_its_row_at_full_scale(band: int) -> None:
    picture = Asperes(RATE, intensity="linear")(tone(20 * 2 ** (band / 12), 4.0))[0, 0]
    middle = picture[:, 200]
    assert int(middle.argmax()) == band
    assert middle[band] == pytest.approx(1.0, abs=0.01)
    others = torch.cat([middle[: max(0, band - 1)], middle[band + 2 :]])
    assert others.max() < 0.05


@pytest.mark.parametrize("time", [0.004, 0.5551, 1.236, 1.9949])
def test_asperes_click_is_in_its_column(time: float) -> None:
    wave = torch.zeros(1, 2 * RATE)
    wave[0, round(time * RATE)] = 1.0
    picture = Asperes(RATE, "per-image", "linear")(wave)[0, 0]
    assert (picture[80:].argmax(dim=1) == int(time * 100)).all()


@pytest.mark.parametrize("band", [20, 61, 95, 118])
def test_asperes_row_equals_the_envelope_computed_at_full_rate(band: int) -> None:
    wave = melody(0.7)
    n, pixel = wave.shape[1] + RATE, RATE // 100
    spectrum = fft.rfft(wave[0].double().numpy(), n)
    with np.errstate(divide="ignore"):
        distance = 12 * np.log2(fft.rfftfreq(n, 1 / RATE) / (20 * 2 ** (band / 12)))
    spectrum = np.where(np.abs(distance) < 1, spectrum * np.cos(np.pi * distance.clip(-1, 1) / 2) ** 2, 0)
    envelope = np.abs(signal.hilbert(fft.irfft(spectrum, n)))
    kernel = np.blackman(2 * pixel + 1)
    smooth = signal.fftconvolve(envelope, kernel / kernel.sum(), mode="same")
    expected = smooth[pixel // 2 :: pixel][1:299]
    drawn = Asperes(RATE, intensity="linear")(wave)[0, 0, band, 1:299].numpy()
    np.testing.assert_allclose(drawn, expected, atol=0.01 * expected.max())


def test_asperes_bands_above_half_the_rate_are_black() -> None:
    wave = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    picture = Asperes(16_000)(wave)[0, 0]
    lowest_edge = 20 * 2 ** ((torch.arange(121) - 1) / 12)
    assert (picture[lowest_edge > 8000] == 0).all()
    assert (picture[lowest_edge < 7000].mean(dim=1) > 0.01).all()


@pytest.mark.parametrize(("level", "share"), [(-6, 0.003), (-20, 0.01), (-35, 0.05)])
def test_asperes_per_image_hides_gain(level: int, share: float) -> None:
    # what is left is the rounding to 16 bits, which at -35 dB is 1/580 of the peak
    draw = Asperes(RATE, "per-image", "linear")
    difference = (grey(draw(melody(1.0))) - grey(draw(melody(10 ** (level / 20))))).abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < share


@pytest.mark.parametrize("intensity", ["linear", "gamma2"])
def test_asperes_absolute_shows_gain(intensity: str) -> None:
    draw = Asperes(RATE, "absolute", intensity)
    difference = (grey(draw(melody(1.0))) - grey(draw(melody(0.1)))).abs()
    assert difference.max() >= 16
    assert (difference > 0).float().mean() > 0.1


def test_asperes_absolute_and_linear_is_almost_black() -> None:
    means = [
        float(Asperes(RATE, intensity="linear")(melody(10 ** (level / 20))).mean() * 255) for level in (0, -6, -35)
    ]
    assert 0.1 < means[0] < 5
    assert means[1] == pytest.approx(means[0] / 2, rel=0.02)
    assert means[2] < 0.1


def test_gamma2_is_the_square_root_and_decibels_reach_96_below_white() -> None:
    wave = melody(0.5)
    linear, gamma2, db = (Asperes(RATE, intensity=name)(wave) for name in ("linear", "gamma2", "db"))
    assert torch.allclose(gamma2, linear.sqrt(), atol=1e-3)
    assert torch.allclose(db, (1 + 20 * torch.log10(linear + 1e-12) / 96).clamp(0, 1), atol=1e-3)


def test_picture_of_8_bits_holds_whole_greys_and_passes_the_gradient() -> None:
    wave, again = melody(0.5), melody(0.5)
    exact, coarse = (draw(RATE, intensity="linear") for draw in (Asperes, Asperes8Bit))
    greys = coarse(wave.requires_grad_(True)) * 255
    assert torch.allclose(greys, (exact(again.requires_grad_(True)) * 255).round(), atol=1e-4)
    assert len(greys.round().unique()) > 3
    for picture in (coarse(wave), exact(again)):
        picture.sum().backward()
    assert wave.grad is not None
    assert torch.equal(wave.grad, again.grad)


@pytest.mark.parametrize(
    ("name", "scale", "intensity"),
    list(itertools.product(RENDERINGS, ("absolute", "per-image"), ("linear", "gamma2", "db"))),
)
def test_silence_is_black_and_has_a_gradient(name: str, scale: str, intensity: str) -> None:
    wave = torch.zeros(2, 16_000)
    wave[1, 8000:8100] = 0.1
    wave.requires_grad_(True)
    picture = rendering(name, 16_000, scale, intensity)(wave)
    picture.sum().backward()
    assert (picture[0] == 0).all()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()
    assert wave.grad[1].abs().sum() > 0


@pytest.mark.parametrize(("name", "scale"), list(itertools.product(RENDERINGS, ("absolute", "per-image"))))
def test_picture_is_in_unit_range_and_does_not_depend_on_batch_mates(name: str, scale: str) -> None:
    draw = rendering(name, 16_000, scale, "auto")
    waves = torch.randn(3, 16_000, generator=torch.Generator().manual_seed(0)) * torch.tensor([[0.01], [0.3], [3.0]])
    together = draw(waves)
    assert 0 <= together.min() < together.max() <= 1
    for k in range(3):
        alone = draw(waves[k : k + 1])
        assert torch.allclose(alone, together[k : k + 1], atol=1 / 254 if name == "asperes-8bit" else 1e-5)
        assert (alone - together[k : k + 1]).abs().mean() < 1e-4  # rounding may turn over


def test_gradient_is_right_where_it_can_be_checked() -> None:
    # along one direction, against the difference quotient
    draw = rendering("asperes", 16_000, "absolute", "gamma2")
    generator = torch.Generator().manual_seed(0)
    wave, step = 0.3 * torch.randn(2, 1, 8000, generator=generator)
    wave.requires_grad_(True)
    draw(wave).sum().backward()
    assert wave.grad is not None
    slope = float((wave.grad * step).sum())
    with torch.no_grad():
        quotient = float(draw(wave + 1e-3 * step).double().sum() - draw(wave - 1e-3 * step).double().sum()) / 2e-3
    assert slope == pytest.approx(quotient, rel=0.02)


def test_a_bank_made_under_inference_mode_serves_training_too() -> None:
    draw = rendering("asperes", 16_000, "absolute", "auto")
    with torch.inference_mode():
        draw(torch.zeros(1, 12_345))
    wave = torch.ones(1, 12_345, requires_grad=True)
    draw(wave).sum().backward()
    assert wave.grad is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "cqt"},
        {"image_scale": "per_image"},
        {"intensity": "log"},
        {"name": "asperes", "sample_rate": 22_050 + 1},
    ],
)
def test_what_is_not_known_is_refused(wrong: dict[str, object]) -> None:
    right = {"name": "mel", "sample_rate": 44_100, "image_scale": "absolute", "intensity": "auto"}
    with pytest.raises(BadInput, match=r"known|divide"):
        rendering(**{**right, **wrong})
