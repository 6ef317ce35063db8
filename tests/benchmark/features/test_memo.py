"""What is remembered of files: believed where it deserves it, done without where it cannot be used."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench.features import audio, memo
from mirbench.features.memo import Memo, file_sha256
from mirbench.progress import Progress
from mirbench.types import Excerpt

PIANO = hashlib.sha256(b"piano").hexdigest()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "_without", {})
    monkeypatch.setattr(memo, "_WAIT", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    held = tmp_path / "a"
    held.write_bytes(b"piano")
    return held


@pytest.fixture
def kept(tmp_path: Path, path: Path) -> Path:
    """A memo that holds the hash of the file, and one more answer."""
    held = tmp_path / "memo.sqlite"
    file_sha256(path, held)
    with Memo(held) as answers:
        answers.keep("stretch", "k", [PIANO, 1.5, 0.1, 1 / 3])
    return held


def test_file_hash_is_sha256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"piano")
    assert file_sha256(path, tmp_path / "memo.sqlite") == hashlib.sha256(b"piano").hexdigest()


def test_file_hash_is_remembered_by_size_and_time(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"piano")
    before, time = file_sha256(path, tmp_path / "memo.sqlite"), path.stat().st_mtime_ns
    path.write_bytes(b"viola")
    os.utime(path, ns=(time, time))
    assert file_sha256(path, tmp_path / "memo.sqlite") == before


def test_file_hash_follows_an_edit_of_the_same_size(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"piano")
    file_sha256(path, tmp_path / "memo.sqlite")
    time = path.stat().st_mtime_ns + 1_000_000
    path.write_bytes(b"viola")
    os.utime(path, ns=(time, time))
    assert file_sha256(path, tmp_path / "memo.sqlite") == hashlib.sha256(b"viola").hexdigest()


def test_file_hash_follows_an_edit_of_another_size(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"piano")
    file_sha256(path, tmp_path / "memo.sqlite")
    time = path.stat().st_mtime_ns
    path.write_bytes(b"violoncello")
    os.utime(path, ns=(time, time))
    assert file_sha256(path, tmp_path / "memo.sqlite") == hashlib.sha256(b"violoncello").hexdigest()


def test_memo_gives_back_numbers_to_the_bit(kept: Path) -> None:
    with Memo(kept) as answers:
        assert answers.recall("stretch", "k") == [PIANO, 1.5, 0.1, 1 / 3]


def test_memo_reads_hashes_that_earlier_versions_kept(tmp_path: Path, path: Path) -> None:
    held, status = tmp_path / "memo.sqlite", path.stat()
    with sqlite3.connect(held) as database:
        database.execute("CREATE TABLE hashes (key TEXT PRIMARY KEY, sha256 TEXT)")
        key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
        database.execute("INSERT INTO hashes VALUES (?, ?)", (key, "ab" * 32))
    database.close()
    assert file_sha256(path, held) == "ab" * 32


def test_memo_takes_a_key_that_is_no_text(tmp_path: Path) -> None:
    with Memo(tmp_path / "memo.sqlite") as answers:
        answers.keep("sha256", "/music/caf\udce9.wav|1|2", [PIANO])
    with Memo(tmp_path / "memo.sqlite") as answers:
        assert answers.recall("sha256", "/music/caf\udce9.wav|1|2") == [PIANO]


def damage(held: Path, how: str) -> None:
    if how == "not a database":
        held.write_bytes(b"once upon a time " * 400)
    elif how == "cut":
        held.write_bytes(held.read_bytes()[:5000])
    elif how == "empty":
        held.write_bytes(b"")
    elif how == "zeros":
        held.write_bytes(bytes(held.stat().st_size))
    elif how == "header alone":
        held.write_bytes(held.read_bytes()[:100])
    else:
        held.unlink()
        with sqlite3.connect(held) as database:
            database.execute("CREATE TABLE answers (question TEXT, answer TEXT)")
            database.execute("CREATE TABLE hashes (file TEXT)")
        database.close()


@pytest.mark.parametrize("how", ["not a database", "cut", "empty", "zeros", "header alone", "other columns"])
def test_damaged_memo_is_put_aside_and_begun_again(
    kept: Path, path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(kept, how)
    assert [file_sha256(path, kept) for _ in range(3)] == [PIANO] * 3
    said = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(said) == (0 if how == "empty" else 1), "an empty file is a new database; all others are named once"
    with Memo(kept) as answers:
        answers.keep("sha256", "x", [PIANO])
    with Memo(kept) as answers:
        assert answers.recall("sha256", "x") == [PIANO]


def test_damaged_memo_says_where_it_was_put(kept: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(kept, "not a database")
    file_sha256(path, kept)
    said = capsys.readouterr().err
    assert str(kept) in said
    assert "put aside as memo.sqlite.damaged" in said
    assert kept.with_name("memo.sqlite.damaged").read_bytes().startswith(b"once upon")


def test_answer_that_was_changed_is_no_answer(kept: Path, path: Path) -> None:
    database = sqlite3.connect(kept)
    with database:
        database.execute("UPDATE answers SET answer = replace(answer, ?, ?)", (PIANO[:4], "beef"))
    database.close()
    assert file_sha256(path, kept) == PIANO
    with Memo(kept) as answers:
        assert answers.recall("stretch", "k") is None


def test_answer_under_the_key_of_another_is_no_answer(kept: Path) -> None:
    database = sqlite3.connect(kept)
    with database:
        database.execute("UPDATE answers SET key = 'j' WHERE key = 'k'")
    database.close()
    with Memo(kept) as answers:
        assert answers.recall("stretch", "j") is None


def test_locked_memo_is_done_without_and_said_once(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"b{n}" for n in range(3)]
    for n, file in enumerate(files):
        file.write_bytes(bytes([n]))
    other = sqlite3.connect(kept)
    other.execute("BEGIN EXCLUSIVE")
    try:
        found = [file_sha256(file, kept) for file in files * 2]
    finally:
        other.rollback()
        other.close()
    assert found == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] * 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "database is locked" in line


def test_memo_is_never_locked_for_long(tmp_path: Path) -> None:
    held = tmp_path / "memo.sqlite"
    with Memo(held) as first:
        first.keep("sha256", "a", [PIANO])
        with Memo(held) as second:
            second.keep("sha256", "b", [PIANO])
        with Memo(held) as third:
            assert third.recall("sha256", "b") == [PIANO]


def test_folder_in_the_place_of_a_memo_is_done_without(
    tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "memo.sqlite").mkdir()
    assert [file_sha256(path, tmp_path / "memo.sqlite") for _ in range(2)] == [PIANO] * 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_memo_in_a_file_in_the_place_of_its_folder_is_done_without(
    tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert [file_sha256(path, tmp_path / "cache" / "memo.sqlite") for _ in range(2)] == [PIANO] * 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_memo_that_cannot_be_written_to_is_read_on(
    kept: Path, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(
        memo.sqlite3, "connect", lambda held, timeout: connect(f"file:{held}?mode=ro", uri=True, timeout=timeout)
    )
    viola = tmp_path / "b"
    viola.write_bytes(b"viola")
    time = path.stat().st_mtime_ns
    path.write_bytes(b"vio1a")
    os.utime(path, ns=(time, time))
    assert file_sha256(viola, kept) == file_sha256(viola, kept) == hashlib.sha256(b"viola").hexdigest()
    assert file_sha256(path, kept) == PIANO, "what it remembers is used"
    (line,) = capsys.readouterr().err.splitlines()
    assert "readonly database" in line


@pytest.mark.parametrize("quiet", [False, True])
def test_survey_goes_on_without_its_memo(tmp_path: Path, quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.wav"
    soundfile.write(file, 0.1 * np.sin(np.arange(8000)), 8000)
    (tmp_path / "memo.sqlite").mkdir()
    found = audio.survey([Excerpt(file)], tmp_path / "memo.sqlite", Progress(quiet=quiet))
    assert found[Excerpt(file)].seconds == pytest.approx(1.0)
    assert len(capsys.readouterr().err.splitlines()) == (0 if quiet else 1)


@pytest.mark.slow
def test_no_flipped_bit_of_a_memo_is_believed(tmp_path: Path, path: Path) -> None:
    held = tmp_path / "memo.sqlite"
    truth = {}
    with Memo(held) as answers:
        for n in range(60):
            truth[f"k{n}"] = [hashlib.sha256(bytes([n])).hexdigest(), n / 7, 0.5, 0.25]
            answers.keep("stretch", f"k{n}", truth[f"k{n}"])
    whole, rng = held.read_bytes(), np.random.default_rng(0)
    for _ in range(400):
        memo._without.clear()
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        held.write_bytes(damaged)
        with Memo(held, Progress(quiet=True)) as answers:
            for key, answer in truth.items():
                assert answers.recall("stretch", key) in (answer, None)
            answers.keep("stretch", "new", truth["k0"])
        assert file_sha256(path, held) == PIANO


def test_many_questions_at_once_have_the_answers_of_one_at_a_time(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "_AT_ONCE", 3)
    names = [f"/music/{n}.wav|1" for n in range(8)] + ["/music/caf\udce9.wav|1", "/music/ü.wav|1"]
    with Memo(kept) as answers:
        for name in names[:5] + names[8:]:
            answers.keep("stretch", name, [name[-6], 1 / 3])
        assert list(answers.recall_all("stretch", names)) == names[:5] + names[8:]
    damaged = sqlite3.connect(kept)
    damaged.execute("UPDATE answers SET answer = '[1]' WHERE key = ?", (names[2],))
    damaged.commit()
    damaged.close()
    with Memo(kept) as answers:
        answers.keep("stretch", names[6], [6])
        found = answers.recall_all("stretch", [*names, "k"])
        one_by_one = {name: answers.recall("stretch", name) for name in [*names, "k"]}
        assert found == {name: answer for name, answer in one_by_one.items() if answer is not None}
        assert set(found) == {*names[:2], *names[3:5], names[6], *names[8:], "k"}
        assert answers.recall_all("sha256", names) == {}


def test_many_questions_without_a_memo_are_answered_from_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    held = tmp_path / "file" / "memo.sqlite"
    for _ in range(2):
        with Memo(held, Progress(quiet=True)) as answers:
            answers.keep("stretch", "a", [1])
    with Memo(held, Progress(quiet=True)) as answers:
        assert answers.recall_all("stretch", ["a", "b"]) == {"a": [1]}


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_state_of_a_file_is_told_by_where_it_really_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "a.wav"
    real.write_bytes(b"piano")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "link.wav").symlink_to("real/a.wav")
    (tmp_path / "dead.wav").symlink_to("real/b.wav")
    paths = [
        real, tmp_path / "folder" / "a.wav", tmp_path / "link.wav", tmp_path / "real" / ".." / "real" / "a.wav",
        tmp_path / "dead.wav", tmp_path / "none.wav",
    ]  # fmt: skip
    status = real.stat()
    expected = f"{real.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    assert list(memo.states(paths).values()) == [expected] * 4 + ["", ""]
