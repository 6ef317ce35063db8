"""Printed results beside ours: the rule, every kind of quantity, and the command, on records with known scores."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind
from sklearn.metrics import classification_report, log_loss

from mirbench import metrics
from mirbench.leaderboard.reproduction.answers import Answer, Measured, Unanswered
from mirbench.leaderboard.reproduction.printed import Printed, read_printed
from mirbench.leaderboard.reproduction.quantities import measure
from mirbench.leaderboard.reproduction.rule import Verdict
from mirbench.leaderboard.reproduction.scored import box_of
from mirbench.leaderboard.reproduction.side_by_side import as_csv, as_json, as_markdown, summary
from mirbench.leaderboard.reproduction.verdicts import Line, compare, systems_of
from mirbench.leaderboard.results import System, questions
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs import sweep
from mirbench.runs.plan import draft_plan
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.runs.suite import read_suite, shipped, titles
from mirbench.runs.suite_runs import Entry
from mirbench.runs.sweep import Result, as_demo, shortened
from mirbench.types import Clip, Split, Task, Windowing

if TYPE_CHECKING:
    from tests.conftest import Answer as Typed

Lines = dict[tuple[str, str], dict[str, Any]]
"""Lines of a table by row and quantity."""

SPEC = RunSpec(
    "tones", "1", 0, Windowing(), "probe", "1", {"epochs": 7}, {}, "tiny", "1", {}, "a" * 64, "b" * 64, "float32", 0
)
FLAT = Task(
    "tones", "1", "for tests", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: [], "tones", 4, 1.0
)
TAGS = replace(FLAT, kind="multi-label", classes=("a", "b", "c", "d", "e"), metrics=("two-class-macro-f1",))
OF_TAGS = ("two-class-macro-f1", "macro-f1", "roc-auc")


def flat(right: int, n_clips: int) -> tuple[Split, np.ndarray]:
    """Clips of two classes, the first `right` of which get their own."""
    true = np.arange(n_clips) % 2
    said = np.where(np.arange(n_clips) < right, true, 1 - true)
    clips = tuple(Clip(f"{n:05}", None, "test", (FLAT.classes[k],)) for n, k in enumerate(true))
    return Split(FLAT, clips), np.eye(2)[said] * 0.8 + 0.1


def tags(seed: int, n_clips: int = 300) -> tuple[Split, np.ndarray]:
    """Clips of five tags, each judged for about two thirds of them; the more frequent a tag, the better it is found."""
    rng = np.random.default_rng(0)  # the same clips, whatever the seed
    there = rng.random((n_clips, 5)) < np.linspace(0.2, 0.8, 5)
    unknown = rng.random((n_clips, 5)) < 1 / 3
    noise = np.random.default_rng(seed).random((n_clips, 5))
    scores = np.where(noise < np.linspace(0.4, 0.1, 5), 1 - there, there) * 0.6 + 0.2
    clips = tuple(
        Clip(
            f"{n:05}", None, "test", tuple(np.array(TAGS.classes)[row]),
            unknown=tuple(np.array(TAGS.classes)[masked & ~row]),
        )
        for n, (row, masked) in enumerate(zip(there, unknown, strict=True))
    )  # fmt: skip
    return Split(TAGS, clips), scores


def put(root: Path, spec: RunSpec, test: tuple[Split, np.ndarray], **facts: Any) -> None:
    split, scores = test
    names = OF_TAGS if split.task.kind == "multi-label" else ("accuracy", "balanced-accuracy")
    found = metrics.evaluate(names, scores, split.targets())
    given = {"n_trainable": 17_356, "classes": split.task.classes, "kind": split.task.kind, "metrics": found} | facts
    RunStore(root).write(RunRecord(spec, "done", **given), Scores.of(split, scores))


def answered(root: Path, tests: Sequence[tuple[Split, np.ndarray]], row: str = "row", **facts: Any) -> Answer:
    """A system with a seed for each of these predictions."""
    for seed, test in enumerate(tests):
        put(root, replace(SPEC, seed=seed, method=row), test, **facts)
    system = next(s for question in questions(root) for s in question.systems if s.record.spec.method == row)
    return Answer(row, system.name, (system,), standing=system.record.standing)


def number(value: str, quantity: str = "accuracy", unit: str = "fraction", **fields: Any) -> Printed:
    known = {"sd": None, "n_seeds": None, "n_clips": None, "same_clips": True, "dead": 0, "where": "p. 1", "note": ""}
    return Printed("t", fields.pop("row", "row"), quantity, value, unit, **(known | fields))


def verdict_of(printed: Printed, answer: Answer) -> Verdict:
    (line,) = compare([printed], [answer])
    return line.verdict


# The rule


def end(right: int, n_clips: int, side: int) -> float:
    """An end of Wilson's interval, by scipy."""
    found = binomtest(right, n_clips).proportion_ci(method="wilson")
    return float(found[side])


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


# Quantities


def measured(quantity: str, answer: Answer, **others: list[Answer]) -> Measured:
    return measure(quantity, answer, others)


