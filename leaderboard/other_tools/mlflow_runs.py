"""Records as runs of MLflow: an experiment a table, a run a record, found again by the tag ``mirbench.key``.

References
----------
MLflow's client: https://mlflow.org/docs/latest/api_reference/python_api/mlflow.client.html
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any

from mirbench.errors import BadInput
from mirbench.installation import extra_module, refuse_broken
from mirbench.leaderboard.other_tools.told import Told, costs_of, data_set, numbers, protocol, scores_of, warnings_of
from mirbench.leaderboard.repeat import command
from mirbench.plain_text import printable, without_password
from mirbench.progress import Progress

__all__ = ["KEY", "OWN_STORE", "default_uri", "write_mlflow"]

KEY = "mirbench.key"
"""The tag that holds the key of a record; it is set last, so that a run that has it is whole."""

OWN_STORE = "sqlite:///mlflow.db"
"""What MLflow itself takes where nobody names a store; it refuses folders since 3.7."""

_MOST_OF_A_BATCH = 100
_MOST_LETTERS = 5000  # of a value; MLflow takes 6,000 of a parameter
_PAGE = 1000


def default_uri() -> str:
    """The store that the environment names, or a file in this folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or OWN_STORE


def write_mlflow(told: Iterable[Told], uri: str, progress: Progress) -> tuple[int, int]:
    """Write records into a store or to a server; those that are there already stay as they are.

    Returns
    -------
    tuple of int
        How many were written, and how many were there.

    Raises
    ------
    MissingExtra
        If MLflow is not installed.
    BadInput
        If the store cannot be written to.
    """
    # it tells its makers of each use, and asks a server that does not answer for minutes
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its libraries about each other
        mlflow = extra_module("mlflow", "--to mlflow", "mlflow", "mlflow")
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            return _write(mlflow.MlflowClient(tracking_uri=uri), mlflow.entities, told, progress)
        except Exception as error:  # of drivers of databases, too
            refuse_broken(error)
            said = printable(str(error).partition("\n")[0], 300)
            raise BadInput(f"MLflow does not take records at {without_password(uri)}: {said}") from error


def _write(client: Any, entities: Any, told: Iterable[Told], progress: Progress) -> tuple[int, int]:
    tables: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        tables[f"mirbench: {data_set(each.title, each.record.standing)}"].append(each)
    new: list[tuple[str, Told]] = []
    for name, held in tables.items():
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name)
        known = set(_keys(client, experiment))
        new += [(experiment, each) for each in held if each.record.spec.key not in known]
    with progress.bar("MLflow", len(new), "runs") as step:
        for experiment, each in new:
            _write_run(client, entities, experiment, each)
            step()
    return len(new), sum(map(len, tables.values())) - len(new)


def _keys(client: Any, experiment: str) -> Iterator[str]:
    """Keys of the records that an experiment has."""
    token = None
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        yield from (run.data.tags[KEY] for run in page if KEY in run.data.tags)
        token = page.token
        if not token:
            return


def _write_run(client: Any, entities: Any, experiment: str, told: Told) -> None:
    end = _milliseconds(told.record.environment.get("finished"))
    run = client.create_run(experiment, start_time=end, run_name=told.name).info.run_id
    params = [entities.Param(name, value) for name, value in _params(told)]
    tags = [entities.RunTag(name, value[:_MOST_LETTERS]) for name, value in _tags(told)]
    metrics = [entities.Metric(name, value, end or 0, step) for name, value, step in _metrics(told)]
    try:
        for part in _parts(params):
            client.log_batch(run, params=part)
        for part in _parts(metrics):
            client.log_batch(run, metrics=part)
        for part in _parts(tags):
            client.log_batch(run, tags=part)
        client.set_terminated(run, status="FINISHED", end_time=end)
        client.set_tag(run, KEY, told.record.spec.key)
    except BaseException:  # also where somebody interrupts it: half a run would stay beside the whole one of next time
        with suppress(Exception):
            client.delete_run(run)
        raise


def _params(told: Told) -> Iterator[tuple[str, str]]:
    spec = told.record.spec
    held = dict(spec.params) | {f"source {name}": value for name, value in spec.source_params.items()}
    held |= {f"chosen {name}": value for name, value in told.record.chosen.items()}
    held |= {f"search {name}": values for name, values in spec.search.items()}
    held |= {f"protocol {name}": value for name, value in protocol(told.record).items()}
    return ((_name(name), str(value)[:_MOST_LETTERS]) for name, value in held.items())


def _metrics(told: Told) -> Iterator[tuple[str, float, int]]:
    """Name, value and step: an epoch of what was learnt, nothing of the rest."""
    record = told.record
    for name, value in (scores_of(record) | costs_of(record)).items():
        metric, _, target = name.partition(":")  # whose colon MLflow does not take everywhere
        yield f"{metric}/{_name(target)}" if target else name, value, 0
    for epoch, row in enumerate(record.history):
        for name, value in numbers(row, row).items():
            yield f"epoch/{_name(name)}", value, epoch


def _tags(told: Told) -> Iterator[tuple[str, str]]:
    record, spec = told.record, told.record.spec
    held = {
        "task": spec.task, "task_version": spec.task_version, "fold": spec.fold, "seed": spec.seed,
        "method": spec.method, "method_version": spec.method_version,
        "source": spec.source, "source_version": spec.source_version,
        "system": spec.system, "standing": record.standing, "marks": "; ".join(told.marks),
        "contaminated": ", ".join(record.contaminated),
        "versions": record.environment.get("versions", {}), "again": command(record),
    }  # fmt: skip
    yield from ((f"mirbench.{name}", str(value)) for name, value in held.items() if value != "")
    yield "mlflow.note.content", "\n\n".join(warnings_of(record, told.marks)) or "Run and scored by mirbench."


def _name(name: str) -> str:
    """A name that MLflow takes; one that had to change gets a hash, so that no two become one."""
    kept = re.sub(r"[^\w. -]", "_", name, flags=re.ASCII)[:_MOST_OF_A_BATCH].strip() or "unnamed"
    return kept if kept == name else f"{kept}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def _parts(held: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (held[n : n + _MOST_OF_A_BATCH] for n in range(0, len(held), _MOST_OF_A_BATCH))


def _milliseconds(text: object) -> int | None:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
