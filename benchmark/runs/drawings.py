"""What a source sees of a task's clips, as picture files: the first clip of each class through its front end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput, NotApplicable
from mirbench.features import audio
from mirbench.features.datasets import dataset_folder, read_task
from mirbench.features.networks import load_network
from mirbench.features.weights import find_weights
from mirbench.places import default_cache
from mirbench.progress import Progress
from mirbench.runs.run_folders import file_name
from mirbench.source import WHOLE, SourceCard
from mirbench.tables import target_of
from mirbench.types import Clip, Split, Task, excerpts

if TYPE_CHECKING:
    from torch import nn

__all__ = ["draw_clips"]


def draw_clips(
    task: Task,
    card: SourceCard,
    options: Mapping[str, Any],
    folder: Path,
    *,
    data: Path | None = None,
    weights: Path | None = None,
    progress: Progress,
) -> list[Path]:
    """Write a picture of the first clip of each class; low frequencies are at the bottom.

    Pictures of a front end in [0, 1] are drawn as they are, from black to white; of another from the least to the
    greatest value of each.

    Parameters
    ----------
    options : mapping
        Of the source, all of them.
    folder : Path
        Is made where it is not there.

    Raises
    ------
    NotApplicable
        If the source makes no pictures, or the clips are pictures.
    """
    if task.medium == "picture":
        raise NotApplicable(f"{task.name}: its clips are picture files, which a source sees as they are")
    if "frontend" not in card.offers:
        raise NotApplicable(f"{card.name} makes no pictures: it offers {', '.join(card.offers)}")
    clips = list(_firsts(read_task(task, dataset_folder(task, data, default_cache(), progress))[0]))
    places = excerpts(Split(task, tuple(clips)))
    front = _front_end(card, options, weights, progress)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for clip, place in zip(clips, places, strict=True):
        heard = audio.read(place, card.sample_rate)
        if not math.isinf(seconds := _seconds(card, options)):
            heard = audio.cut(heard, [0], round(seconds * card.sample_rate))[0]
        written.append(folder / f"{file_name(f'{clip.present[0]} {clip.id}')}.png")
        _write(_picture(front, heard), written[-1])
    return written


def _firsts(clips: Sequence[Clip]) -> Iterator[Clip]:
    seen: set[str] = set()
    for clip in clips:
        if clip.present and clip.present[0] not in seen:
            seen.add(clip.present[0])
            yield clip


def _seconds(card: SourceCard, options: Mapping[str, Any]) -> float:
    asked = options.get("seconds", card.seconds)
    return math.inf if asked == WHOLE else float(asked)


def _front_end(card: SourceCard, options: Mapping[str, Any], weights: Path | None, progress: Progress) -> nn.Module:
    """A front end without the network behind it, where that needs no weights."""
    if card.front:
        front: nn.Module = target_of(card.front)(card.sample_rate, options)
        return front
    found = find_weights(card, weights, default_cache(), progress, options)
    if found is None:
        raise BadInput(f"{card.name}: it has no network here")
    made: nn.Module = load_network(card, (found.path, *found.extra), options)
    return made


def _picture(front: nn.Module, heard: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    import torch

    draw = getattr(front, "frontend", front)
    with torch.no_grad():
        picture: npt.NDArray[np.float32] = draw(torch.from_numpy(np.ascontiguousarray(heard))[None])[0, 0].numpy()
    return picture


def _write(picture: npt.NDArray[np.float32], path: Path) -> None:
    from PIL import Image

    low, high = float(picture.min()), float(picture.max())
    if low < 0.0 or high > 1.0:  # in levels, not in shades
        picture = (picture - low) / max(high - low, 1e-9)
    grey = np.round(255 * picture[::-1]).astype(np.uint8)
    Image.fromarray(np.ascontiguousarray(grey)).save(path)
