"""Two systems on the same clips: who is called better, and what is said of clips, classes and costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from mirbench import metrics
from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.compare import Comparison, compare
from mirbench.leaderboard.compare_text import as_json, as_text
from mirbench.leaderboard.pair import find_pair
from mirbench.leaderboard.results import questions
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.types import Targets, Windowing

CLASSES = ("high", "low", "middle")
NAMES = ("accuracy", "macro-f1", "f1-per-class", "confusion")
SPEC = RunSpec(
    task="tones", task_version="1", fold=0, windowing=Windowing(), method="probe", method_version="1", params={},
    search={}, source="", source_version="", source_params={}, source_sha256="", audio_sha256="b" * 64,
    precision="float32", seed=0,
)  # fmt: skip


def write(root: Path, method: str, guess: Sequence[int], *, seed: int = 0, fold: int = 0, **facts: Any) -> RunRecord:
    """Put a run on record that says these classes of clips that are, in turn, high, low, middle, high …"""
    n = len(guess)
    value = np.eye(3, dtype=np.float32)[np.arange(n) % 3]
    scores = (0.8 * np.eye(3)[list(guess)] + 0.1).astype(np.float32) / np.float32(1.1)
    targets = Targets(value, np.ones(value.shape, dtype=np.bool_), "single-label")
    ids = np.array([f"{fold}-{k:04d}" for k in range(n)])
    groups = facts.pop("groups", np.full(n, ""))
    spec = replace(SPEC, method=method, seed=seed, fold=fold, **facts.pop("spec", {}))
    record = RunRecord(
        spec, "done", metrics=metrics.evaluate(NAMES, scores, targets), classes=CLASSES, kind="single-label", **facts
    )
    hashes = np.array([f"{k:016d}".encode() for k in range(n)], dtype="S16")
    RunStore(root).write(record, Scores(ids, scores, targets, hashes, groups))
    return record


def truth(n: int) -> np.ndarray:
    return np.arange(n) % 3


def wrong(n: int, where: Sequence[int]) -> np.ndarray:
    """The true classes, but for these clips, which get the next class."""
    guess = truth(n)
    guess[list(where)] = (guess[list(where)] + 1) % 3
    return guess


def compared(root: Path, a: str = "left", b: str = "right", metric: str = "") -> Comparison:
    return compare(*find_pair(root, (a, b)), metric)


# The verdict


def test_compare_p_of_one_seed_is_the_exact_test_of_mcnemar(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(60, range(3)))
    write(tmp_path, "right", wrong(60, range(2, 17)))
    found = compared(tmp_path)
    assert found.difference.p == pytest.approx(binomtest(2, 16).pvalue, rel=1e-9)
    assert found.difference.value == pytest.approx((15 - 3) / 60)


def test_compare_says_that_systems_cannot_be_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(20, range(3)))
    write(tmp_path, "right", wrong(20, range(2, 7)))
    assert compared(tmp_path).verdict == "left and right cannot be told apart on 20 clips."


@pytest.mark.parametrize("names", [("left", "right"), ("right", "left")])
def test_compare_names_the_better_one_whatever_the_order(tmp_path: Path, names: tuple[str, str]) -> None:
    write(tmp_path, "left", wrong(90, range(3)))
    write(tmp_path, "right", wrong(90, range(40)))
    assert compared(tmp_path, *names).verdict == "left is better than right on these 90 clips."


def test_compare_of_swapped_systems_is_the_negative(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(90, range(3)))
    write(tmp_path, "right", wrong(90, range(2, 15)))
    one, other = compared(tmp_path).difference, compared(tmp_path, "right", "left").difference
    assert (one.value, one.low, one.high, one.p) == pytest.approx((-other.value, -other.high, -other.low, other.p))


def test_compare_takes_another_metric(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(90, range(3)))
    write(tmp_path, "right", wrong(90, range(30)))
    found = compared(tmp_path, metric="macro-f1")
    expected = f1_score(truth(90), wrong(90, range(30)), average="macro")
    assert found.value_b == pytest.approx(expected, abs=1e-6)
    assert found.metric == "macro-f1"


def test_compare_of_an_unknown_metric_names_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(9))
    write(tmp_path, "right", truth(9))
    with pytest.raises(UnknownName, match="accuracy, ece, macro-f1"):
        compared(tmp_path, metric="loudness")
    with pytest.raises(UnknownName, match="Did you mean 'accuracy'"):
        compared(tmp_path, metric="acuracy")


def test_compare_of_equal_predictions_finds_no_difference(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(30, range(4)))
    write(tmp_path, "right", wrong(30, range(4)))
    found = compared(tmp_path)
    assert (found.difference.value, found.difference.p, found.clips) == (0, 1, ())


# Clips, classes, costs


def test_compare_lists_the_clips_that_changed_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(12, [0, 1, 2]))
    write(tmp_path, "right", wrong(12, [2, 3]))
    changed = {clip.clip: (clip.a, clip.b, clip.true, clip.guess_a, clip.guess_b) for clip in compared(tmp_path).clips}
    assert changed == {
        "0-0000": (0, 1, "high", "low", "high"),
        "0-0001": (0, 1, "low", "middle", "low"),
        "0-0003": (1, 0, "high", "high", "low"),
    }


def test_compare_counts_a_clip_by_the_share_of_seeds_that_are_right(tmp_path: Path) -> None:
    for seed, missed in enumerate(([0], [0], [])):
        write(tmp_path, "left", wrong(12, missed), seed=seed)
        write(tmp_path, "right", wrong(12, [5]), seed=seed)
    (first, second) = compared(tmp_path).clips
    assert (first.clip, first.a, first.b) == ("0-0005", 1, 0)
    assert (second.clip, second.a, second.b, second.guess_a) == ("0-0000", pytest.approx(1 / 3), 1, "low")


def test_compare_gives_f1_of_each_class(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(30, range(4)))
    write(tmp_path, "right", wrong(30, range(9)))
    expected = f1_score(truth(30), wrong(30, range(9)), average=None)
    assert [k.b for k in compared(tmp_path).classes] == pytest.approx(list(expected), abs=1e-6)
    assert [(k.name, k.n_clips) for k in compared(tmp_path).classes] == [(name, 10) for name in CLASSES]


def test_compare_leaves_out_times_of_different_machines(tmp_path: Path) -> None:
    for method, processor in (("left", "one"), ("right", "another")):
        write(tmp_path, method, truth(9), seconds={"train": 1.0}, environment={"processor": processor})
    assert "training, s" not in {cost.name for cost in compared(tmp_path).costs}


def test_compare_gives_the_ratio_of_costs_of_one_machine(tmp_path: Path) -> None:
    for method, train in (("left", 2.0), ("right", 8.0)):
        write(tmp_path, method, truth(9), seconds={"train": train}, environment={"processor": "one"}, n_trainable=1000)
    lines = {line.split("  ")[1]: line.split() for line in as_text(compared(tmp_path)).splitlines() if "ing, s" in line}
    assert lines["training, s"][-3:] == ["2", "8", "0.25"]


def test_compare_by_an_error_calls_the_lower_one_better(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(60))
    write(tmp_path, "right", wrong(60, range(20)))
    high = compared(tmp_path)
    low = replace(high, metric="ece")
    assert high.verdict.startswith("left is better than right")
    assert low.verdict.startswith("right is better than left")
    unsure = replace(high, difference=replace(high.difference, low=-0.1, high=0.3, p=0.5))
    assert "A may be 0.300 better, or 0.100 worse" in as_text(unsure)
    assert "A may be 0.100 better, or 0.300 worse" in as_text(replace(unsure, metric="ece"))


def test_compare_is_one_screen(tmp_path: Path) -> None:
    write(tmp_path, "left", wrong(300, range(100)))
    write(tmp_path, "right", wrong(300, range(90, 250)))
    text = as_text(compared(tmp_path))
    assert len(text.splitlines()) <= 40
    assert text.splitlines()[0] == compared(tmp_path).verdict
    assert "… and 232 more" in text  # of 240 clips


@pytest.mark.parametrize("places", [(0, 12), (30, 42), (58, 70)])
def test_compare_cuts_long_names_where_they_are_the_same(places: tuple[int, int], tmp_path: Path) -> None:
    """Whether what tells them apart stands at their beginning, in their middle, or at their end."""
    shared = "concert of the second evening, recorded live in the great hall by the engineers of"
    names = [f"{shared[: places[0]]}{n:02}{shared[places[0] :]}" for n in range(4)]
    found = compared_with_names(tmp_path, names)
    cells = [line[:32].strip() for line in as_text(found).splitlines() if "…" in line[:34]]
    assert len({*cells}) == len(cells) == 4
    assert all(f"{n}" in cell and len(cell) <= 28 for n, cell in enumerate(sorted(cells)))
    assert all(name in as_text(found, whole=True) for name in names)


def compared_with_names(root: Path, names: list[str]) -> Comparison:
    write(root, "left", truth(4))
    write(root, "right", wrong(4, range(4)))
    found = compared(root)
    clips = tuple(replace(clip, clip=name) for clip, name in zip(found.clips, names, strict=True))
    return replace(found, clips=clips)


# What is compared


def test_compare_uses_the_folds_that_both_have(tmp_path: Path) -> None:
    for fold in range(2):
        write(tmp_path, "left", wrong(9, range(fold)), fold=fold, n_folds=2)
    write(tmp_path, "right", truth(9), fold=1, n_folds=2)
    found = compared(tmp_path)
    assert (found.folds, found.difference.n_clips, found.value_a) == ((1,), 9, pytest.approx(8 / 9))
    assert "On fold 1 alone, which both have." in found.notes


def test_compare_uses_the_seeds_that_both_have(tmp_path: Path) -> None:
    for seed in range(4):
        write(tmp_path, "left", wrong(9, range(seed)), seed=seed)
    for seed in (1, 2, 7):
        write(tmp_path, "right", truth(9), seed=seed)
    found = compared(tmp_path)
    assert (found.seeds_a, found.seeds_b) == ((1, 2), (1, 2))
    assert found.value_a == pytest.approx((8 + 7) / 18)


def test_compare_uses_every_seed_beside_a_single_one_and_says_so(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path, "left", wrong(9, range(seed)), seed=seed)
    write(tmp_path, "right", truth(9), seed=5)
    found = compared(tmp_path)
    assert (found.seeds_a, found.seeds_b) == ((0, 1, 2), (5,))
    assert any(note.startswith("right: one seed") for note in found.notes)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"task_version": "2"}, "version"),
        ({"windowing": Windowing("hopped16")}, "windowing"),
    ],
)
def test_compare_refuses_answers_to_another_question(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    write(tmp_path, "left", truth(9))
    write(tmp_path, "right", truth(9), spec=change)
    with pytest.raises(BadInput, match=f"cannot be compared: they differ in .*{word}"):
        compared(tmp_path)


def test_compare_says_of_which_task_each_is(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(9))
    write(tmp_path, "right", truth(9), spec={"task": "noises"})
    with pytest.raises(BadInput, match=r"^left is a result of tones, right of noises; name two of one task"):
        compared(tmp_path)


def test_compare_takes_the_task_of_both(tmp_path: Path) -> None:
    for task in ("tones", "noises"):
        write(tmp_path, "left", truth(9), spec={"task": task})
        write(tmp_path, "right", wrong(9, [0]), spec={"task": task})
    with pytest.raises(BadInput, match="several things"):
        compared(tmp_path)
    key = RunStore(tmp_path).find("noises/right")[0][1].spec.key
    for b in ("right", "noises/right", key):
        found = compare(*find_pair(tmp_path, ("left", b), task="noises"))
        assert (found.task, found.name_b, found.value_a) == ("noises", "right", 1.0)


def test_compare_proposes_a_name_of_the_task_that_was_meant(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(9))
    with pytest.raises(UnknownName, match=r"Did you mean 'tones/left'\?"):
        find_pair(tmp_path, ("left", "lefd"), task="tones")


def test_compare_refuses_other_test_clips(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(9))
    write(tmp_path, "right", truth(12))
    with pytest.raises(BadInput, match="test clips or labels differ"):
        compared(tmp_path)


def test_compare_refuses_a_system_with_itself(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(9))
    with pytest.raises(BadInput, match="the same system"):
        compared(tmp_path, "left", "left")


def test_compare_asks_which_settings_are_meant_and_takes_either_key(tmp_path: Path) -> None:
    for lr in (1, 2):
        write(tmp_path, "left", wrong(9, range(lr)), spec={"params": {"lr": lr}})
    record = write(tmp_path, "right", truth(9))
    with pytest.raises(BadInput, match=r"2 settings; name one of\n  left@[0-9a-f]{8}: lr=\d .*\n  left@"):
        compared(tmp_path)
    (question,) = questions(tmp_path)
    for system in question.systems:
        if system.record.spec.method == "left":
            for name in (system.name, f"tones/{system.name}", f"left@{system.key}"):
                assert compared(tmp_path, name).name_a == system.name
            assert compared(tmp_path, f"left@{system.record.spec.key[:9]}").name_a == system.name
            assert compared(tmp_path, system.key, record.spec.key).name_a == system.name


def test_compare_of_a_run_without_result_says_why(tmp_path: Path) -> None:
    write(tmp_path, "left", truth(9))
    RunStore(tmp_path).write(RunRecord(replace(SPEC, method="right"), "failed", "no luck"))
    with pytest.raises(BadInput, match="failed: no luck"):
        compared(tmp_path)


# The command


def test_compare_command_prints_the_verdict_first(typed: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "runs", "left", wrong(90, range(3)))
    write(tmp_path / "runs", "right", wrong(90, range(40)))
    answer = typed("compare", "left", "tones/right", "--runs", tmp_path / "runs")
    assert answer.code == 0
    assert answer.out.startswith("left is better than right on these 90 clips.\n")


def test_metric_that_is_not_on_record_is_computed_from_the_scores(typed: Callable[..., Any], tmp_path: Path) -> None:
    for fold in (0, 1):
        for method, n_wrong in (("left", 3), ("right", 40)):
            write(tmp_path / "runs", method, wrong(90, range(n_wrong + fold)), fold=fold, n_folds=2)
    found = compare(*find_pair(tmp_path / "runs", ("left", "right")), "ece")
    store, value = RunStore(tmp_path / "runs"), {}
    for method in ("left", "right"):
        joined = Scores.joined([store.scores(folder) for folder, _ in store.find(method)])
        value[method] = metrics.evaluate(("ece",), joined.scores, joined.targets)["ece"]
    assert (found.value_a, found.value_b) == (value["left"], value["right"])
    answer = typed("compare", "left", "right", "--metric", "ece", "--runs", tmp_path / "runs")
    assert answer.code == 0
    said = " ".join(answer.out.split())
    assert "No ece on record of left and right: it is computed from the scores." in said
    assert "computed from the scores" not in typed("compare", "left", "right", "--runs", tmp_path / "runs").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chords/left", "right"), "chords/left says its task, chords, and --task says tones; leave one of them out"),
        (("left", "chords/nobody"), "chords/nobody says its task, chords, and --task says tones"),
        (("left", "songs/right"), "No run below"),
    ],
)
def test_name_of_another_task_than_is_given_is_refused_in_a_line(
    words: tuple[str, str], said: str, typed: Callable[..., Any], tmp_path: Path
) -> None:
    for task in ("tones", "chords"):
        for method in ("left", "right"):
            write(tmp_path / "runs", method, truth(9), spec={"task": task})
    answer = typed("compare", *words, "--task", "tones", "--runs", tmp_path / "runs")
    assert (answer.code, len(answer.err.strip().splitlines())) == (2, 1)
    assert said in answer.err


def test_compare_command_gives_strict_json(typed: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "runs", "left", wrong(90, range(3)))
    write(tmp_path / "runs", "right", wrong(90, range(40)))
    answer = typed("compare", "left", "right", "--runs", tmp_path / "runs", "--format", "json")
    held = json.loads(answer.out, parse_constant=lambda word: pytest.fail(word))
    assert held == json.loads(json.dumps(as_json(compared(tmp_path / "runs"))))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("left", "nobody"), "No run below"),
        (("left", "right", "--metric", "loudness"), "No metric of tones is called 'loudness'"),
        (("left", "right", "--format", "xml"), "--format xml: one of text, json is needed"),
        (("left", "right", "--runs", "nowhere"), "--runs nowhere: no such folder"),
    ],
)
def test_compare_command_refuses_in_one_line(
    typed: Callable[..., Any], tmp_path: Path, words: Sequence[str], said: str
) -> None:
    write(tmp_path / "runs", "left", truth(9))
    write(tmp_path / "runs", "right", truth(9))
    given = words if "--runs" in words else (*words, "--runs", tmp_path / "runs")
    answer = typed("compare", *given)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.strip().splitlines()) == 1


@pytest.mark.parametrize("a_better", [range(3), range(2, 25)])
def test_compare_takes_a_method_without_chance_beside_five_seeds_as_five_equal_seeds(
    a_better: range, tmp_path: Path
) -> None:
    found = []
    for name, n_seeds, uses_seed in (("one", 1, False), ("five", 5, True)):
        for seed in range(n_seeds):
            write(tmp_path / name, "left", wrong(60, a_better), seed=seed, uses_seed=uses_seed)
        for seed in range(5):
            write(tmp_path / name, "right", wrong(60, range(seed, 17 + seed)), seed=seed)
        found.append(compared(tmp_path / name))
    one, five = (comparison.difference for comparison in found)
    assert (one.value, one.low, one.high, one.p) == pytest.approx((five.value, five.low, five.high, five.p))
    assert "left: nothing is random; one seed stands for all." in found[0].notes
    assert found[1].notes == ()
