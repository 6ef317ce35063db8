"""Claims: which process does what, where many share a folder, so that each thing is done once.

A claim on ``runs/x`` is a small file beside it, ``runs/.x.claim0``, that names its holder and that a thread of the
holder touches every few seconds. A holder is gone if it ran on this host and its process has ended, or if its file was
not touched for two minutes by the clock of the file system, whatever the clocks of the hosts say.

A claim whose holder is gone stays where it is, and ``.x.claim1`` is made above it. Files are only ever made where there
is none, which file systems do for one process alone, those of a network too; nothing is renamed, so two that find the
same holder gone cannot both take over. Whoever gives a claim back removes the files of those who were gone first.
"""

from __future__ import annotations

import atexit
import errno
import functools
import os
import re
import secrets
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirbench.progress import Progress

__all__ = [
    "Claim", "claimed", "clock", "give_back_everything", "holder_of", "is_gone", "keep", "let_go", "own_mark",
    "said_of",
]  # fmt: skip

_TOUCH_EVERY = 15.0  # seconds
_GONE_AFTER = 120.0  # seconds without a touch; a network file system may show times that are a minute old
_MOST_BYTES = 1000  # of a claim
_POLL = (0.05, 1.0)  # seconds between two looks at a claim, at first and at last

_kept: dict[Path, Callable[[], None]] = {}
"""What this process holds, and how each is given back."""
_lock = threading.Lock()
_toucher: threading.Thread | None = None
_said = False


@functools.cache
def _host() -> str:
    """This host, as part of a file's name; containers that share a host's name number their processes apart."""
    name = re.sub(r"[^\w-]", "_", socket.gethostname())[:40] or "host"
    with suppress(OSError):
        space = os.stat("/proc/self/ns/pid").st_ino
        name += "" if space == 0xEFFFFFFC else f"+{space:x}"  # the number of the host's own
    return name


