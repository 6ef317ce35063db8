"""Temporary files and folders that name their process, so that whoever comes next removes what a dead one left.

``.writing-HOST.PID.START.x`` is being written, ``.old-…`` holds what is being replaced, ``.using-…`` says that a
process uses the folder. A thread touches them while their process lives; see `mirbench.features.claims`.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.features.claims import Claim, claimed, holder_of, is_gone, keep, let_go, own_mark, said_of
from mirbench.progress import Progress

__all__ = ["clearing", "nobody_else", "replace_folder", "sweep", "temporary", "using", "written_whole"]

_OWNED = re.compile(r"\.(?P<kind>writing|old|using)-(?P<mark>[^.]+\.\d+\.\w+)\.[0-9a-f]{8}")
_UNOWNED = re.compile(r"\.(writing|old)-\w{8}|\.writing-\d+-.+")  # as mirbench 0.2 and before called them
_CLAIM = re.compile(r"\.(?P<target>.+)\.claim(?P<height>\d+)")
_CLEARED = "clear"
_FOREVER = 86400.0  # seconds after which nobody writes one that names no process any more


def _own_name(kind: str) -> str:
    return f".{kind}-{own_mark()}.{secrets.token_hex(4)}"


@contextmanager
def temporary(folder: Path | None = None) -> Iterator[Path]:
    """A folder in another, for what is then renamed to its place; removed at the end of the block.

    Parameters
    ----------
    folder : Path or None
        Made if it is not there; what dead processes left in it is removed. None is the system's.
    """
    folder = folder or Path(tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    work = folder / _own_name("writing")
    keep(work, lambda: _remove(work))
    try:
        work.mkdir()
        yield work
    finally:
        _remove(work)
        let_go(work)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Where to write a file that is put in the place of `path` at the end of the block, unless that fails.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`, whatever the file is called meanwhile.
    """
    sweep(path.parent)
    work = path.with_name(_own_name("writing"))
    keep(work, lambda: _remove(work))
    try:
        yield work
        os.replace(work, path)
    except OSError as error:
        if error.filename is None or os.fspath(error.filename) != os.fspath(work):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        _remove(work)
        let_go(work)


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Say within the block that this process uses what is in a folder, so that nobody clears it (see `clearing`).

    Where nothing can be written nobody is told. What dead processes left in it is removed first.
    """
    mark = folder / _own_name("using")
    keep(mark, lambda: _remove(mark))
    try:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            mark.touch()
        for place in (folder, *folder.glob("*/"), *folder.glob("rows/*/")):
            sweep(place)
        while holder_of(folder / _CLEARED):
            time.sleep(0.1)
        yield
    finally:
        _remove(mark)
        let_go(mark)


@contextmanager
def clearing(folder: Path, progress: Progress) -> Iterator[None]:
    """Nobody begins to use a folder within the block.

    Raises
    ------
    BadInput
        If a living process uses it.
    """
    with claimed(folder / _CLEARED, f"clearing {folder}", progress):
        if users := _users(folder):
            raise BadInput(f"{folder} is in use by {', '.join(users)}; nothing was cleared: wait for it, or end it")
        yield


@contextmanager
def nobody_else(folder: Path) -> Iterator[bool]:
    """Whether nobody uses a folder; if so, nobody begins to within the block. Waits for nobody, and says nothing."""
    claim = Claim(folder / _CLEARED, Progress(quiet=True))
    taken = claim.take() and bool(holder_of(folder / _CLEARED))  # it is taken, too, where none can be made
    try:
        yield taken and not _users(folder)
    finally:
        claim.give_back()


def _users(folder: Path) -> list[str]:
    """The living processes that use a folder, for people."""
    sweep(folder)
    return sorted({said_of(found["mark"]) for name in _names(folder) if (found := _OWNED.fullmatch(name))})


def sweep(folder: Path) -> None:
    """Remove what dead processes left in a folder, and put back what they were replacing; never fails."""
    with suppress(OSError):
        for name in _names(folder):
            path = folder / name
            if claim := _CLAIM.fullmatch(name):
                _sweep_claim(folder / claim["target"], path)
            elif owned := _OWNED.fullmatch(name):
                if is_gone(owned["mark"], path):
                    _put_back(path)
            elif _UNOWNED.fullmatch(name) and time.time() - path.stat().st_mtime > _FOREVER:
                _put_back(path)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.name.startswith(".")]
    except OSError:
        return []


def _sweep_claim(target: Path, path: Path) -> None:
    claim = Claim(target, Progress(quiet=True))
    if path.exists() and claim.take():
        claim.give_back()


def _put_back(path: Path) -> None:
    """Remove a temporary; what a process that died between two renames was replacing goes back first."""
    if path.name.startswith(".old-"):
        for held in path.iterdir():
            if not (path.parent / held.name).exists():
                with suppress(OSError):
                    os.replace(held, path.parent / held.name)
    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def replace_folder(work: Path, target: Path) -> None:
    """Put the finished folder `work` in the place of `target`; a reader never sees half of one.

    Where a process dies between taking the old one away and putting the new one there, `sweep` puts the old one back.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for tries_left in range(9, -1, -1):  # others may replace it at the same time
        try:
            os.replace(work, target)
            return
        except OSError:
            # where it is gone again another process is just replacing it
            if not (work.is_dir() and tries_left) or (target.exists() and not target.is_dir()):
                raise
        _exchange(work, target)
        if not work.exists():
            return


def _exchange(work: Path, target: Path) -> None:
    old = target.parent / _own_name("old")
    keep(old, lambda: _put_back(old))
    try:
        old.mkdir()
        with suppress(FileNotFoundError):  # another process is replacing it too
            os.replace(target, old / target.name)
        with suppress(OSError):  # or has just done so
            os.replace(work, target)
    finally:
        _put_back(old)
        let_go(old)
