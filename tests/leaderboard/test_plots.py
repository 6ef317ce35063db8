"""Figures: what is drawn stands where the numbers say, and files are the same byte for byte."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from PIL import Image
from scipy.stats import rankdata

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard import statistics
from mirbench.leaderboard.drawn import across, comparable, front
from mirbench.leaderboard.figures import save
from mirbench.leaderboard.plots import box, forest, pareto, ranks
from mirbench.leaderboard.table import Board, Row, boards
from mirbench.record import RunRecord
from tests.conftest import Answer
from tests.leaderboard.test_formats import board, row
from tests.leaderboard.test_leaderboard import SPEC, write

Typed = Callable[..., Answer]
NASTY = r"$x_1$ & <b>\alpha^2</b> _y_ %"


def keyed(name: str, mean: float = 0.5, **facts: Any) -> Row:
    """A row whose key is its method's name, that it can be found by."""
    made = row(name, mean, **facts)
    return replace(made, system=replace(made.system, key=name))


def costly() -> Board:
    """Costs nothing, means nothing, on the front, beaten, on the front."""
    return board(
        keyed("e", 0.95, n_trainable=50_000),
        keyed("d", 0.7, n_trainable=20_000),
        keyed("c", 0.8, n_trainable=1000),
        keyed("b", 0.9, n_trainable=None),
        keyed("a", 0.4, n_trainable=0, rank=2),
    )


def drawn(figure: Figure, gid: str) -> list[Line2D]:
    """Lines of a name, in any of the axes."""
    return [line for axes in figure.axes for line in axes.lines if line.get_gid() == gid]


def at(figure: Figure, gid: str) -> tuple[list[float], list[float]]:
    (line,) = drawn(figure, gid)
    return list(map(float, line.get_xdata())), list(map(float, line.get_ydata()))  # type: ignore[arg-type]


# Which points nothing beats


@pytest.mark.parametrize("seed", range(20))
def test_front_is_what_comparing_every_pair_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs, values = rng.integers(6, size=12).tolist(), rng.integers(6, size=12).tolist()

    def beaten(n: int) -> bool:
        return any(
            costs[k] <= costs[n] and values[k] >= values[n] and (costs[k], values[k]) != (costs[n], values[n])
            for k in range(12)
        )

    wanted = {(costs[n], values[n]) for n in range(12) if not beaten(n)}
    found = front(costs, values)
    assert {(costs[n], values[n]) for n in found} == wanted
    assert len(found) == len(wanted)


def test_front_comes_cheapest_first() -> None:
    assert front([3.0, 1.0, 2.0], [0.9, 0.5, 0.7]) == [1, 2, 0]


# Which systems are drawn


def test_comparable_leaves_out_rows_without_a_rank() -> None:
    made = board(keyed("a", 0.5), keyed("b", 0.9, rank=None), keyed("c", 0.7))
    assert [found.key for found in comparable(made, "accuracy")] == ["c", "a"]


def test_comparable_leaves_out_rows_without_the_metric() -> None:
    made = board(keyed("a"), keyed("b", metrics={"accuracy": None}))
    assert [found.key for found in comparable(made, "accuracy")] == ["a"]


def test_comparable_without_any_rank_keeps_those_of_the_same_clips(tmp_path: Path) -> None:
    for fold, method in ((0, "a"), (0, "b"), (1, "c")):
        write(tmp_path, replace(SPEC, method=method, fold=fold), draw=1, n_folds=5)
    (found,) = boards(tmp_path)
    assert sorted(one.name for one in comparable(found, "accuracy")) == ["a + tiny", "b + tiny"]


# Pareto


def test_pareto_points_stand_at_cost_and_mean() -> None:
    figure = pareto(costly())
    found = {key: at(figure, key) for key in "cde"}
    assert found == {"c": ([1000], [0.8]), "d": ([20_000], [0.7]), "e": ([50_000], [0.95])}


def test_pareto_bars_are_the_intervals() -> None:
    assert at(pareto(costly()), "interval-d") == ([20_000, 20_000], pytest.approx([0.6, 0.75]))


