"""Reprogramming of chen2022: printed counts, what each adapter computes, mappings, SpecAugment, schedules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirbench import Context, Windows
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.reprogramming.adapters import LabelMapping
from mirbench.methods.reprogramming.outputs import output, outputs_per_class
from mirbench.methods.reprogramming.picture_adapters import (
    PictureConvolutions,
    PictureNoise,
    PicturePadding,
    PictureUnet,
    SpecAugment,
)
from mirbench.methods.reprogramming.picture_rp import AstBs, CnnRp, NoiseRp, PaddingRp, UnetRp
from mirbench.methods.sources.cards import AST, SPEECHATT
from mirbench.methods.sources.precomputed import FileFeatures, features_card
from mirbench.methods.training import Batch, Phase, Recipe, masked_bce, seeded, train
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust import checks
from mirbench.types import Clip, Split, Task

Tiny = tuple[Context, tuple[Split, Split, Split]]
METHODS = (AstBs, NoiseRp, CnnRp, UnetRp, PaddingRp)
each = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
CPU = torch.device("cpu")


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# Counts


def module_on_ast(method: Any, n_classes: int = 20) -> nn.Module:
    """A method's module in front of, or behind, a frozen AST: its size is known, and nothing runs it."""
    source = SimpleNamespace(
        card=AST,
        network=None,
        entry=lambda split: Windows(np.zeros((1, 1, AST.n_bands, AST.n_frames)), np.zeros(1, dtype=np.int64), 1),
        pooled=lambda split: Windows(np.zeros((1, AST.n_features)), np.zeros(1, dtype=np.int64), 1),
    )
    split = SimpleNamespace(classes=tuple(range(n_classes)))
    found: nn.Module = method.module(SimpleNamespace(source=source), split)
    return found


PRINTED = [(AstBs, 16_916, 0.017), (NoiseRp, 147_988, 0.148), (CnnRp, 16_936, 0.017), (UnetRp, 18_201, 0.018)]


@pytest.mark.parametrize(("method", "n", "millions"), PRINTED, ids=lambda x: getattr(x, "name", None))
def test_picture_reprogramming_of_ast_has_the_printed_parameters(method: Any, n: int, millions: float) -> None:
    assert count(module_on_ast(method())) == n
    assert round(n / 1e6, 3) == millions


@pytest.mark.parametrize(("method", "n"), [(AstBs, 10_560), (NoiseRp, 141_632), (CnnRp, 10_580), (UnetRp, 11_845)])
def test_picture_reprogramming_on_the_527_outputs_has_not_the_printed_parameters(method: Any, n: int) -> None:
    assert count(module_on_ast(method(mapping="fc527"))) == n
    printed = {row[0]: row[2] for row in PRINTED}
    assert round(n / 1e6, 3) != printed[method]


@pytest.mark.parametrize(("method", "n"), [(NoiseRp, 131_072), (CnnRp, 20), (UnetRp, 1_285)])
def test_picture_reprogramming_with_many_to_one_learns_its_adapter_alone(method: Any, n: int) -> None:
    assert count(module_on_ast(method(mapping="many-to-one"))) == n


def test_unet_at_random_counts_the_head_alone() -> None:
    assert count(module_on_ast(UnetRp(unet_trainable=False))) == 16_916


def test_specaug_adds_no_parameters() -> None:
    assert [count(module_on_ast(method(specaug=True))) for method, _, _ in PRINTED] == [n for _, n, _ in PRINTED]


# Adapters


def unet_by_hand(net: PictureUnet, x: Tensor) -> Tensor:
    """chen2022's U-Net as the specification says it, with its skips added."""

    def up(x: Tensor) -> Tensor:
        return nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)

    pool = nn.MaxPool2d(2)
    d1 = pool(net.down[0](x))
    d2 = pool(net.down[1](d1))
    d3 = pool(net.down[2](d2))
    return net.up[2](up(net.up[1](d1 + up(net.up[0](up(d3) + d2)))) + x)


def test_unet_adds_its_skips() -> None:
    torch.manual_seed(0)
    net, x = PictureUnet().eval(), drawn(2, 1, 32, 48)
    with torch.no_grad():
        assert torch.allclose(net(x), unet_by_hand(net, x), atol=1e-6)


