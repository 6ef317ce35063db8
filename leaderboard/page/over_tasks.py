"""Systems over tasks: who has which result, and average ranks with what chance says of them.

Tasks of a kind stand together (full data sets, excerpts, own clips, synthesised stand-ins), and no average is taken
over two kinds. Average ranks are over tasks without modifiers (one of "gtzan" and "gtzan+shots10", which share their
test clips, says what the other says), of each the table that most systems have, and of systems that have all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirbench import __version__
from mirbench.leaderboard import statistics
from mirbench.leaderboard.drawn import across, comparable, same
from mirbench.leaderboard.statistics import AcrossTasks
from mirbench.leaderboard.table import Board, Row

__all__ = ["AverageRanks", "average_ranks", "over_tasks"]


@dataclass(frozen=True)
class AverageRanks:
    """What can be compared over tasks of one kind.

    Parameters
    ----------
    boards : tuple of Board
        Two or more tables, of a task each, that every one of these systems has.
    keys : tuple of str
        The systems, as `mirbench.leaderboard.drawn.same` tells them.
    ranks : AcrossTasks
        In their order.
    """

    boards: tuple[Board, ...]
    keys: tuple[str, ...]
    ranks: AcrossTasks


def average_ranks(boards: Sequence[Board]) -> AverageRanks | None:
    """Average ranks over tables of one kind; None where no two systems share two tasks.

    Where fewer than two systems have all tasks, tasks are left out, one after the other: that which leaves most
    systems.
    """
    used = _one_a_task(boards)
    while len(used) > 1:
        if len(_shared(used)) > 1:
            held = across([board for board, _ in used])
            return AverageRanks(tuple(board for board, _ in used), held.keys, statistics.across_tasks(held.values))
        used = max(([*used[:n], *used[n + 1 :]] for n in range(len(used))), key=lambda rest: len(_shared(rest)))
    return None


def _one_a_task(boards: Sequence[Board]) -> list[tuple[Board, set[str]]]:
    """Of each task without modifiers the table that most systems have, and those systems."""
    found: dict[str, tuple[Board, set[str]]] = {}
    for board in boards:
        if board.metrics and "+" not in board.task:
            held = {same(row) for row in comparable(board, board.metrics[0])}
            if board.task not in found or len(held) > len(found[board.task][1]):
                found[board.task] = board, held
    return list(found.values())


def _shared(used: Sequence[tuple[Board, set[str]]]) -> set[str]:
    return set.intersection(*(held for _, held in used)) if used else set()


def over_tasks(boards: Sequence[Board]) -> dict[str, Any]:
    """The first screen: counts, the newest run, and a matrix a kind of task."""
    runs = [run.record for board in boards for row in board.rows for run in row.system.runs]
    ends = [str(run.environment.get("finished") or "")[:10] for run in runs]
    kinds = list(dict.fromkeys(board.standing for board in boards))
    return {
        "version": __version__,
        "newest": max(ends, default=""),
        "systems": len({same(row) for board in boards for row in board.rows}),
        "runs": len(runs),
        "kinds": [_kind(boards, kind) for kind in kinds],
    }


def _kind(boards: Sequence[Board], standing: str) -> dict[str, Any]:
    """Tables by number, systems with the key of their row in each, and their average ranks."""
    places = [n for n, board in enumerate(boards) if board.standing == standing]
    held = [{same(row): (place, row) for place, row in enumerate(boards[n].rows)} for n in places]
    found = average_ranks([boards[n] for n in places])
    average = dict(zip(found.keys, found.ranks.average_ranks.tolist(), strict=True)) if found else {}

    def order(key: str) -> tuple[float, int, float]:
        at = [rows[key][0] / len(rows) for rows in held if key in rows]
        return average.get(key, float("inf")), -len(at), sum(at) / len(at)

    return {
        "standing": standing,
        "boards": places,
        "systems": [_system(key, held, average) for key in sorted({key for rows in held for key in rows}, key=order)],
        "compared": _compared(found, boards),
    }


def _system(key: str, held: Sequence[dict[str, tuple[int, Row]]], average: dict[str, float]) -> dict[str, Any]:
    rows = [found[key][1] if key in found else None for found in held]
    first = next(row for row in rows if row)
    return {
        "name": first.name,
        "source": first.system.record.spec.source,
        "rows": [row.key if row else None for row in rows],
        "average": round(average[key], 3) if key in average else None,
    }


def _compared(found: AverageRanks | None, boards: Sequence[Board]) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "boards": [next(n for n, board in enumerate(boards) if board is used) for used in found.boards],
        "systems": len(found.keys),
        "critical": round(found.ranks.critical_difference, 3),
        "p": float(f"{found.ranks.p:.3g}"),
    }
