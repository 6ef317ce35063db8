"""Records on disk: ``runs/<task>/<method>[+<source>]/<key>/`` with record.json, scores.npz and model.safetensors.

A run's folder is written whole or not at all. JSON is strict: no NaN, a schema version, unknown versions refused.
``deform.json`` may join them later: curves of the run, which are no part of what was asked of it.
``scores.npz`` holds, for every test clip: ``clip_ids``, ``groups``, ``scores``, ``target_value``, ``target_known``,
``target_kind`` and ``target_hashes``, so that every metric can be computed again, and clips be resampled by group.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput, UnknownName
from mirbench.features.cache import unwritable, writing_to
from mirbench.features.clip_list import write_clip_list
from mirbench.features.deformation import Robustness
from mirbench.features.shard import sync
from mirbench.features.temporary import replace_folder, sweep, temporary, written_whole
from mirbench.places import user_path
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.record_file import as_text, read_curves, read_record
from mirbench.types import Clip, FloatArray, Split, Targets

__all__ = ["RunStore", "Scores", "changed_files", "clip_list_name", "target_hashes"]


_UNKNOWN = {"source_sha256", "source_params"}
"""What is not known of a source that is not here."""

_HASHED = ("scores.npz", "model.safetensors")
"""Files of a record whose hashes it holds."""


@dataclass(frozen=True)
class Scores:
    """What was predicted for every test clip, and what was true.

    Parameters
    ----------
    clip_ids : ndarray of str, shape (n_clips,)
    scores : ndarray of float32, shape (n_clips, n_classes)
    targets : Targets
    hashes : ndarray of bytes, shape (n_clips,)
        See `target_hashes`.
    groups : ndarray of str, shape (n_clips,)
        What else a clip belongs together with (an artist, an album); "" where unknown.
    """

    clip_ids: npt.NDArray[np.str_]
    scores: FloatArray
    targets: Targets
    hashes: npt.NDArray[np.bytes_]
    groups: npt.NDArray[np.str_]

    @classmethod
    def of(cls, split: Split, scores: FloatArray) -> Scores:
        """Scores of a split whose labels are known."""
        ids = np.array([clip.id for clip in split.clips], dtype=np.str_)
        groups = np.array([clip.group for clip in split.clips], dtype=np.str_)
        targets = split.targets()
        return cls(ids, scores.astype(np.float32), targets, target_hashes(ids, targets), groups)

    def take(self, index: npt.NDArray[np.int64]) -> Scores:
        """Those of some clips, in this order."""
        targets = Targets(self.targets.value[index], self.targets.known[index], self.targets.kind)
        return Scores(self.clip_ids[index], self.scores[index], targets, self.hashes[index], self.groups[index])


def target_hashes(clip_ids: npt.NDArray[np.str_], targets: Targets) -> npt.NDArray[np.bytes_]:
    """Sixteen hex digits a clip over its id and its labels, to compare labels without publishing them."""
    rows = zip(clip_ids, targets.value, targets.known, strict=True)
    texts = [f"{name}|{value.astype('<f4').tobytes().hex()}|{known.tobytes().hex()}" for name, value, known in rows]
    return np.array([hashlib.sha256(text.encode()).hexdigest()[:16].encode() for text in texts], dtype="S16")


class RunStore:
    """The folder of all records.

    Parameters
    ----------
    root : Path
        Usually ``runs``.
    left_out : list of str, optional
        Takes a line for each record that cannot be read, which is then left out where many are read. Without it the
        first of them raises.
    """

    left_out: list[str] | None = None

    def __init__(self, root: Path, left_out: list[str] | None = None) -> None:
        self.root, self.left_out = root, left_out

    def folder(self, spec: RunSpec) -> Path:
        """Where the record of a run lies."""
        method = f"{spec.method}+{spec.source}" if spec.source else spec.method
        return self.root / _file_name(spec.task) / _file_name(method) / spec.key

    def write_clips(self, spec: RunSpec, folds: Sequence[Sequence[Clip]], base: Path | None) -> Path:
        """Write the clips of a task with their splits beside its runs.

        ``csv:`` reads that file again, with ``--data`` as the folder that its paths are relative to (`base`).
        """
        path = self.root / _file_name(spec.task) / clip_list_name(spec.task_version)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip_list(path, folds, base)
        return path

    def read(self, spec: RunSpec) -> RunRecord | None:
        """The record of this very run, or None."""
        path = self.folder(spec) / "record.json"
        if not path.is_file():
            sweep(path.parent.parent)
        return read_record(path) if path.is_file() else None

    def write(
        self,
        record: RunRecord,
        scores: Scores | None = None,
        state: Mapping[str, Any] | None = None,
        traceback: str = "",
    ) -> Path:
        """Write a record with its scores and model; replaces an earlier attempt. Returns the folder."""
        target = self.folder(record.spec)
        contents = _contents(scores, state)
        record = replace(record, files={name: hashlib.sha256(held).hexdigest() for name, held in contents.items()})
        contents["record.json"] = as_text(record).encode()
        if traceback:
            contents["traceback.txt"] = traceback.encode("utf-8", "backslashreplace")
        with writing_to(self.root, "free some, or give --runs FOLDER elsewhere"), temporary(target.parent) as work:
            for name, held in contents.items():
                (work / name).write_bytes(held)
            work.chmod(0o755)
            sync(work)
            replace_folder(work, target)
            sync(target.parent, files=False)
        return target

    def require_writable(self) -> None:
        """Refuse a folder of records that nothing can be written to, before work is done for nothing.

        Raises
        ------
        BadInput
            If that is so.
        """
        if why := unwritable(self.root):
            raise BadInput(f"{self.root}: no record can be written there ({why}); give --runs FOLDER elsewhere")

    def forget_skipped(self, spec: RunSpec) -> None:
        """Remove records of the same run that was skipped for want of weights, once it is done with them."""
        for folder, other in self._alike(spec):
            if other.status == "skipped":
                shutil.rmtree(folder)

    def done_before(self, spec: RunSpec) -> RunRecord | None:
        """The record of the same run that was done when its weights were here, whatever they were."""
        return next((record for _, record in self._alike(spec) if record.status == "done"), None)

    def _alike(self, spec: RunSpec) -> Iterator[tuple[Path, RunRecord]]:
        """Records of the same run but for its weights; options of a source that is not here are not known either."""
        for path in sorted(self.folder(spec).parent.glob("*/record.json")):
            try:
                other = read_record(path)
            except BadInput:  # whatever it is of; who reads it says so
                continue
            ours, theirs = (asdict(known) for known in (spec, other.spec))
            unknown = {"source_sha256"} if spec.source_params and other.spec.source_params else _UNKNOWN
            if other.spec != spec and all(ours[name] == theirs[name] for name in ours if name not in unknown):
                yield path.parent, other

    def records(self) -> Iterator[tuple[Path, RunRecord]]:
        """Every record below the root with its folder, in the order of their names.

        Raises
        ------
        BadInput
            For the first that cannot be read, where the store takes no list of those left out.
        """
        self._put_back()
        yield from self._read(path for path in _below(self.root, 3, self._refuse) if _is_there(path))

    def _read(self, paths: Iterable[Path]) -> Iterator[tuple[Path, RunRecord]]:
        for path in paths:
            try:
                yield path.parent, read_record(path)
            except BadInput as error:
                self._refuse(error)

    def _refuse(self, error: BadInput) -> None:
        """Leave out what cannot be read, and keep why."""
        if self.left_out is None:
            raise error
        if str(error) not in self.left_out:
            self.left_out.append(str(error))

    def find(self, name: str) -> list[tuple[Path, RunRecord]]:
        """The runs that a name stands for, each with its folder.

        Parameters
        ----------
        name : str
            A run's folder, or a folder of runs; METHOD+SOURCE or TASK/METHOD+SOURCE of those below the root; the key
            of a run, or how it begins.

        Raises
        ------
        BadInput
            If nothing is called so, or several things are.
        """
        there = user_path(name)
        self._put_back()
        folders = [there] if any(_runs_in(there)) else self._named(name)
        if len(folders) > 1:
            few = ", ".join(str(folder.relative_to(self.root)) for folder in folders[:5])
            more = f" and {len(folders) - 5} more" if len(folders) > 5 else ""
            raise BadInput(f"{name}: several things below {self.root} are called so ({few}{more}); say more of it")
        if not folders:
            known = {f"{path.parent.name}/{path.name}" for path in self.root.glob("*/*") if any(_runs_in(path))}
            raise UnknownName(f"run below {self.root}", name, known, "`mirbench leaderboard` shows what there is.")
        paths = _runs_in(folders[0])
        found = list(self._read(paths))
        if not found and self.left_out:
            raise BadInput(f"{name}: none of its {len(paths)} runs can be read; the last: {self.left_out[-1]}")
        return found

    def _put_back(self) -> None:
        """Put back what processes that died were replacing."""
        for folder in {path.parent for path in self.root.glob("*/*/.old-*")}:
            sweep(folder)

    def _named(self, name: str) -> list[Path]:
        """Folders of the runs of a method and source; where there are none, of the runs whose keys begin so."""
        name = name.replace(" + ", "+")  # as tables write it
        cuts = [n for n, letter in enumerate(name) if letter == "/" and n]  # a task's name may hold some, as a source's
        patterns = [f"*/{glob.escape(_file_name(name))}"]
        patterns += [f"{glob.escape(_file_name(name[:n]))}/{glob.escape(_file_name(name[n + 1 :]))}" for n in cuts]
        found = {path for pattern in patterns for path in self.root.glob(pattern) if any(_runs_in(path))}
        if not found and re.fullmatch("[0-9a-f]+", name):
            found = {path for path in self.root.glob(f"*/*/{name}*") if any(_runs_in(path))}
        return sorted(found)

    def scores(self, folder: Path) -> Scores:
        """The scores beside a record."""
        path = folder / "scores.npz"
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                kind = str(held["target_kind"])
                targets = Targets(held["target_value"], held["target_known"], kind)  # type: ignore[arg-type]
                ids = held["clip_ids"]
                groups = held["groups"] if "groups" in held else np.full(len(ids), "")  # records of mirbench 0.1.0
                return Scores(ids, held["scores"], targets, held["target_hashes"], groups)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            why = "it is damaged, or a pickle" if "pickle" in str(error) else error
            raise BadInput(f"{path}: not readable as scores ({why}); run it again, or remove its folder") from error

    def state(self, folder: Path, files: Mapping[str, str] | None = None) -> dict[str, npt.NDArray[Any]] | None:
        """What was learnt, beside a record; None where nothing is stored.

        Parameters
        ----------
        files : mapping of str to str, optional
            Of the record: the hash that the model must have.

        Raises
        ------
        BadInput
            If it is not the model of the record, or no model at all.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = folder / "model.safetensors"
        if fault := next((line for line in changed_files(folder, files or {}) if line.startswith(path.name)), ""):
            raise BadInput(f"{folder}: {fault}; remove the folder to run it again")
        if not path.is_file():
            return None
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{path}: not readable as a model ({error}); remove its folder to run it again") from error

    def robustness(self, folder: Path) -> Robustness | None:
        """The curves beside a record; None where there are none."""
        path = folder / "deform.json"
        if not path.is_file():
            return None
        return read_curves(path)

    def write_robustness(self, folder: Path, robustness: Robustness) -> None:
        """Write curves beside a record, in the place of earlier ones."""
        with written_whole(folder / "deform.json") as work:
            work.write_text(as_text(robustness), encoding="utf-8")
            work.chmod(0o644)


