"""Clips as a table that people can read: one CSV row a clip.

Columns: ``label`` is needed, and ``path`` or ``id``: a clip without a path is known by its id alone, for runs on
precomputed features. ``label`` and ``unknown`` hold names separated by ``;``. ``split`` is train,
valid or test; ``fold`` instead is the fold in which the clip is tested (the next one is its valid, as in gtzan-mini).
``group`` is what must not cross splits, ``start`` and ``duration`` are seconds, ``id`` is the path unless it is given.
A file may be named several times, with ids of their own for its stretches.

Instead of labels a list may hold numbers, as tempo or valence, in columns that whoever reads it names: an empty cell,
or "nan", is a value that nobody knows.

Spaces around a cell are not part of it, unless ``exact`` is 1: that line is meant as it stands, and its labels are what
they are, whatever they hold. A list that is written here has this column where a name needs it.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from html import unescape
from pathlib import Path

from mirbench.class_names import joined, written_list
from mirbench.errors import BadInput
from mirbench.features.list_rows import (
    SPLIT_NAMES,
    Row,
    is_plain,
    other_columns,
    read_rows,
    shown,
    value_column,
    value_names,
)
from mirbench.features.listed_files import Folders, find_file, impossible_name, listed_path, nearest
from mirbench.features.temporary import written_whole
from mirbench.lasting import made_to_last
from mirbench.places import path_text
from mirbench.types import Clip

__all__ = [
    "COLUMNS", "Folders", "columns_not_used", "in_fold", "nearest", "read_clip_list", "shown", "value_names",
    "write_clip_list",
]  # fmt: skip

COLUMNS = ("id", "path", "label", "unknown", "split", "fold", "group", "start", "duration")
_ALSO = (*COLUMNS, "exact")
_SEPARATOR = ";"


def in_fold(clips: Iterable[Clip], folds: Mapping[str, int], n_folds: int, fold: int) -> list[Clip]:
    """The clips with the splits of one fold: its own clips are test, those of the next one valid, the rest train."""
    splits = {fold: "test", (fold + 1) % n_folds: "valid"}
    return [replace(clip, split=splits.get(folds[clip.id], "train")) for clip in clips]


def read_clip_list(
    path: Path,
    *bases: Path,
    literal: bool = False,
    called: Mapping[str, str] | None = None,
    folders: Folders | None = None,
) -> tuple[list[Clip], dict[str, int]]:
    """Clips of a CSV file, and the fold of each clip id, if it has that column.

    A clip whose split is not said has the split "".

    Parameters
    ----------
    bases : Path
        Folders that paths are relative to: the first that holds a file counts, and the last for those that none holds.
        None is the file's own.
    literal : bool
        Take a label for one name whatever it holds; else labels that hold several others are refused.
    called : mapping of str to str or None
        What the file calls some of the columns, by their names here; under "value" the columns that hold numbers,
        separated by commas.
    folders : Folders or None
        What the caller looks into too; None is nothing yet.

    Raises
    ------
    BadInput
        If the file is not such a table; names the line.
    """
    folders, targets = folders or Folders(), _targets(path, called)
    rows = read_rows(path, (*_ALSO, *map(value_column, targets)), called)
    if not rows:
        raise BadInput(f"{path}: holds no clip, only a header")
    if not (literal or targets):
        _check_labels(rows)
    clips = [_clip(row, bases or (path.parent,), folders, targets) for row in rows]
    _check_stretches(path, clips)
    if "fold" not in rows[0].cells:
        return clips, {}
    return clips, {clip.id: _whole(path, row.cell("fold"), clip.id) for clip, row in zip(clips, rows, strict=True)}


def columns_not_used(path: Path, called: Mapping[str, str] | None = None) -> list[str]:
    """Names of the columns of a list that say nothing here."""
    targets = _targets(path, called)
    also = [name for name in _ALSO if not (targets and name in ("label", "unknown"))]
    return other_columns(path, (*also, *map(value_column, targets)), called)


def _targets(path: Path, called: Mapping[str, str] | None) -> list[str]:
    """The columns that hold numbers."""
    names = value_names(called or {})
    if len(set(names)) < len(names) or "" in names:
        raise BadInput(
            f"{path}: value={(called or {})['value'][:80]!a}; columns are named once, as value=valence,arousal"
        )
    if taken := [name for name in names if name in _ALSO and name not in ("label", "unknown")]:
        raise BadInput(f"{path}: a target cannot be called {taken[0]}, which says something else of a clip; rename it")
    return names


@made_to_last()
def write_clip_list(path: Path, folds: Sequence[Sequence[Clip]], base: Path | None) -> None:
    """Write the clips of a task so that `read_clip_list` gives them and their splits again, whole or not at all.

    Parameters
    ----------
    folds : sequence of sequence of Clip
        Clips of every fold. Where the folds are more than one way to part the same clips as `in_fold` does, each is
        written to a file of its own, with "-foldK" in its name.
    base : Path or None
        Folder to which paths are written relative; a file outside of it is written by its id alone.
    """
    tested = {clip.id: fold for fold, clips in enumerate(folds) for clip in clips if clip.split == "test"}
    if len(folds) == 1:
        _write(path, folds[0], base, {})
    elif _is_rotation(folds, tested):
        _write(path, folds[0], base, tested)
    else:
        for fold, clips in enumerate(folds):
            _write(path.with_name(f"{path.stem}-fold{fold}{path.suffix}"), clips, base, {})


def _is_rotation(folds: Sequence[Sequence[Clip]], tested: Mapping[str, int]) -> bool:
    """Whether each fold is what `in_fold` makes of the folds in which the clips are tested."""
    if any(clip.id not in tested for clips in folds for clip in clips):
        return False
    return all(list(clips) == in_fold(clips, tested, len(folds), fold) for fold, clips in enumerate(folds)) and all(
        {clip.id for clip in clips} == set(tested) for clips in folds
    )


def _write(path: Path, clips: Sequence[Clip], base: Path | None, folds: Mapping[str, int]) -> None:
    columns = [column for column in COLUMNS if column != ("split" if folds else "fold")]
    rows = [_cells(clip, base, str(folds[clip.id]) if folds else clip.split) for clip in clips]
    if any(clip.values for clip in clips):
        targets = sorted({name for clip in clips for name in (*clip.labels, *clip.unknown)})
        columns = [column for column in columns if column not in ("label", "unknown")] + targets
        rows = [(*row[:2], *row[4:], *_numbers(clip, targets)) for clip, row in zip(clips, rows, strict=True)]
    names = {name for clip in clips for name in (*clip.labels, *clip.unknown)}
    cells = {cell for row in rows for cell in row}
    odd = {text for text in cells | names if not is_plain(text)}
    if joined(names) or any(map(written_list, names)) or any(map(_of_web_page, cells)):
        exact = [True] * len(rows)
    else:
        exact = [
            bool(odd) and not odd.isdisjoint((*row, *clip.labels, *clip.unknown))
            for row, clip in zip(rows, clips, strict=True)
        ]
    if any(exact):
        columns.append("exact")
        rows = [(*row, "1" if as_it_stands else "") for row, as_it_stands in zip(rows, exact, strict=True)]
    with written_whole(path) as work, work.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        plain, quoted = (csv.writer(stream, lineterminator="\n", quoting=q) for q in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
        plain.writerow(columns)
        ending = {cell for cell in odd if "\r" in cell}
        for row in sorted(rows):
            # a bare carriage return ends a line, and csv quotes it in some versions alone
            (quoted if ending and not ending.isdisjoint(row) else plain).writerow(row)


def _cells(clip: Clip, base: Path | None, split: str) -> tuple[str, ...]:
    return (
        clip.id, _relative(clip.path, base), _SEPARATOR.join(clip.present), _SEPARATOR.join(clip.unknown), split,
        clip.group, str(clip.start or ""), "" if clip.duration is None else str(clip.duration),
    )  # fmt: skip


def _numbers(clip: Clip, targets: Sequence[str]) -> Iterator[str]:
    held = dict(zip(clip.labels, clip.values, strict=True))
    return (repr(held[name]) if name in held else "" for name in targets)


def _relative(path: Path | None, base: Path | None) -> str:
    try:
        if path and base and os.sep == "/" and str(path).startswith(f"{base}/"):
            text = path_text(str(path)[len(str(base)) + 1 :])  # `relative_to` takes ten times as long
        else:
            text = path_text(path.relative_to(base).as_posix()) if path and base else ""
    except ValueError:  # outside of it
        text = ""
    return f"./{text}" if text.startswith("~") else text


def _check_labels(rows: Sequence[Row]) -> None:
    """Refuse labels that hold several: a list as Python writes it, or names of other labels with something between."""
    first: dict[tuple[str, str], Row] = {}  # that holds a text, by its column: thousands hold the same
    for row in rows:
        if not row.exact:
            first.setdefault(("label", row.cell("label")), row)
            first.setdefault(("unknown", row.cell("unknown")), row)
    where: dict[str, str] = {}
    for (column, text), row in first.items():
        if sign := _of_web_page(text):
            raise BadInput(
                f"{row.where}: its {column} {text[:80]!r} holds {sign}, as web pages write a sign, and "
                f"semicolons separate labels; write {unescape(text)[:80]!r}"
            )
        for name in _names(row, column):
            where.setdefault(name, row.where)
    how = "; separate labels by semicolons, as in"
    if wrong := next(filter(written_list, where), ""):
        inside = re.findall(r"[\'\"]([^\'\"]+)[\'\"]", wrong)
        raise BadInput(
            f"{where[wrong]}: the label {wrong} is a list as Python writes it{how} {';'.join(inside[:3]) or 'a;b'}"
        )
    if (made := joined(where)) and made.name in where:
        raise BadInput(
            f"{where[made.name]}: the label {made.name!r} is made of others by '{made.separator}' ({made.n_names} such)"
            f"{how} {';'.join(made.parts)}; if it is one class, rename it, or add a column exact with 1 in each line"
        )


def _of_web_page(text: str) -> str:
    """The first sign in a text that is written as in HTML, as "&amp;"; "" where there is none."""
    if "&" not in text:
        return ""
    return next((sign for sign in re.findall(r"&#?\w+;", text) if not unescape(sign).endswith(";")), "")


def _check_stretches(path: Path, clips: Sequence[Clip]) -> None:
    where = [
        (os.path.normpath(clip.path) if clip.path else f"the id {clip.id}", clip.start, clip.duration) for clip in clips
    ]
    if len(set(where)) == len(where):
        return
    places: dict[tuple[str, float, float | None], list[Clip]] = {}
    for place, clip in zip(where, clips, strict=True):
        places.setdefault(place, []).append(clip)
    twice = {place[0]: own for place, own in places.items() if len(own) > 1}
    if several := {file: own for file, own in twice.items() if len({clip.labels for clip in own}) == len(own)}:
        file, own = next(iter(several.items()))
        labels = ";".join(dict.fromkeys(name for clip in own for name in clip.labels))
        raise BadInput(
            f"{path}: {shown(file)} is listed twice, each time with other labels ({len(several)} such); a clip with "
            f"several labels is one line, {labels}"
        )
    file, own = next(iter(twice.items()))
    if own[0].path is None:
        raise BadInput(f"{path}: {own[0].id!r} occurs twice; a clip is one line")
    raise BadInput(f"{path}: {shown(file)} is listed twice; a file may have several clips if their start differs")


def _clip(row: Row, bases: Sequence[Path], folders: Folders, targets: Sequence[str]) -> Clip:
    file, place = _file(row, bases, folders)
    clip_id = row.cell("id") or file
    if not clip_id:
        raise BadInput(f"{row.where}: neither a path nor an id")
    split = row.cell("split").strip().lower()
    if split and split not in SPLIT_NAMES:
        raise BadInput(f"{row.where}: split {row.cell('split')[:40]!r}; one of train, valid, test is needed")
    values = {name: value for name in targets if (value := _number(row, name)) is not None}
    labels = tuple(values) if targets else _names(row, "label")
    unknown = targets if targets else _names(row, "unknown")
    return Clip(
        id=clip_id,
        path=place,
        split=SPLIT_NAMES.get(split, ""),
        labels=labels,
        unknown=tuple(name for name in unknown if name not in labels),
        group=row.cell("group"),
        start=_seconds(row, "start") or 0.0,
        duration=_seconds(row, "duration"),
        values=tuple(values.values()),
    )


def _number(row: Row, target: str) -> float | None:
    """The value of a target; None where nobody knows it."""
    text = row.cell(value_column(target))
    try:
        value = float(text) if text else math.nan
    except ValueError:
        value = math.inf
    if math.isinf(value):
        comma = ", with a point, not a comma" if "," in text else ""
        raise BadInput(
            f"{row.where}: {target} {text[:40]!r}; a number is needed{comma}, or nothing where it is unknown"
        )
    return None if math.isnan(value) else value


def _file(row: Row, bases: Sequence[Path], folders: Folders) -> tuple[str, Path | None]:
    """A clip's path as the list says it, and where it is: with the spaces around it where such a file is there."""
    listed, text = row.cells.get("path", ""), row.cell("path")
    if not text:
        return "", None
    if fault := impossible_name(text):
        raise BadInput(f"{row.where}: {fault}")
    if listed != text and "\0" not in listed and (place := find_file(listed, bases, folders)):
        text = listed
    else:
        place = find_file(text, bases, folders)
    if place and folders.is_folder(place):
        raise BadInput(f"{row.where}: {shown(str(place))} is a folder; the path of a file is needed")
    return text, place or bases[-1] / listed_path(text)


