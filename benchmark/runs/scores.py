"""What a run predicted for every test clip, and what was true: ``scores.npz`` beside its record.

It holds ``clip_ids``, ``groups``, ``scores``, ``target_value``, ``target_known``, ``target_kind`` and
``target_hashes``, so that every metric can be computed again, and clips be resampled by group.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.types import FloatArray, Split, Targets

__all__ = ["Scores", "read_scores", "target_hashes"]


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
        targets = Targets(self.targets.value[index], self.targets.known[index], self.targets.kind)
        return Scores(self.clip_ids[index], self.scores[index], targets, self.hashes[index], self.groups[index])

    def packed(self) -> bytes:
        """As they lie in ``scores.npz``; see `read_scores`."""
        packed = io.BytesIO()
        np.savez_compressed(
            packed,
            clip_ids=self.clip_ids,
            groups=self.groups,
            scores=self.scores,
            target_value=self.targets.value,
            target_known=self.targets.known,
            target_kind=np.array(self.targets.kind),
            target_hashes=self.hashes,
        )
        return packed.getvalue()


def target_hashes(clip_ids: npt.NDArray[np.str_], targets: Targets) -> npt.NDArray[np.bytes_]:
    """Sixteen hex digits a clip over its id and its labels, to compare labels without publishing them."""
    rows = zip(clip_ids, targets.value, targets.known, strict=True)
    texts = [f"{name}|{value.astype('<f4').tobytes().hex()}|{known.tobytes().hex()}" for name, value, known in rows]
    return np.array([hashlib.sha256(text.encode()).hexdigest()[:16].encode() for text in texts], dtype="S16")


def read_scores(path: Path) -> Scores:
    """Scores from their file.

    Raises
    ------
    BadInput
        If it cannot be read, holds no scores, or holds pickles.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            kind = str(held["target_kind"])
            targets = Targets(held["target_value"], held["target_known"], kind)  # type: ignore[arg-type]
            ids = held["clip_ids"]
            groups = held["groups"] if "groups" in held else np.full(len(ids), "")  # records of mirbench 0.1.0
            return Scores(ids, held["scores"], targets, held["target_hashes"], groups)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        why = "it is damaged, or a pickle" if "pickle" in str(error) else error
        raise BadInput(f"{path}: not readable as scores ({why}); run it again, or remove its folder") from error
