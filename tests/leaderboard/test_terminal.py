"""Tables on a terminal: they fit, nothing is cut that tells systems apart, and the file keeps every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from mirbench.leaderboard.columns import COLUMNS
from mirbench.leaderboard.results import questions
from mirbench.leaderboard.table import Board
from mirbench.leaderboard.terminal import tables
from mirbench.terminal import drawn
from tests.conftest import Answer
from tests.leaderboard.test_formats import board, row, three
from tests.leaderboard.test_leaderboard import SPEC, write, write_failed

Typed = Callable[..., Answer]
LONG = "ids-nmr-of-the-municipal-orchestra (adapter=low-rank, depth=4, learning rate=0.0001)"


def text(*boards: Board, columns: tuple[str, ...] = (), width: int = 80, colours: bool = False) -> str:
    return drawn(list(tables(boards, columns, width)), width, colours=colours)


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("columns", [(), tuple(COLUMNS)], ids=["default", "all"])
@pytest.mark.parametrize("name", ["probe", LONG, "x" * 150, "合唱" * 40], ids=["short", "long", "one word", "wide"])
def test_tables_are_never_wider_than_the_terminal(name: str, columns: tuple[str, ...], width: int) -> None:
    flags = ("source trained on gtzan", "timed on a busy machine")
    shown = text(board(row(name, 0.9, flags=flags), row("b", 0.8)), columns=columns, width=width)
    assert max(map(cell_len, shown.splitlines())) <= width


def test_table_at_80_columns_has_rank_score_interval_and_a_cost() -> None:
    head = next(line for line in text(three()).splitlines() if "rank" in line)
    assert head.split() == ["rank", "method", "+", "source", "accuracy", "95", "%", "trainable"]


def test_long_name_is_wrapped_between_words_and_keeps_all_of_them() -> None:
    shown = text(board(row(LONG, 0.9)))
    assert all(word in shown.split() for word in LONG.split())


def test_columns_that_do_not_fit_stand_below_beside_the_names() -> None:
    shown = text(three(), columns=("rank", "system", "metrics", "interval", "p", "clips", "total", "device"))
    assert shown.count("method + source") > 1
    assert all(COLUMNS[name].heading in shown for name in ("p", "clips", "total", "device"))


def test_only_the_leader_is_bold() -> None:
    bold = [line for line in text(three(), colours=True).splitlines() if "\x1b[1m" in line and "tiny" in line]
    assert len(bold) == 1
    assert "a + tiny" in bold[0]


def test_row_of_fewer_folds_says_which() -> None:
    shown = text(board(row("a"), row("b", flags=("only fold 0 of 5",), rank=None)))
    assert "b + tiny ¹" in shown
    assert "¹ only fold 0 of 5" in shown


def test_what_holds_for_every_row_is_said_once() -> None:
    flags = ("source trained on gtzan",)
    shown = text(board(row("a", flags=flags), row("b", flags=flags)))
    assert shown.count("source trained on gtzan") == 1
    assert "All rows: source trained on gtzan" in shown


@pytest.mark.parametrize(("columns", "said"), [((), False), (("system", "clips-per-second"), True)])
def test_times_are_doubted_where_they_are_shown(columns: tuple[str, ...], said: bool) -> None:
    flagged = board(row("a", flags=("timed on a busy machine",)), row("b"))
    assert ("busy machine" in text(flagged, columns=columns)) == said


def test_marks_of_a_row_stand_behind_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirbench.leaderboard.table.Row.marks", ("reference",), raising=False)
    assert "a + tiny [reference]" in text(three())


def marked(monkeypatch: pytest.MonkeyPatch, marks: dict[str, tuple[str, ...]]) -> Board:
    monkeypatch.setattr(
        "mirbench.leaderboard.table.Row.marks", property(lambda row: marks[row.system.record.spec.method])
    )
    return board(*(row(name, 0.9 - k / 100) for k, name in enumerate(marks)))


def test_mark_of_all_rows_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = text(marked(monkeypatch, dict.fromkeys("abcdef", ("reference",))))
    assert shown.count("[reference]") == 1
    assert "All rows: [reference] not run here: results that ship with mirbench" in " ".join(shown.split())
    assert re.search(r"^ +1 +a \+ tiny +0\.", shown, re.MULTILINE)


def test_mark_of_most_rows_is_a_number_and_a_rare_one_stands_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {**dict.fromkeys("abcd", ("reference",)), "mine": (), "e": ("reference", "claimed")}
    shown = text(marked(monkeypatch, marks))
    assert shown.count("[reference]") == 1
    assert "¹ [reference] not run here: results that ship with mirbench" in shown
    assert all(f"{name} + tiny ¹" in shown for name in "abcd")
    assert "e + tiny [claimed] ¹" in shown
    assert "mine + tiny ¹" not in shown


@pytest.mark.parametrize(("n_lines", "said"), [(0, False), (24, True), (200, False)])
def test_table_that_is_longer_than_the_terminal_says_how_to_see_its_first_rows(n_lines: int, said: bool) -> None:
    long = board(*(row(f"m{k}", 0.9 - k / 1000) for k in range(30)))
    shown = drawn(list(tables([three(), long], (), 80, n_lines)), 80, colours=False)
    assert ("--rows" in shown) == said
    assert not said or "30 rows are more than this terminal shows: --rows 12 gives the first." in shown


def test_names_command_the_terminal_nothing() -> None:
    shown = text(board(row("[red]a[/red]\x1b[31m :guitar:")))
    assert r"[red]a[/red]\x1b[31m :guitar:" in " ".join(shown.split())


# Reasons


def test_a_reason_that_systems_share_is_said_once(tmp_path: Path) -> None:
    for seed in range(3):
        for method in ("a", "b", "c", "d"):
            write_failed(tmp_path, "no room on the disk", spec=replace(SPEC, method=method, seed=seed))
    (question,) = questions(tmp_path)
    assert question.problems == ("a + tiny, b + tiny, c + tiny and 1 more: failed: no room on the disk (12 runs)",)


# The command


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirbench.cli.results.is_terminal", lambda: True)


def two_tasks(runs: Path) -> None:
    write(runs)
    write(runs, replace(SPEC, task="chords"), draw=1)


@pytest.mark.usefixtures("at_a_terminal")
def test_leaderboard_on_a_terminal_is_a_table_and_its_file_markdown(typed: Typed, tmp_path: Path) -> None:
    two_tasks(tmp_path)
    answer = typed("leaderboard", "--runs", tmp_path)
    assert "|" not in answer.out
    assert "method + source" in answer.out
    assert "| probe + tiny" in (tmp_path / "leaderboard.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("at_a_terminal")
def test_leaderboard_in_markdown_if_it_is_asked_for(typed: Typed, tmp_path: Path) -> None:
    write(tmp_path)
    assert "| probe + tiny" in typed("leaderboard", "--runs", tmp_path, "--format", "md").out


@pytest.mark.parametrize("part", [("--task", "chords"), ("--columns", "system,rank")])
@pytest.mark.parametrize("form", [(), ("--format", "md")], ids=["default", "md"])
def test_part_of_the_leaderboard_leaves_the_file_of_all(
    part: tuple[str, ...], form: tuple[str, ...], typed: Typed, tmp_path: Path
) -> None:
    two_tasks(tmp_path)
    typed("leaderboard", "--runs", tmp_path)
    whole = (tmp_path / "leaderboard.md").read_bytes()
    answer: Any = typed("leaderboard", "--runs", tmp_path, *part, *form)
    assert "probe + tiny" in answer.out
    assert (tmp_path / "leaderboard.md").read_bytes() == whole


def test_part_of_the_leaderboard_is_written_where_it_is_asked_for(typed: Typed, tmp_path: Path) -> None:
    two_tasks(tmp_path)
    typed("leaderboard", "--runs", tmp_path, "--task", "chords", "--output", tmp_path / "chords.md")
    assert "tones" not in (tmp_path / "chords.md").read_text(encoding="utf-8")
    assert not (tmp_path / "leaderboard.md").exists()


def test_page_of_some_tasks_needs_a_file_of_its_own(typed: Typed, tmp_path: Path) -> None:
    two_tasks(tmp_path)
    answer = typed("leaderboard", "--runs", tmp_path, "--task", "chords", "--format", "html")
    assert answer.code == 2
    assert "--output" in answer.err
