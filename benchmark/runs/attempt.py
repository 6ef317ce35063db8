"""One attempt at a run: fit, search, predict the test clips, measure; what comes of it is a record.

Whatever goes wrong inside is in the record as its reason. Selection sees train and valid; test is predicted blind,
once, after selection.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench import metrics
from mirbench.errors import BadInput, BrokenInstallation, MissingExtra, NotApplicable
from mirbench.installation import refuse_broken
from mirbench.method import Fitted, Method
from mirbench.record import RunRecord, RunSpec, Trial
from mirbench.runs.hyperparameters import grid
from mirbench.runs.plan import Plan
from mirbench.runs.store import Scores
from mirbench.types import Clip, FloatArray, Split

if TYPE_CHECKING:
    from pathlib import Path

    from mirbench.features.context import Context

__all__ = ["attempt", "first_line", "splits", "unfinished"]

_TIMED_SECONDS = 2.0  # the uncached pass stops after this, or
_TIMED_CLIPS = 32  # after this many clips

_Attempt = tuple[RunRecord, Scores | None, Fitted | None, str]


def attempt(spec: RunSpec, plan: Plan, context: Context) -> _Attempt:
    """Do one run; whatever goes wrong inside becomes a record with its reason.

    Raises
    ------
    BadInput
        If the request itself cannot be carried out.
    BrokenInstallation
        If a library does not import: that is no failure of the run.
    """
    blank = unfinished(spec, plan)
    try:
        return _do(spec, plan, context, blank)
    except (MissingExtra, NotApplicable) as error:
        return replace(blank, status="skipped", reason=str(error)), None, None, ""
    except (BadInput, BrokenInstallation):
        raise  # the same for every seed
    except Exception as error:
        refuse_broken(error)
        return replace(blank, reason=first_line(error)), None, None, traceback.format_exc()


def first_line(error: Exception) -> str:
    """Kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


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


def _contaminated(plan: Plan) -> tuple[str, ...]:
    return tuple(sorted(set(plan.task.datasets) & set(plan.card.trained_on))) if plan.card else ()


def _changed(plan: Plan) -> dict[str, Any]:
    """Hyperparameters and options of the source that differ from their defaults."""
    fields = dataclasses.fields(plan.method)  # type: ignore[arg-type]
    found = {f.name: value for f in fields if (value := getattr(plan.method, f.name)) != f.default}
    options = plan.card.options if plan.card else {}
    given = plan.request.source_params
    return found | {f"source {name}": value for name, value in given.items() if value != options.get(name)}


def splits(plan: Plan, fold: int) -> tuple[Split, Split, Split]:
    """Train, valid and test of a fold; their task reads no clips, for it would read those of test for a method, too."""
    clips, task = plan.folds[fold], replace(plan.task, read_clips=_read_no_clips)
    train, valid, test = (Split(task, tuple(c for c in clips if c.split == s)) for s in ("train", "valid", "test"))
    return train, valid, test


def _read_no_clips(root: Path | None, fold: int) -> list[Clip]:
    raise BadInput("a method is handed the clips that it may know; its task reads no others")


def _do(spec: RunSpec, plan: Plan, context: Context, blank: RunRecord) -> _Attempt:
    from mirbench.runs import measure

    task = plan.task
    train, valid, test = splits(plan, spec.fold)
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
