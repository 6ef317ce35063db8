"""On real audio with real weights: what a user would see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirbench.leaderboard.table import boards
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust import checks

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of the frozen network, which are computed once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def mini(shared: Path, tmp_path: Path, cache: Path) -> Request:
    return Request(
        "gtzan-mini", "probe-linear", "efficientat-mn04", seeds=(0,), data=shared / "data", weights=shared / "weights",
        runs=tmp_path / "runs", cache=cache,
    )  # fmt: skip


@pytest.mark.slow
def test_gtzan_mini_is_as_its_card_says(shared: Path, cache: Path) -> None:
    task = Catalogue().task("gtzan-mini")
    assert checks.check_data(task, shared / "data" / task.folder, cache, Progress(quiet=True)) == []


@pytest.mark.slow
def test_linear_probe_on_mn04_names_gtzan_mini_at_085_or_above(mini: Request) -> None:
    outcomes = run(mini, Catalogue(), Progress(quiet=True))
    (board,) = boards(mini.runs)
    accuracy, _ = board.rows[0].metrics["accuracy"]
    assert len(outcomes) == 5
    assert accuracy >= 0.85


@pytest.mark.slow
def test_ids_nmr_on_mn04_learns_and_rereads_its_frozen_part(mini: Request) -> None:
    """Far above chance (0.1) after a fifth of its epochs; the second seed computes nothing frozen."""
    request = replace(mini, method="ids-nmr", folds=(1,), seeds=(0, 1), params={"epochs": 20, "lr": 1e-3})
    outcomes = run(request, Catalogue(), Progress(quiet=True))
    assert [o.record.status for o in outcomes] == ["done", "done"]
    assert np.mean([o.record.metrics["accuracy"] for o in outcomes]) > 0.5
    assert outcomes[0].record.n_trainable == 131_232


@pytest.mark.slow
@pytest.mark.parametrize(("method", "lr"), [("ii-nmr", 1e-2), ("id-nmr", 1e-3)])
def test_reprogramming_before_the_body_lowers_its_loss_on_real_music(method: str, lr: float, mini: Request) -> None:
    """By two clips a class, in small batches."""
    params = {"epochs": 3, "lr": lr, "batch_size": 4}
    request = replace(mini, task="gtzan-mini+shots2", method=method, folds=(1,), params=params)
    (outcome,) = run(request, Catalogue(), Progress(quiet=True))
    losses = [row["loss"] for row in outcome.record.history]
    assert outcome.record.status == "done", outcome.record.reason
    assert losses[-1] < 0.8 * losses[0]
