"""A frozen network is looked at for every way in which a method could change it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirbench.errors import ChangedSource
from mirbench.features.context import Context
from mirbench.features.frozen import difference, looks_of
from tests.toys import Ear, Splits, ear_context, splits_of, write_levels


def network() -> nn.Module:
    torch.manual_seed(0)
    parts = (nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    return nn.Sequential(*parts).eval().requires_grad_(False)


CHANGES: dict[str, Callable[[Any], object]] = {
    "one value": lambda net: net[0].weight[1].add_(1e-6),
    "data, which no version tells of": lambda net: net[0].weight.data.mul_(1.001),
    "data in the place of data": lambda net: setattr(net[0].weight, "data", net[0].weight.data + 1),
    "two values swapped": lambda net: net[3].weight.copy_(net[3].weight.flip(0)),
    "a zero's sign": lambda net: net[1].bias.neg_(),
    "a buffer": lambda net: net[1].running_mean.add_(1.0),
    "a step of an optimizer": lambda net: step(net),
    "statistics of a pass in train mode": lambda net: (net.train(), net(torch.randn(8, 3)), net.eval()),
    "train mode": lambda net: net.train(),
    "train mode of one part": lambda net: net[2].train(),
    "a hook": lambda net: net[0].register_forward_hook(lambda *_: None),
    "a hook before": lambda net: net[0].register_forward_pre_hook(lambda *_: None),
    "another part": lambda net: net.__setitem__(2, nn.Identity()),
    "another part of the same kind": lambda net: net.__setitem__(3, nn.Linear(4, 2)),
    "a part more": lambda net: net.append(nn.Softmax(1)),
    "another method": lambda net: setattr(net[3], "forward", lambda x: x),
    "gradients wanted": lambda net: net.requires_grad_(True),
    "another type": lambda net: net.double(),
}


def step(net: nn.Module) -> None:
    net.requires_grad_(True)
    with torch.enable_grad():
        net(torch.randn(8, 3)).sum().backward()
    torch.optim.SGD(net.parameters(), lr=1e-3).step()
    net.requires_grad_(False)


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_a_network_is_seen(change: str) -> None:
    net = network()
    before = looks_of(net)
    with torch.no_grad():
        CHANGES[change](net)
    assert difference(before, looks_of(net))


def test_use_of_a_network_is_no_change() -> None:
    net = network()
    before = looks_of(net)
    net(torch.randn(8, 3, requires_grad=True)).sum().backward()
    with torch.no_grad():
        net(torch.randn(8, 3))
    assert difference(before, looks_of(net)) == ""


def test_difference_names_what_was_changed() -> None:
    net = network()
    before = looks_of(net)
    net[3].weight.data.zero_()
    assert difference(before, looks_of(net)) == "values of 3.weight"


class Loud(nn.Module):
    """Hears the level of a window times a gain, which somebody may turn up."""

    labels = Ear.labels

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def body(self, x: torch.Tensor, layers: tuple[int, ...] = ()) -> Any:
        return Ear().body(self.gain * x, layers)

    def head(self, pooled: torch.Tensor) -> torch.Tensor:
        return pooled.expand(-1, 3)


@pytest.fixture
def splits(tmp_path: Path) -> Splits:
    labels = {"train": ["a", "b", "c"], "valid": ["a", "b", "c"], "test": ["a", "b", "c"]}
    return write_levels(splits_of(labels, "abc", tmp_path))


@pytest.fixture
def context(splits: Splits, tmp_path: Path) -> Context:
    return ear_context(splits, tmp_path, Loud())


def spoil(context: Context) -> None:
    context.source.network.gain.data.mul_(3)


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "rows").rglob("rows.npy"))


def test_rows_of_a_changed_source_are_never_written(context: Context, splits: Splits, tmp_path: Path) -> None:
    train, _, test = splits
    context.source.pooled(train)
    before = shards(tmp_path)
    spoil(context)
    with pytest.raises(ChangedSource, match=r"the shared source toy-ear \(values of gain\)"):
        context.source.pooled(test)
    assert shards(tmp_path) == before


def test_rows_of_a_source_that_is_changed_while_they_are_computed_are_not_written(
    context: Context, splits: Splits, tmp_path: Path
) -> None:
    body = Loud.body
    try:
        Loud.body = lambda net, x, layers=(): (net.gain.data.mul_(2), body(net, x, layers))[1]  # type: ignore[assignment]
        with pytest.raises(ChangedSource):
            context.source.pooled(splits[0])
    finally:
        Loud.body = body  # type: ignore[method-assign]
    assert shards(tmp_path) == []


def test_changed_source_is_told_once_and_loaded_again(context: Context, splits: Splits) -> None:
    spoil(context)
    assert "values of gain" in context.source_changed()
    assert context.source_changed() == ""
    assert float(context.source.network.gain) == 1.0
    np.testing.assert_allclose(np.asarray(context.source.pooled(splits[0]).values).ravel(), [0.1, 0.2, 0.3], atol=1e-3)


def test_changed_source_is_told_even_where_the_method_caught_the_error(context: Context, splits: Splits) -> None:
    spoil(context)
    with pytest.raises(ChangedSource):
        context.source.pooled(splits[0])
    assert "values of gain" in context.source_changed()


def test_source_that_was_never_loaded_is_not_changed(context: Context) -> None:
    assert context.source_changed() == ""


@pytest.mark.perf
def test_looking_at_a_network_takes_little(capsys: pytest.CaptureFixture[str]) -> None:
    big = nn.ModuleList([nn.Linear(768, 3072) for _ in range(36)])
    count = sum(p.numel() for p in big.parameters())
    began = time.process_time()
    looks_of(big)
    with capsys.disabled():
        print(f"\n{count / 1e6:.0f} M parameters: {time.process_time() - began:.3f} s")
