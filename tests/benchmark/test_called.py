"""What a run is called where one is shown: with what was asked otherwise than usual, in the words of the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.leaderboard.system_names import names_of
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.members import Member
from mirbench.runs.report import report
from mirbench.runs.runner import Outcome
from mirbench.told_apart import called
from mirbench.types import Windowing

SPEC = RunSpec(
    task="toy", task_version="1", fold=0, windowing=Windowing(), method="probe", method_version="1",
    params={"C": 2.0, "layers": "pooled"}, search={}, source="ear", source_version="1", source_params={},
    source_sha256="", audio_sha256="", precision="float32", seed=0,
)  # fmt: skip
PLAIN = RunRecord(SPEC, "done", metrics={"accuracy": 0.5}, classes=("a", "b"), kind="single-label")
OTHERS = {
    "toy: probe + ear": PLAIN,
    "toy: probe + ear (C=2.0)": replace(PLAIN, changed={"C": 2.0}),
    "toy: probe + ear (C=2.0, source weights=random)": replace(
        PLAIN, spec=replace(SPEC, source_params={"weights": "random"}), changed={"C": 2.0, "source weights": "random"}
    ),
    "toy: probe + ear (lr=best of 0.1/0.2)": replace(PLAIN, spec=replace(SPEC, search={"lr": [0.1, 0.2]})),
    "toy: probe + ear (pad=repeat)": replace(PLAIN, spec=replace(SPEC, pad="repeat")),
    "toy: prior": replace(PLAIN, spec=replace(SPEC, method="prior", source="")),
}


@pytest.mark.parametrize("name", OTHERS)
def test_name_says_what_differs_from_the_defaults_as_tables_do(name: str) -> None:
    record = OTHERS[name]
    assert called(record) == name
    (in_tables,) = names_of([record]).values()
    assert name == f"toy: {in_tables}"


@pytest.mark.parametrize("name", OTHERS)
def test_heading_of_a_run_and_of_its_predictions_is_that_name(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = OTHERS[name]
    report([Outcome(record, tmp_path / "toy" / "run" / "0", True)], tmp_path, demo=False)
    assert capsys.readouterr().out.splitlines()[0] == name
    runs: Any = {(0, 0): (tmp_path, record)}
    assert Member("it", runs).title == name
