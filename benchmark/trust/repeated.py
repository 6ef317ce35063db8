"""Notes of runs that this user repeated with the same scores, by which tables mark them.

A note is a small file, ``KEY-HASH.json``, in a folder of the user beside the packs of others, and holds the hashes of
the record and scores that were compared; one of other files than those that lie there says nothing. It lies in no
folder of records: whoever sends records or packs cannot send a note. Each is written whole, so that commands at once
lose none.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.features.temporary import written_whole
from mirbench.places import default_results
from mirbench.record import Amount
from mirbench.runs.record_file import read_table

__all__ = ["Note", "forget", "is_repeated", "keep", "notes", "sha256_of"]

_VERSION = 1


@dataclass(frozen=True)
class Note:
    """That a run was repeated.

    Parameters
    ----------
    key : str
        Of the run.
    record_sha256, scores_sha256 : str
        Of its ``record.json`` and ``scores.npz``.
    deviation, tolerance : float
        The largest difference of a score, and what was allowed.
    mirbench, device : str
        Version of mirbench that repeated it, and the processor or graphics card.
    finished : str
        When, in UTC.
    """

    key: str
    record_sha256: str
    scores_sha256: str
    deviation: Amount
    tolerance: Amount
    mirbench: str
    device: str
    finished: str
    schema_version: int = _VERSION

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return _folder() / f"{self.key}-{self.record_sha256[:16]}.json"


def _folder() -> Path:
    return default_results() / "repeated"


def sha256_of(path: Path) -> str:
    """The hash of a file; "" where there is no plain file that can be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def keep(note: Note) -> None:
    """Write a note, in the place of an earlier one of the same record."""
    note.path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(note.path) as work:
        work.write_text(json.dumps(asdict(note), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def forget(note: Note) -> None:
    """Remove what was noted of the same record."""
    note.path.unlink(missing_ok=True)


def notes() -> dict[str, list[Path]]:
    """Files of all notes by the key of the run."""
    found: dict[str, list[Path]] = defaultdict(list)
    try:
        names = sorted(os.listdir(_folder()))
    except OSError:
        return {}
    for name in names:
        key, dash, _ = name.partition("-")
        if dash and name.endswith(".json") and not name.startswith("."):
            found[key].append(_folder() / name)
    return dict(found)


def is_repeated(folder: Path, key: str, known: Mapping[str, Sequence[Path]], left_out: list[str] | None = None) -> bool:
    """Whether a note is of the very files that lie in the folder of a run.

    Parameters
    ----------
    known : mapping of str to sequence of Path
        As of `notes`; files are hashed of those runs alone that it names.
    left_out : list of str, optional
        Takes a line for each note that cannot be read; without it the first of them raises.
    """
    if key not in known:
        return False
    hashes = key, sha256_of(folder / "record.json"), sha256_of(folder / "scores.npz")
    return all(hashes) and any(hashes == _hashes(path, left_out) for path in known[key])


def _hashes(path: Path, left_out: list[str] | None) -> tuple[str, str, str]:
    try:
        note = read_table(path, "a note of a run that was repeated", Note, _VERSION)
    except BadInput as error:
        if not os.path.lexists(path):  # the run was repeated meanwhile, and no longer holds
            return "", "", ""
        if left_out is None:
            raise
        if str(error) not in left_out:
            left_out.append(str(error))
        return "", "", ""
    return note.key, note.record_sha256, note.scores_sha256
