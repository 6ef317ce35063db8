"""Tables between markers of a README, and nothing else of it changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.readme import update, updated
from mirbench.leaderboard.table import Board
from tests.leaderboard.test_formats import board, row, three
from tests.leaderboard.test_leaderboard import cells, live_html

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


def test_update_of_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file; put `<!-- mirbench:begin"):
        update(tmp_path / "none.md", tables())
