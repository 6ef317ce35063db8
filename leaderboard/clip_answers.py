"""What runs said of each test clip, as lines of a table: which clips are taken for something else, and how surely."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mirbench.errors import BadInput
from mirbench.record import RunRecord
from mirbench.runs.scores import Scores

__all__ = ["LABELS_FROM", "clip_answers"]

LABELS_FROM = 0.5
"""The probability from which on a label of several counts as predicted."""

_WHERE = ("system", "fold", "seed", "clip")
_ONE = (*_WHERE, "true", "predicted", "probability", "probability_of_true", "wrong")
_SEVERAL = (*_WHERE, "label", "true", "probability", "wrong")


def clip_answers(runs: Sequence[tuple[RunRecord, Scores]], *, mistakes: bool = False) -> list[tuple[Any, ...]]:
    """A head, and a line a clip of each run, or a line a judged label of it where clips have several.

    Where several systems are among the runs, each has its key behind its name.

    Parameters
    ----------
    runs : sequence of (RunRecord, Scores)
        Of tasks of one kind.
    mistakes : bool
        Only what is wrong, the surest first.

    Raises
    ------
    BadInput
        If some have one class a clip and others several labels.
    """
    kinds = {scores.targets.kind for _, scores in runs}
    if len(kinds) > 1:
        raise BadInput("runs of single-label and of multi-label tasks have no table in common; name those of one task")
    lines_of = _of_one if kinds == {"single-label"} else _of_several
    several = len({record.spec.system for record, _ in runs}) > 1
    lines = [
        (f"{line[0]}@{record.spec.system}" if several else line[0], *line[1:])
        for record, scores in runs
        for line in lines_of(record, scores)
        if line[-1] or not mistakes
    ]
    if mistakes:
        surest = {_of_one: lambda line: -line[-3], _of_several: lambda line: -abs(line[-2] - LABELS_FROM)}
        lines.sort(key=surest[lines_of])
    return [_ONE if lines_of is _of_one else _SEVERAL, *lines]


def _where(record: RunRecord) -> tuple[Any, ...]:
    spec = record.spec
    return f"{spec.method}+{spec.source}" if spec.source else spec.method, spec.fold, spec.seed


def _of_one(record: RunRecord, scores: Scores) -> Iterator[tuple[Any, ...]]:
    true, said = scores.targets.value.argmax(axis=1), scores.scores.argmax(axis=1)
    for n, clip in enumerate(scores.clip_ids):
        i, j = int(true[n]), int(said[n])
        sure = [round(float(scores.scores[n, k]), 6) for k in (j, i)]
        yield (*_where(record), str(clip), record.classes[i], record.classes[j], *sure, int(i != j))


def _of_several(record: RunRecord, scores: Scores) -> Iterator[tuple[Any, ...]]:
    for n, k in np.argwhere(scores.targets.known):
        true, value = int(scores.targets.value[n, k] >= LABELS_FROM), float(scores.scores[n, k])
        wrong = int((value >= LABELS_FROM) != bool(true))
        yield (*_where(record), str(scores.clip_ids[n]), record.classes[k], true, round(value, 6), wrong)
