"""A task of a few seconds of sound that is made on the spot, for checks of methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mirbench import metrics
from mirbench.features import audio
from mirbench.features.networks import load_network
from mirbench.progress import Progress
from mirbench.source import SourceCard
from mirbench.types import Clip, Split, Task, excerpts

if TYPE_CHECKING:
    from mirbench.features.context import Context

__all__ = ["built", "tiny_context", "tiny_task"]


def tiny_task(folder: Path, lie: Literal["", "labels", "names"] = "") -> tuple[Split, Split, Split]:
    """Three classes of tones, noise and clicks, two seconds a clip: train, valid and test of a task for checks.

    Parameters
    ----------
    lie : {"", "labels", "names"}
        Which are another class's on the test clips: none, the labels, or names of files, ids and labels. The sound, and
        its order, are the same.
    """
    import soundfile

    rate, classes = 16_000, ("clicks", "noise", "tone")
    rng = np.random.default_rng(0)
    time = np.arange(2 * rate) / rate
    clips = []
    for name in classes:
        for number in range(8):
            sound = {
                "clicks": (np.arange(2 * rate) % int(rng.integers(2000, 4000)) == 0).astype(float),
                "noise": rng.normal(size=2 * rate),
                "tone": np.sin(2 * np.pi * rng.uniform(200, 2000) * time),
            }[name]
            split = "train" if number < 4 else "valid" if number < 6 else "test"
            other = classes[(classes.index(name) + 1) % len(classes)] if lie and split == "test" else name
            called = f"{other if lie == 'names' else name}{number}"
            path = folder / f"{called}.wav"
            soundfile.write(path, 0.5 * sound / np.abs(sound).max(), rate)
            clips.append(Clip(called, path, split, (other,)))
    names = tuple(
        name
        for name, metric in metrics.METRICS.items()
        if metric.kind == "value" and "single-label" in metric.task_kinds
    )
    task = Task(
        "tiny", "1", "for checks", "single-label", classes, names, lambda root, fold: clips, "tiny", len(clips), 2.0
    )
    train, valid, test = (Split(task, tuple(c for c in clips if c.split == s)) for s in ("train", "valid", "test"))
    return train, valid, test


def tiny_context(card: SourceCard, splits: tuple[Split, Split, Split], folder: Path, progress: Progress) -> Context:
    """A context on the CPU for `tiny_task`, with a source that ships with mirbench."""
    import torch

    from mirbench.features.context import Context
    from mirbench.features.weights import find_weights

    cache = folder / "cache"
    places = [place for split in splits for place in excerpts(split)]
    facts = audio.survey(places, cache / "files.sqlite", Progress(quiet=True))
    weights = find_weights(card, None, cache, progress)
    return Context(
        facts=facts,
        cache=cache,
        device=torch.device("cpu"),
        card=card,
        load=lambda: built(card, weights.path if weights else None),
        source_identity=weights.sha256 if weights else "",
    )


def built(card: SourceCard, path: Path | None = None) -> Any:
    """The network of a card, from its weights, at the options' defaults."""
    return load_network(card, (path,), card.options)
