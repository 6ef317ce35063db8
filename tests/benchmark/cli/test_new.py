"""`mirbench new`: what it writes conforms and passes its own tests, and nothing is written over."""

from __future__ import annotations

import importlib
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mirbench.plugin_file import load_plugin
from mirbench.trust.plugin_checks import check_plugin
from tests.conftest import Answer
from tests.toys import QUIET

Mirbench = Callable[..., Answer]

KINDS = ("method", "source", "task", "encoder")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_new_writes_a_plugin_that_conforms_and_says_what_to_type_next(kind: str, typed: Mirbench) -> None:
    answer = typed("new", kind, f"my-{kind}")
    assert answer.code == 0
    path = Path(f"my_{kind}.py")
    assert f"mirbench check {path}" in answer.out
    assert f"mirbench run --plugin {path} --task" in answer.out
    held = "source" if kind == "encoder" else kind
    assert check_plugin(load_plugin(path), QUIET) == {f"{held} my-{kind}": []}
    runpy.run_path(f"test_my_{kind}.py")  # finds all that it imports


@pytest.mark.slow  # another pytest, which loads torch
def test_tests_that_new_writes_pass(typed: Mirbench) -> None:
    for kind in KINDS:
        typed("new", kind, f"my-{kind}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout


@pytest.mark.parametrize("installed", [True, False])
def test_new_says_how_its_test_is_run_and_what_that_needs(
    installed: bool, typed: Mirbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("mirbench.cli.new")  # a command of the package has its name
    monkeypatch.setattr(module, "find_spec", lambda name: installed or None)
    (line,) = (line for line in typed("new", "method", "my-method").out.splitlines() if "  pytest" in line)
    assert line.split("#")[0].split() == ["pytest", "test_my_method.py"]
    assert ("needs pytest: pip install pytest" in line) != installed


@pytest.mark.parametrize("there", ["my_method.py", "test_my_method.py"])
def test_new_writes_over_nothing(there: str, typed: Mirbench) -> None:
    Path(there).write_text("mine")
    answer = typed("new", "method", "my-method")
    assert answer.code == 2
    assert f"{there} there already" in answer.err
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [(there, "mine")]


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("method", "probe-linear", "is that of mirbench's own method 'probe-linear'"),
        ("source", "Nano", "may be taken for mirbench's own source 'nano'"),
        ("encoder", "nano", "is that of mirbench's own source 'nano'"),
        ("task", "gtzan+shots10", "begins as mirbench's own 'gtzan+…'"),
        ("method", "a b", "is not of letters, digits and -_."),
        ("method", "../up", "is a name that file systems keep for themselves"),
        ("method", "3d", "its file cannot be called so"),
        ("method", "class", "its file cannot be called so"),
        ("method", "a.b", "its file cannot be called so"),
        ("network", "mine", "one of method, source, task, encoder is needed"),
    ],
)
def test_new_refuses_a_name_in_a_line(kind: str, name: str, said: str, typed: Mirbench) -> None:
    answer = typed("new", kind, name)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert not any(Path().iterdir())
