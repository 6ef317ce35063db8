"""A real Dask cluster of processes on this machine, and a suite that keeps it busy for some seconds."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np

from mirbench.runs.store import RunStore

PLUGIN = """
import os, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np, soundfile
from mirbench.method import Fitted
from mirbench.types import Clip, Task
from mirbench.methods.probes import LinearProbe

CLASSES = ("low", "middle", "high")
IDS = [(f"{split}{n}", split, CLASSES[n % 3]) for split in ("train", "valid", "test") for n in range(6)]

def _write(root, step):
    for n, (name, _, label) in enumerate(IDS):
        tone = np.sin(2 * np.pi * (200 << CLASSES.index(label)) * np.arange(32000) / 32000 + n)
        noise = np.random.default_rng(n).normal(0, 0.5, 32000)
        soundfile.write(root / f"{name}.wav", (0.3 * (tone + noise)).astype("float32"), 32000)
        step(1)

TONES = Task("tones", "1", "for tests", "single-label", CLASSES, ("accuracy",),
    lambda root, fold: [Clip(name, root / f"{name}.wav", split, (label,)) for name, split, label in IDS],
    "tones", len(IDS), 1.0, synthesise=_write)

PLACE = Path(os.environ.get("MIRBENCH_TEST", "/nowhere"))

def _tell(what):
    if PLACE.is_dir():
        with open(PLACE / "told", "a") as stream:
            stream.write(f"{what} {os.getpid()}\\n")

@dataclass(frozen=True)
class Probe(LinearProbe):
    name = "probe"
    def fit(self, train, valid, context, *, seed):
        _tell(f"probe{seed}")
        return super().fit(train, valid, context, seed=seed)

@dataclass(frozen=True)
class Chance:
    ends: bool = False
    name, version, needs = "chance", "1", ()
    def fit(self, train, valid, context, *, seed):
        _tell(f"chance{seed}")
        if self.ends and PLACE.is_dir():
            os._exit(3)
        while (PLACE / f"hold{seed}").exists():
            time.sleep(0.05)
        weights = np.random.default_rng(seed).random((60, 3), dtype=np.float32)
        return Fitted(lambda split: weights[:len(split)] / 3, 180, {"weights": weights})
"""

SUITE = """
title = "toy"
[[run]]
task = "tones"
method = "probe"
source = "nano"
seeds = 2
[[run]]
task = "tones"
method = "chance"
seeds = 6
"""


APART = """
def change(worker):
    known = worker.introduce
    worker.introduce = lambda told: worker.json.dumps(worker.json.loads(known(told)) | {"shares": False})
"""
OTHER_NUMPY = """
def change(worker):
    worker.software()["numpy"] = "1.0"
"""
DIES_BEFORE_IT_TELLS = """
def change(worker):
    known = worker.do_run
    def do_run(told):
        answer = known(told)
        if '"seed": 0' in told or '"seeds": [0]' in told:
            worker.os._exit(1)
        return answer
    import os
    worker.os, worker.do_run = os, do_run
"""
DAMAGES_WHAT_IT_SENDS = """
def change(worker):
    known = worker.do_run
    def do_run(told):
        answer, packed = known(told)
        return answer, packed[:-100] + bytes(100) if packed else packed
    worker.do_run = do_run
"""
FULL_DISK = """
def change(worker):
    import contextlib, errno
    from mirbench.features import cache
    from mirbench.runs import store
    @contextlib.contextmanager
    def temporary(folder=None):
        raise OSError(errno.ENOSPC, "No space left on device")
        yield
    store.temporary = temporary
"""
"""What a worker is made to do, by a file that Dask loads before anything else (``--preload``)."""

_PRELOAD = """
def dask_setup(worker):
    from mirbench.runs.cluster import dask_worker
    change(dask_worker)
