from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.reprogramming.adapters import InputNoise, LabelMapping, PictureTransform, SkipTransform
from mirbench.methods.reprogramming.nmr import IdNmr, IdsNmr, IiNmr, skip_layer
from mirbench.methods.reprogramming.outputs import outputs_per_class
from mirbench.methods.sources.cards import AST, EFFICIENTAT_MN04, SPEECHATT
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def test_ii_nmr_on_ast_has_the_printed_parameters() -> None:
    assert count(InputNoise(round(AST.sample_rate * AST.seconds))) == 160_000


def test_id_nmr_on_ast_has_the_printed_parameters() -> None:
    assert count(PictureTransform(AST.n_bands, 135)) == 234_623


def test_id_nmr_with_136_channels_has_more_than_the_printed_parameters() -> None:
    assert count(PictureTransform(AST.n_bands, 136)) == 237_584


def test_ids_nmr_on_ast_has_the_printed_parameters() -> None:
    assert count(SkipTransform(768, 54, AST.n_features)) == 235_680


def test_ids_nmr_that_only_adds_has_fewer_than_the_printed_parameters() -> None:
    assert count(SkipTransform(768, 54, AST.n_features, injection="add")) == 193_440


def test_ids_nmr_with_136_channels_has_thrice_the_printed_parameters() -> None:
    assert count(SkipTransform(768, 136, AST.n_features)) == 691_600


def test_id_nmr_on_speechatt_with_136_channels_has_fewer_than_the_authors_code() -> None:
    assert count(PictureTransform(80, 136)) == 211_424


