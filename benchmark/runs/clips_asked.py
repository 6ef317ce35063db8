"""The clips of a task as they lie here: read and looked at, refused where they cannot be used, and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from mirbench.errors import BadInput, NotApplicable
from mirbench.features import audio, pictures
from mirbench.features.datasets import dataset_folder, read_labels, read_task
from mirbench.features.memo import file_sha256
from mirbench.method import Method
from mirbench.progress import Progress
from mirbench.runs.heard_before import refuse_heard_before
from mirbench.source import SourceCard
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

__all__ = ["Folds", "Places", "audio_sha256", "clips_asked"]

Folds = tuple[tuple[Clip, ...], ...]
"""The clips of every fold of a task."""


class Places(Protocol):
    """Where data and what is known of them lie, as a `mirbench.runs.plan.Request` says."""

    @property
    def data(self) -> Path | None:
        """Root of the data sets; None is the default."""

    @property
    def cache(self) -> Path:
        """Folder of the cache."""

    @property
    def workers(self) -> int:
        """Threads that decode audio."""


def clips_asked(
    task: Task, method: type[Method], card: SourceCard | None, places: Places, progress: Progress
) -> tuple[Folds, Path | None, dict[Excerpt, audio.Facts]]:
    """Clips of every fold, the data set's folder, and what looking at the files told, where they are needed at all.

    Raises
    ------
    BadInput
        If the clips cannot be used; every bad audio file is named.
    NotApplicable
        If the source cannot be used on them.
    """
    if card and card.shipped and card.shipped not in task.ships:
        raise NotApplicable(
            f"{task.name}: no features called {card.shipped} ship with it; it has {', '.join(task.ships) or 'none'}"
        )
    hears = card.kind != "precomputed" if card else getattr(method, "uses_audio", True)
    if not hears:
        folds, known = read_labels(task, places.data, places.cache, progress)
        _check_splits(task, folds)
        if card and any(clip.peaks or clip.first_channel for clips in folds for clip in clips):
            raise NotApplicable(
                f"{task.name}: {card.name} was computed from the audio before its level or its channels were changed"
            )
        return folds, known, {}
    if task.medium == "picture" and card and "picture" not in card.accepts:
        raise NotApplicable(f"{task.name}: its clips are pictures, and {card.name} takes audio")
    folder = dataset_folder(task, places.data, places.cache, progress)
    folds = read_task(task, folder)
    _check_splits(task, folds)
    heard = [place for clips in folds for place in excerpts(Split(task, clips))]
    look = pictures.survey if task.medium == "picture" else audio.survey
    facts = look(heard, places.cache / "files.sqlite", progress, places.workers)
    refuse_heard_before(task, folds, facts)
    if odd := audio.oddities(facts):
        more = f" (and {len(odd) - 1} more; `mirbench data check` names all)" if len(odd) > 1 else ""
        progress.warn(f"{task.name}: used as it is, and odd: {odd[0]}{more}")
    return folds, folder, facts


def _check_splits(task: Task, folds: Folds) -> None:
    for fold, clips in enumerate(folds):
        if lacking := sorted({"train", "valid", "test"} - {clip.split for clip in clips}):
            raise BadInput(f"{task.name}: no clip is in {lacking[0]} of fold {fold}; take fewer folds, or more clips")


def audio_sha256(folds: Folds, facts: Mapping[Excerpt, audio.Facts], shipped: str, memo: Path) -> str:
    """One hash over ids, labels, splits and bytes of every clip, for all folds.

    The bytes are those that the run uses: of its audio, of the features that ship with it, or none.
    """
    total = hashlib.sha256()
    clips = {clip.id: clip for clips in folds for clip in clips}.values()
    arrays = {row.path for clip in clips for row in clip.arrays if row.name == shipped}
    array_sha256 = {path: file_sha256(path, memo) for path in arrays}
    for clip in sorted(clips, key=lambda c: c.id):
        line: tuple[Any, ...] = (clip.id, clip.labels, clip.unknown, clip.start, clip.duration)
        if clip.path is not None and facts:
            line += (facts[Excerpt.of(clip)].sha256,)
        line += tuple((row.key, row.row, array_sha256[row.path]) for row in clip.arrays if row.name == shipped)
        line += (clip.strengths, clip.peaks) if clip.strengths or clip.peaks else ()
        line += ("first channel",) if clip.first_channel else ()
        line += (clip.values,) if clip.values else ()
        total.update(repr(line).encode())
    for fold, parts in enumerate(folds):
        for clip in sorted(parts, key=lambda c: c.id):
            total.update(repr((fold, clip.id, clip.split)).encode())
    return total.hexdigest()
