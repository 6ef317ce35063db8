"""The taggers as methods: the benchmark's recipe, crops, schedule, and hyperparameters that reach the networks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from mirbench import Context, Windows
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.reprogramming.nmr import IdsNmr
from mirbench.methods.taggers.networks import TAGGERS
from mirbench.methods.training import Phase, masked_bce
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import parse_method
from mirbench.runs.measure import count_parameters
from mirbench.types import Split, Windowing
from tests.toys import RATE, Splits, ear_context, recorded, splits_of, write_levels

SHORT = ("short-chunk", "cnn1d")  # the quickest
CLASSES = ("clicks", "noise", "tone")
Tiny = tuple[Context, tuple[Split, Split, Split]]


def method(name: str, **changes: Any) -> Any:
    return Catalogue().method(name)(**changes)


def few(tiny: Tiny) -> tuple[Context, Split, Split, Split]:
    """One clip a class of each split."""
    context, (train, valid, test) = tiny
    return context, *(Split(split.task, split.clips[:: len(split) // 3]) for split in (train, valid, test))


@pytest.mark.parametrize("name", [n if n in SHORT else pytest.param(n, marks=pytest.mark.slow) for n in TAGGERS])
@pytest.mark.slow
def test_every_tagger_trains_an_epoch_and_counts_its_network(name: str, tiny: Tiny) -> None:
    context, train, valid, test = few(tiny)
    fitted = method(name, epochs=1).fit(train, valid, context, seed=0)
    scores = fitted.predict(test.blind())
    assert scores.shape == (3, 3)
    assert np.isfinite(scores).all()
    network = TAGGERS[name].build(3)
    assert fitted.n_trainable == count_parameters(network)
    assert len(fitted.history) == 1
    assert set(fitted.state) == set(network.state_dict())
    torch.manual_seed(0)
    first = {key: p.detach().numpy() for key, p in TAGGERS[name].build(3).named_parameters()}
    assert any(not np.array_equal(fitted.state[key], value) for key, value in first.items())


def test_every_network_of_the_table_is_a_method_and_no_other() -> None:
    kinds = {type(method(name)) for name in TAGGERS}
    assert len(kinds) == 12
    assert all(method(name).needs == () for name in TAGGERS)


# The recipe

WON = [("adam", 80, None), ("sgd", 20, 1e-3), ("sgd", 20, 1e-4), ("sgd", 80, 1e-5)]


@pytest.mark.parametrize("name", [name for name in TAGGERS if name != "bl-cnn"])
def test_schedule_is_the_benchmarks(name: str) -> None:
    phases = method(name).phases()
    assert [(p.optimizer, p.epochs, p.lr) for p in phases] == [(o, n, lr or 1e-4) for o, n, lr in WON]
    assert all(p.weight_decay == 1e-4 for p in phases)
    assert [p.from_best for p in phases] == [False, True, True, True]  # solver.py loads the best at each change
    assert [p.goes_on for p in phases] == [False, False, True, True]  # and sets the rate of the SGD that is there
    groups = [p.build([torch.nn.Parameter(torch.zeros(1))])[0].param_groups[0] for p in phases[1:]]
    assert all((g["momentum"], g["nesterov"]) == (0.9, True) for g in groups)
    assert method(name).batch_size == 16


@pytest.mark.parametrize(
    ("epochs", "lengths"), [(1, [1]), (80, [80]), (81, [80, 1]), (110, [80, 20, 10]), (300, [80, 20, 20, 180])]
)
def test_schedule_is_cut_or_drawn_out_at_its_end(epochs: int, lengths: list[int]) -> None:
    assert [p.epochs for p in method("short-chunk", epochs=epochs).phases()] == lengths


def test_lr_is_adams_and_the_other_rates_stay() -> None:
    assert [p.lr for p in method("fcn", lr=3e-4).phases()] == [3e-4, 1e-3, 1e-4, 1e-5]


def test_constant_schedule_is_adam_throughout() -> None:
    assert method("fcn", schedule="constant", epochs=7).phases() == (Phase(7, 1e-4, weight_decay=1e-4),)


def test_bl_cnn_has_the_recipe_of_its_own_paper() -> None:
    own = method("bl-cnn")
    assert own.phases() == (Phase(100, 1e-4),)
    assert (own.items, own.select, own.draw(None, None, 0)) == ("chunks", "score", None)


def test_bl_cnn_takes_the_recipe_of_its_authors_code() -> None:
    phases = method("bl-cnn", schedule="authors-code", epochs=200, lr=1.0).phases()
    assert [(p.optimizer, p.epochs, p.lr, p.from_best) for p in phases] == [
        ("adam", 80, 1e-4, False), ("sgd", 50, 1e-3, True), ("sgd", 20, 5e-4, True), ("sgd", 50, 1e-5, True),
    ]  # fmt: skip
    assert all(p.weight_decay == 1e-4 for p in phases)
    assert phases == IdsNmr(schedule="authors-code", epochs=200).phases()
    assert [p.epochs for p in method("bl-cnn", schedule="authors-code").phases()] == [80, 20]
    assert method("bl-cnn", schedule="won2020").phases() == method("fcn", epochs=100, weight_decay=0.0).phases()


@pytest.mark.parametrize("wrong", [{"schedule": "authors-code"}, {"items": "1000-crops"}])
def test_recipe_of_bl_cnn_is_offered_to_no_other_tagger(wrong: dict[str, str]) -> None:
    setting = "=".join(*wrong.items())
    assert parse_method(Catalogue().method("bl-cnn"), [setting]) == wrong
    with pytest.raises(BadInput, match="one of"):
        parse_method(Catalogue().method("fcn"), [setting])


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_loss_is_binary_cross_entropy_of_every_class(kind: str) -> None:
    assert method("short-chunk").loss(kind) is masked_bce


@pytest.mark.parametrize(("name", "select"), [("musicnn", "loss"), ("bl-cnn", "score")])
def test_selection_is_by_the_loss_but_for_bl_cnn(name: str, select: str) -> None:
    chosen = method(name)
    assert chosen.recipe(torch.nn.Linear(1, 1), "single-label").select == select
    assert dataclasses.replace(chosen, select="score").recipe(torch.nn.Linear(1, 1), "single-label").select == "score"


def test_kept_epoch_is_that_of_the_lowest_loss(tiny: Tiny) -> None:
    context, train, valid, _ = few(tiny)
    fitted = method("cnn1d", epochs=4, schedule="constant", lr=0.01).fit(train, valid, context, seed=0)
    assert fitted.valid_score == -min(row["valid_loss"] for row in fitted.history)
    scores, truth = fitted.predict(valid.blind()), valid.targets().value
    assert scores.shape == truth.shape


# What it hears


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, Splits]:
    """Clips of 12 s of a ramp each, so that a crop tells its place; cnn1d hears 9.568 s of them."""
    folder = tmp_path_factory.mktemp("long")
    splits = splits_of({split: list(CLASSES) for split in ("train", "valid", "test")}, CLASSES, folder)
    for number, clip in enumerate([clip for split in splits for clip in split.clips]):
        ramp = 0.1 * number + np.linspace(0, 0.05, 12 * 16_000)
        soundfile.write(clip.path, ramp, 16_000, subtype="FLOAT")
    return ear_context(splits, folder), splits


def test_an_epoch_is_one_crop_at_random_of_every_clip(long: tuple[Context, Splits]) -> None:
    context, (train, valid, _) = long
    noted, seen = recorded(method("cnn1d", epochs=3, batch_size=2))
    noted.fit(train, valid, context, seed=0)
    crops = np.concatenate([batch.x.numpy() for batch in seen])
    assert crops.shape == (9, 598 * 256)
    clips = np.floor(crops[:, 0] / 0.1 + 1e-3).astype(int)
    for epoch in clips.reshape(3, 3):
        assert sorted(epoch) == [0, 1, 2]
    starts = (crops[:, 0] - 0.1 * clips) / 0.05 * 12
    assert len(np.unique(starts.round(3))) == 9
    assert (starts >= 0).all()
    assert (starts <= 12 - 598 * 256 / 16_000 + 1e-3).all()
    classes = np.concatenate([batch.target.numpy() for batch in seen]).argmax(axis=1)
    assert (classes == clips).all()


@pytest.mark.parametrize(("items", "n", "batch"), [("1000-crops", 992, 16), ("random-crops", 3, 3), ("chunks", 3, 3)])
def test_crops_of_bl_cnn_are_of_10_seconds(
    items: str, n: int, batch: int, long: tuple[Context, Splits], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many of every clip, one of each, or its windows; 992 are 62 whole batches of the authors' 1000."""
    context, (train, _, _) = long
    kept = method("bl-cnn", items=items)
    if items == "chunks":
        assert kept.draw(context, train, 0) is None
        assert len(kept.inputs(context, train).clip_index) == n
        return
    seen: list[np.ndarray] = []

    def crops(split: Split, rate: int, seconds: float, clips: np.ndarray, generator: np.random.Generator) -> Windows:
        assert (split, rate, seconds) == (train, 16_000, 10.0)
        seen.append(clips)
        return Windows(0.1 * clips[:, None].astype(np.float32), clips, len(split))

    monkeypatch.setattr(context, "random_crops", crops)
    draw = kept.draw(context, train, 0)
    batches = list(draw(np.random.default_rng(0)))
    assert {len(b.target) for b in batches} == {batch}
    assert sum(len(b.target) for b in batches) == n
    clips = np.concatenate(seen)
    assert np.bincount(clips).min() >= (1 if n == 3 else 280)
    assert (np.concatenate([b.target.numpy() for b in batches]).argmax(axis=1) == clips).all()
    assert np.allclose(np.concatenate([b.inputs[0].numpy() for b in batches])[:, 0], 0.1 * clips)
    again = np.concatenate([b.inputs[0].numpy() for b in draw(np.random.default_rng(1))])[:, 0]
    assert not np.allclose(again, 0.1 * clips)


