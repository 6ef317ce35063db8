"""Results that were not run here: those that ship with mirbench, and packs of others that a user added.

They lie packed (`mirbench.runs.results_pack`) and are unpacked once, into the cache, by the hash of the pack.
"""

from __future__ import annotations

import atexit
import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.features.temporary import replace_folder, temporary
from mirbench.leaderboard.marks import CLAIMED, PLUGIN, REFERENCE, REPEATED, UNKNOWN
from mirbench.places import default_cache, default_results
from mirbench.runs.results_pack import SUFFIX, unpack_runs
from mirbench.runs.run_folders import file_name

__all__ = ["Pack", "added", "every_pack", "require_pack_name", "shipped"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_TAKEN = (REFERENCE, CLAIMED, PLUGIN, UNKNOWN, REPEATED)


@dataclass(frozen=True)
class Pack:
    """A file of results.

    Parameters
    ----------
    name : str
        What its rows are marked with.
    path : Path
        The file.
    """

    name: str
    path: Path

    def opened(self) -> Path:
        """The folder of its records, unpacked when it is first asked for.

        Raises
        ------
        BadInput
            If the file cannot be read, or is no pack.
        """
        try:
            packed = self.path.read_bytes()
        except OSError as error:
            raise BadInput(f"{self.path}: not to be read ({error.strerror})") from error
        target = default_cache() / "results" / hashlib.sha256(packed).hexdigest()[:16]
        if target.is_dir():
            return target
        try:
            with temporary(target.parent) as work:
                _unpacked(packed, work, self.path)
                replace_folder(work, target)
            return target
        except OSError:  # nothing can be written there: unpacked for this process alone
            work = Path(tempfile.mkdtemp(prefix="mirbench-results-"))
            atexit.register(shutil.rmtree, work, ignore_errors=True)
            _unpacked(packed, work, self.path)
            return work

    def holds(self, task: str) -> bool:
        """Whether it has results of a task."""
        return (self.opened() / file_name(task)).is_dir()

    def tasks(self) -> list[str]:
        """Names of the folders of its tasks."""
        return sorted(path.name for path in self.opened().iterdir() if path.is_dir())


def every_pack(left_out: list[str] | None = None) -> list[Pack]:
    """What ships with mirbench, and what was added.

    Parameters
    ----------
    left_out : list of str, optional
        Takes a line for each that cannot be read, which is then left out.
    """
    packs = [*shipped(), *added()]
    return packs if left_out is None else [pack for pack in packs if _is_readable(pack, left_out)]


def _is_readable(pack: Pack, left_out: list[str]) -> bool:
    try:
        pack.opened()
    except BadInput as error:
        left_out.append(f"{error}; `mirbench results remove {pack.name}`")
        return False
    return True


def shipped() -> list[Pack]:
    """The reference results, a pack a task."""
    there = (Path(str(each)) for each in files("mirbench.leaderboard.reference").iterdir())
    return [Pack(REFERENCE, path) for path in sorted(there) if path.name.endswith(SUFFIX)]


def added() -> list[Pack]:
    """Packs that the user added, in the order of their names."""
    there = sorted(default_results().glob(f"*{SUFFIX}"))
    return [Pack(path.name.removesuffix(SUFFIX), path) for path in there]


def require_pack_name(name: str) -> str:
    """The name, if a pack may be called so: it is the mark of its rows.

    Raises
    ------
    BadInput
        If it may not.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise BadInput(
            f"a pack called '{name}': up to 40 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, are "
            f"accepted, and none of {', '.join(_TAKEN)}; --name gives it another"
        )
    return name


def _unpacked(packed: bytes, work: Path, path: Path) -> None:
    try:
        unpack_runs(packed, work)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