def test_unet_has_the_shapes_of_the_authors_code() -> None:
    net, shapes = PictureUnet().eval(), []
    for block in [*net.down, *net.up]:
        block.register_forward_hook(lambda block, args, out: shapes.append((*args[0].shape[1:], *out.shape[1:])))
    with torch.no_grad():
        assert net(drawn(1, 1, 128, 1024)).shape == (1, 1, 128, 1024)
    assert shapes == [
        (1, 128, 1024, 4, 128, 1024), (4, 64, 512, 8, 64, 512), (8, 32, 256, 8, 32, 256),
        (8, 32, 256, 4, 32, 256), (4, 64, 512, 1, 64, 512), (1, 128, 1024, 1, 128, 1024),
    ]  # fmt: skip


def test_unet_has_six_convolutions_without_bias_each_before_batch_norm_and_relu() -> None:
    net = PictureUnet()
    for block in [*net.down, *net.up]:
        convolution, norm, activation = block
        assert (type(norm), type(activation)) == (nn.BatchNorm2d, nn.ReLU)
        assert (convolution.bias, convolution.kernel_size, convolution.padding) == (None, (3, 3), (1, 1))
    assert count(net) == 1_285


def test_unet_gives_nothing_negative_and_takes_odd_sizes() -> None:
    out = PictureUnet()(drawn(3, 1, 65, 101))
    assert out.shape == (3, 1, 65, 101)
    assert (out >= 0).all()


def test_cnnrp_has_nothing_between_its_convolutions() -> None:
    net, a, b = PictureConvolutions(), drawn(2, 1, 9, 11), drawn(2, 1, 9, 11, seed=1)
    zero = torch.zeros_like(a)
    with torch.no_grad():  # an affine function
        assert torch.allclose(net(a + b) - net(zero), net(a) + net(b) - 2 * net(zero), atol=1e-5)
        assert net(a).shape == a.shape


def test_noise_adds_the_same_picture_to_each() -> None:
    net, x = PictureNoise(4, 6), drawn(3, 1, 4, 6)
    assert torch.equal(net(x), x)
    with torch.no_grad():
        net.noise += drawn(1, 1, 4, 6, seed=1)
        assert torch.equal(net(x) - x, (x + drawn(1, 1, 4, 6, seed=1)) - x)


def test_noise_before_training_is_as_nothing(tiny: Tiny) -> None:
    """NRP begins where AST-BS does: the same seed draws the same head."""
    context, (train_split, _, test) = tiny
    with seeded(3, CPU):
        noise = NoiseRp().module(context, train_split).eval()
    with seeded(3, CPU):
        plain = AstBs().module(context, train_split).eval()
    source = context.source
    with torch.no_grad():
        through = noise(source.tensor(np.asarray(source.entry(test).values)))
        beside = plain(source.tensor(np.asarray(source.pooled(test).values)))
    assert torch.allclose(through, beside, atol=1e-5)
    assert float(beside.std()) > 1e-2


@pytest.mark.parametrize("n_bands", [16, 17])
@pytest.mark.parametrize("n_frames", [40, 41])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_padding_shows_the_picture_resized_inside_a_frame(n_bands: int, n_frames: int, share: float) -> None:
    pad, x = PicturePadding(n_bands, n_frames, share), drawn(2, 1, n_bands, n_frames)
    rows, columns = (n_bands - pad.size[0]) // 2, (n_frames - pad.size[1]) // 2
    assert abs(2 * rows - n_bands * share) <= 2
    assert abs(2 * columns - n_frames * share) <= 2
    with torch.no_grad():
        pad.frame.fill_(7.0)
        out = pad(x)
    inside = (slice(None), slice(None), slice(rows, n_bands - rows), slice(columns, n_frames - columns))
    small = nn.functional.interpolate(x, pad.size, mode="bilinear", antialias=True)
    assert torch.allclose(out[inside], small, atol=1e-6)
    out[inside] = 7.0
    assert (out == 7.0).all()
    assert pad.frame.numel() == n_bands * n_frames - pad.size[0] * pad.size[1]


