"""Records as runs of Trackio are read back by its own API, and never twice; nothing leaves the machine."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from mirbench.runs.store import RunStore
from tests.leaderboard.other_tools.conftest import Typed

pytestmark = pytest.mark.skipif(importlib.util.find_spec("trackio") is None, reason="Trackio is not installed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for Trackio, which reads its name where it is imported."""
    place = tmp_path / "trackio"
    monkeypatch.setenv("TRACKIO_DIR", str(place))
    for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    storage = importlib.import_module("trackio.sqlite_storage")
    for module in (importlib.import_module("trackio.utils"), storage, importlib.import_module("trackio")):
        monkeypatch.setattr(module, "TRACKIO_DIR", place, raising=False)
    return place


def read(project: str) -> dict[str, Any]:
    """Runs of a project by the keys of their records."""
    import trackio

    return {run.config["mirbench key"]: run for run in trackio.Api().runs(project)}


def logged(run: Any) -> list[dict[str, Any]]:
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage.get_logs(run.project, run.name, run_id=run.id)


def test_trackio_reads_back_the_records(typed: Typed, runs: Path, folder: Path) -> None:
    answer = typed("export", "records", runs, "--to", "trackio", "--output", folder)
    assert (answer.code, answer.out) == (0, "")
    found = read("mirbench-tones")
    records = {record.spec.key: record for _, record in RunStore(runs).records() if record.spec.task == "tones"}
    assert set(found) == {key for key, record in records.items() if record.status == "done"}
    for key, run in found.items():
        assert run.config["seed"] == records[key].spec.seed
        assert run.config["param lr"] == 0.1
        *epochs, last = logged(run)
        assert [(line["step"], line["epoch loss"]) for line in epochs] == [(0, 2.0), (1, 1.0)]
        assert last["accuracy"] == records[key].metrics["accuracy"]
        assert last["epoch-seconds"] == 1.0


def test_trackio_again_makes_no_doubles(typed: Typed, runs: Path, folder: Path) -> None:
    typed("export", "records", runs, "--to", "trackio", "--output", folder, "--task", "tones-demo")
    answer = typed("export", "records", runs, "--to", "trackio", "--output", folder)
    assert f"{folder}: 2 runs written, 1 there already" in answer.err
    assert len(read("mirbench-tones-demo")) == 1


def test_trackio_says_what_is_claimed_and_on_a_stand_in(typed: Typed, runs: Path, folder: Path) -> None:
    typed("export", "records", runs, "--to", "trackio", "--output", folder)
    (demo,) = read("mirbench-tones-demo").values()
    assert "[claimed]" in demo.name
    assert demo.config["data"] == "tones-demo (a synthesised stand-in, no real music)"
    assert "no real music" in demo.config["warnings"]


def test_trackio_keeps_no_half_of_an_interrupted_run(typed: Typed, runs: Path, folder: Path, monkeypatch) -> None:
    import trackio

    words, whole, calls = ("export", "records", runs, "--to", "trackio", "--output", folder), trackio.log, []

    def interrupted(*args: Any, **more: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        whole(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(trackio, "log", interrupted)
        assert typed(*words, "--task", "tones").code == 130
    assert (len(calls), read("mirbench-tones")) == (3, {})
    typed(*words, "--task", "tones")
    assert [len(logged(run)) for run in read("mirbench-tones").values()] == [3, 3]


@pytest.mark.parametrize("name", ["TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"])
def test_trackio_sends_nothing_to_a_server(name: str, typed: Typed, runs: Path, folder: Path, monkeypatch) -> None:
    monkeypatch.setenv(name, "me/there")
    answer = typed("export", "records", runs, "--to", "trackio", "--output", folder)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert name in answer.err
    assert not folder.exists()


def test_trackio_with_another_folder_in_this_process_is_refused(typed: Typed, runs: Path, folder: Path) -> None:
    answer = typed("export", "records", runs, "--to", "trackio", "--output", folder / "other")
    assert answer.code == 2
    assert "start another" in answer.err