def _below(folder: Path, depth: int, refuse: Callable[[BadInput], None]) -> Iterator[Path]:
    """Where a record may lie at some depth below a folder, in the order of names; hidden folders hold none."""
    if depth == 0:
        yield folder / "record.json"
        return
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        names = sorted(entry.name for entry in entries if _is_folder(entry))
    except FileNotFoundError:
        return
    except OSError as error:
        refuse(BadInput(f"{folder}: not to be read ({error.strerror})"))
        return
    for name in names:
        yield from _below(folder / name, depth - 1, refuse)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_there(path: Path) -> bool:
    """Whether something is called so, be it a link that leads nowhere."""
    try:
        return os.path.lexists(path) or not os.access(path.parent, os.X_OK)
    except (OSError, ValueError):
        return True


def changed_files(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """What of the files of a record is not as it was written; nothing is said of those that have no hash there.

    Parameters
    ----------
    files : mapping of str to str
        Of the record.
    """
    for name in _HASHED:
        path = folder / name
        if not files or (name not in files and not path.exists()):
            continue
        if name not in files:
            yield f"{name}: is beside a record that has none"
        elif not path.is_file():
            yield f"{name}: is no longer there"
        else:
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            if sha256 != files[name]:
                yield f"{name}: is damaged or another one (sha256 {sha256[:12]}…, on record {files[name][:12]}…)"


def _contents(scores: Scores | None, state: Mapping[str, Any] | None) -> dict[str, bytes]:
    """The files of a record but itself."""
    contents = {}
    if scores is not None:
        packed = io.BytesIO()
        np.savez_compressed(
            packed,
            clip_ids=scores.clip_ids,
            groups=scores.groups,
            scores=scores.scores,
            target_value=scores.targets.value,
            target_known=scores.targets.known,
            target_kind=np.array(scores.targets.kind),
            target_hashes=scores.hashes,
        )
        contents["scores.npz"] = packed.getvalue()
    if state:
        from safetensors.numpy import save

        contents["model.safetensors"] = save({name: np.asarray(value, order="C") for name, value in state.items()})
    return contents


def _runs_in(folder: Path) -> list[Path]:
    """The records of a folder that is one of a run, or of the runs of a method and source."""
    own = folder / "record.json"
    return [own] if own.is_file() else [p for p in sorted(folder.glob("*/record.json")) if p.parent.name[0] != "."]


def clip_list_name(task_version: str) -> str:
    """What the list of a task's clips beside its runs is called."""
    return f"clips-{_file_name(task_version)}.csv"


_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_MOST_BYTES = 255  # of a file's name


def _file_name(name: str) -> str:
    """A name as one part of a path, on any system; never a way out of the folder that it is in."""
    part = re.sub(r"[^\w.+-]", "_", name) or "_"
    if part[0] == "." or _RESERVED.fullmatch(part):
        part = f"_{part}"
    if len(part.encode()) > _MOST_BYTES:
        digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        part = f"{part.encode()[:200].decode('utf-8', 'ignore')}-{digits}"
    return part
