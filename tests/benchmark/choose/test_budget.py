"""The clock of a race: what runs take on a machine that is busy is learnt from the clock."""

from __future__ import annotations

import pytest

from mirbench.choose.budget import Budget
from mirbench.registry import Catalogue
from mirbench.runs.costs import Cost
from mirbench.runs.plan import Request, draft_plan

REQUEST = Request("gtzan-demo", "prior", seeds=(0,))


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Budget:
    """Of a hundred seconds, every run of which is expected to take ten."""
    made = Budget(100.0, Catalogue(), [REQUEST], [])
    monkeypatch.setattr(made._costs, "of", lambda spec: Cost(10.0, 0.0, "records"))
    return made


def test_runs_take_as_many_times_longer_as_those_before_did(budget: Budget) -> None:
    (spec,) = draft_plan(REQUEST, Catalogue()).specs
    assert (budget.cost(spec), budget.of(REQUEST)) == (10.0, 10.0)
    budget.took(10.0, 40.0)
    assert (budget.cost(spec), budget.of(REQUEST)) == (40.0, 40.0)


def test_no_run_is_begun_that_by_the_clock_cannot_end(budget: Budget) -> None:
    (spec,) = draft_plan(REQUEST, Catalogue()).specs
    assert budget.racing.let_begin(spec)
    budget.took(10.0, 90.0)  # a run now takes ninety seconds; eighty-five were there for the race
    assert not budget.racing.let_begin(spec)


def test_what_was_long_ago_counts_less_and_what_is_quick_shortens_nothing(budget: Budget) -> None:
    budget.took(10.0, 40.0)
    for _ in range(12):
        budget.took(10.0, 10.0)
    assert budget.slowness == pytest.approx(1.0, abs=0.01)
    budget.took(10.0, 1.0)
    assert budget.slowness == 1.0
    budget.took(0.0, 50.0)  # of which nothing was known
    assert budget.slowness == 1.0
