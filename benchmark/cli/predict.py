"""The command that uses a trained model: predict."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.options import Machine, RunsFolder, one_of, taking
from mirbench.errors import BadInput
from mirbench.places import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirbench.runs.predict import Predictions

_WIDTH = 120  # of a table that goes to no terminal


@taking(Machine)
def predict(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A folder of runs, a key, METHOD+SOURCE or TASK/METHOD+SOURCE."),
    ],
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Audio files, or folders of them.")],
    runs: RunsFolder = Path("runs"),
    fold: Annotated[int | None, typer.Option("--fold", help="The model of one fold. Default: mean of all.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The model of one seed. Default: mean of all.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", help="Write to this file instead.")] = None,
    top: Annotated[int, typer.Option("--top", help="Classes in the table, and in `top` of json.", min=1)] = 3,
    *,
    how: Machine,
) -> None:
    """Probabilities of the classes of a run for files of your own, by its trained model."""
    from mirbench.registry import load_plugin
    from mirbench.runs.models import Places
    from mirbench.runs.predict import predict as do

    one_of("--format", form, ("table", "csv", "json"))
    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: no such folder; `mirbench run` makes one")
    if output and not output.parent.is_dir():
        raise BadInput(f"--output {output}: no folder {output.parent}")
    plugins = [load_plugin(path) for path in how.plugin]
    places, progress = Places(**how.circumstance()), how.progress()
    found = do(runs, run, files, progress, places, plugins=plugins, fold=fold, seed=seed)
    if found.runs and form != "table":
        progress.say(f"{found.title}, {found.runs}")
    text = {"table": _table, "csv": _csv, "json": _json}[form](found, top)
    if output:
        output.write_text(text, encoding="utf-8")
        print(f"written to {output}", file=sys.stderr)
    else:
        sys.stdout.write(text)
        sys.stdout.flush()
    for line in found.faults:
        print(line, file=sys.stderr)
    if found.faults:
        raise typer.Exit(1)


def _csv(found: Predictions, top: int) -> str:
    """A row a file, a column a class."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", *found.classes])
    for file, row in zip(found.files, found.probabilities, strict=True):
        writer.writerow([written(file), *map(str, row)])
    return stream.getvalue()


def _json(found: Predictions, top: int) -> str:
    """A list of {file, probabilities, top}."""
    rows = [
        {
            "file": written(file),
            "probabilities": {name: float(str(value)) for name, value in zip(found.classes, row, strict=True)},
            "top": [found.classes[k] for k in _best(row, top)],
        }
        for file, row in zip(found.files, found.probabilities, strict=True)
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _table(found: Predictions, top: int) -> str:
    """The most probable classes of each file."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    n_shown = min(top, len(found.classes))
    table = Table(title=escape(", ".join(filter(None, (found.title, found.runs)))), title_justify="left")
    table.add_column("file", no_wrap=True, min_width=12)
    cells = [[f"{found.classes[k]} {row[k]:.3f}" for k in _best(row, n_shown)] for row in found.probabilities]
    for place in range(n_shown):
        widest = max(len(row[place]) for row in cells)
        table.add_column(str(place + 1), justify="right", no_wrap=True, min_width=widest)
    for name, row in zip(_short(found.files), cells, strict=True):
        table.add_row(escape(name), *map(escape, row))
    stream = io.StringIO()
    terminal = sys.stdout.isatty()
    Console(file=stream, width=Console().width if terminal else _WIDTH, force_terminal=terminal).print(table)
    return stream.getvalue()


def _best(row: Sequence[float], count: int) -> list[int]:
    """Columns of the highest scores, the first of equals first."""
    return sorted(range(len(row)), key=lambda k: -row[k])[:count]


def _short(files: Sequence[Path]) -> list[str]:
    """Names without the folder that all are in."""
    folder = os.path.commonpath([file.parent for file in files])
    return [written(os.path.relpath(file, folder or ".")) for file in files]
