"""Tasks that ask for values, from end to end: methods that learn them, records, boards, predictions."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from mirbench import Context
from mirbench.errors import NotApplicable
from mirbench.method import CLASSES, require_kind
from mirbench.methods import METHODS
from mirbench.metrics import METRICS, REGRESSION
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.store import RunStore
from mirbench.trust import checks
from mirbench.trust.tiny_task import tiny_context
from mirbench.types import Split
from tests.every_method import in_few_steps

if TYPE_CHECKING:
    from tests.conftest import Answer

Typed = Callable[..., "Answer"]
Tiny = tuple[Context, tuple[Split, Split, Split]]

LEARN_VALUES = tuple(
    name for name in METHODS if "regression" in getattr(Catalogue().method(name)(), "task_kinds", CLASSES)
)
QUICK = ("prior", "probe-linear", "probe-svm", "knn", "probe-mlp")
WITH_SETTINGS = {
    "ii-nmr": {"mapping": "new-head"}, "id-nmr": {"mapping": "new-head"}, "ids-nmr": {"mapping": "new-head"},
}  # fmt: skip
LONGER = (
    "probe-forest", "layer-mix", "attentive-pooling", "ast-bs", "unet-rp", "cnn-bs", "musicnn", "finetune", "bitfit",
    "ii-nmr", "ids-nmr",
)  # fmt: skip
"""One of each family: what its relatives share is how they learn values."""


def with_values(split: Split) -> Split:
    """The same clips with two numbers each, of which the second is unknown of the first clip."""
    clips = tuple(
        replace(clip, labels=("pitch",) if n == 0 else ("loudness", "pitch"), unknown=("loudness",) if n == 0 else (),
                values=(40.0 + n,) if n == 0 else (-5.0 * (n % 4), 40.0 + n))
        for n, clip in enumerate(split.clips)
    )  # fmt: skip
    task = replace(
        split.task, kind="regression", classes=("loudness", "pitch"), metrics=REGRESSION,
        ranges=((-60.0, 0.0), (20.0, 110.0)),
    )  # fmt: skip
    return Split(task, clips)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("tiny")
    train, valid, test = map(with_values, checks.tiny_task(folder))
    splits = (train, valid, test)
    return tiny_context(Catalogue().source("nano"), splits, folder, Progress(quiet=True)), splits


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in LONGER)])
def test_methods_of_each_family_conform_on_values(name: str, tiny: Tiny) -> None:
    context, splits = tiny
    method, few = in_few_steps(name)
    if not set(method.needs) <= set(context.source.card.offers):
        pytest.skip(f"nano does not offer {', '.join(method.needs)}")
    assert checks.check_method(method, context, splits, few | WITH_SETTINGS.get(name, {})) == []


@pytest.mark.parametrize("name", [n for n in METHODS if n not in LEARN_VALUES])
def test_every_other_method_says_which_tasks_it_learns(name: str, tiny: Tiny) -> None:
    task = tiny[1][0].task
    with pytest.raises(NotApplicable, match="learns single-label and multi-label tasks; tiny is a regression task"):
        require_kind(Catalogue().method(name)(), task)


def test_methods_that_were_written_for_classes_alone_are_the_ones_that_refuse() -> None:
    refused = {name for name in METHODS if name not in LEARN_VALUES}
    assert refused >= {"zero-shot", "mean-teacher", "ii-nmr", "ids-nmr", "tf-retrain", "black-box-rp"}
    assert set(LEARN_VALUES) >= {*QUICK, "probe-forest", "finetune", "layer-mix", "attentive-pooling", "ast-bs"}


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty tones whose pitch, in semitones, is on a list; returns the list."""
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    rows = []
    for n in range(40):
        pitch = float(rng.uniform(48, 84))
        time = np.arange(8000) / 8000
        tone = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time) + 0.01 * rng.normal(size=8000)
        soundfile.write(folder / f"{n:02}.wav", tone, 8000)
        rows.append((f"{n:02}.wav", f"{pitch:.3f}", ("train", "train", "valid", "test")[n % 4]))
    with (folder / "tones.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "pitch", "split"), *rows])
    return folder / "tones.csv"


@pytest.mark.slow
def test_values_go_from_a_list_through_records_and_tables_to_predictions(
    tones: Path, tmp_path: Path, typed: Typed
) -> None:
    task, runs = f"csv:{tones}?value=pitch&range=40:90", ("--runs", str(tmp_path / "runs"))
    for method in ("probe-linear", "knn"):
        answer = typed("run", "--task", task, "--method", method, "--source", "nano", *runs, "--quiet")
        assert answer.code == 0, answer
    typed("run", "--task", task, "--method", "prior", *runs, "--quiet")
    store = RunStore(tmp_path / "runs")
    held = {record.spec.method: (record, folder) for folder, record in store.records()}
    record, folder = held["probe-linear"]
    scores = store.scores(folder)
    true, told = scores.targets.in_units(scores.targets.value), scores.targets.in_units(scores.scores)
    assert record.metrics["mae"] == pytest.approx(np.abs(true - told).mean(), rel=1e-6)
    assert record.metrics["r2"] > 0.5 > held["prior"][0].metrics["r2"]
    assert (record.kind, [list(pair) for pair in record.ranges]) == ("regression", [[40.0, 90.0]])

    assert "3 records: 3 hold" in typed("verify", str(tmp_path / "runs")).out
    board = typed("leaderboard", *runs, "--no-reference", "--format", "json")
    rows = json.loads(board.out)
    assert "r2" in json.dumps(rows)
    said = typed("compare", "probe-linear+nano", "prior", *runs).out
    assert "A is nearer on" in said
    assert "r2 of" in said
    clips = typed("export", "clips", f"{folder}", "-").out.splitlines()
    assert clips[0].endswith("clip,target,true,predicted,off_by")
    assert all(len(cell) <= 8 for cell in clips[1].split(",")[-3:])
    assert len(clips) == 11

    predicted = typed("predict", str(folder), str(tones.parent / "03.wav"), "--format", "csv").out.splitlines()
    assert predicted[0] == "file,pitch"
    first = next(n for n, clip in enumerate(scores.clip_ids) if clip == "03.wav")
    assert float(predicted[1].split(",")[1]) == pytest.approx(told[first, 0], abs=0.05)
    for words in (("--top", "3"), ("--probabilities",), ("--threshold", "0.3")):
        refused = typed("predict", str(folder), str(tones.parent / "03.wav"), *words)
        assert refused.code == 2
        assert f"{words[0]}: " in refused.err
        assert "predicts values, not probabilities" in refused.err


@pytest.mark.slow
def test_ranges_that_are_not_those_of_the_scores_are_found(tones: Path, tmp_path: Path, typed: Typed) -> None:
    runs = ("--runs", str(tmp_path / "runs"))
    typed("run", "--task", f"csv:{tones}?value=pitch&range=40:90", "--method", "prior", *runs, "--quiet")
    (path,) = (tmp_path / "runs").rglob("record.json")
    path.write_text(path.read_text().replace("90.0", "95.0"))
    answer = typed("verify", str(tmp_path / "runs"))
    assert answer.code != 0
    assert "its ranges on record are not those of scores.npz" in answer.out + answer.err


@pytest.mark.parametrize("words", [("--calibrate", "temperature"), ("--thresholds", "valid")])
def test_what_is_of_probabilities_is_refused_for_values(words: tuple[str, str], tones: Path, typed: Typed) -> None:
    answer = typed(
        "run", "--task", f"csv:{tones}?value=pitch", "--method", "knn", "--source", "nano", *words, "--quiet"
    )
    assert words[0] in answer.out + answer.err
    assert "values" in answer.out + answer.err


def test_every_metric_of_values_is_of_regression_tasks_alone() -> None:
    assert {METRICS[name].task_kinds for name in REGRESSION} == {("regression",)}
