"""VGGish: torchvision's VGG layers on a log-mel front end, with the weights of the package torchvggish.

The front end and the network compute what torchvggish 0.2 does, without its dependencies and its downloads, and are
differentiable down to the waveform. Its postprocessing (principal components and 8 bits) is an option, which needs a
second file and lets no gradient pass.

References
----------
Hershey et al. (2017), CNN architectures for large-scale audio classification, ICASSP. Port to torch: GitHub
harritaylor/torchvggish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchaudio.compliance import kaldi
from torchvision.models.vgg import make_layers

from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.sources.checkpoints import load_checkpoint
from mirbench.methods.training.precision import in_single_precision
from mirbench.source import Activations

__all__ = ["Postprocessor", "VggishNetwork", "build"]

SAMPLE_RATE, N_FFT, WINDOW, HOP, N_BANDS, N_FRAMES = 16_000, 512, 400, 160, 64, 96
LOW_HZ, TOP_HZ, OFFSET = 125.0, 7500.0, 0.01
N_SAMPLES = (N_FRAMES - 1) * HOP + WINDOW  # that 96 frames reach over: 15 ms more than their 0.96 s

N_FEATURES, CLIP, TOP_LEVEL = 128, 2.0, 255.0

_BLOCKS: list[str | int] = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M"]


class Postprocessor(nn.Module):
    """Embeddings as AudioSet publishes them: principal components, whitened, in 256 levels from -2 to 2."""

    components: Tensor
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("components", torch.zeros(N_FEATURES, N_FEATURES))  # one a row
        self.register_buffer("mean", torch.zeros(N_FEATURES))

    def forward(self, embeddings: Tensor) -> Tensor:
        """(n, 128) -> (n, 128) whole numbers 0 … 255, as floats.

        Raises
        ------
        NotApplicable
            If a gradient is asked for: that of rounding is zero wherever it exists.
        """
        if torch.is_grad_enabled() and embeddings.requires_grad:
            raise NotApplicable(
                "vggish with postprocess=pca rounds its embeddings, and what rounds lets no gradient pass: take "
                "--source-set postprocess=none, or a method that leaves the source and its input as they are"
            )
        return in_single_precision(self._levels, embeddings)  # half precision cannot tell neighbouring levels apart

    def _levels(self, embeddings: Tensor) -> Tensor:
        white = (embeddings - self.mean) @ self.components.T
        return ((white.clamp(-CLIP, CLIP) + CLIP) * (TOP_LEVEL / (2 * CLIP))).round()


class VggishNetwork(nn.Module):
    """VGGish in two stages; it has no classes of its own.

    Parameters
    ----------
    postprocessor : Postprocessor or None
        What `pooled` goes through.
    """

    mel: Tensor
    window: Tensor

    def __init__(self, postprocessor: Postprocessor | None = None) -> None:
        super().__init__()
        self.features = make_layers(_BLOCKS)
        self.features[0] = nn.Conv2d(1, 64, 3, padding=1)  # one channel in
        n_last = 512 * (N_FRAMES // 16) * (N_BANDS // 16)
        self.embeddings = nn.Sequential(
            nn.Linear(n_last, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, N_FEATURES), nn.ReLU()
        )
        # Kaldi's triangles are straight in mel, as VGGish's are; most others are straight in Hz
        mel, _ = kaldi.get_mel_banks(N_BANDS, N_FFT, float(SAMPLE_RATE), LOW_HZ, TOP_HZ, 100.0, -500.0, 1.0)
        self.register_buffer("mel", nn.functional.pad(mel, (0, 1)).T.contiguous(), persistent=False)  # (bins, bands)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=True), persistent=False)
        self.postprocessor = postprocessor

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
        return Activations(self.postprocessor(pooled) if self.postprocessor else pooled, held)


def build(path: Path, parameters: Path | None = None, *, postprocess: str = "none") -> VggishNetwork:
    """VGGish from the published file; every key must fit.

    Parameters
    ----------
    parameters : Path or None
        File of the postprocessing, for "pca".
    postprocess : {"none", "pca"}
        Whether `pooled` is the output of the network, or goes through a `Postprocessor`.

    Raises
    ------
    BadInput
        If a file is not readable as plain tensors and arrays, or does not fit.
    """
    if postprocess not in ("none", "pca"):
        raise BadInput(f"--source-set postprocess={postprocess}: none or pca is needed")
    network = load_checkpoint(VggishNetwork(), path, "VGGish")
    if postprocess == "pca":
        if parameters is None:
            raise BadInput("vggish with postprocess=pca needs the file of its principal components")
        network.postprocessor = load_checkpoint(
            Postprocessor(), parameters, "VGGish's postprocessing", _renamed, _ARRAYS
        )
    return network.eval()


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    matrix, mean = (torch.as_tensor(state[name]).float() for name in ("pca_eigen_vectors", "pca_means"))
    return {"components": matrix, "mean": mean.flatten()}


# the published file holds arrays of numpy, from a time when its modules were called otherwise
_REBUILD = np.empty(0).__reduce__()[0]
_ARRAYS = (
    np.ndarray, np.dtype, np.dtypes.Float32DType, np.dtypes.Float64DType,
    *((_REBUILD, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
)  # fmt: skip
