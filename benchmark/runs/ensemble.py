"""Ensembles of recorded runs: what several of them predicted for the same clips is averaged, and scored as a run.

An ensemble learns nothing: members, weights and kind of average are chosen by whoever asks for it. Choosing members by
their test scores makes the ensemble's own score optimistic.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirbench import metrics
from mirbench.errors import BadInput
from mirbench.features.claims import claimed
from mirbench.plain_text import say
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.members import Member, find_member
from mirbench.runs.report import over_seeds, print_rows, shown_metrics
from mirbench.runs.runner import Outcome
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.source import trained_on_it
from mirbench.spelling import in_one_spelling
from mirbench.types import FloatArray

__all__ = ["AVERAGES", "Ensemble", "averaged", "by_clip", "combine", "identity", "parse_weights", "report"]

AVERAGES = ("prob", "rank")

_OWN = (
    "fold", "seed", "method", "method_version", "params", "search", "source", "source_version", "source_params",
    "source_sha256", "precision", "audio_sha256",
)  # fmt: skip
"""Fields of a run's identity in which members may differ; the others are the question that all must answer.

Test clips and their labels are compared one by one: members may hear audio, or features that were computed elsewhere.
"""

_WORDS = {"task_version": "the version of the task"}


@dataclass(frozen=True)
class Ensemble:
    """What came of it: its members, its runs, and what a reader must know of how they were matched."""

    members: tuple[Member, ...]
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]


def combine(store: RunStore, names: Sequence[str], average: str = "prob", weights: Sequence[float] = ()) -> Ensemble:
    """Average the scores of recorded runs, and record the result as runs of the method ``ensemble``.

    Members are matched by (fold, seed); one with a single seed is used with every seed.

    Parameters
    ----------
    names : sequence of str
        Two or more members, as `RunStore.find` knows them. Where a folder holds runs of several settings,
        ``NAME@KEY`` takes those with the settings of the run KEY.
    average : {"prob", "rank"}
        The mean of scores; or of their ranks, for scores that are no calibrated probabilities (margins): among the
        classes of a clip in a single-label task, among the clips of a class in a multi-label one, scaled to [0, 1].
        A threshold of 0.5 means nothing then: in a multi-label task look at the AUCs.
    weights : sequence of float
        Of the members, in their order; all the same if left out.

    Raises
    ------
    BadInput
        If the members do not answer the same question (task, version, windowing, clips, labels), have a run without a
        result, or share no fold and seed.
    """
    if len(names) < 2:
        raise BadInput("an ensemble has two members or more; name runs as in `mirbench ensemble RUN RUN`")
    if weights and len(weights) != len(names):
        raise BadInput(f"{len(weights)} weights are given for {len(names)} members; one each is needed")
    total = sum(weights) or 1.0
    shares = [weight / total for weight in weights] or [1 / len(names)] * len(names)
    members = [replace(find_member(store, name), weight=share) for name, share in zip(names, shares, strict=True)]
    members.sort(key=lambda member: (member.name, member.settings, member.seeds))  # the order typed is no identity
    _check_question(members)
    pairs, notes = _match(members)
    if len({member.first.spec.audio_sha256 for member in members}) > 1:
        notes.append("Not every member heard the same bytes (audio, or features of it); test clips and labels agree.")
    outcomes = [_record(store, members, fold, seed, average) for fold, seed in pairs]
    return Ensemble(tuple(members), tuple(outcomes), tuple(notes))


def parse_weights(text: str) -> tuple[float, ...]:
    """``"1,2"`` -> (1.0, 2.0)."""
    try:
        weights = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        weights = (math.nan,)
    if not all(0 < weight < math.inf for weight in weights):
        raise BadInput(f"--weights-of {text}: one positive number a member is needed, as in --weights-of 1,2")
    return weights


def _check_question(members: Sequence[Member]) -> None:
    first = members[0]
    for member in members[1:]:
        if twice := _keys(first) & _keys(member):
            raise BadInput(f"{member.said}: run {min(twice)} is named twice")
        ours, theirs = (dataclasses.asdict(m.first.spec) for m in (first, member))
        for name in ours:
            if name == "task" and in_one_spelling(ours[name]) == in_one_spelling(theirs[name]):
                continue
            if name not in _OWN and ours[name] != theirs[name]:
                raise BadInput(
                    f"{first.said} and {member.said} cannot be combined: they differ in "
                    f"{_WORDS.get(name, name)}, {_short(ours[name])} and {_short(theirs[name])}"
                )


def _keys(member: Member) -> set[str]:
    return {record.spec.key for _, record in member.runs.values()}


def _short(value: Any) -> str:
    text = str(value)
    return text[:8] + "…" if len(text) == 64 else text


def _match(members: Sequence[Member]) -> tuple[list[tuple[int, int]], list[str]]:
    """(fold, seed) of the runs of the ensemble, and what is to be said of them."""
    single = [member for member in members if len(member.seeds) == 1]
    many = [member for member in members if len(member.seeds) > 1]
    seeds = {seed for member in many for seed in member.seeds} or {min(m.seeds[0] for m in single)}
    folds = {fold for member in members for fold in member.folds}
    every = [(fold, seed) for fold in sorted(folds) for seed in sorted(seeds)]
    pairs = [pair for pair in every if all(member.run(*pair) for member in members)]
    if not pairs:
        have = "; ".join(f"{m.said} has folds {_listed(m.folds)}, seeds {_listed(m.seeds)}" for m in members)
        raise BadInput(f"there is no fold and seed of which every member has a run: {have}")
    notes = [f"{m.name} has one seed, {m.seeds[0]}, which is used with every seed." for m in single if many]
    if not many and len({member.seeds[0] for member in single}) > 1:
        notes.append(f"The members are of different seeds; on record as seed {min(seeds)}.")
    if left := [pair for pair in every if pair not in pairs]:
        some = ", ".join(f"({fold}, {seed})" for fold, seed in left[:5]) + (" …" if len(left) > 5 else "")
        notes.append(f"Left out, as not every member has a run of it: (fold, seed) {some}.")
    return pairs, notes


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _record(store: RunStore, members: Sequence[Member], fold: int, seed: int, average: str) -> Outcome:
    import torch

    from mirbench.runs.measure import environment

    runs = [run for member in members if (run := member.run(fold, seed))]
    records = [record for _, record in runs]
    parts = [by_clip(store.scores(folder)) for folder, _ in runs]
    for (folder, _), part in zip(runs, parts, strict=True):
        if not np.array_equal(part.hashes, parts[0].hashes):
            raise BadInput(f"{folder} and {runs[0][0]} cannot be combined: their test clips or labels differ")
    combined = replace(parts[0], scores=averaged(parts, average, [member.weight for member in members]))
    first = records[0]
    names = tuple(name for name in first.metrics if name in metrics.METRICS)
    metrics.validate(combined.scores, combined.targets, *combined.scores.shape)
    found = metrics.evaluate(names, combined.scores, combined.targets)
    record = RunRecord(
        identity(members, records, fold, seed, average),
        "done",
        metrics=found,
        n_scored=metrics.n_scored(found),
        n_trainable=_sum([record.n_trainable for record in records]),
        n_total=_sum([record.n_total for record in records]),
        n_clips=first.n_clips,
        standing=first.standing,
        n_folds=first.n_folds,
        uses_seed=any(record.uses_seed for record in records),
        classes=first.classes,
        kind=first.kind,
        ranges=first.ranges,
        contaminated=sorted({name for record in records for name in record.contaminated}),
        environment=environment(torch.device("cpu")),
    )
    folder = store.folder(record.spec)
    with claimed(folder, f"recording ensemble {record.spec.key}", Progress()):
        if kept := _as_before(store, record, combined):
            return Outcome(kept, folder, True)
        return Outcome(record, store.write(record, combined), False)


def _as_before(store: RunStore, record: RunRecord, combined: Scores) -> RunRecord | None:
    """The record of the same ensemble, where it says and holds the same."""
    try:
        before = store.read(record.spec)
        scores = store.scores(store.folder(record.spec)) if before else None
    except BadInput:
        return None
    if before is None or scores is None or before.metrics != record.metrics:
        return None
    same = np.array_equal(scores.scores, combined.scores) and np.array_equal(scores.hashes, combined.hashes)
    return before if same and np.array_equal(scores.clip_ids, combined.clip_ids) else None


def identity(members: Sequence[Member], records: Sequence[RunRecord], fold: int, seed: int, average: str) -> RunSpec:
    """Identity of an ensemble: that of a member where it says what was asked, and its members in place of settings."""
    specs = [record.spec for record in records]
    precisions = sorted({spec.precision for spec in specs})
    heard = sorted({spec.audio_sha256 for spec in specs})
    one_name = len({spec.task for spec in specs}) == 1
    return replace(
        specs[0],
        task=specs[0].task if one_name else in_one_spelling(specs[0].task),
        method="ensemble",
        method_version="1",
        params={
            "average": average,
            "members": [spec.key for spec in specs],
            "systems": [member.name for member in members],
            "member_settings": [member.settings for member in members],
            "member_weights": [member.weight for member in members],
            "member_seeds": [None if spec.seed == seed else spec.seed for spec in specs],
        },
        search={},
        source="",
        source_version="",
        source_params={},
        source_sha256="",
        audio_sha256=heard[0] if len(heard) == 1 else hashlib.sha256("".join(heard).encode()).hexdigest(),
        precision=" and ".join(precisions),
        fold=fold,
        seed=seed,
    )


def averaged(parts: Sequence[Scores], average: str, weights: Sequence[float]) -> FloatArray:
    """Weighted mean of several scores of the same clips, or of their ranks."""
    kind = parts[0].targets.kind
    scores = [_ranks(part.scores, kind) if average == "rank" else part.scores for part in parts]
    mean = np.average(np.stack(scores).astype(np.float64), axis=0, weights=weights)
    return np.clip(mean, 0, 1).astype(np.float32)


def by_clip(scores: Scores) -> Scores:
    """The same scores with the clips in the order of their ids."""
    return scores.take(np.argsort(scores.clip_ids))


def _ranks(scores: FloatArray, kind: str) -> FloatArray:
    """Ranks in [0, 1], equal ones at their mean: among the classes of each clip, or the clips of each class."""
    from scipy.stats import rankdata

    axis = 1 if kind == "single-label" else 0
    return ((rankdata(scores, axis=axis) - 1) / max(scores.shape[axis] - 1, 1)).astype(np.float32)


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum where all are known; a source that two members share counts twice."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def report(ensemble: Ensemble) -> None:
    """Print the members and the ensemble, on the folds and seeds that were combined, and where the records are."""
    done = [(outcome.folder, outcome.record) for outcome in ensemble.outcomes]
    records = [record for _, record in done]
    shown = shown_metrics(records)
    pairs = [(record.spec.fold, record.spec.seed) for record in records]
    rows = []
    for member in ensemble.members:
        used = {run[1].spec.key: run for pair in pairs if (run := member.run(*pair))}
        rows.append(_row(member.name, list(used.values()), shown, f"{member.weight:.3g}"))
    rows.append(_row("ensemble", done, shown, ""))
    spec = records[0].spec
    kind = {"prob": "scores", "rank": "ranks"}[spec.params["average"]]
    print_rows(f"{spec.task}: mean of {kind}", ("", "runs", "weight", *shown), rows, n_left=1)
    folds = sorted({fold for fold, _ in pairs})
    if len(folds) < records[0].n_folds:
        say(f"Fold {_listed(folds)} of {records[0].n_folds} alone.")
    for note in ensemble.notes:
        say(note)
    if records[0].contaminated:
        say(f"Beware: {trained_on_it(records[0].contaminated, 'a source was')}.")
    say(f"Records: {ensemble.outcomes[0].folder.parent}")


def _row(name: str, runs: Sequence[tuple[Path, RunRecord]], shown: Sequence[str], weight: str) -> list[str]:
    return [name, str(len(runs)), weight, *(over_seeds(runs, metric)[0] for metric in shown)]
