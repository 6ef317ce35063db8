"""Fewer tokens are means of neighbours, and nothing else changes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from mirbench.errors import BadInput, NotApplicable, UnknownName
from mirbench.features.tokens import FewerTokens, neighbour_means
from mirbench.methods.reprogramming.nmr import IdsNmr
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.trust import checks
from mirbench.trust.tiny_task import tiny_context


@pytest.mark.parametrize("n_tokens", [1, 2, 5, 8, 9])
@pytest.mark.parametrize("count", [2, 3, 8, 100])
def test_means_are_of_neighbours_and_the_last_of_what_is_left(n_tokens: int, count: int) -> None:
    tokens = torch.from_numpy(np.random.default_rng(0).standard_normal((2, n_tokens, 3)))
    expected = [tokens[:, at : at + count].numpy().mean(axis=1) for at in range(0, n_tokens, count)]
    np.testing.assert_allclose(neighbour_means(tokens, count).numpy(), np.stack(expected, axis=1), rtol=1e-12)


def test_source_with_fewer_tokens_gives_means_of_those_of_the_source(tmp_path: Path) -> None:
    splits = checks.tiny_task(tmp_path)
    few, all_ = (
        tiny_context(Catalogue().source(name), splits, tmp_path / str(n), Progress(quiet=True)).source
        for n, name in enumerate(("tokens:4:nano", "nano"))
    )
    (layer, pooled), (whole, same) = few.layer_and_pooled(splits[0], 3), all_.layer_and_pooled(splits[0], 3)
    assert (whole.values.shape[1:], layer.values.shape[1:]) == ((60, 96), (15, 96))
    means = np.asarray(whole.values).astype(np.float64).reshape(-1, 15, 4, 96).mean(axis=2)
    np.testing.assert_allclose(np.asarray(layer.values), means, rtol=2e-3, atol=5e-3)  # in half precision
    np.testing.assert_array_equal(np.asarray(pooled.values), np.asarray(same.values))
    np.testing.assert_array_equal(few.logits(splits[0]).values, all_.logits(splits[0]).values)
    assert few.n_parameters == all_.n_parameters


def test_method_that_hears_crops_hears_as_many_tokens(tmp_path: Path) -> None:
    splits = checks.tiny_task(tmp_path)
    context = tiny_context(Catalogue().source("tokens:7:nano"), splits, tmp_path, Progress(quiet=True))
    cached, _ = IdsNmr().inputs(context, splits[0]).arrays
    live, _ = IdsNmr().live_inputs(context, torch.zeros(1, 80_000))
    assert live.shape[1:] == cached.shape[1:] == (9, 96)


def test_network_with_fewer_tokens_is_copied_with_all_that_it_has() -> None:
    class Ear(torch.nn.Module):
        labels = ("a",)

    twin = copy.deepcopy(FewerTokens(Ear(), 2))
    assert twin.labels == ("a",)
    with pytest.raises(AttributeError, match="colour"):
        _ = twin.colour


@pytest.mark.parametrize(
    "argument", ["", "4", "4:", "1:nano", "0:nano", "x:nano", "-2:nano", "2.5:nano", "٤:nano", "9" * 99 + ":nano"]
)
def test_argument_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(BadInput, match="as in tokens:4:ast"):
        Catalogue().source(f"tokens:{argument}")


def test_source_without_hidden_layers_is_refused() -> None:
    with pytest.raises(NotApplicable, match="no hidden layers"):
        Catalogue().source("tokens:4:openl3")
    with pytest.raises(BadInput, match="product"):
        Catalogue().source("tokens:4:tokens:2:nano")
    with pytest.raises(UnknownName, match="nano"):
        Catalogue().source("tokens:4:nanoo")
