"""A source as a service: pictures go in, what it says of its own classes comes out, and every window is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench import AnySplit
from mirbench.errors import NotApplicable
from mirbench.types import FloatArray, IntArray, Targets

if TYPE_CHECKING:
    from mirbench import Context, Windows

__all__ = ["Answers", "loss_of", "one_channel", "spread"]

_AT_ONCE = 32  # windows that the source is asked about in one pass
_LOOKED_AT = 256  # pictures whose spread is measured


class Answers:
    """The source as a service: pictures go in, probabilities of its own classes come out, and windows are counted.

    Parameters
    ----------
    own : list of list of int
        Its classes that speak for each class of the task.
    together : callable
        What makes one probability of theirs: `numpy.mean` or `numpy.max`.
    """

    def __init__(self, context: Context, own: list[list[int]], together: Callable[..., Any]) -> None:
        self._context, self._own, self._together, self.n_queries = context, own, together, 0

    def ask(self, pictures: Any, grid: FloatArray) -> FloatArray:
        """Log-odds of the classes of the task, (n_windows, n_classes), for pictures with the grid added to them."""
        added = _stretched(grid, *pictures.shape[2:])
        parts = [self._probabilities(pictures[i : i + _AT_ONCE] + added) for i in range(0, len(pictures), _AT_ONCE)]
        return np.concatenate(parts)

    def _probabilities(self, pictures: FloatArray) -> FloatArray:
        import torch

        source = self._context.source
        with torch.inference_mode(), self._context.autocast():
            logits = source.network.head(source.network.body(source.tensor(pictures)).pooled).double()
            said = (logits.sigmoid() if source.card.activation == "sigmoid" else logits.softmax(dim=1)).cpu().numpy()
        self.n_queries += len(pictures)
        columns = [self._together(said[:, own], axis=1) if own else np.zeros(len(said)) for own in self._own]
        mapped = np.stack(columns, axis=1).clip(1e-12, 1 - 1e-12)
        odds: FloatArray = np.log(mapped) - np.log1p(-mapped)
        return odds


def one_channel(context: Context, split: AnySplit, name: str) -> Windows:
    """What the body begins from.

    Raises
    ------
    NotApplicable
        If that is in colour.
    """
    found = context.source.entry(split)
    if found.values.shape[1] != 1:
        raise NotApplicable(f"{name} changes spectrograms; the clips of this task are pictures in colour")
    return found


def loss_of(odds: FloatArray, targets: Targets, clips: IntArray) -> float:
    """Cross entropy of windows of some clips for one class a clip, else binary cross entropy of what is known."""
    import torch

    from mirbench.methods.training import Batch, cross_entropy, masked_bce

    value, known = (torch.from_numpy(each[clips]) for each in (targets.value, targets.known))
    loss = cross_entropy if targets.kind == "single-label" else masked_bce
    return float(loss(torch.from_numpy(odds), Batch((), value, known)))


def spread(pictures: Any) -> float:
    """Standard deviation of the values of some pictures, evenly drawn."""
    rows = np.unique(np.linspace(0, len(pictures) - 1, _LOOKED_AT).astype(np.int64))
    return float(np.std(pictures[rows], dtype=np.float64)) or 1.0


def _stretched(grid: FloatArray, n_bands: int, n_frames: int) -> FloatArray:
    """A grid as a picture, (n_bands, n_frames): between its values it is interpolated, its edges are the picture's."""
    import torch

    values = torch.from_numpy(grid)[None, None]
    found = torch.nn.functional.interpolate(values, (n_bands, n_frames), mode="bilinear", align_corners=True)
    return found[0, 0].numpy()
