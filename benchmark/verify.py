"""Whether records hold: all that can be computed again from what is stored is, and compared with what is on record.

A record that holds is consistent; it is not thereby true. Whoever invents scores and computes their metrics makes a
record that holds. `mirbench.submission` compares labels with the task's own, `mirbench.rerun` repeats runs.

Records may come from anyone. Nothing of theirs is run or unpickled, sizes are looked at before anything is read, and
whatever goes wrong with one is said in a line, before the next.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.lib import format as npy

from mirbench import metrics
from mirbench.errors import BadInput, MirbenchError
from mirbench.hyperparameters import grid
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.store import RunStore, Scores, read_record, target_hashes
from mirbench.types import FloatArray, RunRecord, RunSpec, Targets, Task

__all__ = ["Case", "digest", "record_folders", "safe", "verify"]

RTOL = 1e-9
"""How far a metric may be from the one on record: other builds of numpy add in another order, and no further."""

_MAX_RECORD = 2**24  # bytes
_MAX_SCORES = 2**29  # bytes of all arrays together, unpacked

_ARRAYS = {
    "clip_ids": ("U", 1), "groups": ("U", 1), "scores": ("f4", 2), "target_value": ("f4", 2),
    "target_known": ("b1", 2), "target_kind": ("U", 0), "target_hashes": ("S16", 1),
}  # fmt: skip
"""Of scores.npz: how the dtype of each array begins, and its number of axes."""


@dataclass
class Case:
    """What was found of one record.

    Parameters
    ----------
    folder : Path
        Where it lies.
    record : RunRecord or None
        None where it cannot be read.
    problems, notes : list of str
        Why it does not hold; and what a reader should know that is no fault of it.
    targets, predictions : str
        Hashes over ids and labels of its test clips, and over its scores; "" where they cannot be read.
    """

    folder: Path
    record: RunRecord | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    targets: str = ""
    predictions: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing was found against it."""
        return not self.problems


Further = Callable[[Case, Scores | None], None]
"""Checks beyond these; adds problems and notes to the case."""


def verify(
    root: Path, catalogue: Catalogue, progress: Progress | None = None, further: Further | None = None
) -> list[Case]:
    """Check every record below a folder.

    Parameters
    ----------
    root : Path
        Of records; or the folder of one.
    further : callable, optional
        ``further(case, scores)``, called for each record after the checks here.

    Raises
    ------
    BadInput
        If there is no such folder, or no record in it.
    """
    folders = record_folders(root)
    facts = _Facts(catalogue)
    cases = []
    with (progress or Progress(quiet=True)).bar("verifying", len(folders), "records") as step:
        for folder in folders:
            cases.append(_examined(folder, facts, further))
            step(1)
    _compare_copies(cases)
    _compare_targets(cases)
    _compare_ensembles(cases)
    return cases


def record_folders(root: Path) -> list[Path]:
    """Every folder below `root` that holds a record.json, in the order of their names.

    Raises
    ------
    BadInput
        If there is none.
    """
    if not root.is_dir():
        raise BadInput(f"{root}: no such folder; `mirbench run` makes one")
    paths = {*root.rglob("record.json"), *root.glob("*/*/*/record.json")}  # the second follows links to folders
    found = sorted({path.parent for path in paths if not path.parent.name.startswith(".")})
    if not found:
        raise BadInput(f"{root}: no records in it; `mirbench run` makes some")
    return found


