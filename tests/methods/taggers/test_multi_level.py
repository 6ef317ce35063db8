"""Networks of several input sizes and what is aggregated of them: segments, levels, counts, and the method."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.errors import BadInput
from mirbench.methods.taggers.local_cnn import LOCAL_CNN, SCALES, LocalCnn, SongClassifier, pools_of, segment_bce
from mirbench.methods.taggers.multi_level import MultiLevel
from mirbench.methods.training import Batch, masked_bce
from mirbench.runs.measure import count_parameters
from mirbench.types import Split
from tests.toys import Splits

N_SAMPLES = 1024 + 215 * 512  # 216 whole frames
WIDTHS = {18: (128, 128, 256), 27: (128, 128, 256), 54: (128, 128, 256, 256), 108: (128, 128, 256, 256, 256),
          216: (128, 128, 256, 256, 256, 256)}  # fmt: skip


def build(n_frames: int, n_classes: int = 4) -> LocalCnn:
    torch.manual_seed(0)
    return LocalCnn(n_frames, n_classes).eval()


def sound(n: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(n, N_SAMPLES, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("n_frames", SCALES)
def test_pools_leave_one_frame(n_frames: int) -> None:
    assert math.prod(pools_of(n_frames)) == n_frames
    assert len(pools_of(n_frames)) == len(WIDTHS[n_frames])


def test_frames_that_maxima_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="twos and threes"):
        pools_of(20)


@torch.no_grad()
@pytest.mark.parametrize("n_frames", SCALES)
def test_a_window_is_its_segments_side_by_side(n_frames: int) -> None:
    assert LOCAL_CNN.n_samples == N_SAMPLES
    network, n_segments = build(n_frames), 216 // n_frames
    audio = sound(2)
    picture, cut = network.frontend(audio), network.segments(audio)
    assert picture.shape == (2, 1, 128, 216)
    assert cut.shape == (2 * n_segments, 128, n_frames)
    assert torch.equal(cut[n_segments], picture[1, 0, :, :n_frames])
    assert torch.equal(cut[-1], picture[1, 0, :, -n_frames:])
    assert network(audio).shape == (2, 4)
    assert network.train()(audio).shape == (2 * n_segments, 4)


@pytest.mark.parametrize("n_frames", SCALES)
def test_count_is_that_of_its_layers(n_frames: int) -> None:
    widths = (128, *WIDTHS[n_frames])
    convolutions = sum(b * (3 * a + 3) for a, b in itertools.pairwise(widths))  # weights, bias, batch norm
    last = 512 * (256 + 3)
    assert count_parameters(build(n_frames)) == convolutions + last + 4 * 513


@torch.no_grad()
def test_a_segment_hears_its_own_frames_alone() -> None:
    network, wave = build(54).train(), sound()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.Dropout):
            module.eval()  # segments meet in batch norm, and nowhere else
    changed = wave.clone()
    changed[:, 110 * 512 : 160 * 512] = 0.0  # whole frames of the third quarter
    moved = (network(changed) != network(wave)).any(dim=1)
    assert moved.tolist() == [False, False, True, False]


@torch.no_grad()
def test_window_has_the_mean_of_its_segments_probabilities() -> None:
    network, audio = build(108), sound(2)
    logits = network.head(network.body(network.segments(audio)).pooled)
    expected = logits.sigmoid().reshape(2, 2, 4).mean(dim=1)
    assert torch.allclose(network(audio).sigmoid(), expected, atol=1e-6)


@torch.no_grad()
def test_levels_are_maxima_over_a_segment_and_means_over_segments() -> None:
    network, audio = build(54), sound(2)
    x, made = network.segments(audio), []
    for block in network.blocks:
        x = block.relu(block.norm(block.conv(x)))
        made.append(x.amax(dim=2).reshape(2, 4, -1).mean(dim=1))  # a maximum before pooling is one behind it
        x = block.pool(x)
    for n_levels, width in ((1, 512), (3, 256 + 256 + 512), (9, 128 + 128 + 256 + 256 + 512)):
        found = network.levels(audio, n_levels)
        assert found.shape == (2, width)
        assert torch.allclose(found, torch.cat(made[-n_levels:], dim=1), atol=1e-5)


def test_loss_of_segments_is_that_of_their_windows_targets() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    target, known = torch.eye(2, 3), torch.tensor([[True, True, True], [True, False, True]])
    rows = [0, 0, 0, 1, 1, 1]
    each = masked_bce(logits, Batch((), target[rows], known[rows]))
    assert torch.equal(segment_bce(logits, Batch((), target, known)), each)
    assert torch.equal(
        segment_bce(logits[:2], Batch((), target, known)), masked_bce(logits[:2], Batch((), target, known))
    )


def test_classifier_standardises_by_train() -> None:
    features = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    torch.manual_seed(0)
    classifier = SongClassifier(2, 3, 4)
    classifier.standardise(features)
    seen: list[torch.Tensor] = []
    classifier.layers[0].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    assert classifier.eval()(features).shape == (2, 3)
    assert seen[0].tolist() == [[-1.0, 0.0], [1.0, 0.0]]  # what does not vary is left as it is


def few(splits: Splits) -> tuple[Split, ...]:
    return tuple(Split(split.task, split.clips[:: len(split) // 3]) for split in splits)


def test_method_tells_easy_classes_apart_and_is_restored(tiny: tuple[Context, Splits]) -> None:
    context, splits = tiny
    train, valid, test = few(splits)
    method = MultiLevel(scale=18, local_epochs=1, epochs=20, lr=1e-2, batch_size=3, n_hidden=16, n_levels=2)
    fitted = method.fit(train, valid, context, seed=0)
    blind = test.blind()
    scores = fitted.predict(blind)
    assert (scores.argmax(axis=1) == test.class_index()).mean() > 0.6
    assert np.array_equal(method.restore(fitted.state, blind, context)(blind), scores)
    assert len(fitted.history) == 1 + 20
    networks = LocalCnn(18, 3), SongClassifier(256 + 512, 3, 16)
    assert fitted.n_trainable == sum(count_parameters(network, trainable=True) for network in networks)
    assert {name.partition(".")[0] for name in fitted.state} == {"frames18", "classifier"}


def test_all_scales_are_joined(tiny: tuple[Context, Splits]) -> None:
    context, splits = tiny
    method = MultiLevel()
    assert method.scales == SCALES
    inputs = method._aggregated([build(n) for n in SCALES], context)(Split(splits[2].task, splits[2].clips[:2]))
    assert inputs.arrays[0].shape == (2, 2 * (128 + 256 + 512) + 3 * (256 + 256 + 512))


@pytest.mark.parametrize("wrong", [{"n_levels": 0}, {"local_epochs": 0}, {"n_hidden": 0}, {"local_lr": 0.0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="multi-level"):
        MultiLevel(**wrong)
