"""What a suite asks of a Dask cluster, settled there: the runs of each entry with the hashes of its data and weights.

The workers have the data, and this machine may have none. What one worker lacks another may have; an entry that none
can do has a reason instead of runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirbench.progress import Progress
from mirbench.record import RunRecord, RunSpec
from mirbench.runs.cluster.dask_cluster import Cluster
from mirbench.runs.cluster.dask_errands import Answer, Errand
from mirbench.runs.cluster.dask_worker import told_of, what_is_asked
from mirbench.runs.pieces import draft_key
from mirbench.runs.record_file import sound
from mirbench.runs.suite import Suite
from mirbench.types import Windowing

__all__ = ["Settled", "settle"]


@dataclass(frozen=True)
class Settled:
    """The runs of an entry, as records of what has not ended yet; or `reason`, why there are none.

    Parameters
    ----------
    unable : str
        Why they are all skipped: no worker has what the source needs.
    """

    runs: tuple[RunRecord, ...] = ()
    unable: str = ""
    reason: str = ""


def settle(
    suite: Suite, cluster: Cluster, drafts: Collection[str], plugins: Sequence[Path], progress: Progress
) -> list[Settled]:
    """Ask for the runs of every entry of a suite; one each, in their order.

    Parameters
    ----------
    drafts : collection of str
        Keys of the pieces of the suite: a worker that comes to others does not mean the same by its names.
    plugins : sequence of Path
        Files that are sent along.
    """
    found: dict[int, Settled] = {}
    numbers: dict[Errand, int] = {}
    for number, entry in enumerate(suite.entries):
        if entry.unable:
            found[number] = Settled(reason=f"skipped: {entry.unable}")
            continue
        text = json.dumps(told_of(entry.request, plugins))
        errand = Errand(entry.name, what_is_asked, lambda worker, text=text: text)  # type: ignore[misc]
        numbers[errand] = number
        cluster.add(errand)
    lacking: dict[Errand, dict[str, Any]] = {}
    with progress.bar(f"{suite.title}, what is to do", len(numbers), "entries") as step:
        while cluster.busy:
            for answer in cluster.step():
                if settled := _settled(answer, cluster, drafts, lacking):
                    found[numbers[answer.errand]] = settled
                    step(1, answer.errand.name)
    return [found[number] for number in range(len(suite.entries))]


def _settled(
    answer: Answer, cluster: Cluster, drafts: Collection[str], lacking: dict[Errand, dict[str, Any]]
) -> Settled | None:
    """What an answer settles; None where another worker is asked, for this one lacks something."""
    errand = answer.errand
    if answer.worker is None:
        told = lacking[errand]
        if "blank" in told:
            return _runs(told)
        return Settled(reason=f"{'skipped' if told['skipped'] else 'failed'}: {told['cannot']}")
    if answer.fault:
        return Settled(reason=f"failed: {answer.fault}")
    told = json.loads(answer.said)
    if told.get("never"):
        return Settled(reason=f"skipped: {told['cannot']}")
    if "blank" in told and any(draft_key(run.spec) not in drafts for run in _runs(told).runs):
        spec = told["blank"]["spec"]
        why = f"its {spec['task']} (version {spec['task_version']}), method or source is not that of this machine"
        told = {"cannot": why, "skipped": False}
    if why := told.get("cannot") or told["unable"]:
        lacking[errand] = told
        cluster.add_elsewhere(answer, why)
        return None
    return _runs(told)


def _runs(told: Mapping[str, Any]) -> Settled:
    blank = _record_of(told["blank"])
    specs = [replace(blank.spec, fold=fold, seed=seed) for fold, seed in told["runs"]]
    return Settled(tuple(replace(blank, spec=spec) for spec in specs), unable=told["unable"])


def _record_of(fields: Mapping[str, Any]) -> RunRecord:
    """A record as a worker told it, checked."""
    spec = dict(fields["spec"])
    windowing = Windowing(**spec.pop("windowing"))
    return sound(RunRecord(**{**fields, "spec": RunSpec(windowing=windowing, **spec)}))
