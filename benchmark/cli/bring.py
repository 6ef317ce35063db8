"""The command import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirbench.cli.options import DataRoot, Plugins, RunsFolder, catalogue_of, within
from mirbench.plain_text import say


def bring(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV: clip, and a column of probabilities a class; or clip and predicted."),
    ],
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="Whose test clips they are of.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call the system.")],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Which of several runs of it this is.")] = 0,
    fold: Annotated[int | None, typer.Option("--fold", metavar="K", help="One fold alone.")] = None,
    trainable: Annotated[
        int | None, typer.Option("--trainable", metavar="N", help="Values that were trained, as you say.")
    ] = None,
    runs: RunsFolder = Path("runs"),
    data: DataRoot = None,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Score predictions that were made elsewhere, and record them as a system that is marked as claimed."""
    from mirbench.progress import Progress
    from mirbench.runs.claimed import bring as bring_in
    from mirbench.runs.plan import Request
    from mirbench.runs.report import report

    within("--seed", seed, 0, 2**31 - 1)
    if trainable is not None:
        within("--trainable", trainable, 0, 10**15)
    request = Request(task, "", seeds=(seed,), folds=None if fold is None else (fold,), data=data, runs=runs)
    outcomes = bring_in(file, name, request, catalogue_of(plugin, data), Progress(), trainable)
    report(outcomes, runs, demo=False)
    say("How they were made is not known here: tables mark the row as [claimed].")
