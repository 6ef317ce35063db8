"""What is said of columns that somebody asks for: those that a table has nothing of, and means over several units."""

from __future__ import annotations

from collections.abc import Sequence

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.columns import chosen
from mirbench.leaderboard.table import Board
from mirbench.metrics import IN_UNITS, METRICS

__all__ = ["lacking", "refuse_of_no_table", "said_of_columns"]


def refuse_of_no_table(names: Sequence[str], boards: Sequence[Board]) -> None:
    """Refuse a metric that none of some tables has, and one of a class or target of none of them.

    Raises
    ------
    UnknownName
        If no column is called so, or no class.
    BadInput
        If there is such a column, and nothing in it.
    """
    some = [board for board in boards if board.rows]
    for name in names:
        if not some or not all(lacking([name], board) for board in some):
            continue
        metric, _, part = name.partition(":")
        if part and any(metric in board.metrics for board in some):
            raise UnknownName("class or target in these tables", part, {each for b in some for each in b.classes})
        there = list(dict.fromkeys(metric for board in some for metric in board.metrics))
        what = f"{some[0].title} has" if len(some) == 1 else "these tables have"
        raise BadInput(f"--columns {name}: {_why(metric, some)}; {what} {', '.join(there) or 'no metric'}")


def _why(metric: str, boards: Sequence[Board]) -> str:
    """Why tables have nothing of a metric."""
    kinds = METRICS[metric].task_kinds
    if all(board.kind not in kinds for board in boards):
        return f"is of {' and '.join(kinds)} tasks"
    if any(metric in row.metrics for board in boards for row in board.rows):
        return "is undefined in every run on record"
    return "no run on record has it"


def lacking(names: Sequence[str], board: Board) -> list[str]:
    """Those of some columns that are metrics, of all classes or of one, which the table has nothing of.

    Raises
    ------
    UnknownName
        If no column is called so.
    """
    found = []
    for column in chosen(names, board) if names else []:
        metric, _, part = column.name.partition(":")
        if metric in METRICS and (metric not in board.metrics or (part and part not in board.classes)):
            found.append(column.name)
    return found


def said_of_columns(names: Sequence[str], board: Board) -> list[str]:
    """Lines for below a table that shows these columns: why some are empty, and which are means over several units."""
    said = []
    if none := lacking(names, board):
        metric = none[0].partition(":")[0]
        why = "no such target" if metric in board.metrics else _why(metric, [board])
        said.append(f"No {', '.join(none)} here ({why}): there are {', '.join(board.metrics)}.")
    shown = {column.name for column in chosen(names, board)}
    if board.targets and (means := [name for name in IN_UNITS if name in shown & {*board.metrics}]):
        said.append(
            f"{' and '.join(means)}: means over {len(board.targets)} targets, whatever the unit of each; of one: "
            f"--columns {means[0]}:{board.targets[0]}."
        )
    return said
