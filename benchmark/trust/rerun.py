"""Runs on record done again, and what came of them compared: the only check that a record is true of its method.

The same torch, device, threads and kind of processor give the same scores to the bit, which is why a run repeats its
seed. Others add in another order; `TOLERANCE` is what that may do to a score.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirbench import __version__, metrics
from mirbench.errors import BadInput, MirbenchError
from mirbench.features.cache import throwaway
from mirbench.places import default_cache
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.own_places import lacking, source_here, task_here, task_of
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.record_file import read_record
from mirbench.runs.run_files import changed_files
from mirbench.runs.runner import run
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.spelling import in_one_spelling
from mirbench.trust.repeated import Note, forget, keep, sha256_of

__all__ = ["TOLERANCE", "Repeat", "choose", "put_down", "repeat", "request_of"]

TOLERANCE = 1e-3
"""How far a score may be from the one on record. Two threads in place of one moved the scores of probes and of a layer
mixture by up to 1.2e-7, and those of a small CNN after two epochs by 1.1e-5; longer training may drift further, which
`--tolerance` is for, and the clips that change."""

_Run = tuple[Path, RunRecord]


@dataclass(frozen=True)
class Repeat:
    """What came of doing a run again.

    Parameters
    ----------
    folder : Path
        Of the record.
    unable : str
        Why there is nothing to compare; "" where there is.
    deviation : float
        The largest difference of a score.
    n_changed, n_clips : int
        Clips that are predicted otherwise, of so many.
    metrics : mapping of str to (float or None, float or None)
        On record and again, of every metric that is one number.
    note : Note or None
        What may be noted of it; see `put_down`.
    """

    folder: Path
    unable: str = ""
    deviation: float = 0.0
    n_changed: int = 0
    n_clips: int = 0
    metrics: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    note: Note | None = None

    def within(self, tolerance: float) -> bool:
        """Whether it was repeated, and no score is further than that from the one on record."""
        return not self.unable and self.deviation <= tolerance

    def __str__(self) -> str:
        if self.unable:
            return self.unable
        if self.deviation == 0:
            return f"repeated, and the same to the bit on {self.n_clips} clips"
        moved = {name: pair for name, pair in self.metrics.items() if pair[0] != pair[1]}
        said = [f"{name} {_said(old)} -> {_said(new)}" for name, (old, new) in moved.items()]
        changed = f"{self.n_changed} of {self.n_clips} clips are predicted otherwise"
        return f"repeated: scores differ by up to {self.deviation:.2g}; {'; '.join([changed, *said])}"


def _said(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def choose(runs: Sequence[_Run], which: Sequence[str]) -> list[_Run]:
    """The runs to repeat.

    Parameters
    ----------
    runs : sequence of (folder, record)
    which : sequence of str
        Keys of runs or of systems, or how they begin; "all"; or nothing, for the run of each system (all that was asked
        alike but fold and seed) that took the least time.

    Raises
    ------
    BadInput
        If no run is called so.
    """
    able = [run for run in runs if run[1].status == "done" and run[1].spec.method != "ensemble"]
    if not which:
        systems: dict[str, _Run] = {}
        for run in sorted(able, key=lambda run: (_seconds(run[1]), run[1].spec.key)):
            systems.setdefault(replace(run[1].spec, fold=0, seed=0).key, run)
        return sorted(systems.values(), key=lambda run: run[0])
    if "all" in which:
        return able
    keys = [(run[1].spec.key, run[1].spec.system) for run in able]
    if lost := [word for word in which if not any(key.startswith(word) for both in keys for key in both)]:
        raise BadInput(
            f"--only {lost[0]}: no run that can be repeated has a key that begins so; a key of a run or a system, or "
            "all, is needed"
        )
    return [run for run, both in zip(able, keys, strict=True) if any(key.startswith(tuple(which)) for key in both)]


def _seconds(record: RunRecord) -> float:
    return sum(record.seconds.get(phase) or 0.0 for phase in ("features", "train", "inference"))


def request_of(spec: RunSpec, places: Mapping[str, str], **circumstance: Any) -> Request:
    """The request of a run on record.

    Parameters
    ----------
    places : mapping of str to str
        See `mirbench.runs.own_places.parse_places`; what follows the name, modifiers of a task, is kept.
    circumstance
        Fields of `Request` that are not in the record: data, weights, runs, device …
    """
    return Request(
        task=task_here(spec.task, places),
        method=spec.method,
        source=source_here(spec.source, places),
        seeds=(spec.seed,),
        folds=(spec.fold,),
        params={name: value for name, value in _tuples(spec.params).items() if name not in spec.search},
        search={name: tuple(_tuples(values)) for name, values in spec.search.items()},
        source_params=spec.source_params,
        windowing=spec.windowing,
        precision=spec.precision,
        fit_on=spec.fit_on,
        pad=spec.pad,
        thresholds=spec.thresholds,
        calibrate=spec.calibrate,
        **circumstance,
    )


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that hyperparameters are."""
    if isinstance(value, Mapping):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def repeat(
    run_on_record: _Run, catalogue: Catalogue, places: Mapping[str, str], progress: Progress, **circumstance: Any
) -> Repeat:
    """Do a run again, in a folder that is thrown away, from no row of the cache, and compare; see `request_of`."""
    folder, record = run_on_record
    hint = f" ({lacks})" if (lacks := lacking(record.spec, places)) else ""
    with throwaway(default_cache()) as work:
        try:
            # what is kept of frozen computations may be what made the record wrong
            elsewhere = {"runs": work / "runs", "rows": work / "cache"}
            request = request_of(record.spec, places, **elsewhere, **circumstance)
            request = replace(request, task=task_of(record, places))
            plan = make_plan(request, catalogue, progress)
            if plan.unable:
                return Repeat(folder, f"cannot be repeated here: {plan.unable}")
            if other := list(differences(record.spec, plan.specs[0])):
                return Repeat(folder, f"cannot be compared: {'; '.join(other)}")
            (outcome,) = run(request, catalogue, progress)
            if outcome.record.status != "done":
                return Repeat(folder, f"is {outcome.record.status} when it is repeated: {outcome.record.reason}")
            return _compared(folder, record, outcome.record, RunStore(work).scores(outcome.folder))
        except MirbenchError as error:
            return Repeat(folder, f"cannot be repeated here: {error}{hint}")


