"""Rows to choose, what leads, and systems against tasks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.chosen_rows import of_rows, pivot, place
from mirbench.leaderboard.latex import latex, latex_pivot
from mirbench.leaderboard.render import csv_pivot, markdown, markdown_pivot
from mirbench.leaderboard.table import Board
from mirbench.leaderboard.terminal import tables
from mirbench.terminal import drawn
from tests.conftest import Answer
from tests.leaderboard.test_formats import board, row, three
from tests.leaderboard.test_leaderboard import SPEC, write

Typed = Callable[..., Answer]


def two() -> list[Board]:
    """Two tasks; c is on the first alone, and b leads the second."""
    return [
        three(),
        board(row("b", 0.7), row("a", 0.6, rank=2), title="chords", task="chords", standing="excerpt"),
    ]


def names(*boards: Board) -> list[list[str]]:
    return [[one.name for one in made.rows] for made in boards]


def test_rows_are_a_number_or_names() -> None:
    assert names(*of_rows(two(), "1")) == [["a + tiny"], ["b + tiny"]]
    assert names(*of_rows(two(), "a+tiny, c")) == [["a + tiny", "c + tiny"], ["a + tiny"]]
    assert names(*of_rows(two(), "")) == names(*two())


def test_chosen_rows_say_among_how_many_they_were_ranked() -> None:
    some, every = of_rows([three()], "a,c"), of_rows([three()], "3")
    said = "2 of 3 systems; ranks and tests are among all 3."
    for draw in (markdown, latex, lambda boards: drawn([*tables(boards, (), 100)], 100, colours=False)):
        assert said in draw(some)
        assert "ranks and tests" not in draw(every)


def test_rows_that_are_none_are_refused() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'a\+tiny'"):
        of_rows(two(), "a+tinny")
    with pytest.raises(BadInput, match="from 1 on"):
        of_rows(two(), "0")


def test_one_row_leads_and_what_ties_with_it_does_not() -> None:
    made = three()
    assert [place(one, made) for one in made.rows] == ["leads", "tied", ""]


def test_latex_has_the_leader_bold_and_ties_underlined() -> None:
    text = latex([three()], ["system", "accuracy"])
    assert re.findall(r"\\textbf\{(.*?) ", text) == ["0.900"]
    assert re.findall(r"\\underline\{(.*?) ", text) == ["0.800"]
    assert "In bold" in text


def test_latex_has_no_note_on_columns_that_are_not_there() -> None:
    made = board(row("a", flags=("timed on a busy machine",)), row("b"))
    assert "busy" not in latex([made], ["system", "accuracy"])
    assert "busy" in latex([made], ["system", "accuracy", "clips-per-second"])
    assert "In bold" not in latex([made], ["system", "trainable"])


def test_pivot_has_a_row_a_system_and_a_column_a_task() -> None:
    table = pivot(two())
    assert [name for name, _ in table.rows] == ["b + tiny", "a + tiny", "c + tiny"]
    assert table.heads == ("tones, accuracy", "chords, accuracy")
    assert [cells[1] is None for _, cells in table.rows] == [False, False, True]


def test_pivot_in_latex_marks_the_leader_of_each_task_and_fills_every_cell() -> None:
    text = latex_pivot([pivot(two())])
    lines = re.findall(r"^(\w \+ tiny .*) \\\\$", text, re.MULTILINE)
    assert [line.count("&") for line in lines] == [2, 2, 2]
    assert re.findall(r"\\textbf\{(.*?) ", text) == ["0.700", "0.900"]
    assert r"\textemdash{}" in lines[-1]
    assert "An excerpt" in text


def test_pivot_in_markdown_and_csv_hold_the_same_scores() -> None:
    held = pd.read_csv(io.StringIO(csv_pivot([pivot(two())])), index_col="system")
    assert held["chords: accuracy"].dropna().to_dict() == {"a + tiny": 0.6, "b + tiny": 0.7}
    (line,) = (line for line in markdown_pivot([pivot(two())]).splitlines() if line.startswith("| b + tiny"))
    assert [cell.strip() for cell in line.split("|")[2:4]] == ["0.800 ± 0.010", "**0.700 ± 0.010**"]


def crossed(tmp_path: Path) -> None:
    """Two mappings of one adapter on two sources, of which one has fewer epochs; one source at random weights too."""
    for source, epochs in (("ear", 8), ("eye", 3)):
        for mapping in ("new-head", "fc527"):
            for weights in ("", "random") if source == "ear" else ("",):
                options = {"weights": weights} if weights else {}
                params = {"mapping": mapping, "epochs": epochs, "lr": 0.5}
                spec = replace(SPEC, method="ids-nmr", params=params, source=source, source_params=options,
                               source_sha256=f"{source}{weights}")  # fmt: skip
                changed = {"epochs": epochs, "lr": 0.5} | {f"source {name}": value for name, value in options.items()}
                write(tmp_path, spec, changed=changed)


def test_methods_against_sources_are_one_table_with_what_is_set_alike_below(tmp_path: Path, typed: Typed) -> None:
    crossed(tmp_path)
    text = typed("leaderboard", "--runs", tmp_path, "--against", "sources", "--format", "md").out
    head, _, first, second = (line.split("|")[1:-1] for line in text.splitlines()[:4])
    assert [cell.strip() for cell in head[1:]] == ["ear (weights=pretrained)", "ear (weights=random)", "eye"]
    assert [line[0].strip() for line in (first, second)] == ["ids-nmr (mapping=fc527)", "ids-nmr (mapping=new-head)"]
    assert all("0." in cell for line in (first, second) for cell in line[1:])
    assert "Set alike: ids-nmr (epochs=3, lr=0.5) on eye." in text
    assert "Set alike: ids-nmr (epochs=8, lr=0.5) on ear." in text


def test_column_of_a_source_is_one_for_every_method(tmp_path: Path, typed: Typed) -> None:
    """Also where a method was run on the pretrained source alone."""
    crossed(tmp_path)
    write(tmp_path, replace(SPEC, method="ast-bs", source="ear", source_sha256="ear"))
    text = typed("leaderboard", "--runs", tmp_path, "--against", "sources", "--format", "md").out
    head, _, line = (line.split("|")[1:-1] for line in text.splitlines()[:3])
    assert [cell.strip() for cell in head[1:]] == ["ear (weights=pretrained)", "ear (weights=random)", "eye"]
    assert (line[0].strip(), line[2].strip(), line[3].strip()) == ("ast-bs", "—", "—")


def test_methods_against_sources_are_the_same_in_csv_and_latex(tmp_path: Path, typed: Typed) -> None:
    crossed(tmp_path)
    asked = ("leaderboard", "--runs", tmp_path, "--against", "sources", "--format")
    held = pd.read_csv(io.StringIO(typed(*asked, "csv").out))
    assert list(held["method"]) == ["ids-nmr (mapping=fc527)", "ids-nmr (mapping=new-head)"]
    assert sum(column.startswith("ear (weights=random): ") for column in held.columns) == 2
    assert "tab:methods-by-source" in typed(*asked, "latex").out


def test_against_takes_two_words(tmp_path: Path, typed: Typed) -> None:
    answer = typed("leaderboard", "--runs", tmp_path, "--against", "seeds")
    assert (answer.code, answer.err.count("\n")) == (2, 1)


def test_pivot_keeps_settings_apart(tmp_path: Path, typed: Typed) -> None:
    write(tmp_path)
    write(tmp_path, replace(SPEC, task="chords", params={"lr": 0.2}), changed={"lr": 0.2})
    answer = typed("leaderboard", "--runs", tmp_path, "--pivot", "--format", "csv")
    assert len(answer.out.splitlines()) == 3
    assert not (tmp_path / "leaderboard.md").exists()


@pytest.mark.parametrize(
    "words", [("--pivot", "--format", "json"), ("--rows", "3", "--format", "html"), ("--pivot", "--columns", "rank")]
)
def test_options_that_do_not_go_together_are_refused(words: tuple[str, ...], typed: Typed, tmp_path: Path) -> None:
    write(tmp_path)
    answer = typed("leaderboard", "--runs", tmp_path, *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
