"""What tests share: the folder of real data, and a tiny task with the shipped source."""

from __future__ import annotations

import os

# tiny tensors are slower on several threads, and the processes of pytest-xdist share the cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

import functools
import gc
import itertools
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from mirbench import Context, cli
from mirbench.features import datasets
from mirbench.leaderboard import marks, packs
from mirbench.places import default_cache
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs import costs, speed
from mirbench.tasks import TASKS
from mirbench.trust import checks
from mirbench.trust.tiny_task import tiny_context
from mirbench.types import Split, Task

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MIRBENCH_SHARED", ROOT.parent / "shared"))


# what a script begins in its background ignores Ctrl-C, what `nohup` begins the end of its terminal, and so would every
# command that a test begins and stops; what is handled here, commands meet as usual
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", lambda *_: None)):
    if signal.getsignal(number := getattr(signal, _name, signal.SIGINT)) is signal.SIG_IGN:
        signal.signal(number, _handler)

# hundreds of tests type commands, and a process of a user's builds the tree of them once
typer.main.get_command = functools.cache(typer.main.get_command)


def pytest_collection_finish() -> None:
    """What ten thousand collected tests are made of is not looked through at every collection of garbage."""
    gc.collect()
    gc.freeze()


_NUMBERS = itertools.count()


@pytest.fixture
def _own_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the test alone, which is made for those that ask for one: most need none."""
    if "tmp_path" in request.fixturenames:
        return request.getfixturevalue("tmp_path")
    return tmp_path_factory.getbasetemp() / f"unasked-{next(_NUMBERS)}"


@pytest.fixture(autouse=True)
def _alone(_own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache, data, weights or packs of results, or asks a hub."""
    monkeypatch.setenv("MIRBENCH_CACHE", str(_own_folder / "cache"))
    monkeypatch.setenv("MIRBENCH_DATA", str(_own_folder / "no-data"))
    monkeypatch.setenv("MIRBENCH_RESULTS", str(_own_folder / "results"))
    monkeypatch.delenv("MIRBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("MIRBENCH_ALLOW_UNVERIFIED", "")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _toys_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods, sources and tasks that tests make up are not marked as unknown in tables; `test_marks` looks at that."""
    monkeypatch.setattr(marks, "_known", lambda kind, name: True)


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache where stand-ins are synthesised once for the tests of all processes, which change nothing in it."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "stand-ins"


@pytest.fixture(autouse=True)
def _done_once(
    _own_folder: Path, stand_ins: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packs of results are unpacked, and stand-ins synthesised, once for all tests; speed is measured for a moment."""
    own, of_all = _own_folder / "cache", tmp_path_factory.getbasetemp() / "unpacked"
    monkeypatch.setattr(packs, "default_cache", lambda: of_all if default_cache() == own else default_cache())
    monkeypatch.setattr(costs, "_MEASURE", 0.01)
    monkeypatch.setattr(speed, "_SECONDS", 0.0)  # one batch, and no second of them in each of thousands of runs
    synthesised = datasets._synthesised

    def once(task: Task, cache: Path, progress: Progress) -> Path:
        shipped = task.name.partition("+")[0] in TASKS
        return synthesised(task, stand_ins if shipped and cache == own else cache, progress)

    monkeypatch.setattr(datasets, "_synthesised", once)


@pytest.fixture
def _unverified_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no checksum is fetched."""
    monkeypatch.setenv("MIRBENCH_ALLOW_UNVERIFIED", "1")


@pytest.fixture
def shared() -> Path:
    """The folder of real audio and weights."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real audio and weights of {SHARED.name}/ beside the repository (or MIRBENCH_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, tuple[Split, Split, Split]]:
    """A context with the source nano, and train, valid and test of a task of three easy classes."""
    folder = tmp_path_factory.mktemp("tiny")
    splits = checks.tiny_task(folder)
    return tiny_context(Catalogue().source("nano"), splits, folder, Progress(quiet=True)), splits


class Answer(NamedTuple):
    """What a command leaves: its exit code and what it printed."""

    code: int
    out: str
    err: str


def rows_of(text: str) -> list[list[str]]:
    """The cells of a printed table, row by row; empty ones are left out, what is wrapped is a row of its own."""
    lines = iter(text.splitlines())
    found: list[list[str]] = []
    for line in lines:
        if line and set(line) == {"─"}:
            for row in lines:
                if not row.strip():
                    break
                found.append(re.split(r"\s{2,}", row.strip()))
    return found


def command(words: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Do what the words would do on a command line, in this process."""
    monkeypatch.setattr(sys, "argv", ["mirbench", *map(str, words)])  # type: ignore[call-overload]
    capsys.readouterr()
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    held = capsys.readouterr()
    return Answer(code, held.out, held.err)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """``typed("run", "--task", …)``: the command as a user types it, in an empty home with nothing installed there."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MIRBENCH_DATA", raising=False)
    monkeypatch.delenv("MIRBENCH_WEIGHTS", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    return lambda *words: command(words, monkeypatch, capsys)


@pytest.fixture
def quiet_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Transformers says nothing, and Hugging Face's hub is asked for nothing."""
    from transformers.utils import logging

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read from the environment too early
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    yield
    logging.set_verbosity(level)
    logging.enable_progress_bar()