def put_down(found: Repeat, tolerance: float) -> bool:
    """Note that a run was repeated, or forget what was noted of it if it no longer holds; whether it is noted.

    A mark means the same in every table: `TOLERANCE`, or less where less is asked for. Nothing is said of a run that
    could not be compared.

    Raises
    ------
    OSError
        If nothing can be written where notes are kept.
    """
    if found.note is None:
        return False
    limit = min(tolerance, TOLERANCE)
    if not found.within(limit):
        forget(found.note)
        return False
    keep(replace(found.note, tolerance=limit))
    return True


def differences(recorded: RunSpec, now: RunSpec) -> Iterator[str]:
    """What is asked otherwise now, a text for each field."""
    for name, old in _plain(recorded).items():
        new = _plain(now)[name]
        if name in ("params", "source_params") and isinstance(old, Mapping):
            for part in sorted({*old, *new}):
                if old.get(part, "—") != new.get(part, "—"):
                    yield f"{part} is {old.get(part, '—')} on record and {new.get(part, '—')} here"
        elif name == "task" and in_one_spelling(old) == in_one_spelling(new):
            continue
        elif old != new and name.endswith("_sha256"):
            what = {"audio_sha256": "clips, labels or audio", "source_sha256": "weights"}[name]
            yield f"{what} are other ones (hash {old[:8] or 'none'} on record, {new[:8] or 'none'} here)"
        elif old != new:
            yield f"{name} is {old} on record and {new} here"


def _plain(spec: RunSpec) -> dict[str, Any]:
    fields: dict[str, Any] = _tuples(dataclasses.asdict(spec))
    return fields


def _compared(folder: Path, record: RunRecord, again: RunRecord, scores: Scores) -> Repeat:
    as_it_lies = read_record(folder / "record.json") == record  # else a note would be of another record
    record_sha256, scores_sha256 = (sha256_of(folder / name) for name in ("record.json", "scores.npz"))
    old = RunStore(folder).scores(folder)
    order, other = np.argsort(old.clip_ids), np.argsort(scores.clip_ids)
    if not np.array_equal(old.hashes[order], scores.hashes[other]):
        return Repeat(folder, "cannot be compared: its test clips or labels are other ones")
    ours, theirs = scores.take(other), old.take(order)
    names = [name for name in record.metrics if metrics.METRICS[name].kind == "value"]
    deviation = float(np.abs(ours.scores.astype(np.float64) - theirs.scores).max())
    known = again.environment
    device = str(known.get("gpu") or known.get("processor") or "unknown")
    when = str(known.get("finished") or "")
    note = Note(record.spec.key, record_sha256, scores_sha256, deviation, TOLERANCE, __version__, device, when)
    return Repeat(
        folder,
        # where scores were changed, metrics on record may be of others
        note=note if as_it_lies and not any(changed_files(folder, record.files)) else None,
        deviation=deviation,
        n_changed=int(_changed(ours, theirs).any(axis=1).sum()),
        n_clips=len(ours.scores),
        metrics={name: (record.metrics[name], again.metrics.get(name)) for name in names},
    )


def _changed(ours: Scores, theirs: Scores) -> Any:
    """Of each clip, what is predicted otherwise; of values, what is further off than rounding takes it."""
    if ours.targets.kind == "regression":
        return np.abs(ours.scores - theirs.scores) > TOLERANCE
    return _decided(ours) != _decided(theirs)


def _decided(scores: Scores) -> Any:
    """What is predicted of each clip: its class, or every class scored 0.5 or more."""
    if scores.targets.kind == "single-label":
        return scores.scores.argmax(axis=1)[:, None]
    return scores.scores >= 0.5
