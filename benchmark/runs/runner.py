"""Specs to outcomes: what was asked becomes runs, each of which leaves a record.

A run that is on record is read back; a failed one is tried again. Selection sees train and valid; test is predicted
blind, once, after selection.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import re
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench import metrics
from mirbench.errors import BadInput, MirbenchError, MissingExtra, NotApplicable
from mirbench.features.deformation import Robustness
from mirbench.features.effects import require_packages
from mirbench.method import Fitted, Method
from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec, Trial
from mirbench.registry import Catalogue
from mirbench.runs import robustness
from mirbench.runs.hyperparameters import grid
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.runs.store import RunStore, Scores
from mirbench.types import FloatArray, Split

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["Outcome", "context_of", "find_device", "run", "unfinished"]

_TIMED_SECONDS = 2.0  # the uncached pass stops after this, or
_TIMED_CLIPS = 32  # after this many clips


@dataclass(frozen=True)
class Outcome:
    """A record, where it lies, and whether it was read back rather than computed.

    `robustness` holds the curves that were asked for, or `refused` says in one line why they could not be measured.
    """

    record: RunRecord
    folder: Path
    read_back: bool
    robustness: Robustness | None = None
    refused: str = ""


def run(request: Request, catalogue: Catalogue, progress: Progress, deform: Sequence[str] = ()) -> list[Outcome]:
    """Do every run of a request that is not on record.

    Parameters
    ----------
    deform : sequence of str
        Deformations under which each run that is done is scored too, those on record included; see
        `mirbench.features.effects`.

    Returns
    -------
    list of Outcome
        One a (fold, seed), in that order.

    Raises
    ------
    BadInput
        If the request cannot be carried out; nothing was run then.
    MissingExtra, NotApplicable
        If what is to be deformed cannot be; nothing was run then.
    """
    require_packages(deform)
    plan = make_plan(request, catalogue, progress)
    if deform:
        robustness.require_heard(plan)
    store = RunStore(request.runs)
    if plan.task.manifest:
        store.write_clips(plan.specs[0], plan.folds, plan.data)
    outcomes: list[Outcome] = []
    context: Context | None = None
    with progress.bar(f"{plan.method.name} on {plan.task.name}", len(plan.specs), "runs") as step:
        for spec in plan.specs:
            record = store.read(spec)
            if record is None and plan.unable:
                record = store.done_before(spec)
            known = record is not None and record.status == "done"
            fitted: Fitted | None = None
            if not known:
                if plan.unable:
                    record, scores, trace = _skipped(unfinished(spec, plan), plan.unable)
                else:
                    context = context or context_of(plan, progress)
                    record, scores, fitted, trace = _attempt(spec, plan, context)
                store.write(record, scores, fitted.state if fitted else None, trace)
                if record.status == "done":
                    store.forget_skipped(spec)
            assert record is not None
            outcome = Outcome(record, store.folder(record.spec), known)
            if deform and record.status == "done":
                if plan.unable:  # now; it was done when its source was here
                    outcome = replace(outcome, refused=plan.unable)
                else:
                    context = context or context_of(plan, progress)
                    outcome = _deformed(outcome, deform, plan, fitted, context, store)
            outcomes.append(outcome)
            step(1, _note(plan, record))
    unmetered = sum(outcome.read_back and not outcome.record.energy for outcome in outcomes)
    if request.energy and unmetered:
        progress.say(
            f"--energy: {unmetered} of {len(outcomes)} runs were on record, without their energy, and were not done "
            "again; --runs FOLDER does them anew"
        )
    return outcomes


def _deformed(
    outcome: Outcome, names: Sequence[str], plan: Plan, fitted: Fitted | None, context: Context, store: RunStore
) -> Outcome:
    """The same with curves; whatever goes wrong is said, and leaves the record as it is."""
    record = outcome.record
    method = replace(plan.method, **record.chosen)  # type: ignore[type-var]
    train, valid, test = _splits(plan, record.spec.fold)
    trained = robustness.Trained(record, outcome.folder, method, train, valid, test, fitted)
    try:
        return replace(outcome, robustness=robustness.measure(trained, names, context, store))
    except MirbenchError as error:
        return replace(outcome, refused=str(error))
    except Exception as error:
        return replace(outcome, refused=_first_line(error))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _splits(plan: Plan, fold: int) -> tuple[Split, Split, Split]:
    """Train, valid and test of a fold."""
    clips = plan.folds[fold]
    train, valid, test = (Split(plan.task, tuple(c for c in clips if c.split == s)) for s in ("train", "valid", "test"))
    return train, valid, test


def _note(plan: Plan, record: RunRecord) -> str:
    if record.status != "done":
        return f"{record.status}: {record.reason}"
    name = plan.task.metrics[0]
    value = record.metrics[name]
    return f"{name} {'undefined' if value is None else f'{value:.3f}'}"


def context_of(plan: Plan, progress: Progress) -> Context:
    """What the runs of a plan are handed."""
    from mirbench.features.context import Context
    from mirbench.runs.measure import tune_allocator

    request, card, weights = plan.request, plan.card, plan.weights
    tune_allocator()
    load, identity = None, ""
    if card is not None:
        module, _, builder = card.builder.partition(":")
        # what ships with a data set is found by its name, through the clips
        paths, sha256 = ((weights.path, *weights.extra), weights.sha256) if weights else ((card.shipped,), "")

        def load() -> Any:
            return getattr(importlib.import_module(module), builder)(*paths, **request.source_params)

        # the builder's code too: whoever edits a network must not meet rows of the old one
        code = _code_sha256(module)
        spec = plan.specs[0]
        identity = f"{card.name}:{spec.source_version}:{code}:{sha256}:{sorted(request.source_params.items())}"
    return Context(
        facts=plan.facts,
        cache=request.cache,
        device=find_device(request.device, request.threads),
        precision=request.precision,
        windowing=request.windowing,
        medium=plan.task.medium,
        progress=progress,
        workers=request.workers,
        card=card,
        load=load,
        source_identity=identity,
    )


def _code_sha256(module: str) -> str:
    """Hash of a module's source and of those modules of the methods that it imports, and so on."""
    sources: dict[str, bytes] = {}
    left = [module]
    while left:
        name = left.pop()
        found = importlib.util.find_spec(name) if name not in sources else None
        if found is None or not found.origin:
            continue
        sources[name] = Path(found.origin).read_bytes()
        left += re.findall(r"^ *from (mirbench\.methods\.\S+) import", sources[name].decode(), re.MULTILINE)
    return hashlib.sha256(b"".join(sources[name] for name in sorted(sources))).hexdigest()


