"""Records as runs of MLflow are read back by its own client, and never twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirbench.record import RunRecord
from mirbench.runs.store import RunStore
from tests.leaderboard.other_tools.conftest import ODD, Typed

pytestmark = pytest.mark.filterwarnings("ignore")  # of its libraries about each other


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of MLflow, which is a hundred times faster made than the data base that it now prefers."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "store").as_uri()


def read(uri: str) -> dict[str, list[Any]]:
    """Runs by the name of their experiment, as MLflow's client has them."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = {each.name: client.search_runs([each.experiment_id]) for each in client.search_experiments()}
    return {name: list(runs) for name, runs in found.items() if runs}


def by_key(uri: str) -> dict[str, Any]:
    return {run.data.tags["mirbench.key"]: run for runs in read(uri).values() for run in runs}


def done(runs: Path) -> dict[str, RunRecord]:
    return {record.spec.key: record for _, record in RunStore(runs).records() if record.status == "done"}


def test_mlflow_reads_back_the_records(typed: Typed, runs: Path, store: str) -> None:
    assert typed("export", "records", runs, "--to", "mlflow", "--uri", store).code == 0
    found, records = by_key(store), done(runs)
    assert set(found) == set(records)
    for key, record in records.items():
        data = found[key].data
        assert data.metrics["accuracy"] == record.metrics["accuracy"]
        assert data.metrics["epoch-seconds"] == record.seconds["epoch"]
        assert (data.tags["mirbench.seed"], data.tags["mirbench.method"]) == (str(record.spec.seed), record.spec.method)
        assert found[key].info.status == "FINISHED"
    tones = next(run for run in found.values() if run.data.tags["mirbench.task"] == "tones")
    assert tones.data.params["lr"] == "0.1"


def test_mlflow_has_the_epochs_as_steps(typed: Typed, runs: Path, store: str) -> None:
    from mlflow import MlflowClient

    typed("export", "records", runs, "--to", "mlflow", "--uri", store, "--task", "tones")
    run = next(iter(by_key(store).values()))
    history = MlflowClient(tracking_uri=store).get_metric_history(run.info.run_id, "epoch/loss")
    assert [(each.step, each.value) for each in history] == [(0, 2.0), (1, 1.0)]


def test_mlflow_again_makes_no_doubles(typed: Typed, runs: Path, store: str) -> None:
    typed("export", "records", runs, "--to", "mlflow", "--uri", store, "--task", "tones-demo")
    answer = typed("export", "records", runs, "--to", "mlflow", "--uri", store)
    assert f"{store}: 2 runs written, 1 there already" in answer.err
    typed("export", "records", runs, "--to", "mlflow", "--uri", store)
    assert sum(map(len, read(store).values())) == 3


def test_mlflow_keeps_stand_ins_apart_and_says_what_is_claimed(typed: Typed, runs: Path, store: str) -> None:
    typed("export", "records", runs, "--to", "mlflow", "--uri", store)
    tables = read(store)
    assert set(tables) == {"mirbench: tones", "mirbench: tones-demo (a synthesised stand-in, no real music)"}
    (demo,) = tables["mirbench: tones-demo (a synthesised stand-in, no real music)"]
    assert demo.data.tags["mirbench.standing"] == "synthesised"
    assert "claimed" in demo.data.tags["mirbench.marks"]
    assert "[claimed]" in demo.info.run_name
    assert "no real music" in demo.data.tags["mlflow.note.content"]
    assert ODD in demo.data.params.values()


def test_mlflow_that_takes_nothing_is_one_line(typed: Typed, runs: Path, store: str, tmp_path: Path) -> None:
    answer = typed("export", "records", runs, "--to", "mlflow", "--uri", "gopher://me:secret@there")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "secret" not in answer.err


def test_mlflow_keeps_no_half_of_a_run_that_failed(typed: Typed, runs: Path, store: str, monkeypatch) -> None:
    import mlflow

    whole = mlflow.MlflowClient.set_terminated
    monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", lambda *args, **more: 1 / 0)
    answer = typed("export", "records", runs, "--to", "mlflow", "--uri", store)
    assert (answer.code, answer.err.count("\n"), read(store)) == (2, 1, {})
    monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", whole)
    typed("export", "records", runs, "--to", "mlflow", "--uri", store)
    assert sum(map(len, read(store).values())) == 3


@pytest.mark.slow
def test_mlflow_makes_its_own_data_base_in_this_folder(typed: Typed, runs: Path, monkeypatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    answer = typed("export", "records", runs, "--to", "mlflow")
    assert answer.code == 0
    assert set(by_key("sqlite:///mlflow.db")) == set(done(runs))
