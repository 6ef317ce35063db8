"""AST on windows that are shorter than its own: the positions that its authors keep, and what a user may ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import pad
from torchaudio.compliance import kaldi
from transformers import ASTConfig, ASTForAudioClassification

from mirbench.errors import BadInput
from mirbench.features.networks import load_network
from mirbench.methods.sources import ast
from mirbench.methods.sources.shorter import ast as shorter
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import parse_source
from mirbench.runs.plan import Request, draft_plan

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "num_labels": 5}


def folder_of(where: Path) -> Path:
    torch.manual_seed(0)
    model = ASTForAudioClassification(ASTConfig(**SIZES))
    torch.nn.init.normal_(model.audio_spectrogram_transformer.embeddings.position_embeddings)
    model.save_pretrained(where)
    (where / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 16_000}))
    return where


@torch.no_grad()
@pytest.mark.parametrize(("seconds", "n_frames", "n_times"), [(1.0, 128, 12), (5.0, 512, 50)])
def test_shorter_ast_is_the_ast_of_fewer_frames_with_the_middle_positions(
    seconds: float, n_frames: int, n_times: int, tmp_path: Path
) -> None:
    """Beside transformers' own model of that many frames, its positions cut with the numbers of the authors' code."""
    network = shorter(ast.build(folder_of(tmp_path)), seconds)

    original = ASTForAudioClassification.from_pretrained(tmp_path).eval()
    weights = original.state_dict()
    name = "audio_spectrogram_transformer.embeddings.position_embeddings"
    grid = weights[name][:, 2:, :].reshape(1, 1212, 32).transpose(1, 2).reshape(1, 32, 12, 101)
    grid = grid[:, :, :, 50 - int(n_times / 2) : 50 - int(n_times / 2) + n_times]
    cut = grid.reshape(1, 32, 12 * n_times).transpose(1, 2)
    weights[name] = torch.cat([weights[name][:, :2, :], cut], dim=1)
    small = ASTForAudioClassification(ASTConfig(**SIZES, max_length=n_frames)).eval()
    small.load_state_dict(weights)

    audio = 0.1 * torch.randn(1, round(16_000 * seconds), generator=torch.Generator().manual_seed(1))
    bands = kaldi.fbank(audio, htk_compat=True, sample_frequency=16_000, use_energy=False, window_type="hanning",
                        num_mel_bins=128, dither=0.0, frame_shift=10)  # fmt: skip
    picture = (pad(bands, (0, 0, 0, n_frames - len(bands))) + 4.2677393) / (4.5689974 * 2)
    expected = small(picture[None]).logits
    seen = network.frontend(audio)
    assert seen.shape == (1, 1, 128, n_frames)
    assert torch.allclose(network.head(network.body(seen).pooled), expected, atol=1e-5)


@torch.no_grad()
def test_hidden_layers_of_a_shorter_ast_have_fewer_tokens(tmp_path: Path) -> None:
    network = shorter(ast.build(folder_of(tmp_path)), 1.0)
    found = network.body(network.frontend(torch.zeros(1, 16_000)), layers=(0,))
    assert found.layers[0].shape == (1, 12 * 12, 32)


def test_ast_of_the_hub_family_takes_seconds_too(tmp_path: Path) -> None:
    card = Catalogue().source(f"hf:{folder_of(tmp_path)}")
    network = load_network(card, (tmp_path,), parse_source(card, ["seconds=2"]))
    assert network.filter_bank.n_frames == 256


def test_windows_of_an_ast_are_as_long_as_is_asked() -> None:
    catalogue = Catalogue()
    asked = Request("gtzan", "probe-linear", "ast", source_params=parse_source(catalogue.source("ast"), ["seconds=1"]))
    plan = draft_plan(asked, catalogue)
    assert plan.card is not None
    assert plan.card.seconds == 1.0
    assert plan.specs[0].source_params == {"input_norm": "audioset", "pooling": "class", "seconds": 1.0}


@pytest.mark.parametrize("seconds", ["11", "0.05", "0"])
def test_seconds_that_an_ast_cannot_hear_are_refused_in_one_line(seconds: str) -> None:
    with pytest.raises(BadInput, match=r"ast hears 0.1 to 10 s"):
        parse_source(Catalogue().source("ast"), [f"seconds={seconds}"])
