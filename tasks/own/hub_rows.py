"""The rows of a data set that the library ``datasets`` has loaded, written as audio files and a list of clips.

What a row says is not trusted: files get names of our own, and a path is read only where the library put its download.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput, UnknownName
from mirbench.features.clip_list import write_clip_list
from mirbench.progress import Progress
from mirbench.tasks.own.libraries import Asked, class_name, named_splits, one_line
from mirbench.types import Clip

__all__ = ["write_rows"]

_LABELS = ("label", "labels", "genre", "genres", "class", "classes", "instrument", "instruments", "style", "tags")
_SUFFIXES = {
    "WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3", "AIFF": ".aiff",
    "AU": ".au", "CAF": ".caf", "W64": ".w64",
}  # fmt: skip
_UNREADABLE = 0.1  # a larger share than this is no accident but a format that nothing here decodes
_PATIENCE = 50  # so many unreadable files at a time, before their share is looked at


@dataclass(frozen=True)
class _Columns:
    """Names of the columns that are read; no group is ""."""

    audio: str
    label: str
    group: str


def write_rows(
    library: Any, asked: Asked, loaded: Mapping[str, Any], places: Sequence[Path], target: Path, progress: Progress
) -> str:
    """Write the list of a loaded data set's clips, and beside it their audio.

    Parameters
    ----------
    library : module
        The library ``datasets``.
    loaded : mapping of str to Dataset
        What it loaded, by the names of the published splits.
    places : sequence of Path
        Folders in which a file that a row names may lie.
    target : Path
        The list of clips; its folder is made.

    Returns
    -------
    str
        A line about columns, splits and what was left out.

    Raises
    ------
    BadInput
        If columns or splits are not what they should be, or too many files cannot be read.
    """
    if not any(len(rows) for rows in loaded.values()):
        raise BadInput(f"{asked.name}: the data set is empty")
    splits = named_splits(asked.name, loaded)
    columns = _columns(library, asked, next(iter(loaded.values())).features)
    target.parent.mkdir(parents=True)
    inside = [place.resolve() for place in places]
    clips: list[Clip] = []
    strange: list[str] = []
    n_unlabelled = 0
    with progress.bar(f"writing {asked.name}", sum(len(loaded[name]) for name in splits), "clips") as step:
        for clip, held in _rows(library, asked, loaded, splits, columns):
            step(1)
            if clip is None:
                n_unlabelled += 1
                continue
            data = _bytes(asked, clip, held, inside)
            if suffix := _suffix(data):
                clips.append(replace(clip, path=_write(target.parent, len(clips), suffix, data)))
                continue
            strange.append(f"{clip.id}{Path(str(held.get('path') or '')).suffix[:8]}")
            if len(strange) % _PATIENCE == 0:
                _check_readable(asked, len(clips), strange)
    _check_readable(asked, len(clips), strange)
    write_clip_list(target, [clips], target.parent)
    left_out = {"that soundfile cannot read": len(strange), "without a label": n_unlabelled}
    return _told(columns, loaded, splits, left_out)


def _told(columns: _Columns, loaded: Iterable[str], splits: Iterable[str], left_out: Mapping[str, int]) -> str:
    unused = [name for name in loaded if name not in splits]
    return "; ".join(
        [
            f"audio from the column {columns.audio}, classes from {columns.label}",
            *([f"groups from {columns.group}"] if columns.group else []),
            f"its splits are {', '.join(loaded)}",
            *([f"left out: {', '.join(unused)}"] if unused else []),
            *(f"left out: {count} {what}" for what, count in left_out.items() if count),
        ]
    )


def _columns(library: Any, asked: Asked, features: Mapping[str, Any]) -> _Columns:
    """The columns that are said, or the only ones that may be audio and label."""
    options = asked.options
    for option in ("audio", "label", "group"):
        if options.get(option) and options[option] not in features:
            raise UnknownName(f"column of {asked.name}", options[option], map(str, features))
    audio = [column for column, feature in features.items() if isinstance(feature, library.Audio)]
    label = [column for column, feature in features.items() if hasattr(_inner(feature), "int2str")]
    label = label or [column for column in features if column.lower() in _LABELS]
    return _Columns(
        options.get("audio") or _only(asked, "audio", audio, features),
        options.get("label") or _only(asked, "label", label, features),
        options.get("group", ""),
    )


def _only(asked: Asked, option: str, found: Sequence[str], features: Iterable[str]) -> str:
    if len(found) != 1:
        which = f"{' and '.join(found)} may be" if found else "no column is known to be"
        also = "&" if asked.options else "?"
        raise BadInput(f"{asked.name}: {which} {option}; add {also}{option}=COLUMN, one of {', '.join(features)}")
    return found[0]


def _inner(feature: Any) -> Any:
    """The feature of a list's members, or the feature itself."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", feature)


