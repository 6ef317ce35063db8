"""Scikit-learn's classifiers and regressors as plain arrays: what is kept of one, and what these arrays score.

What is kept are documented attributes of fitted estimators, never a pickle. Margins and neighbours become
scikit-learn's own again; forests and kernel machines, whose inner state is private to a version of it, are computed
here from their definition, and so is what a linear probe needs: such sums take less time than to load scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Arrays", "KernelMachine", "KernelValues", "Line", "Logistic", "Scaler", "Trees", "keep_kernel", "keep_linear",
    "keep_trees", "linear", "small", "softmax",
]  # fmt: skip

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
_AT_ONCE = 256  # clips that go down all trees together


def small(values: Array) -> Array:
    """The same numbers in fewer bytes: whole ones in the smallest type that holds them, others in single precision.

    Numbers that single precision cannot hold stay as they are.
    """
    if values.dtype.kind == "i" and values.size and values.min() >= 0:
        return values.astype(np.min_scalar_type(int(values.max())))
    if values.dtype == np.float64 and np.array_equal(single := values.astype(np.float32), values):
        return single
    return values


def keep_linear(model: Any) -> dict[str, Array]:
    """Weights of a linear classifier, or of a regression."""
    if not hasattr(model, "classes_"):
        return {"coef": model.coef_[None], "intercept": np.atleast_1d(model.intercept_)}
    return {"classes": model.classes_, "coef": model.coef_, "intercept": model.intercept_}


def linear(kind: Callable[[], Any], arrays: Arrays) -> Any:
    """A linear classifier of scikit-learn with these weights."""
    model = kind()
    model.coef_, model.intercept_, model.classes_ = (arrays[name] for name in ("coef", "intercept", "classes"))
    return model


class Scaler:
    """What standardises features, as scikit-learn's ``StandardScaler``."""

    def __init__(self, arrays: Arrays) -> None:
        self._mean, self._scale = arrays["mean"], arrays["scale"]

    def transform(self, features: Array) -> Array:
        """Features less their mean, over their scale, in their own precision."""
        scaled: Array = features - self._mean.astype(features.dtype)
        scaled /= self._scale.astype(features.dtype)
        return scaled


