"""The identity of a method of a notebook: whatever changes what it does changes it, and nothing else does."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirbench.api.own_code import code_sha256
from mirbench.errors import BadInput
from mirbench.plugin_file import load_plugin

Cell = Callable[[str], dict[str, Any]]

HELPER = "def scaled(x):\n    return FACTOR * x\n"
METHOD = """
from dataclasses import dataclass
import numpy as np
from mirbench import Fitted

@dataclass(frozen=True)
class Mine:
    C: float = 1.0
    name, version, needs = "mine", "1", ("pooled",)

    def fit(self, train, valid, context, *, seed):
        rows = scaled(context.source.pooled(train).clip_means())
        return Fitted(lambda split: np.full((len(split), 3), 1 / 3), n_trainable=None)
"""


def sha256(cell: Cell, *cells: str) -> str:
    names: dict[str, Any] = {}
    for text in cells:
        names = cell(text)
    return code_sha256(names["Mine"])


def test_code_of_a_cell_is_the_same_in_another_session(cell: Cell) -> None:
    first = sha256(cell, "FACTOR = 2.0", HELPER, METHOD)
    assert sha256(cell, "unused = object()", "FACTOR = 2.0", HELPER, "print", METHOD) == first


@pytest.mark.parametrize(
    "cells",
    [
        ("FACTOR = 3.0", HELPER, METHOD),  # a constant of a helper
        ("FACTOR = 2.0", HELPER.replace("*", "/"), METHOD),  # a helper
        ("FACTOR = 2.0", HELPER, METHOD.replace("1 / 3)", "1 / 4)")),  # inside a lambda
        ("FACTOR = 2.0", HELPER, METHOD.replace("C: float = 1.0", "C: float = 2.0")),
        ("FACTOR = 2.0", HELPER, METHOD, "def scaled(x):\n    return x"),  # replaced since
        ("FACTOR = 2.0", HELPER, METHOD, "Mine.needs = ('frontend',)"),
    ],
)
def test_changed_code_is_another_method(cell: Cell, cells: tuple[str, ...]) -> None:
    assert sha256(cell, *cells) != sha256(cell, "FACTOR = 2.0", HELPER, METHOD)


def test_array_that_a_method_uses_is_a_part_of_it(cell: Cell) -> None:
    first, second = (sha256(cell, f"import numpy as np\nFACTOR = np.array([{n}.0])", HELPER, METHOD) for n in (1, 2))
    assert first != second


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("FACTOR = object()", HELPER, METHOD), "Mine uses FACTOR, whose content .of type object. no text"),
        (("FACTOR = 2.0", HELPER, METHOD, "def fit(): ...\nMine.fit = fit"), "its source cannot be read here"),
        (("def f():\n    k = 2\n    return lambda x: k * x\nscaled = f()", METHOD), "made inside a function"),
    ],
)
def test_code_that_no_text_tells_is_refused(cell: Cell, cells: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        sha256(cell, *cells)


def test_class_without_source_is_refused(cell: Cell) -> None:
    names = cell("FACTOR = 2.0")
    exec(METHOD, names)
    with pytest.raises(BadInput, match="its source cannot be read here"):
        code_sha256(names["Mine"])


def test_class_inside_a_function_is_refused() -> None:
    class Mine: ...

    with pytest.raises(BadInput, match="defined inside a function"):
        code_sha256(Mine)


def test_class_of_a_file_is_known_as_a_plugin_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, path = imported(tmp_path, monkeypatch)
    assert code_sha256(module.Mine) == load_plugin(path).sha256


def test_file_that_was_edited_since_it_was_imported_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, path = imported(tmp_path, monkeypatch)
    path.write_text(path.read_text().replace("1 / 3)", "1 / 4)"))
    with pytest.raises(BadInput, match=r"not that of .*my_method\.py any more"):
        code_sha256(module.Mine)


def imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Path]:
    path = folder / "my_method.py"
    path.write_text(METHOD)
    spec = importlib.util.spec_from_file_location("my_method_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module, path
