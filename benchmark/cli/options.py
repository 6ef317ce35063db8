"""Options that several commands share, and what reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.errors import BadInput

if TYPE_CHECKING:
    from mirbench.registry import Catalogue

PRECISIONS = ("float32", "bfloat16", "float16")

TaskName = Annotated[str, typer.Argument(help="Name of a task; see `mirbench list tasks`.")]
DataRoot = Annotated[
    Path | None, typer.Option("--data", help="Folder of data sets. Default: MIRBENCH_DATA or ~/mirbench-data.")
]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder of records.")]
Plugins = Annotated[list[Path], typer.Option("--plugin", help="A file with a method, task or source of yours.")]
WeightsFolder = Annotated[
    Path | None, typer.Option("--weights", help="Folder of weights, looked in first. Default: MIRBENCH_WEIGHTS.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda[:N].")]
Precision = Annotated[str, typer.Option("--precision", help="float32, bfloat16 or float16.")]
Workers = Annotated[int, typer.Option("--workers", help="Threads that decode audio.", min=1)]
Threads = Annotated[
    int, typer.Option("--threads", help="Threads of torch; set it where others use the cores. Default: all.", min=0)
]
Energy = Annotated[bool, typer.Option("--energy", help="Measure the energy of training (codecarbon).")]
Deform = Annotated[
    str,
    typer.Option(
        "--deform",
        metavar="NAMES",
        help="Score the test clips deformed, too: all, or some of gain,noise,mp3,lowpass,stretch,pitch.",
    ),
]
Demo = Annotated[bool, typer.Option("--demo", help="Run the task's synthesised stand-in.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def catalogue_of(plugins: list[Path], data: Path | None = None, weights: Path | None = None) -> Catalogue:
    """All that can be named, with plugins."""
    from mirbench.registry import Catalogue, load_plugin

    return Catalogue([load_plugin(path) for path in plugins], data, weights)


def one_of(flag: str, value: str, known: tuple[str, ...]) -> str:
    """The value, if it is one of these."""
    if value not in known:
        raise BadInput(f"{flag} {value}: one of {', '.join(known)} is needed")
    return value
