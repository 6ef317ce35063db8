"""Demos of the tables: what they ask for, and that they fill their lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirbench.registry import Catalogue
from mirbench.runs import sweep
from mirbench.runs.suite import read_suite, titles
from mirbench.runs.suite_runs import Entry
from mirbench.runs.sweep import Result, as_demo, shortened
from tests.leaderboard.reproduction.on_record import Lines

if TYPE_CHECKING:
    from tests.conftest import Answer as Typed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path) -> Path:
    """A folder of all demos, as whoever asks for one after another has: no row is computed and no run done twice."""
    folder = tmp_path_factory.mktemp("demos")
    (folder / "cache").mkdir()
    stand_ins.joinpath("synthesised").mkdir(parents=True, exist_ok=True)
    (folder / "cache" / "synthesised").symlink_to(stand_ins / "synthesised")
    return folder


@pytest.fixture
def shown(made: Path, typed: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Lines]:
    """``shown(suite)``: the lines of its demo, which learns of few songs for one epoch: that fills its table."""
    monkeypatch.setenv("MIRBENCH_CACHE", str(made / "cache"))
    monkeypatch.chdir(made)
    short = sweep._short

    def briefly(entry: Entry, catalogue: Catalogue) -> Entry:
        once = {"epochs": 1} if "epochs" in entry.demo_set else {}
        task = f"{entry.request.task}+shots2" if entry.request.task == "gtzan-demo" else entry.request.task
        request = replace(entry.request, task=task)
        return short(replace(entry, request=request, demo_set={**entry.demo_set, **once}), catalogue)

    monkeypatch.setattr(sweep, "_short", briefly)
    monkeypatch.setattr("mirbench.methods.training.schedules._CROPS_AN_EPOCH", 32)  # of the authors' 1000
    return lambda name: demo(name, typed)


def demo(name: str, typed: Callable[..., Typed]) -> Lines:
    answer = typed("reproduce", name, "--demo", "--quiet", "--threads", "1", "--format", "json")
    assert answer.code == 0, answer.err
    held = json.loads(answer.out)
    assert held["notes"][0].startswith("DEMO: ")
    assert {line["verdict"] for line in held["lines"]} <= {"stand-in", "not run"}
    assert all(line["reason"] for line in held["lines"] if line["verdict"] == "not run")
    return {(line["row"], line["quantity"]): line for line in held["lines"]}


@pytest.mark.slow
def test_demo_counts_labels_and_runs_the_forest(shown: Callable[[str], Lines]) -> None:
    lines = shown("chen2022-rf")
    assert {line["verdict"] for line in lines.values()} == {"stand-in"}
    total = sum(
        lines[f"OpenMIC {part}", f"{n}[violin]"]["ours"]
        for part in ("train", "test")
        for n in ("n_present", "n_absent")
    )
    of_test = lines["RF", "two-class-f1-per-class[violin]"]["n_clips"]
    assert 0 < of_test == sum(lines["OpenMIC test", f"{n}[violin]"]["ours"] for n in ("n_present", "n_absent")) < total


@pytest.mark.slow
def test_demo_gives_claims_their_numbers(shown: Callable[[str], Lines]) -> None:
    lines = shown("chen2022-claims")
    gain = lines["AST-URP", "gain over AST-BS[two-class-f1-per-class[accordion]]"]
    assert -100 <= gain["low"] <= gain["ours"] <= gain["high"] <= 100
    assert {line["by"] for line in lines.values()} >= {
        "openmic-demo",
        "openmic-demo: ast-bs + nano (epochs=1, lr=0.003)",
        "openmic-demo: unet-rp + nano (batch_size=4, epochs=1, lr=0.003)",
    }


def test_demo_of_pictures_asks_the_picture_stand_in_for_a_small_grid_and_every_epoch() -> None:
    catalogue = Catalogue()
    suite = read_suite("rommel2023-sweep1", catalogue, {})
    (entry,) = shortened(as_demo(suite, catalogue), catalogue).entries
    request = entry.request
    assert (entry.unable, request.task, request.source, request.seeds) == (
        "",
        "gtzan-pictures-demo",
        "nano",
        (0,),
    )
    assert request.params["epochs"] == 25  # what the printed figures are read at
    assert [(len(values), values[0], values[-1]) for values in request.search.values()] == [
        (6, 0.001, 0.01),
        (3, 0.005, 0.015),
    ]


def test_demo_does_no_run_twice_and_learns_for_some_epochs() -> None:
    """AST and SpeechATT are both nano: the second of them is left out, with the row that has its run."""
    catalogue = Catalogue()
    entries = shortened(as_demo(read_suite("hung2022-table1", catalogue, {}), catalogue), catalogue).entries
    assert [entry.unable for entry in entries if entry.row == "ID-NMR, AST"] == [
        "left out of the demo, where it is the run of ID-NMR, SpeechATT", "",
    ]  # fmt: skip
    assert [e.request.params for e in entries if e.row == "IDS-NMR, SpeechATT"] == [{"epochs": 20, "lr": 3e-3}]


def test_demo_takes_weights_that_are_given(tmp_path: Path) -> None:
    """A file that is there is not replaced by nano, and then its row is no other's."""
    catalogue = Catalogue()
    (tmp_path / catalogue.source("speechatt").weights[0].file_name).write_bytes(b"weights")
    suite = read_suite("hung2022-table1", catalogue, {"weights": tmp_path})
    entries = shortened(as_demo(suite, catalogue), catalogue).entries
    assert [e.request.source for e in entries if e.row == "ID-NMR, SpeechATT"] == ["speechatt"]
    assert not any(entry.unable for entry in entries)


