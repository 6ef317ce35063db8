"""The family hf:ID: manners of every network, and files of weights that are refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mirbench.errors import BadInput, MissingData
from mirbench.methods.sources.hf_audio import build
from mirbench.methods.sources.hf_cards import hf_card
from mirbench.trust.checks import check_network
from tests.methods.sources.test_hf_audio import (
    CLAP,
    ast_folder,
    clap,
    network_of,
    normalised,
    saved,
    sound,
    speech,
    speech_folder,
    whisper,
)
from tests.methods.sources.test_hf_own_code import dasheng_folder

pytestmark = pytest.mark.usefixtures("quiet_hub")


# Manners of every network

KINDS: dict[str, Callable[[Path], Path]] = {
    "speech": lambda folder: speech_folder(folder)[1],
    "whisper": lambda folder: saved(whisper(), folder),
    "clap": lambda folder: saved(clap(), folder, **CLAP),
    "ast": lambda folder: ast_folder(folder)[1],
    "dasheng": lambda folder: dasheng_folder(folder)[1],
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_the_audio_and_is_finite_after_silence(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    card, network = hf_card(str(folder)), network_of(folder)
    audio = torch.zeros(1, round(card.sample_rate * min(card.seconds, 2.0)))
    audio[0, : audio.shape[1] // 4] = sound(card.sample_rate, audio.shape[1] / 4 / card.sample_rate, 1)[0]
    audio.requires_grad_(True)
    x = network.frontend(audio) if "frontend" in card.offers else audio
    pooled = network.body(x).pooled
    (pooled * torch.arange(pooled.shape[1])).sum().backward()  # the plain sum of a layer norm's output is constant
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    assert float(audio.grad.abs().sum()) > 0


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_window_does_not_depend_on_louder_batch_mates(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    card, network = hf_card(str(folder)), network_of(folder)
    audio = sound(card.sample_rate, min(card.seconds, 2.0))
    audio[0] *= 1e-4
    audio[1] *= 3.0

    def embed(x: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = network.body(network.frontend(x) if "frontend" in card.offers else x).pooled
        return pooled

    assert torch.allclose(embed(audio)[:1], embed(audio[:1]), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_network_comes_in_eval_mode_in_float32(kind: str, tmp_path: Path) -> None:
    network = network_of(KINDS[kind](tmp_path))
    assert not any(module.training for module in network.modules())
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_weights_in_half_precision_are_read_as_float32(tmp_path: Path) -> None:
    saved(speech().half(), tmp_path)
    assert {p.dtype for p in network_of(tmp_path).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("speech", {"layer": 3}), ("speech", {"layer": -2}), ("speech", {"seconds": 0.0}), ("whisper", {"seconds": 2.5}),
     ("clap", {"layer": 0}), ("clap", {"prompt": "music"}), ("ast", {"layer": 0}), ("speech", {"seconds": math.nan})],
)  # fmt: skip
def test_option_that_does_not_fit_is_refused(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=next(iter(options))):
        build(KINDS[kind](tmp_path), **options)


# Weights that do not fit, and files that would run something


def change_state(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("kind", KINDS)
def test_weight_that_is_missing_is_refused(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    name = {
        "speech": "encoder.layers.1.final_layer_norm.weight", "whisper": "encoder.layers.1.fc1.weight",
        "clap": "audio_projection.linear1.weight", "ast": "classifier.dense.weight",
        "dasheng": "encoder.blocks.1.mlp.fc1.weight",
    }[kind]  # fmt: skip
    change_state(folder, lambda state: state.pop(name))
    with pytest.raises(BadInput, match=r"weight"):
        build(folder)


def test_weight_that_is_left_over_is_refused(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path)
    change_state(folder, lambda state: state.update({"encoder.layers.9.final_layer_norm.weight": torch.ones(32)}))
    with pytest.raises(BadInput, match=r"layers\.9"):
        build(folder)


def test_weight_of_another_shape_is_refused(tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path)
    name = "encoder.layers.1.final_layer_norm.weight"
    change_state(folder, lambda state: state.update({name: torch.ones(31)}))
    with pytest.raises(BadInput, match="can be loaded"):
        build(folder)


@pytest.mark.parametrize("head", ["ForCTC", "ForPreTraining", "ForXVector"])
def test_head_that_is_not_used_is_left_out_of_the_network_and_the_count(head: str, tmp_path: Path) -> None:
    _, folder = speech_folder(tmp_path, head=head, vocab_size=40, num_codevectors_per_group=4, codevector_dim=8)
    card = replace(hf_card(str(folder)), seconds=1.0)
    assert check_network(card, build(folder)) == []
    assert card.n_parameters == sum(p.numel() for p in speech(mask_time_prob=0.0).parameters())


@torch.no_grad()
def test_pytorch_model_bin_is_read_where_there_is_no_safetensors(tmp_path: Path) -> None:
    model, folder = speech_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    audio = sound(16_000, 0.5)
    assert hf_card(str(folder)).missing == ""
    assert torch.allclose(
        network_of(folder).body(audio).pooled, model(normalised(audio)).last_hidden_state.mean(1), atol=1e-5
    )


def test_pytorch_model_bin_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("code ran",))

    _, folder = speech_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"encoder": Evil()}))
    with pytest.raises(BadInput, match="can be loaded"):
        build(folder)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_code_that_a_config_names_is_not_run(kind: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path)
    marker = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Evil: pass\n")
    autos = ("AutoConfig", "AutoModel", "AutoFeatureExtractor", "AutoModelForAudioClassification", "AutoTokenizer")
    for name in ("config.json", "preprocessor_config.json", "tokenizer_config.json"):
        path = folder / name
        held = json.loads(path.read_text()) if path.is_file() else {}
        held |= {"auto_map": {auto: "evil.Evil" for auto in autos}, "tokenizer_class": "Evil"}
        held |= {"attn_implementation": "evil/kernel", "_attn_implementation": "evil/kernel"}
        path.write_text(json.dumps(held))
    card = hf_card(str(folder))
    network = network_of(folder, **card.options)
    assert check_network(replace(card, seconds=min(card.seconds, 2.0)), network) == []
    if kind == "clap":
        with pytest.raises(MissingData):
            network.text_embeddings(["drum"])
    assert not marker.exists()
