"""Runs with drawn scores on record, as the runner would leave them, for the tests of what is verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench import metrics
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.attempt import unfinished
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.tasks.audit.statistics import committed
from mirbench.trust import submission, verify
from mirbench.trust.verify import Case
from mirbench.types import Split

QUIET = Progress(quiet=True)
TASK = "composer-maestro"  # its clips are in a frozen list: labels can be looked up without its audio
Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Three runs of the method that hears nothing."""
    folder = tmp_path_factory.mktemp("plan")
    plan = make_plan(Request(TASK, "prior", seeds=(0,), data=folder, cache=folder), Catalogue(), QUIET)
    return replace(plan, uses_seed=True, specs=tuple(replace(plan.specs[0], seed=seed) for seed in range(3)))


def heard(plan: Plan) -> Split:
    """The test clips."""
    return Split(plan.task, tuple(clip for clip in plan.folds[0] if clip.split == "test"))


def write(root: Path, plan: Plan, seed: int = 0, draw: int | None = None, **facts: Any) -> Path:
    """Put a run with drawn scores on record, as the runner would."""
    spec, split = plan.specs[seed], heard(plan)
    rng = np.random.default_rng(seed if draw is None else draw)
    scores = rng.dirichlet(np.ones(len(split.classes)), len(split)).astype(np.float32)
    found = metrics.evaluate(plan.task.metrics, scores, split.targets())
    counts = {name: sum(c.split == name for c in plan.folds[0]) for name in ("train", "valid", "test")}
    blank = unfinished(spec, plan)
    done = replace(
        blank, status="done", metrics=found, n_scored=metrics.n_scored(found), n_clips=counts,
        seconds={"train": 1.0 + seed}, environment={"python": "3.11"}, **facts,
    )  # fmt: skip
    return RunStore(root).write(done, Scores.of(split, scores))


def of(root: Path, **how: Any) -> list[Case]:
    return verify.verify(root, Catalogue(), **how)


def strict(root: Path, catalogue: Catalogue | None = None, **how: Any) -> list[Case]:
    catalogue = catalogue or Catalogue()
    return verify.verify(root, catalogue, None, submission.Submission(catalogue, committed, **how))


def problems(cases: list[Case]) -> dict[str, list[str]]:
    return {case.folder.name: case.problems for case in cases if case.problems}


def edit(folder: Path, change: Edit) -> None:
    path = folder / "record.json"
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))


def edit_scores(folder: Path, change: Edit) -> None:
    with np.load(folder / "scores.npz") as stored:
        held = dict(stored)
    change(held)
    np.savez_compressed(folder / "scores.npz", **held)


def put(name: str, column: Any, value: Any) -> Callable[[Path], None]:
    def change(held: dict[str, Any]) -> None:
        held[name] = held[name].copy()
        held[name][column] = value

    return lambda folder: edit_scores(folder, change)


@pytest.fixture(scope="module")
def honest(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records that hold; not to be changed."""
    root = tmp_path_factory.mktemp("honest") / "runs"
    write(root, plan, 0)
    write(root, plan, 1)
    return root


@pytest.fixture
def runs(honest: Path, tmp_path: Path) -> Path:
    """Two records of one's own."""
    return Path(shutil.copytree(honest, tmp_path / "runs"))


def first(root: Path) -> Path:
    return sorted(root.glob("*/*/*"))[0]
