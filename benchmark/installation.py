"""What mirbench is installed beside: versions, the ranges that it declares, and what is said where a library is broken.

A broken installation is the same for every run, so it is said in one line and never recorded as runs that failed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mirbench.errors import BrokenInstallation, MirbenchError, MissingExtra
from mirbench.lasting import made_to_last

__all__ = ["advice", "broken", "declared", "extra_module", "module_of", "refuse_broken", "require", "version_of"]

_TOGETHER = ("torch", "torchaudio", "torchvision")
"""Libraries whose versions must fit one another."""

_ALWAYS = (
    "torch", "torchaudio", "torchvision", "timm", "transformers", "numpy", "scipy", "scikit-learn", "pandas",
    "tabulate", "pillow", "soundfile", "soxr", "pooch", "tqdm", "typer", "rich", "safetensors", "h5py",
    "matplotlib", "markdown-it-py", "jinja2", "packaging",
)  # fmt: skip
"""The dependencies of pyproject.toml, for a mirbench that is not installed and has no metadata."""

_DOCTOR = "`mirbench doctor` looks at all libraries."

_MODULES = {
    "fast-mp3-augment": "fast_mp3_augment",
    "markdown-it-py": "markdown_it",
    "pillow": "PIL",
    "pytest-xdist": "xdist",
    "scikit-learn": "sklearn",
}
"""What is imported of a distribution whose name is another."""


def version_of(distribution: str) -> str:
    """The version of a distribution that is installed, or ""."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def module_of(distribution: str) -> str:
    """What is imported of a distribution."""
    return _MODULES.get(canonicalize_name(distribution), canonicalize_name(distribution).replace("-", "_"))


@functools.cache
def declared() -> Mapping[str, Mapping[str, Requirement]]:
    """The distributions that mirbench declares, by extra ("" is what it always needs) and by name.

    Where mirbench runs from a folder without being installed, what it always imports, of any version.
    """
    try:
        lines = importlib.metadata.requires("mirbench") or []
        extras = importlib.metadata.metadata("mirbench").get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return {"": {name: Requirement(name) for name in _ALWAYS}}
    found: dict[str, dict[str, Requirement]] = {"": {}, **{extra: {} for extra in extras}}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name == "mirbench":
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found[""][name] = requirement
            continue
        for extra in extras:
            if requirement.marker.evaluate({"extra": extra}):
                found[extra][name] = requirement
    return found


def require(*modules: str) -> None:
    """Import some modules, without a look for garbage among the half million objects of torch: a seventh of the time.

    Raises
    ------
    BrokenInstallation
        If one of them does not import.
    """
    for module in modules:
        try:
            with made_to_last():
                importlib.import_module(module)
        except Exception as error:  # libraries raise all kinds where they do not fit one another
            refuse_broken(error)
            raise


def extra_module(module: str, what: str, package: str, extra: str) -> ModuleType:
    """A module of an optional extra; the last three as of `mirbench.MissingExtra`.

    Raises
    ------
    MissingExtra
        If it is not installed.
    BrokenInstallation
        If it is, and does not import.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # libraries raise all kinds where they do not fit one another
        if isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]:
            raise MissingExtra(what, package, extra) from error
        refuse_broken(error)
        raise


def refuse_broken(error: BaseException) -> None:
    """Raise `BrokenInstallation` if it was an import that raised this error.

    To be called first where any error of somebody else's code is turned into a line about something else.
    """
    if said := broken(error):
        raise said from error


def broken(error: BaseException) -> BrokenInstallation | None:
    """What to say of an error that was raised by an import, in one line; None of any other error."""
    if isinstance(error, BrokenInstallation):
        return error
    if isinstance(error, MirbenchError):
        return None
    for cause in _causes(error):
        if isinstance(cause, ImportError) or _imported(cause):
            return BrokenInstallation(_line(cause))
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, which transformers does with errors of its lazy imports."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _imported(error: BaseException) -> list[str]:
    """Modules whose import was under way when an error was raised, the innermost last."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>")
    names = (str(frame.f_globals.get("__name__", "")) for frame in frames)
    return [name for name in names if name != "__main__"]


def _line(error: BaseException) -> str:
    importing = _imported(error)
    name = (isinstance(error, ImportError) and error.name) or ""
    if not name or name.partition(".")[0] == "mirbench":
        name = importing[-1] if importing else name
    said = next((" ".join(line.split()) for line in str(error).splitlines() if line.strip()), "no reason given")
    if not name:  # of a function that asks for another package, as those of transformers do
        return f"a library is not installed: {said}"
    module = name.partition(".")[0]
    distribution = _distribution(module)
    version = version_of(distribution)
    if isinstance(error, ModuleNotFoundError) and not version:
        return _not_installed(distribution, module, importing)
    family = _TOGETHER if module in _TOGETHER else (distribution,)
    found = ", ".join(f"{part} {version_of(part) or 'is not installed'}" for part in family)
    return f"{module} does not import ({type(error).__name__}: {said}). Found: {found}. {advice(family)}. {_DOCTOR}"


def _not_installed(distribution: str, module: str, importing: list[str]) -> str:
    for extra, held in declared().items():
        if distribution in held:
            what = f"mirbench[{extra}]" if extra else str(held[distribution])
            return f"{distribution} is not installed: pip install '{what}'. {_DOCTOR}"
    importer = f", which {importing[-1].partition('.')[0]} imports," if importing else ""
    return f"the module {module}{importer} is not installed: install the package that has it. {_DOCTOR}"


def advice(distributions: Sequence[str]) -> str:
    """What to type for libraries that are broken: what brings them into the ranges that are declared, or anew."""
    together = any(name in _TOGETHER for name in distributions)
    family = [*(_TOGETHER if together else ()), *(name for name in distributions if name not in _TOGETHER)]
    needed = [held for part in family if (held := declared().get("", {}).get(part))]
    wanted = " ".join(f"'{requirement}'" for requirement in needed) or " ".join(family)
    fits = all(held.specifier.contains(version_of(held.name) or "0", prereleases=True) for held in needed)
    if not fits:
        return f"Versions that fit: pip install {wanted}"
    one = "Built for the same device, from one index" if together else "Once more"
    return f"{one}: pip install --force-reinstall {wanted}"


def _distribution(module: str) -> str:
    """The distribution that a top-level module is of; the module's own name where that is not known."""
    own = next((distribution for distribution, held in _MODULES.items() if held == module), "")
    return own or next(
        (name for held in declared().values() for name in held if module_of(name) == module),
        canonicalize_name(module),
    )
