"""The source of a request, by its card: its options applied, and refused where the method can do nothing with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mirbench.errors import BadInput, MirbenchError, NotApplicable
from mirbench.method import Method, Refusing, needed_stages, require_kind
from mirbench.plain_text import printable
from mirbench.source import WHOLE, SourceCard, seed_of, with_weights
from mirbench.types import Task

if TYPE_CHECKING:
    from mirbench.registry import Catalogue

__all__ = ["DEFAULT_SOURCE", "card_of", "require_usable"]

DEFAULT_SOURCE = "ast"

_FIELDS = ("sample_rate", "seconds", "n_bands", "n_frames", "n_features")
"""Fields of a card that an option of the same name replaces."""


def require_usable(method: Method, card: SourceCard | None, task: Task) -> None:
    """Refuse a kind of task that is not learnt, and hyperparameters that, by the cards, nothing can come of here.

    Raises
    ------
    NotApplicable, BadInput
        If that is so.
    """
    require_kind(method, task)
    if card is None and task.medium == "picture" and getattr(method, "uses_audio", True):
        raise NotApplicable(f"{task.name}: its clips are pictures, and {method.name} hears audio")
    if not isinstance(method, Refusing) or (card is not None and card.missing):  # of what is not here little is known
        return
    try:
        method.require_usable(card, task)
    except MirbenchError:
        raise
    except Exception as error:  # it may be somebody else's
        raise BadInput(f"{method.name}: its `require_usable` fails: {printable(error, 500)}") from error


def card_of(
    source: str,
    given: Mapping[str, Any],
    method: type[Method],
    points: Sequence[Mapping[str, Any]],
    catalogue: Catalogue,
) -> SourceCard | None:
    """The card of a source as it is asked for; None where the method uses none.

    Parameters
    ----------
    source : str
        "" takes the default where the method needs one.
    given : mapping
        Options of the source.
    points : sequence of mapping
        Hyperparameters that are asked for, of each point of a search.

    Raises
    ------
    NotApplicable
        If the source lacks what the method needs.
    BadInput
        If an option cannot be, or a source is named that is not used.
    """
    if not method.needs:
        if source:
            raise BadInput(f"--source {source}: {method.name} uses no source; leave the flag out")
        return None
    card = with_weights(catalogue.source(source or DEFAULT_SOURCE), given)
    if card.missing:
        return card
    changed = {name: value for name, value in given.items() if name in _FIELDS}
    if changed.get("seconds") == WHOLE and card.any_length:
        if inner := {"frontend", "body"} & set(method.needs):
            raise NotApplicable(
                f"--source-set seconds=whole: {method.name} trains on windows of one length (it needs "
                f"{', '.join(sorted(inner))}); say seconds=N, or take a method on the embedding"
            )
        changed["seconds"] = math.inf
    if wrong := [name for name, value in changed.items() if value is not None and value <= 0]:
        raise BadInput(f"--source-set {wrong[0]}={changed[wrong[0]]}: more than 0 is needed")
    card = replace(card, **{name: value for name, value in changed.items() if value is not None})
    needs = tuple(dict.fromkeys(stage for params in points for stage in needed_stages(method, params)))
    _require_stages(card, {**card.options, **given}, method, needs, catalogue)
    return card


def _require_stages(
    card: SourceCard, options: Mapping[str, Any], method: type[Method], needs: Sequence[str], catalogue: Catalogue
) -> None:
    """Refuse a source that lacks, with these options, what the method needs."""
    if seed_of(card, options) is not None:
        for said in card.extra_weights:
            name, _, value = said.partition("=")
            if str(options.get(name)) == value:
                raise NotApplicable(
                    f"{card.name}: {said} belongs to the trained weights; leave it or weights=random out"
                )
    for stage, (name, value) in card.offered_at.items():
        if stage in needs and options.get(name, value) != value:
            raise NotApplicable(
                f"--source-set {name}={options[name]}: {card.name} offers its {stage}, which {method.name} needs, at "
                f"{name}={value} alone; leave {name} out, or take another method"
            )
    if lacks := [stage for stage in needs if stage not in card.offers]:
        able = sorted(name for name in catalogue.names("source") if set(needs) <= set(catalogue.source(name).offers))
        spares: Mapping[str, tuple[str, Any]] = getattr(method, "spares", {})
        without = [f"; --set {spares[s][0]}={spares[s][1]} needs no {s}" for s in lacks if set(lacks) <= set(spares)]
        raise NotApplicable(
            f"{method.name} cannot use {card.name}: it needs {', '.join(lacks)}, and {card.name} offers "
            f"{', '.join(card.offers)}{''.join(without)}; sources that have it: {', '.join(able) or 'none'}"
        )
