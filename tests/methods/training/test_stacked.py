"""Networks trained together are those trained alone, but for the rounding of batched products.

What is held to: scores within 1e-5, learnt values within 1e-4, the same epochs, the same order of what comes.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirbench import AnySplit, Context
from mirbench.method import Fitted
from mirbench.methods.layer_mix import LayerMix
from mirbench.methods.picture_mlp import PictureMlp
from mirbench.methods.probes import MlpProbe
from mirbench.methods.reprogramming.nmr import IdsNmr
from mirbench.methods.reprogramming.picture_rp import AstBs
from mirbench.methods.training import Inputs, Phase, Recipe, stacked
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.training.stackable import Stackable
from mirbench.types import Split
from tests.toys import Splits, gaussian, splits_of, table_context

SCORES, VALUES = 1e-5, 1e-4
CLASSES = ("a", "b", "c")
Job = tuple[Any, int]


def splits_like(n_train: int = 50, **facts: Any) -> Splits:
    counts = {"train": n_train, "valid": 30, "test": 30}
    return splits_of(
        {split: [CLASSES[n % 3] for n in range(count)] for split, count in counts.items()}, CLASSES, **facts
    )


def noisy(splits: Splits, folder: Path) -> Context:
    return table_context(gaussian(splits, 12, 0.7), folder)


def rows(fitted: Fitted) -> np.ndarray:
    return np.array([[row[name] for name in ("loss", "valid_score", "valid_loss")] for row in fitted.history])


def assert_as_alone(jobs: Sequence[Job], splits: Splits, context: Context, together: Sequence[int]) -> list[Fitted]:
    train, valid, test = splits
    many = list(type(jobs[0][0]).fit_many(jobs, train, valid, context))
    assert [fitted.together for fitted in many] == list(together)
    for (method, seed), found in zip(jobs, many, strict=True):
        alone = method.fit(train, valid, context, seed=seed)
        assert len(found.history) == len(alone.history)
        np.testing.assert_allclose(rows(found), rows(alone), atol=VALUES)
        np.testing.assert_allclose(found.predict(test.blind()), alone.predict(test.blind()), rtol=0, atol=SCORES)
        assert list(found.state) == list(alone.state)
        for name, value in alone.state.items():
            np.testing.assert_allclose(found.state[name], value, rtol=0, atol=VALUES, err_msg=name)
        assert (found.n_trainable, found.n_total) == (alone.n_trainable, alone.n_total)
        assert found.valid_score == (alone.valid_score and pytest.approx(alone.valid_score, abs=VALUES))
        assert ["seconds" in row for row in found.history] == [found.together == 1] * len(found.history)
    return many


def seeds(method: Any, n: int = 3) -> list[Job]:
    return [(method, seed) for seed in range(n)]


MLP = MlpProbe(hidden=16, batch_size=25, patience=3, epochs=15)
PICTURE = PictureMlp(hidden=16, epochs=4, batch_size=25)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [{}, {"lr": 0.01, "weight_decay": 0.1}, {"batch_size": 7}, {"batch_size": 49}, {"epochs": 1}], ids=str
)
def test_seeds_of_an_mlp_are_those_alone(change: dict[str, Any], tmp_path: Path) -> None:
    splits = splits_like()
    assert_as_alone(seeds(replace(MLP, **change)), splits, noisy(splits, tmp_path), [3] * 3)


@pytest.mark.parametrize(
    "change", [{}, {"fixed_minibatches": False}, {"select": "loss"}, {"depth": 0}, {"depth": 3}], ids=str
)
def test_points_and_seeds_of_a_picture_head_are_those_alone(change: dict[str, Any], tmp_path: Path) -> None:
    method, splits = replace(PICTURE, **change), splits_like()
    jobs = [
        (replace(method, lr=lr, weight_decay=decay), seed)
        for seed, lr, decay in ((0, 0.001, 0.0), (0, 0.01, 0.3), (5, 0.001, 0.3), (5, 0.01, 0.0))
    ]
    assert_as_alone(jobs, splits, noisy(splits, tmp_path), [4] * 4)


def test_members_stop_each_after_its_own_last_epoch(tmp_path: Path) -> None:
    splits = splits_like()
    jobs = [(replace(MLP, lr=lr), seed) for lr in (0.03, 0.003, 0.01) for seed in range(2)]
    found = assert_as_alone(jobs, splits, noisy(splits, tmp_path), [6] * 6)
    assert len({len(fitted.history) for fitted in found}) > 2


def test_a_member_that_has_stopped_is_computed_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits, scored = splits_like(), []
    honest = stacked._Stack._logits

    def counted(self: Any) -> Any:
        logits = honest(self)
        scored.append(len(logits))
        return logits

    monkeypatch.setattr(stacked._Stack, "_logits", counted)
    found = list(MlpProbe.fit_many(seeds(MLP), *splits[:2], noisy(splits, tmp_path)))
    assert sum(scored) == sum(len(fitted.history) for fitted in found)
    assert scored[-1] < scored[0]


def test_several_labels_and_unknown_ones_are_learnt_as_alone(tmp_path: Path) -> None:
    splits = splits_like(kind="multi-label", metrics=("roc-auc", "macro-f1"))
    train = Split(
        splits[0].task,
        tuple(replace(clip, unknown=("c",)) if clip.labels == ("b",) else clip for clip in splits[0].clips),
    )
    splits = (train, *splits[1:])
    assert not train.targets().known.all()
    assert_as_alone(seeds(MLP), splits, noisy(splits, tmp_path), [3] * 3)


def test_clips_of_several_windows_are_learnt_as_alone(tmp_path: Path) -> None:
    splits = splits_like(20)
    table = {name: row + 0.1 * np.arange(3)[:, None] for name, row in gaussian(splits, 12, 0.7).items()}
    assert_as_alone(seeds(PICTURE), splits, table_context(table, tmp_path), [3] * 3)


@pytest.mark.parametrize(
    "change",
    [
        {}, {"injection": "add"}, {"gain": "one-plus"}, {"mapping": "sum-logit"}, {"source_head": "random-frozen"},
        {"layer": 0}, {"weight_decay": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_seeds_and_points_of_ids_nmr_are_those_alone(change: dict[str, Any], tiny: tuple[Context, Splits]) -> None:
    context, splits = tiny
    method = replace(IdsNmr(epochs=2, channels=4, outputs_per_class=2, batch_size=4), **change)
    jobs = [(replace(method, lr=lr), seed) for seed, lr in ((0, 1e-3), (0, 1e-4), (1, 1e-3))]
    assert_as_alone(jobs, splits, context, [3] * 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        LayerMix(epochs=3, hidden=8), AstBs(epochs=12, lr=1e-3, schedule="paper"),
        AstBs(epochs=2, mapping="fc527", select="last"),
    ],
    ids=["layer-mix", "ast-bs", "fc527"],
)  # fmt: skip
def test_seeds_and_points_of_linear_and_mixed_heads_are_those_alone(method: Any, tiny: tuple[Context, Splits]) -> None:
    context, splits = tiny
    jobs = [(replace(method, weight_decay=decay), seed) for seed in (0, 1) for decay in (0.0, 0.1)]
    assert_as_alone(jobs, splits, context, [4] * 4)


# Optimisers, phases, batch norm and frozen parts, on a network of every kind of layer that is stacked


@dataclass(frozen=True)
class Mixed(Stackable, NetworkMethod):
    """A network with a frozen layer and batch norm."""

    lr: float = 0.01
    batch_size: int = 16
    epochs: int = 3
    plan: tuple[Phase, ...] = (Phase(3, 0.01),)
    patience: int | None = None
    dropout: float = 0.0

    name = "mixed"

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        frozen = nn.Linear(12, 10).requires_grad_(False)
        # not behind a layer with a bias: that bias has no gradient but rounding, which Adam makes steps of
        parts = (nn.BatchNorm1d(10), nn.Linear(10, 8), nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(8, 3))
        return nn.Sequential(frozen, *parts)

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        return Inputs.of(context.source.pooled(split))

    def phases(self) -> tuple[Phase, ...]:
        return tuple(replace(phase, lr=phase.lr * self.lr, weight_decay=self.weight_decay) for phase in self.plan)

    def recipe(self, module: nn.Module, kind: str) -> Recipe:
        return replace(super().recipe(module, kind), patience=self.patience)


PLANS = {
    "adam": (Phase(4, 1.0),),
    "adamw": (Phase(4, 1.0, "adamw"),),
    "other betas": (Phase(4, 1.0, "adamw", betas=(0.5, 0.9)),),
    "sgd": (Phase(4, 1.0, "sgd", momentum=0.0),),
    "sgd with momentum": (Phase(4, 1.0, "sgd"),),
    "milestones": (Phase(6, 1.0, milestones=(1, 3), gamma=0.3),),
    "momentum that goes on": (Phase(3, 1.0, "sgd"), Phase(3, 0.3, "sgd", from_best=True, goes_on=True)),
    "from the best": (Phase(4, 3.0), Phase(3, 1.0, "sgd", from_best=True), Phase(2, 0.1, "adamw", from_best=True)),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_optimiser_is_that_of_each_alone(plan: tuple[Phase, ...], tmp_path: Path) -> None:
    splits = splits_like()
    jobs = [
        (Mixed(lr=lr, weight_decay=decay, plan=plan), seed)
        for lr, decay in ((0.01, 0.0), (0.003, 0.2))
        for seed in (0, 1)
    ]
    assert_as_alone(jobs, splits, noisy(splits, tmp_path), [4] * 4)


@pytest.mark.slow
@pytest.mark.parametrize("patience", [1, 2])
def test_members_stop_in_any_phase(patience: int, tmp_path: Path) -> None:
    splits = splits_like()
    plan = PLANS["from the best"]
    jobs = [(Mixed(lr=lr, plan=plan, patience=patience), seed) for lr in (0.03, 0.001) for seed in range(4)]
    found = assert_as_alone(jobs, splits, noisy(splits, tmp_path), [8] * 8)
    assert len({len(fitted.history) for fitted in found}) > 1


# What does not fit is fitted alone


@dataclass(frozen=True)
class OwnFit(MlpProbe):
    """An `MlpProbe` with a `fit` of its own."""

    def fit(self, train: Split, valid: Split, context: Context, *, seed: int) -> Fitted:
        return replace(super().fit(train, valid, context, seed=seed), n_trainable=7)


@pytest.mark.parametrize(
    "method", [replace(MLP, accumulate=2), OwnFit(hidden=4, epochs=2)], ids=["batches in parts", "a fit of its own"]
)
def test_what_does_not_fit_is_fitted_alone_to_the_bit(method: Any, tmp_path: Path) -> None:
    splits = splits_like()
    context = noisy(splits, tmp_path)
    found = list(type(method).fit_many(seeds(method, 2), *splits[:2], context))
    for seed, fitted in enumerate(found):
        alone = method.fit(*splits[:2], context, seed=seed)
        assert (fitted.together, fitted.n_trainable) == (1, alone.n_trainable)
        assert all(np.array_equal(fitted.state[name], value) for name, value in alone.state.items())


def test_other_precisions_are_fitted_alone(tmp_path: Path) -> None:
    splits = splits_like()
    context = noisy(splits, tmp_path)
    context.precision = "bfloat16"
    found = list(MlpProbe.fit_many(seeds(replace(MLP, epochs=1), 2), *splits[:2], context))
    assert [fitted.together for fitted in found] == [1, 1]


def test_random_crops_are_fitted_alone(tiny: tuple[Context, Splits], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirbench.methods.training.schedules._CROPS_AN_EPOCH", 2)
    context, splits = tiny
    method = IdsNmr(epochs=1, channels=2, outputs_per_class=2, items="1000-crops", batch_size=2)
    assert [fitted.together for fitted in IdsNmr.fit_many(seeds(method, 2), *splits[:2], context)] == [1, 1]


@pytest.mark.parametrize("kind", ["dropout", "SpecAugment"])
def test_networks_that_draw_are_fitted_alone(kind: str, tmp_path: Path, tiny: tuple[Context, Splits]) -> None:
    context, splits = tiny
    method: Any = AstBs(epochs=1, specaug=True)
    if kind == "dropout":
        splits = splits_like()
        context, method = noisy(splits, tmp_path), Mixed(epochs=1, dropout=0.5)
    found = list(type(method).fit_many(seeds(method, 2), *splits[:2], context))
    for seed, fitted in enumerate(found):
        alone = method.fit(*splits[:2], context, seed=seed)
        assert fitted.together == 1
        assert all(np.array_equal(fitted.state[name], value) for name, value in alone.state.items())


def test_points_of_other_shapes_are_stacks_of_their_own_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    splits = splits_like()
    jobs = [(replace(PICTURE, hidden=hidden, lr=lr), 0) for lr in (0.001, 0.002) for hidden in (4, 8, 4, 6)]
    jobs.append((replace(PICTURE, hidden=5), 0))
    found = assert_as_alone(jobs, splits, noisy(splits, tmp_path), [4, 2, 4, 2, 4, 2, 4, 2, 1])
    assert len({fitted.n_trainable for fitted in found}) == 4


@pytest.mark.parametrize("room", [1, 15_000, 45_000])
def test_stack_is_no_larger_than_its_room(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacked, "_ROOM", room)
    splits = splits_like()
    found = list(PictureMlp.fit_many(seeds(PICTURE, 5), *splits[:2], noisy(splits, tmp_path)))
    assert [fitted.together for fitted in found] == {1: [1] * 5, 15_000: [1] * 5, 45_000: [2, 2, 2, 2, 1]}[room]


def test_loss_that_is_not_finite_is_said(tmp_path: Path) -> None:
    splits = splits_like()
    jobs = [(replace(PICTURE, lr=lr), 0) for lr in (0.001, 1e30)]
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        list(PictureMlp.fit_many(jobs, *splits[:2], noisy(splits, tmp_path)))


def test_what_was_fitted_holds_on_to_no_stack(tmp_path: Path) -> None:
    splits = splits_like()
    found = list(PictureMlp.fit_many(seeds(PICTURE), *splits[:2], noisy(splits, tmp_path)))
    gc.collect()
    assert not [held for held in gc.get_objects() if type(held) is stacked.Values]
    assert len(found) == 3


def test_torchs_own_random_numbers_are_left_as_they_were(tmp_path: Path) -> None:
    splits = splits_like()
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    list(PictureMlp.fit_many(seeds(PICTURE, 2), *splits[:2], noisy(splits, tmp_path)))
    assert torch.rand(1) == wanted
