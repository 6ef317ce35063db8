"""What runs said of each clip, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from mirbench.errors import BadInput
from mirbench.leaderboard.clip_answers import clip_answers
from mirbench.leaderboard.packs import shipped
from mirbench.runs.scores import Scores, target_hashes
from mirbench.runs.store import RunStore
from mirbench.types import Targets

if TYPE_CHECKING:
    from tests.conftest import Answer

PACK = next(pack for pack in shipped() if pack.path.name.startswith("gtzan-mini"))
SYSTEM = "probe-linear+efficientat-mn04"


def one_run(kind: str) -> tuple[Any, Scores]:
    """Two clips and two classes; the second clip's first class was judged by nobody."""
    ids = np.array(["a", "b"])
    truth, known = np.array([[1, 0], [0, 1]], np.float32), np.array([[True, True], [False, True]])
    targets = Targets(truth, known, kind)  # type: ignore[arg-type]
    values = np.array([[0.4, 0.9], [0.9, 0.45]], np.float32)
    scores = Scores(ids, values, targets, target_hashes(ids, targets), np.array(["", ""]))
    spec = SimpleNamespace(method="knn", source="", fold=0, seed=3, system="aaaa")
    return SimpleNamespace(spec=spec, classes=("cello", "flute")), scores


def test_clips_of_a_system_have_the_accuracy_that_is_on_record(typed: Callable[..., Answer], tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    assert typed("export", "clips", SYSTEM, file, "--runs", PACK.opened()).code == 0
    lines = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    wrong = list(csv.DictReader(io.StringIO(typed(
        "export", "clips", SYSTEM, "-", "--mistakes", "--runs", PACK.opened()).out)))  # fmt: skip
    assert sorted(line["clip"] for line in wrong) == sorted(line["clip"] for line in lines if line["wrong"] == "1")
    sure = [float(line["probability"]) for line in wrong]
    assert sure == sorted(sure, reverse=True)
    for _, record in RunStore(PACK.opened()).find_every(SYSTEM):
        of_fold = [line for line in lines if int(line["fold"]) == record.spec.fold]
        found = accuracy_score([line["true"] for line in of_fold], [line["predicted"] for line in of_fold])
        assert found == pytest.approx(record.metrics["accuracy"])
    assert len(lines) == 100
    other = typed("export", "clips", SYSTEM, tmp_path / "clips.json", "--runs", PACK.opened())
    assert (other.code, "CSV is written; name a file that ends in .csv" in other.err) == (2, True)


def test_several_settings_of_a_system_are_told_apart_and_one_is_named_by_its_key(typed: Callable[..., Answer]) -> None:
    marsyas = RunStore(PACK.opened()).find_every("marsyas-forest")
    key = marsyas[0][1].spec.system
    one = typed("export", "clips", f"marsyas-forest@{key}", "-", "--runs", PACK.opened())
    assert (one.code, one.out.count("\n"), f"@{key}" in one.out) == (0, 301, False)
    assert typed("export", "clips", "marsyas-forest@0123abcd", "-", "--runs", PACK.opened()).code == 2
    record, scores = one_run("multi-label")
    other = SimpleNamespace(spec=SimpleNamespace(**vars(record.spec) | {"system": "bbbb"}), classes=record.classes)
    lines = clip_answers([(record, scores), (other, scores)])  # type: ignore[list-item]
    assert {line[0] for line in lines[1:]} == {"knn@aaaa", "knn@bbbb"}


def test_labels_that_nobody_judged_have_no_line() -> None:
    head, *lines = clip_answers([one_run("multi-label")])
    assert head == ("system", "fold", "seed", "clip", "label", "true", "probability", "wrong")
    assert [line[3:] for line in lines] == [
        ("a", "cello", 1, 0.4, 1),
        ("a", "flute", 0, 0.9, 1),
        ("b", "flute", 1, 0.45, 1),
    ]
    _, *surest = clip_answers([one_run("multi-label")], mistakes=True)
    assert [line[4:5] + line[6:7] for line in surest] == [("flute", 0.9), ("cello", 0.4), ("flute", 0.45)]


def test_runs_of_two_kinds_and_runs_that_are_not_there_are_refused(
    typed: Callable[..., Answer], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="have no table in common"):
        clip_answers([one_run("multi-label"), one_run("single-label")])
    answer = typed("export", "clips", "knn+nothing", "-", "--runs", tmp_path)
    assert (answer.code, answer.err.count("\n"), "no run that is done is called so" in answer.err) == (2, 1, True)
