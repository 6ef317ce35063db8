"""Whether an ensemble is what its members make: identity, scores and facts are computed here anew, and compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.record import RunRecord
from mirbench.runs.ensemble import AVERAGES, averaged, by_clip, identity
from mirbench.runs.members import Member
from mirbench.runs.store import RunStore
from mirbench.spelling import in_one_spelling

__all__ = ["wrong_ensemble"]

_Run = tuple[Path, RunRecord]

_OF_THE_FIRST = ("n_clips", "standing", "n_folds", "classes", "kind")
_NOTHING = ("changed", "energy", "trials", "chosen", "history", "seconds", "memory", "flops")
"""An ensemble computes nothing but a mean: there is none of these to be had."""


def wrong_ensemble(run: _Run, members: Sequence[_Run]) -> Iterator[str]:
    """How the record of an ensemble differs from what its members, all of them, give."""
    record, records = run[1], [each[1] for each in members]
    params = record.spec.params
    if len(set(params["members"])) < max(2, len(members)):
        yield "is of fewer than two members, or names one twice"
        return
    shares = params["member_weights"]
    if params["average"] not in AVERAGES or min(shares) <= 0 or not math.isclose(sum(shares), 1, rel_tol=1e-9):
        yield f"averages by {params['average']!r} with weights that are not shares of 1"
        return
    yield from _wrong_identity(record, members)
    yield from _wrong_facts(record, records)
    yield from _wrong_scores(run, members)


def _wrong_identity(record: RunRecord, members: Sequence[_Run]) -> Iterator[str]:
    spec, params = record.spec, record.spec.params
    held = [
        Member("", {(run[1].spec.fold, run[1].spec.seed): run}, share)
        for run, share in zip(members, params["member_weights"], strict=True)
    ]
    expected = identity(held, [run[1] for run in members], spec.fold, spec.seed, params["average"])
    if spec.seed not in {run[1].spec.seed for run in members}:
        yield f"is of seed {spec.seed}, and no member is"
    for _, member in members:
        if in_one_spelling(member.spec.task) != in_one_spelling(spec.task):
            yield f"its member {member.spec.key} has another task"
        for name in ("task_version", "windowing", "fold"):
            if getattr(member.spec, name) != getattr(spec, name):
                yield f"its member {member.spec.key} has another {name}"
    ours, theirs = (_flat(dataclasses.asdict(each)) for each in (expected, spec))
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield f"{name} is {_short(theirs.get(name))} on record and {_short(ours.get(name))} by its members"


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, **fields.pop("params")}


def _short(value: Any) -> str:
    return str(value)[:80]


def _wrong_facts(record: RunRecord, records: Sequence[RunRecord]) -> Iterator[str]:
    for name in _OF_THE_FIRST:
        if getattr(record, name) != getattr(records[0], name):
            yield f"{name} is not that of its first member"
    for name in ("n_trainable", "n_total"):
        counts = [getattr(each, name) for each in records]
        total = None if None in counts else sum(counts)
        if getattr(record, name) != total:
            yield f"{name} is {getattr(record, name)} on record and {total} by its members"
    if held := [name for name in _NOTHING if getattr(record, name)]:
        yield f"has {', '.join(held)}, which an average of runs has not"
    if set(record.contaminated) != {name for each in records for name in each.contaminated}:
        yield "its contamination is not that of its members"


def _wrong_scores(run: _Run, members: Sequence[_Run]) -> Iterator[str]:
    """Whether its scores are the mean of its members'."""
    store, params = RunStore(run[0]), run[1].spec.params
    own, *parts = [by_clip(store.scores(folder)) for folder, _ in (run, *members)]
    if any(not np.array_equal(part.hashes, own.hashes) for part in parts):
        yield "has other clips or labels than its members"
        return
    mean = averaged(parts, params["average"], params["member_weights"])
    deviation = float(np.abs(mean - own.scores).max())
    if deviation > 1e-6:  # of float32
        yield f"its scores are up to {deviation:.2g} away from the average of its members"
