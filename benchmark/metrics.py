"""Scores of predictions: pure functions and the table `METRICS`.

Conventions
-----------
Every function takes ``scores`` (float, shape (n_clips, n_classes), each in [0, 1]) and ``targets`` (`Targets` of the
same shape). Entries that are not ``known`` count nowhere; in a single-label task all are known. What a single-label
task predicts is the class of the largest score, the first of equals; what a multi-label task predicts is every class
scored 0.5 or more. In a regression task classes are targets, and scores are where in its range each is predicted to be
(see `mirbench.told_values`). A value that the data do not define (the AUC of a class without positives, the F1 of a
class that is neither there nor predicted) is NaN; a macro mean runs over the classes that are defined, and `n_scored`
says how many those are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mirbench.areas import defined_mean, pr_auc, pr_auc_per_class, roc_auc, roc_auc_per_class
from mirbench.told_values import (
    ccc,
    ccc_per_class,
    mae,
    mae_per_class,
    pearson,
    pearson_per_class,
    r2,
    r2_per_class,
    rmse,
    rmse_per_class,
    tempo_accuracy_1,
    tempo_accuracy_1_per_class,
    tempo_accuracy_2,
    tempo_accuracy_2_per_class,
)
from mirbench.types import BoolArray, FloatArray, IntArray, Targets

__all__ = [
    "ADDED", "METRICS", "N_BINS", "REGRESSION", "SINGLE_LABEL", "TAGGING", "TEMPO", "Metric", "confidences", "evaluate",
    "n_scored", "validate",
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
    bounds : tuple of (float, float)
        The lowest and the highest value that it can have.
    """

    name: str
    kind: Literal["value", "per-class", "matrix"]
    task_kinds: tuple[str, ...]
    function: Callable[[FloatArray, Targets], Any]
    reference: str
    over_folds: Literal["pool", "average"] = "pool"
    per_class: str = ""
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)


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
    return defined_mean(recall)


def f1_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """F1 of each class, shape (n_classes,); NaN for a class that is neither there nor predicted."""
    return _f1(targets.value >= 0.5, _chosen(scores, targets), targets.known)


def macro_f1(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `f1_per_class` over the classes that are there or predicted."""
    return defined_mean(f1_per_class(scores, targets))


def precision_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Of the clips that a class is predicted for, the share that it is in, (n_classes,); NaN where there is none."""
    true, chosen = targets.value >= 0.5, _chosen(scores, targets)
    return _share(true & chosen & targets.known, chosen & targets.known)


def macro_precision(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `precision_per_class` over the classes that are predicted."""
    return defined_mean(precision_per_class(scores, targets))


def recall_per_class(scores: FloatArray, targets: Targets) -> ValueArray:
    """Of the clips that a class is in, the share that it is predicted for, (n_classes,); NaN where there is none."""
    true, chosen = targets.value >= 0.5, _chosen(scores, targets)
    return _share(true & chosen & targets.known, true & targets.known)


def macro_recall(scores: FloatArray, targets: Targets) -> float:
    """Unweighted mean of `recall_per_class` over the classes that are there."""
    return defined_mean(recall_per_class(scores, targets))


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
    return defined_mean(two_class_f1_per_class(scores, targets))


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
    return defined_mean(values)


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


_SINGLE, _MULTI = ("single-label",), ("multi-label",)
_BOTH = _SINGLE + _MULTI
_FAWCETT = "Fawcett (2006), An introduction to ROC analysis"
_SKLEARN = "sklearn.metrics"

_VALUES = ("regression",)
_WRIGHT = "Wright (1921), Correlation and causation, J. Agric. Res. 20; sklearn.metrics.r2_score"
_LIN = "Lin (1989), A concordance correlation coefficient to evaluate reproducibility, Biometrics 45"
_GOUYON = "Gouyon et al. (2006), An experimental comparison of audio tempo induction algorithms, IEEE TASLP 14"
_ANY = float("inf")


def _of_values() -> Iterator[Metric]:
    """What is asked of predicted values, each as a mean over targets and target by target."""
    for name, function, per_class, reference, better, bounds in (
        ("tempo-accuracy-1", tempo_accuracy_1, tempo_accuracy_1_per_class, _GOUYON, True, (0.0, 1.0)),
        ("tempo-accuracy-2", tempo_accuracy_2, tempo_accuracy_2_per_class, _GOUYON, True, (0.0, 1.0)),
        ("r2", r2, r2_per_class, _WRIGHT, True, (-_ANY, 1.0)),
        ("ccc", ccc, ccc_per_class, _LIN, True, (-1.0, 1.0)),
        ("pearson", pearson, pearson_per_class, "scipy.stats.pearsonr", True, (-1.0, 1.0)),
        ("rmse", rmse, rmse_per_class, f"{_SKLEARN}.root_mean_squared_error", False, (0.0, _ANY)),
        ("mae", mae, mae_per_class, f"{_SKLEARN}.mean_absolute_error", False, (0.0, _ANY)),
    ):
        each = f"{name}-per-class"
        yield Metric(name, "value", _VALUES, function, reference, "pool", each, better, bounds)
        yield Metric(each, "per-class", _VALUES, per_class, reference, higher_is_better=better, bounds=bounds)


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
        *_of_values(),
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


REGRESSION = (
    "r2", "ccc", "pearson", "rmse", "mae", "r2-per-class", "ccc-per-class", "pearson-per-class", "rmse-per-class",
    "mae-per-class",
)  # fmt: skip
"""What a regression task reports; R² selects."""

IN_UNITS = ("rmse", "mae")
"""Those that are in the unit of a target: a mean over targets of several units is in none."""

TEMPO = (
    "tempo-accuracy-1", "tempo-accuracy-2", *REGRESSION, "tempo-accuracy-1-per-class", "tempo-accuracy-2-per-class",
)  # fmt: skip
"""What a task of tempi in beats a minute reports; Accuracy 1 selects."""


def evaluate(names: tuple[str, ...], scores: FloatArray, targets: Targets) -> dict[str, Any]:
    """The named metrics as plain numbers and lists, undefined values as None.

    A mean over classes is taken of the values class by class, where both are asked for.
    """
    parts = {METRICS[name].per_class for name in names} & set(names)
    found = {name: METRICS[name].function(scores, targets) for name in names if METRICS[name].per_class not in parts}
    return {
        name: _plain(found[name] if name in found else defined_mean(found[METRICS[name].per_class])) for name in names
    }


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
