"""``tokens:K:SOURCE``: a source whose hidden layers have K times fewer tokens, means of neighbours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mirbench.errors import BadInput, NotApplicable
from mirbench.registry import Catalogue
from mirbench.source import SourceCard
from mirbench.spelling import on_record

__all__ = ["called_tokens", "tokens_card"]

_MOST = 10_000


def called_tokens(argument: str) -> str:
    """What records call it: the number without idle zeros, and the source as they call that."""
    count, colon, name = argument.partition(":")
    return f"{int(count)}:{on_record('source', name)}" if colon and count.isascii() and count.isdecimal() else argument


def tokens_card(argument: str, weights: Path | None = None) -> SourceCard:
    """The card of a source with fewer tokens.

    Parameters
    ----------
    argument : str
        As in "4:ast".

    Raises
    ------
    BadInput
        If it is not so written.
    NotApplicable
        If the source has no hidden layers.
    """
    count, _, name = argument.partition(":")
    if not (count.isascii() and count.isdecimal() and 2 <= int(count[:6]) <= _MOST and name):
        raise BadInput(f"tokens:{argument}: a number from 2 to {_MOST} and a source are needed, as in tokens:4:ast")
    card = Catalogue(weights=weights).source(name)
    if "layers" not in card.offers:
        raise NotApplicable(f"tokens:{argument}: {name} hands on no hidden layers; it offers {', '.join(card.offers)}")
    if card.tokens_in_one > 1:
        raise BadInput(f"tokens:{argument}: {name} has fewer tokens already; give the product of the two numbers")
    return replace(
        card,
        name=f"tokens:{int(count)}:{card.name}",
        title=f"{card.title}, hidden layers with {int(count)} times fewer tokens",
        tokens_in_one=int(count),
        notes=(
            *card.notes,
            f"a token of its hidden layers is the mean of {int(count)} that follow each other; a last mean of fewer "
            "tokens counts as much where tokens are averaged",
        ),
    )
