"""Printed results and ours side by side, each with a verdict, by the rule `RULE`.

What stands beside a printed row are its *answers* (`Answer`): the runs of a system, or what a task's clips are. This
module compares; `mirbench.cli.reproduce` finds or makes the runs, `side_by_side` writes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.stats import t as student

from mirbench.leaderboard.reproduction.answers import Answer, Measured, Unanswered
from mirbench.leaderboard.reproduction.printed import SCALES, Printed
from mirbench.leaderboard.reproduction.quantities import measure
from mirbench.leaderboard.reproduction.recorded import pools
from mirbench.leaderboard.results import Question, System
from mirbench.record import RunSpec

__all__ = ["RULE", "Line", "Verdict", "compare", "systems_of"]

Verdict = Literal["agrees", "differs", "cannot tell", "shown", "other data", "stand-in", "not run"]

LIMIT = 0.05
LIMIT_LOUDNESS = 0.01
RULE = (
    "Rule: our 95 % interval, over clips and seeds, and that of the printed mean over its own seeds (Student, where SD "
    "and number are printed) are combined by the root of squares; where other clips were tested, that of ours counts "
    "once more, for theirs (their number of clips, if printed). Half of the last printed digit is added. 'differs': "
    "the printed number lies outside; 'agrees': inside, and the half-width is at most 5 points (0.01 of full scale for "
    "loudness); 'cannot tell': inside a wider one, or there is none. Counts are compared to the last printed digit. "
    "'shown' is never judged: times, settings chosen by chance, the parts of a box but its median. 'other data' were "
    "heard where the paper's were not published; a 'stand-in' is synthesised and says nothing about music. Nothing is "
    "corrected for the number of lines: of those that are right, a few in a hundred differ by chance."
)


@dataclass(frozen=True)
class Line:
    """A printed number and ours, or why there is none.

    Parameters
    ----------
    ours, low, high : float or None
        In the printed unit; the interval is that of ours alone.
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


def compare(printed: Iterable[Printed], answers: Iterable[Answer]) -> list[Line]:
    """A line for each printed number and answer to its row; one alone where no answer gives it."""
    of_row: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        of_row[answer.row].append(answer)
    lines: list[Line] = []
    for number in printed:
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
    value, low, high = (
        None if one is None or math.isnan(one) else one / scale for one in (ours.value, ours.low, ours.high)
    )
    return Line(
        printed, _verdict(printed, ours, answer), value, low, high, ours.n_seeds, ours.n_models, ours.n_clips,
        answer.name, answer.other,
    )  # fmt: skip


def _verdict(printed: Printed, ours: Measured, answer: Answer) -> Verdict:
    if answer.standing == "synthesised":
        return "stand-in"
    if answer.other:
        return "other data"
    if ours.kind == "shown":
        return "shown"
    assert printed.number is not None
    if ours.kind == "count":
        return "agrees" if _rounded(ours.value + printed.dead, printed) == float(printed.value) else "differs"
    if ours.low is None or ours.high is None:
        return "cannot tell"
    gap = printed.number - ours.value
    below, above = (_half_width(side, printed, ours) for side in (ours.value - ours.low, ours.high - ours.value))
    if abs(gap) > (above if gap > 0 else below) + printed.rounding:
        return "differs"
    limit = LIMIT_LOUDNESS if printed.unit == "full scale" else LIMIT
    return "agrees" if (below + above) / 2 <= limit else "cannot tell"


def _rounded(value: float, printed: Printed) -> float:
    return round(value / SCALES[printed.unit], printed.n_digits)


def _half_width(ours: float, printed: Printed, measured: Measured) -> float:
    """Of the difference between printed and ours, on one side."""
    parts = [ours]
    if printed.sd is not None and printed.n_seeds is not None and printed.n_seeds > 1:
        quantile = float(student.ppf(0.975, printed.n_seeds - 1))
        parts.append(quantile * printed.sd * SCALES[printed.unit] / math.sqrt(printed.n_seeds))
    if not printed.same_clips:
        ratio = measured.n_clips / printed.n_clips if measured.n_clips and printed.n_clips else 1.0
        parts.append(ours * math.sqrt(ratio))
    return math.hypot(*parts)


def systems_of(specs: Sequence[RunSpec], known: Iterable[Question], folders: Iterable[str] = ()) -> list[System]:
    """The systems on record that were asked what the specs ask, whatever their seeds, the audio and the weights.

    Parameters
    ----------
    specs : sequence of RunSpec
        Of one system; without the hashes of audio and weights.
    folders : iterable of str
        Of runs that were just done or read back: a system that holds one of them comes first, then that of most seeds.
    """
    asked, just_done = {_bare(spec) for spec in specs}, set(folders)
    found = [s for question in known for s in question.systems if s.complete and _bare(s.record.spec) in asked]
    return sorted(found, key=lambda s: (not any(str(run.folder) in just_done for run in s.runs), -len(s.seeds), s.key))


def _bare(spec: RunSpec) -> str:
    return replace(spec, source_sha256="", audio_sha256="", fold=0, seed=0).key
