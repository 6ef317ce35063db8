"""Scores of predictions: pure functions and the table `METRICS`.

Conventions
-----------
Every function takes ``scores`` (float, shape (n_clips, n_classes), each in [0, 1]) and ``targets`` (`Targets` of the
same shape). Entries that are not ``known`` count nowhere; in a single-label task all are known. What a single-label
task predicts is the class of the largest score, the first of equals; what a multi-label task predicts is every class
scored 0.5 or more. A value that the data do not define (the AUC of a class without positives, the F1 of a class that
is neither there nor predicted) is NaN; a macro mean runs over the classes that are defined, and `n_scored` says how
many those are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mirbench.types import BoolArray, FloatArray, IntArray, Targets

__all__ = [
    "ADDED", "METRICS", "N_BINS", "SINGLE_LABEL", "TAGGING", "Metric", "confidences", "evaluate", "n_scored",
    "validate",
]  # fmt: skip

ValueArray = npt.NDArray[np.float64]

N_BINS = 15
"""Of equal width, in which calibration is measured, as in Guo et al. (2017)."""


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    Parameters
    ----------
    name : str
        Kebab-case.
    kind : {"value", "per-class", "matrix"}
        Shape of the result.
    task_kinds : tuple of str
        Kinds of task that it is defined for.
    function : callable
        ``function(scores, targets)`` with scores (n_clips, n_classes) in [0, 1]. An undefined value is NaN inside
        arrays and becomes null in records.
    over_folds : {"pool", "average"}
        Whether it is taken once on the predictions of all folds together, or averaged over folds.
    per_class : str
        Name of the metric that holds its values class by class, or "".
    reference : str
        Where it is defined: a function of scikit-learn, or a publication.
    higher_is_better : bool
        Whether a search takes the largest value or the smallest.
    """

    name: str
    kind: Literal["value", "per-class", "matrix"]
    task_kinds: tuple[str, ...]
    function: Callable[[FloatArray, Targets], Any]
    reference: str
    over_folds: Literal["pool", "average"] = "pool"
    per_class: str = ""
    higher_is_better: bool = True


def validate(scores: FloatArray, targets: Targets, n_clips: int, n_classes: int) -> None:
    """Refuse scores that cannot be probabilities of these clips.

    Raises
    ------
    ValueError
        On a wrong shape, a value that is not finite, or one outside [0, 1].
    """
    if scores.shape != (n_clips, n_classes):
        raise ValueError(f"predictions have shape {scores.shape}; {(n_clips, n_classes)} = (clips, classes) is needed")
    if targets.value.shape != scores.shape:
        raise ValueError(f"targets have shape {targets.value.shape}, scores {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} of {scores.size} predictions are not finite")
    if scores.min(initial=0) < -1e-6 or scores.max(initial=0) > 1 + 1e-6:
        raise ValueError(
            f"predictions run from {scores.min():.3g} to {scores.max():.3g}; probabilities in [0, 1] are needed "
            "(did you return logits?)"
        )


def predicted(scores: FloatArray) -> npt.NDArray[np.intp]:
    """Class of the largest score, the first of equals, shape (n_clips,)."""
    return np.argmax(scores, axis=1)


def confusion(scores: FloatArray, targets: Targets) -> npt.NDArray[np.int64]:
    """Confusion matrix: rows are true classes, columns predicted ones."""
    n_classes = scores.shape[1]
    matrix = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(matrix, (np.argmax(targets.value, axis=1), predicted(scores)), 1)
    return matrix


def accuracy(scores: FloatArray, targets: Targets) -> float:
    """Share of clips whose predicted class is the true one."""
    if len(scores) == 0:
        return float("nan")
    return float(np.mean(predicted(scores) == np.argmax(targets.value, axis=1)))


def balanced_accuracy(scores: FloatArray, targets: Targets) -> float:
    """Mean over the classes that occur of the share of their clips that is found."""
    matrix = confusion(scores, targets)
    support = matrix.sum(axis=1)
    recall = np.divide(np.diag(matrix), support, out=np.full(len(support), np.nan), where=support > 0)
    return _mean(recall)


