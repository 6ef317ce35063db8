"""How far long work has come."""

import io
from contextlib import redirect_stderr
from types import SimpleNamespace

import pytest

from mirbench import progress as progress_module
from mirbench.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def terminal(monkeypatch):
    """A terminal to redirect standard error to; pytest takes it back between fixture and test."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    return Terminal()


def test_say_prints_a_line_on_standard_error(capsys):
    Progress().say("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_say_prints_brackets_as_they_are(capsys):
    Progress().say("[bold] and [/bold]")
    assert capsys.readouterr().err == "[bold] and [/bold]\n"


def test_quiet_says_nothing(capsys, clock):
    progress = Progress(quiet=True)
    progress.say("hello")
    with progress.bar("decoding", 10, "files") as step:
        clock.now += 60
        step(5, "half")
    assert capsys.readouterr() == ("", "")


def test_bar_prints_a_line_with_rate_and_time_left(capsys, clock):
    with Progress().bar("decoding", 10, "files") as step:
        clock.now += 20
        step(4, "so far")
    assert capsys.readouterr().err == "decoding: 4/10 files, 0.2/s, 30 s left, so far\n"


def test_bar_prints_no_line_for_short_work(capsys, clock):
    with Progress().bar("decoding", 10, "files") as step:
        for _ in range(10):
            clock.now += 1
            step()
    assert capsys.readouterr().err == ""


def test_bar_prints_a_line_now_and_then(capsys, clock):
    with Progress().bar("decoding", 100, "files") as step:
        for _ in range(100):
            clock.now += 1
            step()
    assert 5 <= len(capsys.readouterr().err.splitlines()) <= 7


def test_bar_counts_every_step(capsys, clock):
    with Progress().bar("decoding", 10, "files") as step:
        step(2)
        step(3)
        clock.now += 20
        step()
    assert "6/10 files" in capsys.readouterr().err


def test_bar_survives_a_step_of_nothing(capsys, clock):
    with Progress().bar("decoding", 10, "files") as step:
        clock.now += 20
        step(0, "still at the first")
    assert "0/10 files" in capsys.readouterr().err


def test_bar_over_nothing_says_nothing(capsys):
    with Progress().bar("decoding", 0, "files") as step:
        step()
    assert capsys.readouterr().err == ""


def test_bar_lets_an_error_through():
    with pytest.raises(KeyError, match="tempo"), Progress().bar("decoding", 3, "files"):
        raise KeyError("tempo")


def test_bar_on_a_terminal_shows_count_and_note(terminal):
    with redirect_stderr(terminal), Progress().bar("decoding", 3, "files") as step:
        for k in range(3):
            step(1, f"file {k}")
    assert all(word in terminal.getvalue() for word in ("decoding", "3/3", "files", "file 2"))


@pytest.mark.parametrize("note", ["failed: no match for [/blues]", "[n_clips, 3] is needed"])
def test_bar_on_a_terminal_shows_brackets_as_they_are(terminal, note):
    with redirect_stderr(terminal), Progress().bar("decoding", 3, "files") as step:
        step(1, note)
    assert note in terminal.getvalue()


def test_bar_on_a_terminal_may_hold_another(terminal):
    with redirect_stderr(terminal):
        progress = Progress()
        with progress.bar("runs", 2, "runs") as outer:
            with progress.bar("epochs", 5, "epochs") as inner:
                inner(5)
            outer(1)
    assert "epochs" in terminal.getvalue()


def test_warning_is_printed_though_quiet_and_only_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(quiet=True)
    for line in ("files are left out", "files are left out", "others too"):
        progress.warn(line)
    assert capsys.readouterr().err == "files are left out\nothers too\n"
