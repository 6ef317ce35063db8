"""Rows that this user repeated: by notes of the very files that lie there, and by nothing that comes with records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mirbench.errors import BadInput
from mirbench.leaderboard import render
from mirbench.leaderboard.packs import require_pack_name
from mirbench.leaderboard.page.facts import described
from mirbench.leaderboard.repeated import with_repeated
from mirbench.leaderboard.table import Board, boards
from mirbench.runs.store import RunStore
from mirbench.trust import repeated
from mirbench.trust.loose_files import strange_files
from mirbench.trust.repeated import Note, forget, keep, notes, sha256_of
from tests.conftest import Answer
from tests.leaderboard.test_leaderboard import SPEC, write


def note(folder: Path) -> Note:
    hashes = [sha256_of(folder / name) for name in ("record.json", "scores.npz")]
    return Note(folder.name, *hashes, 0.0, 1e-3, "0.5.0", "a processor", "2026-01-01T00:00:00+00:00")


def folders(root: Path) -> list[Path]:
    return [folder for folder, _ in RunStore(root).records()]


def marks(root: Path, left_out: list[str] | None = None) -> tuple[str, ...]:
    (board,) = with_repeated(boards(root), left_out)
    (row,) = board.rows
    return row.marks


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two seeds of one system, noted as repeated."""
    root = tmp_path / "runs"
    for seed in range(2):
        write(root, replace(SPEC, seed=seed), draw=seed)
    for folder in folders(root):
        keep(note(folder))
    return root


def test_row_is_marked_where_every_run_is_noted(runs: Path) -> None:
    assert marks(runs) == ("repeated",)
    forget(note(folders(runs)[1]))
    assert marks(runs) == ()


@pytest.mark.parametrize("name", ["record.json", "scores.npz"])
def test_note_is_of_the_very_files_that_were_compared(runs: Path, name: str) -> None:
    path = folders(runs)[0] / name
    held = path.read_bytes()
    (board,) = boards(runs)
    path.write_bytes(held + b"\n")
    assert not with_repeated([board])[0].rows[0].repeated
    path.write_bytes(held)
    assert with_repeated([board])[0].rows[0].repeated


def test_note_of_one_run_says_nothing_of_another(runs: Path) -> None:
    first, second = folders(runs)
    forget(note(second))
    note(first).path.rename(note(second).path)
    assert marks(runs) == ()


@pytest.mark.parametrize("place", [".", "tones", "tones/probe+tiny", "repeated"])
def test_notes_among_records_say_nothing_and_are_refused_in_a_submission(runs: Path, place: str) -> None:
    for folder in folders(runs):
        held = note(folder)
        target = runs / place / held.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        held.path.rename(target)
    assert marks(runs) == ()
    assert "no file of a record" in " ".join(why for _, why in strange_files(runs))


def test_no_pack_is_called_as_the_mark() -> None:
    with pytest.raises(BadInput, match="repeated"):
        require_pack_name("repeated")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"schema_version": 9}',
        "NaN",
        "[" * 5000,
        '{"schema_version": 1, "key": 3}',
        "\xff",
    ],
)
def test_broken_note_is_a_line_and_marks_nothing(runs: Path, text: str) -> None:
    path = note(folders(runs)[0]).path
    path.write_text(text, encoding="latin-1")
    left_out: list[str] = []
    assert marks(runs, left_out) == ()
    assert [line.partition(":")[0] for line in left_out] == [str(path)]
    assert "\n" not in left_out[0]
    with pytest.raises(BadInput):
        marks(runs)


def test_wrong_kind_of_value_in_a_note_is_found(runs: Path) -> None:
    path = note(folders(runs)[0]).path
    for field, value in {"deviation": -1, "device": None, "more": 1}.items():
        keep(note(folders(runs)[0]))
        path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
        with pytest.raises(BadInput, match=field):
            marks(runs)


def test_no_file_is_hashed_where_no_note_is_of_its_row(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(runs, replace(SPEC, method="other"))
    hashed: list[str] = []

    def counting(path: Path) -> str:
        hashed.append(path.parent.name)
        return sha256_of(path)

    monkeypatch.setattr(repeated, "sha256_of", counting)
    with_repeated(boards(runs))
    assert sorted(set(hashed)) == sorted(notes())
    hashed.clear()
    forget(note(folders(runs)[-1]))
    with_repeated(boards(runs))
    assert hashed == []


def test_tables_and_page_say_what_the_mark_means(runs: Path) -> None:
    found: list[Board] = with_repeated(boards(runs))
    assert "[repeated] every run was done again where this was made" in render.markdown(found).replace("\\", "")
    shown = described(found, "")["boards"][0]
    assert (shown["rows"][0]["marks"], list(shown["badges"])) == (["repeated"], ["repeated"])


def test_command_marks_rows_and_leaves_maintained_files_alone(runs: Path, typed: Callable[..., Answer]) -> None:
    assert "[repeated]" in typed("leaderboard", "--runs", runs, "--format", "md").out
    path = runs.parent / "NOTES.md"
    path.write_text("<!-- mirbench:begin -->\n<!-- mirbench:end -->\n")
    assert typed("leaderboard", "--runs", runs, "--update", path).code == 0
    assert ("probe" in path.read_text(), "repeated" in path.read_text()) == (True, False)
