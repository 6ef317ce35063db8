"""``csv:FILE``: a table of clips and labels."""

from __future__ import annotations

from pathlib import Path

from mirbench.errors import MissingData
from mirbench.features.clip_list import read_clip_list
from mirbench.tasks.own.own_task import named_path, own_task
from mirbench.types import Task

__all__ = ["csv_task"]


def csv_task(argument: str, data: Path | None = None) -> Task:
    """A task of a CSV file of clips; see `mirbench.features.clip_list` for its columns.

    Parameters
    ----------
    argument : str
        The file; its paths are relative to its folder, or to `data`, whichever holds them.
    data : Path or None
        What ``--data`` gave.

    Raises
    ------
    MissingData
        If there is no such file.
    BadInput
        If the file is not such a table.
    """
    path = named_path(argument, "csv")
    if not path.is_file():
        raise MissingData(f"csv:{argument}: no such file; a table with the columns path,label is needed")
    base = path.parent
    clips, folds = read_clip_list(path)
    if data is not None and any(clip.path and not clip.path.exists() for clip in clips[:1]):
        base = data.resolve()
        clips, folds = read_clip_list(path, base)
    return own_task(f"csv:{path.stem}", f"the list {path.name}", base, clips, folds)
