"""What a run costs: time, memory, parameters, and on what machine."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.metadata
import inspect
import logging
import math
import os
import platform
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirbench.installation import extra_module

if TYPE_CHECKING:
    import torch

__all__ = [
    "EnergyMeter", "count_parameters", "counted_flops", "environment", "flops_of", "give_back_memory", "load",
    "peak_memory", "processor", "start_memory", "tune_allocator",
]  # fmt: skip

_PACKAGES = (
    "mirbench", "torch", "torchaudio", "torchvision", "transformers", "numpy", "scipy", "scikit-learn", "soundfile",
    "soxr",
)  # fmt: skip

LARGE_BLOCK = 32 * 2**20
"""Bytes from which on memory is handed back at once; glibc takes no more."""
WORTH_A_LOOK = 64 * 2**20
"""Bytes that are worth half a second in which Python looks for what nothing uses any more."""

_kept = [0.0]
"""Bytes that were left when that was done last."""


class EnergyMeter:
    """Energy of a block, by codecarbon; its counters where the machine has some, its estimates elsewhere.

    Parameters
    ----------
    wanted : bool
        Whether to measure at all.

    Raises
    ------
    MissingExtra
        If it is wanted and codecarbon is not installed.
    """

    def __init__(self, wanted: bool) -> None:
        self.reading: dict[str, Any] = {}
        self._tracker: Any = None
        if not wanted:
            return
        codecarbon = extra_module("codecarbon", "--energy", "codecarbon", "energy")
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        # a country is asked for, and decides over nothing but grams of carbon dioxide, which are not kept
        self._tracker = codecarbon.OfflineEmissionsTracker(
            country_iso_code="FRA", output_methods=[], tracking_mode="process", allow_multiple_runs=True, log_level=50
        )

    def __enter__(self) -> None:
        if self._tracker:
            self._tracker.start()

    def __exit__(self, *error: object) -> None:
        if not self._tracker:
            return
        self._tracker.stop()
        found = self._tracker.final_emissions_data
        parts = {f"train_{part}_kwh": float(getattr(found, f"{part}_energy")) for part in ("cpu", "gpu", "ram")}
        how = {type(part).__name__: str(getattr(part, "_mode", "")) for part in self._tracker._hardware}
        version = importlib.metadata.version("codecarbon")
        said = ", ".join(f"{name} {mode}".strip() for name, mode in sorted(how.items()))
        self.reading = {"train_kwh": float(found.energy_consumed), **parts, "how": f"codecarbon {version}: {said}"}


def start_memory(device: torch.device) -> None:
    """Begin to watch for the peak of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak of the resident set (Linux)
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, int | None]:
    """Peak bytes since `start_memory`: resident on the CPU side, allocated by torch on the GPU.

    Where the system cannot reset its peak, ``cpu`` is that of the whole process.
    """
    gpu = None
    if device.type == "cuda":
        import torch

        gpu = int(torch.cuda.max_memory_allocated(device))
    return {"cpu": _peak_resident(), "gpu": gpu}


def _peak_resident() -> int:
    try:
        status = Path("/proc/self/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def count_parameters(module: torch.nn.Module, *, trainable: bool = False) -> int:
    """Number of parameters of a torch module; buffers do not count."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def flops_of(work: Callable[[], object]) -> int:
    """Floating-point operations of some work; see `counted_flops`."""
    with counted_flops() as total:
        work()
        return total()


@contextlib.contextmanager
def counted_flops() -> Iterator[Callable[[], int]]:
    """Count the operations of torch's matrix products, convolutions and attention within the block, until it is asked.

    What torch does in one fused kernel it does not count (recurrent layers, attention, its own transformer layers):
    these are made to run in parts.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with contextlib.ExitStack() as stack:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of GPUs that are not there
                stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            stack.enter_context(_compiler_left_out())
            counter = stack.enter_context(FlopCounterMode(display=False))
            yield lambda: int(counter.get_total_flops())
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


@contextlib.contextmanager
def _compiler_left_out() -> Iterator[None]:
    """Within the block, torch's counter does not load torch's compiler to keep it out of what it counts.

    That takes 1.7 CPU seconds, many times the counting; what compiles something has loaded it.
    """
    from torch.utils import flop_counter

    mode = getattr(flop_counter, "_FlopCounterMode", None)
    counting = inspect.unwrap(mode.__torch_dispatch__) if mode else None
    if counting is None or "torch._dynamo" in sys.modules:
        yield
        return
    kept_out = "__dynamo_disable"  # under which the wrapper looks for it before it loads the compiler
    setattr(counting, kept_out, counting)
    try:
        yield
    finally:
        delattr(counting, kept_out)


def environment(device: torch.device) -> dict[str, Any]:
    """On what the run ran: versions, processor, threads, GPU, time. Nothing that names a person or a folder."""
    import torch

    return {
        "versions": dict(_versions()),
        "commit": _commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": load(),
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def load() -> float | None:
    """How many processes want the processor, over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions


@functools.cache
def _commit() -> str | None:
    """Commit of mirbench where it runs from a checkout, with "+changes" where files differ from it."""
    folder = Path(str(files("mirbench"))).resolve()
    git = ("git", "-C", str(folder))
    try:
        top = subprocess.run([*git, "rev-parse", "--show-toplevel", "HEAD"], capture_output=True, text=True, timeout=5)
        root, _, commit = top.stdout.strip().partition("\n")
        if top.returncode or Path(root).resolve() != folder.parent:  # installed, or in somebody else's repository
            return None
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return commit + ("+changes" if status.stdout.strip() else "")


@functools.cache
def processor() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def tune_allocator() -> None:
    """Keep small freed memory in the process, and hand large blocks back to the system at once; on glibc alone.

    Handing all of it back and forth can take half of a small network's step; keeping all of it nearly doubles the peak
    of a large one, whose blocks of many sizes fit into no gap that another left. Whoever sets glibc's own variables
    (``MALLOC_…``, ``GLIBC_TUNABLES``) is left alone.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    import ctypes

    libc = ctypes.CDLL(None)
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3  # names of <malloc.h>
    libc.mallopt(m_mmap_threshold, LARGE_BLOCK)
    libc.mallopt(m_trim_threshold, 2**31 - 1)
    libc.mallopt(m_top_pad, 64 * 2**20)


def give_back_memory() -> None:
    """Let go of what nothing uses any more, as the network of an entry that is done, and hand it to the system.

    What holds itself, as modules and their hooks do, is looked for where a GPU is used, and where `WORTH_A_LOOK` came
    to stay since that was done: to go through all that torch and its kin are made of takes as long as a small run.
    """
    torch = sys.modules.get("torch")
    gpu = torch.cuda if torch is not None and torch.cuda.is_initialized() else None
    _trim()
    if gpu or _resident() > _kept[0] + WORTH_A_LOOK:
        gc.collect()
        _trim()
        _kept[0] = _resident()
    if gpu:
        gpu.empty_cache()


def _trim() -> None:
    """Hand to the system what the allocator keeps; on glibc alone."""
    if platform.libc_ver()[0] == "glibc":
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)


def _resident() -> float:
    """Bytes of the process in memory; infinite where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return math.inf
