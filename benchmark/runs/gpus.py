"""The GPUs of this machine, and which of them nobody uses, as ``nvidia-smi`` tells: torch is not asked.

Whoever asks torch has begun to use a GPU, and keeps some of its memory until the process ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Gpu", "free_first", "visible_gpus"]

_PATIENCE = 20.0  # seconds; a driver that hangs hangs for ever
_IDLE_MEMORY = 0.05  # of a GPU's memory, which its driver and a screen may hold


@dataclass(frozen=True)
class Gpu:
    """A GPU, by the name that ``CUDA_VISIBLE_DEVICES`` takes whatever the order is."""

    uuid: str
    index: int
    free: bool


def visible_gpus(environment: Mapping[str, str] | None = None) -> list[Gpu]:
    """The GPUs that a process may use, in its order; none where there is no ``nvidia-smi``, or where it fails.

    Parameters
    ----------
    environment : mapping of str to str or None
        Whose ``CUDA_VISIBLE_DEVICES`` holds; None is that of this process.
    """
    found = _asked()
    chosen = (os.environ if environment is None else environment).get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return found
    visible = []
    for word in map(str.strip, chosen.split(",")):
        gpu = next((gpu for gpu in found if word == str(gpu.index) or (word and gpu.uuid.startswith(word))), None)
        if gpu is None:  # as CUDA does: nothing behind a name that is none
            break
        visible.append(gpu)
    return visible


def free_first(gpus: list[Gpu]) -> list[Gpu]:
    """Those that nobody uses; all, where there are none."""
    return [gpu for gpu in gpus if gpu.free] or gpus


def _asked() -> list[Gpu]:
    rows = _query("--query-gpu=index,uuid,memory.used,memory.total")
    if not rows:
        return []
    busy = {row[0] for row in _query("--query-compute-apps=gpu_uuid,pid")}
    gpus = []
    for row in rows:
        if len(row) != 4 or not row[0].isdecimal() or not row[1]:
            continue
        used, total = (float(cell) if cell.isdecimal() else 0.0 for cell in row[2:])  # of some it is not to be had
        gpus.append(Gpu(row[1], int(row[0]), row[1] not in busy and used <= _IDLE_MEMORY * total))
    return gpus


def _query(what: str) -> list[list[str]]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, what, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    if answer.returncode:
        return []
    return [[cell.strip() for cell in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
