"""What rows cost that are computed afresh: measured once on a machine, whichever system asks for them.

Ten methods that read the same rows of a source differ in what they do themselves. To measure that, nothing frozen has
to be computed ten times: the first who asks pays, and its cost is put in for the others, who read the rows where they
are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mirbench.features.cache import RowStore
from mirbench.features.memo import Memo
from mirbench.features.row_index import KeyArray

__all__ = ["Afresh", "Costs"]

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Costs:
    """What rows cost, remembered between processes.

    Parameters
    ----------
    memo : Path
        See `mirbench.features.memo`.
    unit : str
        Of the costs.
    machine : str
        All that they depend on besides the rows.
    load : float or None
        Of the machine now.
    most_load : float
        What was measured under more is not believed, unless the load is as high again.
    """

    memo: Path
    unit: str
    machine: str
    load: float | None = None
    most_load: float = float("inf")

    def recall(self, rows: bytes) -> tuple[float, float | None] | None:
        """The cost, and the load then; None where nobody has measured it."""
        with Memo(self.memo) as held:
            match held.recall(f"cost in {self.unit}", self._key(rows)):
                case [int() | float() as cost, int() | float() | None as load]:
                    return (cost, load) if (load or 0.0) <= max(self.most_load, self.load or 0.0) else None
        return None

    def keep(self, rows: bytes, cost: float) -> None:
        """Remember what was measured just now."""
        with Memo(self.memo) as held:
            held.keep(f"cost in {self.unit}", self._key(rows), [cost, self.load])

    def _key(self, rows: bytes) -> str:
        return hashlib.sha256(rows + self.machine.encode()).hexdigest()


class Afresh:
    """Measures what work costs in which rows are asked for.

    Parameters
    ----------
    clock : callable
        ``clock()`` -> what has been spent until now, in the unit of the costs.
    costs : Costs or None
        Those of others; None computes everything afresh, always.

    Attributes
    ----------
    load : float or None
        Of the machine, the greatest of all times when something of this was measured.
    """

    def __init__(self, clock: Callable[[], float], costs: Costs | None = None) -> None:
        self.load = costs.load if costs else None
        self._clock, self._costs = clock, costs
        self._spent = self._cost = 0.0  # on rows: now, and by who was the first
        self._within = False

    def cost(self, work: Callable[[], object]) -> float:
        """What some work costs with all its rows computed afresh."""
        spent, cost, began = self._spent, self._cost, self._clock()
        work()
        own = self._clock() - began - (self._spent - spent)
        return own + self._cost - cost

    def rows(self, stores: Mapping[str, RowStore], keys: KeyArray, how: str, compute: Callable[[], Arrays]) -> Arrays:
        """Rows of some stages: computed where that has not been measured, or where they are not kept.

        Parameters
        ----------
        stores : mapping of str to RowStore
            Where those of each stage are kept, if they are.
        how : str
            In what way they are computed, as far as it has to do with their cost.
        compute : callable
            ``compute()`` -> the rows.
        """
        if self._costs is None or self._within:  # others are made of them
            return compute()
        began = self._clock()
        which = f"{sorted(store.folder.name for store in stores.values())} {how} ".encode() + keys.tobytes()
        known = self._costs.recall(which)
        if known is not None and not any(store.missing(keys) for store in stores.values()):
            found = {stage: store.get(keys)[:] for stage, store in stores.items()}
        else:
            found, cost = self._computed(compute)
            if known is None:
                known = cost, self._costs.load
                self._costs.keep(which, cost)
        self._cost += known[0]
        self._spent += self._clock() - began
        if known[1] is not None:
            self.load = max(known[1], self.load or 0.0)
        return found

    def _computed(self, compute: Callable[[], Arrays]) -> tuple[Arrays, float]:
        self._within, began = True, self._clock()
        try:
            return compute(), self._clock() - began
        finally:
            self._within = False
