"""Many processes in one folder, and processes that are killed: each run is done once, nothing is lost, nothing is left.

Commands run in children of a server that has imported torch before, so that many can be killed in little time.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pytest

from mirbench import cli
from mirbench.runs.store import RunStore

pytestmark = pytest.mark.slow

PLUGIN = """
import os, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np, soundfile
from mirbench.types import Clip, Task
from mirbench.methods.probes import LinearProbe

CLASSES = ("low", "middle", "high")
IDS = [(f"{split}{n}", split, CLASSES[n % 3]) for split in ("train", "valid", "test") for n in range(12)]

def _write(root, step):
    for n, (name, _, label) in enumerate(IDS):
        tone = np.sin(2 * np.pi * (200 << CLASSES.index(label)) * np.arange(64000) / 32000 + n)
        noise = np.random.default_rng(n).normal(0, 0.5, 64000)
        soundfile.write(root / f"{name}.wav", (0.3 * (tone + noise)).astype("float32"), 32000)
        step(1)

TONES = Task("tones", "1", "for tests", "single-label", CLASSES, ("accuracy",),
    lambda root, fold: [Clip(name, root / f"{name}.wav", split, (label,)) for name, split, label in IDS],
    "tones", len(IDS), 2.0, synthesise=_write)

@dataclass(frozen=True)
class Counted(LinearProbe):
    name = "counted"
    uses_seed = True  # one run a seed
    def fit(self, train, valid, context, *, seed):
        with open(os.environ["MIRBENCH_FITS"], "a") as stream:
            stream.write(f"{seed} ")
        if os.environ.get("MIRBENCH_FAILS") == str(seed):
            while len(list(Path(os.environ["MIRBENCH_CACHE"]).glob(".using-*"))) < 3:
                time.sleep(0.1)
            time.sleep(1)  # the last of them looks at the clock
            raise RuntimeError("as asked")
        return super().fit(train, valid, context, seed=seed)
