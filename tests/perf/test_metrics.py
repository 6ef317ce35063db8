"""What scores of all classes at once are worth: ``pytest -m perf -s tests/perf/test_metrics.py`` prints ratios.

Everything that a task reports, as `mirbench.metrics` computes it, beside the same with the areas under curves taken
class by class by scikit-learn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mirbench.metrics import METRICS, SINGLE_LABEL, TAGGING, evaluate
from mirbench.types import FloatArray, Targets

AREAS = {"roc-auc": roc_auc_score, "pr-auc": average_precision_score}


def class_by_class(names: tuple[str, ...], scores: FloatArray, targets: Targets) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        score = AREAS.get(name.removesuffix("-per-class"))
        if score is None:
            found[name] = METRICS[name].function(scores, targets)
            continue
        values = []
        for k in range(scores.shape[1]):
            known = targets.known[:, k]
            values.append(score(targets.value[known, k] >= 0.5, scores[known, k]))
        found[name] = values if name.endswith("-per-class") else float(np.mean(values))
    return found


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


@pytest.mark.perf
@pytest.mark.parametrize(("n_clips", "n_classes"), [(60, 10), (290, 10), (1000, 20), (5000, 50), (50_000, 11)])
@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_scores_of_all_classes_at_once_beside_class_by_class(kind: str, n_clips: int, n_classes: int) -> None:
    generator = np.random.default_rng(0)
    scores = generator.random((n_clips, n_classes)).astype(np.float32)
    value = np.eye(n_classes, dtype=np.float32)[generator.permutation(n_clips) % n_classes]
    known, names = np.ones(value.shape, dtype=np.bool_), SINGLE_LABEL
    if kind == "multi-label":
        known, names = generator.random(value.shape) < 0.7, TAGGING
    targets = Targets(value, known, "single-label" if kind == "single-label" else "multi-label")
    before, after = [], []
    for _ in range(7):
        before.append(cpu_seconds(lambda: class_by_class(names, scores, targets)))
        after.append(cpu_seconds(lambda: evaluate(names, scores, targets)))
    old, new = statistics.median(before), statistics.median(after)
    print(
        f"\n{kind}, {n_clips} clips of {n_classes} classes: class by class {1e3 * old:.2f} ms, at once "
        f"{1e3 * new:.2f} ms: {old / new:.1f} times as fast"
    )