def test_pareto_of_another_metric_draws_its_interval(tmp_path: Path) -> None:
    write(tmp_path)
    (made,) = boards(tmp_path)
    (only,) = made.rows
    stack = only.system.stack
    wanted = statistics.interval("macro-f1", stack.scores, stack.targets, stack.groups, stack.folds)
    _, y = at(pareto(made, "macro-f1"), f"interval-{only.key}")
    assert y == [wanted.low, wanted.high]  # type: ignore[union-attr]


def test_pareto_sets_aside_what_costs_nothing_or_has_no_cost() -> None:
    strip, main = pareto(costly()).axes
    held = [{line.get_gid() for line in axes.lines} for axes in (strip, main)]
    assert ({"a", "b"} <= held[0], {"c", "d", "e"} <= held[1]) == (True, True)
    ticks = dict(zip([label.get_text() for label in strip.get_xticklabels()], strip.get_xticks(), strict=True))
    figure = strip.get_figure(root=True)
    assert isinstance(figure, Figure)
    assert ticks == {"0": at(figure, "a")[0][0], "n/a": at(figure, "b")[0][0]}


def test_pareto_front_begins_with_what_costs_nothing_and_leaves_out_what_has_no_cost() -> None:
    strip, main = drawn(pareto(costly()), "front")
    assert list(strip.get_ydata()) == [0.4, 0.4]  # type: ignore[arg-type]
    x, y = list(main.get_xdata()), list(main.get_ydata())  # type: ignore[arg-type]
    assert (x[1:3], y) == ([1000, 50_000], [0.4, 0.8, 0.95, 0.95])


def test_pareto_has_the_fast_at_the_left_where_more_is_cheaper() -> None:
    rows = [keyed("slow", 0.9, clips_per_second=1.0), keyed("fast", 0.5, clips_per_second=100.0)]
    figure = pareto(board(*rows, keyed("beaten", 0.4, clips_per_second=50.0)), cost="clips-per-second")
    (axes,) = figure.axes
    left, right = axes.get_xlim()
    (line,) = drawn(figure, "front")
    assert (left > right, list(line.get_ydata())) == (True, [0.5, 0.9, 0.9])  # type: ignore[arg-type]


def labels(figure: Figure) -> dict[str, Annotation]:
    notes = [text for axes in figure.axes for text in axes.texts if isinstance(text, Annotation)]
    return {note.get_text().replace("\n", " "): note for note in notes}


def test_pareto_names_the_systems_of_the_front() -> None:
    assert set(labels(pareto(costly()))) == {"c + tiny", "e + tiny"}


def crowded() -> Board:
    """A dozen systems on one front, close together."""
    made = [keyed(f"method-{n}", 0.3 + 0.03 * n, n_trainable=1000 + 50 * n) for n in range(12)]
    return board(*made)


@pytest.mark.parametrize("width", [3.5, 7.0])
def test_pareto_names_cover_neither_each_other_nor_points(width: float) -> None:
    figure = pareto(crowded(), width=width)
    figure.draw_without_rendering()
    notes = list(labels(figure).values())
    spans = [Text.get_window_extent(note) for note in notes]
    assert len(notes) > 2
    assert [1 for a, b in combinations(spans, 2) if a.overlaps(b)] == []
    main = figure.axes[-1]
    marks = main.transData.transform([(1000 + 50 * n, 0.3 + 0.03 * n) for n in range(12)])
    assert not any(span.contains(*mark) for span in spans for mark in marks)


def look(figure: Figure, gid: str) -> tuple[Any, ...]:
    (line,) = drawn(figure, gid)
    return line.get_color(), line.get_marker(), line.get_markerfacecolor()


