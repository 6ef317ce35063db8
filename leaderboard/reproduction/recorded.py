"""Numbers of ours that records and descriptions of data give: counts, settings, curves of validation, loudness."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.leaderboard.chance import wilson
from mirbench.leaderboard.reproduction.answers import (
    NORMAL,
    Answer,
    Measured,
    Unanswered,
    around,
    defined,
    record_of,
    system_of,
)

__all__ = ["RECORDED", "pools"]

_TRIALS = re.compile(r"(mean|least|greatest) by (\w+)(?: from (\S+) to (\S+))? (after (\d+)|ever)")

_NEAR = 1e-9  # steps of a grid are sums of fractions


def pools(quantity: str) -> bool:
    """Whether a quantity is one of all answers of a row together."""
    return quantity.startswith(("valid-error[", "valid-loss[", "epoch-of-least["))


def _n_trainable(answer: Answer) -> Measured:
    n = record_of(answer).n_trainable
    if n is None:
        raise Unanswered("what is learnt cannot be counted")
    return Measured(n, kind="count")


def _n_models(answer: Answer) -> Measured:
    return Measured(len(record_of(answer).trials) or 1, kind="count")


def _epochs(answer: Answer) -> Measured:
    return Measured(record_of(answer).spec.params["epochs"], kind="count")


def _chosen(answer: Answer, name: str) -> Measured:
    if name not in (chosen := record_of(answer).chosen):
        raise Unanswered(f"{name} was not searched")
    return Measured(float(chosen[name]), kind="shown")


def _epoch_seconds(answer: Answer, frozen: str) -> Measured:
    """Of an epoch as it was trained, with frozen rows from the cache, or with what computing them would add."""
    records = [run.record for run in system_of(answer).runs]
    mean = float(np.mean(defined([record.seconds.get("epoch") for record in records])))
    if frozen == "recomputed":
        first = records[0]
        each = first.seconds.get("frozen_clip")
        if each is None and first.spec.source:
            raise Unanswered("what its frozen part takes was not timed")
        mean += (each or 0.0) * first.n_clips["train"]
    return Measured(mean, kind="shown", n_seeds=len(system_of(answer).seeds))


def _curve(answer: Answer, column: str) -> tuple[npt.NDArray[np.float64], int, int]:
    """Mean of a column of the histories of all systems and seeds, an entry an epoch; models; clips of valid."""
    records = [run.record for system in answer.systems for run in system.runs]
    if not records:
        raise Unanswered(answer.reason or "nothing is on record")
    n_epochs = min(len(record.history) for record in records)
    values = np.mean([[epoch[column] for epoch in record.history[:n_epochs]] for record in records], axis=0)
    return values, len(records), records[0].n_clips["valid"]


def _valid(answer: Answer, what: str, when: str) -> Measured:
    """Error or loss on valid, averaged over models, after an epoch or where the average is least."""
    curve, n_models, n_clips = _curve(answer, "valid_loss" if what == "loss" else "valid_score")
    curve = curve if what == "loss" else 1 - curve
    if when != "least" and len(curve) < int(when):
        raise Unanswered(f"its runs have {len(curve)} of {when} epochs")
    value = float(curve.min() if when == "least" else curve[int(when) - 1])
    if what == "loss":  # losses of single clips are on no record
        return Measured(value, n_models=n_models, n_clips=n_clips)
    low, high = wilson(value, n_clips, NORMAL)
    return Measured(value, low, high, n_models=n_models, n_clips=n_clips)


def _epoch_of_least(answer: Answer) -> Measured:
    curve, n_models, n_clips = _curve(answer, "valid_loss")
    return Measured(float(curve.argmin()) + 1, kind="shown", n_models=n_models, n_clips=n_clips)


def _trials(answer: Answer, what: str, asked: str) -> Measured:
    """Errors or losses on valid of the models of a search, averaged for each value of a hyperparameter.

    Of these averages the mean, least or greatest, after an epoch, or where each of them is lowest ("ever").
    """
    record = record_of(answer)
    column = "valid_losses" if what == "loss" else "valid_scores"
    found = _TRIALS.fullmatch(asked)
    if found is None or not record.trials or not all(trial.get(column) for trial in record.trials):
        raise Unanswered("its record has no curves of the models that it searched")
    which, name, first, last, _, epoch = found.groups()
    groups: dict[float, list[Sequence[float]]] = defaultdict(list)
    for trial in record.trials:
        value = float(trial["params"].get(name, np.nan))
        if first is None or float(first) - _NEAR <= value <= float(last) + _NEAR:
            groups[value].append(trial[column])
    if not groups:
        raise Unanswered(f"no model has {name} {f'from {first} to {last}' if first else ''}".rstrip())
    curves = [_mean_curve(members, what) for members in groups.values()]
    if epoch and min(map(len, curves)) < int(epoch):
        raise Unanswered(f"its models have {min(map(len, curves))} of {epoch} epochs")
    means = [float(curve[int(epoch) - 1] if epoch else curve.min()) for curve in curves]
    chosen = {"mean": float(np.mean(means)), "least": min(means), "greatest": max(means)}[which]
    n_models = sum(map(len, groups.values()))
    return Measured(chosen, kind="shown", n_models=n_models, n_clips=record.n_clips.get("valid"))


def _mean_curve(members: Sequence[Sequence[float]], what: str) -> npt.NDArray[np.float64]:
    """Of models that may have stopped, as far as all of them came."""
    n_epochs = min(map(len, members))
    mean = np.mean([list(member[:n_epochs]) for member in members], axis=0)
    return np.asarray(mean if what == "loss" else 1 - mean)


def _data(answer: Answer) -> Mapping[str, Any]:
    if answer.data is None:
        raise Unanswered(answer.reason or "its data are not here")
    return answer.data


def _sizes(answer: Answer) -> dict[str, int]:
    """Clips that hold each class."""
    return {name: row["train"] + row["valid"] + row["test"] for name, row in _data(answer)["classes"].items()}


def _n_classes(answer: Answer) -> Measured:
    classes = record_of(answer).classes if answer.systems else _data(answer)["classes"]
    return Measured(len(classes), kind="count")


def _cardinality(answer: Answer, place: str) -> Measured:
    sizes = sorted(_sizes(answer).values(), reverse=True)
    if int(place) > len(sizes):
        raise Unanswered(f"it has {len(sizes)} classes")
    return Measured(sizes[int(place) - 1], kind="count")


def _of_class(answer: Answer, what: str, name: str) -> Measured:
    if name not in (sizes := _sizes(answer)):
        raise Unanswered(f"it has no class {name}")
    absent = _data(answer)["n_clips"] - _data(answer)["classes"][name]["unknown"] - sizes[name]
    return Measured(sizes[name] if what == "n_present" else absent, kind="count")


def _n_labels(answer: Answer) -> Measured:
    data = _data(answer)
    return Measured(sum(data["n_clips"] - row["unknown"] for row in data["classes"].values()), kind="count")


def _clip_seconds(answer: Answer) -> Measured:
    data = _data(answer)
    if data["minutes"] is None:
        raise Unanswered(f"{answer.name}: its audio is not here")
    return Measured(60 * data["minutes"] / data["n_clips"], kind="count", n_clips=data["n_clips"])


def _rms(answer: Answer, what: str) -> Measured:
    """Mean or deviation over the clips of a class, with intervals of large samples."""
    row, n = _data(answer)["classes"][answer.of_class], _sizes(answer)[answer.of_class]
    if row["rms_sd"] is None:
        raise Unanswered(f"{answer.name}: its audio is not here")
    variance = row["rms_sd"] ** 2 / (n if what == "mean" else 2 * (n - 1))
    return around(row[f"rms_{what}"], variance, n_clips=n)


RECORDED: Mapping[str, Callable[..., Measured]] = {
    r"n_trainable": _n_trainable,
    r"n_models": _n_models,
    r"epochs": _epochs,
    r"chosen\[(.+)\]": _chosen,
    r"epoch_seconds\[(cached|recomputed)\]": _epoch_seconds,
    r"valid-(error|loss)\[(least|\d+)\]": _valid,
    r"epoch-of-least\[valid-loss\]": _epoch_of_least,
    r"trials-(error|loss)\[(.+)\]": _trials,
    r"n_classes": _n_classes,
    r"cardinality\[(\d+)\]": _cardinality,
    r"(n_present|n_absent)\[(.+)\]": _of_class,
    r"n_labels": _n_labels,
    r"clip_seconds": _clip_seconds,
    r"rms_(mean|sd)": _rms,
}
"""Functions of an answer and the groups of the pattern that a quantity matches."""
