"""A context hands a method rows of a frozen source, computed once and kept apart by all that they depend on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mirbench import Context, clip_means
from mirbench.errors import BadInput
from mirbench.features import audio
from mirbench.features.afresh import Afresh
from mirbench.methods.sources.cards import NANO
from mirbench.methods.sources.nano import untrained
from mirbench.progress import Progress
from mirbench.trust import checks
from mirbench.types import Split, Windowing, excerpts
from tests.toys import Counted


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
    with context.uncached(Afresh(time.perf_counter)):
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
    with context.uncached(Afresh(time.perf_counter)):
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


# Pictures
