"""Bring your own: a folder with one sub-folder a class, or a CSV file of clips and labels.

Splits that are not given are drawn: stratified by class, groups kept together, the same on every machine (see
`mirbench.tasks.splitting`); ``+resplit-draw1`` draws others, ``+folds5`` makes folds. The task's version is a hash of
its clips, labels and splits, so that changed data never shares a table with what it was before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mirbench.clip_list import in_fold, read_clip_list
from mirbench.datasets import user_path
from mirbench.errors import BadInput, MissingData
from mirbench.metrics import SINGLE_LABEL, TAGGING
from mirbench.tasks.splitting import drawn_split, partition
from mirbench.types import Clip, Task

__all__ = ["csv_task", "folder_task", "own_task"]

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".snd", ".w64", ".caf")
"""What libsndfile decodes."""

_SPLIT_NAMES = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
_OF_TRAIN = {"train": 0.85, "valid": 0.15}


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
    root = _absolute(argument, "folder")
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


def csv_task(argument: str, data: Path | None = None) -> Task:
    """A task of a CSV file of clips; see `mirbench.clip_list` for its columns.

    Parameters
    ----------
    argument : str
        The file; its paths are relative to its folder, or to `data`, whichever holds them.
    data : Path or None
        What ``--data`` gave.

    Raises
    ------
    MissingData
        If there is no such file.
    BadInput
        If the file is not such a table.
    """
    path = _absolute(argument, "csv")
    if not path.is_file():
        raise MissingData(f"csv:{argument}: no such file; a table with the columns path,label is needed")
    base = path.parent
    clips, folds = read_clip_list(path)
    if data is not None and any(clip.path and not clip.path.exists() for clip in clips[:1]):
        base = data.resolve()
        clips, folds = read_clip_list(path, base)
    return own_task(f"csv:{path.stem}", f"the list {path.name}", base, clips, folds)


def own_task(name: str, title: str, root: Path, clips: Sequence[Clip], folds: Mapping[str, int]) -> Task:
    """A task of a user's own clips: splits completed, counts checked, version taken from what it holds.

    Parameters
    ----------
    root : Path
        Folder to which the clips' paths are written relative.
    clips : sequence of Clip
        Their split is "" where it is to be drawn.
    folds : mapping of str to int
        The fold of each clip, or empty.
    """
    _check_ids(name, clips)
    _check_labels(name, clips)
    single = all(len(clip.labels) == 1 and not clip.unknown for clip in clips)
    classes = tuple(sorted({label for clip in clips for label in (*clip.labels, *clip.unknown)}))
    if len(classes) < 2:
        raise BadInput(f"{name}: {len(classes)} class ({', '.join(classes) or 'none'}); two or more are needed")
    n_folds = max(folds.values()) + 1 if folds else 1
    if folds and (n_folds < 3 or set(folds.values()) != set(range(n_folds))):
        raise BadInput(
            f"{name}: folds {sorted(set(folds.values()))}; 0, 1, 2 … without a gap, three or more, are needed"
        )
    settled = list(clips) if folds else _completed(name, clips)

    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        return in_fold(settled, folds, n_folds, fold) if folds else settled

    for fold in range(n_folds):
        _check_counts(name, classes, read_clips(None, fold))
        _check_groups(name, read_clips(None, fold))
    return Task(
        name=name,
        version=_version(settled, folds),
        title=f"Your own: {title}",
        kind="single-label" if single else "multi-label",
        classes=classes,
        metrics=SINGLE_LABEL if single else TAGGING,
        read_clips=read_clips,
        folder=str(root),
        n_clips=len(clips),
        clip_seconds=0.0,
        n_folds=n_folds,
        standing="own",
        manifest=True,
        datasets=(name,),
        notes=("its version is a hash of its clips, labels and splits, which stand beside its records",),
    )


def _absolute(argument: str, family: str) -> Path:
    if not argument:
        raise BadInput(f"{family}: names nothing; write {family}:PATH")
    return user_path(argument).resolve()


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


def _check_ids(name: str, clips: Sequence[Clip]) -> None:
    twice = [clip_id for clip_id, count in Counter(clip.id for clip in clips).items() if count > 1]
    if twice:
        raise BadInput(
            f"{name}: '{twice[0]}' occurs twice; give several stretches of one file ids of their own (a column id)"
        )


def _check_labels(name: str, clips: Sequence[Clip]) -> None:
    several = any(len(clip.labels) > 1 or clip.unknown for clip in clips)
    if not several and (empty := [clip.id for clip in clips if not clip.labels]):
        raise BadInput(
            f"{name}: {empty[0]} has no label ({len(empty)} such); each clip of a single-label task needs one"
        )


def _check_groups(name: str, clips: Sequence[Clip]) -> None:
    splits: dict[str, set[str]] = {}
    for clip in clips:
        if clip.group:
            splits.setdefault(clip.group, set()).add(clip.split)
    if crossing := next((group for group, own in splits.items() if len(own) > 1), None):
        where = " and ".join(sorted(splits[crossing]))
        raise BadInput(f"{name}: group '{crossing}' is in {where}; a group belongs to one split")


def _completed(name: str, clips: Sequence[Clip]) -> list[Clip]:
    """The clips with their splits: all as given, valid drawn from train where only that lacks, or all drawn."""
    given = {clip.split for clip in clips}
    if given == {""}:
        return drawn_split(clips)
    if "" in given:
        lacking = next(clip.id for clip in clips if not clip.split)
        raise BadInput(f"{name}: {lacking} has no split and others have; give all of them one, or none")
    if "valid" not in given:
        parts = partition([clip for clip in clips if clip.split == "train"], _OF_TRAIN)
        return [replace(clip, split=parts.get(clip.id, clip.split)) for clip in clips]
    return list(clips)


def _check_counts(name: str, classes: Sequence[str], clips: Sequence[Clip]) -> None:
    if not any(clip.split == "valid" for clip in clips):
        raise BadInput(f"{name}: no clip is in valid, on which methods are selected; give some the split valid")
    for split in ("train", "test"):
        held = Counter(label for clip in clips if clip.split == split for label in clip.present)
        if lacking := [label for label in classes if not held[label]]:
            total = sum(lacking[0] in clip.present for clip in clips)
            raise BadInput(
                f"{name}: no clip of '{lacking[0]}' is in {split} (it has {total} in all); a class needs clips, or "
                "groups, for each split: add some, or leave the class out"
            )


def _version(clips: Sequence[Clip], folds: Mapping[str, int]) -> str:
    total = hashlib.sha256()
    for clip in sorted(clips, key=lambda clip: clip.id):
        where = (clip.start, clip.duration)
        line = (clip.id, folds.get(clip.id, clip.split), clip.labels, clip.unknown, clip.group, *where)
        total.update(repr(line).encode())
    return total.hexdigest()[:12]
