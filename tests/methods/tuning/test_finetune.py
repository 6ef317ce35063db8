"""Fine-tuning: printed counts, what moves and what stays, low-rank adapters, dead weights, restoring."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import vit_b_16

from mirbench import Context, Windows
from mirbench.errors import BadInput, MissingExtra, NotApplicable
from mirbench.methods.sources.cards import AST, EFFICIENTAT_MN04, SPEECHATT
from mirbench.methods.sources.images import ImageNetwork, VitTrunk
from mirbench.methods.training import Batch, cross_entropy, masked_bce
from mirbench.methods.tuning.finetune import FineTune, blocks_of
from mirbench.methods.tuning.tuned_source import TunedSource
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.measure import count_parameters
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.source import Activations, SourceCard
from mirbench.trust import checks
from mirbench.types import Clip, Split, Task

Tiny = tuple[Context, tuple[Split, Split, Split]]
CPU = torch.device("cpu")


def trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


# Counts


def on_ast(method: FineTune, network: Any, n_classes: int) -> TunedSource:
    """The module that a method makes of a full-size AST, and its counts of what is used."""
    import copy

    meta = torch.device("meta")
    source = SimpleNamespace(
        card=AST,
        copy=lambda: copy.deepcopy(network).requires_grad_(True).train(),
        entry=lambda split: Windows(np.zeros((1, 1, 128, 1024), np.float32), np.zeros(1, dtype=np.int64), 1),
        tensor=lambda rows: torch.empty(rows.shape, device=meta),
    )
    split = SimpleNamespace(classes=tuple(range(n_classes)))
    found = method.module(SimpleNamespace(source=source, device=meta), split)  # type: ignore[arg-type]
    assert isinstance(found, TunedSource)
    return found


def total(method: FineTune, module: nn.Module) -> int | None:
    return method.n_total(module, None)  # type: ignore[arg-type]


DEAD_IMAGENET_HEADS, UNUSED_NOISE = 1_538_000, 131_072  # what the authors' objects hold, and nothing uses
OWN_HEAD = 406_799  # AST's of 527 classes, which stays in the total beside a new one


def test_ast_tl_has_the_printed_parameters_but_for_dead_heads_and_an_unused_noise(weightless: Any) -> None:
    method = FineTune()
    module = on_ast(method, weightless, 20)
    assert trainable(module) == 86_204_180
    assert trainable(module) + DEAD_IMAGENET_HEADS == 87_742_180
    assert trainable(module) + DEAD_IMAGENET_HEADS + UNUSED_NOISE == 87_873_252
    assert round(87_873_252 / 1e6, 3) == 87.873
    assert total(method, module) == 86_204_180 + OWN_HEAD


def test_ast_has_the_parameters_of_its_encoder_and_of_ten_labels(weightless: Any) -> None:
    encoder = sum(p.numel() for p in weightless.model.audio_spectrogram_transformer.parameters())
    assert encoder == 86_187_264
    assert trainable(on_ast(FineTune(), weightless, 10)) == encoder + 9_226 == 86_196_490


def test_bl_ft_with_the_mapped_head_has_the_printed_parameters_but_for_dead_heads(weightless: Any) -> None:
    method = FineTune(head="mapped")
    module = on_ast(method, weightless, 10)
    assert trainable(module) + DEAD_IMAGENET_HEADS == 88_132_063
    assert total(method, module) == trainable(module) == AST.n_parameters


def test_bl_ft_with_a_new_head_has_not_the_printed_parameters(weightless: Any) -> None:
    assert trainable(on_ast(FineTune(), weightless, 10)) == 87_734_490 - DEAD_IMAGENET_HEADS


def test_source_head_behind_a_new_one_is_neither_trained_nor_counted(weightless: Any) -> None:
    module = on_ast(FineTune(), weightless, 10)
    assert AST.n_parameters - 406_799 + 9_226 == trainable(module)
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    assert frozen == {name for name, _ in module.named_parameters() if "classifier" in name}


def test_last_blocks_of_ast_are_counted_by_hand(weightless: Any) -> None:
    attention, mlp, norms = 4 * (768 * 768 + 768), 768 * 3072 + 3072 + 3072 * 768 + 768, 4 * 768
    method = FineTune(tuned="last", last_blocks=3)
    module = on_ast(method, weightless, 10)
    assert trainable(module) == 3 * (attention + mlp + norms) + 2 * 768 + 9_226
    assert total(method, module) == 87_734_490 - DEAD_IMAGENET_HEADS + OWN_HEAD


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 8])
def test_low_rank_adapters_of_ast_are_counted_by_hand(rank: int, weightless: Any) -> None:
    pytest.importorskip("peft")
    method = FineTune(tuned="lora", rank=rank)
    module = on_ast(method, weightless, 10)
    a_block = rank * (4 * (768 + 768) + 2 * (768 + 3072))
    assert trainable(module) == 12 * a_block + 9_226
    assert total(method, module) == 87_734_490 - DEAD_IMAGENET_HEADS + OWN_HEAD + 12 * a_block


# What moves, on nano


FEW: dict[str, Any] = {"epochs": 1, "lr": 1e-3}
OPTIONS = [
    pytest.param({"tuned": tuned, "head": head}, id=f"{tuned}-{head}")
    for tuned in ("all", "last", "lora")
    for head in ("new", "mapped")
]


def few(splits: tuple[Split, Split, Split]) -> tuple[Split, Split, Split]:
    train, valid, test = (Split(s.task, s.clips[::2]) for s in splits)
    return train, valid, test


def need(options: dict[str, Any]) -> None:
    if options.get("tuned") == "lora":
        pytest.importorskip("peft")


@pytest.mark.parametrize("options", OPTIONS)
def test_finetuned_state_holds_what_was_trained_and_no_more(options: dict[str, Any], tiny: Tiny) -> None:
    need(options)
    context, splits = tiny
    train, valid, _ = few(splits)
    fitted = FineTune(**FEW, **options).fit(train, valid, context, seed=0)
    assert sum(value.size for value in fitted.state.values()) == fitted.n_trainable  # nano has no buffers
    names = set(fitted.state)
    if options["tuned"] == "last":
        kept = ("layers.4.", "layers.5.", "transformer.layernorm.", "output.", "classifier.")
        assert all(any(word in name for word in kept) for name in names)
    if options["tuned"] == "lora":
        assert all("lora_" in name or name.startswith("output.") for name in names)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.slow
def test_restored_finetuned_source_equals_the_fitted(options: dict[str, Any], tiny: Tiny) -> None:
    need(options)
    context, splits = tiny
    train, valid, test = few(splits)
    method, predictions = FineTune(**FEW, **options), []
    for seed in (0, 1):
        fitted = method.fit(train, valid, context, seed=seed)
        state = {name: np.asarray(value) for name, value in fitted.state.items()}
        predictions.append(method.restore(state, test.blind(), context)(test.blind()))
        assert np.array_equal(predictions[-1], fitted.predict(test.blind()))
    assert not np.array_equal(*predictions)


def test_restoring_says_what_a_stored_model_lacks(tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, test = few(splits)
    method = FineTune(**FEW, tuned="last")
    state = dict(method.fit(train, valid, context, seed=0).state)
    del state["output.1.bias"]
    with pytest.raises(BadInput, match=r"lacks output\.1\.bias"):
        method.restore(state, test.blind(), context)


@pytest.mark.parametrize("options", OPTIONS)
def test_fine_tuning_moves_what_it_trains_and_nothing_else(options: dict[str, Any], tiny: Tiny) -> None:
    need(options)
    context, splits = tiny
    train, _, _ = few(splits)
    torch.manual_seed(0)
    method = FineTune(**options)
    module = method.module(context, train)
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 1e-2)
    pictures = context.source.tensor(np.asarray(context.source.entry(train).values))
    target = torch.from_numpy(train.targets().value)
    module.train()
    for _ in range(2):  # the second factor of a low-rank update begins at zero
        optimizer.zero_grad()
        method.loss("single-label")(module(pictures), Batch((), target, torch.ones_like(target).bool())).backward()
        optimizer.step()
    moved = {name for name, value in module.named_parameters() if not torch.equal(value, before[name])}
    trained = {name for name, p in module.named_parameters() if p.requires_grad}
    assert moved <= trained
    # keys have no effect through their bias: softmax does not change where all scores move alike
    assert all("k_proj.bias" in name or "key.bias" in name for name in trained - moved)


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
def test_fine_tuning_learns_to_fit_its_training_clips(options: dict[str, Any], tiny: Tiny) -> None:
    need(options)
    context, splits = tiny
    train, valid, _ = few(splits)
    fitted = FineTune(epochs=10, lr=3e-3, **options).fit(train, valid, context, seed=0)
    assert fitted.history[-1]["loss"] < 0.8 * fitted.history[0]["loss"]


def test_fine_tuning_leaves_the_shared_source_as_it_was(tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, _ = few(splits)
    before = {name: value.clone() for name, value in context.source.network.state_dict().items()}
    published = context.source.n_parameters
    FineTune(epochs=1, lr=0.1).fit(train, valid, context, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in context.source.network.state_dict().items())
    assert context.source.n_parameters == published
    assert not any(p.requires_grad for p in context.source.network.parameters())


@pytest.mark.parametrize("options", OPTIONS)
def test_untrained_body_gives_what_the_source_gives(options: dict[str, Any], tiny: Tiny) -> None:
    """Before the first step everything is as published, low-rank adapters included."""
    need(options)
    context, (train, _, _) = tiny
    module = FineTune(**options).module(context, train).eval()
    assert isinstance(module, TunedSource)
    entry = context.source.tensor(np.asarray(context.source.entry(train).values)[:3])
    pooled = context.source.tensor(np.asarray(context.source.pooled(train).values)[:3])
    with torch.no_grad():
        assert torch.allclose(module.network.body(entry).pooled, pooled, atol=1e-5)
        if options["head"] == "mapped":
            probabilities = context.source.network.head(pooled).sigmoid()[:, :15].reshape(3, 3, 5).mean(dim=2)
            assert torch.allclose(module(entry).sigmoid(), probabilities, atol=1e-5)


def test_low_rank_adapters_of_nano_are_counted_by_hand(tiny: Tiny) -> None:
    pytest.importorskip("peft")
    context, splits = tiny
    train, valid, _ = few(splits)
    fitted = FineTune(**FEW, tuned="lora", rank=3).fit(train, valid, context, seed=0)
    adapters = 6 * 3 * (4 * (96 + 96) + 2 * (96 + 384))
    head = 2 * 96 + 97 * 3
    assert fitted.n_trainable == adapters + head
    assert fitted.n_total == context.source.n_parameters + adapters + head


def test_low_rank_adapters_scale_by_two_over_the_rank(tiny: Tiny) -> None:
    pytest.importorskip("peft")
    context, (train, _, _) = tiny
    module = FineTune(tuned="lora", rank=5).module(context, train)
    scales = {layer.scaling["default"] for layer in module.modules() if hasattr(layer, "lora_A")}
    assert scales == {2.0}  # twice the rank over the rank


def test_all_blocks_are_not_all_of_the_source(tiny: Tiny) -> None:
    """More blocks than there are is every block; what comes before them stays."""
    context, (train, _, _) = tiny
    module = FineTune(tuned="last", last_blocks=99).module(context, train)
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad and "classifier" not in name}
    assert frozen
    assert all("embeddings" in name for name in frozen)


# A small network with batch norm


class Small(nn.Module):
    """Two blocks with batch norm, and a head that nothing uses where there is a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
            nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU()),
        )
        self.classifier = nn.Linear(6, 10)

    def body(self, x: Tensor, layers: Sequence[int] = ()) -> Activations:
        return Activations(self.blocks(x).mean(dim=(2, 3)))

    def head(self, pooled: Tensor) -> Tensor:
        return self.classifier(pooled)


