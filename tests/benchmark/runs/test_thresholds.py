"""Thresholds that are tuned on valid: they are the best there, and scores that are moved by them mean a half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from mirbench.errors import NotApplicable
from mirbench.leaderboard.table import boards
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, draft_plan
from mirbench.runs.record_file import as_text, read_record
from mirbench.runs.runner import Outcome, run
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.runs.thresholds import best_thresholds, moved
from mirbench.trust.recompute import wrong_metrics
from mirbench.types import Targets

QUIET = Progress(quiet=True)
RARE = (0.5, 0.2, 0.1)


def drawn(seed: int, n: int = 60, share_known: float = 0.8) -> tuple[npt.NDArray[np.float32], Targets]:
    """Scores of rare labels, most of them far below a half, and what is true of those that are known."""
    generator = np.random.default_rng(seed)
    value = (generator.random((n, 3)) < RARE).astype(np.float32)
    value[:3] = np.eye(3)
    scores = 0.3 * value + 0.4 * generator.random((n, 3)) * np.sqrt(RARE)
    known = generator.random((n, 3)) < share_known
    known[:6] = True
    return np.round(scores, 2).astype(np.float32), Targets(value, known, "multi-label")


def f1_of(scores: npt.NDArray[np.float32], targets: Targets, k: int, cut: float, *, two_class: bool) -> float:
    known = targets.known[:, k]
    true, said = targets.value[known, k] >= 0.5, scores[known, k] >= cut
    return float(f1_score(true, said, average="macro" if two_class else "binary", zero_division=0))


@pytest.mark.parametrize("metrics", [("macro-f1", "roc-auc"), ("roc-auc", "two-class-macro-f1", "macro-f1")])
@pytest.mark.parametrize("seed", range(2))
def test_no_threshold_has_a_better_f1_on_valid_by_scikit_learn(seed: int, metrics: Sequence[str]) -> None:
    scores, targets = drawn(seed)
    two_class = "two-class-macro-f1" in metrics
    for k, found in enumerate(best_thresholds(scores, targets, metrics)):
        cuts = [*np.unique(scores[:, k]), 0.5, 0.99]  # F1 is another one beyond a score, and nowhere between two
        every = [f1_of(scores, targets, k, cut, two_class=two_class) for cut in cuts]
        assert 0 < found < 1
        assert f1_of(scores, targets, k, found, two_class=two_class) == pytest.approx(max(every), abs=1e-12)


def test_threshold_is_a_half_where_that_is_as_good_or_nothing_is_known() -> None:
    scores = np.array([[0.9, 0.1, 0.4], [0.8, 0.2, 0.4], [0.1, 0.3, 0.4]], dtype=np.float32)
    value = np.array([[1, 0, 1], [1, 0, 1], [0, 0, 1]], dtype=np.float32)
    targets = Targets(value, np.ones((3, 3), dtype=np.bool_), "multi-label")
    assert best_thresholds(scores, targets, ("macro-f1",)) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_moved_scores_keep_their_order_and_a_half_is_the_threshold(seed: int) -> None:
    scores, targets = drawn(seed)
    at = best_thresholds(*drawn(seed + 10), ("macro-f1",))
    found = moved(scores, at)
    assert (found.dtype, found.min() >= 0, found.max() <= 1) == (np.float32, True, True)
    np.testing.assert_array_equal(found >= 0.5, scores >= np.array(at))
    for k in range(3):
        known, true = targets.known[:, k], targets.value[:, k] >= 0.5
        auc = [roc_auc_score(true[known], held[known, k]) for held in (scores, found)]
        assert auc[0] == pytest.approx(auc[1], abs=1e-12)
    assert moved(scores, ()) is scores


@pytest.mark.parametrize("at", [1e-4, 0.3, 0.5, 0.9999])
def test_score_that_is_the_threshold_reaches_it_and_the_next_below_does_not(at: float) -> None:
    exact = np.float32(at)
    column = np.array([[0], [np.nextafter(exact, np.float32(0))], [exact], [1]], dtype=np.float32)
    found = moved(column, (float(exact),))[:, 0]
    assert found.tolist()[0::2] == [0.0, 0.5]
    assert (found[1] < 0.5, found[3]) == (True, 1.0)


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """Of rare labels, known by features that tell something of them."""
    folder, generator = tmp_path_factory.mktemp("labels"), np.random.default_rng(1)
    value = (generator.random((150, 3)) < RARE).astype(int)
    value[value.sum(axis=1) == 0, 0] = 1
    features = (generator.standard_normal((150, 4)) + 1.5 * value @ np.eye(3, 4)).astype(np.float32)
    ids = [f"clip{n:03}" for n in range(150)]
    np.savez(folder / "held.npz", id=np.array(ids), held=features)
    lines = [
        f"{n},{';'.join(np.array(list('abc'))[v == 1])},{k % 3}"
        for k, (n, v) in enumerate(zip(ids, value, strict=True))
    ]
    (folder / "clips.csv").write_text("\n".join(["id,label,fold", *lines]) + "\n")
    return Request(
        f"csv:{folder}/clips.csv", "probe-linear", f"features:{folder}/held.npz", seeds=(0,),
        source_params={"array": "held"}, runs=folder / "runs", cache=folder / "cache",
    )  # fmt: skip


def scores_of(outcome: Outcome) -> Scores:
    return RunStore(outcome.folder).scores(outcome.folder)


@pytest.mark.slow
def test_run_with_tuned_thresholds_scores_what_scikit_learn_does_at_them(request_: Request) -> None:
    usual, tuned = (
        run(replace(request_, thresholds=how, folds=(0,)), Catalogue(), QUIET)[0] for how in ("0.5", "valid")
    )
    held, record = scores_of(usual), tuned.record
    np.testing.assert_array_equal(moved(held.scores, record.thresholds), scores_of(tuned).scores)
    true, said = held.targets.value >= 0.5, held.scores >= np.array(record.thresholds)
    assert record.metrics["macro-f1"] == pytest.approx(f1_score(true, said, average="macro"))
    assert record.metrics["roc-auc"] == pytest.approx(usual.record.metrics["roc-auc"], abs=1e-12)
    assert record.metrics["macro-f1"] != usual.record.metrics["macro-f1"]
    assert (len(record.thresholds), usual.record.thresholds) == (3, ())
    assert list(wrong_metrics(record, scores_of(tuned))) == []
    (board,) = boards(request_.runs)
    assert any(row.name.endswith("thresholds=valid)") for row in board.rows)


@pytest.mark.slow
def test_thresholds_of_a_refit_are_those_that_valid_gave_before(request_: Request) -> None:
    before, after = (
        run(replace(request_, thresholds="valid", fit_on=fit_on, folds=(1,)), Catalogue(), QUIET)[0]
        for fit_on in ("train", "refit")
    )
    assert list(before.record.thresholds) == list(after.record.thresholds)
    assert np.abs(scores_of(before).scores - scores_of(after).scores).max() > 0
    again = read_record(after.folder / "record.json")
    assert tuple(again.thresholds) == tuple(after.record.thresholds)


def test_file_of_a_run_that_asks_for_nothing_new_is_what_it_was(request_: Request, tmp_path: Path) -> None:
    record: RunRecord = run(replace(request_, runs=tmp_path / "runs", folds=(0,)), Catalogue(), QUIET)[0].record
    assert not {"fit_on", "pad", "thresholds"} & {word.strip(' ":,') for word in as_text(record).split()}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "gtzan"}, "a clip of gtzan has one class, the likeliest, and no thresholds"),
        ({"fit_on": "train-and-valid"}, "--thresholds valid are tuned on valid; --refit fits once more, on both"),
    ],
)
def test_thresholds_without_labels_or_without_valid_are_refused(
    request_: Request, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(NotApplicable, match=said):
        draft_plan(replace(request_, thresholds="valid", **changes), Catalogue())  # type: ignore[arg-type]