def f1_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """F1 of each class, shape (n_classes,); NaN for a class that is neither there nor predicted."""
    return _f1(targets.value >= 0.5, _chosen(scores, targets), targets.known)


def macro_f1(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `f1_per_class` over the classes that are there or predicted."""
    return _mean(f1_per_class(scores, targets))


def precision_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Of the clips that a class is predicted for, the share that it is in, (n_classes,); NaN where there is none."""
    true, chosen = targets.value >= 0.5, _chosen(scores, targets)
    return _share(true & chosen & targets.known, chosen & targets.known)


def macro_precision(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `precision_per_class` over the classes that are predicted."""
    return _mean(precision_per_class(scores, targets))


def recall_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Of the clips that a class is in, the share that it is predicted for, (n_classes,); NaN where there is none."""
    true, chosen = targets.value >= 0.5, _chosen(scores, targets)
    return _share(true & chosen & targets.known, true & targets.known)


def macro_recall(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `recall_per_class` over the classes that are there."""
    return _mean(recall_per_class(scores, targets))


def two_class_f1_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Mean of the F1 of a class and the F1 of its absence, over the clips where it is known, shape (n_classes,).

    It is the "macro avg" of scikit-learn's classification report of that class, and what chen2022 calls F1; far above
    `f1_per_class` for rare classes. NaN for a class that is known nowhere.
    """
    present = f1_per_class(scores, targets)
    absent = _f1(targets.value < 0.5, ~_chosen(scores, targets), targets.known)
    defined = ~np.isnan(np.stack([present, absent]))
    total = np.where(defined, [present, absent], 0.0).sum(axis=0)
    count = defined.sum(axis=0)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def two_class_macro_f1(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `two_class_f1_per_class`."""
    return _mean(two_class_f1_per_class(scores, targets))


def roc_auc_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Area under the ROC curve of each class against the rest; NaN where a class has no positive or no negative.

    Raises
    ------
    ValueError
        If a score that counts is not finite.
    """
    return _per_class(_roc_area, scores, targets)


def roc_auc(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `roc_auc_per_class`."""
    return _mean(roc_auc_per_class(scores, targets))


def pr_auc_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Average precision of each class against the rest; NaN where a class has no positive or no negative.

    Raises
    ------
    ValueError
        If a score that counts is not finite.
    """
    return _per_class(_average_precision, scores, targets)


def pr_auc(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `pr_auc_per_class`."""
    return _mean(pr_auc_per_class(scores, targets))


def confidences(scores: FloatArray, targets: Targets) -> tuple[IntArray, ValueArray, BoolArray]:
    """What calibration is measured by: how sure each answer was, to a fifteenth, and by how much that was wrong.

    Returns
    -------
    bins : ndarray of int, shape (n_clips, n_columns)
        Of `N_BINS` of equal width, which hold their upper edge; one column for the class that is predicted of a
        single-label task, else a column a class.
    gaps : ndarray, shape (n_clips, n_columns)
        1 where the answer was right, or the class is present, else 0; less the score.
    known : ndarray of bool, shape (n_clips, n_columns)
        What counts.
    """
    held = scores.astype(np.float64)
    present = targets.value >= 0.5
    if targets.kind == "single-label":
        top = predicted(scores)[:, None]
        held, present = np.take_along_axis(held, top, axis=1), np.take_along_axis(present, top, axis=1)
    known = targets.known if targets.kind == "multi-label" else np.ones(held.shape, dtype=np.bool_)
    bins = np.searchsorted(np.linspace(0.0, 1.0, N_BINS + 1)[1:-1], held, side="left")
    return bins.astype(np.int64), present - held, known


def ece(scores: FloatArray, targets: Targets) -> float:
    """Expected calibration error: mean distance of scores from how often they are right, in 15 bins of equal width.

    In each bin the share of right answers less the mean score, its absolute value weighted by the bin's number of
    clips. Of a single-label task the class that is predicted is asked; of a multi-label task each class by itself,
    where it is known, and the mean over classes is taken. A lower value is better.
    """
    bins, gaps, known = confidences(scores, targets)
    values = np.full(gaps.shape[1], np.nan)
    for k in range(len(values)):
        rows = known[:, k]
        if rows.any():
            values[k] = np.abs(np.bincount(bins[rows, k], gaps[rows, k], N_BINS)).sum() / rows.sum()
    return _mean(values)


def _f1(true: BoolArray, chosen: BoolArray, known: BoolArray) -> ValueArray:
    hit = (true & chosen & known).sum(axis=0)
    total = (true & known).sum(axis=0) + (chosen & known).sum(axis=0)
    return np.divide(2.0 * hit, total, out=np.full(len(hit), np.nan), where=total > 0)


def _share(part: BoolArray, whole: BoolArray) -> ValueArray:
    total = whole.sum(axis=0)
    return np.divide(part.sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)


def _chosen(scores: FloatArray, targets: Targets) -> BoolArray:
    if targets.kind == "multi-label":
        return scores >= 0.5
    chosen = np.zeros(scores.shape, dtype=np.bool_)
    chosen[np.arange(len(scores)), predicted(scores)] = True
    return chosen


_Area = Callable[[IntArray, IntArray], ValueArray]
_AT_ONCE = 2**20  # entries of a table of scores whose curves are drawn together: some 60 MB


def _per_class(area: _Area, scores: FloatArray, targets: Targets) -> ValueArray:
    """An area under a curve of each class, shape (n_classes,).

    Parameters
    ----------
    area : callable
        ``area(hits, alarms)`` of whole numbers, each (n_classes, n_clips): of the clips that score as high as the
        first, second, … from the top, how many are positives and how many negatives. Of equal scores the last counts
        all, and the others nothing.
    """
    n_clips, n_classes = scores.shape
    values = np.full(n_classes, np.nan)
    if n_clips == 0:
        return values
    step = max(1, _AT_ONCE // n_clips)
    for classes in (slice(first, first + step) for first in range(0, n_classes, step)):
        score, known = scores[:, classes].T, targets.known[:, classes].T
        present = targets.value[:, classes].T >= 0.5
        positive, negative = known & present, known & ~present
        defined = positive.any(axis=1) & negative.any(axis=1)
        if strange := int((~np.isfinite(score) & known)[defined].sum()):
            raise ValueError(f"{strange} of {scores.size} scores are not finite")
        ranked = np.where(known, score, -np.inf)  # what nobody judged comes last: it does not even move a rounding
        order = np.argsort(ranked, axis=1)[:, ::-1]
        sorted_score = np.take_along_axis(ranked, order, axis=1)
        last = np.ones(score.shape, dtype=np.bool_)
        last[:, :-1] = sorted_score[:, :-1] != sorted_score[:, 1:]
        hits, alarms = (
            np.maximum.accumulate(np.cumsum(np.take_along_axis(each, order, axis=1), axis=1) * last, axis=1)
            for each in (positive, negative)
        )
        values[classes] = np.where(defined, area(hits, alarms), np.nan)
    return values


def _roc_area(hits: IntArray, alarms: IntArray) -> ValueArray:
    """Share of pairs in which the positive is above the negative, equals counted half (Mann, Whitney 1947); exact."""
    twice = ((alarms - _before(alarms)) * (hits + _before(hits))).sum(axis=1)
    return twice / np.maximum(2 * hits[:, -1] * alarms[:, -1], 1)


def _average_precision(hits: IntArray, alarms: IntArray) -> ValueArray:
    """Sum of precision times the gain in recall."""
    precision = hits / np.maximum(hits + alarms, 1)
    total: ValueArray = (precision * (hits - _before(hits))).sum(axis=1)
    return total / np.maximum(hits[:, -1], 1)


def _before(counts: IntArray) -> IntArray:
    return np.pad(counts[:, :-1], ((0, 0), (1, 0)))


def _mean(values: ValueArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


_SINGLE, _MULTI = ("single-label",), ("multi-label",)
_BOTH = _SINGLE + _MULTI
_FAWCETT = "Fawcett (2006), An introduction to ROC analysis"
_SKLEARN = "sklearn.metrics"

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "value", _SINGLE, accuracy, f"{_SKLEARN}.accuracy_score"),
        Metric("balanced-accuracy", "value", _SINGLE, balanced_accuracy, f"{_SKLEARN}.balanced_accuracy_score"),
        Metric(
            "two-class-macro-f1", "value", _MULTI, two_class_macro_f1,
            "Chen, Lerch (2022); 'macro avg' of sklearn.metrics.classification_report, averaged over classes",
            per_class="two-class-f1-per-class",
        ),
        Metric(
            "macro-f1", "value", _BOTH, macro_f1, f"{_SKLEARN}.f1_score(average='macro')", per_class="f1-per-class"
        ),
        Metric(
            "roc-auc", "value", _BOTH, roc_auc, f"{_FAWCETT}; one against the rest, macro", "average",
            "roc-auc-per-class",
        ),
        Metric(
            "pr-auc", "value", _BOTH, pr_auc, f"{_SKLEARN}.average_precision_score, macro", "average",
            "pr-auc-per-class",
        ),
        Metric(
            "two-class-f1-per-class", "per-class", _MULTI, two_class_f1_per_class,
            "'macro avg' of sklearn.metrics.classification_report",
        ),
        Metric("f1-per-class", "per-class", _BOTH, f1_per_class, f"{_SKLEARN}.f1_score(average=None)"),
        Metric("roc-auc-per-class", "per-class", _BOTH, roc_auc_per_class, _FAWCETT, "average"),
        Metric(
            "pr-auc-per-class", "per-class", _BOTH, pr_auc_per_class, f"{_SKLEARN}.average_precision_score", "average"
        ),
        Metric(
            "macro-precision", "value", _BOTH, macro_precision, f"{_SKLEARN}.precision_score(average='macro')",
            per_class="precision-per-class",
        ),
        Metric(
            "macro-recall", "value", _BOTH, macro_recall, f"{_SKLEARN}.recall_score(average='macro')",
            per_class="recall-per-class",
        ),
        Metric(
            "precision-per-class", "per-class", _BOTH, precision_per_class, f"{_SKLEARN}.precision_score(average=None)"
        ),
        Metric("recall-per-class", "per-class", _BOTH, recall_per_class, f"{_SKLEARN}.recall_score(average=None)"),
        Metric(
            "ece", "value", _BOTH, ece,
            "Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, arXiv:1706.04599",
            higher_is_better=False,
        ),
        Metric("confusion", "matrix", _SINGLE, confusion, f"{_SKLEARN}.confusion_matrix"),
    )
}  # fmt: skip

ADDED = ("macro-precision", "macro-recall", "precision-per-class", "recall-per-class", "ece")
"""What came after version 0.4.0, the last of them after 0.5.0: records of before lack it, and may."""

SINGLE_LABEL = (
    "accuracy", "balanced-accuracy", "macro-f1", "roc-auc", "pr-auc", "f1-per-class", "roc-auc-per-class",
    "pr-auc-per-class", "confusion", "macro-precision", "macro-recall", "precision-per-class", "recall-per-class",
    "ece",
)  # fmt: skip
"""What a single-label task reports; accuracy selects."""

TAGGING = (
    "roc-auc", "pr-auc", "macro-f1", "roc-auc-per-class", "pr-auc-per-class", "f1-per-class", "macro-precision",
    "macro-recall", "precision-per-class", "recall-per-class", "ece",
)  # fmt: skip
"""What a tagging task reports; the ROC-AUC selects."""


def evaluate(names: tuple[str, ...], scores: FloatArray, targets: Targets) -> dict[str, Any]:
    """The named metrics as plain numbers and lists, undefined values as None.

    A mean over classes is taken of the values class by class, where both are asked for.
    """
    parts = {METRICS[name].per_class for name in names} & set(names)
    found = {name: METRICS[name].function(scores, targets) for name in names if METRICS[name].per_class not in parts}
    return {name: _plain(found[name] if name in found else _mean(found[METRICS[name].per_class])) for name in names}


def n_scored(metrics: Mapping[str, Any]) -> dict[str, int]:
    """How many classes each macro metric runs over, from the per-class values beside it."""
    return {
        name: sum(value is not None for value in metrics[METRICS[name].per_class])
        for name in metrics
        if name in METRICS and METRICS[name].per_class in metrics
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()] if value.ndim else _plain(value.item())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