SMALL = SourceCard(
    "small", "", "network", ("body", "pooled", "head"), "", sample_rate=16_000, seconds=1.0, n_features=6, n_outputs=10,
    n_layers=2,
)  # fmt: skip


@pytest.fixture
def small() -> tuple[Any, Split]:
    """A context that has nothing but a source, and a split of three clips' pictures."""
    torch.manual_seed(0)
    network = Small()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()  # type: ignore[union-attr, operator]
    pictures = np.random.default_rng(0).normal(3.0, 2.0, (6, 1, 9, 11)).astype(np.float32)
    import copy

    source = SimpleNamespace(
        card=SMALL,
        copy=lambda: copy.deepcopy(network).requires_grad_(True).train(),
        entry=lambda split: Windows(pictures, np.arange(6), 6),
        tensor=lambda rows: torch.from_numpy(np.ascontiguousarray(rows)),
    )
    clips = tuple(Clip(f"c{n}", None, "train", ("ab"[n % 2],)) for n in range(6))
    task = Task("t", "1", "", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: list(clips), "t", 6, 1.0)
    return SimpleNamespace(source=source, device=CPU), Split(task, clips)


def stepped(method: FineTune, small: tuple[Any, Split]) -> tuple[TunedSource, dict[str, Tensor]]:
    """A module after a step in train mode, and its state before."""
    context, split = small
    module = method.module(context, split)
    assert isinstance(module, TunedSource)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], 0.1)
    module(context.source.tensor(context.source.entry(split).values)).square().sum().backward()
    optimizer.step()
    return module, before


