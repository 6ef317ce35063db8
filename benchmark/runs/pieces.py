"""What a suite asks for, run by run: for whoever divides it among processes, machines or days.

All of it is told from names and cards, without a look at data, weights or records: two machines that read the same
suite come to the same pieces, in the same order, whatever is done already.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mirbench.method import Method
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import n_points
from mirbench.runs.plan import Plan, Request, draft_plan
from mirbench.runs.suite import Suite
from mirbench.runs.suite_runs import Entry
from mirbench.source import SourceCard
from mirbench.types import Task

__all__ = ["Piece", "divide", "done_drafts", "draft_key", "nominal_flops", "passes_of", "pieces_of"]

_USUAL_CLIPS, _USUAL_SECONDS = 1000, 30.0  # of a task that tells neither before it is read
_FROM_SCRATCH = 2_000_000  # parameters of a network that a method brings along
_CELLS = 1024  # of a picture, for each of which a network multiplies by all of its parameters: a rough mean
_FLOPS_A_SECOND = 2e10
_ANY_RUN = 3.0  # seconds for what every run does: scores, speed, files


@dataclass(frozen=True)
class Piece:
    """One run of a suite.

    Parameters
    ----------
    entry : Entry
        Of which it is a run, whole.
    request : Request
        The entry's, narrowed to one fold and one seed.
    spec : RunSpec
        What is known of its identity without a look at data: hashes of weights and audio are "".
    key : str
        Sixteen hex digits that name the run among those of a suite; not the key of its record.
    group : str
        The same for all runs that read the same rows.
    weight : float
        What it costs, in seconds of some usual machine, rows left out: for comparisons. It is the same everywhere;
        `mirbench.runs.costs` says what a run costs here.
    """

    entry: Entry
    request: Request
    spec: RunSpec
    key: str
    group: str
    weight: float

    @property
    def name(self) -> str:
        """The entry's, fold and seed."""
        return f"{self.entry.name}, fold {self.spec.fold}, seed {self.spec.seed}"


def pieces_of(suite: Suite, catalogue: Catalogue) -> list[Piece]:
    """Every run of a suite, in its order, those that several entries ask for once; none of entries that cannot be done.

    Raises
    ------
    BadInput, NotApplicable
        As `mirbench.runs.plan.draft_plan`.
    """
    found: dict[str, Piece] = {}
    for entry in suite.entries:
        if entry.unable:
            continue
        plan = draft_plan(entry.request, catalogue)
        group, weight = _group(plan), _weight(plan)
        for spec in plan.specs:
            request = replace(entry.request, folds=(spec.fold,), seeds=(spec.seed,))
            key = spec.key
            found.setdefault(key, Piece(entry, request, spec, key, group, weight))
    return list(found.values())


def draft_key(spec: RunSpec) -> str:
    """The key of a `Piece` whose run this is, or may be: that of a record, less the hashes of weights and audio."""
    return replace(spec, source_sha256="", audio_sha256="").key


def done_drafts(records: Iterable[RunRecord]) -> set[str]:
    """Keys of the pieces that are done with the same settings, on whatever audio and weights."""
    return {draft_key(record.spec) for record in records if record.status == "done"}


def divide(pieces: Sequence[Piece], n_parts: int) -> list[list[Piece]]:
    """Every piece in exactly one of some parts of about the same weight; it depends on no order of the pieces.

    A piece that is as heavy as a part is alone. The others stay beside those of the same group: they are laid in one
    row, group by group, which is cut where a part is full.
    """
    groups: dict[str, float] = defaultdict(float)
    for piece in sorted(pieces, key=lambda piece: piece.key):  # sums of floats depend on their order
        groups[piece.group] += piece.weight
    left = sorted(pieces, key=lambda piece: (piece.weight, piece.key))
    total = sum(piece.weight for piece in left)
    parts: list[list[Piece]] = []
    while left and n_parts - len(parts) > 1 and left[-1].weight * (n_parts - len(parts)) >= total:
        parts.append([left.pop()])
        total -= parts[-1][0].weight
    rest: list[list[Piece]] = [[] for _ in range(n_parts - len(parts))]
    full, laid = sum(piece.weight for piece in left) / len(rest), 0.0
    for piece in sorted(left, key=lambda piece: (-groups[piece.group], piece.group, -piece.weight, piece.key)):
        rest[min(int((laid + piece.weight / 2) / full), len(rest) - 1)].append(piece)
        laid += piece.weight
    return parts + rest


_PASSES, _BESIDE = 2.0, 0.01  # an epoch, and of a pass


def nominal_flops(task: Task, card: SourceCard | None) -> float:
    """Floating-point operations of one pass of a network over the clips of a task, as cards tell: within ten times."""
    seconds = (task.n_clips or _USUAL_CLIPS) * (task.clip_seconds or _USUAL_SECONDS)
    if card is None:
        return 2.0 * _FROM_SCRATCH * 10 * seconds
    if card.kind == "precomputed":
        return 0.0
    if card.flops:
        return card.flops * seconds / (card.seconds or 10.0)
    cells = max(1.0, card.n_bands * card.n_frames / _CELLS)
    each = task.clip_seconds or _USUAL_SECONDS if math.isinf(card.seconds) else card.seconds
    return 2.0 * (card.n_parameters or _FROM_SCRATCH) * cells * seconds / (each or 10.0)


def passes_of(method: type[Method], params: Mapping[str, Any]) -> float:
    """Passes of all clips through a network, in each epoch, where it learns before or in the body.

    Two: train, which is half of the clips or two thirds, goes forth and back, and valid forth.
    What learns on hidden layers of a frozen body (IDS-NMR: 0.24 M values on each of 1212 tokens, where AST's body has
    86 M) passes a hundredth of it.
    """
    needs, epochs = set(method.needs), params.get("epochs", 0)
    if not isinstance(epochs, int):
        return 0.0
    if not needs or {"frontend", "body"} & needs:
        return _PASSES * epochs
    return _BESIDE * _PASSES * epochs if "layers" in needs else 0.0


def _weight(plan: Plan) -> float:
    """What a run costs, for comparisons."""
    passes = passes_of(type(plan.method), vars(plan.method))
    flops = nominal_flops(plan.task, plan.card) * passes
    return _ANY_RUN + n_points(plan.request.search) * flops / _FLOPS_A_SECOND


def _group(plan: Plan) -> str:
    request = plan.request
    options = ",".join(f"{name}={value}" for name, value in sorted(request.source_params.items()))
    by = f"{plan.card.name}({options})" if plan.card else plan.method.name
    pad = f" {request.pad}" if request.pad else ""
    return f"{plan.task.name} | {by} | {request.windowing.windows}{pad} | {request.precision}"
