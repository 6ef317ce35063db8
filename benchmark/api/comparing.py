"""`mirbench.compare`: the command `mirbench compare` as a function."""

from __future__ import annotations

import warnings
from dataclasses import fields
from os import PathLike
from pathlib import Path

from mirbench.api import html
from mirbench.api.asking import folder_of_runs
from mirbench.api.left_out import said
from mirbench.api.runs import Run, Runs
from mirbench.errors import BadInput
from mirbench.leaderboard import compare as inner
from mirbench.leaderboard.compare_text import as_text
from mirbench.leaderboard.packs import every_pack
from mirbench.leaderboard.pair import find_pair

__all__ = ["Comparison", "compare", "name_of"]


class Comparison(inner.Comparison):
    """Which of two systems is better on the same clips, how sure that is, where they differ, what each costs.

    Printed, it is what the command prints.

    Parameters
    ----------
    kind : str
        Of the task.
    by_class : str
        The metric of `classes`.
    name_a, name_b : str
        The systems.
    task, metric : str
        On which task, and by which metric, they are compared.
    value_a, value_b : float
        The metric of each, mean over seeds.
    seeds_a, seeds_b, folds : tuple of int
        What was compared.
    n_folds : int
        Of the task.
    difference : mirbench.leaderboard.statistics.Difference
        A - B: ``value``, its 95 % interval ``low`` to ``high``, ``p``, ``n_clips`` and the ``method`` of the test.
    clips : tuple
        Those on which the systems differ, the largest change first.
    classes : tuple
        F1 of each class under both; of a regression task the metric of each target.
    costs : tuple
        What each needs of each thing; None where it is not known.
    notes : tuple of str
        What a reader must know besides.
    """

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return f"<Comparison: {self.verdict}>"

    def _repr_html_(self) -> str:
        return html.text(as_text(self))


def compare(
    a: str | Run | Runs,
    b: str | Run | Runs,
    metric: str = "",
    *,
    runs: str | PathLike[str] | None = None,
    reference: bool = True,
    task: str = "",
) -> Comparison:
    """Compare two systems on the same clips.

    Parameters
    ----------
    a, b : str, Run or Runs
        METHOD+SOURCE, TASK/METHOD+SOURCE, a folder or a key, as the command takes them; or runs, which stand for the
        whole system on record that they are of.
    metric : str
        "" is the task's first.
    runs : str, path or None
        Folder of records; None is that of the runs, or ``runs``.
    reference : bool
        Whether results of others, which ship with mirbench or were added, are known by name, too.
    task : str
        The task of both, where the names do not say it.

    Returns
    -------
    Comparison
        Difference with interval and p, changed clips and classes, costs; `print` shows it in words.

    Raises
    ------
    BadInput
        If a name stands for no system or several, or they did not answer the same question on the same clips.
    """
    left_out: list[str] = []
    packs = every_pack() if reference else []
    pair = find_pair(root_of((a, b), runs), (name_of(a), name_of(b)), left_out, packs, task)
    found = inner.compare(*pair, metric)
    if left_out:
        warnings.warn(said(left_out), stacklevel=2)
    return Comparison(**{field.name: getattr(found, field.name) for field in fields(found)})


def root_of(systems: tuple[str | Run | Runs, ...], runs: str | PathLike[str] | None) -> Path:
    """The folder of records that systems are in.

    Raises
    ------
    BadInput
        If they are in several.
    """
    for each in systems:
        if not isinstance(each, str | Run | Runs):
            raise BadInput(f"{each!r:.60} is given; a name, a run or runs of a system are needed")
    if runs is not None:
        return folder_of_runs(runs)
    held = [
        each.root if isinstance(each, Runs) else each.folder.parents[2] for each in systems if not isinstance(each, str)
    ]
    if len({folder.resolve() for folder in held}) > 1:
        raise BadInput(f"runs of {held[0]} and of {held[-1]} are given; put them below one folder of records")
    return folder_of_runs(held[0] if held else "runs")


def name_of(system: str | Run | Runs) -> str:
    """What the system of some runs is called, wherever a name is taken.

    Raises
    ------
    BadInput
        If they are of no system or of several.
    """
    if isinstance(system, str):
        return system
    each = [system] if isinstance(system, Run) else list(system)
    systems = {run.record.spec.system: run for run in each}
    if len(systems) != 1:
        raise BadInput(f"runs of one system are needed, not of {len(systems)}: take some by filter()")
    ((key, run),) = systems.items()
    return f"{run.folder.parent}@{key}"
