"""Operations of one clip, from its file to its score: counted by torch, and here by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.plugin_file import Plugin
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from tests.toys import CARD, QUIET, RATE, splits_of, write_levels

CLASSES = ("low", "middle", "high")


def recorded_by(
    tmp_path: Path, method: str, file: str = "linear.bin", seconds: float = 1.0, **changes: Any
) -> RunRecord:
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    splits = write_levels(
        splits_of({s: list(CLASSES) * 2 for s in ("train", "valid", "test")}, CLASSES, folder), seconds
    )
    (tmp_path / file).write_bytes(b"weights")
    card = replace(
        CARD, file=str(tmp_path / file), offers=("frontend", "body", "pooled"), n_features=90, n_outputs=0, labels=""
    )
    catalogue = Catalogue([Plugin("test", "0" * 64, {"toy": splits[0].task}, {}, {card.name: card})])
    request = Request(
        "toy", method, card.name if catalogue.method(method).needs else "", seeds=(0,), data=tmp_path / "data",
        runs=tmp_path / "runs", cache=tmp_path / "cache",
    )  # fmt: skip
    (outcome,) = run(replace(request, **changes), catalogue, QUIET)
    assert outcome.record.status == "done", outcome.record.reason
    return outcome.record


# a matrix product of n x m values counts 2 n m, and so does each place of a convolution
SOURCE = 2 * RATE * 20 + 2 * 5 * 3 * 18


@pytest.mark.parametrize(("seconds", "windows"), [(1.0, 1), (3.0, 3)])
def test_linear_and_convolution_layers_count_as_by_hand(seconds: float, windows: int, tmp_path: Path) -> None:
    assert recorded_by(tmp_path, "probe-linear", seconds=seconds).flops == windows * SOURCE


def test_operations_of_the_method_are_added(tmp_path: Path) -> None:
    record = recorded_by(tmp_path, "picture-mlp", seconds=2.0, params={"epochs": 1, "hidden": 7, "depth": 2})
    assert record.flops == 2 * (SOURCE + 2 * (90 * 7 + 7 * 7 + 7 * 7 + 7 * 3))


@pytest.mark.slow
def test_operations_are_of_the_first_clip_however_many_are_cached(tmp_path: Path) -> None:
    first = recorded_by(tmp_path, "probe-linear")
    again = recorded_by(tmp_path, "probe-linear", params={"C": 2.0})
    assert first.flops == again.flops == SOURCE


def test_method_without_a_network_has_none(tmp_path: Path) -> None:
    assert recorded_by(tmp_path, "prior").flops is None


@pytest.mark.slow
def test_operations_do_not_depend_on_the_length_of_training(tmp_path: Path) -> None:
    short, long = (recorded_by(tmp_path, "tf-retrain", params={"epochs": n}) for n in (1, 3))
    assert short.flops == long.flops == SOURCE + 2 * 90 * 3


@pytest.mark.slow
def test_counting_counts_what_torch_counts_and_loads_no_compiler() -> None:
    program = (
        "import sys, torch\n"
        "from torch.utils.flop_counter import FlopCounterMode\n"
        "from mirbench.runs.measure import flops_of\n"
        "x, net = torch.ones(2, 3, 8, 8), torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten())\n"
        "ours, loaded = flops_of(lambda: net(x) @ torch.ones(144, 5)), 'torch._dynamo' in sys.modules\n"
        "with FlopCounterMode(display=False) as counter:\n"
        "    net(x) @ torch.ones(144, 5)\n"
        "print(ours == counter.get_total_flops(), ours, loaded, 'torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    n_flops = 2 * (2 * 4 * 36 * 27 + 2 * 144 * 5)
    assert (done.stdout, done.stderr) == (f"True {n_flops} False True\n", "")
