from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.methods.training import (
    Batch,
    Inputs,
    Phase,
    Recipe,
    cross_entropy,
    fit_module,
    in_batches,
    masked_bce,
    moving_state,
    seeded,
    train,
)  # fmt: skip
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]
CPU = torch.device("cpu")


def batches(generator: np.random.Generator) -> Iterator[Batch]:
    x = torch.from_numpy(generator.normal(size=(16, 2)).astype(np.float32))
    yield Batch((x,), (x[:, :1] > 0).float(), torch.ones(16, 1, dtype=torch.bool))


def linear(seed: int = 0) -> torch.nn.Module:
    with seeded(seed, CPU):
        return torch.nn.Linear(2, 1)


def test_seeded_leaves_the_global_generator_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(0, CPU):
        torch.rand(7)
    assert torch.equal(torch.rand(3), expected)


def test_train_keeps_the_epoch_that_was_best_on_valid(tiny: Tiny) -> None:
    module, seen = linear(), []
    scores = iter([0.2, 0.9, 0.5])

    def score() -> tuple[float, float]:
        seen.append(module.weight.detach().clone())
        return next(scores), 1.0

    train(module, Recipe((Phase(3, 0.1),), 1, masked_bce), batches, score, tiny[0], seed=0)
    assert torch.equal(module.weight, seen[1])


def test_train_prefers_the_lower_loss_among_equal_scores(tiny: Tiny) -> None:
    module, seen = linear(), []
    losses = iter([3.0, 1.0, 2.0])

    def score() -> tuple[float, float]:
        seen.append(module.weight.detach().clone())
        return 0.5, next(losses)

    train(module, Recipe((Phase(3, 0.1),), 1, masked_bce), batches, score, tiny[0], seed=0)
    assert torch.equal(module.weight, seen[1])


