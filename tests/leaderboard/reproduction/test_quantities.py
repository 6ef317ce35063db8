"""Every kind of quantity of a printed table, measured on records with known scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import classification_report, log_loss

from mirbench import metrics
from mirbench.leaderboard.reproduction.answers import Answer, Unanswered
from mirbench.leaderboard.reproduction.printed import read_printed
from mirbench.leaderboard.reproduction.scored import box_of
from mirbench.leaderboard.reproduction.verdicts import compare
from mirbench.types import Split
from tests.leaderboard.reproduction.on_record import TAGS, answered, end, flat, measured, number, tags


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


def test_interval_of_an_error_on_few_clips_ends_within_0_and_100_percent(tmp_path: Path) -> None:
    answer = answered(tmp_path, [flat(3, 4)], history=history((0.95, 1.0), (0.0, 1.0)), n_clips={"valid": 20})
    found = compare([number("50", f"valid-error[{epoch}]", "percent") for epoch in (1, 2)], [answer])
    assert [0 <= line.low < line.ours <= line.high <= 100 for line in found] == [True, True]


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
