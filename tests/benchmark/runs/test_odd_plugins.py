"""What a method of somebody else's may do: a run of it fails with its reason in a line, and the next seed goes on."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirbench.errors import BadInput
from mirbench.plugin_file import load_plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.plan import Request
from mirbench.runs.store import RunStore
from mirbench.trust.verify import verify

if TYPE_CHECKING:
    from tests.conftest import Answer

PLUGIN = """
import asyncio, os, sys
from collections import OrderedDict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mirbench import Fitted

class Mute(Exception):
    def __str__(self): raise RuntimeError("mute")

class Odd(BaseException): pass

def one(split):
    return np.full((len(split), len(split.classes)), 1 / len(split.classes), dtype=np.float32)

@dataclass(frozen=True)
class Guess:
    rate: float = 0.5
    {field}
    name, version, needs, uses_audio = {name}, {version}, (), False
    {more}

    def fit(self, train, valid, context, *, seed):
        predict, n_trainable, state, history, valid_score, n_total = one, 0, {{}}, [], None, None
        if seed == 0:
            {body}
        return Fitted(predict, n_trainable, state, history, valid_score, n_total)
"""
QUIET = Progress(quiet=True)

FAILING = {
    "a count that is no whole number": "n_trainable = 97.0",
    "a count of numpy's floats": "n_trainable = np.float64(97)",
    "a count of text": "n_trainable = '97'",
    "a count below zero": "n_trainable = -1",
    "a count of 10^400": "n_trainable = 10 ** 400",
    "a count that is true": "n_trainable = True",
    "a count that is an array": "n_trainable = np.arange(3)",
    "a total of nan": "n_total = float('nan') * 1j",
    "text in the history": "history = [{'loss': 'low'}]",
    "a history of numbers": "history = [1.0, 2.0]",
    "a history that is a number": "history = 7",
    "a history with numbered names": "history = [{0: 1.0}]",
    "a history of arrays": "history = [{'loss': np.zeros(3)}]",
    "a history of tensors": "import torch; history = [{'loss': torch.zeros(3)}]",
    "a history with seconds of text": "history = [{'seconds': 'long'}]",
    "a history of half letters": "history = [{'\\udc80': 1.0}]",
    "state under numbers": "state = {0: np.zeros(2)}",
    "state of text": "state = {'words': np.array(['a', 'b'])}",
    "state of objects": "state = {'model': object()}",
    "state of ragged lists": "state = {'rows': [[1], [1, 2]]}",
    "state that is a list": "state = [np.zeros(2)]",
    "state of complex numbers": "state = {'z': np.zeros(2, dtype=complex)}",
    "state with a half letter": "state = {'\\udc80': np.zeros(2)}",
    "state under a name that the format keeps": "state = {'__metadata__': np.zeros(2)}",
    "a score of text": "valid_score = 'good'",
    "no predict": "predict = None",
    "scores that are a list": "predict = lambda split: one(split).tolist()",
    "scores that are a tensor": "import torch; predict = lambda split: torch.from_numpy(one(split))",
    "scores of text": "predict = lambda split: one(split).astype(str)",
    "scores of objects": "predict = lambda split: one(split).astype(object)",
    "complex scores": "predict = lambda split: one(split).astype(complex)",
    "scores that are none": "predict = lambda split: None",
    "scores with nan": "predict = lambda split: one(split) * np.nan",
    "scores above one": "predict = lambda split: one(split) + 7",
    "scores of a clip less": "predict = lambda split: one(split)[1:]",
    "scores of a class less": "predict = lambda split: one(split)[:, 1:]",
    "scores of one axis": "predict = lambda split: one(split)[:, 0]",
    "predict that leaves": "predict = lambda split: sys.exit(0)",
    "fit that leaves": "sys.exit(0)",
    "fit that leaves with words": "sys.exit('done')",
    "fit that quits": "quit()",
    "an error of no kind": "raise Odd('odd')",
    "a cancelled task": "raise asyncio.CancelledError",
    "a generator's end": "raise GeneratorExit",
    "an error that says nothing": "raise ValueError",
    "an error that cannot say": "raise Mute",
    "an error with half a letter": "raise ValueError('a\\udc80b')",
    "an error of several lines": "raise ValueError('\\n\\none\\ntwo')",
    "an error with escape codes": "raise ValueError('\\x1b[2J\\x07')",
    "an error of 10 MB": "raise ValueError('x' * 10_000_000)",
    "an error of bytes": "raise ValueError(b'\\xff\\x00')",
    "an error in an error": "raise RuntimeError('a') from Mute()",
    "memory that is full": "raise MemoryError",
    "memory that numpy has not": "np.zeros((2 ** 40, 2 ** 10))",
    "memory that the GPU has not": "import torch; raise torch.cuda.OutOfMemoryError('CUDA out of memory.')",
    "no end of calls": "f = lambda f: f(f); f(f)",
    "an end of iteration": "raise StopIteration",
    "a name that is not": "undefined",
    "a mapping instead of what fit returns": "return {}",
    "nothing": "return None",
    "what takes other arguments": "return Fitted()",
}

QUICK = {
    "a count that is no whole number", "text in the history", "state under numbers", "scores that are a tensor",
    "fit that leaves", "an error that cannot say", "two dots", "a default of nan",
}  # fmt: skip
"""The others are slow tests."""

FINE = {
    "a count of numpy's": ("n_trainable = np.int64(97)", 97),
    "no count": ("n_trainable = None", None),
    "a loss that is undefined": ("history = [{'loss': float('nan'), 'seconds': np.float32(0.5)}]", 0),
    "a history that is read once": ("history = ({'loss': 1.0} for _ in range(3))", 0),
    "state of tensors": ("import torch; state = {'w': torch.zeros(3)}", 0),
    "state of numbers": ("state = {'w': 0.5, 'n': [1, 2]}", 0),
    "scores of float64": ("predict = lambda split: one(split).astype(float)", 0),
    "whole scores": ("predict = lambda split: np.zeros(one(split).shape, dtype=int)", 0),
}


def some(cases: Iterable[str]) -> list[Any]:
    """All of them, most of them slow."""
    return [pytest.param(what, marks=() if what in QUICK else pytest.mark.slow) for what in cases]


def written(folder: Path, body: str = "pass", **parts: str) -> Path:
    held = {"field": "", "name": "'guess'", "version": "'1'", "more": ""} | parts
    path = folder / "guess.py"
    path.write_text(PLUGIN.format(body=body, **held), encoding="utf-8")
    return path


def done(folder: Path, plugin: Path) -> list[runner.Outcome]:
    request = Request(
        "composer-maestro", "guess", seeds=(0, 1), runs=folder / "runs", data=folder, cache=folder / "cache"
    )
    return runner.run(request, Catalogue([load_plugin(plugin)]), QUIET)


@pytest.mark.parametrize("what", some(FAILING))
def test_run_fails_with_a_line_and_the_next_seed_goes_on(what: str, tmp_path: Path) -> None:
    plugin = written(tmp_path, FAILING[what])
    first, second = (outcome.record for outcome in done(tmp_path, plugin))
    assert (first.status, second.status) == ("failed", "done")
    assert first.reason
    assert first.reason.isprintable()
    assert len(first.reason) < 5_000
    assert [record.status for _, record in RunStore(tmp_path / "runs").records()].count("failed") == 1
    assert all(case.holds for case in verify(tmp_path / "runs", Catalogue([load_plugin(plugin)])))


@pytest.mark.parametrize("what", FINE)
def test_run_is_recorded_with_what_numbers_mean_the_same(what: str, tmp_path: Path) -> None:
    body, count = FINE[what]
    first, second = (outcome.record for outcome in done(tmp_path, written(tmp_path, body)))
    assert (first.status, second.status, first.n_trainable) == ("done", "done", count), first.reason
    assert len(list(RunStore(tmp_path / "runs").records())) == 2


def test_history_that_can_be_read_once_is_recorded_whole(tmp_path: Path) -> None:
    body = "history = ({'loss': 1.0, 'seconds': 2.0} for _ in range(3))"
    first = done(tmp_path, written(tmp_path, body))[0].record
    assert (len(first.history), first.seconds["epoch"]) == (3, 2.0)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("fit that leaves", "SystemExit: 0"),
        ("memory that is full", "MemoryError: memory is full"),
        ("an error of several lines", "ValueError: one"),
        ("an error that cannot say", "Mute: (what it says is not to be had: RuntimeError)"),
        ("a count that is no whole number", "ValueError: n_trainable is 97.0, which is not a whole number"),
        ("scores that are a tensor", "TypeError: predict must return a numpy array of numbers, not Tensor"),
        ("state under numbers", "TypeError: state has the name 0, which is not text"),
    ],
)
def test_reason_says_what_was_wrong(what: str, said: str, tmp_path: Path) -> None:
    assert done(tmp_path, written(tmp_path, FAILING[what]))[0].record.reason.startswith(said)


def test_traceback_of_any_error_is_a_file_of_bounded_size(tmp_path: Path) -> None:
    outcome = done(tmp_path, written(tmp_path, "raise ValueError('\\udc80' * 10_000_000)"))[0]
    path = outcome.folder / "traceback.txt"
    assert path.stat().st_size < 200_000
    assert "in fit" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "body", ["sys.stdout = sys.stderr = None", "sys.stdout = open(os.devnull, 'w'); sys.stdout.close()"]
)
def test_streams_are_those_of_the_command_again(body: str, tmp_path: Path) -> None:
    streams = sys.stdout, sys.stderr
    assert [outcome.record.status for outcome in done(tmp_path, written(tmp_path, body))] == ["done", "done"]
    assert (sys.stdout, sys.stderr) == streams


def test_run_goes_on_after_a_method_closed_what_the_command_writes_to(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert [o.record.status for o in done(tmp_path, written(tmp_path, "sys.stdout.close()"))] == ["done", "done"]
    assert not sys.stdout.closed
    sys.stdout.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("child", ["pass", "sys.exit(0)", "1 / 0"])
def test_forked_child_that_comes_back_does_nothing_of_the_command(child: str, tmp_path: Path) -> None:
    body = f"if not os.fork(): {child}"
    assert [outcome.record.status for outcome in done(tmp_path, written(tmp_path, body))] == ["done", "done"]
    os.wait()


def test_interrupt_stops(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        done(tmp_path, written(tmp_path, "raise KeyboardInterrupt"))
    assert list(RunStore(tmp_path / "runs").records()) == []


REFUSED = {
    "two dots": {"name": "'..'"},
    "a dot": {"name": "'.'"},
    "no name": {"name": "''"},
    "a path": {"name": "'a/b'"},
    "an absolute path": {"name": "'/tmp/x'"},
    "a NUL": {"name": "'a\\0b'"},
    "a device": {"name": "'CON'"},
    "300 letters": {"name": "'a' * 300"},
    "a letter that is not seen": {"name": "'guess\\u200b'"},
    "text from right to left": {"name": "'guess\\u202e'"},
    "a homoglyph": {"name": "'gu\\u0435ss'"},
    "an escape code": {"name": "'guess\\x1b[2J'"},
    "a surrogate": {"name": "'guess\\udc80'"},
    "a version that is a number": {"version": "3"},
    "no version": {"version": "None"},
    "an empty version": {"version": "''"},
    "a version of two lines": {"version": "'1\\n2'"},
    "a default of nan": {"field": "x: float = float('nan')"},
    "a default without end": {"field": "x: float = float('inf')"},
    "a default of 10^400": {"field": "x: int = 10 ** 400"},
    "a default of half a letter": {"field": "x: str = '\\udc80'"},
    "a set": {"field": "x: Any = frozenset({1})"},
    "a path as default": {"field": "x: Any = Path('.')"},
    "bytes": {"field": "x: Any = b'1'"},
    "a function": {"field": "x: Any = one"},
    "a class": {"field": "x: Any = Path"},
    "an array": {"field": "x: Any = field(default_factory=lambda: np.zeros(3))"},
    "a fraction": {"field": "x: Any = Fraction(1, 3)"},
    "a complex number": {"field": "x: Any = 1j"},
    "numbers as names": {"field": "x: Any = field(default_factory=lambda: {1: 2})"},
    "lists without end": {"field": "x: Any = field(default_factory=lambda: eval('[' * 80 + ']' * 80))"},
    "a default that is not": {"field": "x: int"},
    "what cannot be copied": {"field": "x: Any = field(default_factory=lambda: (n for n in [1]))"},
    "a check of its own": {"more": "def __post_init__(self): raise KeyError('rate')"},
}


@pytest.mark.parametrize("what", some(REFUSED))
def test_plugin_that_no_record_can_name_is_refused_in_a_line(
    what: str, tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    plugin = written(tmp_path, **REFUSED[what])
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts and "__pycache__" not in path.parts}
    with pytest.raises(BadInput) as raised:
        done(tmp_path, plugin)
    assert "\n" not in str(raised.value).strip()
    after = {path for path in tmp_path.rglob("*") if "cache" not in path.parts and "__pycache__" not in path.parts}
    assert after == before
    answer = typed("run", "--task", "composer-maestro", "--method", "guess", "--seeds", "1", "--plugin", plugin)
    assert answer.code == 2
    assert answer.err.startswith("mirbench: ")
    assert answer.err.strip().isprintable()


@pytest.mark.parametrize(
    "field",
    ["x: Any = None", "x: tuple = (1, 2)", "x: Any = field(default_factory=lambda: OrderedDict(a=[1, {'b': None}]))"],
)
def test_hyperparameter_that_json_can_say_is_recorded(field: str, tmp_path: Path) -> None:
    outcomes = done(tmp_path, written(tmp_path, field=field))
    assert [outcome.record.status for outcome in outcomes] == ["done", "done"]
    assert [RunStore(tmp_path / "runs").read(outcome.record.spec) is not None for outcome in outcomes] == [True, True]
