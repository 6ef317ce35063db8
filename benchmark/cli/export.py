"""What leaves the folder of runs: trained models, for those who only predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirbench.cli.help import Command
from mirbench.cli.options import Machine, RunsFolder, taking
from mirbench.plain_text import say

export_app = typer.Typer(help="Trained models for those who only predict.", no_args_is_help=True)


@export_app.command(cls=Command, name="model", short_help="A folder that predicts without runs and data.")
@taking(Machine)
def export_model(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A folder of runs, a key, METHOD+SOURCE or TASK/METHOD+SOURCE.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is not there yet.")],
    runs: RunsFolder = Path("runs"),
    fold: Annotated[int | None, typer.Option("--fold", metavar="K", help="The model of one fold.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="The model of one seed.")] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="One model of all labelled clips instead; trained once, needs the data.")
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="FILE", help="Compare on it. Default: clips of the task."),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="One ONNX graph of it, too: audio to probabilities.")] = False,
    *,
    how: Machine,
) -> None:
    """Write the trained models of a run into a folder that needs no runs and no data."""
    from mirbench.plugin_file import load_plugin
    from mirbench.runs.export import TOLERANCE, export
    from mirbench.runs.export_sounds import sounds_to_compare
    from mirbench.runs.models import Places
    from mirbench.runs.onnx_graph import FILE, ONNX_TOLERANCE
    from mirbench.runs.predict import load_model

    plugins, places, progress = [load_plugin(path) for path in how.plugin], Places(**how.circumstance()), how.progress()
    model = load_model(run, runs, places=places, plugins=plugins, progress=progress, fold=fold, seed=seed, refit=refit)
    with sounds_to_compare(model, check or [], plugins) as (sounds, what):
        found = export(model, folder, sounds, plugins, onnx=onnx)
    say(
        f"{folder}: predicts as the run does: {found.n_files} of {what}, largest difference of a probability "
        f"{found.largest:.1e} (at most {TOLERANCE:.0e})"
    )
    if found.graph is not None:
        say(
            f"{folder / FILE}: audio to probabilities in one graph; on the same files largest difference "
            f"{found.graph:.1e} (at most {ONNX_TOLERANCE:.0e})"
        )
    say(f"mirbench predict {folder} song.mp3")
