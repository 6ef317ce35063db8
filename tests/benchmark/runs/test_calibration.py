"""A temperature that is fitted on valid: no other is likelier there, what is predicted stays, and ECE tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import log_loss

from mirbench.errors import NotApplicable
from mirbench.leaderboard.table import boards
from mirbench.metrics import METRICS
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.calibration import best_temperature, tempered
from mirbench.runs.plan import Request, draft_plan
from mirbench.runs.record_file import as_text, read_record
from mirbench.runs.runner import Outcome, run
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.trust.recompute import wrong_metrics
from mirbench.types import Targets

QUIET = Progress(quiet=True)


def sure(seed: int, sharpness: float, n: int = 400) -> tuple[npt.NDArray[np.float32], Targets]:
    """Scores of three classes which are this many times as sure as they should be."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(0, 1.5, (n, 3))
    true = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    value = np.array([generator.multinomial(1, row) for row in true], dtype=np.float32)
    held = np.exp(sharpness * odds) / np.exp(sharpness * odds).sum(axis=1, keepdims=True)
    return held.astype(np.float32), Targets(value, np.ones(value.shape, np.bool_), "single-label")


def surprise(scores: npt.NDArray[np.float32], targets: Targets) -> float:
    held = scores.astype(np.float64)
    return float(log_loss(targets.value.argmax(axis=1), held / held.sum(axis=1, keepdims=True), labels=[0, 1, 2]))


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_no_temperature_is_likelier_on_valid_by_scikit_learn_and_it_undoes_what_was_too_sure(sharpness: float) -> None:
    scores, targets = sure(1, sharpness)
    found = best_temperature(scores, targets)
    assert found == pytest.approx(sharpness, rel=0.2)
    losses = [surprise(tempered(scores, found * by, "single-label"), targets) for by in (0.9, 1.0, 1.1)]
    assert min(losses) == losses[1]


def test_temperature_lowers_the_calibration_error_of_other_clips_and_leaves_their_accuracy() -> None:
    found = best_temperature(*sure(1, 3.0))
    scores, targets = sure(2, 3.0)
    after = tempered(scores, found, "single-label")
    ece, accuracy = METRICS["ece"].function, METRICS["accuracy"].function
    assert ece(after, targets) < 0.4 * ece(scores, targets)
    assert accuracy(after, targets) == accuracy(scores, targets)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.02, 0.7, 50.0])
def test_likeliest_class_stays_at_any_temperature_also_where_two_differ_by_a_digit(temperature: float) -> None:
    near = np.float32(1 / 3)
    scores = np.array([[near, np.nextafter(near, np.float32(1)), near], [0, 1, 0], [1e-30, 0, 1]], dtype=np.float32)
    found = tempered(scores, temperature, "single-label")
    assert found.argmax(axis=1).tolist() == [1, 1, 2]
    assert (found.dtype, found.min() >= 0, found.max() <= 1) == (np.float32, True, True)


@pytest.mark.parametrize("temperature", [0.02, 0.7, 50.0])
def test_half_remains_a_half_and_labels_keep_their_order(temperature: float) -> None:
    half = np.float32(0.5)
    scores = np.array([[0], [np.nextafter(half, np.float32(0))], [0.5], [1]], dtype=np.float32)
    found = tempered(scores, temperature, "multi-label")[:, 0]
    assert (found >= 0.5).tolist() == [False, False, True, True]
    assert (np.diff(found) >= 0).all()


def test_labels_that_nobody_judged_have_no_say() -> None:
    scores = np.array([[0.9, 0.9], [0.1, 0.9]], dtype=np.float32)
    value = np.array([[1, 0], [1, 0]], dtype=np.float32)
    known = np.array([[True, False], [True, False]])
    seen = best_temperature(scores[:, :1], Targets(value[:, :1], known[:, :1], "multi-label"))
    assert best_temperature(scores, Targets(value, known, "multi-label")) == seen
    assert best_temperature(scores, Targets(value, np.zeros_like(known), "multi-label")) == 1.0


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """Of classes known by features that tell something of them."""
    folder, generator = tmp_path_factory.mktemp("classes"), np.random.default_rng(1)
    classes = generator.integers(0, 3, 150)
    features = (generator.standard_normal((150, 4)) + np.eye(3, 4)[classes]).astype(np.float32)
    ids = [f"clip{n:03}" for n in range(150)]
    np.savez(folder / "held.npz", id=np.array(ids), held=features)
    lines = [f"{n},{'abc'[k]},{i % 3}" for i, (n, k) in enumerate(zip(ids, classes, strict=True))]
    (folder / "clips.csv").write_text("\n".join(["id,label,fold", *lines]) + "\n")
    return Request(
        f"csv:{folder}/clips.csv", "probe-linear", f"features:{folder}/held.npz", seeds=(0,), folds=(0,),
        params={"C": 1000.0}, source_params={"array": "held"}, runs=folder / "runs", cache=folder / "cache",
    )  # fmt: skip


def scores_of(outcome: Outcome) -> Scores:
    return RunStore(outcome.folder).scores(outcome.folder)


def test_calibrated_run_is_one_of_its_own_with_the_same_accuracy(request_: Request) -> None:
    (usual,), (calibrated,) = (
        run(replace(request_, calibrate=how), Catalogue(), QUIET) for how in ("none", "temperature")
    )
    record = calibrated.record
    assert record.temperature is not None
    held = scores_of(usual).scores
    np.testing.assert_array_equal(tempered(held, record.temperature, "single-label"), scores_of(calibrated).scores)
    assert record.metrics["accuracy"] == usual.record.metrics["accuracy"]
    assert record.metrics["ece"] != usual.record.metrics["ece"]
    assert list(wrong_metrics(record, scores_of(calibrated))) == []
    assert read_record(calibrated.folder / "record.json").temperature == pytest.approx(record.temperature)
    (board,) = boards(request_.runs)
    assert any(row.name.endswith("calibrate=temperature)") for row in board.rows)


def test_file_of_a_run_that_is_not_calibrated_is_what_it_was(request_: Request, tmp_path: Path) -> None:
    record = run(replace(request_, runs=tmp_path / "runs"), Catalogue(), QUIET)[0].record
    assert not {"calibrate", "temperature"} & {word.strip(' ":,') for word in as_text(record).split()}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "openmic", "method": "knn", "thresholds": "valid"}, "give one of them"),
        ({"fit_on": "train-and-valid"}, "--calibrate temperature is fitted on valid; --refit fits once more"),
    ],
)
def test_temperature_that_has_nothing_to_be_fitted_on_is_refused(changes: dict[str, str], said: str) -> None:
    asked = Request("gtzan", "probe-forest", "nano", calibrate="temperature")
    with pytest.raises(NotApplicable, match=said):
        draft_plan(replace(asked, **changes), Catalogue())  # type: ignore[arg-type]
