"""SpeechATT as hung2022 ported it to torch: another front end, and no activation anywhere but in its LSTM.

References
----------
Hung, Yang, Chen, Lerch (2022), Low-resource music genre classification with cross-modal neural model reprogramming,
arXiv:2211.01317; code: biboamy/music-repro, training/models/SpeechModel.py. The original is
`mirbench.methods.sources.speechatt`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

from mirbench.methods.sources.checkpoints import load_checkpoint
from mirbench.source import Activations

__all__ = ["SpeechAttPort", "build"]

SAMPLE_RATE, N_FFT, HOP, N_BANDS, N_OUTPUTS = 16_000, 1024, 512, 80, 35


class SpeechAttPort(nn.Module):
    """The port in three stages; everything behind its LSTM is linear in a frame, times its score."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(1, 10, (5, 1), padding="same"),
            nn.BatchNorm2d(10, eps=1e-3),
            nn.Conv2d(10, 1, (5, 1), padding="same"),
            nn.BatchNorm2d(1, eps=1e-3),
        )
        self.lstm_block = nn.LSTM(N_BANDS, 64, num_layers=2, batch_first=True, bidirectional=True)
        self.query_transform = nn.Linear(128, 128)
        self.classifier = nn.Sequential(nn.Linear(128, 64), nn.Linear(64, 32), nn.Linear(32, N_OUTPUTS))
        self.mel = MelSpectrogram(SAMPLE_RATE, N_FFT, hop_length=HOP, f_min=40.0, f_max=8000.0, n_mels=N_BANDS, power=1)
        # the code's 80 stands where the kind of spectrum belongs, and limits nothing: 20 log10, from -200 dB on
        self.decibel = AmplitudeToDB("magnitude")

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, 16000) -> (n, 1, 80, 32) mel of magnitudes in dB; not normalised."""
        picture: Tensor = self.decibel(self.mel(audio).unsqueeze(1))
        return picture

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, 80, n_frames) -> pooled (n, 128), the scored sum; layer 0 is the BiLSTM's output, frame by frame."""
        x = self.conv_block(picture.transpose(2, 3)).squeeze(1)  # (n, frames, bands)
        # cuDNN refuses the backward pass of an RNN in eval mode, which reprogramming needs
        with torch.backends.cudnn.flags(enabled=self.training or not torch.is_grad_enabled()):
            heard, _ = self.lstm_block(x)  # (n, frames, 128)
        query = self.query_transform(heard.mean(dim=1))
        score = heard @ query.unsqueeze(2)  # as it is: the port has no softmax here
        return Activations((score * heard).sum(dim=1), {k: heard for k in layers})

    def head(self, pooled: Tensor) -> Tensor:
        """(n, 128) -> (n, 35) logits."""
        logits: Tensor = self.classifier(pooled)
        return logits


def build(path: Path) -> SpeechAttPort:
    """The port from a checkpoint of its authors' form: a mapping whose "Model" is the state; or from the state alone.

    Raises
    ------
    BadInput
        If the file is not readable as plain tensors and settings, or does not fit.
    """
    network = SpeechAttPort()
    spectrum = {name: value for name, value in network.state_dict().items() if name.startswith("mel.")}

    def renamed(held: Mapping[str, Any]) -> dict[str, Tensor]:
        state = held.get("Model", held)
        learnt = {name: value for name, value in state.items() if not name.startswith("mel_extr.")}
        return {**spectrum, **{re.sub(r"^head\.", "classifier.", name): value for name, value in learnt.items()}}

    # "Args" beside it are settings of the training, without code
    return load_checkpoint(network, path, "hung2022's port of SpeechATT", renamed, [argparse.Namespace])
