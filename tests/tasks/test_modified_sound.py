"""Modifiers of tasks: what is heard of clips, classes of loudness, and runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mirbench import Context
from mirbench.errors import BadInput
from mirbench.features import audio
from mirbench.plugin_file import Plugin
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import run
from mirbench.tasks.modifiers import LEVELS8, LOUDNESS
from mirbench.types import Clip, Split, Task, excerpts
from tests.tasks.test_modifiers import QUIET, RATE, get, of

# What is heard


def write(path: Path, peak: float, seconds: float = 0.6, rate: int = RATE, hertz: float = 440.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * hertz * time) + 0.3 * np.sin(2 * np.pi * 3.1 * hertz * time + 1)
    soundfile.write(path, peak * wave / np.abs(wave).max(), rate, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of ten tones, each a little louder than the one before, in an order that no name tells."""
    root = tmp_path_factory.mktemp("data") / "songs"
    order = np.random.default_rng(3).permutation(20)
    for n, (c, k) in enumerate((c, k) for c in "ab" for k in range(10)):
        write(root / c / f"{k}.wav", 0.05 + 0.02 * order[n], hertz=300 + 10 * n)
    return root


def read(name: str) -> list[Clip]:
    task = get(name)
    return task.read_clips(Path(task.folder), 0)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def contexts_of(name: str, tmp_path: Path, clips: list[Clip] | None = None) -> tuple[Context, Split]:
    split = Split(get(name), tuple(clips or read(name)))
    facts = audio.survey(excerpts(split), tmp_path / "memo.sqlite", QUIET)
    return Context(facts=facts, cache=tmp_path / "cache", device=torch.device("cpu")), split


def heard(name: str, tmp_path: Path, rate: int = RATE, seconds: float = 0.6) -> np.ndarray:
    """The windows that a method hears, (n_windows, n_samples)."""
    context, split = contexts_of(name, tmp_path)
    return np.asarray(context.audio(split, rate, seconds).values)


def test_normalized_clips_reach_a_method_with_a_peak_of_one(songs: Path, tmp_path: Path) -> None:
    peaks = np.abs(heard(f"folder:{songs}+normalized", tmp_path)).max(axis=1)
    np.testing.assert_allclose(peaks, 1.0, rtol=0, atol=2e-7)


def test_normalized_clips_keep_their_shape(songs: Path, tmp_path: Path) -> None:
    before, after = heard(f"folder:{songs}", tmp_path), heard(f"folder:{songs}+normalized", tmp_path)
    np.testing.assert_allclose(after, before / np.abs(before).max(axis=1, keepdims=True), atol=1e-6)


def test_normalized_clips_have_the_level_of_the_file_at_another_rate(songs: Path, tmp_path: Path) -> None:
    """The gain is of the recording; a resampler may shoot over its peak."""
    name, rate = f"folder:{songs}", 16_000
    plain, normal = heard(name, tmp_path, rate), heard(f"{name}+normalized", tmp_path, rate)
    own = np.array([soundfile.read(clip.path)[0].__abs__().max() for clip in read(name)])
    np.testing.assert_allclose(normal, plain / own[:, None], atol=1e-5)


def test_rows_of_another_level_are_other_rows(songs: Path, tmp_path: Path) -> None:
    """One cache serves both tasks."""
    plain = heard(f"folder:{songs}", tmp_path)
    assert not np.allclose(heard(f"folder:{songs}+normalized", tmp_path), plain)
    np.testing.assert_array_equal(heard(f"folder:{songs}", tmp_path), plain)


def test_levels8_are_eight_times_as_long(songs: Path) -> None:
    (place, *_) = excerpts(Split(get(f"folder:{songs}+levels8"), tuple(read(f"folder:{songs}+levels8"))))
    assert len(audio.read(place, RATE)) == 8 * round(0.6 * RATE)


def test_levels8_reach_a_method_with_the_peaks_of_the_paper(songs: Path, tmp_path: Path) -> None:
    windows = heard(f"folder:{songs}+levels8", tmp_path).reshape(20, 8, -1)
    found = 20 * np.log10(np.abs(windows).max(axis=2))
    np.testing.assert_allclose(found, np.tile(LEVELS8, (20, 1)), atol=1e-4)


def test_levels8_of_a_clip_differ_in_level_alone(songs: Path, tmp_path: Path) -> None:
    windows = heard(f"folder:{songs}+levels8", tmp_path).reshape(20, 8, -1)
    gains = 10 ** (np.array(LEVELS8) / 20)
    np.testing.assert_allclose(windows / gains[:, None], np.repeat(windows[:, -1:], 8, axis=1), atol=1e-5)


def test_levels8_say_their_length() -> None:
    assert get("gtzan+levels8").clip_seconds == 240


