"""Tables as markdown, CSV and JSON, with columns to choose, and the command that prints them."""

from __future__ import annotations

import io
import json
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from mirbench.errors import UnknownName
from mirbench.leaderboard.columns import COLUMNS, DEFAULT, chosen
from mirbench.leaderboard.latex import latex
from mirbench.leaderboard.render import as_csv, as_json, markdown, note
from mirbench.leaderboard.results import Run, System
from mirbench.leaderboard.statistics import Interval
from mirbench.leaderboard.table import Board, Row
from mirbench.record import RunRecord
from mirbench.types import Windowing
from tests.conftest import Answer
from tests.leaderboard.test_leaderboard import SPEC, cells, write

Typed = Callable[..., Answer]
METRICS = ("accuracy", "macro-f1")
SPECIAL = r"a\b{c}_d$e&f%g#h~i^j<k>l|m--n"


def row(name: str, mean: float = 0.5, **facts: Any) -> Row:
    """A row of made numbers."""
    spec = replace(SPEC, method=name, **facts.pop("spec", {}))
    system = System(f"{name} + tiny", "0123abcd", (Run(Path("run"), RunRecord(spec, "done")),), (0, 1), (0,), 1)
    values: dict[str, Any] = {
        "metrics": {"accuracy": (mean, 0.01), "macro-f1": (mean / 2, None)},
        "n_seeds": 2, "n_folds": 1, "n_done": 1, "n_clips": 100, "n_trainable": 1234, "n_total": 56789,
        "epoch_seconds": 0.125, "train_seconds": 12.5, "clips_per_second": 40.0, "gflops": 1.5, "kwh": None,
        "device": "a machine", "flags": (), "interval": Interval(mean - 0.1, mean + 0.05, "Wilson"), "rank": 1,
        "p_best": None,
    }  # fmt: skip
    return Row(system=system, **(values | facts))


def board(*rows: Row, **facts: Any) -> Board:
    values: dict[str, Any] = {
        "title": "tones", "task": "tones", "version": "1", "standing": "full", "windowing": Windowing(),
        "classes": ("high", "low"), "kind": "single-label", "metrics": METRICS, "problems": (),
    }  # fmt: skip
    return Board(rows=rows, **(values | facts))


def three() -> Board:
    """Two that tie, and one that is worse."""
    return board(row("a", 0.9), row("b", 0.8, p_best=0.4), row("c", 0.3, rank=3, p_best=0.001))


def column(text: str, heading: str) -> list[str]:
    head, *lines = cells(text)
    return [line[head.index(heading)] for line in lines]


# Markdown


def test_markdown_gives_the_rows_of_a_tie_the_same_rank() -> None:
    assert column(markdown([three()]), "rank") == ["1", "1", "3"]


def test_markdown_has_no_rank_where_there_is_none() -> None:
    assert column(markdown([board(row("a", rank=None))]), "rank") == ["—"]


def test_markdown_has_the_interval_beside_the_first_metric() -> None:
    head, line = cells(markdown([board(row("a", 0.8))]))
    at = head.index("accuracy")
    assert (head[at + 1], line[at : at + 2]) == ("95 % interval", ["0.800 ± 0.010", "0.700–0.850"])


def test_markdown_without_an_interval_has_a_dash() -> None:
    assert column(markdown([board(row("a", interval=None))]), "95 % interval") == ["—"]


@pytest.mark.parametrize("word", ["95 % interval", "Rank", "Holm", "seeds"])
def test_note_says_what_interval_and_rank_mean(word: str) -> None:
    assert word in note([three()])


def test_markdown_makes_no_link_of_a_name() -> None:
    text = markdown([board(row("![x](http://example.org/x.png) [y](http://example.org)"))])
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {child.type for token in tokens for child in token.children or []}
    assert kinds & {"image", "link_open"} == set()


# Columns


@pytest.mark.parametrize("names", [["system", "rank"], ["macro-f1", "key", "accuracy"], ["flags", "device", "p"]])
def test_columns_come_in_the_order_asked_for(names: list[str]) -> None:
    assert cells(markdown([three()], names))[0] == [COLUMNS[name].heading for name in names]


def test_columns_are_shown_once() -> None:
    assert [c.name for c in chosen(["rank", "system", "rank"], three())] == ["rank", "system"]


def test_columns_called_metrics_are_those_of_the_table() -> None:
    assert [c.name for c in chosen(["metrics"], three())] == ["accuracy", "interval", "macro-f1"]


def test_column_that_is_none_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'accuracy'"):
        chosen(["acuracy"], three())
    with pytest.raises(UnknownName) as caught:
        chosen(["xyzzy"], three())
    assert all(name in str(caught.value) for name in COLUMNS)


