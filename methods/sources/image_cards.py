"""The facts of image networks as sources: cards, and the family ``timm:NAME``. Importing this loads no torch."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput
from mirbench.installation import refuse_broken
from mirbench.source import SourceCard, Stage, WeightFile

__all__ = ["CORAL_MOBILENETV2", "INCEPTION_V3", "VIT_B16", "timm_card"]

_ALL: tuple[Stage, ...] = ("frontend", "body", "layers", "pooled", "head")
_HERE = "mirbench.methods.sources.images"

_OPTIONS: Mapping[str, Any] = {
    "rendering": "mel",
    "image_scale": "absolute",
    "intensity": "auto",
    "crop": "none",
    "resize": "bilinear",
    "seconds": 10.0,
}
# what every image network does with sound; 44,100 Hz, as the top band of asperes is at 20 kHz
_HEARS: Mapping[str, Any] = {
    "kind": "network",
    "sample_rate": 44_100,
    "seconds": 10.0,
    "any_length": True,
    "front": "mirbench.methods.sources.renderings:of_options",
    "accepts": ("audio", "picture"),
    "choices": {
        "rendering": ("mel", "asperes", "asperes-8bit"),
        "image_scale": ("absolute", "per-image"),
        "intensity": ("auto", "linear", "gamma2", "db"),
        "resize": ("bilinear", "bicubic", "tf1"),
    },
}
_MEL: Mapping[str, Any] = {"n_bands": 128, "n_frames": 431}
_ASPERES: Mapping[str, Any] = {"n_bands": 121, "n_frames": 1000}

_OPTIONS_NOTE = (
    "rendering: mel (librosa's defaults), asperes (shtern2017's, 121 bands on a logarithmic axis) or asperes-8bit (the "
    "same in the 256 greys of a picture file); image_scale: absolute (loudness shows) or per-image; intensity: linear, "
    "gamma2, db, or auto (db of mel, gamma2 of asperes); "
    "resize: bilinear, bicubic (both with antialiasing) or tf1 (without, as TensorFlow's graphs before 2019); "
    "seconds=whole: a clip is one picture"
)
_LAYERS_OF_STAGES = "layer k is the map after stage k; its tokens are the columns of the picture, so they run in time"

CORAL_MOBILENETV2 = SourceCard(
    name="coral-mobilenetv2",
    title="MobileNetV2 of Google Coral, ImageNet, on a picture of the spectrogram",
    offers=_ALL,
    builder=f"{_HERE}:build_coral",
    **_HEARS,
    **_MEL,
    n_features=1280,
    n_outputs=1000,
    n_layers=5,
    n_parameters=3_504_872,
    labels="ImageNet (1000)",
    trained_on=("imagenet",),
    activation="softmax",
    weights=(
        WeightFile(
            "mobilenetv2_100_imagenet.safetensors",
            "",
            "0ad53264870264b1a4e6e6058d926dfab3811ebd9525edeac8880ad582e21314",
            7_106_024,
        ),
    ),
    options=_OPTIONS,
    reference="Sandler, Howard, Zhu, Zhmoginov, Chen (2018), MobileNetV2: inverted residuals and linear bottlenecks, "
    "CVPR",
    license="Apache-2.0",
    notes=(
        "dequantised from mobilenet_v2_1.0_224_quant.tflite of github.com/google-coral/test_data, batch norm folded; "
        "this form of it is not published, so the file must be given by --weights",
        _OPTIONS_NOTE,
        _LAYERS_OF_STAGES,
    ),
)

VIT_B16 = SourceCard(
    name="vit-b16",
    title="Vision transformer ViT-B/16 of torchvision, ImageNet, on a picture of the spectrogram",
    offers=_ALL,
    builder=f"{_HERE}:build_vit",
    **_HEARS,
    **_MEL,
    n_features=768,
    n_outputs=1000,
    n_layers=12,
    n_parameters=86_567_656,
    labels="ImageNet (1000)",
    trained_on=("imagenet",),
    activation="softmax",
    weights=(
        WeightFile(
            "vit_b_16-c867db91.pth",
            "https://download.pytorch.org/models/vit_b_16-c867db91.pth",
            "c867db91d3e12c6cbadabb610d73c24a546bf82d8c03a9fea34f43a712ddb0e9",
            346_328_529,
        ),
    ),
    options={**_OPTIONS, "crop": "kaggle"},
    reference="Dosovitskiy et al. (2021), An image is worth 16x16 words: transformers for image recognition at scale, "
    "ICLR; the weights are torchvision's IMAGENET1K_V1",
    license="BSD-3-Clause",
    notes=(
        "rommel2023's: 85,798,656 parameters of the frozen body and 769,000 of the head, which that paper replaces; "
        "crop: kaggle (348 x 218 of a 432 x 288 picture file), centre or none",
        _OPTIONS_NOTE,
        "layer k is the output of block k, 196 patches without the class token",
    ),
)

INCEPTION_V3 = SourceCard(
    name="inception-v3",
    title="Inception-v3, ImageNet, ported from TensorFlow, on a picture of the spectrogram",
    offers=_ALL,
    builder=f"{_HERE}:build_timm",
    **_HEARS,
    **_ASPERES,
    n_features=2048,
    n_outputs=1000,
    n_layers=5,
    n_parameters=23_834_568,
    labels="ImageNet (1000)",
    trained_on=("imagenet",),
    activation="softmax",
    hub="timm/inception_v3.tf_in1k",
    options={**_OPTIONS, "rendering": "asperes", "architecture": "inception_v3"},
    reference="Szegedy, Vanhoucke, Ioffe, Shlens, Wojna (2016), Rethinking the Inception architecture for computer "
    "vision, CVPR",
    license="Apache-2.0",
    notes=(
        "near to shtern2017's, whose graph of 2015-12-05 is another release of these weights; pooled is its pool_3",
        "its defaults are ours, so that gain shows: square roots on one scale for all clips, antialiasing. The tools "
        "as they were released, asperes 0.3.0 and that graph, are rendering=asperes-8bit, intensity=linear, "
        "image_scale=per-image, resize=tf1, seconds=whole, of a task with +first-channel: asperes reads that alone; a "
        "program that normalizes files is +normalized-files, by the peak of a whole file over its channels",
        _OPTIONS_NOTE,
        _LAYERS_OF_STAGES,
    ),
)


def timm_card(argument: str, weights: Path | None = None) -> SourceCard:
    """The card of a model of timm that the Hugging Face hub has weights of.

    Nothing is downloaded: the model is built without memory for its weights, to count and to measure it.

    Parameters
    ----------
    argument : str
        As in ``timm.create_model``: "resnet50" or, with the tag of its weights, "resnet50.a1_in1k".

    Raises
    ------
    BadInput
        If timm knows no such model or tag, has no weights of it on the hub, or it gives no embedding.
    """
    import timm

    architecture, dot, tag = argument.partition(".")
    if not timm.is_model(architecture):
        raise BadInput(f"timm:{argument}: timm has no model of this name.{_near(architecture, timm.list_models())}")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if not tags or (dot and tag not in tags):
        have = f"its tags: {', '.join(tags)}" if tags else "it comes without weights"
        raise BadInput(f"timm:{argument}: timm has no such weights of {architecture}; {have}")
    config = timm.get_pretrained_cfg(argument)
    if not config.hf_hub_id:
        raise BadInput(f"timm:{argument}: its weights are not on the Hugging Face hub; choose another tag or model")
    return SourceCard(
        name=f"timm:{argument}",
        title=f"{architecture} ({config.tag}) of timm on a picture of the spectrogram",
        builder=f"{_HERE}:build_timm",
        **_HEARS,
        **_MEL,
        **_measured(argument),
        trained_on=("imagenet",) if any(word in config.tag for word in ("in1k", "in12k", "in21k", "in22k")) else (),
        activation="softmax",
        hub=config.hf_hub_id,
        untrained="mirbench.methods.sources.untrained:timm_network",
        options={**_OPTIONS, "architecture": architecture},
        reference="Wightman (2019), PyTorch image models, github.com/huggingface/pytorch-image-models",
        license=config.license or "",
        notes=(
            _OPTIONS_NOTE,
            "layer k is the output of block k of a plain transformer (a token a patch), or the map after stage k of "
            "another network (a token a column)",
        ),
    )


def _measured(name: str) -> dict[str, Any]:
    """Counts and shapes of a model, found without memory for its weights."""
    import timm
    import torch

    from mirbench.methods.sources.images import TimmTrunk

    try:
        with torch.device("meta"), torch.no_grad():
            network = timm.create_model(name).eval()
            trunk = TimmTrunk(network)
            found = trunk(torch.empty(1, 3, *trunk.input_size), layers=range(trunk.n_layers))
            n_outputs = trunk.head(found.pooled).shape[1] if trunk.n_outputs else 0
    except Exception as error:  # hundreds of networks, each with ways of its own to be no classifier of pictures
        refuse_broken(error)
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise BadInput(f"timm:{name}: gives no embedding in the way that this needs ({reason})") from error
    offers = [stage for stage in _ALL if (stage != "head" or n_outputs) and (stage != "layers" or trunk.n_layers)]
    return {
        "offers": tuple(offers),
        "n_features": found.pooled.shape[1],
        "n_outputs": n_outputs,
        "n_layers": trunk.n_layers,
        "n_parameters": sum(p.numel() for p in network.parameters()),
        "labels": f"ImageNet ({n_outputs})" if trunk.labels else "",
        "nameless": not trunk.labels,
    }


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{hint} timm.list_models() names all {len(known)}"