def test_levels8_of_the_last_window_are_padded_as_one_long_clip(songs: Path, tmp_path: Path) -> None:
    """Windows run over the borders of the copies: 4.8 s are four windows of 1.1 s and a rest of 0.4 s."""
    context, split = contexts_of(f"folder:{songs}+levels8", tmp_path)
    windows = context.audio(split, RATE, 1.1)
    assert np.bincount(windows.clip_index).tolist() == [4] * 20
    (place, *_) = excerpts(split)
    whole = audio.read(place, RATE)
    np.testing.assert_array_equal(windows.values[slice(3, 4)][0], whole[3 * 8800 : 4 * 8800])


@pytest.mark.parametrize("word", ["normalized", "levels8"])
def test_levels_know_the_rms_of_what_is_heard(songs: Path, tmp_path: Path, word: str) -> None:
    context, split = contexts_of(f"folder:{songs}+{word}", tmp_path)
    for place in excerpts(split):
        heard = audio.heard_rms(place, context._heard.facts[place])
        assert heard == pytest.approx(rms(audio.read(place, RATE)), rel=1e-5)


def crops(name: str, tmp_path: Path, seconds: float, clips: list[Clip] | None = None) -> np.ndarray:
    context, split = contexts_of(name, tmp_path, clips)
    generator = np.random.default_rng(0)
    chosen = generator.integers(len(split), size=40)
    found = context.random_crops(split, RATE, seconds, chosen, generator)
    return np.asarray(found.values)


def test_random_crops_of_a_normalized_clip_are_at_the_level_of_the_whole_clip(tmp_path: Path) -> None:
    """A crop of the quiet half stays quiet: one gain a clip."""
    quiet_then_loud = np.repeat([0.01, 0.1], 4000)
    path = tmp_path / "a.wav"
    soundfile.write(path, quiet_then_loud, RATE, subtype="FLOAT")
    found = crops("gtzan+normalized", tmp_path, 0.1, [Clip("a", path, "train", ("jazz",), peaks=(0.0,))])
    steady = found[np.ptp(found, axis=1) < 1e-6]
    assert {round(float(value), 3) for value in steady[:, 0]} == {0.1, 1.0}


def test_random_crops_of_levels_come_from_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(8000, 0.3), RATE, subtype="FLOAT")
    found = crops("gtzan+levels8", tmp_path, 0.05, [Clip("a", path, "train", ("jazz",), peaks=LEVELS8)])
    steady = found[np.ptp(found, axis=1) < 1e-6]
    assert {round(20 * math.log10(value)) for value in steady[:, 0]} == set(LEVELS8)


def test_random_crops_longer_than_a_normalized_clip_are_padded(songs: Path, tmp_path: Path) -> None:
    found = crops(f"folder:{songs}+normalized", tmp_path, 1.0)
    assert not found[:, round(0.6 * RATE) :].any()
    np.testing.assert_allclose(np.abs(found).max(axis=1), 1.0, atol=2e-7)


# Loudness


def by_class(name: str) -> dict[str, list[float]]:
    """RMS of the clips of each class, in the order of the classes."""
    found: dict[str, list[float]] = {label: [] for label in get(name).classes}
    for clip in read(name):
        assert clip.path is not None
        found[clip.labels[0]].append(rms(soundfile.read(clip.path)[0]))
    return found


def test_loudness_makes_five_classes_of_equal_size(songs: Path) -> None:
    assert {name: len(levels) for name, levels in by_class(f"folder:{songs}+loudness").items()} == dict.fromkeys(
        LOUDNESS, 4
    )


def test_loudness_classes_are_ordered_by_rms(songs: Path) -> None:
    levels = list(by_class(f"folder:{songs}+loudness").values())
    assert all(max(quiet) < min(loud) for quiet, loud in pairwise(levels))


@pytest.mark.parametrize("count", [11, 12, 13, 14])
def test_loudness_classes_differ_by_one_clip_at_most(tmp_path: Path, count: int) -> None:
    clips = [Clip(str(n), write(tmp_path / f"{n}.wav", 0.1 + 0.01 * n), "train", ("ab"[n % 2],)) for n in range(count)]
    sizes = Counter(clip.labels[0] for clip in of(clips).task("mine+loudness").read_clips(tmp_path, 0))
    assert (set(sizes), max(sizes.values()) - min(sizes.values())) == (set(LOUDNESS), 1)


def test_loudness_keeps_the_splits(songs: Path) -> None:
    splits = [{clip.id: clip.split for clip in read(name)} for name in (f"folder:{songs}", f"folder:{songs}+loudness")]
    assert splits[0] == splits[1]


def test_loudness_is_a_single_label_task_of_its_own(songs: Path) -> None:
    task = get(f"folder:{songs}+loudness")
    assert (task.kind, task.classes, task.metrics[0]) == ("single-label", LOUDNESS, "accuracy")


