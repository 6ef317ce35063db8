"""What is heard of files of several channels, and levels of whole files: ``+first-channel``, ``+normalized-files``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from mirbench import Context
from mirbench.errors import BadAudio, BadInput
from mirbench.features import audio
from mirbench.features.extraction import row_key
from mirbench.features.passes import Passes
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.own_files import hear
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

QUIET = Progress(quiet=True)
RATE = 8000
LOUDEST = 0.8


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of noise in two channels, and a click in the second at the end of it, which is the loudest."""
    path = tmp_path_factory.mktemp("channels") / "a.wav"
    sound = np.random.default_rng(0).uniform(-0.2, 0.2, (2 * RATE, 2))
    sound[-10] = 0.0, LOUDEST
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    return path


def catalogue(path: Path) -> Catalogue:
    """With the task "mine", whose clips are the first and the second half of the file."""
    clips = [
        Clip(name, path, split, (name[0],), start=start, duration=1.0)
        for name, split, start in (
            ("a1", "train", 0.0),
            ("b1", "train", 1.0),
            ("a2", "valid", 0.0),
            ("b2", "test", 1.0),
        )
    ]
    task = Task(
        "mine", "7", "", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: clips, str(path.parent), 4, 1.0
    )
    return Catalogue([Plugin("test", "0" * 64, {"mine": task}, {}, {})])


def clips_of(path: Path, words: str) -> list[Clip]:
    return catalogue(path).task(f"mine{words}").read_clips(None, 0)


def heard(path: Path, words: str, tmp_path: Path) -> np.ndarray:
    """The first clip, as a method hears it."""
    task = catalogue(path).task(f"mine{words}")
    split = Split(task, tuple(task.read_clips(None, 0)))
    facts = audio.survey(excerpts(split), tmp_path / "memo.sqlite", QUIET)
    context = Context(facts=facts, cache=tmp_path / "cache", device=torch.device("cpu"))
    found: np.ndarray = np.asarray(context.audio(split, RATE, 1.0).values)[0]
    crops = context.random_crops(split, RATE, 1.0, np.zeros(1, dtype=np.int64), np.random.default_rng(0))
    np.testing.assert_allclose(crops.values[0], found, atol=1e-7)  # crops are decoded by another way
    return found


def test_first_channel_is_heard_alone_and_its_rows_are_its_own(recording: Path, tmp_path: Path) -> None:
    samples = soundfile.read(recording, frames=RATE, dtype="float32")[0]
    for words, expected in (("", samples.mean(axis=1)), ("+first-channel", samples[:, 0]), ("", samples.mean(axis=1))):
        np.testing.assert_allclose(heard(recording, words, tmp_path), expected, atol=1e-7)


def test_facts_are_of_what_is_heard(recording: Path, tmp_path: Path) -> None:
    samples = soundfile.read(recording, dtype="float64")[0]
    both, first = Excerpt(recording), Excerpt(recording, first_channel=True)
    found = audio.survey([both, first], tmp_path / "memo.sqlite", QUIET)
    assert found[both].peak == pytest.approx(np.abs(samples.mean(axis=1)).max())
    assert found[first].peak == pytest.approx(np.abs(samples[:, 0]).max())
    assert found[first].rms == found[first].rms_unrelated  # one channel cannot cancel itself
    assert audio.survey([first], tmp_path / "memo.sqlite", QUIET) == {first: found[first]}  # as remembered
    assert row_key(found[both], both, 0) != row_key(found[both], first, 0)


def test_inverted_channel_silences_their_mean_and_not_the_first(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-0.2, 0.2, RATE)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, -wave], axis=1), RATE, subtype="FLOAT")
    with pytest.raises(BadAudio, match="cancel"):
        audio.survey([Excerpt(tmp_path / "a.wav")], tmp_path / "memo.sqlite", QUIET)
    place = Excerpt(tmp_path / "a.wav", first_channel=True)
    assert audio.survey([place], tmp_path / "memo.sqlite", QUIET)[place].peak > 0.1


