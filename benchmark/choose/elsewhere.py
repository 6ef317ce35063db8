"""What others had on the same test clips: results that ship with mirbench and packs that were added.

They are no part of the race, which is decided on validation clips that the packs do not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirbench.choose.race import Race
from mirbench.leaderboard.packs import Pack
from mirbench.leaderboard.results import questions_of
from mirbench.leaderboard.table import Row, boards_of

__all__ = ["Elsewhere", "elsewhere"]


@dataclass(frozen=True)
class Elsewhere:
    """Systems that were run elsewhere.

    Parameters
    ----------
    n_systems : int
        That answer the same question and were not in the race.
    best : Row or None
        Of them, on the test clips; None where there is none.
    """

    n_systems: int
    best: Row | None


def elsewhere(race: Race, packs: Sequence[Pack]) -> Elsewhere:
    """What packs hold beside the systems of a race that is over; unreadable ones are left out."""
    runs = [
        (outcome.folder, outcome.record)
        for entrant in race.settled
        for (fold, _), outcome in entrant.runs.items()
        if fold in race.folds
    ]
    rows = [row for board in boards_of(questions_of(runs), [], packs) for row in board.rows if row.system.pack]
    return Elsewhere(len(rows), rows[0] if rows else None)
