"""Printed results: every number of the specification is in a table, with its digits, and some suite asks for it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.reproduction import printed as module
from mirbench.leaderboard.reproduction.answers import Answer, Unanswered
from mirbench.leaderboard.reproduction.orders import named_in
from mirbench.leaderboard.reproduction.printed import COLUMNS, Printed, read_printed, tables
from mirbench.leaderboard.reproduction.quantities import measure
from mirbench.registry import Catalogue
from mirbench.runs.suite import Suite, read_suite, titles

NUMBER = re.compile(r"\d+(?:\.\d+)?")
TABLES = sorted(tables())
SUITES = sorted(titles(printed=True))
OF_OURS = {"params_ours", "classes"}  # said again beside what is printed


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    catalogue = Catalogue()
    return {name: read_suite(name, catalogue, {}) for name in SUITES}


def rows_printed(numbers: list[Printed]) -> set[str]:
    """Rows of numbers, those that orders name, and those that gains are over."""
    over = {found[1] for number in numbers if (found := re.match(r"gain over (.+?)\[", number.quantity))}
    return {number.row for number in numbers} | {name for number in numbers for name in named_in(number)} | over


def rows_asked(suite: Suite) -> set[str]:
    described = {row for entry in suite.data for row in (entry.row, *entry.rows)}
    return ({entry.row for entry in suite.entries} | described) - {""}


def every_number() -> list[Printed]:
    return read_printed(TABLES)


# Against the specification


def blocks(text: str) -> dict[str, list[dict[str, str]]]:
    """Lines of the blocks of published results, by paper; what follows the last column is a part of it."""
    found: dict[str, list[dict[str, str]]] = {}
    published = text[text.index("## 7. Published results") : text.index("## 7.6")]
    for part in re.split(r"^### 7\.\d+ ", published, flags=re.MULTILINE)[1:]:
        paper = part.split()[0]
        for block in re.findall(r"```csv\n(.*?)```", part, flags=re.DOTALL):
            lines = [line for line in block.splitlines() if not line.startswith("#")]
            found.setdefault(paper, []).extend(csv.DictReader(lines))
    return found


@pytest.mark.real
def test_tables_hold_every_number_of_the_specification_in_its_digits(shared: Path) -> None:
    if not (shared / "spec.md").is_file():
        pytest.skip("needs spec.md of the shared folder")
    lacking = []
    for paper, lines in blocks((shared / "spec.md").read_text(encoding="utf-8")).items():
        held = [number for number in every_number() if number.table.startswith(paper)]
        cells = [f"{number.value} {number.sd or ''} {number.note} {number.dead} {number.row}" for number in held]
        there = Counter(token for cell in cells for token in NUMBER.findall(cell.replace(",", "")))
        asked: Counter[str] = Counter()
        for line in lines:
            for column, cell in list(line.items())[1:]:
                tokens = NUMBER.findall(cell or "")
                asked.update(tokens if column not in OF_OURS else [])
                lacking += [(paper, column, token) for token in tokens if token not in there and column in OF_OURS]
        short = {token: n - there[token] for token, n in asked.items() if n > there[token]}
        # an SD is kept as a number: 0.010 is 0.01
        lacking += [(paper, token, n) for token, n in short.items() if str(float(token)) not in there]
    assert lacking == []


@pytest.mark.real
def test_specification_has_a_block_for_each_of_21_tables(shared: Path) -> None:
    text = (shared / "spec.md").read_text(encoding="utf-8")
    assert set(blocks(text)) == {"hung2022", "chen2022", "rommel2023", "shtern2017", "nam"}
    assert len(re.findall("```csv", text[text.index("## 7. ") :])) == 21


# The tables themselves


@pytest.mark.parametrize("name", TABLES)
def test_table_says_where_each_number_stands(name: str) -> None:
    numbers = read_printed([name])
    assert numbers
    assert all(number.where for number in numbers)


@pytest.mark.parametrize("name", TABLES)
def test_table_says_no_number_twice(name: str) -> None:
    places = Counter((number.row, number.quantity, number.where) for number in read_printed([name]))
    assert [place for place, n in places.items() if n > 1] == []


def test_dead_values_are_explained() -> None:
    counted = [number for number in every_number() if number.dead]
    assert len(counted) == 5
    assert all("printed with" in number.note for number in counted)


@pytest.mark.parametrize(
    ("value", "unit", "number", "rounding"),
    [("0.828", "fraction", 0.828, 0.0005), ("62.03", "percent", 0.6203, 0.00005), ("40", "percent", 0.4, 0.005),
     ("0.017", "millions", 17_000, 500), ("88132063", "count", 88_132_063, 0.5), ("10:08", "min:s", 608, 0.5)],
)  # fmt: skip
def test_number_is_in_our_unit_and_knows_its_rounding(value: str, unit: str, number: float, rounding: float) -> None:
    printed = Printed("t", "r", "q", value, unit, None, None, None, True, 0, "here", "")
    assert (printed.number, printed.rounding) == (pytest.approx(number), pytest.approx(rounding))


@pytest.mark.parametrize(
    ("line", "says"),
    [("a,accuracy,0.5,fraction,,,,,,here,quoted there, and no more", "line 2: more cells than columns"),
     ("a,accuracy,x,fraction,,,,,,here,", "line 2: could not convert"), ("a,accuracy,1,inch,,,,,,here,", "unit inch"),
     ("a,accuracy,1,fraction,,,,maybe,,here,", "draw maybe"), ("a,accuracy", "line 2")],
)  # fmt: skip
def test_broken_table_is_refused(line: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text(",".join(COLUMNS) + "\n" + line + "\n")
    monkeypatch.setattr(module, "tables", lambda: {"t": tmp_path / "t.csv"})
    with pytest.raises(BadInput, match=says):
        read_printed(["t"])


def test_table_that_does_not_ship_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"No printed table is called 'hung2022-table9'\. Did you mean"):
        read_printed(["hung2022-table9"])


BOXES = {  # runs that redraw the boxes of chen2022's Figure 4; the seven of AST-URP are one choice of several
    "AST-BS": [62.00, 62.03, 63.00], "CNN-BS": [60.77, 61.00, 62.73], "AST-NRP": [67.01, 68.00, 68.46],
    "AST-TL": [80.6, 81.1, 81.1], "AST-CNNRP": [74.17, 78.08, 78.45, 78.50],
    "AST-URP": [80.6, 81.3, 81.4, 81.5, 81.7, 81.8, 82.0],
}  # fmt: skip


@pytest.mark.parametrize("row", BOXES)
def test_deviations_of_figure_4_are_those_of_runs_that_redraw_its_boxes(row: str) -> None:
    held = {n.quantity.partition("[")[0]: n for n in read_printed(["chen2022-figure4"]) if n.row == row}
    lower, median, upper = np.percentile(BOXES[row], (25, 50, 75))
    drawn = [float(held[part].value) for part in ("lower-quartile", "median", "upper-quartile")]
    assert drawn == pytest.approx([lower, median, upper], abs=0.011)
    assert held["median"].sd == pytest.approx(np.std(BOXES[row], ddof=1), abs=0.005)
    assert held["median"].n_seeds == len(BOXES[row])


# And the suites


RELEASED = {"hung2022-released", "chen2022-released"}  # answer tables again, by the released code


def test_every_table_belongs_to_one_suite(suites: dict[str, Suite]) -> None:
    own = (suite for name, suite in suites.items() if name not in RELEASED)
    assert sorted(name for suite in own for name in suite.printed) == TABLES


def test_suites_of_released_code_take_every_option_of_it(suites: dict[str, Suite]) -> None:
    """Of biboamy/music-repro, hchen605/ast_inst_cls and SiddGururani/audio_missing_labels; specification, §2 and §3."""
    hung = suites["hung2022-released"].entries
    assert len(hung) == 7
    for entry in hung:
        request = entry.request
        assert (request.windowing.windows, request.windowing.average) == ("nonoverlap-plus-tail", "logit")
        assert request.params.items() >= {"items": "1000-crops", "schedule": "authors-code", "epochs": 200}.items()
        own = (
            {"n_channels": 54}
            if request.method == "bl-cnn"
            else {"source_head": "random-frozen", "mapping": "sum-logit"}
        )
        assert request.params.items() >= own.items()
    chen = {entry.row: entry.request for entry in suites["chen2022-released"].entries}
    assert chen.keys() == {number.row for number in read_printed(["chen2022-figure4"])}
    script = {"schedule": "authors-code", "epochs": 30, "batch_size": 4, "select": "last", "specaug": True}
    for row in ("AST-BS", "AST-NRP", "AST-CNNRP", "AST-URP", "AST-TL", "CNN-BS"):
        request = chen[row]
        assert request.task == "openmic+normalized"
        assert request.params.items() >= script.items()
        norm = request.params if row == "CNN-BS" else request.source_params
        assert norm["input_norm"] == "none"
    assert chen["CNN-BS"].params["layout"] == "code"
    assert chen["MT"].params == {"initial": "he-uniform", "teacher_start": "own"}
    assert chen["MT"].seeds == (0, 42, 345, 123, 45)


def test_counts_that_ours_were_made_to_meet_are_marked(suites: dict[str, Suite]) -> None:
    marked = {(name, e.row) for name, suite in suites.items() for e in suite.entries if e.fitted}
    assert marked == {("chen2022-table1", "CNN-BS"), ("hung2022-table3", "BL-FT")}


def test_claims_cover_the_papers_conclusions(suites: dict[str, Suite]) -> None:
    n_claims = {name: len(read_printed([name])) for name in ("hung2022-claims", "chen2022-claims")}
    assert n_claims == {"hung2022-claims": 13, "chen2022-claims": 16}
    for name in n_claims:
        for number in read_printed([name]):
            assert rows_asked(suites[name]).issuperset(named_in(number))


@pytest.mark.parametrize("name", SUITES)
def test_suite_answers_rows_that_are_printed(name: str, suites: dict[str, Suite]) -> None:
    assert rows_asked(suites[name]) - rows_printed(read_printed(suites[name].printed)) == set()


@pytest.mark.parametrize("name", SUITES)
def test_printed_row_that_no_run_answers_says_why(name: str, suites: dict[str, Suite]) -> None:
    asked, numbers = rows_asked(suites[name]), read_printed(suites[name].printed)
    left = [n for n in numbers if n.row not in asked and not asked.issuperset(named_in(n) or {n.row})]
    assert [number for number in left if not number.note] == []


@pytest.mark.parametrize("name", SUITES)
def test_every_quantity_that_is_asked_for_can_be_measured(name: str, suites: dict[str, Suite]) -> None:
    for number in read_printed(suites[name].printed):
        if number.row in rows_asked(suites[name]):
            with pytest.raises(Unanswered, match=r"the answer's own reason|nothing of .+ is on record"):
                measure(number.quantity, Answer(number.row, "x", reason="the answer's own reason"), {})


@pytest.mark.parametrize(
    ("name", "n_runs", "seeds"),
    [("hung2022-table1", 9, 5), ("hung2022-table2", 6, 5), ("hung2022-table3", 4, 1), ("chen2022-figure5", 8, 10),
     ("shtern2017-table2", 60, 5), ("nam-benchmark", 36, 1), ("nam-filters", 10, 1), ("rommel2023-curve", 129, 1)],
)  # fmt: skip
def test_suite_asks_for_the_printed_numbers_of_runs(
    name: str, n_runs: int, seeds: int, suites: dict[str, Suite]
) -> None:
    entries = suites[name].entries
    assert (len(entries), {len(entry.request.seeds) for entry in entries}) == (n_runs, {seeds})


def test_own_music_and_public_music_in_its_place_are_never_judged(suites: dict[str, Suite]) -> None:
    unpublished = ("genre-3", "guitar-type", "vocalist", "composer", "metal-classical")
    for name in SUITES:
        suite = suites[name]
        asked = [(e.request.task, e.other) for e in suite.entries] + [(e.task, e.other) for e in suite.data]
        assert all(bool(other) == task.startswith(unpublished) for task, other in asked)


def test_taggers_are_heard_as_in_the_benchmark(suites: dict[str, Suite]) -> None:
    entries = suites["nam-benchmark"].entries
    assert {entry.request.windowing.windows for entry in entries} == {"hopped16"}
    large = {entry.request.task for entry in entries if entry.request.params.get("size") == "large"}
    assert large == {"msd"}


def test_models_of_the_curve_are_111_of_the_second_sweep(suites: dict[str, Suite]) -> None:
    """Of six learning rates and of three weight decays, whichever the other is."""
    (sweep,) = suites["rommel2023-sweep2"].entries
    rates, decays = (set(sweep.request.search[name]) for name in ("lr", "weight_decay"))
    points: dict[str, set[tuple[float, float]]] = {}
    for entry in suites["rommel2023-curve"].entries:
        params = entry.request.params
        points.setdefault(entry.row, set()).add((params["lr"], params["weight_decay"]))
    assert len(set.union(*points.values())) == 111
    for row, asked in points.items():
        name, _, value = row.rpartition(" ")
        assert asked == ({(float(value), decay) for decay in decays} if name == "lr" else
                         {(lr, float(value)) for lr in rates})  # fmt: skip


def asked_of(suite: Suite, **params: Any) -> Counter[str]:
    """How many entries of each row have these hyperparameters, or options of their source."""
    return Counter(
        entry.row
        for entry in suite.entries
        if params.items() <= {**entry.request.params, **entry.request.source_params}.items()
    )


def test_head_at_random_weights_stands_beside_every_printed_row_of_ast(suites: dict[str, Suite]) -> None:
    control = asked_of(suites["hung2022-table1"], source_head="random-frozen")
    assert control == Counter({"II-NMR, AST": 1, "ID-NMR, AST": 1, "IDS-NMR, AST": 1})


def test_pictures_of_the_released_tools_stand_beside_every_public_set(suites: dict[str, Suite]) -> None:
    suite = suites["shtern2017-table2"]
    tools = {
        "seconds": "whole", "rendering": "asperes-8bit", "intensity": "linear", "image_scale": "per-image",
        "resize": "tf1",
    }  # fmt: skip
    public = {e.row for e in suite.entries if not e.other and e.request.method == "tf-retrain"}
    assert asked_of(suite, **tools) == asked_of(suite, image_scale="per-image") == Counter(public)
    assert len(public) == 8
    assert asked_of(suite, image_scale="absolute", resize="bilinear").keys() > public
    drawn = {e.request.source_params["rendering"] for e in suite.entries if e.request.source}
    assert drawn == {"asperes", "asperes-8bit"}
    channels = {e.request.task for e in suite.entries if "first-channel" in e.request.task}  # NSynth has one alone
    assert channels == {"ballroom+first-channel", "ballroom+first-channel+normalized-files"}


def test_whole_songs_are_one_picture_each(suites: dict[str, Suite]) -> None:
    table = asked_of(suites["shtern2017-table2"], seconds="whole", image_scale="absolute")
    assert table == Counter({f"Genre, {version}, Inception": 1 for version in ("unprocessed", "normalized")})
    assert asked_of(suites["shtern2017-table3"], seconds="whole") == Counter({"Metal vs Classical": 2})


def test_early_results_are_asked_of_the_released_recipe(suites: dict[str, Suite]) -> None:
    for entry in suites["chen2022-early"].entries:
        assert entry.request.task == "openmic+normalized"
        assert entry.request.source_params["input_norm"] == "none"
        assert entry.request.params == {
            "schedule": "authors-code", "epochs": 30, "batch_size": 4, "select": "last", "specaug": True,
        }  # fmt: skip


def test_forest_of_the_notebook_is_fitted_on_all_that_its_row_counts(suites: dict[str, Suite]) -> None:
    rf = suites["chen2022-rf"]
    assert {entry.request.params["fit_on"] for entry in rf.entries} == {"train-and-valid"}
    assert {entry.splits for entry in rf.data if entry.row == "OpenMIC train"} == {("train", "valid")}
    assert asked_of(suites["chen2022-figure4"], fit_on="train-and-valid") == Counter({"RF": 1})


def test_claims_of_shtern2017_are_the_differences_of_its_tables(suites: dict[str, Suite]) -> None:
    held = {
        number.row: float(number.value)
        for table in ("shtern2017-table2", "shtern2017-table3")
        for number in read_printed([table])
        if number.quantity == "accuracy"
    }
    n_gains = 0
    for number in read_printed(["shtern2017-claims"]):
        if found := re.match(r"gain over (.+?)\[accuracy\]", number.quantity):
            assert float(number.value) == pytest.approx(held[number.row] - held[found[1]], abs=1e-6), number.row
            n_gains += 1
        else:
            assert float(number.value) == held[number.row]
    assert n_gains == 1 + 2 * 9 + 2 * 2  # levels; normalizing nine sets; 30 s against whole songs
