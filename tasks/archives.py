"""Fetching data sets: download, check, unpack safely into place."""

from __future__ import annotations

import contextlib
import json
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from mirbench.archive import Archive
from mirbench.errors import BadInput, MissingData
from mirbench.features.claims import claimed
from mirbench.features.download import fetch
from mirbench.features.temporary import replace_folder, sweep, temporary
from mirbench.progress import Progress
from mirbench.types import Task
from mirbench.unverified import verified

__all__ = ["get_task", "unpack"]

MAX_BYTES = 256 * 2**30  # MAESTRO has 120 GB
MAX_RATIO = 200  # unpacked over packed; audio stays far below

_FETCHED = ".fetched.json"
"""In a data set's folder: the archives that were unpacked into it. Tasks share folders and do not need all archives."""

# RuntimeError is zipfile's word for a password, an OSError without a number that of gzip and bz2 for broken data
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError,
    ValueError, IndexError, struct.error,
)  # fmt: skip


def get_task(task: Task, root: Path, progress: Progress) -> Path:
    """Download and unpack a task's data set into ``root/<folder>``; returns that folder.

    Raises
    ------
    MissingData
        If its data cannot be fetched by a program, or an address does not answer.
    BadInput
        If what came is not the published archive, or is not safe to unpack.
    """
    target = root / task.folder
    if task.synthesise is not None:
        raise BadInput(f"{task.name} is synthesised when it is run; there is nothing to download")
    if task.standing == "own":
        raise BadInput(f"{task.name} is your own data; there is nothing to fetch")
    if not task.archives:
        how = "; ".join([note for note in task.notes if "by hand" in note] or task.notes[:1])
        raise MissingData(f"{task.name}: not fetched by a program: {how}; `mirbench show {task.name}` says more")
    try:
        with claimed(target, f"fetching {task.name}", progress):
            sweep(root)
            return _get(task, root, target, progress)
    finally:
        with contextlib.suppress(OSError):  # not empty: a download to go on from
            (root / ".downloads").rmdir()
            root.rmdir()  # nor leave an empty root behind a failed download


def _get(task: Task, root: Path, target: Path, progress: Progress) -> Path:
    """Fetch what lacks of a task's archives, while nobody else does."""
    held = _fetched(target)
    todo = [archive for archive in task.archives if held is not None and archive.file_name not in held]
    if held is None or not todo:
        by_hand = ", filled by hand (move it away to fetch it anew)" if held is None else ""
        progress.say(f"{target} is there already{by_hand}; `mirbench data check {task.name}` verifies it")
        return target
    for archive in todo:
        if archive.note:
            progress.say(f"{archive.url}: {archive.note}")
    try:
        with temporary(root) as work:
            for archive in todo:
                file = _fetch_any(archive, root / ".downloads", progress)
                try:
                    _place(file, work / archive.folder, archive)
                except BadInput:
                    file.unlink()  # or it would be taken for the published file the next time
                    raise
            names = [*held, *(archive.file_name for archive in todo)]
            (work / _FETCHED).write_text(json.dumps(names), encoding="utf-8")
            work.chmod(0o755)
            _merge(work, target)
    except MissingData as error:
        by_hand = "; ".join(_by_hand(archive, target) for archive in todo)
        raise MissingData(f"{error}, or get by hand: {by_hand}") from error
    for archive in todo:
        (root / ".downloads" / archive.file_name).unlink(missing_ok=True)
    return target


def _by_hand(archive: Archive, target: Path) -> str:
    known = archive.checksum or "no checksum is published"
    return f"{archive.file_name} ({known}), to {'unpack' if archive.unpack else 'put'} into {target / archive.folder}"


def _fetched(target: Path) -> list[str] | None:
    """Names of the archives that were unpacked into a data set's folder; None where it was filled by hand."""
    if not target.is_dir() or not any(target.iterdir()):
        return []
    try:
        names = json.loads((target / _FETCHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def _merge(work: Path, target: Path) -> None:
    """Move a data set, or archives that were lacking in it, to where it belongs."""
    if not target.is_dir() or not any(target.iterdir()):
        replace_folder(work, target)
        return
    # what says that all is there comes last: an interrupt must not leave half a data set that passes for whole
    for path in sorted(work.rglob("*"), key=lambda path: (path.name == _FETCHED, path)):
        if path.is_file():
            place = target / path.relative_to(work)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)


def _place(file: Path, folder: Path, archive: Archive) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if archive.unpack:
        unpack(file, folder, archive)
    else:
        shutil.copyfile(file, folder / archive.file_name)


def _fetch_any(archive: Archive, folder: Path, progress: Progress) -> Path:
    """Download from the first address that answers with the right file."""
    addresses = verified((archive.url, *archive.mirrors), archive.checksum)
    for url in addresses[:-1]:
        try:
            return fetch(url, archive.file_name, archive.checksum, folder, progress)
        except BadInput as error:
            progress.say(f"{error}; trying the next address")
    return fetch(addresses[-1], archive.file_name, archive.checksum, folder, progress)


def unpack(packed: Path, folder: Path, archive: Archive) -> None:
    """Unpack a zip or tar archive into a folder, leaving out its first `archive.strip` levels.

    Raises
    ------
    BadInput
        If a member would land outside the folder, is a link or device, or if the whole is far larger than its archive.
    """
    limit = min(MAX_BYTES, MAX_RATIO * packed.stat().st_size)
    written = 0
    try:
        for name, stream in _members(packed):
            parts = _safe_parts(name, packed)[archive.strip :]
            if not parts:
                continue
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                while block := stream.read(2**20):
                    written += len(block)
                    if written > limit:
                        raise BadInput(f"{packed.name}: unpacks to more than {limit / 1e6:.0f} MB; not trusted")
                    out.write(block)
    except BadInput:
        raise
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the archive's
        reason = str(error).partition("\n")[0].rstrip(": ")
        raise BadInput(f"{packed.name}: broken archive ({reason}); delete it and fetch again") from error


def _members(packed: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of the plain files; folders are passed over, anything else refused."""
    if zipfile.is_zipfile(packed):
        with zipfile.ZipFile(packed) as zipped:
            for info in zipped.infolist():
                if not info.filename:
                    raise BadInput(f"{packed.name}: holds a file without a name; not trusted")
                mode = info.external_attr >> 16
                if stat.S_ISLNK(mode):
                    raise BadInput(f"{packed.name}: holds a link, {info.filename}; not trusted")
                if not info.is_dir():
                    with zipped.open(info) as stream:
                        yield info.filename, stream
        return
    with tarfile.open(packed, "r:*") as tarred:
        for member in tarred:
            if member.isdir():
                continue
            if not member.isreg():
                raise BadInput(f"{packed.name}: holds a link or device, {member.name}; not trusted")
            content = tarred.extractfile(member)
            assert content is not None
            yield member.name, content


def _safe_parts(name: str, packed: Path) -> tuple[str, ...]:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts[:1]):
        raise BadInput(f"{packed.name}: would write outside its folder ({name}); not trusted")
    return tuple(part for part in path.parts if part != ".")
