"""The words of every task: clips, the splits that they are in, what is true of them, and how they become windows.

A *task* is labelled clips and how they are scored. A *source* (`mirbench.source`) is a frozen pretrained network. A
*method* (`mirbench.method`) learns the task, with or without a source. A *run* is (task, fold, method, source, seed)
and leaves a *record* (`mirbench.record`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from mirbench.archive import Archive
from mirbench.errors import BadInput, MissingData
from mirbench.targets import BoolArray, FloatArray, IntArray, Range, Targets, TaskKind

__all__ = [
    "ArrayRow", "BlindSplit", "BoolArray", "Clip", "Excerpt", "FloatArray", "IntArray", "Pad", "Range", "Split",
    "Targets", "Task", "TaskKind", "Windowing", "clips_of", "excerpts",
]  # fmt: skip

Pad = Literal["zeros", "center", "repeat", "reflect", "noise"]
"""How a clip that is shorter than a window fills it; see `mirbench.features.padding`."""


@dataclass(frozen=True)
class ArrayRow:
    """Features of one clip that ship with its data set: a row of an array in an .npz file.

    Parameters
    ----------
    name : str
        What the features are called, as in ``--source shipped:NAME``.
    path : Path
        The .npz file.
    key : str
        The array in it.
    row : int
        The clip's place along the array's first axis.
    """

    name: str
    path: Path
    key: str
    row: int


@dataclass(frozen=True)
class Clip:
    """One labelled stretch of one audio file, or one picture.

    Parameters
    ----------
    id : str
        Unique within the task.
    path : Path or None
        The file; None where this machine has only its labels.
    split : str
        "train", "valid" or "test".
    labels : tuple of str
        The classes that are present; of a regression task, the targets whose value is known.
    unknown : tuple of str
        Classes of which nobody judged whether they are present; they are masked in losses and metrics.
    group : str
        What must not cross splits (an artist, an album); "" where unknown.
    start : float
        Seconds from the beginning of the file.
    duration : float or None
        Seconds; None is to the end of the file.
    strengths : tuple of float
        How sure each of `labels` is, in (0, 1]; () is 1 for all. A label under 0.5 is a soft target of an absent class.
    peaks : tuple of float
        Levels in dBFS: the stretch is heard once for each, in this order, with its absolute peak at that level; ()
        leaves it as it was recorded.
    arrays : tuple of ArrayRow
        Features that ship with the data set.
    first_channel : bool
        Whether the first channel of the file is heard alone, and not the mean of all.
    values : tuple of float
        Of a regression task: the value of each of `labels`, in its unit; () elsewhere.
    """

    id: str
    path: Path | None
    split: str
    labels: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    group: str = ""
    start: float = 0.0
    duration: float | None = None
    strengths: tuple[float, ...] = ()
    peaks: tuple[float, ...] = ()
    arrays: tuple[ArrayRow, ...] = ()
    first_channel: bool = False
    values: tuple[float, ...] = ()

    @property
    def present(self) -> tuple[str, ...]:
        """The labels that are at least as likely as not: those of strength 0.5 or more."""
        if not self.strengths:
            return self.labels
        return tuple(name for name, strength in zip(self.labels, self.strengths, strict=True) if strength >= 0.5)


class Excerpt(NamedTuple):
    """Where a clip's audio lies and at which levels it is heard, and nothing about its labels.

    There may be a million, by which their facts are looked up: a tuple takes a third of a dataclass's time.

    Parameters
    ----------
    path : Path
        The file.
    start : float
        Seconds from the beginning of the file.
    duration : float or None
        Seconds; None is to the end of the file.
    peaks : tuple of float
        Levels in dBFS, as those of a `Clip`.
    first_channel : bool
        Whether the first channel is heard alone.
    """

    path: Path
    start: float = 0.0
    duration: float | None = None
    peaks: tuple[float, ...] = ()
    first_channel: bool = False

    @classmethod
    def of(cls, clip: Clip) -> Excerpt:
        """Of a clip whose file is here.

        Parameters
        ----------
        clip : Clip
            With a path.
        """
        assert clip.path is not None
        return cls(clip.path, clip.start, clip.duration, clip.peaks, clip.first_channel)


@dataclass(frozen=True)
class Task:
    """Labelled clips and how they are scored: a card of facts plus the function that reads the clips.

    Parameters
    ----------
    name, version : str
        The identity; a changed split or label is a new version.
    title : str
        One line.
    kind : {"single-label", "multi-label", "regression"}
        Whether a clip has exactly one class, any number of labels, or a number for each target.
    classes : tuple of str
        In the order of the columns of every score matrix; of a regression task, the names of its targets.
    metrics : tuple of str
        Names in `mirbench.metrics.METRICS`, the one that selects first.
    read_clips : callable
        ``read_clips(root, fold) -> list of Clip``. Labels and splits come from frozen lists or from the data set's own
        files; `root` is the folder of the data set, or None to list the clips where this machine has no audio. Raises
        `MissingData` where files that it needs are absent.
    folder : str
        Name of the data set's folder under a data root, or an absolute path.
    n_folds : int
        Number of folds; 1 where the split is fixed.
    standing : {"full", "excerpt", "own", "synthesised"}
        Kinds never share a table; "own" is a user's own data.
    medium : {"audio", "picture"}
        What a clip's file is.
    ships : tuple of str
        Names of the features that ship with the data set, for sources ``shipped:NAME``.
    manifest : bool
        Whether its clips or splits are chosen on this machine and in no published list; they are then written beside
        the records, so that others can use the same.
    splits_drawn : bool
        Whether its data give no split, and one was drawn here.
    valid_drawn : bool
        Whether its data give a split without valid, and that was drawn here from train.
    datasets : tuple of str
        Whose audio this is, for the flag of sources trained on it.
    archives : tuple of Archive
        What `mirbench data get` fetches; empty where nothing can be fetched.
    reference, license : str
        The publication that describes the data set, and the terms that it is under.
    notes, cautions : tuple of str
        What a user should know besides, a line each; and what may be wrong with its data on this machine and does not
        stop a run, which every command that reads them says.
    n_clips : int
        Clips in one fold, all splits together; 0 where it is known only once they are read.
    clip_seconds : float
        Nominal length of a clip.
    synthesise : callable or None
        ``synthesise(root, step)`` writes the data set and calls ``step(1)`` after each clip, for tasks made on the
        spot.
    demo : str
        Name of the synthesised stand-in, or "".
    ranges : tuple of (float, float)
        Of a regression task: the lowest and the highest value that each target may have, in its unit. Scores are
        places in that range, 0 the lowest and 1 the highest value, so that no prediction is outside of it.
    """

    name: str
    version: str
    title: str
    kind: TaskKind
    classes: tuple[str, ...]
    metrics: tuple[str, ...]
    read_clips: Callable[[Path | None, int], list[Clip]]
    folder: str
    n_clips: int
    clip_seconds: float
    n_folds: int = 1
    standing: Literal["full", "excerpt", "own", "synthesised"] = "full"
    medium: Literal["audio", "picture"] = "audio"
    ships: tuple[str, ...] = ()
    manifest: bool = False
    splits_drawn: bool = False
    valid_drawn: bool = False
    datasets: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    reference: str = ""
    license: str = ""
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    demo: str = ""
    synthesise: Callable[[Path, Callable[..., None]], None] | None = None
    ranges: tuple[Range, ...] = ()


@dataclass(frozen=True)
class Split:
    """The clips of one split of a task, with their labels.

    Parameters
    ----------
    task : Task
        Of which they are.
    clips : tuple of Clip
        In an order that every array of the split keeps.
    """

    task: Task
    clips: tuple[Clip, ...]

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the task's classes."""
        return self.task.classes

    def targets(self) -> Targets:
        """Labels as arrays; see `Targets`."""
        column = {name: k for k, name in enumerate(self.task.classes)}
        value = np.zeros((len(self), len(column)), dtype=np.float32)
        known = np.ones(value.shape, dtype=np.bool_)
        places = _places([clip.labels for clip in self.clips], column)
        if self.task.kind == "regression":
            low, high = np.array(self.task.ranges, dtype=np.float64).T[:, places[1]]
            values = np.array(list(chain.from_iterable(clip.values for clip in self.clips)), dtype=np.float64)
            value[places], known[:] = (values - low) / (high - low), False
            known[places] = True
            return Targets(value, known, self.task.kind, self.task.ranges)
        strengths = [clip.strengths or (1.0,) * len(clip.labels) for clip in self.clips]
        value[places] = list(chain.from_iterable(strengths))
        known[_places([clip.unknown for clip in self.clips], column)] = False
        return Targets(value, known, self.task.kind)

    def class_index(self) -> IntArray:
        """Index of each clip's class, shape (n_clips,).

        Raises
        ------
        BadInput
            If the task is not single-label.
        """
        if self.task.kind != "single-label":
            raise BadInput(f"{self.task.name} is {self.task.kind}: a clip has no single class; use targets()")
        return np.argmax(self.targets().value, axis=1).astype(np.int64)

    def blind(self) -> BlindSplit:
        """The same clips to predict from: labels are left behind, and ids and paths are out of a method's way."""
        blind = BlindSplit(self.task.classes, self.task.kind, len(self))
        _HIDDEN[blind] = tuple(_without_labels(clip) for clip in self.clips)
        return blind


