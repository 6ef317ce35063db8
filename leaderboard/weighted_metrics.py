"""The metrics of `mirbench.metrics` for clips with weights, many weightings at once: what a bootstrap asks for.

A weight is how often a replicate drew a clip. With all weights 1 each function equals its namesake in
`mirbench.metrics`, with integer weights scikit-learn's with ``sample_weight``; tests assert both. Scores are compared
with one another once a class, not once a replicate: what is left for a replicate are sums, taken as matrix products.
Sums that labels alone decide are taken once for all systems of a table, and those of a system over its errors, which
are few: sums of whole numbers, so that it does not matter in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mirbench.metrics import N_BINS, confidences
from mirbench.types import BoolArray, FloatArray, Targets

__all__ = ["WEIGHTED", "Drawn", "chosen"]

ValueArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """Clips as replicates of a bootstrap drew them.

    Parameters
    ----------
    targets : Targets
        Shape (n_clips, n_classes).
    weights : ndarray of float32, shape (n_clips, n_replicates)
        How often each replicate holds each clip: whole numbers, whose sums float32 holds exactly up to 16 million.
    """

    targets: Targets
    weights: FloatArray

    def sums(self, marked: BoolArray) -> ValueArray:
        """Weight of the marked clips, few of (n_clips, n_classes); shape (n_classes, n_replicates)."""
        from scipy.sparse import csr_array

        n_clips, n_classes = marked.shape
        places = np.flatnonzero(marked.T)
        ends = np.searchsorted(places, n_clips * np.arange(n_classes + 1))
        ones = np.ones(len(places), dtype=self.weights.dtype)
        marks = csr_array((ones, places % n_clips, ends), shape=(n_classes, n_clips))
        return np.asarray(marks @ self.weights, dtype=np.float64)

    @cached_property
    def all(self) -> ValueArray:
        """Weight of the clips, shape (n_replicates,)."""
        return self.sums(np.ones((len(self.weights), 1), np.bool_))[0]

    @cached_property
    def of_class(self) -> ValueArray:
        """Weight of the clips of each class of a single-label task, shape (n_classes, n_replicates)."""
        return self.sums(_true(self.targets))

    @cached_property
    def present(self) -> ValueArray:
        """Weight of the clips that a class is known to be in, shape (n_classes, n_replicates)."""
        return self.sums((self.targets.value >= 0.5) & self.targets.known)

    @cached_property
    def absent(self) -> ValueArray:
        """Weight of the clips that a class is known not to be in, shape (n_classes, n_replicates)."""
        return self.sums((self.targets.value < 0.5) & self.targets.known)


def chosen(scores: FloatArray, targets: Targets) -> BoolArray:
    """Which classes are predicted: the largest score, or every score of 0.5 or more; shape (n_clips, n_classes)."""
    if targets.kind == "multi-label":
        return scores >= 0.5
    return np.asarray(np.argmax(scores, axis=1)[:, None] == np.arange(scores.shape[1]))


def accuracy(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Share of weight on clips whose predicted class is the true one, shape (n_replicates,).

    Parameters
    ----------
    scores : ndarray, shape (n_clips, n_classes)
    drawn : Drawn
        The same clips.
    """
    missed = drawn.sums(np.asarray(_missed(scores, drawn.targets).any(axis=1, keepdims=True)))[0]
    return _ratio(drawn.all - missed, drawn.all)


