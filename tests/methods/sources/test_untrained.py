"""Networks without weights: each conforms to its card, and models of the hub are built by their JSON files alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers as hf

from mirbench.errors import NotApplicable
from mirbench.features.networks import load_network
from mirbench.features.weights import find_weights
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import parse_source
from mirbench.runs.plan import Request, draft_plan
from mirbench.runs.store import RunStore
from mirbench.source import with_weights
from mirbench.trust.checks import check_network
from tests.conftest import Answer

pytestmark = pytest.mark.usefixtures("quiet_hub")

QUICK = ("speechatt", "speechatt-port", "nano")
_SLOW = (
    "ast", "efficientat-mn01", "efficientat-mn04", "vggish", "musicnn-mtat", "fcn-mtat", "crnn-mtat",
    "coral-mobilenetv2", "vit-b16",
    "inception-v3", "timm:resnet18.a1_in1k", "tokens:4:nano",
)  # fmt: skip
EVERY = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in _SLOW)]


@pytest.mark.parametrize("name", EVERY)
def test_network_at_random_weights_conforms_to_its_card(name: str) -> None:
    card = Catalogue().source(name)
    network = load_network(card, (), parse_source(card, ["weights=random"]))
    if card.tokens_in_one == 1:  # the source's own network, which `BoundSource` gives fewer tokens
        assert check_network(card, network) == []
    if card.n_parameters:
        assert sum(p.numel() for p in network.parameters()) == card.n_parameters


def test_principal_components_are_refused_at_random_weights() -> None:
    card = Catalogue().source("vggish")
    with pytest.raises(NotApplicable, match="principal components belong to the trained weights"):
        load_network(card, (), parse_source(card, ["weights=random", "postprocess=pca"]))


def described(model: hf.PreTrainedModel, folder: Path, **preprocessor: object) -> Path:
    """A folder of JSON files without weights."""
    folder.mkdir()
    (folder / "config.json").write_text(model.config.to_json_string(use_diff=False))
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 16_000, **preprocessor}))
    return folder


SPEECH = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
    "conv_dim": (16, 16), "conv_kernel": (10, 8), "conv_stride": (10, 8), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 12,
}  # fmt: skip


def waveform() -> hf.PreTrainedModel:
    return hf.HubertModel(hf.HubertConfig(**SPEECH))


def whisper() -> hf.PreTrainedModel:
    return hf.WhisperModel(
        hf.WhisperConfig(
            d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=32, decoder_ffn_dim=32, max_source_positions=50, num_mel_bins=80, vocab_size=60,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        )
    )  # fmt: skip


@pytest.mark.parametrize("make", [waveform, whisper])
def test_model_of_the_hub_needs_no_weights_to_be_drawn(make: object, tmp_path: Path) -> None:
    folder = described(make(), tmp_path / "model")  # type: ignore[operator]
    card = Catalogue().source(f"hf:{folder}")
    assert "holds no model.safetensors" in card.missing
    options = parse_source(card, ["weights=random"])
    drawn = with_weights(card, options)
    assert not drawn.missing
    assert set(options) == {*card.options, "weights"}
    found = find_weights(drawn, None, tmp_path, Progress(quiet=True), options)
    assert found is not None
    assert len(found.sha256) == 64
    network = load_network(drawn, (), options)
    counted = replace(drawn, n_parameters=sum(p.numel() for p in network.parameters()))  # nobody knows before
    assert check_network(counted, network) == []


def test_plan_of_random_weights_lacks_nothing(tmp_path: Path) -> None:
    folder = described(waveform(), tmp_path / "model")
    catalogue = Catalogue()
    card = catalogue.source(f"hf:{folder}")
    asked = Request("gtzan", "ids-nmr", f"hf:{folder}", params={"mapping": "new-head"})
    assert draft_plan(asked, catalogue).card == card  # whose runs are skipped
    options = parse_source(card, ["weights=random"])
    plan = draft_plan(replace(asked, source_params=options), catalogue)
    assert plan.card is not None
    assert not plan.card.missing
    assert plan.card.trained_on == ()


@pytest.mark.slow
def test_mert_without_its_weights_is_reprogrammed_by_one_command(typed: Callable[..., Answer], tmp_path: Path) -> None:
    """IDS-NMR with a new head on a model of which there are JSON files alone: run, loaded again, and not flagged."""
    folder = described(waveform(), tmp_path / "MERT-v0", feature_size=1)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mert_model"}))
    asked = (
        "run", "--task", "gtzan-demo", "--method", "ids-nmr", "--source", f"hf:{folder}", "--set", "mapping=new-head",
        "--set", "epochs=1", "--set", "channels=4", "--seeds", "1", "--device", "cpu", "--source-set", "seconds=2",
    )  # fmt: skip
    assert typed(*asked).code == 1
    ((_, skipped),) = RunStore(Path("runs")).records()
    assert skipped.status == "skipped"
    assert "holds no model.safetensors" in skipped.reason
    assert typed(*asked, "--source-set", "weights=random").code == 0
    done = [(place, record) for place, record in RunStore(Path("runs")).records() if record.status == "done"]
    ((_, record),) = done
    assert record.changed["source weights"] == "random"
    assert record.n_total is not None
    assert not record.contaminated
    assert record.metrics


@pytest.mark.slow
def test_model_on_random_weights_is_exported_without_a_file_of_them(typed: Callable[..., Answer]) -> None:
    asked = ("run", "--task", "gtzan-demo", "--method", "probe-linear", "--source", "nano", "--device", "cpu")
    assert typed(*asked, "--source-set", "weights=random-1").code == 0
    ((place, record),) = RunStore(Path("runs")).records()
    soundfile.write("song.wav", np.random.default_rng(0).normal(0, 0.1, 32_000), 16_000)
    written = typed("export", "model", place, "exported", "--check", "song.wav")
    assert written.code == 0, written.err
    assert not list(Path("exported").glob("weights/*"))
    assert record.changed["source weights"] == "random-1"


def test_draws_of_a_model_of_the_hub_are_told_apart(tmp_path: Path) -> None:
    card = with_weights(Catalogue().source(f"hf:{described(waveform(), tmp_path / 'model')}"), {"weights": "random"})
    first, again, other = (
        load_network(card, (), {**card.options, "weights": said}) for said in ("random", "random", "random-1")
    )
    sound = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        heard = [network.body(sound).pooled for network in (first, again, other)]
    assert torch.equal(heard[0], heard[1])
    assert not torch.allclose(heard[0], heard[2])
