"""What a run costs beyond what it computes: ``pytest -m perf -s -n 0 tests/perf`` prints ratios, no time is asserted.

CPU seconds of processes of their own, so that imports count; the source and the rows are those of the demo.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import soundfile

ALONE = (
    "from mirbench.runs import speed\nspeed.Speeds.of = lambda self, spec, chosen, machine, measure, watch: measure()\n"
)
"""Every run measures its speed, as the first version of the protocol had it."""
RANDOM = "from mirbench.methods.probes import LinearProbe\nLinearProbe.uses_seed = True\n"
"""Every seed of a linear probe is run."""
HEARD = "from mirbench.features.afresh import Costs\nCosts.recall = lambda self, rows: None\n"
"""Each system hears its source to be timed, as the second version of the protocol had it."""
LOOKED = "from mirbench.runs import measure\nmeasure.WORTH_A_LOOK = -(2**60)\n"
"""After each entry of a suite Python looks for what nothing uses any more, however little came to stay."""
SUITE = """
[defaults]
task = "gtzan-demo+folds5"
source = "nano"
seeds = 1
[[run]]
method = ["probe-linear", "probe-svm", "knn"]
[[run]]
method = ["probe-mlp", "mean-teacher", "picture-mlp"]
set = { epochs = 2 }
"""


def cpu_seconds(folder: Path, words: Sequence[str], before: str = "") -> float:
    """User and system time of one command."""
    program = f"{before}from mirbench.cli import main\nmain()\n" if words else before
    environment = {**os.environ, "MIRBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True, env=environment)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime


@pytest.mark.perf
def test_five_seeds_of_a_linear_probe_beside_the_imports(tmp_path: Path) -> None:
    words = ["run", "--task", "gtzan-demo+folds5", "--method", "probe-linear", "--source", "nano", "--quiet", "--runs"]
    cpu_seconds(tmp_path, [*words, str(tmp_path / "warm")])
    ways = {"each run timed, every seed": ALONE + RANDOM, "every seed, one timed": RANDOM, "as it is": ""}
    runs = {name: [] for name in ways} | {"on record": [], "show": [], "import torch": []}  # type: ignore[var-annotated]
    for repeat in range(3):
        for name, before in ways.items():
            runs[name].append(cpu_seconds(tmp_path, [*words, str(tmp_path / f"{name} {repeat}")], before))
        runs["on record"].append(cpu_seconds(tmp_path, [*words, str(tmp_path / "warm")]))
        runs["show"].append(cpu_seconds(tmp_path, ["show", "probe-linear"]))
        runs["import torch"].append(cpu_seconds(tmp_path, [], "import torch"))
    seconds = {name: statistics.median(found) for name, found in runs.items()}
    print("\nprobe-linear + nano on gtzan-demo, five folds and seeds, warm cache, imports counted")
    for name, value in seconds.items():
        print(f"  {name:<28} {value:7.2f} CPU s   ratio to import torch {value / seconds['import torch']:6.2f}")


@pytest.mark.perf
def test_suite_of_small_runs_beside_one_that_times_its_source_again_or_looks_for_garbage(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SUITE)
    words = ["sweep", str(tmp_path / "small.toml"), "--quiet", "--threads", "1", "--runs"]
    cpu_seconds(tmp_path, [*words, str(tmp_path / "warm"), "--prepare"])
    ways: dict[str, list[float]] = {"a source timed for each system": [], "a look after each entry": [], "as it is": []}
    for repeat in range(3):
        for (name, found), before in zip(ways.items(), (HEARD, LOOKED, ""), strict=True):
            found.append(cpu_seconds(tmp_path, [*words, str(tmp_path / f"{name} {repeat}")], before))
    seconds = {name: statistics.median(found) for name, found in ways.items()}
    print("\n30 small runs in 6 entries, nano on gtzan-demo+folds5, rows prepared, imports counted")
    for name, value in seconds.items():
        print(f"  {name:<32} {value:7.2f} CPU s   {value / seconds['as it is']:.2f} of what it takes")


@pytest.mark.perf
@pytest.mark.parametrize("method", ["probe-linear", "probe-svm"])
def test_predict_of_one_file_beside_the_import_of_torch(method: str, shared: Path, tmp_path: Path) -> None:
    here = ["--weights", str(shared / "weights"), "--runs", str(tmp_path / "runs"), "--quiet"]
    run = ["run", "--task", "gtzan-mini+folds5", "--method", method, "--source", "efficientat-mn04"]
    cpu_seconds(tmp_path, [*run, "--seeds", "1", "--data", str(shared / "data"), *here])
    sound, rate = soundfile.read(shared / "data/gtzan_mini/genres/jazz/jazz.00000.flac")
    found: dict[str, list[float]] = {"import torch": [], "import torch, torchvision": [], "predict": []}
    for repeat in range(3):
        own = tmp_path / f"{repeat}.wav"  # its rows are not in the cache
        soundfile.write(own, sound[100 + repeat :], rate)
        found["import torch"].append(cpu_seconds(tmp_path, [], "import torch"))
        found["import torch, torchvision"].append(cpu_seconds(tmp_path, [], "import torch, torchvision"))
        found["predict"].append(cpu_seconds(tmp_path, ["predict", f"{method}+efficientat-mn04", str(own), *here]))
    seconds = {name: statistics.median(values) for name, values in found.items()}
    print(f"\npredict of 30 s by five fold models of {method} + efficientat-mn04")
    for name, value in seconds.items():
        print(f"  {name:<28} {value:7.2f} CPU s   ratio to import torch {value / seconds['import torch']:6.2f}")
