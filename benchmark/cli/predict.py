"""The command that uses a trained model: predict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.api.asking import folder_of_runs
from mirbench.cli.left_out import end
from mirbench.cli.options import Machine, RunsFolder, one_of, taking
from mirbench.errors import BadInput
from mirbench.places import path_text
from mirbench.plain_text import csv_text, json_text, one_message, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirbench.runs.predict import Predictions


@taking(Machine)
def predict(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A folder of runs, a key, METHOD+SOURCE or TASK/METHOD+SOURCE."),
    ],
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Audio files, or folders of them.")],
    runs: RunsFolder = Path("runs"),
    fold: Annotated[
        int | None, typer.Option("--fold", metavar="K", help="The model of one fold. Default: mean of all.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The model of one seed. Default: mean of all.")
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="table|csv|json", help="What is printed.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write to this file instead.")] = None,
    top: Annotated[
        int, typer.Option("--top", metavar="N", help="Classes in the table, and in `top` of json.", min=1)
    ] = 3,
    *,
    how: Machine,
) -> None:
    """Probabilities of the classes of a run for files of your own, by its trained model."""
    from mirbench.plugin_file import load_plugin
    from mirbench.runs.models import Places
    from mirbench.runs.predict import predict as do

    one_of("--format", form, ("table", "csv", "json"))
    folder_of_runs(runs)
    if output and not output.parent.is_dir():
        raise BadInput(f"--output {output}: no folder {output.parent}")
    plugins = [load_plugin(path) for path in how.plugin]
    places, progress = Places(**how.circumstance()), how.progress()
    left_out: list[str] = []
    found = do(runs, run, files, progress, places, plugins=plugins, fold=fold, seed=seed, left_out=left_out)
    if found.runs and form != "table":
        progress.say(f"{found.title}, {found.runs}")
    text = {"table": _table, "csv": _csv, "json": _json}[form](found, top)
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


def _csv(found: Predictions, top: int) -> str:
    """A row a file, a column a class."""
    rows = zip(found.files, found.probabilities, strict=True)
    return csv_text([["file", *found.classes], *([path_text(file), *map(str, row)] for file, row in rows)])


def _json(found: Predictions, top: int) -> str:
    """A list of {file, probabilities, top}."""
    rows = [
        {
            "file": path_text(file),
            "probabilities": {name: float(str(value)) for name, value in zip(found.classes, row, strict=True)},
            "top": [found.classes[k] for k in _best(row, top)],
        }
        for file, row in zip(found.files, found.probabilities, strict=True)
    ]
    return json_text(rows)


def _table(found: Predictions, top: int) -> str:
    """The most probable classes of each file."""
    n_shown = min(top, len(found.classes))
    best = [[f"{found.classes[k]} {row[k]:.3f}" for k in _best(row, n_shown)] for row in found.probabilities]
    title = ", ".join(filter(None, (found.title, found.runs)))
    rows = [[name, *cells] for name, cells in zip(_short(found.files), best, strict=True)]
    return table(title, ["file", *map(str, range(1, n_shown + 1))], rows, left=[0], cut_first=True)


def _best(row: Sequence[float], count: int) -> list[int]:
    """Columns of the highest scores, the first of equals first."""
    return sorted(range(len(row)), key=lambda k: -row[k])[:count]


def _short(files: Sequence[Path]) -> list[str]:
    """Names without the folder that all are in."""
    whole = [os.path.abspath(file) for file in files]
    folder = os.path.commonpath([os.path.dirname(file) for file in whole])
    return [path_text(os.path.relpath(file, folder)) for file in whole]
