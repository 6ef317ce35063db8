"""What can be computed again of a record: whether its scores are scores, its labels labels, and its metrics theirs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mirbench import metrics
from mirbench.features.deformation import Curve, Robustness, area_under
from mirbench.features.effects import EFFECTS
from mirbench.plain_text import printable
from mirbench.record import RunRecord
from mirbench.runs.scores import Scores, target_hashes

__all__ = ["RTOL", "misshapen", "wrong_curves", "wrong_metrics", "wrong_targets"]

RTOL = 1e-9
"""How far a metric may be from the one on record: other builds of numpy add in another order, and no further."""

_LIBRARIES = re.compile(r"[a-z0-9-]{1,50} [0-9a-z.+!]{1,30}(, [a-z0-9-]{1,50} [0-9a-z.+!]{1,30}){0,9}")
"""What computed a curve: packages with their versions."""


def misshapen(record: RunRecord, scores: Scores) -> Iterator[str]:
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
    if record.kind and scores.targets.kind != record.kind:
        yield f"is {record.kind} on record and {scores.targets.kind} in scores.npz"
    elif record.kind and scores.targets.ranges != record.target_ranges:
        yield "its ranges on record are not those of scores.npz"


def wrong_targets(scores: Scores) -> Iterator[str]:
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


def wrong_metrics(record: RunRecord, scores: Scores) -> Iterator[str]:
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
    found = metrics.evaluate(tuple(names), scores.scores, scores.targets)
    counts = metrics.n_scored(found)
    if unequal := [line for name in names for line in _unequal(name, record.metrics[name], found[name])]:
        yield unequal[0] + (f" (and {len(unequal) - 1} other metrics differ)" if len(unequal) > 1 else "")
    elif dict(record.n_scored) != counts:
        yield f"n_scored is {dict(record.n_scored)} on record and {counts} by its scores"


def wrong_curves(record: RunRecord, curves: Robustness) -> Iterator[str]:
    """Whether curves begin at the scores of their run, and areas are theirs."""
    names = [name for name in record.metrics if name in metrics.METRICS and metrics.METRICS[name].kind == "value"]
    if curves.metric != next(iter(names), "") or set(curves.clean) != set(names):
        yield "deform.json: is of other metrics than its run"
    elif any(curves.clean[name] != record.metrics[name] for name in names):
        yield "deform.json: its clean scores are not those of its run"
    elif not curves.curves:
        yield "deform.json: holds no curve"
    else:
        for name, curve in curves.curves.items():
            if fault := _unlike_effect(name, curve) or _wrong_values(curve, curves, names):
                yield f"deform.json: {printable(name, 80)} {fault}"


def _unlike_effect(name: str, curve: Curve) -> str:
    """How a curve differs from what is known of its deformation."""
    if (effect := EFFECTS.get(name)) is None:
        return "is a deformation that this mirbench does not know"
    if curve.version != effect.version:
        return f"has version {printable(curve.version, 80)} on record; this mirbench has {effect.version}"
    if curve.unit != effect.unit or tuple(curve.severities) != effect.severities:
        return f"is not at the severities of its deformation, {effect.severities} {effect.unit}"
    if not _LIBRARIES.fullmatch(curve.library):
        return f"was computed by {printable(curve.library, 80)!r}, which are no packages with versions"
    return ""


def _wrong_values(curve: Curve, curves: Robustness, names: Sequence[str]) -> str:
    """What is wrong with the numbers of a curve."""
    if set(curve.metrics) != set(names) or {len(values) for values in curve.metrics.values()} != {
        len(curve.severities)
    }:
        return "has not a value of each metric at each severity"
    for name, values in curve.metrics.items():
        low, high = metrics.METRICS[name].bounds
        if not all(value is None or low <= value <= high for value in values):
            return f"has a value that is not between {low:g} and {high:g}"
    clean = curves.clean[curves.metric]
    area = area_under([clean, *curve.metrics[curves.metric]])
    if not _same(curve.area, area):
        return "has an area that is not that under its curve"
    if not _same(curve.relative_area, area / clean if area is not None and clean else None):
        return "has a relative area that is not its area over the clean score"
    return ""


def _same(recorded: float | None, found: float | None) -> bool:
    return recorded == found or (None not in (recorded, found) and bool(np.isclose(recorded, found, rtol=RTOL)))  # type: ignore[arg-type]


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