def changed(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def test_frozen_blocks_keep_the_statistics_of_their_batch_norms(small: tuple[Any, Split]) -> None:
    names = changed(*stepped(FineTune(tuned="last", last_blocks=1, statistics="batch"), small))
    assert not any(name.startswith("network.blocks.0") for name in names)
    assert {f"network.blocks.1.1.{name}" for name in ("running_mean", "running_var", "weight")} <= names


def test_statistics_of_the_source_stay_where_only_weights_are_trained(small: tuple[Any, Split]) -> None:
    names = changed(*stepped(FineTune(), small))
    assert {f"network.blocks.{k}.1.weight" for k in (0, 1)} <= names
    assert not any("running" in name for name in names)


def test_trained_blocks_move_the_statistics_of_their_batch_norms(small: tuple[Any, Split]) -> None:
    names = changed(*stepped(FineTune(statistics="batch"), small))
    assert {f"network.blocks.{k}.1.running_mean" for k in (0, 1)} <= names
    assert not any("classifier" in name for name in names)


def test_low_rank_adapters_leave_batch_norms_and_weights_alone(small: tuple[Any, Split]) -> None:
    pytest.importorskip("peft")
    names = changed(*stepped(FineTune(tuned="lora", rank=2), small))
    assert any("lora_B" in name for name in names)
    assert all("lora_" in name or name.startswith("output.") for name in names)


def test_low_rank_adapters_stand_in_convolutions_where_there_are_no_linear_layers(small: tuple[Any, Split]) -> None:
    pytest.importorskip("peft")
    context, split = small
    module = FineTune(tuned="lora", rank=2).module(context, split)
    adapters = 2 * (1 * 9) + 4 * 2 + 2 * (4 * 9) + 6 * 2
    assert trainable(module) == adapters + 2 * 6 + 7 * 2


def test_blocks_are_the_list_of_as_many_modules_as_there_are_layers(tiny: Tiny) -> None:
    name, blocks = blocks_of(Small(), SMALL)
    assert (name, len(blocks)) == ("blocks", 2)  # type: ignore[arg-type]
    name, blocks = blocks_of(tiny[0].source.network, tiny[0].source.card)
    assert len(blocks) == 6  # type: ignore[arg-type]
    assert name.endswith(("layer", "layers"))


@pytest.mark.parametrize("tuned", ["last", "lora"])
def test_source_without_a_list_of_blocks_is_not_applicable(tuned: Any, small: tuple[Any, Split]) -> None:
    context, split = small
    context.source.card = replace(SMALL, n_layers=7)
    with pytest.raises(NotApplicable, match=r"small has no list of blocks to choose from; .* \(finetune, tuned=all\)"):
        FineTune(tuned=tuned).module(context, split)
    assert SPEECHATT.n_layers == 1  # its single layer makes no list either
    with pytest.raises(NotApplicable, match="no list of blocks"):
        blocks_of(nn.Sequential(nn.Linear(1, 1)), replace(SMALL, n_layers=1))


def test_mapped_head_of_a_source_without_classes_is_not_applicable(small: tuple[Any, Split]) -> None:
    context, split = small
    context.source.card = replace(SMALL, offers=("body", "pooled"), n_outputs=0)
    with pytest.raises(NotApplicable, match="small has no classes of its own to map; take head=new"):
        FineTune(head="mapped").module(context, split)


@pytest.mark.slow
@pytest.mark.real
def test_frozen_blocks_of_efficientat_keep_their_statistics_in_a_run(shared: Path, tmp_path: Path) -> None:
    from mirbench.features import audio
    from mirbench.methods.sources import efficientat
    from mirbench.types import excerpts

    splits = checks.tiny_task(tmp_path)
    train, valid, test = (Split(s.task, s.clips[::4]) for s in splits)
    facts = audio.survey([e for s in (train, valid, test) for e in excerpts(s)], tmp_path / "m", Progress(quiet=True))
    context = Context(
        facts=facts, cache=tmp_path, device=CPU, card=EFFICIENTAT_MN04,
        load=lambda: efficientat.build(shared / "weights" / "mn04_as_mAP_432.pt"), source_identity="mn04",
    )  # fmt: skip
    published = context.source.copy().state_dict()
    method = FineTune(epochs=1, tuned="last", last_blocks=2, batch_size=3)
    fitted = method.fit(train, valid, context, seed=0)
    assert np.allclose(method.restore(fitted.state, test.blind(), context)(test.blind()), fitted.predict(test.blind()))
    moved = {
        name.removeprefix("network.")
        for name, value in fitted.state.items()
        if name.startswith("network.") and not np.array_equal(value, published[name.removeprefix("network.")].numpy())
    }
    assert moved
    assert {name.split(".")[1] for name in moved if name.startswith("features.")} == {"15", "16"}


# Options


def test_loss_is_cross_entropy_of_a_new_head_for_one_class_a_clip() -> None:
    assert FineTune().loss("single-label") is cross_entropy
    assert FineTune().loss("multi-label") is masked_bce
    assert FineTune(head="mapped").loss("single-label") is masked_bce


def test_schedule_is_constant_unless_it_is_chen2022s() -> None:
    (constant,) = FineTune().phases()
    assert (constant.epochs, constant.lr, constant.milestones, constant.weight_decay) == (100, 1e-4, (), 0.0)
    (paper,) = FineTune(schedule="paper", lr=5e-5, epochs=50).phases()
    assert (paper.lr, paper.milestones, paper.gamma) == (5e-5, tuple(range(10, 50, 5)), 0.5)


def test_released_script_keeps_the_last_epoch_and_has_its_own_rates() -> None:
    """AST-TL as chen2022's code trains it."""
    method = FineTune(schedule="authors-code", epochs=30, batch_size=4, select="last", specaug=True)
    recipe = method.recipe(nn.Linear(1, 1), "multi-label")
    (phase,) = recipe.phases
    assert (recipe.select, recipe.batch_size, recipe.loss) == ("last", 4, masked_bce)
    assert (phase.epochs, phase.lr, phase.gamma) == (30, 1e-5, 0.85)
    assert (phase.betas, phase.weight_decay) == ((0.95, 0.999), 5e-7)
    assert FineTune().recipe(nn.Linear(1, 1), "multi-label").select == "score"


# SpecAugment


@pytest.mark.parametrize("head", ["new", "mapped"])
def test_specaug_masks_what_the_body_begins_with_in_training_alone(head: Any, tiny: Tiny) -> None:
    context, (train, _, _) = tiny
    torch.manual_seed(0)
    masked = FineTune(head=head, specaug=True).module(context, train)
    torch.manual_seed(0)
    plain = FineTune(head=head).module(context, train)
    assert trainable(masked) == trainable(plain)
    assert masked.state_dict().keys() == plain.state_dict().keys()
    entry = context.source.tensor(np.asarray(context.source.entry(train).values)[:4])
    with torch.no_grad():
        assert torch.equal(masked.eval()(entry), plain.eval()(entry))
        masked.train(), plain.train()
        assert torch.equal(plain(entry), plain(entry))
        assert not torch.allclose(masked(entry), masked(entry), atol=1e-5)


def test_specaug_changes_what_is_learnt_and_is_restored(tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, test = few(splits)
    masked, plain = (
        FineTune(**FEW, specaug=on, select="last").fit(train, valid, context, seed=0) for on in (True, False)
    )
    assert not np.allclose(masked.state["output.1.weight"], plain.state["output.1.weight"], atol=1e-6)
    predict = FineTune(**FEW, specaug=True).restore(masked.state, test.blind(), context)
    assert np.array_equal(predict(test.blind()), masked.predict(test.blind()))


@pytest.mark.parametrize(
    ("offers", "shape", "says"),
    [(("body", "pooled"), (1, 16_000), "masks spectrograms, and speech has none"),
     (("frontend", "body", "pooled"), (1, 3, 20, 20), "the clips of this task are pictures in colour")],
)  # fmt: skip
def test_specaug_of_what_is_no_spectrogram_is_not_applicable(
    offers: tuple[Any, ...], shape: tuple[int, ...], says: str
) -> None:
    card = replace(AST, name="speech", offers=offers)
    entry = Windows(np.zeros(shape, np.float32), np.zeros(1, dtype=np.int64), 1)
    context = SimpleNamespace(source=SimpleNamespace(card=card, entry=lambda split: entry))
    with pytest.raises(NotApplicable, match=says):
        FineTune(specaug=True).module(context, SimpleNamespace(classes=("a", "b")))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"last_blocks": 0}, {"rank": 0}, {"lr": 0.0}, {"accumulate": 0}])
