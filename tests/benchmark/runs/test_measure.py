from __future__ import annotations

import gc
import math
import mmap
import platform
import subprocess
import sys
import time
import weakref
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mirbench.errors import MissingExtra
from mirbench.runs import measure
from tests.conftest import ROOT

CPU = torch.device("cpu")


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
    assert found["processor"] == measure.processor() != ""


def test_environment_names_the_commit_of_a_checkout_that_mirbench_runs_from() -> None:
    folder = Path(str(files("mirbench"))).resolve()
    if folder != ROOT / "benchmark" or not (ROOT / ".git").exists():
        assert measure.environment(CPU)["commit"] is None
        return
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert str(measure.environment(CPU)["commit"]).removesuffix("+changes") == head.stdout.strip()


def test_tune_allocator_may_be_called_twice() -> None:
    measure.tune_allocator()
    measure.tune_allocator()
    assert float(torch.ones(1000).sum()) == 1000


def test_energy_that_nobody_wants_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    meter = measure.EnergyMeter(False)
    with meter:
        pass
    assert meter.reading == {}


def test_energy_without_codecarbon_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with pytest.raises(MissingExtra) as caught:
        measure.EnergyMeter(True)
    assert str(caught.value) == "--energy needs codecarbon: pip install 'mirbench[energy]'"


class Tracker:
    """Stands in for codecarbon's, of which it has what is used."""

    running = False

    def __init__(self, **options: object) -> None:
        assert options["output_methods"] == []  # no file of emissions in the user's folder
        cpu = type("CPU", (), {"_mode": "cpu_load"})()
        self._hardware = [type("RAM", (), {})(), cpu]

    def start(self) -> None:
        Tracker.running = True

    def stop(self) -> None:
        Tracker.running = False
        energy = {"energy_consumed": 6.0, "cpu_energy": 1.0, "gpu_energy": 2.0, "ram_energy": 3.0}
        self.final_emissions_data = type("Data", (), energy)()


@pytest.fixture
def codecarbon(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = Tracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9")


@pytest.mark.usefixtures("codecarbon")
def test_energy_is_that_of_the_block_in_its_parts_with_how_it_was_found() -> None:
    meter = measure.EnergyMeter(True)
    with meter:
        assert Tracker.running
    assert meter.reading == {
        "train_kwh": 6.0, "train_cpu_kwh": 1.0, "train_gpu_kwh": 2.0, "train_ram_kwh": 3.0,
        "how": "codecarbon 9: CPU cpu_load, RAM",
    }  # fmt: skip


@pytest.mark.usefixtures("codecarbon")
def test_energy_meter_stops_where_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError), measure.EnergyMeter(True):
        raise ZeroDivisionError
    assert not Tracker.running


@pytest.mark.slow
def test_energy_of_codecarbon_itself_is_finite_and_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("codecarbon")
    meter = measure.EnergyMeter(True)
    began = time.perf_counter()
    with meter:
        while time.perf_counter() - began < 3:
            torch.ones(300, 300) @ torch.ones(300, 300)
    energies = [value for name, value in meter.reading.items() if name.endswith("_kwh")]
    assert len(energies) == 4
    assert all(math.isfinite(value) and value >= 0 for value in energies)
    assert meter.reading["train_kwh"] == pytest.approx(sum(energies[1:]), rel=1e-6)
    assert meter.reading["train_kwh"] > 0
    assert meter.reading["how"].startswith("codecarbon ")
    held = capfd.readouterr()
    assert held.out + held.err == ""


_KEPT = """
import numpy as np
from pathlib import Path
from mirbench.runs.measure import tune_allocator

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

tune_allocator()
before = resident()
held = [np.ones(size // 8) for size in {sizes}]
full = resident()
del held
print((full - before) // 2**20, (resident() - before) // 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator that is tuned")
@pytest.mark.parametrize(("sizes", "kept"), [("[2**20] * 128", True), ("[40 * 2**20] * 4", False)])
def test_tuned_allocator_keeps_small_blocks_and_hands_back_large_ones(sizes: str, kept: bool) -> None:
    code = _KEPT.format(sizes=sizes)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    full, left = map(int, said)
    assert full > 100  # MiB
    assert left > 0.9 * full if kept else left < 0.1 * full


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_allocator_that_the_user_has_set_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    monkeypatch.setattr("ctypes.CDLL", None)  # whoever calls it fails
    measure.tune_allocator()


class _Ring:
    """Holds itself, and so is found by a look alone."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere it is looked for whenever memory is given back")
def test_what_holds_itself_is_looked_for_once_so_much_came_to_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    measure.give_back_memory()
    monkeypatch.setattr(measure, "WORTH_A_LOOK", 2**40)
    gone = weakref.ref(_Ring())
    measure.give_back_memory()
    assert gone() is not None
    monkeypatch.setattr(measure, "WORTH_A_LOOK", -(2**40))
    measure.give_back_memory()
    assert gone() is None
