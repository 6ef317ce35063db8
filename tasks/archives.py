"""Fetching data sets: download, check, unpack safely into place."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from mirbench.cache import replace_folder
from mirbench.download import fetch
from mirbench.errors import BadInput, MissingData
from mirbench.progress import Progress
from mirbench.types import Archive, Task

__all__ = ["get_task", "unpack"]

MAX_BYTES = 256 * 2**30  # MAESTRO has 120 GB
MAX_RATIO = 200  # unpacked over packed; audio stays far below

# RuntimeError is zipfile's word for a password, an OSError without a number that of gzip and bz2 for broken data
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError,
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
        raise MissingData(f"{task.name}: fetch by hand. " + " ".join(task.notes))
    if target.is_dir() and any(target.iterdir()):
        progress.say(f"{target} is there already; `mirbench data check {task.name}` verifies it")
        return target
    for archive in task.archives:
        if archive.note:
            progress.say(f"{archive.url}: {archive.note}")
    work = Path(tempfile.mkdtemp(prefix=f".{task.folder}-", dir=_made(root)))
    try:
        for archive in task.archives:
            _place(_fetch_any(archive, root / ".downloads", progress), work / archive.folder, archive)
        work.chmod(0o755)
        replace_folder(work, target)
    except MissingData as error:
        files = ", ".join(f"{a.file_name} ({a.checksum or 'no checksum is published'})" for a in task.archives)
        raise MissingData(f"{error}, or get {files} by hand and unpack it into {target}") from error
    else:
        for archive in task.archives:
            (root / ".downloads" / archive.file_name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: a download to go on from
            (root / ".downloads").rmdir()
            root.rmdir()  # nor leave an empty root behind a failed download
    return target


def _place(file: Path, folder: Path, archive: Archive) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if archive.unpack:
        unpack(file, folder, archive)
    else:
        shutil.copyfile(file, folder / archive.file_name)


def _fetch_any(archive: Archive, folder: Path, progress: Progress) -> Path:
    """Download from the first address that answers with the right file."""
    addresses = (archive.url, *archive.mirrors)
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


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