@pytest.mark.slow
def test_bl_cnn_learns_and_is_restored_by_the_recipe_of_its_authors(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirbench.methods.training.schedules._CROPS_AN_EPOCH", 8)
    context, train, valid, test = few(tiny)
    kept = method("bl-cnn", items="1000-crops", schedule="authors-code", epochs=2, batch_size=4, n_channels=4)
    fitted, blind = kept.fit(train, valid, context, seed=0), test.blind()
    assert len(fitted.history) == 2
    assert np.array_equal(kept.restore(fitted.state, blind, context)(blind), fitted.predict(blind))


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_no_clip_is_left_out_whatever_the_batch(batch_size: int, long: tuple[Context, Splits]) -> None:
    context, (train, valid, _) = long
    noted, seen = recorded(method("cnn1d", epochs=1, batch_size=batch_size))
    noted.fit(train, valid, context, seed=0)
    assert sum(len(batch.x) for batch in seen) == 3


def test_chunks_are_every_window_once(tmp_path: Path) -> None:
    splits = splits_of({split: list(CLASSES) for split in ("train", "valid", "test")}, CLASSES, tmp_path)
    context = ear_context(write_levels(splits, 20.0), tmp_path)
    noted, seen = recorded(method("cnn1d", epochs=2, items="chunks", batch_size=4))
    noted.fit(*splits[:2], context, seed=0)
    for epoch in (seen[:2], seen[2:]):
        levels = np.concatenate([batch.x.numpy() for batch in epoch]).mean(axis=1)
        assert sorted(levels.round(1)) == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.3, 0.3])


