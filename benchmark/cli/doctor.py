"""The command that looks at the installation: doctor."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mirbench import __version__
from mirbench.cli.libraries import Library, python, survey
from mirbench.cli.options import DataRoot, RunsFolder, WeightsFolder
from mirbench.errors import BadInput
from mirbench.installation import advice
from mirbench.places import default_cache, default_data_root, weights_folder
from mirbench.plain_text import say
from mirbench.progress import Progress
from mirbench.runs.measure import processor

if TYPE_CHECKING:
    from mirbench.registry import Catalogue

_VARIABLES = (
    "MIRBENCH_DATA", "MIRBENCH_WEIGHTS", "MIRBENCH_CACHE", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES", "PYTHONPATH",
)  # fmt: skip

_SPARED = ("timm", "h5py", "pillow", "tabulate")
"""Libraries without which the main job runs: other sources and tables need them."""

_MAIN_JOB_BYTES = 1_000_000_000  # that the cache and the records of a small data set take

_DEVICES = """
import json, torch
gpus = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
print(json.dumps({
    "threads": torch.get_num_threads(),
    "cuda": torch.version.cuda or "",
    "gpus": [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in gpus],
    "mps": torch.backends.mps.is_available(),
}))
"""


def doctor(data: DataRoot = None, weights: WeightsFolder = None, runs: RunsFolder = Path("runs")) -> None:
    """Look at libraries, devices, folders, data and weights; exit code 1 where the main job cannot run here."""
    for line in _about():
        say(line)
    extras = survey(Progress())
    core = extras.pop("")
    broken = [library for library in core if not library.works and library.name not in _SPARED]
    faults = [*map(str, broken)]
    _section("libraries", [*map(str, core)])
    _section("extras", [_extra(name, held) for name, held in extras.items()])
    _section("devices", _devices(core))
    folders = _folders(data, weights, runs)
    _section("folders", [line for line, _ in folders])
    faults += [fault for _, fault in folders if fault]
    _section("environment", [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ] or ["nothing"])
    sound = not faults and all(library.works for library in core)
    held = _inventory(data, weights) if sound else ["not looked at, because of what is wrong above"]
    _section("data and weights", held)
    if faults:
        say("\nThe main job cannot run here:")
        for fault in faults:
            say(f"  {fault}")
        say(f"  {advice([library.name for library in broken]) if broken else 'Give other folders'}")
        raise typer.Exit(1)
    demo = " --demo" if default_data_root().exists() else ""  # with a data root, its data are asked for
    say(f"\nThe main job runs here: mirbench run --task gtzan --method ids-nmr{demo}")


def _about() -> Iterator[str]:
    where = Path(__file__).resolve().parents[1]
    yield f"mirbench {__version__} in {where}"
    yield f"Python {platform.python_version()} in {sys.prefix}, {platform.platform()}"


def _section(title: str, lines: Iterable[str]) -> None:
    from mirbench.terminal import width

    say(f"\n{title}")
    for line in lines:
        say(textwrap.fill(line, width(), initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False))


def _extra(name: str, held: Sequence[Library]) -> str:
    """An extra in one line: what it brings, or what it lacks and how to get that."""
    bad = [library for library in held if not library.works]
    if not bad:
        return f"{name}: " + ", ".join(map(str, held))
    if all(not library.version for library in bad):
        return f"{name}: lacks {', '.join(library.name for library in bad)}; pip install 'mirbench[{name}]'"
    return f"{name}: " + "; ".join(map(str, bad))


def _devices(core: Sequence[Library]) -> Iterator[str]:
    yield f"{processor()}, {os.cpu_count()} cores, {len(_usable_cores())} of them usable"
    if not any(library.name == "torch" and library.works for library in core):
        yield "torch is not there to say which GPUs it sees"
        return
    with python(_DEVICES) as process:
        said, _ = process.communicate()
    if process.returncode:
        yield f"torch cannot say which GPUs it sees (exit code {process.returncode})"
        return
    seen: Mapping[str, Any] = json.loads(said.splitlines()[-1])
    yield f"torch computes with {seen['threads']} threads (--threads)"
    for number, gpu in enumerate(seen["gpus"]):
        yield f"cuda:{number}: {gpu}, CUDA {seen['cuda']}"
    if seen["mps"]:
        yield "mps: Apple's GPU; mirbench has not been tried on it"
    if not seen["gpus"]:
        yield "no CUDA device" + (f" (torch is built for CUDA {seen['cuda']})" if seen["cuda"] else " (torch for CPUs)")


def _usable_cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _folders(data: Path | None, weights: Path | None, runs: Path) -> list[tuple[str, str]]:
    """A line for each folder, and what of it keeps the main job from running."""
    return [
        (_folder("data", data or default_data_root()), _absent("--data", data)),
        (_weights(weights), ""),
        (_folder("cache", default_cache()), _unwritable("cache", default_cache())),
        (_folder("records", runs.absolute()), _unwritable("records", runs.absolute())),
    ]


def _weights(given: Path | None) -> str:
    """The folder of weights, or what commands that look into it will say: the main job's ship with mirbench."""
    try:
        held = weights_folder(given)
    except BadInput as error:
        return f"weights: {error}"
    return _folder("weights", held) if held else "weights: none given (--weights, MIRBENCH_WEIGHTS)"


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next((folder for folder in (path, *path.parents) if folder.exists()), Path(path.anchor or "."))


