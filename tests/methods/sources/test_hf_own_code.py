"""MERT and Dasheng of the family hf:ID, which come with code of their own that is never run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirbench.errors import BadInput
from mirbench.methods.sources.hf_audio import build
from mirbench.methods.sources.hf_cards import hf_card
from mirbench.trust.checks import check_network
from tests.methods.sources.test_hf_audio import conforms, network_of, normalised, saved, sound, speech

pytestmark = pytest.mark.usefixtures("quiet_hub")


def mert_folder(folder: Path, old_names: bool = True, **changes: Any) -> tuple[Any, Path]:
    """A MERT as its authors save it: HuBERT's weights under old names, a config of a type of their own."""
    from safetensors.torch import load_file, save_file

    model = speech("Hubert", feat_proj_layer_norm=True, **changes)
    saved(model, folder, sampling_rate=24_000, do_normalize=True, feature_extractor_type="Wav2Vec2FeatureExtractor")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mert_model", "architectures": ["MERTModel"], "sample_rate": 24_000, "deepnorm": False,
        "feature_extractor_cqt": False, "attention_relax": -1.0, "auto_map": {"AutoModel": "modeling_MERT.MERTModel"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_MERT.py").write_text("raise SystemExit('remote code ran')")
    if old_names:
        new = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
        state = load_file(folder / "model.safetensors")
        for digit, letter in (("0", "g"), ("1", "v")):
            state[f"encoder.pos_conv_embed.conv.weight_{letter}"] = state.pop(new + digit)
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return model, folder


@torch.no_grad()
@pytest.mark.parametrize("stable", [False, True])
def test_mert_is_run_as_hubert_at_its_own_rate(stable: bool, tmp_path: Path) -> None:
    model, folder = mert_folder(tmp_path, do_stable_layer_norm=stable)
    card = hf_card(str(folder))
    assert (card.sample_rate, card.seconds) == (24_000, 5.0)
    assert check_network(replace(card, seconds=0.5), build(folder)) == []
    audio = sound(24_000, 0.5)
    assert torch.allclose(
        network_of(folder).body(audio).pooled, model(normalised(audio)).last_hidden_state.mean(1), atol=1e-5
    )


@pytest.mark.parametrize("feature", ["feature_extractor_cqt", "deepnorm"])
def test_mert_that_hubert_cannot_run_is_refused(feature: str, tmp_path: Path) -> None:
    _, folder = mert_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text()) | {feature: True}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=feature):
        hf_card(str(folder))


class DashengReference(nn.Module):
    """Dasheng's encoder after the paper and its state dict, with an attention of its own, to compare with."""

    def __init__(self, width: int, depth: int, heads: int, n_bands: int, n_steps: int) -> None:
        super().__init__()
        self.heads = heads
        self.init_bn = nn.Sequential(nn.Identity(), nn.BatchNorm2d(n_bands), nn.Identity())
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, width, (n_bands, 4), (n_bands, 4))})
        self.time_pos_embed = nn.Parameter(torch.randn(1, width, 1, n_steps))
        self.freq_pos_embed = nn.Parameter(torch.randn(1, width, 1, 1))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(width, eps=1e-6), "norm2": nn.LayerNorm(width, eps=1e-6),
                    "attn": nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)}),
                    "mlp": nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}),
                }
            )
            for _ in range(depth)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """(n, 1, n_bands, n_frames) -> the tokens after each block, then the last after the norm."""
        x = self.patch_embed["proj"](self.init_bn(picture.permute(0, 2, 1, 3)).permute(0, 2, 1, 3))
        x = (x + self.time_pos_embed[..., : x.shape[-1]] + self.freq_pos_embed).flatten(2).transpose(1, 2)
        states = []
        for block in self.blocks:
            q, k, v = (
                part.unflatten(2, (self.heads, -1)).transpose(1, 2)
                for part in block["attn"]["qkv"](block["norm1"](x)).chunk(3, dim=2)
            )
            weight = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), dim=-1)
            x = x + block["attn"]["proj"]((weight @ v).transpose(1, 2).flatten(2))
            x = x + block["mlp"]["fc2"](nn.functional.gelu(block["mlp"]["fc1"](block["norm2"](x))))
            states.append(x)
        return [*states, self.norm(x)]


def dasheng_folder(folder: Path) -> tuple[DashengReference, Path]:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = DashengReference(32, 2, 4, 64, 52).eval()
    model.init_bn[1].running_mean.normal_(-30, 5)
    model.init_bn[1].running_var.uniform_(50, 200)
    save_file({f"encoder.{name}": value for name, value in model.state_dict().items()}, folder / "model.safetensors")
    encoder = {"embed_dim": 32, "depth": 2, "num_heads": 4, "target_length": 208, "patch_size": [64, 4],
               "patch_stride": [64, 4]}  # fmt: skip
    config = {"model_type": "dasheng", "architectures": ["DashengModel"], "encoder_kwargs": encoder}
    (folder / "config.json").write_text(json.dumps(config))
    return model, folder


def test_dasheng_conforms_to_its_card(tmp_path: Path) -> None:
    assert conforms(dasheng_folder(tmp_path)[1]) == []


@torch.no_grad()
def test_dasheng_equals_an_encoder_written_from_its_paper(tmp_path: Path) -> None:
    model, folder = dasheng_folder(tmp_path)
    network = network_of(folder)
    picture = network.frontend(sound(16_000, 2.0))
    *blocks, last = model(picture)
    found = network.body(picture, layers=(0, 1))
    assert torch.allclose(found.pooled, last.mean(1), atol=1e-4)
    for k, tokens in found.layers.items():
        assert torch.allclose(tokens, blocks[k], atol=1e-4)


def test_dasheng_frontend_is_the_mel_spectrogram_of_transformers_in_decibels(tmp_path: Path) -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    audio = sound(16_000, 2.0, n=1)
    theirs = spectrogram(
        audio[0].numpy(),
        window_function(512, "hann"),
        frame_length=512,
        hop_length=160,
        power=2.0,
        mel_filters=mel_filter_bank(257, 64, 0.0, 8000.0, 16_000, norm=None, mel_scale="htk"),
        log_mel="dB",
        db_range=120.0,
    )
    ours = network_of(dasheng_folder(tmp_path)[1]).frontend(audio)[0, 0].numpy()
    assert np.allclose(ours, theirs, atol=2e-2)
