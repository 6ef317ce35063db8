from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mirbench import Context, clip_means
from mirbench.errors import BadInput, NotApplicable
from mirbench.features import audio, pictures
from mirbench.features.deformation import Deformation
from mirbench.methods.sources.cards import NANO
from mirbench.methods.sources.nano import untrained
from mirbench.progress import Progress
from mirbench.source import Activations
from mirbench.trust import checks
from mirbench.types import Clip, Excerpt, Split, Task, Windowing, excerpts
from tests.toys import ear_context, splits_of, write_levels


class Counted:
    """Makes networks whose bodies count the windows that they see."""

    def __init__(self) -> None:
        self.windows = 0

    def load(self) -> torch.nn.Module:
        torch.manual_seed(0)
        network = untrained()
        body = network.body

        def counting(picture: torch.Tensor, layers: tuple[int, ...] = ()) -> object:
            self.windows += len(picture)
            return body(picture, layers)

        network.body = counting
        return network


def make(splits: tuple[Split, ...], cache: Path, counted: Counted, **changes: object) -> Context:
    places = [place for split in splits for place in excerpts(split)]
    facts = audio.survey(places, cache / "files.sqlite", Progress(quiet=True))
    options = {"card": NANO, "load": counted.load, "source_identity": "w", "device": torch.device("cpu")}
    return Context(facts=facts, cache=cache, **{**options, **changes})


@pytest.fixture
def splits(tmp_path: Path) -> tuple[Split, Split, Split]:
    return checks.tiny_task(tmp_path)


def test_pooled_is_computed_once_for_two_contexts(splits, tmp_path: Path) -> None:
    counted = Counted()
    first = make(splits, tmp_path / "cache", counted).source.pooled(splits[0])
    assert counted.windows == len(first) == 12
    again = make(splits, tmp_path / "cache", counted).source.pooled(splits[0])
    assert counted.windows == 12
    assert np.array_equal(np.asarray(first.values), np.asarray(again.values))


