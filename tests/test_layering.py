"""Who may import whom: tasks, methods and leaderboard know the core and never one another; listing loads no torch."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LAYERS = ("mirbench.tasks", "mirbench.methods", "mirbench.leaderboard")
ENTRANCE = "mirbench.cli"  # it knows every layer, and no layer knows it
LIGHT = (
    "mirbench", "mirbench.cli", "mirbench.registry", "mirbench.cards", "mirbench.store", "mirbench.tasks",
    "mirbench.tasks.gtzan", "mirbench.methods", "mirbench.methods.sources", "mirbench.methods.sources.cards",
    "mirbench.methods.sources.embedding_cards", "mirbench.methods.sources.hf_cards",
    "mirbench.methods.sources.image_cards", "mirbench.methods.sources.tagger_cards",
    "mirbench.suite", "mirbench.verify", "mirbench.submission", "mirbench.leaderboard.results",
    "mirbench.leaderboard.table", "mirbench.leaderboard.statistics", "mirbench.leaderboard.compare",
    "mirbench.leaderboard.render", "mirbench.leaderboard.latex", "mirbench.leaderboard.readme",
    "mirbench.leaderboard.pareto", "mirbench.leaderboard.plots", "mirbench.leaderboard.page",
    "mirbench.leaderboard.reproduction.verdicts",
)  # fmt: skip


def modules() -> dict[str, Path]:
    """Every module of the four packages and its file, by way of the packages' own paths."""
    found = {}
    for package in ("mirbench", *LAYERS):
        for folder in map(Path, importlib.import_module(package).__path__):
            for path in folder.rglob("*.py"):
                parts = [part for part in path.relative_to(folder).with_suffix("").parts if part != "__init__"]
                found[".".join([package, *parts])] = path
    return found


def imports(source: str, module: str, is_package: bool = False) -> Iterator[str]:
    """Dotted names that a source text imports, wherever in it: ``from a import b`` gives a and a.b."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            stem = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*stem, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def layer_of(name: str) -> str:
    return next((layer for layer in LAYERS if within(name, layer)), "mirbench")


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """Imports that the layers forbid to a module."""
    own = layer_of(module)
    found = []
    for name in imports(source, module, is_package):
        other = layer_of(name)
        inside = within(module, ENTRANCE)
        crosses = other not in ("mirbench", own) and not inside
        upwards = within(name, ENTRANCE) and not inside
        heavy = own == "mirbench.leaderboard" and name.partition(".")[0] == "torch"
        if crosses or upwards or heavy:
            found.append(f"{module} imports {name}")
    return found


@pytest.mark.parametrize("package", ["mirbench", *LAYERS, "mirbench.methods.sources"])
def test_modules_holds_the_package(package: str) -> None:
    assert package in modules()


def test_modules_finds_every_file_of_the_four_folders() -> None:
    root = Path(__file__).resolve().parents[1]
    names = {
        ".".join([package, *path.relative_to(root / folder).with_suffix("").parts]).removesuffix(".__init__")
        for folder, package in zip(("benchmark", "tasks", "methods", "leaderboard"), ("mirbench", *LAYERS), strict=True)
        for path in (root / folder).rglob("*.py")
    }
    assert names == set(modules())


def test_layers_are_kept_by_every_module() -> None:
    found = [
        line
        for module, path in modules().items()
        for line in violations(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
    ]
    assert not found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mirbench.tasks.gtzan", "import mirbench.methods"),
        ("mirbench.tasks.gtzan", "from mirbench.leaderboard.table import boards"),
        ("mirbench.tasks.gtzan", "from mirbench import methods"),
        ("mirbench.tasks.gtzan", "from ..methods import prior"),
        ("mirbench.tasks.gtzan", "from .. import methods"),
        ("mirbench.tasks.gtzan", "from mirbench.cli import main"),
        ("mirbench.methods.sources.ast", "from mirbench.tasks.songs import song"),
        ("mirbench.methods.prior", "def fit():\n    from mirbench import leaderboard"),
        ("mirbench.leaderboard.table", "import mirbench.tasks.gtzan as g"),
        ("mirbench.leaderboard.table", "import torch"),
        ("mirbench.leaderboard.table", "from torch import nn"),
        ("mirbench.runner", "import mirbench.tasks"),
        ("mirbench.runner", "def run():\n    from mirbench.methods.prior import Prior"),
        ("mirbench.runner", "from . import leaderboard"),
        ("mirbench.runner", "if TYPE_CHECKING:\n    from mirbench.methods import METHODS"),
        ("mirbench.runner", "import importlib\nimportlib.import_module('mirbench.tasks')"),
    ],
)
def test_violations_finds_a_planted_one(module: str, source: str) -> None:
    assert violations(source, module)


def test_violations_reads_relative_imports_of_a_package_from_itself() -> None:
    assert violations("from .tasks import TASKS", "mirbench", is_package=True)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "mirbench.tasks.gtzan",
            "from mirbench.types import Clip\nfrom mirbench.tasks import songs\nfrom . import songs",
        ),
        ("mirbench.methods.nmr", "import torch\nfrom mirbench.methods.sources.cards import AST"),
        ("mirbench.leaderboard.table", "import torchlike\nfrom mirbench import metrics"),
        ("mirbench.registry", "table = {'task': 'mirbench.tasks'}\nimportlib.import_module(table['task'])"),
        ("mirbench.cli", "from mirbench.leaderboard.table import boards"),
    ],
)
def test_violations_passes_what_is_allowed(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_light_modules_leave_torch_out() -> None:
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules:\n"
        "        sys.exit(f'importing {name} loads torch')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *LIGHT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
