"""What a suite asks for, run by run: for whoever divides it among processes, machines or days.

All of it is told from names and cards, without a look at data, weights or records: two machines that read the same
suite come to the same pieces, in the same order, whatever is done already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.hyperparameters import n_points
from mirbench.runs.operations import nominal_flops, passes_of
from mirbench.runs.plan import Plan, Request, draft_plan
from mirbench.runs.suite import Suite
from mirbench.runs.suite_runs import Entry

__all__ = ["Piece", "divide", "done_drafts", "draft_key", "pieces_of"]

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
        group, weight = _group(plan), _weight(plan, catalogue)
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


def _weight(plan: Plan, catalogue: Catalogue) -> float:
    """What a run costs, for comparisons."""
    windowing, own = plan.request.windowing, catalogue.own_network(plan.request.method)
    passes = passes_of(type(plan.method), vars(plan.method), plan.task, plan.card, windowing, own)
    flops = nominal_flops(plan.task, plan.card, windowing, own) * passes
    return _ANY_RUN + n_points(plan.request.search) * flops / _FLOPS_A_SECOND


def _group(plan: Plan) -> str:
    request = plan.request
    options = ",".join(f"{name}={value}" for name, value in sorted(request.source_params.items()))
    by = f"{plan.card.name}({options})" if plan.card else plan.method.name
    pad = f" {request.pad}" if request.pad else ""
    return f"{plan.task.name} | {by} | {request.windowing.windows}{pad} | {request.precision}"
