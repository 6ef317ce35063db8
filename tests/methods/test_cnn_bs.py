"""CNN-BS of chen2022: counts, layouts, what it hears."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirbench import Context
from mirbench.methods.cnn_bs import CnnBs, cnn_bs_code, cnn_bs_matched
from mirbench.methods.sources.ast import AUDIOSET_MEAN, AUDIOSET_STD
from mirbench.methods.training import Batch
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_cnn_bs_of_the_released_code_has_not_the_printed_parameters() -> None:
    assert count(cnn_bs_code(20)) == 2_621_480
    assert round(count(cnn_bs_code(20)) / 1e6, 3) != 0.017


def test_matched_cnn_bs_has_the_printed_parameters() -> None:
    assert count(cnn_bs_matched(20)) == 17_356
    assert round(count(cnn_bs_matched(20)) / 1e6, 3) == 0.017


@pytest.mark.parametrize("make", [cnn_bs_code, cnn_bs_matched])
def test_cnn_bs_gives_a_logit_a_class(make: Any) -> None:
    with torch.no_grad():
        assert make(20)(torch.zeros(2, 1, 128, 1024)).shape == (2, 20)


def test_cnn_bs_of_the_released_code_is_two_convolutions_each_with_relu() -> None:
    net = cnn_bs_code(3)
    first, second = (part for part in net if isinstance(part, nn.Conv2d))
    linear = net[-1]
    x = torch.randn(1, 1, 128, 1024, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        hidden = second(first(x).clamp(min=0)).clamp(min=0)
        assert torch.allclose(net(x), hidden.reshape(1, -1) @ linear.weight.T + linear.bias, atol=1e-5)


def test_matched_cnn_bs_averages_over_the_picture() -> None:
    """Global pooling: a picture twice as long, its halves alike, gives the same logits but for the seam."""
    torch.manual_seed(0)
    net = cnn_bs_matched(5).eval()
    with torch.no_grad():
        short, long = net(torch.ones(1, 1, 128, 1024)), net(torch.ones(1, 1, 128, 2048))
    assert torch.allclose(short, long, atol=1e-2)


def test_cnn_bs_sees_ast_pictures_normalised_or_raw(tiny: Tiny) -> None:
    context, (train, _, _) = tiny
    few = Split(train.task, train.clips[::6])
    normalised, raw = (
        np.asarray(CnnBs(input_norm=norm).inputs(context, few).arrays[0])  # type: ignore[arg-type]
        for norm in ("audioset", "none")
    )
    assert normalised.shape == (2, 1, 128, 1024)
    assert np.allclose(normalised, (raw - AUDIOSET_MEAN) / (2 * AUDIOSET_STD), atol=1e-4)
    assert (raw[:, :, :, 998:] == 0).all()  # ten seconds are 998 frames
    assert (raw[:, :, :, :998] != 0).any(axis=(1, 2)).all()


@pytest.mark.slow
def test_cnn_bs_counts_and_records_what_it_learns(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    few = Split(train.task, train.clips[::3])
    fitted = CnnBs(epochs=1).fit(few, valid, context, seed=0)
    assert fitted.n_trainable == 17_356 - 17 * 41
    assert fitted.predict(test.blind()).shape == (len(test), 3)


@pytest.mark.parametrize("layout", ["matched", "code"])
def test_specaug_of_cnn_bs_is_of_training_alone(layout: Any) -> None:
    split, pictures = SimpleNamespace(classes=("a", "b")), torch.ones(4, 1, 128, 1024)
    torch.manual_seed(0)
    masked = CnnBs(layout=layout, specaug=True).module(None, split)  # type: ignore[arg-type]
    torch.manual_seed(0)
    plain = CnnBs(layout=layout).module(None, split)  # type: ignore[arg-type]
    assert count(masked) == count(plain)
    with torch.no_grad():
        assert torch.equal(masked.eval()(pictures), plain.eval()(pictures))
        shown: list[torch.Tensor] = []
        masked[1].register_forward_pre_hook(lambda module, args: shown.append(args[0]))  # type: ignore[index]
        masked.train()(pictures)
    assert 0 < (shown[0] == 0).float().mean() < 0.3
    assert len({picture.numpy().tobytes() for picture in shown[0]}) == 4


def test_cnn_bs_learns_by_binary_cross_entropy_of_soft_targets() -> None:
    logits, target = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.3, 0.9]])
    batch = Batch((), target, torch.tensor([[True, False]]))
    p = logits.sigmoid()[0, 0]
    for kind in ("single-label", "multi-label"):
        found = CnnBs().recipe(nn.Linear(1, 1), kind).loss(logits, batch)
        assert torch.allclose(found, -(0.3 * p.log() + 0.7 * (1 - p).log()))


def test_cnn_bs_has_the_schedule_and_selection_that_were_asked_for() -> None:
    module = nn.Linear(1, 1)
    paper, code = (CnnBs(schedule=name).phases()[0] for name in ("paper", "authors-code"))  # type: ignore[arg-type]
    assert (paper.epochs, paper.lr, paper.milestones, paper.gamma) == (50, 5e-5, (10, 15, 20, 25, 30, 35, 40, 45), 0.5)
    assert (code.lr, code.betas, code.weight_decay, code.gamma) == (1e-5, (0.95, 0.999), 5e-7, 0.85)
    assert [CnnBs(select=s).recipe(module, "").select for s in ("score", "last")] == ["score", "last"]  # type: ignore[arg-type]


@pytest.mark.parametrize("specaug", [False, True])
@pytest.mark.slow
def test_restored_cnn_bs_equals_the_fitted(specaug: bool, tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, test = (Split(split.task, split.clips[::2]) for split in splits)
    method, predictions = CnnBs(epochs=1, lr=1e-2, specaug=specaug), []
    for seed in (0, 1):
        fitted = method.fit(train, valid, context, seed=seed)
        state = {name: np.asarray(value) for name, value in fitted.state.items()}
        predictions.append(method.restore(state, test.blind(), context)(test.blind()))
        assert np.array_equal(predictions[-1], fitted.predict(test.blind()))
    assert not np.allclose(*predictions, atol=1e-5)


@pytest.mark.slow
def test_code_layout_learns_to_fit_its_training_clips(tiny: Tiny) -> None:
    """From a seed whose rectifiers are not dead from the start, as those of some seeds are."""
    context, (train, valid, _) = tiny
    few = Split(train.task, train.clips[::2])
    fitted = CnnBs(epochs=4, lr=1e-3, layout="code", schedule="constant").fit(few, valid, context, seed=3)
    assert fitted.history[-1]["loss"] < 0.8 * fitted.history[0]["loss"]


def test_cnn_bs_at_half_the_clips_a_time_hears_the_same(tiny: Tiny) -> None:
    context, (train, _, _) = tiny
    whole = np.asarray(CnnBs().inputs(context, train).arrays[0])
    part = np.asarray(CnnBs().inputs(context, Split(train.task, train.clips[:3]).blind()).arrays[0])
    assert np.array_equal(whole[:3], part)
