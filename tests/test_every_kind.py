"""Every method on every kind of source that it accepts, at random weights: AST, ViT, Inception, a speech encoder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from mirbench import Context
from mirbench.features import audio
from mirbench.method import needed_stages
from mirbench.methods import METHODS
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.source import SourceCard
from mirbench.trust import checks
from mirbench.types import Split, excerpts
from tests.every_method import NAMED, in_few_steps

KINDS = ("ast", "vit", "inception", "wav2vec2")
OF_BLOCKS = ("bottleneck-adapters", "prompt-tokens", "lora")
"""Methods that act inside blocks, of which Inception has no list."""


def _made(kind: str, folder: Path) -> SourceCard:
    """The card of a source at random weights, whose folder is written."""
    if kind == "ast":
        from transformers import ASTConfig, ASTForAudioClassification

        config = ASTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_length=128,
            num_labels=30,
        )  # fmt: skip
        ASTForAudioClassification(config).save_pretrained(folder)
        return Catalogue().source(f"hf:{folder}")
    if kind == "wav2vec2":
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        config = Wav2Vec2Config(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, conv_dim=(16, 16, 16),
            conv_stride=(10, 8, 4), conv_kernel=(10, 8, 4), num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
        )  # fmt: skip
        Wav2Vec2Model(config).save_pretrained(folder)
        return Catalogue().source(f"hf:{folder}")
    import timm
    from safetensors.torch import save_file

    name = {"vit": "test_vit.r160_in1k", "inception": "inception_v3.tf_in1k"}[kind]
    architecture = name.partition(".")[0]
    folder.mkdir()
    save_file(timm.create_model(name).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(f'{{"architecture": "{architecture}", "num_classes": 1000}}')
    return Catalogue().source("inception-v3" if kind == "inception" else f"timm:{name}")


@pytest.fixture(scope="module", params=KINDS)
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Context, tuple[Split, Split, Split]]:
    """A context with such a source, and a few clips of the tiny task."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    model = folder / "model"
    card = dataclasses.replace(_made(request.param, model), seconds=2.0)
    whole = checks.tiny_task(folder)
    train, valid, test = (Split(split.task, split.clips[::2]) for split in whole)
    places = [place for split in (train, valid, test) for place in excerpts(split)]
    context = Context(
        facts=audio.survey(places, folder / "memo", Progress(quiet=True)),
        cache=folder / "cache",
        device=torch.device("cpu"),
        card=card,
        load=lambda: checks.built(card, model),
        source_identity=request.param,
    )
    return context, (train, valid, test)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_method_conforms_with_every_kind_of_source_that_it_accepts(
    name: str, source: tuple[Context, tuple[Split, Split, Split]]
) -> None:
    context, splits = source
    method, few = in_few_steps(name)
    if not method.needs or not set(method.needs) <= set(context.source.card.offers):
        pytest.skip(f"{name} does not take a source that offers {', '.join(context.source.card.offers)}")
    if name in NAMED:
        pytest.skip("at random weights nothing has a name")
    problems = checks.check_method(method, context, splits, few)
    if name in OF_BLOCKS and context.source.card.name == "inception-v3":
        assert [problem[: len("NotApplicable")] for problem in problems] == ["NotApplicable"]
    else:
        assert problems == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ii-nmr", "id-nmr", "ids-nmr"])
def test_reprogramming_with_a_new_head_conforms_with_every_kind_that_has_the_stage(
    name: str, source: tuple[Context, tuple[Split, Split, Split]]
) -> None:
    context, splits = source
    method, options = Catalogue().method(name), {"mapping": "new-head"}
    if lacks := set(needed_stages(method, options)) - set(context.source.card.offers):
        pytest.skip(f"{context.source.card.name} has no {', '.join(lacks)}")
    assert checks.check_method(method, context, splits, {"epochs": 1, **options}) == []
