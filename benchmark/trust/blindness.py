"""Whether a method looks at what it must not know.

Methods run in the process of the harness, which holds the labels and knows the files: that a blind split has none of
them guards against mistakes, not against somebody who looks for them. Here a method is caught that does.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.features.temporary import temporary
from mirbench.method import Method
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.trust.tiny_task import tiny_context, tiny_task

__all__ = ["check_blind", "told"]

_LIES = {"labels": "labels", "names": "names of files or ids"}


def check_blind(
    method: type[Method], card: SourceCard, progress: Progress, params: Mapping[str, Any] | None = None
) -> list[str]:
    """Whether a method looks at the labels of test clips, or at names that give them away.

    It is fitted and predicts three times, with the same sound: as it is, with the test clips' labels shuffled, and with
    their files and ids called after another class, too. Whoever only listens says the same each time.

    Parameters
    ----------
    card : SourceCard
        A source that ships with mirbench.
    params : mapping or None
        Hyperparameters that differ from the defaults.
    """
    said: dict[str, Any] = {}
    for lie in ("", "labels", "names"):
        with temporary() as folder:
            train, valid, test = tiny_task(folder, lie)
            context = tiny_context(card, (train, valid, test), Path(folder), progress)
            try:
                fitted = method(**(params or {})).fit(train, valid, context, seed=0)
                said[lie] = np.asarray(fitted.predict(test.blind()))
            except Exception as error:  # it came through with true labels: the lie is what it stumbles over
                said[lie] = told(error, method)
    for lie, what in _LIES.items():
        if isinstance(said[lie], str) or not np.allclose(said[""], said[lie], atol=1e-4):
            why = f" ({said[lie]})" if isinstance(said[lie], str) else ""
            return [f"looks at {what} of the test clips: its predictions change with them, on the same sound{why}"]
    return []


def told(error: Exception, method: type[Method]) -> str:
    """What somebody else's method raised, with the last line of its own file on the way there."""
    own = inspect.getfile(method)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    where = f" (line {lines[-1]} of {Path(own).name})" if lines else ""
    return f"{type(error).__name__}: {error}{where}"
