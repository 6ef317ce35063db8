"""Records as runs of Trackio on this machine: a project a table, a run a record, found again by its key.

References
----------
Trackio: https://huggingface.co/docs/trackio
"""

from __future__ import annotations

import contextlib
import io
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput
from mirbench.installation import extra_module
from mirbench.leaderboard.other_tools.told import (
    Told,
    costs_of,
    data_set,
    numbers,
    plain_and_own,
    protocol,
    scores_of,
    warnings_of,
)
from mirbench.leaderboard.repeat import command
from mirbench.progress import Progress

__all__ = ["KEY", "project_of", "write_trackio"]

KEY = "mirbench key"
"""Of the configuration of a run: the key of its record."""

_FOLDER = "TRACKIO_DIR"
_ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")


def project_of(told: Told) -> str:
    """The project of a table; of its name Trackio keeps letters, digits and ``-_`` alone."""
    return plain_and_own(f"mirbench-{told.title}")


def write_trackio(told: Iterable[Told], folder: Path | None, progress: Progress) -> tuple[Path, int, int]:
    """Write records into a folder of Trackio, or its own one; those that are there already stay as they are.

    Returns
    -------
    tuple of (Path, int, int)
        Where they lie, how many were written, and how many were there.

    Raises
    ------
    MissingExtra
        If Trackio is not installed.
    BadInput
        If the environment names a server, or Trackio has another folder in this process.
    """
    for name in _ELSEWHERE:
        if os.environ.get(name):
            raise BadInput(
                f"{name} is set: --to trackio writes on this machine; unset it, and send with `trackio sync`"
            )
    if folder is not None:
        os.environ[_FOLDER] = str(folder.resolve())  # read where the module is imported, and never again
    trackio = extra_module("trackio", "--to trackio", "trackio", "trackio")
    place = Path(trackio.utils.TRACKIO_DIR)
    if folder is not None and place.resolve() != folder.resolve():
        raise BadInput(f"--output {folder}: Trackio writes into {place} in this process; start another")
    tables: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        tables[project_of(each)].append(each)
    new: list[tuple[str, Told]] = []
    for project, held in tables.items():
        known = _by_key(trackio, project)
        new += [(project, each) for each in held if each.record.spec.key not in known]
    with progress.bar("Trackio", len(new), "runs") as step:
        for project, each in new:
            _write_run(trackio, project, each)
            step()
    return place, len(new), sum(map(len, tables.values())) - len(new)


def _by_key(trackio: Any, project: str) -> dict[str, Any]:
    """The runs of a project by the keys of their records."""
    try:
        return {str((run.config or {}).get(KEY)): run for run in trackio.Api().runs(project)}
    except ValueError:  # no project is called so
        return {}


def _write_run(trackio: Any, project: str, told: Told) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # how to open its page, at every run
        trackio.init(
            project, told.name, told.system, config=_config(told), embed=False, auto_log_gpu=False, auto_log_cpu=False
        )
        try:
            for epoch, row in enumerate(told.record.history):
                trackio.log({f"epoch {name}": value for name, value in numbers(row, row).items()}, step=epoch)
            trackio.log(scores_of(told.record) | costs_of(told.record))
        except BaseException:  # also where somebody interrupts it: half a run would count as there next time
            trackio.finish()
            if half := _by_key(trackio, project).get(told.record.spec.key):
                half.delete()
            raise
        trackio.finish()


def _config(told: Told) -> dict[str, Any]:
    """All that is known of a run besides its numbers; names that begin with an underscore are Trackio's own."""
    record, spec = told.record, told.record.spec
    return {
        KEY: spec.key, "task": spec.task, "task version": spec.task_version,
        "data": data_set(told.title, record.standing), "standing": record.standing,
        "fold": spec.fold, "seed": spec.seed, "method": spec.method, "method version": spec.method_version,
        "source": spec.source, "source version": spec.source_version, "system": spec.system,
        "marks": "; ".join(told.marks), "warnings": "; ".join(warnings_of(record, told.marks)),
        **{f"param {name}": _simple(value) for name, value in spec.params.items()},
        **{f"source param {name}": _simple(value) for name, value in spec.source_params.items()},
        **{f"protocol {name}": value for name, value in protocol(record).items()},
        "versions": str(record.environment.get("versions", {})), "again": command(record),
    }  # fmt: skip


def _simple(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
