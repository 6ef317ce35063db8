"""Augmentation: what each does to a batch, where it can act, and that it comes from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirbench import Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import asked_of
from mirbench.methods.cnn_bs import CnnBs
from mirbench.methods.layer_mix import LayerMix
from mirbench.methods.mean_teacher import MeanTeacher
from mirbench.methods.probes import MlpProbe
from mirbench.methods.reprogramming.nmr import IdNmr, IdsNmr, IiNmr
from mirbench.methods.reprogramming.picture_rp import AstBs, CnnRp
from mirbench.methods.taggers.methods import Musicnn, SampleLevel
from mirbench.methods.taggers.multi_level import MultiLevel
from mirbench.methods.training.augment import LEVELS_DB, augmented, changed_levels, masked, mixed
from mirbench.methods.training.batch import Batch
from mirbench.methods.tuning.finetune import FineTune
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]


def batch_of(*inputs: Tensor, n_classes: int = 3, pieces: int = 1) -> Batch:
    n = len(inputs[0]) // pieces
    target = torch.eye(n_classes)[torch.arange(n) % n_classes]
    return Batch(inputs, target, torch.ones(n, n_classes, dtype=torch.bool), pieces)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_masks_are_a_band_and_a_stretch_at_the_mean_of_each_picture() -> None:
    torch.manual_seed(0)
    picture = 100 * torch.rand(8, 1, 32, 64) - 80  # of decibels
    found = masked(picture)
    for before, after in zip(picture[:, 0], found[:, 0], strict=True):
        changed = ~torch.isclose(before, after, atol=1e-4)
        rows, columns = changed.all(dim=1), changed.all(dim=0)
        assert torch.equal(changed, rows[:, None] | columns[None, :])
        assert rows.sum() <= 6
        assert columns.sum() <= 6
        assert torch.allclose(after[changed], before.mean().expand(int(changed.sum())), atol=1e-4)
    assert not torch.equal(found, picture)


def test_levels_are_one_gain_an_item_within_bounds() -> None:
    audio = torch.rand(12, 50) + 0.1
    found = changed_levels(batch_of(audio, pieces=2), rng()).inputs[0]
    decibels = 20 * torch.log10(found / audio)
    assert torch.allclose(decibels, decibels[:, :1].expand_as(decibels), atol=1e-4)
    gains = decibels[:, 0]
    assert torch.allclose(gains[::2], gains[1::2], atol=1e-4)  # the pieces of an item
    assert float(gains.abs().max()) <= LEVELS_DB
    assert len(gains.round(decimals=3).unique()) == 6


def test_mixture_of_items_is_that_of_their_labels() -> None:
    """The inputs tell the target: a linear function of one is the same function of the other."""
    batch = batch_of(torch.eye(3)[torch.arange(7) % 3])
    found = mixed(batch, rng())
    assert torch.allclose(found.inputs[0], found.target)
    assert torch.allclose(found.target.sum(dim=1), torch.ones(7))
    assert not torch.equal(found.target, batch.target)


def test_pieces_of_a_mixture_are_of_the_same_two_items() -> None:
    item = torch.arange(5.0).repeat_interleave(3)  # three pieces each
    found = mixed(Batch((item[:, None],), torch.arange(5.0)[:, None], torch.ones(5, 1, dtype=torch.bool), 3), rng())
    assert torch.allclose(found.inputs[0][:, 0].unflatten(0, (5, 3)), found.target.expand(5, 3))


def test_label_is_known_of_a_mixture_where_it_is_of_both() -> None:
    known = torch.tensor([[True, False], [True, True], [False, True], [True, True]])
    batch = Batch((torch.eye(4),), torch.zeros(4, 2), known)
    found = mixed(batch, rng())
    parts = found.inputs[0] > 0
    for row, held in zip(parts, found.known, strict=True):
        assert torch.equal(held, known[row].all(dim=0))


class Fronted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Unflatten(1, (1, 16, -1))

    def forward(self, audio: Tensor) -> Tensor:
        return self.front(audio)


def test_masks_act_behind_a_front_end_in_training_alone() -> None:
    torch.manual_seed(0)
    module, audio = Fronted(), torch.rand(2, 16 * 20)

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        yield batch_of(audio)

    with augmented(["masks"], module, draw) as changed:
        (batch,) = changed(rng())
        assert torch.equal(batch.inputs[0], audio)
        assert not torch.equal(module(audio).flatten(1), audio)
        assert torch.equal(module.eval()(audio).flatten(1), audio)
    assert torch.equal(module.train()(audio).flatten(1), audio)


@pytest.mark.parametrize("said", ["noise", "masks,mixup", "mixup+mixup", "none+masks", ""])
def test_nonsense_is_refused_in_a_line(said: str) -> None:
    with pytest.raises(BadInput, match=r"none, or of masks, levels, mixup some joined by \+"):
        MlpProbe(augment=said)


def test_method_that_trains_in_its_own_way_refuses() -> None:
    with pytest.raises(BadInput, match="leave augment out"):
        MultiLevel(augment="mixup")


def test_parameters_are_what_they_were_where_nothing_is_augmented() -> None:
    assert "augment" not in asked_of(MlpProbe())
    assert "layers" not in asked_of(MlpProbe())
    assert asked_of(MlpProbe(augment="mixup"))["augment"] == "mixup"


@pytest.mark.parametrize(
    ("method", "can"),
    [
        (MlpProbe(epochs=1, augment="masks"), "mixup can"),
        (MlpProbe(epochs=1, augment="mixup+levels"), "mixup can"),
        (IiNmr(epochs=1, augment="masks"), "levels and mixup can"),
        (IdNmr(epochs=1, augment="levels"), "masks and mixup can"),
        (CnnRp(epochs=1, specaug=True, augment="masks"), "mixup can"),
        (AstBs(epochs=1, augment="masks"), "mixup can"),
        (FineTune(epochs=1, augment="levels"), "masks and mixup can"),
        (MeanTeacher(epochs=1, augment="mixup"), "none can"),
        (SampleLevel(epochs=1, items="chunks", augment="masks"), "levels and mixup can"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_cannot_act_is_refused_in_a_line(method: Any, can: str, tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    with pytest.raises(NotApplicable, match=f"augment=.* cannot act where {method.name} learns: .*; here {can}"):
        method.fit(train, valid, context, seed=0)


@pytest.mark.parametrize(
    "method",
    [
        lambda **how: MlpProbe(hidden=8, epochs=2, **how),
        lambda **how: LayerMix(hidden=8, epochs=2, **how),
        lambda **how: AstBs(epochs=2, **how),
    ],
    ids=["probe-mlp", "layer-mix", "ast-bs"],
)
def test_training_on_mixtures_comes_from_the_seed(method: Any, tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    plain, first, again = (method(augment=how).fit(train, valid, context, seed=0) for how in ("none", "mixup", "mixup"))
    losses = [[row["loss"] for row in fitted.history] for fitted in (plain, first, again)]
    assert losses[1] == losses[2]
    assert losses[0] != losses[1]
    assert all(np.array_equal(first.state[name], again.state[name]) for name in first.state)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        lambda how: Musicnn(epochs=1, augment="masks+levels+mixup" if how else "none"),
        lambda how: FineTune(epochs=1, augment="masks+mixup" if how else "none"),
        lambda how: IdNmr(epochs=1, augment="masks+mixup" if how else "none"),
        lambda how: IiNmr(epochs=1, augment="levels+mixup" if how else "none"),
        lambda how: IdsNmr(epochs=3, augment="mixup" if how else "none"),
        lambda how: CnnBs(epochs=1, augment="masks+mixup" if how else "none"),
        lambda how: CnnRp(epochs=1, augment="masks+mixup" if how else "none"),
    ],
    ids=["musicnn", "finetune", "id-nmr", "ii-nmr", "ids-nmr", "cnn-bs", "cnnrp"],
)
def test_training_on_augmented_clips_comes_from_the_seed(method: Any, tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    plain, first, again = (method(how).fit(train, valid, context, seed=0) for how in (False, True, True))
    losses = [[row["loss"] for row in fitted.history] for fitted in (plain, first, again)]
    assert losses[1] == losses[2]
    assert losses[0] != losses[1]
    assert np.array_equal(first.predict(test.blind()), again.predict(test.blind()))


def test_runs_that_augment_are_not_stacked(tiny: Tiny) -> None:
    """What is drawn for one run would be drawn for all: each is as it is alone, to the bit."""
    context, (train, valid, _) = tiny
    method = MlpProbe(hidden=8, epochs=3, augment="mixup")
    together = list(MlpProbe.fit_many([(method, 0), (method, 1)], train, valid, context))
    for seed, fitted in enumerate(together):
        alone = method.fit(train, valid, context, seed=seed)
        assert fitted.together == 1
        assert all(np.array_equal(fitted.state[name], alone.state[name]) for name in alone.state)
