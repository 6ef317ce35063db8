"""Scikit-learn's classifiers of clips: fitted on the class of a clip or on each label, stored, and restored.

Of a regression task it is regressors, one of each target, which learn and predict where in its range a value is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirbench import AnySplit
from mirbench.errors import BadInput
from mirbench.methods.stored import Arrays, Scaler, small, softmax
from mirbench.types import BlindSplit, FloatArray, IntArray, Split

if TYPE_CHECKING:
    from mirbench import Context

__all__ = [
    "Classifier", "SklearnFit", "align_columns", "embeddings", "fit_sklearn", "margins", "probabilities",
    "restore_sklearn", "with_examples",
]  # fmt: skip

Features = npt.NDArray[np.float64]
Scores = Callable[[Any, Features], npt.NDArray[Any]]
FeaturesOf = Callable[["Context", AnySplit], Features]
State = dict[str, npt.NDArray[Any]]
Predict = Callable[[BlindSplit], FloatArray]


def align_columns(scores: npt.NDArray[Any], present: npt.NDArray[Any], n_classes: int) -> FloatArray:
    """Scores of the classes that train holds, as columns of all classes; the others score 0."""
    full = np.zeros((len(scores), n_classes), dtype=np.float32)
    full[:, present] = scores
    return full


def embeddings(context: Context, split: AnySplit) -> Features:
    """The source's mean embeddings of clips, (n_clips, n_features)."""
    return context.source.pooled(split).clip_means()


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier, or regressor, of clips.

    Parameters
    ----------
    model : estimator
        Scikit-learn's, or one of `mirbench.methods.stored`.
    scaler : StandardScaler, Scaler, or None
        None leaves features as they are.
    rows : ndarray of int
        The clips of train that it was fitted on.
    answers : ndarray
        Their classes; of a label, whether it is present; of a target, where in its range its value is.
    """

    model: Any
    scaler: Any
    rows: IntArray
    answers: npt.NDArray[Any]

    def standardised(self, features: Features) -> Features:
        """Features as the classifier takes them."""
        return _standardised(self.scaler, features)


def _standardised(scaler: Any, features: Features) -> Features:
    scaled: Features = features if scaler is None else scaler.transform(features)
    return scaled


@dataclass(frozen=True)
class SklearnFit:
    """Fitted classifiers, and what they predict.

    Parameters
    ----------
    parts : dict of int to Classifier
        By label; a label of which train knows one answer alone has none. The single one of a single-label task is 0.
    constant : ndarray of float32, shape (n_classes,), or None
        Scores of the labels and targets that have no classifier; None in a single-label task.
    """

    parts: dict[int, Classifier]
    constant: FloatArray | None
    scores_of: Scores
    features_of: FeaturesOf
    context: Context

    def predict(self, split: BlindSplit) -> FloatArray:
        """Scores, (n_clips, n_classes)."""
        features = self.features_of(self.context, split)
        if self.constant is None:
            return align_columns(self._scores(0, features), self.parts[0].model.classes_, len(split.classes))
        scores = np.tile(self.constant, (len(split), 1))
        for k, part in self.parts.items():
            if split.kind == "regression":
                scores[:, k] = np.clip(part.model.predict(part.standardised(features)), 0.0, 1.0)
            else:
                scores[:, k] = self._scores(k, features)[:, 1]
        return scores

    def _scores(self, k: int, features: Features) -> npt.NDArray[Any]:
        return self.scores_of(self.parts[k].model, self.parts[k].standardised(features))

    def state(self, keep: Callable[[Classifier], State]) -> State:
        """Scalers and classifiers as arrays: "coef" and so on, or "coef.K" for each label K of several.

        Parameters
        ----------
        keep : callable
            ``keep(classifier)`` -> its arrays.
        """
        state: State = {} if self.constant is None else {"constant": self.constant}
        for k, part in self.parts.items():
            arrays = keep(part)
            if part.scaler is not None:
                arrays |= {"mean": part.scaler.mean_, "scale": part.scaler.scale_}
            state |= {name if self.constant is None else f"{name}.{k}": value for name, value in arrays.items()}
        return state

    def n_linear(self) -> int:
        """Number of weights of linear classifiers."""
        return int(sum(part.model.coef_.size + part.model.intercept_.size for part in self.parts.values()))


def fit_sklearn(
    make: Callable[[], Any],
    scores_of: Scores,
    train: Split,
    context: Context,
    *,
    features_of: FeaturesOf = embeddings,
    standardise: bool = True,
    regressor: Callable[[], Any] | None = None,
) -> SklearnFit:
    """Fit a scikit-learn classifier: of the class of a clip, or of each label by itself; or a regressor of each target.

    Soft labels are made hard at 0.5; a label or a target is learnt from the clips of which it is known.

    Parameters
    ----------
    make : callable
        ``make()`` -> a fresh classifier.
    scores_of : callable
        ``scores_of(classifier, features)`` -> scores in [0, 1] of the classifier's classes.
    features_of : callable
        ``features_of(context, split)`` -> features, (n_clips, n_features); the source's mean embeddings.
    standardise : bool
        Whether features are standardised on train.
    regressor : callable or None
        ``regressor()`` -> a fresh one; None where the method learns no values.
    """
    from sklearn.preprocessing import StandardScaler

    features = features_of(context, train)

    def fitted(rows: IntArray, answers: npt.NDArray[Any], make: Callable[[], Any] = make) -> Classifier:
        own = features[rows]
        scaler = StandardScaler().fit(own) if standardise else None
        return Classifier(make().fit(_standardised(scaler, own), answers), scaler, rows, answers)

    if train.task.kind == "single-label":
        parts = {0: fitted(np.arange(len(train)), train.class_index())}
        return SklearnFit(parts, None, scores_of, features_of, context)
    targets, parts = train.targets(), {}
    constant = np.zeros(len(train.classes), dtype=np.float32)
    if targets.kind == "regression":
        assert regressor is not None
        for k, known in enumerate(targets.known.T):
            rows = np.flatnonzero(known)
            if len(rows):
                parts[k] = fitted(rows, targets.value[rows, k].astype(np.float64), regressor)
        return SklearnFit(parts, constant, scores_of, features_of, context)
    present = targets.value >= 0.5
    for k in range(len(train.classes)):
        rows = np.flatnonzero(targets.known[:, k])
        if len(np.unique(present[rows, k])) == 2:
            parts[k] = fitted(rows, present[rows, k])
        elif len(rows):
            constant[k] = present[rows[0], k]
    return SklearnFit(parts, constant, scores_of, features_of, context)


def restore_sklearn(
    state: Arrays,
    load: Callable[[Arrays, Callable[[Features], Features]], Any],
    scores_of: Scores,
    context: Context,
    *,
    features_of: FeaturesOf = embeddings,
) -> Predict:
    """`predict` from `SklearnFit.state`.

    Parameters
    ----------
    load : callable
        ``load(arrays, standardised)`` -> a classifier, from its arrays and those that have no label's number.

    Raises
    ------
    BadInput
        If an array is missing.
    """
    constant = state.get("constant")
    own: dict[int, State] = {} if constant is not None else {0: dict(state)}
    if constant is not None:
        for name, value in state.items():
            if match := re.fullmatch(r"(.+)\.(\d+)", name):
                own.setdefault(int(match[2]), {})[match[1]] = value
    try:
        parts = {k: _loaded({**state, **arrays}, load) for k, arrays in own.items()}
    except KeyError as error:
        raise BadInput(f"the stored model lacks {error.args[0]}; remove its run's folder to train it again") from error
    return SklearnFit(parts, constant, scores_of, features_of, context).predict


def _loaded(arrays: State, load: Callable[[Arrays, Callable[[Features], Features]], Any]) -> Classifier:
    scaler = Scaler(arrays) if "mean" in arrays else None
    nothing = np.zeros(0, dtype=np.int64)
    return Classifier(load(arrays, lambda features: _standardised(scaler, features)), scaler, nothing, nothing)


def with_examples(state: Mapping[str, npt.NDArray[Any]], features: Features) -> State:
    """A state whose "support" are clips of train, with the features of these, each once however many labels need it.

    Parameters
    ----------
    features : ndarray, shape (n_clips, n_features)
        Of train; "support" becomes rows of those that are kept, "features".
    """
    needed = {name: rows for name, rows in state.items() if re.fullmatch(r"support(\.\d+)?", name)}
    kept = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *needed.values()]))
    places = {name: small(np.searchsorted(kept, rows)) for name, rows in needed.items()}
    return {**state, **places, "features": small(features[kept])}


def probabilities(model: Any, features: Features) -> npt.NDArray[Any]:
    """Probabilities of the classifier's classes, (n, n_classes)."""
    found: npt.NDArray[Any] = model.predict_proba(features)
    return found


def margins(model: Any, features: Features) -> npt.NDArray[Any]:
    """Softmax of the margins: their order, in [0, 1]; not calibrated.

    Where classes tie in votes, scikit-learn's `predict` takes the first and its margins another; the first is put on
    top here, for everybody's published numbers of this classifier are of `predict`.
    """
    found = model.decision_function(features)
    if found.ndim == 1:  # two classes; the softmax of the halves is the sigmoid of the margin
        found = np.stack([-found / 2, found / 2], axis=1)
    else:
        voted = np.searchsorted(model.classes_, model.predict(features))
        found[np.arange(len(found)), voted] = np.nextafter(found.max(axis=1), np.inf)
    return softmax(found)
