"""A suite on a Dask cluster: what is to do is settled there, each run is one errand, and its record comes here.

Where a worker sees the folder of records it writes there itself, under the claims of all who share it. What comes from
others is packed, and is written once it was compared with what was asked; this process claims those runs meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput
from mirbench.features.claims import Claim, holder_of
from mirbench.features.temporary import temporary, written_whole
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.dask_cluster import Answer, Cluster, Errand, Worker
from mirbench.runs.dask_connection import connected
from mirbench.runs.dask_worker import do_run, told_of, what_is_asked
from mirbench.runs.packed_run import CLIP_LIST, require_run, unpack
from mirbench.runs.plan import Request
from mirbench.runs.record_file import sound
from mirbench.runs.run_folders import clip_list_name
from mirbench.runs.runner import Outcome
from mirbench.runs.store import RunStore
from mirbench.runs.suite import Suite
from mirbench.runs.suite_runs import Entry
from mirbench.runs.sweep import Result
from mirbench.types import Windowing

__all__ = ["sweep_on_cluster"]

_POLL = 1.0  # seconds between two looks at what other commands are at
_UNSEEN = 60.0  # seconds in which a file of another machine must be seen here


@dataclass(eq=False)
class _Run:
    """One run of an entry: what it leaves if it never ends, and what it left."""

    entry: Entry
    blank: RunRecord
    errand: Errand | None = None
    claim: Claim | None = None
    outcome: Outcome | None = None
    again_at: float = 0.0

    @property
    def spec(self) -> RunSpec:
        return self.blank.spec


def sweep_on_cluster(suite: Suite, scheduler: str, plugins: Sequence[Path], progress: Progress) -> list[Result]:
    """Do every run of a suite that is not on record, on the workers of a Dask cluster; nothing stops the others.

    Parameters
    ----------
    scheduler : str
        Its address, or the file that it wrote.
    plugins : sequence of Path
        Files that the suite needs, which are sent.

    Raises
    ------
    BadInput
        If there is no scheduler, or it is gone later; if no worker fits. What was done until then is on record.
    MissingExtra
        If Dask is not installed.
    """
    if not suite.entries:
        raise BadInput(f"{suite.title}: it asks for no run, only what data are; `mirbench reproduce` compares that")
    first = suite.entries[0].request
    store = RunStore(first.runs)
    store.require_writable()
    with temporary(first.runs) as folder, connected(scheduler, first.device, folder, progress) as cluster:
        sweep = _Sweep(suite, cluster, store, plugins, progress)
        try:
            sweep.settle()
            sweep.work()
        finally:
            sweep.give_back()
        return sweep.results()


class _Sweep:
    """A suite under way."""

    def __init__(
        self, suite: Suite, cluster: Cluster, store: RunStore, plugins: Sequence[Path], progress: Progress
    ) -> None:
        self._suite, self._cluster, self._store, self._progress = suite, cluster, store, progress
        self._plugins = plugins
        self._reasons: dict[int, str] = {}
        self._runs: dict[str, _Run] = {}
        self._of_entry: dict[int, list[_Run]] = {}
        self._waiting: list[_Run] = []

    def settle(self) -> None:
        """Ask for the runs of every entry, with the hashes of data and weights as the workers have them."""
        errands: dict[Errand, int] = {}
        for number, entry in enumerate(self._suite.entries):
            if entry.unable:
                self._reasons[number] = f"skipped: {entry.unable}"
                continue
            text = json.dumps(told_of(entry.request, self._plugins))
            errand = Errand(entry.name, what_is_asked, lambda worker, text=text: text, _group(entry.request))
            errands[errand] = number
            self._cluster.add(errand)
        unable: dict[Errand, dict[str, Any]] = {}
        with self._progress.bar(f"{self._suite.title}, what is to do", len(errands), "entries") as step:
            while self._cluster.busy:
                for answer in self._cluster.step():
                    if self._settled(answer, errands[answer.errand], unable):
                        step(1, answer.errand.name)

    def _settled(self, answer: Answer, number: int, unable: dict[Errand, dict[str, Any]]) -> bool:
        """Whether an entry is settled, by an answer or for want of one."""
        errand, entry = answer.errand, self._suite.entries[number]
        told = json.loads(answer.said) if answer.worker and not answer.fault else {}
        if answer.worker is None and errand in unable:
            told = unable.pop(errand)
            if "blank" in told:
                self._enter(number, entry, told)
            else:
                self._reasons[number] = f"{'skipped' if told['skipped'] else 'failed'}: {told['cannot']}"
        elif answer.fault or told.get("never"):
            self._reasons[number] = f"skipped: {told['cannot']}" if told else f"failed: {answer.fault}"
        elif why := told.get("cannot") or told["unable"]:
            unable[errand] = told
            self._elsewhere(answer, why)
            return False
        else:
            self._enter(number, entry, told)
        return True

    def _elsewhere(self, answer: Answer, why: str) -> None:
        """Let another worker try what this one cannot do."""
        assert answer.worker is not None
        self._progress.warn(f"worker {answer.worker.name}: {why}")
        answer.errand.tried[answer.worker.address] = why
        self._cluster.add(answer.errand)

    def _enter(self, number: int, entry: Entry, told: Mapping[str, Any]) -> None:
        """The runs of an entry, those on record read back; where no worker has its weights, all are skipped."""
        blank = _record_of(told["blank"])
        self._of_entry[number] = []
        for fold, seed in told["runs"]:
            own = replace(blank, spec=replace(blank.spec, fold=fold, seed=seed))
            run = self._runs.setdefault(own.spec.key, _Run(entry, own))
            self._of_entry[number].append(run)
            if run.outcome is None:
                run.outcome = self._on_record(run, bool(told["unable"]))
            if run.outcome is None and told["unable"]:
                self._keep(run, replace(own, status="skipped", reason=told["unable"]))

    def _on_record(self, run: _Run, unable: bool = False) -> Outcome | None:
        """A run that is not to be done: it is done, or its record cannot be read and stays as it is."""
        folder = self._store.folder(run.spec)
        try:
            record = self._store.read(run.spec) or (self._store.done_before(run.spec) if unable else None)
        except BadInput as error:
            return Outcome(replace(run.blank, reason=printable(error, 500)), folder, False)
        if record is None or record.status != "done":
            return None
        return Outcome(record, self._store.folder(record.spec), True)

    def work(self) -> None:
        """Do the runs that are not on record."""
        with self._progress.bar(self._suite.title, len(self._runs), "runs") as step:
            by_errand: dict[Errand, _Run] = {}
            for run in self._runs.values():
                if run.outcome is None:
                    run.errand = Errand(_name(run), do_run, self._telling(run), _group(run.entry.request))
                    by_errand[run.errand] = run
                    self._cluster.add(run.errand)
                else:
                    step(1)
            while self._cluster.busy or self._waiting:
                for answer in self._cluster.step():
                    self._take(by_errand[answer.errand], answer)
                self._try_again()
                for errand in [errand for errand, run in by_errand.items() if run.outcome is not None]:
                    step(1, self._note(by_errand.pop(errand)))

    def _note(self, run: _Run) -> str:
        assert run.outcome is not None
        failed = sum(run.outcome is not None and run.outcome.record.status != "done" for run in self._runs.values())
        counts = f"{self._cluster.n_under_way} running, {failed} failed, {self._cluster.n_workers} workers"
        return f"{counts}; {_name(run)}: {run.outcome.record.status}"

    def _telling(self, run: _Run) -> Any:
        """What a worker is told of a run, once nobody else is at it."""

        def told(worker: Worker) -> str:
            if worker.shares:
                self._let_go(run)  # it claims the run itself
            elif run.claim is None and not self._claimed(run):
                return ""
            spec, request = run.spec, replace(run.entry.request, folds=(run.spec.fold,), seeds=(run.spec.seed,))
            runs = str(self._store.root.absolute()) if worker.shares else ""
            hashes = {"audio_sha256": spec.audio_sha256, "source_sha256": spec.source_sha256}
            return json.dumps({**told_of(request, self._plugins), **hashes, "runs": runs, "key": spec.key})

        return told

    def _claimed(self, run: _Run) -> bool:
        """Whether the run is ours to do: nobody is at it, and nobody has done it meanwhile."""
        claim = Claim(self._store.folder(run.spec), self._progress)
        if not claim.take():
            self._wait_for(run)
            return False
        run.outcome = self._on_record(run)
        if run.outcome is not None:
            claim.give_back()
            return False
        run.claim = claim
        return True

    def _wait_for(self, run: _Run) -> None:
        run.again_at = time.monotonic() + _POLL
        self._waiting.append(run)

    def _try_again(self) -> None:
        """Read back the runs that others have done, and do those that they have left."""
        now = time.monotonic()
        for run in [run for run in self._waiting if run.again_at <= now]:
            self._waiting.remove(run)
            run.outcome = self._on_record(run)
            if run.outcome is None and holder_of(self._store.folder(run.spec)):
                self._wait_for(run)
            elif run.outcome is None and run.errand is not None:
                self._cluster.add(run.errand)

    def _take(self, run: _Run, answer: Answer) -> None:
        """What came of a run."""
        said, packed = answer.said or ("{}", b"")
        told = json.loads(said)
        if answer.fault:
            self._keep(run, replace(run.blank, reason=answer.fault))
        elif "held" in told:
            self._wait_for(run)
        elif "cannot" in told:
            self._elsewhere(answer, told["cannot"])
        elif packed:
            self._unpack(run, answer, packed)
        else:
            run.outcome = self._seen(run)
            if told["status"] == "skipped":
                self._progress.warn(f"worker {answer.worker.name if answer.worker else ''}: {told['reason']}")
        if run.outcome is not None:
            self._let_go(run)

    def _unpack(self, run: _Run, answer: Answer, packed: bytes) -> None:
        """Write what a worker sent, if it is the run that was asked for, whole; else let it be done again."""
        assert answer.worker is not None
        try:
            contents = unpack(packed)
            clip_list = contents.pop(CLIP_LIST, None)
            folder = self._store.write_files(run.spec, contents, lambda work: require_run(work, run.spec))
        except BadInput as error:
            run.outcome = None
            self._elsewhere(answer, f"what it sent of {_name(run)} is not used: {error}")
            return
        record = self._store.read(run.spec)
        assert record is not None
        if record.status == "done":
            self._store.forget_skipped(run.spec)
        place = folder.parents[1] / clip_list_name(run.spec.task_version)
        if clip_list is not None and not place.exists():
            with written_whole(place) as work:
                work.write_bytes(clip_list)
        run.outcome = Outcome(record, folder, False)

    def _seen(self, run: _Run) -> Outcome:
        """A record that a worker wrote to the folder that both see, which a network file system may show late."""
        began = time.monotonic()
        folder = self._store.folder(run.spec)
        while True:
            try:
                record = self._store.read(run.spec)
            except BadInput as error:
                return Outcome(replace(run.blank, reason=printable(error, 500)), folder, False)
            if record is not None:
                return Outcome(record, folder, False)
            if time.monotonic() - began > _UNSEEN:
                return Outcome(
                    replace(run.blank, reason="its worker wrote a record that is not seen here"), folder, False
                )
            time.sleep(0.2)

    def _keep(self, run: _Run, record: RunRecord) -> None:
        """Put on record what no worker could."""
        run.outcome = Outcome(record, self._store.write(record), False)

    def _let_go(self, run: _Run) -> None:
        claim, run.claim = run.claim, None
        if claim is not None:
            claim.give_back()

    def give_back(self) -> None:
        """Let others do what is not done."""
        for run in self._runs.values():
            self._let_go(run)

    def results(self) -> list[Result]:
        """What came of every entry."""
        return list(self._results())

    def _results(self) -> Iterator[Result]:
        for number, entry in enumerate(self._suite.entries):
            if number in self._reasons:
                yield Result(entry, reason=self._reasons[number])
            else:
                yield Result(entry, tuple(run.outcome for run in self._of_entry[number] if run.outcome is not None))


def _group(request: Request) -> str:
    """Runs of one group read the same rows."""
    return json.dumps([request.task, request.source, dict(request.source_params)], default=str)


def _name(run: _Run) -> str:
    return f"{run.entry.name}, fold {run.spec.fold}, seed {run.spec.seed}"


def _record_of(fields: Mapping[str, Any]) -> RunRecord:
    """A record as a worker told it, checked."""
    spec = dict(fields["spec"])
    windowing = Windowing(**spec.pop("windowing"))
    return sound(RunRecord(**{**fields, "spec": RunSpec(windowing=windowing, **spec)}))
