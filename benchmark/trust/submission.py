"""Records that somebody sends in: what must be so of them beyond holding, before they stand beside others.

Their task must be one that everybody can look up, of the version that is known here, and their labels must be the
task's own. They must hold what a schema says and nothing else. Consistent is all that this makes sure of: that scores
came of the method that is named, and what they cost, is claimed by whoever sends them.
"""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mirbench.errors import MirbenchError
from mirbench.features.datasets import read_labels
from mirbench.installation import extra_module
from mirbench.method import asked_of
from mirbench.names import confusable, unseen, wrong_name
from mirbench.places import default_cache
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.attempt import unfinished
from mirbench.runs.hyperparameters import build, grid
from mirbench.runs.plan import draft_plan
from mirbench.runs.scores import Scores
from mirbench.source import further_options, with_weights
from mirbench.taken_names import is_claimed
from mirbench.trust.known_facts import is_place, unknown
from mirbench.trust.rerun import differences, request_of
from mirbench.trust.verify import Case, digest
from mirbench.types import Clip, Split, Task

__all__ = ["CLAIMED", "Submission", "lacking_members", "schema"]

CLAIMED = (
    "Claimed by whoever ran them, and not verified: times, memory, operations, energy, parameter counts, trials, "
    "history, environment, curves under deformation, and that the scores came of what was asked."
)

_T = TypeVar("_T")
_MOST_ERRORS = 3  # of a record's schema
_MOST_POINTS = 1_000  # of a search, that are tried
_WITHOUT_HASHES = ("0.1.0", "0.2.0")  # versions of mirbench


def schema() -> dict[str, Any]:
    """The JSON Schema of record.json."""
    text = (files("mirbench.trust") / "record.schema.json").read_text(encoding="utf-8")
    held: dict[str, Any] = json.loads(text)
    return held


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
        if is_claimed(record.spec.method_version):
            case.problems.append(
                "refused: its predictions were imported, and how they were made nobody can check; `mirbench verify` "
                "without --strict computes their scores again"
            )
            return
        case.problems += self._schema_errors(case.folder)
        case.problems += _doubtful(record)
        if record.status != "done":
            case.problems.append(f"is {record.status}: a submission holds results alone")
        task = self._task(record.spec.task)
        if own := task is None or task.standing in ("own", "synthesised"):
            what = "a synthesised stand-in" if task and task.standing == "synthesised" else "own data"
            if not self.allow_own:
                case.problems.append(
                    f"refused: {printable(record.spec.task, 300)} is {what}, which nobody else can check "
                    "(--allow-own: for consistency alone)"
                )
                case.notes = [note for note in case.notes if note != unknown("task", record.spec.task)]
        if scores is None or case.problems:  # what follows needs a record that holds
            return
        case.problems += _unreadable_parts(case.folder)
        case.problems += self._unverified(record.spec)
        if own or task is None:
            case.problems += self._not_asked(record, task)
            return
        if task.version != record.spec.task_version:
            case.problems.append(f"refused: version {record.spec.task_version}; this mirbench has {task.version}")
            return
        case.problems += self._wrong_labels(record, task, scores)
        case.problems += self._not_asked(record, task)

    @cached_property
    def _validator(self) -> Any:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import extend

        every = Draft202012Validator.VALIDATORS["items"]

        def items(validator: Any, of: Any, held: Any, of_list: Any) -> Iterator[Any]:
            if not isinstance(held, list) or len(held) <= of_list.get("maxItems", len(held)):  # which says so itself
                yield from every(validator, of, held, of_list)

        return extend(Draft202012Validator, {"items": items})(schema())

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
            yield f"record.json: {error.json_path}: {printable(error.message, 160)}"
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

    def _unverified(self, spec: RunSpec) -> Iterator[str]:
        """Methods and sources that are not known here in the version on record: nothing is known of their settings."""
        if spec.method == "ensemble":
            if spec.method_version != "1":
                yield f"cannot be verified: ensembles have version 1, this one {printable(spec.method_version, 400)}"
            return
        for kind, name, version in self._versions(spec):
            said = f"cannot be verified: {kind} {printable(name, 80)}"
            if is_place(name):
                if not self.allow_own:
                    yield f"{said} is a path or address, and not looked up"
                continue
            now = self._once((kind, name), lambda kind=kind, name=name: self.catalogue.version(kind, name))  # type: ignore[misc]
            if isinstance(now, MirbenchError):
                yield f"{said} is unknown to this mirbench (--plugin FILE adds some)"
            elif now != version:
                yield f"{said} has version {printable(version, 80)} on record; this mirbench has {now}"

    def _versions(self, spec: RunSpec) -> Iterator[tuple[str, str, str]]:
        yield "method", spec.method, spec.method_version
        if spec.source:
            yield "source", spec.source, spec.source_version

    def _not_asked(self, record: RunRecord, task: Task | None) -> Iterator[str]:
        """Whether this mirbench, asked for the same, would ask the same and flag it alike."""
        spec = record.spec
        if spec.method == "ensemble" or any(self._unverified(spec)):
            return
        if task is None or is_place(spec.source):
            yield from self._odd_settings(record)
            return
        system = replace(spec, fold=0, seed=0, source_sha256="", audio_sha256="")
        plan = self._once(system.key, lambda: draft_plan(request_of(system, {}), self.catalogue))
        if isinstance(plan, MirbenchError):
            yield f"is not what can be asked: {plan}"
            return
        now = replace(plan.specs[0], fold=spec.fold, seed=spec.seed)
        if task.version != spec.task_version:  # of own data it is a hash
            now = replace(now, task_version=spec.task_version)
        yield from differences(spec, replace(now, source_sha256=spec.source_sha256, audio_sha256=spec.audio_sha256))
        expected = unfinished(spec, plan)  # what is said of a run before it begins
        for name in ("contaminated", "changed"):
            recorded, known = (json.loads(json.dumps(getattr(each, name))) for each in (record, expected))
            if recorded != known:
                yield f"{name} is {recorded} on record and {known} by its cards"
        if plan.uses_seed and not record.uses_seed:
            yield f"it says that nothing is random in it, which {spec.method} does not say of itself"

    def _odd_settings(self, record: RunRecord) -> Iterator[str]:
        """The same where task or source cannot be looked up: what the method and the source by themselves say."""
        spec = record.spec
        kind = self.catalogue.method(spec.method)
        try:
            points = itertools.islice(grid(spec.search), _MOST_POINTS)
            for point in [{}, *points]:
                method = build(kind, {**spec.params, **point})
        except MirbenchError as error:
            yield f"is not what can be asked: {error}"
            return
        method = build(kind, spec.params)
        if json.loads(json.dumps(asked_of(method))) != dict(spec.params):
            yield f"params are not the hyperparameters of {spec.method}"
        if bool(spec.source) != bool(kind.needs):
            has, takes = ("a source" if there else "no source" for there in (spec.source, kind.needs))
            yield f"has {has}, and {spec.method} takes {takes}"
        if spec.source and not is_place(spec.source):
            card = with_weights(self.catalogue.source(spec.source), spec.source_params)
            if set(spec.source_params) - set(further_options(card)) != set(card.options):
                yield f"source_params are not the options of {spec.source}"
            if strange := set(record.contaminated) - set(card.trained_on):
                yield f"{spec.source} was not trained on {printable(min(strange), 400)}"
        elif not spec.source and record.contaminated:
            yield "is contaminated, and has no source"


