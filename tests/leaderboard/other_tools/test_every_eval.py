"""Rows in the form of Every Eval Ever: what its own package finds of them, where that is installed, and what we say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mirbench.leaderboard.other_tools.every_eval import write_every_eval
from mirbench.leaderboard.table import boards
from tests.leaderboard.other_tools.conftest import Typed

PLACE = r"data/mirbench-tones(-demo/mirbench-claimed|/mirbench)/[a-z0-9-]+/[0-9a-f-]{36}\.json"


def written(typed: Typed, runs: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """The files by the name of their data."""
    answer = typed("export", "records", runs, "--to", "every-eval-ever", "--output", "store")
    assert answer.code == 0, answer.err
    found = {}
    for path in Path("store").rglob("*.json"):
        held = json.loads(path.read_text(encoding="utf-8"))
        found[path.relative_to("store").parts[1]] = (path.relative_to("store"), held)
    return found


def test_its_own_package_finds_no_fault(typed: Typed, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validator = pytest.importorskip("every_eval_ever.validator.validation_core")
    files = written(typed, runs)
    monkeypatch.chdir("store")
    for path, _ in files.values():
        report = validator.validate_aggregate(path, repo_path=path.as_posix(), run_semantic_checks=True)
        assert (report.valid, report.errors, report.warnings) == (True, [], [])
    assert len(files) == 2


def test_its_own_schema_takes_the_files(typed: Typed, runs: Path) -> None:
    package = pytest.importorskip("every_eval_ever.schemas")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(next(iter(package.__path__))) / "eval.schema.json").read_text(encoding="utf-8"))
    for _, held in written(typed, runs).values():
        jsonschema.Draft7Validator(schema).validate(held)
        assert held["schema_version"] == schema["version"]


def test_file_says_what_the_row_says(typed: Typed, runs: Path) -> None:
    row = next(board.rows[0] for board in boards(runs) if board.task == "tones")
    _, held = written(typed, runs)["mirbench-tones"]
    results = {result["metric_config"]["metric_id"]: result for result in held["evaluation_results"]}
    assert {name: result["score_details"]["score"] for name, result in results.items()} == {
        name: summary[0] for name, summary in row.metrics.items() if summary
    }
    interval = results["accuracy"]["score_details"]["uncertainty"]["confidence_interval"]
    assert row.interval is not None
    assert (interval["lower"], interval["upper"]) == (row.interval.low, row.interval.high)
    assert "uncertainty" not in results["macro-f1"]["score_details"]
    assert held["eval_library"] == {"name": "mirbench", "version": "0.5.0"}


def test_what_was_made_elsewhere_is_not_filed_as_mirbenchs_own(typed: Typed, runs: Path) -> None:
    path, held = written(typed, runs)["mirbench-tones-demo"]
    assert path.parts[2].startswith("mirbench-claimed")
    assert held["model_info"]["id"] == "/".join(path.parts[2:4])
    assert "no real music" in held["evaluation_results"][0]["source_data"]["dataset_name"]
    assert "[claimed]" in held["source_metadata"]["additional_details"]["warnings"]


def test_files_lie_as_the_store_has_them_and_again_are_the_same(tmp_path: Path, runs: Path) -> None:
    first = write_every_eval(boards(runs), tmp_path / "store", now=1.0)
    before = [path.read_bytes() for path in first]
    assert write_every_eval(boards(runs), tmp_path / "store", now=1.0) == first
    assert [path.read_bytes() for path in first] == before
    assert all(re.fullmatch(PLACE, path.relative_to(tmp_path / "store").as_posix()) for path in first)
