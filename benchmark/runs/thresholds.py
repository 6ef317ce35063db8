"""Above which score a label of a multi-label task is predicted: a half, or what gave its best F1 on valid.

``--thresholds valid`` tunes a threshold a class on the predictions of valid. Scores are then moved so that a half means
that threshold, and their order within a class stays: every metric, table, interval and ensemble asks them as it asks
others, F1 at a half is F1 at the tuned threshold, and AUCs are what they were, but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mirbench.errors import NotApplicable
from mirbench.record import ThresholdsFrom
from mirbench.types import FloatArray, Targets, Task

__all__ = ["best_thresholds", "moved", "tunes_thresholds"]

_F1S = ("two-class-macro-f1", "macro-f1")
"""Of these the first that a task reports is what thresholds are tuned for."""


def tunes_thresholds(asked: ThresholdsFrom, task: Task) -> bool:
    """Whether thresholds are tuned on valid.

    Raises
    ------
    NotApplicable
        If that is asked for, and the task has none.
    """
    if asked == "0.5":
        return False
    if task.kind != "multi-label":
        has = "one class, the likeliest" if task.kind == "single-label" else "values"
        raise NotApplicable(
            f"--thresholds {asked}: a clip of {task.name} has {has}, and no thresholds; they are of multi-label tasks"
        )
    return True


def best_thresholds(scores: FloatArray, targets: Targets, metrics: Sequence[str]) -> tuple[float, ...]:
    """The threshold of each class at which its F1 is highest.

    Parameters
    ----------
    scores : ndarray, shape (n_clips, n_classes)
        Of valid.
    metrics : sequence of str
        Of the task: where two-class F1 is among them, it is that of the class and its absence together.

    Returns
    -------
    tuple of float
        Each halfway between two scores, in (0, 1); of equally good ones that nearest to a half. A half for a class that
        no clip of valid is known to have, or all are.
    """
    two_class = next((name for name in _F1S if name in metrics), "") == "two-class-macro-f1"
    found = []
    for k, known in enumerate(targets.known.T):
        present = targets.value[known, k] >= 0.5
        found.append(_best(scores[known, k].astype(np.float64), present, two_class=two_class))
    return tuple(found)


def _best(scores: npt.NDArray[np.float64], present: npt.NDArray[np.bool_], *, two_class: bool) -> float:
    if not present.any() or present.all():
        return 0.5
    ranked = np.unique(scores)
    cuts = np.array([ranked[0] / 2, *(ranked[:-1] + ranked[1:]) / 2, (ranked[-1] + 1) / 2])
    cuts = np.unique(np.append(cuts, 0.5))
    cuts = cuts[(cuts > 0) & (cuts < 1)]
    yes = np.sort(scores[present])
    n_yes, n = len(yes), len(scores)
    hits = n_yes - np.searchsorted(yes, cuts)  # present, at or above the cut
    said = n - np.searchsorted(np.sort(scores), cuts)
    f1 = 2 * hits / (said + n_yes)
    if two_class:
        passed, absent = n - said - (n_yes - hits), n - n_yes
        f1 = f1 / 2 + passed / ((n - said) + absent)
    best = cuts[np.isclose(f1, f1.max(), rtol=0, atol=1e-12)]
    return float(best[np.argmin(np.abs(best - 0.5))])


def moved(scores: FloatArray, thresholds: Sequence[float]) -> FloatArray:
    """Scores in their order, with a half where the threshold of their class was; unchanged where there are none.

    >>> moved(np.array([[0.1, 0.2, 0.6]], dtype=np.float32), [0.2, 0.2, 0.2]).tolist()
    [[0.25, 0.5, 0.75]]
    """
    if not len(thresholds):
        return scores
    at = np.asarray(thresholds, dtype=np.float64)
    held = scores.astype(np.float64)
    # 0.2 of float32 is a little more than 0.2: a score that is the threshold is one that reaches it
    below = 0.5 * held / at
    above = 0.5 + 0.5 * (held - at) / (1 - at)
    just_below = np.nextafter(np.float32(0.5), np.float32(0))
    return np.where(held < at, np.minimum(below, just_below), above).astype(np.float32)
