"""What recorded models say of the validation clips of their fold, which is what a race is decided on."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirbench import metrics
from mirbench.errors import BadInput
from mirbench.features.temporary import written_whole
from mirbench.method import Restorable
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.runs.attempt import splits
from mirbench.runs.plan import Plan
from mirbench.runs.runner import Outcome
from mirbench.runs.scores import Scores, read_scores
from mirbench.runs.store import RunStore

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["Validation", "selected_on_valid"]


def selected_on_valid(record: RunRecord) -> bool:
    """Whether the run chose an epoch or hyperparameters on the validation clips, which flatters it there."""
    return bool(record.trials) or any("valid_score" in row or "valid_loss" in row for row in record.history)


class Validation:
    """Asks the models of one plan; what they said is remembered in the cache.

    Parameters
    ----------
    plan : Plan
        As a job made it, with clips and weights.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan, self._progress = plan, progress
        self._store = RunStore(plan.request.runs)
        self._context: Context | None = None

    def scores(self, outcome: Outcome) -> Scores:
        """Of the validation clips of its fold.

        Raises
        ------
        BadInput
            If its model cannot be loaded again.
        """
        place = self._place(outcome.record)
        with suppress(BadInput, OSError):
            return read_scores(place)
        found = self._asked(outcome)
        with suppress(OSError):  # the next command asks again
            place.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(place) as work:
                work.write_bytes(found.packed())
        return found

    def _place(self, record: RunRecord) -> Path:
        """By what was asked and what was learnt; records without files tell the latter by their time."""
        told = (record.spec.key, *sorted(record.files.items()), record.environment.get("time", ""))
        name = hashlib.sha256(repr(told).encode()).hexdigest()[:24]
        return self._plan.request.cache / "validation" / f"{name}.npz"

    def _asked(self, outcome: Outcome) -> Scores:
        from mirbench.features.usual import computed_as_usual

        record = outcome.record
        method = replace(self._plan.method, **record.chosen)  # type: ignore[type-var]
        if not isinstance(method, Restorable):
            raise BadInput(f"{method.name} cannot be loaded again")
        _, valid, _ = splits(self._plan, record.spec.fold)
        context = self._ready()
        state = self._store.state(outcome.folder, record.files) or {}
        with computed_as_usual(context.device, context.threads):
            scores = np.asarray(method.restore(state, valid.blind(), context)(valid.blind()))
        metrics.validate(scores, valid.targets(), len(valid), len(valid.classes))
        return Scores.of(valid, scores)

    def _ready(self) -> Context:
        if self._context is None:
            from mirbench.runs.surroundings import context_of

            self._context = context_of(self._plan, self._progress)
        return self._context
