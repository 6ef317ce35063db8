"""The workers of a Dask cluster: which of them fit, who does what next, and what is done when one of them dies.

Dask starts processes, carries what they are told, and notices who is gone. Which run goes to which worker is chosen
here, one at a time, because Dask's own queues would give work to workers that were not compared yet, would do several
runs in one process, and would blame all that waits at a worker for its death.
"""

from __future__ import annotations

import json
import time
import uuid
from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from mirbench.errors import BadInput
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.runs.cluster.dask_errands import Answer, Errand, Worker
from mirbench.runs.cluster.dask_worker import introduce, software

__all__ = ["Cluster"]

_SILENCE = 60.0  # seconds, after which one that does not answer is taken for gone
_LOOK_EVERY = 1.0  # seconds between two looks at who is there
_WAIT = 0.25  # seconds for an answer, at most
_PATIENCE = 120.0  # seconds for a worker to come, where there is none

_NOT_ENDED = ("KilledWorker", "CancelledError", "FutureCancelledError", "FuturesCancelledError")
"""What Dask raises where a task was not ended, by whatever it was."""


class Cluster:
    """Workers behind a scheduler, as `mirbench.runs.cluster.dask_connection.connected` hands them out.

    Parameters
    ----------
    client : distributed.Client
    wanted : str
        The device: "cuda…" needs workers that offer the resource GPU, and "cpu" uses it of none.
    most_deaths : int
        Workers that may die at an errand, after which it is given up.

    Attributes
    ----------
    place : str
        What workers are told that are to `introduce` themselves; to be set before the first step.
    """

    place = "{}"

    def __init__(self, client: Any, wanted: str, progress: Progress, most_deaths: int = 4) -> None:
        self._client, self._wanted, self._progress = client, wanted, progress
        self._address, self._most_deaths = client.scheduler.address, most_deaths
        self._workers: dict[str, Worker] = {}
        self._queue: dict[str, list[Errand]] = defaultdict(list)  # by group, the dearest last
        self._under_way: dict[Any, Worker] = {}
        self._heard: SimpleQueue[tuple[Any, Any, BaseException | None]] = SimpleQueue()
        self._looked_at = -_LOOK_EVERY
        self._alone_since: float | None = None
        self._said = 0

    @property
    def n_workers(self) -> int:
        """Workers that fit."""
        return sum(worker.fit is True for worker in self._workers.values())

    @property
    def n_under_way(self) -> int:
        """Errands that workers are at."""
        return len(self._under_way)

    @property
    def busy(self) -> bool:
        """Whether errands are waiting or under way."""
        return any(self._queue.values()) or bool(self._under_way)

    def add(self, errand: Errand) -> None:
        """Let an errand be done, or done again."""
        insort(self._queue[errand.group], errand, key=lambda errand: errand.cost)

    def add_elsewhere(self, answer: Answer, why: str) -> None:
        """Let another worker do what this one cannot, for a reason that is said once of each worker."""
        assert answer.worker is not None
        self._progress.warn(f"worker {answer.worker.name}: {why}")
        answer.errand.tried[answer.worker.address] = why
        self.add(answer.errand)

    def step(self) -> list[Answer]:
        """Hand out what can be, and wait a moment; returns what was heard.

        Raises
        ------
        BadInput
            If the scheduler is gone, no worker fits, or there has long been none.
        """
        lost = self._look()
        self._hand_out()
        return [*lost, *self._hear(), *self._hopeless()]

    def close(self) -> None:
        """Cancel whatever is under way; what a worker is at it ends, and nobody hears of it."""
        with suppress(Exception):  # a scheduler that is gone has nothing to cancel
            self._client.cancel(list(self._under_way), force=True)
        self._under_way.clear()

    def _look(self) -> list[Answer]:
        """See who has come and who is gone; what those that are gone were at."""
        if time.monotonic() - self._looked_at < _LOOK_EVERY:
            return []
        there = self._there()
        gone = [worker for address, worker in self._workers.items() if address not in there]
        answers = [answer for worker in gone for answer in self._bury(worker)]
        for address, facts in there.items():
            worker = self._workers.get(address)
            if worker is None:
                gpu = facts["resources"].get("GPU", 0) >= 1
                name = printable(facts["name"], 80)
                self._workers[address] = worker = Worker(address, address if name == address else name, gpu)
                Thread(target=self._ask, args=(worker,), name="mirbench-ask", daemon=True).start()
            worker.status = facts["status"]
        self._require_some()
        self._looked_at = time.monotonic()
        return answers

    def _there(self) -> Mapping[str, Any]:
        if self._client.status == "running":
            with suppress(OSError, TimeoutError):
                ask = self._client.scheduler.identity
                told: dict[str, Any] = self._client.sync(ask, n_workers=-1, callback_timeout=_SILENCE)
                return told["workers"]
        raise BadInput(
            f"--scheduler {self._address}: the scheduler is gone; finished runs are on record, the same command goes on"
        )

    def _bury(self, worker: Worker) -> Iterator[Answer]:
        """What is lost with a worker that is gone."""
        del self._workers[worker.address]
        for future in [future for future, other in self._under_way.items() if other is worker]:
            del self._under_way[future]
            future.cancel()
            if worker.errand is not None:
                yield from self._died(worker.errand, worker)

    def _died(self, errand: Errand, worker: Worker) -> Iterator[Answer]:
        errand.died.append(worker.name)
        if len(errand.died) < self._most_deaths:
            self._progress.say(f"worker {worker.name} is gone; {errand.name} goes to another")
            self.add(errand)
        else:
            names = ", ".join(errand.died)
            yield Answer(errand, worker, fault=f"{len(errand.died)} workers died at it, one after another ({names})")

    def _require_some(self) -> None:
        """Wait for a worker where there is none that can do anything, but not for ever."""
        able = [w for w in self._workers.values() if w.fit is None or w.errand or (w.fit and w.status == "running")]
        if able:
            self._alone_since = None
            return
        if self._workers and not self.n_workers:
            raise BadInput(f"--scheduler {self._address}: none of its {len(self._workers)} workers fits, as said above")
        paused = [worker.name for worker in self._workers.values() if worker.fit]
        why = f"worker {paused[0]} is paused, its memory is full" if paused else "it has no worker"
        if self._alone_since is None:
            self._progress.say(f"--scheduler {self._address}: {why}; waiting")
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > _PATIENCE:
            raise BadInput(
                f"--scheduler {self._address}: {why}, for {_PATIENCE:.0f} s; start some (dask worker {self._address}), "
                "and the same command goes on"
            )

    def _hand_out(self) -> None:
        for worker in [w for w in self._workers.values() if w.fit and w.errand is None and w.status == "running"]:
            while worker.errand is None and (errand := self._choice(worker)) is not None:
                self._queue[errand.group].remove(errand)
                if text := errand.told(worker):
                    self._submit(worker, errand, text)

    def _choice(self, worker: Worker) -> Errand | None:
        """What it does next: of a group that it had, else of one that nobody has, else of any; the dearest first."""
        elsewhere = {name for other in self._workers.values() if other is not worker for name in other.groups}
        found: list[tuple[bool, bool, float, Errand]] = []
        for name, errands in self._queue.items():
            errand = next((e for e in reversed(errands) if worker.address not in e.tried), None)
            if errand is not None:
                found.append((name in worker.groups, name not in elsewhere, errand.cost, errand))
        return max(found, key=lambda row: row[:3])[3] if found else None

    def _ask(self, worker: Worker) -> None:
        """Ask a worker who it is, apart from its tasks: it ends where it does not know the function of one."""
        try:
            told = self._client.run(introduce, self.place, workers=[worker.address], on_error="return")
            said = told[worker.address]
        except Exception as error:
            said = error
        self._heard.put((worker, said, None))

    def _submit(self, worker: Worker, errand: Errand, text: str) -> None:
        future = self._client.submit(
            errand.function,
            text,
            key=f"mirbench-{uuid.uuid4().hex}",
            workers=[worker.address],
            allow_other_workers=False,
            resources={"GPU": 1} if worker.gpu and self._wanted != "cpu" else None,
            pure=False,
        )
        worker.errand = errand
        worker.groups.add(errand.group)
        self._under_way[future] = worker
        future.add_done_callback(self._fetch)

    def _fetch(self, future: Any) -> None:
        """Get what a worker said, in a thread of Dask's."""
        try:
            self._heard.put((future, future.result(), None))
        except BaseException as error:
            self._heard.put((future, None, error))

    def _hear(self) -> Iterator[Answer]:
        with suppress(Empty):
            heard = self._heard.get(timeout=_WAIT)
            while True:
                yield from self._understand(*heard)
                heard = self._heard.get_nowait()

    def _understand(self, what: Any, said: Any, error: BaseException | None) -> Iterator[Answer]:
        if isinstance(what, Worker):
            self._admit(what, said)
            return
        worker = self._under_way.pop(what, None)
        if worker is None or worker.errand is None:  # cancelled: its worker is gone
            return
        errand, worker.errand = worker.errand, None
        if error is None:
            yield Answer(errand, worker, said)
        elif type(error).__name__ in _NOT_ENDED:
            yield from self._died(errand, worker)
        elif "deserialization of the task graph" in str(error):
            raise BadInput(
                f"--scheduler {self._address}: the scheduler does not know this mirbench; start it where the same one "
                "is installed as here and with the workers"
            ) from error
        else:
            yield Answer(errand, worker, fault=printable(f"{type(error).__name__}: {error}", 500))

    def _admit(self, worker: Worker, said: Any) -> None:
        """Take a worker in, or say in a line why not."""
        if isinstance(said, OSError | KeyError):  # nobody is there any more, or not yet
            self._workers.pop(worker.address, None)
            return
        if isinstance(said, BaseException):
            why = f"it does not know this mirbench ({type(said).__name__}: {said})"
        else:
            told = json.loads(said)
            worker.shares = told["shares"]
            why = _differences(told["software"], software())
        if not why and self._wanted.startswith("cuda") and not worker.gpu:
            why = f"it offers no GPU, and --device {self._wanted} needs one: start it with --resources GPU=1"
        worker.fit = not why
        if why:
            self._progress.warn(f"worker {worker.name} takes no part: {printable(why, 500)}")
        if not any(other.fit is None for other in self._workers.values()) and self.n_workers != self._said:
            self._said = self.n_workers
            self._progress.say(f"{self._said} {'worker takes' if self._said == 1 else 'workers take'} part")

    def _hopeless(self) -> Iterator[Answer]:
        """Errands that no worker can do."""
        if any(worker.fit is None for worker in self._workers.values()):
            return
        fit = {address for address, worker in self._workers.items() if worker.fit}
        for errands in self._queue.values():
            for errand in [errand for errand in errands if errand.tried and fit <= errand.tried.keys()]:
                errands.remove(errand)
                yield Answer(errand, None, fault=list(errand.tried.values())[-1])


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """What differs, in a line; "" where all is the same."""
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    said = [f"{name} is {theirs.get(name) or 'not there'}, here {ours.get(name) or 'not there'}" for name in names]
    return "; ".join(said)
