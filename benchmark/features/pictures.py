"""Picture files, for tasks whose clips are pictures: read with Pillow, surveyed like audio."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import NO_FILE, BadAudio, BadInput
from mirbench.features import audio
from mirbench.progress import Progress
from mirbench.types import Excerpt

__all__ = ["SUFFIXES", "read", "read_alike", "survey"]

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


def read_alike(paths: Sequence[Path], workers: int) -> npt.NDArray[np.uint8]:
    """Pictures of one size as RGB, shape (n, height, width, 3); decoded in some threads.

    Raises
    ------
    BadInput
        If they are not all of one size.
    """
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(read, paths))
    for path, picture in zip(paths, found, strict=True):
        if picture.shape != found[0].shape:
            height, width, _ = found[0].shape
            raise BadInput(f"{path}: {picture.shape[1]} x {picture.shape[0]} pixels, others {width} x {height}")
    return np.stack(found)


def survey(excerpts: Sequence[Excerpt], memo: Path, progress: Progress, workers: int = 2) -> dict[Excerpt, audio.Facts]:
    """Hash and decode every picture once; see `mirbench.features.audio.survey`."""
    return audio.survey(excerpts, memo, progress, workers, _look, "pictures")


def _look(excerpt: Excerpt) -> audio.Facts | str:
    path: Any = excerpt.path
    if not path.is_file():
        return f"{path}: {NO_FILE}"
    try:
        read(path)
    except BadAudio as error:
        return error.faults[0]
    return audio.Facts(hashlib.sha256(path.read_bytes()).hexdigest())
