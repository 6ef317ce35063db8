"""Which systems cannot be the best any more: what a race drops, and how often that is the truly best one.

A race looks at the systems several times, each time on more clips, and drops what is surely worse than another. Its
promise is about one system, the truly best: it is dropped in at most 5 % of races. That needs less than the ranks of a
table, which are right about every pair at once: of k systems the best one has k - 1 rivals, and no other pair can do it
harm (Hsu 1984, multiple comparisons with the best). So a system is dropped where the one-sided p of another being
better is below ``level / (k - 1)``; p is that of `mirbench.leaderboard.statistics`, paired by clip and groups.

Looking often costs, too: what all looks may spend together is shared out beforehand (`spent`), little on early ones,
which see few clips (Lan, DeMets 1983). tests/benchmark/choose/test_race_simulated.py holds both to the promise, and
docs/choose.md has its figures.

References
----------
Hsu (1984), Constrained simultaneous confidence intervals for multiple comparisons with the best, Annals of Statistics
12. Maron, Moore (1994), Hoeffding races, NIPS 6. Lan, DeMets (1983), Discrete sequential boundaries for clinical
trials, Biometrika 70.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirbench.leaderboard.chance import Clips
from mirbench.metrics import METRICS
from mirbench.types import BoolArray, FloatArray, Targets

__all__ = ["LEVEL", "Standing", "order", "spent", "standing", "values"]

LEVEL = 0.05
"""How often a race may drop the truly best system, all looks together."""

ValueArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """Systems on the same clips.

    Parameters
    ----------
    values : ndarray, shape (n_systems,)
        The metric, mean over seeds; NaN where it is undefined.
    p : ndarray, shape (n_systems, n_systems)
        One-sided: [i, j] that j is no better than i, not adjusted; 1 on the diagonal and where one is undefined.
    higher_is_better : bool
    """

    values: ValueArray
    p: ValueArray
    higher_is_better: bool = True

    @property
    def order(self) -> list[int]:
        """The systems, the best first; of equals the first; undefined ones last."""
        return order(self.values, self.higher_is_better)

    def beaten(self, level: float, n_systems: int = 0, may_beat: BoolArray | None = None) -> list[int | None]:
        """The system that is surely better than each, the surest of several; None where there is none.

        Parameters
        ----------
        level : float
            How often this look may drop the truly best.
        n_systems : int
            That were compared in the race until now, those dropped included; at least these.
        may_beat : ndarray of bool, shape (n_systems, n_systems), optional
            [i, j] whether j may drop i at all.
        """
        n = len(self.values)
        p = self.p if may_beat is None else np.where(may_beat, self.p, 1.0)
        rivals = max(n_systems, n) - 1
        if rivals < 1:
            return [None] * n
        surest = p.argmin(axis=1)
        return [int(j) if p[i, j] < level / rivals else None for i, j in enumerate(surest)]


def standing(
    metric: str, systems: Sequence[FloatArray], targets: Targets, groups: npt.ArrayLike, folds: npt.ArrayLike
) -> Standing:
    """Compare systems by a metric on the same clips.

    Parameters
    ----------
    metric : str
        Name of a metric that is one number.
    systems : sequence of ndarray of float32, each (n_seeds, n_clips, n_classes)
    targets : Targets
        Of those clips.
    groups : ndarray of str, shape (n_clips,)
        What clips share (artist, recording); "" where a clip is its own group.
    folds : ndarray of int, shape (n_clips,)

    Raises
    ------
    BadInput
        As `mirbench.leaderboard.statistics.interval`.
    """
    clips = Clips.of(metric, targets, groups, folds)
    known = clips.systems(systems)
    value = np.array([each.value for each in known])
    higher = METRICS[metric].higher_is_better
    n = len(known)
    p = np.ones((n, n))
    first, second = np.triu_indices(n, 1)
    two_sided = clips.p_of_pairs(known)
    ahead = (value[second] > value[first]) == higher  # the second is better, or they are equal
    p[first, second] = np.where(ahead, two_sided / 2, 1 - two_sided / 2)
    p[second, first] = np.where(ahead, 1 - two_sided / 2, two_sided / 2)
    equal = value[first] == value[second]
    p[first[equal], second[equal]] = p[second[equal], first[equal]] = 1.0
    return Standing(value, np.where(np.isnan(p), 1.0, p), higher)


def values(
    metric: str, systems: Sequence[FloatArray], targets: Targets, groups: npt.ArrayLike, folds: npt.ArrayLike
) -> ValueArray:
    """The metric of each system, mean over seeds, as in `standing`; without p, which takes longer."""
    clips = Clips.of(metric, targets, groups, folds)
    return np.array([clips.value(each) for each in systems])


def order(values: ValueArray, higher_is_better: bool = True) -> list[int]:
    """Places of values, the best first; of equals the first; undefined ones last."""
    sign = -1.0 if higher_is_better else 1.0
    return [int(k) for k in np.argsort(np.where(np.isnan(values), np.inf, sign * values), kind="stable")]


def spent(share: float, level: float = LEVEL) -> float:
    """What looks may have spent of the level when a share of the clips was seen: as its square.

    Parameters
    ----------
    share : float
        In [0, 1].
    """
    return level * min(max(share, 0.0), 1.0) ** 2
