"""Who may import whom: floors from the words up, no circle, wings entered by their doors, and no torch in listings."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirbench import cli
from tests.conftest import ROOT

FOLDERS = {
    "benchmark": "mirbench",
    "tasks": "mirbench.tasks",
    "methods": "mirbench.methods",
    "leaderboard": "mirbench.leaderboard",
}
NEIGHBOURS = ("mirbench.tasks", "mirbench.methods", "mirbench.leaderboard")

FLOORS = (
    ("words",),
    ("mirbench.features",),
    ("mirbench.runs",),
    ("mirbench.trust",),
    NEIGHBOURS,
    ("mirbench.choose", "mirbench.api"),
    ("mirbench.cli",),
    ("mirbench.__main__",),
)
"""From the ground up. A module imports from its own part and from the floors below, never from a neighbour's."""

DOORS = {
    "mirbench.features": (
        "audio", "claims", "clip_list", "datasets", "download", "memo", "pictures", "sound_files", "temporary", "walk",
    ),
    "mirbench.runs": ("measure", "results_pack", "run_folders", "scores", "store"),
    "mirbench.trust": ("repeated", "verify"),
}  # fmt: skip
"""Modules of the wings that tasks, methods and leaderboard may enter by; what they need besides is in `mirbench`."""

LIGHT = (
    "mirbench", "mirbench.cli", "mirbench.cli.cards", "mirbench.registry", "mirbench.runs.store", "mirbench.runs.suite",
    "mirbench.trust.verify", "mirbench.trust.submission", "mirbench.tasks", "mirbench.tasks.gtzan",
    "mirbench.tasks.own.folder", "mirbench.methods", "mirbench.methods.sources", "mirbench.methods.sources.cards",
    "mirbench.methods.sources.embedding_cards", "mirbench.methods.sources.hf_cards",
    "mirbench.methods.sources.image_cards", "mirbench.methods.sources.tagger_cards", "mirbench.leaderboard.results",
    "mirbench.leaderboard.table", "mirbench.leaderboard.statistics", "mirbench.leaderboard.compare",
    "mirbench.leaderboard.render", "mirbench.leaderboard.latex", "mirbench.leaderboard.readme",
    "mirbench.leaderboard.pareto", "mirbench.leaderboard.plots", "mirbench.leaderboard.page",
    "mirbench.leaderboard.reproduction.verdicts", "mirbench.methods.probes", "mirbench.methods.reprogramming.nmr",
    "mirbench.methods.training.network", "mirbench.runs.predict", "mirbench.runs.runner", "mirbench.runs.sweep",
    "mirbench.trust.checks", "mirbench.choose.words",
)  # fmt: skip


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the four folders and its file."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = [part for part in path.relative_to(ROOT / folder).with_suffix("").parts if part != "__init__"]
            found[".".join([package, *parts])] = path
    return found


@functools.cache
def imports(source: str, module: str, is_package: bool = False) -> tuple[str, ...]:
    """Dotted names that a source text imports, wherever in it: ``from a import b`` gives a and a.b."""
    return tuple(_imports(source, module, is_package))


def _imports(source: str, module: str, is_package: bool) -> Iterator[str]:
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


def part_of(name: str) -> str:
    """The part of the house that a name of the package is in; "" for what is not of it."""
    if not within(name, "mirbench"):
        return ""
    return next((part for floor in FLOORS for part in floor if within(name, part)), "words")


def floor_of(part: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if part in floor)


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """Imports that the floors, the doors and the leaderboard's lightness forbid to a module."""
    if module == "mirbench":  # the front of the house, which hands out what is inside
        return []
    own = part_of(module)
    found = []
    for name in imports(source, module, is_package):
        other = part_of(name)
        upwards = other != own and bool(other) and floor_of(other) >= floor_of(own)
        wing = DOORS.get(other) if own in NEIGHBOURS else None
        inside = name.removeprefix(other).strip(".").partition(".")[0]
        by_no_door = wing is not None and bool(inside) and inside not in wing
        heavy = own == "mirbench.leaderboard" and name.partition(".")[0] == "torch"
        private = other != own and bool(other) and any(word.startswith("_") for word in name.split("."))
        if upwards or by_no_door or heavy or (private and name != "mirbench.__version__"):
            found.append(f"{module} imports {name}")
    return found


