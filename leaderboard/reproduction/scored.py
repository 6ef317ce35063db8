"""Numbers of ours that scores give: metrics of test, of a class, of the best seed, their box plots and differences."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mirbench import metrics
from mirbench.leaderboard import statistics
from mirbench.leaderboard.reproduction.answers import (
    NORMAL,
    Answer,
    Measured,
    Seeds,
    Unanswered,
    around,
    defined,
    system_of,
)
from mirbench.leaderboard.results import Stack
from mirbench.leaderboard.table import over_folds
from mirbench.types import Targets

__all__ = ["SCORED", "box_of", "correlation", "gain"]

ValueArray = npt.NDArray[np.float64]

_MEDIAN = float(np.sqrt(np.pi / 2))  # its standard error by that of a mean, of many normal draws
_REPLICATES, _SEED = 1000, 20221


# Metrics of test


def _metric(answer: Answer, name: str) -> Measured:
    system = system_of(answer)
    if name not in system.record.metrics:
        raise Unanswered(f"{name} is no metric of {system.record.spec.task}")
    return _estimate(name, system.stack, defined([seed[name] for seed in over_folds(system, (name,))]))


def _estimate(name: str, stack: Stack, values: Sequence[float]) -> Measured:
    """Mean over seeds of a metric, with its interval."""
    found = statistics.interval(name, stack.scores, stack.targets, stack.groups, stack.folds)
    low, high = (found.low, found.high) if found else (None, None)
    n_seeds, n_clips = len(stack.seeds), len(stack.clip_ids)
    return Measured(float(np.mean(values)), low, high, n_seeds=n_seeds, n_clips=n_clips, seeds=Seeds.of(values))


def _error(answer: Answer) -> Measured:
    found = _metric(answer, "accuracy")
    low, high = (None if end is None else 1 - end for end in (found.high, found.low))
    return replace(found, value=1 - found.value, low=low, high=high)


def _box(answer: Answer, part: str, name: str) -> Measured:
    """A part of the box that matplotlib draws of the seeds; the interval of a median is that of the mean, moved."""
    found = _metric(answer, name)
    values = defined([seed[name] for seed in over_folds(system_of(answer), (name,))])
    value = box_of(values)[part]
    if part == "median":
        moved = value - found.value
        low, high = (None if end is None else end + moved for end in (found.low, found.high))
        return replace(found, value=value, low=low, high=high, seeds=Seeds.of(values, _MEDIAN))
    return replace(found, value=value, low=None, high=None, seeds=None, kind="shown")


def box_of(values: Sequence[float]) -> dict[str, float]:
    """The parts of the box that matplotlib draws of some values; "outlier" is the first, or nan."""
    from matplotlib.cbook import boxplot_stats

    (drawn,) = boxplot_stats(np.asarray(values, dtype=np.float64))
    names = {"median": "med", "lower-quartile": "q1", "upper-quartile": "q3", "lower-whisker": "whislo",
             "upper-whisker": "whishi"}  # fmt: skip
    outliers = drawn["fliers"]
    parts = {part: float(drawn[name]) for part, name in names.items()}
    return {**parts, "outlier": float(outliers[0]) if len(outliers) else float("nan")}


def _best_seed(answer: Answer, name: str) -> Measured:
    """The best of the seeds; its interval is over clips alone, what it varies by that of the largest of as many."""
    values = defined([seed[name] for seed in over_folds(system_of(answer), (name,))])
    stack, best = system_of(answer).stack, int(np.argmax(values))
    alone = replace(stack, scores=stack.scores[best : best + 1], seeds=stack.seeds[best : best + 1])
    found = _estimate(name, alone, values[best : best + 1])
    own = Seeds.of(values)
    if own.error is not None:
        largest = own.of_one * _of_largest(len(values))
        own = replace(own, error=largest, of_one=largest, averaged=False)
    return replace(found, n_seeds=len(values), seeds=own)


@functools.cache
def _of_largest(n: int) -> float:
    """Standard deviation of the largest of n draws from a normal distribution of deviation 1."""
    from scipy.integrate import quad
    from scipy.stats import norm

    def moment(power: int) -> float:
        return float(quad(lambda x: x**power * n * norm.pdf(x) * norm.cdf(x) ** (n - 1), -9, 9)[0])

    return float(np.sqrt(moment(2) - moment(1) ** 2))


def _loss(answer: Answer) -> Measured:
    """Cross entropy on test."""
    stack = system_of(answer).stack
    if stack.targets.kind != "single-label":
        raise Unanswered("the loss of a multi-label task is not compared")
    true = stack.targets.value.argmax(axis=1)
    losses = -np.log(np.clip(stack.scores[:, np.arange(len(true)), true].astype(np.float64), 1e-12, 1.0))
    variance = losses.mean(axis=0).var(ddof=1) / len(true) + _seed_variance(losses.mean(axis=1))
    found = around(float(losses.mean()), variance, n_seeds=len(losses), n_clips=len(true))
    return replace(found, seeds=Seeds.of(losses.mean(axis=1).tolist()))


def _seed_variance(values: ValueArray) -> float:
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


# Metrics of a class


def _column(answer: Answer, name: str, *, absent: bool = False) -> Stack:
    """The clips of which it is known whether a class is there, as a task of that class, or of its absence, alone."""
    system = system_of(answer)
    classes, stack = list(system.record.classes), system.stack
    if name not in classes or stack.targets.kind != "multi-label":
        raise Unanswered(f"{system.record.spec.task} has no class {name} of its own threshold")
    k = classes.index(name)
    rows = np.flatnonzero(stack.targets.known[:, k])
    if not len(rows):
        raise Unanswered(f"{name} is judged on no clip")
    value, scores = stack.targets.value[rows, k, None], stack.scores[:, rows, k, None]
    if absent:
        value, scores = (value < 0.5).astype(np.float32), (scores < 0.5).astype(np.float32)
    targets = Targets(value, np.ones((len(rows), 1), dtype=np.bool_), "multi-label")
    return Stack(
        stack.clip_ids[rows], stack.groups[rows], stack.folds[rows], stack.hashes[rows], targets, stack.seeds, scores
    )


def _of_class(answer: Answer, metric: str, name: str) -> Measured:
    absent = metric == "absent-f1"
    stack = _column(answer, name, absent=absent)
    macro = {"two-class-f1": "two-class-macro-f1", "f1": "macro-f1", "absent-f1": "macro-f1"}.get(metric, metric)
    function = metrics.METRICS[macro].function
    return _estimate(macro, stack, defined([float(function(layer, stack.targets)) for layer in stack.scores]))


def _weighted_f1(answer: Answer, name: str) -> Measured:
    """F1 of presence and absence, weighted by how many clips have which: of a class, or the mean over classes."""
    stack = _column(answer, name) if name else system_of(answer).stack
    n_clips, rng = len(stack.clip_ids), np.random.default_rng(_SEED)
    weights = rng.multinomial(n_clips, np.full(n_clips, 1 / n_clips), size=_REPLICATES).astype(np.float64)
    whole = np.ones((1, n_clips))
    values = [_weighted(layer >= 0.5, stack.targets, whole)[0] for layer in stack.scores]
    drawn = np.mean([_weighted(layer >= 0.5, stack.targets, weights) for layer in stack.scores], axis=0)
    variance = float(np.nanvar(drawn, ddof=1)) + _seed_variance(np.array(values))
    found = around(float(np.mean(values)), variance, n_seeds=len(values), n_clips=n_clips)
    return replace(
        found,
        low=max(found.low or 0.0, 0.0),
        high=min(found.high or 1.0, 1.0),
        seeds=Seeds.of(list(map(float, values))),
    )


def _weighted(chosen: npt.NDArray[np.bool_], targets: Targets, weights: ValueArray) -> ValueArray:
    """Shape (n_weightings,): mean over classes of the weighted mean of the two F1."""
    true, known = targets.value >= 0.5, targets.known
    total, mass = np.zeros((len(weights), known.shape[1])), weights @ known
    for there, said in ((true, chosen), (~true, ~chosen)):
        size, hits = weights @ (there & known), weights @ (there & said & known)
        both = size + weights @ (said & known)
        total += size * np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)
    share = np.divide(total, mass, out=np.full_like(mass, np.nan), where=mass > 0)
    return np.asarray(np.nanmean(share, axis=1))


def gain(answer: Answer, row: str, quantity: str, others: Mapping[str, Sequence[Answer]]) -> Measured:
    """A quantity less that of another row's first answer, on the same clips."""
    other = next((a for a in others.get(row, ()) if a.systems), None)
    if other is None:
        raise Unanswered(f"nothing of {row} is on record")
    if found := re.fullmatch(r"two-class-f1-per-class\[(.+)\]", quantity):
        metric, (a, b) = "two-class-macro-f1", (_column(one, found[1]) for one in (answer, other))
    else:
        metric, (a, b) = quantity, (system_of(one).stack for one in (answer, other))
    if not np.array_equal(a.hashes, b.hashes):
        raise Unanswered(f"{row} was tested on other clips")
    change = statistics.difference(metric, a.scores, b.scores, a.targets, a.groups, a.folds)
    if change is None:
        raise Unanswered("undefined on these clips")
    values = [_of_each_seed(one, quantity, metric, stack) for one, stack in ((answer, a), (other, b))]
    return Measured(
        change.value, change.low, change.high, n_seeds=len(a.seeds), n_clips=change.n_clips,
        seeds=Seeds.of(values[0]).less(Seeds.of(values[1])),
    )  # fmt: skip