def test_column_of_a_metric_that_a_table_lacks_is_empty() -> None:
    assert column(markdown([three()], ["pr-auc"]), "PR-AUC") == ["—"] * 3


def test_columns_have_headings_of_their_own() -> None:
    assert len({c.heading for c in COLUMNS.values()}) == len(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_column_of_any_name_is_written_in_every_format(name: str) -> None:
    assert [len(line) for line in cells(markdown([three()], [name]))] == [1] * 4
    assert len(pd.read_csv(io.StringIO(as_csv([three()], [name])))) == 3
    assert latex([three()], [name]).count(r"\\") == 4


def test_columns_of_the_default_are_known() -> None:
    assert set(DEFAULT) - {"metrics"} <= set(COLUMNS)


# CSV


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])


def test_csv_has_one_line_a_row_with_task_version_and_windowing() -> None:
    spec = {"windowing": Windowing(windows="hopped16", average="logit")}
    frame = read(as_csv([three(), board(row("d", spec=spec), task="noises", version="2")]))
    assert frame[["task", "version", "windows", "average"]].to_numpy().tolist() == [
        *[["tones", 1, "nonoverlap", "prob"]] * 3, ["noises", 2, "hopped16", "logit"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 1 / 3), ("accuracy_sd", 0.01), ("macro-f1", 1 / 6), ("interval_low", 1 / 3 - 0.1), ("rank", 1),
        ("interval_high", 1 / 3 + 0.05), ("n_trainable", 1234), ("epoch_seconds", 0.125), ("p_best", 0.123456789012),
    ],
)  # fmt: skip
def test_csv_has_every_digit(name: str, value: float) -> None:
    (found,) = read(as_csv([board(row("a", 1 / 3, p_best=0.123456789012))]))[name]
    assert found == value


def test_csv_is_empty_where_there_is_no_number() -> None:
    frame = read(as_csv([board(row("a", n_trainable=None, rank=None, interval=None), row("b"))]))
    lacking = frame.loc[0, ["n_trainable", "rank", "interval_low", "interval_method", "p_best", "macro-f1_sd", "kwh"]]
    assert lacking.isna().all()


def test_csv_writes_counts_as_whole_numbers_beside_empty_cells() -> None:
    text = as_csv([board(row("a", n_trainable=None, rank=None), row("b"))], ["system", "trainable", "rank"])
    assert text.splitlines()[-1].endswith(",b + tiny,1234,1")


def test_csv_of_several_tables_has_the_metrics_of_all() -> None:
    tags = row("t", metrics={"roc-auc": (0.7, None)})
    frame = read(as_csv([three(), board(tags, task="tags", metrics=("roc-auc",))]))
    assert (frame["roc-auc"].isna().tolist(), frame["accuracy"].isna().tolist(), "pr-auc" in frame) == (
        [True] * 3 + [False], [False] * 3 + [True], False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ['a,b"c"', "two\nlines", "None", "NA", "'; x", "ü € 音"])
def test_csv_keeps_names(name: str) -> None:
    assert read(as_csv([board(row(name))]))["system"].tolist() == [f"{name} + tiny"]


def test_csv_has_the_columns_that_are_chosen() -> None:
    frame = read(as_csv([three()], ["accuracy", "rank"]))
    assert list(frame)[4:] == ["accuracy", "accuracy_sd", "rank"]


# JSON


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


