"""Level, peak and channels that cancel, told block by block."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mirbench.errors import BadAudio
from mirbench.features import audio, loudness
from mirbench.progress import Progress
from mirbench.types import Excerpt

RATE = 16000
quick = settings(max_examples=60, deadline=None, database=None)


def noise(seed, seconds=1.0):
    return 0.2 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def facts(path, channels, **options):
    soundfile.write(path, np.stack(channels, axis=1), RATE, **options)
    return audio.survey([Excerpt(path)], path.with_suffix(".sqlite"), Progress(quiet=True))


def tallied(blocks):
    tally = loudness.Tally()
    for block in blocks:
        tally.add(block)
    return tally


@quick
@given(count=st.integers(1, 3000), n_channels=st.integers(1, 9), cuts=st.lists(st.integers(0, 3000), max_size=4))
def test_level_and_peak_of_blocks_are_those_of_the_whole_to_the_bit(count, n_channels, cuts):
    signal = np.random.default_rng(count).standard_normal((count, n_channels)).astype(np.float32)
    tally = tallied(np.split(signal, sorted(min(cut, count) for cut in cuts)))
    mean = signal.mean(axis=1, dtype=np.float32)
    wanted = float(np.sqrt(np.mean(np.square(mean, dtype=np.float64))))
    assert (tally.count, tally.peak, tally.rms()) == (count, float(np.abs(mean).max()), wanted)


def test_level_of_what_is_too_long_to_hold_is_the_same_but_for_rounding(monkeypatch):
    blocks = [np.random.default_rng(n).standard_normal((1000, 2)).astype(np.float32) for n in range(9)]
    held = tallied(blocks).rms()
    monkeypatch.setattr(loudness, "_HELD", 2500)
    assert tallied(blocks).rms() == pytest.approx(held, rel=1e-12)


def test_level_of_unrelated_channels_is_what_they_have(tmp_path):
    (fact,) = facts(tmp_path / "a.wav", [noise(n) for n in range(4)]).values()
    assert fact.rms == pytest.approx(fact.rms_unrelated, rel=0.05)


@pytest.mark.parametrize(
    "channels",
    [
        (noise(0), noise(0)), (noise(0), noise(1)), (noise(0), 0 * noise(0)), (noise(0), -0.5 * noise(0)),
        (noise(0), *5 * [0 * noise(0)]), (noise(0),),
    ],
    ids=["the same", "unrelated", "one side", "half inverted", "one of six", "mono"],
)  # fmt: skip
def test_channels_of_recordings_are_not_said_to_cancel(channels, tmp_path):
    assert audio.oddities(facts(tmp_path / "a.wav", channels)) == []


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rest", [0.001, 0.01, 0.05])
def test_channels_that_nearly_cancel_are_said(rest, suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    music = 0.3 * np.sin(np.arange(RATE) / 20) + 0.1 * noise(0)
    (line,) = audio.oddities(facts(path, (music, -music + rest * noise(1))))
    assert line.startswith(f"{path}: its channels cancel")


def test_channels_that_cancel_are_named_in_the_refusal_of_silence(tmp_path):
    with pytest.raises(BadAudio, match=r"silent: its channels cancel.* one of them is inverted"):
        facts(tmp_path / "a.wav", (noise(0), -noise(0)), subtype="FLOAT")


def test_silence_is_not_said_to_cancel(tmp_path):
    with pytest.raises(BadAudio, match=r"silent \(peak"):
        facts(tmp_path / "a.wav", (0 * noise(0), 0 * noise(0)))


@pytest.mark.parametrize(("factor", "odd"), [(1.0, False), (2.0, False), (32768.0, True), (2.0**31, True)])
def test_samples_in_another_unit_are_said_and_not_changed(factor, odd, tmp_path):
    samples = noise(0) * factor
    found = facts(tmp_path / "a.wav", (samples,), subtype="FLOAT")
    assert [fact.peak for fact in found.values()] == pytest.approx([np.abs(samples).max()], rel=1e-6)
    assert ["another unit" in line for line in audio.oddities(found)] == [True] * odd
