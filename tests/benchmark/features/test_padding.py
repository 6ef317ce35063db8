"""How clips that are shorter than a window fill it, which rows are shared, and which runs are other ones by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import soundfile
import torch

from mirbench.api.asking import FIT_ON, PADS, THRESHOLDS
from mirbench.errors import NotApplicable
from mirbench.features.padding import NOISE_DB, filled
from mirbench.leaderboard.repeat import PADDED
from mirbench.methods.sources import SOURCES
from mirbench.progress import Progress
from mirbench.record import FitOn, ThresholdsFrom
from mirbench.registry import Catalogue
from mirbench.runs.models import Places
from mirbench.runs.plan import Request, draft_plan, make_plan
from mirbench.runs.predict import predict
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from mirbench.types import Pad, Split
from tests.benchmark.features.test_context import make
from tests.toys import Counted, splits_of

QUIET = Progress(quiet=True)
CLIP = np.random.default_rng(3).uniform(-0.5, 0.5, 70).astype(np.float32)


def test_words_of_the_command_are_those_of_a_spec() -> None:
    assert (get_args(Pad), get_args(FitOn), get_args(ThresholdsFrom)) == (PADS, FIT_ON, THRESHOLDS)


def test_clip_is_repeated_as_numpy_does_and_mirrored_as_torch_does() -> None:
    np.testing.assert_array_equal(filled(CLIP, 200, "repeat", 0), np.resize(CLIP, 200))
    mirrored = torch.nn.functional.pad(torch.from_numpy(CLIP)[None], (0, 69), mode="reflect")[0]
    np.testing.assert_array_equal(filled(CLIP, 139, "reflect", 0), mirrored.numpy())


@pytest.mark.parametrize(("window", "first"), [(100, 15), (101, 15), (71, 0)])
def test_centred_clip_has_as_many_zeros_on_either_side(window: int, first: int) -> None:
    found = filled(CLIP, window, "center", 0)
    np.testing.assert_array_equal(found[first : first + 70], CLIP)
    assert (len(found), np.count_nonzero(np.delete(found, range(first, first + 70)))) == (window, 0)


def test_noise_is_as_faint_as_is_said_whatever_the_level_of_the_clip() -> None:
    noise = filled(CLIP, 100_000, "noise", 5) - filled(CLIP, 100_000, "center", 0)
    level = 20 * np.log10(np.sqrt(np.mean(noise.astype(np.float64) ** 2)) / np.abs(CLIP).max())
    assert level == pytest.approx(NOISE_DB, abs=0.1)
    assert np.abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.02  # white
    np.testing.assert_allclose(filled(CLIP * 0.01, 500, "noise", 5), 0.01 * filled(CLIP, 500, "noise", 5), rtol=1e-4)
    assert np.abs(filled(CLIP, 100, "noise", 5) - filled(CLIP, 100, "noise", 6)).max() > 0


@pytest.mark.parametrize("pad", PADS)
def test_window_that_is_full_is_the_clip(pad: Pad) -> None:
    np.testing.assert_array_equal(filled(CLIP, 70, pad, 0), CLIP)
    assert filled(CLIP[:1], 4, pad, 0).shape == (4,)


SECONDS = {"train0": 2.0, "train1": 23.0, "valid0": 2.0, "valid1": 10.0, "test0": 2.0, "test1": 12.0}
"""The windows of nano are of 5 s: half of the clips have to be filled up."""


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Split, Split, Split]:
    folder, generator = tmp_path_factory.mktemp("audio"), np.random.default_rng(0)
    for name, seconds in SECONDS.items():
        soundfile.write(folder / f"{name}.wav", generator.uniform(-0.3, 0.3, round(seconds * 8000)), 8000)
    return splits_of({"train": "ab", "valid": "ab", "test": "ab"}, "ab", folder)


def test_rows_of_clips_that_fill_their_windows_are_shared_and_no_others(
    splits: tuple[Split, Split, Split], tmp_path: Path
) -> None:
    counted, found = Counted(), {}
    seen = []
    for pad in (*PADS, "zeros"):
        found[pad] = np.asarray(make(splits, tmp_path, counted, pad=pad).source.pooled(splits[0]).values)
        seen.append(counted.windows)
    assert seen == [6, 7, 8, 9, 10, 10]  # the short clip alone, once for each way
    short = [values[0] for values in found.values()]
    assert all(np.abs(a - b).max() > 0 for n, a in enumerate(short) for b in short[:n])
    assert all((values[1:] == found["zeros"][1:]).all() for values in found.values())


@pytest.mark.parametrize("pad", PADS)
def test_windows_and_crops_hold_the_clip_as_it_is_filled_up(
    splits: tuple[Split, Split, Split], tmp_path: Path, pad: Pad
) -> None:
    context = make(splits, tmp_path, Counted(), pad=pad)
    clip = soundfile.read(str(splits[0].clips[0].path), dtype="float32")[0]
    window = np.asarray(context.audio(splits[0], 8000, 10.0).values)[0]
    crop = context.random_crops(splits[0], 8000, 10.0, np.array([0]), np.random.default_rng(1))
    np.testing.assert_array_equal(window, np.asarray(crop.values)[0])
    if pad != "noise":
        np.testing.assert_array_equal(window, filled(clip, 80_000, pad, 0))
    assert np.abs(window - filled(clip, 80_000, "center" if pad == "noise" else pad, 0)).max() < 0.01


def test_noise_is_that_of_the_clip_in_every_context(splits: tuple[Split, Split, Split], tmp_path: Path) -> None:
    heard = [
        np.asarray(make(splits, tmp_path / name, Counted(), pad="noise").audio(split, 8000, 10.0).values)
        for name, split in (("one", splits[2]), ("two", splits[2].blind()))
    ]
    np.testing.assert_array_equal(*heard)


def listed(folder: Path, seconds: float) -> Path:
    """A list of six clips of two classes, one of them of this length."""
    generator, lines = np.random.default_rng(0), ["path,label,split"]
    for number, split in enumerate(("train", "train", "valid", "valid", "test", "test")):
        name = f"{split}{number}.wav"
        soundfile.write(folder / name, generator.uniform(-0.3, 0.3, round((seconds if number else 10) * 8000)), 8000)
        lines.append(f"{name},{'ab'[number % 2]},{split}")
    path = folder / f"clips{seconds:g}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def asked(path: Path, **changes: Any) -> Request:
    root = path.parent
    return replace(
        Request(f"csv:{path}", "probe-linear", "nano", seeds=(0,), runs=root / "runs", cache=root / "cache"), **changes
    )


def test_padding_is_in_the_key_where_some_clip_is_padded_and_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "long").mkdir()
    for folder, other in ((tmp_path, True), (tmp_path / "long", False)):
        path = listed(folder, 2.0 if other else 11.0)
        usual, zeros, noise = (
            make_plan(asked(path, pad=pad), Catalogue(), Progress()).specs[0] for pad in ("", "zeros", "noise")
        )
        assert usual == zeros
        assert (noise.key != zeros.key, noise.pad) == (other, "noise" if other else "zeros")
    assert "--pad noise: no clip is shorter than the windows of nano; nothing is padded" in capsys.readouterr().err


def test_card_says_how_its_source_pads_clips_that_may_be_short(tmp_path: Path) -> None:
    catalogue, path = Catalogue(), listed(tmp_path, 0.5)

    def pad(task: str, source: str, asked: str = "") -> str:
        request = Request(task, "probe-linear", source, seeds=(0,), pad=asked)  # type: ignore[arg-type]
        return draft_plan(request, catalogue).specs[0].pad

    assert (pad(f"csv:{path}", "speechatt"), pad(f"csv:{path}", "nano")) == ("noise", "zeros")
    assert pad(f"csv:{path}", "speechatt", "zeros") == "zeros"  # which is how earlier versions did it: the same key
    assert pad("gtzan", "speechatt") == "zeros"  # of clips of 30 s none is


def test_sources_that_pad_otherwise_are_those_that_a_command_names() -> None:
    catalogue = Catalogue()
    assert {name for name in SOURCES if ":" not in name and catalogue.source(name).pad != "zeros"} == set(PADDED)


def test_features_that_were_computed_elsewhere_are_not_padded(tmp_path: Path) -> None:
    np.savez(tmp_path / "held.npz", id=np.array(["a"]), held=np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(NotApplicable, match="features were computed elsewhere, and nothing is padded"):
        draft_plan(Request("gtzan", "knn", f"features:{tmp_path}/held.npz", pad="noise"), Catalogue())


@pytest.mark.slow
def test_file_of_ones_own_is_padded_as_the_clips_of_the_run_were(tmp_path: Path) -> None:
    path = listed(tmp_path, 2.0)
    outcomes: list[Outcome] = []
    for pad in ("repeat", "zeros"):
        outcomes += run(asked(path, pad=pad), Catalogue(), QUIET)
    files = [str(tmp_path / f"test{n}.wav") for n in (4, 5)]
    found = []
    for outcome in outcomes:
        held = RunStore(outcome.folder).scores(outcome.folder)
        places = Places(cache=tmp_path / "cache", device="cpu")
        again = predict(tmp_path / "runs", str(outcome.folder), files, QUIET, places)
        np.testing.assert_allclose(again.probabilities, held.scores, atol=1e-6)
        found.append(held.scores)
    assert np.abs(found[0] - found[1]).max() > 1e-3
