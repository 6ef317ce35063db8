"""Where chance comes in: which clips were drawn, and which seeds. `mirbench.leaderboard.statistics` says what for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.linearised import LINEARISED
from mirbench.leaderboard.sign_flips import sign_flips
from mirbench.leaderboard.weighted_metrics import WEIGHTED, Drawn
from mirbench.metrics import METRICS
from mirbench.types import BoolArray, FloatArray, Targets

__all__ = ["N_REPLICATES", "Clips", "System", "bonett_price", "wilson"]

ValueArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_REPLICATES = 1000
_SEED = 2022
_CHUNK = 8_000_000  # weights held at a time: 32 MB
_PAIRS = 2_000_000  # values of pairs of systems held at a time: 16 MB an array
_TINY = 1e-15


@dataclass(frozen=True)
class System:
    """What the scores of one system say of a metric.

    Parameters
    ----------
    value : float
        Mean over seeds.
    noise : ndarray
        Its squared length is the variance of the value over draws of clips; the squared length of the difference of
        two such vectors is the variance of the difference of two systems.
    seeds : float
        Variance of the mean over seeds, as the values of the seeds show it; 0 for one seed.
    interaction : float
        The part of it that ``noise`` holds too: clips that one seed gets right and another does not.
    hits : ndarray of int, shape (n_clips,)
        For how many seeds a clip is classified right; empty where the metric is not the accuracy.
    """

    value: float
    n_seeds: int
    noise: ValueArray
    seeds: float
    interaction: float
    hits: IntArray

    @classmethod
    def of(cls, values: ValueArray, noises: ValueArray, hits: IntArray) -> System:
        """From the value and the noise of each seed."""
        n, noise = len(values), noises.mean(axis=0)
        seeds = float(values.var(ddof=1)) / n if n > 1 else 0.0
        interaction = float(((noises - noise) ** 2).sum()) / (n * (n - 1)) if n > 1 else 0.0
        return cls(float(values.mean()), n, noise, seeds, interaction, hits)


@dataclass(frozen=True)
class Clips:
    """The clips of a table and the groups that they are drawn in.

    Parameters
    ----------
    folds : ndarray of int, shape (n_clips,)
        0, 1, … for a metric that is averaged over folds: groups are drawn within each; all 0 for another.
    group : ndarray of int, shape (n_clips,)
        0, 1, …; a clip of its own has a number of its own.
    """

    metric: str
    targets: Targets
    folds: IntArray
    group: IntArray

    @classmethod
    def of(cls, metric: str, targets: Targets, groups: npt.ArrayLike, folds: npt.ArrayLike) -> Clips:
        """Check the metric and the clips, and number the groups."""
        if metric not in WEIGHTED and metric not in LINEARISED:
            raise UnknownName("metric that is one number", metric, [*WEIGHTED, *LINEARISED])
        if targets.kind not in METRICS[metric].task_kinds:
            raise BadInput(f"{metric} is not defined for a {targets.kind} task.")
        shared, fold = np.asarray(groups, dtype=np.str_), np.asarray(folds)
        n = len(targets.value)
        if n == 0 or shared.shape != (n,) or fold.shape != (n,):
            raise BadInput(
                f"{n} clips come with groups of shape {shared.shape} and folds of shape {fold.shape}; "
                "one group and one fold for each clip, and at least one clip, are needed."
            )
        own = shared == ""
        fold = _numbered(fold if METRICS[metric].over_folds == "average" else np.zeros(n))
        group = _numbered(shared) * (fold.max() + 1) + fold  # a group in two folds is drawn in each
        group[own] = group.max() + 1 + np.arange(own.sum())
        return cls(metric, targets, fold, _numbered(group))

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return len(self.group)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.group.max()) + 1

    @property
    def n_folds(self) -> int:
        """Number of folds that groups are drawn within."""
        return int(self.folds.max()) + 1

    @property
    def alone(self) -> bool:
        """Whether every clip is its own group."""
        return self.n_groups == self.n_clips

    @property
    def counts_hits(self) -> bool:
        """Whether the metric is a share of clips."""
        return self.metric == "accuracy"

    @property
    def free(self) -> float:
        """Degrees of freedom of a variance over groups; infinite where it is the binomial one, which p fixes."""
        return np.inf if self.counts_hits and self.alone else float(self.n_groups - self.n_folds)

    @property
    def _small_sample(self) -> float:
        """What a variance over few groups is multiplied by."""
        return self.n_groups / self.free if 0 < self.free < np.inf else 1.0

    def systems(self, scores: Sequence[FloatArray]) -> list[System]:
        """Read the scores of several systems, each (n_seeds, n_clips, n_classes); all see the same draws of clips."""
        for each in scores:
            if each.ndim != 3 or not len(each) or each.shape[1:] != self.targets.value.shape:
                wanted = f"(seeds, {self.targets.value.shape[0]} clips, {self.targets.value.shape[1]} classes)"
                raise BadInput(f"Scores have shape {each.shape}; {wanted} is needed.")
        if self.counts_hits:
            return [self._counted(each) for each in scores]
        if self.metric in LINEARISED:
            return [self._linearised(each) for each in scores]
        drawn: list[list[ValueArray]] = [[] for _ in scores]
        for weights in self._draws():
            folds = self._drawn(weights)
            for each, replicates in zip(scores, drawn, strict=True):
                replicates.append(np.stack([self._value(layer, folds) for layer in each]))
        return [self._bootstrapped(each, replicates) for each, replicates in zip(scores, drawn, strict=True)]

    def value(self, scores: FloatArray) -> float:
        """The metric of one system, mean over seeds; nothing is drawn for it."""
        if self.metric in LINEARISED:
            return float(np.mean([METRICS[self.metric].function(layer, self.targets) for layer in scores]))
        return float(np.mean([self._value(layer, self._as_they_are)[0] for layer in scores]))

    def variance(self, noise: ValueArray, *systems: System) -> tuple[float, float]:
        """Over draws of clips and of seeds together, and its degrees of freedom (Satterthwaite 1946)."""
        return self._variance(float(noise @ noise), systems)

    def _variance(self, clips: float, systems: Sequence[System]) -> tuple[float, float]:
        variance = clips + _of_seeds(systems)
        free = max(self.free, 1.0)
        if variance <= _TINY:  # nothing varied: what one clip more on each side would have shown
            return 2 / (self.n_groups + 2) ** 2, free
        below = clips**2 / free + sum(each.seeds**2 / (each.n_seeds - 1) for each in systems if each.n_seeds > 1)
        return variance, min(variance**2 / below, _MANY) if below > 0 else _MANY

    def effective(self, spread: float, n_telling: int, noise: ValueArray, *systems: System) -> float:
        """How many independent clips would give this variance, where that of one clip is ``spread``.

        What it costs that clips come in groups is measured on the ``n_telling`` groups that hold an error (or a
        difference), and on two more in which all clips go together: few such groups would else look independent.
        """
        cost = float(noise @ noise) * self.n_clips / spread if spread > _TINY else 0.0
        worst = float((np.bincount(self.group) ** 2).sum()) / self.n_clips
        if spread <= _TINY or self.free == 0:
            return self.n_clips / worst
        if self.counts_hits:
            cost = (n_telling * cost + 2 * worst) / (n_telling + 2)
        variance = cost * spread / self.n_clips + _of_seeds(systems)
        return spread / variance if variance > _TINY else self.n_clips / worst

    def n_touched(self, marked: BoolArray) -> int:
        """How many groups hold a marked clip."""
        return len(np.unique(self.group[marked]))

    def n_mixed(self, system: System) -> int:
        """How many groups hold a miss, or how many hold a hit, whichever are fewer; without hits, all."""
        if not self.counts_hits:
            return self.n_groups
        return min(self.n_touched(system.hits < system.n_seeds), self.n_touched(system.hits > 0))

    def p(self, a: System, b: System) -> float:
        """Of the hypothesis that two systems are equally good; NaN where the metric of one is undefined."""
        return float(self.p_of_pairs([a, b])[0])

    def p_of_pairs(self, systems: Sequence[System]) -> ValueArray:
        """`p` of every pair of systems, in the order of ``np.triu_indices``.

        Where it is so large that Holm's adjustment over these pairs makes it 1, it is that of the t test, which p is
        never below.
        """
        pairs = np.stack(np.triu_indices(len(systems), 1))
        most = max(1, _PAIRS // max([self.n_groups, *(len(each.noise) for each in systems)]))
        parts = [self._p_of_t(systems, *pairs[:, start : start + most]) for start in range(0, pairs.shape[1], most)]
        p = np.concatenate([np.zeros(0), *parts])
        if self.counts_hits:
            left = np.flatnonzero(p < _surely_one(p))
            for few in (left[start : start + most] for start in range(0, len(left), most)):
                p[few] = np.maximum(p[few], self._p_of_flips(systems, *pairs[:, few]))
        return p

    def _p_of_t(self, systems: Sequence[System], first: IntArray, second: IntArray) -> ValueArray:
        """Of pairs, by what they vary over clips and seeds; 0 where only the exact test counts, NaN if undefined."""
        from scipy import special

        value = np.array([each.value for each in systems])
        noise = np.stack([each.noise for each in systems])
        gap, difference = noise[first] - noise[second], value[first] - value[second]
        variance, free = np.array([
            self._variance(clips, (systems[i], systems[j]))
            for clips, i, j in zip(np.vecdot(gap, gap).tolist(), first, second, strict=True)
        ]).T  # fmt: skip
        p = 2 * special.stdtr(free, -np.abs(difference) / np.sqrt(variance))
        if self.counts_hits:
            one_seed = np.array([each.n_seeds == 1 for each in systems])
            p[one_seed[first] & one_seed[second]] = 0.0
        return np.where(np.isnan(difference), np.nan, p)

    def _p_of_flips(self, systems: Sequence[System], first: IntArray, second: IntArray) -> ValueArray:
        n_seeds = np.array([each.n_seeds for each in systems])
        hits = np.stack([np.bincount(self.group, each.hits) for each in systems]).astype(np.int64)
        return sign_flips(hits[first] * n_seeds[second, None] - hits[second] * n_seeds[first, None])

    def _counted(self, scores: FloatArray) -> System:
        right = scores.argmax(axis=2) == self.targets.value.argmax(axis=1)
        values = right.mean(axis=1)
        sums = np.stack([np.bincount(self.group, layer, self.n_groups) for layer in right])
        noises = (sums - np.bincount(self.group) * values[:, None]) / self.n_clips
        return System.of(values, noises * np.sqrt(self._small_sample), right.sum(axis=0))

    def _linearised(self, scores: FloatArray) -> System:
        values = np.array([METRICS[self.metric].function(layer, self.targets) for layer in scores])
        each = [np.nan_to_num(LINEARISED[self.metric](layer, self.targets)) for layer in scores]
        sums = np.stack([np.bincount(self.group, layer, self.n_groups) for layer in each])
        return System.of(values, sums / self.n_clips * np.sqrt(self._small_sample), np.zeros(0, np.int64))

    def _bootstrapped(self, scores: FloatArray, drawn: Sequence[ValueArray]) -> System:
        values = np.array([self._value(layer, self._as_they_are)[0] for layer in scores])
        replicates = np.concatenate(drawn, axis=1)
        noises = np.nan_to_num(replicates - _mean(replicates.T)[:, None])
        return System.of(values, noises * np.sqrt(self._small_sample / (N_REPLICATES - 1)), np.zeros(0, np.int64))

    @cached_property
    def _as_they_are(self) -> list[Drawn]:
        """Every clip once."""
        return self._drawn(np.ones((self.n_clips, 1), np.float32))

    def _drawn(self, weights: FloatArray) -> list[Drawn]:
        """The clips of each fold with their weights."""
        found = []
        for fold in range(self.n_folds):
            rows = self.folds == fold
            targets = self.targets.take(rows)
            found.append(Drawn(targets, weights[rows]))
        return found

    def _value(self, scores: FloatArray, folds: Sequence[Drawn]) -> ValueArray:
        """The metric of each replicate, averaged over folds where that is its way; shape (n_replicates,)."""
        of_metric = WEIGHTED[self.metric]
        return _mean([of_metric(scores[self.folds == fold], drawn) for fold, drawn in enumerate(folds)])

    def _draws(self) -> Iterator[FloatArray]:
        """How often each replicate holds each clip, (n_clips, n_replicates), in chunks; always the same draws."""
        generator = np.random.default_rng(_SEED)
        strata = [np.unique(self.group[self.folds == fold]) for fold in range(self.n_folds)]
        most = max(1, _CHUNK // self.n_clips)
        for start in range(0, N_REPLICATES, most):
            n = min(most, N_REPLICATES - start)
            counts = np.zeros((self.n_groups, n), dtype=np.float32)
            for members in strata:
                size = len(members)
                drawn = generator.integers(size, size=(n, size)) + np.arange(n)[:, None] * size
                counts[members] = np.bincount(drawn.ravel(), minlength=n * size).reshape(n, size).T
            yield counts[self.group]


_MANY = 1e10  # degrees of freedom that are as good as infinite


def wilson(p: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share p of n clips; near 0 and 1 the limits of Brown, Cai, DasGupta (2001).

    With one to three misses Wilson's upper limit is too low (at a true share of 1 - 0.18 / n the interval covers it
    84 % of the time); theirs is the limit of a Poisson count. So for hits.
    """
    from scipy.special import gammaincinv

    z = quantile**2 / n
    middle, half = (p + z / 2) / (1 + z), np.sqrt(z * (p * (1 - p) + z / 4)) / (1 + z)
    low, high = min(float(middle - half), p), max(float(middle + half), p)  # p is inside but for rounding
    hits, misses = n * p, n * (1 - p)
    if 0 < hits <= 3.5:
        low = min(low, float(gammaincinv(hits, 0.05)) / n)
    if 0 < misses <= 3.5:
        high = max(high, 1 - float(gammaincinv(misses, 0.05)) / n)
    return max(low, 0.0), min(high, 1.0)


