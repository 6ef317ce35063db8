"""Scores of a system on the clips of several folds and seeds, side by side, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirbench.runs.scores import Scores
from mirbench.types import BoolArray, FloatArray, Targets

__all__ = ["Heard", "stacked"]


@dataclass(frozen=True)
class Heard:
    """What a system says of some clips.

    Parameters
    ----------
    ids, groups : ndarray of str, shape (n_clips,)
    folds : ndarray of int, shape (n_clips,)
        Of the run that was asked about the clip.
    scores : ndarray of float32, shape (n_seeds, n_clips, n_classes)
    """

    ids: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.bytes_]
    targets: Targets
    scores: FloatArray

    def where(self, kept: BoolArray) -> Heard:
        """Those clips alone."""
        targets = self.targets.take(kept)
        return Heard(
            self.ids[kept], self.groups[kept], self.folds[kept], self.hashes[kept], targets, self.scores[:, kept]
        )

    @property
    def n_clips(self) -> int:
        """Different ones."""
        return len(set(self.ids.tolist()))


def stacked(runs: Mapping[tuple[int, int], Scores], folds: Sequence[int]) -> Heard:
    """Runs by (fold, seed) as one: the clips of these folds, a layer for each seed that has all of them.

    A clip that several folds ask about is a group of its own, for its answers go together.
    """
    seeds = sorted({seed for _, seed in runs if all((fold, seed) in runs for fold in folds)})
    layers = [[_in_order(runs[fold, seed]) for fold in folds] for seed in seeds]
    parts = layers[0]
    ids = np.concatenate([part.clip_ids for part in parts])
    groups = np.concatenate([part.groups for part in parts])
    if len(set(ids.tolist())) < len(ids):
        groups = np.where(groups == "", ids, groups)
    targets = Targets.joined([part.targets for part in parts])
    return Heard(
        ids,
        groups,
        np.repeat(np.asarray(folds, dtype=np.int64), [len(part.clip_ids) for part in parts]),
        np.concatenate([part.hashes for part in parts]),
        targets,
        np.stack([np.concatenate([part.scores for part in layer]) for layer in layers]),
    )


def _in_order(scores: Scores) -> Scores:
    return scores.take(np.argsort(scores.clip_ids, kind="stable"))
