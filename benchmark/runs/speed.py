"""How fast a system predicts, and in how many operations: measured once on a machine, shared by its folds and seeds.

Speed is a property of a system on a machine, not of a fold or seed. The first run of a system measures it, alone: a
process that comes to the same system meanwhile waits for the record, and reads the speed from it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mirbench.errors import BadInput
from mirbench.features.afresh import Afresh, Costs
from mirbench.features.claims import claimed
from mirbench.features.stopwatch import Stopwatch
from mirbench.method import Fitted, ReadsRows
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.measure import counted_flops, environment, load
from mirbench.runs.plan import Plan
from mirbench.runs.record_file import read_record
from mirbench.runs.run_folders import is_there
from mirbench.runs.store import RunStore
from mirbench.types import Split

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["PROTOCOL", "Speed", "Speeds", "Timed", "clips_per_second", "frozen_seconds", "operations"]

PROTOCOL = 3
"""Version of how speed is measured: speeds of different ones share no column. 1 measured every fold and seed by itself,
for two seconds; 2 computed the rows of a source for each system that reads them."""

_SECONDS = 1.0  # the uncached pass stops after this, or
_CLIPS = 32  # after this many clips
_BATCH = 4

_USUAL_SEEDS = range(5)
_MOST_LOOKS = 500  # for a record of the same system

_MACHINE = (
    "versions", "python", "system", "processor", "cores", "threads", "device", "gpu", "cuda",
)  # fmt: skip
"""What of the environment of a run a speed depends on."""


class Timed(NamedTuple):
    """What was timed, and the load of the machine then; the greatest where it was put together from several times."""

    value: float
    load: float | None


@dataclass(frozen=True)
class Speed:
    """What was measured of a system.

    Parameters
    ----------
    clips_per_second : float or None
        None where the source was computed elsewhere.
    flops : int or None
        Of one clip.
    frozen_clip : float or None
        Seconds of the frozen part of one clip; None where there is none, or nothing was timed.
    run : str
        Key of the run that measured it.
    load : float or None
        Of the machine then.
    """

    clips_per_second: float | None
    flops: int | None
    frozen_clip: float | None = None
    run: str = ""
    load: float | None = None

    @classmethod
    def of(cls, rate: Timed | None, flops: int | None, frozen: Timed | None) -> Speed:
        """From what was timed; the load is the greatest of these times."""
        loads = [timed.load for timed in (rate, frozen) if timed and timed.load is not None]
        return cls(rate and rate.value, flops, frozen and frozen.value, load=max(loads) if loads else load())

    @property
    def circumstance(self) -> dict[str, Any]:
        """What the environment of a record says of it."""
        return {"timing": PROTOCOL, "timed_run": self.run, "timed_load": self.load}


class Speeds:
    """Speeds of the systems of a plan: those on record here, and those measured since.

    Within a ``with`` block a system that was measured is kept from other processes until the block ends, in which its
    record has to be written.

    Parameters
    ----------
    store : RunStore
        Whose records are looked at.
    """

    def __init__(self, plan: Plan, store: RunStore, progress: Progress) -> None:
        self._plan, self._store, self._progress = plan, store, progress
        self._known: dict[str, Speed] = {}
        self._claims = ExitStack()

    def __enter__(self) -> Speeds:
        return self

    def __exit__(self, *error: object) -> None:
        self._claims.close()

    def of(
        self,
        spec: RunSpec,
        chosen: Mapping[str, Any],
        machine: Mapping[str, Any],
        measure: Callable[[], Speed],
        watch: Stopwatch,
    ) -> Speed:
        """The speed of the system of a run, measured where nobody has.

        Parameters
        ----------
        chosen : mapping
            Hyperparameters that a search chose.
        machine : mapping
            The environment of the run.
        measure : callable
            ``measure()`` -> a speed, of no run yet.
        watch : Stopwatch
            Of the run: takes how long another process was waited for.
        """
        name = json.dumps(chosen, sort_keys=True)
        if name not in self._known and (found := self._on_record(spec, name, machine)):
            self._known[name] = found
        if name not in self._known:
            place = self._store.folder(spec).parent / f"speed-{spec.system}"
            with watch.phase("waiting"):
                self._claims.enter_context(claimed(place, f"timing {spec.method}", self._progress))
            found = self._on_record(spec, name, machine)  # which another may have written before we claimed it
            self._known[name] = found or replace(measure(), run=spec.key)
        return self._known[name]

    def _on_record(self, spec: RunSpec, chosen: str, machine: Mapping[str, Any]) -> Speed | None:
        wanted = {name: machine.get(name) for name in _MACHINE}
        for record in self._alike(spec):
            known = record.environment
            there = {name: known.get(name) for name in _MACHINE} == wanted and known.get("timing") == PROTOCOL
            if there and json.dumps(record.chosen, sort_keys=True) == chosen:
                rate = record.seconds.get("clips_per_second")
                frozen = record.seconds.get("frozen_clip")
                return Speed(rate, record.flops, frozen, known.get("timed_run", ""), known.get("timed_load"))
        return None

    def _alike(self, spec: RunSpec) -> Iterator[RunRecord]:
        """Records of the same system that are likely to be there: of the usual seeds and those of the plan."""
        seeds = sorted({*_USUAL_SEEDS, *(planned.seed for planned in self._plan.specs)})
        others = itertools.product(range(self._plan.task.n_folds), seeds)
        for fold, seed in itertools.islice(others, _MOST_LOOKS):
            path = self._store.folder(replace(spec, fold=fold, seed=seed)) / "record.json"
            if not is_there(path):
                continue
            try:
                record = read_record(path)
            except BadInput:  # whoever asks for that run says so
                continue
            if record.status == "done":
                yield record


def clips_per_second(fitted: Fitted, clips: Split, context: Context) -> Timed:
    """Clips a second from file to score, nothing cached, alone on the device; the first clip warms up.

    The rows of a source cost what they cost the first system on this machine that asked for them.
    """
    seconds, load = _seconds_each(lambda some: fitted.predict(some.blind()), clips, context)
    return Timed(1 / seconds, load)


def frozen_seconds(method: ReadsRows, clips: Split, context: Context) -> Timed:
    """Seconds a clip from file to the rows that training reads, which an epoch without a cache would spend again."""
    return _seconds_each(lambda some: method.reads(some.blind(), "train", context), clips, context)


def _seconds_each(work: Callable[[Split], object], clips: Split, context: Context) -> Timed:
    """Seconds a clip of a few batches, nothing cached."""
    watch = Stopwatch(context.device)
    afresh = Afresh(watch.now, _costs("seconds", context))

    def cost(first: int, last: int) -> float:
        return afresh.cost(lambda: work(Split(clips.task, clips.clips[first:last])))

    spent: list[float] = []
    rates: list[float] = []
    with context.uncached(afresh):
        cost(0, 1)
        for done in range(0, min(len(clips), _CLIPS), _BATCH):
            last = min(done + _BATCH, len(clips))
            spent.append(cost(done, last))
            rates.append((last - done) / spent[-1])
            if sum(spent) > _SECONDS:
                break
    return Timed(1 / float(np.median(rates)), afresh.load)  # of batches: a neighbour's burst moves a mean


def operations(fitted: Fitted, clips: Split, context: Context) -> int:
    """Operations from the audio of the first clip to its score, on the device where it ran."""
    first = Split(clips.task, clips.clips[:1]).blind()
    with counted_flops() as total:
        afresh = Afresh(total, _costs("operations", context))
        with context.uncached(afresh):
            return int(afresh.cost(lambda: fitted.predict(first)))


def _costs(unit: str, context: Context) -> Costs:
    """Those of rows on this machine, as this version of the protocol measures them."""
    known = environment(context.device)
    machine = json.dumps([PROTOCOL, *(known[name] for name in _MACHINE)])
    return Costs(context.memo, unit, machine, known["load"], most_load=(known["cores"] or 1) + 1)
