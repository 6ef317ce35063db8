"""What a context cuts of clips: rows of whole ones, crops, sixteen windows, and all of it deformed."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mirbench import Context
from mirbench.errors import NotApplicable
from mirbench.features import audio
from mirbench.features.afresh import Afresh
from mirbench.features.deformation import Deformation
from mirbench.methods.sources.cards import NANO
from mirbench.progress import Progress
from mirbench.source import Activations
from mirbench.types import Clip, Split, Task, Windowing, excerpts
from tests.toys import ear_context, splits_of, write_levels

# Rows of whole clips


def uneven(folder: Path) -> tuple[Split, Split, Split]:
    """Clips of three classes, of 1, 2 and 3.5 s of the task's levels."""
    classes = ("a", "b", "c")
    splits = write_levels(splits_of({s: classes for s in ("train", "valid", "test")}, classes, folder))
    for split in splits:
        for k, (clip, seconds) in enumerate(zip(split.clips, (1.0, 2.0, 3.5), strict=True)):
            soundfile.write(clip.path, np.full(round(seconds * 8000), 0.1 * (k + 1)), 8000, subtype="FLOAT")
    return splits


def summary(calls: list[tuple[int, float]]):
    def compute(sound: np.ndarray, longest: float) -> np.ndarray:
        calls.append((len(sound), longest))
        return np.array([len(sound), sound.mean()], dtype=np.float32)

    return compute


def test_whole_gives_one_row_a_clip_of_all_its_samples(tmp_path: Path) -> None:
    splits, calls = uneven(tmp_path), []
    context = ear_context(splits, tmp_path)
    rows = context.whole(splits[0], "summary", 4000, summary(calls), identity="1")
    assert rows.clip_index.tolist() == [0, 1, 2]
    assert rows.values[:][:, 0].tolist() == [4000, 8000, 14_000]
    assert np.allclose(rows.values[:][:, 1], [0.1, 0.2, 0.3], atol=0.01)
    assert {longest for _, longest in calls} == {3.5}


def test_whole_is_told_the_longest_clip_of_the_task_and_not_of_the_split(tmp_path: Path) -> None:
    splits, calls = uneven(tmp_path), []
    short = Split(splits[0].task, splits[0].clips[:1])
    ear_context(splits, tmp_path).whole(short, "summary", 4000, summary(calls), identity="1")
    assert calls == [(4000, 3.5)]


def test_whole_rows_are_computed_once_and_anew_for_another_identity_stage_or_rate(tmp_path: Path) -> None:
    splits, calls = uneven(tmp_path), []
    for stage, rate, identity, count in (
        ("s", 4000, "1", 3), ("s", 4000, "1", 3), ("s", 4000, "2", 6), ("t", 4000, "1", 9), ("s", 2000, "1", 12),
    ):  # fmt: skip
        ear_context(splits, tmp_path).whole(splits[0], stage, rate, summary(calls), identity=identity)
        assert len(calls) == count


def test_whole_rows_of_a_blind_split_are_the_same_and_uncached_ones_are_fresh(tmp_path: Path) -> None:
    splits, calls = uneven(tmp_path), []
    context = ear_context(splits, tmp_path)
    seen = context.whole(splits[2], "s", 4000, summary(calls), identity="1")
    blind = context.whole(splits[2].blind(), "s", 4000, summary(calls), identity="1")
    assert len(calls) == 3
    with context.uncached(Afresh(time.perf_counter)):
        fresh = context.whole(splits[2], "s", 4000, summary(calls), identity="1")
    assert len(calls) == 6
    assert np.array_equal(seen.values[:], blind.values[:])
    assert np.array_equal(seen.values[:], fresh.values)


# Crops


def test_crops_are_of_the_chosen_clips_in_their_order(tmp_path: Path) -> None:
    splits = uneven(tmp_path)
    chosen = np.array([2, 0, 2, 1, 1])
    crops = ear_context(splits, tmp_path).random_crops(splits[0], 8000, 0.5, chosen, np.random.default_rng(0))
    assert crops.clip_index.tolist() == chosen.tolist()
    assert np.allclose(np.asarray(crops.values).mean(axis=1), 0.1 * (chosen + 1), atol=0.01)


