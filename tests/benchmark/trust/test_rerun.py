"""Runs are repeated: the same scores come again, invented ones do not, and what came out the same is noted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mirbench.errors import BadInput
from mirbench.places import default_results
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.own_places import parse_places
from mirbench.runs.plan import Plan, Request, draft_plan
from mirbench.runs.record_file import read_record
from mirbench.runs.store import RunStore
from mirbench.trust import repeated, rerun
from tests.benchmark.trust.recorded import QUIET, TASK, of, problems, put, strict, write

if TYPE_CHECKING:
    from tests.conftest import Answer


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A record that the runner made."""
    request = Request(TASK, "prior", seeds=(0,), runs=tmp_path / "real", cache=tmp_path / "cache")
    (outcome,) = runner.run(request, Catalogue(), QUIET)
    return outcome.folder


def again(folder: Path, **how: Any) -> rerun.Repeat:
    record = next(RunStore(folder.parents[2]).records())[1]
    return rerun.repeat((folder, record), Catalogue(), how.pop("places", {}), QUIET, **how)


def test_run_repeats_to_the_bit(real: Path) -> None:
    found = again(real)
    assert (found.unable, found.deviation, found.n_changed, found.n_clips) == ("", 0.0, 0, 139)
    assert found.within(0.0)


def test_invented_scores_are_found_out_when_the_run_is_repeated(real: Path, plan: Plan) -> None:
    root = real.parents[2]
    invented = write(root, plan, 0, draw=3)
    assert invented == real
    assert problems(strict(root)) == {}  # consistent, and not true
    found = again(real)
    assert not found.within(rerun.TOLERANCE)
    assert found.deviation > 0.1
    assert "clips are predicted otherwise; accuracy" in str(found)