def bonett_price(value: float, spread: float, n: float, quantile: float) -> tuple[float, float]:
    """Wald's interval of a paired difference with one clip more on each side (Bonett, Price 2012).

    Parameters
    ----------
    value, spread : float
        Mean of the difference of a clip and of its square.
    """
    middle, square = value * n / (n + 2), (spread * n + 2) / (n + 2)
    half = quantile * np.sqrt((square - middle**2) / (n + 2))
    return max(float(middle - half), -1.0), min(float(middle + half), 1.0)


def _surely_one(bounds: ValueArray) -> float:
    """From which of these bounds on Holm's adjustment makes any p of at least its bound 1; infinite if from none."""
    ascending = np.sort(bounds[~np.isnan(bounds)])
    enough = ascending[ascending * np.arange(len(ascending), 0, -1) >= 1]
    return float(enough[0]) if len(enough) else np.inf


def _of_seeds(systems: Sequence[System]) -> float:
    """What seeds add to the variance over clips, which holds their interaction with clips already."""
    return max(sum(each.seeds - each.interaction for each in systems), 0.0)


def _numbered(names: npt.NDArray[np.generic]) -> IntArray:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _mean(values: npt.ArrayLike) -> ValueArray:
    """Mean over the first axis of what is defined."""
    stacked = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(stacked)
    count, total = defined.sum(axis=0), np.where(defined, stacked, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
