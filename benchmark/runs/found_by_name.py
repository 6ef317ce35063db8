"""Folders of runs by what people call them: METHOD+SOURCE, TASK/METHOD+SOURCE in any spelling, the key of a run."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

from mirbench.names import natural
from mirbench.record import RunRecord
from mirbench.registry import version_here
from mirbench.runs.run_folders import file_name, runs_in
from mirbench.spelling import is_key, on_record, other_spellings

__all__ = ["folders_called", "of_what_is_here"]


def folders_called(root: Path, name: str) -> list[Path]:
    """Folders of the runs of a method and source; where there are none, of the runs whose keys begin so."""
    asked = [("*", name)]
    # the name of a task may hold slashes, as a source's; tables write METHOD + SOURCE
    asked += [(name[:n], name[n + 1 :]) for n, letter in enumerate(name) if letter == "/" and n]
    asked = [(task, system.replace(" + ", "+")) for task, system in asked]
    for spelled in (False, True):  # what is called so, then what may be spelled so
        patterns = (f"{task}/{system}" for pair in asked for task, system in _patterns(*pair, spelled=spelled))
        found = {path for pattern in patterns for path in root.glob(pattern) if any(runs_in(path))}
        if found:
            return sorted(found, key=lambda path: natural(str(path)))
    return sorted(path for path in root.glob(f"*/*/{name}*") if any(runs_in(path))) if is_key(name) else []


def of_what_is_here(name: str, found: list[tuple[Path, RunRecord]]) -> list[tuple[Path, RunRecord]]:
    """Of runs of several tasks of one name, those of the list or folder that the path in a name leads to."""
    if len({record.spec.task_version for _, record in found}) < 2:
        return found
    versions = {version_here(name[:n]) for n, letter in enumerate(name) if letter == "/" and n}
    return [run for run in found if run[1].spec.task_version in versions] or found


def _patterns(task: str, system: str, *, spelled: bool) -> Iterator[tuple[str, str]]:
    """Patterns of the folder of a task, "*" for any, and of that of a method and source in it.

    Parameters
    ----------
    spelled : bool
        Of every spelling of both, in place of what they are called.
    """
    method, plus, source = system.partition("+")
    tasks, systems = [task], [system]
    if spelled:
        tasks += [] if task == "*" else [on_record("task", task), *other_spellings(on_record("task", task))]
        systems += [f"{method}+{on_record('source', source)}"] if plus else []
    for one in dict.fromkeys(tasks):
        for other in dict.fromkeys(systems):
            yield "*" if one == "*" else glob.escape(file_name(one)), glob.escape(file_name(other))
