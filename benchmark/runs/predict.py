"""The trained model of a run on files of one's own: probabilities of its classes.

A file is heard by the source of the run with the same weights, in the windows of the run. No data set is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirbench.errors import BadInput
from mirbench.features.cache import throwaway
from mirbench.features.temporary import using
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.members import Member, find_member
from mirbench.runs.models import Leaf, Models, Places, answers, leaves_of
from mirbench.runs.own_files import Heard, hear, require_some
from mirbench.runs.store import RunStore
from mirbench.types import FloatArray

__all__ = ["Predictions", "predict"]


@dataclass(frozen=True)
class Predictions:
    """What the model of a run says about some files.

    Parameters
    ----------
    title : str
        Task, method and source.
    runs : str
        Whose mean the probabilities are, "mean of 5 folds × 3 seeds"; "" of a single run.
    files : tuple of Path
        Those that could be read, in the order given.
    probabilities : ndarray of float32, shape (n_files, n_classes)
    faults : tuple of str
        A line for each file that could not.
    """

    title: str
    runs: str
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    probabilities: FloatArray
    faults: tuple[str, ...]


class _Chosen(RunStore):
    """A store that finds the runs of one fold or seed alone, where these are given."""

    def __init__(self, root: Path, fold: int | None, seed: int | None, left_out: list[str] | None) -> None:
        super().__init__(root, left_out)
        self.fold, self.seed = fold, seed

    def find(self, name: str) -> list[tuple[Path, RunRecord]]:
        every = super().find(name)
        for what in ("fold", "seed"):
            if (wanted := getattr(self, what)) is None:
                continue
            kept = [run for run in every if getattr(run[1].spec, what) == wanted]
            if not kept:
                have = sorted({getattr(record.spec, what) for _, record in every})
                raise BadInput(f"--{what} {wanted}: {name} has no run of it; it has {', '.join(map(str, have))}")
            every = kept
        return every


def predict(
    runs: Path,
    name: str,
    files: Sequence[str],
    progress: Progress,
    places: Places | None = None,
    *,
    plugins: Sequence[Plugin] = (),
    fold: int | None = None,
    seed: int | None = None,
    left_out: list[str] | None = None,
) -> Predictions:
    """Probabilities of the classes of a run for some files; those of its folds and seeds are averaged.

    Parameters
    ----------
    name : str
        As `RunStore.find` knows it.
    files : sequence of str
        Files, or folders, in which everything is taken that is called as audio (or as pictures) is.
    fold, seed : int or None
        Of the run to take; None takes all.
    left_out : list of str, optional
        As of `RunStore`.

    Raises
    ------
    BadInput
        If the run's model cannot be loaded here, or no file can be read.
    """
    places = places or Places()
    store, member = RunStore(runs), find_member(_Chosen(runs, fold, seed, left_out), name)
    record = member.first
    if not record.classes or not record.kind:
        raise BadInput(f"{name}: an earlier mirbench recorded it, without the names of its classes; run it again")
    leaves = leaves_of(store, member)
    heard = hear(record, files, Catalogue(plugins, places.data, places.weights), places.cache, progress, places.workers)
    with using(places.cache), throwaway(places.cache) as scratch:  # nobody asks for the rows of these files again
        models = Models(store, heard, plugins, places, progress, scratch)
        scores, faults = _scored(models, leaves, heard, len(record.classes), f"{member.name} predicts")
    good = [n for n in range(len(heard.clips)) if n not in faults]
    lines = (*heard.faults, *(f"{heard.clips[n].path}: {line}" for n, line in sorted(faults.items())))
    require_some(good, lines)
    return Predictions(
        title=f"{record.spec.task}: {member.name}",
        runs=_said(member),
        classes=tuple(record.classes),
        files=tuple(Path(str(heard.clips[n].path)) for n in good),
        probabilities=np.clip(scores[good], 0, 1).astype(np.float32),
        faults=lines,
    )


def _scored(
    models: Models, leaves: Sequence[Leaf], heard: Heard, n_classes: int, what: str
) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """Mean of the scores of all models, and what is wrong with files that one cannot predict."""
    scores = np.zeros((len(heard.clips), n_classes))
    faults: dict[int, str] = {}
    with models.progress.bar(what, len(leaves) * len(heard.clips), "files") as step:
        for leaf in leaves:
            for n, answer in answers(models.load(leaf), heard, step):
                if isinstance(answer, str):
                    faults[n] = answer
                else:
                    scores[n] += leaf.weight * answer
    models.require_untouched()
    return scores, faults


def _said(member: Member) -> str:
    """Whose mean it is."""
    if len(member.runs) == 1:
        return ""
    counts = [(len(member.folds), "fold"), (len(member.seeds), "seed")]
    if counts[0][0] * counts[1][0] != len(member.runs):
        return f"mean of {len(member.runs)} runs"
    return "mean of " + " × ".join(f"{count} {word}s" for count, word in counts if count > 1)
