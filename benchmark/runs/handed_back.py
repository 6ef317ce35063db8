"""What a method hands back, as a record and a file of a model can hold it, or refused with what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench import metrics
from mirbench.method import Fitted, Method
from mirbench.names import unseen
from mirbench.types import FloatArray, Split

__all__ = ["checked_fitted", "checked_scores", "predicted"]

_WHOLE = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_ARRAYS = {"bool", "float64", "float32", "float16", *_WHOLE}
"""Types of numbers that a file of a model holds."""


def checked_fitted(fitted: Any, method: Method) -> Fitted:
    """What fit returned, as a record and a file of a model can hold it.

    Raises
    ------
    TypeError
        If they cannot.
    """
    if not isinstance(fitted, Fitted):
        raise TypeError(f"fit of {method.name} must return a mirbench.Fitted, not {type(fitted).__name__}")
    if not callable(fitted.predict):
        raise TypeError(f"predict of what fit returns is a {type(fitted.predict).__name__}; a function is needed")
    if fitted.valid_score is not None and not isinstance(fitted.valid_score, float | int | np.floating):
        raise TypeError(f"valid_score is a {type(fitted.valid_score).__name__}; a number is needed")
    return replace(fitted, state=_arrays(fitted.state), history=_rows(fitted.history))


def _arrays(state: Any) -> dict[str, npt.NDArray[Any]]:
    """What was learnt, as a file can hold it.

    Raises
    ------
    TypeError
        If it is no mapping of text to arrays of numbers.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a mapping of names to arrays, not {type(state).__name__}")
    if wrong := [name for name in state if not isinstance(name, str) or unseen(name) or name == "__metadata__"]:
        raise TypeError(f"state has the name {ascii(wrong[0])[:40]}, which is not text that a file of a model can hold")
    arrays = {name: np.asarray(value, order="C") for name, value in state.items()}
    if wrong := [name for name, array in arrays.items() if array.dtype.name not in _ARRAYS]:
        raise TypeError(f"state['{wrong[0]}'] is an array of {arrays[wrong[0]].dtype}; numbers are needed")
    return arrays


def _rows(history: Any) -> list[Mapping[str, float]]:
    rows = list(history)
    if wrong := [row for row in rows if not isinstance(row, Mapping)]:
        raise TypeError(f"history has the row {wrong[0]!r:.40}; a mapping of names to numbers an epoch is needed")
    return rows


def predicted(fitted: Fitted, split: Split) -> FloatArray:
    """Scores of a split; raises where they cannot be probabilities of its clips."""
    return checked_scores(fitted.predict(split.blind()), split)


def checked_scores(scores: Any, split: Split) -> FloatArray:
    """Scores of a split, shape (n_clips, n_classes), wherever they are from.

    Raises
    ------
    TypeError, ValueError
        If they cannot be probabilities of its clips.
    """
    if not isinstance(scores, np.ndarray) or scores.dtype.kind not in "fiub":
        kind = f"an array of {scores.dtype}" if isinstance(scores, np.ndarray) else type(scores).__name__
        raise TypeError(f"predict must return a numpy array of numbers, not {kind}")
    metrics.validate(scores, split.targets(), len(split), len(split.classes))
    checked: FloatArray = scores
    return checked
