"""Clips as a table that people can read: one CSV row a clip.

Columns: ``label`` is needed, and ``path`` or ``id``: a clip without a path is known by its id alone, for runs on
precomputed features. ``label`` and ``unknown`` hold names separated by ``;``. ``split`` is train,
valid or test; ``fold`` instead is the fold in which the clip is tested (the next one is its valid, as in gtzan-mini).
``group`` is what must not cross splits, ``start`` and ``duration`` are seconds, ``id`` is the path unless it is given.
A file may be named several times, with ids of their own for its stretches.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.places import user_path, written, written_path
from mirbench.types import Clip

__all__ = ["COLUMNS", "in_fold", "read_clip_list", "write_clip_list"]

COLUMNS = ("id", "path", "label", "unknown", "split", "fold", "group", "start", "duration")
_SPLITS = ("train", "valid", "test")
_SEPARATOR = ";"


def in_fold(clips: Iterable[Clip], folds: Mapping[str, int], n_folds: int, fold: int) -> list[Clip]:
    """The clips with the splits of one fold: its own clips are test, those of the next one valid, the rest train."""
    splits = {fold: "test", (fold + 1) % n_folds: "valid"}
    return [replace(clip, split=splits.get(folds[clip.id], "train")) for clip in clips]


def read_clip_list(path: Path, base: Path | None = None) -> tuple[list[Clip], dict[str, int]]:
    """Clips of a CSV file, and the fold of each clip id, if it has that column.

    A clip whose split is not said has the split "".

    Parameters
    ----------
    base : Path or None
        Folder that paths are relative to; None is the file's own.

    Raises
    ------
    BadInput
        If the file is not such a table; names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            _check_header(path, rows.fieldnames)
            clips = [(_clip(path, base or path.parent, row, rows.line_num), row) for row in rows]
            has_folds = "fold" in (rows.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 ({error})") from error
    if not clips:
        raise BadInput(f"{path}: holds no clip, only a header")
    _check_stretches(path, [clip for clip, _ in clips])
    folds = {clip.id: _whole(path, row["fold"], clip.id) for clip, row in clips} if has_folds else {}
    return [clip for clip, _ in clips], folds


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
    work = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        with work.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([column for column in COLUMNS if column != ("split" if folds else "fold")])
            for clip in sorted(clips, key=lambda clip: clip.id):
                writer.writerow([
                    clip.id, _relative(clip.path, base), _SEPARATOR.join(clip.present), _SEPARATOR.join(clip.unknown),
                    folds[clip.id] if folds else clip.split, clip.group, clip.start or "",
                    "" if clip.duration is None else clip.duration,
                ])  # fmt: skip
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def _relative(path: Path | None, base: Path | None) -> str:
    return written(path.relative_to(base).as_posix()) if path and base and path.is_relative_to(base) else ""


def _check_stretches(path: Path, clips: Sequence[Clip]) -> None:
    places = Counter((os.path.normpath(clip.path), clip.start, clip.duration) for clip in clips if clip.path)
    if twice := next((place for place, count in places.items() if count > 1), None):
        raise BadInput(f"{path}: {twice[0]} is listed twice; a file may have several clips if their start differs")


def _check_header(path: Path, header: Sequence[str] | None) -> None:
    found = list(header or ())
    needs = f"{path}: the first line must name the columns path (or id) and label, and any of {', '.join(COLUMNS)}"
    if "label" not in found or not {"path", "id"} & set(found):
        raise BadInput(f"{needs}; it is '{','.join(found)[:80]}'")
    if len(found) == 1 and ";" in found[0]:
        raise BadInput(f"{path}: its columns are separated by semicolons; separate them with commas")
    if len(set(found)) < len(found):
        raise BadInput(f"{path}: names a column twice in '{','.join(found)[:80]}'")
    if strange := [name for name in found if name not in COLUMNS]:
        raise BadInput(f"{needs}; '{strange[0]}' is none of them")
    if "split" in found and "fold" in found:
        raise BadInput(f"{path}: has the columns split and fold; give one of them")


def _clip(path: Path, base: Path, row: dict[str, str], line: int) -> Clip:
    where = f"{path}, line {line}"
    if None in row or None in row.values():
        raise BadInput(f"{where}: has another number of fields than the header; quote a field that holds a comma")
    file, split = row.get("path", "").strip(), row.get("split", "").strip()
    clip_id = row.get("id", "").strip() or file
    if not clip_id:
        raise BadInput(f"{where}: neither a path nor an id")
    if split not in ("", *_SPLITS):
        raise BadInput(f"{where}: split '{split}'; one of {', '.join(_SPLITS)} is needed")
    labels = _names(row["label"])
    return Clip(
        id=clip_id,
        path=written_path(base / user_path(file)) if file else None,
        split=split,
        labels=labels,
        unknown=tuple(name for name in _names(row.get("unknown", "")) if name not in labels),
        group=row.get("group", "").strip(),
        start=_seconds(where, row, "start") or 0.0,
        duration=_seconds(where, row, "duration"),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(_SEPARATOR) if name.strip()))


def _seconds(where: str, row: dict[str, str], column: str) -> float | None:
    text = row.get(column, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9 or (column == "duration" and value == 0):
        raise BadInput(f"{where}: {column} '{text}'; a number of seconds is needed")
    return value


def _whole(path: Path, text: str, clip_id: str) -> int:
    if not text.strip().isdecimal() or int(text) > 999:
        raise BadInput(f"{path}: the fold of {clip_id} is '{text}'; a whole number from 0 on is needed")
    return int(text)
