"""By which rule a number of ours agrees with a printed one, or differs: `RULE`, and the difference with its interval.

Where paper and we test the same clips, which clips they are moves both numbers alike: what is left is chance of seeds,
on both sides, and rounding. The simulation in ``tests/leaderboard/reproduction/test_rule.py`` holds the rule to its
promise: of numbers that are those of one system, one in twenty differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.stats import t as student

from mirbench.leaderboard.reproduction.answers import Answer, Measured, Seeds
from mirbench.leaderboard.reproduction.printed import SCALES, Printed

__all__ = ["LIMIT", "PAR", "RULE", "UNJUDGED", "Judged", "Verdict", "half_width", "judged", "standing", "t_half_width"]

Verdict = Literal["agrees", "differs", "cannot tell", "shown", "other data", "stand-in", "not run"]

LIMIT = 0.05
LIMIT_LOUDNESS = 0.01
PAR = 0.025
"""How far apart systems may be that are on par."""

RULE = (
    "Rule: where the paper's clips were tested, they are the same for both numbers, and chance is that of seeds: "
    "the variances of the two means, ours over our seeds and theirs by the printed SD, make the interval of the "
    "difference (Welch; a median counts as 1.25 such deviations). Where no SD is printed, their runs are taken to "
    "vary as ours, and where no number of them is, for one; where we have one seed, ours as theirs. Where neither "
    "tells, and where other clips were tested, our 95 % interval over clips and seeds takes its place, in the "
    "latter case once more for their clips (their number, if printed), with their SD (Student). Half of the last "
    "printed digit is added. 'differs': 0 lies outside; 'agrees': inside, and the half-width is at most 5 points "
    "(0.01 of full scale for loudness); 'cannot tell': inside a wider one, or there is none. Counts are compared to"
    " the last printed digit. An order agrees where every step of it does so beyond chance of our seeds (on par: "
    "within 2.5 points), and differs where one is turned round beyond it. 'shown' is never judged: times, settings "
    "chosen by chance, the parts of a box but its median, and what was fitted to the printed number. 'other data' "
    "were heard where the paper's were not published; a 'stand-in' is synthesised and says nothing about music. "
    "Nothing is corrected for the number of lines: of those that are right, one in twenty differs by chance."
)

UNJUDGED = (
    "Rule: nothing here is judged. What a row did on a stand-in, which is synthesised, says that it runs, and nothing "
    "about music."
)
"""In place of `RULE` where no line had anything else."""


@dataclass(frozen=True)
class Judged:
    """A verdict, and ours less the printed number with its 95 % interval, in the unit of ours."""

    verdict: Verdict
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def standing(answer: Answer) -> Verdict | None:
    """Why nothing of an answer is judged; None where it is."""
    if answer.standing == "synthesised":
        return "stand-in"
    return "other data" if answer.other else None


def judged(printed: Printed, ours: Measured, answer: Answer) -> Judged:
    """What the rule says of a number of ours."""
    if told := standing(answer):
        return Judged(told)
    if math.isnan(ours.value):
        return Judged("shown")
    assert printed.number is not None
    fitted = printed.quantity in answer.fitted
    if ours.kind == "count":
        same = _rounded(ours.value + printed.dead, printed) == float(printed.value)
        return Judged("shown" if fitted else "agrees" if same else "differs")
    gap = ours.value - printed.number
    if fitted or ours.kind == "shown":
        return Judged("shown", gap)
    sides = _sides(printed, ours)
    if sides is None:
        return Judged("cannot tell", gap)
    below, above = (side + printed.rounding for side in sides)
    low, high = gap - below, gap + above
    limit = LIMIT_LOUDNESS if printed.unit == "full scale" else LIMIT
    inside: Verdict = "agrees" if sum(sides) / 2 <= limit else "cannot tell"
    return Judged(inside if low <= 0 <= high else "differs", gap, low, high)


def _sides(printed: Printed, ours: Measured) -> tuple[float, float] | None:
    """How far the difference may lie below 0 and above it by chance: half-widths of the interval around ours."""
    if printed.same_clips and (half := half_width(ours.seeds, printed)) is not None:
        return half, half
    if ours.low is None or ours.high is None:
        return None
    below, above = (_over_clips(side, printed, ours) for side in (ours.value - ours.low, ours.high - ours.value))
    return below, above


def half_width(ours: Seeds | None, printed: Printed) -> float | None:
    """Of the 95 % interval of a difference between two means over seeds; None where neither side tells its variance."""
    n = printed.n_seeds or 1
    sd = None if printed.sd is None or n < 2 else printed.sd * SCALES[printed.unit]
    if ours is not None and ours.error is not None:
        own = ours.error**2
        if sd is None or not ours.averaged:
            return _t(ours.free) * math.sqrt(own + ours.of_one**2 / (n if ours.averaged else 1))
        theirs = (ours.widened * sd) ** 2 / n
        total = own + theirs
        free = total**2 / (own**2 / ours.free + theirs**2 / (n - 1)) if total else 1.0
        return _t(free) * math.sqrt(total)
    if ours is None or sd is None:
        return None
    return _t(n - 1) * ours.widened * sd * math.sqrt(1 + 1 / n)  # one seed of ours, which varies as theirs


def t_half_width(seeds: Seeds) -> float:
    """Of the 95 % interval of a mean over seeds that has an error."""
    assert seeds.error is not None
    return _t(seeds.free) * seeds.error


def _t(free: float) -> float:
    return float(student.ppf(0.975, free))


def _over_clips(ours: float, printed: Printed, measured: Measured) -> float:
    """Of the difference on one side, where clips count."""
    parts = [ours]
    if printed.sd is not None and printed.n_seeds is not None and printed.n_seeds > 1:
        parts.append(_t(printed.n_seeds - 1) * printed.sd * SCALES[printed.unit] / math.sqrt(printed.n_seeds))
    if not printed.same_clips:
        ratio = measured.n_clips / printed.n_clips if measured.n_clips and printed.n_clips else 1.0
        parts.append(ours * math.sqrt(ratio))
    return math.hypot(*parts)


def _rounded(value: float, printed: Printed) -> float:
    return round(value / SCALES[printed.unit], printed.n_digits)
