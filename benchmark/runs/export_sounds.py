"""Sounds on which an exported model is compared with its run: one's own, clips of the task, or made-up ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mirbench.errors import MirbenchError
from mirbench.features.datasets import dataset_folder
from mirbench.features.temporary import temporary
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.own_places import task_of
from mirbench.runs.predict import Model

__all__ = ["sounds_to_compare"]

_FEW = 8
_RATE, _SECONDS = 44_100, 12


@contextmanager
def sounds_to_compare(model: Model, given: Sequence[str], plugins: Sequence[Plugin]) -> Iterator[tuple[list[str], str]]:
    """Files, and what to call them; made-up ones are there within the block alone."""
    if given:
        yield list(given), "your files"
    elif clips := _clips(model, plugins):
        yield clips, f"clips of {model.record.spec.task}"
    else:
        with temporary() as folder:
            made = _made_up_pictures(folder) if model.medium == "picture" else _made_up(folder)
            yield made, "made-up sounds (the task's clips are not here; --check FILE takes real ones)"


def _clips(model: Model, plugins: Sequence[Plugin]) -> list[str]:
    """Some test clips of the task, one of each class first; none where its data is not here."""
    places = model.models.places
    try:
        task = Catalogue(plugins, places.data, places.weights).task(task_of(model.record, places.named, places.data))
        folder = dataset_folder(task, places.data, places.cache, Progress(quiet=True))
        clips = [clip for clip in task.read_clips(folder, 0) if clip.split == "test" and clip.path is not None]
    except MirbenchError:
        return []
    step = max(1, len(clips) // _FEW)
    return list(dict.fromkeys(str(clip.path) for clip in clips[::step][:_FEW] if Path(str(clip.path)).is_file()))


def _made_up(folder: Path) -> list[str]:
    """Noise, tones and clicks."""
    import soundfile

    generator, time = np.random.default_rng(0), np.arange(_RATE * _SECONDS) / _RATE
    sounds = {
        "noise": 0.1 * generator.standard_normal(len(time)),
        "tones": 0.2 * np.sin(2 * np.pi * 220 * time * (1 + (time // 1) % 4)),
        "clicks": ((time * 4) % 1 < 0.01) * generator.uniform(-0.5, 0.5, len(time)),
    }
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, _RATE)
    return [str(folder / f"{name}.wav") for name in sounds]


def _made_up_pictures(folder: Path) -> list[str]:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "noise.png")
    return [str(folder / "noise.png")]
