"""The command line that makes a run again, from its record."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mirbench.record import RunRecord
from mirbench.spelling import of_files, source_of_files, with_places
from mirbench.taken_names import is_claimed
from mirbench.types import Windowing

__all__ = ["PADDED", "command", "notes"]

_OF_ENSEMBLES = {"systems", "members", "member_weights", "average"}

PADDED = ("speechatt",)
"""Sources whose cards pad short clips otherwise than with zeros: what was padded with zeros has to say so."""


def command(record: RunRecord, seeds: Sequence[int] = (), folds: Sequence[int] = ()) -> str:
    """What to type to ask for the same again.

    Parameters
    ----------
    seeds, folds : sequence of int
        Of several runs that were asked the same but for these; those of the record if left out.

    Returns
    -------
    str
        A line for all folds of the task, or one for each of a few. PATH stands for what a record does not hold; see
        `notes`.
    """
    if _is_ensemble(record):
        return shlex.join(_of_ensemble(record.spec.params))
    if is_claimed(record.spec.method_version):
        return shlex.join(_of_predictions(record, seeds))
    folds = sorted(folds or (record.spec.fold,))
    if folds == list(range(record.n_folds)):
        return shlex.join(_words(record, seeds))
    return "\n".join(shlex.join([*_words(record, seeds), "--fold", str(fold)]) for fold in folds)


def notes(record: RunRecord) -> list[str]:
    """What the command takes for granted, a sentence each."""
    spec = record.spec
    if _is_ensemble(record):
        return [
            f"It averages runs on record, of seed {spec.seed} and fold {spec.fold} here; others have other members."
        ]
    said = []
    if is_claimed(spec.method_version):
        said.append("It brings the same predictions again: how they were made is not known here.")
    elif any("+" in version for version in (spec.task_version, spec.method_version, spec.source_version)):
        said.append("Part of it comes from a plugin: name its file with --plugin, or install it.")
    if named := [*of_files(spec.task), *filter(None, [source_of_files(spec.source)])]:
        each = ", each time," if len(named) > 1 else ""
        said.append(
            f"PATH is{each} the folder that holds what is named after it: records keep no folders of a machine."
        )
    if record.standing != "own":
        said.append("Data that are not in the default folder are given with --data FOLDER.")
    if record.spec.source:
        said.append("Weights of a source that lie in a folder of yours are given with --weights FOLDER.")
    return said


def _words(record: RunRecord, seeds: Sequence[int]) -> list[str]:
    spec = record.spec
    words = ["mirbench", "run", "--task", _with_path(record), "--method", spec.method]
    if spec.source:
        named = source_of_files(spec.source)
        words += ["--source", spec.source.removesuffix(named) + (_below(named) if named else "")]
    words += ["--seeds", _several(sorted(seeds or (spec.seed,)))]
    for name, value in record.changed.items():
        flag = "--source-set" if name.startswith("source ") else "--set"
        words += [flag, f"{name.removeprefix('source ')}={_text(value)}"]
    for name, values in spec.search.items():
        words += ["--search", f"{name}={','.join(map(_text, values))}"]
    usual = Windowing()
    for flag, asked, default in (
        ("--windows", spec.windowing.windows, usual.windows),
        ("--average", spec.windowing.average, usual.average),
        ("--precision", spec.precision, "float32"),
    ):
        if asked != default:
            words += [flag, asked]
    for name, asked in spec.later.items():
        words += [f"--{name}", asked]
    if spec.source in PADDED and "pad" not in spec.later:
        words += ["--pad", spec.pad]
    return words


def _of_predictions(record: RunRecord, seeds: Sequence[int]) -> list[str]:
    spec = record.spec
    words = ["mirbench", "import", "PATH/predictions.csv", "--task", _with_path(record), "--name", spec.method]
    return [*words, "--seed", str(spec.seed)] if spec.seed and len(seeds) < 2 else words


def _is_ensemble(record: RunRecord) -> bool:
    """Whether it is one that says what it averages; a stranger's record may be called so and lack it."""
    return record.spec.method == "ensemble" and record.spec.params.keys() >= _OF_ENSEMBLES


def _of_ensemble(params: Mapping[str, Any]) -> list[str]:
    words = ["mirbench", "ensemble", *params["members"], "--average", str(params["average"])]
    weights = params["member_weights"]
    return words if len(set(weights)) == 1 else [*words, "--weights-of", ",".join(map(str, weights))]


def _with_path(record: RunRecord) -> str:
    """The task as one types it; a list of numbers with the columns that hold them, and their ranges."""
    asked = ""
    if record.ranges:
        pairs = ",".join(f"{_short(low)}:{_short(high)}" for low, high in record.target_ranges)
        asked = f"?value={','.join(record.classes)}&range={pairs}"
    return with_places(record.spec.task, lambda name: _below(name) + (asked if name.startswith("csv:") else ""))


def _short(value: float) -> str:
    """A number to its last digit, whole ones without a point."""
    return repr(value).removesuffix(".0")


def _below(name: str) -> str:
    """The name of a list, folder or file as one types it; that of a list lacks its suffix."""
    prefix, _, called = name.rpartition(":")
    if prefix == ":":  # a file of classes
        return f"PATH/{called}.csv"
    return f"{prefix}:PATH/{called}{'.csv' if prefix == 'csv' else ''}"


def _several(seeds: Sequence[int]) -> str:
    """As ``--seeds`` reads them: how many from 0 on, a range, or a list."""
    if list(seeds) == list(range(len(seeds))):
        return str(len(seeds))
    if list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ",".join(map(str, seeds))


def _text(value: Any) -> str:
    """As ``--set`` reads it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
