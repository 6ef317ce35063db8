"""Whether a cheaper system is as good as the best: shown to be so, and not merely not shown to be worse.

Few clips tell no system from another, the worst included. So a cheaper one is named in the place of the best only where
it is surely not behind by more than `MARGIN`: where the lower end of the interval of the difference, paired by clip and
groups, is above that (a test of non-inferiority). Where several are cheaper, the intervals are wider, so that one that
is further behind is named in at most 5 % of choices (Bonferroni); tests/benchmark/choose/test_as_good.py simulates it.
That the best is the best of several makes its lead look larger than it is: an error to the safe side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirbench.choose.race import Entrant, Race
from mirbench.leaderboard.best import LEVEL
from mirbench.leaderboard.statistics import Difference, difference
from mirbench.metrics import METRICS

__all__ = ["MARGIN", "Behind", "behind", "level_for"]

MARGIN = 0.05
"""How far behind the best, in points of the metric, still counts as as good."""


@dataclass(frozen=True)
class Behind:
    """A cheaper system beside the best, on the validation clips of both.

    Parameters
    ----------
    entrant : Entrant
    found : Difference or None
        Its metric less that of the best; None where it is undefined.
    as_good : bool
        Whether it is surely no more than `MARGIN` behind. What chose its epoch on these clips looks better on them than
        it is, so that nothing is shown by them where the best did not.
    level : float
        Of the interval of `found`.
    """

    entrant: Entrant
    found: Difference | None
    as_good: bool
    level: float = 0.95


def behind(race: Race, best: Entrant, cheaper: Sequence[Entrant]) -> list[Behind]:
    """Each of the cheaper systems beside the best."""
    rows = []
    level, sign = level_for(len(cheaper)), 1.0 if METRICS[race.metric].higher_is_better else -1.0
    for entrant in cheaper:
        one, other = entrant.heard(race.folds), best.heard(race.folds)
        args = other.targets, other.groups, other.folds
        found = difference(race.metric, one.scores, other.scores, *args, level=level)
        fair = best.flattered or not entrant.flattered
        worst = None if found is None else min(sign * found.low, sign * found.high)
        rows.append(Behind(entrant, found, fair and worst is not None and worst >= -MARGIN, level))
    return rows


def level_for(n_cheaper: int) -> float:
    """Of the intervals of the differences of so many: together they are right in 95 % of choices, on the lower side."""
    return max(0.95, 1 - 2 * LEVEL / max(n_cheaper, 1))