def softmax(margins: Array) -> Array:
    """Shares of the classes, (n, n_classes), each row of which adds up to 1."""
    shares: Array = np.exp(margins - margins.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


class Logistic:
    """A logistic regression of all classes at once, as scikit-learn's ``LogisticRegression``."""

    def __init__(self, arrays: Arrays) -> None:
        self.classes_, self._coef, self._intercept = (arrays[name] for name in ("classes", "coef", "intercept"))

    def predict_proba(self, features: Array) -> Array:
        """Probabilities of the classes, (n, n_classes)."""
        margins = features @ self._coef.T + self._intercept
        if len(self.classes_) == 2:
            from scipy.special import expit

            first = expit(margins[:, 0])
            return np.stack([1 - first, first], axis=1)
        return softmax(margins)


class Line:
    """A linear regression, as scikit-learn's ``Ridge``."""

    def __init__(self, arrays: Arrays) -> None:
        self._coef, self._intercept = arrays["coef"][0], arrays["intercept"][0]

    def predict(self, features: Array) -> Array:
        """Values, (n,)."""
        values: Array = features @ self._coef + self._intercept
        return values


def keep_trees(forest: Any) -> dict[str, Array]:
    """The nodes of all trees of a forest, one tree after the other.

    Of a regression a leaf has one share, the mean of the values that came there.
    ``left`` and ``right`` tell how many nodes further on the children are, 0 at a leaf. ``feature`` is what a node
    looks at; at a leaf, the row of ``shares`` (of the classes among the clips that came there). Forests compare in
    single precision, so that a threshold rounded down to it decides alike.
    """
    trees = [member.tree_ for member in forest.estimators_]
    sizes = [tree.node_count for tree in trees]
    leaf = np.concatenate([tree.children_left for tree in trees]) < 0
    own = np.concatenate([np.arange(size) for size in sizes])
    children = (np.concatenate([getattr(tree, f"children_{side}") for tree in trees]) for side in ("left", "right"))
    left, right = (small(np.where(leaf, 0, child - own)) for child in children)
    shares, row = np.unique(np.concatenate([tree.value[:, 0] for tree in trees])[leaf], axis=0, return_inverse=True)
    feature = np.concatenate([tree.feature for tree in trees]).astype(np.int64)
    feature[leaf] = row.ravel()
    threshold = np.concatenate([tree.threshold for tree in trees])
    single = threshold.astype(np.float32)
    single = np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
    single[leaf] = 0
    roots = np.cumsum([0, *sizes[:-1]])
    return {
        "classes": getattr(forest, "classes_", np.zeros(0, np.int64)), "left": left, "right": right,
        "feature": small(feature), "threshold": single, "shares": small(shares), "roots": small(roots),
    }  # fmt: skip


class Trees:
    """A random forest from the arrays of `keep_trees`."""

    def __init__(self, arrays: Arrays) -> None:
        self.classes_ = arrays["classes"]
        self._left, self._right, self._feature, self._roots = (
            arrays[name].astype(np.int64) for name in ("left", "right", "feature", "roots")
        )
        self._threshold, self._shares = arrays["threshold"], arrays["shares"].astype(np.float64)

    def predict_proba(self, features: Array) -> Array:
        """Mean over the trees of the shares at the leaf of each clip, (n, n_classes)."""
        x = features.astype(np.float32)
        return np.concatenate([self._mean(x[first : first + _AT_ONCE]) for first in range(0, len(x), _AT_ONCE)])

    def predict(self, features: Array) -> Array:
        """Mean over the trees of the values at the leaf of each clip, (n,), of a regression."""
        return self.predict_proba(features)[:, 0]

    def _mean(self, x: Array) -> Array:
        clip, last = np.arange(len(x)), x.shape[1] - 1
        node = np.repeat(self._roots[:, None], len(x), axis=1)
        while True:
            # at a leaf both children are 0 nodes further on, whatever is compared
            low = x[clip, np.minimum(self._feature[node], last)] <= self._threshold[node]
            step = np.where(low, self._left[node], self._right[node])
            if not step.any():
                mean: Array = self._shares[self._feature[node]].sum(axis=0) / len(self._roots)
                return mean
            node += step


def keep_kernel(model: Any) -> dict[str, Array]:
    """What an RBF support vector machine is made of, less its support vectors."""
    if not hasattr(model, "classes_"):
        return {
            "dual_coef": model.dual_coef_[0], "intercept": model.intercept_, "gamma": np.array(model._gamma),
        }  # fmt: skip
    return {
        "classes": model.classes_, "dual_coef": model.dual_coef_, "intercept": model.intercept_,
        "n_support": model.n_support_, "gamma": np.array(model._gamma),
    }  # fmt: skip


class KernelMachine:
    """An RBF support vector machine, one class against one, as scikit-learn's ``SVC``.

    Parameters
    ----------
    arrays : mapping
        Of `keep_kernel`.
    vectors : ndarray, shape (n_vectors, n_features)
        Its support vectors, class by class.

    Attributes
    ----------
    pair_weights : ndarray, shape (n_pairs, n_vectors)
        Of each vector in each pair of classes.
    """

    def __init__(self, arrays: Arrays, vectors: Array) -> None:
        self.classes_, self._vectors, self._gamma = arrays["classes"], vectors, float(arrays["gamma"])
        self._each_pair = list(combinations(range(len(self.classes_)), 2))
        self._intercept = arrays["intercept"]
        self.pair_weights = _pair_weights(arrays["dual_coef"], arrays["n_support"].astype(np.int64), self._each_pair)

    def decision_function(self, features: Array) -> Array:
        """Margins of two classes, (n,); of more, votes and a little of their margins, (n, n_classes)."""
        pairs = self._pairs(features)
        if len(self.classes_) == 2:
            margin: Array = pairs[:, 0]
            return margin
        total = np.zeros((len(features), len(self.classes_)))
        for (i, j), margin in zip(self._each_pair, pairs.T, strict=True):
            total[:, i] += margin
            total[:, j] -= margin
        return self._votes(pairs) + total / (3 * (np.abs(total) + 1))

    def predict(self, features: Array) -> Array:
        """The class of most votes, the first of equals."""
        pairs = self._pairs(features)
        chosen = self._votes(pairs).argmax(axis=1) if len(self.classes_) > 2 else (pairs[:, 0] > 0).astype(np.int64)
        return self.classes_[chosen]

    def _votes(self, pairs: Array) -> Array:
        votes = np.zeros((len(pairs), len(self.classes_)))
        for (i, j), margin in zip(self._each_pair, pairs.T, strict=True):
            votes[:, i] += margin > 0
            votes[:, j] += margin <= 0
        return votes

    def _pairs(self, features: Array) -> Array:
        """Margins of each pair of classes, (n, n_pairs)."""
        margins: Array = _kernel(features, self._vectors, self._gamma) @ self.pair_weights.T + self._intercept
        return margins


class KernelValues:
    """An RBF support vector regression, as scikit-learn's ``SVR``; parameters as of `KernelMachine`."""

    def __init__(self, arrays: Arrays, vectors: Array) -> None:
        self._vectors, self._gamma = vectors, float(arrays["gamma"])
        self._weights, self._intercept = arrays["dual_coef"], arrays["intercept"][0]

    def predict(self, features: Array) -> Array:
        """Values, (n,)."""
        values: Array = _kernel(features, self._vectors, self._gamma) @ self._weights + self._intercept
        return values


def _kernel(features: Array, vectors: Array, gamma: float) -> Array:
    """The RBF kernel of clips and vectors, (n, n_vectors)."""
    squares = (features**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1)
    kernel: Array = np.exp(-gamma * np.maximum(squares - 2 * features @ vectors.T, 0))
    return kernel


def _pair_weights(dual: Array, n_support: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """Weight of each vector in each pair of classes, (n_pairs, n_vectors).

    Scikit-learn keeps it, of a vector of class i against class j, in row j, or row j - 1 where j comes after i.
    """
    if len(pairs) == 1:
        return dual
    ends = np.cumsum(n_support)
    own = [slice(end - count, end) for count, end in zip(n_support, ends, strict=True)]
    weights = np.zeros((len(pairs), dual.shape[1]))
    for row, (i, j) in zip(weights, pairs, strict=True):
        row[own[i]], row[own[j]] = dual[j - 1, own[i]], dual[i, own[j]]
    return weights
