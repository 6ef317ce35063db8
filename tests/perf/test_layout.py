"""What channels last are worth to the taggers on a CPU: ``pytest -m perf -s tests/perf`` prints ratios.

A training step of each network on two windows of noise, with its convolutions in torch's own layout and with channels
last, which the methods use.
"""

from __future__ import annotations

import statistics
import time

import pytest
import torch
from torch import nn

from mirbench.methods.taggers.networks import TAGGERS
from mirbench.runs.measure import tune_allocator


def seconds_a_step(network: nn.Module, audio: torch.Tensor) -> float:
    taken = []
    for _ in range(4):
        began = time.perf_counter()
        network(audio).square().mean().backward()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


@pytest.mark.perf
@pytest.mark.parametrize("name", TAGGERS)
def test_step_with_channels_last_beside_torchs_own_layout(name: str) -> None:
    tune_allocator()
    architecture = TAGGERS[name]
    audio = 0.1 * torch.randn(2, round(architecture.sample_rate * architecture.seconds))
    own = seconds_a_step(architecture.build(10), audio)
    last = seconds_a_step(architecture.build(10).to(memory_format=torch.channels_last), audio)
    print(f"\n{name:<16} own layout {own:.2f} s, channels last {last:.2f} s: {own / last:.2f} times as fast")
