"""hung2022's port of SpeechATT, from the facts of its code; its weights are published nowhere, so they are random."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirbench.errors import BadInput, MissingData
from mirbench.features.bound import fold_batch_norm
from mirbench.features.weights import find_weights
from mirbench.methods.reprogramming.adapters import SkipTransform
from mirbench.methods.reprogramming.outputs import outputs_per_class
from mirbench.methods.sources.cards import SPEECHATT_PORT
from mirbench.methods.sources.speechatt_port import SpeechAttPort, build
from mirbench.trust.checks import check_network
from tests.toys import QUIET

SHAPES: dict[str, tuple[int, ...]] = {
    "conv_block.0.weight": (10, 1, 5, 1), "conv_block.0.bias": (10,), "conv_block.2.weight": (1, 10, 5, 1),
    "conv_block.2.bias": (1,), "query_transform.weight": (128, 128), "query_transform.bias": (128,),
    "head.0.weight": (64, 128), "head.0.bias": (64,), "head.1.weight": (32, 64), "head.1.bias": (32,),
    "head.2.weight": (35, 32), "head.2.bias": (35,),
    **{f"conv_block.{n}.{name}": (c,) for n, c in ((1, 10), (3, 1)) for name in
       ("weight", "bias", "running_mean", "running_var")},
    **{f"lstm_block.{name}_l{k}{way}": shape for k, width in ((0, 80), (1, 128)) for way in ("", "_reverse")
       for name, shape in (("weight_ih", (256, width)), ("weight_hh", (256, 64)), ("bias_ih", (256,)),
                           ("bias_hh", (256,)))},
}  # fmt: skip


def state() -> dict[str, torch.Tensor]:
    """Random weights in the layout of the port's state."""
    generator = torch.Generator().manual_seed(0)
    made = {name: 0.2 * torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    made |= {name: value.abs() + 0.5 for name, value in made.items() if name.endswith("running_var")}
    counts = {f"conv_block.{n}.num_batches_tracked": torch.tensor(7) for n in (1, 3)}
    spectrum = {"mel_extr.spectrogram.window": torch.hann_window(1024), "mel_extr.mel_scale.fb": torch.zeros(513, 80)}
    return {**spectrum, **made, **counts}


def checkpoint(folder: Path, **changes: Any) -> Path:
    settings = argparse.Namespace(model="AttRNNSpeechModel", lr=1e-3, gpu=None, words=["yes"])
    torch.save({"Args": settings, "Model": {**state(), **changes}}, folder / "x.pth")
    return folder / "x.pth"


def sound(n: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(n, 16_000, generator=torch.Generator().manual_seed(1))


def test_port_conforms_to_its_card() -> None:
    torch.manual_seed(0)
    network = SpeechAttPort()
    assert check_network(SPEECHATT_PORT, network) == []
    assert sum(p.numel() for p in network.parameters()) == 202_216


def test_port_picture_is_20_log_of_the_mel_magnitudes() -> None:
    wave = sound(1)[0].double().numpy()
    wave[8_000:] *= 1e-6  # more than 80 dB below the peak
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    padded = np.pad(wave, 512, mode="reflect")
    frames = np.stack([padded[512 * k : 512 * k + 1024] * hann for k in range(32)])
    edges = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 40 / 700), 2595 * np.log10(1 + 8000 / 700), 82) / 2595) - 1)
    bins = np.arange(513)[:, None] * 16_000 / 1024
    up = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    mel = np.abs(np.fft.rfft(frames)) @ np.maximum(0, np.minimum(up, down))
    expected = 20 * np.log10(np.maximum(mel, 1e-10)).T
    found = SpeechAttPort().frontend(torch.from_numpy(wave).float()[None])[0, 0].numpy()
    assert found.shape == expected.shape == (80, 32)
    heard = expected > -150  # below, single precision of the transform is heard
    assert np.abs(found - expected)[heard].max() < 0.05
    assert np.ptp(expected[heard]) > 100


