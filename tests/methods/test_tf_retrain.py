"""TensorFlow's retraining recipe: softmax regression, balanced batches, plain gradient descent, nothing selected."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.retrain import Retrain
from mirbench.methods.training import seeded
from mirbench.types import Clip, Split
from tests.toys import Splits, gaussian, hand_trained, recorded, splits_of, table_context

CPU = torch.device("cpu")
UNBALANCED = {"train": ["a"] * 97 + ["b"] * 12 + ["c"], "valid": ["a", "b", "c"], "test": ["a", "b", "c"]}


def few(n_classes: int) -> Splits:
    classes = [f"c{k}" for k in range(n_classes)]
    return splits_of({split: classes for split in ("train", "valid", "test")}, classes)


@pytest.mark.parametrize(
    ("n_classes", "count"),
    [(2, 4_098), (3, 6_147), (5, 10_245), (7, 14_343), (8, 16_392), (9, 18_441), (13, 26_637)],
)
def test_trainable_parameters_are_the_papers(n_classes: int, count: int, tmp_path: Path) -> None:
    splits = few(n_classes)
    fitted = Retrain(epochs=1).fit(*splits[:2], table_context(gaussian(splits, 2048, 0.1), tmp_path), seed=0)
    assert fitted.n_trainable == count == n_classes * 2049


def test_default_is_8000_steps_of_plain_gradient_descent_in_batches_of_100() -> None:
    (phase,) = Retrain().phases()
    optimizer, schedule = phase.build([nn.Parameter(torch.zeros(1))])
    (group,) = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.SGD)
    assert (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (0.01, 0.0, False, 0.0)
    assert phase.epochs * 100 == 8000
    assert Retrain().batch_size == 100
    optimizer.step()
    for _ in range(phase.epochs):
        schedule.step()
    assert group["lr"] == 0.01


def test_an_epoch_is_100_steps(tmp_path: Path) -> None:
    splits = splits_of(UNBALANCED, ("a", "b", "c"))
    noted, seen = recorded(Retrain(epochs=2, batch_size=5))
    noted.fit(*splits[:2], table_context(gaussian(splits, 4, 0.1), tmp_path), seed=0)
    assert [len(batch.x) for batch in seen] == [5] * 200


def drawn(splits: Splits, folder: Path, epochs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Which window, numbered through train, each item of each batch was; and its class. Clips have one to three."""
    rng = np.random.default_rng(0)
    count = iter(range(10_000))
    rows = {
        clip.id: np.array([[next(count), 1.0] for _ in range(1 + int(rng.integers(3)))])
        for split in splits
        for clip in split.clips
    }
    context = table_context(rows, folder)
    draw = Retrain().draw(context, splits[0], 0)
    assert draw is not None
    batches = [batch for _ in range(epochs) for batch in draw(np.random.default_rng(7))]
    assert len(batches) == 100 * epochs
    return (
        np.stack([batch.inputs[0][:, 0].numpy() for batch in batches]).astype(int),
        np.stack([batch.target.argmax(dim=1).numpy() for batch in batches]),
    )


def test_batches_hold_every_class_alike_however_many_clips_it_has(tmp_path: Path) -> None:
    _, classes = drawn(splits_of(UNBALANCED, ("a", "b", "c")), tmp_path)
    assert classes.shape == (100, 100)
    assert stats.chisquare(np.bincount(classes.ravel(), minlength=3)).pvalue > 0.01
    # drawn item by item: the counts of a batch vary as a binomial does, they are not made equal
    assert 0.5 < np.var((classes == 0).sum(axis=1)) / (100 * (1 / 3) * (2 / 3)) < 1.5


def test_windows_of_a_class_are_drawn_alike_with_replacement(tmp_path: Path) -> None:
    splits = splits_of(UNBALANCED, ("a", "b", "c"))
    windows, classes = drawn(splits, tmp_path)
    for k, n_clips in enumerate((97, 12, 1)):
        counts = Counter(windows[classes == k].tolist())
        assert n_clips <= len(counts) <= 3 * n_clips
        assert stats.chisquare(list(counts.values())).pvalue > 0.01 or len(counts) == 1
    assert max(Counter(windows[0][classes[0] == 2].tolist()).values()) > 1