def test_padding_learns_every_value_of_its_frame() -> None:
    pad = PicturePadding(8, 12, 0.25)
    weight = drawn(1, 1, 8, 12)
    (pad(drawn(2, 1, 8, 12)) * weight).sum().backward()
    assert pad.frame.grad is not None
    assert torch.allclose(pad.frame.grad, 2 * weight[0, 0][pad.inside[0, 0] == 0])


def test_padding_of_a_constant_picture_keeps_its_level() -> None:
    with torch.no_grad():
        out = PicturePadding(16, 40, 0.25)(torch.full((1, 1, 16, 40), 3.0))
    assert torch.allclose(out[0, 0, 4:-4, 8:-8], torch.tensor(3.0))


@pytest.mark.parametrize("frame", [0.0, 1.0, -0.1, float("nan")])
def test_padding_refuses_a_frame_that_is_none(frame: float) -> None:
    with pytest.raises(BadInput, match="a share between 0 and 1"):
        PaddingRp(frame=frame)


@pytest.mark.parametrize("frame", [0.01, 0.9, 0.99])
def test_padding_leaves_something_of_the_picture_for_any_share(frame: float) -> None:
    pad = PicturePadding(64, 240, frame)
    assert min(pad.size) >= 1
    assert pad(torch.ones(1, 1, 64, 240)).sum() > 0


# SpecAugment


