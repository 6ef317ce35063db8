"""The frame-level network: frames, counts and what a unit sees, all of it worked out by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from mirbench import Context
from mirbench.errors import BadInput
from mirbench.methods.taggers.frame_level import FRAME_LEVEL, CompressedMel
from mirbench.methods.taggers.methods import FrameLevel
from mirbench.methods.taggers.networks import SpectrumTagger, Tagger
from mirbench.types import Split
from tests.toys import Splits

PRINTED = [(1024, 1024, 46), (1024, 512, 92), (512, 512, 93), (512, 256, 186), (256, 256, 187)]  # frames of 3 s


def build(**options: Any) -> Tagger:
    torch.manual_seed(0)
    return FRAME_LEVEL.build(50, **options).eval()


def sound(n: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(n, 48_000, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize(("length", "stride", "n_frames"), PRINTED)
def test_waveform_and_spectrogram_have_the_same_frames(length: int, stride: int, n_frames: int) -> None:
    waves = build(length=length, stride=stride)
    pictures = build(length=length, stride=stride, hears="spectrogram")
    assert isinstance(pictures, SpectrumTagger)
    assert waves.body(sound(), layers=(0,)).layers[0].shape == (1, n_frames, 32)
    picture = pictures.frontend(sound())
    assert picture.shape == (1, 1, 128, n_frames)
    n_steps = n_frames // 4 // 4
    for network, heard in ((waves, sound()), (pictures, picture)):
        assert network.body(heard).pooled.shape == (1, 32 * n_steps)
        assert network(sound(2)).shape == (2, 50)


@pytest.mark.parametrize(
    ("options", "first", "n_steps"),
    [
        ({}, 32 * 257 + 32 * 257, 11),  # filters of 256 samples, then of 8 frames of 32, each with a bias
        ({"length": 1024, "stride": 512}, 32 * 1025 + 32 * 257, 5),
        ({"n_filters": 128}, 128 * 257 + 32 * (8 * 128 + 1), 11),
        ({"hears": "spectrogram"}, 32 * (8 * 128 + 1), 11),
    ],
)
def test_count_is_that_of_its_layers(options: dict[str, Any], first: int, n_steps: int) -> None:
    behind = 32 * 257 + 100 * (32 * n_steps + 1) + 50 * 101
    assert sum(p.numel() for p in build(**options).parameters()) == first + behind


@pytest.mark.parametrize(("length", "stride"), [(256, 256), (512, 256)])
def test_a_unit_sees_fifty_one_frames(length: int, stride: int) -> None:
    # 8 frames, 4 of these: 11; 8 of those at every fourth: 39; 4 of these: 51
    wave = sound().requires_grad_(True)
    step = build(length=length, stride=stride).body(wave, layers=(2,)).layers[2][0, 4]
    step.sum().backward()
    assert wave.grad is not None
    seen = wave.grad[0].nonzero()
    first, last = int(seen.min()), int(seen.max())
    # zeros before: three frames, and three of every fourth
    assert first >= stride * (16 * 4 - 3 - 4 * 3)
    assert last < stride * (16 * 4 - 3 - 4 * 3 + 50) + length
    assert last - first > stride * 36  # the maxima pass gradients to some of what they see


@torch.no_grad()
@pytest.mark.parametrize(("length", "stride"), [(1024, 512), (256, 256)])
def test_compressed_mel_equals_that_of_transformers(length: int, stride: int) -> None:
    wave = sound()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter has all zero values")
        filters = mel_filter_bank(length // 2 + 1, 128, 0.0, 8000.0, 16_000, norm=None, mel_scale="htk")
    theirs = spectrogram(
        wave[0].numpy(), window_function(length, "hann"), length, stride, power=1.0, center=False, mel_filters=filters,
        mel_floor=0.0,
    )  # fmt: skip
    found = CompressedMel(length, stride)(wave)[0, 0].numpy()
    assert np.allclose(found, np.log1p(10_000 * theirs), atol=1e-3)


def test_unknown_input_and_frames_that_mean_nothing_are_refused() -> None:
    with pytest.raises(BadInput, match="waveform or spectrogram"):
        build(hears="mel")
    for wrong in ({"length": 0}, {"stride": 4096}, {"n_filters": 0}):
        with pytest.raises(BadInput, match="frame-level"):
            FrameLevel(**wrong)


def test_restored_network_predicts_the_same(tiny: tuple[Context, Splits]) -> None:
    context, splits = tiny
    train, valid, test = (Split(split.task, split.clips[:: len(split) // 3]) for split in splits)
    method = FrameLevel(epochs=1, length=512, stride=512, n_filters=8)
    fitted = method.fit(train, valid, context, seed=0)
    blind = test.blind()
    assert np.array_equal(method.restore(fitted.state, blind, context)(blind), fitted.predict(blind))
    assert fitted.state["blocks.0.1.weight"].shape == (8, 1, 512)


def test_three_easy_classes_are_told_apart(tiny: tuple[Context, Splits]) -> None:
    context, splits = tiny
    train, valid, test = (Split(split.task, split.clips[:: len(split) // 6]) for split in splits)
    method = FrameLevel(hears="spectrogram", length=1024, stride=1024, epochs=6, batch_size=2)
    fitted = method.fit(train, valid, context, seed=0)
    assert (fitted.predict(test.blind()).argmax(axis=1) == test.class_index()).mean() > 0.6
