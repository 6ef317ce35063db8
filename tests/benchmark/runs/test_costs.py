"""What a run will cost: from runs like it, from its source, from operations; and what of that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs import costs as costs_module
from mirbench.runs.costs import Costs, Machine
from mirbench.runs.dry_run import costs_of
from mirbench.runs.operations import nominal_flops
from mirbench.runs.plan import Request, draft_plan
from mirbench.runs.suite import Suite
from mirbench.runs.suite_runs import Entry
from mirbench.types import Windowing
from tests.benchmark.runs.test_many_processes import PLUGIN as TONES
from tests.benchmark.runs.test_sweep import cells

if TYPE_CHECKING:
    from tests.conftest import Answer

HERE = Machine("a processor", "cpu", 2)
CATALOGUE = Catalogue()
QUIET = ("--quiet", "--plugin", "tones.py")
SPENT = {"waiting": 100.0, "decoding": 30.0, "front_end": 5.0, "body": 20.0, "training": 6.0, "predicting": 2.0,
         "scoring": 1.0, "timing": 50.0, "other": 1.0, "decoding_threads": 60.0}  # fmt: skip


def spec(task: str = "gtzan-mini", method: str = "probe-linear", source: str = "nano", **changes: Any) -> RunSpec:
    made = RunSpec(task, "1", 0, Windowing(), method, "1", {}, {}, source, "1", {}, "", "", "float32", 0)
    return replace(made, **changes)


def record(of: RunSpec, spent: dict[str, float] | None = None, n_clips: int = 100, **changes: Any) -> RunRecord:
    where = {"processor": "a processor", "device": "cpu", "threads": 2} | changes.pop("environment", {})
    made = RunRecord(of, "done", n_clips={"train": n_clips}, spent=SPENT if spent is None else spent, environment=where)
    return replace(made, **changes)


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs_module, "measured_flops", lambda device, threads, large: 1e9)


def costs(*records: RunRecord) -> Costs:
    return Costs(records, HERE, CATALOGUE)


def test_run_costs_what_runs_like_it_cost_here_without_what_is_shared() -> None:
    other = record(spec(seed=1), {**SPENT, "training": 8.0})
    found = costs(record(spec()), other, record(spec(seed=2))).of(spec(seed=3))
    assert (found.seconds, found.rows, found.basis) == (10.0, 55.0, "records")


def test_epochs_and_points_of_a_search_multiply_what_a_run_costs() -> None:
    known = record(spec(method="finetune", params={"epochs": 10}), {"training": 50.0})
    told = costs(known).of(spec(method="finetune", params={"epochs": 20}, search={"lr": [1, 2, 3]}))
    assert (told.seconds, told.basis) == (300.0, "records")


@pytest.mark.parametrize(
    "where", [{"processor": "another"}, {"device": "cuda"}, {"threads": 16}], ids=lambda where: next(iter(where))
)
def test_records_of_another_machine_tell_no_time(where: dict[str, Any]) -> None:
    assert costs(record(spec(), environment=where)).known(spec()) is None


def test_failed_runs_tell_no_time() -> None:
    assert costs(record(spec(), status="failed")).known(spec()) is None


def test_run_on_another_task_costs_as_much_a_clip() -> None:
    n_clips = CATALOGUE.task("gtzan").n_clips
    found = costs(record(spec(), n_clips=50)).of(spec("gtzan"))
    assert (found.seconds, found.rows, found.basis) == (10.0 / 50 * n_clips, 55.0 / 50 * n_clips, "source")


def test_another_method_costs_passes_at_the_speed_of_the_source() -> None:
    known = record(spec(), seconds={"clips_per_second": 4.0})
    n_clips = CATALOGUE.task("gtzan-mini").n_clips
    found = costs(known).of(spec(method="finetune", params={"epochs": 2}))
    assert (found.seconds, found.basis) == (pytest.approx(3.0 + 2 * 2 * n_clips / 4.0), "source")


def test_where_no_time_is_known_operations_of_any_machine_tell() -> None:
    known = record(spec(), environment={"processor": "another"}, flops=10**9)
    n_clips = CATALOGUE.task("gtzan-mini").n_clips
    found = costs(known).of(spec(method="finetune", params={"epochs": 2}))
    assert (found.seconds, found.rows, found.basis) == (pytest.approx(3.0 + 4 * n_clips), float(n_clips), "operations")


def test_where_nothing_is_known_the_card_tells_operations() -> None:
    task, card = CATALOGUE.task("gtzan-mini"), CATALOGUE.source("efficientat-mn10")
    found = costs().of(spec(source="efficientat-mn10"))
    assert (found.seconds, found.rows, found.basis) == (3.0, nominal_flops(task, card) / 1e9, "operations")


def test_shorter_windows_cost_less_each_and_are_more() -> None:
    whole, short = (
        costs().of(spec(method="finetune", source="ast", params={"epochs": 1}, source_params=options))
        for options in ({}, {"seconds": 1.0})
    )
    assert whole.seconds is not None
    assert short.seconds == pytest.approx(whole.seconds, rel=0.05)  # ten windows, each a tenth
    told = costs(record(spec(source="ast", source_params={"seconds": 1.0})))
    assert told.of(spec(source="ast")).basis == "operations"  # runs on other windows tell nothing of it
    assert told.of(spec(source="ast", source_params={"seconds": 1.0}, seed=1)).basis == "records"


def test_records_of_earlier_versions_tell_what_they_hold() -> None:
    old = record(spec(), {}, seconds={"train": 4.0, "inference": 1.0, "features": 9.0, "clips_per_second": None})
    found = costs(old).of(spec(seed=1))
    assert (found.seconds, found.rows) == (8.0, 9.0)


def test_machine_is_measured_once_and_only_where_nothing_else_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(costs_module, "measured_flops", lambda device, threads, large: calls.append(device) or 1e9)
    known = costs(record(spec()))
    known.of(spec(seed=4))
    assert calls == []
    for source in ("ast", "nano", "speechatt"):  # a large network and small ones
        for seed in range(3):
            known.of(spec("gtzan", "knn", source, seed=seed))
    assert calls == ["cpu", "cpu"]


# The command


OWN = {"csv": "csv:music/list.csv", "folder": "folder:music", "folds": "csv:music/list.csv+folds5"}


@pytest.mark.parametrize("source", ["nano", "features:music/rows.npz"])
@pytest.mark.parametrize("task", OWN.values(), ids=OWN)
def test_costs_of_what_was_read_from_files_are_found(task: str, source: str, tmp_path: Path) -> None:
    """A record calls it by less than its path."""
    clips = [f"{kind}/{n}.wav" for kind in ("high", "low") for n in range(8)]
    for clip in clips:
        place = tmp_path / "music" / clip
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    (tmp_path / "music" / "list.csv").write_text(
        "path,label\n" + "".join(f"{clip},{clip.partition('/')[0]}\n" for clip in clips)
    )
    np.savez(tmp_path / "music" / "rows.npz", ids=np.array(clips), rows=np.ones((len(clips), 4), np.float32))
    within = [name.replace("music", str(tmp_path / "music")) for name in (task, source)]
    request = Request(task=within[0], method="probe-linear", source=within[1], runs=tmp_path / "runs")
    suite = Suite("own", "", (Entry("run", request, ""),))
    first = draft_plan(request, CATALOGUE).specs[0]
    found = costs_of(suite, CATALOGUE)
    assert found.known(first) is None
    assert (found.of(first).seconds, found.of(first).basis) == (3.0, "operations")


def test_lists_of_the_same_name_are_of_their_own_sizes(tmp_path: Path) -> None:
    requests = []
    for name, n in (("small", 20), ("large", 200)):
        (tmp_path / name).mkdir()
        rows = "".join(f"{k}.wav,{'ab'[k % 2]}\n" for k in range(n))
        (tmp_path / name / "songs.csv").write_text("path,label\n" + rows)
        requests.append(Request(task=f"csv:{tmp_path / name / 'songs.csv'}", method="probe-linear", source="nano"))
    known = Costs([record(spec(), n_clips=100)], HERE, CATALOGUE, requests)
    told = [known.known(draft_plan(request, CATALOGUE).specs[0]) for request in requests]
    assert told == [10.0 / 100 * 20, 10.0 / 100 * 200]


@pytest.fixture
def planned(typed: Callable[..., Answer]) -> Callable[..., Answer]:
    Path("tones.py").write_text(TONES)

    def answer(*words: str) -> Answer:
        Path("suite.toml").write_text(
            "[[run]]\ntask = 'tones'\nmethod = ['probe-linear', 'prior', 'finetune']\nsource = 'nano'\nseeds = 2\n"
        )
        return typed("sweep", "suite.toml", *QUIET, *words)

    return answer


@pytest.mark.slow
def test_dry_run_says_what_is_left_what_it_costs_and_how_that_is_known(
    planned: Callable[..., Answer], typed: Callable[..., Answer]
) -> None:
    first = planned("--dry-run")
    assert first.code == 0
    assert "Told of 4 runs by its operations and what this machine does in two seconds, which is rough." in first.out
    # nobody has looked at the files; what needs none has no cell for them
    assert [(row[4], len(row)) for row in cells(first) if "nano" in row[0]] == [("—", 6), ("—", 6)]
    assert len(cells(first)[1]) == 5
    typed("run", "--task", "tones", "--method", "knn", "--source", "nano", "--seeds", "1", *QUIET)
    typed("run", "--task", "tones", "--method", "prior", "--seeds", "1", *QUIET)
    second = planned("--dry-run", "--threads", "1")
    assert "; of " in second.out or "Told of 3 runs by runs with its source on record from this machine." in second.out
    there, _, needed = cells(second)[0][4].partition(" of ")
    assert 0 < int(there) < int(needed)  # a nearest neighbour does not ask for valid
    assert cells(second)[1][3:] == ["1 of 1"]
    assert cells(second)[2][4].startswith("0 of ")


# Networks that change with the settings of the method that brings them


def frames(**params: Any) -> RunSpec:
    return spec("gtzan", "frame-level", "", params={"epochs": 10, **params})


ROWS = [
    {"hears": hears, "length": length, "stride": stride}
    for length, stride in ((1024, 1024), (1024, 512), (512, 512), (512, 256), (256, 256))
    for hears in ("spectrogram", "waveform")
]


def test_each_row_of_frames_is_told_its_own_cost() -> None:
    told = [costs().of(frames(**row)) for row in ROWS]
    assert {cost.basis for cost in told} == {"operations"}
    assert len({cost.seconds for cost in told}) == len(ROWS)
    seconds = {tuple(row.values()): cost.seconds for row, cost in zip(ROWS, told, strict=True)}
    twice = seconds["waveform", 512, 256] - 3.0, seconds["waveform", 512, 512] - 3.0
    assert twice[0] / twice[1] == pytest.approx(2.0, rel=0.1)  # as many frames again


def test_operations_on_record_are_of_the_network_with_the_same_settings() -> None:
    here = replace(record(frames(**ROWS[0])), flops=10**12, environment={})
    known = costs(here)
    assert known.of(frames(**ROWS[0])).seconds > 1000 * known.of(frames(**ROWS[1])).seconds
    assert known.of(frames(**ROWS[1])) == costs().of(frames(**ROWS[1]))


def test_runs_of_the_same_settings_tell_before_runs_of_others() -> None:
    slow, fast = ({"tuned": tuned, "epochs": 2} for tuned in ("all", "last"))
    known = costs(
        record(spec(method="finetune", params=slow), {**SPENT, "training": 60.0}),
        record(spec(method="finetune", params=fast), {**SPENT, "training": 6.0}),
    )
    assert known.of(spec(method="finetune", params={**slow, "epochs": 4})).seconds == pytest.approx(2 * 64.0)
    assert known.of(spec(method="finetune", params={**fast, "epochs": 4})).seconds == pytest.approx(2 * 10.0)
    between = known.of(spec(method="finetune", params={"tuned": "lora", "epochs": 2})).seconds
    assert between is not None
    assert 10.0 < between < 64.0


def test_record_of_a_method_that_is_not_here_is_counted() -> None:
    costs(record(spec(method="somebody-elses", source="")), record(frames(length=-1)), record(frames(lenght=256)))
