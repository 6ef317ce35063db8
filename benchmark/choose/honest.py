"""What choosing costs where every clip is validation in one fold and test in another."""

from __future__ import annotations

import numpy as np

from mirbench.choose.curve import tested
from mirbench.choose.race import Race
from mirbench.choose.systems import FLOOR
from mirbench.leaderboard.best import order, values
from mirbench.metrics import METRICS

__all__ = ["chosen_anew"]


def chosen_anew(race: Race) -> float | None:
    """The score of the choice, made anew for each fold without the clips that the fold tests.

    In cross-validation the clips that chose the winner are, in other folds, those that score it: its score is that of
    the luckiest (Tibshirani, Tibshirani 2009; Tsamardinos et al. 2018). Here each fold is scored by the system that is
    best on the validation clips of the others, less the fold's test clips; all folds together are the score. Systems
    that were dropped before the end cannot be chosen, so a little luck remains.

    Returns
    -------
    float or None
        None where no clips are left to choose by.
    """
    some = [entrant for entrant in race.settled if entrant.name != FLOOR]
    folds = race.folds
    valid = [entrant.heard(folds) for entrant in some]
    test = [tested(entrant.runs, folds) for entrant in some]
    scores = test[0].scores[:1].copy()
    for fold in folds:
        here = test[0].folds == fold
        kept = ~np.isin(valid[0].ids, test[0].ids[here])
        if not kept.any():
            return None
        left = [each.where(kept) for each in valid]
        args = left[0].targets, left[0].groups, left[0].folds
        found = values(race.metric, [each.scores for each in left], *args)
        best = order(found, METRICS[race.metric].higher_is_better)[0]
        scores[:, here] = test[best].scores[:1, here]
    args = test[0].targets, test[0].groups, test[0].folds
    value = values(race.metric, [scores], *args)[0]
    return None if np.isnan(value) else float(value)