def test_pareto_tells_sources_by_colour_and_methods_by_marker() -> None:
    rows = []
    for method, source in product("ab", ("", "s", "t")):
        made = row(method, n_trainable=10, spec={"source": source})
        rows.append(replace(made, system=replace(made.system, key=method + source)))
    figure = pareto(board(*rows))
    looks = {key: look(figure, key) for key in ("a", "as", "at", "b", "bs", "bt")}
    assert len(set(looks.values())) == 6
    assert (looks["as"][0], looks["as"][1]) == (looks["bs"][0], looks["at"][1])
    (legend,) = figure.legends
    said = [text.get_text() for text in legend.get_texts()]
    assert [word for word in said if word] == ["source", "no source", "s", "t", "method", "a", "b"]


def test_pareto_tells_more_sources_than_colours_apart() -> None:
    rows = []
    for n in range(16):
        made = row("a", n_trainable=10, spec={"source": f"source-{n}"})
        rows.append(replace(made, system=replace(made.system, key=f"k{n}")))
    figure = pareto(board(*rows))
    assert len({look(figure, f"k{n}") for n in range(16)}) == 16


def test_pareto_tells_more_methods_than_usual_markers_apart() -> None:
    rows = [row(f"method-{n}", n_trainable=10) for n in range(30)]
    figure = pareto(board(*(replace(made, system=replace(made.system, key=f"k{n}")) for n, made in enumerate(rows))))
    assert len({look(figure, f"k{n}") for n in range(30)}) == 30


def test_label_stands_nearer_to_its_own_point_than_to_another_or_has_a_line_to_it() -> None:
    rows = [row(f"m{n}", 0.9 - 0.02 * n, n_trainable=100 + 7 * n * n, interval=None) for n in range(12)]
    for cost in ("trainable", "clips-per-second"):
        figure = pareto(board(*rows), cost=cost, width=3.5)
        axes = figure.axes[-1]
        figure.draw_without_rendering()
        marks = axes.transData.transform([line.get_xydata()[0] for line in axes.lines if line.get_marker() != "None"])
        for note in (text for text in axes.texts if isinstance(text, Annotation)):
            box = note.get_window_extent()
            away = np.hypot(*(marks - np.clip(marks, box.min, box.max)).T)
            own = int(np.argmin(np.hypot(*(marks - axes.transData.transform(note.xy)).T)))
            assert note.arrow_patch is not None or away.argmin() == own


def test_pareto_without_any_cost_says_which_there_are() -> None:
    with pytest.raises(BadInput, match="above 0 for kwh; there are some for --cost trainable"):
        pareto(costly(), cost="kwh")
    with pytest.raises(BadInput, match=r"above 0 for trainable; there are some for --cost (?!trainable)"):
        pareto(board(keyed("a", 0.4, n_trainable=None)))


@pytest.mark.parametrize("draw", [pareto, forest, box])
def test_figure_of_a_metric_that_is_none_says_which_there_are(draw: Callable[..., Figure]) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'accuracy'"):
        draw(costly(), "acc")


@pytest.mark.parametrize("draw", [pareto, forest, box])
def test_figure_of_a_table_without_results_says_so(draw: Callable[..., Figure]) -> None:
    with pytest.raises(BadInput, match="nothing to draw"):
        draw(board(metrics=()))


# Intervals


def test_forest_has_means_and_intervals_best_on_top() -> None:
    figure = forest(costly())
    found = {key: (at(figure, key), at(figure, f"interval-{key}")[0]) for key in "abcde"}
    assert [found[key][0][0] for key in "abcde"] == [[0.4], [0.9], [0.8], [0.7], [0.95]]
    assert found["c"][1] == pytest.approx([0.7, 0.85])
    order = sorted("abcde", key=lambda key: found[key][0][1])
    axes = figure.axes[0]
    assert (order, axes.yaxis_inverted()) == (list("ebcda"), True)
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{key} + tiny" for key in order]


def test_forest_fills_those_that_none_is_better_than() -> None:
    figure = forest(costly())
    fills = {key: line.get_markerfacecolor() for key in "abcde" for (line,) in [drawn(figure, key)]}
    assert [key for key, fill in fills.items() if fill == "white"] == ["a"]