@functools.cache
def arrows() -> dict[str, set[str]]:
    """The modules that each module imports; of a package from which only modules are taken, those alone."""
    every = modules()
    found = {}
    for module, path in every.items():
        if module == "mirbench":
            continue
        names = imports(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
        packages = {name.rpartition(".")[0] for name in names if name in every}
        words = {name.rpartition(".")[0] for name in names if name not in every}
        left_out = (packages - words) | {"mirbench", module}
        found[module] = {name for name in names if name in every} - left_out
    return found


def room_of(module: str) -> str:
    """The folder that a module lies in; what runs the command line is a room of its own."""
    if module == "mirbench.__main__":
        return module
    every = modules()
    return module if every[module].name == "__init__.py" else module.rpartition(".")[0]


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle of the graph, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", [*FOLDERS.values(), *DOORS, "mirbench.methods.sources.nano_sounds"])
def test_modules_holds_the_package(package: str) -> None:
    assert package in modules()


def test_modules_are_those_of_the_installed_package() -> None:
    found = {}
    for package in FOLDERS.values():
        for folder in map(Path, importlib.import_module(package).__path__):
            for path in folder.rglob("*.py"):
                parts = [part for part in path.relative_to(folder).with_suffix("").parts if part != "__init__"]
                found[".".join([package, *parts])] = path
    assert set(found) == set(modules())


def test_every_module_keeps_to_its_floor() -> None:
    found = [
        line
        for module, path in modules().items()
        for line in violations(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
    ]
    assert not found


def test_modules_import_one_another_in_no_circle() -> None:
    assert circle(arrows()) == []


def test_folders_import_one_another_in_no_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for module, others in arrows().items():
        own = room_of(module)
        rooms.setdefault(own, set()).update(room_of(other) for other in others if room_of(other) != own)
    assert circle(rooms) == []


def test_circle_finds_a_planted_one() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": ["a"]})


@pytest.mark.parametrize("door", [f"{wing}.{door}" for wing, doors in DOORS.items() for door in doors])
def test_every_door_is_used(door: str) -> None:
    assert any(door in others for module, others in arrows().items() if part_of(module) in NEIGHBOURS)


def test_every_folder_says_what_lies_in_it() -> None:
    silent = []
    for top in (*FOLDERS, "tests"):
        for folder in [ROOT / top, *(path for path in (ROOT / top).rglob("*") if path.is_dir())]:
            if folder.name == "__pycache__":
                continue
            if (folder / "__init__.py").is_file():
                said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
            else:
                said = (folder / "README.md").read_text(encoding="utf-8") if (folder / "README.md").is_file() else ""
            if not said.strip().partition("\n")[0]:
                silent.append(str(folder.relative_to(ROOT)))
    assert silent == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mirbench.tasks.gtzan", "import mirbench.methods"),
        ("mirbench.tasks.gtzan", "from mirbench.leaderboard.table import boards"),
        ("mirbench.tasks.gtzan", "from mirbench import methods"),
        ("mirbench.tasks.gtzan", "from ..methods import prior"),
        ("mirbench.tasks.gtzan", "from .. import methods"),
        ("mirbench.tasks.gtzan", "from mirbench.cli import main"),
        ("mirbench.methods.sources.ast", "from mirbench.tasks.stand_in_music.songs import song"),
        ("mirbench.methods.prior", "def fit():\n    from mirbench import leaderboard"),
        ("mirbench.methods.prior", "from mirbench.features.context import Context"),
        ("mirbench.methods.prior", "from mirbench.features import bound"),
        ("mirbench.methods.prior", "from mirbench.features.audio import _hidden"),
        ("mirbench.leaderboard.table", "import mirbench.tasks.gtzan as g"),
        ("mirbench.leaderboard.table", "import torch"),
        ("mirbench.leaderboard.table", "from torch import nn"),
        ("mirbench.leaderboard.table", "from mirbench.runs.runner import run"),
        ("mirbench.runs.runner", "import mirbench.tasks"),
        ("mirbench.runs.runner", "from mirbench.trust.verify import verify"),
        ("mirbench.runs.runner", "def run():\n    from mirbench.methods.prior import Prior"),
        ("mirbench.runs.runner", "from .. import leaderboard"),
        ("mirbench.runs.runner", "if TYPE_CHECKING:\n    from mirbench.methods import METHODS"),
        ("mirbench.runs.runner", "import importlib\nimportlib.import_module('mirbench.tasks')"),
        ("mirbench.features.cache", "from mirbench.runs import store"),
        ("mirbench.types", "from mirbench.features.audio import read"),
        ("mirbench.method", "if TYPE_CHECKING:\n    from mirbench.features.context import Context"),
    ],
)
def test_violations_finds_a_planted_one(module: str, source: str) -> None:
    assert violations(source, module)


