"""Records with known scores, and what is measured and judged of them, for the tests of printed results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from mirbench import metrics
from mirbench.leaderboard.reproduction.answers import Answer, Measured
from mirbench.leaderboard.reproduction.printed import Printed
from mirbench.leaderboard.reproduction.quantities import measure
from mirbench.leaderboard.reproduction.rule import Verdict
from mirbench.leaderboard.reproduction.verdicts import compare
from mirbench.leaderboard.results import questions
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.types import Clip, Split, Task, Windowing

Lines = dict[tuple[str, str], dict[str, Any]]
"""Lines of a table by row and quantity."""

SPEC = RunSpec(
    "tones", "1", 0, Windowing(), "probe", "1", {"epochs": 7}, {}, "tiny", "1", {}, "a" * 64, "b" * 64, "float32", 0
)
FLAT = Task(
    "tones", "1", "for tests", "single-label", ("a", "b"), ("accuracy",), lambda root, fold: [], "tones", 4, 1.0
)
TAGS = replace(FLAT, kind="multi-label", classes=("a", "b", "c", "d", "e"), metrics=("two-class-macro-f1",))
OF_TAGS = ("two-class-macro-f1", "macro-f1", "roc-auc")


def flat(right: int, n_clips: int) -> tuple[Split, np.ndarray]:
    """Clips of two classes, the first `right` of which get their own."""
    true = np.arange(n_clips) % 2
    said = np.where(np.arange(n_clips) < right, true, 1 - true)
    clips = tuple(Clip(f"{n:05}", None, "test", (FLAT.classes[k],)) for n, k in enumerate(true))
    return Split(FLAT, clips), np.eye(2)[said] * 0.8 + 0.1


def tags(seed: int, n_clips: int = 300) -> tuple[Split, np.ndarray]:
    """Clips of five tags, each judged for about two thirds of them; the more frequent a tag, the better it is found."""
    rng = np.random.default_rng(0)  # the same clips, whatever the seed
    there = rng.random((n_clips, 5)) < np.linspace(0.2, 0.8, 5)
    unknown = rng.random((n_clips, 5)) < 1 / 3
    noise = np.random.default_rng(seed).random((n_clips, 5))
    scores = np.where(noise < np.linspace(0.4, 0.1, 5), 1 - there, there) * 0.6 + 0.2
    clips = tuple(
        Clip(
            f"{n:05}", None, "test", tuple(np.array(TAGS.classes)[row]),
            unknown=tuple(np.array(TAGS.classes)[masked & ~row]),
        )
        for n, (row, masked) in enumerate(zip(there, unknown, strict=True))
    )  # fmt: skip
    return Split(TAGS, clips), scores


def put(root: Path, spec: RunSpec, test: tuple[Split, np.ndarray], **facts: Any) -> None:
    split, scores = test
    names = OF_TAGS if split.task.kind == "multi-label" else ("accuracy", "balanced-accuracy")
    found = metrics.evaluate(names, scores, split.targets())
    given = {"n_trainable": 17_356, "classes": split.task.classes, "kind": split.task.kind, "metrics": found} | facts
    RunStore(root).write(RunRecord(spec, "done", **given), Scores.of(split, scores))


def answered(root: Path, tests: Sequence[tuple[Split, np.ndarray]], row: str = "row", **facts: Any) -> Answer:
    """A system with a seed for each of these predictions."""
    for seed, test in enumerate(tests):
        put(root, replace(SPEC, seed=seed, method=row), test, **facts)
    system = next(s for question in questions(root) for s in question.systems if s.record.spec.method == row)
    return Answer(row, system.name, (system,), standing=system.record.standing)


def number(value: str, quantity: str = "accuracy", unit: str = "fraction", **fields: Any) -> Printed:
    known = {"sd": None, "n_seeds": None, "n_clips": None, "same_clips": True, "dead": 0, "where": "p. 1", "note": ""}
    return Printed("t", fields.pop("row", "row"), quantity, value, unit, **(known | fields))


def verdict_of(printed: Printed, answer: Answer) -> Verdict:
    (line,) = compare([printed], [answer])
    return line.verdict


def measured(quantity: str, answer: Answer, **others: list[Answer]) -> Measured:
    return measure(quantity, answer, others)


def end(right: int, n_clips: int, side: int) -> float:
    """An end of Wilson's interval, by scipy."""
    found = binomtest(right, n_clips).proportion_ci(method="wilson")
    return float(found[side])