def _without_labels(c: Clip) -> Clip:
    """The same to be heard; `dataclasses.replace` takes twice the time."""
    return Clip(
        c.id, c.path, "test", (), start=c.start, duration=c.duration, peaks=c.peaks, arrays=c.arrays,
        first_channel=c.first_channel,
    )  # fmt: skip


def _places(names: Sequence[tuple[str, ...]], column: Mapping[str, int]) -> tuple[IntArray, IntArray]:
    """Rows and columns of all names, those of one row together."""
    columns = np.array([column[name] for name in chain.from_iterable(names)], dtype=np.int64)
    return np.repeat(np.arange(len(names)), list(map(len, names))), columns


@dataclass(frozen=True, eq=False)
class BlindSplit:
    """What `predict` sees of a split: its class names and its length. The context finds its audio.

    Parameters
    ----------
    classes : tuple of str
        Names of the task's classes, in the order of the columns of scores.
    kind : str
        Of the task; see `TaskKind`.
    n_clips : int
        Number of clips.
    """

    classes: tuple[str, ...]
    kind: str
    n_clips: int

    def __len__(self) -> int:
        return self.n_clips


# Kept apart from BlindSplit so that a method cannot read labels from file names without going out of its way; the
# clips in it have no labels at all.
_HIDDEN: weakref.WeakKeyDictionary[BlindSplit, tuple[Clip, ...]] = weakref.WeakKeyDictionary()


