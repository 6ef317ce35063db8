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

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.types import BoolArray, FloatArray, Metric, Targets

__all__ = ["METRICS", "evaluate", "n_scored", "validate"]

ValueArray = npt.NDArray[np.float64]


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
    positive = targets.value >= 0.5
    chosen = _chosen(scores, targets)
    known = targets.known
    hit = (positive & chosen & known).sum(axis=0)
    total = (positive & known).sum(axis=0) + (chosen & known).sum(axis=0)
    return np.divide(2.0 * hit, total, out=np.full(len(hit), np.nan), where=total > 0)


def macro_f1(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `f1_per_class` over the classes that are there or predicted."""
    return _mean(f1_per_class(scores, targets))


def roc_auc_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Area under the ROC curve of each class against the rest; NaN where a class has no positive or no negative."""
    from sklearn.metrics import roc_auc_score

    return _per_class(roc_auc_score, scores, targets)


def roc_auc(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `roc_auc_per_class`."""
    return _mean(roc_auc_per_class(scores, targets))


def pr_auc_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Average precision of each class against the rest; NaN where a class has no positive or no negative."""
    from sklearn.metrics import average_precision_score

    return _per_class(average_precision_score, scores, targets)


def pr_auc(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `pr_auc_per_class`."""
    return _mean(pr_auc_per_class(scores, targets))


def _chosen(scores: FloatArray, targets: Targets) -> BoolArray:
    if targets.kind == "multi-label":
        return scores >= 0.5
    chosen = np.zeros(scores.shape, dtype=np.bool_)
    chosen[np.arange(len(scores)), predicted(scores)] = True
    return chosen


def _per_class(score: Any, scores: FloatArray, targets: Targets) -> ValueArray:
    values = np.full(scores.shape[1], np.nan)
    for k in range(scores.shape[1]):
        known = targets.known[:, k]
        positive = targets.value[known, k] >= 0.5
        if positive.any() and not positive.all():
            values[k] = score(positive, scores[known, k])
    return values


def _mean(values: ValueArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


_SINGLE, _BOTH = ("single-label",), ("single-label", "multi-label")
_FAWCETT = "Fawcett (2006), An introduction to ROC analysis"

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "value", _SINGLE, accuracy, "sklearn.metrics.accuracy_score"),
        Metric("balanced-accuracy", "value", _SINGLE, balanced_accuracy, "sklearn.metrics.balanced_accuracy_score"),
        Metric("macro-f1", "value", _BOTH, macro_f1, "sklearn.metrics.f1_score(average='macro')"),
        Metric("roc-auc", "value", _BOTH, roc_auc, f"{_FAWCETT}; one against the rest, macro"),
        Metric("pr-auc", "value", _BOTH, pr_auc, "sklearn.metrics.average_precision_score, macro"),
        Metric("f1-per-class", "per-class", _BOTH, f1_per_class, "sklearn.metrics.f1_score(average=None)"),
        Metric("roc-auc-per-class", "per-class", _BOTH, roc_auc_per_class, _FAWCETT),
        Metric("pr-auc-per-class", "per-class", _BOTH, pr_auc_per_class, "sklearn.metrics.average_precision_score"),
        Metric("confusion", "matrix", _SINGLE, confusion, "sklearn.metrics.confusion_matrix"),
    )
}

_MACRO_OF = {"macro-f1": "f1-per-class", "roc-auc": "roc-auc-per-class", "pr-auc": "pr-auc-per-class"}


def evaluate(names: tuple[str, ...], scores: FloatArray, targets: Targets) -> dict[str, Any]:
    """The named metrics as plain numbers and lists, undefined values as None."""
    return {name: _plain(METRICS[name].function(scores, targets)) for name in names}


def n_scored(metrics: Mapping[str, Any]) -> dict[str, int]:
    """How many classes each macro metric runs over, from the per-class values beside it."""
    return {
        macro: sum(value is not None for value in metrics[each])
        for macro, each in _MACRO_OF.items()
        if macro in metrics and each in metrics
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()] if value.ndim else _plain(value.item())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
