"""From few labelled clips to all: tables of one task that differ in how many clips are learnt from, side by side.

``gtzan+shots5``, ``gtzan+shots5-draw1``, ``gtzan+fraction0.5`` and ``gtzan`` are a *family*: their test clips are the
same. Several draws of a number are averaged. Which clips were drawn is chance, as a seed is: the deviation is then over
draws, and for the interval the draws stand where seeds stand in `mirbench.leaderboard.statistics`. Where each draw has
several seeds, which share its clips and say less than as many draws would, there is an interval for each seed over the
draws, and the ends of these are averaged.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace

import numpy as np

from mirbench.errors import BadInput
from mirbench.leaderboard import statistics
from mirbench.leaderboard.by_class import mean
from mirbench.leaderboard.chosen_rows import of_rows
from mirbench.leaderboard.drawn import metric_of, same
from mirbench.leaderboard.statistics import Interval
from mirbench.leaderboard.table import Board, Row, mean_and_sd
from mirbench.spelling import on_record

__all__ = ["FEWER", "Amount", "amounts", "asked_for", "families", "of_best", "of_one_task", "paths", "system_of"]

FEWER = re.compile(r"\+((?:shots|fraction)\d+(?:\.\d+)?)(-draw\d+)?(?=\+|$)")
"""The modifiers that leave fewer clips to learn from: word, and draw."""

_System = tuple[str, tuple[int, ...], bytes]

_NOTE = (
    "Clips: those of train, in a fold; valid is made smaller alike, test is the same in all columns. Of several draws, "
    "mean and standard deviation are over draws, and nothing is ranked."
)


@dataclass(frozen=True)
class Amount:
    """The tables of a task where so many clips are learnt from, as one.

    Parameters
    ----------
    n_clips : float
        Of train, in a fold, on average.
    word : str
        "shots5", "fraction0.1", or "all".
    draws : mapping of str to int
        How many choices of the clips were averaged, by the key of a row.
    board : Board
        Called by clips and word; its only metric is the one that was asked for, and rows have its interval. Of several
        draws there is no rank.
    """

    n_clips: float
    word: str
    draws: Mapping[str, int]
    board: Board

    def said(self, row: Row) -> str:
        """The word, with the number of draws where there are several."""
        n_draws = self.draws[row.key]
        return f"{self.word}, {n_draws} draws" if n_draws > 1 else self.word


def asked_for(boards: Sequence[Board], tasks: Sequence[str], metric: str = "") -> list[Amount]:
    """The tables of one task, one for each number of clips; see `amounts` and `of_one_task`.

    Raises
    ------
    BadInput
        If no system learnt from two numbers of clips, or several tasks have such systems.
    """
    family = of_one_task(boards, tasks)
    found = amounts(family, metric)
    if not found:
        raise BadInput(
            f"from few clips to all: no system of {FEWER.sub('', family[0].title)} has results from two numbers of "
            "labelled clips, on the same folds; run the same systems on several"
        )
    return found


def families(boards: Sequence[Board], pattern: re.Pattern[str] = FEWER) -> list[list[Board]]:
    """Tables of the same task but for a modifier, two or more.

    Parameters
    ----------
    pattern : re.Pattern
        What is cut out of a task's name; else the modifiers that leave fewer clips to learn from.
    """
    found: dict[str, list[Board]] = defaultdict(list)
    for board in boards:
        if board.rows and board.metrics:
            windowing = asdict(board.rows[0].system.record.spec.windowing)
            base = pattern.sub("", board.task)
            found[json.dumps([base, board.version, board.metrics[:1], windowing])].append(board)
    return [family for family in found.values() if len(family) > 1]


def of_one_task(boards: Sequence[Board], tasks: Sequence[str] = ()) -> list[Board]:
    """The one family that is there, or that of the task that is named.

    Parameters
    ----------
    tasks : sequence of str
        Names of a task without such modifiers, or of any table of the family.

    Raises
    ------
    BadInput
        If there is none, or more than one.
    """
    found = {FEWER.sub("", family[0].title): family for family in families(boards)}
    if tasks:
        found = {
            name: family
            for name, family in found.items()
            if any(
                {task, on_record("task", task)} & {name, board.task, board.title, FEWER.sub("", board.task)}
                for task in tasks
                for board in family
            )
        }
    if not found:
        of = f" of {', '.join(tasks)}" if tasks else ""
        raise BadInput(
            f"from few clips to all: no results{of} from two numbers of labelled clips or more; run the same systems "
            "on TASK+shots1, TASK+shots5, … and TASK, each a `mirbench run --task …`, or all at once: `mirbench "
            "sweep low-resource --task TASK+shots1 --task TASK+shots5 --task TASK`"
        )
    if len(found) > 1:
        raise BadInput(
            f"from few clips to all: there are several tasks; name one of these with --task: {', '.join(found)}"
        )
    (family,) = found.values()
    return family


def amounts(family: Sequence[Board], metric: str = "", *, intervals: bool = True) -> list[Amount]:
    """The tables of a family, one for each number of clips, the fewest first, of systems that have two numbers or more.

    Parameters
    ----------
    family : sequence of Board
        As `families` gives them.
    metric : str
        Default: the first of the tables.
    intervals : bool
        Whether they are computed where several draws, or another metric, need it.
    """
    drawn: dict[str, list[Board]] = defaultdict(list)
    for board in family:
        match = FEWER.search(board.task)
        drawn[match[1] if match else "all"].append(board)
    used = metric_of(family[0], metric)
    n_words: dict[_System, set[str]] = defaultdict(set)
    for word, boards in drawn.items():
        for row in (row for board in boards for row in board.rows if row.metrics.get(used)):
            n_words[system_of(row)].add(word)
    several = {system for system, words in n_words.items() if len(words) > 1}
    found = [_amount(word, boards, used, several, intervals=intervals) for word, boards in drawn.items()]
    return sorted((amount for amount in found if amount.board.rows), key=lambda amount: amount.n_clips)


def _amount(word: str, boards: Sequence[Board], metric: str, kept: Set[_System], *, intervals: bool) -> Amount:
    first = boards[0]
    n_clips = mean(run.record.n_clips.get("train") for b in boards for row in b.rows for run in row.system.runs) or 0.0
    held: dict[_System, list[Row]] = defaultdict(list)
    for row in (row for board in boards for row in board.rows if row.metrics.get(metric)):
        if system_of(row) in kept:
            held[system_of(row)].append(row)
    rows, draws = [], {}
    for alike in held.values():
        row = alike[0] if len(alike) == 1 else _over_draws(alike)
        if intervals and (len(alike) > 1 or metric != first.metrics[0]):
            row = replace(row, rank=None, interval=_interval(alike, metric))
        if len(boards) > 1:
            row = replace(row, rank=None)
        if len(alike) < len(boards):
            row = replace(row, flags=(*row.flags, f"{len(alike)} of {len(boards)} draws"))
        rows.append(row)
        draws[row.key] = len(alike)
    drawn = f", {len(boards)} draws" if len(boards) > 1 else ""
    board = replace(
        first,
        title=f"{n_clips:.0f} clips ({word}{drawn})",
        task=FEWER.sub("", first.task),
        metrics=(metric,),
        rows=tuple(rows),
        problems=(),
        notes=(_NOTE,),
    )
    return Amount(n_clips, word, draws, board)


def of_best(boards: Sequence[Board], rows: str) -> list[Board]:
    """The same tables with the rows that are asked for; of a number, the systems that are the best of the last table.

    Parameters
    ----------
    rows : str
        As `mirbench.leaderboard.chosen_rows.of_rows` takes it.
    """
    if not rows.isdecimal():
        return of_rows(boards, rows)
    (last,) = of_rows(boards[-1:], rows)
    kept = {system_of(row) for row in last.rows}
    return [replace(board, rows=tuple(row for row in board.rows if system_of(row) in kept)) for board in boards]


def paths(found: Sequence[Amount]) -> list[list[tuple[Amount, Row]]]:
    """What each system makes of each number of clips, on the same folds and test clips."""
    held: dict[_System, list[tuple[Amount, Row]]] = defaultdict(list)
    for amount in found:
        for row in amount.board.rows:
            held[system_of(row)].append((amount, row))
    return list(held.values())


def system_of(row: Row) -> _System:
    """What is the same of a system in two tables of a family: what was asked, its folds, and the clips of test."""
    return same(row), row.system.folds, row.system.stack.hashes.tobytes()


def _over_draws(rows: Sequence[Row]) -> Row:
    """The rows of one system on several draws as one, without interval."""
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    values = {name: [(row.metrics.get(name) or (None,))[0] for row in rows] for name in names}
    metrics = {name: mean_and_sd(each) for name, each in values.items()}
    return replace(rows[0], metrics=metrics, interval=None, rank=None, p_best=None, p_others={})


def _interval(rows: Sequence[Row], metric: str) -> Interval | None:
    """Over the test clips, and over the draws; where there is one, over its seeds."""
    stacks = [row.system.stack for row in rows]
    first = stacks[0]
    layers = [np.stack(scores) for scores in zip(*(stack.scores for stack in stacks), strict=False)]
    if len(stacks) == 1:
        layers = [first.scores]
    found = [statistics.interval(metric, each, first.targets, first.groups, first.folds) for each in layers]
    there = [span for span in found if span]
    if not there:
        return None
    each = ", of each seed" if len(there) > 1 else ""
    method = there[0].method.replace("seeds", "draws") + each if len(stacks) > 1 else there[0].method
    low, high = (float(np.mean(ends)) for ends in zip(*((span.low, span.high) for span in there), strict=True))
    return Interval(low, high, method)
