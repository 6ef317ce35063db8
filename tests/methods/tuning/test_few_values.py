"""A few values within a frozen source: counts at full size, where they act, what moves, and what has no place."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirbench import Context, Windows
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.attentive_pooling import AttentivePooling
from mirbench.methods.sources.cards import AST
from mirbench.methods.token_attention import TokenAttention
from mirbench.methods.training import Batch, cross_entropy
from mirbench.methods.tuning.adapted_blocks import Bottleneck, traced
from mirbench.methods.tuning.few_values import BiasTuning, BottleneckAdapters, Lora, PromptTokens
from mirbench.methods.tuning.inside import TunedInside
from mirbench.methods.tuning.tuned_source import TunedSource
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import build
from mirbench.runs.measure import count_parameters, flops_of
from mirbench.runs.suite import read_suite
from mirbench.source import Activations
from mirbench.types import Split
from tests.methods.tuning.test_finetune import on_ast, small, trainable

Tiny = tuple[Context, tuple[Split, Split, Split]]
__all__ = ["small"]  # a fixture

METHODS: list[Any] = [
    pytest.param(BottleneckAdapters(width=4), id="adapters"),
    pytest.param(BottleneckAdapters(width=4, place="feed-forward"), id="adapters-feed-forward"),
    pytest.param(PromptTokens(n_tokens=3), id="deep"),
    pytest.param(PromptTokens(n_tokens=3, depth="shallow"), id="shallow"),
    pytest.param(BiasTuning(), id="bitfit"),
    pytest.param(Lora(rank=2), id="lora"),
]
AS_PUBLISHED = [param for param in METHODS if param.id not in ("deep", "shallow")]
"""Those that change nothing before their first step."""
RIVALS = ("bottleneck-adapters", "prompt-tokens", "lora", "attentive-pooling")


def need(method: TunedInside) -> None:
    if method.name == "lora":
        pytest.importorskip("peft")


def made(method: TunedInside, tiny: Tiny) -> tuple[TunedSource, Tensor]:
    """The module on nano, and what its body begins with, of three windows."""
    need(method)
    context, (train, _, _) = tiny
    torch.manual_seed(0)
    module = method.module(context, train)
    assert isinstance(module, TunedSource)
    return module, context.source.tensor(np.asarray(context.source.entry(train).values)[:3])


# Counts on AST at full size


@pytest.mark.parametrize(
    ("method", "inside"),
    [
        (BottleneckAdapters(width=6), 24 * (768 * 6 + 6 + 6 * 768 + 768)),
        (BottleneckAdapters(width=12, place="feed-forward"), 12 * (768 * 12 + 12 + 12 * 768 + 768)),
        (PromptTokens(n_tokens=24), 12 * 24 * 768),
        (PromptTokens(n_tokens=294, depth="shallow"), 294 * 768),
        (BiasTuning(), 12 * (4 * 768 + 3072 + 768 + 2 * 768) + 768 + 768),
        (Lora(rank=6), 12 * 2 * 6 * (768 + 768)),
        (Lora(rank=3, layers="attention"), 12 * 4 * 3 * (768 + 768)),
        (Lora(rank=1, layers="all"), 12 * (4 * 2 * 768 + 2 * (768 + 3072))),
    ],
    ids=str,
)
def test_values_within_ast_are_counted_by_hand(method: Any, inside: int, weightless: Any) -> None:
    need(method)
    module = on_ast(method, weightless, 10)
    head = 2 * 768 + 769 * 10
    assert trainable(module) == inside + head
    added = 0 if method.name == "bitfit" else inside
    assert method.n_total(module, None) == AST.n_parameters + head + added  # the source with its own head


def on_layer(method: AttentivePooling, width: int = 768, n_classes: int = 10) -> nn.Module:
    tokens = Windows(np.zeros((1, 5, width), np.float16), np.zeros(1, dtype=np.int64), 1)
    source = SimpleNamespace(card=AST, layer=lambda split, k: tokens)
    return method.module(SimpleNamespace(source=source), SimpleNamespace(classes=tuple(range(n_classes))))  # type: ignore[arg-type]


def test_attentive_pooling_of_ast_is_counted_by_hand() -> None:
    query, key, value, out, biases = 128 * 128, 128 * 768, 128 * 768, 128 * 129, 3 * 128
    assert trainable(on_layer(AttentivePooling())) == (
        query + key + value + out + biases + 128 + 2 * 768 + 2 * 128 + 129 * 10
    )


@pytest.mark.parametrize("number", range(5))
def test_suite_of_equal_budget_gives_rivals_about_as_many_values_as_hung2022(number: int, weightless: Any) -> None:
    """Those of the reprogrammings are held by their own tests; what has no size is not among them."""
    catalogue = Catalogue()
    entries = [e for e in read_suite("equal-budget", catalogue, {}).entries if e.request.method in RIVALS]
    assert len(entries) == 5
    request = entries[number].request
    method: Any = build(catalogue.method(request.method), request.params)
    need(method)
    n_values = trainable(on_layer(method) if request.method == "attentive-pooling" else on_ast(method, weightless, 10))
    assert n_values == pytest.approx(235_000, rel=0.03)


# Where they act, on nano


@pytest.mark.parametrize("method", AS_PUBLISHED)
def test_untrained_source_gives_what_the_source_gives(method: TunedInside, tiny: Tiny) -> None:
    context, (train, _, _) = tiny
    module, entry = made(method, tiny)
    pooled = context.source.tensor(np.asarray(context.source.pooled(train).values)[:3])
    with torch.no_grad():
        assert torch.allclose(module.eval().network.body(entry).pooled, pooled, atol=1e-5)


@pytest.mark.parametrize("depth", ["deep", "shallow"])
def test_learnt_tokens_are_heard_and_leave_with_the_block(depth: Any, tiny: Tiny) -> None:
    context, _ = tiny
    module, entry = made(PromptTokens(n_tokens=3, depth=depth), tiny)
    plain = context.source.network.body(entry, layers=(0, 5))
    with torch.no_grad():
        found = module.eval().network.body(entry, layers=(5,))
        assert found.layers[5].shape == plain.layers[5].shape
        assert not torch.allclose(found.pooled, plain.pooled, atol=1e-3)
        for block in module.network.model.audio_spectrogram_transformer.layers:
            if hasattr(block, "prompts"):
                block.prompts.zero_()
        silent = module.network.body(entry).pooled
    assert not torch.allclose(silent, found.pooled, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_step_moves_the_few_values_and_nothing_else(method: TunedInside, tiny: Tiny) -> None:
    _, (train, _, _) = tiny
    module, entry = made(method, tiny)
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 1e-2)
    target = torch.from_numpy(train.targets().value[:3])
    for _ in range(2):  # the way back of a bottleneck begins at zero
        optimizer.zero_grad()
        cross_entropy(module.train()(entry), Batch((), target, torch.ones_like(target).bool())).backward()
        optimizer.step()
    moved = {name for name, value in module.named_parameters() if not torch.equal(value, before[name])}
    words = {"bottleneck-adapters": ".adapter.", "prompt-tokens": ".prompts", "bitfit": "bias", "lora": "lora_"}
    assert moved
    assert all(words[method.name] in name or name.startswith("output.") for name in moved)
    left = {name for name, p in module.named_parameters() if p.requires_grad} - moved
    assert all("k_proj.bias" in name for name in left)  # softmax does not change where all scores move alike


@pytest.mark.parametrize("method", METHODS)
def test_copy_of_the_module_acts_by_itself(method: TunedInside, tiny: Tiny) -> None:
    module, entry = made(method, tiny)
    twin = copy.deepcopy(module).eval()
    with torch.no_grad():
        before = twin(entry)
        for parameter in module.parameters():
            parameter.add_(1.0)
        assert torch.equal(twin(entry), before)


def test_frozen_source_stays_in_eval_mode_while_it_is_trained_around(tiny: Tiny) -> None:
    module, entry = made(PromptTokens(), tiny)
    for part in module.network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.5
    assert torch.equal(module.train()(entry), module(entry))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_few_values_learn_to_fit_their_training_clips(method: Any, tiny: Tiny) -> None:
    from dataclasses import replace

    need(method)
    context, (train, valid, _) = tiny
    fitted = replace(method, epochs=10, lr=1e-2).fit(train, valid, context, seed=0)
    assert fitted.history[-1]["loss"] < 0.8 * fitted.history[0]["loss"]


# Sources of other kinds


class Around(nn.Module):
    """A network of so many blocks, from (n, n_tokens, width) to their mean."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def body(self, x: Tensor, layers: Sequence[int] = ()) -> Activations:
        return Activations(self.blocks(x).mean(dim=1))


