"""Files of weights as plain tensors: what is read of a file, and a copy of it that is no pickle."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["copied"]

_PICKLED = (".pt", ".pth", ".ckpt", ".bin")


def copied(path: Path, target: Path) -> Path:
    """Copy a file of weights, or a folder of a model; pickled tensors become safetensors under the same names.

    Returns
    -------
    Path
        Where it is: `target`, or with another suffix.

    Raises
    ------
    BadInput
        If a pickled file holds more than tensors by name.
    """
    if path.is_dir():
        target.mkdir()
        whole = any(path.glob("*.safetensors"))
        for file in sorted(path.iterdir()):
            if file.suffix in (".json", ".txt", ".safetensors") and file.is_file():
                shutil.copyfile(file, target / file.name)
            elif file.suffix == ".bin" and not whole:
                _save(_tensors(file), target / "model.safetensors")
        return target
    if path.suffix not in _PICKLED:
        shutil.copyfile(path, target)
        return target
    target = target.with_suffix(".safetensors")
    _save(_tensors(path), target)
    return target


def _tensors(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        held = None
    if not isinstance(held, dict) or not all(isinstance(value, torch.Tensor) for value in held.values()):
        raise BadInput(f"{path}: holds more than tensors by name, and cannot be written as safetensors")
    return held


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.clone().contiguous() for name, value in tensors.items()}, path)
