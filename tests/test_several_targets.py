"""Tasks of several numbers a clip, each in its unit: what is said of each target, and of tables without accuracies."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirbench import load_runs
from mirbench.leaderboard.columns import mean_sd
from mirbench.leaderboard.render import markdown, note
from mirbench.metrics import f1_per_class
from mirbench.record import RunRecord
from mirbench.runs.export_text import readme
from mirbench.runs.store import RunStore
from mirbench.tasks.modifiers import fraction, shots
from mirbench.tasks.own.csv_list import csv_task
from tests.conftest import rows_of
from tests.leaderboard.test_formats import board, cells, row, three
from tests.leaderboard.test_leaderboard import CLASSES, SPEC, predictions, write

if TYPE_CHECKING:
    from tests.conftest import Answer

Typed = Callable[..., "Answer"]
TASK = "csv:songs.csv?value=bpm,valence&range=40:240,0:1"


@pytest.fixture
def ran(typed: Typed) -> Answer:
    """A run of `prior` on forty clips with a tempo and, but for every fourth, a valence; in the working folder."""
    rows = ["path,bpm,valence,split"]
    for n in range(40):
        soundfile.write(f"{n}.wav", 0.1 * np.sin(np.arange(800) * (n + 1) / 20), 8000)
        valence = "" if n % 4 == 3 else f"{(n % 7) / 7:.3f}"
        rows.append(f"{n}.wav,{60 + 3 * n},{valence},{('train', 'train', 'valid', 'test')[n // 2 % 4]}")
    Path("songs.csv").write_text("\n".join(rows) + "\n")
    return typed("run", "--task", TASK, "--method", "prior", "--quiet")


def record() -> RunRecord:
    ((_, held),) = RunStore(Path("runs")).records()
    return held


def board_of(typed: Typed, *words: str) -> str:
    answer = typed("leaderboard", "--no-reference", *words)
    assert answer.code == 0, answer
    return answer.out


def test_run_gives_each_metric_of_each_target_and_no_mean_over_units(ran: Answer) -> None:
    above, _, below = ran.out.partition("Target by target")
    assert "rmse" not in above
    assert below.split()[:6] == ["target", "r2", "ccc", "pearson", "rmse", "mae"]
    mae = record().metrics["mae-per-class"]
    assert [(line[0], line[-1]) for line in rows_of(below)] == [("bpm", f"{mae[0]:.3f}"), ("valence", f"{mae[1]:.3f}")]


def test_table_gives_errors_of_each_target_in_place_of_their_mean(ran: Answer, typed: Typed) -> None:
    text = board_of(typed)
    head, line = cells(text)
    shown = dict(zip(head, line, strict=True))
    assert not {"rmse", "mae"} & {*head}
    for k, target in enumerate(("bpm", "valence")):
        for metric in ("r2", "rmse", "mae"):
            assert shown[f"{metric} of {target}"] == f"{record().metrics[f'{metric}-per-class'][k]:.3f}"
    assert "AUC" not in text
    assert "Metrics of numbers are pooled" in text


def test_csv_and_json_hold_each_target(ran: Answer, typed: Typed) -> None:
    rmse = record().metrics["rmse-per-class"]
    frame = pd.read_csv(io.StringIO(board_of(typed, "--format", "csv")))
    assert list(frame[["rmse:bpm", "rmse:valence"]].iloc[0]) == pytest.approx(rmse)
    (held,) = json.loads(board_of(typed, "--format", "json"))["boards"][0]["rows"]
    assert [held["targets"]["rmse"][name]["mean"] for name in ("bpm", "valence")] == pytest.approx(rmse)


def test_mean_over_units_that_is_asked_for_is_called_one(ran: Answer, typed: Typed) -> None:
    text = board_of(typed, "--columns", "system,rmse,mae")
    assert "rmse and mae: means over 2 targets, whatever the unit of each; of one: --columns rmse:bpm." in text
    assert "whatever the unit" not in board_of(typed, "--columns", "system,r2,rmse:bpm")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("accuracy", "--columns accuracy: is of single-label tasks; csv:songs (version "),
        ("system,macro-f1", "--columns macro-f1: is of single-label and multi-label tasks; csv:songs (version "),
        ("tempo-accuracy-1", "--columns tempo-accuracy-1: no run on record has it; csv:songs (version "),
        ("pearson", "--columns pearson: is undefined in every run on record; csv:songs (version "),
        ("rmse:bmp", "No class or target in these tables is called 'bmp'. Did you mean 'bpm'?"),
        ("rsme:bpm", "No column is called 'rsme:bpm'. Did you mean 'rmse:bpm'?"),
        ("accuracy:bpm", "No column is called 'accuracy:bpm'."),
    ],
)
def test_columns_that_no_table_has_are_refused_with_what_there_is(
    columns: str, said: str, ran: Answer, typed: Typed
) -> None:
    for form in ("md", "csv", "latex"):
        answer = typed("leaderboard", "--no-reference", "--columns", columns, "--format", form)
        assert (answer.code, answer.out) == (2, "")
        assert said in answer.err
        assert answer.err.count("\n") == 1
        if said.startswith("--columns"):
            assert answer.err.rstrip().endswith("has r2, ccc, rmse, mae")


def test_table_without_a_metric_that_another_has_says_so() -> None:
    text = markdown([three()], ["system", "r2"])
    assert "No r2 here (is of regression tasks): there are accuracy, macro-f1." in text
    assert "here (" not in markdown([three()], ["system", "accuracy"])


def test_metric_of_one_class_is_a_column_as_that_of_a_target_is(tmp_path: Path, typed: Typed) -> None:
    each = []
    for seed in range(2):
        write(tmp_path / "runs", replace(SPEC, seed=seed), draw=seed, classes=CLASSES)
        split, scores = predictions(seed)
        each.append(f1_per_class(scores, split.targets())[CLASSES.index("low")])
    text = typed("leaderboard", "--runs", tmp_path / "runs", "--no-reference", "--columns", "macro-f1:low").out
    (head,), (value,) = cells(text)
    assert (head, value[:5]) == ("F1 of low", f"{np.mean(each):.3f}")
    assert "±" in value


def test_note_speaks_of_the_metrics_that_the_tables_have() -> None:
    values = board(row("a"), kind="regression", classes=("bpm",))
    assert ("AUCs" in note([three()]), "of numbers" in note([three()])) == (True, False)
    assert ("AUCs" in note([values]), "of numbers" in note([values])) == (False, True)
    assert ("AUCs" in note([three(), values]), "of numbers" in note([three(), values])) == (True, True)


def test_interval_below_zero_has_no_dash_beside_its_minus(ran: Answer, typed: Typed) -> None:
    (_, (interval,)) = cells(board_of(typed, "--columns", "interval"))
    low, high = map(float, interval.split(" to "))
    assert low < high
    assert low < 0


def test_run_on_record_is_shown_with_each_target(ran: Answer, typed: Typed) -> None:
    said = " ".join(typed("show", record().spec.key).out.split())
    held = record().metrics["mae-per-class"]
    assert f"(bpm {held[0]:.3f}, valence {held[1]:.3f})" in said


def test_stats_give_mean_deviation_lowest_and_highest_of_each_target(ran: Answer, typed: Typed) -> None:
    head, tempo, valence = cells(typed("data", "stats", TASK, "--json", "stats.json").out)
    true = 60 + 3 * np.arange(40)
    assert head[0] == "target"
    at = head.index("mean")
    assert head[at : at + 4] == ["mean", "SD", "lowest", "highest"]
    assert list(map(float, tempo[at : at + 4])) == pytest.approx([true.mean(), true.std(ddof=1), 60, 177], rel=1e-4)
    assert valence[at + 3] == "0.857"
    stored = json.loads(Path("stats.json").read_text())["classes"]["valence"]
    assert (stored["value_min"], stored["value_max"]) == (0.0, 0.857)


def test_shots_of_numbers_are_said_to_be_clips_in_all_as_they_are(ran: Answer) -> None:
    task = csv_task("songs.csv?value=bpm")
    few = shots(task, "3")
    assert few.notes[-1].startswith("3 clips of all of train, and of valid")
    assert [sum(c.split == s for c in few.read_clips(None, 0)) for s in ("train", "valid")] == [3, 3]
    assert fraction(task, "0.5").notes[-1].startswith("a share of 0.5 of train and of valid")


@pytest.mark.slow
def test_more_shots_than_there_are_clips_with_a_value_is_said_in_numbers(ran: Answer, typed: Typed) -> None:
    answer = typed("run", "--task", f"{TASK}+shots19", "--method", "prior")
    assert "+shots19: train has fewer clips than that with a value of valence: 15" in answer.err


def test_folder_of_a_model_of_values_reads_its_values() -> None:
    config = {
        "title": "t", "runs": "", "made_with": "1", "kind": "regression", "classes": ["bpm"], "ranges": [[40, 240]],
        "sources": [], "tested": {},
        "onnx": {"file": "m", "holds": "all", "input": "x", "output": "y", "sample_rate": 1, "n_samples": 2},
    }  # fmt: skip
    assert "confidence" not in readme(config, "out")
    assert "found.values" in readme(config, "out")
    assert "values = low + places * (high - low)" in readme(config, "out")
    assert "found.confidence" in readme(config | {"kind": "single-label", "ranges": []}, "out")


@pytest.mark.slow
def test_export_of_a_model_of_values_speaks_of_no_probability(ran: Answer, typed: Typed) -> None:
    answer = typed("export", "model", record().spec.key, "out", "--check", "0.wav")
    assert answer.code == 0, answer
    assert "difference of a value, as a share of its range" in answer.out
    assert "probabilit" not in answer.out


@pytest.mark.slow
def test_refit_speaks_of_the_score_that_run_gives_of_its_folds(ran: Answer, typed: Typed) -> None:
    rows = Path("songs.csv").read_text().splitlines()
    Path("songs.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows) + "\n")
    task = f"{TASK}+folds3"
    said = typed("run", "--task", task, "--method", "probe-linear", "--source", "nano", "--quiet").out
    (score,) = re.findall(r"^R2 (\S+?),? .*\(pooled over 3 folds\)", said, re.M)
    found = RunStore(Path("runs")).find("csv:songs+folds3/probe-linear+nano")
    assert float(score) != pytest.approx(np.mean([record.metrics["r2"] for _, record in found]), abs=1e-3)
    answer = typed("predict", "--refit", f"{task}/probe-linear+nano", "3.wav")
    assert f"; r2 {score} is what its 3 runs had on test (pooled over 3 folds)" in " ".join(answer.out.split())


@pytest.mark.slow
def test_comparison_and_mistakes_weigh_targets_by_their_ranges(ran: Answer, typed: Typed) -> None:
    """Ten beats of two hundred are less off than a half of one."""
    two = typed("run", "--task", TASK, "--method", "prior", "--fit-on", "train-and-valid", "--quiet")
    assert two.code == 0, two
    systems = [held.spec.system for _, held in RunStore(Path("runs")).records()]
    answer = typed("compare", *(f"prior@{key}" for key in systems))
    assert "off, of range" in answer.out, answer
    clips = json.loads(typed("compare", *(f"prior@{key}" for key in systems), "--format", "json").out)["clips"]
    assert all(0 <= clip["a"] <= 1 for clip in clips)
    text = typed("export", "clips", record_of(systems[0]), "-", "--mistakes").out
    lines = pd.read_csv(io.StringIO(text))
    shares = lines["off_by"].abs() / lines["target"].map({"bpm": 200.0, "valence": 1.0})
    assert shares.is_monotonic_decreasing
    assert not lines["off_by"].abs().is_monotonic_decreasing


def record_of(system: str) -> str:
    return next(held.spec.key for _, held in RunStore(Path("runs")).records() if held.spec.system == system)


def test_records_as_csv_hold_each_target(ran: Answer, typed: Typed) -> None:
    assert typed("export", "records", "--to", "csv", "--output", "records.csv").code == 0
    held = record()
    (line,) = pd.read_csv("records.csv").to_dict("records")
    assert [line["rmse:bpm"], line["rmse:valence"]] == pytest.approx(held.metrics["rmse-per-class"])


def test_model_cards_hold_each_target(ran: Answer, typed: Typed) -> None:
    pytest.importorskip("huggingface_hub")
    assert typed("export", "records", "--to", "hf-eval-results", "--output", "cards").code == 0
    (card,) = Path("cards").rglob("README.md")
    rmse = record().metrics["rmse-per-class"]
    for name, value in zip(("bpm", "valence"), rmse, strict=True):
        assert f"- rmse of {name}: {value:.4f}" in card.read_text().splitlines()


def test_mlflow_and_trackio_are_told_each_target(ran: Answer) -> None:
    from mirbench.leaderboard.other_tools.mlflow_runs import _metrics
    from mirbench.leaderboard.other_tools.told import Told, scores_of

    held = record()
    rmse = held.metrics["rmse-per-class"]
    assert [scores_of(held)[f"rmse:{name}"] for name in ("bpm", "valence")] == pytest.approx(rmse)
    told = {name: value for name, value, _ in _metrics(Told(held, "", "", ()))}
    assert [told["rmse/bpm"], told["rmse/valence"]] == pytest.approx(rmse)


def test_frames_hold_each_target(ran: Answer) -> None:
    runs = load_runs()
    rmse = record().metrics["rmse-per-class"]
    for frame in (runs.to_frame(), runs.leaderboard()):
        assert list(frame[["rmse:bpm", "rmse:valence"]].iloc[0]) == pytest.approx(rmse)


def test_zero_has_no_minus() -> None:
    assert mean_sd((-0.0001, None)) == "0.000"
    assert mean_sd((-0.0006, None)) == "-0.001"