def masks(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Bands and frames that SpecAugment sets to zero, of many pictures of AST's size: (n, 128), (n, 1024)."""
    torch.manual_seed(0)
    out = SpecAugment().train()(torch.ones(n, 1, 128, 1024))[:, 0]
    zero = (out == 0).numpy()
    assert set(np.unique(out.numpy())) <= {0.0, 1.0}
    bands, frames = zero.all(axis=2), zero.all(axis=1)
    assert (zero == (bands[:, :, None] | frames[:, None, :])).all()  # nothing but whole bands and whole frames
    return bands, frames


def test_specaug_masks_at_most_24_bands_and_96_frames() -> None:
    bands, frames = masks()
    assert 16 < bands.sum(axis=1).max() <= 24
    assert 64 < frames.sum(axis=1).max() <= 96


def test_specaug_masks_are_one_stretch_each() -> None:
    for mask in masks(100):
        edges = np.abs(np.diff(mask.astype(int), axis=1, prepend=0, append=0)).sum(axis=1)
        assert set(edges) <= {0, 2}


def test_specaug_masks_differ_between_items() -> None:
    bands, frames = masks(50)
    assert len({row.tobytes() for row in bands}) > 25
    assert len({row.tobytes() for row in frames}) > 25


def test_specaug_does_nothing_outside_training() -> None:
    x = drawn(2, 1, 128, 1024)
    assert torch.equal(SpecAugment().eval()(x), x)


@each
def test_specaug_is_of_training_alone_in_every_method(method: Any, tiny: Tiny) -> None:
    context, (train_split, _, _) = tiny
    with seeded(0, CPU):
        module = method(specaug=True).module(context, train_split)
    pictures = context.source.tensor(np.asarray(context.source.entry(train_split).values)[:4])
    with torch.no_grad():
        module.eval()
        assert torch.equal(module(pictures), module(pictures))
        module.train()
        with seeded(0, CPU):
            first, second = module(pictures), module(pictures)
    assert not torch.allclose(first, second, atol=1e-4)


def test_specaug_changes_what_is_learnt_and_not_what_is_predicted_from(tiny: Tiny) -> None:
    context, (train_split, valid, test) = tiny
    plain, masked = (AstBs(epochs=3, specaug=on, lr=1e-2).fit(train_split, valid, context, seed=0) for on in (0, 1))
    assert not np.allclose(plain.state["1.weight"], masked.state["output.1.weight"], atol=1e-4)
    assert np.array_equal(masked.predict(test.blind()), masked.predict(test.blind()))


# Output mappings


def test_fc527_is_a_linear_layer_on_the_source_classes(tiny: Tiny) -> None:
    network, card = tiny[0].source.network, tiny[0].source.card
    torch.manual_seed(0)
    module, pooled = output("fc527", card, network, 3), drawn(5, card.n_features)
    linear = next(m for m in module.modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        assert torch.allclose(module(pooled), network.head(pooled) @ linear.weight.T + linear.bias, atol=1e-5)
    assert set(module.state_dict()) == {"1.weight", "1.bias"}  # the source's head stays out


def test_many_to_one_averages_the_source_probabilities(tiny: Tiny) -> None:
    network, card = tiny[0].source.network, tiny[0].source.card
    module, pooled = output("many-to-one", card, network, 3, 2), drawn(5, card.n_features)
    with torch.no_grad():
        expected = network.head(pooled)[:, :6].sigmoid().reshape(5, 3, 2).mean(dim=2)
        assert torch.allclose(module(pooled).sigmoid(), expected, atol=1e-6)
    assert isinstance(module[1], LabelMapping)  # type: ignore[index]
    assert count(module) == 0


def test_new_head_is_a_layer_norm_and_a_linear_layer() -> None:
    module = output("new-head", AST, None, 20)
    assert [type(part) for part in module.children()] == [nn.LayerNorm, nn.Linear]
    assert count(module) == 16_916


@pytest.mark.parametrize("mapping", ["fc527", "many-to-one"])
def test_mapping_of_a_source_without_classes_is_not_applicable(mapping: Any) -> None:
    card = replace(AST, offers=("frontend", "body", "pooled"), n_outputs=0)
    with pytest.raises(NotApplicable, match="no classes of its own to map"):
        output(mapping, card, None, 20)


def test_many_to_one_of_more_classes_than_the_source_has_is_not_applicable() -> None:
    assert outputs_per_class(AST, 20, None) == 5
    with pytest.raises(NotApplicable, match="has 36 classes, fewer than the 50 of the task"):
        output("many-to-one", SPEECHATT, None, 50)


@pytest.mark.parametrize("wanted", [0, -1])
def test_outputs_per_class_below_one_are_refused(wanted: int) -> None:
    with pytest.raises(BadInput, match="outputs_per_class"):
        outputs_per_class(AST, 20, wanted)


@pytest.mark.parametrize("method", [AstBs(mapping="many-to-one"), UnetRp(mapping="many-to-one", unet_trainable=False)])
def test_method_that_would_learn_nothing_says_so_in_one_line(method: Any, tiny: Tiny) -> None:
    context, (train_split, valid, _) = tiny
    with pytest.raises((NotApplicable, BadInput), match="nothing to learn"):
        method.fit(train_split, valid, context, seed=0)


# Sources without pictures


def test_specaug_on_features_is_not_applicable(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, id=np.array(["a", "b"]), x=np.zeros((2, 3), dtype=np.float32))
    context = Context(
        facts={}, cache=tmp_path, device=CPU, card=features_card(str(path)), load=lambda: FileFeatures(path, "x"),
    )  # fmt: skip
    clips = (Clip("a", None, "train", ("p",)), Clip("b", None, "train", ("q",)))
    task = Task("t", "1", "", "single-label", ("p", "q"), ("accuracy",), lambda root, fold: list(clips), "t", 2, 1.0)
    split = Split(task, clips)
    with pytest.raises(NotApplicable, match=r"specaug masks spectrograms, and features:f.npz has none"):
        AstBs(specaug=True).fit(split, split, context, seed=0)
    with pytest.raises(NotApplicable, match="no classes of its own"):
        AstBs(mapping="fc527").fit(split, split, context, seed=0)
    fitted = AstBs(epochs=1).fit(split, split, context, seed=0)
    assert (fitted.n_trainable, fitted.predict(split.blind()).shape) == (2 * 3 + 4 * 2, (2, 2))


@pytest.mark.parametrize("name", ["nrp", "cnnrp", "unet-rp", "padding-rp"])
def test_picture_reprogramming_of_features_is_recorded_as_skipped_or_refused(name: str, tmp_path: Path) -> None:
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True)
    split, *_ = checks.tiny_task(data)
    ids = [clip.id for clip in split.task.read_clips(None, 0)]
    np.savez(tmp_path / "f.npz", id=np.array(ids), x=np.zeros((len(ids), 4), dtype=np.float32))
    catalogue = Catalogue([Plugin("test", "0" * 64, {"tiny": split.task}, {}, {})])
    request = Request(
        "tiny", name, source=f"features:{tmp_path / 'f.npz'}", seeds=(0,), data=tmp_path / "data",
        runs=tmp_path / "runs", params={"epochs": 1},
    )  # fmt: skip
    with pytest.raises(NotApplicable, match=f"{name} cannot use features:f.npz: it needs frontend, body"):
        run(request, catalogue, Progress(quiet=True))


def test_picture_reprogramming_needs_what_a_speech_encoder_has_not() -> None:
    waveforms = replace(AST, name="hf:speech", offers=("body", "layers", "pooled"), n_outputs=0)
    assert all("frontend" in method.needs and "frontend" not in waveforms.offers for method in METHODS[1:])
    source = SimpleNamespace(
        card=waveforms,
        network=None,
        pooled=lambda split: Windows(np.zeros((1, 768)), np.zeros(1, dtype=np.int64), 1),
    )
    split = SimpleNamespace(classes=tuple("abc"))
    with pytest.raises(NotApplicable, match="specaug masks spectrograms, and hf:speech has none"):
        AstBs(specaug=True).module(SimpleNamespace(source=source), split)  # type: ignore[arg-type]
    assert count(AstBs().module(SimpleNamespace(source=source), split)) == 2 * 768 + 769 * 3  # type: ignore[arg-type]


def test_picture_reprogramming_of_pictures_in_colour_is_not_applicable() -> None:
    entry = Windows(np.zeros((1, 3, 20, 20)), np.zeros(1, dtype=np.int64), 1)
    context = SimpleNamespace(source=SimpleNamespace(card=AST, network=None, entry=lambda split: entry))
    with pytest.raises(NotApplicable, match="nrp changes spectrograms; the clips of this task are pictures in colour"):
        NoiseRp().module(context, SimpleNamespace(classes=("a", "b")))  # type: ignore[arg-type]
    with pytest.raises(NotApplicable, match="specaug masks spectrograms; the clips of this task are pictures"):
        AstBs(specaug=True).module(context, SimpleNamespace(classes=("a", "b")))  # type: ignore[arg-type]


# Training


@pytest.mark.slow
@each
def test_picture_reprogramming_learns_to_fit_its_training_clips(method: Any, tiny: Tiny) -> None:
    context, (train_split, valid, _) = tiny
    fitted = method(epochs=12, lr=3e-2, schedule="constant").fit(train_split, valid, context, seed=0)
    losses = [row["loss"] for row in fitted.history]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]


