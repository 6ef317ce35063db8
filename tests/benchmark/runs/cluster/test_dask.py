"""A suite on a real Dask cluster of processes: nothing is lost or done twice, the records are those of a serial run.

Workers are killed, come late, differ, share the disk or do not; the scheduler goes, the command is stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirbench.runs.store import RunStore
from tests.benchmark.runs.cluster import dask_toys
from tests.benchmark.runs.cluster.dask_toys import Processes, ended, held, left_behind, wait_for

pytest.importorskip("distributed", reason="needs Dask: pip install 'mirbench[dask]'")
pytestmark = pytest.mark.slow

EVERY = sorted(["probe0", *(f"chance{seed}" for seed in range(6))])


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a serial run."""
    made = Processes(tmp_path_factory.mktemp("serial"))
    assert ended(made.sweep()) == 0
    return made.folder / "runs"


def begun(processes: Processes, run: str) -> list[int]:
    """The processes that began a run."""
    told = (line.split() for line in processes.told())
    return [int(process) for name, process in told if name == run]


def hold(processes: Processes, *seeds: int) -> None:
    for seed in seeds:
        (processes.folder / "test" / f"hold{seed}").touch()


def let_go(processes: Processes) -> None:
    for path in (processes.folder / "test").glob("hold*"):
        path.unlink()


@pytest.mark.parametrize("apart", [False, True])
def test_worker_killed_and_one_late_leave_the_records_of_a_serial_run(
    processes: Processes, serial: Path, apart: bool
) -> None:
    def start(name: str):  # type: ignore[no-untyped-def]
        return processes.changed(name, dask_toys.APART) if apart else processes.worker(name)

    hold(processes, 0, 5)
    workers = [start("a"), start("b")]
    command = processes.sweep()
    wait_for(lambda: begun(processes, "chance0") and begun(processes, "chance5"))
    (victim,) = begun(processes, "chance0")
    start("late")
    next(worker for worker in workers if worker.pid == victim).kill()
    wait_for(lambda: len(begun(processes, "chance0")) == 2)
    let_go(processes)
    assert ended(command) == 0, processes.said("runs")
    assert held(processes.folder / "runs") == held(serial)
    assert left_behind(processes.folder / "runs") == []
    assert sorted(line.split()[0] for line in processes.told()) == sorted([*EVERY, "chance0"])
    said = processes.said("runs")
    assert "Traceback" not in said
    assert "distributed" not in said


@pytest.mark.parametrize("apart", [False, True])
def test_two_commands_on_one_cluster_do_each_run_once(processes: Processes, serial: Path, apart: bool) -> None:
    hold(processes, *range(6))
    for name in ("a", "b"):
        _ = processes.changed(name, dask_toys.APART) if apart else processes.worker(name)
    commands = [processes.sweep(said=f"said{n}.txt") for n in range(2)]
    wait_for(lambda: len(processes.told()) >= 2)
    let_go(processes)
    assert [ended(command) for command in commands] == [0, 0], processes.said("said0") + processes.said("said1")
    assert held(processes.folder / "runs") == held(serial)
    assert left_behind(processes.folder / "runs") == []
    assert sorted(line.split()[0] for line in processes.told()) == EVERY


def test_workers_that_differ_take_no_part_and_without_others_nothing_is_done(
    processes: Processes, serial: Path
) -> None:
    processes.changed("odd", dask_toys.OTHER_NUMPY)
    wait_for(lambda: "Registered to" in processes.said("odd"))
    assert ended(processes.sweep(said="refused.txt")) == 2
    lines = processes.said("refused").strip().splitlines()
    assert lines[0].startswith("worker odd takes no part: numpy is 1.0, here ")
    assert "none of its 1 workers fits" in lines[-1]
    assert len(lines) == 2
    assert processes.told() == []
    processes.worker("even")
    wait_for(lambda: "Registered to" in processes.said("even"))
    assert ended(processes.sweep()) == 0
    assert held(processes.folder / "runs") == held(serial)
    assert len({line.split()[1] for line in processes.told()}) == 1


