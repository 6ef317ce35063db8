"""How long a race may take: what runs are expected to cost here, and whether they still fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.cached import CachedRows
from mirbench.runs.costs import Costs, Machine
from mirbench.runs.limits import Limits
from mirbench.runs.plan import Request, draft_plan

__all__ = ["CLOSING", "SHARES", "Budget"]

CLOSING = 0.15
"""Share of the budget that the race leaves to the learning curve and the look at the data."""


SHARES = (0.25, 0.5)
"""Of the training clips, for the points of the learning curve before the last."""


class Budget:
    """The clock of a race, and what it knows of costs.

    Parameters
    ----------
    seconds : float
        From now on.
    requests : iterable of Request
        Whose runs will be asked about.
    """

    def __init__(
        self, seconds: float, catalogue: Catalogue, requests: Sequence[Request], records: Iterable[RunRecord]
    ) -> None:
        self.seconds = seconds
        self._catalogue = catalogue
        fewer = (replace(requests[0], task=f"{requests[0].task}+fraction{share:g}", source="") for share in SHARES)
        self._costs = Costs(records, Machine.here(requests[0]), catalogue, [*requests, *fewer])
        self._cached = CachedRows(catalogue)
        self._sources = {request.source: request for request in requests}
        self._rows_left: dict[str, float] = {}
        self._spent = self._expected = 0.0
        self.closing = Limits(seconds=seconds, cost=self.cost)
        """Until the end."""
        self.racing = Limits(seconds=seconds * (1 - CLOSING), cost=self.cost)
        """Until the race is over."""

    @property
    def seconds_left(self) -> float:
        """Of all."""
        return self.closing.seconds_left

    def learn(self, record: RunRecord) -> None:
        """Take in what a run cost; its source's rows are there now."""
        self._costs.learn(record)
        self._rows_left[record.spec.source] = 0.0

    def took(self, expected: float, seconds: float) -> None:
        """Learn from the clock: what was expected to take so long took so long, on a machine that may be busy.

        Of what was before, half as much counts each time.
        """
        if expected > 0:
            self._spent, self._expected = self._spent / 2 + seconds, self._expected / 2 + expected

    @property
    def slowness(self) -> float:
        """How many times longer than expected things take, by the clock; at least 1."""
        return max(1.0, self._spent / self._expected) if self._expected else 1.0

    def cost(self, spec: RunSpec) -> float | None:
        """What a run is expected to take by the clock, with the rows of its source where they are not in the cache."""
        known = self._costs.of(spec)
        if known.seconds is None:
            return None
        return (known.seconds + self._share_left(spec.source) * (known.rows or 0.0)) * self.slowness

    def of(self, request: Request) -> float:
        """What the runs of a request are expected to take by the clock, the rows once; 0 where nothing is known."""
        specs = draft_plan(request, self._catalogue).specs
        known = [self._costs.of(spec) for spec in specs]
        rows = max((cost.rows or 0.0 for cost in known), default=0.0) * self._share_left(request.source)
        return (rows + sum(cost.seconds or 0.0 for cost in known)) * self.slowness

    def _share_left(self, source: str) -> float:
        """Of the rows of a source, what has to be computed."""
        if source not in self._rows_left:
            request = self._sources.get(source)
            counted = self._cached.of(request) if source and request else (0, 0)
            there, needed = counted or (0, 1)
            self._rows_left[source] = 1 - there / needed if needed else 0.0
        return self._rows_left[source]
