"""What runs said of each test clip, as lines of a table: which clips are taken for something else, and how surely."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
_VALUES = (*_WHERE, "target", "true", "predicted", "off_by")


def clip_answers(runs: Sequence[tuple[RunRecord, Scores]], *, mistakes: bool = False) -> list[tuple[Any, ...]]:
    """A head, and a line a clip of each run, or a line a judged label, or a known value, of it where it has several.

    Where several systems are among the runs, each has its key behind its name.

    Parameters
    ----------
    runs : sequence of (RunRecord, Scores)
        Of tasks of one kind.
    mistakes : bool
        Only what is wrong, the surest first; of values all, the one that is furthest off first, as a share of its
        target's range.

    Raises
    ------
    BadInput
        If they are of tasks of several kinds.
    """
    kinds = {scores.targets.kind for _, scores in runs}
    if len(kinds) > 1:
        raise BadInput(
            f"runs of {' and of '.join(sorted(kinds))} tasks have no table in common; name those of one task"
        )
    lines_of, head, worst_first = _FORMS[kinds.pop() if kinds else "multi-label"]
    several = len({record.spec.system for record, _ in runs}) > 1
    lines = [
        (f"{line[0]}@{record.spec.system}" if several else line[0], *line[1:])
        for record, scores in runs
        for line in lines_of(record, scores)
        if line[-1] or not mistakes
    ]
    if mistakes:
        widths = {
            name: high - low
            for record, scores in runs
            for name, (low, high) in zip(record.classes, scores.targets.ranges, strict=False)
        }
        lines.sort(key=lambda line: worst_first(line, widths))
    return [head, *lines]


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


def _of_values(record: RunRecord, scores: Scores) -> Iterator[tuple[Any, ...]]:
    true, said = scores.targets.in_units(scores.targets.value), scores.targets.in_units(scores.scores)
    for n, k in np.argwhere(scores.targets.known):
        pair = float(f"{true[n, k]:.6g}"), float(f"{said[n, k]:.6g}")  # as far as single precision tells them
        yield (*_where(record), str(scores.clip_ids[n]), record.classes[k], *pair, float(f"{pair[1] - pair[0]:.6g}"))


_Lines = Callable[[RunRecord, Scores], Iterator[tuple[Any, ...]]]
_WorstFirst = Callable[[tuple[Any, ...], Mapping[str, float]], float]
_FORMS: Mapping[str, tuple[_Lines, tuple[str, ...], _WorstFirst]] = {
    "single-label": (_of_one, _ONE, lambda line, widths: -line[-3]),
    "multi-label": (_of_several, _SEVERAL, lambda line, widths: -abs(line[-2] - LABELS_FROM)),
    "regression": (_of_values, _VALUES, lambda line, widths: -abs(line[-1]) / widths[line[-4]]),
}
"""By kind of task: lines of a run, their head, and by what mistakes are sorted, of values in shares of their ranges."""
