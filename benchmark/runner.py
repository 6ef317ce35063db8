"""Specs to outcomes: what was asked becomes runs, each of which leaves a record.

A run that is on record is read back; a failed one is tried again. Selection sees train and valid; test is predicted
blind, once, after selection.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench import audio, metrics
from mirbench.cache import default_cache
from mirbench.datasets import dataset_folder, default_data_root, read_task
from mirbench.errors import BadInput, MissingData, MissingExtra, NotApplicable
from mirbench.hyperparameters import build, grid
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.store import RunStore, Scores
from mirbench.types import (
    Clip,
    Excerpt,
    Fitted,
    FloatArray,
    Method,
    RunRecord,
    RunSpec,
    SourceCard,
    Split,
    Task,
    Trial,
    Windowing,
    excerpts,
)  # fmt: skip
from mirbench.weights import Weights, find_weights

if TYPE_CHECKING:
    from mirbench.context import Context

__all__ = ["DEFAULT_SOURCE", "DEMO_SOURCE", "Outcome", "Request", "demo_needed", "run"]

DEFAULT_SOURCE = "ast"
DEMO_SOURCE = "nano"

_TIMED_SECONDS = 2.0  # the uncached pass stops after this, or
_TIMED_CLIPS = 32  # after this many clips


@dataclass(frozen=True)
class Request:
    """What a user asks for in one command.

    Parameters
    ----------
    source : str
        "" takes the default where the method needs one.
    folds : tuple of int or None
        None is all of the task's folds.
    search : mapping of str to sequence
        Values to try of each hyperparameter; chosen on valid.
    data, weights : Path or None
        None is the default place.
    """

    task: str
    method: str
    source: str = ""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    folds: tuple[int, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    source_params: Mapping[str, Any] = field(default_factory=dict)
    windowing: Windowing = field(default_factory=Windowing)
    data: Path | None = None
    weights: Path | None = None
    runs: Path = Path("runs")
    cache: Path = field(default_factory=default_cache)
    device: str = "auto"
    precision: str = "float32"
    workers: int = 2


@dataclass(frozen=True)
class Outcome:
    """A record, where it lies, and whether it was read back rather than computed."""

    record: RunRecord
    folder: Path
    read_back: bool


@dataclass(frozen=True)
class _Plan:
    """Everything about a request that is settled before the first run."""

    request: Request
    task: Task
    method: Method
    card: SourceCard | None
    weights: Weights | None
    folds: Sequence[tuple[Clip, ...]]
    facts: Mapping[Excerpt, audio.Facts]
    specs: tuple[RunSpec, ...]


def demo_needed(request: Request, catalogue: Catalogue) -> bool:
    """Whether a request falls back on the demo: no root given, no default root, and the task has a stand-in."""
    task = catalogue.task(request.task)
    return bool(task.demo) and request.data is None and not default_data_root().exists()


def run(request: Request, catalogue: Catalogue, progress: Progress) -> list[Outcome]:
    """Do every run of a request that is not on record.

    Returns
    -------
    list of Outcome
        One a (fold, seed), in that order.

    Raises
    ------
    BadInput
        If the request cannot be carried out; nothing was run then.
    """
    plan = _plan(request, catalogue, progress)
    store = RunStore(request.runs)
    outcomes: list[Outcome] = []
    context: Context | None = None
    with progress.bar(f"{plan.method.name} on {plan.task.name}", len(plan.specs), "runs") as step:
        for spec in plan.specs:
            record = store.read(spec)
            known = record is not None and record.status == "done"
            if not known:
                context = context or _context(plan, progress)
                record, scores, state, trace = _attempt(spec, plan, context)
                store.write(record, scores, state, trace)
            assert record is not None
            outcomes.append(Outcome(record, store.folder(spec), known))
            step(1, _note(plan, record))
    return outcomes


def _note(plan: _Plan, record: RunRecord) -> str:
    if record.status != "done":
        return f"{record.status}: {record.reason}"
    name = plan.task.metrics[0]
    value = record.metrics[name]
    return f"{name} {'undefined' if value is None else f'{value:.3f}'}"


def _plan(request: Request, catalogue: Catalogue, progress: Progress) -> _Plan:
    task = catalogue.task(request.task)
    kind = catalogue.method(request.method)
    method = build(kind, request.params)
    for point in grid(request.search):
        build(kind, {**request.params, **point})  # refuse bad values before any work
    card = _card(request, kind, catalogue)
    folds = tuple(range(task.n_folds)) if request.folds is None else request.folds
    if bad := [fold for fold in folds if not 0 <= fold < task.n_folds]:
        raise BadInput(f"--fold {bad[0]}: {task.name} has folds 0 to {task.n_folds - 1}")
    root = dataset_folder(task, request.data, request.cache, progress)
    every = read_task(task, root)
    places = [place for clips in every for place in excerpts(Split(task, clips))]
    facts = audio.survey(places, request.cache / "files.sqlite", progress, request.workers)
    weights = find_weights(card, request.weights, request.cache, progress) if card else None
    plan = _Plan(request, task, method, card, weights, every, facts, ())
    audio_sha256 = _audio_sha256({clip.id: clip for clips in every for clip in clips}.values(), facts)
    specs = tuple(_spec(plan, catalogue, audio_sha256, fold, seed) for fold in folds for seed in request.seeds)
    return replace(plan, specs=specs)


def _card(request: Request, method: type[Method], catalogue: Catalogue) -> SourceCard | None:
    if not method.needs:
        if request.source:
            raise BadInput(f"--source {request.source}: {method.name} uses no source; leave the flag out")
        return None
    card = catalogue.source(request.source or DEFAULT_SOURCE)
    if lacks := [stage for stage in method.needs if stage not in card.offers]:
        able = sorted(
            name for name in catalogue.names("source") if set(method.needs) <= set(catalogue.source(name).offers)
        )
        raise NotApplicable(
            f"{method.name} cannot use {card.name}: it needs {', '.join(lacks)}, and {card.name} offers "
            f"{', '.join(card.offers)}; sources that have it: {', '.join(able) or 'none'}"
        )
    return card


def _spec(plan: _Plan, catalogue: Catalogue, audio_sha256: str, fold: int, seed: int) -> RunSpec:
    request, card = plan.request, plan.card
    return RunSpec(
        task=plan.task.name,
        task_version=catalogue.version("task", plan.task.name),
        fold=fold,
        windowing=request.windowing,
        method=plan.method.name,
        method_version=catalogue.version("method", plan.method.name),
        params=dataclasses.asdict(plan.method),  # type: ignore[call-overload]
        search={name: list(values) for name, values in request.search.items()},
        source=card.name if card else "",
        source_version=catalogue.version("source", card.name) if card else "",
        source_params=dict(request.source_params) if card else {},
        source_sha256=plan.weights.sha256 if plan.weights else "",
        audio_sha256=audio_sha256,
        precision=request.precision,
        seed=seed,
    )


def _audio_sha256(clips: Iterable[Clip], facts: Mapping[Excerpt, audio.Facts]) -> str:
    """One hash over ids, labels and bytes of every clip, for all folds; splits belong to the task's version."""
    total = hashlib.sha256()
    for clip in sorted(clips, key=lambda c: c.id):
        heard = facts[Excerpt(clip.path, clip.start, clip.duration)]
        line = (clip.id, clip.labels, clip.unknown, clip.start, clip.duration, heard.sha256)
        total.update(repr(line).encode())
    return total.hexdigest()


