"""Which methods and sources have a setting that the one that is asked has not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mirbench.method import Method
from mirbench.registry import Catalogue
from mirbench.source import further_options
from mirbench.tables import table

__all__ = ["OF_RUNS", "who_has"]

_FEW = 3
OF_RUNS = (
    "seeds", "fold", "windows", "average", "fit-on", "pad", "thresholds", "calibrate", "precision", "device", "threads",
)  # fmt: skip
"""What is no setting of a method or source, and may be taken for one."""


def who_has(name: str) -> str:
    """One or two sentences for a refusal; "" where nothing that ships with mirbench has a setting of that name.

    >>> who_has("n_trees")
    'It is a hyperparameter (--set) of probe-forest and marsyas-forest.'
    """
    catalogue = Catalogue()
    methods = [method for method in table("method") if name in _fields(catalogue.method(method))]
    sources = []
    for source in table("source"):
        card = catalogue.source(source)
        if name in {**card.options, **further_options(card)}:
            sources.append(source)
    said = [f"It is a hyperparameter (--set) of {_few(methods)}."] if methods else []
    said += [f"It is an option (--source-set) of {_few(sources)}."] if sources else []
    flag = name.replace("_", "-")
    said += [f"It is an option of a run: --{flag}."] if flag in OF_RUNS else []
    return " ".join(said)


def _fields(method: type[Method]) -> set[str]:
    return {field.name for field in dataclasses.fields(method)}  # type: ignore[arg-type]


def _few(names: Sequence[str]) -> str:
    """All of them, or the first and how many more.

    >>> _few(["a", "b"]), _few(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    if len(names) > _FEW + 1:
        return f"{', '.join(names[:_FEW])} and {len(names) - _FEW} more"
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