def test_targets_are_of_the_windows_that_are_drawn(tmp_path: Path) -> None:
    splits = splits_of(UNBALANCED, ("a", "b", "c"))
    windows, classes = drawn(splits, tmp_path)
    of_window = dict(zip(windows.ravel().tolist(), classes.ravel().tolist(), strict=True))
    assert all(of_window[w] == k for w, k in zip(windows.ravel().tolist(), classes.ravel().tolist(), strict=True))
    assert sorted(of_window, key=lambda w: (of_window[w], w)) == sorted(of_window)  # clips stand class by class


def test_class_that_train_lacks_is_left_out(tmp_path: Path) -> None:
    splits = splits_of({**UNBALANCED, "train": ["a"] * 3 + ["c"]}, ("a", "b", "c"))
    _, classes = drawn(splits, tmp_path)
    assert set(classes.ravel().tolist()) == {0, 2}


def test_initial_weights_are_normal_cut_at_two_deviations(tmp_path: Path) -> None:
    splits = few(13)
    context = table_context(gaussian(splits, 2048, 0.1), tmp_path)
    with seeded(0, CPU):
        layer = Retrain().module(context, splits[0])
    assert isinstance(layer, nn.Linear)
    weights = layer.weight.detach().numpy().ravel()
    assert stats.kstest(weights, stats.truncnorm(-2, 2, scale=0.001).cdf).pvalue > 0.01
    assert np.abs(weights).max() <= 0.002
    assert not layer.bias.detach().numpy().any()


def test_training_is_that_of_a_plain_loop_and_the_last_step_is_kept(tmp_path: Path) -> None:
    splits = splits_of(UNBALANCED, ("a", "b", "c"))
    context = table_context(gaussian(splits, 4, 0.5), tmp_path)
    method, seen = recorded(Retrain(epochs=2, lr=0.1, batch_size=10))
    fitted = method.fit(*splits[:2], context, seed=5)
    with seeded(5, CPU):
        module = method.module(context, splits[0])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    expected = hand_trained(module, optimizer, [(batch.x, batch.target) for batch in seen])
    for name, value in expected.items():
        assert np.allclose(fitted.state[name], value.numpy(), atol=1e-6), name


def relabelled(split: Split) -> Split:
    """The same clips, each with the label of the next."""
    labels = [clip.labels for clip in split.clips]
    clips: list[Clip] = [
        replace(c, labels=other) for c, other in zip(split.clips, labels[1:] + labels[:1], strict=True)
    ]
    return Split(split.task, tuple(clips))


def test_nothing_is_selected_on_valid(tmp_path: Path) -> None:
    train, valid, _ = splits = splits_of(UNBALANCED, ("a", "b", "c"))
    context = table_context(gaussian(splits, 4, 0.1), tmp_path)
    states = [Retrain(epochs=3).fit(train, v, context, seed=0).state for v in (valid, relabelled(valid))]
    for name, value in states[0].items():
        assert np.array_equal(value, states[1][name])


@pytest.mark.slow
def test_it_learns_what_is_easy(tmp_path: Path) -> None:
    train, valid, test = splits = splits_of(UNBALANCED, ("a", "b", "c"))
    context = table_context(gaussian(splits, 4, 0.05), tmp_path)
    fitted = Retrain(epochs=10).fit(train, valid, context, seed=0)
    assert (fitted.predict(test.blind()).argmax(axis=1) == test.class_index()).all()


def test_multi_label_tasks_are_not_for_it(tmp_path: Path) -> None:
    splits = splits_of(UNBALANCED, ("a", "b", "c"), kind="multi-label")
    with pytest.raises(NotApplicable, match="toy is multi-label"):
        Retrain().fit(*splits[:2], table_context(gaussian(splits, 4, 0.1), tmp_path), seed=0)


def test_weight_decay_is_refused() -> None:
    with pytest.raises(BadInput, match="no weight decay"):
        Retrain(weight_decay=0.1)
