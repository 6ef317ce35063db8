"""What a run costs as an errand of Dask: ``pytest -m perf -s tests/perf/test_dask_worker.py`` prints ratios.

Runs of warm systems one after another in one command, beside the same told as JSON, planned and packed one by one.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mirbench.plugin_file import load_plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.cluster.dask_worker import do_run, told_of
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import run
from tests.benchmark.runs.cluster.dask_toys import PLUGIN

QUIET = Progress(quiet=True)
N_RUNS = 5


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


@pytest.mark.perf
@pytest.mark.parametrize(("method", "source"), [("chance", ""), ("probe-mlp", "nano")])
def test_run_as_an_errand_beside_one_of_a_command(method: str, source: str, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    catalogue = Catalogue([load_plugin(plugin)])
    options = dict(catalogue.source(source).options) if source else {}
    before, after = [], []
    for trial in range(4):
        seeds = tuple(range(N_RUNS * trial, N_RUNS * (trial + 1)))
        request = Request("tones", method, source, seeds=seeds, source_params=options, runs=tmp_path / "runs")
        texts = []
        for spec in make_plan(request, catalogue, QUIET).specs:
            hashes = {"audio_sha256": spec.audio_sha256, "source_sha256": spec.source_sha256}
            own = told_of(replace(request, seeds=(spec.seed,), folds=(spec.fold,)), [plugin])
            texts.append(json.dumps({**own, **hashes, "runs": "", "key": spec.key}))
        before.append(cpu_seconds(lambda: run(request, catalogue, QUIET)))  # noqa: B023
        after.append(cpu_seconds(lambda: [do_run(text) for text in texts]))  # noqa: B023
    serial, errands = (statistics.median(rows[1:]) / N_RUNS for rows in (before, after))  # the first warms up
    print(f"\n{method}: {1000 * serial:.0f} ms of CPU a run, as an errand {1000 * errands:.0f}: {errands / serial:.2f}")
    assert errands > 0
