"""A library that does not import is said in one line, whatever it raises, and never becomes a run that failed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mirbench import BadInput, BrokenInstallation, MissingExtra, installation
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RAISED = {
    "os": "raise OSError('Could not load this library: libother.so')",
    "runtime": "raise RuntimeError('operator other::nms does not exist')",
    "attribute": "import json\njson.no_such_attribute",
    "value": "raise ValueError('numpy.dtype size changed')",
    "name": "from json import no_such_name",
    "of-another": "raise ImportError('libcudart.so.13: cannot open shared object file')",
}


def library(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> str:
    """A module of this name and text, which can be imported during the test."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def error_of(module: str) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (libraries raise all kinds)
        importlib.import_module(module)
    return caught.value


@pytest.mark.parametrize("kind", RAISED)
def test_import_that_raises_is_a_broken_installation(kind: str, tmp_path: Path, monkeypatch) -> None:
    name = library(tmp_path, monkeypatch, f"broken_{kind.replace('-', '_')}", RAISED[kind])
    said = str(installation.broken(error_of(name)))
    assert "does not import" in said
    assert "\n" not in said
    assert ("json" if kind == "name" else name) in said


def test_module_that_an_import_lacks_is_named_with_its_importer(tmp_path: Path, monkeypatch) -> None:
    name = library(tmp_path, monkeypatch, "importer", "import no_such_module_anywhere")
    said = str(installation.broken(error_of(name)))
    assert "no_such_module_anywhere, which importer imports, is not installed" in said


def test_lazy_import_is_looked_at_through_the_error_that_hides_it(tmp_path: Path, monkeypatch) -> None:
    cause = error_of(library(tmp_path, monkeypatch, "hidden_cause", RAISED["os"]))
    outer = RuntimeError("Failed to import some.models")
    outer.__cause__ = cause
    assert "hidden_cause does not import (OSError: Could not load" in str(installation.broken(outer))


@pytest.mark.parametrize("error", [ValueError("a run's own"), OSError("disk full"), BadInput("no such file")])
def test_error_of_no_import_is_none(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    assert installation.broken(caught.value) is None


def test_package_that_a_function_asks_for_is_said_in_its_own_words() -> None:
    error = ImportError("\nThisExtractor requires the librosa library but it was not found. You can install it.\n")
    said = str(installation.broken(error))
    assert said.startswith("a library is not installed: ThisExtractor requires the librosa library")
    assert "\n" not in said


def test_line_names_the_versions_that_were_found_and_what_to_type() -> None:
    error = ImportError("undefined symbol: torch_exception_get_what", name="torchaudio._extension")
    said = str(installation.broken(error))
    for name in ("torch", "torchaudio", "torchvision"):
        assert f"{name} {installation.version_of(name)}" in said
        assert any(line.startswith(f"{name}") and f"'{Requirement(line)}'" in said for line in PROJECT["dependencies"])


@pytest.mark.parametrize(
    ("distribution", "module", "advice"),
    [("soxr", "soxr", "pip install 'soxr"), ("scikit-learn", "sklearn", "pip install 'scikit-learn")],
)
def test_library_that_is_not_there_is_named_with_its_range(distribution, module, advice, monkeypatch) -> None:
    monkeypatch.setattr(installation, "version_of", lambda name: "")
    said = str(installation.broken(ModuleNotFoundError(f"No module named '{module}'", name=module)))
    assert said.startswith(f"{distribution} is not installed: {advice}")


def test_library_of_an_extra_that_is_not_there_is_named_with_the_extra(monkeypatch) -> None:
    monkeypatch.setattr(installation, "version_of", lambda name: "")
    said = str(installation.broken(ModuleNotFoundError("No module named 'peft'", name="peft")))
    assert "pip install 'mirbench[peft]'" in said


def test_extra_that_is_absent_is_missing_and_one_that_raises_is_broken(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'mirbench\[energy\]'"):
        installation.extra_module("no_such_meter", "--energy", "no-such-meter", "energy")
    name = library(tmp_path, monkeypatch, "broken_meter", RAISED["runtime"])
    with pytest.raises(BrokenInstallation, match="broken_meter does not import"):
        installation.extra_module(name, "--energy", name, "energy")
    name = library(tmp_path, monkeypatch, "half_meter", "import no_such_counter")
    with pytest.raises(BrokenInstallation, match="no_such_counter"):
        installation.extra_module(name, "--energy", name, "energy")


def test_require_passes_what_imports() -> None:
    installation.require("json", "numpy")


def test_declared_is_what_pyproject_says() -> None:
    asked = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    for extra, lines in asked.items():
        wanted = {canonicalize_name(Requirement(line).name): Requirement(line).specifier for line in lines}
        wanted.pop("mirbench", None)
        held = {name: requirement.specifier for name, requirement in installation.declared()[extra].items()}
        assert wanted.items() <= held.items()  # an extra holds those of the extras that it names, too


def test_mirbench_that_is_not_installed_knows_its_dependencies() -> None:
    program = (
        "import importlib.metadata as metadata, json\n"
        "def absent(name): raise metadata.PackageNotFoundError(name)\n"
        "metadata.requires = absent\n"
        "from mirbench.installation import declared\n"
        "print(json.dumps(sorted(declared()[''])))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == sorted(canonicalize_name(Requirement(d).name) for d in PROJECT["dependencies"])


def test_modules_of_distributions_import() -> None:
    for name in installation.declared()[""]:
        assert importlib.util.find_spec(installation.module_of(name)) is not None


@pytest.mark.slow
def test_run_in_a_broken_installation_is_one_line_and_leaves_no_record(tmp_path: Path) -> None:
    """As where torchaudio is built for another torch: five seeds, one line, exit code 2."""
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text(RAISED["os"], encoding="utf-8")
    away = {
        "PYTHONPATH": str(tmp_path),
        "MIRBENCH_CACHE": str(tmp_path / "cache"),
        "MIRBENCH_DATA": str(tmp_path / "no"),
    }
    for n in range(10):
        place = tmp_path / "songs" / f"class{n % 2}" / f"{n}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, np.random.default_rng(n).normal(0, 0.1, 8000), 8000)
    asked = ["--task", f"folder:{tmp_path / 'songs'}", "--method", "probe-linear", "--source", "nano"]
    words = ["run", *asked, "--runs", str(tmp_path / "runs"), "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "mirbench", *words], capture_output=True, text=True, env={**os.environ, **away}
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.partition(" (")[0]) == (2, "mirbench: torchaudio does not import")
    assert not list((tmp_path / "runs").rglob("record.json"))


@pytest.mark.parametrize(("broken", "words"), [("numpy", "list tasks"), ("typer", "list tasks")])
def test_command_line_that_is_broken_itself_is_one_line(broken: str, words: str, tmp_path: Path) -> None:
    (tmp_path / f"{broken}.py").write_text(RAISED["os"], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mirbench", *words.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.partition(" (")[0]) == (2, f"mirbench: {broken} does not import")


def test_doctor_speaks_where_numpy_is_broken(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text(RAISED["value"], encoding="utf-8")
    program = (
        "from packaging.requirements import Requirement\n"
        "from mirbench.cli import libraries\n"
        "libraries.declared = lambda: {'': {'numpy': Requirement('numpy>=2')}}\n"
        "import sys\n"
        "from mirbench.cli import main\n"
        "sys.argv[1:] = ['doctor']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "numpy.dtype size changed" in done.stdout
    assert "The main job cannot run here" in done.stdout


def test_importing_mirbench_imports_no_library() -> None:
    program = "import sys, mirbench\nprint([name for name in ('numpy', 'torch', 'typer') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
