"""Dasheng as a source network: an encoder of ours that holds its weights, for its own code is never run.

References
----------
Dinkel et al. (2024), Scaling up masked audio encoder learning for general audio classification, Interspeech.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

from mirbench.errors import BadInput, MissingData
from mirbench.installation import refuse_broken
from mirbench.methods.sources.hf_facts import Facts
from mirbench.methods.sources.hf_weights import unused, weight_files
from mirbench.source import Activations

__all__ = ["DashengNetwork", "dasheng"]


class DashengNetwork(nn.Module):
    """Dasheng: a vision transformer on columns of a log-mel spectrogram; its encoder alone.

    Parameters
    ----------
    facts : Facts
        Of its JSON files.
    layer : int
        See `mirbench.methods.sources.hf_audio.build`.
    """

    def __init__(self, facts: Facts, layer: int = -1) -> None:
        super().__init__()
        said, encoder, width = facts.preprocessor, facts.config["encoder_kwargs"], facts.n_features
        size, stride = (tuple(encoder.get(name, (64, 4))) for name in ("patch_size", "patch_stride"))
        n_steps = encoder.get("target_length", 1008) // stride[1]
        self.layer = layer
        self.mel = MelSpectrogram(
            facts.sample_rate,
            said.get("n_fft", 512),
            said.get("win_size", 512),
            hop_length=said.get("hop_size", 160),
            f_min=float(said.get("f_min", 0)),
            f_max=float(said.get("f_max", 8000)),
            n_mels=facts.n_bands,
        )
        self.decibel = AmplitudeToDB(top_db=120)
        self.input_norm = nn.BatchNorm2d(facts.n_bands)
        self.patches = nn.Conv2d(1, width, size, stride)
        self.time_position = nn.Parameter(torch.zeros(1, width, 1, n_steps))
        self.band_position = nn.Parameter(torch.zeros(1, width, facts.n_bands // stride[0], 1))
        hidden = int(width * encoder.get("mlp_ratio", 4.0))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, encoder["num_heads"], hidden, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
            )
            for _ in range(facts.n_layers)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, n_bands, n_frames) mel in dB, at most 120 dB below each window's peak."""
        return self.decibel(self.mel(audio).unsqueeze(1))  # four axes: the peak is then each window's own

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, n_bands, n_frames) -> pooled (n, width); layer k is the tokens after block k."""
        x = self.input_norm(picture.transpose(1, 2)).transpose(1, 2)
        x = self.patches(x)
        x = x + self.time_position[..., : x.shape[3]] + self.band_position
        x = x.flatten(2).transpose(1, 2)  # (n, n_tokens, width)
        held = {}
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in layers or k == self.layer:
                held[k] = x
        last = self.norm(x) if self.layer == -1 else held[self.layer]
        return Activations(last.mean(dim=1), {k: held[k] for k in layers})


def dasheng(folder: Path, facts: Facts, layer: int) -> DashengNetwork:
    """A Dasheng with the weights of a folder, each in its place."""
    from safetensors.torch import load_file

    if not (files := weight_files(folder)):
        raise MissingData(f"{folder}: holds no model.safetensors; put the model's weights there")
    try:
        network = DashengNetwork(facts, layer)
        theirs = {name: value for path in files for name, value in load_file(path).items() if not unused(name, facts)}
        network.load_state_dict(
            {**_without_weights(network), **{_dasheng_name(name): value.float() for name, value in theirs.items()}}
        )
    except Exception as error:  # somebody else's files: the libraries raise many kinds
        refuse_broken(error)
        said = " ".join(str(error).split())
        raise BadInput(f"{folder}: not a dasheng that can be loaded ({said[:200]})") from error
    return network


def _without_weights(network: nn.Module) -> dict[str, Tensor]:
    """The state of the front end, which a file of weights need not hold."""
    return {name: value for name, value in network.state_dict().items() if name.startswith("mel.")}


_DASHENG_NAMES = (
    ("encoder.", ""), ("init_bn.1.", "input_norm."), ("patch_embed.proj.", "patches."),
    ("time_pos_embed", "time_position"), ("freq_pos_embed", "band_position"), (".attn.qkv.", ".self_attn.in_proj_"),
    (".attn.proj.", ".self_attn.out_proj."), (".mlp.fc1.", ".linear1."), (".mlp.fc2.", ".linear2."),
)  # fmt: skip


def _dasheng_name(name: str) -> str:
    """Their name of a weight in ours; torch's attention holds query, key and value in one matrix as theirs does."""
    for theirs, ours in _DASHENG_NAMES:
        name = name.replace(theirs, ours)
    return name
