"""A table of methods against sources: each cell a system, its settings in the row, or, of the source, in the column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mirbench.errors import BadInput
from mirbench.leaderboard.chosen_rows import Pivot
from mirbench.leaderboard.columns import title_of
from mirbench.leaderboard.system_names import UNLESS_SAID, settings_of
from mirbench.leaderboard.table import Board, Row

__all__ = ["against_sources"]

_NO_SOURCE = "no source"


def against_sources(boards: Sequence[Board]) -> list[Pivot]:
    """A table a task, of its first metric.

    A setting by which no two systems of one method and one source differ is said below the table, and not in its rows:
    where epochs are fewer on one source alone, its column still stands beside the others.

    Raises
    ------
    BadInput
        If no table has a result.
    """
    found = [_crossed(board) for board in boards if board.rows and board.metrics]
    if not found:
        raise BadInput("--against sources: no task has a result")
    return found


def _crossed(board: Board) -> Pivot:
    settings = settings_of([row.system.record for row in board.rows])
    telling, sources = _telling(board, settings), _of_sources(board, settings)
    cells: dict[str, dict[str, Row]] = defaultdict(dict)
    alike: dict[str, list[str]] = defaultdict(list)
    for row in board.rows:
        spec = row.system.record.spec
        said = settings[row.key]
        of_row = {name: value for name, value in said.items() if name in telling[spec.method]}
        of_column = _of_column(row, said, sources[spec.source])
        rest = {name: value for name, value in said.items() if name not in of_row and not _is_of_source(name)}
        cells[_with(spec.method, of_row)].setdefault(_with(spec.source or _NO_SOURCE, of_column), row)
        if rest and (text := _with(spec.method, rest)) and (on := spec.source or _NO_SOURCE) not in alike[text]:
            alike[text].append(on)
    columns = sorted({column for held in cells.values() for column in held})
    order = sorted(cells)
    return Pivot(
        boards=(board,) * len(columns),
        rows=tuple((name, tuple(cells[name].get(column) for column in columns)) for name in order),
        heads=tuple(columns),
        stub=f"{board.title}, {title_of(board.metrics[0])}",
        notes=tuple(f"Set alike: {text} on {', '.join(sorted(names))}." for text, names in sorted(alike.items())),
        of_sources=True,
    )


def _telling(board: Board, settings: Mapping[str, Mapping[str, object]]) -> dict[str, set[str]]:
    """By method, the settings by which systems on one source differ."""
    groups: dict[tuple[str, str], list[Mapping[str, object]]] = defaultdict(list)
    for row in board.rows:
        spec = row.system.record.spec
        groups[spec.method, spec.source].append(settings[row.key])
    found: dict[str, set[str]] = defaultdict(set)
    for (method, _), held in groups.items():
        names = {name for each in held for name in each if not _is_of_source(name)}
        found[method] |= {name for name in names if len({repr(each.get(name)) for each in held}) > 1}
    return found


def _of_sources(board: Board, settings: Mapping[str, Mapping[str, object]]) -> dict[str, set[str]]:
    """By source, its settings that any of its rows says: a column has them all, for whichever method."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in board.rows:
        found[row.system.record.spec.source] |= {name for name in settings[row.key] if _is_of_source(name)}
    return found


def _of_column(row: Row, said: Mapping[str, object], names: set[str]) -> dict[str, object]:
    spec = row.system.record.spec
    known = {f"source {name}": value for name, value in {**UNLESS_SAID, **spec.source_params}.items()}
    known |= {"source version": spec.source_version, _SHA256: spec.source_sha256[:8]}
    values = {name: said.get(name, known.get(name)) for name in names}
    return {name.removeprefix("source ") if name != _SHA256 else "sha256": values[name] for name in values}


_SHA256 = "weights"
"""What a row's name calls the hash of the weights."""


def _is_of_source(name: str) -> bool:
    return name.startswith("source ") or name == _SHA256


def _with(name: str, settings: Mapping[str, object]) -> str:
    said = ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))
    return f"{name} ({said})" if said else name
