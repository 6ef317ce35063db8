"""What lies beside a record: ``scores.npz`` and ``model.safetensors``, whose hashes the record holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.runs.scores import Scores

__all__ = ["changed_files", "file_contents", "read_model"]

_HASHED = ("scores.npz", "model.safetensors")


def file_contents(scores: Scores | None, state: Mapping[str, Any] | None) -> dict[str, bytes]:
    """The files of a record but itself, by name."""
    contents = {}
    if scores is not None:
        contents["scores.npz"] = scores.packed()
    if state:
        from safetensors.numpy import save

        contents["model.safetensors"] = save({name: np.asarray(value, order="C") for name, value in state.items()})
    return contents


def changed_files(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """What of the files of a record is not as it was written; nothing is said of those that have no hash there.

    Parameters
    ----------
    files : mapping of str to str
        Of the record.
    """
    for name in _HASHED:
        path = folder / name
        if not files or (name not in files and not path.exists()):
            continue
        if name not in files:
            yield f"{name}: is beside a record that has none"
        elif not path.is_file():
            yield f"{name}: is no longer there"
        else:
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            if sha256 != files[name]:
                yield f"{name}: is damaged or another one (sha256 {sha256[:12]}…, on record {files[name][:12]}…)"


def read_model(folder: Path, files: Mapping[str, str]) -> dict[str, npt.NDArray[Any]] | None:
    """What was learnt, beside a record; None where nothing is stored.

    Parameters
    ----------
    files : mapping of str to str
        Of the record: the hash that the model must have.

    Raises
    ------
    BadInput
        If it is not the model of the record, or no model at all.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / "model.safetensors"
    if fault := next((line for line in changed_files(folder, files) if line.startswith(path.name)), ""):
        raise BadInput(f"{folder}: {fault}; remove the folder to run it again")
    if not path.is_file():
        return None
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path}: not readable as a model ({error}); remove its folder to run it again") from error
