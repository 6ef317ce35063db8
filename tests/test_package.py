"""The wheel: a mapped package list forgets sub-packages and data files silently, so one is built and looked at."""

from __future__ import annotations

import configparser
import importlib.metadata
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"benchmark": "mirbench", "tasks": "mirbench/tasks", "methods": "mirbench/methods",
           "leaderboard": "mirbench/leaderboard"}  # fmt: skip
DATA = (
    "benchmark/py.typed", "benchmark/trust/record.schema.json", "benchmark/runs/suites/*.toml", "tasks/splits/*.csv",
    "tasks/stats/*.json", "methods/sources/*.csv",
    "methods/sources/nano.safetensors", "leaderboard/page/*.html", "leaderboard/page/*.css", "leaderboard/page/*.js",
    "leaderboard/published/*.csv",
)  # fmt: skip


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WRITTEN = [*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())]
REQUIREMENTS = [Requirement(line) for line in WRITTEN if not line.startswith("mirbench")]


def called(command: Sequence[object], folder: Path) -> str:
    """Standard output of a command that has to succeed, run away from the repository and from PYTHONPATH."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(word) for word in command], cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, as they are in the working tree."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known")
    copy = tmp_path_factory.mktemp("tree")
    for name in called(["git", "ls-files", "-z"], ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the tracked files give, built without a network."""
    target = tmp_path_factory.mktemp("wheel")
    called([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, tree], target)
    (found,) = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def packed_names(tree: Path, pattern: str) -> set[str]:
    """Names in the wheel of the files of a copy of the tree that match ``folder/pattern``."""
    folder, _, rest = pattern.partition("/")
    return {f"{FOLDERS[folder]}/{path.relative_to(tree / folder).as_posix()}" for path in (tree / folder).glob(rest)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_wheel_holds_every_module(folder: str, tree: Path, wheel: Path) -> None:
    needed = packed_names(tree, f"{folder}/**/*.py")
    assert needed, f"{folder} holds no module"
    assert needed <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize("pattern", DATA)
def test_wheel_holds_every_data_file(pattern: str, tree: Path, wheel: Path) -> None:
    needed = packed_names(tree, pattern)
    if not needed and pattern.endswith("nano.safetensors"):
        pytest.skip("the weights of nano are not in the tree")
    assert needed, f"nothing is called {pattern}"
    assert needed <= set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mirbench"}


def test_wheel_holds_no_page_of_the_documentation(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.endswith((".md", ".rst")) or "docs" in Path(name).parts] == []


def test_wheel_installs_the_command(unpacked: Path) -> None:
    (entry_points,) = unpacked.glob("*.dist-info/entry_points.txt")
    parsed = configparser.ConfigParser()
    parsed.read_string(entry_points.read_text())
    assert dict(parsed["console_scripts"]) == {"mirbench": "mirbench.__main__:main"}


@pytest.mark.slow
def test_wheel_imports_every_module_from_itself(unpacked: Path) -> None:
    names = [
        ".".join(path.relative_to(unpacked).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((unpacked / "mirbench").rglob("*.py"))
        if path.name != "__main__.py"
    ]
    program = (
        "import importlib, sys\n"
        "root = sys.argv[1]\n"
        "sys.path.insert(0, root)\n"
        "for name in sys.argv[2:]:\n"
        "    print(importlib.import_module(name).__file__)\n"
    )
    files = called([sys.executable, "-c", program, unpacked, *names], unpacked).splitlines()
    strangers = [file for file in files if not Path(file).is_relative_to(unpacked)]
    assert (len(files), strangers) == (len(names), [])


def test_commands_answer_without_torch(tmp_path: Path) -> None:
    commands = ("--help", "run --help", "--version", "list", "show gtzan", "show ast", "cache info")
    program = (
        "import sys\n"
        "from mirbench.cli import main\n"
        "for words in sys.argv[1:]:\n"
        "    sys.argv = ['mirbench', *words.split()]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as end:\n"
        "        print('=', words, 'torch' if 'torch' in sys.modules else 'light', end.code)\n"
    )
    said = called([sys.executable, "-c", program, *commands], tmp_path).splitlines()
    assert [line for line in said if line.startswith("= ")] == [f"= {words} light 0" for words in commands]


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_constraints_are_names_and_exact_versions_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    strange = [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9-]+==[0-9][0-9a-z.]*", line)]
    assert strange == []
    assert "://" not in "".join(lines)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_constraints_hold_every_declared_dependency_inside_its_range(requirement: Requirement) -> None:
    version = constraints()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_constraints_hold_what_the_dependencies_need_themselves() -> None:
    held = constraints()
    lacking = set()
    for name in held:
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # of another extra or Python
            continue
        for requirement in map(Requirement, needed):
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if applies and canonicalize_name(requirement.name) not in held:
                lacking.add(f"{requirement.name}, which {name} needs")
    assert lacking == set()


BROUGHT = [requirement for requirement in REQUIREMENTS if requirement.name not in ("packaging", "setuptools")]
"""Those whose versions are numbers of releases, and that mirbench does more with than build or parse."""

RUN_BESIDES = {"pillow": "12.3", "torch": "2.13", "torchvision": "0.28"}
"""Lowest versions that the tests were run under apart from those of constraints.txt."""


@pytest.mark.parametrize("requirement", BROUGHT, ids=lambda requirement: requirement.name)
def test_ranges_end_before_the_next_major_version(requirement: Requirement) -> None:
    ends = [Version(part.version) for part in requirement.specifier if part.operator == "<"]
    held = Version(constraints()[canonicalize_name(requirement.name)])
    assert ends == [Version(str(held.major + 1))] or requirement.name in ("pandas-stubs", "types-tabulate")


@pytest.mark.parametrize("requirement", BROUGHT, ids=lambda requirement: requirement.name)
def test_ranges_begin_where_the_tests_ran(requirement: Requirement) -> None:
    begins = [Version(part.version) for part in requirement.specifier if part.operator == ">="]
    held = Version(constraints()[canonicalize_name(requirement.name)])
    ran = Version(RUN_BESIDES.get(requirement.name, str(held)))
    assert all(begin >= Version(f"{ran.major}.{ran.minor}") for begin in begins)


def test_version_of_the_package_is_that_of_its_metadata() -> None:
    import mirbench

    assert mirbench.__version__ == PROJECT["version"]


def test_module_runs_as_the_command(tmp_path: Path) -> None:
    assert called([sys.executable, "-m", "mirbench", "--version"], tmp_path) == f"mirbench {PROJECT['version']}\n"
