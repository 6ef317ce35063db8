"""GPUs as ``nvidia-smi`` tells of them, and how runs share them and the cores."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mirbench.progress import Progress
from mirbench.runs.at_once import parallel
from mirbench.runs.at_once.parallel import AtOnce
from mirbench.runs.at_once.supervisor import Supervisor
from mirbench.runs.gpus import free_first, visible_gpus
from mirbench.runs.limits import Limits
from mirbench.runs.plan import Request

FOUR = "0, GPU-aa, 3, 81559\n1, GPU-bb, 70000, 81559\n2, GPU-cc, 900, 81559\n3, GPU-dd, [N/A], [N/A]"
APPS = "GPU-cc, 4242"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called nvidia-smi, first on PATH; what it prints stands in two files beside it."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$1" in *gpu_uuid*) cat {tmp_path}/apps;; *) cat {tmp_path}/gpus;; esac\n')
    program.chmod(0o755)
    (tmp_path / "gpus").write_text(FOUR + "\n")
    (tmp_path / "apps").write_text(APPS + "\n")
    return program


def names(value: str | None = None) -> list[tuple[str, bool]]:
    return [(g.uuid, g.free) for g in visible_gpus({} if value is None else {"CUDA_VISIBLE_DEVICES": value})]


def test_gpus_with_memory_or_processes_in_use_are_not_free(smi: Path) -> None:
    assert names() == [("GPU-aa", True), ("GPU-bb", False), ("GPU-cc", False), ("GPU-dd", True)]
    assert [gpu.uuid for gpu in free_first(visible_gpus({}))] == ["GPU-aa", "GPU-dd"]


@pytest.mark.parametrize(
    ("value", "visible"),
    [("2,0", ["GPU-cc", "GPU-aa"]), ("GPU-b", ["GPU-bb"]), ("", []), ("-1", []), ("1,9,0", ["GPU-bb"])],
)
def test_gpus_are_those_that_the_environment_leaves_in_its_order(value: str, visible: list[str], smi: Path) -> None:
    assert [uuid for uuid, _ in names(value)] == visible


def test_all_gpus_are_shared_where_none_is_free(smi: Path) -> None:
    assert [gpu.uuid for gpu in free_first(visible_gpus({"CUDA_VISIBLE_DEVICES": "1,2"}))] == ["GPU-bb", "GPU-cc"]


@pytest.mark.parametrize(
    "script", ["exit 9", "echo 'No devices were found'", "echo; exit 0", "echo a, b", "kill -9 $$"]
)
def test_program_that_fails_or_knows_none_leaves_no_gpu(script: str, smi: Path) -> None:
    smi.write_text(f"#!/bin/sh\n{script}\n")
    assert names() == []


def test_no_program_leaves_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert names() == []


def test_program_that_hangs_is_not_waited_for(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr("mirbench.runs.gpus._PATIENCE", 0.2)
    assert names() == []


@pytest.mark.parametrize(
    ("device", "chosen"), [("auto", ["GPU-aa", "GPU-dd"]), ("cuda", ["GPU-aa", "GPU-dd"]), ("cuda:1", []), ("cpu", [])]
)
def test_runs_are_shared_out_among_free_gpus_unless_a_device_is_named(
    device: str, chosen: list[str], smi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = parallel._gpus(Request("tiny", "even", device=device, threads=2), AtOnce(4), Progress())
    assert found == chosen
    where = ", on GPU 0 and 3 (2 more in use by others)" if chosen else ""
    assert capsys.readouterr().err == f"4 runs at once, 2 threads each{where}\n"


def test_more_runs_than_gpus_share_them_evenly() -> None:
    begun: list[str] = []

    class Process:
        pid = sentinel = None

        def __init__(self, target: object, args: tuple[parallel.Errand, object], name: str) -> None:
            begun.append(args[0].environment.get("CUDA_VISIBLE_DEVICES", ""))

        def start(self) -> None: ...

    def pipe(duplex: bool) -> tuple[object, object]:
        return open(os.devnull), open(os.devnull)

    context: Any = SimpleNamespace(Process=Process, Pipe=pipe)
    errand = parallel.Errand(Request("tiny", "even"), (), (), 0.0, {}, 1, Path("said"))
    watch = Supervisor(context, 5, ["GPU-aa", "GPU-bb"], Progress(quiet=True), Limits())
    todo: Any = SimpleNamespace(errand=errand, name="a run")
    for _ in range(5):
        watch._begin(todo)
    for child in watch._children:
        child.pipe.close()
    assert begun == ["GPU-aa", "GPU-bb", "GPU-aa", "GPU-bb", "GPU-aa"]


@pytest.mark.parametrize(
    ("cores", "jobs", "asked", "told", "torch", "blas"),
    [(16, 4, 0, {}, 4, 4), (16, 5, 0, {}, 3, 3), (2, 4, 0, {}, 1, 1), (16, 4, 8, {}, 8, 16),
     (16, 4, 0, {"OMP_NUM_THREADS": "2"}, 2, 2), (16, 4, 1, {"OMP_NUM_THREADS": "2"}, 1, 2),
     (16, 4, 1, {"OPENBLAS_NUM_THREADS": "1"}, 1, 1), (16, 4, 0, {"OMP_NUM_THREADS": "x"}, 4, 4)],
)  # fmt: skip
def test_cores_are_divided_unless_threads_are_asked_for(
    cores: int, jobs: int, asked: int, told: dict[str, str], torch: int, blas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_cores", lambda: cores)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    request = Request("tiny", "even", threads=asked)
    assert (AtOnce(jobs).threads(request), AtOnce(jobs).blas_threads(request)) == (torch, blas)