def test_hyperparameters_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="finetune"):
        FineTune(**wrong)


# Without peft


@pytest.fixture
def without_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else find(name, *rest))


@pytest.mark.usefixtures("without_peft")
def test_low_rank_adapters_without_peft_name_the_extra(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    with pytest.raises(MissingExtra, match=r"tuned=lora needs peft: pip install 'mirbench\[peft\]'"):
        FineTune(tuned="lora").fit(train, valid, context, seed=0)


@pytest.mark.usefixtures("without_peft")
def test_run_without_peft_is_recorded_as_skipped(tmp_path: Path) -> None:
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True)
    train, *_ = checks.tiny_task(data)
    catalogue = Catalogue([Plugin("test", "0" * 64, {"tiny": train.task}, {}, {})])
    request = Request(
        "tiny", "finetune", source="nano", seeds=(0,), data=tmp_path / "data", runs=tmp_path / "runs",
        params={"tuned": "lora", "epochs": 1}, device="cpu",
    )  # fmt: skip
    (outcome,) = run(request, catalogue, Progress(quiet=True))
    assert (outcome.record.status, outcome.record.reason) == (
        "skipped", "tuned=lora needs peft: pip install 'mirbench[peft]'"
    )  # fmt: skip


@pytest.mark.usefixtures("without_peft")
def test_fine_tuning_of_the_last_blocks_needs_no_peft(tiny: Tiny) -> None:
    context, (train, _, _) = tiny
    assert trainable(FineTune(tuned="last").module(context, train)) > 0


