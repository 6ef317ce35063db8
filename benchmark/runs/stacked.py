"""Runs of one fold, and the points of their searches, fitted together by methods that can: those with `fit_many`.

Each run stays what it is alone, with its own record, and whatever goes wrong leaves it to be fitted alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mirbench.errors import MirbenchError
from mirbench.method import Fitted, Method
from mirbench.plain_text import printable
from mirbench.record import RunSpec
from mirbench.runs import measure
from mirbench.runs.hyperparameters import grid
from mirbench.types import Split

if TYPE_CHECKING:
    from mirbench.features.context import Context
    from mirbench.runs.plan import Plan

__all__ = ["Stack", "at_point", "can_stack"]


def can_stack(plan: Plan) -> bool:
    """Whether runs of a plan are to be fitted together, and their method can."""
    asked = plan.request.stack and not plan.request.energy and not plan.unable
    return asked and callable(getattr(type(plan.method), "fit_many", None))


def at_point(method: Method, point: Mapping[str, Any]) -> Method:
    """A method with the hyperparameters of a point of its search."""
    return replace(method, **point) if point else method  # type: ignore[type-var]


class Stack:
    """What `fit_many` makes of runs of one fold, handed out run by run, in their order.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs, of one fold.
    """

    def __init__(self, specs: Sequence[RunSpec], plan: Plan) -> None:
        points = list(grid(plan.request.search)) if specs and plan.request.search else [{}]
        self._jobs = [(at_point(plan.method, point), spec.seed) for spec in specs for point in points]
        self._left = deque((spec.seed, number) for spec in specs for number in range(len(points)))
        self._fits: Iterator[Any] | None = None
        self._memory: dict[str, int | None] = {}
        self._together: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def fit(self, seed: int, number: int, train: Split, valid: Split, context: Context) -> Fitted | None:
        """A point of the search of a run, by its number; None where it is to be fitted alone."""
        if (seed, number) not in self._left:
            return None
        try:
            if self._fits is None:
                self._fits = iter(type(self._jobs[0][0]).fit_many(self._jobs, train, valid, context))  # type: ignore[attr-defined]
            while True:  # what is left of a run that failed is passed over
                found, fitted = self._left.popleft(), next(self._fits)
                if found == (seed, number):
                    break
            self._memory = _larger(self._memory, measure.peak_memory(context.device))
            if not isinstance(fitted, Fitted):
                raise TypeError(f"fit_many yields a {type(fitted).__name__}; a mirbench.Fitted is needed")
        except Exception as error:
            said = "it yields too few" if isinstance(error, StopIteration) else f"{type(error).__name__}: {error}"
            if not isinstance(error, MirbenchError):  # which each says alone, too
                context.progress.say(f"fitted one by one, for together that failed: {printable(said, 200)}")
            self._left.clear()
            return None
        self._together[seed] = max(self.together(seed), fitted.together)
        return fitted

    def together(self, seed: int) -> int:
        """How many were fitted together where a run was, this one included; 1 where it was alone."""
        return self._together.get(seed, 1)

    def memory(self, seed: int, own: dict[str, int | None]) -> dict[str, int | None]:
        """The peak of a run; where it was fitted with others theirs, if that is higher than its own."""
        return _larger(self._memory, own) if self.together(seed) > 1 else own


def _larger(a: Mapping[str, int | None], b: Mapping[str, int | None]) -> dict[str, int | None]:
    known = {name: [held[name] for held in (a, b) if held.get(name) is not None] for name in {**a, **b}}
    return {name: max(values) if values else None for name, values in known.items()}  # type: ignore[type-var]
