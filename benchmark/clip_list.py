"""Clips as a table that people can read: one CSV row a clip.

Columns: ``path`` and ``label`` are needed. ``label`` and ``unknown`` hold names separated by ``;``. ``split`` is train,
valid or test; ``fold`` instead is the fold in which the clip is tested (the next one is its valid, as in gtzan-mini).
``group`` is what must not cross splits, ``start`` and ``duration`` are seconds, ``id`` is the path unless it is given.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.types import Clip

__all__ = ["COLUMNS", "read_clip_list", "write_clip_list"]

COLUMNS = ("id", "path", "label", "unknown", "split", "fold", "group", "start", "duration")
_SPLITS = ("train", "valid", "test")
_SEPARATOR = ";"


def read_clip_list(path: Path) -> tuple[list[Clip], dict[str, int]]:
    """Clips of a CSV file, with paths relative to its folder; and the fold of each clip id, if it has that column.

    A clip whose split is not said has the split "".

    Raises
    ------
    BadInput
        If the file is not such a table; names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            _check_header(path, rows.fieldnames)
            clips = [(_clip(path, row, rows.line_num), row) for row in rows]
            has_folds = "fold" in (rows.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: not readable as a CSV file in UTF-8 ({error})") from error
    if not clips:
        raise BadInput(f"{path}: holds no clip, only a header")
    folds = {clip.id: _whole(path, row["fold"], clip.id) for clip, row in clips} if has_folds else {}
    return [clip for clip, _ in clips], folds


def write_clip_list(path: Path, folds: Sequence[Sequence[Clip]], base: Path) -> None:
    """Write the clips of a task so that `read_clip_list` gives them and their splits again.

    Parameters
    ----------
    folds : sequence of sequence of Clip
        Clips of every fold.
    base : Path
        Folder to which paths are relative.
    """
    tested = {clip.id: fold for fold, clips in enumerate(folds) for clip in clips if clip.split == "test"}
    many = len(folds) > 1
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column for column in COLUMNS if column != ("split" if many else "fold")])
        for clip in sorted(folds[0], key=lambda clip: clip.id):
            where = clip.path.relative_to(base).as_posix() if clip.path and clip.path.is_relative_to(base) else ""
            writer.writerow([
                clip.id, where, _SEPARATOR.join(clip.present), _SEPARATOR.join(clip.unknown),
                tested[clip.id] if many else clip.split, clip.group, clip.start or "",
                "" if clip.duration is None else clip.duration,
            ])  # fmt: skip


def _check_header(path: Path, header: Sequence[str] | None) -> None:
    found = list(header or ())
    needs = f"{path}: the first line must name the columns path,label and any of {', '.join(COLUMNS)}"
    if lacking := [name for name in ("path", "label") if name not in found]:
        raise BadInput(f"{needs}; {', '.join(lacking)} is missing in '{','.join(found)[:80]}'")
    if strange := [name for name in found if name not in COLUMNS]:
        raise BadInput(f"{needs}; '{strange[0]}' is none of them")
    if "split" in found and "fold" in found:
        raise BadInput(f"{path}: has the columns split and fold; give one of them")


def _clip(path: Path, row: dict[str, str], line: int) -> Clip:
    where = f"{path}, line {line}"
    if None in row or None in row.values():
        raise BadInput(f"{where}: has another number of fields than the header; quote a field that holds a comma")
    file, split = row["path"].strip(), row.get("split", "").strip()
    if not file:
        raise BadInput(f"{where}: the path is empty")
    if split not in ("", *_SPLITS):
        raise BadInput(f"{where}: split '{split}'; one of {', '.join(_SPLITS)} is needed")
    labels = _names(row["label"])
    return Clip(
        id=row.get("id", "").strip() or file,
        path=path.parent / Path(file).expanduser(),
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
