"""What `mirbench show RUN --learnt FOLDER` writes: pictures and sounds of what was learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mirbench.errors import BadInput
from mirbench.learnt import Learnt, LearntPicture, LearntSound
from mirbench.places import path_text
from mirbench.runs.run_folders import file_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_learnt"]

_WIDTH, _HEIGHT = 7.0, 1.7
"""Inches of a panel."""


def write_learnt(found: Sequence[Learnt], folder: Path) -> list[tuple[Path, str]]:
    """Write what was learnt; returns each file with what it is.

    Parameters
    ----------
    folder : Path
        Is made where it is not there; files of the same names are replaced.

    Raises
    ------
    BadInput
        If the folder cannot be written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [(_write(one, folder), one.said) for one in found]
    except OSError as error:
        raise BadInput(f"--learnt {path_text(folder)}: cannot be written into ({error.strerror})") from error


def _write(one: Learnt, folder: Path) -> Path:
    if isinstance(one, LearntSound):
        import soundfile

        path = folder / f"{file_name(one.name)}.wav"
        soundfile.write(path, one.samples, one.rate)
        return path
    from mirbench.leaderboard.figures import save

    path = folder / f"{file_name(one.name)}.png"
    save(_drawn(one), path)
    return path


def _drawn(picture: LearntPicture) -> Figure:
    import matplotlib

    from mirbench.leaderboard.figures import blank, styled

    matplotlib.use("agg")  # else it looks for a window

    @styled
    def draw() -> Figure:
        figure = blank(_WIDTH, 0.3 + _HEIGHT * len(picture.panels))
        every = figure.subplots(len(picture.panels), 1, squeeze=False, sharex=True)[:, 0]
        for axes, panel in zip(every, picture.panels, strict=True):
            reach = float(abs(panel.values).max()) or 1.0
            scale = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach} if panel.signed else {"cmap": "magma"}
            image = axes.imshow(panel.values, origin="lower", aspect="auto", interpolation="nearest", **scale)
            figure.colorbar(image, ax=axes, pad=0.01)
            axes.set_title(panel.title, loc="left")
            axes.set_ylabel(picture.up)
        every[-1].set_xlabel(picture.across)
        return figure

    return draw()
