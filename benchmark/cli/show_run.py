"""What `mirbench show RUN` prints: one run in full, several in a line each."""

from __future__ import annotations

from pathlib import Path

__all__ = ["runs_as_text"]


def runs_as_text(runs: Path, name: str, left_out: list[str]) -> str:
    """The run that a name stands for, or each of the several; "" where no run is called so.

    Parameters
    ----------
    runs : Path
        Folder of records.
    name : str
        As `RunStore.find_every` knows it.
    left_out : list of str
        Takes a line for each record that cannot be read.
    """
    from mirbench.api.run_text import run_lines, run_text
    from mirbench.runs.store import RunStore

    found = RunStore(runs, left_out).find_every(name)
    if len(found) > 1:
        return f"{run_lines(found)}\n\n`mirbench show KEY` shows one of them in full."
    return run_text(*found[0]) if found else ""
