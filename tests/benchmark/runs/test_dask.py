"""A suite on a real Dask cluster of processes: nothing is lost or done twice, the records are those of a serial run.

Workers are killed, come late, differ, share the disk or do not; the scheduler goes, the command is stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmark.runs.dask_toys import Processes, ended, held, left_behind, wait_for

pytest.importorskip("distributed", reason="needs Dask: pip install 'mirbench[dask]'")
pytestmark = pytest.mark.slow


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a serial run."""
    made = Processes(tmp_path_factory.mktemp("serial"))
    assert ended(made.sweep()) == 0
    return made.folder / "runs"


@pytest.mark.parametrize("shared", [True, False])
def test_worker_killed_and_one_late_leave_the_records_of_a_serial_run(
    processes: Processes, serial: Path, shared: bool, tmp_path: Path
) -> None:
    processes.begin()
    for seed in (0, 5):
        (tmp_path / "test" / f"hold{seed}").touch()
    workers = {name: processes.worker(name) for name in ("a", "b")}
    command = processes.sweep(**{} if shared else {"MIRBENCH_TEST_APART": "1"})
    wait_for(lambda: any(line.startswith("chance0 ") for line in processes.told()))
    wait_for(lambda: any(line.startswith("chance5 ") for line in processes.told()))
    victim = next(int(line.split()[1]) for line in processes.told() if line.startswith("chance0 "))
    processes.worker("late")
    next(worker for worker in workers.values() if worker.pid == victim).kill()
    wait_for(lambda: sum(line.startswith("chance0 ") for line in processes.told()) == 2)
    for seed in (0, 5):
        (tmp_path / "test" / f"hold{seed}").unlink()
    assert ended(command) == 0, processes.said("runs")
    assert held(tmp_path / "runs") == held(serial)
    assert left_behind(tmp_path / "runs") == []
    begun = sorted(line.split()[0] for line in processes.told())
    assert begun == sorted(["chance0", "probe0", "probe1", *(f"chance{seed}" for seed in range(6))])
    assert len({line.split()[1] for line in processes.told()}) == 3