def _rows(
    library: Any, asked: Asked, loaded: Mapping[str, Any], splits: Mapping[str, str], columns: _Columns
) -> Iterator[tuple[Clip | None, Mapping[str, Any]]]:
    """Clips without a path, None where a row has no label, and what the library holds of their audio."""
    wanted = [column for column in (columns.audio, columns.label, columns.group) if column]
    for published, split in splits.items():
        try:
            rows = loaded[published].cast_column(columns.audio, library.Audio(decode=False))
        except Exception as error:  # the library's many ways to say that a column holds no audio
            raise BadInput(f"{asked.name}: the column {columns.audio} holds no audio ({one_line(error)})") from error
        names = _class_names(asked, columns.label, rows.features[columns.label])
        for number, row in enumerate(rows.select_columns(wanted)):
            labels = _labels(row[columns.label], names)
            group = row[columns.group] if columns.group else None
            group = "" if group is None else " ".join(str(group).split())
            clip = None if labels is None else Clip(f"{published}-{number:06}", None, split, labels, group=group)
            yield clip, row[columns.audio] or {}


def _class_names(asked: Asked, column: str, feature: Any) -> tuple[str, ...] | None:
    """Names of the classes that a column holds the numbers of; None where it holds names themselves."""
    inner = _inner(feature)
    if not hasattr(inner, "int2str"):
        kind = str(getattr(inner, "dtype", type(inner).__name__))
        if not kind.startswith(("string", "large_string", "int", "uint", "bool")):
            raise BadInput(
                f"{asked.name}: the column {column} holds {kind}; classes are text, whole numbers, or lists of them"
            )
        return None
    names = tuple(class_name(str(text)) for text in inner.names)
    if len(set(names)) < len(names) or "" in names:
        raise BadInput(f"{asked.name}: the classes of {column} are not told apart by their names")
    return names


def _labels(value: Any, names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Classes of a row; None where it has no label (the Hub's number for that is -1)."""
    if value is None:
        return None
    several = isinstance(value, list)
    found = [member for member in (value if several else [value]) if member is not None]
    if names is not None:
        texts = [names[member] for member in found if 0 <= member < len(names)]
    else:
        texts = [text for text in (class_name(str(member)) for member in found) if text]
    return tuple(dict.fromkeys(texts)) if texts or several else None


def _bytes(asked: Asked, clip: Clip, held: Mapping[str, Any], places: Sequence[Path]) -> bytes:
    """The encoded audio of a row: its own bytes, or those of a file that was downloaded with it."""
    if held.get("bytes") or not held.get("path"):
        return bytes(held.get("bytes") or b"")
    where = str(held["path"])
    inside, packed, file = where.rpartition("::")  # "zip://a/b.wav::/folder/c.zip" is a/b.wav in c.zip
    path = Path(file)
    safe = path.is_absolute() and any(path.resolve().is_relative_to(place) for place in places)
    if not safe or (packed and not inside.startswith("zip://")):
        raise BadInput(f"{asked.name}: {clip.id} names the file {where!a}, which is not its own; not trusted")
    if not packed:
        return path.read_bytes()
    with importlib.import_module("fsspec").open(where, "rb") as stream:
        return bytes(stream.read())


def _suffix(data: bytes) -> str:
    """Suffix of the format that the bytes are in, "" where soundfile cannot read them."""
    import soundfile

    try:
        return _SUFFIXES.get(soundfile.info(io.BytesIO(data)).format, "")
    except soundfile.SoundFileError:
        return ""


def _write(folder: Path, number: int, suffix: str, data: bytes) -> Path:
    path = folder / "audio" / f"{number // 1000:03}" / f"{number:06}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _check_readable(asked: Asked, n_readable: int, strange: Sequence[str]) -> None:
    n_seen = n_readable + len(strange)
    if len(strange) > _UNREADABLE * n_seen:
        raise BadInput(
            f"{asked.name}: soundfile cannot read {len(strange)} of the first {n_seen} files "
            f"({strange[0]} …); convert them and take folder:PATH"
        )
