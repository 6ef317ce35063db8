"""``folder:PATH``: a folder with one sub-folder a class.

Nothing is left out without a word: what cannot be read is refused by name, and so is a class that would vanish; what
holds sound and cannot be decoded is counted in a caution of the task.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mirbench.errors import BadInput, MissingData
from mirbench.features.sound_files import SUFFIXES
from mirbench.features.walk import Found, few, require_whole, walk
from mirbench.places import path_text, refuse_whole_machine
from mirbench.tasks.own.own_task import called_folder, named_path, own_task
from mirbench.tasks.own.split_folders import are_numbered, folds_of, splits_of
from mirbench.types import Clip, Task

__all__ = ["folder_task"]

_INSIDE = re.compile(r"\?inside=(groups|nothing)\Z")


def folder_task(argument: str, data: Path | None = None) -> Task:
    """A task of a folder whose sub-folders are classes; a folder inside a class is a group (an artist, an album).

    With the sub-folders train and test (and valid), or fold1, fold2 …, the classes are inside those.

    Parameters
    ----------
    argument : str
        The folder; with ``?inside=groups`` behind it, the same folders inside every class are groups; with
        ``?inside=nothing``, no folder inside a class is one.
    data : Path or None
        Not used: the folder says where it is.

    Raises
    ------
    MissingData
        If there is no such folder, or files in it are links to nothing.
    BadInput
        If it holds no two classes with audio, a class is too small to be split, something cannot be read, or it cannot
        be told which of its sub-folders are the classes; or if it is the folder of the whole machine.
    """
    name = f"folder:{path_text(argument)}"
    root = named_path(argument, "folder")
    asked = _INSIDE.search(argument) if not root.exists() else None
    root = named_path(_INSIDE.sub("", argument), "folder") if asked else root
    if not root.is_dir():
        raise MissingData(f"{name}: no such folder; one with a sub-folder of audio a class is needed")
    refuse_whole_machine(root)
    found = walk(root)
    require_whole(found, name)
    lost = _empty_folders(name, found, 1)
    _refuse_shared(name, found, 1)
    if not any(len(found.inside(path)) > 1 for path in found.files):
        raise BadInput(
            f"{name}: no audio ({', '.join(SUFFIXES)}) in its sub-folders; one sub-folder a class is needed"
            + "".join(f"; {line}" for line in found.left_out())
        )
    inside = _inside(found)
    folds = folds_of(name, inside)
    splits = {} if folds else splits_of(name, inside)
    depth = 2 if folds or splits else 1
    if depth == 2:
        lost += _empty_folders(name, found, 2)
        _refuse_shared(name, found, 2)
    same = [] if depth == 2 or asked else _same_folders(name, found, inside)
    clips = list(_clips(found, depth, splits))
    if asked and asked[1] == "nothing":
        clips = [replace(clip, group="") for clip in clips]
    _check_classes(name, found, clips)
    task = own_task(
        f"folder:{called_folder(str(root))}", f"the folder {path_text(root.name)}", root, clips,
        {clip.id: folds[found.inside(clip.path)[0]] for clip in clips if clip.path} if folds else {},
    )  # fmt: skip
    return replace(task, cautions=(*task.cautions, *same, *_numbered(clips), *_cautions(found, depth, lost)))


def _inside(found: Found) -> dict[str, set[str]]:
    """The sub-folders that hold audio, each with those of its own that do."""
    inside: dict[str, set[str]] = defaultdict(set)
    for path in found.files:
        top, *names = found.inside(path)
        if names:
            inside[top].update(names[:1] if len(names) > 1 else ())
    return dict(sorted(inside.items()))


def _clips(found: Found, depth: int, splits: Mapping[str, str]) -> Iterator[Clip]:
    for path in found.files:
        names = found.inside(path)
        if len(names) > depth:
            group = path_text(names[depth]) if len(names) > depth + 1 else ""
            label = path_text(names[depth - 1])
            yield Clip(path_text("/".join(names)), path, splits.get(names[0], ""), (label,), group=group)


def _empty_folders(name: str, found: Found, depth: int) -> list[Path]:
    """Folders of classes, so many levels down, without audio; refused where something in them may have been meant."""
    held = {found.inside(path)[:depth] for path in found.files}
    held |= {found.inside(again.path)[:depth] for again in found.again}
    empty = [path for path in found.folders if len(found.inside(path)) == depth and found.inside(path) not in held]
    meant = defaultdict(list)
    for path in sorted([*found.undecoded, *found.misnamed, *found.unopened, *found.unknown]):
        meant[found.inside(path)[:depth]].append(path)
    if lost := [path for path in empty if meant[found.inside(path)]]:
        files = [path for folder in lost for path in meant[found.inside(folder)]]
        raise BadInput(
            f"{name}: no class is made of {few(found, lost)}, which would be lost: no audio that is decoded here, but "
            f"{few(found, files)}; convert it (`ffmpeg -i FILE FILE.flac`), or move the folder away"
        )
    return empty


def _refuse_shared(name: str, found: Found, depth: int) -> None:
    """Refuse links by which a file is in two classes, or in two splits."""
    for path, first, real in found.again:
        here, there = found.inside(path), found.inside(first)
        if here[:depth] == there[:depth] or not (files := found.at(real)) or (len(here) == 1 and path.is_file()):
            continue
        raise BadInput(
            f"{name}: {few(found, [path])} is a link to what is in {few(found, [first])} too ({few(found, files)}), so "
            "that it would be in two classes or splits; remove one of them"
        )


def _same_folders(name: str, found: Found, inside: Mapping[str, set[str]]) -> list[str]:
    """A caution where every class holds the same sub-folders; refused where those may well be the classes.

    Singer1, singer2 … are groups by their names.
    """
    same, every = set.intersection(*inside.values()), set.union(*inside.values())
    if len(inside) < 2 or len(same) < 2 or len(same) < 0.75 * len(every):
        return []
    outer, inner = (few(found, [found.root / top for top in sorted(names)]) for names in (inside, same))
    said = f"each of its sub-folders ({outer}) holds the same sub-folders ({inner})"
    todo = "call the outer ones train, test and perhaps valid, or fold1, fold2 …, or put the classes into one folder"
    if are_numbered(inside) or not are_numbered(same):
        raise BadInput(
            f"{name}: {said}; where those are the classes, {todo}; where they are groups (artists, albums) of each "
            f"class, write '{name}?inside=groups', and '{name}?inside=nothing' where they are neither"
        )
    return [f"{said}, which are taken for groups (artists, albums) of each class; if they are the classes, {todo}"]


def _check_classes(name: str, found: Found, clips: Sequence[Clip]) -> None:
    classes = {clip.labels[0]: clip for clip in clips}
    if strange := next((label for label in sorted(classes) if ";" in label), ""):
        raise BadInput(f"{name}: the class '{strange}' has a semicolon in its name; rename that folder")
    if len(classes) == 1:
        (only,) = classes
        below = os.path.commonpath([clip.path.parent for clip in clips if clip.path])
        deeper = {names[0] for clip in clips if clip.path and (names := clip.path.relative_to(below).parts[:-1])}
        if len(deeper) > 1:
            inside = "/".join(map(path_text, found.inside(Path(below))))
            raise BadInput(
                f"{name}: 1 class ({only}); two or more are needed; where the {len(deeper)} sub-folders of {inside} "
                f"are the classes, write '{name}/{inside}'"
            )


def _numbered(clips: Sequence[Clip]) -> list[str]:
    """A caution where folders only part the files, as 014/014123.mp3 and 23/1123.mp3: by the numbers of those."""
    for clip in clips:
        label, number = clip.labels[0], re.sub(r"\D.*", "", clip.path.name if clip.path else "")
        if not re.fullmatch(r"\d\d+", label) or len(number) <= len(label):
            return []
        if not number.startswith(label) and not number.endswith(label):
            return []
    first = clips[0]
    return [
        f"its classes are called by numbers that those of their files begin or end with ({first.id}): if they only "
        "part the files, and say nothing of the music, a list (`csv:FILE`) must say the labels"
    ]


def _cautions(found: Found, depth: int, lost: Sequence[Path]) -> Iterator[str]:
    """What a user may miss, a line for each kind."""
    yield from found.left_out()
    if loose := [path for path in found.files if len(found.inside(path)) <= depth]:
        count = f"{len(loose)} audio file{'s' if len(loose) > 1 else ''}"
        yield f"left out: {count} beside the folders of classes ({few(found, loose)}); move them into one to use them"
    if lost:
        yield f"no class: {few(found, lost)}, where there is no audio"
