"""Tables as markdown, CSV, LaTeX and JSON, with columns to choose, and inside a README."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.chosen_rows import pivot
from mirbench.leaderboard.columns import COLUMNS, DEFAULT, chosen
from mirbench.leaderboard.latex import escaped, latex, latex_pivot
from mirbench.leaderboard.readme import update, updated
from mirbench.leaderboard.render import NOTE, as_csv, as_json, markdown
from mirbench.leaderboard.results import Run, System
from mirbench.leaderboard.statistics import Interval
from mirbench.leaderboard.table import Board, Row
from mirbench.record import RunRecord
from mirbench.types import Windowing
from tests.conftest import Answer
from tests.leaderboard.test_leaderboard import SPEC, cells, live_html, write

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
    assert word in NOTE


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


def printed(text: str) -> str:
    """What LaTeX prints of a text of escapes, read back by rules of its own; anything else special is an error."""
    words = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<",
        "textgreater": ">", "textemdash": "—", "textendash": "–", "ldots": "…",
    }  # fmt: skip
    pieces = re.compile(r"\\([a-z]+)\{\}|\\([&%$#_{}])|\$\\(pm|times)\$|\{([\[\]*])\}|(-)\{\}(?=-)|([^\\{}$&%#_~^])")
    out, at = "", 0
    while at < len(text):
        found = pieces.match(text, at)
        assert found, text[at:]
        word, special, sign, fenced, dash, plain = found.groups()
        out += words[word] if word else {"pm": "±", "times": "×"}[sign] if sign else special or fenced or dash or plain
        at = found.end()
    return out


@pytest.mark.parametrize("text", [SPECIAL, "[x]*", "0.9 ± 0.1 × 3 — 2–3 …", "---", "100 % {\\", "{}", "ü"])
def test_latex_prints_what_it_is_given(text: str) -> None:
    assert printed(escaped(text)) == text


def body(text: str) -> list[list[str]]:
    """Cells of the lines of a LaTeX table; the head comes first."""
    inside = text.split(r"\begin{tabular}")[1].split(r"\end{tabular}")[0]
    lines = [line for line in inside.splitlines() if line.endswith(r"\\")]
    return [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in lines]


def test_latex_has_a_cell_a_column_in_each_line_whatever_names_hold() -> None:
    text = latex([board(row(SPECIAL), row("&"), row("\\"))])
    assert {len(line) for line in body(text)} == {5}
    assert printed(body(text)[1][0].strip().replace(r"\allowbreak{}", "")) == f"{SPECIAL} + tiny"


def test_latex_braces_are_balanced_whatever_names_hold() -> None:
    facts = {"flags": (f"source trained on {SPECIAL}",)}
    text = re.sub(r"\\[{}\\]", "", latex([board(row("}" + SPECIAL, **facts), title="}{_" + SPECIAL)]))
    depth = 0
    for letter in text:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0


def test_latex_is_a_booktabs_table_with_caption_and_label() -> None:
    text = latex([board(row("a"), title="tones (version 2) [a_b]")])
    parts = [
        r"\begin{table}",
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\end{table}",
        r"\label{tab:tones-version-2-a-b}",
    ]
    assert [part for part in parts if text.count(part) != 1] == []
    assert r"\caption{tones (version 2) {[}a\_b{]}: mean" in text


LONG_NAMES = {
    "words": "ids-nmr-of-the-municipal-orchestra (adapter=low-rank, depth=4, learning rate=0.0001, hidden=512)",
    "underscores": "my_very_own_method_of_the_municipal_orchestra_with_low_rank_adapters_and_more",
    "one word": "x" * 90,
}


@pytest.mark.parametrize("name", LONG_NAMES.values(), ids=LONG_NAMES)
def test_latex_breaks_long_names_and_keeps_every_letter(name: str) -> None:
    text = latex([board(row(name), row("b"))])
    assert re.search(r"\\begin\{tabular\}\{>\{\\raggedright\\arraybackslash\}p\{0\.\d\d\\linewidth\}r+\}", text)
    assert text.startswith("% Needs \\usepackage{array,booktabs}.\n")
    assert printed(body(text)[1][0].strip().replace(r"\allowbreak{}", "")) == f"{name} + tiny"


def test_latex_breaks_no_command_of_a_footnote() -> None:
    text = latex([board(row(LONG_NAMES["words"], flags=("only fold 0 of 5",)), row("b"))])
    cell = body(text)[1][0].strip()
    assert cell.endswith(r"\textsuperscript{a}")
    assert r"\allowbreak" in cell


def test_latex_of_short_names_breaks_nothing() -> None:
    text = latex([three()], ["system", "accuracy", "trainable"])
    assert text.startswith("% Needs \\usepackage{booktabs}.\n")
    assert r"\begin{tabular}{lrr}" in text
    assert "allowbreak" not in text
    assert r"\small" not in text


def test_latex_of_more_rows_than_a_page_says_how_to_get_fewer() -> None:
    rows = [row(f"m{k}", 0.9 - k / 1000) for k in range(60)]
    assert "--rows 20 gives the first" in latex([board(*rows)])
    assert "--rows" not in latex([board(*rows[:20])])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_is_no_wider_than_a_page(tmp_path: Path) -> None:
    boards = [board(row(name), row("b"), title=f"t{k}") for k, name in enumerate([*LONG_NAMES.values(), "short"])]
    several = [replace(each, title=f"t{k}") for k, each in enumerate(boards[:3])]
    tables = "\n".join([latex(boards), latex_pivot([pivot(several)])])
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{array,booktabs}\begin{document}"
    (tmp_path / "tables.tex").write_text(f"{head}\n{tables}\n\\end{{document}}\n")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert [line for line in done.stdout.splitlines() if "Overfull" in line] == []


def test_latex_shows_what_fits_a_page_unless_more_is_asked_for() -> None:
    (head, *_) = body(latex([board(row("a"))]))
    assert [cell.strip() for cell in head] == [
        "method + source",
        "accuracy",
        r"95 \% interval",
        "macro-F1",
        "trainable",
    ]
    assert len(body(latex([board(row("a"))], ["rank", "system", "metrics"]))[0]) > 3


def test_latex_marks_the_first_metric_alone() -> None:
    text = latex([three()])
    found = [[mark in line[1] for mark in (r"\textbf{", r"\underline{")] for line in body(text)[1:]]
    assert found == [[True, False], [False, True], [False, False]]
    assert (text.count(r"\textbf"), text.count(r"\underline")) == (1, 1)


def test_latex_says_flags_in_the_caption() -> None:
    text = latex([board(row("a", flags=("busy",)), row("b", flags=("seen", "busy")), row("c"))])
    marks = [re.findall(r"superscript\{([\w,]+)\}", line[0]) for line in body(text)[1:]]
    assert (marks, r"\textsuperscript{a}~busy. \textsuperscript{b}~seen." in text) == ([["a"], ["b,a"], []], True)


def test_latex_of_an_excerpt_says_so() -> None:
    assert "An excerpt: its numbers are optimistic" in latex([board(row("a"), standing="excerpt")])


def test_latex_begins_no_line_with_what_ends_the_one_before() -> None:
    """After the end of a line, ``\\\\``, an asterisk or a bracket would be read as its option."""
    text = latex([board(row("[5mm]"), row("*"))], ["system"])
    assert [line[0].strip()[0] for line in body(text)[1:]] == ["{", "{"]


# The block in a README

BEGIN, END = "<!-- mirbench:begin -->", "<!-- mirbench:end -->"


def tables() -> list[Board]:
    return [three(), board(row("x", 0.7), task="noises", title="noises (version 2)")]


def block(options: str = "", inside: str = "stale\n") -> str:
    return f"<!-- mirbench:begin {options}-->\n{inside}{END}\n"


def test_update_replaces_what_is_between_markers_and_nothing_else() -> None:
    before, after = "# Mine\n\n  spaces \t\n| not | ours |\n\n", "\nlast line, no end"
    found = updated(before + block() + after, tables())
    assert found.startswith(before + "<!-- mirbench:begin -->\n\n")
    assert found.endswith(f"\n\n{END}\n{after}")
    assert ("a + tiny" in found, "stale" in found) == (True, False)


def test_update_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"{block()}\n{block('task=noises note=no ')}", encoding="utf-8")
    first = update(path, tables())
    held = path.read_bytes()
    stamp = path.stat().st_mtime_ns
    assert (first, update(path, tables()), path.read_bytes() == held) == (True, False, True)
    assert path.stat().st_mtime_ns == stamp


def test_update_fills_each_block_by_its_own_options() -> None:
    text = block("task=tones columns=system,accuracy note=no ") + "\n" + block("task=noises columns=rank note=no ")
    found = cells(updated(text, tables()))
    assert (found[0], found[-2:]) == (["method + source", "accuracy"], [["rank"], ["1"]])


def test_update_of_a_block_of_some_rows_says_how_many_there_are() -> None:
    text = updated(block("task=tones columns=system rows=2 note=no "), [three()])
    assert cells(text) == [["method + source"], ["a + tiny"], ["b + tiny"]]
    assert "The first 2 of 3 systems." in text


def test_update_of_a_block_of_more_rows_than_there_are_shows_all() -> None:
    text = updated(block("task=tones columns=system rows=3 note=no "), [three()])
    assert len(cells(text)) == 4
    assert "The first" not in text


@pytest.mark.parametrize("rows", ["0", "-1", "many", ""])
def test_update_refuses_a_number_of_rows_that_is_none(rows: str) -> None:
    with pytest.raises(UnknownName, match="rows=N"):
        updated(block(f"rows={rows} "), [three()])


def test_update_takes_the_options_of_the_command_where_the_block_has_none() -> None:
    found = updated(block() + block("columns=key "), tables(), ["noises"], ["system"])
    assert cells(found) == [["method + source"], ["x + tiny"], ["key"], ["0123abcd"]]


def test_update_names_a_task_with_spaces_in_quotes() -> None:
    found = updated(block('task="noises (version 2)" columns=system '), tables())
    assert cells(found)[1:] == [["x + tiny"]]


def test_update_of_several_tables_has_their_headings() -> None:
    assert re.findall(r"^## (.*)$", updated(block(), tables()), re.MULTILINE) == ["tones", "noises (version 2)"]
    assert "## " not in updated(block("task=tones "), tables())


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_update_keeps_ends_of_lines(end: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(f"# T\n\n{block()}rest\n".replace("\n", end).encode())
    update(path, tables())
    text = path.read_bytes().decode()
    assert set(re.findall(r"\r\n|\r|\n", text)) == {end}


def test_update_keeps_mixed_ends_and_odd_letters_outside_the_block(tmp_path: Path) -> None:
    before, after = "\ufeff# T\r\n\n\x0c\u2028x\r\n\r\n".encode(), "\r\n\tä \x0b\n".encode()
    path = tmp_path / "README.md"
    path.write_bytes(before + block().encode() + after)
    update(path, tables())
    text = path.read_bytes()
    assert (text.startswith(before), text.endswith(END.encode() + b"\n" + after)) == (True, True)


def test_update_leaves_examples_in_code_alone() -> None:
    example = f"```\n{BEGIN}\n{END}\n```\n\n    {BEGIN}\n    {END}\n\nor `{BEGIN}`\n\n"
    assert updated(example + block(), tables()).startswith(example)


def test_update_of_a_block_in_details_is_found() -> None:
    assert "a + tiny" in updated(f"<details>\n{BEGIN}\n\n{END}\n</details>\n", tables())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no markers\n", "no block in it; put `<!-- mirbench:begin"),
        (f"{BEGIN}\n", "line 1: this mirbench:begin has no end"),
        (f"x\n\n{END}\n", "line 3: mirbench:end without a mirbench:begin"),
        (f"{BEGIN}\n\n{BEGIN}\n{END}\n", "line 3: a second mirbench:begin before the end of the one of line 1"),
        (f"{BEGIN}\n{END}\n{END}\n", "line 3: mirbench:end without"),
        (block("tsk=tones "), "option of mirbench:begin is called 'tsk=tones'"),
        (block("note=perhaps "), "note=perhaps"),
        (block("task=nowhere "), "No task in these records is called 'nowhere'"),
        (block("columns=acuracy "), "Did you mean 'accuracy'"),
        (block('task="x '), "not readable"),
        (f"```\n{BEGIN}\n{END}\n```\n", "no block in it"),
    ],
)
def test_update_that_cannot_be_done_says_why_and_leaves_the_file(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=re.escape(says)) as caught:
        update(path, tables())
    assert ("\n" in str(caught.value), path.read_text(encoding="utf-8")) == (False, text)
    assert str(path) in str(caught.value)


def test_update_of_what_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="no text in UTF-8"):
        update(path, tables())


def test_update_that_is_interrupted_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "README.md"
    path.write_text(block(), encoding="utf-8")

    def fail(*names: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        update(path, tables())
    assert (path.read_text(encoding="utf-8"), [p.name for p in tmp_path.iterdir()]) == (block(), ["README.md"])


def test_update_keeps_the_mode_of_a_file_and_what_links_to_it(tmp_path: Path) -> None:
    path, link = tmp_path / "README.md", tmp_path / "link.md"
    path.write_text(block(), encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    update(link, tables())
    assert (path.stat().st_mode & 0o777, link.is_symlink(), "a + tiny" in path.read_text("utf-8")) == (
        0o640,
        True,
        True,
    )


def test_update_makes_no_markup_of_names() -> None:
    nasty = board(row(f"<script>{END}</script>"), problems=(f"{BEGIN} ``` <b>: failed",))
    text = updated(block(), [nasty])
    assert [piece for piece in live_html(text) if "mirbench" not in piece] == []
    assert updated(text, [nasty]) == text


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
    path.write_text(block("task=noises "), encoding="utf-8")
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


def test_update_of_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file; put `<!-- mirbench:begin"):
        update(tmp_path / "none.md", tables())
