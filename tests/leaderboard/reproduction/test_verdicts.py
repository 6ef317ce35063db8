"""The rule of verdicts and claims of order, on records with known scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_ind

from mirbench.leaderboard.reproduction.answers import Answer, Unanswered
from mirbench.leaderboard.reproduction.verdicts import Line, compare
from tests.leaderboard.reproduction.on_record import answered, end, flat, measured, number, tags, verdict_of


@pytest.mark.parametrize(("side", "outside"), [(0, -0.001), (1, 0.001)])
def test_verdict_turns_where_wilsons_interval_ends(side: int, outside: float, tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(800, 1000)])
    last = end(800, 1000, side)
    assert verdict_of(number(f"{last:.4f}"), answer) == "agrees"
    assert verdict_of(number(f"{last + outside:.4f}"), answer) == "differs"


def test_rounding_of_the_printed_number_is_allowed_for(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(8000, 10_000)])
    high = end(8000, 10_000, 1)  # 0.8077: 0.81 may be 0.805
    assert (verdict_of(number("0.81"), answer), verdict_of(number("0.810"), answer)) == ("agrees", "differs")
    assert 0.805 < high < 0.8095


def test_wide_interval_cannot_tell_but_can_differ(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(16, 20)])
    assert [verdict_of(number(value), answer) for value in ("0.800", "0.700", "0.400")] == [
        "cannot tell", "cannot tell", "differs",
    ]  # fmt: skip


def test_deviation_of_printed_seeds_widens_by_student_where_other_clips_were_tested(tmp_path: Path) -> None:
    """Twice 0.0124 of ours and 2.776 × 0.02 / √5 = 0.0248 of theirs make 0.0304."""
    answer = answered(tmp_path, [flat(3200, 4000)])
    seeds = {"sd": 0.02, "n_seeds": 5, "same_clips": False}
    assert verdict_of(number("0.826", same_clips=False), answer) == "differs"
    assert verdict_of(number("0.826", **seeds), answer) == "agrees"
    assert verdict_of(number("0.832", **seeds), answer) == "differs"
    assert verdict_of(number("0.826", **seeds | {"sd": 0.08}), answer) == "cannot tell"


def test_seeds_alone_are_chance_where_the_same_clips_were_tested(tmp_path: Path) -> None:
    """An interval over 290 clips is 4.5 points wide on each side; of seeds that hardly vary it says nothing."""
    answer = answered(tmp_path, [flat(n, 290) for n in (232, 233, 231, 232, 233)])
    (line,) = compare([number("0.780", sd=0.005, n_seeds=5)], [answer])
    assert line.verdict == "differs"
    assert (line.low, line.high) == (pytest.approx(0.751, abs=2e-3), pytest.approx(0.843, abs=2e-3))
    assert line.difference == pytest.approx(232.2 / 290 - 0.78)
    assert line.difference_low is not None
    assert line.difference - line.difference_low == pytest.approx(0.0071, abs=5e-4)


@pytest.mark.parametrize(("n_clips", "last"), [(None, 0.0175), (1000, 0.0277), (16_000, 0.0139)])
def test_other_clips_of_the_paper_count_for_themselves(n_clips: int | None, last: float, tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(2000, 4000)])  # a half-width of 0.0155
    ours = 0.5 - end(2000, 4000, 0)
    assert ours == pytest.approx(0.0155, abs=1e-4)
    far = float(np.hypot(ours, ours * np.sqrt(4000 / (n_clips or 4000))))
    assert far > last
    for gap, verdict in ((far - 0.0002, "agrees"), (far + 0.0002, "differs")):
        assert verdict_of(number(f"{0.5 + gap:.5f}", same_clips=False, n_clips=n_clips), answer) == verdict


@pytest.mark.parametrize(
    ("value", "unit", "dead", "verdict"),
    [("0.017", "millions", 0, "agrees"), ("0.018", "millions", 0, "differs"), ("17356", "count", 0, "agrees"),
     ("17357", "count", 0, "differs"), ("17400", "count", 44, "agrees"), ("17400", "count", 0, "differs"),
     ("0.117", "millions", 100_000, "agrees")],
)  # fmt: skip
def test_counts_are_compared_to_the_last_printed_digit(
    value: str, unit: str, dead: int, verdict: str, tmp_path: Path
) -> None:
    answer = answered(tmp_path, [flat(3, 4)])
    assert verdict_of(number(value, "n_trainable", unit, dead=dead), answer) == verdict


def test_stand_in_is_never_judged(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(800, 1000)], standing="synthesised")
    lines = compare([number("0.800"), number("0.100"), number("17356", "n_trainable", "count")], [answer])
    assert {line.verdict for line in lines} == {"stand-in"}


def test_other_data_are_never_judged_and_named(tmp_path: Path) -> None:
    answer = replace(answered(tmp_path, [flat(800, 1000)]), other="songs of MTG-Jamendo")
    lines = compare([number("0.800"), number("0.100")], [answer])
    assert {(line.verdict, line.reason) for line in lines} == {("other data", "songs of MTG-Jamendo")}


def test_lines_without_a_run_say_why() -> None:
    numbers = [number("1"), number("1", row="quoted", note="quoted there"), number("1", row="left")]
    lines = compare(numbers, [Answer("row", "x", reason="no audio"), Answer("row", "y", reason="no weights")])
    assert [(line.verdict, line.reason) for line in lines] == [
        ("not run", "no audio; no weights"), ("not run", "quoted there"), ("not run", "nothing of ours answers it"),
    ]  # fmt: skip


def test_row_of_two_systems_has_a_line_for_each(tmp_path: Path) -> None:
    one = answered(tmp_path / "a", [flat(800, 1000)])
    two = answered(tmp_path / "b", [flat(600, 1000)])
    lines = compare([number("0.800")], [one, two])
    assert [(line.verdict, line.ours) for line in lines] == [("agrees", 0.8), ("differs", 0.6)]


def test_numbers_are_shown_in_the_printed_unit(tmp_path: Path) -> None:
    (line,) = compare([number("80.0", unit="percent")], [answered(tmp_path, [flat(790, 1000)])])
    assert (line.ours, line.low, line.n_clips) == (
        pytest.approx(79.0), pytest.approx(100 * end(790, 1000, 0), abs=0.01), 1000,
    )  # fmt: skip


# Orders


def order_of(value: str, quantity: str, *answers: Answer) -> Line:
    (line,) = compare([number(value, quantity, "order", row="a claim")], list(answers))
    return line


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """Three systems of five seeds; the second and third are not told apart by them."""
    of_row = {"best": (240, 243, 241, 242, 240), "good": (230, 220, 225, 232, 218), "poor": (228, 221, 219, 231, 217)}
    root = tmp_path_factory.mktemp("three")
    return [answered(root, [flat(n, 290) for n in right], row) for row, right in of_row.items()]


@pytest.mark.parametrize(
    ("value", "verdict", "by"),
    [("best > good", "agrees", "best over good"), ("good > best", "differs", "good over best"),
     ("good > poor", "cannot tell", "good over poor"), ("best > good > poor", "cannot tell", "good over poor"),
     ("poor > best > good", "differs", "poor over best"), ("best ~ good", "differs", "best over good")],
)  # fmt: skip
def test_order_is_judged_step_by_step(value: str, verdict: str, by: str, three: list[Answer]) -> None:
    line = order_of(value, "order[accuracy]", *three)
    assert (line.verdict, line.by, line.n_seeds) == (verdict, by, 5)
    assert line.low is not None
    assert line.ours is not None
    assert line.low < line.ours


def test_step_of_an_order_has_the_interval_of_welch_over_seeds(three: list[Answer]) -> None:
    line = order_of("best > good", "order[accuracy]", *three)
    best, good = (np.array(n) / 290 for n in ((240, 243, 241, 242, 240), (230, 220, 225, 232, 218)))
    expected = ttest_ind(best, good, equal_var=False).confidence_interval()
    assert (line.low, line.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_systems_on_par_lie_within_two_points_and_a_half(tmp_path: Path) -> None:
    a, b = (answered(tmp_path, [flat(n, 290) for n in right], row)
            for row, right in (("a", (240, 241, 240, 239)), ("b", (239, 240, 240, 238))))  # fmt: skip
    assert order_of("a ~ b", "order[accuracy]", a, b).verdict == "agrees"


def test_order_of_counts_and_of_every_class(tmp_path: Path) -> None:
    few, many = (answered(tmp_path, [flat(3, 4)], row, n_trainable=n) for row, n in (("few", 10), ("many", 20)))
    assert order_of("many > few", "order[n_trainable]", few, many).verdict == "agrees"
    line = order_of("few > many", "order[n_trainable]", few, many)
    assert (line.verdict, line.ours) == ("differs", -10)
    split, scores = tags(1)
    tagged = [answered(tmp_path, [(split, scores), tags(2)], "tagged"),
              answered(tmp_path, [(split, 1 - scores), (split, 1 - tags(2)[1])], "turned")]  # fmt: skip
    every = order_of("tagged > turned", "order of every class[two-class-f1-per-class]", *tagged)
    assert every.verdict in ("agrees", "cannot tell")
    assert every.by.startswith("tagged over turned, ")
    assert order_of("turned > tagged", "order of every class[two-class-f1-per-class]", *tagged).verdict == "differs"


def test_order_that_lacks_a_system_is_not_run(three: list[Answer]) -> None:
    line = order_of("best > gone", "order[accuracy]", *three, Answer("gone", "x", reason="no weights"))
    assert (line.verdict, line.reason) == ("not run", "no weights")
    assert order_of("x > y", "order of filter shapes", *three).verdict == "not run"


def test_order_of_stand_ins_is_never_judged(tmp_path: Path) -> None:
    pair = [answered(tmp_path, [flat(n, 290)] * 2, row, standing="synthesised") for row, n in (("a", 200), ("b", 100))]
    assert order_of("a > b", "order[accuracy]", *pair).verdict == "stand-in"


DATA = {
    "n_clips": 30, "minutes": 15.0,
    "classes": {
        "a": {"train": 8, "valid": 1, "test": 1, "unknown": 4, "minutes": 5.0, "rms_mean": 0.1, "rms_sd": 0.05},
        "b": {"train": 16, "valid": 2, "test": 2, "unknown": 0, "minutes": 10.0, "rms_mean": 0.2, "rms_sd": 0.04},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "value"),
    [("n_classes", 2), ("cardinality[1]", 20), ("cardinality[2]", 10), ("n_present[a]", 10), ("n_absent[a]", 16),
     ("n_labels", 56), ("clip_seconds", 30.0), ("rms_mean", 0.1), ("rms_sd", 0.05)],
)  # fmt: skip
def test_data_are_counted(quantity: str, value: float) -> None:
    assert measured(quantity, Answer("row", "task", data=DATA, of_class="a")).value == pytest.approx(value)


def test_loudness_has_the_interval_of_a_large_sample_and_a_limit_of_its_own() -> None:
    def line(n: int, value: str) -> Line:
        row = {"train": n, "valid": 0, "test": 0, "unknown": 0, "rms_mean": 0.1, "rms_sd": 0.05}
        data = {"n_clips": n, "minutes": 1.0, "classes": {"a": row}}
        return compare([number(value, "rms_mean", "full scale")], [Answer("row", "task", data=data, of_class="a")])[0]

    assert (line(100, "0.10").low, line(100, "0.10").high) == pytest.approx((0.0902, 0.1098), abs=1e-4)
    assert [line(100, value).verdict for value in ("0.10", "0.11", "0.12")] == ["agrees", "agrees", "differs"]
    assert line(25, "0.11").verdict == "cannot tell"


def test_data_without_audio_have_no_loudness() -> None:
    silent = {**DATA, "minutes": None, "classes": {"a": {**DATA["classes"]["a"], "rms_mean": None, "rms_sd": None}}}  # type: ignore[index]
    for quantity in ("rms_mean", "clip_seconds"):
        with pytest.raises(Unanswered, match="its audio is not here"):
            measured(quantity, Answer("row", "task", data=silent, of_class="a"))
