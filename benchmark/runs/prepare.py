"""What runs share, done once before any of them: weights and data are fetched, files hashed, frozen rows computed.

A method says which rows it reads (`mirbench.method.ReadsRows`); one that does not is taken to read the stages that it
needs. Afterwards a run finds its rows in the cache, and many runs can begin at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from mirbench.errors import BrokenInstallation, MirbenchError, MissingData, MissingExtra, NotApplicable
from mirbench.features.temporary import using
from mirbench.method import Method, Part, ReadsRows
from mirbench.plain_text import one_message, say
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.attempt import first_line, splits
from mirbench.runs.hyperparameters import grid
from mirbench.runs.limits import Limits
from mirbench.runs.operations import nominal_flops
from mirbench.runs.pieces import Piece, divide
from mirbench.runs.plan import Plan, make_plan
from mirbench.runs.report import print_rows
from mirbench.runs.suite import Suite, naming
from mirbench.runs.suite_runs import Entry
from mirbench.runs.surroundings import context_of
from mirbench.types import BlindSplit, Split

if TYPE_CHECKING:
    from mirbench.features.cache import RowStore
    from mirbench.features.context import Context
    from mirbench.features.row_index import KeyArray

__all__ = ["Prepared", "divide_rows", "prepare", "readings", "report"]

Fetch = Callable[[str], bool]
"""``fetch(task)`` gets a task's data where they can be got; returns whether it did."""


@dataclass
class Prepared:
    """What was made ready for an entry.

    Parameters
    ----------
    note : str
        What could not be prepared, and why; "" where all was.
    left : bool
        Whether it was not begun for lack of time.
    there, computed : dict of str to set of bytes
        Keys of the rows that were there before, and of those that were not, by the folder of their store.
    """

    entry: Entry
    note: str = ""
    left: bool = False
    there: dict[str, set[bytes]] = field(default_factory=dict)
    computed: dict[str, set[bytes]] = field(default_factory=dict)

    def count(self, store: RowStore, keys: KeyArray) -> None:
        """Count rows that are asked for; see `Context.telling`."""
        name = store.folder.name
        missing = set(keys[store.missing(keys)].tolist())
        there = self.there.setdefault(name, set())
        there |= set(keys.tolist()) - missing - self.computed.get(name, set())
        self.computed.setdefault(name, set()).update(missing - there)


def divide_rows(pieces: Sequence[Piece], catalogue: Catalogue, n_parts: int) -> list[list[Piece]]:
    """Every piece in exactly one of some parts, all of a group in the same: nobody waits for another's rows."""
    groups: dict[str, list[Piece]] = {}
    for piece in sorted(pieces, key=lambda piece: piece.key):
        groups.setdefault(piece.group, []).append(piece)
    passes = []
    for of in groups.values():
        request = of[0].request
        card = catalogue.source(request.source) if request.source else None
        task = catalogue.task(request.task)
        passes.append(replace(of[0], weight=1e9 + nominal_flops(task, card, request.windowing)))
    return [[piece for one in part for piece in groups[one.group]] for part in divide(passes, n_parts)]


def prepare(
    suite: Suite, catalogue: Catalogue, progress: Progress, limits: Limits, fetch: Fetch = lambda task: False
) -> list[Prepared]:
    """Make ready what the runs of a suite share, and do none of them.

    Parameters
    ----------
    limits : Limits
        How long it may take: no entry is begun after that.
    fetch : callable
        See `Fetch`.

    Raises
    ------
    MissingData
        Before anything is computed, if data are not here and cannot be fetched.
    BrokenInstallation
        If a library does not import.
    """
    with using(suite.first.cache):
        plans = [_planned(entry, catalogue, progress, fetch) for entry in suite.entries]
        found = [Prepared(entry, note) for entry, (_, note) in zip(suite.entries, plans, strict=True)]
        context: Context | None = None
        held = ""
        with progress.bar(f"preparing {suite.title}", len(found), "entries") as step:
            for ready, (plan, _) in sorted(zip(found, plans, strict=True), key=lambda pair: _shared(pair[1][0])):
                if plan is not None and limits.seconds_left <= 0:
                    ready.note, ready.left = "left for lack of time", True
                elif plan is not None:
                    if context is None or held != _shared(plan):  # a network is loaded once for all that read it
                        if context is not None:
                            context.let_go()
                        context, held = context_of(plan, progress), _shared(plan)
                    _fill(ready, plan, context)
                step(1, ready.entry.name)
    return found