def test_loudness_of_normalized_clips_goes_by_what_is_heard(tmp_path: Path) -> None:
    """Square waves and clicks: the louder file is the quieter one once both peaks are at 0 dBFS."""
    clips = []
    for n in range(10):
        clicks = np.where(np.arange(4000) % (20 * (n + 1)) == 0, 0.05 * (n + 1), 0.0)
        soundfile.write(tmp_path / f"{n}.wav", clicks, RATE, subtype="FLOAT")
        clips.append(Clip(str(n), tmp_path / f"{n}.wav", "train", ("ab"[n % 2],)))
    plain, normal = (
        {clip.id: clip.labels[0] for clip in of(clips).task(f"mine{word}+loudness").read_clips(tmp_path, 0)}
        for word in ("", "+normalized")
    )
    assert (plain["0"], normal["0"], plain["9"], normal["9"]) == ("loud1", "loud5", "loud5", "loud1")


def test_loudness_before_normalized_goes_by_the_files(songs: Path) -> None:
    labels = [
        {clip.id: clip.labels for clip in read(f"folder:{songs}+{word}")}
        for word in ("loudness", "loudness+normalized")
    ]
    assert labels[0] == labels[1]


def test_loud1v5_keeps_the_quietest_and_the_loudest_fifth(songs: Path) -> None:
    five, two = by_class(f"folder:{songs}+loudness"), by_class(f"folder:{songs}+loud1v5")
    assert two == {"loud1": five["loud1"], "loud5": five["loud5"]}


def test_loudness_without_audio_says_that_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no audio on this machine"):
        get("gtzan+loudness").read_clips(None, 0)


# Runs


def ask(name: str, tmp_path: Path, **changes: object) -> Request:
    request = Request(name, "prior", seeds=(0,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    return replace(request, **changes)  # type: ignore[arg-type]


def test_run_of_a_modified_task_is_another_run(songs: Path, tmp_path: Path) -> None:
    keys = set()
    for word in ("", "+normalized", "+shots2", "+shots2-draw1"):
        (outcome,) = run(ask(f"folder:{songs}{word}", tmp_path), Catalogue(), QUIET)
        assert outcome.record.status == "done"
        keys.add(outcome.record.spec.key)
    assert len(keys) == 4


def test_run_counts_the_clips_that_are_left(songs: Path, tmp_path: Path) -> None:
    (outcome,) = run(ask(f"folder:{songs}+shots2", tmp_path), Catalogue(), QUIET)
    assert (outcome.record.n_clips["train"], outcome.record.n_clips["valid"] <= 4) == (4, True)


def test_run_of_more_folds_than_clips_is_refused(songs: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="20 clips make at most 20 folds"):
        run(ask(f"folder:{songs}+folds50", tmp_path), Catalogue(), QUIET)


def test_run_of_folds_of_which_one_has_no_clip_is_refused(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowded = lambda clips, n_folds, draw: {clip.id: n % 3 for n, clip in enumerate(clips)}  # noqa: E731
    monkeypatch.setattr("mirbench.tasks.modifiers.drawn_folds", crowded)
    with pytest.raises(BadInput, match=r"no clip is in (test|valid) of fold \d+"):
        run(ask(f"folder:{songs}+folds5", tmp_path), Catalogue(), QUIET)


def test_run_of_unbalanced_folds_that_are_balanced_leaves_a_list_a_fold(tmp_path: Path) -> None:
    """A clip that is kept in train may be dropped from the test of its own fold."""
    path = tmp_path / "l.csv"
    count = {"a": 10, "b": 16}
    path.write_text("id,label,fold\n" + "".join(f"{c}{n},{c},{n % 5}\n" for c in "ab" for n in range(count[c])))
    outcomes = run(ask(f"csv:{path}+balanced", tmp_path), Catalogue(), QUIET)
    assert [outcome.record.status for outcome in outcomes] == ["done"] * 5
    task = get(f"csv:{path}+balanced")
    for fold, written in enumerate(sorted((tmp_path / "runs").rglob("clips-*.csv"))):
        again = {(clip.id, clip.split) for clip in get(f"csv:{written}").read_clips(None, 0)}
        assert again == {(clip.id, clip.split) for clip in task.read_clips(None, fold)}


def test_stand_in_is_not_synthesised_anew_for_its_modifiers(tmp_path: Path) -> None:
    made: list[Path] = []

    def synthesise(root: Path, step: Callable[..., None]) -> None:
        made.append(root)
        for c in "ab":
            for n in range(6):
                write(root / f"{c}{n}.wav", 0.2)

    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        assert root is not None
        splits = ("train", "train", "train", "valid", "test", "test")
        return [Clip(f"{c}{n}", root / f"{c}{n}.wav", splits[n], (c,)) for c in "ab" for n in range(6)]

    task = Task(
        "toy", "1", "", "single-label", ("a", "b"), ("accuracy",), read_clips, "toy", 12, 0.6,
        standing="synthesised", synthesise=synthesise,
    )  # fmt: skip
    catalogue = Catalogue([Plugin("test", "0" * 64, {"toy": task}, {}, {})])
    for word in ("", "+shots1", "+normalized", "+resplit", "+loudness"):
        make_plan(ask(f"toy{word}", tmp_path, method="probe-linear", source="nano"), catalogue, QUIET)
    assert len(made) == 1
