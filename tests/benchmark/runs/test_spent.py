"""Where the wall time of a run went: phases that add up, in its record and in one line."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench.features import audio
from mirbench.method import Fitted
from mirbench.plugin_file import Plugin
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs import attempt
from mirbench.runs.plan import Request
from mirbench.runs.report import where_time_went
from mirbench.runs.runner import Outcome, run
from mirbench.trust import checks, submission
from tests.toys import QUIET


@dataclass(frozen=True)
class Slow:
    """Listens, and takes its time."""

    name, version, needs = "slow", "1", ("pooled",)

    def fit(self, train: Any, valid: Any, context: Any, *, seed: int) -> Fitted:
        context.source.pooled(train)
        time.sleep(0.2)

        def predict(split: Any) -> Any:
            context.source.pooled(split)
            return np.full((len(split), len(split.classes)), 1 / len(split.classes), np.float32)

        return Fitted(predict, n_trainable=0)


def done(tmp_path: Path, **changes: Any) -> list[Outcome]:
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True, exist_ok=True)
    task = checks.tiny_task(data)[0].task
    catalogue = Catalogue([Plugin("test", "0" * 64, {"tiny": task}, {"slow": Slow}, {})])
    request = Request(
        "tiny", "slow", "nano", seeds=(0,), data=tmp_path / "data", runs=tmp_path / "runs", cache=tmp_path / "cache"
    )
    return run(replace(request, **changes), catalogue, QUIET)


@pytest.mark.slow
def test_phases_add_up_to_the_wall_time_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[float] = []
    inner = attempt._do

    def timed(*args: Any) -> Any:
        began = time.perf_counter()
        found = inner(*args)
        taken.append(time.perf_counter() - began)
        return found

    monkeypatch.setattr(attempt, "_do", timed)
    (outcome,) = done(tmp_path)
    spent = dict(outcome.record.spent)
    spent.pop("decoding_threads")
    assert sum(spent.values()) == pytest.approx(taken[0], abs=0.05)
    assert 0.2 <= spent["training"] < 0.2 + 0.5 * taken[0]


@pytest.mark.slow
def test_phases_are_those_of_the_schema_and_name_what_was_computed(tmp_path: Path) -> None:
    first, again = done(tmp_path)[0].record, done(tmp_path, seeds=(1,))[0].record
    known = set(submission.schema()["properties"]["spent"]["properties"])
    assert {*first.spent, *again.spent} <= known
    assert {"loading", "decoding", "front_end", "body"} <= set(first.spent)
    assert not {"decoding", "front_end", "body"} & set(again.spent)  # its rows were there, and its speed


@pytest.mark.slow
def test_decoding_is_counted_where_it_was_waited_for_and_in_its_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = audio.read

    def slowly(*args: Any, **options: Any) -> Any:
        time.sleep(0.15)
        return read(*args, **options)

    (first,) = done(tmp_path / "quick", workers=2)
    monkeypatch.setattr(audio, "read", slowly)
    (outcome,) = done(tmp_path / "slow", workers=2)
    n_clips = 12 + 6  # of train and test; what is timed is no part of it
    assert outcome.record.spent["decoding_threads"] >= 0.15 * n_clips > first.record.spent["decoding_threads"]
    assert 0.3 * n_clips * 0.15 <= outcome.record.spent["decoding"] < outcome.record.spent["decoding_threads"]


def outcome(read_back: bool = False, **spent: float) -> Outcome:
    return Outcome(RunRecord(spec=None, status="done", spent=spent), Path("runs"), read_back)  # type: ignore[arg-type]


def test_line_says_the_shares_of_what_was_done_now_the_largest_first() -> None:
    outcomes = [
        outcome(training=1.0, front_end=6.0, scoring=0.01, decoding_threads=9.0),
        outcome(training=2.99),
        outcome(read_back=True, timing=100.0),
    ]
    assert where_time_went(outcomes) == (
        "Time of the 2 runs: 10.0 s (front end 60%, training 40%; decoding took its threads 9.0 s)."
    )


@pytest.mark.parametrize("outcomes", [[], [outcome(read_back=True, timing=1.0)], [outcome()]])
def test_nothing_is_said_where_nothing_was_done_or_known(outcomes: list[Outcome]) -> None:
    assert where_time_went(outcomes) == ""


@pytest.mark.slow
def test_record_without_spent_is_read(tmp_path: Path) -> None:
    (first,) = done(tmp_path)
    path = first.folder / "record.json"
    held = json.loads(path.read_text())
    assert held.pop("spent")
    path.write_text(json.dumps(held))
    (again,) = done(tmp_path)
    assert (again.read_back, dict(again.record.spent)) == (True, {})
