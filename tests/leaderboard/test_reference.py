"""The results that ship with mirbench hold, are small, and come out again."""

from __future__ import annotations

import shutil
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirbench.leaderboard.packs import Pack, shipped
from mirbench.leaderboard.table import boards
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.tasks.audit.statistics import committed
from mirbench.trust.rerun import request_of
from mirbench.trust.submission import Submission
from mirbench.trust.verify import verify
from tests.conftest import ROOT

FOLDER = ROOT / "leaderboard" / "reference"
QUIET = Progress(quiet=True)


@pytest.fixture(autouse=True)
def _toys_are_known() -> None:
    """Here names are looked up."""


def name_of(pack: Pack) -> str:
    return pack.path.name.partition(".")[0]


def records_of(pack: Pack) -> list[tuple[Path, RunRecord]]:
    return list(RunStore(pack.opened()).records())


def test_there_is_a_pack_for_each_suite_of_reference_results_and_for_nothing_else() -> None:
    assert (
        {name_of(pack) for pack in shipped()}
        == {path.stem for path in FOLDER.glob("*.toml")}
        == {"gtzan", "gtzan-mini"}
    )


@pytest.mark.parametrize("pack", shipped(), ids=name_of)
@pytest.mark.slow
def test_reference_results_are_small_and_pass_what_a_submission_must(pack: Pack) -> None:
    assert pack.path.stat().st_size < 3 * 2**20
    own = name_of(pack) == "gtzan"  # its features are a file, of which nothing can be looked up
    catalogue = Catalogue()
    cases = verify(pack.opened(), catalogue, QUIET, Submission(catalogue, committed, None, allow_own=own))
    assert [(case.folder.name, case.problems) for case in cases if not case.holds] == []


@pytest.mark.parametrize("pack", shipped(), ids=name_of)
def test_reference_results_name_no_machine_and_no_folder_and_no_times(pack: Pack) -> None:
    for folder, record in records_of(pack):
        text = (folder / "record.json").read_text(encoding="utf-8")
        assert (record.seconds, record.spent, record.energy) == ({}, {}, {})
        assert not {"load", "timed_run", "host", "hostname", "node"} & set(record.environment)
        assert not [word for word in ("/root", "/home", "/work", "shared/", "\\\\") if word in text]


@pytest.mark.parametrize("pack", shipped(), ids=name_of)
def test_reference_results_are_all_that_their_suite_asks_for(pack: Pack, tmp_path: Path) -> None:
    """Every fold and seed of every method on every source."""
    asked: Counter[tuple[str, str]] = Counter()
    for part in _runs_of(name_of(pack)):
        needy = [name for name in _listed(part["method"]) if Catalogue().method(name).needs]
        for method in _listed(part["method"]):
            for source in _listed(part["source"]) if method in needy else [""]:
                asked[method, source] += part["seeds"] * N_FOLDS[name_of(pack)]
    held = Counter((record.spec.method, record.spec.source) for _, record in records_of(pack))
    assert held == asked
    (board,) = boards(tmp_path / "nothing", packs=[pack], alone=True)
    assert {mark for row in board.rows for mark in row.marks} == {"reference"}
    assert all(row.rank is not None for row in board.rows)


N_FOLDS = {"gtzan": 1, "gtzan-mini": 5}


def _runs_of(suite: str) -> list[dict[str, Any]]:
    table = tomllib.loads((FOLDER / f"{suite}.toml").read_text(encoding="utf-8"))
    return [table["defaults"] | part for part in table["run"]]


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


@pytest.mark.real
def test_a_reference_result_on_features_comes_out_again_to_the_bit(shared: Path, tmp_path: Path) -> None:
    pack = next(pack for pack in shipped() if name_of(pack) == "gtzan")
    shutil.copy(shared / "data" / "choi2017" / "gtzan.npz", tmp_path / "gtzan.npz")
    folder, record = next(
        (folder, record)
        for folder, record in records_of(pack)
        if record.spec.method == "probe-linear" and record.spec.source_params["array"] == "convnet"
    )
    request = replace(
        request_of(record.spec, {}), source=f"features:{tmp_path}/gtzan.npz", runs=tmp_path / "runs", cache=tmp_path
    )
    (outcome,) = run(request, Catalogue(), QUIET)
    assert outcome.record.spec == record.spec
    again = RunStore(request.runs).scores(outcome.folder)
    assert np.allclose(again.scores, RunStore(pack.opened()).scores(folder).scores, atol=1e-6)
    assert {name: outcome.record.metrics[name] for name in record.metrics} == dict(record.metrics)


@pytest.mark.real
@pytest.mark.slow
def test_a_reference_result_on_real_music_comes_out_again(shared: Path, tmp_path: Path) -> None:
    pack = next(pack for pack in shipped() if name_of(pack) == "gtzan-mini")
    folder, record = next(
        (folder, record)
        for folder, record in records_of(pack)
        if (record.spec.method, record.spec.source, record.spec.fold) == ("probe-linear", "efficientat-mn04", 1)
    )
    places = {"data": shared / "data", "weights": shared / "weights", "runs": tmp_path / "runs", "cache": tmp_path}
    request = replace(request_of(record.spec, {}), **places)
    (outcome,) = run(request, Catalogue(), QUIET)
    assert outcome.record.spec == record.spec
    again = RunStore(request.runs).scores(outcome.folder)
    assert np.allclose(again.scores, RunStore(pack.opened()).scores(folder).scores, atol=1e-3)
    assert {name: outcome.record.metrics[name] for name in record.metrics} == dict(record.metrics)
