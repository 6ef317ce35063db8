"""Folders of thousands of synthetic records, laid out and sized as real runs leave them, for benchmarks.

Nothing was trained: scores are drawn around the true labels, of each system as skilled as it happens to be; metrics,
hashes and keys are then computed of them as of any run, so that ``mirbench verify`` finds that every record holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mirbench import metrics
from mirbench.record import RunRecord, RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.record_file import as_text
from mirbench.runs.scores import Scores, target_hashes
from mirbench.runs.store import RunStore
from mirbench.tasks.gtzan import GTZAN, GTZAN_MINI
from mirbench.tasks.openmic import OPENMIC
from mirbench.types import FloatArray, Targets, Task, Windowing

__all__ = ["write_records"]

METHODS = (
    "probe-linear", "probe-svm", "probe-forest", "probe-mlp", "knn", "layer-mix", "picture-mlp", "tf-retrain",
    "mean-teacher", "finetune", "nrp", "cnnrp", "unet-rp", "padding-rp", "ii-nmr", "id-nmr", "ids-nmr", "bl-cnn",
    "zero-shot", "ast-bs",
)  # fmt: skip
SOURCES = ("ast", "efficientat-mn04", "efficientat-mn10", "speechatt", "vggish", "musicnn-mtat", "nano", "vit-b16")
N_SEEDS = 5
_EPOCHS = 30
_KNOWN = 0.1  # of OpenMIC's labels: each clip was judged for about two of its twenty instruments
_OPENMIC_CLIPS = 5_085


@dataclass(frozen=True)
class _Part:
    """A share of the records: a task, and of how many clips the test set of each fold is."""

    task: Task
    share: float
    n_clips: int


PARTS = (
    _Part(GTZAN_MINI, 0.5, 20),
    _Part(replace(GTZAN_MINI, name="gtzan-mini+shots5"), 0.3, 20),
    _Part(GTZAN, 0.15, 290),
    _Part(OPENMIC, 0.05, _OPENMIC_CLIPS),
)


def write_records(root: Path, n_records: int) -> int:
    """Write about `n_records` records below a folder: four tasks, every fold, five seeds. Returns how many."""
    store, catalogue, count = RunStore(root), Catalogue(), 0
    for part in PARTS:
        n_systems = max(2, round(n_records * part.share / (N_SEEDS * part.task.n_folds)))
        held_out = [_labels(part, fold) for fold in range(part.task.n_folds)]
        for number, spec in enumerate(islice(_systems(part.task, catalogue), n_systems)):
            for seed in range(N_SEEDS):
                for fold, (ids, groups, targets) in enumerate(held_out):
                    asked = replace(spec, seed=seed, fold=fold)
                    rng = np.random.default_rng([number, seed, fold])
                    scores = _scores(rng, number, targets)
                    held = Scores(ids, scores, targets, target_hashes(ids, targets), groups)
                    _write(store, _record(part.task, asked, held, rng), held)
                    count += 1
    return count


def _systems(task: Task, catalogue: Catalogue) -> Iterator[RunSpec]:
    """What is asked of one system after the other: methods and sources, then the same with other settings."""
    versions = {name: catalogue.version("method", name) for name in METHODS}
    of_sources = {name: catalogue.version("source", name) for name in SOURCES}
    for setting in range(10_000):
        for source in SOURCES:
            for method in METHODS:
                yield RunSpec(
                    task=task.name,
                    task_version=task.version,
                    fold=0,
                    windowing=Windowing(),
                    method=method,
                    method_version=versions[method],
                    params={"lr": 1e-4 * 2**setting, "batch": 32, "epochs": _EPOCHS, "patience": 0, "hidden": [512]},
                    search={},
                    source=source,
                    source_version=of_sources[source],
                    source_params={"input_norm": "audioset", "pooling": "class"},
                    source_sha256=hashlib.sha256(source.encode()).hexdigest(),
                    audio_sha256=hashlib.sha256(task.name.encode()).hexdigest(),
                    precision="float32",
                    seed=0,
                )


def _labels(part: _Part, fold: int) -> tuple[np.ndarray, np.ndarray, Targets]:
    """Ids, groups and labels of the test clips of a fold."""
    rng, n, n_classes = np.random.default_rng([part.n_clips, fold]), part.n_clips, len(part.task.classes)
    if part.task.kind == "single-label":
        ids = np.array([f"{part.task.classes[k % n_classes]}.{1000 * fold + k:05d}" for k in range(n)])
        true = np.eye(n_classes, dtype=np.float32)[np.arange(n) % n_classes]
        return ids, np.full(n, ""), Targets(true, np.ones_like(true, dtype=bool), "single-label")
    ids = np.array([f"{k:06d}_{rng.integers(400_000)}" for k in range(n)])
    known = rng.random((n, n_classes)) < _KNOWN
    value = np.where(known, rng.random((n, n_classes)).round(4), 0).astype(np.float32)
    groups = np.array([f"artist {number}" for number in rng.integers(n // 4, size=n)])
    return ids, groups, Targets(value, known, "multi-label")


def _scores(rng: np.random.Generator, system: int, targets: Targets) -> FloatArray:
    """Probabilities around the labels; systems differ in skill, and seeds of one in a few clips."""
    skill = 0.5 + 1.5 * np.random.default_rng(system).random()
    logits = rng.normal(size=targets.value.shape) + 2 * skill * (targets.value >= 0.5)
    if targets.kind == "multi-label":
        return (1 / (1 + np.exp(1 - logits))).astype(np.float32)
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def _record(task: Task, spec: RunSpec, held: Scores, rng: np.random.Generator) -> RunRecord:
    found = metrics.evaluate(task.metrics, held.scores, held.targets)
    n_test = len(held.clip_ids)
    return RunRecord(
        spec,
        "done",
        metrics=found,
        n_scored=metrics.n_scored(found),
        n_trainable=3_850,
        n_total=987_449,
        n_clips={"train": 3 * n_test, "valid": n_test, "test": n_test},
        seconds={"features": 41.7, "train": 3 + rng.random(), "epoch": 0.1 + 0.1 * rng.random(), "inference": 0.02,
                 "clips_per_second": 9 + rng.random()},
        memory={"cpu": 812_371_968, "gpu": None},
        flops=8_261_310_464,
        classes=task.classes,
        kind=task.kind,
        changed={} if spec.params["lr"] == 1e-4 else {"lr": spec.params["lr"]},
        history=_history(rng),
        standing=task.standing,
        n_folds=task.n_folds,
        environment={
            "mirbench": "0.3.0", "device": "cpu", "gpu": None, "threads": 1, "cores": 2, "load": 0.8,
            "processor": "Synthetic(R) Processor @ 2.00GHz", "platform": "Linux-6.1-x86_64", "python": "3.11.9",
            "finished": "2025-01-01T12:00:00+00:00",
            "versions": {"torch": "2.13.0", "numpy": "2.4.0", "scipy": "1.17.0"},
        },
    )  # fmt: skip


def _history(rng: np.random.Generator) -> Sequence[dict[str, Any]]:
    falling = 2 / np.arange(1, _EPOCHS + 1) + 0.1 * rng.random(_EPOCHS)
    return [
        {"loss": float(loss), "valid_score": float(1 - loss / 4), "valid_loss": float(1.1 * loss), "seconds": 0.15}
        for loss in falling
    ]


def _write(store: RunStore, record: RunRecord, held: Scores) -> None:
    """As `RunStore.write` does, which would wait for the disk three times a record."""
    folder = store.folder(record.spec)
    folder.mkdir(parents=True)
    packed = held.packed()
    (folder / "scores.npz").write_bytes(packed)
    record = replace(record, files={"scores.npz": hashlib.sha256(packed).hexdigest()})
    (folder / "record.json").write_text(as_text(record), encoding="utf-8")
