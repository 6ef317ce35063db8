"""What a sweep would do and what that costs, told before it begins; nothing is run, fetched or decoded for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from mirbench.plain_text import say
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.cached import CachedRows
from mirbench.runs.costs import Basis, Costs, Machine
from mirbench.runs.hyperparameters import n_points
from mirbench.runs.limits import Limits, said_time
from mirbench.runs.pieces import done_drafts, pieces_of
from mirbench.runs.plan import draft_plan
from mirbench.runs.report import apart, print_rows
from mirbench.runs.store import RunStore
from mirbench.runs.suite import Suite
from mirbench.runs.suite_runs import Entry
from mirbench.runs.wanting import Wanting

__all__ = ["cost_ahead", "costs_of", "print_plan"]

_LONG = 600.0  # seconds

_SAID: dict[Basis, str] = {
    "records": "by runs like it on record from this machine",
    "source": "by runs with its source on record from this machine",
    "operations": "by its operations and what this machine does in two seconds, which is rough",
    "": "unknown",
}


def costs_of(suite: Suite, catalogue: Catalogue, threads: int = 0, records: Iterable[RunRecord] | None = None) -> Costs:
    """What is known of costs in the folder of records of a suite.

    Parameters
    ----------
    threads : int
        Of torch in each run; 0 is those that the suite asks for.
    records : iterable of RunRecord or None
        Those of the folder, where they were read already.
    """
    if records is None:
        records = (record for _, record in RunStore(suite.first.runs, []).records())
    requests = (entry.request for entry in suite.entries if not entry.unable)
    return Costs(records, Machine.here(suite.first, threads), catalogue, requests)


def print_plan(
    suite: Suite, catalogue: Catalogue, limits: Limits, n_jobs: int = 1, left_out: list[str] | None = None
) -> None:
    """Print the entries: their numbers of runs and models, what is on record and in the cache, and what is left.

    Parameters
    ----------
    limits : Limits
        Which of the runs are asked for.
    n_jobs : int
        Runs at once.
    left_out : list of str, optional
        As of `RunStore`.
    """
    told = _told(suite, catalogue, left_out)
    first = {piece.key: id(piece.entry) for piece in pieces_of(suite, catalogue)}
    names = apart([entry.name for entry in suite.entries])
    rows = [[name, *told.row(entry, limits, first)] for name, entry in zip(names, suite.entries, strict=True)]
    if suite.reference:
        say(suite.reference)
    print_rows(
        suite.title, ("", "folds × seeds", "models", "on record", "rows cached", "left", "note"), rows, n_left=1
    )  # fmt: skip
    n = told.n_runs
    say(f"{n} {'run' if n == 1 else 'runs'}, {told.n_known} of them on record with the same settings.")
    for line in [*told.costs(n_jobs), *_wanting(suite, catalogue)]:
        say(line)
    say("Nothing was run or fetched; whether audio and weights are the same too is seen when they run.")


def _wanting(suite: Suite, catalogue: Catalogue) -> Iterable[str]:
    """What the runs lack here, once for each reason, and what they will fetch."""
    wanting = Wanting(catalogue)
    lacking: dict[str, int] = Counter()
    able = [entry for entry in suite.entries if not entry.unable]
    for entry in able:
        lacking.update(dict.fromkeys(wanting.of(entry.request), 1))
    for reason, n in lacking.items():
        rows = "No row can" if n == len(able) else f"{n} of {len(able)} rows cannot"
        yield f"{rows} be done here: {reason}"
    for name, what in wanting.fetched.items():
        yield f"{name}: not on this machine; its first run fetches {what}."


def cost_ahead(suite: Suite, catalogue: Catalogue, limits: Limits) -> list[str]:
    """What the runs of a suite that are not on record will cost; nothing under ten minutes."""
    told = _told(suite, catalogue)
    first = {piece.key: id(piece.entry) for piece in pieces_of(suite, catalogue)}
    for entry in suite.entries:
        told.row(entry, limits, first)
    return told.costs(1) if told.seconds >= _LONG else []


def _told(suite: Suite, catalogue: Catalogue, left_out: list[str] | None = None) -> _Told:
    store = RunStore(suite.first.runs, [] if left_out is None else left_out)
    records = [record for _, record in store.records()]
    return _Told(catalogue, costs_of(suite, catalogue, records=records), CachedRows(catalogue), done_drafts(records))


class _Told:
    """Rows of the table, and their sums."""

    def __init__(self, catalogue: Catalogue, costs: Costs, cached: CachedRows, known: set[str]) -> None:
        self._catalogue, self._costs, self._cached, self._known = catalogue, costs, cached, known
        self.n_runs = self.n_known = 0
        self._seconds = 0.0
        self._rows: dict[tuple[str, ...], float] = {}
        self._undecoded = ""
        self._bases: Counter[Basis] = Counter()

    def row(self, entry: Entry, limits: Limits, first: dict[str, int]) -> list[str]:
        """Cells of an entry; a run that an earlier entry asks for, too, costs nothing more."""
        if entry.unable:
            return ["—", "—", "—", "—", "—", f"skipped: {entry.unable}"]
        specs = [spec for spec in draft_plan(entry.request, self._catalogue).specs if limits.ask_for(spec)]
        keys = {spec.key: spec for spec in specs}
        there = sum(not self._lacks(spec, entry) for spec in keys.values())
        missing = [spec for key, spec in keys.items() if self._lacks(spec, entry) and first.get(key) == id(entry)]
        self.n_runs, self.n_known = self.n_runs + len(specs), self.n_known + there
        counted = self._cached.of(entry.request)
        cells = "—" if counted is None else "" if counted == (0, 0) else f"{counted[0]} of {counted[1]}"
        costs = [self._costs.of(spec) for spec in missing]
        self._bases.update(cost.basis for cost in costs)
        seconds = sum(cost.seconds or 0.0 for cost in costs)
        self._seconds += seconds
        if missing and costs[0].rows and counted != (0, 0):
            share = 1.0 if counted is None else 1 - counted[0] / counted[1]
            windows = f"{missing[0].windowing.windows} {missing[0].pad}"
            group = (missing[0].task, missing[0].source or missing[0].method, windows)
            self._rows[group] = max(self._rows.get(group, 0.0), share * costs[0].rows)
            if costs[0].basis == "operations" and share:
                self._undecoded = ", decoding not counted"
        runs = f"{len({spec.fold for spec in specs})} × {len({spec.seed for spec in specs})}"
        n_models = len(specs) * n_points(entry.request.search)
        left = ("unknown" if all(cost.seconds is None for cost in costs) else said_time(seconds)) if missing else ""
        return [runs, str(n_models), f"{there} of {len(specs)}", cells, left, ""]

    def _lacks(self, spec: RunSpec, entry: Entry) -> bool:
        """Whether a run is not on record; where it turns out that no clip is padded, its key is that of zeros."""
        others = [] if entry.request.pad else [replace(spec, pad="zeros")]
        return not self._known & {spec.key, *(other.key for other in others)}

    @property
    def seconds(self) -> float:
        """Of all that is left, one run after another."""
        return self._seconds + sum(self._rows.values())

    def costs(self, n_jobs: int) -> list[str]:
        """What all of it will cost, and how that is known; nothing where nothing is left."""
        if not self._bases:
            return []
        rows = sum(self._rows.values())
        beside = f", and {said_time(rows)} for rows that are not cached{self._undecoded}" if rows >= 1 else ""
        at_once = f", {n_jobs} at once" if n_jobs > 1 else ""
        told = f"What is left takes about {said_time(self._seconds / n_jobs)} here{at_once}{beside}."
        return [told, "Told " + "; ".join(_basis_lines(self._bases)) + "."]


def _basis_lines(bases: Counter[Basis]) -> Iterable[str]:
    for basis, said in _SAID.items():
        if n := bases[basis]:
            yield f"of {n} {'run' if n == 1 else 'runs'} {said}"
