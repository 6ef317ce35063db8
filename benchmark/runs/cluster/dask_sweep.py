"""A suite on a Dask cluster: what is to do is settled there, each run is one errand, and its record comes here.

Where a worker sees the folder of records it writes there itself, under the claims of all who share it. What comes from
others is packed, and is written once it was compared with what was asked; this process claims those runs meanwhile.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.features.claims import Claim, holder_of
from mirbench.features.temporary import temporary, written_whole
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.cluster.dask_cluster import Cluster
from mirbench.runs.cluster.dask_connection import connected
from mirbench.runs.cluster.dask_errands import Answer, Errand, Worker
from mirbench.runs.cluster.dask_settling import settle
from mirbench.runs.cluster.dask_worker import do_run, told_of
from mirbench.runs.cluster.packed_run import CLIP_LIST, DamagedRun, require_run, unpack
from mirbench.runs.limits import Limits, TimeLeft
from mirbench.runs.pieces import Piece, draft_key, pieces_of
from mirbench.runs.run_folders import clip_list_name
from mirbench.runs.runner import Outcome, read_back_otherwise
from mirbench.runs.store import RunStore
from mirbench.runs.suite import Suite
from mirbench.runs.surroundings import require_device_name
from mirbench.runs.sweep import Result

__all__ = ["sweep_on_cluster"]

_POLL = 1.0  # seconds between two looks at what other commands are at
_UNSEEN = 60.0  # seconds in which a file of another machine must be seen here


@dataclass(eq=False)
class _Run:
    """One run: what it leaves if it never ends, and what it left."""

    piece: Piece
    blank: RunRecord
    errand: Errand | None = None
    claim: Claim | None = None
    outcome: Outcome | None = None
    moment: float = 0.0
    """When it was begun, or is to be tried again."""

    @property
    def spec(self) -> RunSpec:
        return self.blank.spec

    def let_go(self) -> None:
        """Let others have it."""
        claim, self.claim = self.claim, None
        if claim is not None:
            claim.give_back()


def sweep_on_cluster(
    suite: Suite, catalogue: Catalogue, scheduler: str, plugins: Sequence[Path], progress: Progress, limits: Limits
) -> list[Result]:
    """Do every run of a suite that is not on record, on the workers of a Dask cluster; nothing stops the others.

    Parameters
    ----------
    scheduler : str
        Its address, or the file that it wrote.
    plugins : sequence of Path
        Files that the suite needs, which are sent.
    limits : Limits
        Which of the runs are asked for, and how long all of it may take.

    Raises
    ------
    BadInput
        If there is no scheduler, or it is gone later; if no worker fits. What was done until then is on record.
    MissingExtra
        If Dask is not installed.
    """
    first = suite.first
    require_device_name(first.device)
    store = RunStore(first.runs)
    store.require_writable()
    pieces = {piece.key: piece for piece in pieces_of(suite, catalogue)}
    with connected(scheduler, first.device, progress) as cluster, temporary(first.runs) as folder:
        cluster.place = _token(folder / "shared")
        settled = settle(suite, cluster, pieces.keys(), plugins, progress)
        sweep = _Sweep(cluster, store, plugins, limits, progress)
        try:
            runs = [
                [sweep.enter(blank, of.unable, pieces) for blank in of.runs if limits.ask_for(blank.spec)]
                for of in settled
            ]
            sweep.work(suite.title)
        finally:
            sweep.give_back()
    results = []
    for entry, of, own in zip(suite.entries, settled, runs, strict=True):
        outcomes = tuple(run.outcome for run in own if run.outcome is not None)
        for line in read_back_otherwise(entry.request, outcomes):
            progress.say(line)
        results.append(Result(entry, outcomes, of.reason, n_left=len(own) - len(outcomes)))
    return results


def _token(path: Path) -> str:
    """A file by which those who share the disk can be told, as `introduce` takes it."""
    text = secrets.token_hex(16)
    path.write_text(text, encoding="utf-8")
    return json.dumps({"file": str(path.absolute()), "text": text})


class _Sweep:
    """Runs under way on a cluster."""

    def __init__(
        self, cluster: Cluster, store: RunStore, plugins: Sequence[Path], limits: Limits, progress: Progress
    ) -> None:
        self._cluster, self._store, self._plugins = cluster, store, plugins
        self._limits, self._progress = limits, progress
        self._runs: dict[str, _Run] = {}
        self._waiting: list[_Run] = []
        self._n_failed = 0

    def enter(self, blank: RunRecord, unable: str, pieces: Mapping[str, Piece]) -> _Run:
        """Take up a run that is asked for; it is over if it is on record, or if no worker can do it."""
        if blank.spec.key in self._runs:
            return self._runs[blank.spec.key]
        run = self._runs[blank.spec.key] = _Run(pieces[draft_key(blank.spec)], blank)
        run.outcome = self._on_record(run, bool(unable))
        if run.outcome is None and unable:
            self._keep(run, replace(blank, status="skipped", reason=unable))  # of no weights, as no other run is
        return run

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

    def work(self, title: str) -> None:
        """Do the runs that are not on record."""
        left: dict[Errand, _Run] = {}
        time_left = TimeLeft(max(1, self._cluster.n_workers), self._limits)
        time_left.add(run.spec for run in self._runs.values() if run.outcome is None)
        with self._progress.bar(title, len(self._runs), "runs") as step:
            for run in self._runs.values():
                if run.outcome is None:
                    piece = run.piece
                    name = f"{piece.entry.name}, fold {run.spec.fold}, seed {run.spec.seed}"
                    run.errand = Errand(name, do_run, self._telling(run), piece.group, piece.weight)
                    left[run.errand] = run
                    self._cluster.add(run.errand)
                else:
                    step(1, measured=False)
            while self._cluster.busy or self._waiting:
                for answer in self._cluster.step():
                    self._take(left[answer.errand], answer)
                self._try_again()
                for errand in [errand for errand, run in left.items() if run.outcome is not None]:
                    run = left.pop(errand)
                    time_left.remove(run.spec)
                    self._n_failed += run.outcome is not None and run.outcome.record.status != "done"
                    step(1, f"{errand.name}, {self._counts()}", left=time_left.seconds)

    def _counts(self) -> str:
        failed = f"{self._n_failed} failed, " if self._n_failed else ""
        return f"{self._cluster.n_under_way} running, {failed}{self._cluster.n_workers} workers"

    def _telling(self, run: _Run) -> Callable[[Worker], str]:
        """What a worker is told of a run, once nobody else is at it."""

        def told(worker: Worker) -> str:
            if not self._limits.let_begin(run.spec):
                return ""
            if worker.shares:
                run.let_go()  # it claims the run itself
            elif run.claim is None and not self._claimed(run):
                return ""
            run.moment = time.monotonic()
            spec, request = run.spec, replace(run.piece.entry.request, folds=(run.spec.fold,), seeds=(run.spec.seed,))
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
        run.claim, run.outcome = claim, self._on_record(run)
        if run.outcome is not None:
            run.let_go()
        return run.outcome is None

    def _wait_for(self, run: _Run) -> None:
        run.moment = time.monotonic() + _POLL
        self._waiting.append(run)

    def _try_again(self) -> None:
        """Read back the runs that others have done, and do those that they have left."""
        now = time.monotonic()
        for run in [run for run in self._waiting if run.moment <= now]:
            self._waiting.remove(run)
            run.outcome = self._on_record(run)
            if run.outcome is not None or not self._limits.let_begin(run.spec):
                continue
            if holder_of(self._store.folder(run.spec)):
                self._wait_for(run)
            elif run.errand is not None:
                self._cluster.add(run.errand)

    def _take(self, run: _Run, answer: Answer) -> None:
        """What came of a run."""
        said, packed = answer.said or ("{}", b"")
        told = json.loads(said)
        if answer.fault:
            if run.claim is not None or self._claimed(run):
                self._keep(run, replace(run.blank, reason=answer.fault))
        elif "held" in told:
            self._wait_for(run)
        elif "cannot" in told:
            self._cluster.add_elsewhere(answer, told["cannot"])
        elif packed:
            self._unpack(run, answer, packed)
        else:
            run.outcome = self._seen(run)
        if run.outcome is not None:
            run.let_go()
            self._limits.ended(run.spec, time.monotonic() - run.moment)

    def _unpack(self, run: _Run, answer: Answer, packed: bytes) -> None:
        """Write what a worker sent, if it is the run that was asked for, whole; else let another do it."""
        try:
            contents = unpack(packed)
            clip_list = contents.pop(CLIP_LIST, None)
            folder = self._store.write_files(run.spec, contents, lambda work: require_run(work, run.spec))
        except DamagedRun as error:
            name = run.errand.name if run.errand else ""
            self._cluster.add_elsewhere(answer, f"what it sent of {name} is not used: {error}")
            return
        run.outcome = self._seen(run)
        if run.outcome.record.status == "done":
            self._store.forget_skipped(run.spec)
        place = folder.parents[1] / clip_list_name(run.spec.task_version)
        if clip_list is not None and not place.exists():
            with written_whole(place) as work:
                work.write_bytes(clip_list)

    def _seen(self, run: _Run) -> Outcome:
        """A record that was written to the folder of all, which a network file system may show late."""
        began = time.monotonic()
        folder = self._store.folder(run.spec)
        while (found := self._written(run)) is None and time.monotonic() - began < _UNSEEN:
            time.sleep(0.2)
        return found or Outcome(
            replace(run.blank, reason="its worker says it is on record, and it is not"), folder, False
        )

    def _written(self, run: _Run) -> Outcome | None:
        folder = self._store.folder(run.spec)
        try:
            record = self._store.read(run.spec)
        except BadInput as error:
            return Outcome(replace(run.blank, reason=printable(error, 500)), folder, False)
        return None if record is None else Outcome(record, folder, False)

    def _keep(self, run: _Run, record: RunRecord) -> None:
        """Put on record what no worker could."""
        run.outcome = Outcome(record, self._store.write(record), False)

    def give_back(self) -> None:
        """Let others do what is not done."""
        for run in self._runs.values():
            run.let_go()
