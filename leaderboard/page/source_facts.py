"""What the page says of each source: the facts of its card, which the command hands in, and its rows over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mirbench.leaderboard.table import Board

__all__ = ["SourceFacts", "sources_of"]


@dataclass(frozen=True)
class SourceFacts:
    """A card as texts.

    Parameters
    ----------
    title : str
        One line.
    facts : sequence of (str, str)
        A label, which may come several times, and what is said.
    """

    title: str
    facts: Sequence[tuple[str, str]]


def sources_of(boards: Sequence[Board], cards: Mapping[str, SourceFacts]) -> list[dict[str, Any]]:
    """Every source that a row is of, in the order of their names: its card, if it is known, and where its rows are."""
    held: dict[str, list[list[Any]]] = {}
    versions: dict[str, set[str]] = {}
    for number, board in enumerate(boards):
        for row in board.rows:
            spec = row.system.record.spec
            if spec.source:
                held.setdefault(spec.source, []).append([number, row.key])
                versions.setdefault(spec.source, set()).add(spec.source_version)
    return [
        {
            "name": name,
            "title": cards[name].title if name in cards else "",
            "facts": [list(fact) for fact in cards[name].facts] if name in cards else [],
            "versions": sorted(versions[name]),
            "rows": rows,
        }
        for name, rows in sorted(held.items())
    ]