def test_crops_of_clips_that_are_too_short_are_padded_behind(tmp_path: Path) -> None:
    splits = uneven(tmp_path)
    crops = ear_context(splits, tmp_path).random_crops(splits[0], 8000, 3.0, np.arange(3), np.random.default_rng(0))
    filled = (np.asarray(crops.values) > 0.05).sum(axis=1)
    assert filled.tolist() == [8000, 16_000, 24_000]
    assert (np.asarray(crops.values)[0, :8000] > 0.05).all()


def test_crops_begin_anywhere_in_the_stretch_and_never_leave_it(tmp_path: Path) -> None:
    sound = np.concatenate([np.full(8000, 0.9), np.linspace(0.1, 0.2, 16_000), np.full(8000, 0.9)])
    splits = uneven(tmp_path)
    clip = replace(splits[0].clips[0], start=1.0, duration=2.0)
    soundfile.write(clip.path, sound, 8000, subtype="FLOAT")
    split = Split(splits[0].task, (clip,))
    context = ear_context((split, splits[1], splits[2]), tmp_path)
    crops = context.random_crops(split, 8000, 0.5, np.zeros(200, dtype=int), np.random.default_rng(0))
    values = np.asarray(crops.values)
    assert values.max() < 0.21
    starts = (values[:, 0] - 0.1) / 0.1 * 2.0
    assert starts.min() < 0.1
    assert starts.max() > 1.4
    assert np.histogram(starts, bins=3, range=(0, 1.5))[0].min() > 40


# Sixteen windows


@pytest.mark.parametrize(
    ("n_samples", "starts"),
    [
        (59, [0]), (100, [0]), (115, [0]), (116, list(range(16))), (260, list(range(0, 160, 10))),
        (275, list(range(0, 160, 10))),
    ],
)  # fmt: skip
def test_hopped16_is_sixteen_windows_at_equal_steps(n_samples: int, starts: list[int]) -> None:
    assert audio.window_starts(n_samples, 100, Windowing("hopped16")) == starts


def test_hopped16_windows_lie_within_their_clip_and_a_short_clip_has_one(tmp_path: Path) -> None:
    splits = uneven(tmp_path)
    context = ear_context(splits, tmp_path)
    context.windowing = Windowing("hopped16")
    windows = context.audio(splits[0], 8000, 1.5)
    assert np.bincount(windows.clip_index).tolist() == [1, 16, 16]
    values = np.asarray(windows.values)
    assert (values[1:] > 0.05).all()
    assert (values[0] > 0.05).sum() == 8000


# Deformation

HALF = Deformation("half,1", lambda sound, rate, seed: 0.5 * sound)


def test_everything_is_heard_deformed_within_the_block_and_not_after(tmp_path: Path) -> None:
    splits = uneven(tmp_path)
    context = ear_context(splits, tmp_path)

    def heard() -> list[float]:
        sound = np.asarray(context.audio(splits[0], 8000, 1.0).values).mean()
        whole = context.whole(splits[0], "s", 8000, summary([]), identity="1").values[:][:, 1].mean()
        return [float(sound), float(whole), float(np.asarray(context.source.pooled(splits[0]).values).mean())]

    clean = heard()
    with context.deformed(HALF):
        assert np.allclose(heard(), np.array(clean) / 2, rtol=1e-3)
    assert np.allclose(heard(), clean, rtol=1e-6)


def test_a_deformation_ends_with_its_block_also_where_that_fails(tmp_path: Path) -> None:
    splits = uneven(tmp_path)
    context = ear_context(splits, tmp_path)
    with pytest.raises(ZeroDivisionError), context.deformed(HALF):
        raise ZeroDivisionError
    assert np.asarray(context.audio(splits[0], 8000, 1.0).values)[0].mean() == pytest.approx(0.1, abs=0.01)


