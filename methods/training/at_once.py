"""How many windows a network is asked about at once, by the memory that they take; scores differ by rounding alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mirbench import Context
from mirbench.methods.training.batch import Inputs

__all__ = ["MOST_WINDOWS", "windows_at_once"]

MOST_WINDOWS = 64
_ROOM = {"cuda": 4 * 2**30}
"""Bytes for what a network makes of a batch on a device; elsewhere so many:"""
_ELSEWHERE = 2**29
_ALIVE = 4  # of the largest tensor: what goes into a layer, what comes out, what a shortcut holds, and room to work

_KNOWN = "_largest_of_a_window"


@torch.no_grad()
def windows_at_once(module: nn.Module, seen: Inputs, context: Context) -> int:
    """So many windows that what the module, in eval mode, makes of them fits; 64 at most, and one at least.

    The largest output of a layer is measured on one window, once for a module and a shape of its inputs.
    """
    if len(seen.clip_index) <= 1:
        return 1
    shapes = tuple(array.shape[1:] for array in seen.arrays)
    known: dict[Any, int] = module.__dict__.setdefault(_KNOWN, {})
    if shapes not in known:
        known[shapes] = _largest(module, seen, context)
    room = _ROOM.get(context.device.type, _ELSEWHERE)
    return max(1, min(MOST_WINDOWS, room // (_ALIVE * known[shapes])))


def _largest(module: nn.Module, seen: Inputs, context: Context) -> int:
    """Bytes of the largest tensor that goes into a module or comes out of a part of it, of one window."""
    inputs = seen.take(slice(0, 1), context)
    found = [1, *(x.nbytes for x in inputs)]

    def look(part: nn.Module, args: object, output: object) -> None:
        if isinstance(output, Tensor):
            found.append(output.nbytes)

    hooks = [part.register_forward_hook(look) for part in module.modules()]
    try:
        with context.autocast():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return max(found)
