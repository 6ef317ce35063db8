"""What half precision cannot hold is computed in single precision."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from mirbench.methods.reprogramming.adapters import InputNoise, Reprogrammed
from mirbench.methods.taggers.layers import HarmonicFilters, LogMel, Spectrum

AUDIO = torch.cat([0.5 * torch.randn(2, 4096, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 4096)], dim=1)


@pytest.mark.parametrize(
    "front", [LogMel(96), nn.Sequential(Spectrum(512, power=2.0), HarmonicFilters(6))], ids=["mel", "harmonic"]
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_front_end_of_a_tagger_hears_silence_as_in_single_precision(front: nn.Module, dtype: torch.dtype) -> None:
    front.eval()
    expected = front(AUDIO)
    with torch.autocast("cpu", dtype):
        heard = front(AUDIO)
    assert heard.dtype == torch.float32
    torch.testing.assert_close(heard, expected)


def test_front_end_of_a_reprogrammed_source_hears_silence_as_in_single_precision() -> None:
    mel = torch.ones(64, 8) / 64

    def frontend(audio: Tensor) -> Tensor:
        return (audio.square().unfold(1, 64, 64) @ mel + 1e-10).log()

    source = SimpleNamespace(frontend=frontend, body=lambda x: SimpleNamespace(pooled=x.mean(dim=1)))
    noise = InputNoise(AUDIO.shape[1])
    nn.init.zeros_(noise.theta)
    module = Reprogrammed(noise, source, "frontend", nn.Identity())
    with torch.autocast("cpu", torch.float16):
        heard = module(AUDIO)
    torch.testing.assert_close(heard, module(AUDIO))
