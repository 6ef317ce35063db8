"""Whether records hold: all that can be computed again from what is stored is, and compared with what is on record.

A record that holds is consistent; it is not thereby true. Whoever invents scores and computes their metrics makes a
record that holds. `mirbench.trust.submission` compares labels with the task's own, `mirbench.trust.rerun` repeats runs.

Records may come from anyone. Nothing of theirs is run or unpickled, sizes are looked at before anything is read, and
whatever goes wrong with one is said in a line, before the next.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.errors import BadInput, MirbenchError
from mirbench.places import refuse_whole_machine
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import grid, n_points
from mirbench.runs.run_files import changed_files
from mirbench.runs.run_folders import records_below
from mirbench.runs.scores import Scores
from mirbench.runs.scores_archive import once_for_shared, unreadable_scores
from mirbench.runs.store import RunStore
from mirbench.trust.ensembles import wrong_ensemble
from mirbench.trust.known_facts import KnownFacts
from mirbench.trust.recompute import misshapen, wrong_curves, wrong_metrics, wrong_targets
from mirbench.trust.untrusted import read_curves_of, read_record_of

__all__ = ["Case", "digest", "verify"]

_OF_A_RUN = {"record.json", "scores.npz"}


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
    folders = _record_folders(root)
    facts = KnownFacts(catalogue)
    cases = []
    with (progress or Progress(quiet=True)).bar("verifying", len(folders), "records") as step:
        for folder in folders:
            cases.append(_examined(folder, facts, further))
            step(1)
    _compare_copies(cases)
    _compare_targets(cases)
    _compare_ensembles(cases)
    return cases


def _record_folders(root: Path) -> list[Path]:
    """Every folder below `root` that holds a record or the scores of one, in the order of their names.

    Raises
    ------
    BadInput
        If there is none, or the folder is that of the whole machine.
    """
    if not root.is_dir():
        raise BadInput(f"{root}: no such folder; `mirbench run` makes one")
    refuse_whole_machine(root)
    places = {Path(place) for place, folders, names in os.walk(root) if _OF_A_RUN & {*folders, *names}}
    places |= {path.parent for path in records_below(root, lambda _: None)}  # which follows links to folders
    found = sorted(place for place in places if not place.name.startswith("."))
    if not found:
        raise BadInput(f"{root}: no records in it; `mirbench run` makes some")
    return found


def digest(*columns: Iterable[Any]) -> str:
    """Hash over the rows of some columns (ids, target hashes …), whatever the order of the rows."""
    rows = sorted("|".join(_text(value) for value in row) for row in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()


_digest = once_for_shared(digest)


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _examined(folder: Path, facts: KnownFacts, further: Further | None) -> Case:
    case = Case(folder)
    try:
        scores = _examine(case, facts)
        if further is not None:
            further(case, scores)
        if case.record is not None and case.holds:  # else what is wrong was said, and in better words
            case.problems += changed_files(case.folder, case.record.files)
    except Exception as error:  # somebody else's file: whatever it brings about, say so and go on
        what = str(error) if isinstance(error, MirbenchError) else f"not to be checked: {type(error).__name__}: {error}"
        case.problems.append(what.removeprefix(f"{folder}/"))
    return case


def _examine(case: Case, facts: KnownFacts) -> Scores | None:
    """The checks of one record by itself; returns its scores where they can be read."""
    case.record = record = read_record_of(case.folder)
    case.problems += _identity(case.folder, record)
    case.problems += _search(record)
    if record.status == "done" and not record.files:
        case.notes.append(
            "an earlier mirbench recorded it, without hashes of its files: damage to its model is not seen"
        )
    scores = _scores(case, record)
    if record.status == "done" and scores is None:
        return None
    known, notes = facts.of(record)
    case.problems += known
    case.notes += notes
    if scores is None:
        return None
    case.problems += list(wrong_targets(scores)) or list(wrong_metrics(record, scores))
    case.targets = _digest(scores.clip_ids, scores.hashes)
    case.predictions = hashlib.sha256(scores.scores.tobytes()).hexdigest()
    return scores


def _scores(case: Case, record: RunRecord) -> Scores | None:
    """Scores that can be read and are of the right shape; else says why not."""
    path, store = case.folder / "scores.npz", RunStore(case.folder)
    if record.status != "done":
        held = [name for name, there in (("metrics", record.metrics), ("scores", path.exists())) if there]
        case.problems += [f"is {record.status} and has {' and '.join(held)}"] if held else []
        return None
    if faults := list(unreadable_scores(path)):
        case.problems += faults
        return None
    scores = store.scores(case.folder)
    faults = list(misshapen(record, scores))
    if curves := read_curves_of(case.folder):
        faults += wrong_curves(record, curves)
    case.problems += faults
    return None if faults else scores


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
    if not record.spec.search:
        yield from (f"has {name} and no search" for name in ("trials", "chosen") if getattr(record, name))
    if record.status != "done" or not record.spec.search:
        return
    if n_points(record.spec.search) != len(record.trials):
        yield f"its trials are not the {n_points(record.spec.search)} points of its search"
        return
    points = list(grid(record.spec.search))
    if [trial.get("params") for trial in record.trials] != points:
        yield f"its trials are not the {len(points)} points of its search"
        return
    # an undefined score loses to any other
    scored = [-np.inf if trial["valid_score"] is None else trial["valid_score"] for trial in record.trials]
    if record.chosen != points[int(np.argmax(scored))]:
        yield f"chosen is {dict(record.chosen)}; {points[int(np.argmax(scored))]} was best on valid"


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
            present = [(each.folder, each.record) for each in members if each is not None and each.record is not None]
            if len(present) < len(members):
                lacking = f"{len(members) - len(present)} of {len(members)} members"
                case.notes.append(f"an ensemble: {lacking} are not here, so that its average cannot be checked")
            else:
                case.problems += wrong_ensemble((case.folder, case.record), present)
        except Exception as error:  # somebody else's record
            case.problems.append(f"its members cannot be averaged: {type(error).__name__}: {error}")
