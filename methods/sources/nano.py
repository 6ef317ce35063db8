"""nano: a small AST that names synthesised sound events, for demos and tests; the weights ship with mirbench.

The front end is AST's with 64 bands and a frame every 20 ms; 5 s are 240 frames, cut into 4 × 15 patches of 16 × 16.
"""

from __future__ import annotations

from pathlib import Path

from mirbench.methods.sources.ast import AstNetwork, FilterBank
from mirbench.methods.sources.cards import NANO

__all__ = ["N_SAMPLES", "SAMPLE_RATE", "build", "untrained"]

SAMPLE_RATE, SECONDS = 16_000, 5.0
N_SAMPLES = round(SAMPLE_RATE * SECONDS)
_N_BANDS, _N_FRAMES, _FRAME_SHIFT = 64, 240, 20.0
_MEAN, _STD = -5.0, 4.0  # near those of the scenes that it is trained on


def untrained() -> AstNetwork:
    """The network at random weights, drawn from torch's global generator."""
    from transformers import ASTConfig, ASTForAudioClassification

    config = ASTConfig(
        hidden_size=96, num_hidden_layers=6, num_attention_heads=4, intermediate_size=384, patch_size=16,
        frequency_stride=16, time_stride=16, max_length=_N_FRAMES, num_mel_bins=_N_BANDS, num_labels=NANO.n_outputs,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return AstNetwork(
        ASTForAudioClassification(config),
        FilterBank(SAMPLE_RATE, _N_BANDS, _N_FRAMES, _FRAME_SHIFT, _MEAN, _STD),
    )


def build(path: Path) -> AstNetwork:
    """nano from its safetensors file; every key must fit."""
    from safetensors.torch import load_file

    network = untrained()
    state = {name: value.float() for name, value in load_file(path).items()}
    network.load_state_dict(state, strict=True)
    return network.eval()
