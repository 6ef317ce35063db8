"""A record as text and back: strict JSON of one schema version, of declared types, ranges and names.

What is written goes through what reads it first (`sound`), so that no record is on disk that mirbench refuses.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mirbench.errors import BadInput
from mirbench.features.deformation import CURVES_VERSION, Curve, Robustness
from mirbench.metrics import METRICS
from mirbench.names import unseen
from mirbench.plain_text import printable
from mirbench.record import SCHEMA_VERSION, Amount, Count, RunRecord, RunSpec, Value
from mirbench.runs.typed_fields import mistyped, unbounded
from mirbench.types import Windowing

__all__ = ["REMEDY", "as_text", "read_curves", "read_record", "read_table", "sound"]

REMEDY = "remove its folder to run it again"
_MOST_BYTES = 2**24

_PRECISION = re.compile(r"(float32|bfloat16|float16)( and (float32|bfloat16|float16))*")
"""An ensemble joins those of its members."""

_ENERGY = Mapping[str, Amount | str]

_TRIAL: dict[str, Any] = {"params": Mapping[str, Any], "valid_score": Value, "seconds": Amount}
_CURVES: dict[str, Any] = {"valid_scores": Sequence[Value], "valid_losses": Sequence[Value]}
"""Of a trial, which records of earlier versions lack."""
_SHAPES: dict[str, Any] = {
    "value": Value,
    "per-class": Sequence[Value],
    "matrix": Sequence[Sequence[Count]],
}
Table = TypeVar("Table")
_UNKNOWN_SHAPE: Any = Value | Sequence[Value] | Sequence[Sequence[Count]]

_MEMBERS: dict[str, Any] = {
    "members": Sequence[str],
    "systems": Sequence[str],
    "member_settings": Sequence[str],
    "member_weights": Sequence[Amount],
    "member_seeds": Sequence[Count | None],
}


def read_record(path: Path) -> RunRecord:
    """A record from its file.

    Raises
    ------
    BadInput
        If it cannot be read, or is not strict JSON of this schema version that holds what a record holds.
    """
    with _explained(path, "a record", REMEDY):
        return _record_of(_read_json(path, SCHEMA_VERSION))


def read_table(path: Path, what: str, kind: type[Table], schema_version: int) -> Table:
    """What a dataclass of plain fields holds, from its file; raises `BadInput` as `read_record` does."""
    with _explained(path, what, "remove it"):
        found = kind(**_read_json(path, schema_version))
        if fault := next(mistyped(found, kind, ""), None):
            raise ValueError(fault)
        return found


def read_curves(path: Path) -> Robustness:
    """The curves of a run from their file; raises `BadInput` as `read_record` does."""
    with _explained(path, "curves", "remove it to measure them again"):
        fields = _read_json(path, CURVES_VERSION)
        curves = {name: Curve(**curve) for name, curve in fields.pop("curves").items()}
        found = Robustness(curves=curves, **fields)
        if fault := next(mistyped(found, Robustness, ""), None):
            raise ValueError(fault)
        return found


def sound(record: RunRecord) -> RunRecord:
    """The same record as it would be read back.

    Raises
    ------
    ValueError
        If it would not be.
    """
    text = as_text(record)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"its record has {len(text) / 2**20:.0f} MB; {_MOST_BYTES // 2**20} are accepted")
    return _record_of(json.loads(text))


def as_text(held: RunRecord | Robustness) -> str:
    """Strict JSON, an item a line."""
    fields = asdict(held)
    spec = {}
    if isinstance(held, RunRecord):
        asked = fields.pop("spec")
        spec = {"spec": {name: value for name, value in asked.items() if name not in held.spec.left_out}}
        if not held.thresholds:  # as records of earlier versions are
            del fields["thresholds"]
        if held.temperature is None:
            del fields["temperature"]
        if not held.ranges:
            del fields["ranges"]
    # the numbers of what was asked stay as they are
    if fault := next(unbounded(spec), None) or next(unbounded(fields := _plain(fields)), None):
        raise ValueError(fault)
    fields = spec | fields
    return json.dumps(fields, indent=1, allow_nan=False) + "\n"


def _record_of(fields: dict[str, Any]) -> RunRecord:
    spec = fields.pop("spec")
    windowing = Windowing(**spec.pop("windowing"))
    record = RunRecord(spec=RunSpec(windowing=windowing, **spec), **fields)
    if fault := next(_faults(record), None):
        raise ValueError(fault)
    return record


def _faults(record: RunRecord) -> Iterator[str]:
    yield from mistyped(record, RunRecord, "")
    yield from mistyped(record.energy, _ENERGY, "energy")
    if type(record.energy.get("train_kwh", 0.0)) is str:
        yield "energy.train_kwh is text, which is not a number"
    for number, trial in enumerate(record.trials):
        if not set(_TRIAL) <= set(trial) <= {*_TRIAL, *_CURVES}:
            yield f"trials[{number}] has not the fields {', '.join(_TRIAL)}"
            continue
        for name, kind in (_TRIAL | _CURVES).items():
            if name in trial:
                yield from mistyped(trial[name], kind, f"trials[{number}].{name}")
    yield from _wrong_metrics(record)
    yield from _wrong_identity(record.spec)
    if record.ranges or record.kind == "regression":
        yield from _wrong_ranges(record)
    if record.spec.fold >= record.n_folds:
        yield f"spec.fold is {record.spec.fold} of {record.n_folds} folds"


def _wrong_ranges(record: RunRecord) -> Iterator[str]:
    if record.kind != "regression":
        yield f"ranges are of targets, and kind is {record.kind}"
    elif len(record.ranges) != len(record.classes) or not all(
        len(pair) == 2 and None not in pair and pair[0] < pair[1] for pair in record.ranges
    ):
        yield "ranges are not a lowest and a highest value of each target"


def _wrong_metrics(record: RunRecord) -> Iterator[str]:
    """Metrics that are not of the shape that their kind has."""
    if record.status == "done" and not record.metrics:
        yield "status is done, and there are no metrics"
    n_classes = len(record.classes)
    for name, value in record.metrics.items():
        kind = METRICS[name].kind if name in METRICS else ""
        yield from mistyped(value, _SHAPES.get(kind, _UNKNOWN_SHAPE), f"metrics.{name}")
        if kind in ("per-class", "matrix") and n_classes:
            lengths = {len(value), *(len(row) for row in value if kind == "matrix")}
            if lengths != {n_classes}:
                yield f"metrics.{name} is not of {n_classes} classes"


def _wrong_identity(spec: RunSpec) -> Iterator[str]:
    for name in ("task", "task_version", "method", "method_version", "source", "source_version"):
        if strange := unseen(getattr(spec, name)):
            yield f"spec.{name} holds {strange}, which nobody sees"
    if not _PRECISION.fullmatch(spec.precision):
        yield f"spec.precision is {ascii(spec.precision)[:40]}, which is not float32, bfloat16 or float16"
    if spec.method == "ensemble":
        there = {name: spec.params[name] for name in _MEMBERS if name in spec.params}
        faults = [fault for name in there for fault in mistyped(there[name], _MEMBERS[name], f"spec.params.{name}")]
        yield from faults
        if not faults and len({len(value) for value in there.values()}) > 1:
            yield "spec.params names another number of members in each list"


@contextmanager
def _explained(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Say which file it is that holds not what it should."""
    try:
        yield
    except BadInput:
        raise
    except RecursionError as error:
        raise BadInput(f"{path}: not {what} (lists and tables nest too deep); {remedy}") from error
    except OSError as error:
        raise BadInput(f"{path}: not to be read ({error.strerror or error})") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        said = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise BadInput(f"{path}: not {what} ({printable(said, 300)}); {remedy}") from error


def _read_json(path: Path, schema_version: int) -> dict[str, Any]:
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST_BYTES:
        raise ValueError(f"a file of at most {_MOST_BYTES // 2**20} MB is needed")
    fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    if not isinstance(fields, dict):
        raise ValueError("a table is needed")
    version = fields["schema_version"]
    if version != schema_version or type(version) is not int:
        raise BadInput(f"{path}: schema version {ascii(version)[:40]}; this mirbench reads version {schema_version}")
    if fault := next(unbounded(fields), None):
        raise ValueError(fault)
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _plain(value: Any) -> Any:
    """Mappings, sequences and numpy scalars as what JSON knows."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None  # undefined: JSON has no word for it
    return value
