"""The files of a folder that a user made: found through links, and nothing left out without a word.

Conventions: links are followed; a folder or file that is reached again is taken once, by the path with the fewest
links. Hidden files, and what systems leave behind (``__MACOSX``, ``Thumbs.db``), are passed by. Pipes and devices are
not opened.
"""

from __future__ import annotations

import bisect
import functools
import os
import stat
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mirbench.errors import BadInput, MissingData
from mirbench.features import pictures
from mirbench.features.sound_files import is_called_sound, is_document, is_pointer, kind_of, suffix_of
from mirbench.places import path_text

__all__ = ["Again", "Found", "few", "require_whole", "walk"]

_LEFT_BY_SYSTEMS = {"__macosx", "$recycle.bin", "system volume information", "@eadir", "lost+found"}


class Again(NamedTuple):
    """A path that leads to what was reached before by another one; `real` is where it lies, named without links."""

    path: Path
    first: Path
    real: str


@dataclass
class Found:
    """What is below a folder.

    Parameters
    ----------
    root : Path
        The folder.
    files : list of Path
        What can be heard (or seen), sorted.
    folders : list of Path
        Every folder that was entered.
    undecoded, misnamed, unopened : list of Path
        Sound in forms that are not decoded here; sound that is called otherwise; pipes and devices called as sound.
    unknown : list of Path
        Files that hold no sound as far as one sees, and are no texts, tables or pictures either.
    absent : list of Path
        Links to nothing, and pointers to files that git-annex, git-LFS or a cloud keeps elsewhere.
    closed : list of (Path, str)
        What cannot be read, and why.
    again : list of Again
        Links to what is in the folder anyway.
    above : list of Path
        Links to a folder in which they lie themselves, and which is not in this one: they are not followed.
    """

    root: Path
    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    undecoded: list[Path] = field(default_factory=list)
    misnamed: list[Path] = field(default_factory=list)
    unopened: list[Path] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)
    absent: list[Path] = field(default_factory=list)
    closed: list[tuple[Path, str]] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)
    above: list[Path] = field(default_factory=list)
    places: dict[str, Path] = field(default_factory=dict)  # where each of `files` really lies; sorted by the walk

    def inside(self, path: Path) -> tuple[str, ...]:
        """The names from the root down to a path."""
        return path.parts[len(self.root.parts) :]

    def at(self, real: str) -> list[Path]:
        """Those of the files that lie at or below a place, which is named without links."""
        names, stem = self._names, real.rstrip(os.sep)
        below = slice(bisect.bisect_left(names, stem + os.sep), bisect.bisect_left(names, stem + chr(ord(os.sep) + 1)))
        return [self.places[name] for name in ([real] if real in self.places else names[below])]

    @functools.cached_property
    def _names(self) -> list[str]:
        return list(self.places)

    def left_out(self) -> tuple[str, ...]:
        """What of the folder is not among the files and might be missed, a line for each kind, with what to do."""
        lines = []
        if unheard := sorted([*self.undecoded, *self.misnamed, *self.unopened]):
            todo = []
            if self.undecoded:
                todo.append("convert what is not decoded here (`ffmpeg -i FILE FILE.flac`)")
            if self.misnamed:
                todo.append("give what is called otherwise a name that ends in .wav, .flac …, or remove the copy")
            if self.unopened:
                todo.append("pipes and devices are not opened")
            lines.append(f"left out: {_count(unheard, 'file')} of sound ({few(self, unheard)}); {'; '.join(todo)}")
        if self.above:
            lines.append(
                f"not followed: {_count(self.above, 'link')} to a folder above ({few(self, self.above)}); link to what "
                "is wanted of it"
            )
        leading = [again.path for again in self.again if self.at(again.real)]
        if leading:
            lines.append(
                f"taken once: what is reached a second time by {_count(leading, 'link')} ({few(self, leading)})"
            )
        return tuple(lines)

    def faults(self) -> list[str]:
        """A line for each file that is not on this machine and each folder that cannot be read."""
        lines = [f"{path_text(path)}: not on this machine ({_ABSENT})" for path in sorted(self.absent)]
        return lines + [f"{path_text(path)}: cannot be read ({why})" for path, why in sorted(self.closed)]


_ABSENT = "links to nothing, or pointers of git-annex or git-LFS"


