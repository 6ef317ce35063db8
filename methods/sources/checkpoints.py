"""Published checkpoints of plain tensors: read without running code, and fitted key by key."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mirbench.errors import BadInput

__all__ = ["load_checkpoint", "read_tensors"]

Network = TypeVar("Network", bound=nn.Module)
Renaming = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def load_checkpoint(
    network: Network, path: Path, what: str, renamed: Renaming = dict, allowed: Sequence[Any] = ()
) -> Network:
    """Fill a network from a file of `read_tensors`, every key of both must fit, and put it into eval mode.

    Parameters
    ----------
    what : str
        What the file must be the weights of, for the message.
    renamed : callable
        Published keys and layouts to the network's own.
    allowed : sequence
        Classes that the file may hold besides tensors, as for `torch.serialization.safe_globals`.

    Raises
    ------
    BadInput
        If the file is not readable as plain tensors, or does not fit.
    """
    try:
        with torch.serialization.safe_globals(list(allowed)):
            state = read_tensors(path)
        network.load_state_dict(renamed(state), strict=True)
    except (
        RuntimeError,
        EOFError,
        OSError,
        AttributeError,
        TypeError,
        LookupError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        raise BadInput(f"{path}: not the weights of {what} ({_first(error)})") from error
    _flush_subnormal(network)
    return network.eval()


@torch.no_grad()
def _flush_subnormal(network: nn.Module) -> None:
    """Make zeros of values below 1.2e-38: filters that died in training hold many, and cost a processor 30 times more.

    What a network computes moves by as little (measured on `musicnn-jamendo`: by 5e-39).
    """
    for value in (*network.parameters(), *network.buffers()):
        if value.dtype.is_floating_point:
            value[value.abs() < torch.finfo(value.dtype).tiny] = 0


def read_tensors(path: Path) -> Any:
    """What a file of ``torch.save`` holds, or its copy in safetensors, as exported folders have it; runs no code."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
