"""Predictions that were made elsewhere as runs: scored here like any other, and marked as somebody's word.

How they were made, on what, and whether the test clips were never heard in training is not known here. So a record of
them says the hash of the file that they came in, has no costs, and no command makes it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mirbench import __version__, metrics
from mirbench.errors import BadInput
from mirbench.names import confusable, wrong_name
from mirbench.plain_text import printable
from mirbench.progress import Progress
from mirbench.record import RunSpec
from mirbench.registry import Catalogue, taken
from mirbench.runs.attempt import splits, unfinished
from mirbench.runs.plan import Plan, Request, make_plan
from mirbench.runs.runner import Outcome
from mirbench.runs.scores import Scores
from mirbench.runs.store import RunStore
from mirbench.taken_names import CLAIMED
from mirbench.types import FloatArray, Split

__all__ = ["bring"]

_ID, _LABEL = ("clip", "id"), "predicted"


def bring(
    file: Path, name: str, request: Request, catalogue: Catalogue, progress: Progress, n_trainable: int | None = None
) -> list[Outcome]:
    """Record the predictions of a file, a run a fold.

    Parameters
    ----------
    file : Path
        CSV with a column ``clip`` (ids as `mirbench export clips` writes them) and a column of probabilities for each
        class; or, for one class a clip, a column ``predicted``.
    name : str
        What to call the system.
    request : Request
        Of the task; which folds, and as which seed. Its method is not used.
    n_trainable : int or None
        What is said to have been trained.

    Returns
    -------
    list of Outcome
        One a fold; it was read back where the same is on record.

    Raises
    ------
    BadInput
        If the name or the table will not do, or test clips are missing; nothing was recorded then.
    """
    why = wrong_name(name, "method") or confusable(name) or taken("method", name)
    if why:
        raise BadInput(f"--name {printable(name, 80)}: {why}; give it another")
    held = _read(file)
    plan = make_plan(replace(request, method="prior", source=""), catalogue, progress)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    known = [_scored(spec, plan, held, file) for spec in plan.specs]
    if said := _passed_over(plan, held, file):
        progress.say(said)
    store, outcomes = RunStore(request.runs), []
    store.require_writable()
    if plan.task.manifest:
        store.write_clips(plan.specs[0], plan.folds, plan.data)
    for spec, (test, scores) in zip(plan.specs, known, strict=True):
        asked = replace(spec, method=name, method_version=f"{CLAIMED}{sha256[:12]}", params={}, seed=request.seeds[0])
        if (before := store.read(asked)) is not None:
            outcomes.append(Outcome(before, store.folder(asked), True))
            continue
        found = metrics.evaluate(plan.task.metrics, scores, test.targets())
        train, valid, _ = splits(plan, spec.fold)
        record = replace(
            unfinished(asked, plan),
            status="done",
            metrics=found,
            n_scored=metrics.n_scored(found),
            n_trainable=n_trainable,
            n_clips={"train": len(train), "valid": len(valid), "test": len(test)},
            changed={},
            uses_seed=True,
            environment={"versions": {"mirbench": __version__}, "predictions_sha256": sha256},
        )
        outcomes.append(Outcome(record, store.write(record, Scores.of(test, scores)), False))
    return outcomes


def _read(file: Path) -> pd.DataFrame:
    """The table by clip, as text."""
    for separator in (",", ";", "\t"):
        try:
            table = pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        except OSError as error:
            raise BadInput(f"{file}: not to be read ({error.strerror or error})") from error
        except (UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise BadInput(f"{file}: not readable as a CSV file in UTF-8 ({printable(error, 200)})") from error
        if column := next((column for column in table if str(column).strip().lower() in _ID), None):
            break
    else:
        raise BadInput(
            f"{file}: a column called clip is needed, with ids of clips, and one a class; it has "
            f"{printable(', '.join(map(str, table.columns)), 200)}"
        )
    table[column] = table[column].str.strip()
    twice = table[column][table[column].duplicated()]
    if len(twice):
        n = int((table[column] == twice.iloc[0]).sum())
        raise BadInput(f"{file}: the clip {printable(twice.iloc[0], 80)} has {n} lines; one is needed")
    return table.set_index(column)


def _scored(spec: RunSpec, plan: Plan, table: pd.DataFrame, file: Path) -> tuple[Split, FloatArray]:
    """The test clips of a fold and what the table says of them."""
    test = splits(plan, spec.fold)[2]
    ids = [clip.id for clip in test.clips]
    if absent := [clip for clip in ids if clip not in table.index]:
        fold = f" of fold {spec.fold} (--fold K brings one fold alone)" if len(plan.specs) > 1 else ""
        raise BadInput(
            f"{file}: {len(absent)} of {len(ids)} test clips{fold} have no line, as {printable(absent[0], 80)}; "
            f"`mirbench export clips` of any run of {spec.task} names them"
        )
    scores = _numbers(table.loc[ids], test.classes, test.task.kind, file)
    if test.task.kind == "regression":
        low, high = np.array(test.task.ranges).T
        if (outside := np.argwhere((scores < low) | (scores > high))).size:
            n, k = outside[0]
            raise BadInput(
                f"{file}: clip {printable(ids[n], 80)}: {test.classes[k]} {scores[n, k]:g} is outside of its range "
                f"{low[k]:g} to {high[k]:g} ({len(outside)} such); move such values to its ends"
            )
        scores = ((scores - low) / (high - low)).astype(np.float32)
    try:
        metrics.validate(scores, test.targets(), len(test), len(test.classes))
    except ValueError as error:
        raise BadInput(f"{file}: {error}") from error
    return test, scores


def _passed_over(plan: Plan, table: pd.DataFrame, file: Path) -> str:
    """How many lines are of clips that are not tested; "" where all are."""
    tested = {clip.id for spec in plan.specs for clip in plan.folds[spec.fold] if clip.split == "test"}
    every = {clip.id for clips in plan.folds for clip in clips}
    strange = [name for name in table.index if name not in every]
    n_others = len(table) - len(strange) - sum(name in tested for name in table.index)
    said = []
    if strange:
        said.append(f"{len(strange)} of no clip of {plan.task.name}, as {printable(strange[0], 80)}")
    if n_others:
        said.append(f"{n_others} of clips that are not tested here")
    return f"{printable(file, 200)}: lines that are passed over: {'; '.join(said)}" if said else ""


def _numbers(table: pd.DataFrame, classes: Sequence[str], kind: str, file: Path) -> FloatArray:
    lacking = [name for name in classes if name not in table.columns]
    if len(lacking) == len(classes) and _LABEL in table.columns and kind == "single-label":
        place: Mapping[str, int] = {name: n for n, name in enumerate(classes)}
        said = table[_LABEL].str.strip()
        if other := [name for name in said if name not in place]:
            known = printable(", ".join(classes), 300)
            raise BadInput(f"{file}: {printable(other[0], 80)} is no class of the task; they are {known}")
        return np.eye(len(classes), dtype=np.float32)[[place[name] for name in said]]
    if lacking:
        or_label = f", or one column called {_LABEL}" if kind == "single-label" else ""
        raise BadInput(f"{file}: no column is called {printable(lacking[0], 80)}; one a class is needed{or_label}")
    values = table[list(classes)].apply(pd.to_numeric, errors="coerce")
    if values.isna().to_numpy().any():
        row, column = np.argwhere(values.isna().to_numpy())[0]
        came = printable(table[classes[column]].iloc[row], 40)
        raise BadInput(f"{file}: clip {printable(table.index[row], 80)}, {classes[column]}: {came!r} is no number")
    return values.to_numpy(dtype=np.float32)