def test_scheduler_that_is_killed_ends_the_command_in_one_line_and_loses_nothing(
    processes: Processes, serial: Path
) -> None:
    hold(processes, 0)
    processes.changed("a", dask_toys.APART)
    processes.changed("b", dask_toys.APART)
    command = processes.sweep()
    wait_for(lambda: begun(processes, "chance0"))
    wait_for(lambda: len(list((processes.folder / "runs").rglob("record.json"))) >= 2)
    assert processes.scheduler is not None
    processes.scheduler.kill()
    assert ended(command) == 2
    last = processes.said("runs").strip().splitlines()[-1]
    assert last.endswith("the scheduler is gone; finished runs are on record, the same command goes on")
    assert "Traceback" not in processes.said("runs")
    assert left_behind(processes.folder / "runs") == []
    done = held(processes.folder / "runs")
    assert 2 <= len(done) < len(EVERY)
    assert done.items() <= held(serial).items()
    let_go(processes)
    assert ended(processes.sweep("runs", here=True)) == 0
    assert held(processes.folder / "runs") == held(serial)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_that_is_stopped_ends_at_once_and_the_same_command_goes_on(
    processes: Processes, serial: Path, number: signal.Signals
) -> None:
    hold(processes, 0, 1)
    processes.changed("a", dask_toys.APART)
    command = processes.sweep()
    wait_for(lambda: begun(processes, "chance0") or begun(processes, "chance1"))
    assert command.pid is not None
    os.kill(command.pid, number)
    assert ended(command, 60) == 128 + number
    said = processes.said("runs").strip().splitlines()
    assert said[-1].endswith("finished runs are on record, the same command goes on")
    assert not [line for line in said if "Traceback" in line or "distributed" in line]
    assert left_behind(processes.folder / "runs") == []
    let_go(processes)
    assert ended(processes.sweep(said="again.txt")) == 0, processes.said("again")
    assert held(processes.folder / "runs") == held(serial)


def test_run_that_ends_its_workers_is_on_record_as_failed_and_the_others_are_done(
    processes: Processes, serial: Path
) -> None:
    (processes.folder / "suite.toml").write_text(
        dask_toys.SUITE + '[[run]]\ntask = "tones"\nmethod = "chance"\nseeds = 1\nset = { ends = true }\n'
    )
    processes.changed("a", dask_toys.APART, "--nanny")
    processes.worker("b", "--nanny")
    assert ended(processes.sweep()) == 1
    failed = [record for _, record in RunStore(processes.folder / "runs").records() if record.status == "failed"]
    (record,) = failed
    assert record.reason.startswith("4 workers died at it, one after another (")
    assert record.spec.params == {"ends": True}
    assert (record.kind, len(record.classes)) == ("single-label", 3)
    for folder, record in RunStore(processes.folder / "runs").records():
        if record.status == "failed":
            shutil.rmtree(folder)
    assert held(processes.folder / "runs") == held(serial)
    assert left_behind(processes.folder / "runs") == []


@pytest.mark.parametrize("change", ["DIES_BEFORE_IT_TELLS", "DAMAGES_WHAT_IT_SENDS", "FULL_DISK"])
def test_worker_that_fails_in_another_way_costs_no_run(processes: Processes, serial: Path, change: str) -> None:
    processes.changed("bad", dask_toys.APART.replace("change", "part") + getattr(dask_toys, change) + BOTH)
    processes.changed("good", dask_toys.APART)
    wait_for(lambda: all("Registered to" in processes.said(name) for name in ("bad", "good")))
    assert ended(processes.sweep()) == 0, processes.said("runs")
    assert held(processes.folder / "runs") == held(serial)
    assert left_behind(processes.folder / "runs") == []
    assert "worker bad" in processes.said("runs")


BOTH = """
first = change
def change(worker):
    first(worker)
    part(worker)
"""


def test_worker_without_the_data_takes_other_runs_and_is_named(processes: Processes, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text('[[run]]\ntask = "gtzan-mini"\nmethod = "prior"\nseeds = 2\n')
    processes.worker("a")
    assert ended(processes.sweep("runs", "--data", str(tmp_path / "nowhere"), "--weights", str(tmp_path / "no"))) == 1
    said = processes.said("runs")
    assert "worker a: " in said
    assert "Traceback" not in said
    assert "skipped" in said
