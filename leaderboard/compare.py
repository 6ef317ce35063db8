"""Two systems on the same clips: which is better, how sure that is, where they differ, and what each costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mirbench import metrics
from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard import statistics
from mirbench.leaderboard.by_class import mean
from mirbench.leaderboard.marks import explained
from mirbench.leaderboard.results import Stack, System
from mirbench.leaderboard.statistics import Difference
from mirbench.leaderboard.table import device_of, over_folds, timing
from mirbench.record import RunRecord

__all__ = ["ClassChange", "ClipChange", "Comparison", "Cost", "compare"]


@dataclass(frozen=True)
class ClipChange:
    """A clip on which the systems differ.

    Parameters
    ----------
    a, b : float
        Share of right decisions, over seeds (and over classes that are known, in a multi-label task). In a regression
        task how far off they are, mean over seeds: in the target's unit; of several, in shares of their ranges, mean
        over targets.
    true, guess_a, guess_b : str
        Classes; the guesses are those of most seeds. In a regression task values; the guesses are means over seeds.
    """

    clip: str
    fold: int
    a: float
    b: float
    true: str
    guess_a: str
    guess_b: str


@dataclass(frozen=True)
class ClassChange:
    """`Comparison.by_class` of a class under both systems, mean over seeds; None where it is undefined."""

    name: str
    n_clips: int
    a: float | None
    b: float | None


@dataclass(frozen=True)
class Cost:
    """What each needs of something; None where it is not known or means nothing."""

    name: str
    a: float | None
    b: float | None


@dataclass(frozen=True)
class Comparison:
    """What came of it; see `compare`."""

    kind: str
    by_class: str
    name_a: str
    name_b: str
    task: str
    metric: str
    value_a: float
    value_b: float
    seeds_a: tuple[int, ...]
    seeds_b: tuple[int, ...]
    folds: tuple[int, ...]
    n_folds: int
    difference: Difference
    clips: tuple[ClipChange, ...]
    classes: tuple[ClassChange, ...]
    costs: tuple[Cost, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One sentence in plain words."""
        d, n = self.difference, self.difference.n_clips
        if d.p >= 0.05:
            return f"{self.name_a} and {self.name_b} cannot be told apart on {n} clips."
        a_is_better = (d.value > 0) == metrics.METRICS[self.metric].higher_is_better
        better, worse = (self.name_a, self.name_b) if a_is_better else (self.name_b, self.name_a)
        return f"{better} is better than {worse} on these {n} clips."


def compare(a: System, b: System, metric: str = "") -> Comparison:
    """Compare two systems that answered the same question, on the folds that both have.

    Where both have several seeds, those that both have are taken.

    Parameters
    ----------
    metric : str
        One that is one number; the task's first if left out.

    Raises
    ------
    BadInput
        If they were tested on other clips or labels, share no fold, or the metric is undefined.
    """
    known = _known(a)
    metric = metric or known[0]
    if metric not in known:
        raise UnknownName(f"metric of {a.record.spec.task}", metric, known)
    later = [system.label for system in (a, b) if any(metric not in run.record.metrics for run in system.runs)]
    names = a.label, b.label
    a, b, notes = _on_common(a, b)
    left, right = a.stack, b.stack
    if not np.array_equal(left.hashes, right.hashes):
        raise BadInput(f"{names[0]} and {names[1]} cannot be compared: their test clips or labels differ")
    found = statistics.difference(metric, left.scores, right.scores, left.targets, left.groups, left.folds)
    values = [mean([value[metric] for value in over_folds(system, [metric])]) for system in (a, b)]
    if found is None or values[0] is None or values[1] is None:
        raise BadInput(f"{metric} is undefined on these clips; --metric takes {', '.join(known)}")
    by_class = "f1-per-class"
    if left.targets.kind == "regression":
        by_class = metrics.METRICS[metric].per_class
    return Comparison(
        kind=left.targets.kind,
        by_class=by_class,
        name_a=names[0],
        name_b=names[1],
        task=a.record.spec.task,
        metric=metric,
        value_a=values[0],
        value_b=values[1],
        seeds_a=a.seeds,
        seeds_b=b.seeds,
        folds=a.folds,
        n_folds=a.n_folds,
        difference=found,
        clips=_clips(left, right, _classes(a.record, left)),
        classes=_per_class(by_class, left, right, _classes(a.record, left)),
        costs=_costs(a, b),
        notes=(
            *notes,
            *([f"No {metric} on record of {' and '.join(later)}: it is computed from the scores."] if later else []),
            *(f"{said}." for said in explained((*a.marks, *b.marks))),
        ),
    )


def _known(system: System) -> list[str]:
    """Metrics that are one number: those on record, then those of its kind of task that came later than records may."""
    kind = system.stack.targets.kind
    later = [name for name in metrics.ADDED if kind in metrics.METRICS[name].task_kinds]
    return [name for name in dict.fromkeys([*system.record.metrics, *later]) if _is_number(name)]


def _is_number(name: str) -> bool:
    return name in metrics.METRICS and metrics.METRICS[name].kind == "value"