@pytest.mark.slow
def test_demo_tells_no_line_twice(typed: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirbench.runs.sweep.run_suite", lambda suite, *_, **__: [
        Result(entry, reason=entry.unable or "not on record") for entry in suite.entries
    ])  # fmt: skip
    answer = typed("reproduce", "hung2022-table2", "--demo", "--quiet", "--format", "json")
    held = json.loads(answer.out)
    assert held["notes"][1] == "Left out, for stand-ins make them the runs of other rows: BL-R-AST, AST."
    assert "BL-R-AST, AST" not in {line["row"] for line in held["lines"]}


def test_demo_of_taggers_asks_one_task_for_windows_side_by_side() -> None:
    catalogue = Catalogue()
    suite = read_suite("nam-benchmark", catalogue, {})
    entries = shortened(as_demo(suite, catalogue), catalogue).entries
    done = [entry.request for entry in entries if not entry.unable]
    assert (len(entries), len(done)) == (36, 14)  # twelve, and Musicnn's two of MSD
    assert {request.windowing.windows for request in done} == {"nonoverlap"}
    assert {entry.unable for entry in entries} == {
        "",
        "left out of the demo, which does the same on magnatagatune-demo",
    }


@pytest.mark.slow
def test_demo_of_pictures_trains_the_small_grid(shown: Callable[[str], Lines]) -> None:
    lines = shown("rommel2023-sweep1")
    row = "sweep 1, max val accuracy"
    assert (lines[row, "n_models"]["ours"], lines[row, "epochs"]["ours"]) == (18, 25)
    assert 0 < lines[row, "accuracy"]["ours"] <= 100
    assert lines[row, "error"]["by"].startswith("gtzan-pictures-demo: picture-mlp + nano")


TESTED_ABOVE = {"chen2022-rf", "chen2022-claims", "rommel2023-sweep1"}
TOO_LONG = {"nam-benchmark"}  # trains fourteen taggers, ten minutes; what its demo asks for is tested above


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(titles(printed=True)) - TESTED_ABOVE - TOO_LONG))
def test_demo_of_every_suite_fills_its_table(name: str, shown: Callable[[str], Lines]) -> None:
    lines = shown(name)
    assert any(line["verdict"] == "stand-in" and line["ours"] is not None for line in lines.values())
