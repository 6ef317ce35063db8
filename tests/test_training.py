from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from mirbench.context import Context
from mirbench.methods.training import Batch, Phase, Recipe, masked_bce, seeded, train
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


def test_train_begins_a_phase_from_the_best_weights(tiny: Tiny) -> None:
    module, before, count = linear(), [], iter([0.9, 0.1, 0.0])

    def draw(generator: np.random.Generator) -> Iterator[Batch]:
        before.append(module.weight.detach().clone())
        yield from batches(generator)

    phases = (Phase(2, 0.1), Phase(1, 0.1, "sgd", from_best=True))
    train(module, Recipe(phases, 1, masked_bce), draw, lambda: (next(count), 1.0), tiny[0], seed=0)
    assert torch.equal(before[2], before[1])  # after the first epoch, which was best


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
