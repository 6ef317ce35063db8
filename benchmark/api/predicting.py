"""`mirbench.predict`: the command `mirbench predict` as a function."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import fields
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirbench.api import html
from mirbench.api.comparing import name_of, root_of
from mirbench.api.frame_columns import column_names
from mirbench.api.known import Known, PluginLike, path_of
from mirbench.api.left_out import said
from mirbench.api.process import Telling, alone
from mirbench.api.runs import Run, Runs
from mirbench.errors import BadInput
from mirbench.places import path_text, user_path
from mirbench.plain_text import one_message
from mirbench.runs import predict as inner
from mirbench.runs.predictions import THRESHOLD

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Predictions", "predict"]

_SHOWN = 20


class Predictions(inner.Predictions):
    """What the model of a run says about some files.

    Parameters
    ----------
    title : str
        Task, method and source.
    runs : str
        Whose mean the probabilities are, "mean of 5 folds × 3 seeds"; "" of a single run.
    classes : tuple of str
        Names of the columns.
    files : tuple of Path
        Those that could be read, in the order given.
    probabilities : ndarray of float32, shape (n_files, n_classes)
        Each in [0, 1].
    faults : tuple of str
        A line for each file that could not.
    kind : str
        "single-label", or "multi-label": then every label that reaches the threshold is predicted; or "regression".
    threshold : float
        The probability from which on it does.
    ranges : tuple of (float, float)
        Of a regression task's targets, whose `values` are where in them `probabilities` are.
    """

    def to_frame(self) -> pd.DataFrame:
        """A row a file: ``file``, ``predicted``, its ``confidence`` (a probability), and a column a class.

        Of a regression task ``file``, and a column a target with its value.
        """
        import pandas as pd

        if self.kind == "regression":
            told = pd.DataFrame(self.values, columns=column_names(self.classes, ("file",)))
            told.insert(0, "file", [path_text(file) for file in self.files])
            return told
        names = column_names(self.classes, ("file", "predicted", "confidence"))
        frame = pd.DataFrame(self.probabilities, columns=names)
        frame.insert(0, "confidence", np.array(self.confidence, dtype=np.float32))
        frame.insert(0, "predicted", list(self.predicted))
        frame.insert(0, "file", [path_text(file) for file in self.files])
        return frame

    def __repr__(self) -> str:
        n = len(self.files)
        lost = f", {len(self.faults)} not readable" if self.faults else ""
        return f"<Predictions of {self.title} for {n} file{'' if n == 1 else 's'}{lost}>"

    def _repr_html_(self) -> str:
        rows = [
            (path_text(file), name, "" if sure is None else f"{sure:.3f}")
            for file, name, sure in zip(self.files[:_SHOWN], self.predicted, self.confidence, strict=False)
        ]
        if len(self.files) > _SHOWN:
            rows.append((f"… and {len(self.files) - _SHOWN} more", "", ""))
        return html.grid(repr(self).strip("<>"), ("file", "predicted", "confidence"), rows)


def predict(
    run: str | PathLike[str] | Run | Runs,
    files: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    runs: str | PathLike[str] | None = None,
    fold: int | None = None,
    seed: int | None = None,
    refit: bool = False,
    threshold: float = THRESHOLD,
    data: str | PathLike[str] | None = None,
    weights: str | PathLike[str] | None = None,
    device: str = "auto",
    plugins: Iterable[PluginLike] | PluginLike = (),
    progress: bool = False,
) -> Predictions:
    """Probabilities of the classes of a run for files of your own, by its trained model.

    A file that cannot be read is left out and warned of.

    Parameters
    ----------
    run : str, path, Run or Runs
        A folder of runs, a key, METHOD+SOURCE or TASK/METHOD+SOURCE, as the command takes them; or runs, which stand
        for the whole system on record that they are of. Models of several folds and seeds are averaged; a single `Run`
        is its own model alone. A folder that ``mirbench export model`` wrote, too.
    files : path, or iterable of paths
        Audio files, or folders of them.
    runs : str, path or None
        Folder of records; None is that of the runs, or ``runs``.
    fold, seed : int or None
        The model of one alone.
    refit : bool
        Whether one model of all labelled clips takes the place of those of the runs, with what they chose on valid;
        trained, which takes the task's data, if it was not before. It has no score of its own.
    threshold : float
        The probability from which on a label of several is predicted, 0 to 1.
    data, weights, device, plugins, progress
        As of `mirbench.run`.

    Returns
    -------
    Predictions
        Files, classes and probabilities, with ``to_frame()``.

    Raises
    ------
    BadInput
        If the model cannot be loaded here, or no file can be read.
    MissingData
        If a model is to be trained of all clips, and the task's data is not here.
    NotApplicable
        If its method cannot do without valid.
    """
    from mirbench.runs.models import Places

    if isinstance(run, PathLike):
        run = fspath(run)
    if isinstance(run, Run):
        fold, seed = run.fold if fold is None else fold, run.seed if seed is None else seed
    if not 0 <= threshold <= 1:
        raise BadInput(f"threshold={threshold}: a probability is needed, 0 to 1")
    is_folder = isinstance(run, str) and user_path(run).is_dir()  # of a run, or exported: it needs no folder of all
    root, known = Path("runs") if is_folder and runs is None else root_of((run,), runs), Known.of(plugins)
    names = [files] if isinstance(files, str | PathLike) else list(files)
    if not names:
        raise BadInput("predict: no file is given; audio files, or folders of them, are needed")
    places = Places(data=path_of(data), weights=path_of(weights), device=device)
    left_out: list[str] = []
    with alone():
        found = inner.predict(
            root, name_of(run), [fspath(name) for name in names], Telling(quiet=not progress), places,
            threshold=threshold, plugins=known.plugins, fold=fold, seed=seed, refit=refit,
            left_out=left_out,
        )  # fmt: skip
    for line in (*found.faults, *([said(left_out)] if left_out else [])):
        warnings.warn(one_message(line), stacklevel=2)
    return Predictions(**{field.name: getattr(found, field.name) for field in fields(found)})