def _start(pid: int) -> str | None:
    """When a process of this host started; "" where that cannot be seen, None where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        return "" if _runs(pid) else None
    return None if fields[0] in "ZX" else f"{int(fields[19]):x}{boot}"


def _runs(pid: int) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def own_mark() -> str:
    """This process in the name of a file: ``HOST.PID.START``."""
    pid = os.getpid()
    return f"{_host()}.{pid}.{_start(pid) or 0}"


def said_of(mark: str) -> str:
    """A mark for people."""
    host, _, rest = mark.partition(".")
    return f"process {rest.partition('.')[0]} on {host.partition('+')[0]}" if rest else "another process"


def is_gone(mark: str, path: Path) -> bool:
    """Whether the process of a mark has ended, or has long not touched its file `path`."""
    host, _, rest = mark.partition(".")
    pid, _, start = rest.partition(".")
    if host == _host() and pid.isdecimal():
        now = _start(int(pid))
        if now is None or (now and start not in ("0", now)):
            return True
        if now and start == now:
            return False  # stopped it may be, but it lives
    try:
        return abs(clock(path.parent) - _touched_at(path)) > _GONE_AFTER  # before or after a clock was put right
    except OSError:
        return False  # given back meanwhile


def _touched_at(path: Path) -> float:
    if path.is_dir():
        return path.stat().st_mtime
    with path.open("rb") as stream:  # opening asks a network file system for its news
        return os.fstat(stream.fileno()).st_mtime


def keep(path: Path, give_back: Callable[[], None]) -> None:
    """Touch a file or folder of this process every few seconds until `let_go`; `give_back` is what its end would do."""
    global _toucher
    with _lock:
        if not _kept:
            atexit.unregister(give_back_everything)
            atexit.register(give_back_everything)
        _kept[path] = give_back
        if _toucher is None or not _toucher.is_alive():
            _toucher = threading.Thread(target=_touch, name="mirbench-claims", daemon=True)
            _toucher.start()


def let_go(path: Path) -> None:
    """Touch it no more."""
    with _lock:
        _kept.pop(path, None)


def _touch() -> None:
    never = threading.Event()
    while not never.wait(_TOUCH_EVERY):
        with _lock:
            kept = list(_kept)
        for path in kept:
            with suppress(OSError):
                os.utime(path)


def give_back_everything() -> None:
    """Remove every claim and temporary file of this process: before it ends."""
    while True:
        with _lock:
            if not _kept:
                return
            _, give_back = _kept.popitem()
        with suppress(OSError):
            give_back()


class Claim:
    """A claim on what a path names; to be taken, and given back whatever happens.

    Parameters
    ----------
    target : Path
        What is claimed; it need not be there. Its folder is made.

    Attributes
    ----------
    holder : str
        Who has it, after `take` returned False.
    """

    def __init__(self, target: Path, progress: Progress) -> None:
        self._target, self._progress = target, progress
        self._text = ""
        self._height: int | None = None
        self.holder = ""

    def take(self) -> bool:
        """Whether it is ours now; where no file can be made there are no claims, which is said once."""
        global _said
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            return self._climb()
        except OSError as error:
            if not _said:
                self._progress.say(
                    f"{self._target.parent}: no claim can be made here ({error.strerror or error}); other processes "
                    "may do the same work"
                )
            _said = True
            return True

    def give_back(self) -> None:
        """Let others have it; does nothing where it is not ours."""
        height, self._height = self._height, None
        if height is None:
            return
        own = self._path(height)
        let_go(own)
        if _text_of(own) != self._text or self._path(height + 1).exists():
            return  # somebody took this process for gone, and removes its file
        for path in (*map(self._path, range(height)), own):  # those who were gone first, or two could climb at once
            with suppress(OSError):
                path.unlink()

    def _path(self, height: int) -> Path:
        return self._target.with_name(f".{self._target.name}.claim{height}")

    def _climb(self) -> bool:
        """Make the first file that is not there, above those of processes that are gone."""
        self._text = f"{own_mark()} {secrets.token_hex(8)}\n"
        gone: list[str] = []
        while True:
            height = len(gone)
            path = self._path(height)
            if self._make(path):
                if [_text_of(self._path(n)) for n in range(height)] == gone:
                    self._height = height
                    keep(path, self.give_back)
                    return True
                path.unlink()  # those below were given back, and may be somebody's again
                gone = []
                continue
            text = _text_of(path)
            mark = (text or "").partition(" ")[0]
            if text is None:
                gone = []
            elif is_gone(mark, path):
                gone.append(text)
            else:
                self.holder = said_of(mark)
                return False

    def _make(self, path: Path) -> bool:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        try:
            os.write(handle, self._text.encode())
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(handle)
        return True


def _text_of(path: Path) -> str | None:
    """What a claim says; None where there is none.

    Raises
    ------
    OSError
        If what is there is no file, as no process leaves it: a folder, a link.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(errno.EINVAL, f"{path.name} is no file")
        with path.open("rb") as stream:
            return stream.read(_MOST_BYTES).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None


def holder_of(target: Path) -> str:
    """Who has a claim on a path; "" where nobody living does."""
    path = target.with_name(f".{target.name}.claim0")
    with suppress(OSError):
        text = _text_of(path)
        mark = (text or "").partition(" ")[0]
        return said_of(mark) if text is not None and not is_gone(mark, path) else ""
    return ""


def clock(folder: Path) -> float:
    """The time of the file system of a folder, that there is or that will be; this host's may differ."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    with suppress(OSError), tempfile.TemporaryFile(dir=folder) as probe:
        return os.fstat(probe.fileno()).st_mtime
    return time.time()


@contextmanager
def claimed(target: Path, what: str, progress: Progress) -> Iterator[None]:
    """Wait until nobody else has a claim on a path, and hold one within the block.

    Parameters
    ----------
    what : str
        What the others are at, for the line that says that we wait: "fetching weights.pt".
    """
    claim = Claim(target, progress)
    pause = _POLL[0]
    waited = False
    while not claim.take():
        if not waited:
            progress.say(f"{what}: {claim.holder} is at it; waiting for it")
        waited = True
        time.sleep(pause)
        pause = min(2 * pause, _POLL[1])
    try:
        yield
    finally:
        claim.give_back()
