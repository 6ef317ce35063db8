"""The rule of verdicts, held to its promise by simulation, and its two sides: agreement can be reached, or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from mirbench.leaderboard.reproduction.answers import Answer, Measured, Seeds
from mirbench.leaderboard.reproduction.printed import SCALES, Printed, read_printed, tables
from mirbench.leaderboard.reproduction.rule import half_width, judged
from mirbench.leaderboard.reproduction.scored import _MEDIAN, _of_largest

ANSWER = Answer("row", "system")
N_DRAWS = 1500


def printed(value: float, digits: int = 3, sd: float | None = None, n_seeds: int | None = None) -> Printed:
    return Printed("t", "row", "accuracy", f"{value:.{digits}f}", "fraction", sd, n_seeds, 290, True, 0, "here", "")


def measured(values: Sequence[float]) -> Measured:
    """With an interval over clips that would agree with nearly anything."""
    mean = float(np.mean(values))
    return Measured(mean, mean - 0.04, mean + 0.04, n_seeds=len(values), n_clips=290, seeds=Seeds.of(list(values)))


def seeds_of(rng: np.random.Generator, right: np.ndarray, n: int) -> np.ndarray:
    """Accuracies of seeds on the same clips, clip by clip right with these probabilities."""
    return (rng.random((n, len(right))) < right).mean(axis=1)


def verdicts(rng: np.random.Generator, ours: int, theirs: int, gap: float = 0.0, *, tells: str = "sd") -> Counter[str]:
    """Of a paper and of us, each with so many seeds of one system, or of two that lie apart, on the same 290 clips."""
    found: Counter[str] = Counter()
    for _ in range(N_DRAWS):
        right = rng.beta(2.0, 0.5, 290)  # some clips are hard for every seed
        paper, own = seeds_of(rng, right, theirs), seeds_of(rng, np.clip(right + gap, 0, 1), ours)
        sd = {"sd": float(paper.std(ddof=1)) if theirs > 1 else None, "number": None, "nothing": None}[tells]
        value = float(paper[0] if tells == "nothing" else paper.mean())
        number = printed(value, sd=sd, n_seeds=None if tells == "nothing" else theirs)
        found[judged(number, measured(own), ANSWER).verdict] += 1
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "tells"),
    [(5, 5, "sd"), (10, 3, "sd"), (5, 5, "number"), (5, 1, "nothing"), (1, 5, "sd")],
)
def test_one_in_twenty_of_numbers_of_one_system_differs_and_no_more(ours: int, theirs: int, tells: str) -> None:
    found = verdicts(np.random.default_rng(1), ours, theirs, tells=tells)
    assert 0.02 < found["differs"] / N_DRAWS < 0.065


def test_numbers_of_one_system_agree_where_both_tell_five_seeds() -> None:
    assert verdicts(np.random.default_rng(2), 5, 5)["agrees"] / N_DRAWS > 0.9


def test_systems_six_points_apart_differ_where_both_tell_five_seeds() -> None:
    """Intervals over the 290 clips, 4.5 points of ours alone, would let most of them agree."""
    assert verdicts(np.random.default_rng(3), 5, 5, -0.06)["differs"] / N_DRAWS > 0.9


def share_of_differing(rng: np.random.Generator, of: str, n: int, theirs: int) -> float:
    """Of medians, or of the best, of runs that are normal."""
    differing = 0
    for _ in range(N_DRAWS):
        own, paper = rng.normal(0.7, 0.01, n), rng.normal(0.7, 0.01, theirs)
        seeds = Seeds.of(own.tolist(), _MEDIAN if of == "median" else 1.0)
        number = printed(float(np.median(paper)), 5, float(paper.std(ddof=1)), theirs)
        ours = Measured(float(np.median(own)), 0.6, 0.8, n_seeds=n, seeds=seeds)
        if of == "best":
            largest = seeds.of_one * _of_largest(n)
            number = printed(float(paper.max()), 5, None, theirs)
            best = replace(seeds, error=largest, of_one=largest, averaged=False)
            ours = Measured(float(own.max()), 0.6, 0.8, n_seeds=n, seeds=best)
        differing += judged(number, ours, ANSWER).verdict == "differs"
    return differing / N_DRAWS


@pytest.mark.parametrize(("of", "n", "theirs"), [("median", 10, 3), ("median", 10, 7), ("best", 5, 5)])
def test_medians_and_best_seeds_of_one_system_seldom_differ(of: str, n: int, theirs: int) -> None:
    assert share_of_differing(np.random.default_rng(4), of, n, theirs) < 0.07


def test_interval_is_that_of_welchs_test_and_half_a_digit() -> None:
    ours, theirs = [0.80, 0.82, 0.83, 0.79, 0.81], [0.83, 0.86, 0.84, 0.85]
    number = printed(float(np.mean(theirs)), 4, float(np.std(theirs, ddof=1)), len(theirs))
    found = judged(number, measured(ours), ANSWER)
    expected = ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert (found.low, found.high) == (
        pytest.approx(expected.low - 0.00005, abs=1e-6), pytest.approx(expected.high + 0.00005, abs=1e-6),
    )  # fmt: skip
    assert found.verdict == "differs"


def test_seeds_that_vary_much_cannot_tell() -> None:
    assert judged(printed(0.8, sd=0.08, n_seeds=5), measured([0.8, 0.9, 0.7]), ANSWER).verdict == "cannot tell"


def test_one_seed_of_ours_is_taken_to_vary_as_theirs() -> None:
    """2.776 · 0.02 · √1.2 = 0.0608."""
    number = printed(0.8, sd=0.02, n_seeds=5)
    assert half_width(Seeds.of([0.8]), number) == pytest.approx(0.0608, abs=1e-4)
    assert judged(number, measured([0.861]), ANSWER).verdict == "cannot tell"  # half a digit is added
    assert judged(number, measured([0.862]), ANSWER).verdict == "differs"


def test_largest_of_five_varies_as_in_tables_of_order_statistics() -> None:
    """Variance 0.44753 of the largest of five normal draws (Teichroew, 1956)."""
    assert _of_largest(5) ** 2 == pytest.approx(0.44753, abs=1e-5)
    assert _of_largest(1) == pytest.approx(1.0)


def test_what_was_fitted_to_the_printed_number_is_never_judged() -> None:
    number = replace(printed(1), quantity="n_trainable", value="17", unit="count")
    fitted = replace(ANSWER, fitted=("n_trainable",))
    assert [judged(number, Measured(17, kind="count"), answer).verdict for answer in (ANSWER, fitted)] == [
        "agrees", "shown",
    ]  # fmt: skip


ESTIMATES = [
    number
    for number in read_printed([name for name in tables() if name.startswith(("hung2022", "chen2022"))])
    if number.unit in ("fraction", "percent", "points") and number.same_clips
]


@pytest.mark.parametrize("table", sorted({number.table for number in ESTIMATES}))
def test_agreement_can_be_reached_by_every_row(table: str) -> None:
    """Of as many seeds as the suites ask for, which vary as the printed ones, or by a point."""
    rng = np.random.default_rng(5)
    for number in (n for n in ESTIMATES if n.table == table):
        scale, n = SCALES[number.unit], 5 if table.startswith("hung") else 10
        values = rng.normal(size=n)
        sd = 0.01 if number.sd is None else number.sd * scale
        assert number.number is not None
        seeds = number.number + sd * (values - values.mean()) / values.std(ddof=1)
        ours = Measured(number.number, 0.0, 1.0, n_seeds=n, seeds=Seeds.of(seeds.tolist()))
        assert judged(number, ours, ANSWER).verdict == "agrees", number
