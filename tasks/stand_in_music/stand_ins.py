"""Stand-ins: synthesised data in the layout of a real data set, read by the same code as that.

A stand-in shows that the machinery of its task works; it says nothing about music.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mirbench.tasks.stand_in_music.voices import scene
from mirbench.types import FloatArray, Task

__all__ = ["SAMPLE_RATE", "Step", "dealt", "names_by_split", "stand_in", "write_scene"]

SAMPLE_RATE = 16_000
"""Of the audio of every stand-in, in Hz."""

Step = Callable[..., None]


def stand_in(task: Task, synthesise: Callable[[Path, Step], None], n_clips: int, seconds: float, version: str) -> Task:
    """The stand-in of a task: its card with another name, and audio that is made on the spot.

    Parameters
    ----------
    synthesise : callable
        See `Task.synthesise`; it writes the layout that the task's own reader reads.
    n_clips : int
        Clips in one fold.
    seconds : float
        Length of a clip.
    version : str
        Raised when the synthesis changes.
    """
    return replace(
        task,
        name=f"{task.name}-demo",
        version=version,
        title=f"{task.title}: a synthesised stand-in, no music",
        folder=f"{task.folder}_demo",
        n_clips=n_clips,
        clip_seconds=seconds,
        standing="synthesised",
        datasets=(f"{task.name}-demo",),
        archives=(),
        reference="mirbench.tasks.stand_in_music.voices",
        license="MIT",
        notes=(
            f"{n_clips} clips of {seconds:g} s, synthesised on this machine in the layout of {task.folder}",
            "each class has a voice of its own in a mixture: it shows that the machinery works, nothing about music",
        ),
        demo="",
        synthesise=synthesise,
    )


def names_by_split(names: Iterable[str], split: Callable[[str], str], wanted: Mapping[str, int]) -> list[str]:
    """The first names of an endless supply whose splits, which go by the name, are as many as wanted of each."""
    left, taken = dict(wanted), []
    for name in names:
        if left.get(split(name), 0) > 0:
            left[split(name)] -= 1
            taken.append(name)
        if not any(left.values()):
            break
    return taken


def dealt(n_kinds: int, n_clips: int, seed: Sequence[int], each: int = 3) -> list[list[int]]:
    """Kinds for each clip, dealt like shuffled cards: every kind about as often as any other, up to `each` a clip."""
    rng = np.random.default_rng(list(seed))
    rounds = -(-each * n_clips // n_kinds)
    cards = np.concatenate([rng.permutation(n_kinds) for _ in range(rounds)])[: each * n_clips]
    return [sorted(set(hand)) for hand in cards.reshape(n_clips, each).tolist()]


def write_scene(path: Path, kinds: Sequence[int], n_kinds: int, seed: Sequence[int], seconds: float) -> FloatArray:
    """Write a clip in which each of the given kinds sounds, as its file's suffix says; returns its samples."""
    import soundfile

    audio = scene(kinds, n_kinds, np.random.default_rng(list(seed)), seconds=seconds, sample_rate=SAMPLE_RATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, SAMPLE_RATE)
    return audio
