"""Systems over tasks: average ranks against a published example, and what is never averaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench import __version__
from mirbench.leaderboard.page.over_tasks import average_ranks, over_tasks
from mirbench.leaderboard.table import boards
from tests.leaderboard.page.test_page import SPEC, write

DEMSAR = np.array([
    [.763, .768, .771, .798], [.599, .591, .590, .569], [.954, .971, .968, .967], [.628, .661, .654, .657],
    [.882, .888, .886, .898], [.936, .931, .916, .931], [.661, .668, .609, .685], [.583, .583, .563, .625],
    [.775, .838, .866, .875], [1.00, 1.00, 1.00, 1.00], [.940, .962, .965, .962], [.619, .666, .614, .669],
    [.972, .981, .9752, .9751], [.957, .978, .946, .970],
])  # fmt: skip
"""AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets: Demsar (2006), JMLR 7, table 6.

Two that are printed alike, 0.975, have the ranks 2 and 3 there.
"""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A table of four systems."""
    root = tmp_path_factory.mktemp("runs")
    for name in ("plain", "m", "cf", "m-cf"):
        write(root, replace(SPEC, method=name))
    (board,) = boards(root)
    return board


def scored(board: Any, task: str, values: Any) -> Any:
    """The same table as that of another task, with these scores of its systems in the order of their names."""
    place = {name: n for n, name in enumerate(("plain", "m", "cf", "m-cf"))}
    rows = tuple(
        replace(row, metrics={"accuracy": (float(values[place[row.system.record.spec.method]]), None)})
        for row in board.rows
    )
    return replace(board, task=task, title=task, rows=rows)


def of_method(board: Any, found: Any) -> dict[str, float]:
    from mirbench.leaderboard.drawn import same

    names = {same(row): row.system.record.spec.method for row in board.rows}
    return {names[key]: rank for key, rank in zip(found.keys, found.ranks.average_ranks, strict=True)}


def test_average_ranks_are_those_of_demsars_example(one: Any) -> None:
    found = average_ranks([scored(one, f"set{n}", values) for n, values in enumerate(DEMSAR)])
    assert found is not None
    ranks = of_method(one, found)
    assert ranks == pytest.approx({"plain": 3.143, "m": 2.000, "cf": 2.893, "m-cf": 1.964}, abs=5e-4)
    squares = sum(rank**2 for rank in ranks.values())
    assert 12 * 14 / (4 * 5) * (squares - 4 * 5**2 / 4) == pytest.approx(9.28, abs=0.01)  # Friedman's, as printed
    assert found.ranks.critical_difference == pytest.approx(1.25, abs=0.005)


def test_average_is_of_systems_that_all_compared_tasks_have(one: Any) -> None:
    first = scored(one, "first", [0.9, 0.8, 0.7, 0.6])
    second = scored(one, "second", [0.9, 0.8, 0.7, 0.6])
    second = replace(second, rows=tuple(row for row in second.rows if row.system.record.spec.method != "plain"))
    found = average_ranks([first, second])
    assert found is not None
    assert of_method(one, found) == {"m": 1.0, "cf": 2.0, "m-cf": 3.0}


def test_task_that_shares_no_two_systems_is_left_out(one: Any) -> None:
    first, second, odd = (scored(one, name, [0.9, 0.8, 0.7, 0.6]) for name in ("first", "second", "odd"))
    odd = replace(odd, rows=odd.rows[:1])
    found = average_ranks([first, odd, second])
    assert found is not None
    assert [board.task for board in found.boards] == ["first", "second"]


def test_variants_of_a_task_are_not_tasks_of_their_own(one: Any) -> None:
    values = [0.9, 0.8, 0.7, 0.6]
    assert average_ranks([scored(one, name, values) for name in ("set", "set+shots5", "set+shots9")]) is None
    assert average_ranks([scored(one, "set", values), replace(scored(one, "set", values), version="2")]) is None


def test_kinds_are_never_averaged_together(one: Any) -> None:
    made = [scored(one, name, [0.9, 0.8, 0.7, 0.6]) for name in ("a", "b", "c")]
    held = over_tasks([made[0], replace(made[1], standing="excerpt"), replace(made[2], standing="synthesised")])
    assert [(kind["boards"], kind["compared"]) for kind in held["kinds"]] == [([0], None), ([1], None), ([2], None)]
    together = over_tasks(made)["kinds"]
    assert [(kind["boards"], kind["compared"]["systems"]) for kind in together] == [([0, 1, 2], 4)]


def test_best_average_rank_comes_first_and_says_its_rows(one: Any) -> None:
    made = [scored(one, name, [0.5, 0.8, 0.7, 0.6]) for name in ("a", "b")]
    (kind,) = over_tasks(made)["kinds"]
    assert [system["average"] for system in kind["systems"]] == [1.0, 2.0, 3.0, 4.0]
    keys = {row.key: row.system.record.spec.method for row in one.rows}
    assert [[keys[key] for key in system["rows"]] for system in kind["systems"][:2]] == [["m", "m"], ["cf", "cf"]]


def test_first_screen_counts_systems_and_runs_and_has_a_date(tmp_path: Path) -> None:
    for task in ("tones", "noises"):
        for seed in range(2):
            write(tmp_path, replace(SPEC, task=task, seed=seed))
    found = over_tasks(boards(tmp_path))
    known = {name: found[name] for name in ("systems", "runs", "newest", "version")}
    assert known == {"systems": 1, "runs": 4, "newest": "2026-11-21", "version": __version__}
