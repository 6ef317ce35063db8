"""What a run predicted for every test clip, and what was true: ``scores.npz`` beside its record.

It holds ``clip_ids``, ``groups``, ``scores``, ``target_value``, ``target_known``, ``target_kind`` and
``target_hashes``, of a regression task ``target_ranges`` too, so that every metric can be computed again, and clips be
resampled by group.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.metrics import METRICS, evaluate
from mirbench.plain_text import printable
from mirbench.runs.scores_archive import REMEDY, once_for_shared, read_arrays
from mirbench.types import FloatArray, Range, Split, Targets, TaskKind

__all__ = ["Scores", "how_over_folds", "over_folds", "read_scores", "target_hashes", "that_count"]


@dataclass(frozen=True)
class Scores:
    """What was predicted for every test clip, and what was true.

    Parameters
    ----------
    clip_ids : ndarray of str, shape (n_clips,)
    scores : ndarray of float32, shape (n_clips, n_classes)
    targets : Targets
    hashes : ndarray of bytes, shape (n_clips,)
        See `target_hashes`.
    groups : ndarray of str, shape (n_clips,)
        What else a clip belongs together with (an artist, an album); "" where unknown.
    """

    clip_ids: npt.NDArray[np.str_]
    scores: FloatArray
    targets: Targets
    hashes: npt.NDArray[np.bytes_]
    groups: npt.NDArray[np.str_]

    @classmethod
    def of(cls, split: Split, scores: FloatArray) -> Scores:
        """Scores of a split whose labels are known."""
        ids = np.array([clip.id for clip in split.clips], dtype=np.str_)
        groups = np.array([clip.group for clip in split.clips], dtype=np.str_)
        targets = split.targets()
        return cls(ids, scores.astype(np.float32), targets, target_hashes(ids, targets), groups)

    def take(self, index: npt.NDArray[np.int64]) -> Scores:
        """Those of some clips, in this order."""
        targets = self.targets.take(index)
        return Scores(self.clip_ids[index], self.scores[index], targets, self.hashes[index], self.groups[index])

    @classmethod
    def joined(cls, parts: Sequence[Scores]) -> Scores:
        """Those of several test sets, one after another."""
        targets = Targets.joined([part.targets for part in parts])
        return cls(
            np.concatenate([part.clip_ids for part in parts]),
            np.concatenate([part.scores for part in parts]),
            targets,
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.groups for part in parts]),
        )

    def packed(self, *, compress: bool = True) -> bytes:
        """As they lie in ``scores.npz``; see `read_scores`."""
        packed = io.BytesIO()
        save = np.savez_compressed if compress else np.savez
        ranges: dict[str, Any] = {}
        if self.targets.ranges:
            ranges["target_ranges"] = np.array(self.targets.ranges, dtype=np.float64)
        save(
            packed,
            clip_ids=self.clip_ids,
            groups=self.groups,
            scores=self.scores,
            target_value=self.targets.value,
            target_known=self.targets.known,
            target_kind=np.array(self.targets.kind),
            target_hashes=self.hashes,
            **ranges,
        )
        return packed.getvalue()


def over_folds(
    name: str, values: Sequence[float | None], pooled: Callable[[], tuple[FloatArray, Targets]]
) -> float | None:
    """A metric of one seed over its folds, as every table has it: of the predictions pooled, or averaged.

    Parameters
    ----------
    name : str
        Of a metric that is one number; its card says which of the two.
    values : sequence of float or None
        Of each fold; None where it is undefined.
    pooled : callable
        Gives the scores and targets of all folds, if they are needed.
    """
    if len(values) == 1 or METRICS[name].over_folds == "average":
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None
    value: float | None = evaluate((name,), *pooled())[name]
    return value


def how_over_folds(name: str, n_folds: int) -> str:
    """In words what `over_folds` does to a metric, the same in every table and every line: "" of one fold.

    >>> how_over_folds("accuracy", 10), how_over_folds("roc-auc", 10), how_over_folds("roc-auc", 1)
    ('pooled over 10 folds', 'mean of 10 folds', '')
    """
    if n_folds == 1:
        return ""
    return f"{'mean of' if METRICS[name].over_folds == 'average' else 'pooled over'} {n_folds} folds"


def that_count(held: Mapping[int, Collection[int]], n_folds: int) -> tuple[frozenset[int], list[int]]:
    """Of the folds that each seed of a system has, those that count, and the seeds that have all of them.

    Every fold of the task, where some seed has them; else what most seeds have; of equals the larger, then the first.
    """
    count = Counter(frozenset(folds) for folds in held.values())
    folds = max(count, key=lambda own: (len(own) == n_folds, count[own], len(own), [-fold for fold in sorted(own)]))
    return folds, sorted(seed for seed, own in held.items() if frozenset(own) >= folds)


def target_hashes(clip_ids: npt.NDArray[np.str_], targets: Targets) -> npt.NDArray[np.bytes_]:
    """Sixteen hex digits a clip over its id and its labels, to compare labels without publishing them."""
    return _target_hashes(clip_ids, targets.value, targets.known)


@once_for_shared
def _target_hashes(
    clip_ids: npt.NDArray[np.str_], value: FloatArray, known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bytes_]:
    n_classes = value.shape[1]
    values, judged = value.astype("<f4").tobytes().hex(), known.tobytes().hex()
    rows = zip(clip_ids.tolist(), _parted(values, 8 * n_classes), _parted(judged, 2 * n_classes), strict=True)
    hashes = [hashlib.sha256("|".join(row).encode()).hexdigest()[:16] for row in rows]
    return np.array(hashes, dtype="S16")


def _parted(text: str, length: int) -> list[str]:
    return [text[first : first + length] for first in range(0, len(text), length)]


def read_scores(path: Path) -> Scores:
    """Scores from their file.

    Raises
    ------
    BadInput
        If it cannot be read, holds no scores, or holds pickles.
    """
    held = read_arrays(path)
    try:
        kind, ids = str(held["target_kind"]), held["clip_ids"]
        groups = held["groups"] if "groups" in held else np.full(len(ids), "")  # records of mirbench 0.1.0
        value = held["target_value"]
        targets = Targets(value, held["target_known"], _kind(kind), _ranges(held, kind, value.shape[1]))
        return Scores(ids, held["scores"], targets, held["target_hashes"], groups)
    except KeyError as error:
        raise BadInput(f"{path}: not readable as scores (holds no {error}); {REMEDY}") from error
    except ValueError as error:
        raise BadInput(f"{path}: not readable as scores ({error}); {REMEDY}") from error


def _kind(text: str) -> TaskKind:
    if text not in get_args(TaskKind):
        raise ValueError(f"the task is {printable(text, 40)!r}, not one of {', '.join(get_args(TaskKind))}")
    return text  # type: ignore[return-value]


def _ranges(held: Mapping[str, npt.NDArray[Any]], kind: str, n_targets: int) -> tuple[Range, ...]:
    """The ranges of a regression task's targets; () of another."""
    if kind != "regression":
        if "target_ranges" in held:
            raise ValueError(f"it has ranges, and the task is {kind}")
        return ()
    ranges = held["target_ranges"]
    if ranges.shape != (n_targets, 2) or not np.isfinite(ranges).all() or not (ranges[:, 0] < ranges[:, 1]).all():
        raise ValueError(f"its ranges are not {n_targets} pairs of a lowest and a highest value")
    return tuple((float(low), float(high)) for low, high in ranges)
