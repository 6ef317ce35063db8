"""What a method sets in the process changes neither what is computed for all nor the run after it."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

from mirbench.features.usual import computed_as_usual, left_as_found
from mirbench.plugin_file import load_plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.plan import Request
from tests.toys import ear_context, splits_of, write_levels

CPU = torch.device("cpu")
KEPT: list[Any] = []


def never_left(context: Any) -> None:
    context.__enter__()
    KEPT.append(context)


CHANGES: dict[str, Callable[[], object]] = {
    "double precision": lambda: torch.set_default_dtype(torch.float64),
    "half precision": lambda: torch.set_default_dtype(torch.bfloat16),
    "a device without values": lambda: torch.set_default_device("meta"),
    "no gradients": lambda: torch.set_grad_enabled(False),
    "inference alone": lambda: never_left(torch.inference_mode()),
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "autocast that is never left": lambda: never_left(torch.autocast("cpu", dtype=torch.bfloat16)),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "products of less precision": lambda: torch.set_float32_matmul_precision("medium"),
    "small numbers as zero": lambda: torch.set_flush_denormal(True),
    "other kernels": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "no fast path": lambda: torch.backends.mha.set_fastpath_enabled(False),
    "a search for anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "a hook in every network": lambda: register_module_forward_hook(lambda net, x, y: 1.01 * y),
    "a hook before every network": lambda: register_module_forward_pre_hook(lambda net, x: (1.01 * x[0],)),
    "a hook in every optimizer": lambda: register_optimizer_step_post_hook(
        lambda optimizer, *_: [p.data.zero_() for group in optimizer.param_groups for p in group["params"]]
    ),
    "errors of numpy": lambda: np.seterr(all="raise"),
}


SETS = """
from dataclasses import dataclass
import numpy as np
from mirbench import Fitted
from tests.benchmark.features.test_usual import CHANGES

@dataclass(frozen=True)
class Sets:
    what: str = ""
    name, version, needs, uses_audio = "sets", "1", (), False

    def fit(self, train, valid, context, *, seed):
        CHANGES[self.what]()
        return Fitted(lambda split: np.full((len(split), len(split.classes)), 0.5, dtype=np.float32), 0, {}, [])
"""


QUICK = {"double precision", "a device without values", "no gradients", "a hook in every network"}
SOME = [pytest.param(what, marks=() if what in QUICK else pytest.mark.slow) for what in CHANGES]


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Are put back after a test."""
    with computed_as_usual(CPU, torch.get_num_threads()):
        yield
        KEPT.clear()


def learnt() -> bytes:
    """What a small network has learnt after some steps, to the bit."""
    with left_as_found(CPU, 0):
        network = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(248, 2))
        optimizer = torch.optim.Adam(network.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            network(torch.rand(8, 1, 64)).square().sum().backward()
            optimizer.step()
        numbers = [p.detach().numpy().tobytes() for p in network.parameters()]
    return b"".join(numbers) + (torch.full((2,), 1e-30) * 1e-10).numpy().tobytes()  # what is so small is not zero


def settings_now() -> tuple[Any, ...]:
    """All that `CHANGES` change, but what torch does not tell."""
    hooks = torch.nn.modules.module
    return (
        torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(), torch.get_num_threads(),
        torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"), torch.is_anomaly_enabled(),
        torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(), np.geterr(),
        torch.backends.mkldnn.enabled, torch.backends.mha.get_fastpath_enabled(),
        len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks),
    )  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_numbers_are_those_of_a_new_process_whatever_was_set(what: str) -> None:
    n_threads = torch.get_num_threads()
    usual, before = learnt(), settings_now()
    CHANGES[what]()
    changed = settings_now()
    with computed_as_usual(CPU, n_threads):
        assert settings_now() == before
        assert learnt() == usual
    assert settings_now() == changed


@pytest.mark.parametrize("what", SOME)
def test_rows_for_all_are_the_same_whatever_a_method_sets(what: str, tmp_path: Path) -> None:
    labels = {"train": ["a", "b", "c"], "valid": ["a"], "test": ["a"]}
    splits = write_levels(splits_of(labels, "abc", tmp_path))
    usual = np.asarray(ear_context(splits, tmp_path / "usual").source.pooled(splits[0]).values).tobytes()
    context = ear_context(splits, tmp_path / "other")
    CHANGES[what]()
    assert np.asarray(context.source.pooled(splits[0]).values).tobytes() == usual


@pytest.mark.parametrize("what", SOME)
def test_method_leaves_no_setting_to_the_next_run(what: str, tmp_path: Path) -> None:
    plugin = tmp_path / "sets.py"
    plugin.write_text(SETS)
    request = Request("composer-maestro", "sets", seeds=(0,), params={"what": what}, runs=tmp_path / "runs",
                      data=tmp_path, cache=tmp_path / "cache")  # fmt: skip
    before = settings_now()
    (outcome,) = runner.run(request, Catalogue([load_plugin(plugin)]), Progress(quiet=True))
    assert outcome.record.status in ("done", "failed")
    assert settings_now() == before


def test_folder_and_random_numbers_are_left_as_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def drawn() -> tuple[float, float, float]:
        return random.random(), np.random.rand(), float(torch.rand(1))  # noqa: NPY002

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    expected = drawn()
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    with left_as_found(CPU, 7):
        first = drawn()
        os.chdir(tempfile.gettempdir())
    assert Path.cwd() == tmp_path
    assert drawn() == expected
    with left_as_found(CPU, 7):
        assert drawn() == first
    with left_as_found(CPU, 8):
        assert drawn() != first