def balanced_accuracy(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Mean over the classes that occur of the share of their weight that is found; as `accuracy`."""
    missed = drawn.sums(_missed(scores, drawn.targets))
    return _macro(_ratio(drawn.of_class - missed, drawn.of_class))


def macro_f1(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Unweighted mean of F1 over the classes that are there or predicted; as `accuracy`."""
    missed, false = _errors(scores, drawn)
    return _macro(_f1(drawn.present, missed, false))


def macro_precision(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Mean over the classes that are predicted of the share of that weight that is right; as `accuracy`."""
    missed, false = _errors(scores, drawn)
    found = drawn.present - missed
    return _macro(_ratio(found, found + false))


def macro_recall(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Mean over the classes that are there of the share of their weight that is found; as `accuracy`."""
    missed, _ = _errors(scores, drawn)
    return _macro(_ratio(drawn.present - missed, drawn.present))


def two_class_macro_f1(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Mean over classes of the mean of the F1 of a class and the F1 of its absence; as `accuracy`."""
    missed, false = _errors(scores, drawn)
    return _macro(_macro(np.stack([_f1(drawn.present, missed, false), _f1(drawn.absent, false, missed)])))


def roc_auc(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Unweighted mean of the area under the ROC curve of each class against the rest; as `accuracy`."""
    return _over_classes(_roc_auc, scores, drawn)


def pr_auc(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Unweighted mean of the average precision of each class against the rest; as `accuracy`."""
    return _over_classes(_average_precision, scores, drawn)


def ece(scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Distance of scores from how often they are right, in bins, mean over classes; as `accuracy`."""
    from scipy.sparse import csr_array

    bins, gaps, known = confidences(scores, drawn.targets)
    n_clips, n_columns = gaps.shape
    clips, columns = np.nonzero(known)
    places = (columns * N_BINS + bins[clips, columns], clips)
    sums = csr_array((gaps[clips, columns], places), shape=(n_columns * N_BINS, n_clips)) @ drawn.weights
    off = np.abs(sums).reshape(n_columns, N_BINS, -1).sum(axis=1)
    return _macro(_ratio(off, drawn.sums(known)))


def _roc_auc(positives: ValueArray, negatives: ValueArray) -> ValueArray:
    """Share of pairs in which the positive is above the negative, equals counted half (Mann, Whitney 1947)."""
    at_or_below = np.cumsum(negatives, axis=0)
    wins = (positives * (at_or_below[:-1:2] + 0.5 * negatives[1::2])).sum(axis=0)
    return _ratio(wins, positives.sum(axis=0) * at_or_below[-1])


def _average_precision(positives: ValueArray, negatives: ValueArray) -> ValueArray:
    """Sum of precision times the gain in recall, from the highest score downwards, equals together."""
    hits = np.cumsum(positives[::-1], axis=0)[::-1]
    false = np.cumsum(negatives[::-1], axis=0)[::-1]
    precision = _ratio(hits, hits + false[1::2], 0.0)  # where nothing is that high, no recall is gained either
    there = (hits[0] > 0) & (false[0] > 0)
    return np.where(there, _ratio((precision * positives).sum(axis=0), hits[0]), np.nan)


def _over_classes(area: Callable[[ValueArray, ValueArray], ValueArray], scores: FloatArray, drawn: Drawn) -> ValueArray:
    """Macro mean of an area that is computed from the weights at and between the scores of positives.

    An area needs only these sums: the weight of positives at each score that a positive has (n_levels), and the
    weight of negatives below the first, at it, between it and the next, … (2 · n_levels + 1).
    """
    from scipy.sparse import csr_array

    targets, weights = drawn.targets, drawn.weights
    values = np.full((scores.shape[1], weights.shape[1]), np.nan)
    for k in range(scores.shape[1]):
        known = np.flatnonzero(targets.known[:, k])
        positive = targets.value[known, k] >= 0.5
        score = scores[known, k]
        if positive.all() or not positive.any():
            continue
        levels, level = np.unique(score[positive], return_inverse=True)
        place = np.searchsorted(levels, score[~positive], "left") + np.searchsorted(levels, score[~positive], "right")
        sums = []
        for rows, clips, n_rows in (
            (level, known[positive], len(levels)),
            (place, known[~positive], 2 * len(levels) + 1),
        ):
            ones = np.ones(len(clips), dtype=weights.dtype)
            marks = csr_array((ones, (rows, clips)), shape=(n_rows, len(scores)))
            sums.append(np.asarray(marks @ weights, dtype=np.float64))
        values[k] = area(*sums)
    return _macro(values)


def _true(targets: Targets) -> BoolArray:
    """The class of each clip of a single-label task, one hot."""
    return np.asarray(np.argmax(targets.value, axis=1)[:, None] == np.arange(targets.value.shape[1]))


def _missed(scores: FloatArray, targets: Targets) -> BoolArray:
    return _true(targets) & ~chosen(scores, targets)


def _errors(scores: FloatArray, drawn: Drawn) -> tuple[ValueArray, ValueArray]:
    """Weight of the clips of a class that it is not predicted for, and of the others that it is predicted for."""
    true, picked, known = drawn.targets.value >= 0.5, chosen(scores, drawn.targets), drawn.targets.known
    return drawn.sums(true & ~picked & known), drawn.sums(picked & ~true & known)


def _f1(there: ValueArray, missed: ValueArray, false: ValueArray) -> ValueArray:
    found = there - missed
    return _ratio(2 * found, there + found + false)


def _ratio(above: ValueArray, below: ValueArray, undefined: float = np.nan) -> ValueArray:
    return np.divide(above, below, out=np.full(np.shape(below), undefined), where=below > 0)


def _macro(values: ValueArray) -> ValueArray:
    """Mean over the first axis of what is defined."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))


WEIGHTED: Mapping[str, Callable[[FloatArray, Drawn], ValueArray]] = {
    "accuracy": accuracy,
    "balanced-accuracy": balanced_accuracy,
    "two-class-macro-f1": two_class_macro_f1,
    "macro-f1": macro_f1,
    "macro-precision": macro_precision,
    "macro-recall": macro_recall,
    "roc-auc": roc_auc,
    "pr-auc": pr_auc,
    "ece": ece,
}
"""By the names of `mirbench.metrics.METRICS`: every metric of classes that is one number."""
