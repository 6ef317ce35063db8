"""nano: a small AST that names synthesised sound events, for demos and tests; the weights ship with mirbench.

The front end is AST's with 64 bands and a frame every 20 ms; 5 s are 240 frames, cut into 4 × 15 patches of 16 × 16.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor
from torch.nn.functional import interpolate

from mirbench.methods.sources.ast import AstNetwork, FilterBank
from mirbench.methods.sources.cards import NANO
from mirbench.source import Activations

__all__ = ["N_SAMPLES", "SAMPLE_RATE", "build", "untrained"]

SAMPLE_RATE, SECONDS = 16_000, 5.0
N_SAMPLES = round(SAMPLE_RATE * SECONDS)
_N_BANDS, _N_FRAMES, _FRAME_SHIFT = 64, 240, 20.0
_MEAN, _STD = -5.0, 4.0  # near those of the scenes that it is trained on


class Nano(AstNetwork):
    """An `AstNetwork` that takes picture files for spectrograms, so that demos on pictures have a source, too."""

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """As `AstNetwork.body`; or of picture files, (n, 3, height, width) in RGB from 0 to 255."""
        if picture.shape[1] == 3:
            grey = interpolate(
                picture.mean(dim=1, keepdim=True), (_N_BANDS, _N_FRAMES), mode="bilinear", antialias=True
            )
            picture = grey.flip(2) / 127.5 - 1.0  # the lowest band first, about as bright as the front end's
        return super().body(picture, layers)


def untrained() -> AstNetwork:
    """The network at random weights, drawn from torch's global generator."""
    from transformers import ASTConfig, ASTForAudioClassification

    config = ASTConfig(
        hidden_size=96, num_hidden_layers=6, num_attention_heads=4, intermediate_size=384, patch_size=16,
        frequency_stride=16, time_stride=16, max_length=_N_FRAMES, num_mel_bins=_N_BANDS, num_labels=NANO.n_outputs,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return Nano(
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
