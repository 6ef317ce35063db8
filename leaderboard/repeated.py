"""Which rows this user repeated: their runs, each of them, are noted by ``mirbench verify --rerun``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mirbench.leaderboard.table import Board
from mirbench.trust.repeated import is_repeated, notes

__all__ = ["with_repeated"]


def with_repeated(boards: Sequence[Board], left_out: list[str] | None = None) -> list[Board]:
    """The same tables, their rows marked as repeated where every run that counts is noted as it lies there.

    Parameters
    ----------
    left_out : list of str, optional
        Takes a line for each note that cannot be read; without it the first of them raises.
    """
    known = notes()
    if not known:
        return list(boards)
    found = []
    for board in boards:
        rows = []
        for row in board.rows:
            runs = row.system.runs
            done = all(run.record.spec.key in known for run in runs)  # before any file is hashed
            done = done and all(is_repeated(run.folder, run.record.spec.key, known, left_out) for run in runs)
            rows.append(replace(row, repeated=done))
        found.append(replace(board, rows=tuple(rows)))
    return found
