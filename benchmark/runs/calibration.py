"""How sure scores are: as the model says, or with a temperature that was fitted on valid.

``--calibrate temperature`` divides the log-odds of a label by one number, or those of the classes of a single-label
task, the logarithms of their scores: the number under which the clips of valid are likeliest (Guo et al. 2017, there of
logits). What is predicted stays: the likeliest class is the same, and a half remains a half. Scores are stored with it,
and every metric, table, interval and ensemble asks them as it asks others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mirbench.errors import NotApplicable
from mirbench.record import CalibrateBy, RunRecord, ThresholdsFrom
from mirbench.runs.thresholds import moved, tunes_thresholds
from mirbench.types import BlindSplit, FloatArray, Targets, Task

__all__ = ["as_tuned", "best_temperature", "tempered", "what_is_tuned"]

_COLDEST, _HOTTEST = 0.02, 50.0
_LEAST = float(np.finfo(np.float32).tiny)
_MOST = 1 - 2.0**-26  # of float32 the next below 1 is less


def what_is_tuned(thresholds: ThresholdsFrom, calibrate: CalibrateBy, task: Task) -> str:
    """The flag that asks for something to be tuned on valid, or "".

    Raises
    ------
    NotApplicable
        If both do: thresholds move scores so that a half is a threshold, and no longer a probability. If thresholds are
        asked for, and the task has none, or a temperature, and its scores are no probabilities.
    """
    tunes = tunes_thresholds(thresholds, task)
    if calibrate != "none" and thresholds != "0.5":
        raise NotApplicable(
            f"--calibrate {calibrate} and --thresholds {thresholds}: the one makes scores probabilities, the other "
            "moves them so that a half is a threshold; give one of them"
        )
    if calibrate != "none" and task.kind == "regression":
        raise NotApplicable(f"--calibrate {calibrate}: {task.name} asks for values, of which none is a probability")
    return "--thresholds" if tunes else "--calibrate" if calibrate != "none" else ""


def best_temperature(scores: FloatArray, targets: Targets) -> float:
    """The temperature under which the clips of valid are likeliest; 1 where nothing is known of them.

    Parameters
    ----------
    scores : ndarray, shape (n_clips, n_classes)
        Of valid.
    """
    from scipy.optimize import minimize_scalar

    known = targets.known & np.isfinite(scores)
    if not known.any():
        return 1.0
    odds = _odds(scores, targets.kind)
    right, value = targets.value.argmax(axis=1), targets.value.astype(np.float64)

    def surprise(log_temperature: float) -> float:
        """Mean negative log-likelihood."""
        cold = odds / np.exp(log_temperature)
        if targets.kind == "single-label":
            return float(np.mean(np.logaddexp.reduce(cold, axis=1) - cold[np.arange(len(cold)), right]))
        return float(np.mean((np.logaddexp(0.0, cold) - value * cold)[known]))

    found = minimize_scalar(surprise, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def tempered(scores: FloatArray, temperature: float | None, kind: str) -> FloatArray:
    """Scores at a temperature; unchanged where there is none.

    >>> tempered(np.array([[0.8, 0.2]], dtype=np.float32), 2.0, "single-label").round(3).tolist()
    [[0.667, 0.333]]
    """
    if temperature is None:
        return scores
    cold = _odds(scores, kind) / temperature
    if kind == "multi-label":
        label: FloatArray = np.exp(-np.logaddexp(0.0, -cold)).astype(np.float32)
        return np.where(scores < 0.5, np.minimum(label, np.nextafter(np.float32(0.5), np.float32(0))), label)
    found = np.exp(cold - np.logaddexp.reduce(cold, axis=1, keepdims=True)).astype(np.float32)
    # two that differ by less than float32 can hold would change places, for the first of equals is predicted
    rows, top = np.arange(len(found)), scores.argmax(axis=1)
    tied = found.argmax(axis=1) != top
    found[rows[tied], top[tied]] = np.nextafter(found[tied].max(axis=1), np.float32(1))
    return found


def as_tuned(predict: Callable[[BlindSplit], FloatArray], record: RunRecord) -> Callable[[BlindSplit], FloatArray]:
    """A model with what was tuned on valid behind it: thresholds, or a temperature."""
    if not len(record.thresholds) and record.temperature is None:
        return predict
    return lambda split: moved(tempered(predict(split), record.temperature, split.kind), record.thresholds)


def _odds(scores: FloatArray, kind: str) -> npt.NDArray[np.float64]:
    """Logarithms of the scores of a single-label task, of which a softmax makes them again; log-odds of labels."""
    held = scores.astype(np.float64).clip(_LEAST, _MOST)
    return np.log(held) if kind == "single-label" else np.log(held) - np.log1p(-held)
