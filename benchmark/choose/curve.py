"""What more clips would bring, as far as fewer can tell: the winner on a quarter and on half of its training clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mirbench.choose.budget import SHARES, Budget
from mirbench.choose.race import Entrant
from mirbench.choose.stacked import Heard, stacked
from mirbench.errors import MirbenchError
from mirbench.leaderboard.best import values
from mirbench.leaderboard.statistics import Difference, Interval, difference, interval
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.runner import Job, Outcome
from mirbench.runs.store import RunStore

__all__ = ["Curve", "Point", "learning_curve", "tested"]


@dataclass(frozen=True)
class Point:
    """The winner, trained on so many clips, on the test clips of all folds.

    Parameters
    ----------
    n_train : int
        Clips of train in a fold, on average.
    """

    n_train: int
    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Curve:
    """Points from few clips to all; `last` is what the last step brought, on the same test clips."""

    points: tuple[Point, ...] = ()
    last: Difference | None = None
    why_not: str = ""


def tested(runs: dict[tuple[int, int], Outcome], folds: Sequence[int]) -> Heard:
    """What a system says of the test clips of these folds."""
    return stacked({k: RunStore(o.folder.parents[2]).scores(o.folder) for k, o in runs.items()}, folds)


def learning_curve(
    winner: Entrant, folds: Sequence[int], metric: str, catalogue: Catalogue, progress: Progress, budget: Budget
) -> Curve:
    """Run the winner on fewer clips, if there is time; the test clips stay the same.

    One seed is enough, for all points.
    """
    seeds = sorted({seed for _, seed in winner.runs})[:1]
    whole = {key: outcome for key, outcome in winner.runs.items() if key[1] in seeds}
    requests = [
        replace(winner.request, task=f"{winner.request.task}+fraction{share:g}", folds=tuple(folds), seeds=tuple(seeds))
        for share in SHARES
    ]
    expected = sum(budget.of(replace(winner.request, folds=tuple(folds), seeds=tuple(seeds))) for _ in requests)
    if expected >= budget.seconds_left:
        return Curve(why_not="no time was left for it")
    held = []
    try:
        for request in requests:
            job = Job(request, catalogue, progress, limits=budget.closing)
            job.do_free()
            runs = {(o.record.spec.fold, o.record.spec.seed): o for o in job.finish() if o.record.status == "done"}
            if len(runs) < len(folds):
                return Curve(why_not="no time was left for it" if job.put_off else "a run of it failed")
            held.append(runs)
    except MirbenchError as error:  # too few clips of a class
        return Curve(why_not=str(error))
    heard = [tested(runs, folds) for runs in (*held, whole)]
    points = [_point(runs, each, metric) for runs, each in zip((*held, whole), heard, strict=True)]
    before, after = heard[-2:]
    if (before.hashes != after.hashes).any() or points[-1].n_train <= points[0].n_train:
        return Curve(why_not="its splits hold too few clips to be made smaller")
    args = after.targets, after.groups, after.folds
    return Curve(tuple(points), difference(metric, after.scores, before.scores, *args))


def _point(runs: dict[tuple[int, int], Outcome], heard: Heard, metric: str) -> Point:
    n_train = [outcome.record.n_clips["train"] for outcome in runs.values()]
    value = float(values(metric, [heard.scores], heard.targets, heard.groups, heard.folds)[0])
    found = interval(metric, heard.scores, heard.targets, heard.groups, heard.folds)
    return Point(round(sum(n_train) / len(n_train)), value, found)