@each
def test_picture_reprogramming_learns_by_binary_cross_entropy_of_soft_targets(method: Any) -> None:
    logits, target = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[0.3, 0.9, 0.0]])
    batch = Batch((), target, torch.tensor([[True, True, False]]))
    p = logits.sigmoid()
    expected = -(target * p.log() + (1 - target) * (1 - p).log())[0, :2].mean()
    for kind in ("single-label", "multi-label"):
        assert torch.allclose(method().recipe(nn.Linear(1, 1), kind).loss(logits, batch), expected)


def test_unet_at_random_keeps_its_convolutions_while_its_statistics_move(tiny: Tiny) -> None:
    context, (train_split, valid, _) = tiny
    method = UnetRp(epochs=2, unet_trainable=False, lr=0.1)
    with seeded(5, CPU):
        fresh = method.module(context, train_split).state_dict()
    state = method.fit(train_split, valid, context, seed=5).state
    unet = [name for name in state if name.startswith("adapter")]
    moved = {name for name in unet if not np.array_equal(state[name], fresh[name].numpy())}
    assert moved == {name for name in unet if "running" in name or "num_batches" in name}
    assert moved
    assert not np.array_equal(state["output.1.weight"], fresh["output.1.weight"].numpy())


def test_unet_that_learns_moves_its_convolutions(tiny: Tiny) -> None:
    context, (train_split, valid, _) = tiny
    with seeded(5, CPU):
        fresh = UnetRp().module(context, train_split).state_dict()
    state = UnetRp(epochs=2, lr=0.1, select="last").fit(train_split, valid, context, seed=5).state
    assert all(not np.array_equal(state[name], fresh[name].numpy()) for name in state if name.endswith("0.weight"))