def _doubtful(record: RunRecord) -> Iterator[str]:
    """Names that nothing here could have, or that are made to be taken for others; texts that are not seen."""
    spec = record.spec
    for kind, name in {"task": spec.task, "method": spec.method, "source": spec.source}.items():
        if name and (fault := wrong_name(name, kind) or confusable(name)):  # type: ignore[arg-type]
            yield f"the name of its {kind} {fault}"
    if strange := next((text for text in _texts(asdict(record)) if unseen(text)), None):
        yield f"holds a text with {unseen(strange)}, which nobody sees: {printable(strange, 80)}"
    if " and " in spec.precision:
        kinds = spec.precision.split(" and ")
        if spec.method != "ensemble" or kinds != sorted(set(kinds)):
            yield f"has a precision of {printable(spec.precision, 400)}"
    yield from _dated(record)
    if not spec.source and (spec.source_version or spec.source_params or spec.source_sha256):
        yield "has no source, and a version, options or weights of one"


def _dated(record: RunRecord) -> Iterator[str]:
    """What a record says of when it was written, and by which mirbench."""
    finished = record.environment.get("finished")
    if isinstance(finished, str):
        try:
            ahead = datetime.fromisoformat(finished) - datetime.now(UTC)
        except (ValueError, TypeError):  # no time, or one without its zone
            yield f"finished is {printable(finished, 50)!r}, which is no time as 2026-01-31T12:00:00+00:00"
        else:
            if ahead > timedelta(days=1):
                yield f"finished at {printable(finished, 50)}, which is yet to come"
    versions = record.environment.get("versions")
    written_by = versions.get("mirbench") if isinstance(versions, Mapping) else None
    if record.status == "done" and not record.files and written_by not in _WITHOUT_HASHES:
        yield f"has no hashes of its files, which mirbench {', '.join(_WITHOUT_HASHES)} alone do not record"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(name)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _unreadable_parts(folder: Path) -> Iterator[str]:
    """Files beside a record that are not what they are called."""
    with zipfile.ZipFile(folder / "scores.npz") as held:
        if "groups.npy" not in held.namelist():
            yield "scores.npz: has no groups, as records of mirbench 0.1.0 have none; run it again"
    model = folder / "model.safetensors"
    if model.is_file():  # what is there and is none is said as a strange file
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(model, framework="numpy") as held:  # reads its header, and compares sizes
                names, metadata = held.keys(), held.metadata()
            if metadata or not names or any(unseen(name) for name in names):
                yield "model.safetensors: holds no arrays, or what is none, or names that nobody sees"
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
        said += [f"has {len(strange)} that are none of it (first: {printable(strange[0], 80)})"] if strange else []
        yield f"of the test clips of {split.task.name} it {' and '.join(said)}"
        return
    for position, what in enumerate(("labels", "a group")):
        if wrong := sorted(name for name in ours if ours[name][position] != theirs[name][position]):
            yield f"{len(wrong)} clips have {what} that {split.task.name} does not give them (first: {wrong[0]})"
