"""What a network learns from in one step: windows as tensors, their targets, and how an epoch is cut into batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirbench import Context, Windows
from mirbench.types import IntArray, Targets

__all__ = ["Batch", "Draw", "Inputs", "batches", "in_batches"]


@dataclass(frozen=True)
class Batch:
    """A step's worth of items.

    Parameters
    ----------
    inputs : tuple of Tensor, each (n, …)
        What the module takes.
    target : Tensor, shape (n, n_classes)
    known : Tensor of bool, shape (n, n_classes)
        Entries that count in the loss.
    pieces : int
        Consecutive inputs that make one item: their logits are averaged before the loss.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    known: Tensor
    pieces: int = 1

    def parts(self, count: int) -> Iterator[tuple[Batch, float]]:
        """The batch in so many parts, of two items at least, each with its share of the entries that count."""
        if count == 1:
            yield self, 1.0
            return
        total = self.known.sum().clamp(min=1)
        n_items = len(self.target)
        edges = np.linspace(0, n_items, max(1, min(count, n_items // 2)) + 1).astype(int)  # batch norm needs two
        for first, last in itertools.pairwise(edges):
            rows, pieces = slice(first, last), slice(first * self.pieces, last * self.pieces)
            part = Batch(tuple(x[pieces] for x in self.inputs), self.target[rows], self.known[rows], self.pieces)
            yield part, float(part.known.sum() / total)


Draw = Callable[[np.random.Generator], Iterable[Batch]]
"""``draw(generator)`` -> the batches of one epoch."""


@dataclass(frozen=True)
class Inputs:
    """What a module is fed for a split.

    Parameters
    ----------
    arrays : tuple of array-like, each (n_windows, …)
        Lazy rows or arrays, one an argument of the module.
    clip_index : ndarray of int, shape (n_windows,)
        The clip of each window.
    n_clips : int
        Number of clips.
    """

    arrays: tuple[Any, ...]
    clip_index: IntArray
    n_clips: int

    @classmethod
    def of(cls, *windows: Windows) -> Inputs:
        """The same windows of some stages, an argument of the module each."""
        first = windows[0]
        return cls(tuple(stage.values for stage in windows), first.clip_index, first.n_clips)

    def take(self, index: Any, context: Context) -> tuple[Tensor, ...]:
        """Some windows as float32 tensors on the device."""
        return tuple(
            torch.from_numpy(np.ascontiguousarray(array[index])).to(context.device, torch.float32)
            for array in self.arrays
        )


def in_batches(order: IntArray, batch_size: int) -> list[IntArray]:
    """So many at a time; a last one alone joins the batch before it, for batch norm cannot learn from one item."""
    starts = list(range(0, len(order), batch_size))
    if len(order) - starts[-1] == 1 and batch_size > 1 and len(starts) > 1:
        del starts[-1]
    return np.split(order, starts[1:])


def batches(seen: Inputs, targets: Targets, order: IntArray, batch_size: int, context: Context) -> Iterator[Batch]:
    """Windows in this order, so many at a time."""
    value, known = torch.from_numpy(targets.value), torch.from_numpy(targets.known)
    for rows in in_batches(order, batch_size):
        clips = torch.from_numpy(seen.clip_index[rows])
        yield Batch(seen.take(rows, context), value[clips].to(context.device), known[clips].to(context.device))
