"""Published checkpoints: what of them is changed when they are read."""

from pathlib import Path

import torch
from torch import nn

from mirbench.methods.sources.checkpoints import load_checkpoint


def test_weights_that_are_too_small_for_a_processor_to_be_quick_with_are_zeros(tmp_path: Path) -> None:
    dead, kept = 4e-42, 2e-38
    state = {"weight": torch.tensor([[dead, -dead, kept, -1.0]]), "bias": torch.tensor([dead])}
    torch.save(state, tmp_path / "weights.pth")
    network = load_checkpoint(nn.Linear(4, 1), tmp_path / "weights.pth", "a test")
    assert network.weight.tolist() == [[0.0, 0.0, torch.tensor(kept).item(), -1.0]]
    assert network.bias.tolist() == [0.0]