def test_forest_says_the_numbers() -> None:
    figure = forest(costly())
    (beside,) = figure.axes[0].child_axes
    assert beside.get_yticklabels()[0].get_text() == "0.950 [0.850, 1.000]"


def test_figure_of_synthesised_audio_says_so() -> None:
    label = forest(replace(costly(), standing="synthesised")).axes[0].get_xlabel()
    assert "synthesised" in label


# Seeds


@pytest.fixture
def seeded(tmp_path: Path) -> tuple[Board, dict[str, list[float]]]:
    """Two methods on five seeds, one on one; and their accuracies."""
    values: dict[str, list[float]] = {}
    for number, (method, n_seeds) in enumerate((("a", 5), ("b", 5), ("c", 1))):
        for seed in range(n_seeds):
            record: RunRecord = write(tmp_path, replace(SPEC, method=method, seed=seed), draw=10 * number + seed)
            values.setdefault(f"{method} + tiny", []).append(record.metrics["accuracy"])
    (made,) = boards(tmp_path)
    return made, values


def test_box_has_a_point_a_seed(seeded: Any) -> None:
    made, values = seeded
    figure = box(made)
    found = {one.name: at(figure, one.key)[0] for one in made.rows}
    assert found == values


def test_box_reaches_from_quartile_to_quartile(seeded: Any) -> None:
    made, values = seeded
    patches = {patch.get_gid(): patch for patch in box(made).axes[0].patches}
    assert set(patches) == {f"box-{one.key}" for one in made.rows if len(values[one.name]) >= 5}
    for one in (one for one in made.rows if len(values[one.name]) >= 5):
        x = patches[f"box-{one.key}"].get_path().vertices[:, 0]
        assert (x.min(), x.max()) == pytest.approx(tuple(np.percentile(values[one.name], [25, 75])))


def test_box_of_fewer_than_five_seeds_is_points_and_their_mean(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path, replace(SPEC, seed=seed), draw=seed)
    (made,) = boards(tmp_path)
    figure = box(made)
    key = made.rows[0].key
    assert list(figure.axes[0].patches) == []
    assert len(at(figure, key)[0]) == 3
    assert at(figure, f"mean-{key}")[0] == pytest.approx([np.mean(at(figure, key)[0])] * 2)


def test_box_says_how_many_seeds(seeded: Any) -> None:
    figure = box(seeded[0])
    (beside,) = figure.axes[0].child_axes
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    counts = [label.get_text() for label in beside.get_yticklabels()]
    assert dict(zip(names, counts, strict=True)) == {"a + tiny": "5 seeds", "b + tiny": "5 seeds", "c + tiny": "1 seed"}


# Ranks over tasks

SKILL = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.5}


def over(n_tasks: int, methods: Sequence[str] = "abcd", seed: int = 0) -> list[Board]:
    """Tables of as many tasks, on which methods are about as good as their skill."""
    rng = np.random.default_rng(seed)
    made = []
    for task in range(n_tasks):
        rows = [keyed(m, SKILL.get(m, 0.5) + rng.normal(0, 0.02), spec={"task": f"t{task}"}) for m in methods]
        made.append(board(*rows, task=f"t{task}", title=f"t{task}"))
    return made


def placed(figure: Figure) -> list[float]:
    """Where the lines of the systems meet the axis of ranks."""
    return [float(np.asarray(line.get_xdata())[0]) for line in drawn(figure, "system")]


@pytest.mark.parametrize("n_tasks", [2, 3, 12])
def test_ranks_stand_at_their_averages(n_tasks: int) -> None:
    made = over(n_tasks)
    values = np.array([[next(r.metrics["accuracy"][0] for r in b.rows if r.key == m) for m in "abcd"] for b in made])
    wanted = rankdata(-values, axis=1).mean(axis=0)
    assert placed(ranks(made)) == pytest.approx(sorted(wanted))