def test_train_is_the_same_for_the_same_seed(tiny: Tiny) -> None:
    weights = []
    for seed in (1, 1, 2):
        module = linear()
        recipe = Recipe((Phase(2, 0.1),), 1, masked_bce)
        train(module, recipe, batches, lambda: (0.0, -float(len(weights))), tiny[0], seed=seed)
        weights.append(module.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(("low", "n_epochs_cut"), [(-9.0, 0), (9.0, 2)])
def test_train_says_which_values_learnt_nothing_behind_a_source_that_cuts_off_what_comes(
    low: float, n_epochs_cut: int, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(tiny[0].progress, "say", said.append)

    class Cut(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.adapter, self.head = linear(), torch.nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.head(self.adapter(x).clamp(min=low))
            return out

    history = train(Cut(), Recipe((Phase(2, 0.1),), 1, masked_bce), batches, lambda: (0.0, 1.0), tiny[0], seed=0)
    assert [row.get("without_gradient") for row in history] == [3.0] * n_epochs_cut + [None] * (2 - n_epochs_cut)
    assert [line.partition(": what")[0] for line in said] == [
        "training: 3 of 5 trained values had no gradient in any epoch"
    ] * bool(n_epochs_cut)


def test_train_begins_a_phase_from_the_best_weights(tiny: Tiny) -> None:
    module, before, count = linear(), [], iter([0.9, 0.1, 0.0])

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        before.append(module.weight.detach().clone())
        yield from batches(generator)

    phases = (Phase(2, 0.1), Phase(1, 0.1, "sgd", from_best=True))
    train(module, Recipe(phases, 1, masked_bce), draw, lambda: (next(count), 1.0), tiny[0], seed=0)
    assert torch.equal(before[2], before[1])  # after the first epoch, which was best


@pytest.mark.parametrize("goes_on", [False, True])
def test_momentum_goes_on_through_a_change_of_rate_where_a_phase_says_so(goes_on: bool, tiny: Tiny) -> None:
    module, own = linear(), linear()
    own.load_state_dict(module.state_dict())
    phases = (Phase(2, 0.1, "sgd"), Phase(2, 0.01, "sgd", goes_on=goes_on))
    scores = iter([0.0, 0.1, 0.2, 0.3])
    train(module, Recipe(phases, 1, masked_bce), batches, lambda: (next(scores), 0.0), tiny[0], seed=0)
    optimizer = torch.optim.SGD(own.parameters(), 0.1, momentum=0.9, nesterov=True)
    generator = np.random.default_rng(0)
    for epoch in range(4):
        if epoch == 2 and not goes_on:
            optimizer = torch.optim.SGD(own.parameters(), 0.01, momentum=0.9, nesterov=True)
        optimizer.param_groups[0]["lr"] = 0.1 if epoch < 2 else 0.01
        for batch in batches(generator):
            optimizer.zero_grad()
            masked_bce(own(*batch.inputs), batch).backward()
            optimizer.step()
    torch.testing.assert_close(module.weight, own.weight)


def test_train_refuses_a_loss_that_is_not_finite(tiny: Tiny) -> None:
    recipe = Recipe((Phase(1, 1.0),), 1, lambda out, _: out.sum() * float("nan"))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train(linear(), recipe, batches, lambda: (0.0, 0.0), tiny[0], seed=0)


def test_masked_bce_ignores_what_nobody_judged() -> None:
    logits = torch.tensor([[0.0, 50.0]])
    batch = Batch((), torch.tensor([[1.0, 0.0]]), torch.tensor([[True, False]]))
    assert float(masked_bce(logits, batch)) == pytest.approx(np.log(2))


def test_pieces_average_logits_before_the_loss(tiny: Tiny) -> None:
    seen = []

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        yield Batch((torch.ones(6, 2),), torch.ones(3, 1), torch.ones(3, 1), pieces=2)

    def loss(outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        seen.append(outputs.shape)
        return outputs.sum()

    train(linear(), Recipe((Phase(1, 0.1),), 1, loss), draw, lambda: (0.0, 0.0), tiny[0], seed=0)
    assert seen == [(3, 1)]


def test_train_chooses_by_loss_where_the_score_is_undefined(tiny: Tiny) -> None:
    module, seen = linear(), []
    losses = iter([3.0, 1.0, 2.0])

    def score() -> tuple[float, float]:
        seen.append(module.weight.detach().clone())
        return float("nan"), next(losses)

    train(module, Recipe((Phase(3, 0.1),), 1, masked_bce), batches, score, tiny[0], seed=0)
    assert torch.equal(module.weight, seen[1])


# Phases


def watched(monkeypatch: pytest.MonkeyPatch) -> list[torch.optim.Optimizer]:
    """The optimisers that phases build from here on."""
    built: list[torch.optim.Optimizer] = []
    build = Phase.build

    def note(phase: Phase, parameters: Any) -> Any:
        made = build(phase, parameters)
        built.append(made[0])
        return made

    monkeypatch.setattr(Phase, "build", note)
    return built


def test_milestones_are_epochs_of_their_phase_after_which_the_rate_falls(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, seen = watched(monkeypatch), []

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        seen.append(built[-1].param_groups[0]["lr"])
        yield from batches(generator)

    phases = (Phase(3, 0.1, milestones=(1,), gamma=0.5), Phase(4, 0.2, "sgd", milestones=(2, 3), gamma=0.1))
    train(linear(), Recipe(phases, 1, masked_bce), draw, lambda: (0.0, 0.0), tiny[0], seed=0)
    assert seen == pytest.approx([0.1, 0.05, 0.05, 0.2, 0.2, 0.02, 0.002])


@pytest.mark.parametrize(
    ("phase", "reference"),
    [
        (Phase(1, 0.1), lambda p: torch.optim.Adam(p, 0.1)),
        (Phase(1, 0.1, weight_decay=0.5), lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.5)),
        (Phase(1, 0.1, betas=(0.5, 0.6)), lambda p: torch.optim.Adam(p, 0.1, betas=(0.5, 0.6))),
        (Phase(1, 0.1, "adamw", weight_decay=0.5), lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.5)),
        (Phase(1, 0.1, "adamw", betas=(0.5, 0.6)), lambda p: torch.optim.AdamW(p, 0.1, (0.5, 0.6), weight_decay=0.0)),
        (Phase(1, 0.1, "sgd"), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True)),
        (Phase(1, 0.1, "sgd", 0.5, 0.0), lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.5)),
    ],
    ids=["adam", "adam decay", "adam betas", "adamw", "adamw betas", "nesterov", "plain"],
)
def test_phase_steps_as_torch_does(phase: Phase, reference: Any) -> None:
    results = []
    for build in (lambda p: phase.build(p)[0], reference):
        module = linear()
        optimizer = build(list(module.parameters()))
        for step in range(3):
            optimizer.zero_grad()
            module(torch.full((1, 2), float(step + 1))).sum().backward()
            optimizer.step()
        results.append(module.weight.detach().clone())
    assert torch.allclose(*results, atol=1e-7)


# Selection


@pytest.mark.parametrize(
    ("select", "scores", "losses", "kept"),
    [
        ("score", [0.2, 0.9, 0.9, 0.5], [1.0, 2.0, 2.0, 0.1], 1),
        ("loss", [0.9, 0.1, 0.5, 0.5], [3.0, 1.0, 0.5, 0.5], 2),
        ("last", [0.9, 0.1, 0.5, 0.2], [0.1, 1.0, 0.5, 9.0], 3),
        ("last", [float("nan")] * 4, [1.0] * 4, 3),
    ],
)
def test_selection_keeps_the_epoch_that_it_names(
    select: Any, scores: list[float], losses: list[float], kept: int, tiny: Tiny
) -> None:
    module, seen, rows = linear(), [], iter(zip(scores, losses, strict=True))

    def score() -> tuple[float, float]:
        seen.append(module.weight.detach().clone())
        return next(rows)

    recipe = Recipe((Phase(4, 0.1),), 1, masked_bce, select=select)
    history = train(module, recipe, batches, score, tiny[0], seed=0)
    assert torch.equal(module.weight, seen[kept])
    assert not any(torch.equal(module.weight, seen[k]) for k in range(4) if k != kept)
    assert [row["valid_loss"] for row in history] == losses


def small_fit(tiny: Tiny, **changes: Any) -> tuple[torch.nn.Module, Any]:
    """A linear layer on noise that tells something of the class, and what was learnt."""
    context, (train_split, valid, _) = tiny
    generator = np.random.default_rng(0)

    def inputs(split: Any) -> Inputs:
        x = np.eye(3)[[tuple(train_split.classes).index(c.labels[0]) for c in split.clips]]
        return Inputs(((x + generator.normal(size=x.shape)).astype(np.float32),), np.arange(len(split)), len(split))

    with seeded(0, CPU):
        module = torch.nn.Linear(3, 3)
    recipe = replace(Recipe((Phase(8, 0.5),), 4, cross_entropy), **changes)
    return module, fit_module(module, inputs, train_split, valid, context, recipe, seed=0)


def test_search_is_told_the_loss_where_that_selects(tiny: Tiny) -> None:
    learnt = small_fit(tiny, select="loss")[1]
    assert learnt.valid_score == -min(row["valid_loss"] for row in learnt.history)
    assert small_fit(tiny, select="score")[1].valid_score is None
    assert small_fit(tiny, select="last")[1].valid_score is None


def test_patience_ends_training_that_many_epochs_after_the_best(tiny: Tiny) -> None:
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
    recipe = Recipe((Phase(6, 0.1),), 1, masked_bce, patience=3)
    history = train(linear(), recipe, batches, lambda: (next(scores), 1.0), tiny[0], seed=0)
    assert [row["valid_score"] for row in history] == [0.1, 0.5, 0.4, 0.3, 0.2]


def test_patience_ends_all_phases(tiny: Tiny) -> None:
    recipe = Recipe((Phase(4, 0.1), Phase(4, 0.1, "sgd")), 1, masked_bce, patience=2)
    assert len(train(linear(), recipe, batches, lambda: (0.0, 1.0), tiny[0], seed=0)) == 3


def test_half_precision_on_a_cpu_scales_its_loss(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of 1e-8 are 0 in half precision, and are not where the loss is scaled first."""
    monkeypatch.setattr(tiny[0], "precision", "float16")
    module = linear()
    before = module.weight.detach().clone()

    def tiny_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        return 1e-8 * masked_bce(logits, batch)

    train(module, Recipe((Phase(1, 0.1),), 1, tiny_loss), batches, lambda: (0.0, 1.0), tiny[0], seed=0)
    assert not torch.equal(module.weight, before)


# Steps and parts of batches


def test_after_step_is_called_after_each_step_of_the_optimiser(tiny: Tiny) -> None:
    module, seen = linear(), []

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        for _ in range(3):
            yield from batches(generator)

    recipe = Recipe(
        (Phase(2, 0.1), Phase(1, 0.1, "sgd")), 1, masked_bce, accumulate=4,
        after_step=lambda: seen.append(module.weight.detach().clone()),
    )  # fmt: skip
    train(module, recipe, draw, lambda: (0.0, 0.0), tiny[0], seed=0)
    assert len(seen) == 3 * 3  # a step a batch, whatever its parts
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(seen))


def learnt_in_parts(batch: Batch, loss: Any, accumulate: int, tiny: Tiny) -> tuple[torch.Tensor, float]:
    """Gradient of a small network's first layer after one batch in parts, and the loss that was told."""
    with seeded(0, CPU):
        module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    gradients: list[torch.Tensor] = []

    def note() -> None:
        assert module[0].weight.grad is not None
        gradients.append(module[0].weight.grad.clone())

    recipe = Recipe((Phase(1, 0.1),), 1, loss, accumulate=accumulate, after_step=note)
    history = train(module, recipe, lambda generator: [batch], lambda: (0.0, 0.0), tiny[0], seed=0)
    return gradients[0], history[0]["loss"]


def some_batch(n: int, pieces: int = 1) -> Batch:
    """Soft targets; of the first half of the items all labels are known, of the second few."""
    generator = torch.Generator().manual_seed(1)
    known = torch.rand(n, 3, generator=generator) < 0.2
    known[: n // 2] = True
    x = torch.randn(n * pieces, 4, generator=generator)
    return Batch((x,), torch.rand(n, 3, generator=generator), known, pieces)


@pytest.mark.parametrize("accumulate", [2, 3, 7, 20])
@pytest.mark.parametrize("pieces", [1, 2])
def test_accumulating_gives_the_gradient_of_the_whole_batch(accumulate: int, pieces: int, tiny: Tiny) -> None:
    batch = some_batch(7, pieces)
    assert batch.known.sum(dim=1).unique().numel() > 1
    whole, loss = learnt_in_parts(batch, masked_bce, 1, tiny)
    parts, told = learnt_in_parts(batch, masked_bce, accumulate, tiny)
    assert torch.allclose(whole, parts, atol=1e-7)
    assert told == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize("accumulate", [2, 3, 7])
def test_accumulating_gives_the_gradient_of_cross_entropy(accumulate: int, tiny: Tiny) -> None:
    batch = some_batch(7)
    batch = Batch(batch.inputs, torch.eye(3)[[0, 1, 2, 0, 1, 2, 0]], torch.ones(7, 3, dtype=torch.bool))
    whole, loss = learnt_in_parts(batch, cross_entropy, 1, tiny)
    parts, told = learnt_in_parts(batch, cross_entropy, accumulate, tiny)
    assert torch.allclose(whole, parts, atol=1e-7)
    assert told == pytest.approx(loss, abs=1e-6)


def test_accumulating_a_batch_of_which_nothing_is_known_moves_nothing(tiny: Tiny) -> None:
    batch = replace(some_batch(4), known=torch.zeros(4, 3, dtype=torch.bool))
    gradient, loss = learnt_in_parts(batch, masked_bce, 2, tiny)
    assert (gradient.abs().max().item(), loss) == (0.0, 0.0)


def test_parts_of_a_batch_are_all_of_it_in_order() -> None:
    batch = some_batch(7, pieces=2)
    parts = list(batch.parts(3))
    assert torch.equal(torch.cat([part.inputs[0] for part, _ in parts]), batch.inputs[0])
    assert torch.equal(torch.cat([part.target for part, _ in parts]), batch.target)
    assert sum(share for _, share in parts) == pytest.approx(1.0)
    assert {part.pieces for part, _ in parts} == {2}


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(8, 4, [4, 4]), (9, 4, [4, 5]), (10, 4, [4, 4, 2]), (3, 8, [3]), (1, 8, [1]), (3, 1, [1, 1, 1]), (5, 4, [5])],
)
def test_every_item_is_in_a_batch_and_none_is_alone_but_by_request(n: int, batch_size: int, sizes: list[int]) -> None:
    order = np.random.default_rng(0).permutation(n)
    found = in_batches(order, batch_size)
    assert [len(rows) for rows in found] == sizes
    assert np.array_equal(np.concatenate(found), order)


def test_every_window_is_drawn_once_an_epoch_in_an_order_of_its_own(tiny: Tiny) -> None:
    context, (train_split, valid, _) = tiny
    seen: list[list[float]] = []

    def inputs(split: Split) -> Inputs:
        values = np.arange(len(split), dtype=np.float32)[:, None]
        return Inputs((values,), np.arange(len(split)), len(split))

    class Watched(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(x[:, 0].tolist())
            return super().forward(x)

    recipe = Recipe((Phase(2, 0.1),), 5, cross_entropy)
    fit_module(Watched(1, 3), inputs, train_split, valid, context, recipe, seed=0)  # type: ignore[arg-type]
    assert [len(rows) for rows in seen] == [5, 5, 2] * 2
    epochs = [[x for rows in part for x in rows] for part in (seen[:3], seen[3:])]
    assert [sorted(epoch) for epoch in epochs] == [list(range(12))] * 2
    assert epochs[0] != epochs[1]


# State


def test_moving_state_is_what_is_trained_and_buffers() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2).requires_grad_(False), torch.nn.BatchNorm1d(2))
    assert set(moving_state(module)) == {f"1.{name}" for name in module[1].state_dict()}


