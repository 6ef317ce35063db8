"""Figures and tables of systems that have some folds of the task alone say which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from mirbench.leaderboard import plots
from mirbench.leaderboard.chosen_rows import pivot
from mirbench.leaderboard.curve_plot import curve
from mirbench.leaderboard.drawn import axis_label
from mirbench.leaderboard.few_clips import amounts, families
from mirbench.leaderboard.latex import latex_pivot
from mirbench.leaderboard.layer_plot import by_layer
from mirbench.leaderboard.render import markdown_pivot
from mirbench.leaderboard.sweep_figures import by_value
from mirbench.leaderboard.table import Board, boards
from tests.leaderboard.page.test_page import SPEC as SKILLED
from tests.leaderboard.page.test_page import write as write_skilled
from tests.leaderboard.test_leaderboard import SPEC, write
from tests.leaderboard.test_sweep_figures import RATES, sweep


def some(folder: Path, folds: tuple[int, ...], n_folds: int = 5) -> Board:
    for method in ("a", "b"):
        for fold in folds:
            spec = replace(SPEC, method=method, fold=fold, params={**SPEC.params, "layers": "0"})
            write(folder, spec, draw=fold, n_folds=n_folds)
    (found,) = boards(folder)
    return found


@pytest.mark.parametrize(
    ("folds", "n_folds", "said"),
    [
        ((0,), 5, ", fold 0 of 5 alone"), ((1, 3), 5, ", folds 1, 3 of 5 alone"), ((0, 1), 2, ""), ((0,), 1, ""),
    ],
)  # fmt: skip
def test_label_of_an_axis_says_the_folds_that_are_there(
    folds: tuple[int, ...], n_folds: int, said: str, tmp_path: Path
) -> None:
    board = some(tmp_path, folds, n_folds)
    assert axis_label(board, board.metrics[0]).endswith(f"on tones{said}")


@pytest.mark.parametrize("draw", [plots.forest, plots.box, by_layer, lambda board: plots.pareto(board, "", "total")])
def test_figure_of_one_fold_says_so(draw: Callable[[Board], Figure], tmp_path: Path) -> None:
    axes = draw(some(tmp_path, (2,))).axes[0]
    assert "fold 2 of 5 alone" in axes.get_xlabel() + axes.get_ylabel()


def test_lines_of_a_curve_and_of_a_search_say_so(tmp_path: Path) -> None:
    for task, n_train in (("tones", 60), ("tones+shots2", 6)):
        write_skilled(
            tmp_path, replace(SKILLED, task=task), 0.5, n_clips={"train": n_train, "valid": 3, "test": 33}, n_folds=5
        )
    (family,) = families(boards(tmp_path))
    (axes, *_) = curve(amounts(family)).axes
    assert any("(fold 0 of 5 alone)" in str(line.get_label()) for line in axes.lines)
    assert ", fold 0 of 5" in str(by_value(replace(sweep(RATES[:2]), n_folds=5)).get_supxlabel())


def test_ranks_over_tasks_say_of_which_folds_a_task_is(tmp_path: Path) -> None:
    for task in ("tones", "chords"):
        for draw, method in enumerate(("a", "b")):
            write(tmp_path, replace(SPEC, task=task, method=method), draw, n_folds=5 if task == "tones" else 1)
    said = " ".join(str(plots.ranks(boards(tmp_path)).get_supxlabel()).split())
    assert "(chords; tones, fold 0 of 5 alone)" in said or "(tones, fold 0 of 5 alone; chords)" in said


def test_tables_side_by_side_say_which_cells_are_of_some_folds(tmp_path: Path) -> None:
    some(tmp_path, (0,))
    write(tmp_path, replace(SPEC, task="chords"), n_folds=1)
    table = pivot(boards(tmp_path))
    said = "Of some folds alone: tones, only fold 0 of 5: a + tiny, b + tiny."
    assert table.incomplete == said
    assert said in markdown_pivot([table])
    assert said in latex_pivot([table])
    assert not pivot([board for board in boards(tmp_path) if board.task == "chords"]).incomplete