"""
RUN = ("run", "--task", "tones", "--method", "counted", "--source", "nano", "--seeds", "2", "--plugin", "plugin.py")
PRELOADED = (
    "mirbench.cli", "mirbench.methods.probes", "mirbench.methods.sources.nano", "mirbench.runs.runner",
    "mirbench.runs.robustness", "mirbench.features.context", "sklearn.linear_model", "torchaudio", "soxr", "rich.table",
    "torch.utils.flop_counter", "safetensors.torch", "mirbench.methods.sources.efficientat",
    "transformers.models.audio_spectrogram_transformer.modeling_audio_spectrogram_transformer",
)  # fmt: skip

Start = Callable[..., ForkServerProcess]


def _command(folder: Path, words: Sequence[str], environment: dict[str, str], said: str) -> None:
    """What a child does: a command, as a user types it in a folder."""
    os.environ.update(environment, MIRBENCH_CACHE=str(folder / "cache"), MIRBENCH_FITS=str(folder / "fits"))
    os.chdir(folder)
    sys.stdout = sys.stderr = (folder / said).open("w")
    sys.argv = ["mirbench", *words]
    try:
        cli.main()
    finally:
        sys.stderr.flush()


@pytest.fixture(scope="module")
def server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


@pytest.fixture
def start(server: multiprocessing.context.ForkServerContext) -> Start:
    """``start(folder, *words)``: a command under way."""

    def started(folder: Path, *words: str, said: str = "said", **environment: str) -> ForkServerProcess:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plugin.py").write_text(PLUGIN)
        process = server.Process(target=_command, args=(folder, words or RUN, environment, said))
        process.start()
        return process

    return started


def ended(process: ForkServerProcess) -> int:
    process.join(300)
    assert process.exitcode is not None
    return process.exitcode


def left_behind(folder: Path) -> list[str]:
    """Claims, temporaries, parts: what no command may leave."""
    found = [path for top in ("runs", "cache") for path in (folder / top).rglob("*")]
    return [str(p.relative_to(folder)) for p in found if p.name.startswith(".") or p.suffix == ".part"]


def held(folder: Path) -> dict[str, tuple[object, ...]]:
    """What the records of a folder hold, to the bit, by their places."""
    store = RunStore(folder / "runs")
    found: dict[str, tuple[object, ...]] = {}
    for place, record in store.records():
        with np.load(place / "scores.npz") as arrays:
            scores = tuple((name, arrays[name].tobytes()) for name in sorted(arrays))
        model = place / "model.safetensors"
        found[str(place.relative_to(folder))] = (
            record.metrics, record.chosen, scores, model.read_bytes() if model.is_file() else b"",
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture
def seconds(start: Start, undisturbed: Path) -> float:
    """How long a command takes that nobody disturbs; what it leaves is in `undisturbed`."""
    kept = undisturbed / "seconds"
    if not kept.is_file():
        assert ended(start(undisturbed / "first")) == 0  # the server imports now
        began = time.monotonic()
        assert ended(start(undisturbed)) == 0
        kept.write_text(str(time.monotonic() - began))
    return float(kept.read_text())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_command_killed_at_any_moment_ends_with_the_same_records_and_leaves_nothing(
    start: Start, undisturbed: Path, seconds: float, tmp_path: Path, number: signal.Signals
) -> None:
    moments = random.Random(int(number))
    codes = set()
    stopped = {128 + number, -number}
    for trial in range(8):  # two, and more where those were done before
        if trial >= 2 and codes & stopped:
            break
        folder = tmp_path / str(trial)
        killed = start(folder)
        while not (folder / "said").exists():  # it has not begun yet
            time.sleep(0.01)
        time.sleep(moments.uniform(0, seconds) / (1 + trial))
        assert killed.pid is not None
        if killed.is_alive():
            os.kill(killed.pid, number)
        code = ended(killed)
        codes.add(code)
        if number != signal.SIGKILL:
            assert code in (0, 128 + number, -number)  # done before, tidied, or before there was anything to tidy
            assert left_behind(folder) == []
        if code == 128 + number:
            said = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
            last = (folder / "said").read_text().strip().splitlines()[-1]
            assert last == f"mirbench: {said}; finished runs are on record, the same command goes on"
        assert ended(start(folder)) == 0
        assert left_behind(folder) == []
        assert held(folder) == held(undisturbed)
    assert codes & stopped


def test_equal_commands_at_once_do_each_run_once(
    start: Start, undisturbed: Path, seconds: float, tmp_path: Path
) -> None:
    processes = [start(tmp_path, said=f"said{n}") for n in range(6)]
    assert [ended(process) for process in processes] == [0] * 6
    assert sorted((tmp_path / "fits").read_text().split()) == ["0", "1"]
    assert sum("tones: synthesising" in (tmp_path / f"said{n}").read_text() for n in range(6)) == 1
    assert left_behind(tmp_path) == []
    assert held(tmp_path) == held(undisturbed)


def test_equal_commands_of_which_some_are_killed_do_what_those_began(
    start: Start, undisturbed: Path, seconds: float, tmp_path: Path
) -> None:
    moments = random.Random(3)
    processes = [start(tmp_path, said=f"said{n}") for n in range(6)]
    for process in processes[:3]:
        time.sleep(moments.uniform(0, seconds / 2))
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
    assert [ended(process) for process in processes[3:]] == [0] * 3
    for process in processes[:3]:
        ended(process)
    assert ended(start(tmp_path)) == 0
    assert left_behind(tmp_path) == []
    assert held(tmp_path) == held(undisturbed)


def test_run_that_fails_is_tried_once_by_commands_at_once_and_again_by_the_next(start: Start, tmp_path: Path) -> None:
    processes = [start(tmp_path, said=f"said{n}", MIRBENCH_FAILS="1") for n in range(3)]
    assert [ended(process) for process in processes] == [1] * 3
    assert (tmp_path / "fits").read_text().split().count("1") == 1
    assert ended(start(tmp_path)) == 0
    assert (tmp_path / "fits").read_text().split().count("1") == 2


def test_sweeps_at_once_do_each_run_once(start: Start, tmp_path: Path) -> None:
    tmp_path.joinpath("suite.toml").write_text(
        "title = 'Many'\n[defaults]\ntask = 'tones'\nsource = 'nano'\nseeds = 2\n"
        "[[run]]\nmethod = 'counted'\n[[run]]\nmethod = 'counted'\nset = { C = 3.0 }\n"
    )
    words = ("sweep", "suite.toml", "--plugin", "plugin.py")
    processes = [start(tmp_path, *words, said=f"said{n}") for n in range(4)]
    assert [ended(process) for process in processes] == [0] * 4
    assert sorted((tmp_path / "fits").read_text().split()) == ["0", "0", "1", "1"]
    assert left_behind(tmp_path) == []


def test_ensemble_killed_when_asked_again_is_still_on_record(
    start: Start, undisturbed: Path, seconds: float, tmp_path: Path
) -> None:
    assert ended(start(tmp_path)) == 0
    assert ended(start(tmp_path, *RUN, "--set", "C=3.0")) == 0
    keys = [place.name for place, _ in RunStore(tmp_path / "runs").records()]
    assert len(keys) == 4
    words = ("ensemble", keys[0], keys[2])
    assert ended(start(tmp_path, *words)) == 0
    before = held(tmp_path)
    assert len(before) == 5
    moments = random.Random(4)
    for _ in range(4):
        killed = start(tmp_path, *words)
        time.sleep(moments.uniform(0, seconds / 4))
        if killed.is_alive() and killed.pid is not None:
            os.kill(killed.pid, signal.SIGKILL)
        ended(killed)
        assert held(tmp_path) == before


@pytest.mark.real
def test_main_job_killed_in_the_middle_ends_with_the_same_records(start: Start, shared: Path, tmp_path: Path) -> None:
    words = (
        "run", "--task", "gtzan-mini", "--method", "probe-linear", "--source", "efficientat-mn04", "--seeds", "1",
        "--data", str(shared / "data"), "--weights", str(shared / "weights"), "--threads", "1",
    )  # fmt: skip
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert ended(start(whole, *words)) == 0
    killed = start(cut, *words)
    while killed.is_alive() and len(list((cut / "runs").glob("*/*/[!.]*/record.json"))) < 2:  # whole ones
        time.sleep(0.01)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    assert ended(killed) == -signal.SIGKILL
    assert 2 <= len(held(cut)) < 5
    assert ended(start(cut, *words)) == 0
    assert left_behind(cut) == []
    assert held(cut) == held(whole)
    assert len(held(whole)) == 5