def test_violations_reads_relative_imports_of_a_package_from_itself() -> None:
    assert violations("from ..tasks import TASKS", "mirbench.runs", is_package=True)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "mirbench.tasks.gtzan",
            "from mirbench.types import Clip\nfrom mirbench.tasks import layout\nfrom . import own",
        ),
        ("mirbench.tasks.gtzan", "from mirbench import Context\nfrom mirbench.features.audio import read"),
        ("mirbench.methods.prior", "import torch\nfrom mirbench.methods.sources.cards import AST"),
        ("mirbench.leaderboard.table", "import torchlike\nfrom mirbench import metrics"),
        ("mirbench.registry", "table = {'task': 'mirbench.tasks'}\nimportlib.import_module(table['task'])"),
        ("mirbench.cli", "from mirbench.leaderboard.table import boards\nfrom mirbench import __version__"),
        ("mirbench.trust.verify", "from mirbench.runs.plan import make_plan\nfrom mirbench.features.bound import X"),
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


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder, and the words of a run of it that is on record."""
    folder = tmp_path_factory.mktemp("recorded")
    for n in range(30):
        place = folder / "songs" / f"class{n % 3}" / f"{n}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, np.random.default_rng(n).normal(0, 0.1, 16_000), 16_000)
    words = ["run", "--task", f"folder:{folder / 'songs'}", "--method", "probe-linear", "--source", "nano"]
    words += ["--runs", str(folder / "runs"), "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRBENCH_CACHE", str(folder / "cache"))
        patch.setattr(sys, "argv", ["mirbench", *words])
        with suppress(SystemExit):
            cli.main()
    assert list((folder / "runs").rglob("record.json"))
    return folder, words


def loaded_by(folder: Path, *commands: Sequence[str]) -> tuple[int, set[str]]:
    """Highest exit code of commands in a process of their own, and which heavy libraries they loaded."""
    program = (
        "import json, sys\n"
        "from mirbench.cli import main\n"
        "code = 0\n"
        "for words in map(json.loads, sys.argv[1:]):\n"
        "    sys.argv = ['mirbench', *words]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as end:\n"
        "        code = max(code, end.code or 0)\n"
        "heavy = ('torch', 'sklearn', 'scipy', 'pandas', 'torchaudio', 'torchvision', 'transformers', 'matplotlib')\n"
        "print('loaded', *(name for name in heavy if name in sys.modules))\n"
        "sys.exit(code)\n"
    )
    environment = {**os.environ, "MIRBENCH_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    typed = [json.dumps(words) for words in commands]
    done = subprocess.run([sys.executable, "-c", program, *typed], capture_output=True, text=True, env=environment)
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "loaded", done.stderr
    return done.returncode, set(last[1:])


def test_run_of_what_is_on_record_loads_no_heavy_library(recorded: tuple[Path, list[str]]) -> None:
    assert loaded_by(*recorded) == (0, set())


@pytest.mark.slow
def test_show_loads_no_heavy_library(tmp_path: Path) -> None:
    names = ("probe-linear", "ids-nmr", "mfcc-codebook", "short-chunk", "ast", "gtzan")
    assert loaded_by(tmp_path, *(["show", name] for name in names)) == (0, set())


@pytest.mark.slow
def test_predict_of_a_linear_probe_loads_torch_and_no_scikit_learn(recorded: tuple[Path, list[str]]) -> None:
    folder, _ = recorded
    (run,) = {path.parent for path in (folder / "runs").rglob("record.json")}
    song, runs = folder / "songs" / "class0" / "0.wav", folder / "runs"
    code, heavy = loaded_by(folder, ["predict", str(run), str(song), "--runs", str(runs), "--quiet"])
    assert (code, heavy & {"sklearn", "scipy", "pandas", "transformers"}) == (0, set())


def test_every_method_is_made_without_a_heavy_library() -> None:
    program = (
        "import sys\n"
        "from mirbench.methods import METHODS\n"
        "from mirbench.registry import Catalogue\n"
        "for name in METHODS:\n"
        "    Catalogue().method(name)()\n"
        "    for heavy in ('torch', 'sklearn', 'scipy', 'pandas'):\n"
        "        if heavy in sys.modules:\n"
        "            sys.exit(f'{name} loads {heavy}')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "loads"), [("probe-mlp", True), ("probe-linear", False)])
def test_first_optimizer_of_a_process_is_made_before_the_clock_of_those_that_train_starts(
    method: str, loads: bool
) -> None:
    program = (
        "import sys\n"
        "from mirbench.registry import Catalogue\n"
        "from mirbench.runs.surroundings import load_libraries\n"
        "load_libraries(Catalogue().method(sys.argv[1]))\n"
        "print('torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, method], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{loads}\n", "")


@pytest.mark.slow
def test_fit_of_a_method_imports_no_library_while_its_time_is_taken(tmp_path: Path) -> None:
    program = (
        "import dataclasses, sys\n"
        "from pathlib import Path\n"
        "from mirbench.progress import Progress\n"
        "from mirbench.registry import Catalogue\n"
        "from mirbench.runs.surroundings import load_libraries\n"
        "from mirbench.trust.tiny_task import tiny_context, tiny_task\n"
        "folder, catalogue = Path(sys.argv[1]), Catalogue()\n"
        "method = catalogue.method(sys.argv[2])\n"
        "train, valid, test = tiny_task(folder)\n"
        "context = tiny_context(catalogue.source('nano'), (train, valid, test), folder, Progress(quiet=True))\n"
        "context.source.pooled(train), context.source.pictures(train), context.source.network\n"
        "load_libraries(method)\n"
        "before = set(sys.modules)\n"
        "few = {'epochs': 1} if 'epochs' in {f.name for f in dataclasses.fields(method)} else {}\n"
        "method(**few).fit(train, valid, context, seed=0)\n"
        "heavy = ('torchaudio', 'sklearn', 'scipy', 'pandas', 'mirbench.methods')\n"
        "print(*sorted(name for name in set(sys.modules) - before if name.startswith(heavy)), sep='\\n')\n"
    )
    late = {}
    for name in ("probe-linear", "knn", "probe-mlp", "mfcc-codebook", "ids-nmr"):
        (tmp_path / name).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / name), name], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        late[name] = done.stdout.split()
    assert {name: modules for name, modules in late.items() if modules} == {}
