"""Conformance checks for tasks, methods, sources and data sets: each returns a list of problems, empty if none.

Plugin authors run them by ``mirbench check FILE``; our own tests run them on every name of every registry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mirbench import metrics
from mirbench.errors import BadAudio, MissingData
from mirbench.features import audio, pictures
from mirbench.features.datasets import read_task
from mirbench.method import Fitted, Method, Restorable
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.trust.blindness import check_blind, told
from mirbench.trust.tiny_task import built, tiny_task
from mirbench.types import Clip, Split, Task, excerpts

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = [
    "built",
    "check_blind",
    "check_data",
    "check_method",
    "check_network",
    "check_task",
    "tiny_task",
]

_STAGES = {"frontend", "body", "layers", "pooled", "head"}


def check_task(task: Task) -> list[str]:
    """What is wrong with a task's card."""
    problems = []
    fewest, number = (1, "one") if task.kind == "regression" else (2, "two")
    if len(set(task.classes)) < max(len(task.classes), fewest):
        problems.append(f"classes must be {number} or more different names, not {task.classes}")
    if len(task.ranges) != (len(task.classes) if task.kind == "regression" else 0):
        problems.append(f"a range is needed for each target of a regression task, and for none else; not {task.ranges}")
    elif wrong_ranges := [pair for pair in task.ranges if not -np.inf < pair[0] < pair[1] < np.inf]:
        problems.append(f"a range is a lowest and a highest value, not {wrong_ranges[0]}")
    if unknown := [name for name in task.metrics if name not in metrics.METRICS]:
        problems.append(f"unknown metrics {unknown}; known: {', '.join(metrics.METRICS)}")
    elif not task.metrics:
        problems.append("needs at least one metric; the first selects")
    elif metrics.METRICS[task.metrics[0]].kind != "value":
        problems.append(f"the first metric selects and must be one number, not {task.metrics[0]}")
    if wrong := [m for m in task.metrics if m in metrics.METRICS and task.kind not in metrics.METRICS[m].task_kinds]:
        problems.append(f"metrics {wrong} are not defined for {task.kind} tasks")
    if task.n_folds < 1 or task.n_clips < 0:
        problems.append("n_folds must be at least 1, n_clips at least 0 (0: known once they are read)")
    for archive in task.archives:
        if archive.checksum and archive.checksum.partition(":")[0] not in ("md5", "sha256"):
            problems.append(f"the checksum of {archive.url} must begin with md5: or sha256:, or be empty")
    return problems


def check_clips(task: Task, folds: tuple[tuple[Clip, ...], ...]) -> list[str]:
    """What is wrong with the clips of a task, fold by fold."""
    problems: list[str] = []
    known = set(task.classes)
    for fold, clips in enumerate(folds):
        where = f"fold {fold}: " if len(folds) > 1 else ""
        if task.n_clips and len(clips) != task.n_clips:
            problems.append(f"{where}{len(clips)} clips, the card says {task.n_clips}")
        twice = [name for name, count in Counter(clip.id for clip in clips).items() if count > 1]
        if twice:
            problems.append(f"{where}ids that occur twice: {', '.join(twice[:5])}")
        for split in ("train", "valid", "test"):
            if not any(clip.split == split for clip in clips):
                problems.append(f"{where}no clip is in {split}")
        for clip in clips:
            strange = {*clip.labels, *clip.unknown} - known
            if strange or (task.kind == "single-label" and len(clip.labels) != 1):
                problems.append(f"{where}{clip.id} has labels {clip.labels}, unknown {clip.unknown}")
            if set(clip.labels) & set(clip.unknown):
                problems.append(f"{where}{clip.id} has a label that is also unknown: {clip.labels}, {clip.unknown}")
            if clip.strengths and (
                len(clip.strengths) != len(clip.labels) or not all(0 < s <= 1 for s in clip.strengths)
            ):
                problems.append(f"{where}{clip.id} has strengths {clip.strengths}; one in (0, 1] a label is needed")
            if fault := _wrong_values(clip, task):
                problems.append(f"{where}{clip.id} {fault}")
        groups: dict[str, set[str]] = {}
        for clip in clips:
            if clip.group:
                groups.setdefault(clip.group, set()).add(clip.split)
        problems += [
            f"{where}group '{group}' is in {' and '.join(sorted(splits))}; a group belongs to one split"
            for group, splits in groups.items()
            if len(splits) > 1
        ]
    return problems