def test_same_seed_trains_on_the_same_crops(long: tuple[Context, Splits]) -> None:
    context, (train, valid, _) = long
    heard = []
    for seed in (0, 0, 1):
        noted, seen = recorded(method("cnn1d", epochs=1))
        noted.fit(train, valid, context, seed=seed)
        heard.append(np.concatenate([batch.x.numpy() for batch in seen]))
    assert np.array_equal(heard[0], heard[1])
    assert not np.array_equal(heard[0], heard[2])


@pytest.mark.slow
def test_hopped16_averages_sixteen_windows_of_a_long_clip(long: tuple[Context, Splits], tmp_path: Path) -> None:
    _, splits = long
    context = ear_context(splits, tmp_path)
    context.windowing = Windowing("hopped16")
    train, valid, test = splits
    kept = method("cnn1d", epochs=1)
    fitted = kept.fit(train, valid, context, seed=0)
    network = TAGGERS["cnn1d"].build(3)
    network.load_state_dict({key: torch.as_tensor(value) for key, value in fitted.state.items()})
    window, hop = 598 * 256, (12 * 16_000 - 598 * 256) // 16
    sound, _ = soundfile.read(test.clips[0].path, dtype="float32")
    windows = torch.stack([torch.from_numpy(sound[k * hop : k * hop + window]) for k in range(16)])
    with torch.no_grad():
        expected = network.eval()(windows).softmax(dim=1).mean(dim=0).numpy()
    assert np.allclose(fitted.predict(test.blind())[0], expected, atol=1e-5)


# Hyperparameters


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn", {"n_bands": 128}), ("crnn", {"n_bands": 128}), ("musicnn", {"n_bands": 128}),
        ("musicnn", {"size": "large"}), ("fcn4", {"batch_norm": False}), ("cnn1d", {"n_hidden": 64}),
        ("bl-cnn", {"n_channels": 54}),
    ],
)  # fmt: skip
def test_hyperparameters_reach_the_network(name: str, options: dict[str, Any], tiny: Tiny) -> None:
    made = method(name, **options).module(tiny[0], tiny[1][0])
    default = method(name).module(tiny[0], tiny[1][0])
    expected = TAGGERS[name].build(3, **options)
    assert {k: v.shape for k, v in made.state_dict().items()} == {k: v.shape for k, v in expected.state_dict().items()}
    assert {k: v.shape for k, v in made.state_dict().items()} != {k: v.shape for k, v in default.state_dict().items()}


@pytest.mark.parametrize(("name", "wrong"), [("cnn1d", {"n_hidden": -1}), ("bl-cnn", {"n_channels": 0})])
def test_widths_that_mean_nothing_are_refused(name: str, wrong: dict[str, int]) -> None:
    with pytest.raises(BadInput, match=name):
        method(name, **wrong)


def test_restored_tagger_predicts_the_same(tiny: Tiny) -> None:
    context, train, valid, test = few(tiny)
    kept = method("cnn1d", epochs=1, n_hidden=16)
    fitted = kept.fit(train, valid, context, seed=0)
    blind = test.blind()
    assert np.array_equal(kept.restore(fitted.state, blind, context)(blind), fitted.predict(blind))


@pytest.mark.parametrize("items", ["random-crops", "chunks"])
def test_pictures_are_not_for_taggers(items: str, tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    pictures = Context(facts={}, cache=Path("unused"), device=context.device, medium="picture")
    with pytest.raises(NotApplicable, match="pictures") as caught:
        method("cnn1d", items=items).fit(train, valid, pictures, seed=0)
    assert "\n" not in str(caught.value)


def test_rate_of_the_toy_files_is_another_than_the_networks() -> None:
    assert TAGGERS["musicnn"].sample_rate != RATE  # so that the tests above resample
