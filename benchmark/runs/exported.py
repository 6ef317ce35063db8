"""A folder of trained models that needs neither the runs nor the data: how it is laid out, and how it is read.

``config.json`` says what it is; ``models/N/`` holds what was learnt, with the record of its run; ``weights/`` holds
those of the sources, as plain tensors. Nothing in it is code, and no file is a pickle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mirbench.errors import BadInput
from mirbench.features.memo import file_sha256
from mirbench.features.weights import Weights
from mirbench.runs.models import Leaf
from mirbench.runs.own_files import Medium
from mirbench.runs.record_file import read_record

__all__ = ["CONFIG", "FORMAT", "Exported", "is_exported", "read_exported"]

CONFIG = "config.json"
FORMAT = 1
_MOST_BYTES = 2**22
_MOST_MODELS = 10_000


@dataclass(frozen=True)
class Exported:
    """What an exported folder holds.

    Parameters
    ----------
    title, runs : str
        Task, method and source; whose mean it predicts.
    weights : Path or None
        Folder of the sources' weights; None where there are none.
    config : dict
        All that ``config.json`` says.
    """

    title: str
    runs: str
    leaves: list[Leaf]
    medium: Medium
    weights: Path | None
    config: dict[str, Any]


def is_exported(folder: Path) -> bool:
    """Whether `mirbench export model` wrote a folder, by what its configuration says first."""
    path = folder / CONFIG
    try:
        return path.is_file() and '"mirbench_model"' in path.read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:
        return False


def read_exported(folder: Path, cache: Path) -> Exported:
    """What an exported folder holds, with every hash compared but those of what was learnt, which loading compares.

    Parameters
    ----------
    cache : Path
        Root of the cache, which remembers the hashes of files.

    Raises
    ------
    BadInput
        If something of it is not as it was written.
    """
    path = folder / CONFIG
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"of more than {_MOST_BYTES // 2**20} MB")
        config = json.loads(path.read_text(encoding="utf-8"))
        if config["mirbench_model"] != FORMAT:
            raise BadInput(f"{path}: of format {config['mirbench_model']!r:.20}; this mirbench reads format {FORMAT}")
        sources = [_source(folder, entry, cache) for entry in config["sources"]]
        leaves = [_leaf(folder, entry, sources) for entry in config["models"][:_MOST_MODELS]]
        title, runs, medium = config["title"], config["runs"], config["medium"]
        if not (leaves and isinstance(title, str) and isinstance(runs, str) and medium in ("audio", "picture")):
            raise ValueError("models, title, runs or medium are none")
    except (OSError, KeyError, TypeError, IndexError, ValueError, RecursionError, AttributeError) as error:
        said = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise BadInput(f"{path}: not what `mirbench export model` writes ({said:.200}); export it again") from error
    weights = folder / "weights"
    return Exported(title, runs, leaves, medium, weights if weights.is_dir() else None, config)


def _leaf(folder: Path, entry: dict[str, Any], sources: list[Weights | None]) -> Leaf:
    place = _inside(folder, entry["folder"])
    number, weight = entry["source"], float(entry["weight"])
    if not 0 < weight <= 1:
        raise ValueError(f"a model has the weight {weight}")
    return Leaf(place, read_record(place / "record.json"), weight, None if number is None else sources[number])


def _source(folder: Path, entry: dict[str, Any], cache: Path) -> Weights | None:
    """The weights of a source; None of one that comes with mirbench."""
    if not entry["weights"]:
        return None
    for name, sha256 in entry["files"].items():
        path = _inside(folder, name)
        if file_sha256(path, cache / "files.sqlite") != sha256:
            raise ValueError(f"{name} is damaged or another one")
    places = [_inside(folder, name) for name in entry["weights"]]
    return Weights(places[0], str(entry["sha256"]), True, tuple(places[1:]))


def _inside(folder: Path, name: str) -> Path:
    """A path of the configuration, which leads nowhere else."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise ValueError(f"{name!r:.80} leads out of the folder")
    return folder / pure
