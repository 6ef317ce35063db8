"""From few labelled clips to all: draws that are averaged, intervals over them, the table and the figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard import statistics
from mirbench.leaderboard.curve_plot import curve
from mirbench.leaderboard.few_clips import Amount, amounts, asked_for, families, of_best, of_one_task, paths
from mirbench.leaderboard.table import Row, boards
from tests.conftest import Answer
from tests.leaderboard.page.test_page import SPEC, write
from tests.leaderboard.test_leaderboard import cells

Typed = Callable[..., Answer]
N_TRAIN = {"tones": 60, "tones+shots2": 6, "tones+shots8": 24}


def ran(root: Path, skills: dict[str, float], method: str = "probe", seeds: int = 1) -> None:
    """Put runs of one method on record, of tasks of so much skill each."""
    for task, skill in skills.items():
        n_clips = {"train": N_TRAIN[re.sub(r"-draw\d+", "", task)], "valid": 3, "test": 33}
        for seed in range(seeds):
            write(root, replace(SPEC, task=task, method=method, seed=seed), skill, n_clips=n_clips)


def found(root: Path, metric: str = "") -> list[Amount]:
    return amounts(of_one_task(boards(root)), metric)


def rows(root: Path, metric: str = "") -> list[Row]:
    """Those of the only system, the fewest clips first."""
    return [row for amount in found(root, metric) for row in amount.board.rows]


def test_amounts_come_from_few_clips_to_all(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots8": 0.6, "tones+shots2": 0.3})
    assert [amount.board.title for amount in found(tmp_path)] == [
        "6 clips (shots2)",
        "24 clips (shots8)",
        "60 clips (all)",
    ]


def test_amount_of_one_draw_keeps_interval_and_rank(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.3})
    whole = next(board for board in boards(tmp_path) if board.task == "tones").rows[0]
    assert (rows(tmp_path)[-1].interval, rows(tmp_path)[-1].rank) == (whole.interval, 1)


def test_draws_stand_where_seeds_stand_in_the_interval(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.1, "tones+shots2-draw1": 0.5, "tones+shots2-draw2": 0.9})
    drawn = [board.rows[0] for board in boards(tmp_path) if board.task != "tones"]
    stack = drawn[0].system.stack
    scores = np.concatenate([row.system.stack.scores for row in drawn])
    wanted = statistics.interval("accuracy", scores, stack.targets, stack.groups, stack.folds)
    (few, _) = rows(tmp_path)
    values = [row.metrics["accuracy"][0] for row in drawn]  # type: ignore[index]
    assert few.metrics["accuracy"] == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert wanted is not None
    assert few.interval == replace(wanted, method=wanted.method.replace("3 seeds", "3 draws"))
    assert few.rank is None


def test_seeds_of_a_draw_do_not_narrow_the_interval_as_draws_would(tmp_path: Path) -> None:
    skills = {"tones": 0.9, "tones+shots2": 0.1, "tones+shots2-draw1": 0.9}
    ran(tmp_path / "one", skills)
    ran(tmp_path / "five", skills, seeds=5)
    one, five = (rows(tmp_path / name)[0].interval for name in ("one", "five"))
    assert one
    assert five
    assert five.method.endswith("2 draws, of each seed")
    assert five.high - five.low > 0.6 * (one.high - one.low)


def test_amounts_of_another_metric_have_its_interval(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.3})
    few, _ = rows(tmp_path, "macro-f1")
    stack = few.system.stack
    assert few.interval == statistics.interval("macro-f1", stack.scores, stack.targets, stack.groups, stack.folds)


def test_system_that_lacks_a_draw_says_so(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.1, "tones+shots2-draw1": 0.9})
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.1}, "other")
    assert {row.system.record.spec.method: row.flags for row in found(tmp_path)[0].board.rows} == {
        "probe": (), "other": ("1 of 2 draws",)
    }  # fmt: skip


def test_system_of_one_number_of_clips_is_in_no_column(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.1})
    ran(tmp_path, {"tones": 0.9}, "other")
    assert [row.system.record.spec.method for row in rows(tmp_path)] == ["probe", "probe"]


def test_paths_join_no_systems_of_other_folds(tmp_path: Path) -> None:
    write(tmp_path, SPEC, n_folds=2)
    write(tmp_path, replace(SPEC, task="tones+shots2", fold=1), n_folds=2)
    assert [paths(amounts(family)) for family in families(boards(tmp_path))] == [[]]
    with pytest.raises(BadInput, match="no system of tones has results from two numbers of labelled clips"):
        asked_for(boards(tmp_path), [])


def test_family_is_found_by_its_task_or_by_one_of_its_tables(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.3})
    for task in ("tones+normalized", "tones+shots2+normalized"):
        write(tmp_path, replace(SPEC, task=task))
    with pytest.raises(BadInput, match=r"several tasks; name one of these with --task: tones, tones\+normalized"):
        of_one_task(boards(tmp_path))
    for name in ("tones", "tones+shots2"):
        assert {board.task for board in of_one_task(boards(tmp_path), [name])} == {"tones", "tones+shots2"}


def test_family_of_a_list_is_found_by_its_path(tmp_path: Path) -> None:
    for task in ("csv:songs", "csv:songs+shots2"):
        write(tmp_path, replace(SPEC, task=task))
    for name in ("csv:songs", "csv:songs.csv", "csv:/music/songs.csv", "csv:/music/songs.csv+shots2"):
        assert len(of_one_task(boards(tmp_path), [name])) == 2


def test_rows_that_are_chosen_are_of_the_same_systems_in_every_column(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.1}, "late")
    ran(tmp_path, {"tones": 0.4, "tones+shots2": 0.8}, "early")
    shown = of_best([amount.board for amount in found(tmp_path)], "1")
    assert [[row.system.record.spec.method for row in board.rows] for board in shown] == [["late"], ["late"]]
    named = of_best([amount.board for amount in found(tmp_path)], "early")
    assert [[row.system.record.spec.method for row in board.rows] for board in named] == [["early"], ["early"]]


def test_one_number_of_clips_is_no_curve(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(BadInput, match="no results of tones from two numbers of labelled clips"):
        of_one_task(boards(tmp_path), ["tones"])


# The figure


def at(figure: Figure, gid: str) -> tuple[list[float], list[float]]:
    (line,) = (line for axes in figure.axes for line in axes.lines if line.get_gid() == gid)
    return list(map(float, line.get_xdata())), list(map(float, line.get_ydata()))  # type: ignore[arg-type]


def many(root: Path, n: int) -> list[Amount]:
    for number in range(n):
        ran(root, {"tones": 0.9 - 0.01 * number, "tones+shots2": 0.3, "tones+shots8": 0.5}, f"method-{number:02}")
    return found(root)


def test_curve_stands_at_clips_and_means(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots8": 0.6, "tones+shots2": 0.3})
    figure = curve(found(tmp_path))
    first, *_ = their = rows(tmp_path)
    x, y = at(figure, first.key)
    assert (x, y) == ([6, 24, 60], [row.metrics["accuracy"][0] for row in their])  # type: ignore[index]
    spans = [line for line in figure.axes[0].lines if line.get_gid() == f"interval-{first.key}"]
    drawn = [tuple(map(float, line.get_ydata())) for line in spans]  # type: ignore[arg-type]
    assert drawn == [(row.interval.low, row.interval.high) for row in their if row.interval]


def test_points_of_many_lines_stand_beside_each_other_and_near_their_clips(tmp_path: Path) -> None:
    seen = many(tmp_path, 6)
    figure = curve(seen)
    places = np.array([at(figure, path[0][1].key)[0] for path in paths(seen)])
    assert len(np.unique(places[:, 0])) == 6
    assert np.abs(np.log(places / [6, 24, 60])).max() < 0.16 * np.log(60 / 24) + 1e-9


def test_names_at_the_ends_cover_no_other(tmp_path: Path) -> None:
    figure = curve(many(tmp_path, 12))
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]  # without the lines that lead to them
    boxes.sort(key=lambda box: box.y0)
    assert len(boxes) == 12
    assert max(low.y1 - high.y0 for low, high in pairwise(boxes)) < 1


def test_narrow_curve_has_a_legend_below(tmp_path: Path) -> None:
    figure = curve(many(tmp_path, 3), 3.5)
    assert len(figure.legends[0].get_texts()) == 3
    assert not figure.axes[0].texts


def test_curve_of_many_systems_says_which_it_draws(tmp_path: Path) -> None:
    figure = curve(many(tmp_path, 14))
    assert "12 of 14 systems, the best at the end" in figure.axes[0].get_xlabel()


# The commands


def test_one_table_in_place_of_many(tmp_path: Path, typed: Typed) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots8": 0.6, "tones+shots2": 0.3, "tones+shots2-draw1": 0.5})
    answer = typed("leaderboard", "--runs", tmp_path, "--by-clips")
    head, line = cells(answer.out)
    assert head == [
        "method + source", "6 clips (shots2, 2 draws), accuracy", "24 clips (shots8), accuracy",
        "60 clips (all), accuracy",
    ]  # fmt: skip
    assert [cell.strip("*")[:5] for cell in line[1:]] == [
        f"{row.metrics['accuracy'][0]:.3f}"
        for row in rows(tmp_path)  # type: ignore[index]
    ]
    assert answer.out.count("test is the same in all columns") == 1


def test_curve_is_written_by_a_command(tmp_path: Path, typed: Typed) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.3})
    assert typed("plot", "curve", "--runs", tmp_path, "--task", "tones").code == 0
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("leaderboard", "--by-clips"), "from two numbers of labelled clips"),
        (("plot", "curve"), "from two numbers of labelled clips"),
        (("leaderboard", "--by-clips", "--pivot"), "leave one of them out"),
        (("leaderboard", "--by-clips", "--format", "json"), "--by-clips: md, csv and latex"),
    ],
)
def test_what_is_no_curve_is_one_line(tmp_path: Path, typed: Typed, words: tuple[str, ...], said: str) -> None:
    write(tmp_path)
    answer = typed(*words, "--runs", tmp_path)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err


def test_metric_that_no_table_has_is_refused(tmp_path: Path) -> None:
    ran(tmp_path, {"tones": 0.9, "tones+shots2": 0.3})
    with pytest.raises(UnknownName, match="macro-f1"):
        found(tmp_path, "macro-f2")
