"""From a task to a choice: the race, then what is to be known of its winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from mirbench.choose.as_good import Behind, behind
from mirbench.choose.budget import Budget
from mirbench.choose.curve import Curve, learning_curve
from mirbench.choose.race import Entrant, Race
from mirbench.choose.systems import FLOOR, Field, field_of, request_of
from mirbench.choose.trusted import Trust, looked_at
from mirbench.errors import BadInput
from mirbench.features.datasets import dataset_folder, read_labels
from mirbench.features.merging import merge_small_shards
from mirbench.features.temporary import using
from mirbench.leaderboard.best import LEVEL
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.at_once.parallel import AtOnce
from mirbench.runs.measure import EnergyMeter
from mirbench.runs.plan import Request
from mirbench.runs.store import RunStore
from mirbench.types import Task

__all__ = ["COSTS", "Choice", "Cost", "best_of", "choose", "cost_of"]

Cost = Literal["trainable", "clips-per-second", "energy"]
COSTS: tuple[Cost, ...] = ("trainable", "clips-per-second", "energy")
"""What the cheapest may be the cheapest in."""

_FEW_CLIPS = 5000
"""Own clips without a split: below this many, five folds are drawn, for a seventh of few tells little."""


@dataclass
class Choice:
    """What is known, at any time: filled while the race goes on.

    Parameters
    ----------
    asked : str
        What to call the task in a command.
    task : Task
        As it was raced on.
    split : str
        Which split that is, in words.
    cheapest : Entrant or None
        The cheapest that is shown to be as good as the best, or that itself; None where no cost is known.
    cheaper : tuple of Behind
        All that are cheaper than the best and not told from it, the cheapest first.
    interrupted : bool
        Whether somebody stopped it.
    """

    asked: str
    task: Task
    split: str
    cost: Cost
    taking_part: Field
    race: Race
    best: Entrant | None = None
    cheapest: Entrant | None = None
    cheaper: tuple[Behind, ...] = ()
    curve: Curve = field(default_factory=lambda: Curve(why_not="it was not begun"))
    trust: Trust = field(default_factory=lambda: Trust(why_not="it was not begun"))
    interrupted: bool = False

    def settle(self) -> None:
        """Name the best and the cheapest of what is known."""
        settled = [entrant for entrant in self.race.settled if entrant.name != FLOOR]
        self.best = best_of(self.race, settled) if settled else None
        if self.best is None:
            return
        own = cost_of(self.best, self.cost)
        known = [
            (amount, n)  # of those that cost the same, the first
            for n, entrant in enumerate(settled)
            if entrant is not self.best
            and (amount := cost_of(entrant, self.cost)) is not None
            and (own is None or amount < own)
        ]
        self.cheaper = tuple(behind(self.race, self.best, [settled[n] for _, n in sorted(known)]))
        as_good = [each.entrant for each in self.cheaper if each.as_good]
        self.cheapest = as_good[0] if as_good else None if own is None else self.best


def choose(
    request: Request,
    methods: Sequence[str],
    sources: Sequence[str],
    cost: Cost,
    seconds: float,
    catalogue: Catalogue,
    progress: Progress,
    at_once: AtOnce | None = None,
) -> Choice:
    """Find the best system for a task, and the cheapest that is as good.

    An interrupt (Ctrl-C) ends it with what is known.

    Parameters
    ----------
    request : Request
        Of the task, without method and source; where things are, and on what to compute.
    methods, sources : sequence of str
        See `mirbench.choose.systems.field_of`.
    cost : {"trainable", "clips-per-second", "energy"}
        What the cheapest is the cheapest in.
    seconds : float
        How long it may take; nothing is begun that is not expected to end in time.
    at_once : AtOnce or None
        How many runs are done at once; the others are as of `mirbench.choose.race.Race`.

    Raises
    ------
    BadInput
        If data are missing, or nothing that was asked for fits together.
    MissingExtra
        If energy cannot be measured.
    """
    request = replace(request, energy=cost == "energy")
    EnergyMeter(request.energy)
    merge_small_shards(request.cache, progress)
    with using(request.cache):
        asked, task, split = _split(request.task, catalogue)
        request = replace(request, task=asked)
        quiet = Progress(quiet=True)
        folds, _ = read_labels(task, request.data, request.cache, progress)
        dataset_folder(replace(task, cautions=()), request.data, request.cache, quiet)
        taking_part = field_of(task, methods, sources, catalogue, request.weights, request.cache)
        every = [request_of(c, request, catalogue) for c in (*taking_part.first, *taking_part.later)]
        records = (record for _, record in RunStore(request.runs, []).records())
        budget = Budget(seconds, catalogue, every, records)
        race = Race(request, taking_part, task.n_folds, task.metrics[0], catalogue, progress, budget, at_once)
        choice = Choice(asked, task, split, cost, taking_part, race)
        try:
            race.run()
            choice.settle()
            choice.trust = looked_at(task, folds, request, progress, budget)
            if len(race.folds) < task.n_folds:
                choice.curve = Curve(why_not="not all folds were done")
            elif choice.best:
                choice.curve = learning_curve(choice.best, race.folds, race.metric, catalogue, progress, budget)
        except KeyboardInterrupt:
            choice.interrupted = True
            choice.settle()
    return choice


def _split(name: str, catalogue: Catalogue) -> tuple[str, Task, str]:
    """The name to ask for, the task as it is raced on, and what its split is."""
    task = catalogue.task(name)
    if task.n_folds > 1:
        return name, task, f"{task.n_folds} folds"
    if not task.splits_drawn or "+" in task.name or task.n_clips >= _FEW_CLIPS:
        drawn = "drawn, 70/15/15" if task.splits_drawn else "as the data give them"
        return name, task, f"train, valid and test {drawn}"
    folded = catalogue.task(f"{name}+folds5")
    try:
        for fold in range(folded.n_folds):
            held = {clip.split for clip in folded.read_clips(None, fold)}
            if held != {"train", "valid", "test"}:
                raise BadInput("too few clips")
    except BadInput:
        return name, task, "train, valid and test drawn, 70/15/15"
    return f"{name}+folds5", folded, "5 folds drawn, +folds5: no split is given"


def best_of(race: Race, some: Sequence[Entrant]) -> Entrant:
    """The best on validation clips.

    One that chose its epoch on them is flattered there: it is the best only where it is surely better than the best of
    those that did not.
    """
    found = race.compared(some, race.folds)
    fair = [n for n in found.order if not some[n].flattered]
    first = found.order[0]
    if not fair or first == fair[0]:
        return some[first]
    n_flattered = len(some) - len(fair)
    surely = found.p[fair[0], first] < LEVEL / n_flattered
    return some[first] if surely else some[fair[0]]


def cost_of(entrant: Entrant, cost: Cost) -> float | None:
    """What a system costs, lower is cheaper; None where it is not known or means nothing."""
    records = [outcome.record for outcome in entrant.runs.values()]
    if cost == "trainable":
        return records[0].n_trainable
    if cost == "clips-per-second":
        rates = [rate for record in records if (rate := record.seconds.get("clips_per_second"))]
        return -float(np.median(rates)) if rates else None
    spent = [float(record.energy["train_kwh"]) for record in records if "train_kwh" in record.energy]
    return float(np.mean(spent)) if spent else None
