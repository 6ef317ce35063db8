"""What doing runs at once costs and saves: ``pytest -m perf -s -n 0 tests/perf/test_at_once.py`` prints ratios.

Every method that trains on frozen rows, with the source nano on gtzan-demo, from a prepared cache: one run after
another, ``--jobs 2``, and two ``--part`` at once; one thread each. CPU seconds are those of all processes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmark.runs.test_many_processes import held

WATCH = """
import ctypes, os, resource, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # whatever the commands start is waited for here
began = time.time()
for words in sys.argv[1].split(";"):
    subprocess.Popen([sys.executable, "-m", "mirbench", "sweep", "suite.toml", "--quiet", *words.split()],
                     stdout=subprocess.DEVNULL)
codes = []
while True:
    try:
        codes.append(os.wait()[1])
    except ChildProcessError:
        break
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, time.time() - began, max(codes))
"""
SUITE = """
[defaults]
task = "gtzan-demo"
source = "nano"
seeds = 3
[[run]]
method = ["probe-linear", "probe-svm", "probe-forest", "knn"]
[[run]]
method = ["probe-mlp", "layer-mix", "picture-mlp", "tf-retrain", "mean-teacher"]
set = { epochs = 5 }
"""
WAYS = {"serial": "--threads 1", "--jobs 2": "--threads 1 --jobs 2",
        "two parts": "--threads 1 --part 1/2;--threads 1 --part 2/2"}  # fmt: skip
ROUNDS = 1


@pytest.mark.perf
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts CPU seconds as Linux does")
def test_sweep_at_once_beside_one_run_after_another(tmp_path: Path) -> None:
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    environment = {**os.environ, **compiled, "MIRBENCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}

    def swept(words: str, folder: Path) -> tuple[float, float]:
        folder.mkdir()
        (folder / "suite.toml").write_text(SUITE)
        answer = subprocess.run(
            [sys.executable, "-c", WATCH, words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        cpu, wall, code = map(float, answer.stdout.split())
        assert code == 0, answer.stderr
        return cpu, wall

    swept("--prepare", tmp_path / "prepared")
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for turn in range(ROUNDS):
        for name, words in WAYS.items():
            taken[name].append(swept(words, tmp_path / f"{name} {turn}"))
    cpu = {name: statistics.median(one for one, _ in found) for name, found in taken.items()}
    wall = {name: statistics.median(one for _, one in found) for name, found in taken.items()}
    print()
    for name in WAYS:
        shares = cpu[name] / cpu["serial"], wall[name] / wall["serial"]
        print(f"{name}: {cpu[name]:.1f} CPU seconds, {shares[0]:.2f} of serial; {wall[name]:.1f} s, {shares[1]:.2f}")
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    first = held(tmp_path / "serial 0")
    assert len(first) > 9
    assert all(held(tmp_path / f"{name} 0") == first for name in WAYS)
