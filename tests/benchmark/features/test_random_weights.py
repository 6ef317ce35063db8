"""Sources at random weights: which draw, what tells them apart, statistics of batch norms, and what tables say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mirbench.errors import BadInput
from mirbench.features.networks import load_network
from mirbench.features.random_weights import bursts, drawn_network, drawn_sha256
from mirbench.features.weights import find_weights, not_here, on_disk
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.attempt import unfinished
from mirbench.runs.hyperparameters import parse_source
from mirbench.runs.plan import Request, draft_plan
from mirbench.source import SourceCard, further_options, seed_of, with_weights

RANDOM = {"weights": "random"}
QUICK = "speechatt"


def card_of(name: str = QUICK) -> SourceCard:
    return Catalogue().source(name)


def state(card: SourceCard, seed: int = 0) -> dict[str, torch.Tensor]:
    held: dict[str, torch.Tensor] = drawn_network(card, {}, seed).state_dict()
    return held


def test_random_weights_of_a_seed_are_the_same_whatever_was_drawn_before() -> None:
    before = torch.random.get_rng_state()
    first = state(card_of())
    torch.rand(7)
    again = state(card_of())
    assert all(torch.equal(first[name], again[name]) for name in first)
    torch.random.set_rng_state(before)
    state(card_of())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_other_draws_have_other_weights_and_another_hash() -> None:
    card = card_of()
    weight = "query.weight"
    assert not torch.equal(state(card)[weight], state(card, 1)[weight])
    hashes = {drawn_sha256(card, {"weights": "random"}, 0), drawn_sha256(card, {"weights": "random-1"}, 1)}
    assert len(hashes) == 2
    assert all(len(found) == 64 for found in hashes)


@pytest.mark.slow
@torch.no_grad()
def test_deep_random_network_tells_sounds_apart_by_the_statistics_that_it_is_given() -> None:
    """As it is made, 17 blocks leave nothing of the sound: that would be no fair comparison."""
    from mirbench.methods.sources.efficientat import EfficientAtNetwork

    card = card_of("efficientat-mn01")

    heard = torch.from_numpy(bursts(4, 32_000, 1.0, 9))
    torch.manual_seed(0)
    spread = {}
    for name, network in {"new": EfficientAtNetwork(0.1), "given": drawn_network(card, {}, 0)}.items():
        network.eval()
        spread[name] = float(network.body(network.frontend(heard)).pooled.std(dim=0).mean())
    assert spread["new"] < 1e-6
    assert spread["given"] > 1e-3


@torch.no_grad()
def test_batch_norm_has_the_mean_and_variance_of_what_comes_to_it() -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(1)

        def body(self, audio: torch.Tensor) -> object:
            return type("Found", (), {"pooled": self.norm(audio.mean(dim=1, keepdim=True))})

    made: list[Normed] = []
    import sys
    import types

    module = types.ModuleType("normed_for_a_test")
    module.make = lambda card, options: made.append(Normed()) or made[-1]  # type: ignore[attr-defined,func-returns-value]
    sys.modules[module.__name__] = module
    try:
        card = SourceCard("normed", "", "network", ("body", "pooled"), "", sample_rate=800, seconds=1.0,
                          untrained="normed_for_a_test:make")  # fmt: skip
        norm = drawn_network(card, {}, 3).norm
    finally:
        del sys.modules[module.__name__]
    means = bursts(16, 800, 1.0, 3).mean(axis=1)
    assert norm.running_mean.item() == pytest.approx(means.mean(), abs=1e-6)
    assert norm.running_var.item() == pytest.approx(means.var(ddof=1), rel=1e-4)
    assert norm.momentum == 0.1
    assert not norm.training


def test_what_a_start_leaves_at_zero_is_drawn() -> None:
    network = drawn_network(card_of("nano"), {}, 0)
    positions = network.model.audio_spectrogram_transformer.embeddings.position_embeddings
    assert float(positions.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_bursts_are_pink_and_louder_and_softer_by_turns() -> None:
    heard = bursts(8, 8000, 4.0, 0)
    assert heard.shape == (8, 32_000)
    assert heard.dtype == np.float32
    assert 0.01 < np.abs(heard).max() <= 1
    levels = 20 * np.log10(heard.reshape(8, 16, 2000).std(axis=2) + 1e-12)
    assert levels.max() - levels.min() > 40
    power = np.abs(np.fft.rfft(bursts(64, 8000, 0.25, 1))) ** 2  # of one level a window
    low, high = power[:, 10:20].mean(), power[:, 160:320].mean()
    assert low / high == pytest.approx(16, rel=0.4)  # 1/f


def test_random_weights_need_no_file_and_no_folder(tmp_path: Path) -> None:
    card = card_of()
    assert on_disk(card, None, tmp_path, RANDOM)
    assert not on_disk(card, None, tmp_path)
    assert not_here(card, None, tmp_path, RANDOM) == ("", "")
    found = find_weights(card, None, tmp_path, Progress(quiet=True), RANDOM)
    assert found is not None
    assert found.path is None
    assert found.sha256 == drawn_sha256(card, RANDOM, 0)
    assert load_network(card, (), RANDOM).labels


def test_options_that_are_not_given_leave_no_trace_in_what_is_asked() -> None:
    for name in ("ast", "efficientat-mn04", "coral-mobilenetv2"):
        card = card_of(name)
        assert parse_source(card, []) == card.options
        assert parse_source(card, ["weights=pretrained"]) == card.options
    assert parse_source(card_of("ast"), ["seconds=10"]) == card_of("ast").options


def test_every_network_that_torch_makes_here_has_the_option() -> None:
    catalogue = Catalogue()
    lacking = {name for name in catalogue.names("source") if "weights" not in further_options(catalogue.source(name))}
    assert lacking == {"openl3"}


@pytest.mark.parametrize("value", ["rand", "random-0", "random-", "random-x", "random-1000000000"])
def test_another_value_of_weights_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(BadInput, match=r"pretrained, random, or random-1, random-2 … for other draws, are accepted"):
        parse_source(card_of(), [f"weights={value}"])


def test_random_weights_are_refused_of_what_another_program_computes() -> None:
    with pytest.raises(BadInput, match="no network of openl3 is made here"):
        parse_source(card_of("openl3"), ["weights=random"])


def test_option_of_that_name_of_somebody_elses_source_is_left_to_it() -> None:
    card = replace(card_of(), options={"weights": "random"})
    assert further_options(card) == {}
    assert seed_of(card, RANDOM) is None
    assert with_weights(card, RANDOM) is card


def test_random_body_is_trained_on_nothing_and_says_so_in_what_a_table_shows() -> None:
    catalogue = Catalogue()
    for source, flagged in (("musicnn-mtat", ("magnatagatune",)), ("musicnn-jamendo", ())):
        asked = Request("magnatagatune", "probe-linear", source)
        assert unfinished(draft_plan(asked, catalogue).specs[0], draft_plan(asked, catalogue)).contaminated == flagged
        random = draft_plan(replace(asked, source_params=RANDOM), catalogue)
        record = unfinished(random.specs[0], random)
        assert record.contaminated == ()
        assert record.changed == {"source weights": "random"}
        assert record.spec.key != draft_plan(asked, catalogue).specs[0].key
