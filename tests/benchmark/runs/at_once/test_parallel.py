"""Many runs at once: the records of a serial run, whatever dies on the way, and nothing left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mirbench.record import RunRecord
from mirbench.runs.store import RunStore
from tests.benchmark.runs import test_many_processes
from tests.benchmark.runs.test_many_processes import held, left_behind

pytestmark = pytest.mark.slow

TONES = test_many_processes.PLUGIN.partition("@dataclass")[0]
PLUGIN = (
    TONES
    + '''
import ctypes, os, signal, sys, time
from dataclasses import dataclass
import numpy as np
from mirbench.method import Fitted
from mirbench.methods.probes import LinearProbe, MlpProbe

@dataclass(frozen=True)
class Trouble:
    """Does to its process what its word says, with one of its seeds."""
    word: str = "none"
    at: int = 1
    name, version, needs = "trouble", "1", ()
    uses_audio = False

    def fit(self, train, valid, context, *, seed):
        print(f"seed {seed} was here", flush=True)
        print("and on the other stream", file=sys.stderr, flush=True)
        if seed == self.at:
            getattr(self, "_" + self.word)()
        def predict(split):
            return np.random.default_rng(seed).random((len(split), len(split.classes))).astype("float32")
        return Fitted(predict, n_trainable=1, state={"seed": np.array([seed])})

    def _none(self): ...
    def _exit(self): os._exit(7)
    def _kill(self): os.kill(os.getpid(), signal.SIGKILL)
    def _term(self): os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)
    def _crash(self): ctypes.string_at(0)
    def _abort(self): os.abort()
    def _raise(self): raise RuntimeError("as asked")
    def _quit(self): sys.exit(3)
    def _memory(self):
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
        held = [np.ones(2**27) for _ in range(64)]
    def _fork(self):
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        os._exit(0)
    def _sleep(self):
        open("asleep", "w").close()
        time.sleep(600)
'''
)
WORDS = ("exit", "kill", "term", "crash", "abort", "raise", "quit", "memory", "fork")
MIXED = """
title = "mixed"
[defaults]
task = "tones"
source = "nano"
seeds = 2
[[run]]
method = ["probe-linear", "probe-mlp", "knn", "prior"]
[[run]]
method = "trouble"
seeds = 3
[[run]]
method = "ids-nmr"
set = { epochs = 2 }
seeds = 1
"""


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Modules are compiled once for all commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "MIRBENCH_CACHE": str(folder / "cache"), "MIRBENCH_DATA": str(folder / "none")}


def begin(folder: Path, *words: str) -> subprocess.Popen[str]:
    """``mirbench sweep suite.toml`` under way in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plugin.py").write_text(PLUGIN)
    command = [sys.executable, "-m", "mirbench", "sweep", "suite.toml", "--plugin", "plugin.py", *words]
    return subprocess.Popen(
        command, cwd=folder, env=environment(folder), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def sweep(folder: Path, suite: str, *words: str) -> tuple[int, str, str]:
    """The command to its end: exit code and what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.toml").write_text(suite)
    process = begin(folder, *words)
    out, said = process.communicate(timeout=900)
    return process.returncode, out, said


def specs(folder: Path) -> dict[str, RunRecord]:
    return {str(place.relative_to(folder)): record for place, record in RunStore(folder / "runs").records()}


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serial")
    assert sweep(folder, MIXED)[0] == 0
    return folder


def test_runs_at_once_leave_the_records_of_a_serial_run_to_the_bit(serial: Path, tmp_path: Path) -> None:
    code, out, said = sweep(tmp_path, MIXED, "--jobs", "3")
    assert code == 0, said
    assert held(tmp_path) == held(serial)
    ours, theirs = specs(tmp_path), specs(serial)
    for place, record in theirs.items():
        assert (ours[place].spec, ours[place].metrics, ours[place].history and len(ours[place].history)) == (
            record.spec, record.metrics, record.history and len(record.history),
        )  # fmt: skip
        assert (ours[place].flops, ours[place].n_total, ours[place].files) == (
            record.flops,
            record.n_total,
            record.files,
        )
    assert left_behind(tmp_path) == []
    assert "3 runs at once, 1 thread each" in said
    assert "was here" not in out
    again = sweep(tmp_path, MIXED, "--jobs", "3")
    assert (again[0], again[1].count("on record"), "at once" in again[2]) == (0, 6, False)


def test_run_that_dies_is_a_failed_record_with_its_end_and_the_others_go_on(tmp_path: Path) -> None:
    suite = "".join(
        f"[[run]]\ntask = 'tones'\nmethod = 'trouble'\nseeds = 3\nset = {{ word = '{word}' }}\n" for word in WORDS
    )
    code, _, said = sweep(tmp_path, suite, "--jobs", "3")
    records = {(r.spec.params["word"], r.spec.seed): r for r in specs(tmp_path).values()}
    assert (code, len(records)) == (1, 3 * len(WORDS)), said
    assert {r.status for (_, seed), r in records.items() if seed != 1} == {"done"}
    reasons = {word: records[word, 1].reason for word in WORDS}
    killed = "its process was killed by signal"
    assert reasons.pop("memory").startswith("MemoryError") or "_ArrayMemoryError" in records["memory", 1].reason
    assert reasons == {
        "exit": "its process ended with exit code 7, and without a result",
        "kill": f"{killed} 9 (SIGKILL); often memory is full",
        "term": "its process was stopped by signal 15 (SIGTERM)",
        "crash": f"{killed} 11 (SIGSEGV); a library crashed",
        "abort": f"{killed} 6 (SIGABRT)",
        "raise": "RuntimeError: as asked",
        "quit": "SystemExit: 3",
        "fork": "its process ended with exit code 0, and without a result",
    }
    assert left_behind(tmp_path) == []
    place = next(p for p, r in specs(tmp_path).items() if r.spec.params["word"] == "crash" and r.spec.seed == 1)
    text = (tmp_path / place / "traceback.txt").read_text()
    assert "seed 1 was here" in text
    assert "Segmentation fault" in text
    assert "_crash" in text  # where it happened
    assert not alive(tmp_path)


def alive(folder: Path) -> list[int]:
    """Processes whose working directory is the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").readlink() == folder and (place / "stat").read_text().rpartition(")")[2].split()[
                0
            ] != "Z":
                found.append(int(place.name))
        except OSError:
            continue
    return found


