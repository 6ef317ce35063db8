"""A run's folder as one archive of bytes, and back: how a run comes from a machine that shares no disk with this one.

The archive is a zip of files as they are, by fixed names: nothing is unpacked to a path that it names, nothing in it is
compressed, and nothing is believed of it before it was compared with the hashes in its record.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.plain_text import printable
from mirbench.record import RunSpec
from mirbench.runs.record_file import as_text, read_record
from mirbench.runs.run_files import changed_files, read_model
from mirbench.runs.scores import read_scores

__all__ = ["CLIP_LIST", "MOST_BYTES", "DamagedRun", "pack", "require_run", "unpack"]

MOST_BYTES = 8 * 2**30
"""Of an archive."""

CLIP_LIST = "clips.csv"
"""What the list of a task's clips, which lies beside its runs, is called in an archive."""

_RECORD, _HASHED, _BESIDE = "record.json", ("scores.npz", "model.safetensors"), ("deform.json", "traceback.txt")
_NAMES = (_RECORD, *_HASHED, *_BESIDE, CLIP_LIST)


class DamagedRun(BadInput):
    """What came as a run, and is not the run that was asked for, whole."""


def pack(folder: Path, clip_list: Path | None = None) -> bytes:
    """The files of a run's folder as one archive.

    Parameters
    ----------
    clip_list : Path or None
        A list of the task's clips, where there is one.

    Raises
    ------
    BadInput
        If they are too large for one.
    """
    paths = {name: folder / name for name in _NAMES} | ({CLIP_LIST: clip_list} if clip_list else {})
    there = {name: path for name, path in paths.items() if path.is_file()}
    if (size := sum(path.stat().st_size for path in there.values())) > MOST_BYTES:
        raise BadInput(f"{folder.name}: {size / 2**30:.1f} GiB; a run of at most {MOST_BYTES / 2**30:.0f} can be sent")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as held:
        for name, path in there.items():
            held.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """The files of an archive by name, as they came; `require_run` says whether they are those of a run.

    Raises
    ------
    DamagedRun
        If it is no archive as `pack` makes them.
    """
    if len(packed) > MOST_BYTES:
        raise DamagedRun(f"an archive of {len(packed) / 2**30:.1f} GiB; at most {MOST_BYTES / 2**30:.0f} are accepted")
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as held:
            members = held.infolist()
            if fault := next(_strange(members, len(packed)), ""):
                raise DamagedRun(fault)
            return {member.filename: held.read(member) for member in members}
    except DamagedRun:
        raise
    except Exception as error:  # somebody else's bytes: zipfile and struct each have errors of their own
        said = printable(str(error) or type(error).__name__, 200)
        raise DamagedRun(f"not an archive of a run ({said})") from error


def _strange(members: list[zipfile.ZipInfo], size: int) -> Iterator[str]:
    names = [member.filename for member in members]
    if wrong := [name for name in names if name not in _NAMES or names.count(name) > 1]:
        yield f"it holds {printable(wrong[0], 80)!r}, which a run does not have, or has once"
    if any(m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in members):
        yield "it is compressed, as no mirbench does it"
    if sum(member.file_size for member in members) > size:
        yield "it says that it holds more than it does"
    if _RECORD not in names:
        yield "it holds no record"


def require_run(folder: Path, spec: RunSpec) -> None:
    """Refuse files that are not those of this run, whole and as they were written.

    Raises
    ------
    DamagedRun
        If the record is of another run or is not written as mirbench writes them, if a file is not what the record says
        by its hash, or if scores or model cannot be read.
    """
    try:
        if fault := next(_faults(folder, spec), ""):
            raise DamagedRun(fault)
    except DamagedRun:
        raise
    except BadInput as error:
        raise DamagedRun(str(error).replace(f"{folder}/", "")) from error


def _faults(folder: Path, spec: RunSpec) -> Iterator[str]:
    record = read_record(folder / _RECORD)
    if record.spec.key != spec.key:
        yield f"it is the run {record.spec.key}, not {spec.key}"
    if as_text(record).encode() != (folder / _RECORD).read_bytes():  # a field twice, say
        yield "its record is not written as mirbench writes records"
    there = {name for name in _HASHED if (folder / name).is_file()}
    if names := sorted(there ^ set(record.files)):
        yield f"{printable(names[0], 80)}: is not both beside its record and in it"
    if record.status == "done" and "scores.npz" not in there:
        yield "its record says that it is done, and it holds no scores"
    yield from changed_files(folder, record.files)
    if "scores.npz" in there:
        read_scores(folder / "scores.npz")
    read_model(folder, record.files)
