"""Claims among processes, and what dead ones leave."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirbench.errors import BadInput
from mirbench.features import claims, temporary
from mirbench.features.claims import Claim, claimed, is_gone, own_mark
from mirbench.features.temporary import clearing, replace_folder, sweep, using, written_whole
from mirbench.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def ended() -> str:
    """The mark of a process that has ended."""
    program = "from mirbench.features.claims import own_mark; print(own_mark())"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def living() -> Iterator[str]:
    """The mark of another process of this host, which lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield f"{claims._host()}.{process.pid}.{claims._start(process.pid)}"
        process.kill()


def elsewhere(path: Path, seconds_ago: float) -> None:
    """Make a claim's file one of another host, touched so long ago."""
    path.write_text("node7.41.5a tokentoken\n")
    os.utime(path, (time.time() - seconds_ago,) * 2)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_claim_is_had_by_one_alone(tmp_path: Path) -> None:
    first, second = Claim(tmp_path / "run", QUIET), Claim(tmp_path / "run", QUIET)
    assert (first.take(), second.take()) == (True, False)
    first.give_back()
    assert second.take()
    second.give_back()


def test_claim_says_who_has_it(tmp_path: Path, living: str) -> None:
    (tmp_path / ".run.claim0").write_text(f"{living} tokentoken\n")
    claim = Claim(tmp_path / "run", QUIET)
    assert not claim.take()
    host = claims._host().partition("+")[0]
    assert claim.holder == f"process {living.split('.')[1]} on {host}"


def test_claim_given_back_leaves_nothing(tmp_path: Path) -> None:
    with claimed(tmp_path / "deep" / "run", "working", QUIET):
        assert names_in(tmp_path / "deep") == [".run.claim0"]
    assert names_in(tmp_path / "deep") == []


def test_claim_of_a_process_that_has_ended_is_taken_over_at_once(tmp_path: Path, ended: str) -> None:
    (tmp_path / ".run.claim0").write_text(f"{ended} tokentoken\n")
    claim = Claim(tmp_path / "run", QUIET)
    assert claim.take()
    claim.give_back()
    assert names_in(tmp_path) == []


def test_claim_of_a_number_that_another_process_has_now_is_taken_over(tmp_path: Path, living: str) -> None:
    host, pid, start = living.split(".")
    (tmp_path / ".run.claim0").write_text(f"{host}.{pid}.1{start[1:]}9 tokentoken\n")
    claim = Claim(tmp_path / "run", QUIET)
    assert claim.take()
    claim.give_back()


@pytest.mark.parametrize(("seconds_ago", "taken"), [(0, False), (60, False), (600, True)])
def test_claim_of_another_host_is_taken_over_when_long_untouched(
    tmp_path: Path, seconds_ago: float, taken: bool
) -> None:
    elsewhere(tmp_path / ".run.claim0", seconds_ago)
    claim = Claim(tmp_path / "run", QUIET)
    assert claim.take() is taken
    claim.give_back()


@pytest.mark.parametrize("hours", [-5, 5])
def test_claim_of_another_host_is_judged_by_the_clock_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    elsewhere(tmp_path / ".run.claim0", 0)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
    assert not Claim(tmp_path / "run", QUIET).take()


def test_claim_that_was_never_written_is_taken_over_when_old(tmp_path: Path) -> None:
    path = tmp_path / ".run.claim0"
    path.touch()
    assert not Claim(tmp_path / "run", QUIET).take()
    os.utime(path, (time.time() - 600,) * 2)
    claim = Claim(tmp_path / "run", QUIET)
    assert claim.take()
    claim.give_back()