def test_error_and_its_interval_are_those_of_accuracy_turned_round(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(70, 100)])
    accuracy, error = measured("accuracy", answer), measured("error", answer)
    assert accuracy.low is not None
    assert (error.value, error.high) == (pytest.approx(0.3), pytest.approx(1 - accuracy.low))


def test_parts_of_a_box_are_those_of_the_seeds(tmp_path: Path) -> None:
    right = [500, 600, 610, 620, 900]
    answer = answered(tmp_path, [flat(n, 1000) for n in right])
    parts = ("median", "lower-quartile", "upper-quartile", "lower-whisker", "upper-whisker", "outlier")
    found = [measured(f"{part}[accuracy]", answer) for part in parts]
    assert [part.value for part in found] == pytest.approx([0.61, 0.6, 0.62, 0.6, 0.62, 0.5])
    assert [part.kind for part in found] == ["estimate"] + 5 * ["shown"]
    mean = measured("accuracy", answer)
    assert mean.low is not None
    assert found[0].low == pytest.approx(mean.low + 0.61 - 0.646)


def test_whiskers_are_matplotlibs_on_the_papers_own_runs() -> None:
    """Of AST-CNNRP's four runs none but the outlier lies below the box, which its whisker does not leave: 77.10."""
    found = box_of([74.17, 78.08, 78.45, 78.50])
    printed = {n.quantity: float(n.value) for n in read_printed(["chen2022-figure4"]) if n.row == "AST-CNNRP"}
    for part, value in found.items():
        assert value == pytest.approx(printed[f"{part}[two-class-macro-f1]"], abs=0.001)


def test_box_without_an_outlier_shows_none(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(n, 1000) for n in (600, 610, 620)])
    (line,) = compare([number("1", "outlier[accuracy]")], [answer])
    assert (line.verdict, line.ours) == ("shown", None)


def test_best_seed_has_the_interval_of_its_own_clips(tmp_path: Path) -> None:
    found = measured("best-seed[accuracy]", answered(tmp_path, [flat(n, 1000) for n in (600, 700, 650)]))
    assert (found.value, found.n_seeds) == (0.7, 3)
    assert (found.low, found.high) == (
        pytest.approx(end(700, 1000, 0), abs=1e-3), pytest.approx(end(700, 1000, 1), abs=1e-3),
    )  # fmt: skip


def test_loss_is_that_of_scikit_learn_averaged_over_seeds(tmp_path: Path) -> None:
    both = [flat(70, 100), flat(60, 100)]
    found = measured("loss", answered(tmp_path, both))
    expected = np.mean([log_loss(split.class_index(), scores) for split, scores in both])
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert found.low < expected < found.high


QUANTITIES = {
    "two-class-f1-per-class": lambda report: report["macro avg"]["f1-score"],
    "f1-per-class": lambda report: report["1"]["f1-score"],
    "absent-f1-per-class": lambda report: report["0"]["f1-score"],
    "weighted-f1-per-class": lambda report: report["weighted avg"]["f1-score"],
}


def report_of(split: Split, scores: np.ndarray, k: int) -> dict[str, Any]:
    targets = split.targets()
    known = targets.known[:, k]
    true, said = (targets.value[known, k] >= 0.5).astype(int), (scores[known, k] >= 0.5).astype(int)
    return dict(classification_report(true, said, output_dict=True))


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_numbers_of_a_class_are_those_of_scikit_learns_report(quantity: str, tmp_path: Path) -> None:
    test = tags(1)
    answer = answered(tmp_path, [test])
    for k, name in enumerate(TAGS.classes):
        found = measured(f"{quantity}[{name}]", answer)
        assert found.value == pytest.approx(QUANTITIES[quantity](report_of(*test, k)), abs=1e-6)
        assert found.low < found.value < found.high
        assert found.n_clips == int(test[0].targets().known[:, k].sum())


def test_weighted_f1_is_the_mean_of_the_reports(tmp_path: Path) -> None:
    test = tags(1)
    expected = np.mean([report_of(*test, k)["weighted avg"]["f1-score"] for k in range(5)])
    assert measured("weighted-f1", answered(tmp_path, [test])).value == pytest.approx(expected, abs=1e-6)


def test_class_of_a_single_label_task_has_no_threshold(tmp_path: Path) -> None:
    with pytest.raises(Unanswered, match="no class a of its own threshold"):
        measured("f1-per-class[a]", answered(tmp_path, [flat(3, 4)]))


def test_gain_is_the_difference_of_two_rows(tmp_path: Path) -> None:
    a, b = answered(tmp_path, [tags(1)], "one"), answered(tmp_path, [tags(2)], "other")
    quantity = "two-class-f1-per-class[b]"
    found = measured(f"gain over other[{quantity}]", a, other=[b])
    assert found.value == pytest.approx(measured(quantity, a).value - measured(quantity, b).value, abs=1e-9)
    with pytest.raises(Unanswered, match="nothing of other is on record"):
        measured(f"gain over other[{quantity}]", a)


def test_gain_over_other_clips_is_refused(tmp_path: Path) -> None:
    a = answered(tmp_path / "a", [flat(800, 1000)], "one")
    b = answered(tmp_path / "b", [flat(800, 900)], "other")
    with pytest.raises(Unanswered, match="other was tested on other clips"):
        measured("gain over other[accuracy]", a, other=[b])


