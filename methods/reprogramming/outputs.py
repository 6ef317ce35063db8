"""What makes the task's logits of a source's embedding: a new head, or a mapping of the source's own classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from mirbench.errors import BadInput, NotApplicable
from mirbench.source import SourceCard

if TYPE_CHECKING:
    from torch import nn

    from mirbench import Context
    from mirbench.methods.training.batch import Inputs
    from mirbench.types import Split

__all__ = [
    "OutputMapping", "learn_mapping", "output", "outputs_per_class", "require_fitting", "require_mappable",
]  # fmt: skip

OutputMapping = Literal[
    "new-head", "fc527", "many-to-one", "sum-logit", "names", "flm", "ilm", "blm", "blm+"
]  # fmt: skip
"""A new layer norm and linear layer in place of the source's head, a linear layer on the logits of the source's own
head (527 for AudioSet), or averages of its probabilities or sums of its logits (`LabelMapping`), with nothing to learn.
hung2022's reprogramming calls the averages mean-prob, chen2022's many-to-one. Averages are of outputs that lie one
after the other, or that are chosen by name or by what the source answers to train; blm and blm+ weight all outputs: see
`mirbench.methods.reprogramming.label_maps`."""

_OF_ALL = ("fc527", "names", "blm", "blm+")
_WEIGHTED = ("names", "flm", "ilm", "blm", "blm+")


def require_fitting(name: str, mapping: str, per_class: int | None, source_head: str = "pretrained") -> None:
    """Refuse settings that say nothing beside this mapping.

    Parameters
    ----------
    name : str
        Of the method.
    mapping : str
        An `OutputMapping`, or mean-prob.
    per_class : int or None
        Outputs of the source a class.
    source_head : {"pretrained", "random-frozen"}
        Which head of the source.

    Raises
    ------
    BadInput
        If that is so.
    """
    if mapping == "new-head" and (source_head != "pretrained" or per_class is not None):
        raise BadInput(
            f"{name}: mapping=new-head takes nothing of the source's head; leave source_head and outputs_per_class out"
        )
    if mapping in _OF_ALL and per_class is not None:
        which = "the outputs that names choose" if mapping == "names" else "all outputs"
        raise BadInput(f"{name}: mapping={mapping} learns from {which}; leave outputs_per_class out")
    if mapping == "names" and source_head != "pretrained":
        raise BadInput(f"{name}: mapping=names: a random head has no names; leave source_head out")


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


def require_mappable(kind: str, card: SourceCard, n_classes: int, wanted: int | None) -> None:
    """Refuse a mapping that the source has no classes for, as its card tells.

    Parameters
    ----------
    kind : str
        An `OutputMapping`, or mean-prob for many-to-one.
    wanted : int or None
        As of `outputs_per_class`.

    Raises
    ------
    NotApplicable
        If the source has no classes of its own, or too few.
    """
    if kind == "new-head":
        return
    if "head" not in card.offers:
        raise NotApplicable(f"{card.name} has no classes of its own to map ({kind}); take the new head")
    if kind in ("mean-prob", "many-to-one", "sum-logit", "flm", "ilm"):
        outputs_per_class(card, n_classes, wanted)


def learn_mapping(
    kind: str, module: nn.Module, context: Context, train: Split, inputs: Callable[[], Inputs], wanted: int | None
) -> None:
    """Put into a module what its mapping takes from names or from train; of most mappings that is nothing.

    Parameters
    ----------
    kind : str
        An `OutputMapping`, or mean-prob.
    module : Module
        Before training; its `output` was made here.
    inputs : callable
        What the module is fed of train.
    wanted : int or None
        As of `outputs_per_class`.
    """
    if kind in _WEIGHTED:
        from mirbench.methods.reprogramming.label_maps import learn_weights

        greedy = kind in ("flm", "ilm")
        per_class = outputs_per_class(context.source.card, len(train.classes), wanted) if greedy else 1
        learn_weights(kind, module, context, train, inputs, per_class)


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
    require_mappable(kind, card, n_classes, per_class)
    if kind == "fc527":
        own = fresh_head(card.n_features, card.n_outputs) if random_head else SourceHead(head)
        return nn.Sequential(own, nn.Linear(card.n_outputs, n_classes))
    mapping: nn.Module
    if kind in _WEIGHTED:
        from mirbench.methods.reprogramming.label_maps import WeightedMapping

        rule = "logits" if kind in ("blm", "blm+") else "mean-prob"
        mapping = WeightedMapping(card.n_outputs, n_classes, rule, card.activation)
    else:
        rule = "sum-logit" if kind == "sum-logit" else "mean-prob"
        mapping = LabelMapping(n_classes, outputs_per_class(card, n_classes, per_class), rule, card.activation)
    own = fresh_head(card.n_features, card.n_outputs) if random_head else SourceHead(head)
    return nn.Sequential(own, mapping)
