"""A cheaper system is named in the place of the best where it is shown to be as good, and what is not shown is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mirbench.choose import words
from mirbench.choose.as_good import MARGIN, Behind, behind, level_for
from mirbench.choose.choosing import Choice
from mirbench.leaderboard.chance import bonett_price
from mirbench.leaderboard.statistics import difference
from tests.benchmark.choose.test_race_simulated import hits_of
from tests.leaderboard.test_statistics_board import alone, of_hits


def entrant(name: str, hits: Any, *, flattered: bool = False) -> Any:
    targets, (scores,) = of_hits(np.asarray(hits, dtype=bool))
    groups, folds = alone(targets)
    heard = SimpleNamespace(scores=scores, targets=targets, n_clips=len(hits), groups=groups, folds=folds)
    return SimpleNamespace(name=name, flattered=flattered, heard=lambda folds: heard)


RACE: Any = SimpleNamespace(metric="accuracy", folds=range(1))


def beside(n: int, n_lost: int, *, flattered: bool = False, best_flattered: bool = False) -> Behind:
    """A system that errs on some clips more than the best, which errs on one in ten."""
    best = np.arange(n) % 10 != 0
    other = best.copy()
    other[np.flatnonzero(best)[:n_lost]] = False
    one, first = entrant("one", other, flattered=flattered), entrant("best", best, flattered=best_flattered)
    (found,) = behind(RACE, first, [one])
    return found


def test_few_clips_show_no_system_to_be_as_good() -> None:
    assert not beside(12, 3).as_good  # 25 points behind, and an interval that holds 0
    assert not beside(12, 0).as_good


def test_many_clips_show_what_is_close_and_not_what_is_behind() -> None:
    assert beside(1000, 10).as_good
    assert not beside(1000, 100).as_good


def test_what_chose_on_the_same_clips_is_not_shown_to_be_as_good_as_what_did_not() -> None:
    assert not beside(1000, 10, flattered=True).as_good
    assert beside(1000, 10, flattered=True, best_flattered=True).as_good


def test_more_that_are_cheaper_ask_for_wider_intervals() -> None:
    """At one side of each, 5 % of choices are shared out; no interval is of less than 95 %."""
    assert [level_for(n) for n in (0, 1, 2, 4, 10)] == [0.95, 0.95, 0.95, 0.975, 0.99]


def test_interval_of_another_level_is_wider_and_of_the_same_middle() -> None:
    best = np.arange(200) % 10 != 0
    targets, (scores, others) = of_hits(best, np.roll(best, 3))
    found = [
        difference("accuracy", scores, others, targets, *alone(targets), level=level) for level in (0.9, 0.95, 0.99)
    ]
    widths = [each.high - each.low for each in found if each]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert len({each.value for each in found if each}) == 1


@pytest.mark.parametrize("n", [100, 300, 1000])
@pytest.mark.parametrize("k", [1, 5])
def test_system_that_is_behind_by_more_than_the_margin_is_named_in_at_most_5_percent(n: int, k: int) -> None:
    """The best has 0.85, and k cheaper ones are all just beyond the margin; beside it stands what looks best."""
    generator, n_choices = np.random.default_rng(0), 400
    truth = 0.85 - np.array([0.0] + [MARGIN] * k)
    quantile = stats.norm.ppf((1 + level_for(k)) / 2)
    named = 0
    for _ in range(n_choices):
        hits = hits_of(generator, truth, n).astype(float)
        if hits.mean(axis=1).argmax() > 0:  # the others are as good as that one
            continue
        lows = [bonett_price(d.mean(), float(np.mean(d**2)), n, quantile)[0] for d in hits[1:] - hits[0]]
        named += max(lows) >= -MARGIN
    assert named / n_choices <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / n_choices)


def test_shortcut_of_the_simulation_is_what_difference_says() -> None:
    hits = hits_of(np.random.default_rng(1), [0.85, 0.8], 300)
    targets, (scores, others) = of_hits(hits[1], hits[0])
    found = difference("accuracy", scores, others, targets, *alone(targets))
    assert found is not None
    d = hits[1].astype(float) - hits[0]
    low, high = bonett_price(d.mean(), float(np.mean(d**2)), 300, float(stats.norm.ppf(0.975)))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.003), pytest.approx(high, abs=0.003))


def test_answer_says_how_far_behind_and_how_unsure_and_does_not_call_it_the_cheapest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best = entrant("probe-linear+good", [True] * 11 + [False])
    poor = entrant("probe-linear+small", [True] * 8 + [False] * 4)
    race: Any = SimpleNamespace(
        metric="accuracy", folds=range(1), settled=[best, poor],
        values=lambda some, folds: np.array([11 / 12, 8 / 12]),
    )  # fmt: skip
    found = tuple(behind(race, best, [poor]))
    none: Any = None
    choice = Choice("songs", none, "5 folds", "trainable", none, race, best, best, found)
    monkeypatch.setattr(words, "cost_of", lambda entrant, cost: 900.0 if entrant is best else 90.0)
    said = dict(words._cheapest(choice, best))
    assert said["Cheapest"] == "the same, 900 trainable values: no cheaper one is shown to be within 0.05 of it"
    assert "-0.250 (95 % -0." in said["Cheaper"]
    assert "on 12 validation clips; too few clips to tell" in said["Cheaper"]
    assert said["Not told"].endswith("which does not make equal: probe-linear+small (-0.250)")


@pytest.mark.parametrize(
    ("state", "cheapest", "unknown"),
    [
        ({}, "the same: no other one has a result", ""),
        ({"by": "probe-linear+good", "out": "surely worse"},
         "the same: all others that were tried are surely worse on validation clips", ""),
        ({"runs": {(0, 0): None}}, "the same: of no other one as many validation clips are known",
         "probe-linear+small: tried on fewer folds than the best, and not shown to be worse there"),
        ({"out": "failed: no memory"}, "the same: no other one has a result", ""),
    ],
)  # fmt: skip
def test_only_what_was_dropped_is_called_surely_worse(state: dict[str, Any], cheapest: str, unknown: str) -> None:
    best = entrant("probe-linear+good", [True] * 12)
    vars(best).update(runs={(0, 0): None}, out="", by="")
    other = SimpleNamespace(**{"name": "probe-linear+small", "runs": {}, "out": "", "by": "", **state})
    race: Any = SimpleNamespace(
        metric="accuracy", folds=range(1), settled=[best], entrants=[best, other],
        racing=[each for each in (best, other) if not each.out],
    )  # fmt: skip
    none: Any = None
    choice = Choice("songs", none, "5 folds", "trainable", none, race, best, best)
    said = dict([*words._cheapest(choice, best), *words._others(choice)])
    assert said["Cheapest"] == cheapest
    assert said.get("Unknown", "") == unknown
