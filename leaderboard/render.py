"""Tables as markdown (tabulate), CSV (pandas) and JSON; LaTeX is in `mirbench.leaderboard.latex`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from mirbench.errors import UnknownName
from mirbench.leaderboard.asked_columns import said_of_columns
from mirbench.leaderboard.chosen_rows import Pivot, of_how_many, pivot_cells
from mirbench.leaderboard.columns import TIMES, chosen, every_column
from mirbench.leaderboard.marks import explained
from mirbench.leaderboard.results import System
from mirbench.leaderboard.table import Board, Row
from mirbench.plain_text import csv_cell, json_text, printable
from mirbench.registry import version_here
from mirbench.spelling import composed_name, on_record

__all__ = [
    "SAID",
    "as_csv",
    "as_json",
    "csv_pivot",
    "escaped",
    "heading",
    "markdown",
    "markdown_pivot",
    "note",
    "of_tasks",
    "section",
]

JSON_VERSION = 1
_FEW, _MANY = 5, 12

SAID = {
    "full": "",
    "excerpt": "An excerpt: its numbers are optimistic and compare with nothing but this table.",
    "own": "Clips of somebody's own: its numbers compare with nothing but this table.",
    "synthesised": "Synthesised audio: shows that the machinery works, says nothing about music.",
}
_OF_CLASSES = "Accuracies and F1 are pooled over the folds, AUCs the mean of the folds."
_OF_VALUES = "Metrics of numbers are pooled over the folds, and of several targets the mean over them."
_NOTE = (
    "Mean ± standard deviation (n - 1) over seeds alone, which says nothing of other clips; where nothing is random, "
    "one seed stands for all. {metrics} "
    "95 % interval, of the first metric: over other clips of the same kind (those of a group are drawn together) and, "
    "where several were run, other seeds. Rank: one more than the rows that are significantly better in the first "
    "metric, clip by clip on the same clips, at 5 % after Holm's correction over every pair of the table: rows of rank "
    "1 cannot be told apart from the best (ranks need not follow the scores: who errs on the same clips is told apart "
    "sooner); — where clips differ. "
    "Trainable: values moved by an optimiser (— for forests and kernel machines). s/epoch: training alone, with frozen "
    "parts read from the cache. Clips/s: from file to score, nothing cached. GFLOP/clip: matrix products, convolutions "
    "and attention from the audio of one clip to its score."
)


def note(boards: Sequence[Board]) -> str:
    """How to read some tables: of the metrics that they have."""
    kinds = {board.kind == "regression" for board in boards}
    said = [text for of_values, text in ((False, _OF_CLASSES), (True, _OF_VALUES)) if of_values in kinds]
    return _NOTE.format(metrics=" ".join(said or [_OF_CLASSES]))


def of_tasks(boards: Sequence[Board], tasks: Sequence[str]) -> list[Board]:
    """The tables of some tasks, called by the table's title or by any spelling of the task's name; all where none is.

    Raises
    ------
    UnknownName
        If there is no table of a task.
    """
    shown: list[Board] = []
    for task in tasks:
        meant = [board for board in boards if task in (board.task, board.title)]
        meant = meant or [board for board in boards if composed_name(board.task) == on_record("task", task)]
        if not meant:
            raise UnknownName("task in these records", task, {board.task for board in boards})
        if len(meant) > 1:  # lists of one name in several folders
            here = version_here(task)
            meant = [board for board in meant if board.version == here] or meant
        shown += meant
    return [board for board in boards if not tasks or any(board is one for one in shown)]


def markdown(boards: Sequence[Board], columns: Sequence[str] = ()) -> str:
    """All tables, each under a heading, with notes."""
    parts = ["# Leaderboard", note(boards)]
    for board in boards:
        parts += [heading(board), *section(board, columns)]
    return "\n\n".join(parts) + "\n"


def heading(board: Board) -> str:
    """The title of a table, as markdown."""
    return f"## {escaped(board.title)}"


def section(board: Board, columns: Sequence[str] = ()) -> list[str]:
    """The paragraphs of one table: its caveat, itself, where it was timed, what gave no result."""
    parts = [SAID[board.standing] + _of_whose_own(board)] if SAID.get(board.standing) else []
    if board.rows:
        parts.append(_table(board, columns))
        parts += filter(None, [of_how_many(board), *map(escaped, said_of_columns(columns, board))])
        names = {column.name for column in chosen(columns, board)}
        if marks := explained(mark for row in board.rows for mark in row.marks):
            parts.append(f"Marks: {escaped('; '.join(marks))}.")
        if some := [row.system for row in board.rows if not row.system.complete and "flags" not in names]:
            parts.append(_incomplete(some))
        devices = sorted({row.device for row in board.rows if _timed(row)})
        if devices and names & set(TIMES):
            parts.append(f"Timed on: {escaped('; '.join(devices))}.")
    parts += map(escaped, board.notes)
    if board.problems:
        parts.append("Without a result:\n\n" + "\n".join(f"* {escaped(line)}" for line in board.problems))
    return parts


def _of_whose_own(board: Board) -> str:
    """By what lists of one name are told apart, of which no table knows the folder."""
    if board.standing != "own" or not board.classes:
        return ""
    few = ", ".join(map(escaped, board.classes[:_MANY]))
    what = "targets" if board.kind == "regression" else "classes"
    return f" Its {what}: {few}{f', and {len(board.classes) - _MANY} more' * (len(board.classes) > _MANY)}."


def _timed(row: Row) -> bool:
    return any(value is not None for value in (row.epoch_seconds, row.train_seconds, row.clips_per_second))


def _incomplete(systems: Sequence[System]) -> str:
    """Which rows are of some folds alone, where no column says so."""
    said = [f"{escaped(s.label)} (fold {', '.join(map(str, s.folds))} of {s.n_folds})" for s in systems[:_FEW]]
    more = f", and {len(systems) - _FEW} more" if len(systems) > _FEW else ""
    return f"Of some folds alone, to be compared with rows of the same folds: {', '.join(said)}{more}."


def _table(board: Board, columns: Sequence[str]) -> str:
    from tabulate import tabulate

    shown = chosen(columns, board)
    lines = [[escaped(column.text(row)) for column in shown] for row in board.rows]
    heads = [column.heading for column in shown]
    align = ["left" if column.left else "right" for column in shown]
    return tabulate(lines, heads, tablefmt="github", disable_numparse=True, colalign=align)


_MARKS = re.compile(r"[\\`*|~]|(?<=\])\(|(?<!\w)_|_(?!\w)")
"""What markdown takes for markup: an underscore inside a word is none."""


def escaped(text: str) -> str:
    """Names come from plugins and records: nothing in them may become markup."""
    text = printable(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\g<0>", text)


def markdown_pivot(tables: Sequence[Pivot]) -> str:
    """Systems against tasks, of the first metric of each, or methods against sources; the leaders in bold."""
    return "\n".join(map(_markdown_pivot, tables))


def _markdown_pivot(table: Pivot) -> str:
    from tabulate import tabulate

    lines = [
        [escaped(name), *(f"**{text}**" if where == "leads" else text for text, where in cells)]
        for (name, _), cells in zip(table.rows, pivot_cells(table), strict=True)
    ]
    heads = [escaped(table.stub), *map(escaped, table.heads)]
    align = ["left", *["right"] * len(table.boards)]
    text = tabulate(lines, heads, tablefmt="github", disable_numparse=True, colalign=align)
    said = dict.fromkeys(
        f"{escaped(board.task)}: {SAID[board.standing]}" for board in table.boards if SAID[board.standing]
    )
    every = (*table.notes, table.incomplete, *(note for board in table.boards for note in board.notes))
    notes = dict.fromkeys(escaped(note) for note in every if note)
    return "\n\n".join([text, "Mean ± standard deviation over seeds; the highest in bold.", *said, *notes]) + "\n"


def csv_pivot(tables: Sequence[Pivot]) -> str:
    """The same as CSV: of each task the mean, and the standard deviation over seeds."""
    import pandas as pd

    lines = []
    for table in tables:
        for name, rows in table.rows:
            line: dict[str, Any] = {"system": name}
            if table.of_sources:
                line = {"task": table.boards[0].title, "method": name}
            for board, head, row in zip(table.boards, table.heads, rows, strict=True):
                mean, sd = (row.metrics.get(board.metrics[0]) if row else None) or (None, None)
                column = f"{head if table.of_sources else board.title}: {board.metrics[0]}"
                line |= {column: mean, f"{column}_sd": sd}
            lines.append(line)
    return str(pd.DataFrame(lines).map(csv_cell).to_csv(index=False, lineterminator="\n"))


def as_csv(boards: Sequence[Board], columns: Sequence[str] = ()) -> str:
    """One line a row of any table: task, version and windowing, then numbers as they are; empty where there is none."""
    import pandas as pd

    there = {metric for board in boards for metric in board.metrics}
    lines = []
    for board in boards:
        for row in board.rows:
            line: dict[str, Any] = {"task": board.task, "version": board.version}
            line |= asdict(row.system.record.spec.windowing)
            for column in chosen(columns, board) if columns else every_column(board, there):
                line |= column.raw(row, board)
            lines.append(line)
    if columns and not any(line.get("marks") for line in lines):
        lines = [{name: cell for name, cell in line.items() if name != "marks"} for line in lines]
    frame = pd.DataFrame(lines).map(csv_cell).convert_dtypes()  # counts stay whole numbers beside empty cells
    return str(frame.to_csv(index=False, lineterminator="\n"))


def as_json(boards: Sequence[Board]) -> str:
    """Everything that the tables hold, strict JSON: no NaN, a schema version."""
    held = {"schema_version": JSON_VERSION, "boards": [_board(board) for board in boards]}
    return json_text(_strict(held))


def _board(board: Board) -> dict[str, Any]:
    fields = {
        name: getattr(board, name)
        for name in ("title", "task", "version", "standing", "kind", "classes", "metrics", "problems", "notes")
    }
    return fields | {"windowing": asdict(board.windowing), "rows": [_row(row, board) for row in board.rows]}


def _row(row: Row, board: Board) -> dict[str, Any]:
    spec = row.system.record.spec
    fields = {
        name: getattr(row, name)
        for name in (
            "name", "key", "rank", "p_best", "p_others", "n_seeds", "n_folds", "n_done", "n_clips", "n_trainable",
            "n_total", "epoch_seconds", "train_seconds", "clips_per_second", "gflops", "kwh", "device", "flags",
            "marks", "alike", "repeated",
        )
    }  # fmt: skip
    values = {name: _summary(value) for name, value in row.metrics.items()}
    each = {
        name: dict(zip(board.targets, map(_summary, row.of_classes(name)), strict=True))
        for name in board.metrics
        if board.targets
    }
    interval = {"metric": board.metrics[0], "level": 0.95, **asdict(row.interval)} if row.interval else None
    return fields | {
        "method": spec.method,
        "source": spec.source or None,
        "fit_on": spec.fit_on,
        "pad": spec.pad,
        "thresholds": spec.thresholds,
        "calibrate": spec.calibrate,
        "seeds": row.system.seeds,
        "folds": row.system.folds,
        "metrics": values,
        **({"targets": each} if each else {}),
        "interval": interval,
    }


def _summary(value: tuple[float, float | None] | None) -> dict[str, float | None] | None:
    return {"mean": value[0], "sd": value[1]} if value else None


def _strict(value: Any) -> Any:
    """What JSON has no word for is null."""
    if isinstance(value, dict):
        return {name: _strict(item) for name, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
