"""The table of some runs as a frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirbench.api.left_out import said
from mirbench.errors import BadInput
from mirbench.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["board_frame"]


def board_frame(records: Iterable[tuple[Path, RunRecord]], task: str | None, reference: bool) -> pd.DataFrame:
    """The table of a task, its columns those of ``mirbench leaderboard --format csv``; see `mirbench.api.runs.Runs`."""
    import pandas as pd

    from mirbench.leaderboard.columns import every_column
    from mirbench.leaderboard.packs import every_pack
    from mirbench.leaderboard.render import of_tasks
    from mirbench.leaderboard.repeated import with_repeated
    from mirbench.leaderboard.results import questions_of
    from mirbench.leaderboard.table import boards_of

    left_out: list[str] = []
    every = boards_of(questions_of(records), left_out, every_pack() if reference else ())
    found = with_repeated(of_tasks(every, [] if task is None else [task]), left_out)
    if left_out:
        warnings.warn(said(left_out), stacklevel=3)
    if len(found) != 1:
        titles = ", ".join(board.title for board in found)
        raise BadInput(
            f"these runs make {len(found)} tables ({titles}); name one task or title" if found else "no runs"
        )
    (board,) = found
    columns = every_column(board, board.metrics)
    lines = [{k: v for column in columns for k, v in column.raw(row, board).items()} for row in board.rows]
    return pd.DataFrame({name: _column([line[name] for line in lines]) for name in lines[0]} if lines else {})


def _column(values: list[Any]) -> Any:
    """Counts stay whole numbers beside cells without one; other numbers are floats."""
    import pandas as pd

    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return values
    return pd.array(values, dtype="Int64" if known and all(type(value) is int for value in known) else "float64")