def test_rows_that_another_process_computes_are_waited_for_and_read(
    splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The neighbour begins when we have seen that rows lack, and has done them when we may begin."""
    ours, theirs = Counted(), Counted()
    neighbour = make(splits, tmp_path / "cache", theirs)
    context = make(splits, tmp_path / "cache", ours)
    said: list[str] = []

    @contextmanager
    def claimed(target: Path, what: str, progress: Progress) -> Iterator[None]:
        said.append(what)
        if len(said) == 1:
            neighbour.source.pooled(splits[0])
        yield

    monkeypatch.setattr("mirbench.features.row_stores.claimed", claimed)
    rows = context.source.pooled(splits[0])
    assert (ours.windows, theirs.windows, len(rows)) == (0, 12, 12)
    assert said == ["computing pooled"] * 2


def test_claims_of_rows_are_given_back(splits, tmp_path: Path) -> None:
    make(splits, tmp_path / "cache", Counted()).source.pooled(splits[0])
    assert not list((tmp_path / "cache").rglob(".*"))


def test_rows_are_shared_by_splits_that_hold_the_same_clips(splits, tmp_path: Path) -> None:
    counted = Counted()
    context = make(splits, tmp_path / "cache", counted)
    context.source.pooled(splits[0])
    other = Split(splits[0].task, splits[0].clips[6:] + splits[1].clips)
    context.source.pooled(other)
    assert counted.windows == 12 + len(splits[1])


@pytest.mark.parametrize("change", [{"source_identity": "other weights"}, {"precision": "bfloat16"}])
def test_rows_of_other_weights_or_precision_are_computed_anew(change, splits, tmp_path: Path) -> None:
    counted = Counted()
    make(splits, tmp_path / "cache", counted).source.pooled(splits[1])
    make(splits, tmp_path / "cache", counted, **change).source.pooled(splits[1])
    assert counted.windows == 2 * len(splits[1])


def test_rows_of_edited_audio_are_computed_anew(splits, tmp_path: Path) -> None:
    counted = Counted()
    make(splits, tmp_path / "cache", counted).source.pooled(splits[1])
    before = counted.windows
    path = splits[1].clips[0].path
    sound, rate = soundfile.read(path)
    soundfile.write(path, 0.5 * sound, rate)
    make(splits, tmp_path / "cache", counted).source.pooled(splits[1])
    assert counted.windows == before + 1


def test_layer_and_pooled_come_from_one_pass(splits, tmp_path: Path) -> None:
    counted = Counted()
    context = make(splits, tmp_path / "cache", counted)
    tokens = context.source.layer(splits[0], 3)
    pooled = context.source.pooled(splits[0])
    assert counted.windows == 12
    assert tokens.values.shape == (12, 60, 96)
    assert tokens.values.dtype == np.float16
    assert pooled.values.shape == (12, 96)


def test_stages_equal_the_network_applied_by_hand(splits, tmp_path: Path) -> None:
    context = make(splits, tmp_path / "cache", Counted())
    sound = np.asarray(context.source.audio(splits[2]).values)
    torch.manual_seed(0)
    network = untrained().eval()
    with torch.no_grad():
        picture = network.frontend(torch.from_numpy(sound))
        found = network.body(picture, layers=(2,))
        logits = network.head(found.pooled)
    source = context.source
    assert np.allclose(source.pictures(splits[2]).values[:], picture.numpy(), atol=1e-5)
    assert np.allclose(source.pooled(splits[2]).values[:], found.pooled.numpy(), atol=1e-4)
    assert np.allclose(source.layer(splits[2], 2).values[:], found.layers[2].numpy(), atol=1e-2)
    assert np.allclose(np.asarray(source.logits(splits[2]).values), logits.numpy(), atol=1e-4)


def test_uncached_computes_afresh_and_keeps_nothing(splits, tmp_path: Path) -> None:
    counted = Counted()
    context = make(splits, tmp_path / "cache", counted)
    kept = np.asarray(context.source.pooled(splits[1]).values)
    with context.uncached():
        fresh = np.asarray(context.source.pooled(splits[1]).values)
    assert counted.windows == 2 * len(splits[1])
    assert np.allclose(kept, fresh, atol=1e-5)


def test_blind_split_gives_the_same_rows(splits, tmp_path: Path) -> None:
    context = make(splits, tmp_path / "cache", Counted())
    seen, blind = context.source.pooled(splits[2]), context.source.pooled(splits[2].blind())
    assert np.array_equal(np.asarray(seen.values), np.asarray(blind.values))


def test_an_interrupted_extraction_leaves_no_half_row(splits, tmp_path: Path, monkeypatch) -> None:
    counted = Counted()
    context = make(splits, tmp_path / "cache", counted)
    monkeypatch.setattr(np, "save", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        context.source.pooled(splits[1])
    monkeypatch.undo()
    assert not any((tmp_path / "cache" / "rows").rglob("*.npy"))
    assert len(make(splits, tmp_path / "cache", counted).source.pooled(splits[1])) == len(splits[1])


def test_feature_seconds_are_what_the_rows_cost_when_computed(splits, tmp_path: Path) -> None:
    context = make(splits, tmp_path / "cache", Counted())
    context.begin_run()
    context.source.pooled(splits[0])
    cost, spent = context.feature_seconds, context.spent_seconds
    later = make(splits, tmp_path / "cache", Counted())
    later.begin_run()
    later.source.pooled(splits[0])
    later.source.pooled(splits[0])  # counted once
    assert 0 < cost <= spent
    assert later.feature_seconds == pytest.approx(cost)
    assert later.spent_seconds == 0


def test_copy_is_trainable_and_apart_from_the_shared_network(splits, tmp_path: Path) -> None:
    context = make(splits, tmp_path / "cache", Counted())
    mine = context.source.copy()
    with torch.no_grad():
        for p in mine.parameters():
            p.add_(1.0)
    assert all(p.requires_grad for p in mine.parameters())
    shared = context.source.network
    assert not any(p.requires_grad for p in shared.parameters())
    assert not shared.training
    assert not torch.equal(next(mine.parameters()), next(shared.parameters()))


def test_context_without_source_says_what_to_declare(splits, tmp_path: Path) -> None:
    context = make(splits, tmp_path / "cache", Counted(), card=None)
    with pytest.raises(BadInput, match="`needs`"):
        _ = context.source


def test_random_crops_are_stretches_of_their_clips(splits, tmp_path: Path) -> None:
    context = make(splits, tmp_path / "cache", Counted())
    chosen = np.arange(20) % len(splits[0])
    crops = context.random_crops(splits[0], 16_000, 0.5, chosen, np.random.default_rng(0))
    again = context.random_crops(splits[0], 16_000, 0.5, chosen, np.random.default_rng(0))
    assert np.array_equal(crops.values, again.values)
    for crop, clip in zip(np.asarray(crops.values), crops.clip_index, strict=True):
        whole = audio.read(excerpts(splits[0])[clip], 16_000)
        best = np.lib.stride_tricks.sliding_window_view(whole, 8000)
        assert (np.abs(best[:, ::97] - crop[::97]).max(axis=1) < 1e-4).any()


def test_plus_tail_adds_the_last_window(splits, tmp_path: Path) -> None:
    context = make(splits, tmp_path / "cache", Counted(), windowing=Windowing("nonoverlap-plus-tail"))
    windows = context.audio(splits[1], 16_000, 0.75)  # clips of 2 s: 0, 0.75, (1.5 is a third) and the tail
    assert len(windows) == 4 * len(splits[1])
    whole = audio.read(excerpts(splits[1])[0], 16_000)
    assert np.array_equal(windows.values[np.array([3])][0], whole[-12_000:])


def test_clip_means_average_the_windows_of_each_clip() -> None:
    values = np.array([[1.0], [3.0], [10.0]])
    assert clip_means(values, np.array([0, 0, 1]), 2).tolist() == [[2.0], [10.0]]


def test_large_extraction_says_how_much_disk_it_takes(splits, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("mirbench.features.extraction._SAY_BYTES", 1000)
    context = make(splits, tmp_path / "cache", Counted(), progress=Progress())
    context.source.layer(splits[1], 1)
    assert "GB of disk" in capsys.readouterr().err


def test_extraction_that_does_not_fit_the_disk_is_refused(splits, tmp_path: Path, monkeypatch) -> None:
    import shutil

    monkeypatch.setattr("mirbench.features.extraction._SAY_BYTES", 1000)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("mirbench.features.extraction.shutil.disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(BadInput, match="MIRBENCH_CACHE"):
        make(splits, tmp_path / "cache", Counted()).source.pooled(splits[1])


def test_clips_of_one_file_with_other_ends_do_not_share_padded_windows(splits, tmp_path: Path) -> None:
    clip = splits[0].clips[0]
    short, long = (replace(clip, id=name, duration=d) for name, d in (("a", 0.5), ("b", 1.5)))
    split = Split(splits[0].task, (short, long))
    context = make((split,), tmp_path / "cache", Counted())
    windows = np.asarray(context.audio(split, 16_000, 5.0).values)
    assert not windows[0, 8_000:].any()
    assert windows[1, 8_000:24_000].any()


def test_layer_and_pooled_cost_one_pass_also_when_nothing_is_cached(splits, tmp_path: Path) -> None:
    counted = Counted()
    context = make(splits, tmp_path / "cache", counted)
    with context.uncached():
        tokens, pooled = context.source.layer_and_pooled(splits[1], 3)
    assert counted.windows == len(splits[1]) == len(tokens) == len(pooled)


def test_cost_of_a_layer_is_its_own_pass_where_the_embedding_was_there(splits, tmp_path: Path, monkeypatch) -> None:
    counted = Counted()
    monkeypatch.setattr("time.perf_counter", lambda: float(counted.windows))  # a window costs a second
    make(splits, tmp_path / "cache", counted).source.pooled(splits[0])
    context = make(splits, tmp_path / "cache", counted)
    context.begin_run()
    context.source.layer_and_pooled(splits[0], 3)
    assert context.feature_seconds == pytest.approx(len(splits[0]))
    assert context.spent_seconds == len(splits[0])


def test_rows_of_another_process_are_found_without_computing(splits, tmp_path: Path) -> None:
    counted = Counted()
    first, second = (make(splits, tmp_path / "cache", counted) for _ in range(2))
    second.source.pooled(splits[1])
    before = counted.windows
    first.source.pooled(splits[0])
    second.source.pooled(splits[0])
    assert counted.windows == before + len(splits[0])


# Layers and entries


@pytest.mark.slow
def test_layer_means_are_the_means_of_the_layers_from_one_pass(splits, tmp_path: Path) -> None:
    counted = Counted()
    context = make(splits, tmp_path / "cache", counted)
    means = context.source.layer_means(splits[0])
    assert counted.windows == 12
    assert len(means) == NANO.n_layers
    for k, mean in enumerate(means):
        tokens = np.asarray(context.source.layer(splits[0], k).values).astype(np.float64)
        assert np.allclose(mean.values[:], tokens.mean(axis=1), atol=2e-3)  # of layers in half precision
        assert mean.clip_index.tolist() == list(range(12))


def test_entry_is_pictures_where_there_is_a_front_end_and_audio_where_there_is_none(splits, tmp_path: Path) -> None:
    source = make(splits, tmp_path / "cache", Counted()).source
    assert np.array_equal(source.entry(splits[1]).values[:], source.pictures(splits[1]).values[:])
    sound = torch.from_numpy(np.asarray(source.audio(splits[1]).values))
    assert np.allclose(source.live_entry(sound).numpy(), source.entry(splits[1]).values[:], atol=1e-5)
    bare = make(splits, tmp_path / "cache", Counted(), card=replace(NANO, offers=("body", "pooled"))).source
    assert np.array_equal(bare.entry(splits[1]).values[:], sound.numpy())
    assert bare.live_entry(sound) is sound


def test_gradients_pass_through_the_live_entry(splits, tmp_path: Path) -> None:
    source = make(splits, tmp_path / "cache", Counted()).source
    sound = torch.from_numpy(np.asarray(source.audio(splits[1]).values)).requires_grad_()
    source.live_entry(sound).sum().backward()
    assert sound.grad is not None
    assert sound.grad.abs().sum() > 0


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
    with context.uncached():
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


# Pictures


class Looks(torch.nn.Module):
    """The mean colour of a picture file."""

    seen = 0

    def body(self, picture: torch.Tensor, layers: tuple[int, ...] = ()) -> Activations:
        Looks.seen += len(picture)
        colours = picture.mean(dim=(2, 3))
        return Activations(colours, {k: colours[:, None, :] * torch.tensor([[[1.0]], [[3.0]]][k]) for k in layers})


def picture_task(folder: Path, sizes: tuple[int, ...] = (8, 8, 8)) -> tuple[Split, Split, Split]:
    classes = ("r", "g", "b")
    train, valid, test = splits_of({s: classes for s in ("train", "valid", "test")}, classes, medium="picture")
    splits = []
    for split in (train, valid, test):
        clips = []
        for k, (clip, size) in enumerate(zip(split.clips, sizes, strict=True)):
            pixels = np.zeros((size, 2 * size, 3), dtype=np.uint8)
            pixels[..., k] = 100 + len(splits)
            Image.fromarray(pixels).save(folder / f"{clip.id}.png")
            clips.append(replace(clip, path=folder / f"{clip.id}.png"))
        splits.append(Split(split.task, tuple(clips)))
    return splits[0], splits[1], splits[2]


def picture_context(splits: tuple[Split, ...], folder: Path) -> Context:
    places: list[Excerpt] = [place for split in splits for place in excerpts(split)]
    card = replace(NANO, name="looks", offers=("body", "layers", "pooled"), n_layers=2, accepts=("audio", "picture"))
    return Context(
        facts=pictures.survey(places, folder / "memo", Progress(quiet=True)), cache=folder / "cache", card=card,
        device=torch.device("cpu"), medium="picture", load=Looks, source_identity="looks",
    )  # fmt: skip


def test_pictures_have_one_row_each_computed_once(tmp_path: Path) -> None:
    splits, Looks.seen = picture_task(tmp_path), 0
    for _ in range(2):
        pooled = picture_context(splits, tmp_path).source.pooled(splits[0])
        assert np.asarray(pooled.values) == pytest.approx(100 * np.eye(3))
        assert pooled.clip_index.tolist() == [0, 1, 2]
    assert Looks.seen == 3


def test_pictures_of_other_sizes_have_embeddings_but_cannot_be_stacked(tmp_path: Path) -> None:
    splits = picture_task(tmp_path, (8, 9, 10))
    context = picture_context(splits, tmp_path)
    assert np.asarray(context.source.pooled(splits[1]).values) == pytest.approx(101 * np.eye(3))
    with pytest.raises(BadInput, match="18 x 9 pixels, others 16 x 8"):
        context.source.entry(splits[1])


def test_entry_of_pictures_is_the_files_colours_first(tmp_path: Path) -> None:
    splits = picture_task(tmp_path)
    entry = picture_context(splits, tmp_path).source.entry(splits[2])
    assert entry.values.shape == (3, 3, 8, 16)
    assert np.asarray(entry.values).dtype == np.uint8
    assert (np.asarray(entry.values)[1, 1] == 102).all()


def test_layer_means_of_pictures_are_those_of_their_layers(tmp_path: Path) -> None:
    splits = picture_task(tmp_path)
    first, second = picture_context(splits, tmp_path).source.layer_means(splits[0])
    assert np.allclose(3 * np.asarray(first.values), second.values)


def test_edited_picture_is_computed_anew(tmp_path: Path) -> None:
    splits, Looks.seen = picture_task(tmp_path), 0
    picture_context(splits, tmp_path).source.pooled(splits[0])
    Image.new("RGB", (16, 8), "white").save(splits[0].clips[0].path)
    pooled = picture_context(splits, tmp_path).source.pooled(splits[0])
    assert Looks.seen == 4
    assert pooled.values[:][0].tolist() == [255.0, 255.0, 255.0]


def test_pictures_cannot_be_heard(tmp_path: Path) -> None:
    splits = picture_task(tmp_path)
    context = picture_context(splits, tmp_path)
    for hear in (
        lambda: context.audio(splits[0], 8000, 1.0),
        lambda: context.whole(splits[0], "s", 8000, summary([]), identity="1"),
        lambda: context.random_crops(splits[0], 8000, 1.0, np.arange(1), np.random.default_rng(0)),
    ):
        with pytest.raises(NotApplicable, match="the clips of this task are pictures"):
            hear()


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
