"""Reading records of somebody else, which may say two things at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput
from mirbench.features.deformation import Robustness
from mirbench.plain_text import printable
from mirbench.record import RunRecord
from mirbench.runs.record_file import read_curves, read_record

__all__ = ["read_curves_of", "read_record_of"]


def read_record_of(folder: Path) -> RunRecord:
    """The record, which must be one JSON value that names no field twice."""
    path = folder / "record.json"
    record = read_record(path)
    _refuse_doubles(path)
    return record


def read_curves_of(folder: Path) -> Robustness | None:
    """The curves beside a record, as `read_record_of`; None where there are none."""
    path = folder / "deform.json"
    if not path.is_file():
        return None
    curves = read_curves(path)
    _refuse_doubles(path)
    return curves


def _refuse_doubles(path: Path) -> None:
    def refuse(pairs: Sequence[tuple[str, Any]]) -> None:
        if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
            raise BadInput(f"{path.name}: names '{printable(twice[0], 80)}' twice")

    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=refuse)
