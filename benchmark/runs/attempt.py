"""One attempt at a run: fit, search, predict the test clips, measure; what comes of it is a record.

Whatever goes wrong inside is in the record as its reason. Selection sees train and valid; test is predicted blind,
once, after selection.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench import metrics
from mirbench.errors import BadInput, BrokenInstallation, ChangedSource, MissingExtra, NotApplicable
from mirbench.features.stopwatch import Stopwatch
from mirbench.installation import refuse_broken
from mirbench.method import Fitted, ReadsRows
from mirbench.plain_text import printable
from mirbench.record import RunRecord, RunSpec, Trial
from mirbench.runs.calibration import best_temperature, tempered
from mirbench.runs.handed_back import checked_fitted, checked_scores, predicted
from mirbench.runs.heard_before import copies
from mirbench.runs.hyperparameters import grid
from mirbench.runs.learnt_from import fitted_again, joined, without_valid
from mirbench.runs.plan import Plan
from mirbench.runs.record_file import sound
from mirbench.runs.scores import Scores
from mirbench.runs.stacked import Stack, at_point
from mirbench.runs.thresholds import best_thresholds, moved
from mirbench.runs.trials import tried, within_bounds
from mirbench.source import UNKNOWN
from mirbench.types import Clip, FloatArray, Split

if TYPE_CHECKING:
    from pathlib import Path

    from mirbench.features.context import Context
    from mirbench.runs.speed import Speed, Speeds

__all__ = ["attempt", "first_line", "splits", "unfinished"]

_MOST_SAID = 20_000  # letters of what an error says
_MOST_REASON = 4_000

_Attempt = tuple[RunRecord, Scores | None, Fitted | None, str]


def attempt(spec: RunSpec, plan: Plan, context: Context, speeds: Speeds, stack: Stack | None = None) -> _Attempt:
    """Do one run; whatever goes wrong inside becomes a record with its reason.

    Parameters
    ----------
    speeds : Speeds
        Within its ``with`` block, in which the record has to be written.
    stack : Stack or None
        What fits it together with other runs.

    Raises
    ------
    BadInput
        If the request itself cannot be carried out.
    BrokenInstallation
        If a library does not import: that is no failure of the run.
    """
    from mirbench.features.usual import computed_as_usual, left_as_found

    blank = unfinished(spec, plan)
    try:
        try:
            with computed_as_usual(context.device, context.threads), left_as_found(context.device, spec.seed):
                done = _do(spec, plan, context, blank, speeds, stack or Stack([], plan))
            sound(done[0])  # what cannot be read back is not written
        finally:
            changed = context.source_changed()  # and loaded again, for the runs to come
        if changed:
            raise ChangedSource(changed)
        return done
    except (MissingExtra, NotApplicable) as error:
        return replace(blank, status="skipped", reason=printable(_said(error), _MOST_REASON)), None, None, ""
    except (BadInput, BrokenInstallation, KeyboardInterrupt):
        raise  # the same for every seed
    except BaseException as error:  # a method may say exit() too
        if isinstance(error, Exception):
            refuse_broken(error)
        return replace(blank, reason=first_line(error)), None, None, _trace()


def first_line(error: BaseException) -> str:
    """Kind of an error and the first line of what it says, whatever that is."""
    said = next((line for line in _said(error).splitlines() if line.strip()), "")
    if not said:
        said = "memory is full" if isinstance(error, MemoryError) else "it says no more"
    return printable(f"{type(error).__name__}: {said}", _MOST_REASON)


def _said(error: BaseException) -> str:
    try:
        return str(error)[:_MOST_SAID]
    except Exception as other:  # somebody else's class
        return f"(what it says is not to be had: {type(other).__name__})"


def _trace() -> str:
    """The traceback of the error at hand as text that any file can hold; its end is where it happened."""
    text = traceback.format_exc()
    if len(text) > _MOST_SAID:
        text = f"{text[: _MOST_SAID // 2]}\n […]\n{text[-_MOST_SAID // 2 :]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def unfinished(spec: RunSpec, plan: Plan) -> RunRecord:
    """The record of a run before it begins: what its plan says of it."""
    return RunRecord(
        spec,
        "failed",
        standing=plan.task.standing,
        n_folds=plan.task.n_folds,
        uses_seed=plan.uses_seed,
        contaminated=_contaminated(plan),
        classes=plan.task.classes,
        kind=plan.task.kind,
        ranges=plan.task.ranges,
        changed=_changed(plan),
    )


def _contaminated(plan: Plan) -> tuple[str, ...]:
    if plan.card is None:
        return ()
    return tuple(sorted({*plan.task.datasets, UNKNOWN} & {*plan.card.trained_on}))


def _changed(plan: Plan) -> dict[str, Any]:
    """Hyperparameters and options of the source that differ from their defaults, or have none."""
    fields = dataclasses.fields(plan.method)  # type: ignore[arg-type]
    found = {f.name: value for f in fields if (value := getattr(plan.method, f.name)) != f.default}
    if plan.card is None:
        return found
    options, choices = plan.card.options, plan.card.choices if plan.card.kind == "precomputed" else {}
    given = plan.request.source_params
    # of a file of several arrays, the one that was taken is always said
    shown = [name for name in given if given[name] != options.get(name) or len(choices.get(name, ())) > 1]
    return found | {f"source {name}": given[name] for name in shown}


def splits(plan: Plan, fold: int) -> tuple[Split, Split, Split]:
    """Train, valid and test of a fold; their task reads no clips, for it would read those of test for a method, too."""
    task = replace(plan.task, read_clips=_read_no_clips)
    parts: dict[str, list[Clip]] = {"train": [], "valid": [], "test": []}
    for clip in plan.folds[fold]:
        if clip.split in parts:
            parts[clip.split].append(clip)
    train, valid, test = (Split(task, tuple(clips)) for clips in parts.values())
    return train, valid, test


def _read_no_clips(root: Path | None, fold: int) -> list[Clip]:
    raise BadInput("a method is handed the clips that it may know; its task reads no others")


def _do(spec: RunSpec, plan: Plan, context: Context, blank: RunRecord, speeds: Speeds, stack: Stack) -> _Attempt:
    from mirbench.runs import measure

    context.begin_run()
    with context.watch.phase("other"):
        train, valid, test = splits(plan, spec.fold)
        measure.start_memory(context.device)
        meter = measure.EnergyMeter(plan.request.energy)
        with meter, context.watch.phase("training"):
            learnt, train_seconds = _learnt(plan, train, valid, context, spec.seed, stack)
            fitted, trials, chosen = learnt.fitted, learnt.trials, learnt.chosen
        with context.watch.phase("predicting"):
            scores, inference_seconds = _tested(spec, plan, fitted, chosen, test, context)
            scores = moved(tempered(scores, learnt.temperature, test.task.kind), learnt.thresholds)
        with context.watch.phase("scoring"):
            found = metrics.evaluate(plan.task.metrics, scores, test.targets())
        memory = stack.memory(spec.seed, measure.peak_memory(context.device))
        n_total = _n_total(plan, fitted, context)
        environment = measure.environment(context.device) | ({"sealed": True} if plan.request.sealed else {})
        if known_by_heart := copies(plan.folds[spec.fold], plan.facts):
            environment["copies"] = len(known_by_heart)
        if (together := stack.together(spec.seed)) > 1:
            environment["stacked"] = together
        with context.watch.phase("timing"):
            speed = _speed(spec, plan, fitted, chosen, context, speeds, environment)
    epochs = [row["seconds"] for row in fitted.history if "seconds" in row]
    record = replace(
        blank,
        status="done",
        metrics=found,
        n_scored=metrics.n_scored(found),
        n_trainable=fitted.n_trainable,
        n_total=n_total,
        n_clips={"train": len(train), "valid": len(valid), "test": len(test)},
        seconds={
            "features": context.feature_seconds,
            "train": train_seconds,
            "epoch": float(np.mean(epochs)) if epochs else None,
            "inference": inference_seconds,
            "clips_per_second": speed.clips_per_second,
            "frozen_clip": speed.frozen_clip,
        },
        memory=memory,
        flops=speed.flops,
        energy=meter.reading,
        trials=[dataclasses.asdict(trial) for trial in trials],
        chosen=chosen,
        thresholds=learnt.thresholds,
        temperature=learnt.temperature,
        history=fitted.history,
        environment=environment | speed.circumstance | context.circumstances,
        spent={**context.watch.seconds, "decoding_threads": context.watch.beside},
    )
    return record, Scores.of(test, scores), fitted, ""


@dataclass(frozen=True)
class _Learnt:
    """What was learnt, the trials of its search, the point that was chosen, and what was tuned on valid."""

    fitted: Fitted
    trials: list[Trial]
    chosen: dict[str, Any]
    thresholds: tuple[float, ...] = ()
    temperature: float | None = None


def _learnt(
    plan: Plan, train: Split, valid: Split, context: Context, seed: int, stack: Stack
) -> tuple[_Learnt, float | None]:
    """What was learnt, and the seconds that it took; rows computed on the way are booked as features.

    Where others were trained in that time there are no seconds.
    """
    request, watch = plan.request, Stopwatch(context.device)
    with watch.phase("train"):
        if request.fit_on == "train-and-valid":
            learnt = _search(plan, joined(train, valid), valid, context, seed, stack)
            learnt = replace(learnt, fitted=without_valid(learnt.fitted))
        else:
            learnt = _search(plan, train, valid, context, seed, stack)
        if request.thresholds == "valid":
            scores = predicted(learnt.fitted, valid)
            learnt = replace(learnt, thresholds=best_thresholds(scores, valid.targets(), plan.task.metrics))
        if request.calibrate == "temperature":
            learnt = replace(learnt, temperature=best_temperature(predicted(learnt.fitted, valid), valid.targets()))
        if request.fit_on == "refit":
            method = at_point(plan.method, learnt.chosen)
            again = fitted_again(method, learnt.fitted, joined(train, valid), context, seed)
            learnt = replace(learnt, fitted=checked_fitted(again, method))
    alone = stack.together(seed) == 1
    return learnt, watch.seconds["train"] - context.spent_seconds if alone else None


def _tested(
    spec: RunSpec, plan: Plan, fitted: Fitted, chosen: Mapping[str, Any], test: Split, context: Context
) -> tuple[FloatArray, float]:
    """Scores of the test clips, and the seconds that they took."""
    from mirbench.runs import sealed

    if plan.request.sealed:  # nothing of the method has been near the test clips in this process
        answer = sealed.predict(spec, plan, chosen, fitted.state, test, context)
        context.feature_seconds += answer.feature_seconds
        return checked_scores(answer.scores, test), answer.seconds
    watch, frozen = Stopwatch(context.device), context.spent_seconds
    with watch.phase("inference"):
        scores = predicted(fitted, test)
    return scores, watch.seconds["inference"] - (context.spent_seconds - frozen)


def _speed(
    spec: RunSpec,
    plan: Plan,
    fitted: Fitted,
    chosen: Mapping[str, Any],
    context: Context,
    speeds: Speeds,
    environment: Mapping[str, Any],
) -> Speed:
    """That of the system, measured on the first clips of the task where nobody has."""
    from mirbench.runs import speed
    from mirbench.runs.speed import Speed

    def measured() -> Speed:
        _, _, clips = splits(plan, 0)
        method, frozen = at_point(plan.method, chosen), None
        rate = None if _precomputed(plan) else speed.clips_per_second(fitted, clips, context)
        flops = None if _elsewhere(plan, context) else speed.operations(fitted, clips, context) or None
        if plan.card is not None and rate is not None and fitted.history and isinstance(method, ReadsRows):
            frozen = speed.frozen_seconds(method, clips, context)
        return Speed.of(rate, flops, frozen)

    return speeds.of(spec, chosen, environment, measured, context.watch)


def _n_total(plan: Plan, fitted: Fitted, context: Context) -> int | None:
    """Values of the source as it was loaded, and the learnt ones; None where it computes elsewhere."""
    if fitted.n_total is not None:
        return fitted.n_total
    if plan.card is None:
        return fitted.n_trainable
    if plan.card.kind != "network" and not context.source.n_parameters:
        return None
    return context.source.n_parameters + (fitted.n_trainable or 0)


def _precomputed(plan: Plan) -> bool:
    return plan.card is not None and plan.card.kind == "precomputed"


def _elsewhere(plan: Plan, context: Context) -> bool:
    """Whether torch sees nothing of what the source computes: others did it, or another program does."""
    return plan.card is not None and not context.source.computes_here


def _search(plan: Plan, train: Split, valid: Split, context: Context, seed: int, stack: Stack) -> _Learnt:
    """Fit every point of the declared search; keep the one that is best on valid, the first of equals."""

    def fit(number: int, point: Mapping[str, Any]) -> Fitted:
        method = at_point(plan.method, point)
        ready = stack.fit(seed, number, train, valid, context)
        return checked_fitted(ready or method.fit(train, valid, context, seed=seed), method)

    if not plan.request.search:
        return _Learnt(fit(0, {}), [], {})
    trials: list[Trial] = []
    best: Fitted | None = None
    best_score, chosen = -np.inf, {}
    for number, point in enumerate(grid(plan.request.search)):
        began = time.perf_counter()
        fitted = fit(number, point)
        score = fitted.valid_score if fitted.valid_score is not None else _score(fitted, valid)
        trials.append(tried(point, score, time.perf_counter() - began if fitted.together == 1 else None, fitted))
        # an undefined score loses to any other
        if best is None or score > best_score:
            best, best_score, chosen = fitted, -np.inf if np.isnan(score) else score, point
    assert best is not None
    return _Learnt(best, within_bounds(trials), chosen)


def _score(fitted: Fitted, valid: Split) -> float:
    """The task's first metric on valid, turned so that higher is better."""
    metric = metrics.METRICS[valid.task.metrics[0]]
    value = float(metric.function(predicted(fitted, valid), valid.targets()))
    return value if metric.higher_is_better else -value
