"""The command that uses a trained model: predict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirbench.api.asking import folder_of_runs
from mirbench.cli.left_out import end
from mirbench.cli.options import Machine, PlacesGiven, RunsFolder, finite, one_of, taking
from mirbench.errors import BadInput
from mirbench.places import path_text
from mirbench.plain_text import csv_text, json_text, one_message, say
from mirbench.text_table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirbench.runs.predictions import Predictions

_FORMATS = ("table", "csv", "json")
_MOST_COLUMNS = 4
"""Classes that have a column each; more share one."""


@taking(Machine)
def predict(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A folder of runs, a key, METHOD+SOURCE or TASK/METHOD+SOURCE; an exported folder."
        ),
    ],
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Audio files, or folders of them.")],
    runs: RunsFolder = Path("runs"),
    fold: Annotated[
        int | None, typer.Option("--fold", metavar="K", help="The model of one fold. Default: mean of all.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The model of one seed. Default: mean of all.")
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="One model of all labelled clips instead; trained once, needs the data.")
    ] = False,
    form: Annotated[
        str, typer.Option("--format", metavar="table|csv|json", help="Default: as --output ends, else table.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "--out", metavar="FILE", help="Write to FILE.csv or .json instead.")
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", help="The N most probable classes, too.", min=1)
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="In csv and json, the probability of every class, too.")
    ] = False,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="P", help="Of several labels, those at least so probable.")
    ] = 0.5,
    where: PlacesGiven = [],  # noqa: B006
    *,
    how: Machine,
) -> None:
    """Classes of files of your own, by trained models; confidence is their mean probability."""
    from mirbench.plugin_file import load_plugin
    from mirbench.runs.models import Places
    from mirbench.runs.own_places import parse_places
    from mirbench.runs.predict import predict as do
    from mirbench.runs.predictions import THRESHOLD

    form = _form(form, output)
    if not 0 <= (finite("--threshold", threshold) or 0) <= 1:
        raise BadInput(f"--threshold {threshold}: a probability is needed, 0 to 1")
    if not Path(run).is_dir():
        folder_of_runs(runs)
    if output and not output.parent.is_dir():
        raise BadInput(f"--output {output}: no folder {output.parent}")
    plugins = [load_plugin(path) for path in how.plugin]
    places, progress = Places(**how.circumstance(), named=parse_places(where)), how.progress()
    left_out: list[str] = []
    which: dict[str, Any] = {"plugins": plugins, "fold": fold, "seed": seed, "refit": refit, "left_out": left_out}
    found = do(runs, run, files, progress, places, threshold=threshold, **which)
    if found.runs and form != "table":
        progress.say(f"{found.title}, {found.runs}")
    if found.kind == "regression" and (top or probabilities or threshold != THRESHOLD):
        flag = "--top" if top else "--probabilities" if probabilities else "--threshold"
        raise BadInput(f"{flag}: {found.title} predicts values, not probabilities of classes; leave it out")
    text = {"table": _table, "csv": _csv, "json": _json}[form](found, top, probabilities)
    if output:
        output.write_text(text, encoding="utf-8")
        say(f"written to {output}", error=True)
    else:
        say(text, end="")
    for line in found.faults:
        say(one_message(line), error=True)
    end(left_out)
    if found.faults:
        raise typer.Exit(1)


def _form(asked: str, output: Path | None) -> str:
    """The format that is asked for, or that of a file's suffix."""
    if asked:
        return one_of("--format", asked, _FORMATS)
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    if suffix not in (*_FORMATS, "", "txt"):
        raise BadInput(f"--output {output}: .csv, .json or .txt is written; --format says which into a file called so")
    return suffix if suffix in _FORMATS else "table"


def _csv(found: Predictions, top: int | None, probabilities: bool) -> str:
    """A row a file: what is predicted and how sure, then what was asked for besides."""
    ranks = range(1, min(top or 0, len(found.classes)) + 1)
    if found.kind == "regression":
        rows = [[path_text(file), *map(_value, told)] for file, told in zip(found.files, found.values, strict=True)]
        return csv_text([["file", *found.classes], *rows])
    head = ["file", "predicted", "confidence"]
    head += [cell for rank in ranks for cell in (f"class {rank}", f"probability {rank}")]
    rows = [head + (list(found.classes) if probabilities else [])]
    for n, (file, predicted, confidence) in enumerate(zip(found.files, found.predicted, found.confidence, strict=True)):
        row = [path_text(file), predicted, "" if confidence is None else str(confidence)]
        for k in found.best(n, len(ranks)):
            row += [found.classes[k], str(found.probabilities[n, k])]
        rows.append(row + (list(map(str, found.probabilities[n])) if probabilities else []))
    return csv_text(rows)


def _json(found: Predictions, top: int | None, probabilities: bool) -> str:
    """A list of {file, predicted, confidence}, with `top` and `probabilities` where they were asked for."""
    rows = []
    if found.kind == "regression":
        return json_text([
            {"file": path_text(file), "predicted": dict(zip(found.classes, map(float, map(_value, told)), strict=True))}
            for file, told in zip(found.files, found.values, strict=True)
        ])  # fmt: skip
    several = found.kind != "single-label"
    for n, (file, labels, confidence) in enumerate(zip(found.files, found.labels, found.confidence, strict=True)):
        row: dict[str, Any] = {
            "file": path_text(file), "predicted": list(labels) if several else labels[0], "confidence": confidence
        }  # fmt: skip
        if top:
            row["top"] = [
                {"class": found.classes[k], "probability": found.probability(n, k)} for k in found.best(n, top)
            ]
        if probabilities:
            row["probabilities"] = {name: found.probability(n, k) for k, name in enumerate(found.classes)}
        rows.append(row)
    return json_text(rows)


def _table(found: Predictions, top: int | None, probabilities: bool) -> str:
    """What is predicted of each file, how sure, and the most probable classes."""
    n_shown = min(top or 0, len(found.classes))
    title = ", ".join(filter(None, (found.title, found.runs)))
    if found.kind == "regression":
        told = [[file, *map(_value, values)] for file, values in zip(_short(found.files), found.values, strict=True)]
        return table(title, ["file", *found.classes], told, left=[0], cut_first=True)
    rows = []
    for n, (file, predicted, sure) in enumerate(
        zip(_short(found.files), found.predicted, found.confidence, strict=True)
    ):
        best = [f"{found.classes[k]} {found.probabilities[n, k]:.3f}" for k in found.best(n, n_shown)]
        best = [", ".join(best)] if n_shown > _MOST_COLUMNS else best
        rows.append([file, predicted or "—", "" if sure is None else f"{sure:.3f}", *best])
    many = n_shown > _MOST_COLUMNS
    heads = [f"1 to {n_shown}"] if many else [str(rank + 1) for rank in range(n_shown)]
    left = [0, 1, 3] if many else [0, 1]
    return table(title, ["file", "predicted", "confidence", *heads], rows, left=left, cut_first=True)


def _value(value: float) -> str:
    """Of a target, to as many digits as single precision can tell."""
    return f"{value:.6g}"


def _short(files: Sequence[Path]) -> list[str]:
    """Names without the folder that all are in."""
    whole = [os.path.abspath(file) for file in files]
    folder = os.path.commonpath([os.path.dirname(file) for file in whole])
    return [path_text(os.path.relpath(file, folder)) for file in whole]
