"""Tasks and sources as objects: the card of each, the clips of a task, what a source makes of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mirbench.api import html
from mirbench.api.known import Known, PluginLike, path_of
from mirbench.api.process import Telling
from mirbench.errors import BadInput
from mirbench.source import SourceCard
from mirbench.types import Split, Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SourceModel", "TaskData", "source", "task"]


@dataclass(frozen=True, repr=False)
class TaskData:
    """A task, and where its data are.

    Parameters
    ----------
    called : str
        What it was asked for by: a name, or a family and a path.
    card : Task
        All that is known of it.
    data : Path or None
        Folder of data sets; None is the default place.
    """

    called: str
    card: Task
    data: Path | None = None

    @property
    def name(self) -> str:
        """What it is called, with its modifiers."""
        return self.card.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes, in the order of the columns of scores."""
        return self.card.classes

    @property
    def n_folds(self) -> int:
        """Number of its folds."""
        return self.card.n_folds

    def split(self, name: Literal["train", "valid", "test"], fold: int = 0) -> Split:
        """The clips of one split, with ``class_index()`` and ``targets()``; without paths where there is no audio.

        Parameters
        ----------
        name : {"train", "valid", "test"}
            Which split.
        fold : int
            Of which fold.

        Raises
        ------
        BadInput
            If there is no such split or fold.
        MissingData
            If its data are not here, and its labels in no list that ships with mirbench.
        """
        if name not in ("train", "valid", "test"):
            raise BadInput(f"split {name}: one of train, valid, test is needed")
        if not 0 <= fold < self.n_folds:
            raise BadInput(f"fold {fold}: {self.name} has folds 0 to {self.n_folds - 1}")
        return Split(self.card, tuple(clip for clip in self._folds()[fold] if clip.split == name))

    def to_frame(self) -> pd.DataFrame:
        """A row a clip and fold: fold, split, clip, labels, group, path, start and duration (seconds).

        Raises
        ------
        MissingData
            As `split`.
        """
        import pandas as pd

        rows = [
            (fold, c.split, c.id, ", ".join(c.present), c.group, c.path and str(c.path), c.start, c.duration)
            for fold, clips in enumerate(self._folds())
            for c in clips
        ]
        return pd.DataFrame(rows, columns=["fold", "split", "clip", "labels", "group", "path", "start", "duration"])

    def _folds(self) -> tuple[tuple[Any, ...], ...]:
        from mirbench.features.datasets import read_labels
        from mirbench.places import default_cache

        return read_labels(self.card, self.data, default_cache(), Telling(quiet=True))[0]

    def __repr__(self) -> str:
        folds = f", {self.n_folds} folds" if self.n_folds > 1 else ""
        return f"<Task {self.name}: {self.card.kind}, {len(self.classes)} classes{folds}>"

    def _repr_html_(self) -> str:
        card = self.card
        pairs = [
            ("what", card.title),
            ("version", card.version),
            ("kind", f"{card.kind}, {card.standing}"),
            ("classes", ", ".join(card.classes)),
            ("clips", f"{card.n_clips:,}" if card.n_clips else "counted when they are read"),
            ("folds", card.n_folds),
            ("metrics", ", ".join(card.metrics)),
            ("reference", card.reference),
            ("licence", card.license),
            *(("note", note) for note in card.notes),
            *(("beware", caution) for caution in card.cautions),
        ]
        return html.facts(card.name, pairs)


@dataclass(frozen=True, repr=False)
class SourceModel:
    """A source with the values of its options, and where its weights are looked for.

    Parameters
    ----------
    card : SourceCard
        All that is known of it.
    params : mapping of str to value
        Its options.
    weights : Path or None
        Folder of weights, looked in first; None is the default place.
    """

    card: SourceCard
    params: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.card.name

    def embed(
        self,
        files: str | PathLike[str] | Iterable[str | PathLike[str]],
        *,
        device: str = "auto",
        progress: bool = False,
    ) -> npt.NDArray[np.float64]:
        """The embedding of audio files: what a probe gets of a clip, the mean of ``pooled`` over its windows.

        Parameters
        ----------
        files : path, or iterable of paths
            Audio files; rows are in this order, and kept in the cache.
        device, progress
            As of `mirbench.run`.

        Returns
        -------
        ndarray of float64, shape (n_files, n_features)

        Raises
        ------
        NotApplicable
            If the source hears nothing itself.
        MissingData, MissingExtra
            If its weights, or packages, are not on this machine.
        BadAudio
            If a file cannot be read.
        """
        from mirbench.api.embedding import embedded

        return embedded(self.card, self.params, self.weights, files, device, Telling(quiet=not progress))

    def __repr__(self) -> str:
        said = ", ".join(
            f"{name}={value}" for name, value in self.params.items() if value != self.card.options.get(name)
        )
        width = f", {self.card.n_features} features" if self.card.n_features else ""
        return f"<Source {self.name}{f' ({said})' if said else ''}: {', '.join(self.card.offers)}{width}>"

    def _repr_html_(self) -> str:
        card = self.card
        pairs = [
            ("what", card.title),
            ("version", card.version),
            ("offers", ", ".join(card.offers)),
            ("input", f"{card.seconds:g} s at {card.sample_rate} Hz" if card.sample_rate else ""),
            ("features", card.n_features or ""),
            ("classes of its own", f"{card.n_outputs} ({card.labels})" if card.n_outputs else ""),
            ("layers", card.n_layers or ""),
            ("parameters", f"{card.n_parameters:,}" if card.n_parameters else ""),
            ("trained on", ", ".join(card.trained_on)),
            ("options", ", ".join(f"{name}={value}" for name, value in self.params.items())),
            ("reference", card.reference),
            ("licence", card.license),
            ("missing", card.missing),
            *(("note", note) for note in card.notes),
        ]
        return html.facts(card.name, pairs)


def task(
    name: str, *, data: str | PathLike[str] | None = None, plugins: Iterable[PluginLike] | PluginLike = ()
) -> TaskData:
    """The task of a name, as an object; nothing is read until its clips are asked for.

    Parameters
    ----------
    name : str
        With modifiers if any, as ``gtzan-mini+shots2``.
    data, plugins
        As of `mirbench.run`.

    Returns
    -------
    TaskData

    Raises
    ------
    UnknownName
        If no task is called so.
    """
    folder = path_of(data)
    return TaskData(name, Known.of(plugins).catalogue(folder, None).task(name), folder)


def source(
    name: str,
    *,
    weights: str | PathLike[str] | None = None,
    plugins: Iterable[PluginLike] | PluginLike = (),
    **options: Any,
) -> SourceModel:
    """The source of a name, as an object; no network is loaded until something is embedded.

    Parameters
    ----------
    name : str
        Name of a source.
    weights, plugins
        As of `mirbench.run`.
    **options
        Options of the source; see its card.

    Returns
    -------
    SourceModel

    Raises
    ------
    UnknownName
        If no source is called so, or it has no such option.
    """
    from mirbench.runs.hyperparameters import parse_source
    from mirbench.runs.toml_tables import as_text

    folder = path_of(weights)
    card = Known.of(plugins).catalogue(None, folder).source(name)
    given = [f"{option}={as_text(value)}" for option, value in options.items()]
    return SourceModel(card, parse_source(card, given), folder)
