"""A suite on workers that this process plays: what they send becomes the records of a serial run, or nothing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.errors import BadInput
from mirbench.features.claims import Claim
from mirbench.plugin_file import load_plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.cluster import dask_cluster, dask_sweep, dask_worker
from mirbench.runs.cluster.dask_cluster import Cluster
from mirbench.runs.cluster.dask_sweep import sweep_on_cluster
from mirbench.runs.cluster.dask_worker import do_run, told_of, what_is_asked
from mirbench.runs.limits import Limits
from mirbench.runs.plan import make_plan
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.runs.suite import read_suite
from mirbench.runs.sweep import Result
from tests.benchmark.runs.cluster.dask_toys import PLUGIN, held, left_behind
from tests.benchmark.runs.cluster.fake_dask import Gone, Inline

QUIET = Progress(quiet=True)
CHANCE = '[[run]]\ntask = "tones"\nmethod = "chance"\nseeds = 3\n'
Sweep = Callable[..., list[Result]]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "plugin.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def sweep(tmp_path: Path, plugin: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """``sweep(client)``: the suite on the workers of a client, with records in ``runs``."""
    monkeypatch.setattr(dask_cluster, "_WAIT", 0.001)
    monkeypatch.setattr(dask_cluster, "_LOOK_EVERY", 0.0)
    monkeypatch.setattr(dask_sweep, "_POLL", 0.01)

    def done(client: Inline, text: str = CHANCE, limits: Limits | None = None, **circumstance: Any) -> list[Result]:
        progress = Progress(quiet=True)
        monkeypatch.setattr(progress, "_print", lines.append)

        @contextmanager
        def connected(*words: Any) -> Iterator[Cluster]:
            yield Cluster(client, "cpu", progress)

        monkeypatch.setattr(dask_sweep, "connected", connected)
        (tmp_path / "suite.toml").write_text(text)
        catalogue = Catalogue([load_plugin(plugin)])
        given = {"runs": tmp_path / "runs", **circumstance}
        suite = read_suite(str(tmp_path / "suite.toml"), catalogue, given)
        return sweep_on_cluster(suite, catalogue, "tcp://x:1", [plugin], progress, limits or Limits())

    return done


def serial(tmp_path: Path, plugin: Path) -> dict[str, tuple[object, ...]]:
    catalogue = Catalogue([load_plugin(plugin)])
    suite = read_suite(str(tmp_path / "suite.toml"), catalogue, {"runs": tmp_path / "serial"})
    for entry in suite.entries:
        run(entry.request, catalogue, QUIET)
    return held(tmp_path / "serial")


def joined(*names: str, shares: tuple[str, ...] = ()) -> Inline:
    client = Inline(shares)
    client.join(*names)
    return client


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(), ("a", "b"), ("a",)])
def test_records_are_those_of_a_serial_run_to_the_bit(
    shares: tuple[str, ...], sweep: Sweep, tmp_path: Path, plugin: Path
) -> None:
    client = joined("a", "b", shares=shares)
    (result,) = sweep(client)
    assert result.complete
    assert held(tmp_path / "runs") == serial(tmp_path, plugin)
    assert left_behind(tmp_path / "runs") == []
    assert len(client.runs) == 3
    assert {bool(packed) for name, (_, packed) in client.runs if name in shares} <= {False}
    assert {bool(packed) for name, (_, packed) in client.runs if name not in shares} <= {True}


@pytest.mark.slow
def test_what_is_on_record_is_read_back_and_not_done_again(sweep: Sweep) -> None:
    sweep(joined("a"))
    again = joined("a")
    (result,) = sweep(again)
    assert again.runs == []
    assert [outcome.read_back for outcome in result.outcomes] == [True] * 3


def test_runs_on_record_that_were_not_sealed_are_told(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(Progress, "say", lambda self, line: lines.append(line))
    text = CHANCE.replace("chance", "prior")
    sweep(joined("a"), text)
    assert not any("--sealed" in line for line in lines)
    sweep(joined("a"), text, sealed=True)
    assert [line for line in lines if "--sealed" in line] == [
        "--sealed: 1 of 1 runs were on record, not predicted in a sealed process, and were not done again; --runs "
        "FOLDER does them anew"
    ]


@pytest.mark.slow
def test_failed_run_is_done_again(sweep: Sweep, tmp_path: Path) -> None:
    sweep(joined("a"))
    store = RunStore(tmp_path / "runs")
    _, record = next(iter(store.records()))
    store.write(replace(record, status="failed", reason="as asked", metrics={}))
    again = joined("a")
    (result,) = sweep(again)
    assert len(again.runs) == 1
    assert result.complete


@pytest.mark.slow
def test_record_that_cannot_be_read_stays_as_it_is(sweep: Sweep, tmp_path: Path) -> None:
    sweep(joined("a"))
    folder, _ = next(iter(RunStore(tmp_path / "runs").records()))
    (folder / "record.json").write_text("{")
    again = joined("a")
    (result,) = sweep(again)
    assert again.runs == []
    assert not result.complete
    assert (folder / "record.json").read_text() == "{"


@pytest.mark.slow
def test_damaged_run_is_done_by_another_worker_and_told(
    sweep: Sweep, tmp_path: Path, plugin: Path, lines: list[str]
) -> None:
    client = joined("a", "b")
    client.change = lambda name, answer: (answer[0], answer[1][:-50] + bytes(50)) if name == "a" else answer
    (result,) = sweep(client)
    assert result.complete
    assert held(tmp_path / "runs") == serial(tmp_path, plugin)
    assert all(line.startswith("worker a: what it sent of tones: chance, fold 0, seed ") for line in lines)
    assert len(lines) == 3 - sum(name == "b" for name, _ in client.runs) + len(client.runs) - 3


@pytest.mark.slow
def test_run_that_only_comes_damaged_is_on_record_as_failed(sweep: Sweep, tmp_path: Path) -> None:
    client = joined("a")
    client.change = lambda name, answer: (answer[0], answer[1][:-50])
    (result,) = sweep(client)
    records = [record for _, record in RunStore(tmp_path / "runs").records()]
    assert [record.status for record in records] == ["failed"] * 3
    assert [record.reason for record in records if " is not used: " not in record.reason] == []
    assert not result.complete


@pytest.mark.slow
def test_run_of_another_seed_never_takes_the_place_of_the_one_asked_for(sweep: Sweep, tmp_path: Path) -> None:
    client = joined("a", "b")
    kept: list[Any] = []

    def change(name: str, answer: Any) -> Any:
        kept.append(answer)
        return kept[0] if name == "a" else answer

    client.change = change
    (result,) = sweep(client)
    assert sorted(outcome.record.spec.seed for outcome in result.outcomes) == [0, 1, 2]
    assert result.complete


@pytest.mark.slow
def test_run_whose_workers_die_is_failed_with_the_reason_and_the_others_are_done(sweep: Sweep, tmp_path: Path) -> None:
    client = joined("a")
    seeds: list[int] = []

    def change(name: str, answer: Any) -> Any:
        if not seeds:
            seeds.append(name.count("'"))
        if len(seeds) < 5 and json.loads(answer[0])["status"] == "done" and first(answer):
            seeds.append(0)
            raise Gone
        return answer

    def first(answer: Any) -> bool:
        from mirbench.runs.cluster.packed_run import unpack

        return bool(json.loads(unpack(answer[1])["record.json"])["spec"]["seed"] == 1)

    client.change = change
    (result,) = sweep(client)
    status = {outcome.record.spec.seed: outcome.record.status for outcome in result.outcomes}
    assert status == {0: "done", 1: "failed", 2: "done"}
    record = next(outcome.record for outcome in result.outcomes if outcome.record.status == "failed")
    assert record.reason.startswith("4 workers died at it, one after another (a")
    assert (record.kind, tuple(record.classes)) == ("single-label", ("low", "middle", "high"))
    assert left_behind(tmp_path / "runs") == []


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(), ("a",)])
def test_run_that_another_process_is_at_is_waited_for(shares: tuple[str, ...], sweep: Sweep, tmp_path: Path) -> None:
    sweep(joined("a"))
    store = RunStore(tmp_path / "runs")
    folder, record = next(iter(store.records()))
    scores, state = store.scores(folder), store.state(folder)
    (folder / "record.json").unlink()
    claim = Claim(folder, QUIET)
    assert claim.take()

    def end() -> None:
        store.write(record, scores, state)
        claim.give_back()

    timer = threading.Timer(1.0, end)
    timer.start()
    again = joined("a", shares=shares)
    (result,) = sweep(again)
    timer.join()
    assert result.complete
    assert [answer for answer in again.runs if "held" not in json.loads(answer[1][0])] == []


@pytest.mark.slow
def test_run_that_another_process_gives_up_is_done(sweep: Sweep, tmp_path: Path) -> None:
    sweep(joined("a"))
    folder, _ = next(iter(RunStore(tmp_path / "runs").records()))
    (folder / "record.json").unlink()
    claim = Claim(folder, QUIET)
    assert claim.take()
    timer = threading.Timer(0.5, claim.give_back)
    timer.start()
    again = joined("a")
    (result,) = sweep(again)
    timer.join()
    assert result.complete
    assert len(again.runs) == 1


@pytest.mark.slow
def test_data_that_no_worker_has_are_told_of_each_and_the_other_entries_are_done(
    sweep: Sweep, lines: list[str], tmp_path: Path
) -> None:
    text = CHANCE + '[[run]]\ntask = "gtzan-mini"\nmethod = "marsyas-forest"\nseeds = 1\n'
    done, absent = sweep(joined("a", "b"), text, data=tmp_path / "nowhere")
    assert done.complete
    assert absent.reason.startswith(f"skipped: --data {tmp_path / 'nowhere'}: no such folder")
    assert [line.partition(":")[0] for line in lines] == ["worker a", "worker b"]
    assert all("\n" not in line for line in lines)


def test_folder_of_weights_that_no_worker_has_is_told(sweep: Sweep, lines: list[str], tmp_path: Path) -> None:
    (result,) = sweep(joined("a"), weights=tmp_path / "nowhere")
    assert result.reason.startswith("skipped: --weights")
    assert len(lines) == 1


def test_plugin_that_is_another_with_the_worker_is_refused(
    sweep: Sweep, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mirbench.runs.cluster.dask_settling.told_of",
        lambda request, plugins: told_of(request, plugins) | {"plugins": [["plugin.py", PLUGIN + "\n# other\n"]]},
    )
    (result,) = sweep(joined("a"))
    assert result.reason.startswith("failed: its tones (version 1+")
    assert len(lines) == 1


def test_share_of_the_runs_is_done_alone(sweep: Sweep, tmp_path: Path, plugin: Path) -> None:
    from mirbench.runs.pieces import pieces_of

    (tmp_path / "suite.toml").write_text(CHANCE)
    catalogue = Catalogue([load_plugin(plugin)])
    pieces = pieces_of(read_suite(str(tmp_path / "suite.toml"), catalogue, {}), catalogue)
    (result,) = sweep(joined("a"), limits=Limits(keys=[pieces[1].key]))
    assert [outcome.record.spec.seed for outcome in result.outcomes] == [1]
    assert result.complete


def test_run_that_cannot_end_in_time_is_put_off(sweep: Sweep) -> None:
    limits = Limits(seconds=1000.0, cost=lambda spec: 2000.0 * (spec.seed == 1))
    (result,) = sweep(joined("a"), limits=limits)
    assert sorted(outcome.record.spec.seed for outcome in result.outcomes) == [0, 2]
    assert (result.n_left, len(limits.put_off)) == (1, 1)


@pytest.mark.slow
def test_speed_of_a_system_is_measured_once_by_a_worker(sweep: Sweep, tmp_path: Path) -> None:
    sweep(joined("a"))
    records = [record for _, record in RunStore(tmp_path / "runs").records()]
    assert len({record.environment["timed_run"] for record in records}) == 1
    assert len({record.seconds["clips_per_second"] for record in records}) == 1


@pytest.mark.slow
def test_run_that_a_worker_did_before_is_done_anew_for_another_folder(sweep: Sweep, tmp_path: Path) -> None:
    sweep(joined("a"))
    first = held(tmp_path / "runs")
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    again = joined("a")
    (result,) = sweep(again)
    assert (result.complete, len(again.runs)) == (True, 3)
    assert held(tmp_path / "runs") == first


def test_device_that_is_called_like_none_is_refused_before_anybody_is_asked(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--device gpu"):
        sweep(joined("a"), device="gpu")
    assert not (tmp_path / "runs").exists()


# What a worker says


def asked(tmp_path: Path, plugin: Path, **changes: Any) -> dict[str, Any]:
    """What a worker is told of the first run."""
    (tmp_path / "suite.toml").write_text(CHANCE)
    catalogue = Catalogue([load_plugin(plugin)])
    (entry,) = read_suite(str(tmp_path / "suite.toml"), catalogue, {"runs": tmp_path / "runs"}).entries
    request = replace(entry.request, seeds=(0,), folds=(0,))
    (spec,) = make_plan(request, catalogue, QUIET).specs
    hashes = {"audio_sha256": spec.audio_sha256, "source_sha256": spec.source_sha256}
    return {**told_of(request, [plugin]), **hashes, "runs": "", "key": spec.key, **changes}


def test_worker_whose_clips_are_others_does_nothing(tmp_path: Path, plugin: Path) -> None:
    said, packed = do_run(json.dumps(asked(tmp_path, plugin, key="0" * 16, audio_sha256="ab")))
    assert json.loads(said)["cannot"] == "its clips of tones are others than those of the worker that was asked first"
    assert packed == b""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('no\\nluck \\x1b')", "does not run: RuntimeError"),
        ("import sys\nsys.exit(3)", "does not run: SystemExit"),
        ("x = 1", "holds no method"),
        ("def (", "does not run: SyntaxError"),
    ],
)
def test_plugin_that_does_not_run_there_is_one_line(text: str, said: str, tmp_path: Path, plugin: Path) -> None:
    told = json.dumps(asked(tmp_path, plugin) | {"plugins": [["plugin.py", text]]})
    for answer in (what_is_asked(told), do_run(told)[0]):
        line = json.loads(answer)["cannot"]
        assert said in line
        assert line.isprintable()


def test_plugin_files_come_to_the_byte_whatever_their_names(tmp_path: Path, plugin: Path) -> None:
    text = b"# -*- coding: latin-1 -*-\nWORD = '\xe9\xff'\n" + PLUGIN.encode()
    plugin.write_bytes(text)
    told = asked(tmp_path, plugin)
    renamed = PLUGIN.replace('"tones"', '"others"').replace('"probe"', '"other-probe"').replace('"chance"', '"another"')
    other = ["../../plugin.py", renamed]
    told["plugins"].append(other)
    before = sorted(tmp_path.rglob("*.py"))
    said, _ = do_run(json.dumps(told))
    assert json.loads(said).get("status") == "done", said
    assert sorted(tmp_path.rglob("*.py")) == before


def test_leave_to_fetch_unverified_is_for_the_run_alone(
    tmp_path: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(dask_worker, "make_plan", lambda *words: seen.append(os.environ["MIRBENCH_ALLOW_UNVERIFIED"]))
    what_is_asked(json.dumps(asked(tmp_path, plugin, unverified="1")))
    assert (seen, os.environ["MIRBENCH_ALLOW_UNVERIFIED"]) == (["1"], "")


@pytest.mark.parametrize("told", ["", "{", "[]", "{}", '{"request": {}}', "null"])
def test_nonsense_is_answered_and_raises_nothing(told: str) -> None:
    assert json.loads(what_is_asked(told))["cannot"]
    assert json.loads(do_run(told)[0])["cannot"]


def test_code_of_mirbench_is_a_part_of_what_a_worker_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = dask_worker._code_sha256()
    (tmp_path / "mirbench").mkdir()
    (tmp_path / "mirbench" / "extra.py").write_text("x = 1\n")
    monkeypatch.setattr("mirbench.__path__", [*__import__("mirbench").__path__, str(tmp_path / "mirbench")])
    assert dask_worker._code_sha256() != known


def test_list_of_clips_comes_with_the_run(sweep: Sweep, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    rows = ["path,label,split"]
    for n in range(9):
        soundfile.write(tmp_path / f"{n}.wav", np.random.default_rng(n).normal(0, 0.1, 8000), 8000)
        rows.append(f"{n}.wav,{'ab'[n % 2]},{('train', 'valid', 'test')[n // 3]}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    text = f'[[run]]\ntask = "csv:{tmp_path}/clips.csv"\nmethod = "prior"\nseeds = 1\n'
    (result,) = sweep(joined("a"), text)
    assert result.complete, result
    (list_of_clips,) = (tmp_path / "runs").glob("*/clips-*.csv")
    assert len(list_of_clips.read_text().splitlines()) == 10


def test_disk_that_is_full_here_is_no_fault_of_the_worker(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    class Full(RunStore):
        def write_files(self, *words: Any) -> Path:
            raise BadInput("runs: no space is left")

    monkeypatch.setattr(dask_sweep, "RunStore", Full)
    with pytest.raises(BadInput, match="no space is left"):
        sweep(joined("a"))
    assert lines == []