def digest(*columns: Iterable[Any]) -> str:
    """Hash over the rows of some columns (ids, target hashes …), whatever the order of the rows."""
    rows = sorted("|".join(_text(value) for value in row) for row in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()


def safe(text: object, length: int = 400) -> str:
    """A text of somebody else's as one printable line."""
    line = "".join(letter if letter.isprintable() else "?" for letter in str(text))
    return line if len(line) <= length else line[:length] + " …"


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _examined(folder: Path, facts: _Facts, further: Further | None) -> Case:
    case = Case(folder)
    try:
        scores = _examine(case, facts)
        if further is not None:
            further(case, scores)
    except Exception as error:  # somebody else's file: whatever it brings about, say so and go on
        what = str(error) if isinstance(error, MirbenchError) else f"not to be checked: {type(error).__name__}: {error}"
        case.problems.append(what.removeprefix(f"{folder}/"))
    return case


def _examine(case: Case, facts: _Facts) -> Scores | None:
    """The checks of one record by itself; returns its scores where they can be read."""
    case.record = record = _record(case.folder)
    case.problems += _mistyped(record, RunRecord, "")
    if case.problems:
        return None
    case.problems += _identity(case.folder, record)
    case.problems += _search(record)
    scores = _scores(case, record)
    if record.status == "done" and scores is None:
        return None
    known, notes = facts.of(record)
    case.problems += known
    case.notes += notes
    if scores is None:
        return None
    case.problems += list(_wrong_targets(scores)) or list(_wrong_metrics(record, scores))
    case.targets = digest(scores.clip_ids, scores.hashes)
    case.predictions = hashlib.sha256(scores.scores.tobytes()).hexdigest()
    return scores


def _scores(case: Case, record: RunRecord) -> Scores | None:
    """Scores that can be read and are of the right shape; else says why not."""
    path, store = case.folder / "scores.npz", RunStore(case.folder)
    if record.status != "done":
        held = [name for name, there in (("metrics", record.metrics), ("scores", path.exists())) if there]
        case.problems += [f"is {record.status} and has {' and '.join(held)}"] if held else []
        return None
    if faults := list(_unreadable(path)):
        case.problems += faults
        return None
    store.robustness(case.folder)  # raises where its curves cannot be read
    scores = store.scores(case.folder)
    faults = list(_misshapen(record, scores))
    case.problems += faults
    return None if faults else scores


def _record(folder: Path) -> RunRecord:
    """The record, which must be one JSON value that names no field twice."""
    path = folder / "record.json"
    if not path.is_file() or path.stat().st_size > _MAX_RECORD:
        raise BadInput(f"record.json: a file of at most {_MAX_RECORD // 2**20} MB is needed")
    record = read_record(path)
    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_refuse_doubles)
    return record


def _refuse_doubles(pairs: Sequence[tuple[str, Any]]) -> None:
    if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise BadInput(f"record.json: names '{twice[0]}' twice")


