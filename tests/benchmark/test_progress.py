"""How far long work has come."""

import io
from contextlib import redirect_stderr
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mirbench import pace as pace_module
from mirbench.pace import Pace
from mirbench.progress import Progress
from mirbench.progress_bars import Bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(pace_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
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


def drawn(width: int, clock: SimpleNamespace, name: str = "decoding", note: str = "") -> list[str]:
    """The lines of two bars, one within the other, on a terminal of this width; 30 of 120 runs took 90 s."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True)
    bars = Bars(console)
    _, step = bars.row(name, Pace(120), "runs")
    clock.now += 90
    step(30, note)
    bars.row("computing pooled", Pace(6), "windows")
    with console.capture() as held:
        for part in bars.get_renderables():
            console.print(part)
    return [line.rstrip() for line in Text.from_ansi(held.get()).plain.splitlines()]


LONG = "ids-nmr (adapter=low-rank, depth=4) on folder:recordings-of-the-municipal-orchestra+folds5"


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", ["decoding", LONG, "合唱" * 40], ids=["short", "long", "of wide letters"])
def test_bars_keep_bar_count_and_time_left_at_every_width(width: int, name: str, clock: SimpleNamespace) -> None:
    first, second = drawn(width, clock, name)
    assert max(map(cell_len, (first, second))) <= width
    assert "━" in first
    assert "30/120" in first
    assert first.endswith("  4 min left")
    assert "━" in second
    assert "0/6" in second
    assert second.endswith("? left")


def test_a_long_name_is_cut_in_its_middle(clock: SimpleNamespace) -> None:
    first = drawn(80, clock, LONG)[0]
    assert first.startswith("ids-nmr")
    assert "+folds5 " in first
    assert "…" in first


def test_a_note_stands_below_the_bars_on_one_line(clock: SimpleNamespace) -> None:
    lines = drawn(80, clock, note=f"{LONG}: failed, 2 running, 1 failed")
    assert len(lines) == 3
    assert lines[-1].endswith("2 running, 1 failed")
    assert cell_len(lines[-1]) <= 80


def test_only_one_time_is_the_time_left(clock: SimpleNamespace) -> None:
    line = drawn(120, clock)[0]
    assert line.count("left") == 1
    assert "90 s" not in line.partition("left")[2]
    assert "2 min gone" in line


def test_what_was_on_record_does_not_shorten_the_time_left(clock: SimpleNamespace) -> None:
    pace = Pace(100)
    pace.step(90, measured=False)
    clock.now += 60
    pace.step(1)
    assert pace.left == 9 * 60


def test_time_left_runs_down_and_never_below_the_runs_that_are_not_begun(clock: SimpleNamespace) -> None:
    pace = Pace(10)
    clock.now += 100
    pace.step(5)
    assert pace.left == 100
    clock.now += 15
    assert pace.left == 85
    clock.now += 1000
    assert pace.left == 80


def test_work_that_knows_its_time_is_believed(clock: SimpleNamespace) -> None:
    pace = Pace(10)
    clock.now += 100
    pace.step(5, left=30.0)
    clock.now += 10
    assert pace.left == 20


def test_lines_grow_sparse_over_hours(capsys: pytest.CaptureFixture[str], clock: SimpleNamespace) -> None:
    with Progress().bar("training", 36_000, "epochs") as step:
        for _ in range(36_000):
            clock.now += 1
            step()
    said = capsys.readouterr().err
    assert 20 <= len(said.splitlines()) <= 100
    assert "\x1b" not in said
    assert "\r" not in said


def test_a_dumb_terminal_gets_lines(terminal, monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stderr(terminal), Progress().bar("decoding", 10, "files") as step:
        clock.now += 20
        step(4)
    assert terminal.getvalue() == "decoding: 4/10 files, 0.2/s, 30 s left\n"
