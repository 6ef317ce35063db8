"""How sure a table can be: intervals, differences, ranks with ties, and comparisons across tasks.

A number in a table would have been another one with other test clips, and with other training seeds. Everything here
answers: by how much?

**Clips.** The test clips stand for all the music that they might have been. Clips that share a group (an artist, a
recording) go right and wrong together, so it is groups that are drawn, not clips; a clip without a group is its own.

**Seeds.** The seeds that were run stand for all seeds, and the value of a row is their mean. Chance of clips and chance
of seeds add up; what both hold, a clip that one seed gets right and another does not, is counted once (a two-way
analysis of variance: the variance over groups, plus the variance over seeds less their interaction, never below
the variance over groups). Few seeds say little of their own spread: Student's t with Satterthwaite's degrees of
freedom widens the interval. From one seed nothing can be said of others: the method then reads "one seed".

**Intervals** (95 %). Accuracy: Wilson's interval at the number of independent clips that would vary as much. Other
metrics: the same, with the variance of 1,000 bootstrap replicates; a replicate draws groups with replacement (within
each fold, where the metric is averaged over folds), the same ones for all seeds and systems. Metrics of values (R²,
correlations, errors): Student's t with the variance of what each clip adds, to first order
(`mirbench.leaderboard.linearised`), cut off where the metric ends.

**Differences.** Two systems are compared on the same clips, clip by clip. Accuracy with one seed: the exact McNemar
test; with groups: the exact sign-flip test of the sums over groups, of which McNemar's is the case without groups.
With several seeds p is the larger one of that and of a t test in which seeds count too: a difference must outlast both
other clips and other seeds. Other metrics: the t test with the variance of the paired bootstrap. The interval of a
difference of accuracies is that of Bonett and Price (2012) at the same number of independent clips. Interval and p come
by different ways, so near 0.05 one may say yes and the other no; ranks go by p.

**Tables.** The more rows, the surer some row falls behind by chance. p is therefore adjusted by Holm's method, and its
family is *every pair of rows of the table*, not the best row against each other one: the best row is found on the same
clips, and is the luckiest. Simulated, for k rows of equal true accuracy 80 % of which any two agree on 80 % of clips,
how often at least one row is called worse than the best, in the last column than any other (3,000 tables each;
tests/leaderboard/test_statistics_simulated.py repeats it):

====  ===========  ==============  ========================  ==========
k     clips        not adjusted    Holm, best against each   Holm, all pairs
====  ===========  ==============  ========================  ==========
2     100 / 290    3.0 / 3.5 %     3.0 / 3.5 %               3.0 / 3.5 %
5     100 / 290    18 / 24 %       4.9 / 7.0 %               2.6 / 3.3 %
8     100 / 290    36 / 44 %       6.1 / 9.4 %               2.2 / 2.3 %
20    100 / 290    79 / 87 %       14 / 17 %                 1.7 / 2.2 %
====  ===========  ==============  ========================  ==========

The rank of a row is 1 + the number of rows that are significantly better: rows that cannot be told apart share it.

**Limits**, as simulated. Where few groups hold an error, or few clips differ, intervals cover up to 99 %, not 95. Seeds
whose accuracies differ by an SD of 2 points outweigh 5,085 clips, and few seeds do not know their own spread: the
interval of two such seeds covers 88 to 90 %, of three 92 to 93 %, of five 93 to 95 % (on 290 clips 93 to 97 %); the
test of a difference keeps to 5 % there. An ROC-AUC of 0.997 on 290 clips: 91 %.
R², correlations and errors of values (normal ones, one seed) cover 86 to 93 % on 10 clips, 90 to 96 % on 30, 92 to 95 %
on 100; two systems of equal R² differ at 5 % in 1.5, 2.5 and 4 % of such draws (400 each).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.leaderboard.chance import Clips, System, bonett_price, wilson
from mirbench.leaderboard.linearised import LINEARISED
from mirbench.leaderboard.sign_flips import sign_flip
from mirbench.leaderboard.weighted_metrics import chosen
from mirbench.metrics import METRICS
from mirbench.types import FloatArray, Targets

__all__ = [
    "AcrossTasks", "Difference", "Interval", "across_tasks", "assessed", "compared", "difference", "holm", "interval",
    "ranks", "sign_flip",
]  # fmt: skip

ValueArray = npt.NDArray[np.float64]

_LEVEL = 0.95
_SAME = 1e-9


@dataclass(frozen=True)
class Interval:
    """Where the true value is, at a confidence of 95 %.

    Parameters
    ----------
    low, high : float
        Within the metric's bounds.
    method : str
        In a few words, with the number of clips or groups, and of seeds.
    """

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Difference:
    """A metric of one system minus that of another, on the same clips.

    Parameters
    ----------
    value : float
    low, high : float
        Interval, of 95 % unless another was asked for.
    p : float
        Two-sided, of the hypothesis that the two are equally good; not adjusted for other comparisons.
    n_clips, n_groups : int
        A clip without a group is its own.
    n_changed : int
        Clips on which one of the two is right for a larger share of its seeds; in a tagging task, about some class; in
        a regression task, clips on which one of the two is nearer, about some target.
    method : str
        In a few words.
    """

    value: float
    low: float
    high: float
    p: float
    n_clips: int
    n_groups: int
    n_changed: int
    method: str


@dataclass(frozen=True)
class AcrossTasks:
    """Systems over several tasks.

    Parameters
    ----------
    average_ranks : ndarray, shape (n_systems,)
        1 is best; equals share the mean of their ranks.
    statistic, p : float
        Friedman's chi-squared, corrected for ties, and its p.
    critical_difference : float
        Systems whose average ranks are further apart than this differ (Nemenyi, 5 %).
    """

    average_ranks: ValueArray
    statistic: float
    p: float
    critical_difference: float


def interval(
    metric: str, scores: FloatArray, targets: Targets, groups: npt.ArrayLike, folds: npt.ArrayLike
) -> Interval | None:
    """95 % interval of a metric of one system; None where the metric is undefined.

    Parameters
    ----------
    metric : str
        Name of a metric that is one number.
    scores : ndarray of float32, shape (n_seeds, n_clips, n_classes)
        One layer a seed, the clips in one order.
    targets : Targets
        Of those clips.
    groups : ndarray of str, shape (n_clips,)
        What clips share (artist, recording); "" where a clip is its own group.
    folds : ndarray of int, shape (n_clips,)

    Raises
    ------
    BadInput
        Where the metric is none of this kind of task, or shapes do not fit.
    """
    clips = Clips.of(metric, targets, groups, folds)
    return _interval(clips, *clips.systems([scores]))


def difference(
    metric: str,
    a: FloatArray,
    b: FloatArray,
    targets: Targets,
    groups: npt.ArrayLike,
    folds: npt.ArrayLike,
    *,
    level: float = _LEVEL,
) -> Difference | None:
    """A metric of one system minus that of another, with its interval and p; None where either is undefined.

    Parameters
    ----------
    a, b : ndarray of float32, shape (n_seeds, n_clips, n_classes)
        The same clips in the same order; the number of seeds may differ.
    metric, targets, groups, folds
        As in `interval`.
    level : float
        Of the interval; 95 % where nobody asks for another.

    Raises
    ------
    BadInput
        As `interval`.
    """
    clips = Clips.of(metric, targets, groups, folds)
    one, other = clips.systems([a, b])
    value = one.value - other.value
    if np.isnan(value):
        return None
    noise = one.noise - other.noise
    variance, free = clips.variance(noise, one, other)
    if clips.counts_hits:
        per_clip = one.hits / one.n_seeds - other.hits / other.n_seeds
        square = float(np.mean(per_clip**2))
        n = clips.effective(square - value**2, clips.n_touched(np.abs(per_clip) > 1e-9), noise, one, other)
        low, high = bonett_price(value, square, n, _quantile(free, level))
        what = "exact McNemar test" if clips.alone and one.n_seeds == other.n_seeds == 1 else "sign-flip test"
    else:
        half = _quantile(free, level) * np.sqrt(variance)
        most = METRICS[metric].bounds[1] - METRICS[metric].bounds[0]
        low, high = max(value - half, -most), min(value + half, most)
        what = "paired t test" if metric in LINEARISED else "paired bootstrap"
    p, n_changed = clips.p(one, other), _n_changed(a, b, targets)
    method = f"{what} over {_said(clips, one, other)}"
    return Difference(value, float(low), float(high), p, clips.n_clips, clips.n_groups, n_changed, method)


def assessed(
    metric: str, systems: Sequence[FloatArray], targets: Targets, groups: npt.ArrayLike, folds: npt.ArrayLike
) -> tuple[list[Interval | None], ValueArray]:
    """All that chance says of one table: the `interval` of each system, and the adjusted p of each pair (`compared`).

    Faster than the two apart: the bootstrap of a system is used for both.

    Parameters
    ----------
    systems : sequence of ndarray of float32, each (n_seeds, n_clips, n_classes)
        The rows of one table.
    metric, targets, groups, folds
        As in `interval`.
    """
    clips = Clips.of(metric, targets, groups, folds)
    known = clips.systems(systems)
    adjusted = np.eye(len(known))
    first, second = np.triu_indices(len(known), 1)
    adjusted[first, second] = adjusted[second, first] = holm(clips.p_of_pairs(known))
    return [_interval(clips, system) for system in known], adjusted


def compared(
    metric: str, systems: Sequence[FloatArray], targets: Targets, groups: npt.ArrayLike, folds: npt.ArrayLike
) -> ValueArray:
    """Adjusted p of every pair of systems, shape (n_systems, n_systems): all pairs are one family of Holm.

    The diagonal is 1; a pair of which one is undefined is NaN and no part of the family. Parameters as in `assessed`.
    """
    return assessed(metric, systems, targets, groups, folds)[1]


def holm(p: npt.ArrayLike) -> ValueArray:
    """Holm's step-down adjustment (1979) of a family, shape (n,); NaN stays NaN and is no part of the family."""
    given = np.asarray(p, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    there = np.flatnonzero(~np.isnan(given))
    order = there[np.argsort(given[there], kind="stable")]
    stepped = np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def ranks(
    values: npt.ArrayLike, adjusted: npt.ArrayLike, alpha: float = 0.05, *, higher_is_better: bool = True
) -> list[int | None]:
    """1 + how many systems are significantly better; None for a system whose value is undefined (NaN).

    Parameters
    ----------
    values : array_like, shape (n_systems,)
    adjusted : array_like, shape (n_systems, n_systems)
        As `compared` gives it.
    """
    value = np.asarray(values, dtype=np.float64)
    gap = value[:, None] - value[None, :]
    better = (gap > 0) if higher_is_better else (gap < 0)
    count = (better & (np.asarray(adjusted) < alpha)).sum(axis=0)
    return [None if np.isnan(each) else 1 + int(n) for each, n in zip(value, count, strict=True)]


def across_tasks(values: npt.ArrayLike) -> AcrossTasks:
    """Average ranks of systems over tasks, Friedman's test and Nemenyi's critical difference (Demšar 2006, JMLR 7).

    Parameters
    ----------
    values : array_like, shape (n_tasks, n_systems)
        Higher is better.

    Raises
    ------
    BadInput
        For fewer than two tasks or two systems, or where a value is missing.
    """
    from scipy.stats import chi2, rankdata, studentized_range

    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2:
        raise BadInput(f"Values have shape {table.shape}; at least 2 tasks (rows) and 2 systems (columns) are needed.")
    if missing := int((~np.isfinite(table)).sum()):
        raise BadInput(f"{missing} of {table.size} values are missing; leave out the tasks or the systems they are of.")
    n, k = table.shape
    centred = rankdata(-table, axis=1) - (k + 1) / 2
    average, spread = centred.mean(axis=0), float((centred**2).sum())
    # that of scipy.stats.friedmanchisquare, which refuses two systems
    statistic = n**2 * (k - 1) * float(average @ average) / spread if spread else 0.0
    critical = float(studentized_range.ppf(_LEVEL, k, np.inf)) * float(np.sqrt(k * (k + 1) / (12 * n)))
    return AcrossTasks(average + (k + 1) / 2, statistic, float(chi2.sf(statistic, k - 1)), critical)


def _interval(clips: Clips, system: System) -> Interval | None:
    p = system.value
    if np.isnan(p):
        return None
    variance, free = clips.variance(system.noise, system)
    bounds = METRICS[clips.metric].bounds
    if bounds == (0.0, 1.0):
        n = clips.effective(p * (1 - p), clips.n_mixed(system), system.noise, system)
        low, high = wilson(p, n, _quantile(free))
    else:
        half = _quantile(free) * float(np.sqrt(variance))
        low, high = _on_its_scale(clips.metric, p, half)
        low, high = max(low, bounds[0]), min(high, bounds[1])
    how = "Wilson" if clips.counts_hits else "delta method" if clips.metric in LINEARISED else "bootstrap"
    return Interval(low, high, f"{how} over {_said(clips, system)}")


def _on_its_scale(metric: str, value: float, half: float) -> tuple[float, float]:
    """An interval where a metric's chance is about normal: Fisher's z of a correlation, the logarithm of 1 - R²."""
    if metric in ("pearson", "ccc") and abs(value) < 1:
        middle, way = np.arctanh(value), half / (1 - value**2)
        return float(np.tanh(middle - way)), float(np.tanh(middle + way))
    if metric == "r2" and value < 1:
        way = half / (1 - value)
        return float(1 - (1 - value) * np.exp(way)), float(1 - (1 - value) * np.exp(-way))
    return value - half, value + half


def _quantile(free: float, level: float = _LEVEL) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(free, (1 + level) / 2))


def _n_changed(a: FloatArray, b: FloatArray, targets: Targets) -> int:
    if targets.kind == "regression":
        far = [np.where(targets.known, np.abs(scores - targets.value).mean(axis=0), 0.0) for scores in (a, b)]
        return int((np.abs(far[0] - far[1]) > _SAME).any(axis=1).sum())
    shares = []
    for scores in (a, b):
        right = np.stack([(chosen(layer, targets) == (targets.value >= 0.5)) | ~targets.known for layer in scores])
        if targets.kind == "single-label":
            right = np.asarray(right.all(axis=2, keepdims=True))
        shares.append(right.mean(axis=0))
    return int((np.abs(shares[0] - shares[1]) > _SAME).any(axis=1).sum())


def _said(clips: Clips, *systems: System) -> str:
    """What chance was taken over: "45 groups, 3 seeds", "290 clips, 3 seeds against one seed"."""
    over = f"{clips.n_clips} clips" if clips.alone else f"{clips.n_groups} groups"
    seeds = ["one seed" if each.n_seeds == 1 else f"{each.n_seeds} seeds" for each in systems]
    return f"{over}, {' against '.join(dict.fromkeys(seeds))}"