def _on_common(a: System, b: System) -> tuple[System, System, list[str]]:
    """Both on the folds, and where both have several, on the seeds that they share."""
    folds = sorted(set(a.folds) & set(b.folds))
    if not folds:
        raise BadInput(f"{a.name} has folds {_listed(a.folds)} and {b.name} has {_listed(b.folds)}: none in common")
    notes = []
    if len(folds) < max(len(a.folds), len(b.folds)):
        notes.append(f"On fold {_listed(folds)} alone, which both have.")
    seeds = [a.seeds, b.seeds]
    both = sorted(set(a.seeds) & set(b.seeds))
    if min(map(len, seeds)) > 1 and both and seeds != [tuple(both)] * 2:
        notes.append(f"On seeds {_listed(both)}, which both have.")
        seeds = [tuple(both)] * 2
    if min(map(len, seeds)) == 1:
        one = [system for system, held in zip((a, b), seeds, strict=True) if len(held) == 1]
        for uses_seed, said in (
            (True, "one seed; how much another would change is not known."),
            (False, "nothing is random; one seed stands for all."),
        ):
            if names := [system.label for system in one if system.uses_seed == uses_seed]:
                notes.append(f"{' and '.join(names)}: {said}")
    parts = [_part(system, folds, held) for system, held in zip((a, b), seeds, strict=True)]
    return parts[0], parts[1], notes


def _part(system: System, folds: Sequence[int], seeds: Sequence[int]) -> System:
    runs = tuple(r for r in system.runs if r.record.spec.fold in folds and r.record.spec.seed in seeds)
    return replace(system, runs=runs, folds=tuple(folds), seeds=tuple(seeds))


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _classes(record: RunRecord, stack: Stack) -> list[str]:
    return list(record.classes) or [f"class {k}" for k in range(stack.scores.shape[2])]


def _right(stack: Stack) -> npt.NDArray[np.float64]:
    """Share of right decisions of each clip, or how far off its values are, mean over seeds."""
    if stack.targets.kind == "regression":
        known = stack.targets.known
        off = np.abs(stack.scores - stack.targets.value).mean(axis=0, dtype=np.float64)
        if known.shape[1] == 1:  # errors in several units make no mean
            (low, high), *_ = stack.targets.ranges
            off *= high - low
        return np.asarray((off * known).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
    true, known = stack.targets.value >= 0.5, stack.targets.known
    if stack.targets.kind == "single-label":
        hit = stack.scores.argmax(axis=2) == true.argmax(axis=1)
        return np.asarray(hit.mean(axis=0))
    right = ((stack.scores >= 0.5) == true) & known
    return np.asarray(right.sum(axis=2).mean(axis=0) / np.maximum(known.sum(axis=1), 1))


def _clips(left: Stack, right: Stack, classes: Sequence[str]) -> tuple[ClipChange, ...]:
    """Clips on which the share of right decisions differs, the largest change first."""
    a, b = _right(left), _right(right)
    order = np.lexsort((np.arange(len(a)), -np.abs(b - a)))
    return tuple(
        ClipChange(
            clip=str(left.clip_ids[n]),
            fold=int(left.folds[n]),
            a=float(a[n]),
            b=float(b[n]),
            true=_true(left, n, classes),
            guess_a=_guess(left, n, classes),
            guess_b=_guess(right, n, classes),
        )
        for n in order
        if a[n] != b[n]
    )


def _true(stack: Stack, clip: int, classes: Sequence[str]) -> str:
    value = stack.targets.value[clip]
    if stack.targets.kind == "regression":
        return _values(stack, value, clip)
    return ", ".join(name for name, present in zip(classes, value >= 0.5, strict=True) if present)


def _values(stack: Stack, places: npt.NDArray[np.float32], clip: int) -> str:
    """Of the targets that are known of a clip, in their units."""
    found = stack.targets.in_units(places)[stack.targets.known[clip]]
    return ", ".join(f"{value:.4g}" for value in found)


def _guess(stack: Stack, clip: int, classes: Sequence[str]) -> str:
    """What most seeds say of a clip, or the mean of the values that they say."""
    scores = stack.scores[:, clip]
    if stack.targets.kind == "regression":
        return _values(stack, scores.mean(axis=0), clip)
    if stack.targets.kind == "single-label":
        return classes[int(np.bincount(metrics.predicted(scores), minlength=len(classes)).argmax())]
    chosen = (scores >= 0.5).mean(axis=0) > 0.5
    return ", ".join(name for name, there in zip(classes, chosen, strict=True) if there) or "none"


def _per_class(name: str, left: Stack, right: Stack, classes: Sequence[str]) -> tuple[ClassChange, ...]:
    a, b = _of_classes(name, left), _of_classes(name, right)
    there = left.targets.value >= (0.5 if left.targets.kind != "regression" else 0.0)
    count = (there & left.targets.known).sum(axis=0)
    return tuple(ClassChange(name, int(count[k]), a[k], b[k]) for k, name in enumerate(classes))


def _of_classes(name: str, stack: Stack) -> list[float | None]:
    values = [metrics.evaluate((name,), scores, stack.targets)[name] for scores in stack.scores]
    return [mean(column) for column in zip(*values, strict=True)]


def _costs(a: System, b: System) -> tuple[Cost, ...]:
    records = [[run.record for run in system.runs] for system in (a, b)]

    def cost(name: str, values: Sequence[float | None]) -> Cost:
        return Cost(name, values[0], values[1])

    found = [
        cost("trainable values", [system.record.n_trainable for system in (a, b)]),
        cost("values in all", [system.record.n_total for system in (a, b)]),
        cost("GFLOP a clip", [mean([r.flops and r.flops / 1e9 for r in held]) for held in records]),
    ]
    devices = {device_of(record) for held in records for record in held}
    if len(devices) == 1:  # times of other machines mean nothing side by side
        for title, name in (("training, s", "train"), ("epoch, s", "epoch")):
            found.append(cost(title, [mean([r.seconds.get(name) for r in held]) for held in records]))
        newest = max(timing(record) for held in records for record in held)
        timed = [[r.seconds.get("clips_per_second") for r in held if timing(r) == newest] for held in records]
        found.append(cost("clips a second", [mean(values) for values in timed]))
    return tuple(found)
