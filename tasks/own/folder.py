"""``folder:PATH``: a folder with one sub-folder a class."""

from __future__ import annotations

from pathlib import Path

from mirbench.errors import BadInput, MissingData
from mirbench.features.audio import SUFFIXES
from mirbench.tasks.own.own_task import named_path, own_task
from mirbench.types import Clip, Task

__all__ = ["folder_task"]

_SPLIT_NAMES = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}


def folder_task(argument: str, data: Path | None = None) -> Task:
    """A task of a folder whose sub-folders are classes; a folder inside a class is a group (an artist, an album).

    With the sub-folders train and test (and valid), the classes are inside those.

    Parameters
    ----------
    argument : str
        The folder.
    data : Path or None
        Not used: the folder says where it is.

    Raises
    ------
    MissingData
        If there is no such folder.
    BadInput
        If it holds no two classes with audio, or a class is too small to be split.
    """
    root = named_path(argument, "folder")
    if not root.is_dir():
        raise MissingData(f"folder:{argument}: no such folder; one with a sub-folder of audio a class is needed")
    parts = _sub_folders(root)
    given = [_SPLIT_NAMES.get(path.name.lower(), "") for path in parts]
    if not any(given):
        clips = _labelled(root, root, "")
    elif all(given) and {"train", "test"} <= set(given) and len(set(given)) == len(given):
        clips = [clip for part, split in zip(parts, given, strict=True) for clip in _labelled(root, part, split)]
    else:
        raise BadInput(
            f"folder:{argument}: its sub-folders are {', '.join(path.name for path in parts)}; either all of them are "
            "classes, or they are train, test and perhaps valid, with the classes inside"
        )
    if strange := next((clip.labels[0] for clip in clips if ";" in clip.labels[0]), ""):
        raise BadInput(f"folder:{argument}: the class '{strange}' has a semicolon in its name; rename that folder")
    if not clips:
        raise BadInput(
            f"folder:{argument}: no audio ({', '.join(SUFFIXES)}) in its sub-folders; one sub-folder a class is needed"
        )
    return own_task(f"folder:{root.name}", f"the folder {root.name}", root, clips, {})


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _labelled(root: Path, folder: Path, split: str) -> list[Clip]:
    clips = []
    for part in _sub_folders(folder):
        for path in sorted(part.rglob("*")):
            inside = path.relative_to(part).parts
            if path.is_file() and path.suffix.lower() in SUFFIXES and not any(name.startswith(".") for name in inside):
                group = inside[0] if len(inside) > 1 else ""
                clips.append(Clip(path.relative_to(root).as_posix(), path, split, (part.name,), group=group))
    return clips
