"""Where records lie below the folder of all, ``<task>/<method>[+<source>]/<key>/record.json``, and their names."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.names import is_device

__all__ = ["clip_list_name", "file_name", "is_there", "records_below", "runs_in"]

_MOST_BYTES = 255  # of a file's name


def records_below(root: Path, refuse: Callable[[BadInput], None]) -> Iterator[Path]:
    """Files of records below the folder of all, in the order of their names; hidden folders hold none.

    Parameters
    ----------
    refuse : callable
        Takes an error for each folder that cannot be read.
    """
    return (path for path in _below(root, 3, refuse) if _is_of_a_run(path))


def _below(folder: Path, depth: int, refuse: Callable[[BadInput], None]) -> Iterator[Path]:
    """Where a record may lie at some depth below a folder."""
    if depth == 0:
        yield folder / "record.json"
        return
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        names = sorted(entry.name for entry in entries if _is_folder(entry))
    except FileNotFoundError:
        return
    except OSError as error:
        refuse(BadInput(f"{folder}: not to be read ({error.strerror})"))
        return
    for name in names:
        yield from _below(folder / name, depth - 1, refuse)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_there(path: Path) -> bool:
    """Whether a file of a run's folder is there: what is called so, be it a link that leads nowhere, or is hidden."""
    try:
        return os.path.lexists(path) or (path.parent.is_dir() and not os.access(path.parent, os.X_OK))
    except (OSError, ValueError):
        return True


def runs_in(folder: Path) -> list[Path]:
    """The records of a folder that is one of a run, or of the runs of a method and source, whether they can be read."""
    own = folder / "record.json"
    if is_there(own):
        return [own]
    return [path for path in _below(folder, 1, lambda _: None) if _is_of_a_run(path)]


def _is_of_a_run(path: Path) -> bool:
    """Whether a record is there, or was once: scores without one are no empty folder."""
    return is_there(path) or os.path.lexists(path.with_name("scores.npz"))


def clip_list_name(task_version: str) -> str:
    """What the list of a task's clips beside its runs is called."""
    return f"clips-{file_name(task_version)}.csv"


def file_name(name: str) -> str:
    """A name as one part of a path, on any system; never a way out of the folder that it is in."""
    part = re.sub(r"[^\w.+-]", "_", name) or "_"
    if part[0] == "." or is_device(part):
        part = f"_{part}"
    if len(part.encode()) > _MOST_BYTES:
        digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        part = f"{part.encode()[:200].decode('utf-8', 'ignore')}-{digits}"
    return part