@pytest.mark.parametrize("n_tasks", [2, 6, 30])
def test_ranks_bars_join_those_within_the_critical_difference_and_no_others(n_tasks: int) -> None:
    made = over(n_tasks)
    critical = statistics.across_tasks(across(made).values).critical_difference
    figure = ranks(made)
    average = placed(figure)
    bars = [np.asarray(line.get_xdata(), dtype=float) for line in drawn(figure, "bar")]
    pairs = list(combinations(range(4), 2))
    joined = [any(bar.min() <= average[i] and average[j] <= bar.max() for bar in bars) for i, j in pairs]
    assert joined == [average[j] - average[i] <= critical for i, j in pairs]


def test_ranks_bar_of_the_critical_difference_is_as_long_as_it_says() -> None:
    made = over(30)
    critical = statistics.across_tasks(across(made).values).critical_difference
    x, _ = at(ranks(made), "critical-difference")
    assert abs(x[1] - x[0]) == pytest.approx(critical)


def test_ranks_of_few_tasks_say_that_the_critical_difference_is_longer_than_the_axis() -> None:
    figure = ranks(over(2))
    assert any("longer than the axis" in text.get_text() for text in figure.axes[0].texts)
    x, _ = at(figure, "critical-difference")
    assert abs(x[1] - x[0]) == 3


def test_ranks_have_the_best_at_the_right() -> None:
    (axes,) = ranks(over(5)).axes
    assert axes.xaxis_inverted()


@pytest.mark.parametrize("width", [3.5, 7.0])
@pytest.mark.parametrize("n_systems", [2, 3, 9, 20])
def test_ranks_name_every_system_once_inside_the_figure(n_systems: int, width: float) -> None:
    methods = [f"probe-number-{n} + a-source" for n in range(n_systems)]
    figure = ranks(over(3, methods), width=width)
    figure.draw_without_rendering()
    notes = labels(figure)
    assert sorted(re.sub(r" \([\d.]+\)$", "", name) for name in notes) == sorted(f"{m} + tiny" for m in methods)
    spans = [Text.get_window_extent(note) for note in notes.values()]
    assert min(span.x0 for span in spans) >= 0
    assert max(span.x1 for span in spans) <= figure.bbox.x1
    assert [1 for a, b in combinations(spans, 2) if a.overlaps(b)] == []


def test_across_takes_the_systems_that_every_task_has() -> None:
    first, second = over(1, "abc")[0], replace(over(2, "bcd")[1])
    assert across([first, second]).names == ("b + tiny", "c + tiny")


