"""VGGish: torchvision's VGG layers on a log-mel front end, with the weights of the package torchvggish.

The front end and the network compute what torchvggish 0.2 does, without its dependencies and its downloads, and are
differentiable down to the waveform. Its postprocessing (principal components and 8 bits) is left out: that needs a
second file.

References
----------
Hershey et al. (2017), CNN architectures for large-scale audio classification, ICASSP. Port to torch: GitHub
harritaylor/torchvggish.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchaudio.compliance import kaldi
from torchvision.models.vgg import make_layers

from mirbench.methods.sources.checkpoints import load_checkpoint
from mirbench.types import Activations

__all__ = ["VggishNetwork", "build"]

SAMPLE_RATE, N_FFT, WINDOW, HOP, N_BANDS, N_FRAMES = 16_000, 512, 400, 160, 64, 96
LOW_HZ, TOP_HZ, OFFSET = 125.0, 7500.0, 0.01
N_SAMPLES = (N_FRAMES - 1) * HOP + WINDOW  # that 96 frames reach over: 15 ms more than their 0.96 s

_BLOCKS: list[str | int] = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M"]


class VggishNetwork(nn.Module):
    """VGGish in two stages; it has no classes of its own."""

    mel: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers(_BLOCKS)
        self.features[0] = nn.Conv2d(1, 64, 3, padding=1)  # one channel in
        n_last = 512 * (N_FRAMES // 16) * (N_BANDS // 16)
        self.embeddings = nn.Sequential(
            nn.Linear(n_last, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 128), nn.ReLU()
        )
        # Kaldi's triangles are straight in mel, as VGGish's are; most others are straight in Hz
        mel, _ = kaldi.get_mel_banks(N_BANDS, N_FFT, float(SAMPLE_RATE), LOW_HZ, TOP_HZ, 100.0, -500.0, 1.0)
        self.register_buffer("mel", nn.functional.pad(mel, (0, 1)).T.contiguous(), persistent=False)  # (bins, bands)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=True), persistent=False)

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, 64, 96) log-mel; what is short of 15,600 samples is mirrored at the end."""
        short = N_SAMPLES - audio.shape[1]
        whole = nn.functional.pad(audio, (0, short), mode="reflect") if short > 0 else audio[:, :N_SAMPLES]
        spectrum = torch.fft.rfft(whole.unfold(1, WINDOW, HOP) * self.window, n=N_FFT)  # (n, frames, bins)
        # not spectrum.abs(), whose gradient at an exact zero (digital silence) is not defined
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-20).sqrt()
        return torch.log(magnitude @ self.mel + OFFSET).transpose(1, 2).unsqueeze(1)

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, 64, 96) -> pooled (n, 128); layer k is the map after pooling k, its frames as tokens 2048 wide."""
        held: dict[int, Tensor] = {}
        x = picture.transpose(2, 3)  # (n, 1, frames, bands)
        stage = 0
        for module in self.features:
            x = module(x)
            if isinstance(module, nn.MaxPool2d):
                if stage in layers:
                    held[stage] = x.transpose(1, 2).flatten(2)  # (n, frames, channels * bands)
                stage += 1
        pooled: Tensor = self.embeddings(x.permute(0, 2, 3, 1).flatten(1))  # TensorFlow's order: channels last
        return Activations(pooled, held)


def build(path: Path) -> VggishNetwork:
    """VGGish from the published file; every key must fit.

    Raises
    ------
    BadInput
        If the file is not readable as plain tensors, or does not fit.
    """
    return load_checkpoint(VggishNetwork(), path, "VGGish")