def _mistyped(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Fields of a record whose values are not of the types that its dataclass declares."""
    origin, parts = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        for name, of in get_type_hints(kind).items():
            if name in {f.name for f in dataclasses.fields(kind)}:
                yield from _mistyped(getattr(value, name), of, f"{where}.{name}" if where else name)
    elif origin is Mapping and isinstance(value, dict):
        for name, item in value.items():
            yield from _mistyped(item, parts[1], f"{where}.{name}")
    elif origin is Sequence and isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _mistyped(item, parts[0], f"{where}[{number}]")
    elif not _is_of(value, kind, origin, parts):
        yield f"{where} is {json.dumps(value)[:40]}, which is not {str(kind).replace('typing.', '')}"


def _is_of(value: Any, kind: Any, origin: Any, parts: tuple[Any, ...]) -> bool:
    if kind is Any:
        return True
    if origin in (Union, UnionType):
        return any(next(_mistyped(value, part, ""), None) is None for part in parts)
    if origin is Literal:
        return value in parts
    if kind is float:  # JSON has no word for an undefined one, nor for 1.0
        return value is None or type(value) in (int, float)
    return type(value) is kind


def _identity(folder: Path, record: RunRecord) -> Iterator[str]:
    """Whether a record lies where what was asked says."""
    spec, place = record.spec, folder.absolute()
    if spec.key != place.name:
        yield f"what was asked has the key {spec.key}; the folder has another name, or something of it was changed"
    expected = RunStore(Path()).folder(spec).parent
    if place.parts[-3:-1] != expected.parts:
        yield f"belongs into {expected}, and lies in {'/'.join(place.parts[-3:-1])}"


def _search(record: RunRecord) -> Iterator[str]:
    """Whether trials and choice are those of the declared search."""
    if record.status != "done" or not record.spec.search:
        return
    points = list(grid(record.spec.search))
    if [trial.get("params") for trial in record.trials] != points:
        yield f"its trials are not the {len(points)} points of its search"
        return
    # an undefined score loses to any other
    scored = [-np.inf if trial["valid_score"] is None else trial["valid_score"] for trial in record.trials]
    if record.chosen != points[int(np.argmax(scored))]:
        yield f"chosen is {dict(record.chosen)}; {points[int(np.argmax(scored))]} was best on valid"


def _unreadable(path: Path) -> Iterator[str]:
    """What is wrong with the container of scores; looks at nothing but its table of contents and headers."""
    if not path.is_file():
        yield "scores.npz: no such file"
        return
    try:
        with zipfile.ZipFile(path) as held:
            yield from _strange_members(held)
    except (OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as e:
        yield f"scores.npz: not readable as scores ({e})"


def _strange_members(held: zipfile.ZipFile) -> Iterator[str]:
    members = held.infolist()
    names = [member.filename.removesuffix(".npy") for member in members]
    if strange := [name for name in names if name not in _ARRAYS or names.count(name) > 1]:
        yield f"scores.npz: holds {safe(strange[0], 80)!r}, which scores do not have, or have once"
    elif sum(member.file_size for member in members) > _MAX_SCORES:
        yield f"scores.npz: unpacks to more than {_MAX_SCORES // 2**20} MB"
    elif any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        yield "scores.npz: is packed in a way that numpy does not pack"
    else:
        for name, member in zip(names, members, strict=True):
            with held.open(member) as stream:
                yield from _strange_array(name, stream, member.file_size)


def _strange_array(name: str, stream: Any, size: int) -> Iterator[str]:
    """What is wrong with the header of an array: a pickle, another type, a shape that is not what follows."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(stream))
    if read is None:
        yield f"scores.npz: {name} is of a format that numpy does not write for scores"
        return
    shape, _, dtype = read(stream)
    begins, n_axes = _ARRAYS[name]
    if dtype.hasobject:
        yield f"scores.npz: {name} is a pickle, which is not read"
    elif not f"{dtype.kind}{dtype.itemsize}".startswith(begins) or len(shape) != n_axes:
        yield f"scores.npz: {name} is an array of {dtype} of shape {shape}; {begins} with {n_axes} axes is needed"
    elif min(shape, default=0) < 0 or int(np.prod(shape, dtype=object)) * dtype.itemsize != size - stream.tell():
        yield f"scores.npz: {name} says it has shape {shape}, and holds {size - stream.tell()} bytes"


def _misshapen(record: RunRecord, scores: Scores) -> Iterator[str]:
    """Whether the arrays fit one another and the record."""
    n_clips = len(scores.clip_ids)
    n_classes = len(record.classes) or scores.targets.value.shape[1]  # records of mirbench 0.1.0 name no classes
    lengths = {len(part) for part in (scores.groups, scores.hashes, scores.targets.known, scores.clip_ids)}
    if lengths != {n_clips} or scores.targets.known.shape != scores.targets.value.shape:
        yield "scores.npz: its arrays are of different lengths"
        return
    try:
        metrics.validate(scores.scores, scores.targets, n_clips, n_classes)
    except ValueError as error:
        yield f"scores.npz: {error}"
    if record.n_clips.get("test") != n_clips or n_clips == 0:
        yield f"has {record.n_clips.get('test')} test clips on record and {n_clips} in scores.npz"
    if twice := [name for name, count in Counter(scores.clip_ids.tolist()).items() if count > 1]:
        yield f"scores.npz: the clip {twice[0]} is there twice"
    if scores.targets.kind not in (record.kind or scores.targets.kind, "single-label", "multi-label"):
        yield f"scores.npz: is of a {scores.targets.kind} task"
    elif record.kind and scores.targets.kind != record.kind:
        yield f"is {record.kind} on record and {scores.targets.kind} in scores.npz"


def _wrong_targets(scores: Scores) -> Iterator[str]:
    """Whether the labels are labels, and those that were hashed."""
    value, known = scores.targets.value, scores.targets.known
    if not ((value >= 0) & (value <= 1)).all():
        yield "scores.npz: a label is not between 0 and 1"
        return
    one = ((value == 1).sum(axis=1) == 1) & ((value != 0).sum(axis=1) == 1) & known.all(axis=1)
    if scores.targets.kind == "single-label" and not one.all():
        yield f"scores.npz: the clip {scores.clip_ids[~one][0]} has not exactly one class"
        return
    ids, wrong = scores.clip_ids, target_hashes(scores.clip_ids, scores.targets) != scores.hashes
    if wrong.any():
        yield f"scores.npz: id or labels of {wrong.sum()} clips are not those hashed (first: {ids[wrong][0]})"


def _wrong_metrics(record: RunRecord, scores: Scores) -> Iterator[str]:
    """Whether metrics are what the scores give."""
    if strange := [name for name in record.metrics if name not in metrics.METRICS]:
        yield f"has a metric called {strange[0]}, which this mirbench does not know"
    kind = scores.targets.kind
    names = [name for name in record.metrics if name not in strange]
    if undefined := [name for name in names if kind not in metrics.METRICS[name].task_kinds]:
        yield f"has {undefined[0]}, which is not defined for {kind} tasks"
        return
    if not names:
        yield "is done and has no metrics"
        return
    found = recomputed(names, scores.scores, scores.targets)
    counts = metrics.n_scored(found)
    if unequal := [line for name in names for line in _unequal(name, record.metrics[name], found[name])]:
        yield unequal[0] + (f" (and {len(unequal) - 1} other metrics differ)" if len(unequal) > 1 else "")
    elif dict(record.n_scored) != counts:
        yield f"n_scored is {dict(record.n_scored)} on record and {counts} by its scores"


def recomputed(names: Sequence[str], scores: FloatArray, targets: Targets) -> dict[str, Any]:
    """`metrics.evaluate`, in half of the time: a mean over classes is taken of the values beside it."""
    means = {name: part for name in names if (part := metrics.METRICS[name].per_class) in names}
    found = metrics.evaluate(tuple(name for name in names if name not in means), scores, targets)
    for name, part in means.items():
        defined = [value for value in found[part] if value is not None]
        found[name] = float(np.mean(defined)) if defined else None
    return found


def _unequal(name: str, recorded: Any, found: Any) -> Iterator[str]:
    """How a metric on record differs from one that was computed again."""
    ours = np.array(found, dtype=np.float64)
    try:
        theirs = np.array(recorded, dtype=np.float64)
    except (TypeError, ValueError):
        theirs = np.empty((0, 0, 0))
    if theirs.shape != ours.shape:
        yield f"{name} on record is not numbers of the shape that its scores give"
        return
    off = np.argwhere(~np.isclose(theirs, ours, rtol=RTOL, atol=1e-12, equal_nan=True))
    if len(off):
        place = tuple(off[0])
        where = f" in {len(off)} of {ours.size} places, the first {list(map(int, place))}," if place else ""
        yield f"{name}{where} is {_said(theirs[place])} on record and {_said(ours[place])} by its scores"


def _said(value: float) -> str:
    return "undefined" if np.isnan(value) else repr(float(value))


class _Facts:
    """What this mirbench knows of tasks, methods and sources that records name."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.task = cache(self._task)
        self.version = cache(self._version)

    def of(self, record: RunRecord) -> tuple[list[str], list[str]]:
        """Problems and notes of a record: facts of its task that it gets wrong; versions that are other ones now."""
        spec, task = record.spec, self.task(record.spec.task)
        notes = [*self._other("method", spec.method, spec.method_version)]
        notes += self._other("source", spec.source, spec.source_version) if spec.source else []
        if task is None:
            return [], [_unknown("task", spec.task), *notes]
        if task.version != spec.task_version:
            said = f"task {spec.task} has version {spec.task_version} on record; this mirbench has {task.version}"
            return [], [said, *notes]
        return list(_unlike(record, task)), notes

    def _other(self, kind: str, name: str, version: str) -> Iterator[str]:
        now = self.version(kind, name)
        if now is None:
            yield _unknown(kind, name)
        elif now != version:
            yield f"{kind} {name} has version {version} on record; this mirbench has {now}"

    def _task(self, name: str) -> Task | None:
        if ":" in name:  # a record from elsewhere does not tell this machine which folder or address to look into
            return None
        try:
            return self._catalogue.task(name)
        except MirbenchError:
            return None

    def _version(self, kind: str, name: str) -> str | None:
        if (kind, name) == ("method", "ensemble"):
            return "1"
        if ":" in name:
            return None
        try:
            return self._catalogue.version(kind, name)
        except MirbenchError:
            return None


def _unknown(kind: str, name: str) -> str:
    why = "is a path or address of whoever ran it, and not looked up" if ":" in name else "is unknown to this mirbench"
    return f"{kind} {name} {why}"


def _unlike(record: RunRecord, task: Task) -> Iterator[str]:
    """Facts of a task that its record gets wrong."""
    if not 0 <= record.spec.fold < task.n_folds:
        yield f"is of fold {record.spec.fold}; {task.name} has {task.n_folds}"
    if record.classes and tuple(record.classes) != task.classes:
        yield f"its classes are not those of {task.name}"
    facts = {"standing": task.standing, "n_folds": task.n_folds, "kind": task.kind if record.kind else ""}
    for name, fact in facts.items():
        if getattr(record, name) != fact:
            yield f"{name} is {getattr(record, name)} on record; {task.name} has {fact}"
    differing = set(record.metrics) & set(metrics.METRICS) ^ set(task.metrics)
    if record.status == "done" and differing:
        yield f"its metrics are not those of {task.name} ({', '.join(sorted(differing))})"


def _compare_copies(cases: Sequence[Case]) -> None:
    """Find runs that are on record twice, with different results."""
    by_key: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.record is not None and case.predictions:
            by_key[case.record.spec.key].append(case)
    for key, copies in by_key.items():
        if len({case.predictions for case in copies}) > 1:
            for case in copies:
                other = next(c.folder for c in copies if c.predictions != case.predictions)
                case.problems.append(f"the run {key} is on record twice, with other scores in {other}")


def _compare_targets(cases: Sequence[Case]) -> None:
    """Find records whose test clips or labels are others than most records of the same task and fold have."""
    asked: dict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for case in cases:
        if case.record is not None and case.targets and case.holds:
            spec = case.record.spec
            asked[spec.task, spec.task_version, spec.audio_sha256, spec.fold].append(case)
    for alike in asked.values():
        counts = Counter(case.targets for case in alike).most_common()
        for case in alike if len(counts) > 1 else ():
            if case.targets != counts[0][0] or counts[0][1] == counts[1][1]:
                others = len(alike) - Counter(c.targets for c in alike)[case.targets]
                case.problems.append(f"its test clips or labels differ from those of {others} records of the same fold")


def _compare_ensembles(cases: Sequence[Case]) -> None:
    """Average the members of each ensemble that are on record, and compare."""
    by_key = {c.record.spec.key: c for c in cases if c.record is not None and c.predictions}
    for case in by_key.values():
        if case.record is None or case.record.spec.method != "ensemble":
            continue
        try:
            members = [by_key.get(key) for key in case.record.spec.params["members"]]
            present = [member for member in members if member is not None]
            if len(present) < len(members):
                lacking = f"{len(members) - len(present)} of {len(members)} members"
                case.notes.append(f"an ensemble: {lacking} are not here, so that its average cannot be checked")
            else:
                case.problems += _wrong_average(case, case.record.spec, present)
        except (KeyError, TypeError, ValueError, MirbenchError, ZeroDivisionError) as error:
            case.problems.append(f"its members cannot be averaged: {type(error).__name__}: {error}")


def _wrong_average(case: Case, spec: RunSpec, members: Sequence[Case]) -> Iterator[str]:
    """Whether an ensemble's scores are the mean of its members', computed here anew."""
    store = RunStore(case.folder)
    own, *parts = [_by_clip(store.scores(each.folder)) for each in (case, *members)]
    records = [member.record for member in members if member.record is not None]
    if any(not np.array_equal(part.hashes, own.hashes) for part in parts):
        yield "has other clips or labels than its members"
        return
    held = [_ranks(part) if spec.params["average"] == "rank" else part.scores.astype(np.float64) for part in parts]
    mean = np.average(held, axis=0, weights=spec.params["member_weights"])
    deviation = float(np.abs(mean - own.scores).max())
    if deviation > 1e-6:  # of float32
        yield f"its scores are up to {deviation:.2g} away from the average of its members"
    if set(case.record.contaminated if case.record else ()) != {name for r in records for name in r.contaminated}:
        yield "its contamination is not that of its members"


def _by_clip(scores: Scores) -> Scores:
    return scores.take(np.argsort(scores.clip_ids))


def _ranks(scores: Scores) -> FloatArray:
    """Ranks from 0 to 1: of the classes of a clip, or in a multi-label task of the clips of a class."""
    from scipy.stats import rankdata

    axis = 1 if scores.targets.kind == "single-label" else 0
    ranks: FloatArray = (rankdata(scores.scores, axis=axis) - 1) / max(scores.scores.shape[axis] - 1, 1)
    return ranks