def test_across_keeps_other_settings_apart() -> None:
    made = over(2, "abc")
    changed = made[1].rows[0].system
    run = changed.runs[0]
    other = replace(run, record=replace(run.record, spec=replace(run.record.spec, params={"lr": 9.9})))
    rows = (replace(made[1].rows[0], system=replace(changed, runs=(other,))), *made[1].rows[1:])
    assert across([made[0], replace(made[1], rows=rows)]).names == ("b + tiny", "c + tiny")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ([], "two tasks are needed, no task has results"),
        (over(1), "two tasks are needed, only t0 has results"),
        ([*over(2), *over(1)], r"t0 has 2 tables"),
        ([over(1, "ab")[0], over(2, "cd")[1]], "0 systems have results on all of t0, t1"),
    ],
    ids=["none", "one", "twice", "disjoint"],
)
def test_ranks_of_too_little_say_what_lacks(made: list[Board], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        ranks(made)


# Files


def nasty(kind: str) -> Figure:
    """A figure of names that mathematics, XML or matplotlib could take for something else."""
    rows = [keyed(NASTY, 0.9, spec={"source": NASTY}), keyed("_hidden", 0.5, spec={"source": "_s"})]
    made = board(*rows, task=NASTY)
    if kind == "ranks":
        return ranks([made, board(*rows, task="other")])
    return {"pareto": pareto, "forest": forest}[kind](made)


@pytest.mark.parametrize(
    ("kind", "suffix"), [("pareto", ".svg"), ("ranks", ".svg"), ("pareto", ".png"), ("forest", ".pdf")]
)
@pytest.mark.slow
def test_file_of_the_same_figure_is_the_same(kind: str, suffix: str, tmp_path: Path) -> None:
    for name in "ab":
        save(nasty(kind), tmp_path / (name + suffix))
    held = (tmp_path / f"a{suffix}").read_bytes()
    assert held == (tmp_path / f"b{suffix}").read_bytes()
    assert re.search(rb"20\d\d-\d\d-\d\d|CreationDate", held) is None


def svg_texts(figure: Figure, folder: Path) -> str:
    save(figure, folder / "figure.svg")
    root = ET.parse(folder / "figure.svg").getroot()
    return " ".join("".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text"))


@pytest.mark.parametrize("kind", ["pareto", "forest", "ranks"])
def test_file_has_names_as_text_and_no_mathematics_of_them(kind: str, tmp_path: Path) -> None:
    found = svg_texts(nasty(kind), tmp_path)
    assert (NASTY in found.replace("  ", " "), "_hidden" in found) == (True, True)


def test_file_is_as_wide_as_a_column(tmp_path: Path) -> None:
    for width in (3.5, 7.0):
        save(forest(costly(), width=width), tmp_path / "figure.png")
        with Image.open(tmp_path / "figure.png") as picture:
            assert (picture.width, round(picture.info["dpi"][0])) == (round(300 * width), 300)


@pytest.mark.slow
def test_file_takes_no_style_of_the_user_and_leaves_it_alone(tmp_path: Path) -> None:
    save(pareto(costly()), tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20, "text.usetex": True, "axes.facecolor": "red", "savefig.dpi": 50}):
        save(pareto(costly()), tmp_path / "b.png")
        assert matplotlib.rcParams["font.size"] == 20
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_file_of_another_kind_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.png, \.svg, \.pdf"):
        save(forest(costly()), tmp_path / "figure.gif")


# The command


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for task in ("tones", "noises"):
        for draw, method in enumerate("abc"):
            write(tmp_path / "runs", replace(SPEC, task=task, method=method), draw)
    return tmp_path / "runs"


@pytest.mark.parametrize("kind", ["pareto", "forest", "box"])
def test_command_draws_one_task(kind: str, typed: Typed, runs: Path, tmp_path: Path) -> None:
    answer = typed("plot", kind, "--runs", runs, "--task", "tones", "--output", tmp_path / "figure.svg")
    assert (answer.code, answer.out) == (0, "")
    assert ET.parse(tmp_path / "figure.svg").getroot().tag.endswith("svg")


def test_command_draws_ranks_over_all_tasks_beside_the_records(typed: Typed, runs: Path) -> None:
    answer = typed("plot", "ranks", "--runs", runs, "--width", "3.5")
    with Image.open(runs / "ranks.png") as picture:
        assert (answer.code, picture.width) == (0, 1050)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pie"], "one of pareto, forest, box, ranks, sweep, classes, positives, curve, layers is needed"),
        (["pareto"], "name one of these with --task: noises, tones"),
        (["pareto", "--task", "tone"], "Did you mean 'tones'"),
        (["pareto", "--task", "tones", "--cost", "money"], "No cost is called 'money'"),
        (["forest", "--task", "tones", "--metric", "f1"], "Known: accuracy"),
        (["sweep"], "no run here is a search whose models have curves"),
        (["ranks", "--task", "tones"], "only tones has results"),
        (["box", "--task", "tones", "--output", "figure.jpeg"], ".png, .svg, .pdf"),
    ],
)
def test_command_says_in_one_line_what_is_wrong(words: list[str], says: str, typed: Typed, runs: Path) -> None:
    answer = typed("plot", *words, "--runs", runs)
    assert (answer.code, says in answer.err, answer.err.count("\n")) == (2, True, 1)


@pytest.mark.slow
def test_command_loads_no_torch_and_no_window(runs: Path) -> None:
    program = (
        "import sys\n"
        "from mirbench.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print([name for name in ('torch', 'matplotlib.pyplot', 'tkinter') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", program, "plot", "box", "--task", "tones", "--runs", str(runs)]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "[]\n"