def test_one_pass_for_many_clips_hands_out_the_first_channel_too(recording: Path) -> None:
    both = [Excerpt(recording, start, 0.5) for start in (0.0, 0.5, 1.0)]
    first = [place._replace(first_channel=True) for place in both]
    passes = Passes([*both, *first])
    samples = soundfile.read(recording, dtype="float32")[0]
    for n, (mean, alone) in enumerate(zip(both, first, strict=True)):
        piece = samples[n * RATE // 2 : (n + 1) * RATE // 2]
        np.testing.assert_allclose(passes.decode(alone)[0], piece[:, 0], atol=1e-7)
        np.testing.assert_allclose(passes.decode(mean)[0], piece.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("words", ["", "+first-channel"])
def test_normalized_files_have_one_gain_by_the_loudest_sample_of_any_channel(
    recording: Path, tmp_path: Path, words: str
) -> None:
    plain = heard(recording, words, tmp_path)
    np.testing.assert_allclose(heard(recording, f"{words}+normalized-files", tmp_path), plain / LOUDEST, atol=1e-6)
    np.testing.assert_allclose(
        heard(recording, f"{words}+normalized", tmp_path), plain / np.abs(plain).max(), atol=1e-6
    )


def test_a_file_of_one_channel_that_is_one_clip_is_normalized_alike(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.2, 0.2, 2 * RATE), RATE, subtype="FLOAT")
    clips = [Clip("a", tmp_path / "a.wav", "train", ("a",))]
    task = Task("mine", "7", "", "single-label", ("a",), ("accuracy",), lambda root, fold: clips, "", 1, 2.0)
    known = Catalogue([Plugin("test", "0" * 64, {"mine": task}, {}, {})])
    (clip,) = known.task("mine+normalized-files").read_clips(None, 0)
    assert clip.peaks == known.task("mine+normalized").read_clips(None, 0)[0].peaks == (0.0,)


def test_peaks_of_files_are_remembered_and_damage_is_no_peak(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF" + b"\0" * 100)
    memo = tmp_path / "memo.sqlite"
    assert audio.file_peaks([recording, tmp_path / "bad.wav"], memo, QUIET) == {
        recording: pytest.approx(LOUDEST), tmp_path / "bad.wav": 0.0,
    }  # fmt: skip
    assert audio.file_peaks([recording], memo, QUIET) == {recording: pytest.approx(LOUDEST)}


def test_words_have_one_order_on_record(recording: Path) -> None:
    known = catalogue(recording)
    for level in ("normalized", "normalized-files", "levels8"):
        for words in (f"+first-channel+{level}+shots1", f"+{level}+shots1+first-channel"):
            assert known.task(f"mine{words}").name == f"mine+shots1+first-channel+{level}"


@pytest.mark.parametrize(
    "words", ["+normalized+normalized-files", "+normalized-files+levels8", "+loudness+first-channel", "+first-channel2"]
)
def test_what_would_contradict_itself_is_refused(recording: Path, words: str) -> None:
    with pytest.raises(BadInput, match=r"set already|of all channels|takes no argument"):
        catalogue(recording).task(f"mine{words}")


def asked(words: str, tmp_path: Path, **changes: Any) -> Request:
    return Request(
        f"mine{words}", "mfcc-codebook", seeds=(0,), params={"n_words": 2}, cache=tmp_path / "cache",
        runs=tmp_path / "runs", device="cpu", workers=1, **changes,
    )  # fmt: skip


def test_runs_on_another_channel_or_level_are_other_runs(recording: Path, tmp_path: Path) -> None:
    known, words = catalogue(recording), ("", "+first-channel", "+normalized", "+normalized-files")
    hashes = {make_plan(asked(word, tmp_path), known, QUIET).specs[0].audio_sha256 for word in words}
    assert len(hashes) == 4


@pytest.mark.slow
def test_sealed_process_hears_the_first_channel(recording: Path, tmp_path: Path) -> None:
    found = []
    for sealed in (False, True):
        request = asked("+first-channel+normalized-files", tmp_path / str(sealed), sealed=sealed)
        (outcome,) = run(request, catalogue(recording), QUIET)
        assert outcome.record.status == "done", outcome.record.reason
        found.append(RunStore(request.runs).scores(outcome.folder).scores)
    np.testing.assert_array_equal(*found)


def test_own_files_are_heard_as_the_clips_of_the_task(recording: Path, tmp_path: Path) -> None:
    known = catalogue(recording)
    request = Request(
        "mine+first-channel+normalized-files", "prior", seeds=(0,), cache=tmp_path / "cache", runs=tmp_path / "runs"
    )
    (outcome,) = run(request, known, QUIET)
    (tmp_path / "bad.wav").write_bytes(b"RIFF" + b"\0" * 100)
    found = hear(outcome.record, [recording, tmp_path / "bad.wav"], "audio", tmp_path / "cache", QUIET, 1)
    (clip,) = found.clips
    assert clip.first_channel
    read = audio.read(Excerpt.of(clip), RATE)
    np.testing.assert_allclose(read, soundfile.read(recording, dtype="float32")[0][:, 0] / LOUDEST, atol=1e-6)
    assert [line.split(":")[0] for line in found.faults] == [str(tmp_path / "bad.wav")]
