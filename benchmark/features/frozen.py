"""Whether a frozen network is still as it was loaded: its values, its modes, its hooks, its parts.

A method that trains the shared network, or leaves it in train mode, would change what every later run reads of it, and
what is kept of it on disk. Versions of tensors do not tell (`Tensor.data` goes by them), so that values are compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch

__all__ = ["difference", "looks_of"]

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def looks_of(network: torch.nn.Module) -> dict[str, object]:
    """What a network looks like, a word for each thing that could be changed; one pass over its values."""
    return dict(_looks(network))


def difference(before: dict[str, object], now: dict[str, object]) -> str:
    """The first thing that is not as it was; "" where nothing is."""
    return next((name for name in (*before, *now) if before.get(name) != now.get(name)), "")


def _looks(network: torch.nn.Module) -> Iterator[tuple[str, object]]:
    own = {type(module).__module__.partition(".")[0] for module in network.modules()}
    for name, module in network.named_modules(remove_duplicate=False):
        where = name or "the network"
        yield f"the kind of {where}", type(module)
        yield f"train mode of {where}", module.training
        hooks = [hook for kind in _HOOKS for hook in getattr(module, kind, {}).values()]
        methods = [held for key, held in vars(module).items() if callable(getattr(type(module), key, None))]
        yield f"the hooks of {where}", _foreign(hooks, own)
        yield f"the methods of {where}", _foreign(methods, own)
    named: Any = chain(network.named_parameters(remove_duplicate=False), network.named_buffers(remove_duplicate=False))
    for name, tensor in named:
        yield f"values of {name}", (tensor.shape, tensor.dtype, tensor.device, _sum(tensor))
        yield f"requires_grad of {name}", tensor.requires_grad


def _foreign(functions: list[Any], own: set[str]) -> list[str]:
    """Names of those that are not of the network's own packages, which may put some in when they are first used."""
    names = [f"{getattr(f, '__module__', '')}.{getattr(f, '__qualname__', '')}" for f in functions]
    return [name for name in names if name.partition(".")[0] not in own]


def _sum(tensor: torch.Tensor) -> int:
    held: Any = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return zlib.crc32(held)