def test_speechatt_versions_have_the_parameters_of_the_authors_code() -> None:
    assert count(PictureTransform(80, 140)) == 222_680
    assert count(SkipTransform(128, 130, 256 // 2, stride=3)) == 236_856


def test_default_adapters_of_ast_are_the_printed_ones(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    context, (train, _, _) = tiny
    monkeypatch.setattr(IdsNmr, "_width", lambda self, context, train: 768)
    monkeypatch.setattr(IdNmr, "_n_bands", lambda self, context, train: AST.n_bands)
    counts = [count(method().adapter(AST, context, train)) for method in (IiNmr, IdNmr, IdsNmr)]
    assert counts == [160_000, 234_623, 235_680]


def test_skip_layer_of_ast_is_block_eight() -> None:
    assert skip_layer(AST) == 8


@pytest.mark.parametrize(("card", "n"), [(AST, 5), (EFFICIENTAT_MN04, 5), (SPEECHATT, 2)])
def test_outputs_per_class_are_those_of_the_paper(card, n: int) -> None:
    assert outputs_per_class(card, 10, None) == n


def test_outputs_per_class_refuses_more_than_the_source_has() -> None:
    with pytest.raises(NotApplicable, match="set outputs_per_class to 3 or less"):
        outputs_per_class(SPEECHATT, 10, 4)


def test_mean_prob_mapping_is_the_mean_of_sigmoids_of_each_group() -> None:
    logits = torch.randn(7, 23, generator=torch.Generator().manual_seed(0))
    mapped = LabelMapping(4, 5, "mean-prob", "sigmoid")(logits).sigmoid()
    expected = logits[:, :20].sigmoid().reshape(7, 4, 5).mean(dim=2)
    assert torch.allclose(mapped, expected, atol=1e-6)


def test_mean_prob_mapping_is_the_mean_of_softmax_over_all_outputs() -> None:
    logits = torch.randn(7, 23, generator=torch.Generator().manual_seed(0))
    mapped = LabelMapping(4, 5, "mean-prob", "softmax")(logits).sigmoid()
    expected = logits.softmax(dim=1)[:, :20].reshape(7, 4, 5).mean(dim=2)
    assert torch.allclose(mapped, expected, atol=1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_mean_prob_mapping_keeps_its_gradient_where_probabilities_vanish(activation: str) -> None:
    logits = torch.full((1, 6), -40.0)
    logits[0, 5] = 0.0
    logits.requires_grad_(True)
    mapped = LabelMapping(2, 2, "mean-prob", activation)(logits)
    torch.nn.functional.binary_cross_entropy_with_logits(mapped, torch.ones(1, 2)).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[0, :4].abs() > 1e-2).all()


def test_sum_logit_mapping_adds_the_logits_of_each_group() -> None:
    logits = torch.arange(12.0).reshape(1, 12)
    assert LabelMapping(2, 5, "sum-logit", "sigmoid")(logits).tolist() == [[10.0, 35.0]]


def test_skip_scales_and_shifts_the_embedding() -> None:
    skip = SkipTransform(6, 4, 3).eval()
    torch.nn.init.zeros_(skip.linear.weight)
    skip.linear.bias.data = torch.tensor([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    pooled = torch.tensor([[1.0, 2.0, 3.0]])
    assert skip(torch.randn(1, 9, 6), pooled).tolist() == [[3.0, 5.0, 7.0]]
    skip.one_plus = True
    assert skip(torch.randn(1, 9, 6), pooled).tolist() == [[4.0, 7.0, 10.0]]


def test_speechatt_skip_ends_at_four_frames() -> None:
    skip = SkipTransform(128, 130, 128, stride=3, one_plus=True)
    assert skip.convolutions(torch.randn(2, 128, 125)).shape == (2, 130, 4)


@pytest.mark.parametrize(
    "method", [pytest.param(IiNmr, marks=pytest.mark.slow), pytest.param(IdNmr, marks=pytest.mark.slow), IdsNmr]
)
def test_reprogramming_learns_to_fit_its_training_clips(method: type, tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    fitted = method(epochs=40, lr=1e-2).fit(train, valid, context, seed=0)
    losses = [row["loss"] for row in fitted.history]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("method", [IiNmr, IdNmr, IdsNmr])
def test_reprogramming_runs_with_the_authors_options(method: type, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirbench.methods.training.schedules._CROPS_AN_EPOCH", 8)
    context, (train, valid, test) = tiny
    options = {
        "epochs": 1, "mapping": "sum-logit", "source_head": "random-frozen", "items": "1000-crops",
        "schedule": "authors-code", "batch_size": 4,
    }  # fmt: skip
    fitted = method(**options).fit(train, valid, context, seed=0)
    assert fitted.predict(test.blind()).shape == (len(test), 3)


def test_authors_schedule_begins_from_the_best_at_each_of_its_three_changes() -> None:
    """solver.py: `opt_schedule` loads best_model.pth where it takes SGD, and where it sets another rate of it."""
    phases = IdsNmr(epochs=160, schedule="authors-code").phases()
    assert [(p.epochs, p.optimizer, p.lr, p.from_best, p.goes_on) for p in phases] == [
        (80, "adam", 1e-4, False, False), (50, "sgd", 1e-3, True, False),
        (20, "sgd", 5e-4, True, True), (10, "sgd", 1e-5, True, True),
    ]  # fmt: skip


def test_waveform_of_ii_nmr_is_never_loaded_from_the_best_as_in_the_authors_code() -> None:
    """solver.py: `load` leaves out what has "delta" in its name, the one parameter that is learnt."""
    phases = IiNmr(epochs=160, schedule="authors-code").phases()
    assert [replace(p, from_best=True) for p in phases[1:]] == list(
        IdsNmr(epochs=160, schedule="authors-code").phases()[1:]
    )
    assert not any(p.from_best for p in phases)


def test_authors_schedule_of_a_hundred_epochs_is_eighty_and_twenty() -> None:
    phases = IdsNmr(epochs=100, schedule="authors-code").phases()
    assert [p.epochs for p in phases] == [80, 20]


def test_random_frozen_head_differs_from_the_pretrained_one(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scores = [
        IdsNmr(epochs=1, source_head=head).fit(train, valid, context, seed=0).predict(test.blind())
        for head in ("pretrained", "random-frozen")
    ]
    assert not np.allclose(scores[0], scores[1], atol=1e-3)


def test_reprogramming_state_holds_the_adapter_and_not_the_source(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    fitted = IiNmr(epochs=1).fit(train, valid, context, seed=0)
    assert {name: value.shape for name, value in fitted.state.items()} == {"adapter.theta": (1, 80_000)}


def test_reprogramming_moves_nothing_of_the_source(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    before = {k: v.clone() for k, v in context.source.network.state_dict().items()}
    IdNmr(epochs=1, lr=0.1).fit(train, valid, context, seed=0)
    assert all(torch.equal(v, before[k]) for k, v in context.source.network.state_dict().items())


def test_ids_nmr_refuses_a_layer_that_is_not_there(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    with pytest.raises(NotApplicable, match="nano has layers 0 to 5"):
        IdsNmr(layer=6).fit(train, valid, context, seed=0)


def test_hyperparameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadInput, match=r"lr=0\.0: more than 0 is needed"):
        IdsNmr(lr=0.0)


def test_clip_scores_of_extreme_logits_keep_their_order(tiny: Tiny) -> None:
    """Sums of logits reach hundreds, where every sigmoid is 0 or 1 and the first class would win all ties."""
    from mirbench.methods.training import Inputs, clip_scores

    context, _ = tiny
    logits = np.array([[-400.0, -300.0, -350.0], [200.0, 300.0, 400.0]], dtype=np.float32)
    for independent in (False, True):
        scores = clip_scores(logits, Inputs((), np.array([0, 1]), 2), "single-label", context, independent=independent)
        assert scores.argmax(axis=1).tolist() == [1, 2]


def test_clip_scores_of_classes_taught_by_themselves_follow_the_mean_of_their_sigmoids(tiny: Tiny) -> None:
    """0.9 and 0.25 do not beat twice 0.6, though a softmax of each window says so."""
    from mirbench.methods.training import Inputs, clip_scores

    context, _ = tiny
    seen = Inputs((), np.array([0, 0, 1]), 2)
    probability = np.array([[0.9, 0.6, 0.01], [0.25, 0.6, 0.01], [0.2, 0.1, 0.1]])
    logits = np.log(probability / (1 - probability)).astype(np.float32)
    scores = clip_scores(logits, seen, "single-label", context, independent=True)
    mean = np.array([[0.575, 0.6, 0.01], [0.2, 0.1, 0.1]])
    odds = mean / (1 - mean)
    np.testing.assert_allclose(scores, odds / odds.sum(axis=1, keepdims=True), rtol=1e-6)
    alone = clip_scores(logits[2:], Inputs((), np.array([0]), 1), "single-label", context)
    np.testing.assert_allclose(scores[1:], alone, rtol=1e-6)  # one window alone is its softmax
    together = clip_scores(logits, seen, "single-label", context)
    assert (scores[0].argmax(), together[0].argmax()) == (1, 0)
    np.testing.assert_allclose(clip_scores(logits, seen, "multi-label", context), mean, rtol=1e-6)


def test_clip_scores_average_probabilities_or_logits_as_the_windowing_says(tiny: Tiny) -> None:
    from mirbench.methods.training import Inputs, clip_scores
    from mirbench.types import Windowing

    context, _ = tiny
    seen = Inputs((), np.array([0, 0]), 1)
    logits = np.log(np.array([[9.0, 1.0], [1.0, 4.0]], dtype=np.float32))
    assert clip_scores(logits, seen, "single-label", context)[0, 0] == pytest.approx((0.9 + 0.2) / 2)
    by_logit = dataclasses.replace(context.windowing, average="logit")
    assert isinstance(by_logit, Windowing)
    context.windowing = by_logit
    try:
        assert clip_scores(logits, seen, "single-label", context)[0, 0] == pytest.approx(3 / (3 + 2))
        assert math.isclose(clip_scores(logits, seen, "multi-label", context)[0, 0], 0.75, rel_tol=1e-6)
    finally:
        context.windowing = Windowing()


@pytest.mark.slow
def test_nmr_with_a_full_size_ast_trains_the_printed_parameters(tmp_path: Path) -> None:
    """AST at random weights, one epoch: what a run records, not only what an adapter holds."""
    from transformers import ASTConfig, ASTForAudioClassification

    from mirbench.methods.sources import ast
    from mirbench.progress import Progress
    from mirbench.trust import checks

    torch.manual_seed(0)
    folder = tmp_path / "ast"
    ASTForAudioClassification(ASTConfig(num_labels=527)).save_pretrained(folder)
    train, valid, test = checks.tiny_task(tmp_path)
    few = tuple(Split(train.task, split.clips[:1]) for split in (train, valid, test))
    from mirbench.features import audio
    from mirbench.types import excerpts

    facts = audio.survey([e for s in few for e in excerpts(s)], tmp_path / "memo", Progress(quiet=True))
    context = Context(
        facts=facts, cache=tmp_path / "cache", device=torch.device("cpu"), card=AST,
        load=lambda: ast.build(folder), source_identity="random",
    )  # fmt: skip
    counts = {}
    for method in (IiNmr, IdNmr, IdsNmr):
        fitted = method(epochs=1).fit(few[0], few[1], context, seed=0)
        assert fitted.predict(few[2].blind()).shape == (len(few[2]), 3)
        counts[method.name] = fitted.n_trainable
    assert counts == {"ii-nmr": 160_000, "id-nmr": 234_623, "ids-nmr": 235_680}
