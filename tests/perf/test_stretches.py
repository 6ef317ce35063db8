"""What clips of one long file cost: ``pytest -m perf -s -n 0 tests/perf/test_stretches.py`` prints ratios.

Five minutes of noise, of which 60 clips of five seconds are decoded alone, and in one pass; CPU seconds, medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.features import decoding
from mirbench.features.passes import Passes
from mirbench.types import Excerpt

RATE, SECONDS, CLIP = 22_050, 300, 5


def cpu_seconds(decode: Callable[[Excerpt], object], asked: list[Excerpt]) -> float:
    began = time.process_time()
    for place in asked:
        decode(place)
    return time.process_time() - began


@pytest.mark.perf
@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac", "wav"])
def test_clips_of_one_file_in_one_pass_beside_one_by_one(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"concert.{suffix}"
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for k in range(SECONDS):
            file.write(np.random.default_rng(k).normal(0, 0.1, RATE).astype(np.float32))
    asked = [Excerpt(path, float(start), float(CLIP)) for start in range(0, SECONDS, CLIP)]
    taken: dict[str, list[float]] = {"alone": [], "in one pass": []}
    for _ in range(3):
        taken["alone"].append(cpu_seconds(decoding.decode, asked))
        taken["in one pass"].append(cpu_seconds(Passes(asked).decode, asked))
    alone, together = (statistics.median(seconds) for seconds in taken.values())
    print(
        f"\n{suffix:<5} {len(asked)} clips: alone {alone:.2f} s, in one pass {together:.2f} s ({alone / together:.1f})"
    )
