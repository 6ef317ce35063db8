"""A command that is told to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from pathlib import Path
from mirbench import cli
from mirbench.runs import stopping
from mirbench.features.claims import claimed
from mirbench.features.temporary import temporary
from mirbench.progress import Progress

folder = Path(sys.argv[1])
stopping._PATIENCE = 0.3

def app(standalone_mode):
    with claimed(folder / "run", "working", Progress()), temporary(folder) as work:
        (work / "half").touch()
        print("ready", flush=True)
        try:
            time.sleep(60)
        except KeyboardInterrupt:  # as typer does
            return 130
        finally:
            time.sleep(float(sys.argv[2]))

cli.app = app
cli.main()
"""


def stopped(folder: Path, number: int, lasts: float = 0, before: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit code and last words of a command that a signal stops; what then ends lasts so long."""
    command = [*before, sys.executable, "-c", PROGRAM, str(folder), str(lasts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        return process.returncode, said


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
        (signal.SIGHUP, 129, "stopped by SIGHUP"),
        (signal.SIGINT, 130, "interrupted"),
    ],
)
def test_command_told_to_stop_leaves_nothing_and_says_one_line(
    tmp_path: Path, number: int, code: int, word: str
) -> None:
    line = f"mirbench: {word}; finished runs are on record, the same command goes on\n"
    assert stopped(tmp_path, number) == (code, line)
    assert list(tmp_path.iterdir()) == []


def test_command_that_cannot_stop_in_time_ends_all_the_same(tmp_path: Path) -> None:
    line = "mirbench: stopped by SIGTERM; finished runs are on record, the same command goes on\n"
    assert stopped(tmp_path, signal.SIGTERM, lasts=60) == (143, line)
    assert list(tmp_path.iterdir()) == []


def test_command_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    program = PROGRAM.replace("time.sleep(60)", "import os; os.kill(os.getpid(), 1); time.sleep(0.2)")
    command = ["nohup", sys.executable, "-c", program, str(tmp_path), "0"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