"""


PRELOADED = (
    "mirbench.cli", "mirbench.methods.probes", "mirbench.methods.sources.nano", "mirbench.runs.runner",
    "mirbench.runs.cluster.dask_sweep",
    "mirbench.features.context", "sklearn.linear_model", "torchaudio", "soxr", "rich.table",
    "torch.utils.flop_counter", "safetensors.torch", "mirbench.methods.sources.efficientat",
    "distributed.cli.dask_worker", "distributed.cli.dask_scheduler",
)  # fmt: skip
"""What every process has imported when it begins, so that many can be killed in little time."""


def _be(folder: Path, words: Sequence[str], environment: dict[str, str], said: str) -> None:
    """What a process does: a command, as a user types it in a folder."""
    from mirbench import cli

    os.setsid()
    stream = os.open(folder / said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(words)
    if words[0] == "mirbench":
        cli.main()
    else:
        importlib.import_module(f"distributed.cli.{words[0]}").main(words[1:])


class Processes:
    """A scheduler, workers and commands, each a process of its own; ended with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.server = multiprocessing.get_context("forkserver")
        self.server.set_forkserver_preload(list(PRELOADED))
        self.every: list[ForkServerProcess] = []
        self.scheduler: ForkServerProcess | None = None
        (folder / "plugin.py").write_text(PLUGIN)
        (folder / "suite.toml").write_text(SUITE)
        (folder / "test").mkdir(exist_ok=True)

    def start(self, words: list[str], said: str, **environment: str) -> ForkServerProcess:
        own = {"MIRBENCH_CACHE": str(self.folder / "cache"), "MIRBENCH_TEST": str(self.folder / "test")}
        process = self.server.Process(target=_be, args=(self.folder, words, own | environment, said))
        process.start()
        self.every.append(process)
        return process

    def begin(self) -> None:
        """Start the scheduler."""
        words = ["dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.scheduler = self.start([*words, "--scheduler-file", str(self.file)], "scheduler.txt")
        wait_for(self.file.is_file)

    def worker(self, name: str, *words: str, **environment: str) -> ForkServerProcess:
        """Start a worker, without a nanny unless asked, that keeps its rows for itself."""
        nanny = [] if "--nanny" in words else ["--no-nanny"]
        every = ["--scheduler-file", str(self.file), "--no-dashboard", "--name", name, "--nthreads", "2", *nanny]
        own = {"MIRBENCH_CACHE": str(self.folder / f"cache-{name}")} | environment
        given = [word for word in words if word != "--nanny"]
        return self.start(["dask_worker", *every, *given], f"{name}.txt", **own)

    def changed(self, name: str, change: str, *words: str, **environment: str) -> ForkServerProcess:
        """Start a worker that is not as it should be."""
        (self.folder / f"{name}.py").write_text(change + _PRELOAD)
        return self.worker(name, "--preload", f"{name}.py", *words, **environment)

    def sweep(
        self, runs: str = "runs", *words: str, said: str = "", here: bool = False, **environment: str
    ) -> ForkServerProcess:
        """Start the command; `here` is without the scheduler."""
        where = ["--scheduler", str(self.file)] if "--scheduler" not in words and self.scheduler and not here else []
        every = ["sweep", "suite.toml", "--plugin", "plugin.py", "--runs", runs, *where, *words]
        return self.start(["mirbench", *every], said or f"{runs}.txt", **environment)

    def told(self) -> list[str]:
        """What the methods told: their runs as they began, each with the process that did it."""
        path = self.folder / "test" / "told"
        return path.read_text().splitlines() if path.exists() else []

    def said(self, name: str) -> str:
        path = self.folder / f"{name}.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def end(self) -> None:
        for process in self.every:
            if process.is_alive():
                process.terminate()
        for process in self.every:
            process.join(3)
            if process.is_alive():
                process.kill()
                process.join()


def ended(process: ForkServerProcess, seconds: float = 300) -> int:
    process.join(seconds)
    assert process.exitcode is not None, "it has not ended"
    return process.exitcode


def wait_for(there: Callable[[], object], seconds: float = 300) -> None:
    """Wait until something is so, or fail."""
    began = time.monotonic()
    while not there():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.05)


def held(runs: Path) -> dict[str, tuple[object, ...]]:
    """What the records of a folder hold, to the bit, but for what another day or machine changes."""
    store = RunStore(runs)
    found: dict[str, tuple[object, ...]] = {}
    for place, record in store.records():
        files = {path.name: path.read_bytes() for path in place.iterdir() if path.name != "record.json"}
        with np.load(place / "scores.npz") as arrays:
            scores = {name: arrays[name].tobytes() for name in arrays}
        files["scores.npz"] = b""  # a zip holds the time of its making
        found[str(place.relative_to(runs))] = (
            record.spec, record.status, record.metrics, record.n_scored, record.n_trainable, record.n_total,
            record.n_clips, record.flops, record.classes, record.changed, record.trials, record.chosen, scores, files,
        )  # fmt: skip
    return found


def left_behind(folder: Path) -> list[str]:
    """Claims, temporaries, parts: what no command may leave."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.startswith(".")]