def test_deviation_is_the_largest_difference_of_a_score(real: Path) -> None:
    with np.load(real / "scores.npz") as held:
        before = held["scores"].copy()
    put("scores", (5, slice(None)), before[5] + np.array([0.25, -0.25]))(real)
    found = again(real)
    assert found.deviation == pytest.approx(0.25, abs=1e-6)
    assert not found.within(0.2)
    assert found.within(0.3)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("audio_sha256", "0" * 64, "clips, labels or audio are other ones (hash 00000000 on record"),
        ("method_version", "0", "method_version is 0 on record and"),
        ("task_version", "0", "task_version is 0 on record and 1 here"),
    ],
)
def test_run_of_something_else_is_not_compared(field: str, value: str, said: str, plan: Plan, tmp_path: Path) -> None:
    folder = write(tmp_path / "runs", replace(plan, specs=(replace(plan.specs[0], **{field: value}),)))
    found = again(folder)
    assert not found.within(1.0)
    assert found.unable.startswith(f"cannot be compared: {said}")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "probe-linear", "source": "nano", "params": {}}, "the default data root"),
        ({"method": "no-such-method"}, "No method is called"),
        ({"task": "folder:songs"}, "(say where it is: --as folder:songs=folder:PATH)"),
    ],
)
def test_run_that_lacks_something_here_cannot_be_repeated(
    changes: dict[str, Any], said: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = replace(plan.specs[0], **changes)
    found = rerun.repeat((tmp_path, RunRecord(spec, "done")), Catalogue(), {}, QUIET)
    assert found.unable.startswith("cannot be repeated here: ")
    assert said in found.unable


def test_own_data_is_repeated_where_it_is_said_to_lie(tmp_path: Path) -> None:
    for name in ("high", "low"):
        for number in range(12):
            path = tmp_path / "there" / "songs" / name / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")  # prior does not listen
    place = f"folder:{tmp_path / 'there' / 'songs'}"
    request = Request(f"{place}+folds3", "prior", seeds=(0,), folds=(1,), runs=tmp_path / "own", cache=tmp_path / "c")
    (outcome,) = runner.run(request, Catalogue(), QUIET)
    assert outcome.record.spec.task == "folder:songs+folds3"
    assert again(outcome.folder, places={"folder:songs": place}).within(0.0)


def test_choice_is_the_quickest_of_each_system(honest: Path, plan: Plan) -> None:
    runs = [(case.folder, case.record) for case in of(honest) if case.record]
    assert [record.spec.seed for _, record in rerun.choose(runs, [])] == [0]
    assert len(rerun.choose(runs, ["all"])) == 2
    assert [record.spec.seed for _, record in rerun.choose(runs, [plan.specs[1].key[:6]])] == [1]
    assert len(rerun.choose(runs, [plan.specs[0].system])) == 2
    with pytest.raises(BadInput, match="--only zz: no run"):
        rerun.choose(runs, ["zz"])


def test_places_need_a_name_and_a_task() -> None:
    assert parse_places(["folder:a=folder:/b/a"]) == {"folder:a": "folder:/b/a"}
    with pytest.raises(BadInput, match="NAME=PLACE is needed"):
        parse_places(["folder:a"])


def test_request_of_a_run_that_searched_asks_for_the_same_run() -> None:
    """A record holds every hyperparameter, those that were searched too."""
    asked = Request(task="gtzan-demo", method="probe-mlp", source="nano", search={"lr": (0.001, 0.01)}, seeds=(3,))
    (spec,) = draft_plan(replace(asked, params={"epochs": 2}), Catalogue()).specs
    assert "lr" in spec.params
    assert draft_plan(rerun.request_of(spec, {}), Catalogue()).specs == (spec,)


def test_command_repeats(real: Path, typed: Callable[..., Answer]) -> None:
    answer = typed("verify", real.parents[2], "--rerun", "--quiet")
    assert answer.code == 0
    assert "1 run to repeat: 1 within 0.001 of the scores on record, 0 not, 0 not compared." in answer.out


def test_run_that_repeats_is_noted_and_one_that_no_longer_does_is_forgotten(real: Path) -> None:
    found = again(real)
    assert rerun.put_down(found, rerun.TOLERANCE)
    held = repeated.notes()
    (path,) = held[real.name]
    assert repeated.is_repeated(real, real.name, held)
    assert json.loads(path.read_text())["device"] == found.note.device != "unknown"  # type: ignore[union-attr]
    assert not rerun.put_down(replace(found, unable="cannot be repeated here", note=None), 0.0)
    assert repeated.notes() == held, "nothing was learnt of it"
    assert not rerun.put_down(replace(found, deviation=0.5), tolerance=1.0), "which is another mark than that of others"
    assert repeated.notes() == {}


def test_record_that_changes_while_it_is_repeated_is_not_noted(real: Path) -> None:
    record = replace(read_record(real / "record.json"), n_trainable=7)
    found = rerun.repeat((real, record), Catalogue(), {}, QUIET)
    assert (found.note, found.unable) == (None, "")  # what was repeated is compared with what was asked


def test_run_whose_scores_are_not_those_that_its_record_was_written_with_is_not_noted(real: Path) -> None:
    (real / "scores.npz").write_bytes((real / "scores.npz").read_bytes() + b"more")
    assert again(real).note is None


def test_command_notes_what_repeats(real: Path, typed: Callable[..., Answer]) -> None:
    answer = typed("verify", real.parents[2], "--rerun", "--quiet")
    assert (answer.code, "mark a system as repeated" in answer.out, list(repeated.notes())) == (0, True, [real.name])


def test_command_speaks_of_the_quickest_where_none_is_named(honest: Path, typed: Callable[..., Answer]) -> None:
    key = next(honest.glob("*/*/*/record.json")).parent.name
    said = "1 of 2 runs are repeated, of each system the quickest"
    assert said in typed("verify", honest, "--rerun", "--quiet").out
    assert said not in typed("verify", honest, "--rerun", "--only", key, "--quiet").out


def test_command_says_where_no_note_can_be_kept(real: Path, typed: Callable[..., Answer]) -> None:
    default_results().parent.mkdir(exist_ok=True)
    default_results().write_text("a file where the folder would be")
    answer = typed("verify", real.parents[2], "--rerun", "--quiet")
    assert (answer.code, "No note of it can be kept" in answer.out, "mark a system" in answer.out) == (0, True, False)


def test_command_repeats_a_run_on_a_file_of_features_where_it_is_told(
    plan: Plan, tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    clips = plan.folds[0]
    path = tmp_path / "far" / "away.npz"
    path.parent.mkdir()
    rows = np.random.default_rng(0).normal(size=(len(clips), 3)).astype(np.float32)
    np.savez(path, id=np.array([clip.id for clip in clips]), rows=rows)
    request = Request(
        TASK, "knn", f"features:{path}", seeds=(0,), source_params={"array": "rows"}, runs=tmp_path / "runs",
        cache=tmp_path / "cache",
    )  # fmt: skip
    (outcome,) = runner.run(request, Catalogue(), QUIET)
    assert outcome.record.status == "done"
    lost = typed("verify", tmp_path / "runs", "--rerun", "--quiet")
    assert "(say where it is: --as features:away.npz=features:PATH)" in lost.out
    found = typed("verify", tmp_path / "runs", "--rerun", "--quiet", "--as", f"features:away.npz=features:{path}")
    assert (found.code, "1 within 0.001" in found.out) == (0, True)


def test_command_fails_where_a_run_does_not_repeat(honest: Path, typed: Callable[..., Answer]) -> None:
    answer = typed("verify", honest, "--rerun", "--only", "all", "--quiet")
    assert answer.code == 1
    assert "2 runs to repeat: 0 within 0.001 of the scores on record, 2 not, 0 not compared." in answer.out