@pytest.mark.slow
@each
@pytest.mark.parametrize("options", [{}, {"specaug": True, "mapping": "fc527", "select": "last"}], ids=["new", "fc527"])
def test_restored_picture_reprogramming_equals_the_fitted(method: Any, options: dict[str, Any], tiny: Tiny) -> None:
    context, (train_split, valid, test) = tiny
    learner, predictions = method(epochs=1, lr=1e-2, **options), []
    for seed in (0, 1):
        fitted = learner.fit(train_split, valid, context, seed=seed)
        state = {name: np.asarray(value) for name, value in fitted.state.items()}
        predictions.append(learner.restore(state, test.blind(), context)(test.blind()))
        assert np.array_equal(predictions[-1], fitted.predict(test.blind()))
    assert not np.allclose(*predictions, atol=1e-4)


@each
def test_selection_is_that_of_the_option(method: Any) -> None:
    module = nn.Linear(1, 1)
    assert method().recipe(module, "multi-label").select == "score"
    assert method(select="last").recipe(module, "multi-label").select == "last"


# Schedules


def rates(phases: tuple[Phase, ...], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rate that the optimiser had in each epoch of a run of the real loop."""
    built: list[torch.optim.Optimizer] = []
    build = Phase.build

    def watched(phase: Phase, parameters: Any) -> Any:
        made = build(phase, parameters)
        built.append(made[0])
        return made

    monkeypatch.setattr(Phase, "build", watched)
    seen: list[float] = []

    def draw(generator: np.random.Generator) -> Any:
        seen.append(built[-1].param_groups[0]["lr"])
        yield Batch((torch.ones(2, 1),), torch.ones(2, 1), torch.ones(2, 1, dtype=torch.bool))

    context = SimpleNamespace(
        device=CPU, precision="float32", progress=Progress(quiet=True),
        autocast=lambda: torch.autocast("cpu", enabled=False),
    )  # fmt: skip
    train(nn.Linear(1, 1), Recipe(phases, 2, masked_bce), draw, lambda: (0.0, 0.0), context, seed=0)  # type: ignore[arg-type]
    return seen


def test_schedule_is_the_printed_one_epoch_by_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [5e-5] * 10 + [5e-5 / 2**k for k in range(1, 9) for _ in range(5)]
    seen = rates(NoiseRp().phases(), monkeypatch)
    assert len(seen) == 50
    assert seen == pytest.approx(expected, rel=1e-12)
    assert [f"{seen[epoch - 1]:.3g}" for epoch in (10, 11, 15, 16, 46, 50)] == [
        "5e-05", "2.5e-05", "2.5e-05", "1.25e-05", "1.95e-07", "1.95e-07"
    ]  # fmt: skip


def test_schedule_of_the_released_script(monkeypatch: pytest.MonkeyPatch) -> None:
    method = NoiseRp(schedule="authors-code", epochs=30)
    seen = rates(method.phases(), monkeypatch)
    assert seen == pytest.approx([1e-5] * 5 + [1e-5 * 0.85**k for k in range(1, 21)] + [1e-5 * 0.85**21] * 5)
    (phase,) = method.phases()
    assert (phase.optimizer, phase.betas, phase.weight_decay) == ("adam", (0.95, 0.999), 5e-7)


def test_schedule_that_is_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rates(CnnRp(schedule="constant", lr=3e-3, epochs=12).phases(), monkeypatch) == [3e-3] * 12


@each
def test_recipe_is_the_printed_one(method: Any) -> None:
    recipe = method().recipe(nn.Linear(1, 1), "multi-label")
    (phase,) = recipe.phases
    assert (phase.epochs, phase.lr, phase.optimizer, phase.weight_decay, recipe.batch_size, recipe.accumulate) == (
        50, 5e-5, "adam", 0.0, 8, 1
    )  # fmt: skip
