"""Which rows of a run lie in the cache already, as far as that can be told without fetching, hashing or decoding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.errors import MirbenchError
from mirbench.features.datasets import dataset_folder, on_disk, read_task
from mirbench.features.weights import find_weights
from mirbench.features.weights import on_disk as weights_on_disk
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Plan, Request, draft_plan
from mirbench.runs.prepare import readings
from mirbench.runs.surroundings import context_of
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

if TYPE_CHECKING:
    from mirbench.features.audio import Facts
    from mirbench.features.cache import RowStore
    from mirbench.features.row_index import KeyArray

__all__ = ["CachedRows"]

_QUIET = Progress(quiet=True)
_Looked = tuple[tuple[tuple[Clip, ...], ...], dict[Excerpt, "Facts"]]


class _EnoughError(Exception):
    """What is asked for was counted, and need not be computed."""


class CachedRows:
    """Counts rows that are there; what it has seen of a task is kept for the next request."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._looked: dict[str, _Looked | None] = {}
        self._counted: dict[str, tuple[int, int] | None] = {}

    def of(self, request: Request) -> tuple[int, int] | None:
        """Rows that are there, and rows that the runs read; None where it takes work to tell.

        Where nobody has looked at the files yet on this machine, it does.
        """
        request = replace(request, seeds=request.seeds[:1], device="cpu")
        plan = draft_plan(request, self._catalogue)
        hears = plan.card.kind != "precomputed" if plan.card else getattr(plan.method, "uses_audio", True)
        if not hears:
            return 0, 0
        key = plan.specs[0].key if len(plan.specs) == 1 else repr([spec.key for spec in plan.specs])
        if key not in self._counted:
            try:
                self._counted[key] = self._count(plan)
            except (MirbenchError, OSError):  # whoever runs it hears why
                self._counted[key] = None
        return self._counted[key]

    def _count(self, plan: Plan) -> tuple[int, int] | None:
        request, card = plan.request, plan.card
        if card is not None and (
            card.missing or not weights_on_disk(card, request.weights, request.cache, request.source_params)
        ):
            return None
        if plan.task.name not in self._looked:
            self._looked[plan.task.name] = _look(plan.task, request)
        looked = self._looked[plan.task.name]
        if looked is None:
            return None
        weights = None
        if card is not None:
            weights = find_weights(card, request.weights, request.cache, _QUIET, request.source_params)
        plan = replace(plan, folds=looked[0], facts=looked[1], weights=weights)
        there: set[tuple[Path, bytes]] = set()
        needed: set[tuple[Path, bytes]] = set()

        def count(store: RowStore, keys: KeyArray) -> None:
            wanted = set(keys.tolist())
            needed.update((store.folder, key) for key in wanted)
            there.update((store.folder, key) for key in wanted & set(store.keys.tolist()))
            raise _EnoughError

        context = context_of(plan, _QUIET)
        with context.telling(count):
            for ask in readings(plan, context):
                try:
                    ask()
                except _EnoughError:
                    continue
                except Exception:  # somebody else's method: its run will say
                    return None
        return len(there), len(needed)


def _look(task: Task, request: Request) -> _Looked | None:
    """Clips of every fold, and what is remembered of their files; None where not all of them were looked at before."""
    from mirbench.features import audio

    memo = request.cache / "files.sqlite"
    if not memo.is_file():
        return None
    if task.synthesise is not None:
        if not (request.cache / "synthesised" / f"{task.folder}-{task.version}").is_dir():
            return None
    elif not Path(task.folder).is_absolute() and not on_disk(task, request.data):
        return None
    folds = read_task(task, dataset_folder(replace(task, cautions=()), request.data, request.cache, _QUIET))
    places = [place for clips in folds for place in excerpts(Split(task, clips))]
    return folds, audio.survey(places, memo, _QUIET, 1, look=lambda place: f"{place.path}: not looked at")