def _folder(what: str, path: Path) -> str:
    free = shutil.disk_usage(_existing(path)).free
    low = ", little for rows of a large data set" if free < _MAIN_JOB_BYTES else ""
    return f"{what}: {path}{'' if path.is_dir() else ' (not there yet)'}, {free / 1e9:.1f} GB free{low}"


def _absent(flag: str, given: Path | None) -> str:
    """Why a folder that was given is refused, or ""."""
    return f"{flag} {given}: no such folder" if given is not None and not given.is_dir() else ""


def _unwritable(what: str, path: Path) -> str:
    """Why nothing can be written into a folder, or ""."""
    there = _existing(path)
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"{what}: nothing can be written into {there} ({error.strerror})"


def _inventory(data: Path | None, weights: Path | None) -> Iterator[str]:
    """Which tasks have their data here, and which sources their weights."""
    from mirbench.registry import Catalogue

    catalogue = Catalogue((), data)
    yield from _sorted_out("tasks", _tasks(catalogue, data))
    try:
        yield from _sorted_out("sources", _sources(catalogue, weights_folder(weights)))
    except BadInput as error:
        yield f"sources not looked at: {error}"


def _sorted_out(what: str, found: Mapping[str, str]) -> Iterator[str]:
    """Names by what is to be said of them."""
    said: dict[str, list[str]] = {}
    for name, line in found.items():
        said.setdefault(line, []).append(name)
    for line, names in said.items():
        yield f"{what} {line}: {', '.join(names)}"


def _tasks(catalogue: Catalogue, data: Path | None) -> dict[str, str]:
    from mirbench.features.datasets import on_disk

    found = {}
    for name in catalogue.names("task"):
        task = catalogue.task(name)
        if task.synthesise is not None:
            continue
        absent = "not here (`mirbench show TASK` says how to get it)"
        found[name] = "here" if on_disk(task, data) else absent
    found["TASK-demo"] = "here (synthesised)"
    return found


def _sources(catalogue: Catalogue, weights: Path | None) -> dict[str, str]:
    from mirbench.features.weights import on_disk

    found = {}
    for name in catalogue.names("source"):
        card = catalogue.source(name)
        if card.missing:
            found[name] = f"that cannot be used ({card.missing})"
        elif on_disk(card, weights, default_cache()):
            found[name] = "here"
        elif card.kind == "embedding" and not (card.weights or card.hub or card.file or card.packaged):
            found[name] = "in a program of their own (`mirbench show SOURCE`)"
        elif card.hub or all(file.url for file in card.weights):
            found[name] = "fetched when first used"
        else:
            found[name] = "not here, and published nowhere in this form (--weights DIR)"
    return found
