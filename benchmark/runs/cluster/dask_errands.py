"""Workers of a Dask cluster, what one of them is to do, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Errand", "Worker"]


@dataclass(eq=False)
class Worker:
    """A process of the cluster.

    Parameters
    ----------
    shares : bool
        Whether it sees the client's folder of records.
    groups : set of str
        Of the errands that it had.
    """

    address: str
    name: str
    gpu: bool
    status: str = "running"
    fit: bool | None = None
    shares: bool = False
    errand: Errand | None = None
    groups: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Errand:
    """What one worker is to do.

    Parameters
    ----------
    function : callable
        Of the workers, takes a text; found there by its name.
    told : callable
        ``told(worker)`` is the text; "" where it is not to be done now, and is given up.
    group : str
        Errands of one group go to the same worker, where that keeps nobody waiting.
    cost : float
        The dear ones of a group are done first.
    tried : dict
        Addresses of workers that cannot do it.
    died : list of str
        Names of workers that died at it.
    """

    name: str
    function: Callable[[str], Any]
    told: Callable[[Worker], str]
    group: str = ""
    cost: float = 0.0
    tried: dict[str, str] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What a worker said; without a worker there is none that can, and `fault` says why there is no answer."""

    errand: Errand
    worker: Worker | None
    said: Any = None
    fault: str = ""
