"""Reprogramming without classes of the source, and either paper's adapters before either paper's output mappings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirbench import Context
from mirbench.errors import BadInput, NotApplicable
from mirbench.method import needed_stages
from mirbench.methods.reprogramming.nmr import IdNmr, IdsNmr, IiNmr
from mirbench.methods.reprogramming.picture_rp import AstBs, CnnRp, NoiseRp, PaddingRp, UnetRp
from mirbench.registry import Catalogue
from mirbench.runs.measure import count_parameters
from mirbench.runs.plan import Request, draft_plan
from mirbench.types import Split

Tiny = tuple[Context, tuple[Split, Split, Split]]
NMR: dict[type[Any], dict[str, Any]] = {IiNmr: {}, IdNmr: {"channels": 4}, IdsNmr: {"channels": 4}}


@pytest.fixture
def headless(tiny: Tiny, tmp_path: Path) -> Tiny:
    """One clip a class of each split, and the source nano without its classes."""
    context, splits = tiny
    card = context.source.card
    offers = tuple(stage for stage in card.offers if stage != "head")
    network = context.source.copy()
    network.head = None
    few: Any = tuple(Split(split.task, split.clips[:: len(split) // 3]) for split in splits)
    made = Context(
        facts=context._heard.facts, cache=tmp_path / "cache", device=context.device,
        card=replace(card, offers=offers, n_outputs=0, labels=""), load=lambda: network, source_identity="headless",
    )  # fmt: skip
    return made, few


@pytest.mark.parametrize("kind", NMR)
def test_source_without_classes_is_reprogrammed_and_restored(kind: type[Any], headless: Tiny) -> None:
    context, (train, valid, test) = headless
    method = kind(epochs=1, mapping="new-head", **NMR[kind])
    fitted = method.fit(train, valid, context, seed=0)
    blind = test.blind()
    assert np.array_equal(method.restore(fitted.state, blind, context)(blind), fitted.predict(blind))
    width = context.source.card.n_features
    adapter = count_parameters(method.adapter(context.source.card, context, train), trainable=True)
    assert fitted.n_trainable == adapter + 2 * width + 3 * (width + 1)  # layer norm and linear layer
    assert {name.partition(".")[0] for name in fitted.state} == {"adapter", "output"}


def test_new_head_learns_with_the_adapter(headless: Tiny) -> None:
    context, (train, valid, _) = headless
    method = IdsNmr(epochs=30, lr=1e-2, mapping="new-head", channels=4)
    fitted = method.fit(train, valid, context, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = method.module(context, train).state_dict()
    assert all(
        not np.allclose(fitted.state[name], before[name]) for name in ("output.1.weight", "adapter.linear.weight")
    )
    losses = [row["loss"] for row in fitted.history]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("kind", [IdNmr, IdsNmr, CnnRp, NoiseRp, PaddingRp, UnetRp, AstBs])
@pytest.mark.parametrize("mapping", ["sum-logit", "new-head", "fc527"])
def test_any_adapter_goes_before_any_output(kind: type[Any], mapping: str, tiny: Tiny) -> None:
    context, (train, _, _) = tiny
    card = context.source.card
    module = kind(mapping=mapping).module(context, train)
    output = module.output if hasattr(module, "output") else module
    learnt = {
        "sum-logit": 0,
        "new-head": 2 * card.n_features + 3 * (card.n_features + 1),
        "fc527": 3 * (card.n_outputs + 1),
    }
    assert count_parameters(output, trainable=True) == learnt[mapping]
    pooled = torch.randn(2, card.n_features, generator=torch.Generator().manual_seed(0))
    made = output(pooled)
    assert made.shape == (2, 3)
    if mapping == "sum-logit":
        logits = context.source.network.head(pooled)
        n = card.n_outputs // 3
        per_class = next((k for k in (5, 2) if k <= n), 1)
        assert torch.allclose(made[:, 1], logits[:, per_class : 2 * per_class].sum(dim=1), atol=1e-5)


def test_random_head_takes_the_place_of_the_sources_before_a_linear_layer(tiny: Tiny) -> None:
    context, (train, _, _) = tiny
    own, random = (
        IdsNmr(mapping="fc527", channels=4, source_head=head).module(context, train).output
        for head in ("pretrained", "random-frozen")
    )
    assert count_parameters(own, trainable=True) == count_parameters(random, trainable=True)
    assert len(list(own.parameters())) < len(list(random.parameters()))


@pytest.mark.parametrize(
    "wrong",
    [{"mapping": "new-head", "source_head": "random-frozen"}, {"mapping": "new-head", "outputs_per_class": 2},
     {"mapping": "fc527", "outputs_per_class": 2}],
)  # fmt: skip
def test_settings_of_a_head_that_is_not_there_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="leave"):
        IdsNmr(**wrong)


def test_head_is_needed_but_for_the_new_one() -> None:
    assert needed_stages(IdsNmr, {}) == needed_stages(IdsNmr, {"mapping": "fc527"}) == IdsNmr.needs
    assert needed_stages(IdsNmr, {"mapping": "new-head"}) == ("layers", "pooled")
    assert needed_stages(IiNmr, {"mapping": "new-head"}) == ("body",)
    assert needed_stages(AstBs, {"mapping": "new-head"}) == AstBs.needs


def test_refusal_of_a_source_without_classes_says_what_goes_without() -> None:
    known = Catalogue()
    with pytest.raises(NotApplicable, match=r"needs head, .*; --set mapping=new-head needs no head; sources that"):
        draft_plan(Request("gtzan-demo", "ids-nmr", "vggish"), known)
    with pytest.raises(NotApplicable, match=r"needs layers, head, and openl3 offers pooled; sources"):
        draft_plan(Request("gtzan-demo", "ids-nmr", "openl3"), known)
    plan = draft_plan(Request("gtzan-demo", "ids-nmr", "vggish", params={"mapping": "new-head"}), known)
    assert plan.card is not None
    assert plan.card.name == "vggish"