def clips_of(split: Split | BlindSplit) -> tuple[Clip, ...]:
    """The clips behind a split, those of a blind one without labels. For the context; no method's business."""
    return _HIDDEN[split] if isinstance(split, BlindSplit) else split.clips


def excerpts(split: Split | BlindSplit) -> tuple[Excerpt, ...]:
    """Where the file of each clip lies. For the context; a method has no business here.

    Raises
    ------
    MissingData
        If this machine has no file of some clip.
    """
    clips = clips_of(split)
    if lacking := [clip.id for clip in clips if clip.path is None]:
        few = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
        task = f"{split.task.name}: " if isinstance(split, Split) else ""
        raise MissingData(
            f"{task}{len(lacking)} of {len(clips)} clips have no audio on this machine ({few}); get it "
            "(`mirbench data get`), or take a source of precomputed features (features:FILE.npz, shipped:NAME)"
        )
    return tuple(map(Excerpt.of, clips))


@dataclass(frozen=True)
class Windowing:
    """How clips become windows, and windows become a clip's score. The defaults are hung2022's (as printed).

    Parameters
    ----------
    windows : {"nonoverlap", "nonoverlap-plus-tail", "hopped16"}
        Windows side by side; a last one of at least half a window is padded with zeros, a shorter rest is left out.
        "plus-tail" adds the last full window of the clip, as hung2022's code does. "hopped16" is 16 windows at equal
        steps from the beginning, as in Won et al.'s benchmark of taggers.
    average : {"prob", "logit"}
        Whether probabilities or logits of the windows are averaged.
    """

    windows: Literal["nonoverlap", "nonoverlap-plus-tail", "hopped16"] = "nonoverlap"
    average: Literal["prob", "logit"] = "prob"