def test_fine_tuned_vit_with_the_mlp_of_rommel2023_has_its_number_of_values() -> None:
    """Counted on the meta device: no weight is held."""
    with torch.device("meta"):
        vit = vit_b_16()
    network = ImageNetwork(VitTrunk(vit), crop="kaggle").to("meta")
    with torch.device("meta"):
        entry = torch.zeros(1, 3, 288, 432)
        source: Any = SimpleNamespace(
            card=Catalogue().source("vit-b16"), copy=lambda: network, tensor=lambda rows: entry,
            entry=lambda split: SimpleNamespace(values=np.zeros((1, 1))),
        )  # fmt: skip
        context: Any = SimpleNamespace(source=source, device=torch.device("meta"))
        split: Any = SimpleNamespace(classes=tuple(range(10)))
        module = FineTune(head="mlp", optimizer="adamw").module(context, split)
    assert count_parameters(module, trainable=True) == 87_645_962
    assert count_parameters(network) == 86_567_656  # with the head that it came with, which is not trained


def test_optimiser_of_a_schedule_that_has_its_own_is_refused() -> None:
    assert [phase.optimizer for phase in FineTune(optimizer="adamw").phases()] == ["adamw"]
    with pytest.raises(BadInput, match="schedule=paper is Adam's"):
        FineTune(optimizer="adamw", schedule="paper")