def wait_until_nobody(folder: Path, seconds: float) -> float:
    began = time.monotonic()
    while alive(folder):
        assert time.monotonic() - began < seconds, alive(folder)
        time.sleep(0.1)
    return time.monotonic() - began


SLEEPS = "[[run]]\ntask = 'tones'\nmethod = 'trouble'\nseeds = 6\nset = { word = 'sleep' }\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_command_that_ends_takes_its_processes_along(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SLEEPS)
    process = begin(tmp_path, "--jobs", "2")
    began = time.monotonic()
    while not (tmp_path / "asleep").exists():
        assert process.poll() is None
        assert time.monotonic() - began < 600
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    wait_until_nobody(tmp_path, 30)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number), said
    if number != signal.SIGKILL:
        assert said.splitlines()[-1].endswith("finished runs are on record, the same command goes on")
        assert left_behind(tmp_path) == []
    assert {record.status for record in specs(tmp_path).values()} <= {"done"}


@pytest.fixture
def seeded() -> random.Random:
    return random.Random(14)


def test_processes_killed_at_any_moment_leave_the_records_of_a_serial_run(
    serial: Path, tmp_path: Path, seeded: random.Random
) -> None:
    (tmp_path / "suite.toml").write_text(MIXED)
    for turn in range(6):
        process = begin(tmp_path, "--jobs", "2")
        until = time.monotonic() + seeded.uniform(5, 40)
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        victims = {0: [process.pid], 1: alive(tmp_path)}.get(turn % 3) or seeded.sample(alive(tmp_path) or [0], 1)
        for pid in victims:
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=900)
        wait_until_nobody(tmp_path, 30)
    code, _, said = sweep(tmp_path, MIXED, "--jobs", "2")
    assert code == 0, said
    assert held(tmp_path) == held(serial)
    assert left_behind(tmp_path) == []


def test_two_commands_and_two_parts_at_once_do_each_run_once(serial: Path, tmp_path: Path) -> None:
    for name, words in (
        ("commands", (("--jobs", "2"), ("--jobs", "2"))),
        ("parts", (("--part", "1/2"), ("--part", "2/2", "--jobs", "2"))),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "suite.toml").write_text(MIXED)
        both = [begin(folder, *how) for how in words]
        answers = [process.communicate(timeout=900) for process in both]
        assert [process.returncode for process in both] == [0, 0], answers
        assert held(folder) == held(serial)
        assert left_behind(folder) == []


def test_time_that_is_too_short_for_anything_leaves_all_of_it(tmp_path: Path) -> None:
    code, out, _ = sweep(tmp_path, MIXED, "--jobs", "2", "--until", "0.01s")
    assert (code, specs(tmp_path)) == (75, {})
    assert " runs are left for lack of time (--until 0 s)" in out.splitlines()[-1]
