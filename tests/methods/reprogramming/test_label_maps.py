"""Which outputs stand for which class: counts and matrices made by hand, and methods that learn with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.reprogramming.adapters import LabelMapping
from mirbench.methods.reprogramming.label_maps import (
    WeightedMapping,
    answers,
    bayes,
    by_frequency,
    by_name,
    likeliest,
)
from mirbench.methods.reprogramming.nmr import IdNmr, IdsNmr
from mirbench.methods.reprogramming.picture_rp import AstBs, CnnRp
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]
ONE, OTHER = [1.0, 0.0], [0.0, 1.0]


def test_answers_count_the_largest_output_of_each_window_for_its_classes() -> None:
    scores = np.array([[9.0, 1.0, 0.0], [5.0, 4.0, 0.0], [0.0, 0.0, 2.0], [0.0, 3.0, 1.0]])
    values = np.array([ONE, OTHER, OTHER, [1.0, 1.0]])
    assert answers(scores, values).tolist() == [[1, 1], [1, 1], [0, 1]]


def test_frequency_takes_the_largest_count_first_and_no_output_twice() -> None:
    counts = np.array([[5.0, 6.0], [4.0, 1.0], [0.0, 3.0]])
    # output 0 goes to class 1, which has 6 of it, though it is class 0's most frequent, too
    assert by_frequency(counts, 1).tolist() == [[0, 1], [1, 0], [0, 0]]


def test_frequency_of_several_outputs_a_class_fills_both() -> None:
    counts = np.array([[9.0, 0.0], [8.0, 7.0], [6.0, 5.0], [1.0, 0.0]])
    # 9 and 8 fill class 0; class 1 has 5, and the first of what is left
    assert by_frequency(counts, 2).tolist() == [[0.5, 0], [0.5, 0], [0, 0.5], [0, 0.5]]


def test_lift_decides_between_equal_counts_alone() -> None:
    counts = np.array([[2.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    lift = np.array([[-1.0, 1.0], [0.0, -0.2], [0.0, 0.3]])
    assert by_frequency(counts, 1, lift).tolist() == [[1, 0], [0, 0], [0, 1]]


def test_bayes_is_the_smoothed_share_of_a_class_brought_to_one() -> None:
    counts = np.array([[3.0, 1.0], [0.0, 2.0]])
    # p(class | answer) = count / (row + 1): [3/5, 1/5], [0, 2/3]; columns to one: [1, 0], [3/13, 10/13]
    assert bayes(counts, smoothing=1.0) == pytest.approx(np.array([[1.0, 3 / 13], [0.0, 10 / 13]]))


def test_class_that_was_never_heard_has_the_mean_of_all_outputs() -> None:
    assert bayes(np.array([[3.0, 0.0], [1.0, 0.0]]))[:, 1].tolist() == [0.5, 0.5]


def test_likeliest_sums_the_probabilities_of_the_first_few() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
    assert likeliest(probabilities, np.array([ONE, ONE]), 2)[:, 0] == pytest.approx([0.5, 0.9, 0.3])


def test_names_choose_the_outputs_that_zero_shot_would() -> None:
    weights, silent = by_name(["rock", "polka", "choir"], ["Speech", "Choral", "Rock music", "Choir"])
    assert silent == ["polka"]
    assert weights.tolist() == [[0, 1, 0], [0, 0, 0.5], [1, 0, 0], [0, 0, 0.5]]
    with pytest.raises(NotApplicable, match="no output is left for waltz"):
        by_name(["rock", "polka", "waltz"], ["Speech", "Rock music"])


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_weights_of_contiguous_groups_give_the_contiguous_mapping(activation: str) -> None:
    mapping = WeightedMapping(7, 3, "mean-prob", activation)
    weights = torch.zeros(7, 3)
    for k in range(3):
        weights[2 * k : 2 * k + 2, k] = 0.5
    mapping.weights.copy_(weights)
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    contiguous = LabelMapping(3, 2, "mean-prob", activation)(logits)
    assert torch.allclose(mapping(logits), contiguous, atol=1e-5)
    mapping(logits).sum().backward()
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())


def test_weighted_logits_are_those_of_the_bayesian_papers_code() -> None:
    mapping = WeightedMapping(3, 2, "logits", "softmax")
    mapping.weights.copy_(torch.tensor([[1.0, 0.2], [0.0, 0.3], [0.0, 0.5]]))
    assert torch.allclose(mapping(torch.tensor([[2.0, -1.0, 4.0]])), torch.tensor([[2.0, 0.4 - 0.3 + 2.0]]))


def few(tiny: Tiny) -> Tiny:
    context, splits = tiny
    made: Any = tuple(Split(split.task, split.clips[:: len(split) // 3]) for split in splits)
    return context, made


def learnt(method: Any, tiny: Tiny) -> Any:
    context, (train, valid, _) = few(tiny)
    return method.fit(train, valid, context, seed=0)


def by_hand(tiny: Tiny, per_class: int) -> np.ndarray[Any, Any]:
    """FLM of nano's answers to train, counted in loops; ties by how much likelier an output is on the class."""
    context, (train, _, _) = few(tiny)
    rows = context.source.logits(train)
    logits = np.asarray(rows.values, np.float64)
    right = [int(np.argmax(train.targets().value[clip])) for clip in rows.clip_index]
    likely = 1 / (1 + np.exp(-logits))
    table = {
        (output, k): (
            sum(int(np.argmax(row)) == output for row, of in zip(logits, right, strict=True) if of == k),
            np.mean([row[output] for row, of in zip(likely, right, strict=True) if of == k]) - likely[:, output].mean(),
        )
        for output in range(logits.shape[1])
        for k in range(3)
    }
    found = np.zeros((logits.shape[1], 3))
    while found.astype(bool).sum() < 3 * per_class:
        output, k = max(table, key=lambda pair: table[pair])
        found[output, k] = 1 / per_class
        full = (found[:, k] > 0).sum() == per_class
        table = {p: v for p, v in table.items() if p[0] != output and not (full and p[1] == k)}
    return found


