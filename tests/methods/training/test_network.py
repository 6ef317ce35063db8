"""What every method that trains a network has in common, and the printed counts of runs on a full-size AST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirbench import AnySplit, Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.features import audio
from mirbench.methods.reprogramming.picture_rp import AstBs, CnnRp, NoiseRp, UnetRp
from mirbench.methods.sources.cards import AST
from mirbench.methods.training import Inputs, cross_entropy, masked_bce
from mirbench.methods.training.network import NetworkMethod
from mirbench.methods.tuning.finetune import FineTune
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.trust import checks
from mirbench.trust.tiny_task import tiny_context
from mirbench.types import Split, excerpts

Tiny = tuple[Context, tuple[Split, Split, Split]]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Linear(NetworkMethod):
    """A linear layer behind a dropout and a scale from train; notes what it is asked for."""

    epochs: int = 2
    lr: float = 1e-2
    batch_size: int = 4
    calls: list[str] = field(default_factory=list, compare=False)

    name, needs = "linear", ("pooled",)

    def module(self, context: Context, split: AnySplit) -> nn.Module:
        self.calls.append("module")
        module = nn.Sequential(nn.Dropout(0.5), nn.Linear(96, len(split.classes)))
        module.register_buffer("scale", torch.ones(()))
        return module

    def prepare(self, module: nn.Module, context: Context, train: Split) -> None:
        self.calls.append("prepare")
        module.scale.fill_(float(len(train)))  # type: ignore[union-attr, operator]

    def inputs(self, context: Context, split: AnySplit) -> Inputs:
        self.calls.append(type(split).__name__)
        return Inputs.of(context.source.pooled(split))


def restored(method: Any, state: Mapping[str, Any], test: Split, context: Context) -> np.ndarray:
    held = {name: np.asarray(value) for name, value in state.items()}
    found: np.ndarray = method.restore(held, test.blind(), context)(test.blind())
    return found


def test_fit_makes_a_module_prepares_it_and_predicts_blind(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    method = Linear()
    fitted = method.fit(train, valid, context, seed=0)
    assert method.calls[:2] == ["module", "prepare"]
    assert set(method.calls[2:]) == {"Split"}
    fitted.predict(test.blind())
    assert method.calls[-1] == "BlindSplit"
    assert fitted.state["scale"] == len(train)
    assert fitted.n_trainable == 97 * 3
    assert fitted.n_total is None
    assert [set(row) for row in fitted.history] == [{"loss", "seconds", "valid_score", "valid_loss"}] * 2


def test_restoring_prepares_nothing(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    method = Linear()
    fitted = method.fit(train, valid, context, seed=0)
    method.calls.clear()
    assert np.array_equal(restored(method, fitted.state, test, context), fitted.predict(test.blind()))
    assert "prepare" not in method.calls


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_loss_is_that_of_the_kind_of_task(kind: str) -> None:
    assert Linear().recipe(nn.Linear(1, 1), kind).loss is {"single-label": cross_entropy}.get(kind, masked_bce)


def test_recipe_holds_the_hyperparameters() -> None:
    recipe = Linear(epochs=7, lr=0.3, weight_decay=0.2, batch_size=5, accumulate=3).recipe(nn.Linear(1, 1), "")
    (phase,) = recipe.phases
    assert (phase.epochs, phase.lr, phase.weight_decay, phase.optimizer) == (7, 0.3, 0.2, "adam")
    assert (recipe.batch_size, recipe.accumulate, recipe.select, recipe.patience) == (5, 3, "score", None)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"accumulate": 0}, {"lr": 0.0}, {"lr": -1.0}])
def test_hyperparameters_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(
        BadInput,
        match=r"linear: \w+=[-\d.]+: (1 or more|more than 0) is needed",
    ):
        Linear(**wrong)


def test_fit_takes_every_random_number_from_the_seed(tiny: Tiny) -> None:
    context, (train, valid, test) = tiny
    scores = []
    for seed, disturbance in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(disturbance)
        np.random.seed(disturbance)  # noqa: NPY002
        scores.append(Linear().fit(train, valid, context, seed=seed).predict(test.blind()))
    assert np.array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2], atol=1e-4)


def test_fit_leaves_the_global_generator_as_it_was(tiny: Tiny) -> None:
    context, (train, valid, _) = tiny
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    Linear().fit(train, valid, context, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ast-bs", "nrp", "mean-teacher", "finetune", "probe-mlp", "ids-nmr", "layer-mix"])
def test_fit_does_not_depend_on_whether_the_source_was_loaded_before(name: str, tiny: Tiny, tmp_path: Path) -> None:
    """Building a network draws its first weights, which may move no generator that the method draws from."""
    _, (train, valid, test) = tiny
    few = Split(train.task, train.clips[::2])
    method = Catalogue().method(name)(epochs=1)  # type: ignore[call-arg]
    scores = []
    for warm in (False, True):
        context = tiny_context(
            Catalogue().source("nano"), (train, valid, test), tmp_path / str(warm), Progress(quiet=True)
        )
        if warm:
            context.source.copy()
            context.source.pooled(train)
        scores.append(method.fit(few, valid, context, seed=0).predict(test.blind()))
    assert np.array_equal(*scores)


def test_module_with_nothing_to_learn_is_not_applicable(tiny: Tiny) -> None:
    class Frozen(Linear):
        def module(self, context: Context, split: AnySplit) -> nn.Module:
            return super().module(context, split).requires_grad_(False)

    context, (train, valid, _) = tiny
    with pytest.raises(NotApplicable, match="linear: with these settings there is nothing to learn"):
        Frozen().fit(train, valid, context, seed=0)


@pytest.mark.parametrize("name", ["ii-nmr", "id-nmr", "ids-nmr", "probe-mlp", "layer-mix", "picture-mlp", "tf-retrain"])
def test_restored_method_equals_the_fitted_for_each_seed(name: str, tiny: Tiny) -> None:
    context, splits = tiny
    train, valid, test = (Split(split.task, split.clips[::2]) for split in splits)
    method, scores = Catalogue().method(name)(epochs=2), []  # type: ignore[call-arg]
    for seed in (0, 1):
        fitted = method.fit(train, valid, context, seed=seed)
        scores.append(fitted.predict(test.blind()))
        assert np.array_equal(restored(method, fitted.state, test, context), scores[-1])
    assert not np.array_equal(*scores)


def test_accumulating_learns_what_whole_batches_learn(tiny: Tiny) -> None:
    """A method without batch norm and dropout: AST-BS, on a task of which each label of a clip counts."""
    context, (train, valid, test) = tiny
    scores = [
        AstBs(epochs=3, lr=1e-2, accumulate=parts).fit(train, valid, context, seed=0).predict(test.blind())
        for parts in (1, 3)
    ]
    assert np.allclose(*scores, atol=1e-5)


def test_search_selects_by_loss_where_the_method_does(tiny: Tiny) -> None:
    from mirbench.methods.mean_teacher import MeanTeacher

    context, (train, valid, _) = tiny
    fitted = MeanTeacher(epochs=3).fit(train, valid, context, seed=0)
    assert fitted.valid_score == -min(row["valid_loss"] for row in fitted.history)


# A full-size AST at random weights


def full_size_ast(tmp_path: Path, classes: int) -> tuple[Context, tuple[Split, Split, Split]]:
    """AST behind its own loader, and a task of so many classes, of one clip a split."""
    from dataclasses import replace

    from transformers import ASTConfig, ASTForAudioClassification

    from mirbench.methods.sources import ast

    torch.manual_seed(0)
    folder = tmp_path / "ast"
    ASTForAudioClassification(ASTConfig(num_labels=527)).save_pretrained(folder)
    whole = checks.tiny_task(tmp_path)
    task = replace(whole[0].task, classes=(*whole[0].classes, *(f"class {k}" for k in range(classes - 3))))
    train, valid, test = (Split(task, split.clips[:1]) for split in whole)
    facts = audio.survey(
        [e for s in (train, valid, test) for e in excerpts(s)], tmp_path / "memo", Progress(quiet=True)
    )
    context = Context(
        facts=facts, cache=tmp_path / "cache", device=CPU, card=AST, load=lambda: ast.build(folder),
        source_identity="random",
    )  # fmt: skip
    return context, (train, valid, test)


@pytest.mark.slow
def test_reprogramming_a_full_size_ast_trains_the_printed_parameters(tmp_path: Path) -> None:
    """What a run records, not only what a module holds."""
    context, (train, valid, test) = full_size_ast(tmp_path, 20)
    counts = {}
    for method in (AstBs, NoiseRp, CnnRp, UnetRp):
        fitted = method(epochs=1).fit(train, valid, context, seed=0)
        assert fitted.predict(test.blind()).shape == (len(test), 20)
        assert sum(value.size for name, value in fitted.state.items() if is_learnt(name)) == fitted.n_trainable
        counts[method.name] = fitted.n_trainable
    assert counts == {"ast-bs": 16_916, "nrp": 147_988, "cnnrp": 16_936, "unet-rp": 18_201}


def is_learnt(name: str) -> bool:
    return not name.endswith(("running_mean", "running_var", "num_batches_tracked"))


@pytest.mark.slow
def test_fine_tuning_a_full_size_ast_trains_the_printed_parameters_but_for_the_dead(tmp_path: Path) -> None:
    """AST-TL: two ImageNet heads and a noise, which the authors' object holds and nothing uses, are in the print."""
    context, (train, valid, test) = full_size_ast(tmp_path, 20)
    method = FineTune(epochs=1)
    fitted = method.fit(train, valid, context, seed=0)
    assert fitted.n_trainable is not None
    assert fitted.n_trainable + 1_538_000 + 131_072 == 87_873_252
    assert fitted.n_trainable == sum(value.size for value in fitted.state.values())
    assert fitted.n_total == fitted.n_trainable + 406_799  # AST's own head, which stays beside the new one
    assert np.allclose(restored(method, fitted.state, test, context), fitted.predict(test.blind()))