def counts_of(n_present: Sequence[int]) -> dict[str, Any]:
    classes = zip(TAGS.classes, n_present, strict=True)
    return {"classes": {name: {"train": n // 2, "valid": 1, "test": n - n // 2 - 1} for name, n in classes}}


def test_correlation_is_that_of_all_positive_labels_and_f1(tmp_path: Path) -> None:
    tests, n_present = [tags(seed, 3000) for seed in (1, 2)], (900, 500, 700, 300, 100)
    counted = Answer("all", "tags", data=counts_of(n_present))
    asked = "correlation[n_present of all, two-class-f1-per-class]"
    found = measured(asked, answered(tmp_path, tests), all=[counted])
    f1 = [metrics.two_class_f1_per_class(scores, split.targets()) for split, scores in tests]
    assert found.value == pytest.approx(np.corrcoef(n_present, np.mean(f1, axis=0))[0, 1])
    assert -1 <= found.low < found.value < found.high <= 1
    each = [np.corrcoef(n_present, one)[0, 1] for one in f1]
    assert found.seeds is not None
    assert found.seeds.of_one == pytest.approx(np.std(each, ddof=1))
    with pytest.raises(Unanswered, match="not looked at"):
        measured(asked, answered(tmp_path, tests), all=[Answer("all", "tags", reason="not looked at")])


def test_printed_correlation_is_that_of_all_positives_and_the_papers_own_bars() -> None:
    """0.758 of all positive labels, as the notebook counts them, 0.744 of train's, 0.718 of test's; printed is 0.75."""
    bars = {n.quantity[len("two-class-f1-per-class[") : -1]: float(n.value)
            for n in read_printed(["chen2022-figure5"]) if n.row == "AST-BS"}  # fmt: skip
    n_present = {part: {n.quantity[len("n_present[") : -1]: int(n.value) for n in read_printed(["chen2022-rf"])
                        if n.row == f"OpenMIC {part}" and n.quantity.startswith("n_present")}
                 for part in ("train", "test")}  # fmt: skip
    train, test, f1 = ([of[name] for name in bars] for of in (n_present["train"], n_present["test"], bars))
    found = [np.corrcoef(n, f1)[0, 1] for n in (np.add(train, test), train, test)]
    assert found == pytest.approx([0.758, 0.744, 0.718], abs=5e-4)


def history(*rows: tuple[float, float]) -> list[dict[str, float]]:
    return [{"valid_score": score, "valid_loss": loss} for score, loss in rows]


def test_curve_of_valid_is_averaged_over_the_systems_of_a_row(tmp_path: Path) -> None:
    facts = {"n_clips": {"train": 8, "valid": 100, "test": 4}}
    one = answered(tmp_path / "a", [flat(3, 4)], history=history((0.5, 1.0), (0.6, 0.8)), **facts)
    two = answered(tmp_path / "b", [flat(3, 4)], history=history((0.7, 0.9), (0.4, 1.4)), **facts)
    asked = {"valid-error[1]": 40.0, "valid-error[2]": 50.0, "valid-error[least]": 40.0, "valid-loss[2]": 1.1,
             "valid-loss[least]": 0.95, "epoch-of-least[valid-loss]": 1.0}  # fmt: skip
    units = ["percent" if "error" in name else "nats" for name in asked]
    lines = compare([number("1.0", name, unit) for name, unit in zip(asked, units, strict=True)], [one, two])
    assert [line.ours for line in lines] == pytest.approx(list(asked.values()))
    assert {line.n_models for line in lines} == {2}
    assert [line.verdict for line in lines] == 3 * ["differs"] + 2 * ["cannot tell"] + ["shown"]


def test_curve_lacks_an_epoch_that_was_not_trained(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(3, 4)], history=history((0.5, 1.0)), n_clips={"valid": 9})
    (line,) = compare([number("1", "valid-error[15]")], [answer])
    assert (line.verdict, line.reason) == ("not run", "its runs have 1 of 15 epochs")


def test_curve_of_a_row_that_lacks_a_model_is_not_run(tmp_path: Path) -> None:
    there = answered(tmp_path, [flat(3, 4)], history=history((0.5, 1.0)), n_clips={"valid": 9})
    (line,) = compare([number("1", "valid-error[1]")], [there, Answer("row", "y", reason="it failed")])
    assert (line.verdict, line.reason) == ("not run", "it failed")


def searched(tmp_path: Path, **changes: Any) -> Answer:
    points = [(0.1, 1, 0.9), (0.1, 2, 0.7), (0.2, 1, 0.6), (0.2, 2, 0.4), (0.3, 1, 0.1)]
    trials = [
        {"params": {"lr": lr, "decay": d}, "valid_score": 1.0, "seconds": 1.0, "valid_scores": [1.0, s, 0.0],
         "valid_losses": [2.0, 1.0 - s, 1.0], **changes} for lr, d, s in points
    ]  # fmt: skip
    return answered(tmp_path, [flat(3, 4)], trials=trials, chosen={"lr": 0.1})


def test_errors_of_searched_models_are_averaged_by_a_hyperparameter_after_an_epoch(tmp_path: Path) -> None:
    answer = searched(tmp_path)
    asked = {
        "least by lr after 2": 0.2, "greatest by lr after 2": 0.9, "mean by lr from 0.1 to 0.2 after 2": 0.35,
        "least by decay after 2": 0.45, "greatest by lr after 3": 1.0, "greatest by lr ever": 0.0,
    }  # fmt: skip
    found = {name: measured(f"trials-error[{name}]", answer).value for name in asked}
    assert found == pytest.approx(asked)
    assert (measured("n_models", answer).value, measured("chosen[lr]", answer).value) == (5, 0.1)
    assert measured("chosen[lr]", answer).kind == "shown"


def test_losses_of_searched_models_are_lowest_where_their_mean_is(tmp_path: Path) -> None:
    answer = searched(tmp_path)
    asked = {"least by lr ever": 0.2, "greatest by lr ever": 0.9, "greatest by lr after 1": 2.0}
    assert {name: measured(f"trials-loss[{name}]", answer).value for name in asked} == pytest.approx(asked)


@pytest.mark.parametrize(
    ("quantity", "changes", "reason"),
    [
        ("trials-error[least by lr after 4]", {}, "its models have 3 of 4 epochs"),
        ("trials-error[least by lr after 2]", {"valid_scores": []}, "no curves of the models that it searched"),
        ("trials-loss[least by lr from 7 to 8 ever]", {}, "no model has lr from 7 to 8"),
    ],
)
def test_curves_of_a_search_that_are_not_there_are_not_compared(
    quantity: str, changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(Unanswered, match=reason):
        measured(quantity, searched(tmp_path, **changes))


def test_settings_and_times_are_read_from_records(tmp_path: Path) -> None:
    """An epoch reads the rows of its eight clips from the cache, or computes them, half a second each."""
    facts = {"seconds": {"epoch": 2.5, "frozen_clip": 0.5}, "n_clips": {"train": 8}}
    answer = answered(tmp_path, [flat(3, 4), flat(4, 4)], **facts)
    asked = [number("10:08", f"epoch_seconds[{how}]", "min:s") for how in ("cached", "recomputed")]
    lines = compare([number("7", "epochs", "count"), *asked], [answer])
    assert [(line.verdict, line.ours) for line in lines] == [("agrees", 7), ("shown", 2.5), ("shown", 6.5)]


def test_epoch_whose_frozen_part_was_not_timed_says_so(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(3, 4)], seconds={"epoch": 2.5}, n_clips={"train": 8})
    with pytest.raises(Unanswered, match="was not timed"):
        measured("epoch_seconds[recomputed]", answer)


def test_ratio_is_that_of_two_rows(tmp_path: Path) -> None:
    slow, fast = (answered(tmp_path, [flat(3, 4)], row, seconds={"epoch": n}) for row, n in (("a", 8.0), ("b", 3.2)))
    assert measured("ratio over b[epoch_seconds[cached]]", slow, b=[fast]).value == pytest.approx(2.5)
    with pytest.raises(Unanswered, match="nothing of b is on record"):
        measured("ratio over b[epoch_seconds[cached]]", slow)


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


# Finding the runs


def found(root: Path, spec: RunSpec, *folders: str) -> list[System]:
    return systems_of([spec], questions(root), folders)


def test_systems_are_found_whatever_audio_weights_and_seeds(tmp_path: Path) -> None:
    for seed in (0, 1):
        put(tmp_path, replace(SPEC, seed=seed), flat(3, 4))
    put(tmp_path, replace(SPEC, audio_sha256="c" * 64), flat(4, 4))
    put(tmp_path, replace(SPEC, params={"epochs": 8}), flat(4, 4))
    bare = replace(SPEC, audio_sha256="", source_sha256="", seed=5)
    assert [len(system.seeds) for system in found(tmp_path, bare)] == [2, 1]
    just_done = str(RunStore(tmp_path).folder(replace(SPEC, audio_sha256="c" * 64)))
    assert [len(system.seeds) for system in found(tmp_path, bare, just_done)] == [1, 2]


# What is written


LINES = [
    Line(
        number("0.828", sd=0.017, n_seeds=5, note="a <b>|note</b>"),
        "agrees",
        0.81,
        0.77,
        0.85,
        5,
        None,
        290,
        "x|y",
        "",
        -0.018,
        -0.041,
        0.005,
    ),
    Line(number("60.1", "n_trainable", "millions", dead=1_500_000), "differs", 50.0, by="big"),
    Line(number("9", row="[left](x)"), "not run", reason="no audio"),
]


def test_markdown_has_both_numbers_and_the_rule() -> None:
    text = as_markdown("Title", "Somebody (2023)", LINES, ["DEMO"])
    row = [cell.strip() for cell in text.splitlines()[8].split(" | ")]
    assert row == [
        "| row", "accuracy", "0.828 ± 0.017", "0.8100", "0.7700 – 0.8500", "-0.0180 (-0.0410 to +0.0050)",
        "5 seeds, 290 clips", "agrees", "x\\|y |",
    ]  # fmt: skip
    assert "50.00 + 1.50" in text
    assert all(words in text for words in ("1 agrees, 1 differs, 1 not run.", "Rule: ", "* no audio: ", "DEMO"))
    assert "<b>" not in text


def test_systems_of_many_numbers_get_a_line_each() -> None:
    """Five bars of one system, of which the third is 3 points off; the count beside them is of another unit."""
    bars = [
        Line(number(f"{50 + k}.00", f"f1-per-class[{k}]", "percent"), "agrees", 50 + k + 3.0 * (k == 2), by="sys")
        for k in range(5)
    ]
    text = as_markdown("Title", "", [*bars, Line(number("7", "n_trainable", "count"), "agrees", 7, by="sys")])
    row = [cell.strip() for cell in text.splitlines()[4].strip("| ").split(" | ")]
    assert row == ["row", "5", "52.000 %", "52.600 %", "+3.000, f1-per-class[2]", "5 agrees", "sys"]
    assert "greatest gap" not in as_markdown("Title", "", bars[:4])


def test_csv_and_json_hold_the_same_lines() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(LINES))))
    held = json.loads(as_json("Title", "Somebody (2023)", LINES))
    assert [row["verdict"] for row in rows] == [line["verdict"] for line in held["lines"]] == [
        "agrees", "differs", "not run",
    ]  # fmt: skip
    assert (rows[0]["printed"], rows[0]["ours"], rows[2]["ours"]) == ("0.828", "0.81", "")
    assert (held["lines"][0]["n_clips"], held["lines"][2]["ours"]) == (290, None)
    assert summary(LINES) == "1 agrees, 1 differs, 1 not run"


