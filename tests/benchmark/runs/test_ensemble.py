"""Ensembles of recorded runs: what is averaged, what may be combined, and what stands on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import accuracy_score, roc_auc_score

from mirbench import metrics
from mirbench.errors import BadInput
from mirbench.leaderboard.table import boards
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.ensemble import Ensemble, combine, parse_weights
from mirbench.runs.members import find_member
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.trust.verify import verify
from mirbench.types import Clip, Split, Task, Windowing
from tests.conftest import rows_of

if TYPE_CHECKING:
    from tests.conftest import Answer

CLASSES = ("high", "low", "middle")
METRICS = ("accuracy", "macro-f1", "roc-auc")
TASK = Task("tones", "1", "for tests", "single-label", CLASSES, METRICS, lambda root, fold: [], "tones", 12, 1.0)
SPEC = RunSpec(
    "tones", "1", 0, Windowing(), "svm", "1", {"C": 1.0}, {}, "ears", "1", {}, "a" * 64, "b" * 64, "float32", 0
)
OTHER = replace(SPEC, method="forest", params={"trees": 10}, source="eyes")
N_CLIPS = 12


def truth(task: Task = TASK, seed: int = 0) -> Split:
    """A test set in which each class occurs."""
    labels = [*range(3), *np.random.default_rng(seed).integers(3, size=N_CLIPS - 3)]
    return Split(task, tuple(Clip(f"{n:02}", None, "test", (CLASSES[k],)) for n, k in enumerate(labels)))


def write(root: Path, spec: RunSpec = SPEC, draw: int = 0, split: Split | None = None, **facts: Any) -> np.ndarray:
    """Put a run on record that is right about half of the time; returns its scores in the order of the clips."""
    split = split or truth()
    rng = np.random.default_rng([draw, spec.seed, spec.fold])
    scores = (0.6 * rng.dirichlet(np.ones(3), len(split)) + 0.4 * np.eye(3)[split.class_index()]).astype(np.float32)
    found = metrics.evaluate(METRICS, scores, split.targets())
    facts = {"n_trainable": 10, "n_total": 100, "n_clips": {"test": 12}, "seconds": {"train": 1.0}} | facts
    RunStore(root).write(RunRecord(spec, "done", metrics=found, **facts), Scores.of(split, scores))
    return scores


def of(root: Path, *names: str, **how: Any) -> Ensemble:
    return combine(RunStore(root), names, **how)


def scores_of(root: Path, ensemble: Ensemble, number: int = 0) -> Scores:
    return RunStore(root).scores(ensemble.outcomes[number].folder)


def seeds_of(ensemble: Ensemble) -> list[int]:
    return [outcome.record.spec.seed for outcome in ensemble.outcomes]


# What is averaged


def test_scores_are_the_mean_of_the_members(tmp_path: Path) -> None:
    first, second = write(tmp_path), write(tmp_path, OTHER, draw=1)
    found = scores_of(tmp_path, of(tmp_path, "svm+ears", "forest+eyes"))
    np.testing.assert_allclose(found.scores, (first + second) / 2, atol=1e-7)


def test_metrics_follow_from_the_mean_by_scikit_learn(tmp_path: Path) -> None:
    mean = (write(tmp_path) + write(tmp_path, OTHER, draw=1)) / 2
    record = of(tmp_path, "svm+ears", "forest+eyes").outcomes[0].record
    true = truth().class_index()
    assert record.metrics["accuracy"] == pytest.approx(accuracy_score(true, mean.argmax(axis=1)))
    assert record.metrics["roc-auc"] == pytest.approx(roc_auc_score(np.eye(3)[true], mean))
    assert list(record.metrics) == list(METRICS)


def test_weights_follow_their_members_through_the_sorting(tmp_path: Path) -> None:
    svm, forest = write(tmp_path), write(tmp_path, OTHER, draw=1)
    found = scores_of(tmp_path, of(tmp_path, "svm+ears", "forest+eyes", weights=(3, 1)))
    np.testing.assert_allclose(found.scores, 0.75 * svm + 0.25 * forest, atol=1e-7)


def test_ranks_are_among_the_classes_of_each_clip(tmp_path: Path) -> None:
    members = write(tmp_path), write(tmp_path, OTHER, draw=1)
    found = scores_of(tmp_path, of(tmp_path, "svm+ears", "forest+eyes", average="rank"))
    expected = sum(np.argsort(np.argsort(scores, axis=1), axis=1) / 2 for scores in members) / 2
    np.testing.assert_allclose(found.scores, expected, atol=1e-7)


def test_ranks_of_a_multi_label_task_are_among_the_clips_and_keep_the_auc_of_a_margin(tmp_path: Path) -> None:
    split = truth(replace(TASK, kind="multi-label"))
    targets, rng = split.targets(), np.random.default_rng(5)
    margins = [rng.normal(size=targets.value.shape) + targets.value for _ in range(2)]
    squashed = [(1 / (1 + np.exp(-scale * m))).astype(np.float32) for scale, m in zip((0.01, 8), margins, strict=True)]
    for spec, scores in zip((SPEC, OTHER), squashed, strict=True):
        record = RunRecord(spec, "done", metrics={"roc-auc": 0.5})
        RunStore(tmp_path).write(record, Scores.of(split, scores))
    record = of(tmp_path, "svm+ears", "forest+eyes", average="rank").outcomes[0].record
    ranks = sum(rankdata(scores, axis=0) for scores in squashed)
    assert record.metrics["roc-auc"] == pytest.approx(roc_auc_score(targets.value, ranks))


def test_clips_in_another_order_are_put_in_one(tmp_path: Path) -> None:
    first = write(tmp_path)
    split = truth()
    shuffled = Split(TASK, split.clips[::-1])
    second = write(tmp_path, OTHER, draw=1, split=shuffled)
    found = scores_of(tmp_path, of(tmp_path, "svm+ears", "forest+eyes"))
    assert found.clip_ids.tolist() == [clip.id for clip in split.clips]
    np.testing.assert_allclose(found.scores, (first + second[::-1]) / 2, atol=1e-7)
    np.testing.assert_array_equal(found.hashes, Scores.of(split, first).hashes)


def test_ensemble_of_one_system_with_itself_at_other_seeds(tmp_path: Path) -> None:
    members = [write(tmp_path, replace(SPEC, seed=seed)) for seed in (3, 4)]
    ensemble = of(tmp_path, *(replace(SPEC, seed=seed).key for seed in (3, 4)))
    np.testing.assert_allclose(scores_of(tmp_path, ensemble).scores, sum(members) / 2, atol=1e-7)
    assert (seeds_of(ensemble), ensemble.outcomes[0].record.spec.params["member_seeds"]) == ([3], [None, 4])


# How members are matched


def test_members_are_matched_by_seed(tmp_path: Path) -> None:
    scores = {
        (spec.method, seed): write(tmp_path, replace(spec, seed=seed), draw)
        for draw, spec in enumerate((SPEC, OTHER))
        for seed in (0, 1)
    }
    ensemble = of(tmp_path, "svm+ears", "forest+eyes")
    assert (seeds_of(ensemble), ensemble.notes) == ([0, 1], ())
    for seed in (0, 1):
        expected = (scores["svm", seed] + scores["forest", seed]) / 2
        np.testing.assert_allclose(scores_of(tmp_path, ensemble, seed).scores, expected, atol=1e-7)


def test_seeds_that_a_member_lacks_are_left_out_and_said(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        write(tmp_path, replace(SPEC, seed=seed))
    for seed in (1, 2, 3):
        write(tmp_path, replace(OTHER, seed=seed), draw=1)
    ensemble = of(tmp_path, "svm+ears", "forest+eyes")
    assert seeds_of(ensemble) == [1, 2]
    assert ensemble.notes == ("Left out, as not every member has a run of it: (fold, seed) (0, 0), (0, 3).",)


def test_member_with_one_seed_is_used_with_every_seed_and_said(tmp_path: Path) -> None:
    alone = write(tmp_path)
    others = [write(tmp_path, replace(OTHER, seed=seed), draw=1) for seed in (1, 2)]
    ensemble = of(tmp_path, "svm+ears", "forest+eyes")
    assert seeds_of(ensemble) == [1, 2]
    assert ensemble.notes == ("svm + ears has one seed, 0, which is used with every seed.",)
    for number, other in enumerate(others):
        np.testing.assert_allclose(scores_of(tmp_path, ensemble, number).scores, (alone + other) / 2, atol=1e-7)


@pytest.mark.parametrize("first", [0, 3])
def test_one_run_of_a_member_without_chance_stands_for_all_seeds_however_many_are_on_record(
    first: int, tmp_path: Path
) -> None:
    kept = write(tmp_path, replace(SPEC, seed=first), uses_seed=False)
    write(tmp_path, replace(SPEC, seed=5))  # an earlier version said nothing of chance
    others = [write(tmp_path, replace(OTHER, seed=seed), draw=1) for seed in (0, 1, 2)]
    ensemble = of(tmp_path, "svm+ears", "forest+eyes")
    assert seeds_of(ensemble) == [0, 1, 2]
    assert ensemble.notes == (f"svm + ears has one seed, {first}, which is used with every seed.",)
    for number, other in enumerate(others):
        np.testing.assert_allclose(scores_of(tmp_path, ensemble, number).scores, (kept + other) / 2, atol=1e-7)


def test_folds_of_a_member_without_chance_may_be_of_different_seeds(tmp_path: Path) -> None:
    for fold, seed in ((0, 3), (1, 0)):
        write(tmp_path, replace(SPEC, fold=fold, seed=seed), split=truth(seed=fold), n_folds=2, uses_seed=False)
        for other in (1, 2):
            write(tmp_path, replace(OTHER, fold=fold, seed=other), 1, truth(seed=fold), n_folds=2)
    ensemble = of(tmp_path, "svm+ears", "forest+eyes")
    assert [(outcome.record.spec.fold, outcome.record.spec.seed) for outcome in ensemble.outcomes] == [
        (0, 1), (0, 2), (1, 1), (1, 2)
    ]  # fmt: skip


def test_members_are_matched_by_fold(tmp_path: Path) -> None:
    for fold in (0, 1):
        for draw, spec in enumerate((SPEC, OTHER)):
            write(tmp_path, replace(spec, fold=fold), draw, truth(seed=fold), n_folds=2)
    ensemble = of(tmp_path, "svm+ears", "forest+eyes")
    assert [outcome.record.spec.fold for outcome in ensemble.outcomes] == [0, 1]
    (row,) = (row for row in boards(tmp_path)[0].rows if row.name.startswith("ensemble"))
    assert (row.n_seeds, row.n_folds, row.flags) == (1, 2, ())


def test_members_without_a_common_seed_are_refused(tmp_path: Path) -> None:
    for spec, seeds in ((SPEC, (0, 1)), (OTHER, (2, 3))):
        for seed in seeds:
            write(tmp_path, replace(spec, seed=seed))
    with pytest.raises(BadInput, match=r"no fold and seed of which every.*seeds 2, 3; .*seeds 0, 1"):
        of(tmp_path, "svm+ears", "forest+eyes")


# What may be combined

QUESTIONS = {
    "task": {"task": "chords"},
    "version": {"task_version": "2"},
    "windowing": {"windowing": Windowing(average="logit")},
}


@pytest.mark.parametrize("changes", QUESTIONS.values(), ids=QUESTIONS)
def test_members_of_another_question_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(OTHER, **changes), draw=1)
    with pytest.raises(BadInput, match="cannot be combined: they differ in"):
        of(tmp_path, "svm+ears", "forest+eyes")


def test_members_whose_task_is_spelled_otherwise_are_combined_and_verify(tmp_path: Path) -> None:
    write(tmp_path, replace(SPEC, task="csv:tones+normalized+folds3"))  # as versions up to 0.4.0 called it
    write(tmp_path, replace(OTHER, task="csv:tones+folds3+normalized"), draw=1)
    (outcome,) = of(tmp_path, "svm+ears", "forest+eyes").outcomes
    assert outcome.record.spec.task == "csv:tones+folds3+normalized"
    (case,) = [case for case in verify(tmp_path, Catalogue()) if case.folder == outcome.folder]
    assert case.problems == []


def test_members_that_heard_other_bytes_of_the_same_clips_are_combined_and_it_is_said(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(OTHER, audio_sha256="c" * 64), draw=1)
    made = of(tmp_path, "svm+ears", "forest+eyes")
    assert any("heard the same bytes" in note for note in made.notes)
    heard = {outcome.record.spec.audio_sha256 for outcome in made.outcomes}
    assert len(heard) == 1
    assert not heard & {"c" * 64, OTHER.audio_sha256}


def test_members_whose_labels_differ_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    split = truth()
    last = split.clips[-1]
    other = next(name for name in CLASSES if name not in last.labels)
    relabelled = Split(TASK, (*split.clips[:-1], replace(last, labels=(other,))))
    write(tmp_path, OTHER, split=relabelled)
    with pytest.raises(BadInput, match="test clips or labels differ"):
        of(tmp_path, "svm+ears", "forest+eyes")
    assert not (tmp_path / "tones" / "ensemble").exists()


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_member_without_a_result_is_refused(status: Any, tmp_path: Path) -> None:
    write(tmp_path)
    RunStore(tmp_path).write(RunRecord(OTHER, status, reason="no room"))
    with pytest.raises(BadInput, match=f"seed 0 of fold 0 has no result .{status}: no room"):
        of(tmp_path, "svm+ears", "forest+eyes")


def test_one_member_is_no_ensemble(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(BadInput, match="two members or more"):
        of(tmp_path, "svm+ears")


def test_run_named_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(BadInput, match=f"run {SPEC.key} is named twice"):
        of(tmp_path, "svm+ears", SPEC.key[:6])


def test_weights_that_are_not_one_a_member_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="3 weights are given for 2 members"):
        of(tmp_path, "svm+ears", "forest+eyes", weights=(1, 2, 3))


@pytest.mark.parametrize("text", ["1,", "a,b", "0,1", "-1,2", "nan,1", "inf,1", ","])
def test_weights_must_be_positive_numbers(text: str) -> None:
    with pytest.raises(BadInput, match="one positive number a member"):
        parse_weights(text)


def test_weights_are_read() -> None:
    assert (parse_weights("1,2.5"), parse_weights("")) == ((1.0, 2.5), ())


# Names of members


@pytest.mark.parametrize(
    "name",
    ["svm+ears", "tones/svm+ears", "ROOT/tones/svm+ears", f"ROOT/tones/svm+ears/{SPEC.key}", SPEC.key, SPEC.key[:5]],
)
def test_find_knows_a_run_by(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, OTHER)
    found = RunStore(tmp_path).find(name.replace("ROOT", str(tmp_path)))
    assert [record.spec for _, record in found] == [SPEC]


def test_find_knows_names_with_slashes(tmp_path: Path) -> None:
    spec = replace(SPEC, task="folder:my/songs", source="features:my/file.npz")
    write(tmp_path, spec)
    store = RunStore(tmp_path)
    for name in ("folder:my/songs/svm+features:my/file.npz", "svm+features:my/file.npz"):
        assert [record.spec for _, record in store.find(name)] == [spec]


def test_find_hints_at_a_near_name(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(BadInput, match=r"is called 'svn\+ears'. Did you mean 'tones/svm\+ears'"):
        RunStore(tmp_path).find("svn+ears")


def test_find_refuses_what_two_tasks_have(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, replace(SPEC, task="chords"))
    with pytest.raises(BadInput, match=r"several things .*chords/svm\+ears, tones/svm\+ears"):
        RunStore(tmp_path).find("svm+ears")


def test_find_refuses_a_beginning_of_two_keys(tmp_path: Path) -> None:
    specs = sorted((replace(SPEC, seed=seed) for seed in range(2000)), key=lambda spec: spec.key)
    one, other = next(pair for pair in pairwise(specs) if pair[0].key[:4] == pair[1].key[:4])
    for spec in (one, other):
        write(tmp_path, spec)
    with pytest.raises(
        BadInput, match=rf"^{one.key[:4]}: 2 keys of runs begin so \({one.key}, {other.key}\); give more"
    ):
        RunStore(tmp_path).find(one.key[:4])


def test_find_takes_no_word_for_the_beginning_of_a_key(tmp_path: Path) -> None:
    spec = next(spec for seed in range(2000) if (spec := replace(SPEC, seed=seed)).key[0] == "a")
    write(tmp_path, spec)
    assert [record.spec for _, record in RunStore(tmp_path).find(spec.key[:4])] == [spec]
    for word in ("a", spec.key[:3], spec.key[:4].upper() + "x"):
        with pytest.raises(BadInput, match="No run below"):
            RunStore(tmp_path).find(word)


def test_find_takes_a_system_called_as_a_key_for_the_system(tmp_path: Path) -> None:
    for method in ("dead", "beefcafe"):
        write(tmp_path, replace(SPEC, method=method, source="", source_params={}))
        assert {record.spec.method for _, record in RunStore(tmp_path).find(method)} == {method}


def test_find_knows_the_key_of_a_system(tmp_path: Path) -> None:
    changed = replace(SPEC, params={"C": 2.0})
    for spec in (SPEC, changed, replace(changed, seed=7)):
        write(tmp_path, spec)
    assert {record.spec.seed for _, record in RunStore(tmp_path).find(changed.system)} == {changed.seed, 7}


def test_folder_of_several_settings_says_how_to_name_one(tmp_path: Path) -> None:
    changed = replace(SPEC, params={"C": 2.0})
    for spec in (SPEC, changed, OTHER):
        write(tmp_path, spec)
    with pytest.raises(BadInput, match=r"svm\+ears: holds runs of 2 settings.*\n.*: C=[12].0 .*\n.*: C=[12].0 "):
        of(tmp_path, "svm+ears", "forest+eyes")
    for key in (changed.key[:6], changed.system):  # of a run, and of the system as tables and `compare` know it
        ensemble = of(tmp_path, f"svm+ears@{key}", "forest+eyes")
        assert changed.key in ensemble.outcomes[0].record.spec.params["members"]
    with pytest.raises(BadInput, match="No key of svm"):
        of(tmp_path, "svm+ears@0123", "forest+eyes")


def test_settings_without_any_result_are_none_of_those_that_are_meant(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    refused = replace(SPEC, params={"C": 2.0})
    RunStore(tmp_path).write(RunRecord(refused, "skipped", "it cannot act here"))
    assert find_member(RunStore(tmp_path), "svm+ears").settings == SPEC.system
    with pytest.raises(BadInput, match=r"has no result \(skipped: it cannot act here\)"):
        find_member(RunStore(tmp_path), f"svm+ears@{refused.system}")


# What stands on record


def test_record_is_a_run_with_its_members_in_place_of_settings(tmp_path: Path) -> None:
    write(tmp_path, contaminated=["gtzan"])
    write(tmp_path, OTHER, draw=1, contaminated=["audioset", "gtzan"])
    record = of(tmp_path, "svm+ears", "forest+eyes").outcomes[0].record
    spec = record.spec
    read = RunStore(tmp_path).read(spec)
    assert (read.spec, read.metrics) == (spec, record.metrics)
    assert (spec.method, spec.method_version, spec.source, spec.source_sha256) == ("ensemble", "1", "", "")
    assert (spec.params["members"], spec.params["average"]) == ([OTHER.key, SPEC.key], "prob")
    assert (record.status, record.n_trainable, record.n_total, record.seconds) == ("done", 20, 200, {})
    assert record.contaminated == ["audioset", "gtzan"]
    assert "python" in record.environment


def test_counts_that_a_member_lacks_are_unknown(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, OTHER, n_trainable=None)
    record = of(tmp_path, "svm+ears", "forest+eyes").outcomes[0].record
    assert (record.n_trainable, record.n_total) == (None, 200)


def test_identity_does_not_depend_on_the_order_of_the_members(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, OTHER, draw=1)
    keys = {
        of(tmp_path, *names, weights=weights).outcomes[0].record.spec.key
        for names, weights in ((("svm+ears", "forest+eyes"), (1, 2)), (("forest+eyes", "svm+ears"), (4, 2)))
    }
    assert len(keys) == 1


def test_identity_depends_on_weights_and_average(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, OTHER, draw=1)
    ways: list[dict[str, Any]] = [{}, {"average": "rank"}, {"weights": (1, 2)}]
    assert len({of(tmp_path, "svm+ears", "forest+eyes", **way).outcomes[0].record.spec.key for way in ways}) == 3


def test_leaderboard_names_the_members_and_joins_seeds(tmp_path: Path) -> None:
    for seed in (0, 1):
        write(tmp_path, replace(SPEC, seed=seed))
        write(tmp_path, replace(OTHER, seed=seed), draw=1)
    ensemble = of(tmp_path, "svm+ears", "forest+eyes")
    (row,) = (row for row in boards(tmp_path)[0].rows if row.name.startswith("ensemble"))
    assert (row.name, row.n_seeds, row.flags) == ("ensemble (forest + eyes, svm + ears)", 2, ())
    values = [outcome.record.metrics["accuracy"] for outcome in ensemble.outcomes]
    assert row.metrics["accuracy"] == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))


def test_leaderboard_joins_seeds_of_an_ensemble_with_a_member_of_one_seed(tmp_path: Path) -> None:
    write(tmp_path)
    for seed in (0, 1):
        write(tmp_path, replace(OTHER, seed=seed), draw=1)
    of(tmp_path, "svm+ears", "forest+eyes")
    (row,) = (row for row in boards(tmp_path)[0].rows if row.name.startswith("ensemble"))
    assert (row.name, row.n_seeds) == ("ensemble (forest + eyes, svm + ears)", 2)
    assert find_member(RunStore(tmp_path), "tones/ensemble").seeds == [0, 1]


def test_leaderboard_tells_ensembles_of_other_weights_apart(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, OTHER, draw=1)
    for weights in ((1, 1), (1, 3)):
        of(tmp_path, "svm+ears", "forest+eyes", weights=weights)
    names = {row.name for row in boards(tmp_path)[0].rows if row.name.startswith("ensemble")}
    assert names == {f"ensemble (forest + eyes, svm + ears) (member_weights={w})" for w in ([0.5, 0.5], [0.75, 0.25])}


def test_leaderboard_counts_a_system_that_is_in_an_ensemble_twice(tmp_path: Path) -> None:
    for seed in (0, 1):
        write(tmp_path, replace(SPEC, seed=seed))
    of(tmp_path, *(replace(SPEC, seed=seed).key for seed in (0, 1)))
    assert "ensemble (2 × svm + ears)" in {row.name for row in boards(tmp_path)[0].rows}


def test_ensemble_may_be_a_member(tmp_path: Path) -> None:
    first, second = write(tmp_path), write(tmp_path, OTHER, draw=1)
    third = write(tmp_path, replace(SPEC, method="knn"), draw=2)
    of(tmp_path, "svm+ears", "forest+eyes")
    found = scores_of(tmp_path, of(tmp_path, "ensemble", "knn+ears"))
    np.testing.assert_allclose(found.scores, (first + second) / 4 + third / 2, atol=1e-6)


# The command


def test_command_prints_members_and_ensemble(tmp_path: Path, typed: Callable[..., Answer]) -> None:
    write(tmp_path / "runs")
    write(tmp_path / "runs", OTHER, draw=1)
    answer = typed("ensemble", "svm+ears", "forest+eyes", "--runs", tmp_path / "runs", "--weights-of", "1,3")
    assert (answer.code, answer.err) == (0, "")
    lines = rows_of(answer.out)
    assert [line[:3] for line in lines[:2]] == [["forest + eyes", "1", "0.75"], ["svm + ears", "1", "0.25"]]
    assert lines[2][:2] == ["ensemble", "1"]
    (_, record) = RunStore(tmp_path / "runs").find("ensemble")[0]
    assert lines[-1][2:] == [f"{record.metrics[name]:.3f}" for name in METRICS]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("svm+ears", "x", "--runs", "nowhere"), "--runs nowhere: no such folder"),
        (("svm+ears", "x", "--runs", "."), "No run below . is called 'svm+ears'"),
        (("a", "b", "--runs", ".", "--average", "mean"), "--average mean: one of prob, rank is needed"),
        (("a", "b", "--runs", ".", "--weights-of", "x"), "--weights-of x: one positive number"),
    ],
)
def test_command_refuses_in_one_line(words: tuple[str, ...], says: str, typed: Callable[..., Answer]) -> None:
    answer = typed("ensemble", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith(f"mirbench: {says}")


@pytest.mark.real
@pytest.mark.slow
def test_ensemble_of_two_ears_on_real_music(shared: Path, tmp_path: Path) -> None:
    for source in ("efficientat-mn04", "speechatt"):
        request = Request(
            "gtzan-mini", "probe-linear", source, seeds=(0,), folds=(0,), data=shared / "data",
            weights=shared / "weights", runs=tmp_path / "runs", cache=tmp_path / "cache",
        )  # fmt: skip
        run(request, Catalogue(), Progress(quiet=True))
    store = RunStore(tmp_path / "runs")
    names = ("probe-linear+efficientat-mn04", "probe-linear+speechatt")
    mean = sum(store.scores(store.find(name)[0][0]).scores for name in names) / 2
    (outcome,) = combine(store, names).outcomes
    np.testing.assert_allclose(store.scores(outcome.folder).scores, mean, atol=1e-6)
