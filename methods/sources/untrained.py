"""The networks of sources at random weights, as the libraries that make them draw them; no file of weights is needed.

Each function takes the card and the options of a source, and draws from torch's global generator; see
`mirbench.features.random_weights`. What a builder computes with its weights, these do without.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mirbench.errors import MissingData, NotApplicable
from mirbench.source import SourceCard
from mirbench.tables import target_of

if TYPE_CHECKING:
    from torch import nn

    from mirbench.methods.sources.hf_facts import Facts

__all__ = [
    "ast", "coral", "efficientat", "hugging_face", "nano", "speechatt", "speechatt_port", "tagger", "timm_network",
    "vggish", "vit",
]  # fmt: skip

_Options = Mapping[str, Any]


def ast(card: SourceCard, options: _Options) -> nn.Module:
    """AST, through a folder such as its published one: the sizes are transformers' defaults, which are the paper's."""
    from transformers import ASTConfig, ASTForAudioClassification

    from mirbench.methods.sources.hf_loading import quiet

    with quiet(), _saved(ASTForAudioClassification(ASTConfig(num_labels=card.n_outputs))) as folder:
        return _built(card, folder, options)


def nano(card: SourceCard, options: _Options) -> nn.Module:
    """nano, as its training begins."""
    from mirbench.methods.sources.nano import untrained

    return untrained()


def efficientat(card: SourceCard, options: _Options) -> nn.Module:
    """EfficientAT of the width of its builder."""
    from mirbench.methods.sources.efficientat import EfficientAtNetwork

    return EfficientAtNetwork(**({"width": 0.4} | _keywords(card)), n_outputs=card.n_outputs)


def speechatt(card: SourceCard, options: _Options) -> nn.Module:
    """SpeechATT."""
    from mirbench.methods.sources.speechatt import SpeechAttNetwork

    return SpeechAttNetwork()


def speechatt_port(card: SourceCard, options: _Options) -> nn.Module:
    """The port of SpeechATT."""
    from mirbench.methods.sources.speechatt_port import SpeechAttPort

    return SpeechAttPort()


def vggish(card: SourceCard, options: _Options) -> nn.Module:
    """VGGish; drawn by He et al. (2015) as torchvision draws its VGG, or its nine layers would fade the sound away."""
    from torch import nn

    from mirbench.methods.sources.vggish import VggishNetwork

    if options.get("postprocess", "none") != "none":
        raise NotApplicable(
            f"{card.name}: principal components belong to the trained weights; leave postprocess or weights=random out"
        )
    network = VggishNetwork()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def tagger(card: SourceCard, options: _Options) -> nn.Module:
    """A tagger of the architecture of its builder, with the names of its outputs."""
    from mirbench.methods.taggers.networks import TAGGERS

    told = _keywords(card)
    network = TAGGERS[told["architecture"]].build(len(told["labels"]))
    network.labels = told["labels"]
    return network


def coral(card: SourceCard, options: _Options) -> nn.Module:
    """timm's MobileNetV2 with the input of Coral's."""
    import timm

    from mirbench.methods.sources.images import ImageNetwork, TimmTrunk

    half = (0.5, 0.5, 0.5)
    trunk = TimmTrunk(timm.create_model("mobilenetv2_100", pad_type="same"), mean=half, std=half)
    return ImageNetwork(trunk, **_of_pictures(options))


def timm_network(card: SourceCard, options: _Options) -> nn.Module:
    """A model of timm, called as its repository is."""
    import timm

    from mirbench.methods.sources.images import ImageNetwork, TimmTrunk

    return ImageNetwork(TimmTrunk(timm.create_model(card.hub.rpartition("/")[2])), **_of_pictures(options))


def vit(card: SourceCard, options: _Options) -> nn.Module:
    """torchvision's ViT-B/16."""
    from torchvision.models import vit_b_16

    from mirbench.methods.sources.images import ImageNetwork, VitTrunk

    return ImageNetwork(VitTrunk(vit_b_16()), **_of_pictures(options))


def hugging_face(card: SourceCard, options: _Options) -> nn.Module:
    """A model of transformers by its JSON files, through a folder that holds them and what was drawn.

    Raises
    ------
    MissingData
        If its JSON files are not here.
    """
    import transformers

    from mirbench.methods.sources.hf_dasheng import DashengNetwork
    from mirbench.methods.sources.hf_facts import read_facts
    from mirbench.methods.sources.hf_loading import quiet

    described = _described(card)
    facts = read_facts(described)
    if facts.kind == "dasheng":
        return DashengNetwork(facts, options.get("layer", -1))
    config_name, model_name = _class_names(facts)
    kept = {name: value for name, value in facts.config.items() if name not in _NOT_OF_THE_NETWORK}
    config = getattr(transformers, config_name).from_dict(kept)
    with quiet(), _saved(getattr(transformers, model_name)(config)) as folder:
        for path in described.iterdir():
            if path.suffix in (".json", ".txt") and not path.name.endswith(".index.json"):
                shutil.copyfile(path, folder / path.name)
        return _built(card, folder, options)


_NOT_OF_THE_NETWORK = ("auto_map", "attn_implementation", "quantization_config", "dtype", "torch_dtype")


def _class_names(facts: Facts) -> tuple[str, str]:
    """The classes of config and model in transformers whose weights `hf_audio.build` looks for."""
    from mirbench.methods.sources.hf_any import class_names
    from mirbench.methods.sources.hf_facts import WAVEFORM_MODELS

    if facts.kind == "clap":
        return "ClapConfig", "ClapModel"
    if facts.kind == "ast":
        return "ASTConfig", "ASTForAudioClassification" if facts.n_outputs else "ASTModel"
    if facts.kind == "other":
        return class_names(facts)
    stem = "Whisper" if facts.kind == "whisper" else WAVEFORM_MODELS[facts.model_type]
    of_windows = "ForAudioClassification" if facts.kind == "whisper" else "ForSequenceClassification"
    return f"{stem}Config", f"{stem}{of_windows if facts.n_outputs else 'Model'}"


def _described(card: SourceCard) -> Path:
    """The folder of the JSON files of a model."""
    from huggingface_hub import try_to_load_from_cache

    if card.file:
        return Path(card.file)
    found = try_to_load_from_cache(card.hub, "config.json")
    if not isinstance(found, str):
        raise MissingData(
            f"{card.name}: its config.json is not on this machine; `mirbench show {card.name}` fetches it"
        )
    return Path(found).parent


@contextmanager
def _saved(model: Any) -> Iterator[Path]:
    """A folder with a model of transformers, for the block."""
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        yield Path(folder)


def _built(card: SourceCard, folder: Path, options: _Options) -> nn.Module:
    """What the builder of the card makes of a folder."""
    build: Callable[..., nn.Module] = target_of(card.builder)
    return build(folder, **options)


def _keywords(card: SourceCard) -> dict[str, Any]:
    """What the builder of a card is told beside the path of the weights."""
    return dict(getattr(target_of(card.builder), "keywords", {}))


def _of_pictures(options: _Options) -> dict[str, Any]:
    """The options that an image network itself takes."""
    return {name: value for name, value in options.items() if name not in ("seconds", "architecture")}
