"""Numbers of ours that scores give: metrics of test, of a class, of the best seed, their box plots and differences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mirbench import metrics
from mirbench.leaderboard import statistics
from mirbench.leaderboard.reproduction.answers import Answer, Measured, Unanswered, around, defined, system_of
from mirbench.leaderboard.results import Stack
from mirbench.leaderboard.table import over_folds
from mirbench.types import Targets

__all__ = ["SCORED", "gain"]

ValueArray = npt.NDArray[np.float64]

_NORMAL = 1.96
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
    return Measured(float(np.mean(values)), low, high, n_seeds=len(stack.seeds), n_clips=len(stack.clip_ids))


def _error(answer: Answer) -> Measured:
    found = _metric(answer, "accuracy")
    low, high = (None if end is None else 1 - end for end in (found.high, found.low))
    return replace(found, value=1 - found.value, low=low, high=high)


def _box(answer: Answer, part: str, name: str) -> Measured:
    """A part of the box that matplotlib draws of the seeds; the interval of a median is that of the mean, moved."""
    found = _metric(answer, name)
    values = np.array(defined([seed[name] for seed in over_folds(system_of(answer), (name,))]))
    lower, median, upper = np.percentile(values, (25, 50, 75))
    inside = values[(values >= lower - 1.5 * (upper - lower)) & (values <= upper + 1.5 * (upper - lower))]
    if part == "median":
        moved = median - found.value
        low, high = (None if end is None else end + moved for end in (found.low, found.high))
        return replace(found, value=float(median), low=low, high=high)
    outside = np.setdiff1d(values, inside)
    parts = {
        "lower-quartile": lower,
        "upper-quartile": upper,
        "lower-whisker": inside.min(),
        "upper-whisker": inside.max(),
    }
    value = parts[part] if part in parts else outside[0] if len(outside) else np.nan
    return replace(found, value=float(value), low=None, high=None, kind="shown")


def _best_seed(answer: Answer, name: str) -> Measured:
    """The best of the seeds; its interval is over clips alone."""
    values = defined([seed[name] for seed in over_folds(system_of(answer), (name,))])
    stack, best = system_of(answer).stack, int(np.argmax(values))
    alone = replace(stack, scores=stack.scores[best : best + 1], seeds=stack.seeds[best : best + 1])
    return replace(_estimate(name, alone, values[best : best + 1]), n_seeds=len(stack.seeds))


def _loss(answer: Answer) -> Measured:
    """Cross entropy on test."""
    stack = system_of(answer).stack
    if stack.targets.kind != "single-label":
        raise Unanswered("the loss of a multi-label task is not compared")
    true = stack.targets.value.argmax(axis=1)
    losses = -np.log(np.clip(stack.scores[:, np.arange(len(true)), true].astype(np.float64), 1e-12, 1.0))
    variance = losses.mean(axis=0).var(ddof=1) / len(true) + _seed_variance(losses.mean(axis=1))
    return around(float(losses.mean()), variance, n_seeds=len(losses), n_clips=len(true))


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
    return replace(found, low=max(found.low or 0.0, 0.0), high=min(found.high or 1.0, 1.0))


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
    return Measured(change.value, change.low, change.high, n_seeds=len(a.seeds), n_clips=change.n_clips)


def _correlation(answer: Answer) -> Measured:
    """Of the clips that have a class, and its two-class F1; Fisher's interval over classes."""
    system = system_of(answer)
    n_present, f1 = [], []
    for name in system.record.classes:
        stack = _column(answer, name)
        n_present.append(float((stack.targets.value >= 0.5).sum()))
        f1.append(float(np.mean([metrics.two_class_macro_f1(layer, stack.targets) for layer in stack.scores])))
    if len(f1) < 4 or not (np.std(f1) and np.std(n_present)):
        raise Unanswered("undefined on these clips")
    r = float(np.corrcoef(n_present, f1)[0, 1])
    half = _NORMAL / np.sqrt(len(f1) - 3)
    low, high = (float(np.tanh(np.arctanh(r) + side)) for side in (-half, half))
    return Measured(r, low, high, n_seeds=len(system.seeds), n_clips=len(system.stack.clip_ids))


SCORED: Mapping[str, Callable[..., Measured]] = {
    r"error": _error,
    r"loss": _loss,
    r"weighted-f1": lambda answer: _weighted_f1(answer, ""),
    r"(median|lower-quartile|upper-quartile|lower-whisker|upper-whisker|outlier)\[(.+)\]": _box,
    r"best-seed\[(.+)\]": _best_seed,
    r"(two-class-f1|f1|absent-f1|roc-auc|pr-auc)-per-class\[(.+)\]": _of_class,
    r"weighted-f1-per-class\[(.+)\]": _weighted_f1,
    r"correlation\[n_present, two-class-f1-per-class\]": _correlation,
    f"({'|'.join(name for name, metric in metrics.METRICS.items() if metric.kind == 'value')})": _metric,
}
"""Functions of an answer and the groups of the pattern that a quantity matches."""
