"""Where a task's audio is: data roots, data sets' own folders, and tasks that are synthesised on the spot."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.errors import BadInput, MissingData
from mirbench.features.cache import unwritable
from mirbench.features.claims import claimed
from mirbench.features.temporary import replace_folder, sweep, temporary
from mirbench.places import default_data_root, no_folder
from mirbench.progress import Progress
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

if TYPE_CHECKING:
    from mirbench.features.audio import Facts

__all__ = ["dataset_folder", "facts_of", "on_disk", "read_labels", "read_task"]

_FULL = 2**20  # bytes that are free where a disk is as good as full


def dataset_folder(task: Task, root: Path | None, cache: Path, progress: Progress) -> Path:
    """Folder of a task's data set; what the task cautions against is said.

    Parameters
    ----------
    root : Path or None
        A folder with one folder a data set, or the data set's own; None is the default root. A task whose folder is an
        absolute path needs none.

    Raises
    ------
    MissingData
        If the root does not exist.
    """
    for line in task.cautions:
        progress.warn(f"Beware: {task.name}: {line}")
    if task.synthesise is not None:
        return _synthesised(task, cache, progress)
    if Path(task.folder).is_absolute():
        return Path(task.folder)
    given = root
    root = root or default_data_root()
    if not root.is_dir():
        flag = "--data" if given else "the default data root"
        # of modifiers, which need no data of their own, nothing is said, so that many runs lack one thing
        name = task.name if "+on:" in task.name else task.name.partition("+")[0]
        fetched = f"`mirbench data get {name} --data ROOT` fetches {name}, " if task.archives else ""
        raise MissingData(
            f"{flag} {root}: {no_folder(root)}; {fetched}`mirbench show {name}` says what it must look like"
        )
    sweep(root)
    own = root / task.folder
    return own if own.is_dir() else root


def on_disk(task: Task, root: Path | None) -> bool:
    """Whether anything is in the folder of a task's data set; nothing in it is looked at."""
    folder = (root or default_data_root()) / task.folder
    return folder.is_dir() and any(folder.iterdir())


def read_task(task: Task, folder: Path | None) -> tuple[tuple[Clip, ...], ...]:
    """Clips of every fold of a task; from frozen lists alone, without audio, where `folder` is None.

    Raises
    ------
    MissingData
        If files are absent.
    """
    return tuple(tuple(task.read_clips(folder, fold)) for fold in range(task.n_folds))


def read_labels(
    task: Task, root: Path | None, cache: Path, progress: Progress
) -> tuple[tuple[tuple[Clip, ...], ...], Path | None]:
    """Clips of every fold, for runs that hear no audio: with the data set where it is there, else from frozen lists.

    Returns
    -------
    folds, folder
        The clips, and the data set's folder or None.

    Raises
    ------
    MissingData
        If the data set is absent and its labels are in no frozen list.
    """
    try:
        folder = dataset_folder(task, root, cache, progress)
        return read_task(task, folder), folder
    except MissingData as first:
        try:
            return read_task(task, None), None
        except MissingData:
            raise first from None


def _synthesised(task: Task, cache: Path, progress: Progress) -> Path:
    folder = cache / "synthesised" / f"{task.folder}-{task.version}"
    if folder.is_dir():
        return folder
    assert task.synthesise is not None
    if why := unwritable(cache):
        raise BadInput(f"{cache}: {task.name} cannot be synthesised there ({why}); point MIRBENCH_CACHE elsewhere")
    what = f"synthesising {task.name}"
    with claimed(folder, what, progress):
        if folder.is_dir():
            return folder  # another process made it meanwhile
        progress.say(f"{task.name}: synthesising {task.n_clips} clips of {task.clip_seconds:g} s")
        with temporary(folder.parent) as work, progress.bar(what, task.n_clips, "clips") as step:
            try:
                task.synthesise(work, step)
            except RuntimeError as error:  # what libsndfile says of a full disk names none
                if shutil.disk_usage(work).free > _FULL:
                    raise
                raise BadInput(f"{cache}: no space is left; free some, or point MIRBENCH_CACHE elsewhere") from error
            replace_folder(work, folder)
    return folder


def facts_of(card: Task, folds: Sequence[Sequence[Clip]], cache: Path, progress: Progress) -> dict[Excerpt, Facts]:
    """What looking at a task's audio tells; nothing where there is none, or pictures in its place."""
    from mirbench.features.audio import survey

    if card.medium == "picture" or any(clip.path is None for clips in folds for clip in clips):
        return {}
    return survey([p for clips in folds for p in excerpts(Split(card, tuple(clips)))], cache / "files.sqlite", progress)
