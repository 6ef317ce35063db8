"""What a large task costs: ``pytest -m perf -s -n 0 tests/perf/test_scale.py`` prints CPU time and memory by size.

A list of short WAV files, all different, is run by a method whose rows cost next to nothing: what is seen is decoding,
hashing, keys, rows and records. ``MIRBENCH_SCALE=2000,20000,300000`` names other sizes; of so many files, writing takes
longest, unless ``--basetemp`` is a folder in memory.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

SIZES = tuple(int(size) for size in os.environ.get("MIRBENCH_SCALE", "2000,20000").split(","))
RATE, SECONDS, N_CLASSES, A_FOLDER = 8000, 0.2, 10, 1000

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from mirbench import Fitted

def spectra(windows, stages):
    return {"spectrum": np.log(np.abs(np.fft.rfft(windows[:, :126], axis=1)) + 1e-3).astype(np.float32)}

@dataclass(frozen=True)
class NearestSpectrum:
    name, version, needs = "nearest-spectrum", "1", ()
    def _means(self, split, context):
        return context.rows(split, ("spectrum",), 8000, 0.1, identity="1", compute=spectra)["spectrum"].clip_means()
    def fit(self, train, valid, context, *, seed):
        rows, index = self._means(train, context), train.class_index()
        self._means(valid, context)
        centres = np.stack([rows[index == k].mean(axis=0) for k in range(len(train.classes))])
        def predict(split):
            rows = self._means(split, context)  # of large tasks, no array of clips by classes by bands
            apart = (rows**2).sum(axis=1, keepdims=True) - 2 * rows @ centres.T + (centres**2).sum(axis=1)
            scores = np.exp(-apart + apart.min(axis=1, keepdims=True))
            return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        return Fitted(predict, n_trainable=centres.size, state={})
"""
MEASURED = """
import resource, sys
from mirbench import cli
sys.argv[0] = "mirbench"
try:
    cli.main()
except SystemExit as end:
    code = end.code
own = resource.getrusage(resource.RUSAGE_SELF)
memory = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))  # in kB
print(f"\\nMEASURED {own.ru_utime + own.ru_stime:.2f} {int(memory) / 1024:.0f}", file=sys.stderr)
sys.exit(code)
"""


def write_task(folder: Path, n_clips: int) -> None:
    """A list of WAV files of noise, each a little louder in a band of its class, in folders of a thousand."""
    import soundfile

    rng, n_samples = np.random.default_rng(0), round(RATE * SECONDS)
    noise = rng.normal(0, 0.1, (64, n_samples))
    tones = 0.1 * np.sin(2 * np.pi * np.outer(200 * np.arange(1, N_CLASSES + 1), np.arange(n_samples)) / RATE)
    lines = ["path,label,split"]
    for n in range(n_clips):
        name = f"{n // A_FOLDER:03d}/{n:06d}.wav"
        if n % A_FOLDER == 0:
            (folder / name).parent.mkdir(parents=True)
        sound = np.roll(noise[n % 64], n) + tones[n % N_CLASSES]
        sound[:3] = n % 97 / 200, n // 97 % 97 / 200, n // 9409 / 200  # no two are the same
        soundfile.write(folder / name, sound, RATE, subtype="PCM_16")
        lines.append(f"{name},class{n % N_CLASSES},{('train', 'valid', 'test')[n // 7 % 3]}")
    (folder / "list.csv").write_text("\n".join(lines))


def command(folder: Path, *words: str) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a command."""
    environment = {**os.environ, "MIRBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seconds, memory = re.findall(r"MEASURED (\S+) (\S+)", done.stderr)[-1]
    return float(seconds), float(memory)


def commands(folder: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    run = ("run", "--task", "csv:list.csv", "--method", "nearest-spectrum", "--plugin", "plugin.py", "--device", "cpu")
    yield "first run", command(folder, *run, "--seeds", "1")
    yield "another seed, rows kept", command(folder, *run, "--seeds", "2")
    yield "both on record", command(folder, *run, "--seeds", "2")
    yield "data check", command(folder, "data", "check", "csv:list.csv")
    yield "cache info", command(folder, "cache", "info")


@pytest.mark.perf
@pytest.mark.skipif(sys.platform != "linux", reason="reads peak memory where Linux says it")
def test_commands_by_number_of_clips(tmp_path: Path) -> None:
    before: dict[str, float] = {}
    for n_clips in SIZES:
        folder = tmp_path / str(n_clips)
        folder.mkdir()
        write_task(folder, n_clips)
        (folder / "plugin.py").write_text(PLUGIN)
        print(f"\n{n_clips} clips of {SECONDS} s, {n_clips * round(SECONDS / 0.1)} windows")
        for name, (seconds, memory) in commands(folder):
            each = 1e6 * seconds / n_clips
            more = f", {each / before[name]:.2f} times as much a clip as at the size before" if name in before else ""
            print(f"  {name:<24} {seconds:7.1f} CPU s, {each:7.0f} us a clip, {memory:5.0f} MB at most{more}")
            before[name] = each
