"""What the runs of a suite lack on this machine, told before they begin: data, weights. Nothing is fetched for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mirbench.errors import MirbenchError
from mirbench.features.datasets import dataset_folder, read_labels, read_task
from mirbench.features.weights import not_here
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, draft_plan
from mirbench.types import Split, Task, excerpts

__all__ = ["Wanting"]

_QUIET = Progress(quiet=True)


class Wanting:
    """Reasons why runs cannot be done here; what was seen of a task or source is kept for the next request."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._data: dict[tuple[object, ...], str] = {}
        self.fetched: dict[str, str] = {}
        """What is not here and will be fetched, by the name of its source."""

    def of(self, request: Request) -> Iterable[str]:
        """The reasons, each a line; nothing where all is here or can be fetched."""
        plan = draft_plan(request, self._catalogue)
        card, task = plan.card, plan.task
        hears = card.kind != "precomputed" if card else getattr(plan.method, "uses_audio", True)
        if task.synthesise is None:
            key = (task.name, task.version, request.data, hears)
            if key not in self._data:
                self._data[key] = _no_data(task, request, hears=bool(hears))
            if self._data[key]:
                yield self._data[key]
        if card is None:
            return
        lacks, fetched = (
            (card.missing, "")
            if card.missing
            else not_here(card, request.weights, request.cache, request.source_params)
        )
        if lacks:
            yield lacks
        elif fetched:
            self.fetched[card.name] = fetched


def _no_data(task: Task, request: Request, *, hears: bool) -> str:
    """Why the clips of a task cannot be read, as its run would say it."""
    task = replace(task, cautions=())
    try:
        if hears:
            for clips in read_task(task, dataset_folder(task, request.data, request.cache, _QUIET)):
                excerpts(Split(task, clips))
        else:
            read_labels(task, request.data, request.cache, _QUIET)
    except (MirbenchError, OSError) as error:
        return str(error)
    return ""
