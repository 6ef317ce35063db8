"""What is computed in single precision whatever the precision of a run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["in_single_precision"]


def in_single_precision(compute: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``compute(x)`` outside autocast: the power of quiet bands is 0 in half precision, and its logarithm infinite."""
    with torch.autocast(x.device.type, enabled=False):
        return compute(x.float())