def test_moving_state_is_a_copy() -> None:
    module = linear()
    state = moving_state(module)
    with torch.no_grad():
        module.weight += 1.0
    assert torch.equal(state["weight"] + 1.0, module.weight)


def test_moving_state_takes_what_follows_without_being_trained() -> None:
    class Pair(torch.nn.Module):
        follows = ("mean.",)

        def __init__(self) -> None:
            super().__init__()
            self.first, self.mean = linear(), linear().requires_grad_(False)
            self.meanwhile = linear().requires_grad_(False)

    assert set(moving_state(Pair())) == {"first.weight", "first.bias", "mean.weight", "mean.bias"}


# Losses


def test_masked_bce_of_soft_targets_is_the_mean_over_all_known_entries() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(6, 4, generator=generator), torch.rand(6, 4, generator=generator)
    known = torch.rand(6, 4, generator=generator) < 0.5
    p = logits.double().sigmoid()
    every = -(target * p.log() + (1 - target) * (1 - p).log())
    assert float(masked_bce(logits, Batch((), target, known))) == pytest.approx(float(every[known].mean()), abs=1e-6)


def test_masked_bce_sends_no_gradient_through_what_nobody_judged() -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    known = torch.eye(3, 4).bool()
    masked_bce(logits, Batch((), torch.rand(3, 4), known)).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad != 0, known)


def test_masked_bce_is_least_at_the_soft_target() -> None:
    target = torch.tensor([[0.17105, 0.9]])
    logits = target.logit().requires_grad_(True)
    masked_bce(logits, Batch((), target, torch.ones(1, 2, dtype=torch.bool))).backward()
    assert logits.grad is not None
    assert torch.allclose(logits.grad, torch.zeros(1, 2), atol=1e-7)