def test_sublayers_are_found_by_what_runs_in_timm_torchvision_and_transformers() -> None:
    from timm.models.vision_transformer import Block as TimmBlock
    from torchvision.models.vision_transformer import EncoderBlock
    from transformers import Wav2Vec2Config
    from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2EncoderLayer

    timm = TimmBlock(8, 2)
    torchvision = EncoderBlock(2, 8, 16, 0.0, 0.0)
    speech = Wav2Vec2EncoderLayer(Wav2Vec2Config(hidden_size=8, num_attention_heads=2, intermediate_size=24))
    network = Around(timm, torchvision, speech)
    found = [block.sublayers for block in traced(network, list(network.blocks), torch.randn(2, 5, 8))]
    assert found == [
        (timm.attn.proj, timm.mlp.fc2),
        (torchvision.self_attention, torchvision.mlp[3]),
        (speech.attention.out_proj, speech.feed_forward.output_dense),
    ]
    assert not any(module._forward_hooks for module in network.modules())


def test_adapters_of_convolutions_stand_behind_their_blocks(small: tuple[Any, Split]) -> None:
    context, split = small
    module: Any = BottleneckAdapters(width=2).module(context, split)
    adapters = [block.adapter for block in module.network.blocks]
    assert [count_parameters(adapter) for adapter in adapters] == [4 * 2 + 2 + 2 * 4 + 4, 6 * 2 + 2 + 2 * 6 + 6]
    entry = context.source.tensor(context.source.entry(split).values)
    with torch.no_grad():
        before = module.eval()(entry)
        adapters[0].up.bias.fill_(1.0)
        assert not torch.allclose(module(entry), before)


