"""Runs, comparisons, predictions, tasks and sources as objects: what the command says, in frames and notebooks."""

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mirbench
from mirbench import BadInput, UnknownName
from tests.conftest import command
from tests.pages import first_column, named, rows, text_of


@pytest.fixture(scope="module")
def place(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the runs of three systems of a task; nothing is changed in it."""
    folder = tmp_path_factory.mktemp("objects")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRBENCH_CACHE", str(songs.parent / "cache"))
        for method, options in (("probe-linear", {}), ("knn", {}), ("probe-linear", {"params": {"C": 0.1}})):
            mirbench.run(f"folder:{songs}", method, "nano", runs=folder / "runs", **options)
    return folder


@pytest.fixture
def runs(place: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> mirbench.Runs:
    monkeypatch.chdir(place)
    return mirbench.load_runs()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    return lambda *words: command(words, monkeypatch, capsys).out


def test_frame_has_a_row_a_run_and_the_columns_of_the_docs(runs: mirbench.Runs) -> None:
    frame = runs.to_frame()
    metrics = list(runs[0].metrics)
    told = [name for cells in rows(text_of("docs/api.md"), "column of runs") for name in named(cells[0])]
    assert [name for name in frame.columns if name not in metrics] == told
    assert frame["accuracy"].tolist() == [run.record.metrics["accuracy"] for run in runs]
    assert frame[["trainable", "total"]].dtypes.tolist() == [pd.Int64Dtype()] * 2
    assert frame["key"].is_unique


@pytest.mark.parametrize("name", ["run", "load_runs", "compare", "predict", "task", "source"])
def test_docs_give_the_parameters_of_a_function(name: str) -> None:
    told = next(text for text in first_column("function") if text.startswith(f"{name}("))
    written = ", ".join(
        f"{'**' * (p.kind == p.VAR_KEYWORD)}{p.name}" + ("" if p.default is p.empty else f"={json_like(p.default)}")
        for p in inspect.signature(getattr(mirbench, name)).parameters.values()
    )
    assert told.replace("*, ", "") == f"{name}({written})"


def json_like(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


@pytest.mark.parametrize("name", ["Runs", "Run", "Comparison", "Predictions", "TaskData", "SourceModel"])
def test_docs_name_what_an_object_has(name: str) -> None:
    kind = getattr(mirbench, name)
    (cells,) = (cells for cells in rows(text_of("docs/api.md"), "object") if name in named(cells[0]))
    has = {*dir(kind), *inspect.signature(kind).parameters} | {"value", "low", "high", "p"}
    told = {word.partition("(")[0] for word in named(cells[1])} - {"Run", "RunRecord", "Task", "SourceCard", "pooled"}
    assert told <= has
    assert {word for word in vars(kind) if not word.startswith("_")} <= told


def test_filter_keeps_what_is_asked_for_and_names_what_there_is(runs: mirbench.Runs) -> None:
    assert {run.method for run in runs.filter(method="knn")} == {"knn"}
    assert len(runs.filter(method="probe-linear", source="nano", status="done")) == 2
    with pytest.raises(UnknownName, match=r"No method of these runs is called 'knm'\. Did you mean 'knn'"):
        runs.filter(method="knm")


def test_leaderboard_is_that_of_the_command(runs: mirbench.Runs, said: Callable[..., str]) -> None:
    ours = runs.leaderboard()
    theirs = pd.read_csv(io.StringIO(said("leaderboard", "--format", "csv")))
    assert list(ours.columns) == [name for name in theirs if name in ours.columns]
    assert ours["system"].tolist() == theirs["system"].tolist()
    assert np.allclose(ours["interval_low"], theirs["interval_low"])
    assert len(runs.filter(method="knn").leaderboard()) == 1


def test_comparison_prints_as_the_command(runs: mirbench.Runs, said: Callable[..., str]) -> None:
    found = mirbench.compare(runs.filter(method="knn"), runs[1])
    other = f"{runs[1].folder.parent}@{runs[1].record.spec.system}"
    assert f"{found}\n" == said("compare", "knn+nano", other)
    assert found.verdict in repr(found)


def test_comparison_of_runs_of_several_systems_is_refused(runs: mirbench.Runs) -> None:
    with pytest.raises(BadInput, match="runs of one system are needed, not of 3"):
        mirbench.compare(runs, runs[0])
    with pytest.raises(BadInput, match="5 is given; a name, a run or runs of a system are needed"):
        mirbench.compare(runs[0], 5)  # type: ignore[arg-type]


def test_predictions_are_those_of_the_command(runs: mirbench.Runs, songs: Path, said: Callable[..., str]) -> None:
    files = sorted(songs.rglob("*.wav"))[:3]
    found = mirbench.predict(runs.filter(method="knn"), files)
    theirs = pd.read_csv(
        io.StringIO(said("predict", "knn+nano", *files, "--format", "csv", "--probabilities", "--quiet"))
    )
    frame = found.to_frame()
    assert np.allclose(frame[list(found.classes)], theirs[list(found.classes)], atol=1e-6)
    assert list(frame.columns) == list(theirs.columns)
    assert np.allclose(frame["confidence"], theirs["confidence"], atol=1e-6)
    assert frame["predicted"].tolist() == theirs["predicted"].tolist()


def test_refit_and_an_exported_folder_predict_from_python(
    runs: mirbench.Runs, songs: Path, tmp_path: Path, said: Callable[..., str]
) -> None:
    files = sorted(songs.rglob("*.wav"))[:3]
    run, n_clips = runs.filter(method="probe-linear")[0], len(list(songs.rglob("*.wav")))
    found = mirbench.predict(run, files, refit=True, data=songs.parent)
    assert found.runs.startswith(f"one model of all {n_clips} clips, itself untested")
    assert not np.array_equal(found.probabilities, mirbench.predict(run, files).probabilities)
    said("export", "model", run.folder, tmp_path / "served", "--refit", "--check", files[0], "--quiet")  # reads it back
    again = mirbench.predict(tmp_path / "served", files)
    np.testing.assert_allclose(again.probabilities, found.probabilities, rtol=0, atol=1e-6)
    with pytest.raises(BadInput, match=r"leave .*refit out"):
        mirbench.predict(str(tmp_path / "served"), files, refit=True)


def test_file_that_cannot_be_read_is_warned_of(runs: mirbench.Runs, songs: Path) -> None:
    with pytest.warns(UserWarning, match=r"nothing\.wav"):
        found = mirbench.predict(runs[0], [next(songs.rglob("*.wav")), "nothing.wav"])
    assert (len(found.files), len(found.faults)) == (1, 1)


def test_scores_of_a_run_give_its_accuracy(runs: mirbench.Runs) -> None:
    frame = runs[0].scores()
    assert (frame["labels"] == frame["predicted"]).mean() == pytest.approx(runs[0].metrics["accuracy"])


def test_record_that_cannot_be_read_is_left_out_with_a_warning(runs: mirbench.Runs, tmp_path: Path) -> None:
    for number, run in enumerate(runs):
        copy = tmp_path / "runs" / "task" / "method" / f"{number}"
        copy.mkdir(parents=True)
        (copy / "record.json").write_bytes((run.folder / "record.json").read_bytes() if number else b"{")
    with pytest.warns(UserWarning, match="1 is left out, for it cannot be read"):
        found = mirbench.load_runs(tmp_path / "runs")
    assert len(found) == len(runs) - 1
    assert "1 record not readable" in repr(found)


def test_notebook_shows_nothing_of_anybodys_as_markup(runs: mirbench.Runs) -> None:
    evil = "<script>alert(1)</script>"
    record = replace(runs[0].record, spec=replace(runs[0].record.spec, task=evil), status="failed", reason=evil)
    run = replace(runs[0], record=record)
    shown = run._repr_html_() + mirbench.Runs((run,), Path(evil))._repr_html_()
    card = replace(mirbench.task("gtzan-demo").card, title=evil, notes=(evil,))
    shown += mirbench.TaskData("", card)._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 5


def test_lines_of_objects_are_short(runs: mirbench.Runs) -> None:
    shown = [repr(thing) for thing in (runs, runs[0], mirbench.task("gtzan-mini"), mirbench.source("ast"))]
    assert all(len(line) < 120 and "\n" not in line for line in shown)


def test_task_has_its_clips_and_splits(songs: Path, kept: Path) -> None:
    task = mirbench.task(f"folder:{songs}")
    assert mirbench.run(task, "prior", seeds=1)[0].task == task.name
    frame = task.to_frame()
    assert len(frame) == 30
    assert frame["split"].value_counts().to_dict() == {n: len(task.split(n)) for n in ("train", "valid", "test")}
    with pytest.raises(BadInput, match="split trian: one of train, valid, test is needed"):
        task.split("trian")  # type: ignore[arg-type]


def test_embedding_is_what_a_probe_gets(songs: Path, kept: Path) -> None:
    files = sorted(songs.rglob("*.wav"))[:4]
    rows_of = mirbench.source("nano").embed(files)
    assert rows_of.shape == (4, mirbench.source("nano").card.n_features)
    assert np.array_equal(mirbench.source("nano").embed(files[::-1]), rows_of[::-1])


def test_source_refuses_an_option_that_there_is_not() -> None:
    with pytest.raises(UnknownName, match="No option of ast is called 'secnds'"):
        mirbench.source("ast", secnds=1)


@pytest.mark.parametrize(
    "words", ["mirbench.source", "mirbench.source as s, mirbench.method", "mirbench.tasks, mirbench.runs.runner"]
)
def test_functions_stay_whatever_modules_are_imported(words: str) -> None:
    program = (
        f"import {words}\nimport mirbench\nfrom mirbench.source import SourceCard\n"
        "assert all(type(getattr(mirbench, n)).__name__ == 'function' for n in ('run', 'source', 'task', 'compare'))\n"
        "import mirbench.source, mirbench.runs\n"
        "assert mirbench.source('ast').name == 'ast' and mirbench.runs.__path__\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_runs_on_record_frames_and_comparisons_load_no_torch(place: Path, songs: Path) -> None:
    program = (
        "import sys, mirbench\n"
        "runs = mirbench.load_runs()\n"
        f"again = mirbench.run('folder:{songs}', 'knn', 'nano')\n"
        "assert again[0].read_back\n"
        "runs.to_frame(), str(mirbench.compare(again, runs[1])), runs.leaderboard()\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {"MIRBENCH_CACHE": str(songs.parent / "cache"), "PATH": "/usr/bin", "HOME": str(place)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=place, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