@torch.no_grad()
def test_port_reads_a_checkpoint_of_its_authors_form(tmp_path: Path) -> None:
    network, held = build(checkpoint(tmp_path)), state()
    picture = network.frontend(sound())
    x = picture.transpose(2, 3)
    for n in (0, 2):
        x = torch.nn.functional.conv2d(x, held[f"conv_block.{n}.weight"], held[f"conv_block.{n}.bias"], padding=(2, 0))
        mean, variance, scale, shift = (
            held[f"conv_block.{n + 1}.{name}"][None, :, None, None]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        x = (x - mean) / (variance + 1e-3).sqrt() * scale + shift
    lstm = torch.nn.LSTM(80, 64, 2, batch_first=True, bidirectional=True)
    lstm.load_state_dict({k.removeprefix("lstm_block."): v for k, v in held.items() if k.startswith("lstm_block.")})
    frames = lstm(x[:, 0])[0]
    query = frames.mean(dim=1) @ held["query_transform.weight"].T + held["query_transform.bias"]
    context = sum((frames[:, t] * query).sum(dim=1, keepdim=True) * frames[:, t] for t in range(32))
    out = context
    for n in range(3):
        out = out @ held[f"head.{n}.weight"].T + held[f"head.{n}.bias"]
    found = network.body(picture, layers=(0,))
    assert torch.allclose(found.layers[0], frames, atol=1e-4)
    assert torch.allclose(found.pooled, context, rtol=1e-3, atol=1e-3)
    assert torch.allclose(network.head(found.pooled), out, rtol=1e-3, atol=1e-3)
    assert not network.training


def test_port_reads_a_state_without_a_frame_around_it(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "bare.pth")
    bare, framed = build(tmp_path / "bare.pth").state_dict(), build(checkpoint(tmp_path)).state_dict()
    assert all(torch.equal(value, framed[name]) for name, value in bare.items())
    assert bare["mel.mel_scale.fb"].abs().sum() > 0  # not the file's


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("code ran",))


@pytest.mark.parametrize(
    "changes",
    [{"head.2.weight": torch.zeros(36, 32)}, {"head.3.weight": torch.zeros(2, 2)}, {"x": Evil()}],
    ids=["shape", "left over", "code"],
)
def test_port_refuses_what_does_not_fit_in_one_line(
    changes: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput, match=r"x\.pth: not the weights of hung2022's port of SpeechATT") as caught:
        build(checkpoint(tmp_path, **changes))
    assert "\n" not in str(caught.value)
    assert "code ran" not in capsys.readouterr().out


def test_port_refuses_a_file_that_lacks_a_weight(tmp_path: Path) -> None:
    held = state()
    del held["query_transform.bias"]
    torch.save({"Model": held}, tmp_path / "x.pth")
    with pytest.raises(BadInput, match="not the weights of hung2022's port"):
        build(tmp_path / "x.pth")


def test_missing_weights_of_the_port_are_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIRBENCH_WEIGHTS", raising=False)
    with pytest.raises(MissingData, match=r"speechatt-port: AttRNNSpeechModel\.pth .* --weights DIR") as caught:
        find_weights(SPEECHATT_PORT, None, tmp_path, QUIET)
    assert "\n" not in str(caught.value)


@torch.no_grad()
def test_folding_the_ports_batch_norms_keeps_its_function(tmp_path: Path) -> None:
    network = build(checkpoint(tmp_path))
    folded = fold_batch_norm(copy.deepcopy(network))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    picture = network.frontend(sound())
    assert torch.allclose(folded.body(picture).pooled, network.body(picture).pooled, rtol=1e-3, atol=1e-3)


def test_gradient_of_the_port_is_finite_on_digital_silence(tmp_path: Path) -> None:
    network = build(checkpoint(tmp_path))
    wave = torch.zeros(1, 16_000)
    wave[0, :400] = 0.1
    wave.requires_grad_(True)
    network.head(network.body(network.frontend(wave)).pooled).sum().backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()
    assert wave.grad.abs().sum() > 0


def test_skip_of_the_port_ends_at_one_frame() -> None:
    skip = SkipTransform(128, 130, SPEECHATT_PORT.n_features, stride=3, one_plus=True)
    lengths, x = [], torch.randn(2, 128, SPEECHATT_PORT.n_frames)
    for module in skip.convolutions:
        x = module(x)
        if isinstance(module, torch.nn.Conv1d):
            lengths.append(x.shape[2])
    assert lengths == [32, 10, 3, 1]


def test_ten_classes_own_two_outputs_of_the_port_each() -> None:
    assert outputs_per_class(SPEECHATT_PORT, 10, None) == 2
