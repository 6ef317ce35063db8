"""Records that somebody sends in: what must be so of them beyond holding, before they stand beside others.

Their task must be one that everybody can look up, of the version that is known here, and their labels must be the
task's own. They must hold what a schema says and nothing else. Consistent is all that this makes sure of: that scores
came of the method that is named, and what they cost, is claimed by whoever sends them.
"""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mirbench.errors import MirbenchError
from mirbench.features.datasets import read_labels
from mirbench.installation import extra_module
from mirbench.places import default_cache
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.attempt import unfinished
from mirbench.runs.plan import draft_plan
from mirbench.runs.store import Scores
from mirbench.trust.rerun import differences, request_of
from mirbench.trust.untrusted import safe
from mirbench.trust.verify import Case, digest
from mirbench.types import Clip, Split, Task

__all__ = ["CLAIMED", "Submission", "lacking_members", "schema", "strange_files"]

CLAIMED = (
    "Claimed by whoever ran them, and not verified: times, memory, operations, energy, parameter counts, trials, "
    "history, environment, curves under deformation, and that the scores came of what was asked."
)

_FILES = {
    "record.json": 2**22, "scores.npz": 2**26, "model.safetensors": 100 * 2**20, "deform.json": 2**22,
}  # fmt: skip
"""What the folder of a record may hold, and the most bytes of each."""

_BESIDE = {"README.md": 2**20, "leaderboard.md": 2**22, ".gitkeep": 2**10}
_CLIP_LIST = re.compile(r"clips-[\w.+-]+\.csv")
_T = TypeVar("_T")
_MOST_ERRORS = 3  # of a record's schema


def schema() -> dict[str, Any]:
    """The JSON Schema of record.json."""
    text = (files("mirbench.trust") / "record.schema.json").read_text(encoding="utf-8")
    held: dict[str, Any] = json.loads(text)
    return held


def strange_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Whatever lies below a folder of records and should not, and why."""
    above = 3 if (root / "record.json").exists() else 0  # the folder of one record
    for place, folders, names in os.walk(root):
        depth = above + len(Path(place).relative_to(root).parts)
        for name in sorted(folders):
            path = Path(place) / name
            if path.is_symlink():
                yield path, "is a link"
            elif name.startswith(".") or depth > 2:
                yield path, "is a folder where a submission has none"
                folders.remove(name)
        if depth == 3 and "record.json" not in names:
            yield Path(place), "has no record.json"
        for name in sorted(names):
            if fault := _strange_file(Path(place) / name, depth):
                yield Path(place) / name, fault


_WRITTEN = ("leaderboard.md", "leaderboard.html")  # by `mirbench leaderboard`, into the folder of records


def _strange_file(path: Path, depth: int) -> str:
    facts = path.lstat()
    if not stat.S_ISREG(facts.st_mode):
        return "is a link or no plain file"
    if depth == 1 and _CLIP_LIST.fullmatch(path.name):
        most: int | None = 2**24
    else:
        most = {0: _BESIDE, 3: _FILES}.get(depth, {}).get(path.name)
    if depth == 0 and path.name in _WRITTEN:
        return ""
    if most is None:
        return "is no file of a record"
    if facts.st_size > most:
        return f"is larger than {most / 2**20:g} MB"
    return "is executable" if facts.st_mode & 0o111 else ""


def lacking_members(cases: Sequence[Case]) -> None:
    """Refuse ensembles whose members are not sent with them: nothing says then that they average anything."""
    keys = {case.record.spec.key for case in cases if case.record is not None}
    for case in cases:
        if case.record is not None and case.record.spec.method == "ensemble":
            members = case.record.spec.params.get("members", ())
            if lost := [key for key in members if key not in keys]:
                case.problems.append(f"{len(lost)} of its {len(members)} members are not sent with it")


Committed = Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Submission:
    """Checks of one record that is sent in.

    Parameters
    ----------
    committed : callable
        What `mirbench data stats TASK --json` once wrote of a task, or None.
    data : Path or None
        Data root.
    allow_own : bool
        Check records of own data and stand-ins for consistency, in place of refusing them.

    Raises
    ------
    MissingExtra
        If jsonschema is not installed.
    """

    catalogue: Catalogue
    committed: Committed
    data: Path | None = None
    allow_own: bool = False

    def __post_init__(self) -> None:
        extra_module("jsonschema", "verify --strict", "jsonschema", "page")

    def __call__(self, case: Case, scores: Scores | None) -> None:
        """Add what is wrong with a record as a submission."""
        record = case.record
        if record is None:
            return
        case.problems += self._schema_errors(case.folder)
        if record.status != "done":
            case.problems.append(f"is {record.status}: a submission holds results alone")
        task = self._task(record.spec.task)
        if own := task is None or task.standing in ("own", "synthesised"):
            what = "a synthesised stand-in" if task and task.standing == "synthesised" else "own data"
            if not self.allow_own:
                case.problems.append(f"refused: {safe(record.spec.task)} is {what}, which nobody else can check")
        if scores is None or case.problems:  # what follows needs a record that holds
            return
        case.problems += _unreadable_parts(case.folder)
        if own or task is None:
            return
        if task.version != record.spec.task_version:
            case.problems.append(f"refused: version {record.spec.task_version}; this mirbench has {task.version}")
            return
        case.problems += self._wrong_labels(record, task, scores)
        case.problems += self._not_asked(record)

    @cached_property
    def _validator(self) -> Any:
        from jsonschema import Draft202012Validator

        return Draft202012Validator(schema())

    @cached_property
    def _held(self) -> dict[Any, Any]:
        """Answers about tasks and systems; of most there are many records."""
        return {}

    def _once(self, key: Any, answer: Callable[[], _T]) -> _T | MirbenchError:
        """The answer, or why there is none."""
        if key not in self._held:
            try:
                self._held[key] = answer()
            except MirbenchError as error:
                self._held[key] = error
        held: _T | MirbenchError = self._held[key]
        return held

    def _schema_errors(self, folder: Path) -> Iterator[str]:
        held = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        errors = list(self._validator.iter_errors(held))
        for error in errors[:_MOST_ERRORS]:
            yield f"record.json: {error.json_path}: {safe(error.message, 160)}"
        if len(errors) > _MOST_ERRORS:
            yield f"record.json: {len(errors) - _MOST_ERRORS} more places are not as the schema says"

    def _task(self, name: str) -> Task | None:
        """The task, if it is one that everybody has; a path or address is not."""
        found = None if ":" in name else self._once(("task", name), lambda: self.catalogue.task(name))
        return found if isinstance(found, Task) else None

    def _wrong_labels(self, record: RunRecord, task: Task, scores: Scores) -> Iterator[str]:
        """Whether clips, labels and groups are the task's own."""
        fold = record.spec.fold
        folds = self._once(("clips", task.name), lambda: self._clips(task))
        if not isinstance(folds, MirbenchError):
            yield from _unlike_clips(record, Split(task, folds[fold]), scores)
            return
        known = self.committed(task.name)
        if known is None or known.get("version") != task.version or not known.get("test_sha256"):
            yield f"cannot be verified: the labels of {task.name} are not here; give --data ({folds})"
        elif known["test_sha256"][fold] != digest(scores.clip_ids, scores.hashes, scores.groups):
            yield f"its test clips, labels or groups are not those of {task.name}, fold {fold}"

    def _clips(self, task: Task) -> tuple[tuple[Clip, ...], ...]:
        return read_labels(task, self.data, default_cache(), Progress(quiet=True))[0]

    def _not_asked(self, record: RunRecord) -> Iterator[str]:
        """Whether this mirbench, asked for the same, would ask the same and flag it alike."""
        spec = record.spec
        if spec.method == "ensemble" or ":" in spec.source or not self._same_versions(spec):
            return
        system = replace(spec, fold=0, seed=0, source_sha256="", audio_sha256="")
        plan = self._once(system.key, lambda: draft_plan(request_of(system, {}), self.catalogue))
        if isinstance(plan, MirbenchError):
            yield f"is not what can be asked: {plan}"
            return
        now = replace(plan.specs[0], fold=spec.fold, seed=spec.seed)
        yield from differences(spec, replace(now, source_sha256=spec.source_sha256, audio_sha256=spec.audio_sha256))
        expected = unfinished(spec, plan)  # what is said of a run before it begins
        for name in ("contaminated", "changed"):
            recorded, known = (json.loads(json.dumps(getattr(each, name))) for each in (record, expected))
            if recorded != known:
                yield f"{name} is {recorded} on record and {known} by its cards"

    def _same_versions(self, spec: RunSpec) -> bool:
        known = {"method": (spec.method, spec.method_version), "source": (spec.source, spec.source_version)}
        return all(
            self._once((kind, pair[0]), lambda kind=kind, name=pair[0]: self.catalogue.version(kind, name)) == pair[1]  # type: ignore[misc]
            for kind, pair in known.items()
            if pair[0]
        )


