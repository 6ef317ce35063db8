"""What a submission changes beside the records that it adds: nothing else may, and what is on record stays as it is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mirbench.errors import BadInput

__all__ = ["unwelcome", "unwelcome_since"]

_WORDS = {"A": "adds", "M": "changes", "D": "removes", "T": "changes the kind of"}
_OF_ALL = re.compile(r"(README|leaderboard)\.(md|html)|[^/]+/clips-[^/]+\.csv")
"""Files beside records that are written anew with each of them."""


def unwelcome_since(commit: str, runs: Path) -> list[str]:
    """What was done since a commit, in the repository that holds a folder of records, and may not be in a submission.

    Parameters
    ----------
    commit : str
        Of the branch that the records are sent to; what came there since both parted is no change.

    Raises
    ------
    BadInput
        If there is no such commit, or no repository of git.
    """
    git = ("git", "-C", str(runs))
    options = ("--name-status", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
    top = _said((*git, "rev-parse", "--show-prefix"), runs).strip()
    changes = _said((*git, "diff", *options, "--end-of-options", f"{commit}...HEAD", "--", ":/"), runs)
    return list(unwelcome(changes, top.rstrip("/")))


def unwelcome(changes: str, folder: str) -> Iterator[str]:
    """What of a list of changes may not be in a submission.

    Parameters
    ----------
    changes : str
        As ``git diff --name-status -z --no-renames`` has them.
    folder : str
        Of records, from the top of the repository.
    """
    parts = changes.split("\0")[:-1]
    for status, path in zip(parts[::2], parts[1::2], strict=True):
        said = f"{_WORDS.get(status[:1], 'does something to')} {path}"
        inside = path.removeprefix(f"{folder}/") if folder else path
        if folder and inside == path:
            yield f"{said}, which is not in {folder}/: a submission adds records, and nothing else"
        elif status != "A" and not (status == "M" and _OF_ALL.fullmatch(inside)):
            yield f"{said}: what is on record neither changes nor goes"


def _said(command: tuple[str, ...], runs: Path) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"--since: git cannot be run here ({error})") from error
    if ran.returncode:
        why = next(iter(ran.stderr.decode(errors="replace").strip().splitlines()), "it says no more")
        raise BadInput(f"--since: git cannot tell what was changed in {runs}: {why}")
    return ran.stdout.decode("utf-8", "surrogateescape")
