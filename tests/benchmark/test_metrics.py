"""Scores of predictions, against scikit-learn called directly, brute force, and properties."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from mirbench.metrics import METRICS, evaluate, n_scored, validate
from mirbench.types import Clip, Split, Targets, Task

SEED = st.integers(0, 2**32 - 1)
SHAPE = {"seed": SEED, "n_clips": st.integers(2, 40), "n_classes": st.integers(2, 6)}
VALUES = tuple(
    name for name, metric in METRICS.items() if metric.kind == "value" and metric.task_kinds != ("regression",)
)
MULTI = tuple(name for name, metric in METRICS.items() if "multi-label" in metric.task_kinds)
SINGLE = tuple(name for name, metric in METRICS.items() if "single-label" in metric.task_kinds)
quick = settings(max_examples=40, deadline=None, database=None)


def single_label(seed, n_clips, n_classes, *, ties=True):
    generator = np.random.default_rng(seed)
    scores = generator.random((n_clips, n_classes)).astype(np.float32)
    if ties:
        scores = np.round(scores, 1)
    labels = generator.integers(n_classes, size=n_clips)
    value = np.eye(n_classes, dtype=np.float32)[labels]
    return scores, Targets(value, np.ones(value.shape, dtype=bool), "single-label"), labels


def multi_label(seed, n_clips, n_classes, *, masked=0.3):
    """Random labels, some of them unjudged; the first clip holds two classes."""
    generator = np.random.default_rng(seed)
    scores = np.round(generator.random((n_clips, n_classes)), 1).astype(np.float32)
    value = (generator.random(scores.shape) < 0.4).astype(np.float32)
    known = generator.random(scores.shape) >= masked
    value[0, :2], known[0, :2] = 1, True
    return scores, Targets(value, known, "multi-label")


def brute_roc_auc(positive, scores):
    """Probability that a positive scores above a negative, ties counted half."""
    above, below = scores[positive], scores[~positive]
    if not len(above) or not len(below):
        return math.nan
    difference = above[:, None].astype(float) - below[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def brute_average_precision(positive, scores):
    """Sum of precision times the gain in recall, from the highest score downwards, equals together."""
    if not positive.any() or positive.all():
        return math.nan
    total, before = 0.0, 0.0
    for level in np.unique(scores)[::-1]:
        chosen = scores >= level
        recall = (positive & chosen).sum() / positive.sum()
        total += (recall - before) * (positive & chosen).sum() / chosen.sum()
        before = recall
    return total


def compute(name, scores, targets):
    return METRICS[name].function(scores, targets)


@quick
@given(**SHAPE)
def test_accuracy_equals_sklearn(seed, n_clips, n_classes):
    scores, targets, labels = single_label(seed, n_clips, n_classes)
    wanted = reference.accuracy_score(labels, [row.tolist().index(row.max()) for row in scores])
    assert compute("accuracy", scores, targets) == pytest.approx(wanted)


@quick
@given(**SHAPE)
def test_balanced_accuracy_equals_sklearn(seed, n_clips, n_classes):
    scores, targets, labels = single_label(seed, n_clips, n_classes)
    # The recall of the classes that occur; balanced_accuracy_score is the same and warns of the others.
    wanted = reference.recall_score(labels, scores.argmax(axis=1), labels=np.unique(labels), average="macro")
    assert compute("balanced-accuracy", scores, targets) == pytest.approx(wanted)


@quick
@given(**SHAPE, multi=st.booleans())
def test_precision_and_recall_equal_sklearn_class_by_class(seed, n_clips, n_classes, multi):
    make = multi_label if multi else single_label
    scores, targets = make(seed, n_clips, n_classes)[:2]
    chosen = scores >= 0.5 if multi else np.eye(n_classes, dtype=bool)[scores.argmax(axis=1)]
    for name, function in (("precision", reference.precision_score), ("recall", reference.recall_score)):
        wanted = []
        for k in range(n_classes):
            known = targets.known[:, k]
            true, said = targets.value[known, k] >= 0.5, chosen[known, k]
            defined = said.any() if name == "precision" else true.any()
            wanted.append(function(true, said) if defined else math.nan)
        np.testing.assert_allclose(compute(f"{name}-per-class", scores, targets), wanted)
        defined = [value for value in wanted if not math.isnan(value)]
        found = compute(f"macro-{name}", scores, targets)
        assert found == pytest.approx(np.mean(defined)) if defined else math.isnan(found)


@quick
@given(**SHAPE)
def test_confusion_equals_sklearn(seed, n_clips, n_classes):
    scores, targets, labels = single_label(seed, n_clips, n_classes)
    wanted = reference.confusion_matrix(labels, scores.argmax(axis=1), labels=range(n_classes))
    np.testing.assert_array_equal(compute("confusion", scores, targets), wanted)


@quick
@given(**SHAPE)
def test_f1_of_single_label_equals_sklearn(seed, n_clips, n_classes):
    scores, targets, labels = single_label(seed, n_clips, n_classes)
    wanted = reference.f1_score(
        labels, scores.argmax(axis=1), labels=range(n_classes), average=None, zero_division=np.nan
    )
    np.testing.assert_allclose(compute("f1-per-class", scores, targets), wanted)


@quick
@given(**SHAPE)
def test_f1_of_multi_label_equals_sklearn(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes, masked=0)
    wanted = reference.f1_score(targets.value >= 0.5, scores >= 0.5, average=None, zero_division=np.nan)
    np.testing.assert_allclose(compute("f1-per-class", scores, targets), wanted)


@quick
@given(**SHAPE)
def test_f1_of_masked_labels_equals_sklearn_on_the_judged_ones(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    for k, got in enumerate(compute("f1-per-class", scores, targets)):
        known = targets.known[:, k]
        if known.any():
            wanted = reference.f1_score(
                targets.value[known, k] >= 0.5,
                scores[known, k] >= 0.5,
                labels=[True],
                average=None,
                zero_division=np.nan,
            )
            np.testing.assert_allclose(got, wanted[0])


@quick
@given(**SHAPE)
def test_macro_f1_equals_sklearn(seed, n_clips, n_classes):
    scores, targets, labels = single_label(seed, n_clips, n_classes)
    wanted = reference.f1_score(
        labels, scores.argmax(axis=1), labels=range(n_classes), average="macro", zero_division=np.nan
    )
    assert compute("macro-f1", scores, targets) == pytest.approx(wanted)


@quick
@given(**SHAPE)
def test_roc_auc_equals_the_pairwise_definition(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    known, value = targets.known, targets.value >= 0.5
    wanted = [brute_roc_auc(value[known[:, k], k], scores[known[:, k], k]) for k in range(n_classes)]
    np.testing.assert_allclose(compute("roc-auc-per-class", scores, targets), wanted)


@quick
@given(**SHAPE)
def test_roc_auc_equals_sklearn_one_against_the_rest(seed, n_clips, n_classes):
    scores, targets, labels = single_label(seed, n_clips, n_classes)
    assume(len(np.unique(labels)) == n_classes)
    if n_classes == 2:
        wanted = np.mean([reference.roc_auc_score(labels == k, scores[:, k]) for k in range(2)])
    else:
        probabilities = (scores + 0.01) / (scores + 0.01).sum(axis=1, keepdims=True)
        wanted = reference.roc_auc_score(labels, probabilities, multi_class="ovr")
        scores = probabilities
    assert compute("roc-auc", scores, targets) == pytest.approx(wanted)


@quick
@given(**SHAPE)
def test_pr_auc_equals_its_definition(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    known, value = targets.known, targets.value >= 0.5
    wanted = [brute_average_precision(value[known[:, k], k], scores[known[:, k], k]) for k in range(n_classes)]
    np.testing.assert_allclose(compute("pr-auc-per-class", scores, targets), wanted)


@quick
@given(**SHAPE)
def test_pr_auc_equals_sklearn_macro(seed, n_clips, n_classes):
    scores, targets, labels = single_label(seed, n_clips, n_classes)
    assume(len(np.unique(labels)) == n_classes)
    wanted = reference.average_precision_score(targets.value, scores, average="macro")
    assert compute("pr-auc", scores, targets) == pytest.approx(wanted)


AREAS = {"roc-auc-per-class": reference.roc_auc_score, "pr-auc-per-class": reference.average_precision_score}
LOOKS = {
    "all different": lambda scores: scores,
    "ties": lambda scores: np.round(scores, 1),
    "constant": lambda scores: np.full_like(scores, 0.3),
    "hard decisions": np.round,
    "tiny": lambda scores: scores * 1e-40,
    "zeros of either sign": lambda scores: np.copysign(0.0, scores - 0.5),
}


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("name", AREAS)
@settings(quick, max_examples=8)
@given(seed=SEED, n_clips=st.integers(1, 60), n_classes=st.integers(1, 6), share=st.sampled_from([0.02, 0.4, 0.98]))
def test_areas_equal_sklearn_class_by_class_to_twelve_digits(name, look, kind, seed, n_clips, n_classes, share):
    generator = np.random.default_rng(seed)
    scores = look(generator.random((n_clips, n_classes))).astype(kind)
    value = (generator.random(scores.shape) < share).astype(np.float32)
    known = generator.random(scores.shape) >= generator.choice([0, 0.3, 0.9])
    found = compute(name, scores, Targets(value, known, "multi-label"))
    for k in range(n_classes):
        positive, score = value[known[:, k], k] >= 0.5, scores[known[:, k], k]
        if len(np.unique(positive)) < 2:
            assert math.isnan(found[k])
        else:
            assert found[k] == pytest.approx(AREAS[name](positive, score), rel=0, abs=1e-12)


@pytest.mark.parametrize("name", AREAS)
def test_area_is_the_same_however_many_classes_are_taken_at_once(name, monkeypatch):
    scores, targets = multi_label(0, 50, 6)
    wanted = compute(name, scores, targets)
    for at_once in (1, 50, 120, 10_000):
        monkeypatch.setattr("mirbench.areas._AT_ONCE", at_once)
        np.testing.assert_array_equal(compute(name, scores, targets), wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["roc-auc", "pr-auc"])
def test_area_refuses_a_score_that_is_not_finite_where_it_counts(name, value):
    scores, targets = multi_label(1, 20, 3)
    targets.known[5] = False
    strange = scores.copy()
    strange[5] = value
    assert compute(name, strange, targets) == compute(name, scores, targets)
    targets.known[5] = True
    with pytest.raises(ValueError, match="3 of 60 scores are not finite"):
        compute(name, strange, targets)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.per_class])
def test_mean_over_classes_that_is_asked_for_with_its_classes_is_the_one_alone_to_the_bit(name):
    scores, targets = multi_label(2, 40, 5)
    assert evaluate((name, METRICS[name].per_class), scores, targets)[name] == evaluate((name,), scores, targets)[name]


def test_metrics_load_no_scikit_learn():
    code = """