def find_device(name: str, threads: int) -> Any:
    """The torch device called `name`; "auto" takes a GPU where there is one, and 0 threads leave that to torch."""
    import torch

    if threads:
        torch.set_num_threads(threads)
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


def _skipped(record: RunRecord, reason: str) -> tuple[RunRecord, None, str]:
    return replace(record, status="skipped", reason=reason), None, ""


def unfinished(spec: RunSpec, plan: Plan) -> RunRecord:
    """The record of a run before it begins: what its plan says of it."""
    return RunRecord(
        spec,
        "failed",
        standing=plan.task.standing,
        n_folds=plan.task.n_folds,
        contaminated=_contaminated(plan),
        classes=plan.task.classes,
        kind=plan.task.kind,
        changed=_changed(plan),
    )


def _changed(plan: Plan) -> dict[str, Any]:
    """Hyperparameters and options of the source that differ from their defaults."""
    fields = dataclasses.fields(plan.method)  # type: ignore[arg-type]
    found = {f.name: value for f in fields if (value := getattr(plan.method, f.name)) != f.default}
    options = plan.card.options if plan.card else {}
    given = plan.request.source_params
    return found | {f"source {name}": value for name, value in given.items() if value != options.get(name)}


_Attempt = tuple[RunRecord, Scores | None, Fitted | None, str]


def _attempt(spec: RunSpec, plan: Plan, context: Context) -> _Attempt:
    """Do one run; whatever goes wrong inside becomes a record with its reason."""
    blank = unfinished(spec, plan)
    try:
        return _do(spec, plan, context, blank)
    except (MissingExtra, NotApplicable) as error:
        return replace(blank, status="skipped", reason=str(error)), None, None, ""
    except BadInput:
        raise  # the request itself cannot be carried out: the same for every seed
    except Exception as error:
        return replace(blank, reason=_first_line(error)), None, None, traceback.format_exc()


def _contaminated(plan: Plan) -> tuple[str, ...]:
    return tuple(sorted(set(plan.task.datasets) & set(plan.card.trained_on))) if plan.card else ()


