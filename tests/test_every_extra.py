"""What a user types that lacks a package of an extra is answered by the line that installs it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from packaging.requirements import Requirement

from mirbench.installation import module_of
from mirbench.leaderboard import page
from tests.conftest import ROOT

if TYPE_CHECKING:
    from tests.conftest import Answer

Typed = Callable[..., "Answer"]

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
OF_DEVELOPERS = {"test", "browser", "docs", "dev"}
PACKAGES = [
    (extra, Requirement(line).name)
    for extra, lines in EXTRAS.items()
    if extra not in OF_DEVELOPERS
    for line in lines
    if not line.startswith("mirbench[")
]
RUN = ("run", "--task", "csv:songs.csv", "--seeds", "1", "--quiet")
WORDS: dict[str, tuple[str, ...]] = {
    "datasets": ("data", "get", "hf:nobody/nothing"),
    "mirdata": ("show", "mirdata:orchset"),
    "peft": (*RUN, "--method", "finetune", "--source", "nano", "--set", "tuned=lora", "--set", "epochs=1"),
    "cma": (*RUN, "--method", "black-box-rp", "--source", "nano"),
    "audiomentations": (*RUN, "--method", "prior", "--deform", "mp3"),
    "fast-mp3-augment": (*RUN, "--method", "prior", "--deform", "mp3"),
    "codecarbon": (*RUN, "--method", "prior", "--energy"),
    "distributed": ("sweep", "suite.toml", "--scheduler", "tcp://127.0.0.1:1"),
    "mlflow": ("export", "records", "--to", "mlflow"),
    "trackio": ("export", "records", "--to", "trackio"),
    "onnx": ("export", "model", "prior", "out", "--onnx"),
    "onnxscript": ("export", "model", "prior", "out", "--onnx"),
    "onnxruntime": ("export", "model", "prior", "out", "--onnx"),
    "plotly": ("leaderboard", "--format", "html", "--no-reference"),
    "itables": ("leaderboard", "--format", "html", "--no-reference"),
    "jsonschema": ("verify", "--strict"),
}
"""A command that needs the package."""


class Hiding:
    """A finder of modules and distributions that does not find some."""

    def __init__(self, finder: Any, module: str) -> None:
        self.finder, self.module = finder, module

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] == self.module else self.finder.find_spec(name, path, target)

    def find_distributions(self, context: Any) -> Any:
        found = getattr(self.finder, "find_distributions", lambda context: ())(context)
        return (each for each in found if module_of(each.metadata["Name"]) != self.module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """``without("plotly")``: from now on it is not installed."""

    def hide(module: str) -> None:
        monkeypatch.setattr(sys, "meta_path", [Hiding(finder, module) for finder in sys.meta_path])
        for name in [*sys.modules]:
            if name.partition(".")[0] == module:
                monkeypatch.delitem(sys.modules, name)
        page._packed.cache_clear()

    yield hide
    page._packed.cache_clear()


@pytest.fixture
def songs(typed: Typed) -> None:
    """A list of clips in the working folder, a suite, and a run on record."""
    rows = ["path,label,split"]
    for n in range(24):
        soundfile.write(f"{n}.wav", 0.1 * np.sin(np.arange(8000) * (n + 1) / 20), 16_000)
        rows.append(f"{n}.wav,{'ab'[n % 2]},{('train', 'valid', 'test')[n // 2 % 3]}")
    Path("songs.csv").write_text("\n".join(rows) + "\n")
    Path("suite.toml").write_text('[[run]]\ntask = "csv:songs.csv"\nmethod = "prior"\n')
    assert typed(*RUN, "--method", "prior").code == 0


def test_every_package_of_every_extra_has_a_command_that_needs_it() -> None:
    assert {name for _, name in PACKAGES} == {*WORDS}


@pytest.mark.parametrize(
    ("extra", "package"),
    [pytest.param(*each, marks=[pytest.mark.slow] * (each[1] == "peft")) for each in PACKAGES],  # it loads a network
)
def test_package_that_lacks_is_refused_with_the_extra_that_brings_it(
    extra: str, package: str, songs: None, typed: Typed, without: Callable[[str], None]
) -> None:
    others = [name for of, name in PACKAGES if of == extra and name != package]
    if absent := [name for name in others if find_spec(module_of(name)) is None]:
        pytest.skip(f"of the extra {extra} {absent[0]} lacks, too, and may be named first")
    without(module_of(package))
    code, out, err = typed(*WORDS[package])
    said = out + err
    assert code in (1, 2), said
    assert f"pip install 'mirbench[{extra}]'" in said
    assert package in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_skipped_run_says_the_extra_wherever_it_is_said(
    songs: None, typed: Typed, without: Callable[[str], None]
) -> None:
    without("peft")
    run = '[[run]]\ntask = "csv:songs.csv"\nmethod = "finetune"\nsource = "nano"\nset = {tuned = "lora", epochs = 1}\n'
    Path("suite.toml").write_text(run)
    install = "needs peft: pip install 'mirbench[peft]'"
    swept = typed("sweep", "suite.toml")
    assert install in swept.out + swept.err
    assert install in typed("leaderboard", "--no-reference", "--task", "csv:songs").out
    assert install in typed("show", "finetune+nano").out.replace("\n" + " " * 10, " ")
