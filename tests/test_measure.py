from __future__ import annotations

import mmap
import re
import time

import torch

from mirbench import measure

CPU = torch.device("cpu")


def test_stopwatch_adds_up_the_times_of_a_phase() -> None:
    watch = measure.Stopwatch(CPU)
    for _ in range(2):
        with watch.phase("rest"):
            time.sleep(0.02)
    assert 0.04 <= watch.seconds["rest"] < 2.0


def test_stopwatch_keeps_the_time_of_a_phase_that_fails() -> None:
    watch = measure.Stopwatch(CPU)
    try:
        with watch.phase("broken"):
            raise ValueError
    except ValueError:
        pass
    assert "broken" in watch.seconds


def test_peak_memory_rises_by_what_is_held() -> None:
    measure.start_memory(CPU)
    before = measure.peak_memory(CPU)["cpu"]
    # fresh pages of the system: the allocator may hand out memory that the process holds already
    with mmap.mmap(-1, 64 * 2**20) as held:
        held.write(b"1" * len(held))
        after = measure.peak_memory(CPU)["cpu"]
        assert before is not None
        assert after is not None
        assert after - before > 0.8 * len(held)


def test_count_parameters_tells_trainable_from_all() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    module[0].requires_grad_(False)
    assert measure.count_parameters(module) == 11
    assert measure.count_parameters(module, trainable=True) == 3


def test_environment_names_versions_machine_and_commit() -> None:
    found = measure.environment(CPU)
    assert torch.__version__.startswith(found["versions"]["torch"])
    assert found["device"] == "cpu"
    assert found["threads"] == torch.get_num_threads()
    assert found["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(\+changes)?", found["commit"])


def test_tune_allocator_may_be_called_twice() -> None:
    measure.tune_allocator()
    measure.tune_allocator()
    assert float(torch.ones(1000).sum()) == 1000
