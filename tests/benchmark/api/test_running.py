"""`mirbench.run` does what the command does, to the bit, and leaves the process as it was."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mirbench
from mirbench import BadInput, MissingData, NotApplicable, UnknownName
from tests.conftest import Answer, command

Cell = Callable[[str], dict[str, Any]]
FAST = {"epochs": 3}

MINE = """
import numpy as np
from dataclasses import dataclass
from mirbench import Fitted

@dataclass(frozen=True)
class Mine:
    weight: float = 1.0
    name, version, needs = "mine", "1", ("pooled",)

    def fit(self, train, valid, context, *, seed):
        features, label = context.source.pooled(train).clip_means(), train.class_index()
        centroids = np.stack([features[label == k].mean(axis=0) for k in range(len(train.classes))])
        if STOP:
            raise KeyboardInterrupt
        return Fitted(self.restore({"centroids": centroids}, None, context), None, state={"centroids": centroids})

    def restore(self, state, split, context):
        def predict(split):
            heard = context.source.pooled(split).clip_means()
            near = np.exp(-self.weight * np.linalg.norm(heard[:, None] - state["centroids"], axis=2))
            return near / near.sum(axis=1, keepdims=True)
        return predict
"""


def scores_of(runs: mirbench.Runs) -> list[bytes]:
    return [(run.folder / "scores.npz").read_bytes() for run in runs]


def states() -> dict[str, object]:
    """What a process shares, as text."""
    drawn: Any = np.random.get_state()  # noqa: NPY002
    return {
        "python": hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
        "numpy": hashlib.sha256(drawn[1].tobytes()).hexdigest() + str(drawn[2:]),
        "torch": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
        "threads": torch.get_num_threads(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "type": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "errors": np.geterr(),
        "streams": (sys.stdout, sys.stderr),
    }


@pytest.mark.slow
def test_run_says_nothing_and_leaves_the_process_as_it_was(
    songs: Path, kept: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mirbench.run(f"folder:{songs}", "probe-mlp", "nano", seeds=[2], params=FAST)  # libraries set what they need
    torch.set_num_threads(1)
    torch.manual_seed(7)
    before = states()
    mirbench.run(f"folder:{songs}", "probe-mlp", "nano", seeds=[3], params=FAST, threads=2)
    assert states() == before
    assert capfd.readouterr() == ("", "")


def test_run_is_on_record_for_the_command(
    songs: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = mirbench.run(f"folder:{songs}", "probe-linear", "nano", params={"C": 2})  # an int, where --set reads a float
    words = f"run --task folder:{songs} --method probe-linear --source nano --set C=2 --quiet".split()
    said: Answer = command(words, monkeypatch, capsys)
    assert (said.code, "on record" in said.out) == (0, True)
    assert len(mirbench.load_runs()) == len(runs)


@pytest.mark.slow
def test_runs_of_one_process_are_those_of_fresh_ones_to_the_bit(songs: Path, kept: Path) -> None:
    mirbench.run(f"folder:{songs}", "probe-mlp", "nano", seeds=[5], params=FAST, runs="first")
    torch.rand(3)
    ours = mirbench.run(f"folder:{songs}", "probe-mlp", "nano", seeds=range(2), params=FAST, runs="second")
    words = f"run --task folder:{songs} --method probe-mlp --source nano --seeds 2 --set epochs=3 --runs third --quiet"
    subprocess.run([sys.executable, "-m", "mirbench", *words.split()], check=True, capture_output=True)
    theirs = mirbench.load_runs("third")
    assert {run.record.spec.key for run in ours} == {run.record.spec.key for run in theirs}
    assert sorted(scores_of(ours)) == sorted(scores_of(theirs))


@pytest.mark.slow
def test_runs_of_two_threads_are_those_of_one(songs: Path, kept: Path) -> None:
    def do(seed: int, folder: str) -> None:
        mirbench.run(f"folder:{songs}", "probe-mlp", "nano", seeds=[seed], params=FAST, runs=folder)

    threads = [threading.Thread(target=do, args=(seed, "beside")) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for seed in (0, 1):
        do(seed, "after")
    for thread in threads:
        thread.join()
    assert scores_of(mirbench.load_runs("beside")) == scores_of(mirbench.load_runs("after"))


@pytest.mark.slow
def test_method_of_a_cell_runs_is_marked_and_is_another_when_it_changes(songs: Path, kept: Path, cell: Cell) -> None:
    names = cell("STOP = False") and cell(MINE)
    first = mirbench.run(f"folder:{songs}", names["Mine"], "nano")
    assert mirbench.run(f"folder:{songs}", names["Mine"](), "nano")[0].read_back
    assert first.to_frame()[["method", "marks"]].values.tolist() == [["mine", "plugin"]] * len(first)
    assert mirbench.predict(first, sorted(songs.rglob("*.wav"))[:2], plugins=names["Mine"]).probabilities.shape == (
        2,
        3,
    )
    changed = cell(MINE.replace("np.exp(-", "np.exp(-2 * "))["Mine"]
    assert not mirbench.run(f"folder:{songs}", changed, "nano")[0].read_back
    assert mirbench.run(f"folder:{songs}", changed(weight=3.0), "nano")[0].record.spec.params == {"weight": 3.0}


def test_interrupted_run_leaves_no_claim_and_is_done_when_asked_again(songs: Path, kept: Path, cell: Cell) -> None:
    method = cell("STOP = True") and cell(MINE)["Mine"]
    before = states()
    with pytest.raises(KeyboardInterrupt):
        mirbench.run(f"folder:{songs}", method, "nano", seeds=1)
    assert states() == before
    assert [path for path in Path("runs").rglob("*") if path.is_file() and path.suffix != ".csv"] == []
    assert mirbench.run(f"folder:{songs}", "knn", "nano", seeds=1)[0].status == "done"


def test_failed_run_is_warned_of_with_its_reason(songs: Path, kept: Path, cell: Cell) -> None:
    method = cell("STOP = False") and cell(MINE.replace("if STOP", "raise ValueError('no luck')\n        if STOP"))
    with pytest.warns(UserWarning, match="1 of 1 runs have no result: ValueError: no luck"):
        runs = mirbench.run(f"folder:{songs}", method["Mine"], "nano", seeds=1)
    assert runs[0].status == "failed"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"method": "probe-liner"}, UnknownName, "Did you mean 'probe-linear'"),
        ({"task": "gtzn"}, UnknownName, "Did you mean 'gtzan'"),
        ({"task": "gtzan", "data": "nowhere"}, MissingData, "no such folder"),
        ({"params": {"c": 1}}, UnknownName, "No hyperparameter of probe-linear is called 'c'"),
        ({"params": {"C": "much"}}, BadInput, "float is needed"),
        ({"search": {"C": 1.0}}, BadInput, "a list of values to try is needed"),
        ({"seeds": 0}, BadInput, "seeds 0: a number"),
        ({"seeds": [-1]}, BadInput, "seeds -1--1: a number"),
        ({"seeds": 1.5}, BadInput, "seeds 1.5: a number"),
        ({"folds": 3}, BadInput, "has folds 0 to 0"),
        ({"precision": "float8"}, BadInput, "one of float32, bfloat16, float16 is needed"),
        ({"sealed": True, "deform": "noise"}, BadInput, "leave --deform or --sealed out"),
        ({"threads": "2"}, BadInput, "a whole number from 0 to 1024 is needed"),
        ({"worker": 3}, UnknownName, "No option of mirbench.run is called 'worker'"),
        ({"C": 2}, BadInput, r"^C is a hyperparameter of probe-linear: params=\{'C': 2\}$"),
        ({"source_params": {"nothing": 1}}, UnknownName, "No option of nano is called 'nothing'"),
        ({"weights": "nowhere"}, BadInput, "no such folder"),
        ({"method": "ids-nmr", "source": "openl3"}, NotApplicable, "cannot use openl3"),
        ({"method": int}, BadInput, "int is no method"),
        ({"plugins": "nothing.py"}, BadInput, "no such file"),
    ],
)
def test_bad_input_is_an_error_of_one_line(
    songs: Path, kept: Path, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        mirbench.run(**{"task": f"folder:{songs}", "method": "probe-linear", "source": "nano", **changes})
    assert "\n" not in str(caught.value)
    assert not Path("runs").exists()


def test_several_jobs_of_a_cells_method_are_refused(songs: Path, kept: Path, cell: Cell) -> None:
    method = cell("STOP = False") and cell(MINE)["Mine"]
    with pytest.raises(BadInput, match="another process cannot import Mine; put it into a file"):
        mirbench.run(f"folder:{songs}", method, "nano", jobs=2)
