"""What lies in a folder of records that is sent in, and is no part of a record."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.runs.record_file import read_record
from mirbench.runs.run_folders import clip_list_name

__all__ = ["strange_files"]

_FILES = {
    "record.json": 2**22, "scores.npz": 2**26, "model.safetensors": 100 * 2**20, "deform.json": 2**22,
}  # fmt: skip
"""What the folder of a record may hold, and the most bytes of each."""

_BESIDE = {"README.md": 2**20, "leaderboard.md": 2**22, "leaderboard.html": 2**25, ".gitkeep": 2**10}
_CLIP_LIST = 2**24  # bytes


def strange_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Whatever lies below a folder of records and should not, and why."""
    above = next(
        (3 - n for n in range(3) if any(root.glob("*/" * n + "record.json"))), 0
    )  # of one record, a method, a task
    unreadable: list[OSError] = []
    for place, folders, names in os.walk(root, onerror=unreadable.append):
        depth = above + len(Path(place).relative_to(root).parts)
        for name in sorted(folders):
            path = Path(place) / name
            if path.is_symlink():
                yield path, "is a link"
            elif name.startswith(".") or depth > 2:
                yield path, "is a folder where a submission has none"
                folders.remove(name)
        if depth == 3 and "record.json" not in names:
            yield Path(place), "has no record.json"
        allowed = {0: _BESIDE, 1: _clip_lists(Path(place), names), 3: _FILES}.get(depth, {})
        for name in sorted(names):
            if fault := _strange_file(Path(place) / name, allowed):
                yield Path(place) / name, fault
    for error in unreadable:
        yield Path(error.filename or root), f"is not to be read ({error.strerror})"


def _clip_lists(folder: Path, names: list[str]) -> dict[str, int]:
    """Names of the lists of clips that belong to the records of a task, which are named by its version."""
    if not any(name.startswith("clips-") for name in names):
        return {}
    found = {}
    for path in folder.glob("*/*/record.json"):
        try:
            found[clip_list_name(read_record(path).spec.task_version)] = _CLIP_LIST
        except BadInput:  # said of the record itself
            continue
    return found


def _strange_file(path: Path, allowed: dict[str, int]) -> str:
    facts = path.lstat()
    if not stat.S_ISREG(facts.st_mode):
        return "is a link or no plain file"
    if path.name not in allowed:
        return "is no file of a record"
    if facts.st_size > allowed[path.name]:
        return f"is larger than {allowed[path.name] / 2**20:g} MB"
    return "is executable" if facts.st_mode & 0o111 else ""
