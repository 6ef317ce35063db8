"""What leaves the folder of runs: trained models for those who only predict, what runs said of each clip, records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirbench.cli.export_records import export_records
from mirbench.cli.help import Command
from mirbench.cli.left_out import end
from mirbench.cli.options import Machine, PlacesGiven, RunsFolder, taking
from mirbench.errors import BadInput
from mirbench.plain_text import csv_text, say

export_app = typer.Typer(help="Models, clips and records for elsewhere.", no_args_is_help=True)


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
    onnx: Annotated[bool, typer.Option("--onnx", help="One ONNX graph of it, too: from audio to scores.")] = False,
    where: PlacesGiven = [],  # noqa: B006
    *,
    how: Machine,
) -> None:
    """Write the trained models of a run into a folder that needs no runs and no data."""
    from mirbench.plugin_file import load_plugin
    from mirbench.runs.export import TOLERANCE, export
    from mirbench.runs.export_sounds import sounds_to_compare
    from mirbench.runs.models import Places
    from mirbench.runs.onnx_graph import FILE, ONNX_TOLERANCE
    from mirbench.runs.own_places import parse_places
    from mirbench.runs.predict import load_model

    plugins, progress = [load_plugin(path) for path in how.plugin], how.progress()
    places = Places(**how.circumstance(), named=parse_places(where))
    model = load_model(run, runs, places=places, plugins=plugins, progress=progress, fold=fold, seed=seed, refit=refit)
    with sounds_to_compare(model, check or [], plugins) as (sounds, what):
        found = export(model, folder, sounds, plugins, onnx=onnx)
    of_what, told = "a probability", "probabilities"
    if model.record.kind == "regression":
        of_what, told = "a value, as a share of its range,", "places of values in their ranges"
    say(
        f"{folder}: predicts as the run does: {found.n_files} of {what}, largest difference of {of_what} "
        f"{found.largest:.1e} (at most {TOLERANCE:.0e})"
    )
    if found.graph is not None:
        say(
            f"{folder / FILE}: audio to {told} in one graph; on the same files largest difference "
            f"{found.graph:.1e} (at most {ONNX_TOLERANCE:.0e})"
        )
    say(f"mirbench predict {folder} song.mp3")


@export_app.command(cls=Command, name="clips", short_help="What runs said of each test clip, as CSV.")
def export_clips(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A folder of runs, a key, METHOD+SOURCE or TASK/METHOD+SOURCE.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file; - is standard output.")],
    runs: RunsFolder = Path("runs"),
    mistakes: Annotated[bool, typer.Option("--mistakes", help="Only what is wrong, the surest first.")] = False,
) -> None:
    """Write what runs said of each test clip beside what is true, a line a clip and run; or a line a label."""
    from mirbench.leaderboard.clip_answers import clip_answers
    from mirbench.runs.store import RunStore

    if file.suffix.lower() not in ("", ".csv", ".txt"):
        raise BadInput(f"{file}: CSV is written; name a file that ends in .csv")
    left_out: list[str] = []
    store = RunStore(runs, left_out)
    found = [(folder, record) for folder, record in store.find_every(run) if record.status == "done"]
    if not found:
        raise BadInput(f"{run}: no run that is done is called so in {runs}; `mirbench leaderboard` names those there")
    lines = clip_answers([(record, store.scores(folder)) for folder, record in found], mistakes=mistakes)
    text = csv_text(lines)
    if str(file) == "-":
        say(text, end="", whole=True)
    else:
        file.write_text(text, encoding="utf-8", newline="\n")
        say(f"{file}: {len(lines) - 1:,} lines of {len(found)} {'run' if len(found) == 1 else 'runs'}", error=True)
    end(left_out)


export_app.command(cls=Command, name="records", short_help="Records for CSV, MLflow, Trackio, model cards, ….")(
    export_records
)
