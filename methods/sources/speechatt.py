"""SpeechATT: an attention RNN for spoken commands, from its published Keras weights.

References
----------
de Andrade, Leo, Viana, Bernkopf (2018), A neural attention model for speech command recognition, arXiv:1808.08929.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchaudio
from torch import Tensor, nn

from mirbench.errors import BadInput
from mirbench.methods.sources.speech_words import WORDS
from mirbench.source import Activations

__all__ = ["WORDS", "SpeechAttNetwork", "build"]

SAMPLE_RATE, N_SAMPLES, FRAME, HOP, N_BANDS, N_FRAMES = 16_000, 16_000, 1024, 128, 80, 125


class SpeechAttNetwork(nn.Module):
    """The Keras graph in torch, in three stages; spectrograms are normalised per example."""

    mel: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.labels = WORDS
        self.convolution1 = nn.Conv2d(1, 10, (5, 1), padding="same")
        self.norm1 = nn.BatchNorm2d(10, eps=1e-3)
        self.convolution2 = nn.Conv2d(10, 1, (5, 1), padding="same")
        self.norm2 = nn.BatchNorm2d(1, eps=1e-3)
        self.recurrent = nn.LSTM(N_BANDS, 64, num_layers=2, batch_first=True, bidirectional=True)
        self.query = nn.Linear(128, 128)
        self.hidden1, self.hidden2, self.output = nn.Linear(128, 64), nn.Linear(64, 32), nn.Linear(32, len(WORDS))
        mel = torchaudio.functional.melscale_fbanks(
            FRAME // 2 + 1, 40.0, 8000.0, N_BANDS, SAMPLE_RATE, norm=None, mel_scale="htk"
        )
        mel[0] = 0.0
        self.register_buffer("mel", mel, persistent=False)  # (bins, bands)
        self.register_buffer("window", torch.hann_window(FRAME, periodic=True), persistent=False)

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, 16000) -> (n, 1, 80, 125) log-mel, zero mean and unit deviation per example."""
        n_frames = -(-audio.shape[1] // HOP)
        padded = nn.functional.pad(audio, (0, (n_frames - 1) * HOP + FRAME - audio.shape[1]))
        spectrum = torch.fft.rfft(padded.unfold(1, FRAME, HOP) * self.window)  # (n, frames, bins)
        # not spectrum.abs(), whose gradient at an exact zero (digital silence) is not defined
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-20).sqrt()
        log_mel = torch.log(magnitude @ self.mel + 1e-6)
        mean = log_mel.mean(dim=(1, 2), keepdim=True)
        variance = log_mel.var(dim=(1, 2), keepdim=True, correction=0)
        return ((log_mel - mean) / (variance + 1e-12).sqrt()).transpose(1, 2).unsqueeze(1)

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, 80, n_frames) -> pooled (n, 128), the attended sum; layer 0 is the BiLSTM's output, frame by frame."""
        x = picture.transpose(2, 3)  # (n, 1, frames, bands)
        x = self.norm1(torch.relu(self.convolution1(x)))
        x = self.norm2(torch.relu(self.convolution2(x)))
        # cuDNN refuses the backward pass of an RNN in eval mode, which reprogramming needs
        with torch.backends.cudnn.flags(enabled=self.training or not torch.is_grad_enabled()):
            heard, _ = self.recurrent(x.squeeze(1))  # (n, frames, 128)
        query = self.query(heard[:, -1])
        weight = torch.softmax((heard @ query.unsqueeze(2)).squeeze(2), dim=1)
        pooled = (weight.unsqueeze(2) * heard).sum(dim=1)
        return Activations(pooled, {k: heard for k in layers})

    def head(self, pooled: Tensor) -> Tensor:
        """(n, 128) -> (n, 36) logits."""
        logits: Tensor = self.output(self.hidden2(torch.relu(self.hidden1(pooled))))
        return logits


def build(path: Path) -> SpeechAttNetwork:
    """SpeechATT from the published HDF5 file; every weight of the graph must be there.

    Raises
    ------
    BadInput
        If the file is not that model.
    """
    import h5py

    network = SpeechAttNetwork()
    try:
        with h5py.File(path) as file:
            state = _state(file["model_weights"])
        network.load_state_dict(state, strict=True)
    except (OSError, KeyError, RuntimeError) as error:
        raise BadInput(f"{path}: not the weights of SpeechATT ({str(error).strip().splitlines()[0]})") from error
    return network.eval()


def _state(weights: Any) -> dict[str, Tensor]:
    """Keras weights under the names and in the layouts of torch."""

    def get(*names: str) -> Tensor:
        return torch.from_numpy(np.asarray(weights["/".join(names) + ":0"]))

    state: dict[str, Tensor] = {}
    for ours, keras in (("convolution1", "conv2d"), ("convolution2", "conv2d_1")):
        state[f"{ours}.weight"] = get(keras, keras, "kernel").permute(3, 2, 0, 1)
        state[f"{ours}.bias"] = get(keras, keras, "bias")
    for ours, keras in (("norm1", "batch_normalization"), ("norm2", "batch_normalization_1")):
        for name, theirs in (
            ("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")
        ):  # fmt: skip
            state[f"{ours}.{name}"] = get(keras, keras, theirs)
        state[f"{ours}.num_batches_tracked"] = torch.tensor(0)
    cells = (("l0", "", 1), ("l0_reverse", "", 2), ("l1", "_1", 4), ("l1_reverse", "_1", 5))
    for ours, layer, cell in cells:
        way = "backward" if ours.endswith("reverse") else "forward"
        where = (f"bidirectional{layer}", f"bidirectional{layer}", f"{way}_lstm{layer}", f"lstm_cell_{cell}")
        state[f"recurrent.weight_ih_{ours}"] = get(*where, "kernel").T  # both order the gates i, f, g, o
        state[f"recurrent.weight_hh_{ours}"] = get(*where, "recurrent_kernel").T
        state[f"recurrent.bias_ih_{ours}"] = get(*where, "bias")
        state[f"recurrent.bias_hh_{ours}"] = torch.zeros(256)
    for ours, keras in (("query", "dense"), ("hidden1", "dense_1"), ("hidden2", "dense_2"), ("output", "output")):
        state[f"{ours}.weight"] = get(keras, keras, "kernel").T
        state[f"{ours}.bias"] = get(keras, keras, "bias")
    return {name: value.contiguous() for name, value in state.items()}
