"""Which classes of a source stand for which class of the task: by name, by what the source answers to train, by Bayes.

A map is a matrix (n_outputs, n_classes) of weights whose columns sum to one. What is here beside contiguous groups
(`mirbench.methods.reprogramming.adapters.LabelMapping`):

* names: the labels of the source that mean a class, as `zero-shot` finds them;
* FLM: each class takes the outputs that the source answers most often to its windows of train, greedily, the largest
  count first, none twice; ILM: the same, counted anew through the adapter before each epoch;
* BLM: every output, weighted by how often the class is the right one where the source answers that output, smoothed and
  brought to a sum of one, anew before each epoch; BLM+ counts the probabilities of the likeliest outputs, and not one
  answer.

References
----------
FLM and ILM: Chen, Yao, Chen, Zhang, Liu (2023), Understanding and improving visual prompting: a label-mapping
perspective, CVPR. BLM: Cai, Ye, Feng, Qi, Liu (2024), Bayesian-guided label mapping for visual reprogramming, NeurIPS;
code of both kinds: tmlr-group/BayesianLM, mapping.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mirbench.errors import NotApplicable
from mirbench.methods.reprogramming.label_names import match, require_named
from mirbench.types import FloatArray, IntArray, Split

if TYPE_CHECKING:
    from mirbench import Context
    from mirbench.methods.training.batch import Inputs

__all__ = ["WeightedMapping", "answers", "bayes", "by_frequency", "by_name", "learn_weights", "likeliest"]

SMOOTHING = 1.0
"""Laplace's, of BLM and BLM+; the code's."""
TOP_SHARE = 0.15
"""How many outputs BLM+ looks at, as a share of the number of classes: the code's for image networks, but one at
least."""

Floats = npt.NDArray[np.float64]


class WeightedMapping(nn.Module):
    """Logits of the task's classes from those of the source's, by a matrix that is kept with what is learnt.

    Parameters
    ----------
    n_outputs, n_classes : int
        Of the source and of the task.
    rule : {"mean-prob", "logits"}
        Log-odds of the weighted mean of the source's probabilities, or, as in BLM's code, the weighted sum of its
        logits.
    activation : {"sigmoid", "softmax"}
        What makes the source's probabilities.
    """

    weights: Tensor

    def __init__(self, n_outputs: int, n_classes: int, rule: str, activation: str) -> None:
        super().__init__()
        self.rule, self.activation = rule, activation
        self.register_buffer("weights", torch.full((n_outputs, n_classes), 1.0 / n_outputs))
        self.passes = False
        """Whether the source's own logits pass as they are, while its answers are counted."""

    def forward(self, logits: Tensor) -> Tensor:
        """(n, n_outputs) -> (n, n_classes) logits."""
        if self.passes:
            return logits
        if self.rule == "logits":
            return logits @ self.weights.to(logits.dtype)
        log_weights = self.weights.log()  # -inf where an output has no part
        if self.activation == "sigmoid":
            yes, no = (
                (nn.functional.logsigmoid(sign * logits).unsqueeze(2) + log_weights).logsumexp(dim=1)
                for sign in (1.0, -1.0)
            )
            return yes - no
        yes = (logits.log_softmax(dim=1).unsqueeze(2) + log_weights).logsumexp(dim=1).clamp(max=-1e-6)
        return yes - torch.log(-torch.expm1(yes))


def answers(scores: Floats, values: Floats) -> Floats:
    """How often a source answers each output to windows of each class, (n_outputs, n_classes).

    Parameters
    ----------
    scores : ndarray, shape (n_windows, n_outputs)
        Its answer to a window is the largest.
    values : ndarray, shape (n_windows, n_classes)
        1 for a class of the window's clip, 0 for another. A clip of several counts for each of them.
    """
    return likeliest(np.ones_like(scores), values, 1, order=scores)


def likeliest(probabilities: Floats, values: Floats, k: int, order: Floats | None = None) -> Floats:
    """Sums of the k likeliest outputs of each window, by class, (n_outputs, n_classes); shapes as of `answers`."""
    order = probabilities if order is None else order
    first = np.argsort(-order, axis=1, kind="stable")[:, :k]
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, first, np.take_along_axis(probabilities, first, axis=1), axis=1)
    return kept.T @ values


def by_frequency(counts: Floats, per_class: int, lift: Floats | None = None) -> Floats:
    """FLM: the largest count first, each output for one class, `per_class` outputs for each.

    Parameters
    ----------
    counts : ndarray, shape (n_outputs, n_classes)
        Whole numbers, of `answers`.
    lift : ndarray of the same shape, or None
        From -1 to 1: what decides between equal counts, of which there are many where a source answers "music" to
        everything; then the first output and class do.
    """
    left = counts.astype(np.float64)
    if lift is not None:
        left = left + (lift + 1.0) / 2.001
    weights = np.zeros(counts.shape)
    for _ in range(per_class * counts.shape[1]):
        output, column = np.unravel_index(np.argmax(left), left.shape)
        weights[output, column] = 1.0 / per_class
        left[output] = -np.inf
        if np.count_nonzero(weights[:, column]) == per_class:
            left[:, column] = -np.inf
    return weights