@pytest.mark.parametrize("kind", [IdsNmr, CnnRp])
def test_flm_of_a_method_is_counted_on_the_source_as_it_is(kind: type[Any], tiny: Tiny) -> None:
    extra = {"channels": 4} if kind is IdsNmr else {}
    state = learnt(kind(epochs=1, mapping="flm", outputs_per_class=2, **extra), tiny).state
    np.testing.assert_allclose(state["output.1.weights"], by_hand(tiny, 2), atol=1e-6)


@pytest.mark.parametrize("mapping", ["ilm", "blm", "blm+"])
def test_model_with_a_mapping_is_restored_with_it(mapping: str, tiny: Tiny) -> None:
    context, (train, valid, test) = few(tiny)
    method = IdsNmr(epochs=3, lr=1e-2, mapping=mapping, channels=4)  # type: ignore[arg-type]
    fitted = method.fit(train, valid, context, seed=0)
    weights = fitted.state["output.1.weights"]
    assert weights.shape == (context.source.card.n_outputs, 3)
    assert weights.sum(axis=0) == pytest.approx([1, 1, 1], abs=1e-5)
    blind = test.blind()
    assert np.array_equal(method.restore(fitted.state, blind, context)(blind), fitted.predict(blind))


def test_ilm_counts_again_through_the_adapter_before_each_epoch(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from mirbench.methods.reprogramming import label_maps

    seen: list[np.ndarray[Any, Any]] = []
    put = label_maps._put
    monkeypatch.setattr(label_maps, "_put", lambda mapping, weights: (seen.append(weights), put(mapping, weights)))
    for mapping, n_counts in (("flm", 1), ("ilm", 3)):
        seen.clear()
        learnt(IdsNmr(epochs=3, lr=3e-2, mapping=mapping, channels=4), tiny)  # type: ignore[arg-type]
        assert len(seen) == n_counts
    assert any(not np.array_equal(seen[0], later) for later in seen[1:])


def test_names_of_the_sources_labels_are_taken(tiny: Tiny, tmp_path: Path) -> None:
    context, (train, valid, test) = few(tiny)
    network = context.source.copy()
    labels = [f"sound {k}" for k in range(context.source.card.n_outputs)]
    labels[7], labels[30], labels[4] = "Clicks", "White noise, noise", "Click"
    network.labels = tuple(labels)
    named = Context(
        facts=context._heard.facts, cache=tmp_path / "cache", device=context.device, card=context.source.card,
        load=lambda: network, source_identity="named",
    )  # fmt: skip
    method = IdsNmr(epochs=1, mapping="names", channels=4)
    fitted = method.fit(train, valid, named, seed=0)
    weights = fitted.state["output.1.weights"]
    columns = {name: np.flatnonzero(weights[:, k]).tolist() for k, name in enumerate(train.task.classes)}
    assert columns == {"clicks": [4, 7], "noise": [30], "tone": [0]}  # no label says tone: the first free output
    blind = test.blind()
    assert np.array_equal(method.restore(fitted.state, blind, named)(blind), fitted.predict(blind))


def test_names_are_refused_where_a_source_has_none(tiny: Tiny) -> None:
    with pytest.raises(NotApplicable, match="nano has no names of its classes"):
        learnt(IdsNmr(epochs=1, mapping="names", channels=4), tiny)


def test_mappings_that_are_counted_anew_are_not_trained_together(tiny: Tiny) -> None:
    context, (train, valid, _) = few(tiny)
    jobs = [(IdsNmr(epochs=1, mapping="ilm", channels=4), seed) for seed in (0, 1)]
    assert [fitted.together for fitted in IdsNmr.fit_many(jobs, train, valid, context)] == [1, 1]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(IdNmr, {"mapping": "blm", "outputs_per_class": 2}), (CnnRp, {"mapping": "names", "outputs_per_class": 2}),
     (IdsNmr, {"mapping": "names", "source_head": "random-frozen"})],
)  # fmt: skip
def test_settings_that_say_nothing_beside_a_mapping_are_refused(kind: type[Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="leave"):
        kind(**wrong)


def test_nothing_is_learnt_without_an_adapter(tiny: Tiny) -> None:
    with pytest.raises(NotApplicable, match="nothing to learn"):
        learnt(AstBs(mapping="flm"), tiny)
