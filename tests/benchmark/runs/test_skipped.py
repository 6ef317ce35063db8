"""A run whose source is not on this machine: recorded as skipped with the reason, exit code 1, gone once it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirbench.errors import BadInput
from mirbench.plugin_file import Plugin
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from mirbench.source import SourceCard, WeightFile
from tests.toys import CARD, QUIET, Splits, splits_of, write_levels

if TYPE_CHECKING:
    from tests.conftest import Answer

CLASSES = ("low", "middle", "high")
Mirbench = Callable[..., "Answer"]


@pytest.fixture
def splits(tmp_path: Path) -> Splits:
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    return write_levels(splits_of({s: list(CLASSES) * 2 for s in ("train", "valid", "test")}, CLASSES, folder))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


AWAY = replace(CARD, weights=(WeightFile("ear.pth", "http://127.0.0.1:9/ear.pth"),))


def do(tmp_path: Path, splits: Splits, card: SourceCard = AWAY, **changes: Any) -> list[Outcome]:
    catalogue = Catalogue([Plugin("test", "0" * 64, {"toy": splits[0].task}, {}, {card.name: card})])
    request = Request(
        "toy", "probe-forest", card.name, seeds=(0, 1), data=tmp_path / "data", runs=tmp_path / "runs",
        weights=tmp_path / "weights", cache=tmp_path / "cache",
    )  # fmt: skip
    return run(replace(request, **changes), catalogue, QUIET)


def on_record(tmp_path: Path) -> list[RunRecord]:
    return [record for _, record in RunStore(tmp_path / "runs").records()]


def test_run_without_weights_is_recorded_as_skipped_with_the_reason(tmp_path, splits, weights) -> None:
    outcomes = do(tmp_path, splits)
    assert [o.record.status for o in outcomes] == ["skipped", "skipped"]
    reason = outcomes[0].record.reason
    assert "ear.pth is not on this machine" in reason
    assert "\n" not in reason
    assert sorted(record.spec.seed for record in on_record(tmp_path)) == [0, 1]
    assert all(record.reason == reason and not record.metrics for record in on_record(tmp_path))
    assert {path.name for path in outcomes[0].folder.iterdir()} == {"record.json"}


@pytest.mark.slow
def test_asking_again_tries_again_and_leaves_one_record(tmp_path, splits, weights) -> None:
    do(tmp_path, splits)
    outcomes = do(tmp_path, splits)
    assert [(o.record.status, o.read_back) for o in outcomes] == [("skipped", False)] * 2
    assert len(on_record(tmp_path)) == 2


@pytest.mark.slow
def test_skipped_record_vanishes_once_the_run_is_done(tmp_path, splits, weights) -> None:
    do(tmp_path, splits)
    (weights / "ear.pth").write_bytes(b"anything")
    outcomes = do(tmp_path, splits, seeds=(0,))
    assert [o.record.status for o in outcomes] == ["done"]
    assert sorted((r.spec.seed, r.status) for r in on_record(tmp_path)) == [(0, "done"), (1, "skipped")]


@pytest.mark.slow
def test_done_run_is_read_back_where_its_weights_are_gone(tmp_path, splits, weights) -> None:
    (weights / "ear.pth").write_bytes(b"anything")
    (first,) = do(tmp_path, splits, seeds=(0,))
    (weights / "ear.pth").unlink()
    (again,) = do(tmp_path, splits, seeds=(0,))
    assert (again.record.status, again.read_back, again.folder) == ("done", True, first.folder)
    assert len(on_record(tmp_path)) == 1


@pytest.mark.slow
def test_other_settings_do_not_remove_a_skipped_record(tmp_path, splits, weights) -> None:
    do(tmp_path, splits, seeds=(0,), params={"n_trees": 7})
    (weights / "ear.pth").write_bytes(b"anything")
    do(tmp_path, splits, seeds=(0,))
    assert sorted(r.status for r in on_record(tmp_path)) == ["done", "skipped"]


def test_source_that_says_what_it_lacks_is_skipped_with_its_words(tmp_path, splits, weights) -> None:
    (outcome, _) = do(tmp_path, splits, replace(CARD, missing="toy-ear needs an ear: grow one"))
    assert (outcome.record.status, outcome.record.reason) == ("skipped", "toy-ear needs an ear: grow one")


@pytest.mark.slow
def test_source_whose_weights_are_here_runs_without_a_checksum(tmp_path, splits, weights) -> None:
    (weights / "ear.pth").write_bytes(b"anything")
    done = [do(tmp_path, splits, seeds=(0,))[0]]
    (weights / "ear.pth").write_bytes(b"other weights")
    done.append(do(tmp_path, splits, seeds=(0,))[0])
    assert [(o.record.status, o.read_back) for o in done] == [("done", False)] * 2
    assert done[0].record.spec.source_sha256 != done[1].record.spec.source_sha256


def test_folder_of_weights_that_is_not_there_is_bad_input_and_no_record(tmp_path, splits) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        do(tmp_path, splits)
    assert not (tmp_path / "runs").exists()


# The command line


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.benchmark.cli.test_cli import write_excerpt

    return write_excerpt(tmp_path_factory.mktemp("data"))


def asked(typed: Mirbench, mini: Path, *words: str) -> Answer:
    return typed("run", "--task", "gtzan-mini", "--data", mini, "--seeds", "1", "--fold", "0", "--quiet", *words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("vit-b16", "vit-b16: vit_b_16-c867db91.pth is not on this machine"),
        ("inception-v3", "inception-v3: the weights of timm/inception_v3.tf_in1k are not on this machine"),
        ("timm:test_vit", "are not on this machine"),
        ("hf:nope/none", "hf:nope/none: its config.json is not on this machine"),
        ("coral-mobilenetv2", "is not on this machine"),
        ("openl3", "source openl3 needs a Python with openl3"),
    ],
)
def test_missing_source_is_one_clear_line_exit_code_1_and_a_record(
    source: str, reason: str, typed: Mirbench, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mirbench.errors import MissingData

    def gone(*args: object, **kwargs: object) -> Path:
        raise MissingData("nobody answers")

    monkeypatch.setattr("mirbench.features.weights.fetch", gone)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    answer = asked(typed, mini, "--method", "probe-linear", "--source", source)
    assert answer.code == 1
    (line,) = answer.err.strip().splitlines()
    assert line.startswith("1 of 1 runs have no result: ")
    assert reason in line
    assert "Traceback" not in answer.out + answer.err
    (record,) = [record for _, record in RunStore(Path("runs")).records()]
    assert record.status == "skipped"
    assert reason in record.reason


def test_method_that_cannot_use_the_task_is_one_clear_line(typed: Mirbench, mini: Path) -> None:
    answer = asked(typed, mini, "--method", "zero-shot", "--source", "nano")
    assert answer.code == 2
    (line,) = answer.err.strip().splitlines()
    assert "nano names no sounds" in line
    assert not Path("runs").exists()
