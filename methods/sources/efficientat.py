"""EfficientAT: MobileNetV3 on a log-mel front end.

References
----------
Schmid, Koutini, Widmer (2023), Efficient large-scale audio tagging via Transformer-to-CNN knowledge distillation,
ICASSP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torchaudio.compliance import kaldi

from mirbench.methods.sources.audioset import N_CLASSES, audioset_labels
from mirbench.methods.sources.checkpoints import load_checkpoint
from mirbench.methods.sources.mobilenet import MobileNetV3
from mirbench.source import Activations

__all__ = [
    "EfficientAtNetwork", "build", "build_mn01", "build_mn02", "build_mn05", "build_mn10", "build_mn20", "build_mn30",
    "build_mn40",
]  # fmt: skip

SAMPLE_RATE, N_FFT, WINDOW, HOP, N_BANDS, TOP_HZ = 32_000, 1024, 800, 320, 128, 15_000.0


class EfficientAtNetwork(nn.Module):
    """A MobileNetV3 for spectrograms, in three stages.

    Parameters
    ----------
    width : float
        Multiplier of the channels; 0.4 is mn04.
    n_outputs : int
        Number of classes.

    Attributes
    ----------
    labels : tuple of str
        Names of its classes where they are AudioSet's 527, else empty.
    """

    mel: Tensor
    window: Tensor

    def __init__(self, width: float, n_outputs: int = N_CLASSES) -> None:
        super().__init__()
        self.labels = audioset_labels() if n_outputs == N_CLASSES else ()
        network = MobileNetV3(width, n_outputs)
        self.features, self.classifier = network.features, network.classifier
        mel, _ = kaldi.get_mel_banks(N_BANDS, N_FFT, float(SAMPLE_RATE), 0.0, TOP_HZ, 100.0, -500.0, 1.0)
        mel = nn.functional.pad(mel, (0, 1))  # Kaldi leaves the Nyquist bin out
        self.register_buffer("mel", mel, persistent=False)  # (bands, bins)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=False), persistent=False)

    def frontend(self, audio: Tensor) -> Tensor:
        """(n, n_samples) -> (n, 1, 128, n_frames) log-mel, about unit range."""
        emphasised = audio[:, 1:] - 0.97 * audio[:, :-1]
        spectrum = torch.stft(
            emphasised, N_FFT, HOP, WINDOW, self.window, center=True, pad_mode="reflect", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()  # (n, bins, frames)
        log_mel = torch.log(self.mel @ power + 1e-5)
        return ((log_mel + 4.5) / 5.0).unsqueeze(1)

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 1, 128, n_frames) -> pooled (n, features); layer k is the map after block k, its frames as tokens."""
        held: dict[int, Tensor] = {}
        x = picture
        for k, block in enumerate(self.features):
            x = block(x)
            if k in layers:
                held[k] = x.flatten(1, 2).transpose(1, 2)  # (n, frames, channels * bands): tokens are in time
        return Activations(x.mean(dim=(2, 3)), held)

    def head(self, pooled: Tensor) -> Tensor:
        """(n, features) -> (n, n_outputs) logits."""
        logits: Tensor = self.classifier(pooled)
        return logits


def build(path: Path, *, width: float = 0.4) -> EfficientAtNetwork:
    """EfficientAT from its published file; every key must fit.

    Raises
    ------
    BadInput
        If the file is not readable as plain tensors, or does not fit.
    """
    return load_checkpoint(EfficientAtNetwork(width), path, f"an EfficientAT of width {width:g}", _renamed)


build_mn01 = partial(build, width=0.1)
build_mn02 = partial(build, width=0.2)
build_mn05 = partial(build, width=0.5)
build_mn10 = partial(build, width=1.0)
build_mn20 = partial(build, width=2.0)
build_mn30 = partial(build, width=3.0)
build_mn40 = partial(build, width=4.0)


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published keys to ours: no prefix in the gate, its linear layers as 1x1 convolutions, head indices."""
    out = {}
    for key, value in state.items():
        name = key.replace("conc_se_layers.0.", "")
        if name != key and name.endswith("weight"):
            value = value[:, :, None, None]
        name = name.replace("classifier.2.", "classifier.0.").replace("classifier.5.", "classifier.3.")
        out[name] = value
    return out
