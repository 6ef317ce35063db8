"""Records on disk: ``runs/<task>/<method>[+<source>]/<key>/`` with record.json, scores.npz and model.safetensors.

A run's folder is written whole or not at all. JSON is strict: no NaN, a schema version, unknown versions refused.
``scores.npz`` holds, for every test clip: ``clip_ids``, ``scores``, ``target_value``, ``target_known``,
``target_kind`` and ``target_hashes``, so that every metric can be computed again.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.cache import replace_folder
from mirbench.clip_list import write_clip_list
from mirbench.errors import BadInput
from mirbench.types import SCHEMA_VERSION, Clip, FloatArray, RunRecord, RunSpec, Split, Targets, Windowing

__all__ = ["RunStore", "Scores", "target_hashes"]


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
    """

    clip_ids: npt.NDArray[np.str_]
    scores: FloatArray
    targets: Targets
    hashes: npt.NDArray[np.bytes_]

    @classmethod
    def of(cls, split: Split, scores: FloatArray) -> Scores:
        """Scores of a split whose labels are known."""
        ids = np.array([clip.id for clip in split.clips], dtype=np.str_)
        targets = split.targets()
        return cls(ids, scores.astype(np.float32), targets, target_hashes(ids, targets))


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
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, spec: RunSpec) -> Path:
        """Where the record of a run lies."""
        method = f"{spec.method}+{spec.source}" if spec.source else spec.method
        return self.root / _file_name(spec.task) / _file_name(method) / spec.key

    def write_clips(self, spec: RunSpec, folds: Sequence[Sequence[Clip]], base: Path | None) -> Path:
        """Write the clips of a task with their splits beside its runs.

        ``csv:`` reads that file again, with ``--data`` as the folder that its paths are relative to (`base`).
        """
        path = self.root / _file_name(spec.task) / f"clips-{_file_name(spec.task_version)}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip_list(path, folds, base)
        return path

    def read(self, spec: RunSpec) -> RunRecord | None:
        """The record of this very run, or None."""
        path = self.folder(spec) / "record.json"
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
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
        try:
            if scores is not None:
                np.savez_compressed(
                    work / "scores.npz",
                    clip_ids=scores.clip_ids,
                    scores=scores.scores,
                    target_value=scores.targets.value,
                    target_known=scores.targets.known,
                    target_kind=np.array(scores.targets.kind),
                    target_hashes=scores.hashes,
                )
            if state:
                from safetensors.numpy import save_file

                arrays = {name: np.asarray(value, order="C") for name, value in state.items()}
                save_file(arrays, work / "model.safetensors")
            if traceback:
                (work / "traceback.txt").write_text(traceback, encoding="utf-8")
            text = json.dumps(_plain(asdict(record)), indent=1, allow_nan=False)
            (work / "record.json").write_text(text + "\n", encoding="utf-8")
            work.chmod(0o755)
            replace_folder(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return target

    def forget_skipped(self, spec: RunSpec) -> None:
        """Remove records of the same run that was skipped for want of weights, once it is done with them."""
        for path in self.folder(spec).parent.glob("*/record.json"):
            other = read_record(path)
            without = replace(other.spec, source_sha256=spec.source_sha256)
            if other.status == "skipped" and other.spec != spec and without == spec:
                shutil.rmtree(path.parent)

    def records(self) -> Iterator[tuple[Path, RunRecord]]:
        """Every record below the root with its folder, in the order of their names."""
        for path in sorted(self.root.glob("*/*/*/record.json")):
            if not path.parent.name.startswith("."):
                yield path.parent, read_record(path)

    def scores(self, folder: Path) -> Scores:
        """The scores beside a record."""
        path = folder / "scores.npz"
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                kind = str(held["target_kind"])
                targets = Targets(held["target_value"], held["target_known"], kind)  # type: ignore[arg-type]
                return Scores(held["clip_ids"], held["scores"], targets, held["target_hashes"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise BadInput(f"{path}: not readable as scores ({error}); run it again, or remove its folder") from error


def _file_name(name: str) -> str:
    """A name as one part of a path, on any system."""
    return re.sub(r"[^\w.+-]", "_", name)


def read_record(path: Path) -> RunRecord:
    """A record from its file.

    Raises
    ------
    BadInput
        If it is not strict JSON of this schema version.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        version = fields["schema_version"]
        if version != SCHEMA_VERSION:
            raise BadInput(f"{path}: schema version {version}; this mirbench reads version {SCHEMA_VERSION}")
        spec = fields.pop("spec")
        windowing = Windowing(**spec.pop("windowing"))
        return RunRecord(spec=RunSpec(windowing=windowing, **spec), **fields)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path}: not a record ({error}); remove its folder to run it again") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _plain(value: Any) -> Any:
    """Mappings, sequences and numpy scalars as what JSON knows."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None  # undefined: JSON has no word for it
    return value
