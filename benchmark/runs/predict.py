"""The trained models of a run on sounds of one's own: probabilities of its classes.

A file is heard by the source of the run with the same weights, in the windows of the run. No data set is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.features.cache import throwaway
from mirbench.features.temporary import using
from mirbench.places import path_text, user_path
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.exported import is_exported, read_exported
from mirbench.runs.members import Member, find_member
from mirbench.runs.models import Leaf, Models, Places, answers, leaves_of
from mirbench.runs.one_of import OneOf
from mirbench.runs.own_files import Heard, Medium, hear, medium_of, require_some
from mirbench.runs.own_places import refuse_of_none, said_in
from mirbench.runs.predictions import THRESHOLD, Predictions
from mirbench.runs.refit import refitted
from mirbench.runs.store import RunStore
from mirbench.taken_names import is_claimed

if TYPE_CHECKING:
    from mirbench.runs.models import Predict

__all__ = ["Model", "Predictions", "load_model", "predict"]

_CHUNK = 32  # files that are predicted together
_MOST_HELD = 2 * 2**30  # bytes of models that stay loaded; more are loaded again for each chunk

Sound = str | Path | npt.NDArray[Any]


@dataclass
class Model:
    """Trained models that stay loaded and predict together; from `load_model`.

    Several threads may call one: they take turns, for the arithmetic uses all threads of torch already. What is kept
    does not grow with the files that were heard.

    Attributes
    ----------
    title, runs : str
        Task, method and source; and whose mean it predicts.
    leaves : list of Leaf
        The models, and their shares.
    record : RunRecord
        Of the first of them, for what all share.
    """

    title: str
    runs: str
    leaves: list[Leaf]
    record: RunRecord
    medium: Medium
    models: Models
    _loaded: dict[int, Predict] = field(default_factory=dict)
    _turn: threading.RLock = field(default_factory=threading.RLock)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the columns of probabilities."""
        return tuple(self.record.classes)

    def __call__(self, sounds: Sound | Sequence[Sound], rate: float | None = None) -> Predictions:
        """What the models say about some sounds.

        Parameters
        ----------
        sounds : str, Path, ndarray, or a sequence of them
            Files, folders (in which everything is taken that is called as audio is), or samples of one channel,
            (n_samples,), full scale 1. A file that is named twice is heard once.
        rate : float, optional
            Samples a second of those that are given as arrays.

        Returns
        -------
        Predictions
            Sounds that could not be used have a line in its `faults`; ``array 0`` is the first array.

        Raises
        ------
        BadInput
            If no sound can be used, or a model cannot be loaded here.
        """
        given = [sounds] if isinstance(sounds, str | Path | np.ndarray) else list(sounds)
        places = self.models.places
        with self._turn, using(places.cache), throwaway(places.cache) as scratch:
            files, names = _written(given, rate, scratch)
            memo = scratch if names else places.cache  # of arrays nothing is remembered
            heard = hear(self.record, files, self.medium, memo, self.models.progress, places.workers)
            scores, faults = self._scored(heard, scratch)
        good = [n for n in range(len(heard.clips)) if n not in faults]
        lines = (*heard.faults, *(f"{heard.clips[n].path}: {line}" for n, line in sorted(faults.items())))
        found = Predictions(
            title=self.title,
            runs=self.runs,
            classes=self.classes,
            files=tuple(Path(names.get(str(heard.clips[n].path), str(heard.clips[n].path))) for n in good),
            probabilities=np.clip(scores[good], 0, 1).astype(np.float32),
            faults=tuple(_renamed(line, names) for line in lines),
            kind=self.record.kind,
            ranges=self.record.target_ranges,
        )
        require_some(good, found.faults)
        return found

    def _scored(self, heard: Heard, scratch: Path) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
        """Mean of the scores of all models, and what is wrong with files that one cannot predict.

        A few files at a time, whose rows then make room for those of the next.
        """
        scores = np.zeros((len(heard.clips), len(self.classes)))
        faults: dict[int, str] = {}
        progress = self.models.progress
        with progress.bar(
            f"{self.title.rpartition(': ')[2]} predicts", len(self.leaves) * len(scores), "files"
        ) as step:
            for first in range(0, len(scores), _CHUNK):
                rows = range(first, min(first + _CHUNK, len(scores)))
                with throwaway(scratch) as place, self._hearing(heard, place) as model_of:
                    for number, leaf in enumerate(self.leaves):
                        for n, answer in answers(model_of(number), heard, rows):
                            if isinstance(answer, str):
                                faults[n] = answer
                            else:
                                scores[n] += leaf.weight * answer
                        step(len(rows))
        return scores, faults

    @contextmanager
    def _hearing(self, heard: Heard, place: Path) -> Iterator[Callable[[int], Predict]]:
        """What gives each model, which hears these files and puts rows to `place` within the block."""
        self.models.hear(heard, place)

        def model_of(number: int) -> Predict:
            if number in self._loaded:
                return self._loaded[number]
            model = self.models.load(self.leaves[number], heard, place)
            if sum(self.leaves[n].n_bytes for n in (*self._loaded, number)) <= _MOST_HELD:
                self._loaded[number] = model
            return model

        yield model_of
        self.models.require_untouched()


