"""What a run learnt, shown by its method from the model that was stored, with a few clips to show it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mirbench.errors import BadInput
from mirbench.features.cache import throwaway
from mirbench.features.datasets import dataset_folder
from mirbench.features.temporary import using
from mirbench.learnt import Learnt
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.models import Places
from mirbench.runs.own_files import hear
from mirbench.runs.own_places import lacking, task_of
from mirbench.runs.predict import load_model

__all__ = ["learnt_of"]

_FEW = 3
"""Clips that are shown where none are named."""


def learnt_of(
    name: str,
    runs: Path,
    progress: Progress,
    places: Places,
    files: Sequence[str | Path] = (),
    plugins: Sequence[Plugin] = (),
) -> tuple[str, list[Learnt]]:
    """Which run it is, and what there is to see and to hear of it: of the first fold and seed where there are several.

    Parameters
    ----------
    name : str
        As of `mirbench.runs.predict.load_model`.
    runs : Path
        The folder of records.
    files : sequence of str or Path
        Clips; the first test clip of up to three classes where none is named, for which the task's data must be here.

    Raises
    ------
    BadInput
        If the run's model cannot be loaded here, or its method has nothing to show.
    """
    model = load_model(name, runs, places=places, plugins=plugins, progress=progress)
    leaf = model.leaves[0]
    spec, places = leaf.record.spec, model.models.places
    shown = list(files) or _test_clips(leaf.record, Catalogue(plugins, places.data, places.weights), places, progress)
    with using(places.cache), throwaway(places.cache) as scratch:
        heard = hear(leaf.record, shown, model.medium, places.cache, progress, places.workers)
        model.models.hear(heard, scratch)
        found = model.models.learnt(leaf, heard, scratch)
    return f"{model.title}, fold {spec.fold}, seed {spec.seed}", found


def _test_clips(record: RunRecord, catalogue: Catalogue, places: Places, progress: Progress) -> list[Path]:
    """The first test clip of each of a few classes."""
    try:
        task = catalogue.task(task_of(record, places.named, places.data))
    except BadInput as error:
        if lacks := lacking(record.spec, places.named):
            raise BadInput(f"{error}; {lacks}, or name files with --clip FILE") from error
        raise
    folder = dataset_folder(task, places.data, places.cache, progress)
    held: dict[str, Path] = {}
    for clip in task.read_clips(folder, record.spec.fold):
        if clip.split == "test" and clip.path is not None and clip.present:
            held.setdefault(clip.present[0], clip.path)
    if not held:
        raise BadInput(f"{task.name}: none of its test clips has audio here; name files with --clip FILE")
    return list(dict.fromkeys(held.values()))[:_FEW]
