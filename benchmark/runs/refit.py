"""One model of all labelled clips, with what the runs of a system chose on valid, in the place of their many models.

It lies beside the runs, as ``refit-KEY/refit.json`` and ``model.safetensors``. It is no record: every clip is in its
training, so that it has no score, and no table shows it. What it may be expected to score is what its runs did.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mirbench.errors import BadInput, MissingData, NotApplicable
from mirbench.features.temporary import replace_folder, temporary
from mirbench.method import Fitted, Method, Refittable
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.learnt_from import refits, selects
from mirbench.runs.members import Member
from mirbench.runs.models import Leaf, Places
from mirbench.runs.own_places import lacking, source_here, task_of
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.runs.report import over_seeds, shown_metrics
from mirbench.runs.run_files import file_contents
from mirbench.runs.scores import how_over_folds
from mirbench.runs.store import RunStore
from mirbench.runs.surroundings import context_of, load_libraries
from mirbench.types import Clip, Split

__all__ = ["refitted"]

_FORMAT = 1
_MODEL = "model.safetensors"


def refitted(
    store: RunStore, member: Member, catalogue: Catalogue, places: Places, progress: Progress
) -> tuple[Leaf, str]:
    """The model of all clips, read back where it was trained before, and what is to be said of it.

    Raises
    ------
    MissingData
        If the task's data is not here, and it was not trained before.
    NotApplicable
        If the method cannot do without valid.
    BadInput
        If the data or the weights here are not those of the runs.
    """
    records = [record for _, record in member.runs.values()]
    first = records[0]
    if first.spec.method == "ensemble":
        raise NotApplicable("--refit: an ensemble joins runs of several systems; name one of them")
    chosen = _chosen(records)
    asked = {
        "system": first.spec.system,
        "clips": first.spec.audio_sha256,
        "chosen": dict(chosen),
        "seed": first.spec.seed,
        "runs": sorted(record.spec.key for record in records),
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    folder = store.folder(first.spec).parent / f"refit-{key}"
    held = _read(folder)
    if held is None:
        held = _train(folder, asked, records, chosen, catalogue, places, progress)
    record = replace(
        first,
        spec=replace(first.spec, search={}, fold=0),
        chosen=chosen,
        metrics={name: None for name, value in first.metrics.items() if isinstance(value, float)},
        n_scored={},
        trials=(),
        history=held["history"],
        n_clips={"train": held["n_clips"], "valid": 0, "test": 0},
        n_trainable=held["n_trainable"],
        seconds={},
        spent={},
        memory={},
        energy={},
        files={_MODEL: held["sha256"]},
    )
    return Leaf(folder, record, 1.0), _said(member.runs.values(), held)


def _said(runs: Collection[tuple[Path, RunRecord]], held: Mapping[str, Any]) -> str:
    """What it is, and what may be expected of it: the number that tables have."""
    epochs = f" for {held['epochs']} epochs" if held["epochs"] else ""
    said = f"one model of all {held['n_clips']} clips{epochs}, itself untested"
    name = next(iter(shown_metrics([record for _, record in runs])), "")
    score, n_seeds = over_seeds(runs, name) if name else ("", 0)
    if not n_seeds:
        return said
    how = how_over_folds(name, len({record.spec.fold for _, record in runs}))
    return f"{said}; {name} {score} is what its {len(runs)} runs had on test{f' ({how})' if how else ''}"


def _chosen(records: Sequence[RunRecord]) -> Mapping[str, Any]:
    """The point of the search that was best on valid, in the mean over the runs."""
    scores: dict[str, list[float]] = {}
    points: dict[str, Mapping[str, Any]] = {}
    for record in records:
        for trial in record.trials:
            point = json.dumps(trial["params"], sort_keys=True)
            points[point] = trial["params"]
            scores.setdefault(point, []).append(-np.inf if trial["valid_score"] is None else trial["valid_score"])
    return points[max(scores, key=lambda point: float(np.mean(scores[point])))] if scores else {}


def _train(
    folder: Path,
    asked: Mapping[str, Any],
    records: Sequence[RunRecord],
    chosen: Mapping[str, Any],
    catalogue: Catalogue,
    places: Places,
    progress: Progress,
) -> dict[str, Any]:
    plan = _plan(records[0], chosen, catalogue, places, progress)
    clips = _labelled(plan)
    progress.say(f"--refit: one model of all {len(clips)} labelled clips of {plan.task.name}")
    from mirbench.features.usual import computed_as_usual, left_as_found

    context = context_of(plan, progress)
    load_libraries(type(plan.method))
    seed = records[0].spec.seed
    with computed_as_usual(context.device, context.threads), left_as_found(context.device, seed):
        fitted = _fitted(plan.method, Split(plan.task, clips), context, seed, records)
    if changed := context.source_changed():
        raise BadInput(changed)
    contents = file_contents(None, fitted.state)
    if _MODEL not in contents:
        raise NotApplicable(f"--refit: {plan.method.name} keeps nothing of what it learns, and cannot be loaded again")
    held = {
        "refit": _FORMAT,
        "asked": asked,
        "n_clips": len(clips),
        "epochs": len(fitted.history),
        "n_trainable": fitted.n_trainable,
        "history": [dict(row) for row in fitted.history],
        "sha256": hashlib.sha256(contents[_MODEL]).hexdigest(),
    }
    with temporary(folder.parent) as work:
        (work / _MODEL).write_bytes(contents[_MODEL])
        (work / "refit.json").write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
        work.chmod(0o755)
        replace_folder(work, folder)
    return held


def _plan(
    record: RunRecord, chosen: Mapping[str, Any], catalogue: Catalogue, places: Places, progress: Progress
) -> Plan:
    """The question of the runs with what they chose; their data and weights are here."""
    spec = record.spec
    task, source = task_of(record, places.named, places.data), source_here(spec.source, places.named)
    request = Request(
        task, spec.method, source, (spec.seed,), (0,), {**spec.params, **chosen},
        source_params=spec.source_params, windowing=spec.windowing, pad=spec.pad, data=places.data,
        weights=places.weights, cache=places.cache, device=places.device, precision=spec.precision,
        workers=places.workers, threads=places.threads,
    )  # fmt: skip
    try:
        plan = make_plan(request, catalogue, progress)
    except BadInput as error:
        lacks = lacking(spec, places.named)
        if not lacks and not isinstance(error, MissingData):
            raise
        own = f"; {lacks}, or give the folder that holds it as --data" if lacks else ""
        raise MissingData(f"--refit needs the clips of {spec.task}, as run did: {error}{own}") from error
    if plan.unable:
        raise BadInput(plan.unable)
    now = plan.specs[0]
    for what in ("method_version", "source_version", "source_sha256", "audio_sha256", "task_version"):
        if getattr(now, what) != getattr(spec, what):
            raise BadInput(
                f"--refit: {what} of the runs is {str(getattr(spec, what))[:12]}, here is "
                f"{str(getattr(now, what))[:12]}; give the data and weights of the runs, or run them again"
            )
    return plan


def _labelled(plan: Plan) -> tuple[Clip, ...]:
    """Every clip of the task with a label, of all folds and splits, each once, in the order of their ids."""
    every = {clip.id: clip for clips in plan.folds for clip in clips if clip.labels or plan.task.kind != "single-label"}
    return tuple(clip for _, clip in sorted(every.items()))


def _fitted(method: Method, clips: Split, context: Any, seed: int, records: Sequence[RunRecord]) -> Fitted:
    if refits(method):
        assert isinstance(method, Refittable)
        return method.refit(clips, context, seed=seed, histories=[record.history for record in records])
    if selects(method):
        raise NotApplicable(
            f"--refit: {method.name} selects on valid, and none is left where all clips are learnt from; give its "
            "class `refit`, or `uses_valid = False` if its `fit` does not look at valid; or leave --refit out"
        )
    return method.fit(clips, clips, context, seed=seed)


def _read(folder: Path) -> dict[str, Any] | None:
    """What was trained before; None where nothing was."""
    path = folder / "refit.json"
    if not path.is_file():
        return None
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if held["refit"] != _FORMAT:
            raise ValueError(f"of format {held['refit']!r:.20}")
        _ = held["n_clips"], held["epochs"], held["n_trainable"], held["history"], held["sha256"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: not what --refit writes ({error}); remove its folder to train it again") from error
    return held