def _do(spec: RunSpec, plan: Plan, context: Context, blank: RunRecord) -> _Attempt:
    from mirbench.runs import measure

    task = plan.task
    train, valid, test = _splits(plan, spec.fold)
    watch = measure.Stopwatch(context.device)
    context.begin_run()
    measure.start_memory(context.device)
    meter = measure.EnergyMeter(plan.request.energy)
    with meter, watch.phase("train"):
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
        n_total=_n_total(plan, fitted, context),
        n_clips={"train": len(train), "valid": len(valid), "test": len(test)},
        seconds={
            "features": context.feature_seconds,
            "train": train_seconds,
            "epoch": float(np.mean(epochs)) if epochs else None,
            "inference": inference_seconds,
            "clips_per_second": None if _precomputed(plan) else _clips_per_second(fitted, test, context),
        },
        memory=measure.peak_memory(context.device),
        flops=None if _elsewhere(plan, context) else _flops(fitted, test, context) or None,
        energy=meter.reading,
        trials=[dataclasses.asdict(trial) for trial in trials],
        chosen=chosen,
        history=list(fitted.history),
        environment=measure.environment(context.device),
    )
    return record, Scores.of(test, scores), fitted, ""


def _n_total(plan: Plan, fitted: Fitted, context: Context) -> int | None:
    """Values of the source as it was loaded, and the learnt ones; None where it computes elsewhere."""
    if fitted.n_total is not None:
        return fitted.n_total
    if plan.card is None:
        return fitted.n_trainable
    if _elsewhere(plan, context):
        return None
    return context.source.n_parameters + (fitted.n_trainable or 0)


def _precomputed(plan: Plan) -> bool:
    return plan.card is not None and plan.card.kind == "precomputed"


def _elsewhere(plan: Plan, context: Context) -> bool:
    """Whether torch sees nothing of what the source computes: others did it, or another program does."""
    if plan.card is None or plan.card.kind == "network":
        return False
    return _precomputed(plan) or not context.source.n_parameters


def _search(
    plan: Plan, train: Split, valid: Split, context: Context, seed: int
) -> tuple[Fitted, list[Trial], dict[str, Any]]:
    """Fit every point of the declared search; keep the one that is best on valid, the first of equals."""
    if not plan.request.search:
        return _fit(plan.method, train, valid, context, seed), [], {}
    trials: list[Trial] = []
    best: Fitted | None = None
    best_score, chosen = -np.inf, {}
    for point in grid(plan.request.search):
        began = time.perf_counter()
        method = replace(plan.method, **point)  # type: ignore[type-var]
        fitted = _fit(method, train, valid, context, seed)
        score = fitted.valid_score if fitted.valid_score is not None else _score(fitted, valid)
        trials.append(Trial(point, score, time.perf_counter() - began))
        # an undefined score loses to any other
        if best is None or score > best_score:
            best, best_score, chosen = fitted, -np.inf if np.isnan(score) else score, point
    assert best is not None
    return best, trials, chosen


def _score(fitted: Fitted, valid: Split) -> float:
    """The task's first metric on valid, turned so that higher is better."""
    metric, targets = metrics.METRICS[valid.task.metrics[0]], valid.targets()
    scores = fitted.predict(valid.blind())
    metrics.validate(scores, targets, len(valid), len(valid.classes))
    value = float(metric.function(scores, targets))
    return value if metric.higher_is_better else -value


def _fit(method: Method, train: Split, valid: Split, context: Context, seed: int) -> Fitted:
    fitted: Any = method.fit(train, valid, context, seed=seed)
    if not isinstance(fitted, Fitted):
        raise TypeError(f"fit of {method.name} must return a mirbench.Fitted, not {type(fitted).__name__}")
    return fitted


def _flops(fitted: Fitted, test: Split, context: Context) -> int:
    """Operations from the audio of one clip to its score, on the device where it ran."""
    from mirbench.runs.measure import flops_of

    with context.uncached():
        return flops_of(lambda: fitted.predict(Split(test.task, test.clips[:1]).blind()))


def _clips_per_second(fitted: Fitted, test: Split, context: Context) -> float:
    """Clips a second from file to score, nothing cached, alone on the device; the first clip warms up."""
    from mirbench.runs import measure

    watch = measure.Stopwatch(context.device)
    batch = 4

    def predict(first: int, last: int) -> FloatArray:
        return fitted.predict(Split(test.task, test.clips[first:last]).blind())

    rates: list[float] = []
    with context.uncached():
        predict(0, 1)
        for done in range(0, min(len(test), _TIMED_CLIPS), batch):
            last = min(done + batch, len(test))
            with watch.phase(f"pass {done}"):
                predict(done, last)
            rates.append((last - done) / watch.seconds[f"pass {done}"])
            if sum(watch.seconds.values()) > _TIMED_SECONDS:
                break
    return float(np.median(rates))  # of batches: a neighbour's burst on the processor moves a mean
