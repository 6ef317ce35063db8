"""What a board of many records costs: ``pytest -m perf -s -n 0 tests/perf/test_board.py`` prints, it asserts no time.

Each command is run as a user runs it, on a thousand records and on ten thousand: CPU seconds, what a record costs
beyond what the command costs on a hundred, and the largest memory. Where time is linear in records, the last ratio is
1. ``verify`` computes every metric again and imports every method: it is shown apart.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.perf.many_records import write_records

SIZES = (100, 1_000, 10_000)


WATCH = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(child.returncode)
"""
"""Runs a command from a small process: the peak of one holds that of the process that began it."""


class Cost(NamedTuple):
    """Of a process that has ended."""

    seconds: float  # of CPU
    megabytes: float


def cost(runs: Path, *words: str) -> Cost:
    command = [sys.executable, "-m", "mirbench", *(word.format(runs=runs) for word in words)]
    done = subprocess.run([sys.executable, "-c", WATCH, *command], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return Cost(seconds, kilobytes / 1024)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    root = tmp_path_factory.mktemp("boards")
    return {write_records(root / str(size), size): root / str(size) for size in SIZES}


COMMANDS = {
    **{f"leaderboard --format {form}": ("leaderboard", "--runs", "{runs}", "--format", form, "--output", "{runs}/out")
       for form in ("md", "csv", "json", "html")},
    "compare": ("compare", "--runs", "{runs}", "openmic/probe-linear+ast", "openmic/probe-svm+ast"),
    "verify": ("verify", "{runs}"),
}  # fmt: skip


@pytest.mark.perf
@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_record_costs_is_the_same_among_a_thousand_and_ten_thousand(folders: dict[int, Path], name: str) -> None:
    costs = {size: cost(folder, *COMMANDS[name]) for size, folder in folders.items()}
    few, many, most = costs
    each = [1000 * (costs[n].seconds - costs[few].seconds) / (n - few) for n in (many, most)]
    print(f"\n{name:<26}", *(f"{n:,} records {c.seconds:6.1f} s {c.megabytes:5.0f} MB;" for n, c in costs.items()))
    print(f"{'':<26} a record {each[0]:.2f} ms and {each[1]:.2f} ms: ratio {each[1] / each[0]:.2f}")