# The command


def right_of(method: str) -> int:
    return {"ii-nmr": 100, "id-nmr": 233, "ids-nmr": 240}[method]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Records of what hung2022's Table 1 asks of AST with its own head, as if they had been done on the real audio."""
    catalogue, root = Catalogue(), tmp_path / "recorded"
    for entry in read_suite("hung2022-table1", catalogue, {}).entries:
        if entry.request.source == "ast" and "source_head" not in entry.request.params:
            for spec in draft_plan(entry.request, catalogue).specs:
                done = replace(spec, audio_sha256="b" * 64, source_sha256="a" * 64)
                put(root, done, flat(right_of(spec.method), 290))
    return root


def lines_of(answer: Typed) -> Lines:
    return {(line["row"], line["quantity"]): line for line in json.loads(answer.out)["lines"]}


def without_control(answer: Typed) -> Lines:
    lines = [line for line in json.loads(answer.out)["lines"] if "source_head" not in line["by"]]
    return {(line["row"], line["quantity"]): line for line in lines}


def test_command_judges_what_is_on_record(recorded: Path, typed: Callable[..., Typed]) -> None:
    """II-NMR got 0.345 for 0.503, ID-NMR 0.803 for 0.802, IDS-NMR 0.828 as printed; SpeechATT was not run.

    Its five seeds are alike, so that chance is that of the paper's: 2.776 × 0.017 / √5 = 0.021 for IDS-NMR.
    """
    answer = typed("reproduce", "hung2022-table1", "--no-run", "--runs", recorded, "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    lines = without_control(answer)
    told = {row: (line["verdict"], line["n_seeds"], line["n_clips"]) for (row, _), line in lines.items()}
    assert told["IDS-NMR, AST"] == ("agrees", 5, 290)
    assert told["ID-NMR, AST"] == ("agrees", 5, 290)
    assert told["II-NMR, AST"] == ("differs", 5, 290)
    assert told["ID-NMR, SpeechATT"][0] == "not run"
    assert lines["ID-NMR, AST", "accuracy"]["ours"] == pytest.approx(233 / 290)
    ids = lines["IDS-NMR, AST", "accuracy"]
    assert ids["difference"] == pytest.approx(240 / 290 - 0.828)
    assert ids["difference_high"] - ids["difference"] == pytest.approx(0.0211 + 0.0005, abs=1e-4)
    assert "not on record" in lines["ID-NMR, SpeechATT", "accuracy"]["reason"]
    control = [line for line in json.loads(answer.out)["lines"] if "source_head=random-frozen" in line["by"]]
    assert [(line["row"], line["verdict"]) for line in control] == [
        ("II-NMR, AST", "not run"), ("ID-NMR, AST", "not run"), ("IDS-NMR, AST", "not run"),
    ]  # fmt: skip


def shown_of(typed: Callable[..., Typed], *words: Any) -> dict[str, str]:
    """Verdicts of the rows of Table 1."""
    answer = typed("reproduce", "hung2022-table1", "--no-run", "--format", "json", *words)
    assert answer.code == 0, answer.err
    return {row: line["verdict"] for (row, _), line in without_control(answer).items()}


def test_command_finds_runs_of_another_precision_and_of_other_seeds(
    tmp_path: Path, typed: Callable[..., Typed]
) -> None:
    """As `mirbench sweep hung2022-table1 --precision bfloat16 --seeds 7,9` leaves them."""
    catalogue, root = Catalogue(), tmp_path / "half"
    suite = read_suite("hung2022-table1", catalogue, {"precision": "bfloat16"}, {"seeds": "7,9"})
    (entry,) = (e for e in suite.entries if e.row == "IDS-NMR, AST" and not e.request.params)
    for spec in draft_plan(entry.request, catalogue).specs:
        put(root, replace(spec, audio_sha256="b" * 64, source_sha256="a" * 64), flat(240, 290))
    assert shown_of(typed, "--runs", root)["IDS-NMR, AST"] == "not run"
    assert shown_of(typed, "--runs", root, "--precision", "bfloat16")["IDS-NMR, AST"] == "agrees"


def test_command_finds_one_fold_where_one_is_asked_for(tmp_path: Path, typed: Callable[..., Typed]) -> None:
    text = "printed = ['hung2022-table2']\n[[run]]\ntask = 'gtzan-mini'\nmethod = 'prior'\nrow = 'BL-CNN, CNN'\n"
    Path("own.toml").write_text(text)
    catalogue = Catalogue()
    (entry,) = read_suite("own.toml", catalogue, {}, {"fold": 2}).entries
    for spec in draft_plan(entry.request, catalogue).specs:
        put(tmp_path / "runs", replace(spec, audio_sha256="b" * 64), flat(20, 290), n_folds=5)
    asked = ("reproduce", "own.toml", "--no-run", "--format", "json", "--runs", tmp_path / "runs")
    all_folds, one = (lines_of(typed(*asked, *words))["BL-CNN, CNN", "accuracy"] for words in ((), ("--fold", "2")))
    assert (all_folds["verdict"], one["n_seeds"]) == ("not run", 1)


def test_command_answers_only_the_rows_that_are_asked_for(recorded: Path, typed: Callable[..., Typed]) -> None:
    rows = ["IDS-NMR, AST", "II-NMR, AST"]
    assert list(shown_of(typed, "--runs", recorded, "--only", rows[0], "--only", rows[1])) == rows[::-1]
    claim = "what depends on the input is better, on AST"
    words = ("--no-run", "--runs", recorded, "--only", claim, "--format", "json")
    (line,) = json.loads(typed("reproduce", "hung2022-claims", *words).out)["lines"]
    assert (line["row"], line["verdict"], line["by"]) == (claim, "agrees", "IDS-NMR, AST over ID-NMR, AST")
    answer = typed("reproduce", "hung2022-table1", "--only", "IDS-NMR, ATS")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "No row of hung2022-table1 is called 'IDS-NMR, ATS'. Did you mean 'IDS-NMR, AST'?" in answer.err


def test_command_tells_what_its_runs_cost_before_they_are_done(
    typed: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two passes of 2790 windows in each of 100 epochs are 1.46 · 10^17 operations of AST: 10^6 s on this machine."""
    monkeypatch.setattr("mirbench.runs.costs.measured_flops", lambda device: 1.5e11)
    told = {}
    for row in ("II-NMR, AST", "IDS-NMR, AST"):
        answer = typed("reproduce", "hung2022-table1", "--dry-run", "--only", row, "--seeds", "1")
        assert answer.code == 0
        told[row] = next(line for line in answer.out.splitlines() if "nmr + ast  " in line)
    assert " 11 d 5 h" in told["II-NMR, AST"]
    assert re.search(r" 2:\d\d h\s*$", told["IDS-NMR, AST"])
    assert not Path("runs").exists()


def test_command_without_data_runs_nothing_and_says_so(typed: Callable[..., Typed], tmp_path: Path) -> None:
    answer = typed("reproduce", "hung2022-table3", "--quiet", "--format", "json")
    lines = lines_of(answer)
    assert (answer.code, {line["verdict"] for line in lines.values()}) == (0, {"not run"})
    assert all("no such folder" in line["reason"] for line in lines.values())
    assert not (tmp_path / "work" / "runs").exists()


def test_command_lists_the_suites(typed: Callable[..., Typed]) -> None:
    listed = typed("reproduce", "--list")
    assert [line.split()[0] for line in listed.out.splitlines()] == sorted(titles(printed=True))
    assert set(shipped()) - set(titles(printed=True)) == {"every-method", "from-scratch"}


def test_command_says_which_suite_is_no_papers(typed: Callable[..., Typed]) -> None:
    answer = typed("reproduce", "every-method")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert answer.err.startswith("mirbench: every-method: no printed table belongs to it")


def test_command_writes_a_file(recorded: Path, typed: Callable[..., Typed]) -> None:
    answer = typed("reproduce", "hung2022-table1", "--no-run", "--runs", recorded, "--output", "table.md")
    text = Path("table.md").read_text(encoding="utf-8")
    assert (answer.code, answer.out, answer.err.strip()) == (
        0, "", "2 agrees, 1 differs, 6 not run; written to table.md",
    )  # fmt: skip
    assert text.startswith("# hung2022, Table 1: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "reproduce which suite? `mirbench reproduce --list` names them"),
        (("hung2022-table4",), "No suite of a printed table is called 'hung2022-table4'. Did you mean 'hung2022-table"),
        (("own.toml",), "own.toml: no printed table belongs to it"),
        (("hung2022-table1", "--data", "gone"), "--data gone: no such folder"),
        (("hung2022-table1", "--format", "tex"), "--format tex: one of md, csv, json is needed"),
        (("hung2022-table1", "--output", "gone/t.md"), "--output gone/t.md: there is no folder gone"),
    ],
)
def test_command_refuses_in_one_line(words: tuple[str, ...], says: str, typed: Callable[..., Typed]) -> None:
    Path("own.toml").write_text("[[run]]\ntask = 'gtzan'\nmethod = 'prior'\n")
    answer = typed("reproduce", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert answer.err.startswith(f"mirbench: {says}")


def test_suite_of_a_user_may_name_a_printed_table(typed: Callable[..., Typed]) -> None:
    text = "printed = ['hung2022-table2']\n[[run]]\ntask = 'gtzan'\nmethod = 'prior'\nrow = 'BL-CNN, CNN'\n"
    Path("own.toml").write_text(text)
    answer = typed("reproduce", "own.toml", "--no-run", "--format", "csv")
    assert (answer.code, len(answer.out.splitlines())) == (0, 10)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[data]]\ntask = 'gtzan'\nrows = { Blues = 'blus' }\n", "[[data]] 1: No class of gtzan is called 'blus'"),
        ("[[data]]\ntask = 'gtzan'\nsplits = ['trian']\n", "[[data]] 1: No split is called 'trian'"),
        ("[[data]]\nrow = 'x'\n", "[[data]] 1: task is needed"),
        ("[[data]]\ntask = 'gtzan'\nrowz = 'x'\n", "[[data]] 1 is called 'rowz'"),
        ("[[run]]\ntask = 'gtzan'\nmethod = 'prior'\neach = { x = [] }\n", "[[run]] 1: each x: a list"),
        ("[[run]]\ntask = 'gtzan'\nmethod = 'prior'\neach = { x = [1] }\n", "No hyperparameter of prior"),
    ],
)
def test_keys_of_reproduce_are_refused_where_they_are_wrong(text: str, says: str, typed: Callable[..., Typed]) -> None:
    Path("own.toml").write_text(text)
    answer = typed("reproduce", "own.toml")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert says in answer.err


def test_sweep_of_a_suite_without_runs_is_refused(typed: Callable[..., Typed]) -> None:
    for words in ((), ("--dry-run",), ("--demo",)):
        answer = typed("sweep", "shtern2017-table4", *words)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert "it asks for no run, only what data are" in answer.err


def test_each_makes_a_run_of_every_combination(tmp_path: Path) -> None:
    text = (
        "[defaults]\ntask = 'gtzan'\nmethod = 'probe-forest'\nsource = 'nano'\n"
        "row = '{n_trees} of {max_depth} on {source}'\n"
        "[[run]]\nset = { standardise = false }\n"
        "each = { n_trees = [10, 20], max_depth = { from = 2, to = 4, step = 2 } }\n"
    )
    (tmp_path / "s.toml").write_text(text)
    entries = read_suite(str(tmp_path / "s.toml"), Catalogue(), {}).entries
    assert [entry.row for entry in entries] == [
        "10 of 2 on nano", "10 of 4 on nano", "20 of 2 on nano", "20 of 4 on nano",
    ]  # fmt: skip
    assert entries[1].request.params == {"standardise": False, "n_trees": 10, "max_depth": 4}
    assert not any(entry.request.search for entry in entries)


# The demos


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all demos: stand-ins are synthesised once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shown(made: Path, typed: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Lines]:
    """``shown(suite)``: the lines of its demo, which learns for one epoch here, for that fills its table as well."""
    monkeypatch.setenv("MIRBENCH_CACHE", str(made))
    short = sweep._short

    def briefly(entry: Entry, catalogue: Catalogue) -> Entry:
        once = {"epochs": 1} if "epochs" in entry.demo_set else {}
        return short(replace(entry, demo_set={**entry.demo_set, **once}), catalogue)

    monkeypatch.setattr(sweep, "_short", briefly)
    return lambda name: demo(name, typed)


def demo(name: str, typed: Callable[..., Typed]) -> Lines:
    answer = typed("reproduce", name, "--demo", "--quiet", "--threads", "1", "--format", "json")
    assert answer.code == 0, answer.err
    held = json.loads(answer.out)
    assert held["notes"][0].startswith("DEMO: ")
    assert {line["verdict"] for line in held["lines"]} <= {"stand-in", "not run"}
    assert all(line["reason"] for line in held["lines"] if line["verdict"] == "not run")
    return {(line["row"], line["quantity"]): line for line in held["lines"]}


@pytest.mark.slow
def test_demo_counts_labels_and_runs_the_forest(shown: Callable[[str], Lines]) -> None:
    lines = shown("chen2022-rf")
    assert {line["verdict"] for line in lines.values()} == {"stand-in"}
    total = sum(
        lines[f"OpenMIC {part}", f"{n}[violin]"]["ours"]
        for part in ("train", "test")
        for n in ("n_present", "n_absent")
    )
    of_test = lines["RF", "two-class-f1-per-class[violin]"]["n_clips"]
    assert 0 < of_test == sum(lines["OpenMIC test", f"{n}[violin]"]["ours"] for n in ("n_present", "n_absent")) < total


@pytest.mark.slow
def test_demo_gives_claims_their_numbers(shown: Callable[[str], Lines]) -> None:
    lines = shown("chen2022-claims")
    gain = lines["AST-URP", "gain over AST-BS[two-class-f1-per-class[accordion]]"]
    assert -100 <= gain["low"] <= gain["ours"] <= gain["high"] <= 100
    assert {line["by"] for line in lines.values()} >= {
        "openmic-demo",
        "openmic-demo: ast-bs + nano (epochs=1, lr=0.003)",
        "openmic-demo: unet-rp + nano (epochs=1, lr=0.003)",
    }


def test_demo_of_pictures_asks_the_picture_stand_in_for_a_small_grid_and_every_epoch() -> None:
    catalogue = Catalogue()
    suite = read_suite("rommel2023-sweep1", catalogue, {})
    (entry,) = shortened(as_demo(suite, catalogue), catalogue).entries
    request = entry.request
    assert (entry.unable, request.task, request.source, request.seeds) == (
        "",
        "gtzan-pictures-demo",
        "nano",
        (0,),
    )
    assert request.params["epochs"] == 25  # what the printed figures are read at
    assert [(len(values), values[0], values[-1]) for values in request.search.values()] == [
        (6, 0.001, 0.01),
        (3, 0.005, 0.015),
    ]


def test_demo_does_no_run_twice_and_learns_for_some_epochs() -> None:
    """AST and SpeechATT are both nano: the second of them is left out, with the row that has its run."""
    catalogue = Catalogue()
    entries = shortened(as_demo(read_suite("hung2022-table1", catalogue, {}), catalogue), catalogue).entries
    assert [entry.unable for entry in entries if entry.row == "ID-NMR, AST"] == [
        "left out of the demo, where it is the run of ID-NMR, SpeechATT", "",
    ]  # fmt: skip
    assert [e.request.params for e in entries if e.row == "IDS-NMR, SpeechATT"] == [{"epochs": 20, "lr": 3e-3}]


def test_demo_takes_weights_that_are_given(tmp_path: Path) -> None:
    """A file that is there is not replaced by nano, and then its row is no other's."""
    catalogue = Catalogue()
    (tmp_path / catalogue.source("speechatt").weights[0].file_name).write_bytes(b"weights")
    suite = read_suite("hung2022-table1", catalogue, {"weights": tmp_path})
    entries = shortened(as_demo(suite, catalogue), catalogue).entries
    assert [e.request.source for e in entries if e.row == "ID-NMR, SpeechATT"] == ["speechatt"]
    assert not any(entry.unable for entry in entries)


def test_demo_tells_no_line_twice(typed: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirbench.runs.sweep.run_suite", lambda suite, *_, **__: [
        Result(entry, reason=entry.unable or "not on record") for entry in suite.entries
    ])  # fmt: skip
    answer = typed("reproduce", "hung2022-table2", "--demo", "--quiet", "--format", "json")
    held = json.loads(answer.out)
    assert held["notes"][1] == "Left out, for stand-ins make them the runs of other rows: BL-R-AST, AST."
    assert "BL-R-AST, AST" not in {line["row"] for line in held["lines"]}


def test_demo_of_taggers_asks_one_task_for_windows_side_by_side() -> None:
    catalogue = Catalogue()
    suite = read_suite("nam-benchmark", catalogue, {})
    entries = shortened(as_demo(suite, catalogue), catalogue).entries
    done = [entry.request for entry in entries if not entry.unable]
    assert (len(entries), len(done)) == (36, 14)  # twelve, and Musicnn's two of MSD
    assert {request.windowing.windows for request in done} == {"nonoverlap"}
    assert {entry.unable for entry in entries} == {
        "",
        "left out of the demo, which does the same on magnatagatune-demo",
    }


@pytest.mark.slow
def test_demo_of_pictures_trains_the_small_grid(shown: Callable[[str], Lines]) -> None:
    lines = shown("rommel2023-sweep1")
    row = "sweep 1, max val accuracy"
    assert (lines[row, "n_models"]["ours"], lines[row, "epochs"]["ours"]) == (18, 25)
    assert 0 < lines[row, "accuracy"]["ours"] <= 100
    assert lines[row, "error"]["by"].startswith("gtzan-pictures-demo: picture-mlp + nano")


TESTED_ABOVE = {"chen2022-rf", "chen2022-claims", "rommel2023-sweep1"}
TOO_LONG = {"nam-benchmark"}  # trains fourteen taggers, ten minutes; what its demo asks for is tested above


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(titles(printed=True)) - TESTED_ABOVE - TOO_LONG))
def test_demo_of_every_suite_fills_its_table(name: str, shown: Callable[[str], Lines]) -> None:
    lines = shown(name)
    assert any(line["verdict"] == "stand-in" and line["ours"] is not None for line in lines.values())