def test_json_has_what_a_row_has() -> None:
    held = strict(as_json([board(row("a", 0.5, rank=2, p_best=0.01, flags=("beware",), n_trainable=None))]))
    (found,) = held["boards"][0]["rows"]
    wanted = {
        "name": "a + tiny", "method": "a", "source": "tiny", "key": "0123abcd", "rank": 2, "p_best": 0.01,
        "n_trainable": None, "n_total": 56789, "flags": ["beware"], "seeds": [0, 1], "folds": [0],
        "interval": {"metric": "accuracy", "level": 0.95, "low": 0.4, "high": 0.55, "method": "Wilson"},
        "metrics": {"accuracy": {"mean": 0.5, "sd": 0.01}, "macro-f1": {"mean": 0.25, "sd": None}},
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted


def test_json_has_every_number_of_a_row() -> None:
    (found,) = strict(as_json([board(row("a"))]))["boards"][0]["rows"]
    assert {field for field in Row.__dataclass_fields__ if field != "system"} <= set(found)


def test_json_says_which_schema_it_has_and_which_question_a_table_answers() -> None:
    held = strict(as_json([board(row("a"), version="2", problems=("x: failed",))]))
    table = held["boards"][0]
    assert held["schema_version"] == 1
    assert {name: table[name] for name in ("task", "version", "windowing", "classes", "metrics", "problems")} == {
        "task": "tones", "version": "2", "windowing": {"windows": "nonoverlap", "average": "prob"},
        "classes": ["high", "low"], "metrics": ["accuracy", "macro-f1"], "problems": ["x: failed"],
    }  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_number_that_json_has_not(value: float) -> None:
    (found,) = strict(as_json([board(row("a", epoch_seconds=value))]))["boards"][0]["rows"]
    assert found["epoch_seconds"] is None


def test_json_of_a_table_without_rows_is_one() -> None:
    assert strict(as_json([board(metrics=())]))["boards"][0]["rows"] == []


# LaTeX
# The block in a README
# The command


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Records of two tasks."""
    for draw, method in enumerate("ab"):
        write(tmp_path / "runs", replace(SPEC, method=method), draw)
    write(tmp_path / "runs", replace(SPEC, task="noises"), 3)
    return tmp_path / "runs"


def leaderboard(typed: Typed, runs: Path, *words: object) -> Answer:
    return typed("leaderboard", "--runs", runs, *words)


@pytest.mark.slow
def test_command_prints_csv_json_and_latex_and_writes_no_file(typed: Typed, runs: Path) -> None:
    outs = {form: leaderboard(typed, runs, "--format", form) for form in ("csv", "json", "latex")}
    assert (len(read(outs["csv"].out)), len(strict(outs["json"].out)["boards"])) == (3, 2)
    assert outs["latex"].out.count(r"\begin{table}") == 2
    assert [path.name for path in runs.iterdir() if path.is_file()] == []


@pytest.mark.parametrize("form", ["csv", "json", "latex"])
def test_command_writes_a_file_that_is_what_it_would_print(form: str, typed: Typed, runs: Path, tmp_path: Path) -> None:
    out = leaderboard(typed, runs, "--format", form).out
    answer = leaderboard(typed, runs, "--format", form, "--output", tmp_path / "table")
    assert (answer.out, (tmp_path / "table").read_text(encoding="utf-8")) == ("", out)


def test_command_shows_the_tasks_that_are_asked_for(typed: Typed, runs: Path) -> None:
    one = read(leaderboard(typed, runs, "--format", "csv", "--task", "noises").out)
    both = read(leaderboard(typed, runs, "--format", "csv", "--task", "noises", "--task", "tones").out)
    assert (set(one["task"]), set(both["task"])) == ({"noises"}, {"noises", "tones"})


def test_command_shows_the_columns_that_are_asked_for(typed: Typed, runs: Path) -> None:
    out = leaderboard(typed, runs, "--columns", "system, accuracy", "--task", "tones").out
    assert cells(out)[0] == ["method + source", "accuracy"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--task", "noise"], "Did you mean 'noises'"),
        (["--columns", "rnk"], "Did you mean 'rank'"),
        (["--format", "xlsx"], "one of md, csv, latex, json, html is needed"),
        (["--format", "json", "--columns", "rank"], "json holds every column"),
        (["--update", "nowhere.md"], "nowhere.md"),
        (["--update", "x.md", "--format", "csv"], "leave out --format and --output"),
    ],
)
def test_command_says_in_one_line_what_is_wrong(words: Sequence[str], says: str, typed: Typed, runs: Path) -> None:
    answer = leaderboard(typed, runs, *words)
    assert (answer.code, answer.out, says in answer.err, answer.err.count("\n")) == (2, "", True, 1)


def test_command_updates_a_readme(typed: Typed, runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("<!-- mirbench:begin task=noises -->\n<!-- mirbench:end -->\n", encoding="utf-8")
    answer = leaderboard(typed, runs, "--update", path)
    assert (answer.code, answer.out, "probe + tiny" in path.read_text(encoding="utf-8")) == (0, "", True)


def test_command_writes_the_page_and_prints_only_where(
    typed: Typed, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = types.ModuleType("page")
    made.page = lambda boards, sources: f"<html>{len(boards)}</html>"  # type: ignore[attr-defined]
    made.SourceFacts = tuple  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mirbench.leaderboard.page", made)
    answer = leaderboard(typed, runs, "--format", "html")
    assert (answer.out, str(runs / "leaderboard.html") in answer.err) == ("", True)
    assert (runs / "leaderboard.html").read_text(encoding="utf-8") == "<html>2</html>"


def test_command_without_plotly_says_what_to_install(typed: Typed, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from mirbench.leaderboard import page

    find = importlib.util.find_spec
    page._packed.cache_clear()
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "plotly" else find(name, *rest)
    )
    answer = leaderboard(typed, runs, "--format", "html")
    assert (answer.code, answer.err) == (2, "mirbench: the page needs plotly: pip install 'mirbench[page]'\n")
