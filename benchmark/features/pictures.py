"""Picture files, for tasks whose clips are pictures: read with Pillow, surveyed like audio."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadAudio
from mirbench.features import audio
from mirbench.progress import Progress
from mirbench.types import Excerpt

__all__ = ["SUFFIXES", "read", "survey"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
"""How picture files are called."""


def read(path: Path) -> npt.NDArray[np.uint8]:
    """A picture as RGB, shape (height, width, 3); what is transparent becomes white.

    Raises
    ------
    BadAudio
        If the file cannot be decoded.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):  # Pillow would cut off what is above 255
                raise ValueError(f"pixels of mode {picture.mode}; 8 bits a colour are needed")
            layered = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadAudio([f"{path}: broken, or not a picture ({str(error).partition(chr(10))[0]})"]) from error
    white = Image.new("RGBA", layered.size, "white")
    return np.asarray(Image.alpha_composite(white, layered).convert("RGB"))


def survey(excerpts: Sequence[Excerpt], memo: Path, progress: Progress, workers: int = 2) -> dict[Excerpt, audio.Facts]:
    """Hash and decode every picture once; see `mirbench.features.audio.survey`."""
    return audio.survey(excerpts, memo, progress, workers, _look, "pictures")


def _look(excerpt: Excerpt) -> audio.Facts | str:
    path: Any = excerpt.path
    if not path.is_file():
        return f"{path}: no such file"
    try:
        read(path)
    except BadAudio as error:
        return error.faults[0]
    return audio.Facts(hashlib.sha256(path.read_bytes()).hexdigest())
