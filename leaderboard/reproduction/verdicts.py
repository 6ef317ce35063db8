"""Printed results and ours side by side, each with a verdict, by the rule of `mirbench.leaderboard.reproduction.rule`.

What stands beside a printed row are its *answers* (`Answer`): the runs of a system, or what a task's clips are. This
module compares; `mirbench.cli.reproduce` finds or makes the runs, `side_by_side` writes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mirbench.leaderboard.reproduction import orders
from mirbench.leaderboard.reproduction.answers import Answer, Unanswered
from mirbench.leaderboard.reproduction.printed import SCALES, Printed
from mirbench.leaderboard.reproduction.quantities import measure
from mirbench.leaderboard.reproduction.recorded import pools
from mirbench.leaderboard.reproduction.rule import Verdict, judged
from mirbench.leaderboard.results import Question, System
from mirbench.record import RunSpec

__all__ = ["Line", "compare", "systems_of"]


@dataclass(frozen=True)
class Line:
    """A printed number and ours, or why there is none.

    Parameters
    ----------
    ours, low, high : float or None
        In the printed unit; the interval is that of ours alone.
    difference, difference_low, difference_high : float or None
        Ours less the printed number, and the interval by which it is judged, in the printed unit.
    by : str
        System or task.
    reason : str
        Of "not run", or what was heard of "other data".
    """

    printed: Printed
    verdict: Verdict
    ours: float | None = None
    low: float | None = None
    high: float | None = None
    n_seeds: int | None = None
    n_models: int | None = None
    n_clips: int | None = None
    by: str = ""
    reason: str = ""
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


def compare(printed: Iterable[Printed], answers: Iterable[Answer]) -> list[Line]:
    """A line for each printed number and answer to its row; one alone where no answer gives it."""
    of_row: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        of_row[answer.row].append(answer)
    lines: list[Line] = []
    for number in printed:
        if number.unit == "order":
            lines.append(_order(number, of_row))
            continue
        given = of_row.get(number.row, [])
        found = [_line(number, answer, of_row) for answer in (_pooled(given) if pools(number.quantity) else given)]
        if any(line.verdict != "not run" for line in found):
            lines += found
        else:
            reasons = dict.fromkeys(line.reason for line in found)
            lines.append(
                Line(number, "not run", reason="; ".join(reasons) or number.note or "nothing of ours answers it")
            )
    return lines


def _pooled(answers: Sequence[Answer]) -> list[Answer]:
    """All systems of a row as one answer; that of the first which has none, if one lacks its runs."""
    if not answers or any(not answer.systems for answer in answers):
        return [answer for answer in answers if not answer.systems][:1]
    spec = answers[0].systems[0].record.spec
    name = f"{spec.task}: {len(answers)} × {spec.method}" if len(answers) > 1 else answers[0].name
    return [replace(answers[0], name=name, systems=tuple(s for answer in answers for s in answer.systems))]


def _line(printed: Printed, answer: Answer, of_row: Mapping[str, Sequence[Answer]]) -> Line:
    try:
        ours = measure(printed.quantity, answer, of_row)
    except Unanswered as error:
        return Line(printed, "not run", by=answer.name, reason=str(error))
    scale = SCALES[printed.unit]
    found = judged(printed, ours, answer)
    value, low, high, difference, difference_low, difference_high = (
        None if one is None or math.isnan(one) else one / scale
        for one in (ours.value, ours.low, ours.high, found.difference, found.low, found.high)
    )
    return Line(
        printed, found.verdict, value, low, high, ours.n_seeds, ours.n_models, ours.n_clips, answer.name, answer.other,
        difference, difference_low, difference_high,
    )  # fmt: skip


def _order(printed: Printed, of_row: Mapping[str, Sequence[Answer]]) -> Line:
    try:
        found = orders.judged_order(printed, of_row)
    except Unanswered as error:
        return Line(printed, "not run", reason=str(error))
    return Line(
        printed, found.verdict, found.step, found.low, found.high, found.n_seeds, n_clips=found.n_clips, by=found.by,
        reason=found.reason,
    )  # fmt: skip


def systems_of(
    specs: Sequence[RunSpec], known: Iterable[Question], folders: Iterable[str] = (), *, complete: bool = True
) -> list[System]:
    """The systems on record that were asked what the specs ask, whatever their seeds, the audio and the weights.

    Parameters
    ----------
    specs : sequence of RunSpec
        Of one system; without the hashes of audio and weights.
    folders : iterable of str
        Of runs that were just done or read back: a system that holds one of them comes first, then that of most seeds.
    complete : bool
        Whether all folds must be there.
    """
    asked, just_done = {_bare(spec) for spec in specs}, set(folders)
    found = [
        s
        for question in known
        for s in question.systems
        if (s.complete or not complete) and _bare(s.record.spec) in asked
    ]
    return sorted(found, key=lambda s: (not any(str(run.folder) in just_done for run in s.runs), -len(s.seeds), s.key))


def _bare(spec: RunSpec) -> str:
    return replace(spec, source_sha256="", audio_sha256="", fold=0, seed=0).key