def require_whole(found: Found, name: str) -> None:
    """Refuse a folder of which something cannot be looked at.

    Raises
    ------
    BadInput
        If a folder in it, or a file that must be looked into, cannot be read.
    MissingData
        If files in it are links to nothing, or pointers to files elsewhere.
    """
    if found.closed:
        paths = [path for path, _ in found.closed]
        raise BadInput(
            f"{name}: {len(paths)} of its folders or files cannot be read ({few(found, paths)}: {found.closed[0][1]}); "
            "give yourself the right to (`chmod -R u+rX`), or move them away"
        )
    if found.absent:
        raise MissingData(
            f"{name}: {_count(found.absent, 'file')} not on this machine ({few(found, found.absent)}): {_ABSENT}; "
            "fetch what they stand for (`git annex get .`, `git lfs pull`), or remove them"
        )


def few(found: Found, paths: Sequence[Path]) -> str:
    """The first three of some paths, from the folder on, for a message."""
    names = [path_text("/".join(found.inside(path)) or path) for path in paths[:3]]
    return ", ".join(names) + (" …" if len(paths) > 3 else "")


def _count(things: Sequence[object], what: str) -> str:
    return f"{len(things)} {what}{'s' if len(things) != 1 else ''}"


def walk(root: Path, medium: str = "audio") -> Found:
    """Everything below a folder.

    Parameters
    ----------
    medium : {"audio", "picture"}
        What to look for.
    """
    found = Found(root)
    todo = deque([(root, os.path.realpath(root))])
    links: deque[tuple[Path, str]] = deque()  # followed after all that is reached without them
    entered: dict[str, Path] = {}
    while todo or links:
        folder, real = todo.popleft() if todo else _followed(found, medium, entered, *links.popleft())
        if not real:
            continue
        if real in entered:
            if entered[real] not in folder.parents:
                found.again.append(Again(folder, entered[real], real))
            continue
        entered[real] = folder
        for entry in _entries(found, folder):
            path, place = folder / entry.name, os.path.join(real, entry.name)
            if entry.is_symlink():
                links.append((path, real))
            elif entry.is_dir():
                todo.append((path, place))
            else:
                _sort_in(found, medium, path, place)
    found.files.sort()
    found.places = dict(sorted(found.places.items()))
    return found


def _entries(found: Found, folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, less what is passed by."""
    try:
        with os.scandir(folder) as entries:
            every = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.closed.append((folder, _why(error)))
        return []
    found.folders.append(folder)
    found.absent += [folder / e.name for e in every if e.name.startswith(".") and e.name.endswith(".icloud")]
    return [e for e in every if not e.name.startswith(".") and e.name.lower() not in _LEFT_BY_SYSTEMS]


def _followed(found: Found, medium: str, entered: Container[str], link: Path, real: str) -> tuple[Path, str]:
    """Where a link to a folder leads, "" where that is above the link itself; one to a file is sorted in."""
    try:
        is_folder = stat.S_ISDIR(link.stat().st_mode)
    except PermissionError as error:
        found.closed.append((link, _why(error)))
        return link, ""
    except OSError:  # it leads nowhere, or to itself
        found.absent += [link] if _may_be_missed(link.name, medium) else []
        return link, ""
    target = os.path.realpath(link)
    if not is_folder:
        _sort_in(found, medium, link, target)
        return link, ""
    if os.path.commonpath([target, real]) != target:
        return link, target
    if target not in entered:  # what is above all that is looked at
        found.above.append(link)
    return link, ""


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _may_be_missed(name: str, medium: str) -> bool:
    """Whether what is called so may be what is looked for, or a folder of it."""
    if medium == "picture":
        return suffix_of(name) in ("", *pictures.SUFFIXES)
    return not is_document(name)


def _sort_in(found: Found, medium: str, path: Path, real: str) -> None:
    """Put a file where it belongs."""
    if real in found.places:
        found.again.append(Again(path, found.places[real], real))
        return
    try:
        kind = _kind(path, medium)
    except OSError as error:
        found.closed.append((path, _why(error)))
        return
    if kind == "taken":
        found.places[real] = path
    if kind != "passed by":
        {
            "taken": found.files, "absent": found.absent, "unknown": found.unknown, "misnamed": found.misnamed,
            "undecoded": found.undecoded, "unopened": found.unopened,
        }[kind].append(path)  # fmt: skip


def _kind(path: Path, medium: str) -> str:
    """What becomes of a file, by the names of the lists of `Found`."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        return "unopened" if medium == "audio" and is_called_sound(path.name) else "passed by"
    if medium == "picture":
        return "taken" if path.suffix.lower() in pictures.SUFFIXES else "passed by"
    kind = kind_of(path)
    if kind in ("sound", "undecoded") and is_pointer(path, status.st_size):
        return "absent"
    return {"sound": "taken", "document": "passed by"}.get(kind, kind)
