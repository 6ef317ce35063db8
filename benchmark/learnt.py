"""What a method shows of what it learnt: pictures and sounds with names, for `mirbench show RUN --learnt FOLDER`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

__all__ = ["Learnt", "LearntPicture", "LearntSound", "Panel"]


@dataclass(frozen=True)
class Panel:
    """A part of a picture.

    Parameters
    ----------
    title : str
        What is seen.
    values : ndarray, shape (n_rows, n_columns)
        The first row at the bottom.
    signed : bool
        Whether zero is the middle: drawn from blue over white to red.
    """

    title: str
    values: npt.NDArray[Any]
    signed: bool = False


@dataclass(frozen=True)
class LearntPicture:
    """Panels above each other, a file.

    Parameters
    ----------
    name : str
        Of the file, without suffix.
    said : str
        What it is, in a line.
    across, up : str
        What columns and rows are.
    """

    name: str
    said: str
    panels: tuple[Panel, ...]
    across: str = "frame"
    up: str = "band"


@dataclass(frozen=True)
class LearntSound:
    """A sound, a file.

    Parameters
    ----------
    name : str
        Of the file, without suffix.
    said : str
        What it is, in a line.
    samples : ndarray, shape (n_samples,)
        Full scale 1.
    rate : int
        Hz.
    """

    name: str
    said: str
    samples: npt.NDArray[Any]
    rate: int


Learnt = LearntPicture | LearntSound