def bayes(counts: Floats, smoothing: float = SMOOTHING) -> Floats:
    """BLM: how likely a class is where an output was answered, over the sum of that of all outputs.

    A class that nothing was counted for has the mean of all outputs.
    """
    likely = counts / (counts.sum(axis=1, keepdims=True) + smoothing)
    total = likely.sum(axis=0, keepdims=True)
    even = np.full(counts.shape, 1.0 / len(counts))
    return np.where(total > 0, likely / np.where(total > 0, total, 1.0), even)


def by_name(classes: Sequence[str], labels: Sequence[str]) -> tuple[Floats, list[str]]:
    """The labels that mean each class, alike; and the classes that no label means.

    Each of those has an output that means no class, the first that is free.

    Raises
    ------
    NotApplicable
        If there are too few.
    """
    meant = match(classes, labels)
    taken = {k for outputs in meant.values() for k in outputs}
    free = iter([k for k in range(len(labels)) if k not in taken])
    weights = np.zeros((len(labels), len(classes)))
    for column, name in enumerate(classes):
        outputs = meant[name] or list(itertools.islice(free, 1))
        if not outputs:
            raise NotApplicable(f"mapping=names: no output is left for {name}, which no label of the source means")
        weights[outputs, column] = 1.0 / len(outputs)
    return weights, [name for name in classes if not meant[name]]


def learn_weights(
    kind: str,
    module: nn.Module,
    context: Context,
    train: Split,
    inputs: Callable[[], Inputs],
    per_class: int,
) -> None:
    """Put what is known of train before training into the `WeightedMapping` of a module.

    Parameters
    ----------
    kind : {"names", "flm", "ilm", "blm", "blm+"}
        See the module's own words.
    module : Module
        Of which `output` is the source's head and the mapping. One whose mapping is counted anew before each epoch gets
        a function `before_epoch`, which the loop calls.
    inputs : callable
        What the module is fed of train.
    per_class : int
        Outputs of a class, of FLM and ILM.

    Notes
    -----
    The first count is of the source as it is, without the adapter, whose random start it would hear else; so it is in
    the first epoch of ILM, BLM and BLM+.

    Raises
    ------
    NotApplicable
        If the source has no names.
    """
    output: Any = module.output
    mapping: WeightedMapping = output[-1]
    if kind == "names":
        labels = tuple(getattr(context.source.network, "labels", ()))
        require_named(context.source.card, named=bool(labels))
        weights, silent = by_name(train.task.classes, labels)
        if silent:
            lacking = ", ".join(silent)
            context.progress.say(
                f"{context.source.card.name} has no label for {lacking}: an output that means no class stands for it"
            )
        _put(mapping, weights)
        return

    def count(logits: FloatArray, clip_index: IntArray) -> None:
        values = (train.targets().value * train.targets().known)[clip_index] > 0.5
        _put(mapping, _counted(kind, logits, values, per_class, mapping.activation))

    pooled = context.source.pooled(train)
    count(_own_logits(output[0], np.asarray(pooled.values), context), pooled.clip_index)
    if kind == "flm":
        return

    def before_epoch() -> None:
        from mirbench.methods.training.fitting import window_logits

        mapping.passes = True
        try:
            seen = inputs()
            logits = window_logits(module, seen, context)
        finally:
            mapping.passes = False
        count(logits, seen.clip_index)

    module.before_epoch = before_epoch  # type: ignore[assignment]


def _counted(kind: str, logits: FloatArray, values: npt.NDArray[Any], per_class: int, activation: str) -> Floats:
    """The matrix of a kind, of a source's logits of windows and the classes of their clips."""
    own, right = torch.from_numpy(np.asarray(logits, np.float64)), values.astype(np.float64)
    probabilities: Floats = (own.sigmoid() if activation == "sigmoid" else own.softmax(dim=1)).numpy()
    if kind == "blm+":
        return bayes(likeliest(probabilities, right, max(1, int(TOP_SHARE * right.shape[1]))))
    counts = answers(own.numpy(), right)
    if kind == "blm":
        return bayes(counts)
    n_windows = np.maximum(right.sum(axis=0), 1.0)
    lift = probabilities.T @ right / n_windows - probabilities.mean(axis=0)[:, None]
    return by_frequency(counts, per_class, lift)


@torch.no_grad()
def _own_logits(head: nn.Module, pooled: npt.NDArray[Any], context: Context) -> FloatArray:
    parts = [
        head(context.source.tensor(pooled[slice(i, i + 1024)])).float().cpu().numpy()
        for i in range(0, len(pooled), 1024)
    ]
    logits: FloatArray = np.concatenate(parts)
    return logits


def _put(mapping: WeightedMapping, weights: Floats) -> None:
    mapping.weights.copy_(torch.as_tensor(weights, dtype=mapping.weights.dtype))
