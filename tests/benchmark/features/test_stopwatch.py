"""Where wall time goes: phases that add up, whatever happens in them."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from mirbench.features.stopwatch import Stopwatch

CPU = torch.device("cpu")


def test_stopwatch_adds_up_the_times_of_a_phase() -> None:
    watch = Stopwatch(CPU)
    for _ in range(2):
        with watch.phase("rest"):
            time.sleep(0.02)
    assert 0.04 <= watch.seconds["rest"] < 2.0


def test_stopwatch_keeps_the_time_of_a_phase_that_fails() -> None:
    watch = Stopwatch(CPU)
    try:
        with watch.phase("broken"):
            raise ValueError
    except ValueError:
        pass
    assert "broken" in watch.seconds


def test_phase_within_another_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 4.0, 6.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    watch = Stopwatch(CPU)
    with watch.phase("outer"), watch.phase("inner"):
        pass
    assert watch.seconds == {"outer": 3.0, "inner": 3.0}


def test_phase_in_another_thread_takes_nothing_from_this_one() -> None:
    watch = Stopwatch(CPU)

    def work() -> None:
        with watch.phase("theirs"), watch.working_beside():
            time.sleep(0.02)

    with watch.phase("ours"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert set(watch.seconds) == {"ours"}
    assert watch.beside >= 0.02
