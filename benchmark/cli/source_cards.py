"""Cards of sources for the page, which imports none of them itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mirbench.cli.cards import card_of
from mirbench.registry import Catalogue
from mirbench.tables import table

if TYPE_CHECKING:
    from mirbench.leaderboard.page import SourceFacts
    from mirbench.leaderboard.table import Board

__all__ = ["source_cards"]

_OF_THIS_MACHINE = ("missing",)


def source_cards(boards: Iterable[Board]) -> dict[str, SourceFacts]:
    """What mirbench's own cards say of the sources of these tables, by their names."""
    from mirbench.leaderboard.page import SourceFacts

    catalogue, known = Catalogue(), table("source")
    used = {row.system.record.spec.source for board in boards for row in board.rows}
    found = {}
    for name in sorted(used & set(known)):
        card = card_of(name, catalogue)
        facts = [fact for fact in card.facts if fact[1] and fact[0] not in _OF_THIS_MACHINE]
        found[name] = SourceFacts(card.summary, facts)
    return found
