"""Curves of a run: its trained model hears the test clips deformed, at rising severity, without being trained again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirbench import metrics
from mirbench.errors import BadInput, ChangedSource, NotApplicable
from mirbench.features.deformation import Curve, Robustness, area_under
from mirbench.features.effects import EFFECTS, Effect
from mirbench.method import Fitted, Method, Restorable
from mirbench.record import RunRecord
from mirbench.runs.calibration import as_tuned
from mirbench.runs.learnt_from import joined
from mirbench.types import BlindSplit, FloatArray, Split

if TYPE_CHECKING:
    from mirbench.features.context import Context
    from mirbench.runs.plan import Plan
    from mirbench.runs.store import RunStore

__all__ = ["TOLERANCE", "Trained", "measure", "require_heard"]

TOLERANCE = 1e-3
"""How far clean scores that are predicted again may be from those on record."""

Predict = Callable[[BlindSplit], FloatArray]


@dataclass(frozen=True)
class Trained:
    """A run that is done, and what it takes to predict with its model.

    Parameters
    ----------
    folder : Path
        Where its record lies.
    method : Method
        With the hyperparameters that were chosen.
    train, valid, test : Split
        The clips of its fold.
    fitted : Fitted or None
        The model, where it is at hand.
    """

    record: RunRecord
    folder: Path
    method: Method
    train: Split
    valid: Split
    test: Split
    fitted: Fitted | None = None


def require_heard(plan: Plan) -> None:
    """Refuse a plan whose runs hear no audio.

    Raises
    ------
    NotApplicable
        If clips are pictures, features were computed elsewhere, or the method looks at labels alone.
    """
    if plan.task.medium == "picture":
        raise NotApplicable(f"--deform: the clips of {plan.task.name} are pictures; only audio can be deformed")
    if plan.card is not None and plan.card.kind == "precomputed":
        raise NotApplicable(f"--deform: {plan.card.name} was computed elsewhere, from audio that was not deformed")
    if not plan.facts:
        raise NotApplicable(f"--deform: {plan.method.name} hears no audio")


def measure(trained: Trained, names: Sequence[str], context: Context, store: RunStore) -> Robustness:
    """Curves of a run under the named deformations: those on record are read back, the others are added to them.

    The model is the one at hand, the one that is stored, or, where the method stores none that can predict again, one
    that is fitted again with the same seed. It has to predict the clean scores on record.

    Raises
    ------
    BadInput
        If it does not; the record stays as it is.
    """
    record = trained.record
    held = store.robustness(trained.folder)
    clean = {name: record.metrics[name] for name in trained.test.task.metrics if metrics.METRICS[name].kind == "value"}
    found = held or Robustness(next(iter(clean)), clean, {})
    todo = [name for name in names if not _current(found.curves.get(name), EFFECTS[name])]
    if todo:
        predict = as_tuned(_model(trained, context, store), record)
        _compare(predict(trained.test.blind()), store.scores(trained.folder).scores)
        count = sum(len(EFFECTS[name].severities) for name in todo)
        what = f"{record.spec.method} fold {record.spec.fold} seed {record.spec.seed} deformed"
        with context.progress.bar(what, count, "levels") as step:
            for name in todo:
                curve = _curve(predict, EFFECTS[name], trained.test, context, found, step)
                if changed := context.source_changed():
                    raise ChangedSource(changed)
                found = replace(found, curves={**found.curves, name: curve})
                store.write_robustness(trained.folder, found)  # an interrupt keeps what is done
    return replace(found, curves={name: found.curves[name] for name in names})


def _current(curve: Curve | None, effect: Effect) -> bool:
    return curve is not None and (curve.version, tuple(curve.severities)) == (effect.version, effect.severities)


def _model(trained: Trained, context: Context, store: RunStore) -> Predict:
    if trained.fitted is not None:
        return trained.fitted.predict
    state = store.state(trained.folder, trained.record.files)
    if state is not None and isinstance(trained.method, Restorable):
        return trained.method.restore(state, trained.test.blind(), context)
    if trained.record.spec.fit_on == "refit":
        raise BadInput(f"{trained.method.name}: was fitted twice (--refit), and its model cannot be loaded again")
    train = trained.train
    if trained.record.spec.fit_on == "train-and-valid":
        train = joined(train, trained.valid)
    return trained.method.fit(train, trained.valid, context, seed=trained.record.spec.seed).predict


def _compare(scores: FloatArray, held: FloatArray) -> None:
    if scores.shape != held.shape:
        raise BadInput(f"the model predicts scores of shape {scores.shape}; those on record have {held.shape}")
    apart = float(np.max(np.abs(scores - held), initial=0.0))
    if not apart <= TOLERANCE:  # true of NaN too
        raise BadInput(
            f"clean scores predicted again are up to {apart:.2g} from those on record (at most {TOLERANCE:g} is "
            "accepted): this is not the model that was scored, or not the device or packages it was trained with; "
            "remove the run's folder to train it again"
        )


def _curve(
    predict: Predict, effect: Effect, test: Split, context: Context, found: Robustness, step: Callable[..., None]
) -> Curve:
    names = tuple(found.clean)
    targets = test.targets()
    levels: list[Mapping[str, float | None]] = []
    for severity in effect.severities:
        with context.deformed(effect.at(severity)):
            scores = predict(test.blind())
        metrics.validate(scores, targets, len(test), len(test.classes))
        levels.append(metrics.evaluate(names, scores, targets))
        step(1, effect.name)
    values = {name: [level[name] for level in levels] for name in names}
    clean = found.clean[found.metric]
    area = area_under([clean, *values[found.metric]])
    relative = area / clean if area is not None and clean else None
    return Curve(effect.unit, effect.severities, values, area, relative, effect.version, effect.library)
