"""What a run will cost on this machine, told before it is done: from records, else from operations and a measurement.

Wall time of runs like it that were recorded on this processor and device, with as many threads, is the best that is
known; then that of runs with the same source on other tasks, by the number of clips; then operations, of records of any
machine or as cards tell, by what this machine does in two seconds while nothing else disturbs it.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from mirbench.errors import MirbenchError
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.gpus import visible_gpus
from mirbench.runs.hyperparameters import n_points
from mirbench.runs.measure import flops_of, processor
from mirbench.runs.operations import nominal_flops, passes_of, window_flops
from mirbench.runs.plan import Request
from mirbench.source import SourceCard
from mirbench.tables import OwnNetwork
from mirbench.types import Task

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Basis", "Cost", "Costs", "Machine", "measured_flops"]

Basis = Literal["records", "source", "operations", ""]
"""What an estimate is made of: runs like it, runs with its source, or operations; "" where there is none."""

_ROWS = ("decoding", "front_end", "body", "features")
"""Of where the time of a run went: what is spent once, for all runs that read the same rows."""
_NOT_ITS_OWN = (*_ROWS, "decoding_threads", "waiting", "timing")
_ANY_RUN = 3.0  # seconds, of a run of which nothing is known but its operations
_LARGE = 2e10  # operations of a window, from which on a network is large products: transformers
_MEASURE, _TRIALS, _BATCH = 2.0, 3, 4  # seconds, at least so many trials, and pictures in each


@dataclass(frozen=True)
class Machine:
    """What times are compared on.

    Parameters
    ----------
    threads : int
        Of torch; 0 is any.
    """

    processor: str
    device: str
    threads: int

    @staticmethod
    def here(request: Request, threads: int = 0) -> Machine:
        """This one, as a request would use it."""
        device = request.device.partition(":")[0]
        if device == "auto":
            device = "cuda" if visible_gpus() else "cpu"
        return Machine(processor(), device, threads or request.threads)

    def did(self, record: RunRecord) -> bool:
        """Whether a record is of this machine."""
        where = record.environment
        same = (where.get("processor"), where.get("device")) == (self.processor, self.device)
        return same and self.threads in (0, where.get("threads"))


@dataclass(frozen=True)
class Cost:
    """What a run costs.

    Parameters
    ----------
    seconds : float or None
        Wall time, rows left out; None where nothing tells.
    rows : float or None
        Seconds for the rows of all clips of its task, once.
    basis : str
        See `Basis`.
    """

    seconds: float | None
    rows: float | None
    basis: Basis


class Costs:
    """What is known of the costs of runs.

    Parameters
    ----------
    records : iterable of RunRecord
        Of any machine.
    machine : Machine
        On which it is to be told.
    requests : iterable of Request
        Whose runs' costs will be asked for: a task or a source that was read from a file is found by what was asked.
    """

    def __init__(
        self, records: Iterable[RunRecord], machine: Machine, catalogue: Catalogue, requests: Iterable[Request] = ()
    ) -> None:
        self._catalogue, self._machine = catalogue, machine
        self._tasks: dict[tuple[str, str], Task] = {}
        self._cards: dict[tuple[str, str], SourceCard] = {}
        for request in requests:
            task = catalogue.task(request.task)
            self._tasks[task.name, catalogue.version("task", request.task)] = task
            if request.source:
                card = catalogue.source(request.source)
                self._cards[card.name, catalogue.version("source", request.source)] = card
        self._runs: dict[tuple[str, ...], list[float]] = defaultdict(list)
        self._rows: dict[tuple[str, ...], list[float]] = defaultdict(list)
        self._rates: dict[str, list[float]] = defaultdict(list)
        self._flops: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._measured: dict[bool, float] = {}
        self._counted: dict[str, OwnNetwork] = {}
        for record in records:
            self.learn(record)

    def learn(self, record: RunRecord) -> None:
        """Count one more record."""
        if record.status == "done":
            self._learn(record, here=self._machine.did(record))

    def _learn(self, record: RunRecord, *, here: bool) -> None:
        spec, n_clips = record.spec, sum(record.n_clips.values())
        if record.flops:
            self._flops[self._heard(spec), spec.windowing.windows].append(record.flops)
        if not here or not n_clips:
            return
        own, rows = _seconds_of(record)
        amount, heard = _amount(spec), self._heard(spec)
        self._runs[spec.task, spec.method, heard, _settings(spec)].append(own / amount)
        self._runs[spec.task, spec.method, heard].append(own / amount)
        self._runs[spec.method, heard].append(own / amount / n_clips)
        if rows > 0:
            self._rows[spec.task, heard].append(rows)
            self._rows[(heard,)].append(rows / n_clips)
        if rate := record.seconds.get("clips_per_second"):
            self._rates[heard].append(rate)

    def known(self, spec: RunSpec) -> float | None:
        """Seconds of a run where records of this machine tell; None elsewhere."""
        cost = self._from_records(spec)
        return None if cost is None else cost.seconds

    def of(self, spec: RunSpec) -> Cost:
        """The cost of a run; where no record tells, this machine is measured once."""
        return self._from_records(spec) or self._from_operations(spec)

    def _from_records(self, spec: RunSpec) -> Cost | None:
        source = self._heard(spec)
        n_clips, amount = self._n_clips(spec), _amount(spec)
        of_task = (spec.task, spec.method, source)
        if found := self._runs.get((*of_task, _settings(spec))) or self._runs.get(of_task):
            return Cost(median(found) * amount, self._rows_of(spec, n_clips), "records")
        if not n_clips:
            return None
        if found := self._runs.get((spec.method, source)):
            return Cost(median(found) * amount * n_clips, self._rows_of(spec, n_clips), "source")
        if not spec.source or not (rates := self._rates.get(source)):
            return None
        one_pass = n_clips / median(rates)
        return Cost(_ANY_RUN + self._passes(spec) * one_pass, self._rows_of(spec, n_clips) or one_pass, "source")

    def _rows_of(self, spec: RunSpec, n_clips: int) -> float | None:
        """Computed once, they cost most to the run that came first."""
        source = self._heard(spec)
        if found := self._rows.get((spec.task, source)):
            return max(found)
        found = self._rows.get((source,))
        return max(found) * n_clips if found and n_clips else None

    def _from_operations(self, spec: RunSpec) -> Cost:
        card = self._card(spec)
        if card is not None and card.kind == "precomputed":
            return Cost(_ANY_RUN, 0.0, "operations")
        n_clips = self._n_clips(spec)
        if not n_clips:
            return Cost(None, None, "")
        own = self._own(spec)
        if known := self._flops.get((self._heard(spec), spec.windowing.windows)):
            flops = median(known) * n_clips
        else:
            flops = nominal_flops(self._task(spec), card, spec.windowing, own)
        large = window_flops(self._task(spec), card, own) >= _LARGE
        if large not in self._measured:
            self._measured[large] = measured_flops(self._machine.device, self._machine.threads, large=large)
        one_pass = flops / self._measured[large]
        return Cost(_ANY_RUN + self._passes(spec) * one_pass, one_pass if card else 0.0, "operations")

    def _passes(self, spec: RunSpec) -> float:
        method, task = self._catalogue.method(spec.method), self._task(spec)
        passes = passes_of(method, spec.params, task, self._card(spec), spec.windowing, self._own(spec))
        return passes * n_points(spec.search)

    def _own(self, spec: RunSpec) -> OwnNetwork | None:
        """What is known of the network that a method brings: as it is with these settings, where they change it."""
        if not self._options(spec):
            return self._catalogue.own_network(spec.method)
        if (heard := self._heard(spec)) not in self._counted:
            network, seconds, rate = self._method(spec).own_network(len(self._task(spec).classes))
            self._counted[heard] = OwnNetwork(seconds, _operations(network, round(seconds * rate)))
        return self._counted[heard]

    def _options(self, spec: RunSpec) -> dict[str, Any]:
        """What of the settings makes another network of the one that a method brings; {} where nothing does."""
        with suppress(MirbenchError, TypeError):  # records of plugins that are not here, of settings of before
            if not spec.source and hasattr(method := self._method(spec), "own_network"):
                return dict(method.options())
        return {}

    def _method(self, spec: RunSpec) -> Any:
        return self._catalogue.method(spec.method)(**spec.params)

    def _heard(self, spec: RunSpec) -> str:
        """What costs alike for every clip: a source, with the length of windows where that is asked for; or a method.

        Of one that brings a network, with the settings that make another one of it.
        """
        options = self._options(spec)
        if "seconds" in spec.source_params:
            options["seconds"] = spec.source_params["seconds"]
        return " ".join([spec.source or spec.method, *(f"{name}={value}" for name, value in options.items())])

    def _n_clips(self, spec: RunSpec) -> int:
        return self._task(spec).n_clips

    def _task(self, spec: RunSpec) -> Task:
        return self._tasks.get((spec.task, spec.task_version)) or self._catalogue.task(spec.task)

    def _card(self, spec: RunSpec) -> SourceCard | None:
        if not spec.source:
            return None
        card = self._cards.get((spec.source, spec.source_version)) or self._catalogue.source(spec.source)
        seconds = spec.source_params.get("seconds")  # an option that takes the place of what the card says
        if not isinstance(seconds, int | float) or not seconds > 0:
            return card
        share = seconds / card.seconds if 0 < card.seconds < math.inf else 1.0  # of what was counted of a window
        return replace(
            card, seconds=float(seconds), flops=round(card.flops * share), n_frames=round(card.n_frames * share)
        )


def _seconds_of(record: RunRecord) -> tuple[float, float]:
    """Wall time of a run, and of the rows that it computed for all; in records of earlier versions, as far as known."""
    if spent := record.spent:
        own = sum(value for name, value in spent.items() if name not in _NOT_ITS_OWN)
        return own, sum(spent.get(name, 0.0) for name in _ROWS)
    seconds = record.seconds
    return (seconds.get("train") or 0.0) + (seconds.get("inference") or 0.0) + _ANY_RUN, seconds.get("features") or 0.0


def _settings(spec: RunSpec) -> str:
    """Of a method, but for the epochs, by which time is divided."""
    return json.dumps({name: value for name, value in spec.params.items() if name != "epochs"}, sort_keys=True)


def _amount(spec: RunSpec) -> float:
    """How often a run does what another does once: points of its search, and epochs."""
    epochs = spec.params.get("epochs", 1)
    return n_points(spec.search) * (epochs if isinstance(epochs, int) and epochs > 0 else 1)


def _operations(network: nn.Module, n_samples: int) -> int:
    """Of one window of audio."""
    import torch

    with torch.no_grad():
        return flops_of(lambda: network.eval()(torch.zeros(1, n_samples)))


def measured_flops(device: str, threads: int = 0, *, large: bool = False) -> float:
    """Floating-point operations a second of convolutions such as small networks hold, with what stands between them.

    The best of many short trials within two seconds, on a processor by the time that this thread had it: what other
    programs do meanwhile is left out.

    Parameters
    ----------
    threads : int
        Of torch; 0 leaves that as it is.
    large : bool
        Of two layers of a transformer instead, of which a machine does twice as many and more.
    """
    import torch

    network, x, each = _large_layers() if large else _small_layers()
    network, x = network.eval().to(device), x.to(device)
    clock = time.thread_time if device == "cpu" else time.perf_counter
    before, best = torch.get_num_threads(), float("inf")
    torch.set_num_threads(threads or before)
    try:
        with torch.no_grad():
            network(x).sum().item()  # the first one takes longer
            end = time.perf_counter() + _MEASURE
            for trial in itertools.count():
                if trial >= _TRIALS and time.perf_counter() > end:
                    break
                began = clock()
                network(x).sum().item()
                best = min(best, clock() - began)
    finally:
        torch.set_num_threads(before)
    return each / max(best, 1e-9)


def _small_layers() -> tuple[nn.Module, Tensor, float]:
    """Convolutions of few channels, one of them apart for each; an input; and the operations that this takes."""
    import torch
    from torch import nn

    layers = [
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.Conv2d(16, 64, 1), nn.Conv2d(64, 64, 3, padding=1, groups=64),
        nn.Conv2d(64, 32, 1), nn.Conv2d(32, 32, 3, padding=1),
    ]  # fmt: skip
    network = nn.Sequential(*(nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()) for layer in layers))
    a_place = 16 * 9 + 16 * 64 + 64 * 9 + 64 * 32 + 32 * 32 * 9
    return network, torch.ones(_BATCH, 1, 128, 128), 2.0 * _BATCH * 64 * 64 * a_place


def _large_layers() -> tuple[nn.Module, Tensor, float]:
    """What follows the attention in a block of AST; an input of half a window; and the operations that this takes."""
    import torch
    from torch import nn

    network = nn.Sequential(nn.Linear(768, 3072), nn.GELU(), nn.Linear(3072, 768))
    return network, torch.ones(512, 768), 2.0 * 2 * 512 * 768 * 3072
