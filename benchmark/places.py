"""Where things lie on this machine: paths that a user gave, data, weights, and what is kept of earlier work."""

from __future__ import annotations

import os
from pathlib import Path

from mirbench.errors import BadInput

__all__ = ["default_cache", "default_data_root", "no_folder", "user_path", "weights_folder"]


def user_path(text: str) -> Path:
    """A path that a user gave, with ``~`` as their home.

    Raises
    ------
    BadInput
        If it begins with the home of a user that does not exist.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise BadInput(f"{text}: no user of that name has a home here") from error


def no_folder(path: Path) -> str:
    """Why a path that is no folder cannot be used as one."""
    return "a file; the folder that holds it is needed" if os.path.isfile(path) else "no such folder"


def default_data_root() -> Path:
    """``MIRBENCH_DATA``, or ``~/mirbench-data``."""
    given = os.environ.get("MIRBENCH_DATA")
    return user_path(given) if given else Path.home() / "mirbench-data"


def weights_folder(given: Path | None) -> Path | None:
    """The user's folder of weights: the given one, or ``MIRBENCH_WEIGHTS``; None where there is neither.

    Raises
    ------
    BadInput
        If it is not there.
    """
    if given is None and os.environ.get("MIRBENCH_WEIGHTS"):
        given = user_path(os.environ["MIRBENCH_WEIGHTS"])
    if given is not None and not given.is_dir():
        raise BadInput(f"--weights (or MIRBENCH_WEIGHTS) {given}: {no_folder(given)}")
    return given


def default_cache() -> Path:
    """``MIRBENCH_CACHE``, or the user's cache folder."""
    if given := os.environ.get("MIRBENCH_CACHE"):
        return user_path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mirbench"
