"""Predictions that were made elsewhere: scored as any other, marked, and refused where they say less than is asked."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import accuracy_score, roc_auc_score

from mirbench.registry import Catalogue
from mirbench.runs.store import RunStore
from mirbench.trust.rerun import request_of

if TYPE_CHECKING:
    from tests.conftest import Answer

Typed = Callable[..., "Answer"]
CLASSES = ("cello", "flute", "oboe")
N = 30


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A list of clips without audio, in three folds."""
    path = tmp_path / "songs.csv"
    lines = [(f"clip{n:02}", CLASSES[n % 3], n // 3 % 3) for n in range(N)]
    write(path, [("id", "label", "fold"), *lines])
    return path


def write(path: Path, lines: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return path


def probabilities() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).dirichlet(np.ones(3), N).round(4)


def predictions(path: Path, values: Any = None, head: Sequence[str] = ("clip", *CLASSES)) -> Path:
    rows = probabilities() if values is None else values
    return write(path, [head, *((f"clip{n:02}", *row) for n, row in enumerate(rows))])


def test_predictions_become_a_marked_row_with_the_scores_that_they_have(
    songs: Path, tmp_path: Path, typed: Typed
) -> None:
    file = predictions(tmp_path / "made.csv")
    words = ["import", file, "--task", f"csv:{songs}", "--name", "ours", "--runs", tmp_path / "runs"]
    answer = typed(*words, "--trainable", "7")
    assert (answer.code, "[claimed]" in answer.out) == (0, True), answer
    records = [record for _, record in RunStore(tmp_path / "runs").records()]
    assert sorted(record.spec.fold for record in records) == [0, 1, 2]
    for record in records:
        mine = [n for n in range(N) if n // 3 % 3 == record.spec.fold]
        truth, said = np.array(mine) % 3, probabilities()[mine]
        assert record.metrics["accuracy"] == pytest.approx(accuracy_score(truth, said.argmax(axis=1)))
        assert record.metrics["roc-auc"] == pytest.approx(roc_auc_score(np.eye(3)[truth], said), abs=1e-6)
        assert (record.n_trainable, record.seconds) == (7, {})
    board = typed("leaderboard", "--runs", tmp_path / "runs", "--no-reference")
    assert "ours [claimed]" in board.out
    assert "how they were made is the word of who brought them" in board.out
    assert "[unknown]" not in board.out
    assert typed("verify", tmp_path / "runs").code == 0
    assert typed(*words).out.count("on record") == 3


def test_claimed_predictions_are_no_submission_and_no_model(songs: Path, tmp_path: Path, typed: Typed) -> None:
    file = predictions(tmp_path / "made.csv")
    runs = tmp_path / "runs"
    assert typed("import", file, "--task", f"csv:{songs}", "--name", "ours", "--runs", runs, "--fold", "1").code == 0
    strict = typed("verify", "--strict", runs)
    assert strict.code == 1
    ((refused, *_),) = ([line for line in strict.out.splitlines() if "/ours/" in line and "note" not in line],)
    assert "refused: its predictions were imported" in refused
    assert typed("verify", runs).code == 0
    ((_, record),) = RunStore(runs).records()
    again = typed("show", record.spec.key, "--runs", runs).out
    assert "mirbench import PATH/predictions.csv" in again
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.1 * np.sin(np.arange(8000)), 8000)
    refused = typed("predict", "ours", song, "--runs", runs)
    assert (refused.code, "its predictions were imported, and no model came" in refused.err) == (2, True), refused
    assert request_of(record.spec, {}).method == "ours"


def test_labels_alone_will_do_where_a_clip_has_one_class(songs: Path, tmp_path: Path, typed: Typed) -> None:
    said = [(CLASSES[n % 3 if n else 1],) for n in range(N)]
    file = predictions(tmp_path / "made.csv", said, ("id", "predicted"))
    assert typed("import", file, "--task", f"csv:{songs}", "--name", "ours", "--runs", tmp_path / "runs").code == 0
    accuracies = {record.spec.fold: record.metrics["accuracy"] for _, record in RunStore(tmp_path / "runs").records()}
    n_tested = sum(n // 3 % 3 == 0 for n in range(N))
    assert accuracies == {0: pytest.approx(1 - 1 / n_tested), 1: 1.0, 2: 1.0}


def test_lines_that_are_passed_over_are_counted(songs: Path, tmp_path: Path, typed: Typed) -> None:
    file = predictions(tmp_path / "made.csv", [*map(tuple, probabilities()), (1.0, 0.0, 0.0)])  # clip30 is nobody's
    words = ("import", file, "--task", f"csv:{songs}", "--name", "ours", "--runs", tmp_path / "runs", "--fold", "1")
    answer = typed(*words)
    n_tested = sum(n // 3 % 3 == 1 for n in range(N))
    said = f"lines that are passed over: 1 of no clip of csv:songs, as clip30; {N - n_tested} of clips that are not"
    assert (answer.code, said in answer.err) == (0, True), answer
    assert "passed over: 1 of no clip of csv:songs, as clip30\n" in typed(*words[:-2]).err


@pytest.mark.parametrize(
    ("head", "change", "says"),
    [
        (("clip", "cello", "flute"), lambda rows: [row[:2] for row in rows], "no column is called oboe"),
        (("clip", *CLASSES), lambda rows: rows[:-1], "1 of 12 test clips of fold 0"),
        (("clip", *CLASSES), lambda rows: [(2.5, *row[1:]) for row in rows], "probabilities in [0, 1] are needed"),
        (("clip", *CLASSES), lambda rows: [("high", *row[1:]) for row in rows], "'high' is no number"),
        (("song", *CLASSES), lambda rows: rows, "a column called clip is needed"),
        (("clip", "predicted"), lambda rows: [("piano",) for _ in rows], "piano is no class of the task"),
    ],
)
def test_table_that_says_less_than_is_asked_is_refused_in_a_line(
    head: tuple[str, ...], change: Callable[[Any], Any], says: str, songs: Path, tmp_path: Path, typed: Typed
) -> None:
    file = predictions(tmp_path / "made.csv", change([tuple(row) for row in probabilities()]), head)
    answer = typed("import", file, "--task", f"csv:{songs}", "--name", "ours", "--runs", tmp_path / "runs")
    assert (answer.code, answer.err.count("\n")) == (2, 1), answer
    assert says in answer.err
    assert not list((tmp_path / "runs").glob("*/*/*/record.json"))


def test_file_that_is_not_there_is_a_plain_line(songs: Path, typed: Typed) -> None:
    answer = typed("import", "nope.csv", "--task", f"csv:{songs}", "--name", "ours")
    assert (answer.code, answer.err) == (2, "mirbench: nope.csv: not to be read (No such file or directory)\n")


@pytest.mark.parametrize("name", ["probe-linear", "../x", "", "ensemble"])
def test_name_that_is_taken_or_none_is_refused(name: str, songs: Path, tmp_path: Path, typed: Typed) -> None:
    file = predictions(tmp_path / "made.csv")
    answer = typed("import", file, "--task", f"csv:{songs}", "--name", name, "--runs", tmp_path / "runs")
    assert (answer.code, answer.err.count("\n"), "--name" in answer.err) == (2, 1, True)


@pytest.mark.slow
def test_confidences_of_an_entrant_of_mirex_become_a_row(tmp_path: Path, typed: Typed) -> None:
    """As docs/mirex.md says it, on the stand-in: clips from any run, a column a label, a row beside the others."""
    asked = ["--task", "openmic-demo", "--runs", tmp_path / "runs"]
    assert typed("run", *asked, "--method", "prior", "--quiet").code == 0
    assert typed("export", "clips", "prior", "clips.csv", "--runs", tmp_path / "runs").code == 0
    clips = list(dict.fromkeys(pd.read_csv("clips.csv", dtype=str)["clip"]))
    labels = Catalogue().task("openmic").classes
    said = np.random.default_rng(0).random((len(clips), len(labels)))
    pd.DataFrame(said, index=pd.Index(clips, name="clip"), columns=list(labels)).to_csv("predictions.csv")
    assert typed("import", "predictions.csv", *asked, "--name", "our-system").code == 0
    board = typed("leaderboard", "--runs", tmp_path / "runs", "--columns", "rank,system,metrics", "--no-reference").out
    assert "our-system [claimed]" in board
    assert "prior" in board
