"""`mirbench show RUN`: all of a run, in lines that fit; several in a line each."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mirbench import Trial
from mirbench.api.run_text import run_text
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.scores import Scores, target_hashes
from mirbench.runs.store import RunStore
from mirbench.types import Targets, Windowing

if TYPE_CHECKING:
    from tests.conftest import Answer

Mirbench = Callable[..., "Answer"]

SPEC = RunSpec(
    task="gtzan-mini", task_version="1", fold=0, windowing=Windowing(), method="probe-linear", method_version="1",
    params={"C": 2.0}, search={}, source="nano", source_version="1", source_params={}, source_sha256="ab" * 32,
    audio_sha256="cd" * 32, precision="float32", seed=0,
)  # fmt: skip
CLASSES = ("loud", "quiet")


def written(root: Path, **changes: object) -> tuple[Path, RunRecord]:
    """A run on record, whose spec has these fields."""
    spec = replace(SPEC, **changes)  # type: ignore[arg-type]
    ids = np.array(["a", "b", "c", "d"])
    value = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    targets = Targets(value, np.ones(value.shape, dtype=bool), "single-label")
    held = Scores(ids, value, targets, target_hashes(ids, targets), np.array([""] * 4))
    record = RunRecord(
        spec, "done", metrics={"accuracy": 1.0, "macro-f1": None}, n_trainable=10, n_total=1_000,
        n_clips={"train": 8, "valid": 4, "test": 4}, seconds={"train": 1.5}, spent={"training": 1.5, "body": 4.5},
        classes=CLASSES, kind="single-label", changed={"C": 2.0}, n_folds=5, contaminated=("gtzan",),
        standing="excerpt", environment={"finished": "2026-01-01T00:00:00+00:00", "processor": "a CPU", "cores": 2},
    )  # fmt: skip
    folder = RunStore(root).write(record, held, {"coef": np.zeros(3)})
    return folder, RunStore(root).read(spec) or record


def test_show_says_all_of_a_run_and_how_to_repeat_it(typed: Mirbench) -> None:
    folder, record = written(Path("runs"))
    said = typed("show", "probe-linear+nano")
    assert (said.code, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 80
    lines = said.out.splitlines()
    for begins in (
        f"run       {record.spec.key}, done, 2026-01-01", f"folder    {folder}",
        "task      gtzan-mini, version 1, fold 0 of 5", "source    nano, version 1, weights abababababab…",
        "settings  C=2.0", "score     accuracy 1.000, 95 % interval",
        "size      1,000 values, 10 trainable", "spent     6 s in all: body 4.5 s, training 1.5 s",
        "file      record.json", "beware    only fold 0 of 5",
    ):  # fmt: skip
        assert any(line.startswith(begins) for line in lines), begins
    assert "source trained on gtzan" in said.out
    again = said.out.partition("again:\n")[2].partition("Data that")[0].replace("\\\n", " ")
    words = "mirbench run --task gtzan-mini --method probe-linear --source nano --seeds 1 --set C=2.0 --fold 0"
    assert shlex.split(again) == words.split()


@pytest.mark.parametrize("way", ["folder", "key", "short key", "with task", "as tables write it"])
def test_show_knows_a_run_by(way: str, typed: Mirbench) -> None:
    folder, record = written(Path("runs"))
    key = record.spec.key
    names = {"folder": folder, "key": key, "short key": key[:6], "with task": "gtzan-mini/probe-linear+nano",
             "as tables write it": "probe-linear + nano"}  # fmt: skip
    assert typed("show", names[way]).out.startswith(f"run       {key}")


@pytest.mark.parametrize("by_system", [False, True])
def test_show_lists_several_runs_in_a_line_each(by_system: bool, typed: Mirbench) -> None:
    every = [written(Path("runs"), seed=seed)[1] for seed in range(3)]
    said = typed("show", every[0].spec.system if by_system else "probe-linear+nano")
    assert said.out.splitlines()[0].split() == ["key", "task:", "method", "+", "source", "fold", "seed", "result"]
    assert {line.split()[0] for line in said.out.splitlines()[1:4]} == {record.spec.key for record in every}
    assert "gtzan-mini: probe-linear + nano (C=2.0)" in said.out


def test_show_lists_runs_of_several_tasks(typed: Mirbench) -> None:
    for task in ("gtzan-mini", "gtzan"):
        written(Path("runs"), task=task)
    assert typed("show", "probe-linear+nano").out.count("accuracy 1.000") == 2


def test_show_of_a_name_prefers_the_card(typed: Mirbench) -> None:
    written(Path("runs"), method="prior", source="", source_version="", source_sha256="")
    assert typed("show", "prior").out.startswith("prior  method")


def test_show_of_what_is_nothing_is_one_line(typed: Mirbench) -> None:
    written(Path("runs"))
    said = typed("show", "nothing")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("mirbench: No task, method or source is called 'nothing'.")
    assert "--plugin FILE" in said.err
    assert said.err.count("\n") == 1


def test_show_names_a_record_that_cannot_be_read(typed: Mirbench) -> None:
    folder, _ = written(Path("runs"))
    written(Path("runs"), seed=1)
    (folder / "record.json").write_text("{")
    said = typed("show", "probe-linear+nano")
    assert said.code == 1
    assert "seed" not in said.err
    assert "cannot be read" in said.err


def test_failed_run_with_a_search_and_hostile_names_is_plain_text(tmp_path: Path) -> None:
    folder, record = written(tmp_path)
    evil = "a\x1b[31mred\nb"
    trial = {"params": {"C": 1.0}, "valid_score": 0.5, "seconds": None, "valid_scores": [], "valid_losses": []}
    assert set(trial) == set(Trial.__dataclass_fields__)
    record = replace(
        record, status="failed", reason=evil, metrics={}, trials=[trial] * 12, chosen={"C": 1.0},
        spec=replace(record.spec, task=evil, method_version="1+0123456789ab"),
    )  # fmt: skip
    shown = run_text(folder, record)
    assert "\x1b" not in shown
    assert "trial" in shown
    assert "… and 4 more" in shown
    assert "[plugin]" in shown


def test_scores_that_are_not_there_are_said(tmp_path: Path) -> None:
    folder, record = written(tmp_path)
    (folder / "scores.npz").unlink()
    shown = run_text(folder, record)
    assert "scores.npz, is not there" in shown


@pytest.mark.parametrize("name", ["gtzan-min/probe-linear+nano", "gtzan-mini/probe-linear", "gtzan-mini/linear+nano"])
@pytest.mark.parametrize("command", ["show", "predict"])
def test_run_that_is_not_there_is_told_with_those_that_are(command: str, name: str, typed: Mirbench) -> None:
    written(Path("runs"))
    said = typed(command, name, *(("x.wav",) if command == "predict" else ()))
    assert said.code == 2
    assert f"No run below runs is called '{name}'. Did you mean 'gtzan-mini/probe-linear+nano'?" in said.err


@pytest.mark.parametrize("name", ["hf:nobody/nothing", "gtzan-min", "csv:nowhere/songs.csv"])
def test_what_is_like_no_run_is_told_as_a_task_or_source(name: str, typed: Mirbench) -> None:
    written(Path("runs"))
    assert "No run below" not in typed("show", name).err


def test_own_runs_are_proposed_before_those_of_others(typed: Mirbench) -> None:
    written(Path("runs"), source="efficientat-mn04")
    said = typed("compare", "probe-linear", "prior")
    assert said.code == 2
    assert "is called 'probe-linear'. Did you mean 'probe-linear+efficientat-mn04" in said.err
    assert "Also near: probe-linear+" in said.err