def test_biases_of_convolutions_are_learnt_with_the_shifts_of_norms(small: tuple[Any, Split]) -> None:
    module = BiasTuning().module(*small)
    learnt = {name for name, p in module.named_parameters() if p.requires_grad and name.startswith("network")}
    assert learnt == {f"network.blocks.{block}.{layer}.bias" for block in (0, 1) for layer in (0, 1)}


@pytest.mark.parametrize(
    ("method", "says"),
    [(PromptTokens(), "no tokens among which learnt ones"), (Lora(), "no linear layers of query-value")],
)
def test_what_has_no_place_in_convolutions_is_not_applicable(method: Any, says: str, small: tuple[Any, Split]) -> None:
    with pytest.raises(NotApplicable, match=says):
        method.module(*small)


def test_bottleneck_changes_nothing_at_first() -> None:
    x = torch.randn(2, 5, 8)
    assert torch.equal(Bottleneck(8, 3)(x), x)


# Attentive pooling


def test_operations_of_attention_can_be_counted() -> None:
    network = TokenAttention(6, 4, 2, 3).eval()
    with torch.no_grad():
        assert flops_of(lambda: network(torch.randn(2, 7, 6))) > 2 * 2 * 2 * 7 * 6 * 4  # keys and values


def test_attention_does_not_care_for_the_order_of_tokens() -> None:
    torch.manual_seed(0)
    network = TokenAttention(6, 4, 2, 3).eval()
    tokens = torch.randn(2, 7, 6)
    assert torch.allclose(network(tokens), network(tokens[:, torch.randperm(7)]), atol=1e-6)


def test_attention_may_hear_one_token_more_than_others() -> None:
    """A mean cannot, and that is what it is for."""
    torch.manual_seed(0)
    network = TokenAttention(6, 4, 1, 3).eval()
    tokens = torch.randn(1, 7, 6)
    with torch.no_grad():
        network.query.mul_(1000.0)
        plain = network(tokens)
        moved = []
        for n in range(7):
            other = tokens.clone()
            other[0, n] = 0.0
            moved.append(float((network(other) - plain).abs().sum()))
    assert max(moved) > 5 * float(np.median(moved))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AttentivePooling(hidden=10, heads=4),
        lambda: BottleneckAdapters(width=0),
        lambda: PromptTokens(n_tokens=0),
        lambda: Lora(rank=0),
    ],
)
def test_sizes_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(BadInput, match=r"must be|1 or more is needed"):
        wrong()
