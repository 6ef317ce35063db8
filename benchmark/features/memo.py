"""What was learnt of files of this machine, remembered in SQLite: hashes, lengths, levels.

It is only a memo. One that is damaged, or that another program wrote, is put aside as ``NAME.damaged``; one that is
locked, read-only or on a full disk is done without, by what this process remembers itself. Either is said once, and
nothing else changes. Every answer stands beside its checksum: one that was changed is no answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import stat
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from mirbench.progress import Progress

__all__ = ["Memo", "file_sha256", "states"]

_TABLE = "CREATE TABLE IF NOT EXISTS answers (kind TEXT, key TEXT, answer TEXT, sum INTEGER, PRIMARY KEY (kind, key))"
_EARLIER = "SELECT sha256 FROM hashes WHERE key = ?"
"""Where earlier versions kept the hashes of files, which are read on; they heard less of some files."""

_WAIT = 10.0  # seconds for another process that is writing
_AT_ONCE = 500  # questions; some versions of SQLite take no more than 999 values
_FLUSH = 1.0  # seconds that an answer may wait, so that an interrupt loses little and nobody waits for long

_without: dict[Path, dict[tuple[str, str], list[Any]]] = {}
"""Answers of this process by memo, where it does without the file."""


class Memo:
    """Answers to questions about files, kept between processes; used as a context manager.

    Parameters
    ----------
    path : Path
        SQLite file; made when there is something to keep.
    progress : Progress or None
        What says that it is put aside or done without; None says it on standard error.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self._path, self._progress = path, progress or Progress()
        self._database: sqlite3.Connection | None = None
        self._new: dict[tuple[str, str], list[Any]] = {}
        self._flushed = time.monotonic()

    def __enter__(self) -> Memo:
        self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._close()

    def recall(self, kind: str, key: str) -> list[Any] | None:
        """The answer to a question of some kind; None where it was not asked before."""
        key = _storable(key)
        for held in (self._new, _without.get(self._path, {})):
            if (kind, key) in held:
                return held[kind, key]
        row = self._asked("SELECT answer, sum FROM answers WHERE kind = ? AND key = ?", (kind, key))
        if row is not None:
            return _checked(kind, key, *row)
        if kind == "sha256" and (row := self._asked(_EARLIER, (key,))):
            return list(row) if re.fullmatch("[0-9a-f]{64}", str(row[0])) else None
        return None

    def recall_all(self, kind: str, keys: Iterable[str]) -> dict[str, list[Any]]:
        """Answers to many questions of a kind at once, by key; of those that were asked before."""
        wanted = {_storable(key): key for key in keys}
        found: dict[str, list[Any]] = {}
        for held in (_without.get(self._path, {}), self._new):
            found |= {wanted[key]: answer for (of, key), answer in held.items() if of == kind and key in wanted}
        left = [stored for stored, key in wanted.items() if key not in found]
        for first in range(0, len(left), _AT_ONCE):
            some = left[first : first + _AT_ONCE]
            question = f"SELECT key, answer, sum FROM answers WHERE kind = ? AND key IN ({','.join('?' * len(some))})"
            asked = self._asked_all(question, (kind, *some))
            sound = [row for row in asked if row[0] in wanted and _is_sound(kind, *row)]
            answers = json.loads(f"[{','.join([row[1] for row in sound])}]")  # at once takes a third of the time
            found.update(zip([wanted[row[0]] for row in sound], answers, strict=True))
        return found

    def keep(self, kind: str, key: str, answer: list[Any]) -> None:
        """Remember an answer, which JSON must have words for."""
        self._new[kind, _storable(key)] = answer
        if time.monotonic() - self._flushed > _FLUSH:
            self._flush()

    def _asked(self, question: str, values: tuple[str, ...]) -> tuple[Any, ...] | None:
        return next(iter(self._asked_all(question, values)), None)

    def _asked_all(self, question: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        if self._database is None:
            return []
        try:
            return self._database.execute(question, values).fetchall()
        except sqlite3.Error as error:
            if "no such table" not in str(error):
                self._give_up(error)
            return []

    def _flush(self) -> None:
        """Write what is new in a transaction of its own: another process never waits for long."""
        new, self._new, self._flushed = self._new, {}, time.monotonic()
        for _ in range(2 if new else 0):  # once more where a damaged one was put aside
            if self._database is None:
                break
            try:
                with self._database:
                    self._database.execute(_TABLE)
                    rows = [(*key, text := json.dumps(answer), _sum(*key, text)) for key, answer in new.items()]
                    self._database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", rows)
                return
            except sqlite3.Error as error:
                self._give_up(error)
        if new:
            _without.setdefault(self._path, {}).update(new)

    def _connect(self) -> None:
        if self._path in _without and not self._path.is_file():
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=_WAIT if self._path not in _without else 0.0)
            # text that is none is found by its checksum
            self._database.text_factory = partial(str, encoding="utf-8", errors="replace")
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _close(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    def _give_up(self, error: Exception) -> None:
        """Put a memo aside that is none and begin another; or do without it."""
        name = getattr(error, "sqlite_errorname", "")
        others = name == "SQLITE_ERROR"  # other tables, other columns
        if others or name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            self._close()
            aside = self._path.with_name(f"{self._path.name}.damaged")
            with suppress(OSError):
                os.replace(self._path, aside)
                with suppress(FileNotFoundError):  # it would be played back into the next one
                    os.replace(f"{self._path}-journal", f"{aside}-journal")
                self._progress.say(f"{self._path}: damaged, or another program's ({error}); put aside as {aside.name}")
                self._connect()
                return
        if not name.startswith(("SQLITE_READONLY", "SQLITE_FULL")):  # which can be read on
            self._close()
        if self._path not in _without:
            _without[self._path] = {}
            self._progress.say(f"{self._path}: not usable ({error}); files are looked at again by every command")


def _storable(key: str) -> str:
    """A key that names a file, whose name may be no text."""
    return key.encode("utf-8", "backslashreplace").decode()


def _sum(kind: str, key: str, text: str) -> int:
    return zlib.crc32(f"{kind}\n{key}\n{text}".encode())


def _checked(kind: str, key: str, text: Any, total: Any) -> list[Any] | None:
    if not _is_sound(kind, key, text, total):
        return None
    answer: list[Any] = json.loads(text)
    return answer


def _is_sound(kind: str, key: str, text: Any, total: Any) -> bool:
    return isinstance(text, str) and _sum(kind, key, text) == total


def states(paths: Iterable[Path]) -> dict[Path, str]:
    """What tells each file from any other on this machine: path, size, time of change; "" where it is not there."""
    folders: dict[str, str] = {}
    found: dict[Path, str] = {}
    for path in paths:
        if path in found:
            continue
        text = os.fspath(path)
        parent, name = os.path.split(text)
        try:
            status = os.lstat(text)
            plain = not stat.S_ISLNK(status.st_mode) and name not in ("", ".", "..") and os.name != "nt"
            status = status if plain else os.stat(text)
        except OSError:
            found[path] = ""
            continue
        if not plain:
            where = os.path.realpath(path)
        else:
            if parent not in folders:
                folders[parent] = os.path.join(os.path.realpath(parent or "."), "")
            where = folders[parent] + name
        found[path] = f"{where}|{status.st_size}|{status.st_mtime_ns}"
    return found


def file_sha256(path: Path, memo: Path) -> str:
    """Hash of a file, remembered by path, size and modification time in the SQLite file `memo`."""
    path.stat()
    key = states([path])[path]
    with Memo(memo) as held:
        if answer := held.recall("sha256", key):
            return str(answer[0])
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        held.keep("sha256", key, [sha256])
        return sha256