def _wrong_values(clip: Clip, task: Task) -> str:
    """What is wrong with the values of a clip; of a task that asks for none, that it has some."""
    if len(clip.values) != (len(clip.labels) if task.kind == "regression" else 0):
        return f"has values {clip.values} of {clip.labels}; one for each label of a regression task is needed"
    ranges = dict(zip(task.classes, task.ranges, strict=False))
    for name, value in zip(clip.labels, clip.values, strict=True) if clip.values else ():
        low, high = ranges.get(name, (-np.inf, np.inf))
        if not low <= value <= high:
            return f"has {name} {value:g}, outside of its range {low:g} to {high:g}"
    return ""


def check_data(task: Task, folder: Path, cache: Path, progress: Progress) -> list[str]:
    """What is wrong with a data set on this machine: layout, counts, and every audio file."""
    try:
        folds = read_task(task, folder)
    except MissingData as error:
        return [str(error)]
    problems = check_clips(task, folds)
    try:
        places = {place for clips in folds for place in excerpts(Split(task, clips))}
    except MissingData as error:
        return [*problems, str(error)]
    look = pictures.survey if task.medium == "picture" else audio.survey
    try:
        facts = look(sorted(places, key=lambda p: str(p.path)), cache / "files.sqlite", progress)
    except BadAudio as error:
        return [*problems, *error.faults]
    if task.medium == "picture":
        return problems
    low = 0.9 * task.clip_seconds
    problems += audio.oddities(facts)
    problems += [
        f"{place.path}: {audio.heard_seconds(place, fact):.2f} s long, {task.clip_seconds:g} s are expected"
        for place, fact in facts.items()
        if audio.heard_seconds(place, fact) < low
    ]
    return problems


def check_network(card: SourceCard, network: Any) -> list[str]:
    """What is wrong with a source network: shapes, determinism, batch-mates, gradients, counts."""
    import torch

    problems: list[str] = []
    if strange := set(card.offers) - _STAGES:
        return [f"offers {sorted(strange)}; known stages: {', '.join(sorted(_STAGES))}"]
    n_samples = round(card.sample_rate * card.seconds)
    generator = torch.Generator().manual_seed(0)
    sound = 0.1 * torch.randn(2, n_samples, generator=generator)
    sound.requires_grad_(True)
    network.eval()
    picture = network.frontend(sound) if "frontend" in card.offers else sound
    if "frontend" in card.offers:
        _expect(problems, "frontend", picture.shape, (2, 1, card.n_bands, card.n_frames))
    wanted = tuple(range(card.n_layers)) if "layers" in card.offers else ()
    found = network.body(picture, layers=wanted)
    _expect(problems, "body's pooled", found.pooled.shape, (2, card.n_features))
    if set(found.layers) != set(wanted) or any(layer.ndim != 3 for layer in found.layers.values()):
        problems.append(f"body must return just the layers asked for, each (n, n_tokens, width); asked {wanted}")
    if "head" in card.offers:
        out = network.head(found.pooled)
        _expect(problems, "head", out.shape, (2, card.n_outputs))
        out.sum().backward()
        if "frontend" in card.offers and (sound.grad is None or not float(sound.grad.abs().sum()) > 0):
            problems.append("no gradient reaches the audio")
    with torch.no_grad():
        alone = network.body(network.frontend(sound[:1]) if "frontend" in card.offers else sound[:1]).pooled
    if not torch.allclose(alone, found.pooled[:1].detach(), atol=1e-4, rtol=1e-3):
        problems.append("the embedding of a window depends on its batch-mates")
    count = sum(p.numel() for p in network.parameters())
    if count != card.n_parameters:
        problems.append(f"has {count:,} parameters, the card says {card.n_parameters:,}")
    return problems


