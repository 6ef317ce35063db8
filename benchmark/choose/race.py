"""A race: systems are tried on ever more folds and seeds, and what surely cannot be the best is dropped on the way.

Everything is decided on validation clips; test clips decide nothing. A method that chose its epoch on them is flattered
there: it drops no method that did not (`Entrant.flattered`), and is dropped like any other. What is dropped, and how
often that is the truly best: `mirbench.leaderboard.best`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mirbench.choose.budget import Budget
from mirbench.choose.stacked import Heard, stacked
from mirbench.choose.systems import FLOOR, Candidate, Field, request_of
from mirbench.choose.validation import Validation, selected_on_valid
from mirbench.errors import BrokenInstallation, MirbenchError, MissingData
from mirbench.features.claims import clock
from mirbench.installation import refuse_broken
from mirbench.leaderboard.best import LEVEL, Standing, order, spent, standing, values
from mirbench.metrics import METRICS
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.at_once.parallel import AtOnce, run_suite
from mirbench.runs.attempt import first_line
from mirbench.runs.limits import Limits, said_time
from mirbench.runs.plan import Request
from mirbench.runs.runner import Job, Outcome
from mirbench.runs.scores import Scores
from mirbench.runs.suite import Suite
from mirbench.runs.suite_runs import Entry

__all__ = ["OF_FIRST", "SEEDS", "Entrant", "Race", "rungs"]

SEEDS = 3
"""Of the methods in which something is random, in the end."""

OF_FIRST, _OF_LATER, _OF_SEEDS = 0.5, 0.25, 0.25
"""Shares of `LEVEL` that the looks of the three parts of a race may spend."""


@dataclass
class Entrant:
    """A system in the race.

    Parameters
    ----------
    runs : dict of (fold, seed) to Outcome
        Those that are done.
    valid : dict of (fold, seed) to Scores
        What they say of the validation clips of their fold.
    out : str
        Why it is out of the race, in words; "" while it is in.
    by : str
        What it was dropped for; "" where it is in, or out for another reason.
    """

    candidate: Candidate
    request: Request
    runs: dict[tuple[int, int], Outcome] = field(default_factory=dict)
    valid: dict[tuple[int, int], Scores] = field(default_factory=dict)
    out: str = ""
    by: str = ""

    @property
    def name(self) -> str:
        """As records call it, where there are some: a path is not in them."""
        if not self.runs:
            return self.candidate.name
        spec = self.record.spec
        return f"{spec.method}+{spec.source}" if spec.source else spec.method

    @property
    def record(self) -> RunRecord:
        """One of its records."""
        return next(iter(self.runs.values())).record

    @property
    def flattered(self) -> bool:
        """Whether it chose something on the clips that it races on."""
        return any(selected_on_valid(outcome.record) for outcome in self.runs.values())

    def has(self, folds: Sequence[int]) -> bool:
        """Whether some seed has all of these folds."""
        seeds = {seed for _, seed in self.valid}
        return any(all((fold, seed) in self.valid for fold in folds) for seed in seeds)

    def heard(self, folds: Sequence[int]) -> Heard:
        """What it says of the validation clips of these folds."""
        return stacked(self.valid, folds)


def rungs(n_folds: int) -> list[int]:
    """How many folds are seen at each look: 1, 2, 4, …, all."""
    found = [1]
    while found[-1] * 2 < n_folds:
        found.append(found[-1] * 2)
    return found if found[-1] == n_folds else [*found, n_folds]


class Race:
    """Runs systems and drops them; what is known can be asked for at any time, also after it was interrupted.

    Parameters
    ----------
    request : Request
        Of the task, without method and source.
    n_folds, metric
        Of the task.
    at_once : AtOnce or None
        How many runs are done at once; None is one after another, in this process.

    Attributes
    ----------
    n_runs : int
        Done or read back.
    not_begun : list of str
        Systems of which something was not begun, for it could not have ended.
    """

    def __init__(
        self,
        request: Request,
        taking_part: Field,
        n_folds: int,
        metric: str,
        catalogue: Catalogue,
        progress: Progress,
        budget: Budget,
        at_once: AtOnce | None = None,
    ) -> None:
        self._catalogue, self._progress, self.budget = catalogue, progress, budget
        self._at_once = at_once
        self.metric, self.n_folds = metric, n_folds
        self.entrants = [self._entrant(candidate, request) for candidate in taking_part.first]
        self._later = [self._entrant(candidate, request) for candidate in taking_part.later]
        self._since = clock(request.runs)
        self._rivals = len(self.entrants)
        self.n_runs = 0
        self.not_begun: list[str] = []

    def _entrant(self, candidate: Candidate, request: Request) -> Entrant:
        return Entrant(candidate, request_of(candidate, request, self._catalogue))

    @property
    def racing(self) -> list[Entrant]:
        """Those that are in."""
        return [entrant for entrant in self.entrants if not entrant.out]

    @property
    def settled(self) -> list[Entrant]:
        """Those that are in and have as many folds as any: what the answer is chosen of."""
        for n in reversed(range(1, self.n_folds + 1)):
            if found := [entrant for entrant in self.racing if entrant.has(range(n))]:
                return found
        return []

    @property
    def folds(self) -> range:
        """The folds that `settled` have."""
        some = self.settled
        return range(max((n for n in range(1, self.n_folds + 1) if some and some[0].has(range(n))), default=0))

    def run(self) -> None:
        """The whole race, as far as the time goes."""
        self._climb(self.entrants, LEVEL * OF_FIRST)
        self._try_later()
        self._more_seeds()

    def _climb(self, who: Sequence[Entrant], level: float) -> None:
        """More and more folds, with a look after each step."""
        seen = 0.0
        for n in rungs(self.n_folds):
            self._step([entrant for entrant in who if not entrant.out], range(n), (0,), f"{n} of {self.n_folds} folds")
            share = n / self.n_folds
            self._look(range(n), spent(share, level) - spent(seen, level))
            seen = share

    def _try_later(self) -> None:
        """Heavier methods on the sources that are left, the best source first, as long as there is time."""
        best_first = [entrant.candidate.source for entrant in self._ordered()]
        left = [entrant for entrant in self._later if entrant.candidate.source in best_first or not best_first]
        self._rivals += len(left)
        rank = {source: n for n, source in reversed(list(enumerate(best_first)))}
        waiting = sorted(left, key=lambda entrant: rank.get(entrant.candidate.source, 0))
        n = self._at_once.jobs if self._at_once else 1
        while waiting:
            some, waiting = waiting[:n], waiting[n:]
            begun = [entrant for entrant in some if self._fits(entrant)]
            self.not_begun += [entrant.name for entrant in some if entrant not in begun]
            self.entrants += begun
            if begun:
                self._climb(begun, LEVEL * _OF_LATER)

    def _fits(self, entrant: Entrant) -> bool:
        """Whether one seed of it is expected to end in time."""
        return self.budget.of(replace(entrant.request, seeds=(0,))) < self.budget.racing.seconds_left

    def _more_seeds(self) -> None:
        """Further seeds of those in which something is random."""
        random = [entrant for entrant in self.settled if entrant.record.uses_seed and entrant.name != FLOOR]
        if random and len(self.folds) == self.n_folds:
            self._step(random, range(self.n_folds), tuple(range(SEEDS)), f"{SEEDS} seeds")
            self._look(range(self.n_folds), LEVEL * _OF_SEEDS)

    def _step(self, who: Sequence[Entrant], folds: Sequence[int], seeds: Sequence[int], what: str) -> None:
        """Do what lacks of these runs; systems that look better go first, should the time be short."""
        lacking = [entrant for entrant in who if not all((k, s) in entrant.valid for k in folds for s in seeds)]
        if not lacking:
            return
        place = {entrant.candidate: n for n, entrant in enumerate(self._ordered())}
        methods = list(dict.fromkeys(entrant.candidate.method for entrant in lacking))

        def key(entrant: Entrant) -> tuple[float, ...]:
            if entrant.candidate in place:
                return 0, place[entrant.candidate]
            return 1, methods.index(entrant.candidate.method), self._cost(entrant)

        ready = sorted(lacking, key=key)
        self._do_at_once([replace(each.request, folds=tuple(folds), seeds=tuple(seeds)) for each in ready], what)
        with self._progress.bar(f"race, {what}", len(ready), "systems") as bar:
            for entrant in ready:
                self._do(entrant, folds, seeds, self.budget.racing)
                left = said_time(max(self.budget.racing.seconds_left, 0))
                bar(1, f"{entrant.name}; {left} left at most")

    def _do_at_once(self, requests: Sequence[Request], what: str) -> None:
        """Do runs beforehand, several at once; what is wrong with one of them is seen when it is read back."""
        if self._at_once and self._at_once.jobs > 1:
            entries = tuple(Entry("", request, "") for request in requests)
            limits = self.budget.racing
            run_suite(
                Suite(f"race, {what}", "", entries), self._catalogue, self._progress, self._at_once, limits=limits
            )

    def _cost(self, entrant: Entrant) -> float:
        return self.budget.of(replace(entrant.request, folds=(0,), seeds=(0,)))

    def _do(self, entrant: Entrant, folds: Sequence[int], seeds: Sequence[int], limits: Limits) -> None:
        """Runs of one system; whatever is wrong with it puts it out, and ends no race."""
        request = replace(entrant.request, folds=tuple(folds), seeds=tuple(seeds))
        try:
            job = Job(request, self._catalogue, self._progress, since=self._since, limits=limits)
            asks = Validation(job.plan, self._progress)
            began, expected = time.monotonic(), self.budget.of(request) / self.budget.slowness
            job.do_free()
            new = 0
            for outcome in job.finish():
                new += not outcome.read_back
                self._count(entrant, outcome, asks)
            self.budget.took(expected * new / len(job.plan.specs), time.monotonic() - began)
        except (BrokenInstallation, MissingData):  # it is none of the system's
            raise
        except MirbenchError as error:
            entrant.out = printable(error, 200)
            return
        except Exception as error:  # somebody else's `restore`
            refuse_broken(error)
            entrant.out = first_line(error)
            return
        if job.put_off:
            self.not_begun.append(entrant.name)
            if not entrant.runs:
                entrant.out = "not begun for lack of time"

    def _count(self, entrant: Entrant, outcome: Outcome, asks: Validation) -> None:
        record = outcome.record
        if record.status != "done":
            entrant.out = entrant.out or f"{record.status}: {record.reason}"
            return
        place = record.spec.fold, record.spec.seed
        if place in entrant.runs:
            return
        self.n_runs += 1
        self.budget.learn(record)
        entrant.valid[place] = asks.scores(outcome)
        entrant.runs[place] = outcome

    def _look(self, folds: Sequence[int], level: float) -> None:
        """Drop what is surely worse than another on the validation clips of these folds."""
        some = [entrant for entrant in self.racing if entrant.has(folds)]
        some = self._same_clips(some, folds)
        if len(some) < 2:
            return
        found = self.compared(some, folds)
        flattered = np.array([entrant.flattered for entrant in some])
        may_beat = ~flattered[None, :] | flattered[:, None]
        dropped = []
        for entrant, better in zip(some, found.beaten(level, self._rivals, may_beat), strict=True):
            if better is not None:
                entrant.by = some[better].name
                entrant.out = f"surely worse than {entrant.by}"
                dropped.append(entrant)
        self._tell(some, found, dropped, folds)

    def compared(self, some: Sequence[Entrant], folds: Sequence[int]) -> Standing:
        """Systems on the validation clips of these folds."""
        heard = [entrant.heard(folds) for entrant in some]
        first = heard[0]
        return standing(self.metric, [each.scores for each in heard], first.targets, first.groups, first.folds)

    def values(self, some: Sequence[Entrant], folds: Sequence[int]) -> npt.NDArray[np.float64]:
        """Their metric on these validation clips."""
        heard = [entrant.heard(folds) for entrant in some]
        first = heard[0]
        return values(self.metric, [each.scores for each in heard], first.targets, first.groups, first.folds)

    def _same_clips(self, some: Sequence[Entrant], folds: Sequence[int]) -> list[Entrant]:
        """Those that were asked about the same clips with the same labels as the first."""
        heard = [entrant.heard(folds).hashes.tobytes() for entrant in some]
        for entrant, hashes in zip(some, heard, strict=True):
            if hashes != heard[0]:
                entrant.out = "it was asked about other clips"
        return [entrant for entrant in some if not entrant.out]

    def _ordered(self) -> list[Entrant]:
        """Those that are in and have runs, the best of each number of folds first."""
        rest = [entrant for entrant in self.racing if entrant.valid]
        ordered: list[Entrant] = []
        for n in reversed(range(1, self.n_folds + 1)):
            some = [entrant for entrant in rest if entrant.has(range(n))]
            if some:
                ordered += [some[k] for k in order(self.values(some, range(n)), METRICS[self.metric].higher_is_better)]
                rest = [entrant for entrant in rest if entrant not in ordered]
        return ordered

    def _tell(self, some: Sequence[Entrant], found: Standing, dropped: Sequence[Entrant], folds: Sequence[int]) -> None:
        best = some[found.order[0]]
        n = some[0].heard(folds).n_clips
        title = METRICS[self.metric].name
        line = f"{len(some)} systems, {n} validation clips: {best.name} {title} {found.values[found.order[0]]:.3f}"
        self._progress.say(f"{line}; {len(dropped)} dropped{': ' * bool(dropped)}{', '.join(_few(dropped))}")


def _few(dropped: Sequence[Entrant], most: int = 4) -> Iterator[str]:
    yield from (entrant.name for entrant in dropped[:most])
    if len(dropped) > most:
        yield f"and {len(dropped) - most} more"
