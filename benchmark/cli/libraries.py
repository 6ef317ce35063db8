"""The libraries that mirbench declares: which are installed, of which version, and whether they import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirbench.installation import declared, module_of, version_of
from mirbench.progress import Progress

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Library", "python", "survey"]

_NOT_IMPORTED = ("ruff", "mypy", "pandas-stubs", "types-tabulate")
"""Distributions that bring programs or stubs, and nothing to import."""

_IMPORT_ONE_BY_ONE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
said = sys.stdout
sys.stdout = sys.stderr
for name in sys.argv[1:]:
    print(json.dumps([name]), file=said, flush=True)
    try:
        importlib.import_module(name)
        fault = ""
    except BaseException as error:
        fault = " ".join(f"{type(error).__name__}: {error}".split())
    print(json.dumps([name, fault]), file=said, flush=True)
"""


@dataclass(frozen=True)
class Library:
    """A distribution that mirbench declares, and what was found of it.

    Parameters
    ----------
    version : str
        The one that is installed, or "".
    needed : str
        The range that mirbench declares.
    fits : bool
        Whether the version is in that range.
    fault : str
        What its import raised, in one line; "" where it imports, or is not installed.
    """

    name: str
    version: str
    needed: str
    fits: bool
    fault: str

    @property
    def works(self) -> bool:
        """Whether it is there and imports; a version out of range is said, and may work."""
        return bool(self.version) and not self.fault

    def __str__(self) -> str:
        if not self.version:
            return f"{self.name} is not installed (needs {self.needed})"
        if self.fault:
            return f"{self.name} {self.version} does not import: {self.fault}"
        return f"{self.name} {self.version}" + ("" if self.fits else f" (tested with {self.needed})")


def survey(progress: Progress) -> dict[str, list[Library]]:
    """The distributions that mirbench declares, by extra; those that it always needs under ""."""
    wanted = {name: module_of(name) for held in declared().values() for name in held if name not in _NOT_IMPORTED}
    modules = [module for name, module in wanted.items() if version_of(name)]
    with progress.bar("importing", len(modules), "libraries") as step:
        faults = _faults(modules, step)
    return {
        extra: [_library(requirement, name, faults.get(wanted.get(name, ""), "")) for name, requirement in held.items()]
        for extra, held in declared().items()
    }


def _library(requirement: Requirement, name: str, fault: str) -> Library:
    version = version_of(name)
    fits = bool(version) and requirement.specifier.contains(version, prereleases=True)
    return Library(name, version, str(requirement.specifier) or "any version", fits, fault)


def _faults(modules: Sequence[str], step: Callable[..., None]) -> dict[str, str]:
    """What importing each module raises, "" for nothing; in a process of its own, which a library may end."""
    found: dict[str, str] = {}
    while left := [module for module in modules if module not in found]:
        begun = left[0]
        with python(_IMPORT_ONE_BY_ONE, *left) as process:
            assert process.stdout is not None
            for line in process.stdout:
                begun, *fault = json.loads(line)
                if fault:
                    found[begun] = fault[0]
                    step(1, begun)
        if begun not in found:
            found[begun] = f"it ends the process, with code {process.returncode}"
    return found


def python(program: str, *words: str) -> subprocess.Popen[str]:
    """A process of this Python that does a program; what it says of errors is lost."""
    command = [sys.executable, "-c", program, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