def _unreadable_parts(folder: Path) -> Iterator[str]:
    """Files beside a record that are not what they are called."""
    with zipfile.ZipFile(folder / "scores.npz") as held:
        if "groups.npy" not in held.namelist():
            yield "scores.npz: has no groups, as records of mirbench 0.1.0 have none; run it again"
    model = folder / "model.safetensors"
    if model.exists():
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(model, framework="numpy"):  # reads its header, and compares sizes
                pass
        except (OSError, SafetensorError) as error:
            yield f"model.safetensors: not readable as a model ({error})"


def _unlike_clips(record: RunRecord, split: Split, scores: Scores) -> Iterator[str]:
    """How the clips of a record differ from those of its task."""
    counts = {name: sum(clip.split == name for clip in split.clips) for name in ("train", "valid", "test")}
    if dict(record.n_clips) != counts:
        yield f"n_clips is {dict(record.n_clips)}; {split.task.name} has {counts}"
    test = Split(split.task, tuple(clip for clip in split.clips if clip.split == "test"))
    own = Scores.of(test, np.zeros((len(test), len(test.classes)), dtype=np.float32))
    columns = ("clip_ids", "hashes", "groups")
    ours, theirs = (
        {row[0]: row[1:] for row in zip(*(getattr(held, c).tolist() for c in columns), strict=True)}
        for held in (own, scores)
    )
    if ours.keys() != theirs.keys():
        lost, strange = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
        said = [f"lacks {len(lost)} (first: {lost[0]})"] if lost else []
        said += [f"has {len(strange)} that are none of it (first: {safe(strange[0], 80)})"] if strange else []
        yield f"of the test clips of {split.task.name} it {' and '.join(said)}"
        return
    for position, what in enumerate(("labels", "a group")):
        if wrong := sorted(name for name in ours if ours[name][position] != theirs[name][position]):
            yield f"{len(wrong)} clips have {what} that {split.task.name} does not give them (first: {wrong[0]})"
