"""Many runs at once on one machine: a process a run, watched over by the command, which itself computes nothing.

The folder of records is the queue: a run that another command has claimed is left to it. A process that dies leaves a
failed record with what ended it, and the others go on. Processes are forked by a server that has imported what runs
import, so that a run costs no imports; neither the command nor the server touches a GPU.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Literal

from mirbench.errors import MissingData, MissingExtra, NotApplicable
from mirbench.features.claims import clock
from mirbench.features.effects import require_packages
from mirbench.features.temporary import temporary, using
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.at_once import preload
from mirbench.runs.at_once.child import Errand
from mirbench.runs.at_once.processes import Todo
from mirbench.runs.at_once.supervisor import Supervisor
from mirbench.runs.gpus import free_first, visible_gpus
from mirbench.runs.limits import Limits
from mirbench.runs.measure import EnergyMeter
from mirbench.runs.plan import Request
from mirbench.runs.runner import Job
from mirbench.runs.suite import Suite
from mirbench.runs.surroundings import require_device_name
from mirbench.runs.sweep import Result, begun, finished, tried

__all__ = ["AtOnce", "run_suite"]

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A process that has several threads must not be forked."""


@dataclass(frozen=True)
class AtOnce:
    """How many runs are done at once.

    Parameters
    ----------
    jobs : int
        Runs, each in a process of its own.
    plugins : tuple of Path
        The files from which the catalogue has plugins: each process reads them itself.
    """

    jobs: int
    plugins: tuple[Path, ...] = ()

    def threads(self, request: Request) -> int:
        """Threads of torch of a run: those asked for, or its share of the cores that this process may use."""
        if request.threads:
            return request.threads
        return max(1, min(_cores() // self.jobs, _told("OMP_NUM_THREADS")))

    def blas_threads(self, request: Request) -> int:
        """Of numpy's and scikit-learn's arithmetic: as many; with ``--threads``, as many as without ``--jobs``."""
        if not request.threads:
            return self.threads(request)
        return min(_cores(), _told("OPENBLAS_NUM_THREADS"), _told("OMP_NUM_THREADS"))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _told(variable: str) -> int:
    """A number of threads that the environment names; many where it names none."""
    value = os.environ.get(variable, "").partition(",")[0].strip()
    return int(value) if value.isdecimal() and int(value) else 1024


class _Look(Limits):
    """Lets nothing begin: what is not on record is put off, until a process has done it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits.keys)

    def let_begin(self, spec: RunSpec) -> bool:
        self.put_off[spec.key] = spec
        return False


def run_suite(
    suite: Suite,
    catalogue: Catalogue,
    progress: Progress,
    at_once: AtOnce,
    *,
    deform: Sequence[str] = (),
    without_data: Literal["stop", "skip"] = "stop",
    limits: Limits | None = None,
) -> list[Result]:
    """As `mirbench.runs.sweep.run_suite`, several runs at once.

    Parameters
    ----------
    at_once : AtOnce
        How many.

    Raises
    ------
    BadInput, MissingExtra, BrokenInstallation
        As `mirbench.runs.sweep.run_suite`, but for a device that is not there, which each run says itself.
    """
    first, limits = suite.first, limits or Limits()
    EnergyMeter(first.energy)
    require_packages(deform)
    require_device_name(first.device)
    left_out = (MissingExtra, NotApplicable, *((MissingData,) if without_data == "skip" else ()))
    with using(first.cache), temporary() as folder:
        look, since = _Look(limits), clock(first.runs)
        begin = partial(Job, catalogue=catalogue, progress=progress, since=since, limits=look)
        entries = [tried(entry, catalogue, progress, left_out) for entry in suite.entries]
        jobs = [begun(entry, begin, deform) for entry in entries]
        todo: dict[str, Todo] = {}
        for entry, (job, no_curve) in zip(entries, jobs, strict=True):
            if job is None:
                continue
            for spec in job.put_off:
                errand = _errand(entry.request, spec, at_once, () if no_curve else tuple(deform), since, folder)
                todo.setdefault(spec.key, Todo(errand, spec, entry.name)).jobs.append(job)
        if todo:
            n_known = sum(len(job.done) for job, _ in jobs if job)
            gpus = _gpus(first, at_once, progress)
            supervisor = Supervisor(_processes(suite, catalogue), at_once.jobs, gpus, progress, limits)
            supervisor.do(list(todo.values()), suite.title, n_known)
        for key in set(look.put_off) - set(limits.put_off):
            del look.put_off[key]
        errors = {id(job): one.error for one in todo.values() if one.error for job in one.jobs}
        return [
            Result(entry, reason=f"failed: {errors[id(job)]}") if id(job) in errors else finished(entry, job, reason)
            for entry, (job, reason) in zip(entries, jobs, strict=True)
        ]


def _errand(
    request: Request, spec: RunSpec, at_once: AtOnce, deform: tuple[str, ...], since: float, folder: Path
) -> Errand:
    """What a process is told of one run of a request."""
    own = replace(request, folds=(spec.fold,), seeds=(spec.seed,), threads=at_once.threads(request))
    blas = at_once.blas_threads(request)
    return Errand(own, at_once.plugins, deform, since, dict(os.environ), blas, folder / spec.key)


def _gpus(request: Request, at_once: AtOnce, progress: Progress) -> list[str]:
    """Names of the GPUs that runs are shared out among; none where all of them compute on one device."""
    gpus = visible_gpus() if request.device in ("auto", "cuda") else []
    chosen = free_first(gpus)
    where = ""
    if chosen:
        where = f", on GPU {' and '.join(str(gpu.index) for gpu in chosen)}"
        where += f" ({len(gpus) - len(chosen)} more in use by others)" if len(gpus) > len(chosen) else ""
        where += " (in use by others)" if not any(gpu.free for gpu in gpus) else ""
    n = at_once.threads(request)
    progress.say(f"{at_once.jobs} runs at once, {n} {'thread' if n == 1 else 'threads'} each{where}")
    return [gpu.uuid for gpu in chosen]


def _processes(suite: Suite, catalogue: Catalogue) -> BaseContext:
    """What makes processes: forked by a server that has imported much, or begun anew where nothing forks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    requests = [entry.request for entry in suite.entries if not entry.unable]
    own = {catalogue.method(request.method).__module__ for request in requests}
    own |= {catalogue.source(request.source).builder.partition(":")[0] for request in requests if request.source}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mirbench.runs.at_once.preload"])
    names = ",".join(sorted(name for name in own if name.startswith("mirbench.")))
    with _environment({**_ONE_THREAD, preload.VARIABLE: names}):
        forkserver.ensure_running()
    return context


@contextmanager
def _environment(new: Mapping[str, str]) -> Iterator[None]:
    """What is started in the block finds these variables."""
    before = {name: os.environ.get(name) for name in new}
    os.environ.update(new)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