def _context(plan: _Plan, progress: Progress) -> Context:
    from mirbench.context import Context
    from mirbench.measure import tune_allocator

    request, card, weights = plan.request, plan.card, plan.weights
    tune_allocator()
    load, identity = None, ""
    if card is not None and weights is not None:
        module, _, builder = card.builder.partition(":")

        def load() -> Any:
            return getattr(importlib.import_module(module), builder)(weights.path, **request.source_params)

        # the builder's code too: whoever edits a network must not meet rows of the old one
        code = _code_sha256(module)
        spec = plan.specs[0]
        identity = f"{card.name}:{spec.source_version}:{code}:{weights.sha256}:{sorted(request.source_params.items())}"
    return Context(
        facts=plan.facts,
        cache=request.cache,
        device=_device(request.device),
        precision=request.precision,
        windowing=request.windowing,
        progress=progress,
        workers=request.workers,
        card=card,
        load=load,
        source_identity=identity,
    )


def _code_sha256(module: str) -> str:
    found = importlib.util.find_spec(module)
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest() if found and found.origin else ""


def _device(name: str) -> Any:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"--device {name}: not on this machine; auto, cpu and cuda[:N] are accepted") from error
    if device.type == "cuda":
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    return device


_Attempt = tuple[RunRecord, Scores | None, Mapping[str, Any] | None, str]