def load_model(
    name: str | Path,
    runs: str | Path = "runs",
    *,
    places: Places | None = None,
    plugins: Sequence[Plugin] = (),
    fold: int | None = None,
    seed: int | None = None,
    refit: bool = False,
    progress: Progress | None = None,
    left_out: list[str] | None = None,
) -> Model:
    """The trained models of a run, of its folds and seeds, or of a folder that `mirbench export model` wrote.

    Parameters
    ----------
    name : str or Path
        An exported folder, or a run as `RunStore.find` knows it.
    runs : str or Path
        The folder of records.
    places : Places, optional
        Where weights and cache are, and what to compute on.
    plugins : sequence of Plugin
        Files that its names may come from, from `mirbench.plugin_file.load_plugin`.
    fold, seed : int, optional
        Of the run to take; None takes all.
    refit : bool
        Whether one model of all labelled clips takes the place of those of the runs; trained if it was not before, for
        which the task's data must be here. See `mirbench.runs.refit`.
    progress : Progress, optional
        What says how far long work has come; None says nothing.
    left_out : list of str, optional
        As of `RunStore`.

    Raises
    ------
    BadInput
        If nothing is called so, or it is not as it was written.
    """
    places, progress = places or Places(), progress or Progress(quiet=True)
    given = user_path(str(name))
    if is_exported(given):
        if fold is not None or seed is not None or refit:
            raise BadInput(f"{name}: holds the models that it was exported with; leave --fold, --seed and --refit out")
        held = read_exported(given, places.cache)
        refuse_of_none(places.named, [leaf.record.spec for leaf in held.leaves])
        places = replace(places, weights=held.weights)
        models = Models(RunStore(given), plugins, places, progress)
        return Model(held.title, held.runs, held.leaves, held.leaves[0].record, held.medium, models)
    store = RunStore(Path(runs))
    member = find_member(OneOf(store.root, fold, seed, left_out), str(name))
    record = member.first
    if is_claimed(record.spec.method_version):
        raise BadInput(f"{name}: its predictions were imported, and no model came with them")
    if not record.classes or not record.kind:
        raise BadInput(f"{name}: an earlier mirbench recorded it, without the names of its classes; run it again")
    leaves = leaves_of(store, member)
    refuse_of_none(places.named, [leaf.record.spec for leaf in leaves])
    places = replace(places, named={**said_in(str(name), record.spec), **places.named})
    catalogue = Catalogue(plugins, places.data, places.weights)
    medium = medium_of(record.spec.task, catalogue)
    models, title = Models(store, plugins, places, progress), member.title
    if refit:
        leaf, said = refitted(store, member, catalogue, places, progress)
        return Model(title, said, [leaf], leaf.record, medium, models)
    return Model(title, _said(member), leaves, record, medium, models)


def predict(
    runs: Path,
    name: str,
    files: Sequence[str],
    progress: Progress,
    places: Places | None = None,
    *,
    threshold: float = THRESHOLD,
    **which: Any,
) -> Predictions:
    """Probabilities of the classes of a run for some files; those of its folds and seeds are averaged.

    Parameters
    ----------
    name, which
        As of `load_model`.
    files : sequence of str
        Files, or folders, in which everything is taken that is called as audio (or as pictures) is.
    threshold : float
        The probability from which on a label of several is predicted.

    Raises
    ------
    BadInput
        If the run's model cannot be loaded here, or no file can be read.
    """
    model = load_model(name, runs, places=places, progress=progress, **which)
    return replace(model(list(files)), threshold=threshold)


def _written(sounds: Sequence[Sound], rate: float | None, folder: Path) -> tuple[list[str | Path], dict[str, str]]:
    """Files to hear, arrays written as such, and how each array is called, by its file."""
    files: list[str | Path] = []
    names: dict[str, str] = {}
    for sound in sounds:
        if isinstance(sound, np.ndarray):
            path = folder / f"{len(names)}.wav"
            _write(sound, rate, path, f"array {len(names)}")
            names[str(path)] = f"array {len(names)}"
            files.append(path)
        else:
            files.append(sound)
    return files, names


def _write(samples: npt.NDArray[Any], rate: float | None, path: Path, name: str) -> None:
    """Samples as a file of single precision, which is heard as any other."""
    import soundfile

    if not rate or not float(rate).is_integer():
        raise BadInput(f"{name}: rate is {rate}; give the samples a second, a whole number, as `rate`")
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise BadInput(
            f"{name}: of shape {samples.shape} and type {samples.dtype}; samples of one channel are needed, "
            "(n_samples,) of floating point, full scale 1"
        )
    soundfile.write(path, samples, int(rate), subtype="FLOAT")


def _renamed(line: str, names: dict[str, str]) -> str:
    """A line on a file, with the name that whoever gave it knows."""
    path, colon, fault = line.partition(": ")
    return f"{names.get(path, path_text(path))}{colon}{fault}" if path in names else line


def _said(member: Member) -> str:
    """Whose mean it is."""
    if len(member.runs) == 1:
        return ""
    counts = [(len(member.folds), "fold"), (len(member.seeds), "seed")]
    if counts[0][0] * counts[1][0] != len(member.runs):
        return f"mean of {len(member.runs)} runs"
    return "mean of " + " × ".join(f"{count} {word}s" for count, word in counts if count > 1)