def _planned(entry: Entry, catalogue: Catalogue, progress: Progress, fetch: Fetch) -> tuple[Plan | None, str]:
    """The plan of an entry, or why there is nothing to prepare; data that lack are fetched."""
    if entry.unable:
        return None, f"skipped: {entry.unable}"
    with naming(f"{entry.where} ({entry.name})"):
        try:
            try:
                plan = make_plan(entry.request, catalogue, progress)
            except MissingData:
                if not fetch(entry.request.task):
                    raise
                plan = make_plan(entry.request, catalogue, progress)
        except (MissingExtra, NotApplicable) as error:
            return None, f"skipped: {error}"
    if plan.unable:
        return None, f"skipped: {plan.unable}"
    if plan.card is not None and plan.card.kind == "precomputed":
        return None, "nothing to compute: its features were computed elsewhere"
    return plan, "" if plan.facts or plan.card else "nothing to compute: it hears no audio"


def _shared(plan: Plan | None) -> str:
    """The same for plans whose contexts are."""
    if plan is None:
        return ""
    spec = plan.specs[0]
    source = (spec.source, spec.source_version, sorted(spec.source_params.items()), spec.source_sha256)
    windows = (spec.windowing.windows, spec.pad)
    return repr((spec.task, spec.task_version, spec.audio_sha256, source, windows, spec.precision))


def _fill(ready: Prepared, plan: Plan, context: Context) -> None:
    """Compute the rows of an entry; whatever goes wrong is in its note."""
    from mirbench.features.usual import computed_as_usual, left_as_found

    try:
        usual = computed_as_usual(context.device, context.threads)
        with usual, left_as_found(context.device, 0), context.telling(ready.count):
            notes = [ask() for ask in readings(plan, context)]
            ready.note = next(filter(None, notes), ready.note)
    except (MissingData, BrokenInstallation, KeyboardInterrupt):
        raise
    except (MissingExtra, NotApplicable) as error:
        ready.note = f"skipped: {error}"
    except MirbenchError as error:
        ready.note = f"failed: {error}"
    except Exception as error:
        ready.note = f"failed: {first_line(error)}"
    finally:
        changed = context.source_changed()
    if changed:
        ready.note = f"failed: {changed}"


def readings(plan: Plan, context: Context) -> Iterator[Callable[[], str]]:
    """What asks the context for all rows that the runs of a plan read; each returns what it cannot ask for."""
    parts: tuple[Part, ...] = get_args(Part)
    for fold in dict.fromkeys(spec.fold for spec in plan.specs):
        train, valid, test = splits(plan, fold)
        read: tuple[Split | BlindSplit, ...] = (train, valid, test.blind())
        for point in grid(plan.request.search):
            method = replace(plan.method, **point)  # type: ignore[type-var]
            for split, part in zip(read, parts, strict=True):
                yield partial(_read, method, split, part, context)


def _read(method: Method, split: Split | BlindSplit, part: Part, context: Context) -> str:
    if not isinstance(method, ReadsRows):
        return _by_needs(method, split, context)
    method.reads(split, part, context)
    return ""


def _by_needs(method: Method, split: Any, context: Context) -> str:
    """Ask for the stages that a method needs, one row of which serves all who need it; returns what it did not ask."""
    source: Any = context.source if method.needs else None
    ask = {"pooled": lambda: source.pooled(split), "frontend": lambda: source.entry(split)}
    for stage in (stage for stage in method.needs if stage in ask):
        ask[stage]()
    if not method.needs and getattr(method, "uses_audio", True):
        return "what it hears is computed when it runs: it has no `reads`"
    if "layers" in method.needs or method.needs == ("body",):
        return "layers and pictures are computed when it runs: it has no `reads`"
    return ""


def report(suite: Suite, found: Sequence[Prepared]) -> bool:
    """Print what was made ready; returns whether all was, but for what needs no more."""
    rows = []
    for ready in found:
        there, computed = (sum(map(len, of.values())) for of in (ready.there, ready.computed))
        rows.append([ready.entry.name, str(there), str(computed), ready.note.partition(":")[0]])
    print_rows(suite.title, ("", "rows in the cache", "computed now", "note"), rows, n_left=1)
    for ready in found:
        if ready.note:
            say(f"{ready.entry.where}, {ready.entry.name}: {one_message(ready.note)}")
    lacking = [ready for ready in found if ready.left or ready.note.startswith(("skipped", "failed"))]
    say(f"{len(found) - len(lacking)} of {len(found)} entries are ready: the same command without --prepare runs them.")
    return not lacking