def _expect(problems: list[str], what: str, came: Any, needed: tuple[int, ...]) -> None:
    if tuple(came) != needed:
        problems.append(f"{what} has shape {tuple(came)}; {needed} is needed")


def check_method(
    method: type[Method],
    context: Context,
    task_splits: tuple[Split, Split, Split],
    params: Mapping[str, Any] | None = None,
) -> list[str]:
    """What is wrong with a method, tried on a tiny task: its class, its predictions, its determinism, its manners.

    Parameters
    ----------
    params : mapping or None
        Hyperparameters that differ from the defaults.
    """
    problems: list[str] = []
    if not getattr(getattr(method, "__dataclass_params__", None), "frozen", False):
        problems.append("must be a frozen dataclass whose fields are its hyperparameters")
    for word in ("name", "version"):
        if not isinstance(getattr(method, word, None), str) or not getattr(method, word):
            problems.append(f"{word} must be a class attribute of type str, and not a field")
    if strange := set(method.needs) - _STAGES:
        problems.append(f"needs {sorted(strange)}; known stages: {', '.join(sorted(_STAGES))}")
    if problems:
        return problems
    train, valid, test = task_splits
    scores = []
    for _ in range(2):
        try:
            fitted: Any = method(**(params or {})).fit(train, valid, context, seed=0)
            if not isinstance(fitted, Fitted):
                return [f"fit must return a mirbench.Fitted, not {type(fitted).__name__}"]
            scores.append(fitted.predict(test.blind()))
            metrics.validate(scores[-1], test.targets(), len(test), len(test.classes))
            halves = [Split(test.task, test.clips[i::2]) for i in (0, 1)]
            apart = np.concatenate([fitted.predict(half.blind()) for half in halves])
            restored = _restored(method(**(params or {})), fitted, test, context)
        except Exception as error:  # a plugin may raise anything; the author wants to read it
            return [told(error, method)]
    together = np.concatenate([scores[-1][0::2], scores[-1][1::2]])
    if not np.allclose(together, apart, atol=1e-4):
        problems.append("the score of a clip depends on which other clips are predicted with it")
    if not np.allclose(scores[0], scores[1], atol=1e-5):
        problems.append("two fits with the same seed differ: take every random number from `seed`")
    if getattr(method(**(params or {})), "uses_seed", True) is False:
        other = method(**(params or {})).fit(train, valid, context, seed=1)
        if not np.array_equal(other.predict(test.blind()), scores[1]):
            problems.append("it says `uses_seed = False`, and predicts otherwise from seed 1 than from seed 0")
    if getattr(method(**(params or {})), "uses_valid", True) is False:
        fewer = Split(valid.task, valid.clips[: len(valid) // 2])
        other = method(**(params or {})).fit(train, fewer, context, seed=0)
        if not np.allclose(other.predict(test.blind()), scores[1], atol=1e-5):
            problems.append("it says `uses_valid = False`, and predicts otherwise with fewer clips in valid")
    if not np.allclose(restored, scores[1], atol=1e-5):
        problems.append("a restored model predicts otherwise: `state` must hold all that was learnt")
    if hasattr(method, "restore") and not fitted.state and fitted.n_trainable != 0:
        problems.append("what it learnt is not stored: return it as `state`, or n_trainable=0 where nothing is learnt")
    if changed := context.source_changed():
        problems.append(changed)
    return problems


def _restored(method: Method, fitted: Fitted, test: Split, context: Context) -> Any:
    """What a method that can be restored predicts from its state as it is stored; else what it predicts anyway."""
    from safetensors.numpy import load, save

    if not isinstance(method, Restorable):
        return fitted.predict(test.blind())
    stored = save({name: np.asarray(value, order="C") for name, value in fitted.state.items()})
    return method.restore(load(stored), test.blind(), context)(test.blind())
