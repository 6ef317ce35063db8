"""The words that `mirbench` exports: which they are, that each is described, and that importing them loads no torch."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from typing import Any

import pytest

import mirbench

PUBLIC = {
    "errors": {"BadAudio", "BadInput", "BrokenInstallation", "MirbenchError", "MissingData", "MissingExtra",
               "NotApplicable", "UnknownName"},
    "tasks": {"Archive", "ArrayRow", "BlindSplit", "Clip", "Excerpt", "Split", "Targets", "Task", "Windowing"},
    "metrics": {"METRICS", "Metric", "REGRESSION", "SINGLE_LABEL", "TAGGING", "TEMPO"},
    "sources": {"Activations", "SourceCard", "Stage", "WeightFile"},
    "methods": {"AnySplit", "BoundSource", "Context", "Fitted", "Method", "Progress", "Restorable", "Windows",
                "clip_means"},
    "runs": {"RunRecord", "RunSpec", "Trial"},
    "notebooks": {"Comparison", "Predictions", "Run", "Runs", "SourceModel", "TaskData", "compare", "load_model",
                  "load_runs", "predict", "run", "source", "task"},
    "arrays": {"BoolArray", "FloatArray", "IntArray"},
    "version": {"__version__"},
}  # fmt: skip
NAMES = sorted(set().union(*PUBLIC.values()))
LATER = ("AnySplit", "BoundSource", "Context", "Windows", "clip_means")
CLASSES = [name for name in NAMES if inspect.isclass(getattr(mirbench, name))]
CALLED = [name for name in NAMES if inspect.isfunction(getattr(mirbench, name))]


def members(name: str) -> dict[str, Any]:
    """Public functions and properties of a class that it defines itself."""
    held = vars(getattr(mirbench, name)).items()
    return {
        word: thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
        for word, thing in held
        if not word.startswith("_") and (isinstance(thing, property | classmethod) or inspect.isfunction(thing))
    }


def described(doc: str) -> set[str]:
    """Names under a docstring's Parameters and Attributes."""
    found = set[str]()
    for section in re.findall(r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.M | re.S):
        for line in section.splitlines():
            if line and not line.startswith(" "):
                found |= {name.strip() for name in line.partition(" : ")[0].split(",")}
    return found


def fields(name: str) -> set[str]:
    """What is given to make one: fields of a dataclass, or parameters of ``__init__``."""
    kind = getattr(mirbench, name)
    if dataclasses.is_dataclass(kind):
        return {field.name for field in dataclasses.fields(kind)}
    if "__init__" not in vars(kind) or getattr(kind, "_is_protocol", False):
        return set()
    return set(inspect.signature(kind).parameters)


def test_exported_names_are_these() -> None:
    assert set(mirbench.__all__) == set(NAMES)
    assert set(NAMES) <= set(dir(mirbench))


@pytest.mark.parametrize("name", NAMES)
def test_exported_name_is_there(name: str) -> None:
    assert getattr(mirbench, name) is not None


def test_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mirbench' has no attribute 'Contxt'"):
        mirbench.Contxt  # noqa: B018


@pytest.mark.parametrize("name", [*CLASSES, *CALLED])
def test_exported_name_has_a_docstring_of_its_own(name: str) -> None:
    doc = inspect.getdoc(getattr(mirbench, name)) or ""
    assert doc.partition("\n")[0].endswith((".", ":"))
    assert not doc.startswith(f"{name}(")  # what a dataclass writes for lack of one


@pytest.mark.parametrize("name", CLASSES)
def test_docstring_describes_whatever_one_is_made_of(name: str) -> None:
    assert fields(name) - described(inspect.getdoc(getattr(mirbench, name)) or "") == set()


@pytest.mark.parametrize("name", CLASSES)
def test_members_have_docstrings(name: str) -> None:
    assert [word for word, member in members(name).items() if not inspect.getdoc(member)] == []


@pytest.mark.parametrize("name", CLASSES)
def test_errors_that_members_raise_are_in_their_docstrings(name: str) -> None:
    silent = []
    for word, member in members(name).items():
        raised = set(
            re.findall(r"raise (BadInput|NotApplicable|MissingData|MissingExtra)\b", inspect.getsource(member))
        )
        section = (inspect.getdoc(member) or "").partition("Raises\n------\n")[2]
        silent += [f"{word}: {error}" for error in raised if error not in section]
    assert silent == []


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Clip", "Seconds from the beginning"), ("Clip", "Levels in dBFS"), ("SourceCard", "Rate in Hz"),
        ("Targets", "shape (n_clips, n_classes)"), ("Windows", "shape (n_windows, …)"),
        ("Activations", "shape (n, n_features)"), ("Fitted", "shape (n_clips, n_classes), each in [0, 1]"),
        ("RunRecord", "Peak bytes"), ("Trial", "Wall time"), ("Metric", "in [0, 1]"),
    ],
)  # fmt: skip
def test_docstring_gives_shape_or_unit(name: str, unit: str) -> None:
    assert unit in " ".join((inspect.getdoc(getattr(mirbench, name)) or "").split())


def test_importing_the_words_loads_no_torch() -> None:
    asked = ", ".join(sorted(set(NAMES) - set(LATER) - {"__version__"}))
    program = f"import sys\nfrom mirbench import {asked}\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", LATER)
def test_name_that_is_imported_later_is_the_one_inside(name: str) -> None:
    kind = getattr(mirbench, name)
    assert getattr(mirbench, name) is kind
    assert name in vars(mirbench)  # asked for once, it stays
