"""A probe on a learnt mixture of layers: which layer tells the class is found, whatever the layers' widths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mirbench.errors import BadInput
from mirbench.methods.layer_mix import LayerMix
from mirbench.methods.layer_mixture import Mixture
from tests.toys import Ear, Splits, ear_context, splits_of, write_levels

CLASSES = ("low", "middle", "high")
SECONDS = 0.2


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    folder = tmp_path_factory.mktemp("levels")
    labels = {split: [CLASSES[n % 3] for n in range(60)] for split in ("train", "valid", "test")}
    return write_levels(splits_of(labels, CLASSES, folder), SECONDS)


@pytest.mark.parametrize("widths", [(4, 4, 4), (6, 3, 5)])
@pytest.mark.slow
def test_the_layer_that_tells_the_class_gets_most_weight(widths, levels: Splits, tmp_path: Path) -> None:
    train, valid, test = levels
    context = ear_context(levels, tmp_path, Ear(widths), seconds=SECONDS)
    fitted = LayerMix(hidden=16, lr=0.01).fit(train, valid, context, seed=0)
    share = torch.softmax(torch.from_numpy(fitted.state["weight"]), dim=0)
    assert float(share.sum()) == pytest.approx(1.0)
    assert int(share.argmax()) == 1
    assert share[1] > share[0] + 0.05
    assert share[1] > share[2] + 0.05
    assert (fitted.predict(test.blind()).argmax(axis=1) == test.class_index()).all()


@pytest.mark.parametrize(
    ("widths", "count"),
    [
        ((4, 4, 4), 3 + (4 + 1) * 8 + (8 + 1) * 3),
        ((6, 3, 5), 3 + (6 + 1 + 3 + 1 + 5 + 1) * 8 + (8 + 1) * 8 + (8 + 1) * 3),
    ],
)
def test_trainable_parameters_are_weights_bridges_and_perceptron(widths, count, levels: Splits, tmp_path: Path) -> None:
    context = ear_context(levels, tmp_path, Ear(widths), seconds=SECONDS)
    fitted = LayerMix(hidden=8, epochs=1).fit(*levels[:2], context, seed=0)
    assert fitted.n_trainable == count


def test_at_first_every_layer_counts_the_same() -> None:
    layers = [torch.randn(5, 4) for _ in range(3)]
    module = Mixture((4, 4, 4), 8, 2).eval()
    assert torch.allclose(module(*layers), module.perceptron(torch.stack(layers).mean(dim=0)), atol=1e-6)


def test_mixture_is_the_weighted_sum_of_standardised_layers() -> None:
    torch.manual_seed(0)
    layers = [3 + 2 * torch.randn(50, width) for width in (4, 2)]
    module = Mixture((4, 2), 8, 2).eval()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.7, -0.2]))
        for standardise, layer in zip(module.standardise, layers, strict=True):
            standardise.learn(layer.numpy())
        share = np.exp([0.7, -0.2]) / np.exp([0.7, -0.2]).sum()
        scaled = [(x - x.mean(dim=0)) / x.std(dim=0, correction=0) for x in layers]
        parts = [bring(x) for bring, x in zip(module.bring, scaled, strict=True)]
        expected = module.perceptron(sum(float(s) * part for s, part in zip(share, parts, strict=True)))
        assert torch.allclose(module(*layers), expected, atol=1e-5)
    assert all(isinstance(bring, nn.Linear) for bring in module.bring)


def test_mean_and_scale_are_those_of_train(levels: Splits, tmp_path: Path) -> None:
    context = ear_context(levels, tmp_path, seconds=SECONDS)
    fitted = LayerMix(epochs=1).fit(*levels[:2], context, seed=0)
    tokens = np.asarray(context.source.layer(levels[0], 1).values).astype(np.float64).mean(axis=1)
    assert np.allclose(fitted.state["standardise.1.mean"], tokens.mean(axis=0), atol=1e-3)
    assert np.allclose(fitted.state["standardise.1.scale"], tokens.std(axis=0), atol=1e-3)


def test_it_stops_when_valid_gains_no_more(levels: Splits, tmp_path: Path) -> None:
    context = ear_context(levels, tmp_path, seconds=SECONDS)
    fitted = LayerMix(epochs=60, lr=1e-9, patience=3).fit(*levels[:2], context, seed=0)
    scores = [(row["valid_score"], -row["valid_loss"]) for row in fitted.history]
    best = scores.index(max(scores))
    assert len(scores) == 60 or len(scores) == best + 1 + 3


def test_a_restored_mixture_predicts_the_same(levels: Splits, tmp_path: Path) -> None:
    context, method = ear_context(levels, tmp_path, Ear((6, 3, 5)), seconds=SECONDS), LayerMix(epochs=2)
    fitted = method.fit(*levels[:2], context, seed=0)
    blind = levels[2].blind()
    assert np.array_equal(method.restore(fitted.state, blind, context)(blind), fitted.predict(blind))


@pytest.mark.parametrize("wrong", [{"hidden": 0}, {"patience": 0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="=0: 1 or more is needed"):
        LayerMix(**wrong)
