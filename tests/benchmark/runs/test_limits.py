"""Shares of a suite and limits of time: what is begun, what is left, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirbench.errors import BadInput
from mirbench.methods.sources import cards
from mirbench.record import RunSpec
from mirbench.runs import limits as limits_of
from mirbench.runs.limits import Limits, parse_part, parse_until, said_time
from mirbench.types import Windowing
from tests.benchmark.runs.test_sweep import BEEPS, cells

if TYPE_CHECKING:
    from tests.conftest import Answer

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from mirbench.method import Fitted

@dataclass(frozen=True)
class Chance:
    name, version, needs, uses_audio = "chance", "1", (), False

    def fit(self, train, valid, context, *, seed):
        def predict(split):
            return np.random.default_rng(seed).random((len(split), len(split.classes))).astype("float32")
        return Fitted(predict, n_trainable=0)
"""
ENTRY = "[[run]]\ntask = 'beeps'\nmethod = 'chance'\nseeds = 3\n"
FLOOR = ENTRY + ENTRY + "windows = 'hopped16'\n"


def spec(seed: int = 0) -> RunSpec:
    return RunSpec("beeps", "1", 0, Windowing(), "prior", "1", {}, {}, "", "", {}, "", "", "float32", seed)


# Parts


@pytest.mark.parametrize(("text", "part"), [("1/1", (1, 1)), (" 3 / 16 ", (3, 16)), ("016/16", (16, 16))])
def test_part_is_read_as(text: str, part: tuple[int, int]) -> None:
    assert parse_part(text) == part


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0/16", "--part $((SLURM_ARRAY_TASK_ID + 1))/16"),
        ("17/16", "parts 1/16 to 16/16 are accepted"),
        ("1/0", "1 to 1,000,000 parts are accepted"),
        ("1/1000001", "1 to 1,000,000 parts are accepted"),
        *((text, "K/N is needed") for text in ("", "3", "/16", "3/", "-1/4", "1.5/4", "a/b", "1/2/3", "١/٢", "3\\16")),
        ("9" * 5000 + "/1", "K/N is needed"),
    ],
)
def test_part_that_is_none_is_refused_in_one_short_line(text: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_part(text)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


# Times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3:50", 13_800), ("0:01", 60), ("3:50:00", 13_800), ("0:00:30", 30), ("72:00", 259_200), ("90min", 5400),
     ("2h", 7200), ("1.5 h", 5400), ("1h30min", 5400), ("45 s", 45), ("2d", 172_800), ("10M", 600)],
)  # fmt: skip
def test_time_is_read_as(text: str, seconds: float) -> None:
    assert parse_until(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0:00", "0s", "3", "3.5", "3:60", "3:5", "-1h", "1h1h", "h", "3:50:99", "tomorrow", "nan", "inf", "1e3s",
     "9" * 400 + "h", "²h", "1:2:3:4"],
)  # fmt: skip
def test_time_that_is_none_is_refused_in_one_short_line(text: str) -> None:
    with pytest.raises(BadInput, match="as 3:50") as caught:
        parse_until(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (5399, "1:30 h"), (13_800, "3:50 h"), (187_200, "2 d 4 h")],
)
def test_time_is_said_as(seconds: float, said: str) -> None:
    assert said_time(seconds) == said


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``clock(seconds)`` lets time go by."""
    now = 1000.0

    def later(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(limits_of.time, "monotonic", lambda: now)
    return later


def test_run_is_begun_only_if_it_can_end(clock: Callable[[float], None]) -> None:
    limits = Limits(seconds=100, cost=lambda spec: 40.0 if spec.seed else 70.0)
    assert limits.let_begin(spec(0))
    clock(50)
    assert limits.let_begin(spec(1))
    assert not limits.let_begin(spec(0))
    clock(10)
    assert not limits.let_begin(spec(1))
    assert [held.seed for held in limits.put_off.values()] == [0, 1]
    assert limits.said() == "2 runs are left for lack of time (--until 2 min); the same command goes on"


def test_run_of_which_nothing_is_known_takes_as_long_as_the_longest_so_far(clock: Callable[[float], None]) -> None:
    limits = Limits(seconds=100)
    assert limits.let_begin(spec(0))
    limits.ended(spec(0), 30)
    limits.ended(spec(1), 20)
    clock(69)
    assert limits.let_begin(spec(2))
    clock(1)
    assert not limits.let_begin(spec(2))


def test_nothing_is_begun_when_the_time_is_over(clock: Callable[[float], None]) -> None:
    limits = Limits(seconds=100)
    clock(100)
    assert not limits.let_begin(spec())


def test_runs_that_no_such_command_can_end_are_said_to_need_more_time() -> None:
    limits = Limits(seconds=60, cost=lambda spec: 7200.0 + spec.seed)
    assert not limits.let_begin(spec(1))
    assert not limits.let_begin(spec(0))
    assert limits.said() == (
        "2 runs are left for lack of time (--until 60 s): none can end in it, the shortest takes about 2:00 h; give "
        "more time"
    )


# The command


@pytest.fixture
def swept(typed: Callable[..., Answer]) -> Callable[..., Answer]:
    """``swept("--part", "1/2", …)``: `mirbench sweep` of a small suite, in an empty folder."""
    Path("beeps.py").write_text(BEEPS + PLUGIN)
    Path("suite.toml").write_text(FLOOR)
    return lambda *words: typed("sweep", "suite.toml", "--plugin", "beeps.py", "--quiet", *words)


def keys() -> set[str]:
    return {path.parent.name for path in Path("runs").rglob("record.json")}


@pytest.mark.slow
def test_parts_do_every_run_once_between_them_whatever_is_done_already(swept: Callable[..., Answer]) -> None:
    done: list[set[str]] = []
    for k in (3, 1, 4, 2):
        before = keys()
        answer = swept("--part", f"{k}/4")
        assert (answer.code, answer.err, answer.out.startswith(f"part {k} of 4: ")) == (0, "", True)
        done.append(keys() - before)
        n = int(answer.out.partition(": ")[2].partition(" ")[0])
        assert n == len(done[-1]) > 0  # the other parts changed nothing of what is its own
        assert sum(int(row[1].split(" of ")[1]) for row in cells(answer)) == n
    assert len(keys()) == sum(map(len, done)) == 6
    again = swept()
    assert (again.code, [row[3] for row in cells(again)]) == (0, ["on record"] * 2)


@pytest.mark.slow
def test_part_that_is_empty_says_so_and_is_no_failure(swept: Callable[..., Answer]) -> None:
    answers = [swept("--part", f"{k}/8") for k in range(1, 9)]
    assert [answer.code for answer in answers] == [0] * 8
    empty = [answer.out for answer in answers if "none of 6 runs" in answer.out]
    assert empty == [f"part {k} of 8: none of 6 runs; nothing is left for it to do\n" for k in (7, 8)]
    assert len(keys()) == 6


@pytest.mark.slow
def test_entry_that_cannot_be_done_is_told_by_one_part_alone(
    swept: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(cards.NANO), "accepts", ("audio",))
    with Path("suite.toml").open("a") as stream:
        stream.write("[[run]]\ntask = 'gtzan-pictures'\nmethod = 'probe-linear'\nsource = 'speechatt'\n")
    answers = [swept("--part", f"{k}/3", "--demo") for k in (1, 2, 3)]
    assert sorted(answer.code for answer in answers) == [0, 0, 1]
    assert ["its clips are pictures" in answer.out for answer in answers] == [bool(answer.code) for answer in answers]


def test_dry_run_of_a_part_lists_its_runs_alone(swept: Callable[..., Answer]) -> None:
    counts = [sum(int(row[2]) for row in cells(swept("--part", f"{k}/4", "--dry-run"))) for k in range(1, 5)]
    assert (sum(counts), min(counts) > 0) == (6, True)


@pytest.mark.parametrize(("flag", "value"), [("--part", "0/16"), ("--part", "2"), ("--until", "3")])
def test_limit_that_is_none_is_refused_before_any_work(flag: str, value: str, swept: Callable[..., Answer]) -> None:
    answer = swept(flag, value)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith(f"mirbench: {flag} {value}: ")
    assert not Path("runs").exists()


@pytest.mark.slow
def test_command_that_runs_out_of_time_says_what_is_left_and_the_same_one_goes_on(
    swept: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([100.0, 100.0, 100.0])
    with monkeypatch.context() as patch:
        patch.setattr(Limits, "seconds_left", property(lambda self: next(left, 0.0)))
        answer = swept("--until", "2h")
    assert (answer.code, len(keys())) == (75, 3)
    assert answer.out.splitlines()[-1] == (
        "3 runs are left for lack of time (--until 2:00 h); the same command goes on"
    )
    assert [row[1] for row in cells(answer)] == ["3 of 3", "0 of 3"]
    assert (swept("--until", "2h").code, len(keys())) == (0, 6)


@pytest.mark.slow
def test_command_whose_time_is_over_at_once_reads_back_what_is_on_record(swept: Callable[..., Answer]) -> None:
    assert swept().code == 0
    answer = swept("--until", "0.000001s")
    assert (answer.code, [row[3] for row in cells(answer)]) == (0, ["on record"] * 2)