import sys, numpy as np
from mirbench.metrics import METRICS, SINGLE_LABEL, evaluate
from mirbench.types import Targets
evaluate(SINGLE_LABEL, np.eye(3), Targets(np.eye(3), np.ones((3, 3), bool), "single-label"))
print("sklearn" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("macro", "each"),
    [("macro-f1", "f1-per-class"), ("roc-auc", "roc-auc-per-class"), ("pr-auc", "pr-auc-per-class")],
)
@quick
@given(**SHAPE)
def test_macro_is_the_mean_over_the_defined_classes(macro, each, seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    values = [value for value in compute(each, scores, targets) if not math.isnan(value)]
    assert compute(macro, scores, targets) == pytest.approx(
        sum(values) / len(values) if values else math.nan, nan_ok=True
    )


@quick
@given(**SHAPE)
def test_metrics_do_not_depend_on_the_order_of_clips(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    order = np.random.default_rng(seed).permutation(n_clips)
    shuffled = evaluate(MULTI, scores[order], Targets(targets.value[order], targets.known[order], targets.kind))
    for name, value in evaluate(MULTI, scores, targets).items():
        assert shuffled[name] == pytest.approx(value)


@quick
@given(**SHAPE)
def test_single_label_metrics_do_not_depend_on_the_order_of_clips(seed, n_clips, n_classes):
    scores, targets, _ = single_label(seed, n_clips, n_classes)
    order = np.random.default_rng(seed).permutation(n_clips)
    shuffled = evaluate(SINGLE, scores[order], Targets(targets.value[order], targets.known[order], targets.kind))
    for name, value in evaluate(SINGLE, scores, targets).items():
        np.testing.assert_allclose(np.array(shuffled[name], dtype=float), np.array(value, dtype=float))


@quick
@given(**SHAPE)
def test_values_do_not_depend_on_the_order_of_classes(seed, n_clips, n_classes):
    scores, targets, _ = single_label(seed, n_clips, n_classes, ties=False)
    order = np.random.default_rng(seed).permutation(n_classes)
    shuffled = evaluate(VALUES, scores[:, order], Targets(targets.value[:, order], targets.known, targets.kind))
    assert shuffled == pytest.approx(evaluate(VALUES, scores, targets))


@quick
@given(**SHAPE)
def test_per_class_values_follow_the_order_of_classes(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    order = np.random.default_rng(seed).permutation(n_classes)
    shuffled = Targets(targets.value[:, order], targets.known[:, order], targets.kind)
    for name in (name for name in MULTI if METRICS[name].kind == "per-class"):
        wanted = compute(name, scores, targets)[order]
        np.testing.assert_allclose(compute(name, scores[:, order], shuffled), wanted)


@quick
@given(**SHAPE)
def test_perfect_scores_give_one(seed, n_clips, n_classes):
    _, targets, _ = single_label(seed, n_clips, n_classes)
    found = evaluate(VALUES, targets.value, targets)
    assert found.pop("ece") == 0.0
    defined = [value for value in found.values() if value is not None]
    assert defined == pytest.approx([1.0] * len(defined))
    assert found["accuracy"] == 1.0


@quick
@given(**SHAPE)
def test_perfect_scores_of_multi_label_give_one(seed, n_clips, n_classes):
    _, targets = multi_label(seed, n_clips, n_classes)
    found = evaluate(tuple(set(VALUES) & set(MULTI)), targets.value, targets)
    assert found.pop("ece") == 0.0
    assert all(value in (None, pytest.approx(1.0)) for value in found.values())
    assert found["macro-f1"] == pytest.approx(1.0)


@quick
@given(**SHAPE)
def test_roc_auc_of_reversed_scores_is_the_complement(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    forward = compute("roc-auc-per-class", scores, targets)
    np.testing.assert_allclose(compute("roc-auc-per-class", 1 - scores, targets), 1 - forward, atol=1e-12)


@quick
@given(**SHAPE)
def test_unjudged_labels_count_nowhere(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    noise = np.random.default_rng(seed + 1)
    hidden = ~targets.known
    other_scores, other_value = scores.copy(), targets.value.copy()
    other_scores[hidden] = noise.random(hidden.sum())
    other_value[hidden] = noise.integers(2, size=hidden.sum())
    assert evaluate(MULTI, other_scores, Targets(other_value, targets.known, targets.kind)) == evaluate(
        MULTI, scores, targets
    )


def test_the_first_of_equal_scores_is_predicted():
    scores = np.array([[0.5, 0.5], [0.5, 0.5]], dtype=np.float32)
    targets = Targets(np.eye(2, dtype=np.float32), np.ones((2, 2), dtype=bool), "single-label")
    assert compute("confusion", scores, targets).tolist() == [[1, 0], [1, 0]]


def test_confusion_has_true_classes_as_rows():
    scores = np.array([[0.1, 0.9, 0.0]], dtype=np.float32)
    targets = Targets(np.array([[1, 0, 0]], dtype=np.float32), np.ones((1, 3), dtype=bool), "single-label")
    assert compute("confusion", scores, targets).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_multi_label_predicts_what_scores_a_half_or_more():
    scores = np.array([[0.5, 0.5, 0.49], [0.9, 0.1, 0.49]], dtype=np.float32)
    targets = Targets(np.array([[1, 1, 1], [1, 0, 1]], dtype=np.float32), np.ones((2, 3), dtype=bool), "multi-label")
    assert compute("f1-per-class", scores, targets).tolist() == [1.0, 1.0, 0.0]


def test_multi_label_task_whose_clips_hold_one_class_each_is_still_multi_label():
    """What a task predicts is a matter of its kind, not of which labels a test set happens to have."""
    task = Task("tags", "1", "", "multi-label", ("a", "b"), ("macro-f1",), lambda root, fold: [], "tags", 2, 1.0)
    clips = tuple(Clip(name, Path(name), "test", (name,)) for name in ("a", "b"))
    scores = np.array([[0.9, 0.8], [0.8, 0.9]], dtype=np.float32)
    found = evaluate(("f1-per-class",), scores, Split(task, clips).targets())
    assert found["f1-per-class"] == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("name", ["roc-auc", "pr-auc"])
def test_auc_of_clips_that_are_all_one_way_is_none(name, value):
    scores = np.linspace(0, 1, 6, dtype=np.float32).reshape(3, 2)
    targets = Targets(np.full((3, 2), value, dtype=np.float32), np.ones((3, 2), dtype=bool), "multi-label")
    assert evaluate((name, f"{name}-per-class"), scores, targets) == {name: None, f"{name}-per-class": [None, None]}


def test_f1_of_a_class_neither_there_nor_predicted_is_none():
    scores = np.array([[0.9, 0.1, 0.9], [0.9, 0.1, 0.1]], dtype=np.float32)
    targets = Targets(np.array([[1, 0, 1], [1, 0, 0]], dtype=np.float32), np.ones((2, 3), dtype=bool), "multi-label")
    assert evaluate(("f1-per-class",), scores, targets)["f1-per-class"] == [1.0, None, 1.0]


def test_f1_of_a_class_predicted_but_not_there_is_zero():
    scores = np.array([[0.9, 0.9, 0.9], [0.9, 0.1, 0.1]], dtype=np.float32)
    targets = Targets(np.array([[1, 0, 1], [1, 0, 0]], dtype=np.float32), np.ones((2, 3), dtype=bool), "multi-label")
    assert evaluate(("f1-per-class",), scores, targets)["f1-per-class"] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("name", METRICS)
def test_metric_of_no_clips_is_undefined(name):
    empty = np.zeros((0, 3), dtype=np.float32)
    found = evaluate((name,), empty, Targets(empty, np.zeros((0, 3), dtype=bool), METRICS[name].task_kinds[0]))[name]
    assert found == {"value": None, "per-class": [None] * 3, "matrix": [[0] * 3] * 3}[METRICS[name].kind]


@pytest.mark.parametrize("name", MULTI)
def test_metric_of_clips_that_nobody_judged_is_undefined(name):
    scores = np.full((4, 3), 0.7, dtype=np.float32)
    found = evaluate(
        (name,), scores, Targets(np.ones((4, 3), dtype=np.float32), np.zeros((4, 3), dtype=bool), "multi-label")
    )[name]
    assert found == {"value": None, "per-class": [None] * 3}[METRICS[name].kind]


def test_n_scored_counts_the_classes_that_are_defined():
    found = {
        "roc-auc": 0.7,
        "roc-auc-per-class": [0.9, None, 0.5],
        "macro-f1": None,
        "f1-per-class": [None, None, None],
    }
    assert n_scored(found) == {"roc-auc": 2, "macro-f1": 0}


def test_n_scored_leaves_out_a_macro_without_its_classes():
    assert n_scored({"roc-auc": 0.7, "accuracy": 0.5}) == {}


@quick
@given(**SHAPE)
def test_n_scored_of_roc_auc_is_the_number_of_classes_with_both_kinds_of_clip(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    columns = [targets.value[targets.known[:, k], k] for k in range(n_classes)]
    wanted = sum(len(set(column.tolist())) == 2 for column in columns)
    assert n_scored(evaluate(("roc-auc", "roc-auc-per-class"), scores, targets)) == {"roc-auc": wanted}


@quick
@given(**SHAPE)
def test_evaluate_gives_what_strict_json_knows(seed, n_clips, n_classes):
    import json

    scores, targets, _ = single_label(seed, n_clips, n_classes)
    found = evaluate(SINGLE, scores, targets)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(("name", "metric"), METRICS.items())
def test_metric_is_called_as_its_row_of_the_table(name, metric):
    assert metric.name == name


def check(scores, value=None):
    value = np.zeros((2, 3), dtype=np.float32) if value is None else value
    validate(np.array(scores, dtype=np.float32), Targets(value, np.ones(value.shape, dtype=bool), "single-label"), 2, 3)


def test_validate_accepts_probabilities():
    check([[0.0, 0.5, 1.0], [0.2, 0.2, 0.6]])


def test_validate_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(2, 2\); \(2, 3\) = \(clips, classes\)"):
        check([[0.1, 0.2], [0.3, 0.4]])


def test_validate_refuses_targets_of_another_shape():
    with pytest.raises(ValueError, match=r"targets have shape \(2, 4\), scores \(2, 3\)"):
        check(np.zeros((2, 3)), np.zeros((2, 4), dtype=np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_validate_counts_predictions_that_are_not_finite(value):
    with pytest.raises(ValueError, match="1 of 6 predictions are not finite"):
        check([[0.1, value, 0.3], [0.3, 0.3, 0.4]])


@pytest.mark.parametrize("value", [-0.2, 3.5])
def test_validate_guesses_logits_outside_of_the_unit_interval(value):
    with pytest.raises(ValueError, match="did you return logits"):
        check([[0.1, value, 0.3], [0.3, 0.3, 0.4]])


# The F1 of a class and of its absence

quicker = settings(quick, max_examples=20)


def of_report(true, guess):
    """The macro average of scikit-learn's report on the clips of one class."""
    report = reference.classification_report(true, guess, output_dict=True, zero_division=0)
    return report["macro avg"]["f1-score"]


@quicker
@given(**SHAPE)
def test_two_class_f1_equals_the_macro_average_of_sklearns_report_on_the_judged_ones(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    for k, got in enumerate(compute("two-class-f1-per-class", scores, targets)):
        known = targets.known[:, k]
        if not known.any():
            assert math.isnan(got)
        else:
            wanted = of_report(targets.value[known, k] >= 0.5, scores[known, k] >= 0.5)
            assert got == pytest.approx(wanted)


@quicker
@given(**SHAPE)
def test_two_class_macro_f1_is_the_mean_over_the_judged_classes(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    judged = [k for k in range(n_classes) if targets.known[:, k].any()]
    wanted = np.mean(
        [
            of_report(targets.value[known, k] >= 0.5, scores[known, k] >= 0.5)
            for k in judged
            if (known := targets.known[:, k]).any()
        ]
    )
    assert compute("two-class-macro-f1", scores, targets) == pytest.approx(wanted)


@quicker
@given(**SHAPE)
def test_two_class_f1_takes_presence_and_absence_alike(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    scores = np.where(scores == 0.5, 0.6, scores).astype(np.float32)  # a half counts as present
    turned = Targets(1 - targets.value, targets.known, targets.kind)
    np.testing.assert_allclose(
        compute("two-class-f1-per-class", 1 - scores, turned), compute("two-class-f1-per-class", scores, targets)
    )


@quicker
@given(**SHAPE)
def test_two_class_f1_of_rare_classes_is_not_below_half_of_their_f1(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    both, present = (compute(name, scores, targets) for name in ("two-class-f1-per-class", "f1-per-class"))
    defined = ~np.isnan(present)
    assert (both[defined] >= present[defined] / 2 - 1e-12).all()


def test_two_class_f1_of_a_rare_class_that_is_never_found_is_nearly_a_half():
    """Why chen2022's numbers stand far above others' F1: 0.495 here, where the F1 is 0."""
    value = np.zeros((100, 2), dtype=np.float32)
    value[0] = 1
    targets = Targets(value, np.ones(value.shape, dtype=bool), "multi-label")
    found = evaluate(("two-class-macro-f1", "macro-f1"), np.zeros((100, 2), dtype=np.float32), targets)
    assert found == {"two-class-macro-f1": pytest.approx(198 / 199 / 2), "macro-f1": 0.0}


def test_two_class_f1_of_a_class_neither_there_nor_predicted_is_that_of_its_absence():
    targets = Targets(np.zeros((3, 1), dtype=np.float32), np.ones((3, 1), dtype=bool), "multi-label")
    assert evaluate(("two-class-f1-per-class",), np.zeros((3, 1), dtype=np.float32), targets) == {
        "two-class-f1-per-class": [1.0]
    }


@quicker
@given(**SHAPE)
def test_soft_labels_are_made_hard_at_a_half(seed, n_clips, n_classes):
    scores, targets = multi_label(seed, n_clips, n_classes)
    soft = np.where(targets.value == 1, 0.5, 0.49).astype(np.float32)
    assert evaluate(MULTI, scores, Targets(soft, targets.known, targets.kind)) == evaluate(MULTI, scores, targets)


def test_n_scored_of_two_class_macro_f1_counts_the_judged_classes():
    scores, targets = multi_label(0, 6, 3)
    targets.known[:, 2] = False
    found = evaluate(("two-class-macro-f1", "two-class-f1-per-class"), scores, targets)
    assert n_scored(found) == {"two-class-macro-f1": 2}


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.per_class])
def test_per_class_values_of_a_macro_are_in_the_table(name):
    assert METRICS[METRICS[name].per_class].kind == "per-class"
    assert METRICS[METRICS[name].per_class].over_folds == METRICS[name].over_folds


def test_ece_is_how_far_the_scores_of_a_bin_are_from_the_share_that_is_right():
    """Four clips said to be 0.9 likely, of which two are right; one of 0.6 that is right."""
    scores = np.array([[0.9, 0.1]] * 4 + [[0.4, 0.6]], dtype=np.float32)
    value = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], dtype=np.float32)
    targets = Targets(value, np.ones_like(value, dtype=bool), "single-label")
    assert METRICS["ece"].function(scores, targets) == pytest.approx((4 * 0.4 + 1 * 0.4) / 5)


def test_ece_of_labels_that_are_as_likely_as_they_are_said_to_be_is_zero():
    scores = np.full((4, 2), 0.25, dtype=np.float32)
    value = np.array([[1, 0], [0, 0], [0, 1], [0, 0]], dtype=np.float32)
    targets = Targets(value, np.ones_like(value, dtype=bool), "multi-label")
    assert METRICS["ece"].function(scores, targets) == 0.0
    assert METRICS["ece"].function(scores * 2, targets) == pytest.approx(0.25)