def _names(row: Row, column: str) -> tuple[str, ...]:
    """The names in a cell, each once."""
    text = row.cell(column)
    if row.exact:
        return tuple(dict.fromkeys(filter(None, text.split(_SEPARATOR))))
    names, wrong = _parted(text)
    if wrong:
        raise BadInput(
            f"{row.where}: its {column} {wrong[:80]!r} holds a line end or another control character; remove it"
        )
    return names


@lru_cache(maxsize=10_000)
def _parted(text: str) -> tuple[tuple[str, ...], str]:
    """The names in a text, each once, and the first that is not plain, or ""."""
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(_SEPARATOR)))))
    return names, next((name for name in names if not is_plain(name)), "")


def _seconds(row: Row, column: str) -> float | None:
    text = row.cell(column).strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9 or (column == "duration" and value == 0):
        raise BadInput(f"{row.where}: {column} {text[:40]!r}; a number of seconds is needed")
    return value


def _whole(path: Path, text: str, clip_id: str) -> int:
    number = text.strip().removesuffix(".0")  # as pandas writes it where a column has empty cells
    if not number.isdecimal() or int(number) > 999:
        raise BadInput(f"{path}: the fold of {shown(clip_id)} is {text[:40]!r}; a whole number from 0 on is needed")
    return int(number)
