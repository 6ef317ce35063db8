"""Which rows of tables are shown, which of them lead, and tables side by side: systems against tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.columns import mean_sd, title_of
from mirbench.leaderboard.drawn import same
from mirbench.leaderboard.table import Board, Row
from mirbench.metrics import METRICS

__all__ = ["Pivot", "of_how_many", "of_rows", "pivot", "pivot_cells", "place"]

_FEW = 3  # systems that are named


def of_rows(boards: Sequence[Board], rows: str) -> list[Board]:
    """The same tables with the rows that are asked for.

    Parameters
    ----------
    rows : str
        How many, from the best down; or names, METHOD+SOURCE, METHOD or key, with commas between. "" is all.

    Raises
    ------
    UnknownName
        If no table has a row that is called so.
    BadInput
        For a number below 1.
    """
    if not rows:
        return list(boards)
    if rows.lstrip("-").isdecimal():
        if int(rows) < 1:
            raise BadInput(f"--rows {rows}: a number from 1 on is needed, or names of systems")
        return [_part(board, board.rows[: int(rows)]) for board in boards]
    names = [_plain(name) for name in rows.split(",") if name.strip()]
    known = {name for board in boards for row in board.rows for name in _names(row)}
    for name in names:
        if name not in known:
            raise UnknownName("system in these tables", name, known, "`mirbench leaderboard` shows what there is.")
    return [
        _part(replace(board, problems=()), tuple(row for row in board.rows if {*names} & _names(row)))
        for board in boards
    ]


def _part(board: Board, rows: tuple[Row, ...]) -> Board:
    n_all = len(board.rows)
    return replace(board, rows=rows, n_ranked_among=n_all if len(rows) < n_all else 0)


def of_how_many(board: Board) -> str:
    """Among how many systems the shown ones were ranked; "" where all are shown."""
    n_all = board.n_ranked_among
    return f"{len(board.rows)} of {n_all} systems; ranks and tests are among all {n_all}." if n_all else ""


def _plain(name: str) -> str:
    return name.replace(" ", "")


def _names(row: Row) -> set[str]:
    spec = row.system.record.spec
    return {_plain(row.name), row.key, spec.method, f"{spec.method}+{spec.source}"}


def place(row: Row, board: Board) -> Literal["leads", "tied", ""]:
    """Whether a row has the highest score of those that heard the same clips, or cannot be told apart from the best."""
    if row.rank != 1 or not board.metrics:
        return ""
    metric = board.metrics[0]
    sign = 1 if METRICS[metric].higher_is_better else -1
    values = [sign * value[0] for other in board.rows if other.rank == 1 and (value := other.metrics.get(metric))]
    own = row.metrics.get(metric)
    return "leads" if own and sign * own[0] == max(values) else "tied"


@dataclass(frozen=True)
class Pivot:
    """Systems against tasks, or methods against sources.

    Parameters
    ----------
    boards : tuple of Board
        Of each column, that which holds its rows; it shows the first metric.
    rows : tuple of (str, tuple of (Row or None))
        Names of systems and their rows, None where a table has none; those of most tasks first, then by their ranks.
    heads : tuple of str
        A heading a column.
    stub : str
        What stands above the names of the rows.
    notes : tuple of str
        What is to be said below, a line each.
    of_sources : bool
        Whether columns are sources, and all of one task.
    """

    boards: tuple[Board, ...]
    rows: tuple[tuple[str, tuple[Row | None, ...]], ...]
    heads: tuple[str, ...]
    stub: str = "method + source"
    notes: tuple[str, ...] = ()
    of_sources: bool = False

    @property
    def incomplete(self) -> str:
        """Which cells are of some folds alone, in a line; "" where none is."""
        found: dict[str, list[str]] = defaultdict(list)
        for name, rows in self.rows:
            for board, row in zip(self.boards, rows, strict=True):
                if row and not row.system.complete:
                    found[f"{board.title}, {row.flags[0]}"].append(name)
        more = {where: f", and {len(names) - _FEW} more" * (len(names) > _FEW) for where, names in found.items()}
        said = [f"{where}: {', '.join(names[:_FEW])}{more[where]}" for where, names in found.items()]
        return f"Of some folds alone: {'; '.join(said)}." if said else ""


def pivot(boards: Sequence[Board]) -> Pivot:
    """Tables side by side: a system is the same one where method, source and settings are.

    Raises
    ------
    BadInput
        If no table has a result.
    """
    used = tuple(board for board in boards if board.rows and board.metrics)
    if not used:
        raise BadInput("--pivot: no task has a result")
    held = [{same(row): row for row in board.rows} for board in used]
    keys = dict.fromkeys(key for rows in held for key in rows)
    places = [{key: n / len(rows) for n, key in enumerate(rows)} for rows in held]

    def order(key: str) -> tuple[int, float]:
        found = [rows[key] for rows in places if key in rows]
        return -len(found), sum(found) / len(found)

    rows = []
    for key in sorted(keys, key=order):
        cells = tuple(rows.get(key) for rows in held)
        rows.append((next(row.name for row in cells if row), cells))
    return Pivot(used, tuple(rows), tuple(f"{board.title}, {title_of(board.metrics[0])}" for board in used))


def pivot_cells(table: Pivot) -> list[list[tuple[str, str]]]:
    """Texts of the cells of each row, with what `place` says of them; "—" where there is no result."""
    return [
        [
            (mean_sd(row.metrics.get(board.metrics[0])), place(row, board)) if row else ("—", "")
            for row, board in zip(cells, table.boards, strict=True)
        ]
        for _, cells in table.rows
    ]
