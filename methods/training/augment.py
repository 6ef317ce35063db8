"""Augmentation in training: masks of spectrograms, levels of audio, and mixtures of items with their targets.

What is drawn comes from the seed of the run; clips of valid and test are heard as they are.

References
----------
Park et al. (2019), SpecAugment: a simple data augmentation method for automatic speech recognition, Interspeech.
Zhang, Cisse, Dauphin, Lopez-Paz (2018), mixup: beyond empirical risk minimization, ICLR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torchaudio
from torch import Tensor, nn

from mirbench.methods.training.batch import Batch, Draw

__all__ = ["LEVELS_DB", "MIXUP_ALPHA", "SpecAugment", "augmented", "changed_levels", "masked", "mixed"]

LEVELS_DB = 6.0
"""Gains are drawn evenly from minus so much to so much."""

MIXUP_ALPHA = 0.2
"""Shares of mixtures are drawn from Beta(alpha, alpha), one a batch, as in the authors' code."""

_BANDS, _FRAMES = 24 / 128, 96 / 1024
"""The widest masks, as shares of a picture: on AST's those of `SpecAugment`, chen2022's."""


class SpecAugment(nn.Module):
    """A band of frequencies and a stretch of time of each picture set to zero, in training alone.

    Parameters
    ----------
    n_bands, n_frames : int
        The widest of each; 24 and 96 in chen2022's code.

    Notes
    -----
    What zero means is a matter of the picture. On raw log-mel, as in that code (``input_norm=none``), it is an energy
    of one, louder than most of what is heard; where AST's pictures are normalised (``input_norm=audioset``) it is the
    mean of AudioSet.
    """

    draws = True  # random numbers in training

    def __init__(self, n_bands: int = 24, n_frames: int = 96) -> None:
        super().__init__()
        self.frequencies = torchaudio.transforms.FrequencyMasking(n_bands, iid_masks=True)
        self.times = torchaudio.transforms.TimeMasking(n_frames, iid_masks=True)

    def forward(self, picture: Tensor) -> Tensor:
        """(n, 1, n_bands, n_frames) -> the same shape."""
        if not self.training:
            return picture
        masked: Tensor = self.times(self.frequencies(picture))
        return masked


@contextmanager
def augmented(names: Sequence[str], module: nn.Module, draw: Draw) -> Iterator[Draw]:
    """Batches of an epoch, augmented; masks act behind the front end of a module that has one, within the block.

    Parameters
    ----------
    names : sequence of str
        Of "masks", "levels" and "mixup".
    module : Module
        What is trained.
    draw : callable
        Batches as they are.
    """
    front = getattr(module, "front", None)
    steps: list[Callable[[Batch, np.random.Generator], Batch]] = []
    if "levels" in names:
        steps.append(changed_levels)
    if "masks" in names and front is None:
        steps.append(lambda batch, generator: replace(batch, inputs=tuple(map(masked, batch.inputs))))
    if "mixup" in names:
        steps.append(mixed)

    def changed(generator: np.random.Generator) -> Iterator[Batch]:
        for batch in draw(generator):
            for step in steps:
                batch = step(batch, generator)
            yield batch

    def behind(part: nn.Module, args: Any, picture: Tensor) -> Tensor | None:
        return masked(picture) if part.training else None

    hook = front.register_forward_hook(behind) if front is not None and "masks" in names else None
    try:
        yield changed
    finally:
        if hook is not None:
            hook.remove()


def masked(picture: Tensor) -> Tensor:
    """A band and a stretch of each picture (n, 1, n_bands, n_frames) at its own mean, whatever its scale is."""
    n_bands, n_frames = picture.shape[2:]
    mask = SpecAugment(max(1, round(_BANDS * n_bands)), max(1, round(_FRAMES * n_frames)))
    mean = picture.mean(dim=(1, 2, 3), keepdim=True)
    found: Tensor = mask(picture - mean) + mean
    return found


def changed_levels(batch: Batch, generator: np.random.Generator) -> Batch:
    """Audio (n, n_samples), each item at a gain of its own."""
    (audio,) = batch.inputs
    gains = 10 ** (generator.uniform(-LEVELS_DB, LEVELS_DB, len(batch.target)) / 20)
    each = torch.from_numpy(np.repeat(gains, batch.pieces)).to(audio.device, audio.dtype)
    return replace(batch, inputs=(audio * each.unsqueeze(1),))


def mixed(batch: Batch, generator: np.random.Generator) -> Batch:
    """Each item with another one of the batch; an entry of a target is known where it is of both."""
    share = float(generator.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    other = torch.from_numpy(generator.permutation(len(batch.target))).to(batch.target.device)

    def mix(values: Tensor) -> Tensor:
        return share * values + (1 - share) * values[other]

    def mix_pieces(values: Tensor) -> Tensor:
        return mix(values.unflatten(0, (-1, batch.pieces))).flatten(0, 1)

    inputs = tuple(map(mix_pieces, batch.inputs))
    return replace(batch, inputs=inputs, target=mix(batch.target), known=batch.known & batch.known[other])
