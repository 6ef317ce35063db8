from __future__ import annotations

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.methods.training import Inputs, at_once, predictor
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]


class Wide(torch.nn.Module):
    """Makes 1000 values of a window on its way to three logits, and notes how many windows it is asked about."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = torch.nn.Linear(2, 1000), torch.nn.Linear(1000, 3)
        self.asked: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(x))
        logits: torch.Tensor = self.outer(self.inner(x))
        return logits


def seen(n: int) -> Inputs:
    return Inputs((np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32),), np.arange(n) // 5, n // 5)


@pytest.mark.parametrize(("room", "most"), [(4 * 4000 * 7, 7), (1, 1), (2**40, at_once.MOST_WINDOWS)])
def test_windows_are_asked_about_as_many_at_once_as_memory_holds(
    room: int, most: int, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "_ELSEWHERE", room)
    module = Wide().eval()
    scores = predictor(module, lambda split: seen(100), tiny[0])(tiny[1][2].blind())
    assert module.asked[0] == 1  # the window that is measured
    assert max(module.asked[1:]) == most
    assert sum(module.asked[1:]) == 100
    expected = module(torch.from_numpy(seen(100).arrays[0])).softmax(dim=1).reshape(20, 5, 3).mean(dim=1)
    np.testing.assert_allclose(scores, expected.detach().numpy(), atol=1e-6)


def test_a_module_is_measured_once_for_a_shape(tiny: Tiny) -> None:
    module = Wide().eval()
    ask = predictor(module, lambda split: seen(100), tiny[0])
    ask(tiny[1][2].blind())
    first = len(module.asked)
    ask(tiny[1][2].blind())
    assert len(module.asked) == 2 * first - 1
    assert "_largest" not in "".join(module.state_dict())