def test_rows_of_other_deformations_stay_apart_and_are_computed_once(tmp_path: Path) -> None:
    splits, calls = uneven(tmp_path), []
    for _ in range(2):
        context = ear_context(splits, tmp_path)
        for deformation in (HALF, replace(HALF, identity="half,2")):
            with context.deformed(deformation):
                context.whole(splits[0], "s", 4000, summary(calls), identity="1")
    assert len(calls) == 6


def test_noise_of_a_clip_is_the_same_for_every_rate_and_stage(tmp_path: Path) -> None:
    splits, seeds = uneven(tmp_path), []

    def noting(sound: np.ndarray, rate: int, seed: int) -> np.ndarray:
        seeds.append(seed)
        return sound

    context = ear_context(splits, tmp_path)
    with context.deformed(Deformation("noise,1", noting)):
        context.audio(splits[0], 8000, 1.0)
        context.audio(splits[0], 4000, 0.5)
        context.whole(splits[0], "s", 8000, summary([]), identity="1")
    assert sorted(seeds) == sorted(3 * sorted(set(seeds)))
    assert len(set(seeds)) == 3


def test_a_stretched_clip_has_windows_of_its_new_length(tmp_path: Path) -> None:
    splits, calls = uneven(tmp_path), []
    double = Deformation("slow,2", lambda sound, rate, seed: np.repeat(sound, 2), 2.0)
    context = ear_context(splits, tmp_path)
    with context.deformed(double):
        windows = context.audio(splits[0], 8000, 1.0)
        context.whole(splits[0], "s", 8000, summary(calls), identity="1")
    assert np.bincount(windows.clip_index).tolist() == [2, 4, 7]
    assert (np.asarray(windows.values) > 0.05).all()
    assert [length for length, _ in calls] == [16_000, 32_000, 56_000]
    assert {longest for _, longest in calls} == {7.0}


class Heard(torch.nn.Module):
    """Pools length and power of what it hears, of any length."""

    def frontend(self, audio: torch.Tensor) -> torch.Tensor:
        return audio[:, None, None]

    def body(self, picture: torch.Tensor, layers: tuple[int, ...] = ()) -> Activations:
        length = torch.full((len(picture),), float(picture.shape[-1]))
        return Activations(torch.stack([length, picture.square().mean(dim=(1, 2, 3))], dim=1))


def test_window_of_infinite_length_is_each_clip_as_it_is(tmp_path: Path) -> None:
    rng, waves = np.random.default_rng(0), []
    for name, seconds in (("a", 0.5), ("b", 1.25), ("c", 0.5)):
        waves.append(rng.uniform(-0.5, 0.5, size=round(seconds * 16_000)).astype(np.float32))
        soundfile.write(tmp_path / f"{name}.wav", waves[-1], 16_000, subtype="FLOAT")
    clips = tuple(Clip(name, tmp_path / f"{name}.wav", "train", ("x",)) for name in "abc")
    task = Task("t", "1", "t", "single-label", ("x",), ("accuracy",), lambda root, fold: [], "t", 3, 1.0)
    split = Split(task, clips)
    facts = audio.survey(excerpts(split), tmp_path / "files.sqlite", Progress(quiet=True))
    source = Context(
        facts=facts, cache=tmp_path / "cache", device=torch.device("cpu"), source_identity="heard",
        card=replace(NANO, seconds=math.inf, any_length=True), load=Heard,
    ).source  # fmt: skip
    found = np.asarray(source.pooled(split).values)
    np.testing.assert_allclose(found, [[len(wave), np.mean(wave**2)] for wave in waves], rtol=1e-5)
    with pytest.raises(NotApplicable, match="seconds=whole: pictures of clips differ in length"):
        source.pictures(split)
    with pytest.raises(NotApplicable, match="seconds=whole: clips differ in length"):
        source.audio(split)
