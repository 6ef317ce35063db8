"""What makes the task's logits of a source's embedding: a new head, or a mapping of the source's own classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mirbench.errors import BadInput, NotApplicable
from mirbench.source import SourceCard

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OutputMapping", "output", "outputs_per_class"]

OutputMapping = Literal["new-head", "fc527", "many-to-one", "sum-logit"]
"""A new layer norm and linear layer in place of the source's head, a linear layer on the logits of the source's own
head (527 for AudioSet), or averages of its probabilities or sums of its logits (`LabelMapping`), with nothing to learn.
hung2022's reprogramming calls the averages mean-prob, chen2022's many-to-one."""


def outputs_per_class(card: SourceCard, n_classes: int, wanted: int | None) -> int:
    """How many source classes each class of the task owns: 5 (AST) or 2 (SpeechATT) in hung2022's code, 1 if need be.

    Raises
    ------
    NotApplicable
        If the source has too few classes.
    BadInput
        If fewer than one is wanted.
    """
    if wanted is not None and wanted < 1:
        raise BadInput(f"outputs_per_class={wanted}; 1 at least is needed")
    fits = card.n_outputs // n_classes
    chosen = wanted or next((n for n in (5, 2) if n <= fits), 1)
    if chosen > fits:
        raise NotApplicable(
            f"{chosen} outputs of {card.name} for each of {n_classes} classes are {chosen * n_classes}; it has "
            f"{card.n_outputs}: set outputs_per_class to {fits} or less"
            if fits
            else f"{card.name} has {card.n_outputs} classes, fewer than the {n_classes} of the task"
        )
    return chosen


def output(
    kind: str,
    card: SourceCard,
    head: Any,
    n_classes: int,
    per_class: int | None = None,
    *,
    random_head: bool = False,
) -> nn.Module:
    """The module (n, n_features) -> (n, n_classes) logits.

    Parameters
    ----------
    kind : str
        An `OutputMapping`, or mean-prob for many-to-one.
    head : network
        Whose `head` is used; frozen if the network is, and out of the state.
    random_head : bool
        A frozen head of the same size at random weights, as in hung2022's released code, in place of it.

    Raises
    ------
    NotApplicable
        If the source has no classes of its own, or too few.
    """
    from torch import nn

    from mirbench.methods.reprogramming.adapters import LabelMapping, SourceHead, fresh_head, new_head

    if kind == "new-head":
        return new_head(card.n_features, n_classes)
    if "head" not in card.offers:
        raise NotApplicable(f"{card.name} has no classes of its own to map ({kind}); take the new head")
    if kind == "fc527":
        own = fresh_head(card.n_features, card.n_outputs) if random_head else SourceHead(head)
        return nn.Sequential(own, nn.Linear(card.n_outputs, n_classes))
    rule = "sum-logit" if kind == "sum-logit" else "mean-prob"
    mapping = LabelMapping(n_classes, outputs_per_class(card, n_classes, per_class), rule, card.activation)
    own = fresh_head(card.n_features, card.n_outputs) if random_head else SourceHead(head)
    return nn.Sequential(own, mapping)
