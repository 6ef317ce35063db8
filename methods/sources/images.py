"""Image networks: classifiers of photographs that look at a picture of the sound.

The front end draws a spectrogram (`mirbench.methods.sources.renderings`); the body turns it into what the network was
trained on (three equal colours, its input size, its normalisation) and runs it. A clip that is a picture file enters
the body as it is. Networks are timm's and torchvision's.

References
----------
Wightman (2019), PyTorch image models, github.com/huggingface/pytorch-image-models. Dosovitskiy et al. (2021), An image
is worth 16x16 words, ICLR. shtern2017 and rommel2023 used such networks for music.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import Tensor, nn
from torchvision.models import VisionTransformer, vit_b_16
from torchvision.transforms.v2 import functional as pictures

from mirbench.errors import BadInput
from mirbench.methods.sources.checkpoints import read_tensors
from mirbench.methods.sources.renderings import rendering as rendering_called
from mirbench.methods.sources.resizing import require_resize, resized
from mirbench.source import Activations

__all__ = ["ImageNetwork", "TimmTrunk", "VitTrunk", "build_coral", "build_timm", "build_vit"]

SAMPLE_RATE = 44_100
KAGGLE_SIZE, KAGGLE_CROP = (288, 432), (218, 348)  # height, width: the picture files, and what is not their margin
_CROPS = ("none", "kaggle", "centre")
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BROKEN = (
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    SafetensorError,
    pickle.UnpicklingError,
)


class TimmTrunk(nn.Module):
    """A classifier of timm, with its hidden layers.

    Layer k is what block k of a plain transformer gives, a token a patch; of any other network it is the map after
    stage k, its columns as tokens: as a spectrogram's columns are moments, they run in time.

    Parameters
    ----------
    network : nn.Module
        What ``timm.create_model`` gives.
    mean, std : sequence of float, optional
        Of each colour of its input, where they differ from ``pretrained_cfg``.
    """

    def __init__(self, network: Any, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> None:
        super().__init__()
        self.network = network
        facts = self.network.pretrained_cfg
        self.input_size: tuple[int, int] = tuple(facts["input_size"][1:])
        self.crop_pct: float = facts["crop_pct"]
        self.mean, self.std = mean or facts["mean"], std or facts["std"]
        self.labels = _labels(self.network)
        stages = _stages(self.network)
        self.n_layers = len(stages)
        self.n_outputs = self.network.num_classes if _one_classifier(self.network) else 0
        self._plain = len({stage["reduction"] for stage in stages}) == 1

    def forward(self, x: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 3, *input_size) -> pooled (n, n_features) and the layers that are asked for."""
        wanted = sorted(layers)
        if wanted:
            x, maps = self.network.forward_intermediates(x, indices=wanted)
        else:
            x, maps = self.network.forward_features(x), []
        pooled = self.network.forward_head(x, pre_logits=True)
        return Activations(pooled, {k: self._tokens(held) for k, held in zip(wanted, maps, strict=True)})

    def head(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> (n, n_outputs) logits."""
        classifier = self.network.get_classifier()
        if isinstance(classifier, nn.Conv2d):
            pooled = pooled[:, :, None, None]
        logits: Tensor = classifier(pooled).flatten(1)
        return logits

    def _tokens(self, held: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, n_tokens, width)."""
        if self._plain:
            return held.flatten(2).transpose(1, 2)
        return held.flatten(1, 2).transpose(1, 2)


class VitTrunk(nn.Module):
    """A vision transformer of torchvision; layer k is its block k, a token a patch; pooled is the class token.

    Parameters
    ----------
    network : VisionTransformer
        With a linear head.
    """

    mean, std, crop_pct = _IMAGENET_MEAN, _IMAGENET_STD, 224 / 256

    def __init__(self, network: VisionTransformer) -> None:
        super().__init__()
        self.network = network
        self.input_size: tuple[int, int] = (network.image_size, network.image_size)
        self.labels = _labels(network)

    def forward(self, x: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 3, *input_size) -> pooled (n, width) and the layers that are asked for, (n, n_patches, width)."""
        patches = self.network._process_input(x)
        x = torch.cat([self.network.class_token.expand(len(patches), -1, -1), patches], dim=1)
        encoder = self.network.encoder
        x = encoder.dropout(x + encoder.pos_embedding)
        held: dict[int, Tensor] = {}
        for k, block in enumerate(encoder.layers):
            x = block(x)
            if k in layers:
                held[k] = x[:, 1:]
        return Activations(encoder.ln(x[:, 0]), held)

    def head(self, pooled: Tensor) -> Tensor:
        """(n, width) -> (n, n_outputs) logits."""
        logits: Tensor = self.network.heads(pooled)
        return logits


class ImageNetwork(nn.Module):
    """A classifier of photographs, in three stages.

    Parameters
    ----------
    trunk : TimmTrunk or VitTrunk
        The network.
    rendering, image_scale, intensity : str
        How the front end draws; see `mirbench.methods.sources.renderings`.
    crop : {"none", "kaggle", "centre"}
        What is taken of a picture file: all of it; rommel2023's 348 x 218 pixels, which leave out most of the white
        margin of GTZAN's 432 x 288; or the middle, as when the network was tested on ImageNet.
    resize : {"bilinear", "bicubic", "tf1"}
        How pictures get the network's input size; the aspect ratio is not kept (shtern2017). The first two are with
        antialiasing, the last as in TensorFlow's graph of 2015 without; see `mirbench.methods.sources.resizing`.
    sample_rate : int
        Of the audio, in Hz. The default reaches the 20 kHz of asperes; most recordings have it already.

    Raises
    ------
    BadInput
        If an option is not known.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        trunk: TimmTrunk | VitTrunk,
        *,
        rendering: str = "mel",
        image_scale: str = "absolute",
        intensity: str = "auto",
        crop: str = "none",
        resize: str = "bilinear",
        sample_rate: int = SAMPLE_RATE,
    ) -> None:
        super().__init__()
        if crop not in _CROPS:
            raise BadInput(f"crop is '{crop}'; {', '.join(_CROPS)} are known")
        self.trunk, self.crop, self.resize = trunk, crop, require_resize(resize)
        self.frontend = rendering_called(rendering, sample_rate, image_scale, intensity)
        self.labels = trunk.labels
        for name in ("mean", "std"):
            values = torch.tensor(getattr(trunk, name), dtype=torch.float32)
            self.register_buffer(name, values[:, None, None], persistent=False)

    def body(self, picture: Tensor, layers: Sequence[int] = ()) -> Activations:
        """A picture -> pooled (n, n_features), and the layers that are asked for.

        Parameters
        ----------
        picture : Tensor
            Of the front end, (n, 1, n_bands, n_frames) in [0, 1]; or picture files, (n, 3, height, width) in RGB from
            0 to 255.
        """
        found: Activations = self.trunk((self._rgb(picture) - self.mean) / self.std, layers)
        return found

    def head(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> (n, n_outputs) logits."""
        return self.trunk.head(pooled)

    def _rgb(self, picture: Tensor) -> Tensor:
        """Pictures of either kind as (n, 3, *input_size) in [0, 1]."""
        if picture.ndim != 4 or picture.shape[1] not in (1, 3):
            raise BadInput(f"an image network takes pictures (n, 1 or 3, height, width), not {tuple(picture.shape)}")
        size = self.trunk.input_size
        if picture.shape[1] == 1:
            return self._resized(picture.flip(2), size).expand(-1, 3, -1, -1)
        rgb = picture / 255.0
        if self.crop == "kaggle":
            rgb = _kaggle_crop(rgb)
        elif self.crop == "centre":
            scale = max(int(s / self.trunk.crop_pct) / n for s, n in zip(size, rgb.shape[2:], strict=True))
            height, width = (int(n * scale + 1e-6) for n in rgb.shape[2:])  # rounded as timm and torchvision do
            return pictures.center_crop(self._resized(rgb, (height, width)), list(size))
        return self._resized(rgb, size)

    def _resized(self, picture: Tensor, size: tuple[int, int]) -> Tensor:
        return resized(picture, size, self.resize)


def build_timm(path: Path, *, architecture: str, seconds: float = 10.0, **options: Any) -> ImageNetwork:
    """A model of timm from its folder; every weight must fit.

    Parameters
    ----------
    path : Path
        A folder with config.json and model.safetensors, as timm's repositories hold them.
    architecture : str
        What config.json must name.
    seconds : float
        Of a window; the network takes any.

    Raises
    ------
    BadInput
        If the folder is of another model, or its weights do not fit.
    """
    if not (path / "model.safetensors").is_file():
        raise BadInput(f"{path}: holds no model.safetensors; the folder of a timm model holds it and config.json")
    try:
        named = json.loads((path / "config.json").read_text()).get("architecture", "something that timm did not save")
    except _BROKEN as error:
        raise BadInput(f"{path}: config.json cannot be read ({_first(error)})") from error
    if named != architecture:
        raise BadInput(f"{path}: config.json is of {named}, and {architecture} is needed")
    try:
        network = timm.create_model(f"local-dir:{path}", pretrained=True)
    except _BROKEN as error:
        raise BadInput(f"{path}: not the weights of timm's {architecture} ({_first(error)})") from error
    return ImageNetwork(TimmTrunk(network), **options).eval()


def build_vit(path: Path, *, seconds: float = 10.0, **options: Any) -> ImageNetwork:
    """torchvision's ViT-B/16 from its published file; every key must fit.

    Raises
    ------
    BadInput
        If the file is not readable as plain tensors, or does not fit.
    """
    with torch.device("meta"):
        network = vit_b_16()
    try:
        network.load_state_dict(read_tensors(path), strict=True, assign=True)
    except _BROKEN as error:
        raise BadInput(f"{path}: not the weights of torchvision's ViT-B/16 ({_first(error)})") from error
    return ImageNetwork(VitTrunk(network), **options).eval()


def build_coral(path: Path, *, seconds: float = 10.0, **options: Any) -> ImageNetwork:
    """Coral's MobileNetV2 from its dequantised weights; every key must fit.

    Raises
    ------
    BadInput
        If the file is not safetensors, or does not fit.
    """
    network = timm.create_model("mobilenetv2_100", pad_type="same")
    try:
        network.load_state_dict(load_file(path), strict=True)
    except _BROKEN as error:
        raise BadInput(f"{path}: not the weights of Coral's MobileNetV2 ({_first(error)})") from error
    half = (0.5, 0.5, 0.5)
    return ImageNetwork(TimmTrunk(network, mean=half, std=half), **options).eval()


def _kaggle_crop(rgb: Tensor) -> Tensor:
    if tuple(rgb.shape[2:]) != KAGGLE_SIZE:
        raise BadInput(
            f"crop=kaggle is for GTZAN's pictures of {KAGGLE_SIZE[1]} x {KAGGLE_SIZE[0]} pixels, not {rgb.shape[3]} x "
            f"{rgb.shape[2]}; take --source-set crop=none (all of the picture) or centre"
        )
    return pictures.center_crop(rgb, list(KAGGLE_CROP))


def _one_classifier(network: Any) -> bool:
    """Whether one module makes the logits from the pooled features; distilled networks and others average two."""
    classifier = network.get_classifier()
    single = isinstance(classifier, nn.Module) and not isinstance(classifier, nn.ModuleList)
    return single and getattr(network, "aux_head", None) is None


def _stages(network: Any) -> list[Mapping[str, Any]]:
    """What timm says of each hidden layer that it can give, in order."""
    if not hasattr(network, "forward_intermediates"):
        return []
    return list(getattr(network.feature_info, "info", network.feature_info))


def _labels(network: Any) -> tuple[str, ...]:
    """Names of the network's own classes, where their number tells which list of ImageNet they are."""
    subset = infer_imagenet_subset(network)
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(k) for k in range(info.num_classes()))


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
