"""The command of a record: typed again, it asks for the same."""

from __future__ import annotations

import shlex
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirbench.leaderboard import repeat
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.attempt import unfinished
from mirbench.runs.plan import Request, draft_plan
from mirbench.types import Windowing

REQUESTS = {
    "plain": Request("gtzan", "probe-linear", "nano"),
    "no source": Request("gtzan", "prior"),
    "settings": Request("gtzan", "ids-nmr", "nano", params={"lr": 3e-05, "epochs": 12, "mapping": "mean-prob"}),
    "nothing for a number": Request("gtzan", "ids-nmr", "nano", params={"gain": "auto", "layer": None, "channels": 3}),
    "search": Request("gtzan", "probe-mlp", "nano", search={"lr": [0.1, 0.01]}),
    "modifiers": Request("gtzan+shots10-draw1+normalized", "knn", "nano"),
    "windows": Request("gtzan", "knn", "nano", windowing=Windowing("hopped16", "logit")),
    "valid too": Request("gtzan", "knn", "nano", fit_on="train-and-valid"),
    "refit": Request("gtzan", "probe-mlp", "nano", fit_on="refit"),
    "padded": Request("gtzan", "knn", "nano", pad="reflect"),
    "thresholds": Request("openmic", "knn", "nano", thresholds="valid"),
    "calibrated": Request("gtzan", "knn", "nano", calibrate="temperature"),
    "precision": Request("gtzan", "knn", "nano", precision="bfloat16"),
    "seeds in a row": Request("gtzan", "knn", "nano", seeds=(2, 3, 4)),
    "some seeds": Request("gtzan", "knn", "nano", seeds=(0, 7)),
    "every fold": Request("gtzan-mini", "knn", "nano", seeds=(0,)),
    "one fold": Request("gtzan-mini", "knn", "nano", seeds=(0,), folds=(3,)),
    "some folds": Request("gtzan-mini", "knn", "nano", seeds=(1,), folds=(0, 2)),
}

Typed = Callable[..., Any]


def drafted(request: Request) -> tuple[RunRecord, list[RunSpec]]:
    """A record of the first run of a request, and the identities of all."""
    plan = draft_plan(request, Catalogue())
    changed = unfinished(plan.specs[0], plan).changed
    record = RunRecord(plan.specs[0], "done", n_folds=plan.task.n_folds, standing=plan.task.standing, changed=changed)
    return record, list(plan.specs)


def said(record: RunRecord, specs: list[RunSpec]) -> str:
    seeds = sorted({spec.seed for spec in specs})
    return repeat.command(record, seeds, sorted({spec.fold for spec in specs}))


@pytest.fixture
def asked_by(typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], list[RunSpec]]:
    """Identities of the runs that a command would do, had the machine the data."""
    monkeypatch.setenv("MIRBENCH_DATA", str(tmp_path))
    found: list[RunSpec] = []

    def noted(request: Request, catalogue: Catalogue, *rest: Any) -> list[Any]:
        found.extend(draft_plan(request, catalogue).specs)
        return []

    def run(command: str) -> list[RunSpec]:
        found.clear()
        monkeypatch.setattr(runner, "run", noted)
        monkeypatch.setattr("mirbench.runs.report.report", lambda *args, **kwargs: True)
        for line in command.splitlines():
            answer = typed(*shlex.split(line)[1:])
            assert answer.code == 0, answer.err
        return list(found)

    return run


@pytest.mark.parametrize("name", REQUESTS)
def test_command_asks_for_the_same(name: str, asked_by: Callable[[str], list[RunSpec]]) -> None:
    record, specs = drafted(REQUESTS[name])
    assert asked_by(said(record, specs)) == specs


def test_command_with_options_of_a_source_asks_for_the_same(asked_by: Callable[[str], list[RunSpec]]) -> None:
    card = Catalogue().source("coral-mobilenetv2")
    options = {**card.options, "seconds": 3.0, "resize": "bicubic"}
    record, specs = drafted(Request("gtzan", "knn", "coral-mobilenetv2", source_params=options))
    assert "--source-set seconds=3.0" in said(record, specs)
    assert asked_by(said(record, specs)) == specs


def test_command_of_a_record_alone_is_of_its_run(asked_by: Callable[[str], list[RunSpec]]) -> None:
    record, specs = drafted(Request("gtzan-mini", "knn", "nano", seeds=(4,), folds=(2,)))
    assert asked_by(repeat.command(record)) == specs


def write_clips(folder: Path) -> None:
    for label in ("a", "b"):
        for n in range(8):
            path = folder / label / f"{n}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(bytes(1600))


def test_command_of_a_folder_leaves_its_place_open(tmp_path: Path, asked_by: Callable[[str], list[RunSpec]]) -> None:
    write_clips(tmp_path / "mine")
    record, specs = drafted(Request(f"folder:{tmp_path}/mine+folds3", "knn", "nano", seeds=(0,)))
    command = said(record, specs)
    assert "--task folder:PATH/mine+folds3" in command
    assert str(tmp_path) not in command
    assert any(note.startswith("PATH is the folder") for note in repeat.notes(record))
    assert asked_by(command.replace("PATH", str(tmp_path))) == specs


def test_command_of_a_list_leaves_its_place_open(tmp_path: Path, asked_by: Callable[[str], list[RunSpec]]) -> None:
    write_clips(tmp_path)
    lines = [f"{label}/{n}.wav,{label}" for label in ("a", "b") for n in range(8)]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    record, specs = drafted(Request(f"csv:{tmp_path}/list.csv", "knn", "nano", seeds=(0,)))
    command = said(record, specs)
    assert "--task csv:PATH/list.csv" in command
    assert asked_by(command.replace("PATH", str(tmp_path))) == specs


@pytest.mark.parametrize("text", ["a b", "$(rm x)", "it's; ls", "`x`", "<b>"])
def test_command_quotes_what_a_shell_would_read(text: str) -> None:
    record, _ = drafted(REQUESTS["plain"])
    spoilt = replace(record, changed={"mapping": text})
    assert shlex.split(repeat.command(spoilt))[-1] == f"mapping={text}"


@pytest.mark.parametrize("params", [{}, {"systems": ["a"]}, {"systems": ["a"], "members": ["0" * 16]}])
def test_command_of_what_is_called_an_ensemble_and_names_no_members_is_a_line(params: dict[str, Any]) -> None:
    record, _ = drafted(REQUESTS["no source"])
    strange = replace(record, spec=replace(record.spec, method="ensemble", params=params))
    assert repeat.command(strange).startswith("mirbench run --task gtzan --method ensemble")
    assert repeat.notes(strange)


def test_command_of_an_ensemble_names_its_members() -> None:
    record, _ = drafted(REQUESTS["plain"])
    params = {"average": "rank", "systems": ["a", "b"], "members": ["0" * 16, "1" * 16], "member_weights": [0.25, 0.75]}
    combined = replace(record, spec=replace(record.spec, method="ensemble", params=params, source=""))
    assert repeat.command(combined) == f"mirbench ensemble {'0' * 16} {'1' * 16} --average rank --weights-of 0.25,0.75"


def test_notes_name_a_plugin() -> None:
    record, _ = drafted(REQUESTS["plain"])
    plugged = replace(record, spec=replace(record.spec, method_version="1+0123456789ab"))
    assert any("--plugin" in note for note in repeat.notes(plugged))
