"""Many runs as one compressed file, and back: records and scores, as others need them to compare with.

A pack is a tar of ``TASK/METHOD+SOURCE/KEY/record.json`` and ``scores.npz``, compressed as a whole by xz, so that what
runs have in common is there once. Models are left out. It may be somebody else's: sizes are bounded before anything is
unpacked, no member is written where it says but where a record of its name lies, and nothing in it is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.plain_text import printable
from mirbench.record import RunRecord
from mirbench.runs.record_file import REMEDY, as_text, read_record
from mirbench.runs.run_folders import file_name
from mirbench.runs.store import RunStore

__all__ = ["MOST_BYTES", "SUFFIX", "DamagedPack", "pack_runs", "unpack_runs"]

SUFFIX = ".tar.xz"

MOST_BYTES = 2**26
"""Of a pack; what it holds may be sixteen times as large."""

_MOST_UNPACKED = 16 * MOST_BYTES
_MOST_MEMORY = 2**28  # of the decompressor
_KEY = re.compile(r"[0-9a-f]{16}")
_RECORD, _SCORES = "record.json", "scores.npz"

_OF_TIMES = ("load", "timing", "timed_run", "timed_load")
"""What of an environment is said of times alone."""


class DamagedPack(BadInput):
    """What came as a pack of runs and is none."""


def pack_runs(runs: Iterable[tuple[Path, RunRecord]], *, times: bool = True) -> bytes:
    """Runs with a result as one file; those without one are left out. The same runs give the same bytes.

    Parameters
    ----------
    runs : iterable of (folder, record)
    times : bool
        Whether seconds, speeds and energy go with them.

    Raises
    ------
    BadInput
        If none has a result, or they are too large for one pack.
    """
    packed = io.BytesIO()
    place = RunStore(Path())
    held = sorted((place.folder(record.spec).as_posix(), folder, record) for folder, record in runs if _done(record))
    if not held:
        raise BadInput("none of these runs has a result; a pack holds results alone")
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, folder, record in held:
            scores = place.scores(folder).packed(compress=False)  # xz finds what they have in common
            less = _reduced(record, hashlib.sha256(scores).hexdigest(), times)
            for part, content in ((_RECORD, as_text(less).encode()), (_SCORES, scores)):
                member = tarfile.TarInfo(f"{name}/{part}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            if packed.tell() > _MOST_UNPACKED:
                raise BadInput(f"more than {_MOST_UNPACKED // 2**20} MB of records and scores; pack fewer runs")
    content = lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    if len(content) > MOST_BYTES:
        raise BadInput(
            f"a pack of {len(content) / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} are read; pack fewer runs"
        )
    return content


def unpack_runs(packed: bytes, root: Path) -> list[Path]:
    """Write the runs of a pack below a folder, as `RunStore` has them. Returns their folders.

    Raises
    ------
    DamagedPack
        If it is no pack as `pack_runs` makes them, or is too large.
    """
    try:
        members = list(_members(_decompressed(packed)))
        for path, content in members:
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    except (lzma.LZMAError, tarfile.TarError, EOFError, ValueError, UnicodeError, MemoryError) as error:
        said = printable(str(error) or type(error).__name__, 200)
        raise DamagedPack(f"not a pack of runs ({said})") from error
    folders = sorted({root / path.parent for path, _ in members})
    for folder in folders:
        _require_at_home(folder, root)
    return folders


def _done(record: RunRecord) -> bool:
    return record.status == "done"


def _reduced(record: RunRecord, scores_sha256: str, times: bool) -> RunRecord:
    """A record with the hash of the scores as they are packed, less what does not go with it."""
    record = replace(record, files={_SCORES: scores_sha256})
    if times:
        return record
    return replace(
        record,
        environment={name: value for name, value in record.environment.items() if name not in _OF_TIMES},
        seconds={},
        spent={},
        energy={},
        trials=tuple({**trial, "seconds": None} for trial in record.trials),
        history=tuple({name: value for name, value in row.items() if name != "seconds"} for row in record.history),
    )


def _decompressed(packed: bytes) -> bytes:
    if len(packed) > MOST_BYTES:
        raise DamagedPack(f"a pack of {len(packed) / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} are read")
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)
    content = reader.decompress(packed, max_length=_MOST_UNPACKED + 1)
    if len(content) > _MOST_UNPACKED:
        raise DamagedPack(f"a pack that unpacks to more than {_MOST_UNPACKED // 2**20} MB")
    if not reader.eof or reader.unused_data:
        raise DamagedPack("a pack that is cut off, or has something behind its end")
    return content


def _members(content: bytes) -> Iterator[tuple[Path, bytes]]:
    """Files of a pack by where they go, after a look at their names and kinds."""
    seen: set[Path] = set()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for member in archive:
            path = _place(member)
            stream = archive.extractfile(member)
            if path in seen or stream is None:
                raise DamagedPack(f"{printable(member.name, 120)!r} is in it twice, or is no file")
            seen.add(path)
            yield path, stream.read()
    folders = {path.parent for path in seen}
    if not folders or seen != {folder / name for folder in folders for name in (_RECORD, _SCORES)}:
        raise DamagedPack(f"not a pack of runs: each has {_RECORD} and {_SCORES}, and one at least is needed")


def _place(member: tarfile.TarInfo) -> Path:
    parts = member.name.split("/")
    fits = len(parts) == 4 and _KEY.fullmatch(parts[2]) and parts[3] in (_RECORD, _SCORES)
    if not fits or not member.isreg() or any(part != file_name(part) for part in parts):
        raise DamagedPack(f"it holds {printable(member.name, 120)!r}, which is no file of a run")
    return Path(*parts)


def _require_at_home(folder: Path, root: Path) -> None:
    try:
        record = read_record(folder / _RECORD)
    except BadInput as error:
        said = str(error).replace(f"{root}/", "").removesuffix(f"; {REMEDY}")
        raise DamagedPack(said) from error
    if RunStore(root).folder(record.spec) != folder or not _done(record):
        raise DamagedPack(f"{folder.relative_to(root)}: its record is of another run, or has no result")
