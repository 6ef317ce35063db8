"""The way to a Dask cluster: an address or a file of its scheduler, and silence of what Dask says on the way."""

from __future__ import annotations

import gc
import json
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from mirbench.errors import BadInput
from mirbench.installation import extra_module
from mirbench.places import user_path
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.runs.cluster.dask_cluster import Cluster

__all__ = ["connected"]

_CONNECT = 15.0  # seconds, until a scheduler must have answered
_ALLOWED = "distributed.scheduler.allowed-failures"


@contextmanager
def connected(scheduler: str, wanted: str, progress: Progress) -> Iterator[Cluster]:
    """A cluster, until the end of the block.

    Parameters
    ----------
    scheduler : str
        Its address, or the file that it wrote.
    wanted : str
        The device.

    Raises
    ------
    MissingExtra
        If Dask is not installed.
    BadInput
        If there is no scheduler.
    """
    where, said = _where(scheduler), printable(scheduler, 200)
    distributed = extra_module("distributed", "--scheduler", "distributed", "dask")
    _silence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other versions are said of each worker
        client = _client(distributed, where)
    if isinstance(client, str):
        raise BadInput(
            f"--scheduler {said}: no scheduler of Dask answers there ({client}); tcp://HOST:PORT as "
            "`dask scheduler` prints it, or its file, is needed"
        )
    allowed = extra_module("dask.config", "--scheduler", "distributed", "dask").get(_ALLOWED, 3)
    cluster = Cluster(client, wanted, progress, most_deaths=int(allowed) + 1)
    try:
        yield cluster
    finally:
        cluster.close()
        with suppress(Exception):
            client.close(timeout=5)


def _client(distributed: Any, where: Mapping[str, str]) -> Any:
    """A client, or why there is none: Dask waits for ever for what takes the call and says nothing, as its page."""
    found: SimpleQueue[Any] = SimpleQueue()

    def connect() -> None:
        try:
            found.put(distributed.Client(**where, timeout=_CONNECT, set_as_default=False, name="mirbench"))
        except Exception as error:  # of sockets, of addresses, of what answers and is no scheduler
            said = printable(f"{type(error).__name__}: {error}", 300)
        else:
            return
        gc.collect()  # a client that is half made says so where it ends, which must not be at the end of the command
        found.put(said)

    threading.Thread(target=connect, name="mirbench-dask", daemon=True).start()
    try:
        return found.get(timeout=2 * _CONNECT)
    except Empty:
        return f"nothing was said in {2 * _CONNECT:g} s"


def _where(scheduler: str) -> dict[str, str]:
    """An address or a file, as Dask takes it."""
    path = user_path(scheduler)
    if not path.is_file():
        if scheduler.endswith(".json"):
            raise BadInput(f"--scheduler {scheduler}: no such file; `dask scheduler --scheduler-file FILE` writes one")
        return {"address": scheduler}
    try:
        address = json.loads(path.read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"--scheduler {scheduler}: not a file that `dask scheduler --scheduler-file FILE` writes"
        ) from error
    return {"address": str(address)}


def _silence() -> None:
    """Let nothing that Dask logs come between the lines of a command."""
    names = ("distributed", "tornado", "asyncio", "bokeh")
    for name in (*names, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in names:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
