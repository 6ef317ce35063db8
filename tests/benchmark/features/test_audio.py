"""Audio files to windows."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from mirbench.errors import BadAudio
from mirbench.features import audio
from mirbench.progress import Progress
from mirbench.types import Excerpt, Windowing

RATE = 22050
QUIET = Progress(quiet=True)
FORMATS = {
    "wav": {},
    "flac": {},
    "au": {},
    "aiff": {},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {},
}
if "MP3" not in soundfile.available_formats():
    del FORMATS["mp3"]
if "OPUS" not in soundfile.available_subtypes("OGG"):
    del FORMATS["opus"]
LOSSLESS = ("wav", "flac", "au", "aiff")
PLUS_TAIL = Windowing(windows="nonoverlap-plus-tail")
LENGTHS = {"n_samples": st.integers(0, 5000), "window": st.integers(1, 400)}
quick = settings(max_examples=100, deadline=None, database=None)


def tone(seconds=2.0, rate=RATE, hertz=440.0, amplitude=0.4, noise=0.02):
    generator = np.random.default_rng(1)
    count = round(seconds * rate)
    hiss = noise * generator.standard_normal(count)
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(count) / rate) + hiss).astype(np.float32)


def write(path, samples, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return path


def survey(paths, memo):
    return audio.survey([Excerpt(path) for path in paths], memo, QUIET)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_read_decodes_a_lossless_file_to_what_was_written(tmp_path, suffix):
    samples = tone()
    path = write(tmp_path / f"a.{suffix}", samples)
    np.testing.assert_allclose(audio.read(Excerpt(path), RATE), samples, atol=1 / 32768)


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix not in LOSSLESS])
def test_read_decodes_a_lossy_file_to_nearly_what_was_written(tmp_path, suffix):
    samples = tone(rate=24000)
    decoded = audio.read(Excerpt(write(tmp_path / f"a.{suffix}", samples, 24000, **FORMATS[suffix])), 24000)
    middle = slice(4800, -4800)
    assert np.corrcoef(decoded[middle], samples[middle])[0, 1] > 0.98


def test_read_gives_float32_mono(tmp_path):
    stereo = np.stack([tone(), tone()], axis=1)
    decoded = audio.read(Excerpt(write(tmp_path / "a.wav", stereo)), 16000)
    assert (decoded.dtype, decoded.ndim) == (np.float32, 1)


def test_read_averages_channels(tmp_path):
    left, right = tone(hertz=300), tone(hertz=700)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(audio.read(Excerpt(path), RATE), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("start", "duration"), [(0.0, 0.5), (0.53, 0.7), (1.1, None), (1.7, 5.0)])
def test_read_of_a_stretch_is_a_slice_of_the_whole(tmp_path, suffix, start, duration):
    path = write(tmp_path / f"a.{suffix}", tone(rate=24000), 24000, **FORMATS[suffix])
    whole = audio.read(Excerpt(path), 24000)
    first = round(start * 24000)
    wanted = whole[first:] if duration is None else whole[first : first + round(duration * 24000)]
    # An Opus decoder that starts in the middle needs a while to be bit-exact again.
    atol = 2e-3 if suffix == "opus" else 1e-6
    np.testing.assert_allclose(audio.read(Excerpt(path, start, duration), 24000), wanted, rtol=0, atol=atol)


@pytest.mark.skipif("mp3" not in FORMATS, reason="this libsndfile writes no MP3")
def test_read_of_a_stretch_of_mp3_is_right_from_its_first_sample(tmp_path):
    """A decoder that starts in the middle of the bit reservoir gets its first frames wrong."""
    path = write(tmp_path / "a.mp3", tone(4.0, amplitude=0.3, noise=0.05))
    whole = audio.read(Excerpt(path), RATE)
    for start in np.arange(0.31, 3.5, 0.11):
        first = round(start * RATE)
        piece = audio.read(Excerpt(path, float(start), 0.1), RATE)
        np.testing.assert_allclose(piece, whole[first : first + len(piece)], atol=1e-4)


@pytest.mark.parametrize("to", [8000, 16000, 32000, 44100])
def test_read_resamples_to_the_proportional_length(tmp_path, to):
    path = write(tmp_path / "a.wav", tone(1.37))
    assert abs(len(audio.read(Excerpt(path), to)) - 1.37 * to) <= 2


@pytest.mark.parametrize("to", [8000, 16000, 32000, 44100])
def test_read_resamples_a_sine_to_the_same_frequency(tmp_path, to):
    resampled = audio.read(Excerpt(write(tmp_path / "a.wav", tone(2.0))), to)
    spectrum = np.abs(np.fft.rfft(resampled * np.hanning(len(resampled))))
    assert np.argmax(spectrum) * to / len(resampled) == pytest.approx(440, abs=0.6)


@pytest.mark.parametrize("to", [8000, 16000, 32000, 44100])
def test_read_resamples_a_sine_to_the_same_amplitude(tmp_path, to):
    sine = (0.4 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    resampled = audio.read(Excerpt(write(tmp_path / "a.wav", sine)), to)
    assert np.sqrt(2 * np.mean(np.square(resampled[to // 4 : -to // 4]))) == pytest.approx(0.4, rel=1e-3)


def test_read_resamples_as_scipy_does(tmp_path):
    sine = (0.4 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    resampled = audio.read(Excerpt(write(tmp_path / "a.wav", sine, subtype="FLOAT")), 2 * RATE)
    np.testing.assert_allclose(resampled[4000:-4000], resample_poly(sine, 2, 1)[4000:-4000], atol=2e-3)


def test_read_removes_what_the_new_rate_cannot_hold(tmp_path):
    high = (0.5 * np.sin(2 * np.pi * 9000 * np.arange(RATE) / RATE)).astype(np.float32)
    resampled = audio.read(Excerpt(write(tmp_path / "a.wav", high)), 8000)
    assert np.abs(resampled[400:-400]).max() < 1e-3


def test_read_at_the_file_rate_changes_nothing(tmp_path):
    samples = tone()
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(Excerpt(path), RATE), samples)


def test_read_past_the_end_is_empty(tmp_path):
    assert audio.read(Excerpt(write(tmp_path / "a.wav", tone()), 5.0, 1.0), 16000).shape == (0,)


@pytest.mark.parametrize("content", [None, b"", b"not audio at all" * 50])
def test_read_of_what_is_not_audio_names_the_file(tmp_path, content):
    path = tmp_path / "clip.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadAudio, match=r"clip\.wav"):
        audio.read(Excerpt(path), 16000)


@quick
@given(**LENGTHS)
def test_windows_lie_side_by_side_from_the_start(n_samples, window):
    starts = audio.window_starts(n_samples, window, Windowing())
    assert starts == list(range(0, len(starts) * window, window))


@quick
@given(**LENGTHS)
def test_windows_leave_out_at_most_a_rest_shorter_than_half_a_window(n_samples, window):
    covered = audio.window_starts(n_samples, window, Windowing())[-1] + window
    assert n_samples - covered < window / 2


@quick
@given(**LENGTHS)
def test_windows_after_the_first_hold_at_least_half_a_window(n_samples, window):
    starts = audio.window_starts(n_samples, window, Windowing())
    assert all(n_samples - start >= window / 2 for start in starts[1:])


@quick
@given(**LENGTHS)
def test_windows_plus_tail_add_the_last_full_window(n_samples, window):
    plain = audio.window_starts(n_samples, window, Windowing())
    tail = [n_samples - window] if n_samples >= window else []
    assert audio.window_starts(n_samples, window, PLUS_TAIL) == plain + tail


def test_windows_of_an_empty_clip_are_one():
    assert audio.window_starts(0, 16000, Windowing()) == [0]


@quick
@given(**LENGTHS, windowing=st.sampled_from([Windowing(), PLUS_TAIL]))
def test_cut_gives_the_samples_of_each_window_padded_with_zeros(n_samples, window, windowing):
    samples = np.arange(1, n_samples + 1, dtype=np.float32)
    starts = audio.window_starts(n_samples, window, windowing)
    padded = np.concatenate([samples, np.zeros(window, dtype=np.float32)])
    wanted = np.stack([padded[start : start + window] for start in starts])
    np.testing.assert_array_equal(audio.cut(samples, starts, window), wanted)


def test_survey_finds_length_and_peak(tmp_path):
    samples = tone(1.25)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    (facts,) = survey([path], tmp_path / "memo.sqlite").values()
    assert (facts.seconds, facts.peak) == (pytest.approx(1.25, abs=1 / RATE), pytest.approx(np.abs(samples).max()))


def test_survey_hashes_the_bytes_of_the_whole_file(tmp_path):
    path = write(tmp_path / "a.wav", tone())
    stretches = [Excerpt(path, 0.0, 0.5), Excerpt(path, 1.0, 0.5)]
    found = audio.survey(stretches, tmp_path / "memo.sqlite", QUIET)
    assert {facts.sha256 for facts in found.values()} == {hashlib.sha256(path.read_bytes()).hexdigest()}


def test_survey_answers_for_every_stretch(tmp_path):
    path = write(tmp_path / "a.wav", tone())
    stretches = [Excerpt(path, 0.0, 0.5), Excerpt(path, 1.0, 0.7), Excerpt(path)]
    found = audio.survey(stretches, tmp_path / "memo.sqlite", QUIET)
    assert [found[stretch].seconds for stretch in stretches] == pytest.approx([0.5, 0.7, 2.0], abs=1e-3)


def write_bad_files(folder):
    """One file of each fault, and what its line must say."""
    sound = tone()
    write(folder / "silent.wav", np.zeros(RATE, dtype=np.float32))
    write(folder / "short.wav", sound[: RATE // 20])
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        broken = sound.copy()
        broken[100] = value
        write(folder / f"{name}.wav", broken, subtype="FLOAT")
    (folder / "empty.wav").touch()
    for suffix in ("wav", "flac", "ogg", "au", "mp3"):
        (folder / f"garbage.{suffix}").write_bytes(b"\x13 this is no audio \x00" * 100)
    words = {"missing.wav": "no such file", "empty.wav": "empty", "silent.wav": "silent", "short.wav": "too short"}
    words |= {"nan.wav": "not finite", "inf.wav": "not finite"}
    words |= {f"garbage.{suffix}": "broken" for suffix in ("wav", "flac", "ogg", "au", "mp3")}
    for suffix in ("wav", "flac", "au", "ogg", "opus", "mp3"):
        if suffix in FORMATS:
            whole = write(folder / f"whole.{suffix}", tone(rate=24000), 24000, **FORMATS[suffix])
            content = whole.read_bytes()
            (folder / f"truncated.{suffix}").write_bytes(content[: len(content) // 2])
            words[f"truncated.{suffix}"] = "broken"
    return words


BAD_NAMES = (
    "missing.wav", "empty.wav", "silent.wav", "short.wav", "nan.wav", "inf.wav", "garbage.wav", "garbage.flac",
    "garbage.ogg", "garbage.au", "garbage.mp3", *(f"truncated.{s}" for s in FORMATS if s != "aiff"),
)  # fmt: skip


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """What one survey says about many bad files and a good one: (words each line needs, faults, error)."""
    folder = tmp_path_factory.mktemp("bad")
    words = write_bad_files(folder)
    with pytest.raises(BadAudio) as caught:
        survey([folder / name for name in (*words, "whole.wav")], folder / "memo.sqlite")
    return words, caught.value.faults, str(caught.value)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_survey_names_each_bad_file_with_its_fault(bad, name):
    words, faults, _ = bad
    lines = [line for line in faults if f"/{name}:" in line]
    assert [words[name] in line for line in lines] == [True]


def test_survey_names_no_good_file(bad):
    assert "whole" not in bad[2]


def test_survey_says_how_many_files_are_bad_and_which_are_not_there(bad):
    _, faults, message = bad
    assert message.startswith(f"{len(faults) - 1} files cannot be used")
    assert "1 file is not there: " in message.splitlines()[-1]


def test_survey_does_not_call_a_broken_mp3_missing(bad):
    (line,) = [line for line in bad[1] if "garbage.mp3" in line]
    assert "does not exist" not in line


def test_survey_calls_infinities_that_cancel_not_finite(tmp_path):
    stereo = np.stack([np.full(RATE, np.inf), np.full(RATE, -np.inf)], axis=1)
    path = write(tmp_path / "a.wav", stereo, subtype="FLOAT")
    with pytest.raises(BadAudio, match="not finite"):
        survey([path], tmp_path / "memo.sqlite")


def test_survey_calls_a_stretch_past_the_end_too_short(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0))
    with pytest.raises(BadAudio, match=r"too short \(0\.000 s from 3 s on"):
        audio.survey([Excerpt(path, 3.0, 1.0)], tmp_path / "memo.sqlite", QUIET)


def test_survey_accepts_quiet_music(tmp_path):
    path = write(tmp_path / "a.wav", tone() * 1e-3, subtype="PCM_24")
    assert len(survey([path], tmp_path / "memo.sqlite")) == 1


def replace_keeping_size(path, samples, *, nanoseconds):
    size = path.stat().st_size
    write(path, samples)
    assert path.stat().st_size == size
    os.utime(path, ns=(nanoseconds, nanoseconds))


def test_survey_remembers_a_file_of_the_same_size_and_time(tmp_path):
    path, memo = write(tmp_path / "a.wav", tone()), tmp_path / "memo.sqlite"
    before = survey([path], memo)
    replace_keeping_size(path, tone(hertz=600), nanoseconds=path.stat().st_mtime_ns)
    assert survey([path], memo) == before


def test_survey_sees_an_edited_file_of_the_same_size_afresh(tmp_path):
    path, memo = write(tmp_path / "a.wav", tone()), tmp_path / "memo.sqlite"
    before = survey([path], memo)[Excerpt(path)]
    replace_keeping_size(path, tone(hertz=600), nanoseconds=path.stat().st_mtime_ns + 1_000_000)
    assert survey([path], memo)[Excerpt(path)].sha256 != before.sha256


def test_survey_remembers_the_good_files_of_a_survey_that_failed(tmp_path):
    good, memo = write(tmp_path / "good.wav", tone()), tmp_path / "memo.sqlite"
    with pytest.raises(BadAudio):
        survey([good, tmp_path / "missing.wav"], memo)
    peak = float(np.abs(tone()).max())
    replace_keeping_size(good, tone(amplitude=0.1), nanoseconds=good.stat().st_mtime_ns)
    assert survey([good], memo)[Excerpt(good)].peak == pytest.approx(peak, abs=1e-3)


def test_survey_looks_again_at_a_file_that_was_mended(tmp_path):
    path, memo = tmp_path / "a.wav", tmp_path / "memo.sqlite"
    path.touch()
    with pytest.raises(BadAudio):
        survey([path], memo)
    write(path, tone())
    assert survey([path], memo)[Excerpt(path)].seconds == pytest.approx(2.0)


# Levels

LEVELS = st.lists(st.floats(-60, 0), min_size=1, max_size=4).map(tuple)
SIGNALS = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50).filter(lambda x: max(map(abs, x)) > 1e-3)


@quick
@given(samples=SIGNALS, levels=LEVELS)
def test_levels_bring_the_peak_of_each_copy_to_its_level(samples, levels):
    signal = np.array(samples, dtype=np.float32)
    copies = audio.at_levels(signal, levels, float(np.abs(signal).max())).reshape(len(levels), -1)
    np.testing.assert_allclose(np.abs(copies).max(axis=1), 10 ** (np.array(levels) / 20), rtol=1e-6)


@quick
@given(samples=SIGNALS, levels=LEVELS)
def test_levels_change_nothing_but_the_gain(samples, levels):
    signal = np.array(samples, dtype=np.float32)
    peak = float(np.abs(signal).max())
    copies = audio.at_levels(signal, levels, peak).reshape(len(levels), -1)
    wanted = np.outer(10 ** (np.array(levels) / 20), signal.astype(np.float64) / peak)
    np.testing.assert_allclose(copies, wanted, atol=1e-6)


def test_no_levels_leave_the_signal_as_it_is():
    signal = tone()
    assert audio.at_levels(signal, (), 0.5) is signal


def test_levels_of_digital_silence_are_silent():
    assert not audio.at_levels(np.zeros(9, dtype=np.float32), (0.0,), 0.0).any()


def test_levels_stay_float32():
    assert audio.at_levels(tone(), (-3.0, 0.0), 0.5).dtype == np.float32


def test_read_at_levels_repeats_the_stretch(tmp_path):
    path = write(tmp_path / "a.wav", tone(), subtype="FLOAT")
    plain = audio.read(Excerpt(path, 0.5, 1.0), RATE)
    found = audio.read(Excerpt(path, 0.5, 1.0, (-20.0, 0.0)), RATE)
    scaled = plain / np.abs(plain).max()
    np.testing.assert_allclose(found, np.concatenate([0.1 * scaled, scaled]), atol=1e-6)


def test_read_at_a_level_goes_by_the_mean_of_the_channels(tmp_path):
    path = write(tmp_path / "a.wav", np.stack([tone(), np.zeros_like(tone())], axis=1), subtype="FLOAT")
    assert np.abs(audio.read(Excerpt(path, peaks=(0.0,)), RATE)).max() == pytest.approx(1.0, abs=2e-7)


def test_read_at_a_level_goes_by_the_stretch_alone(tmp_path):
    """What is louder elsewhere in the file does not matter."""
    path = write(tmp_path / "a.wav", np.concatenate([0.1 * tone(1.0), tone(1.0)]), subtype="FLOAT")
    assert np.abs(audio.read(Excerpt(path, 0.0, 1.0, (0.0,)), RATE)).max() == pytest.approx(1.0, abs=2e-7)


def test_survey_finds_the_rms(tmp_path):
    samples = tone(1.25)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    (facts,) = survey([path], tmp_path / "memo.sqlite").values()
    assert facts.rms == pytest.approx(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def test_survey_remembers_all_that_it_found(tmp_path):
    path, memo = write(tmp_path / "a.wav", tone()), tmp_path / "memo.sqlite"
    assert survey([path], memo) == survey([path], memo)


def test_survey_tells_what_was_recorded_whatever_the_level(tmp_path):
    path = write(tmp_path / "a.wav", tone())
    found = audio.survey([Excerpt(path), Excerpt(path, peaks=(0.0,))], tmp_path / "memo.sqlite", QUIET)
    assert len(found) == 2
    assert len(set(found.values())) == 1


@quick
@given(samples=SIGNALS, levels=LEVELS | st.just(()))
def test_heard_rms_is_that_of_the_signal_at_its_levels(samples, levels):
    signal = np.array(samples, dtype=np.float32)
    peak, rms = float(np.abs(signal).max()), float(np.sqrt(np.mean(signal.astype(np.float64) ** 2)))
    heard = audio.at_levels(signal, levels, peak).astype(np.float64)
    found = audio.heard_rms(Excerpt(Path("a.wav"), peaks=levels), audio.Facts("", 1.0, peak, rms))
    assert found == pytest.approx(np.sqrt(np.mean(heard**2)), rel=1e-4)


@pytest.mark.parametrize(("peaks", "seconds"), [((), 2.0), ((0.0,), 2.0), ((-20.0, -10.0, 0.0), 6.0)])
def test_heard_seconds_count_each_level(tmp_path, peaks, seconds):
    place = Excerpt(write(tmp_path / "a.wav", tone()), peaks=peaks)
    facts = audio.survey([place], tmp_path / "memo.sqlite", QUIET)[place]
    assert audio.heard_seconds(place, facts) == pytest.approx(seconds, abs=1e-3)
    assert len(audio.read(place, RATE)) == round(seconds * RATE)
