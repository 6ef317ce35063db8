"""Records as CSV are read back by pandas as they were; what is left out and what is no real music is said."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mirbench.runs.store import RunStore
from tests.leaderboard.other_tools.conftest import ODD, Typed


def frame(typed: Typed, runs: Path, *words: str) -> pd.DataFrame:
    assert typed("export", "records", runs, "--to", "csv", *words).code == 0
    return pd.read_csv("records.csv", keep_default_na=False, dtype=str).set_index("key")


def test_csv_reads_back_as_the_records(typed: Typed, runs: Path) -> None:
    read = frame(typed, runs)
    done = {record.spec.key: record for _, record in RunStore(runs).records() if record.status == "done"}
    assert set(read.index) == set(done)
    for key, record in done.items():
        row, spec = read.loc[key], record.spec
        assert (row.task, row.task_version, row.method, row.source) == (
            spec.task, spec.task_version, spec.method, spec.source,
        )  # fmt: skip
        assert (int(row.fold), int(row.seed)) == (spec.fold, spec.seed)
        assert json.loads(row.params) == spec.params
        assert json.loads(row.versions) == {"mirbench": "0.5.0"}
        for name in ("accuracy", "macro-f1", "roc-auc"):
            assert float(row[name]) == record.metrics[name]
        assert float(row.epoch_seconds) == record.seconds["epoch"]


def test_csv_marks_what_was_made_elsewhere_and_on_a_stand_in(typed: Typed, runs: Path) -> None:
    read = frame(typed, runs).set_index("task")
    assert read.loc["tones-demo", "marks"].startswith("claimed")
    assert "no real music" in read.loc["tones-demo", "warnings"]
    assert set(read.loc[["tones"], "warnings"].str.contains("source trained on fma")) == {True}
    assert not read.loc[["tones"], "warnings"].str.contains("no real music").any()


def test_csv_of_one_task_holds_no_other(typed: Typed, runs: Path) -> None:
    assert set(frame(typed, runs, "--task", "tones").task) == {"tones"}


def test_csv_has_no_cell_that_a_spreadsheet_takes_for_a_formula(typed: Typed, runs: Path) -> None:
    cells = frame(typed, runs).to_numpy().ravel()
    assert any(ODD in cell.replace("\\", "") for cell in cells)
    assert not [cell for cell in cells if cell[:1] in "=+-@" and cell]


def test_failed_runs_are_left_out_and_counted(typed: Typed, runs: Path) -> None:
    answer = typed("export", "records", runs, "--to", "csv", "--output", "-")
    assert len(answer.out.splitlines()) == 4
    assert answer.err == "3 records; 1 that failed or were skipped is left out; 1 on synthesised stand-ins says so\n"


def test_folder_of_one_system_is_exported_alone(typed: Typed, runs: Path) -> None:
    answer = typed("export", "records", runs / "tones-demo" / "theirs+tiny", "--to", "csv")
    assert answer.err.startswith("records.csv: 1 record")


def test_record_that_cannot_be_read_is_named(typed: Typed, runs: Path) -> None:
    next((runs / "tones-demo").rglob("record.json")).write_text("{", encoding="utf-8")
    answer = typed("export", "records", runs, "--to", "csv")
    assert answer.code == 1
    assert "records.csv: 2 records" in answer.err
    assert "record.json" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--to TOOL is needed"),
        (("--to", "excel"), "--to excel: one of csv"),
        (("--to", "csv", "--uri", "sqlite:///x"), "add --to mlflow"),
        (("--to", "csv", "--hub-dataset", "a/b"), "add --to hf-eval-results"),
        (("--to", "mlflow", "--output", "here"), "--uri sqlite:///here"),
        (("--to", "trackio", "--output", "-"), "only csv is printed"),
        (("--to", "csv", "--task", "tons"), "Did you mean 'tones'?"),
        (("--to", "hf-eval-results", "--hub-dataset", "../etc"), "OWNER/NAME is needed"),
    ],
)
def test_wrong_words_are_one_line(words: tuple[str, ...], said: str, typed: Typed, runs: Path) -> None:
    answer = typed("export", "records", runs, *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err


@pytest.mark.parametrize("folder", ["nothing", "empty"])
def test_folder_without_a_result_is_one_line(folder: str, typed: Typed) -> None:
    Path("empty").mkdir()
    answer = typed("export", "records", folder, "--to", "csv")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert not Path("records.csv").exists()


@pytest.mark.parametrize("tool", ["mlflow", "trackio"])
def test_tool_that_is_not_installed_is_named_with_its_extra(tool: str, typed: Typed, runs: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, tool, None)
    answer = typed("export", "records", runs, "--to", tool)
    assert (answer.code, answer.err) == (2, f"mirbench: --to {tool} needs {tool}: pip install 'mirbench[{tool}]'\n")