def test_take_over_interrupted_by_another_leaves_one_holder(
    tmp_path: Path, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look at a dead holder and our own file, another takes over, ends its work, and a third begins."""
    (tmp_path / ".run.claim0").write_text(f"{ended} tokentoken\n")
    second, third, late = (Claim(tmp_path / "run", QUIET) for _ in range(3))
    looked = claims.is_gone

    def gone(mark: str, path: Path) -> bool:
        answer = looked(mark, path)
        monkeypatch.setattr(claims, "is_gone", looked)
        assert second.take()
        second.give_back()
        assert third.take()
        return answer

    monkeypatch.setattr(claims, "is_gone", gone)
    assert not late.take()
    third.give_back()
    assert names_in(tmp_path) == []


def test_holder_that_was_taken_for_gone_leaves_the_claim_to_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept, successor = Claim(tmp_path / "run", QUIET), Claim(tmp_path / "run", QUIET)
    assert slept.take()
    monkeypatch.setattr(claims, "is_gone", lambda mark, path: path.name.endswith("0"))
    assert successor.take()
    slept.give_back()
    assert not Claim(tmp_path / "run", QUIET).take()
    successor.give_back()
    assert names_in(tmp_path) == []


def test_many_at_once_are_never_two_in_a_claim(tmp_path: Path, ended: str) -> None:
    """Threads stand in for processes: what is between them is the file system alone."""
    (tmp_path / ".run.claim0").write_text(f"{ended} tokentoken\n")
    inside, most, done = 0, 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most, done
        for _ in range(20):
            with claimed(tmp_path / "run", "working", QUIET):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside, done = inside - 1, done + 1

    claims_poll, claims._POLL = claims._POLL, (0.0005, 0.002)
    try:
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        claims._POLL = claims_poll
    assert (most, done, names_in(tmp_path)) == (1, 120, [])


def test_waiting_for_a_claim_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Claim(tmp_path / "run", QUIET)
    first.take()
    timer = threading.Timer(0.3, first.give_back)
    timer.start()
    with claimed(tmp_path / "run", "fetching x.pt", Progress()):
        timer.join()
    host = claims._host().partition("+")[0]
    assert capsys.readouterr().err == f"fetching x.pt: process {os.getpid()} on {host} is at it; waiting for it\n"


def test_folder_where_nothing_can_be_made_is_worked_in_without_claims_and_says_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(claims, "_said", False)
    monkeypatch.setattr(claims.os, "open", refuse)
    for _ in range(2):
        with claimed(tmp_path / "run", "working", Progress()):
            pass
    said = f"{tmp_path}: no claim can be made here (Read-only file system); other processes may do the same work\n"
    assert capsys.readouterr().err == said


def test_claim_is_touched_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_TOUCH_EVERY", 0.01)
    monkeypatch.setattr(claims, "_toucher", None)
    with claimed(tmp_path / "run", "working", QUIET):
        path = tmp_path / ".run.claim0"
        os.utime(path, (0, 0))
        until = time.monotonic() + 5
        while path.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert time.time() - path.stat().st_mtime < 60


def test_everything_is_given_back_at_once(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "run", QUIET)
    claim.take()
    with temporary.temporary(tmp_path) as work:
        (work / "half").touch()
        claims.give_back_everything()
        assert names_in(tmp_path) == []


def test_own_mark_is_of_this_process_and_not_gone(tmp_path: Path) -> None:
    assert own_mark().split(".")[1] == str(os.getpid())
    assert not is_gone(own_mark(), tmp_path)


@pytest.mark.parametrize("kind", ["writing", "old", "using"])
def test_sweep_removes_what_an_ended_process_left(tmp_path: Path, ended: str, kind: str) -> None:
    left = tmp_path / f".{kind}-{ended}.0123abcd"
    left.mkdir()
    (left / "half").touch()
    (tmp_path / ".run.claim0").write_text(f"{ended} tokentoken\n")
    (tmp_path / "half").touch()
    sweep(tmp_path)
    assert names_in(tmp_path) == ["half"]


def test_sweep_leaves_what_living_processes_write(tmp_path: Path, living: str) -> None:
    kept = [f".writing-{living}.0123abcd", ".writing-node7.41.5a.0123abcd", ".writing-abcd_123", ".hidden"]
    for name in kept:
        (tmp_path / name).mkdir()
    (tmp_path / ".run.claim0").write_text(f"{living} tokentoken\n")
    sweep(tmp_path)
    assert names_in(tmp_path) == sorted([*kept, ".run.claim0"])


def test_sweep_removes_what_another_host_long_left_and_what_earlier_versions_did(tmp_path: Path) -> None:
    for name in (".writing-node7.41.5a.0123abcd", ".writing-abcd_123", ".old-abcd_123"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - 2 * 86400,) * 2)
    sweep(tmp_path)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("dies_at", [1, 2])
def test_folder_whose_replacement_was_killed_is_whole_again_after_a_sweep(
    tmp_path: Path, ended: str, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """The process dies before it has taken the old folder away, or after that and before the new one is there."""
    for name in ("work", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    program = (
        "import os, sys; from pathlib import Path; import mirbench.features.temporary as t\n"
        "real, calls = os.replace, []\n"
        "def replace(*names):\n"
        "    calls.append(names)\n"
        f"    os._exit(9) if len(calls) == 1 + {dies_at} else real(*names)\n"
        "t.os.replace = replace\n"
        f"t.replace_folder(Path({str(tmp_path / 'work')!r}), Path({str(tmp_path / 'target')!r}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert (tmp_path / "target").exists() is (dies_at == 1)
    sweep(tmp_path)
    assert (tmp_path / "target" / "file").read_text() == "target"
    assert names_in(tmp_path) == ["target", "work"]


def test_two_that_replace_a_folder_at_once_leave_one_whole(tmp_path: Path) -> None:
    failed: list[Exception] = []

    def replace(number: int) -> None:
        for _ in range(10):
            with temporary.temporary(tmp_path) as work:
                (work / "file").write_text(str(number))
                try:
                    replace_folder(work, tmp_path / "target")
                except OSError as error:
                    failed.append(error)

    threads = [threading.Thread(target=replace, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "target" / "file").read_text() in "012"
    assert (names_in(tmp_path), failed) == (["target"], [])


def test_file_that_fails_on_the_way_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("old")

    def fail() -> None:
        with written_whole(tmp_path / "list.csv") as work:
            work.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names_in(tmp_path) == ["list.csv"]
    assert (tmp_path / "list.csv").read_text() == "old"


def test_file_that_cannot_be_written_is_called_by_its_own_name(tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "list.csv"
    with pytest.raises(FileNotFoundError) as caught, written_whole(target) as work:
        work.write_text("text")
    assert str(caught.value).endswith(f"No such file or directory: '{target}'")


def test_error_about_another_file_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "list.csv"):
        (tmp_path / "other.csv").read_text()
    assert caught.value.filename == str(tmp_path / "other.csv")


def test_folder_in_use_is_not_cleared(tmp_path: Path) -> None:
    said = rf"in use by process {os.getpid()} on .*nothing was cleared"
    with using(tmp_path), pytest.raises(BadInput, match=said), clearing(tmp_path, QUIET):
        pytest.fail("it was cleared")
    with clearing(tmp_path, QUIET):
        pass
    assert names_in(tmp_path) == []


def test_folder_whose_user_has_ended_is_cleared(tmp_path: Path, ended: str) -> None:
    (tmp_path / f".using-{ended}.0123abcd").touch()
    with clearing(tmp_path, QUIET):
        pass
    assert names_in(tmp_path) == []


def test_use_begins_when_clearing_has_ended(tmp_path: Path) -> None:
    order: list[str] = []

    def use() -> None:
        with using(tmp_path):
            order.append("used")

    with clearing(tmp_path, QUIET):
        thread = threading.Thread(target=use)
        thread.start()
        time.sleep(0.3)
        order.append("cleared")
    thread.join()
    assert order == ["cleared", "used"]


def test_use_begins_with_what_dead_processes_left_removed(tmp_path: Path, ended: str) -> None:
    store = tmp_path / "rows" / "pooled-1"
    store.mkdir(parents=True)
    (tmp_path / f".using-{ended}.0123abcd").touch()
    (store / f".writing-{ended}.0123abcd").mkdir()
    (store / ".rows-1.claim0").write_text(f"{ended} tokentoken\n")
    with using(tmp_path):
        assert names_in(store) == []
    assert names_in(tmp_path) == ["rows"]


@pytest.mark.parametrize("kind", ["folder", "dead link", "link to itself", "endless"])
def test_what_no_process_leaves_in_the_place_of_a_claim_stops_nobody(kind: str, tmp_path: Path) -> None:
    place = tmp_path / ".t.claim0"
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to({"dead link": "nowhere", "link to itself": place.name, "endless": "/dev/zero"}[kind])
    claim = Claim(tmp_path / "t", QUIET)
    assert claim.take()
    claim.give_back()
    assert claims.holder_of(tmp_path / "t") == ""
    assert names_in(tmp_path) == [place.name]


@pytest.mark.parametrize("text", ["", "other.7.ab token", "\0" * 100, "x" * 3_000_000, f"{claims._host()}.٣.0 token"])
@pytest.mark.parametrize("seconds_ago", [600, -600])
def test_claim_that_was_not_touched_for_long_is_taken_over_whatever_it_says(
    text: str, seconds_ago: float, tmp_path: Path
) -> None:
    place = tmp_path / ".t.claim0"
    place.write_text(text)
    os.utime(place, (time.time() - seconds_ago,) * 2)
    claim = Claim(tmp_path / "t", QUIET)
    assert claim.take()
    claim.give_back()
    assert names_in(tmp_path) == []
