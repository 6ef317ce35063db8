"""Records on disk: ``runs/<task>/<method>[+<source>]/<key>/`` with record.json, scores.npz and model.safetensors.

A run's folder is written whole or not at all. JSON is strict: no NaN, a schema version, unknown versions refused.
``deform.json`` may join them later: curves of the run, which are no part of what was asked of it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mirbench.errors import BadInput, UnknownName
from mirbench.features.cache import unwritable, writing_to
from mirbench.features.clip_list import write_clip_list
from mirbench.features.deformation import Robustness
from mirbench.features.shard import sync
from mirbench.features.temporary import replace_folder, sweep, temporary, written_whole
from mirbench.places import user_path
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.found_by_name import folders_called, of_what_is_here
from mirbench.runs.record_file import as_text, read_curves, read_record
from mirbench.runs.run_files import file_contents, read_model
from mirbench.runs.run_folders import clip_list_name, file_name, is_there, records_below, runs_in
from mirbench.runs.scores import Scores, read_scores
from mirbench.spelling import is_key, other_spellings, with_key
from mirbench.types import Clip

__all__ = ["RunStore"]

_UNKNOWN = {"source_sha256", "source_params"}
"""What is not known of a source that is not here."""


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
        return self.root / file_name(spec.task) / file_name(method) / spec.key

    def write_clips(self, spec: RunSpec, folds: Sequence[Sequence[Clip]], base: Path | None) -> Path:
        """Write the clips of a task with their splits beside its runs.

        ``csv:`` reads that file again, with ``--data`` as the folder that its paths are relative to (`base`).
        """
        path = self.root / file_name(spec.task) / clip_list_name(spec.task_version)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip_list(path, folds, base)
        return path

    def read(self, spec: RunSpec) -> RunRecord | None:
        """The record of this very run, or None; raises `BadInput` where one is there that cannot be read."""
        path = self.folder(spec) / "record.json"
        if not is_there(path):
            sweep(path.parent.parent)
        return read_record(path) if is_there(path) else None

    def write(
        self,
        record: RunRecord,
        scores: Scores | None = None,
        state: Mapping[str, Any] | None = None,
        traceback: str = "",
    ) -> Path:
        """Write a record with its scores and model; replaces an earlier attempt. Returns the folder."""
        contents = file_contents(scores, state)
        record = replace(record, files={name: hashlib.sha256(held).hexdigest() for name, held in contents.items()})
        contents["record.json"] = as_text(record).encode()
        if traceback:
            contents["traceback.txt"] = traceback.encode("utf-8", "backslashreplace")
        return self.write_files(record.spec, contents)

    def write_files(
        self, spec: RunSpec, contents: Mapping[str, bytes], check: Callable[[Path], None] | None = None
    ) -> Path:
        """Write the files of a run, all or none of them; replaces an earlier attempt. Returns the folder.

        Parameters
        ----------
        contents : mapping of str to bytes
            What each file holds, the record's among them, by name.
        check : callable, optional
            Called with the folder in which they lie before they take their place; what it raises leaves all as it was.
        """
        target = self.folder(spec)
        with writing_to(self.root, "free some, or give --runs FOLDER elsewhere"), temporary(target.parent) as work:
            for name, held in contents.items():
                (work / name).write_bytes(held)
            if check is not None:
                check(work)
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

    def done_under_another_name(self, spec: RunSpec) -> RunRecord | None:
        """The same run done under another spelling of its task's name, as versions up to 0.4.0 recorded it; or None."""
        for task in other_spellings(spec.task):
            other = self.read(replace(spec, task=task))
            if other is not None and other.status == "done":
                return other
        return None

    def forget_skipped(self, spec: RunSpec) -> None:
        """Remove records of the same run that was skipped for want of weights, once it is done with them."""
        for folder, other in self._alike(spec, without_scores=True):
            if other.status == "skipped":
                shutil.rmtree(folder)

    def done_before(self, spec: RunSpec) -> RunRecord | None:
        """The record of the same run that was done when its weights were here, whatever they were."""
        return next((record for _, record in self._alike(spec) if record.status == "done"), None)

    def _alike(self, spec: RunSpec, *, without_scores: bool = False) -> Iterator[tuple[Path, RunRecord]]:
        """Records of the same run but for its weights; options of a source that is not here are not known either."""
        for path in sorted(self.folder(spec).parent.glob("*/record.json")):
            if without_scores and (path.parent / "scores.npz").exists():  # as beside hundreds of other folds and seeds
                continue
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
        yield from self._read(records_below(self.root, self._refuse))

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
            A run's folder, or a folder of runs; METHOD+SOURCE or TASK/METHOD+SOURCE of those below the root, the task
            and the source spelled in any way that can be run; the key of a run or of a system, or its first digits
            (four or more).

        Raises
        ------
        BadInput
            If nothing is called so, or several things are.
        """
        folders = self._called(name)
        if len(folders) > 1 and is_key(name) and all(folder.name.startswith(name) for folder in folders):
            few = ", ".join(folder.name for folder in folders[:5])
            raise BadInput(f"{name}: {len(folders)} keys of runs begin so ({few}); give more of it")
        if len(folders) > 1:
            few = ", ".join(str(folder.relative_to(self.root)) for folder in folders[:5])
            more = f" and {len(folders) - 5} more" if len(folders) > 5 else ""
            raise BadInput(f"{name}: several things below {self.root} are called so ({few}{more}); say more of it")
        if not folders:
            if is_key(name) and (of_system := self._of_system(name)):
                return of_system
            raise self.unknown(name)
        paths = runs_in(folders[0])
        found = list(self._read(paths))
        if not found and self.left_out:
            raise BadInput(f"{name}: none of its {len(paths)} runs can be read; the last: {self.left_out[-1]}")
        return of_what_is_here(name, found)

    def unknown(self, name: str) -> UnknownName:
        """That no run is called so, and which may have been meant."""
        known = {f"{path.parent.name}/{path.name}" for path in self.root.glob("*/*") if any(runs_in(path))}
        where = "`mirbench leaderboard` shows what there is."
        return UnknownName(f"run below {self.root}", name, known, where, own=known)

    def _of_system(self, key: str) -> list[tuple[Path, RunRecord]]:
        """The runs of the system whose key begins so."""
        found = [run for run in self.records() if run[1].spec.system.startswith(key)]
        if len(known := {record.spec.system for _, record in found}) > 1:
            raise BadInput(
                f"{key}: {len(known)} keys of systems begin so ({', '.join(sorted(known))}); give more of it"
            )
        return found

    def find_every(self, name: str) -> list[tuple[Path, RunRecord]]:
        """The runs that a name stands for, be they of several things.

        Parameters
        ----------
        name : str
            As `find` takes it; with ``@KEY`` behind it, of those the system or run of that key.
        """
        name, key = with_key(name)
        found = [run for folder in self._called(name) for run in self._read(runs_in(folder))]
        if not found and is_key(name):
            found = [run for run in self.records() if run[1].spec.system.startswith(name)]
        return [run for run in found if run[1].spec.system.startswith(key) or run[1].spec.key.startswith(key)]

    def _called(self, name: str) -> list[Path]:
        there = user_path(name)
        self._put_back()
        return [there] if any(runs_in(there)) else folders_called(self.root, name)

    def _put_back(self) -> None:
        """Put back what processes that died were replacing."""
        for folder in {path.parent for path in self.root.glob("*/*/.old-*")}:
            sweep(folder)

    def scores(self, folder: Path) -> Scores:
        """The scores beside a record; raises `BadInput` where they cannot be read."""
        return read_scores(folder / "scores.npz")

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
        return read_model(folder, files or {})

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
