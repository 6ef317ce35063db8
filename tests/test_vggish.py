"""Equality with torchvggish 0.2 is tested where that package can be imported (it needs resampy and soundfile)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirbench.checks import check_network
from mirbench.errors import BadInput
from mirbench.methods.sources import vggish
from mirbench.methods.sources.embedding_cards import VGGISH


@pytest.fixture(scope="module")
def network() -> vggish.VggishNetwork:
    torch.manual_seed(0)
    return vggish.VggishNetwork().eval()


@pytest.fixture
def torchvggish() -> Any:
    return pytest.importorskip("torchvggish", exc_type=ImportError)


def sound(n_samples: int, n: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(n, n_samples, generator=torch.Generator().manual_seed(1))


def by_hand(wave: np.ndarray) -> np.ndarray:
    """The front end as the paper's code describes it, in double precision: frames, periodic Hann, triangles in mel."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([wave[160 * k : 160 * k + 400] * hann for k in range(96)])
    mel = 1127 * np.log(1 + np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    up = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(up, down))
    return np.log(np.abs(np.fft.rfft(frames, 512)) @ triangles + 0.01).T


def test_vggish_frontend_is_the_log_mel_of_the_papers_code(network: vggish.VggishNetwork) -> None:
    wave = sound(15_600, 1)
    picture = network.frontend(wave)[0, 0].numpy()
    assert picture.shape == (64, 96)
    assert np.abs(picture - by_hand(wave[0].double().numpy())).max() < 1e-4


def test_vggish_frontend_of_a_window_differs_only_in_its_last_two_frames(network: vggish.VggishNetwork) -> None:
    wave = sound(15_600, 1)
    whole, window = network.frontend(wave), network.frontend(wave[:, :15_360])
    assert torch.equal(whole[..., :94], window[..., :94])
    assert not torch.allclose(whole[..., 94:], window[..., 94:])


@torch.no_grad()
def test_vggish_equals_torchvggish_from_sound_to_embedding(torchvggish: Any, network: vggish.VggishNetwork) -> None:
    from torchvggish import torchvggish as package

    theirs = package._vgg(postprocess=False).eval()
    theirs.load_state_dict(network.state_dict(), strict=True)
    wave = sound(16_000, 1)[0]
    examples = torchvggish.waveform_to_examples(wave.double().numpy(), 16_000)
    picture = network.frontend(wave[None])
    assert torch.allclose(picture.transpose(2, 3), examples, atol=1e-4)
    expected, found = theirs(examples), network.body(picture).pooled
    assert expected.abs().max() > 1e-3
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_vggish_without_weights_conforms_to_its_card(network: vggish.VggishNetwork) -> None:
    assert check_network(VGGISH, network) == []


@torch.no_grad()
def test_vggish_layers_are_tokens_in_time(network: vggish.VggishNetwork) -> None:
    picture = network.frontend(sound(15_360, 1))
    other = picture.clone()
    other[..., 48:] += 1.0  # the second half of the window
    here, there = (network.body(x, layers=(0, 3)).layers for x in (picture, other))
    assert {k: tuple(tokens.shape) for k, tokens in here.items()} == {0: (1, 48, 2048), 3: (1, 6, 2048)}
    changed = (here[0] != there[0]).any(dim=2)[0]
    assert not changed[:23].any()
    assert changed[24:].all()


def test_vggish_gradient_is_finite_on_digital_silence(network: vggish.VggishNetwork) -> None:
    wave = torch.zeros(1, 15_360)
    wave[0, :400] = 0.1
    wave.requires_grad_(True)
    network.body(network.frontend(wave)).pooled.sum().backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()


def test_vggish_refuses_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Any) -> None:
    monkeypatch.setattr(vggish, "VggishNetwork", lambda: network)  # not another 72 million random numbers
    for content in ({"features.0.weight": torch.zeros(64, 1, 3, 3)}, torch.zeros(3)):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(BadInput, match="not the weights of VGGish"):
            vggish.build(tmp_path / "x.pth")


@pytest.mark.slow
def test_vggish_reads_its_own_weights_back(tmp_path: Path, network: vggish.VggishNetwork) -> None:
    torch.save(network.state_dict(), tmp_path / "x.pth", _use_new_zipfile_serialization=False)  # as that of 2019
    read = vggish.build(tmp_path / "x.pth")
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in read.state_dict().items())
