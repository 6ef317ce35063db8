"""``csv:FILE``: a table of clips and labels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mirbench.errors import BadInput, MissingData
from mirbench.features.clip_list import (
    COLUMNS,
    Folders,
    columns_not_used,
    nearest,
    read_clip_list,
    shown,
    value_names,
)
from mirbench.places import default_data_root, no_folder
from mirbench.tasks.own.libraries import take_apart
from mirbench.tasks.own.own_task import called_list, named_path, own_task
from mirbench.tasks.own.ranges import declared_ranges
from mirbench.types import Clip, Task

__all__ = ["csv_task"]


def csv_task(argument: str, data: Path | None = None) -> Task:
    """A task of a CSV file of clips; see `mirbench.features.clip_list` for its columns.

    Parameters
    ----------
    argument : str
        The file; its paths are relative to its folder, or to the data root, whichever holds them. What it calls its
        columns may stand behind it, as in ``esc50.csv?path=filename&label=category``; the columns of numbers that a
        regression task asks for, and between which values they are, as in
        ``songs.csv?value=valence,arousal&range=1:9``.
    data : Path or None
        What ``--data`` gave; None is the default root, ``MIRBENCH_DATA``.

    Raises
    ------
    MissingData
        If there is no such file.
    BadInput
        If the file is not such a table.
    """
    called: dict[str, str] = {}
    within = ""
    path = named_path(argument, "csv")
    if not path.is_file() and "?" in argument:
        asked = take_apart("csv", argument, ("path", *(name for name in COLUMNS if name != "path"), "value", "range"))
        path, called = named_path(asked.dataset, "csv"), dict(asked.options)
        within = called.pop("range", "")
        if within and "value" not in called:
            raise BadInput(f"csv:{argument}: a range of which values? name them: value=valence,arousal&range={within}")
        if "value" in called and {"label", "unknown"} & set(called):
            raise BadInput(f"csv:{argument}: label and value: clips have classes or numbers; leave one of the two out")
    if not path.is_file():
        needed = called.get("value", "label")
        raise MissingData(f"csv:{argument}: no such file; a table with the columns path,{needed} is needed")
    bases, root, folders = [path.parent], path.parent, Folders()
    clips, folds = read_clip_list(path, *bases, called=called, folders=folders)
    absent = _absent(clips, folders)
    there = (data or default_data_root()).resolve()
    if absent and data is not None and not there.is_dir():
        raise MissingData(
            f"--data {data}: {no_folder(data)}; {len(absent)} of {len(clips)} files of {path.name}, as "
            f"{shown(str(absent[0].path))}, are not beside it"
        )
    if absent and there.is_dir():
        n_beside = len(clips) - len(absent)
        known = read_clip_list(path, *bases, there, called=called, folders=folders)
        still = _absent(known[0], folders)
        if data is not None or len(still) < len(absent):  # else the default root is that of other data sets
            bases.append(there)
            (clips, folds), absent = known, still
            # where some lie beside the list and some in `data`, the list beside the records must name both
            root = Path(os.path.commonpath(bases)) if n_beside else bases[-1]
    told = len(clips)
    if "value" in called:
        clips = [clip for clip in clips if clip.values]
    ranges = declared_ranges(within, called.get("value", ""), clips)
    task = own_task(f"csv:{called_list(str(path))}", f"the list {path.name}", root, clips, folds, ranges)
    beware = [*_not_used(columns_not_used(path, called), called), *_elsewhere(absent, told, bases)]
    if len(clips) < told:
        beware.append(f"{told - len(clips)} of {told} clips have no value, and are left out")
    return replace(task, cautions=(*task.cautions, *beware))


def _not_used(columns: Sequence[str], called: Mapping[str, str]) -> list[str]:
    if not columns:
        return []
    named = ", ".join(map(shown, columns[:6])) + (f" … ({len(columns)} in all)" if len(columns) > 6 else "")
    known = [name for name in COLUMNS if not ("value" in called and name in ("label", "unknown"))]
    return [f"columns that say nothing here: {named}; those that do are {', '.join([*known, *value_names(called)])}"]


def _absent(clips: Sequence[Clip], folders: Folders) -> list[Clip]:
    return [clip for clip in clips if clip.path is not None and not folders.holds(clip.path)]


def _elsewhere(absent: Sequence[Clip], n_clips: int, bases: Sequence[Path]) -> list[str]:
    """A line where files are not there as they are listed, and one is under another name."""
    for clip in absent[:3]:
        listed = str(clip.path).removeprefix(f"{bases[-1]}/")
        if there := nearest(listed, bases):
            return [
                f"{len(absent)} of {n_clips} files are not there, as {shown(listed)}, but {shown(there)} is; "
                "write paths as they are, with /, relative to the list or to --data"
            ]
    return []