def _of_each_seed(answer: Answer, quantity: str, metric: str, stack: Stack) -> list[float]:
    """A metric of test, or of one class, of each seed."""
    if quantity != metric:
        function = metrics.METRICS[metric].function
        return defined([float(function(layer, stack.targets)) for layer in stack.scores])
    return defined([seed[metric] for seed in over_folds(system_of(answer), (metric,))])


def correlation(answer: Answer, row: str, others: Mapping[str, Sequence[Answer]]) -> Measured:
    """Of all clips that have a class, which another row's answer counts, and its two-class F1 on test.

    Its interval is Fisher's, over classes; over seeds it is the mean of what each gives.
    """
    system = system_of(answer)
    counted = next((a for a in others.get(row, ()) if a.data is not None), None)
    if counted is None or counted.data is None:
        raise Unanswered(next((a.reason for a in others.get(row, ()) if a.reason), f"nothing of {row} was counted"))
    of_class = counted.data["classes"]
    if lacking := [name for name in system.record.classes if name not in of_class]:
        raise Unanswered(f"{row} has no class {lacking[0]}")
    parts = ("train", "valid", "test")
    n_present = [float(sum(of_class[name][part] for part in parts)) for name in system.record.classes]
    columns = [_column(answer, name) for name in system.record.classes]
    f1 = np.array([[metrics.two_class_macro_f1(layer, c.targets) for layer in c.scores] for c in columns])
    if len(f1) < 4 or not np.all(np.std(f1, axis=0)) or not np.std(n_present):
        raise Unanswered("undefined on these clips")
    each = [float(np.corrcoef(n_present, of_seed)[0, 1]) for of_seed in f1.T]
    r = float(np.corrcoef(n_present, f1.mean(axis=1))[0, 1])
    half = NORMAL / np.sqrt(len(f1) - 3)
    low, high = (float(np.tanh(np.arctanh(r) + side)) for side in (-half, half))
    n_clips = len(system.stack.clip_ids)
    return Measured(r, low, high, n_seeds=len(system.seeds), n_clips=n_clips, seeds=Seeds.of(each))


SCORED: Mapping[str, Callable[..., Measured]] = {
    r"error": _error,
    r"loss": _loss,
    r"weighted-f1": lambda answer: _weighted_f1(answer, ""),
    r"(median|lower-quartile|upper-quartile|lower-whisker|upper-whisker|outlier)\[(.+)\]": _box,
    r"best-seed\[(.+)\]": _best_seed,
    r"(two-class-f1|f1|absent-f1|roc-auc|pr-auc)-per-class\[(.+)\]": _of_class,
    r"weighted-f1-per-class\[(.+)\]": _weighted_f1,
    f"({'|'.join(name for name, metric in metrics.METRICS.items() if metric.kind == 'value')})": _metric,
}
"""Functions of an answer and the groups of the pattern that a quantity matches."""
