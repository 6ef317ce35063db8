from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torchvision.models import mobilenetv3
from torchvision.ops.misc import SqueezeExcitation
from transformers import ASTConfig, ASTForAudioClassification

from mirbench.errors import BadInput
from mirbench.methods.sources import cards, efficientat
from mirbench.methods.sources.ast import AstNetwork, FilterBank
from mirbench.methods.sources.audioset import audioset_labels
from mirbench.source import SourceCard
from mirbench.trust.checks import check_network

WIDTHS = {"mn01": 0.1, "mn02": 0.2, "mn04": 0.4, "mn05": 0.5, "mn10": 1, "mn20": 2, "mn30": 3, "mn40": 4, "mn40-ext": 4}
PRINTED = {"mn04": 0.983, "mn05": 1.43, "mn10": 4.88, "mn20": 17.91, "mn30": 39.09, "mn40": 68.43, "mn40-ext": 68.43}
"""Millions of parameters in the README of fschmid56/EfficientAT."""


def card_of(name: str) -> SourceCard:
    card = getattr(cards, f"EFFICIENTAT_{name.upper().replace('-', '_')}")
    assert isinstance(card, SourceCard)
    return card


def builder_of(card: SourceCard) -> Callable[..., efficientat.EfficientAtNetwork]:
    module, _, name = card.builder.partition(":")
    found: Callable[..., efficientat.EfficientAtNetwork] = getattr(importlib.import_module(module), name)
    return found


@cache
def network_of(width: float) -> efficientat.EfficientAtNetwork:
    torch.manual_seed(0)
    return efficientat.EfficientAtNetwork(width).eval()


def published(network: torch.nn.Module, path: Path) -> Path:
    """A file with the keys and shapes of the published ones."""
    state = {}
    for key, value in network.state_dict().items():
        head, gate, tail = key.partition(".fc")
        name = f"{head}.conc_se_layers.0{gate}{tail}" if gate else key
        name = name.replace("classifier.3.", "classifier.5.").replace("classifier.0.", "classifier.2.")
        state[name] = value.flatten(1) if gate and value.ndim == 4 else value
    torch.save(state, path)
    return path


@pytest.mark.parametrize("name", WIDTHS)
def test_size_has_the_parameters_and_features_of_its_card(name: str) -> None:
    card, network = card_of(name), network_of(WIDTHS[name])
    assert sum(p.numel() for p in network.parameters()) == card.n_parameters
    assert network.classifier[0].in_features == card.n_features
    assert len(network.features) == card.n_layers
    assert card.name == f"efficientat-{name}"


@pytest.mark.parametrize("name", PRINTED)
def test_parameters_are_those_that_the_readme_prints(name: str) -> None:
    digit = 0.001 if name == "mn04" else 0.01  # of the last place; 0.983599 is printed as 0.983
    assert abs(card_of(name).n_parameters / 1e6 - PRINTED[name]) < digit


def test_network_is_torchvisions_to_the_bit() -> None:
    # torchvision's own network: one channel in, and a gate that is a true sigmoid
    rows, last = mobilenetv3._mobilenet_v3_conf("mobilenet_v3_large", width_mult=0.4)
    theirs = mobilenetv3.MobileNetV3(rows, last, 527).eval()
    theirs.features[0][0] = torch.nn.Conv2d(1, theirs.features[0][0].out_channels, 3, stride=2, padding=1, bias=False)
    for module in theirs.modules():
        if isinstance(module, SqueezeExcitation):
            module.scale_activation = torch.nn.Sigmoid()
    ours, picture = network_of(0.4), torch.randn(2, 1, 128, 100)
    theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        pooled = ours.body(picture).pooled
        assert torch.equal(pooled, theirs.features(picture).mean(dim=(2, 3)))
        assert torch.equal(ours.head(pooled), theirs.classifier(pooled))


def test_mn04_has_the_parameters_of_the_published_file() -> None:
    assert sum(p.numel() for p in network_of(0.4).parameters()) == 983_599


def test_mn10_has_the_tensors_of_the_published_file() -> None:
    # as public ports that pin the file by the same hash count it; batch norm's running statistics are among them
    state = network_of(1).state_dict()
    assert len(state) == 312
    assert sum(value.numel() for value in state.values()) == 4_901_277


@pytest.mark.parametrize("name", [name for name in WIDTHS if card_of(name).weights[0].n_bytes])
def test_published_file_is_a_little_larger_than_its_values(name: str) -> None:
    # float32, and counters of 8 bytes; the rest is names and alignment
    values = sum(value.numel() * value.element_size() for value in network_of(WIDTHS[name]).state_dict().values())
    assert 60_000 < card_of(name).weights[0].n_bytes - values < 130_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mn01", "mn02", "mn05", "mn10"])
def test_size_without_weights_conforms_to_its_card(name: str) -> None:
    assert check_network(card_of(name), network_of(WIDTHS[name])) == []


@pytest.mark.parametrize("name", ["mn01", "mn02", "mn04", "mn05", "mn10"])
def test_builder_of_a_card_reads_a_file_of_its_width(tmp_path: Path, name: str) -> None:
    own = network_of(WIDTHS[name])
    read = builder_of(card_of(name))(published(own, tmp_path / "x.pt"))
    assert all(torch.equal(value, own.state_dict()[key]) for key, value in read.state_dict().items())


def test_builder_of_a_card_refuses_another_width(tmp_path: Path) -> None:
    path = published(network_of(0.2), tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"not the weights of an EfficientAT of width 0\.1"):
        builder_of(card_of("mn01"))(path)


@pytest.mark.parametrize("name", WIDTHS)
def test_every_builder_has_the_width_of_its_card(name: str) -> None:
    builder = builder_of(card_of(name))
    assert getattr(builder, "keywords", {"width": 0.4}) == {"width": WIDTHS[name]}


def test_mn04_takes_no_options_so_that_keys_of_its_runs_stay() -> None:
    card = cards.EFFICIENTAT_MN04
    assert (card.name, card.version, dict(card.options)) == ("efficientat-mn04", "1", {})
    assert card.builder == "mirbench.methods.sources.efficientat:build"


def test_audioset_labels_are_527_different_names_in_order() -> None:
    labels = audioset_labels()
    assert len(set(labels)) == len(labels) == 527
    # positions that AudioSet's papers and AST's configuration give
    assert (labels[0], labels[137], labels[526]) == ("Speech", "Music", "Field recording")


@pytest.mark.real
def test_audioset_labels_are_those_of_the_published_table(shared: Path) -> None:
    import pandas as pd

    table = pd.read_csv(shared / "weights" / "audioset_labels.csv")
    assert tuple(table["display_name"]) == audioset_labels()
    assert list(table["index"]) == list(range(527))


@pytest.mark.parametrize(("n_outputs", "n_names"), [(527, 527), (12, 0)])
def test_network_has_labels_only_for_all_classes_of_audioset(n_outputs: int, n_names: int) -> None:
    config = ASTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, max_length=32,
        num_labels=n_outputs,
    )  # fmt: skip
    assert len(AstNetwork(ASTForAudioClassification(config), FilterBank()).labels) == n_names
    assert len(efficientat.EfficientAtNetwork(0.1, n_outputs).labels) == n_names