def _attempt(spec: RunSpec, plan: _Plan, context: Context) -> _Attempt:
    """Do one run; whatever goes wrong inside becomes a record with its reason."""
    blank = RunRecord(
        spec, "failed", standing=plan.task.standing, n_folds=plan.task.n_folds, contaminated=_contaminated(plan)
    )
    try:
        return _do(spec, plan, context, blank)
    except (MissingExtra, NotApplicable) as error:
        return replace(blank, status="skipped", reason=str(error)), None, None, ""
    except (BadInput, MissingData):
        raise  # the request itself cannot be carried out: the same for every seed
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return replace(blank, reason=reason), None, None, traceback.format_exc()


def _contaminated(plan: _Plan) -> tuple[str, ...]:
    return tuple(sorted(set(plan.task.datasets) & set(plan.card.trained_on))) if plan.card else ()


def _do(spec: RunSpec, plan: _Plan, context: Context, blank: RunRecord) -> _Attempt:
    from mirbench import measure

    task = plan.task
    clips = plan.folds[spec.fold]
    train, valid, test = (Split(task, tuple(c for c in clips if c.split == s)) for s in ("train", "valid", "test"))
    watch = measure.Stopwatch(context.device)
    context.begin_run()
    measure.start_memory(context.device)
    with watch.phase("train"):
        fitted, trials, chosen = _search(plan, train, valid, context, spec.seed)
    frozen = context.spent_seconds  # rows computed on the way are booked as features
    train_seconds = watch.seconds["train"] - frozen
    with watch.phase("inference"):
        scores = fitted.predict(test.blind())
    inference_seconds = watch.seconds["inference"] - (context.spent_seconds - frozen)
    targets = test.targets()
    metrics.validate(scores, targets, len(test), len(task.classes))
    found = metrics.evaluate(task.metrics, scores, targets)
    epochs = [row["seconds"] for row in fitted.history if "seconds" in row]
    record = replace(
        blank,
        status="done",
        metrics=found,
        n_scored=metrics.n_scored(found),
        n_trainable=fitted.n_trainable,
        n_total=_n_total(plan.card, fitted),
        n_clips={"train": len(train), "valid": len(valid), "test": len(test)},
        seconds={
            "features": context.feature_seconds,
            "train": train_seconds,
            "epoch": float(np.mean(epochs)) if epochs else None,
            "inference": inference_seconds,
            "clips_per_second": _clips_per_second(fitted, test, context),
        },
        memory=measure.peak_memory(context.device),
        trials=[dataclasses.asdict(trial) for trial in trials],
        chosen=chosen,
        history=list(fitted.history),
        environment=measure.environment(context.device),
    )
    return record, Scores.of(test, scores), fitted.state, ""


def _n_total(card: SourceCard | None, fitted: Fitted) -> int | None:
    if card is None:
        return fitted.n_trainable
    return card.n_parameters + (fitted.n_trainable or 0)


def _search(
    plan: _Plan, train: Split, valid: Split, context: Context, seed: int
) -> tuple[Fitted, list[Trial], dict[str, Any]]:
    """Fit every point of the declared search; keep the one that is best on valid, the first of equals."""
    if not plan.request.search:
        return plan.method.fit(train, valid, context, seed=seed), [], {}
    metric = metrics.METRICS[plan.task.metrics[0]]
    targets = valid.targets()
    trials: list[Trial] = []
    best: Fitted | None = None
    best_score, chosen = -np.inf, {}
    for point in grid(plan.request.search):
        began = time.perf_counter()
        method = replace(plan.method, **point)  # type: ignore[type-var]
        fitted = method.fit(train, valid, context, seed=seed)
        scores = fitted.predict(valid.blind())
        metrics.validate(scores, targets, len(valid), len(valid.classes))
        score = float(metric.function(scores, targets))
        trials.append(Trial(point, score, time.perf_counter() - began))
        if best is None or score > best_score:
            best, best_score, chosen = fitted, score, point
    assert best is not None
    return best, trials, chosen


def _clips_per_second(fitted: Fitted, test: Split, context: Context) -> float:
    """Clips a second from file to score, nothing cached, alone on the device; the first clip warms up."""
    from mirbench import measure

    watch = measure.Stopwatch(context.device)
    batch = 4

    def predict(first: int, last: int) -> FloatArray:
        return fitted.predict(Split(test.task, test.clips[first:last]).blind())

    done = 0
    with context.uncached():
        predict(0, 1)
        while done < min(len(test), _TIMED_CLIPS) and watch.seconds.get("pass", 0.0) < _TIMED_SECONDS:
            last = min(done + batch, len(test))
            with watch.phase("pass"):
                predict(done, last)
            done = last
    return done / watch.seconds["pass"]
