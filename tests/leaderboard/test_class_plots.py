"""Figures of classes, positives and printed boxes: what is drawn stands where the numbers say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import f1_score

from mirbench import metrics
from mirbench.errors import BadInput
from mirbench.leaderboard.class_plots import Series, boxes, by_class, by_positives, series_of_board
from mirbench.leaderboard.drawn import task_said
from mirbench.leaderboard.figures import save
from mirbench.leaderboard.reproduction.drawn_lines import series_of_lines
from mirbench.leaderboard.reproduction.verdicts import compare
from mirbench.leaderboard.table import boards
from tests.leaderboard.reproduction.on_record import SPEC, answered, flat, number, put, tags

if TYPE_CHECKING:
    from tests.conftest import Answer as Typed


def points(figure: Figure, gid: str) -> dict[float, float]:
    """Where the points of a name stand, upwards by sideways."""
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == gid]
    return dict(zip(map(float, line.get_ydata()), map(float, line.get_xdata()), strict=True))  # type: ignore[arg-type]


def test_classes_have_a_point_of_each_system_on_their_line(tmp_path: Path) -> None:
    one = Series("one", {"a": 0.5, "b": 0.7}, {"a": 0.4, "b": 0.6, "c": 0.9})
    figure = by_class([one, Series("two", {"b": 0.2})], "F1")
    assert list(points(figure, "printed-0").values()) == [0.4, 0.6, 0.9]
    ours = points(figure, "ours-0")
    assert {round(y): x for y, x in ours.items()} == {0: 0.5, 1: 0.7}
    assert [round(y) for y in points(figure, "ours-1")] == [1]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]
    save(figure, tmp_path / "f.png")


def test_positives_are_told_with_their_correlation() -> None:
    values, counts = {"a": 0.5, "b": 0.7, "c": 0.6}, {"a": 10, "b": 40, "c": 35}
    figure = by_positives([Series("one", values)], counts, "F1")
    assert {v: k for k, v in points(figure, "ours-0").items()} == {10.0: 0.5, 40.0: 0.7, 35.0: 0.6}
    r = np.corrcoef([10, 40, 35], [0.5, 0.7, 0.6])[0, 1]
    assert figure.legends[0].get_texts()[0].get_text() == f"one: r = {r:.3f}"


def test_printed_box_stands_above_ours() -> None:
    parts = {"median": 0.6, "lower-quartile": 0.5, "upper-quartile": 0.7, "lower-whisker": 0.4, "upper-whisker": 0.8}
    figure = boxes([Series("one", {k: v + 0.1 for k, v in parts.items()}, parts | {"outlier": 0.1})], "F1")
    held: dict[str, Any] = {patch.get_gid(): patch.get_path().get_extents() for patch in figure.axes[0].patches}
    assert (held["printed-0"].x0, held["printed-0"].x1) == pytest.approx((0.5, 0.7))
    assert (held["ours-0"].x0, held["ours-0"].x1) == pytest.approx((0.6, 0.8))
    assert held["printed-0"].y1 < held["ours-0"].y0  # the axis runs downwards


def test_series_are_those_of_the_lines_of_a_table(tmp_path: Path) -> None:
    answer = answered(tmp_path, [tags(1)])
    numbers = [
        number(value, f"two-class-f1-per-class[{name}]", "percent") for name, value in (("a", "61"), ("b", "72"))
    ]
    lines = compare([*numbers, number("55", "two-class-f1-per-class[a]", "percent", row="other")], [answer])
    one, other = series_of_lines(lines, r"two-class-f1-per-class\[(.+)\]")
    assert (one.name, one.printed) == ("row, row + tiny", {"a": 0.61, "b": 0.72})
    assert one.ours["a"] == pytest.approx((lines[0].ours or 0) / 100)
    assert (other.name, other.ours, other.printed) == ("other", {}, {"a": 0.55})
    with pytest.raises(BadInput, match="nothing of this printed table"):
        series_of_lines(lines, r"median.(.+)")


def test_command_draws_printed_figures_and_refuses_others(typed: Callable[..., Typed]) -> None:
    for kind, suite in (
        ("box", "chen2022-figure4"),
        ("classes", "chen2022-figure5"),
        ("positives", "chen2022-figure5"),
    ):
        answer = typed("plot", kind, "--printed", suite, "--output", f"{kind}.svg")
        assert answer.code == 0, answer.err
        assert "no run of it is on record in runs: only printed numbers" in answer.err
        assert Path(f"{kind}.svg").stat().st_size > 10_000
    assert "r = 0.758" in Path("positives.svg").read_text(encoding="utf-8")
    for words, says in (
        (("plot", "pareto", "--cost", "money"), "No cost is called 'money'"),
        (("plot", "forest", "--printed", "chen2022-figure4"), "printed numbers stand beside ours in box, classes"),
        (("plot", "box", "--printed", "every-method", "--output", "x.png"), "no printed table belongs to it"),
        (("plot", "classes", "--printed", "hung2022-table1", "--output", "x.png"), "nothing of this printed table"),
    ):
        answer = typed(*words)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert says in answer.err


def test_figure_of_an_excerpt_says_that_it_is_one() -> None:
    assert task_said("tones", "full") == "tones"
    assert task_said("tones", "excerpt") == "tones (an excerpt)"
    assert task_said("tones", "synthesised") == "tones (synthesised audio)"


def test_figure_of_classes_over_folds_has_the_numbers_of_compare(tmp_path: Path) -> None:
    """F1 of folds of few clips, averaged, is another number than that of all clips together."""
    rng = np.random.default_rng(0)
    for fold in range(4):
        split, _ = flat(0, 12)
        clips = tuple(replace(clip, id=f"{fold}-{clip.id}") for clip in split.clips)
        said = rng.dirichlet(np.ones(2), 12)
        found = metrics.evaluate(("accuracy", "f1-per-class"), said, split.targets())
        put(tmp_path, replace(SPEC, fold=fold), (replace(split, clips=clips), said), n_folds=4, metrics=found)
    (board,) = boards(tmp_path)
    (series,), _, metric = series_of_board(board, "f1")
    stack = board.rows[0].system.stack
    truth, predicted = stack.targets.value.argmax(axis=1), stack.scores[0].argmax(axis=1)
    assert metric == "f1-per-class"
    assert list(series.ours.values()) == pytest.approx(f1_score(truth, predicted, average=None))
