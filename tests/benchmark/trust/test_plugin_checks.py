"""What `mirbench check` finds: whatever a run would refuse, in files, packages and what is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Answer

PLUGIN = """
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mirbench import Fitted

def even(split):
    return np.full((len(split), len(split.classes)), 1 / len(split.classes), dtype=np.float32)

{decorator}
class Mine:
    rate: float = 0.5
    {field}
    name, version, needs = "mine", "1", {needs}
    {more}

    def fit(self, train, valid, context, *, seed):
        predict, history, state = even, [], {{}}
        {body}
        return Fitted(predict, 0, state, history)

    {restore}
"""
PARTS = {
    "decorator": "@dataclass(frozen=True)", "field": "", "needs": "()", "more": "", "body": "pass",
    "restore": "def restore(self, state, split, context): return even",
}  # fmt: skip

REFUSED: dict[str, tuple[dict[str, str] | str, str]] = {
    "a syntax error": ("def fit(:\n", "does not run: SyntaxError"),
    "an import of what is not there": ("import no_such_orchestra\n", "does not run: ModuleNotFoundError"),
    "no class": ("answer = 42\n", "holds no method"),
    "no dataclass": ({"decorator": ""}, "must be a frozen dataclass: add @dataclass(frozen=True)"),
    "needs that are text": ({"needs": '"pooled"'}, "must be a tuple"),
    "a name that may be set": ({"field": "name: str = 'x'"}, "is a hyperparameter"),
}
"""Refused where the plugin is loaded, by every command: exit code 2."""

WRONG: dict[str, tuple[dict[str, str], str]] = {
    "a dataclass that can change": ({"decorator": "@dataclass"}, "must be a frozen dataclass whose fields are"),
    "a stage that there is not": ({"needs": '("pooled", "tempo")'}, "needs tempo, which no source has"),
    "a default that JSON cannot say": ({"field": "more: Any = 1j"}, "a run is refused: mine on"),
    "a default that is not hashed": (
        {"field": "more: Any = field(default_factory=lambda: {1, 2})"}, "a run is refused: mine on"),
    "a check of its own that fails": ({"more": "def __post_init__(self): raise KeyError('rate')"}, "a run is refused"),
    "seeds that count though it says no": (
        {"more": "uses_seed = False",
         "body": "predict = lambda split: even(split) * (1 - 0.1 * seed)"}, "predicts otherwise from seed 1"),
    "valid that counts though it says no": (
        {"more": "uses_valid = False",
         "body": "predict = lambda split: even(split) / len(valid)"}, "with fewer clips in valid"),
    "a source that it changes": (
        {"needs": '("pooled",)', "body": "context.source.network.train()"}, "changed"),
    "text in the history": ({"body": "history = [{'loss': 'low'}]"}, "a run is failed: "),
    "state of objects": ({"body": "state = {'model': object()}"}, ""),
    "no scores": ({"body": "predict = lambda split: None"}, ""),
    "an error with escape codes": ({"body": "import os; raise ValueError(\"no '\\x1b[2J'\")"}, "ValueError: no '"),
}  # fmt: skip
"""Found by the checks: exit code 1."""
QUICK = {
    "a dataclass that can change",
    "a stage that there is not",
    "a default that JSON cannot say",
    "labels that it reads",
}


def written(folder: Path, parts: dict[str, str] | str, name: str = "mine.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(parts if isinstance(parts, str) else PLUGIN.format(**PARTS | parts), encoding="utf-8")
    return path


@pytest.mark.parametrize("what", REFUSED)
def test_plugin_that_does_not_load_is_refused_in_a_line(
    what: str, tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    parts, said = REFUSED[what]
    answer = typed("check", written(tmp_path, parts))
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=() if what in QUICK else pytest.mark.slow) for what in WRONG]
)
def test_check_finds_what_a_run_would_refuse(what: str, tmp_path: Path, typed: Callable[..., Answer]) -> None:
    parts, said = WRONG[what]
    answer = typed("check", written(tmp_path, parts))
    first, *lines = answer.out.splitlines()
    assert (answer.code, first) == (1, f"method mine: {len(lines)} problem{'s' * (len(lines) > 1)}")
    assert said in answer.out
    assert len(set(lines)) == len(lines)
    assert "\x1b" not in answer.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "noted"),
    [
        ({}, ""),
        ({"restore": ""}, "it has no `restore`"),
        ({"restore": "pass\n\ndef made():\n    class Other(Mine):\n        name = 'other'\n    return Other\n"
          "Other = made()"}, "another process cannot import it"),
    ],
)  # fmt: skip
def test_plugin_that_conforms_is_told_what_will_not_be_possible(
    parts: dict[str, str], noted: str, tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    answer = typed("check", written(tmp_path, parts))
    assert (answer.code, "method mine: conforms" in answer.out) == (0, True)
    assert noted in answer.out
    assert ("note:" in answer.out) == bool(noted)


# Whatever it may be named by: a method that fails at once is enough to see that it was found


FAILS = {"needs": '("tempo",)'}


def test_check_takes_a_package_that_lies_here(
    tmp_path: Path, typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "from mine_pkg.method import Mine\n", "mine_pkg/__init__.py")
    written(tmp_path, FAILS, "mine_pkg/method.py")
    monkeypatch.chdir(tmp_path)
    for what in ("mine_pkg", "mine_pkg/", "mine_pkg.method", "mine_pkg.method:Mine"):
        answer = typed("check", what)
        assert (answer.code, answer.out.splitlines()[0]) == (1, "method mine: 1 problem")
    lost = typed("check", "mine_pkg.method:Yours")
    assert (lost.code, "Known: Mine." in lost.err) == (2, True)


def test_check_takes_what_is_installed_by_its_name_and_its_package(
    tmp_path: Path, typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, FAILS, "offered_pkg.py")
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint("mine", "offered_pkg:Mine", "mirbench.methods")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [p for p in points if p.group == group])
    for what in ("mine", "offered_pkg"):
        answer = typed("check", what)
        assert (answer.code, answer.out.splitlines()[0]) == (1, "method mine: 1 problem")


def test_check_takes_a_list_of_clips_and_says_what_is_wrong_with_it(
    tmp_path: Path, typed: Callable[..., Answer]
) -> None:
    (tmp_path / "songs.csv").write_text("path,label\n" + "".join(f"{c}{n}.wav,{c}\n" for c in "ab" for n in range(5)))
    answer = typed("check", f"csv:{tmp_path / 'songs.csv'}")
    assert (answer.code, answer.out.splitlines()[0]) == (1, "task csv:songs: 10 problems")
    assert ".wav" in answer.out


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "probe-liner",
            "No file, task, method, source or package is called 'probe-liner'. Did you mean 'probe-linear'?",
        ),
        ("nowhere.py", "nowhere.py: no such file"),
        ("no_such_package:Thing", "No file, task, method, source or package is called"),
        ("", "No file, task, method, source or package is called"),
    ],
)
def test_check_of_nothing_is_one_line(what: str, said: str, typed: Callable[..., Answer]) -> None:
    answer = typed("check", what)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err


def test_check_of_a_package_that_does_not_import_says_why(
    tmp_path: Path, typed: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "import no_such_orchestra\n", "broken_pkg/__init__.py")
    monkeypatch.chdir(tmp_path)
    answer = typed("check", "broken_pkg")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "broken_pkg: does not import: No module named 'no_such_orchestra'" in answer.err
