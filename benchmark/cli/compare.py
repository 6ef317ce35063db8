"""The command compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mirbench.api.asking import folder_of_runs
from mirbench.cli.left_out import end
from mirbench.cli.options import RunsFolder, one_of
from mirbench.plain_text import is_terminal, say


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="METHOD+SOURCE, TASK/METHOD+SOURCE, a folder or a key.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other; NAME@KEY where there are several settings.")],
    runs: RunsFolder = Path("runs"),
    task: Annotated[str, typer.Option("--task", metavar="NAME", help="Of both, where A and B do not say it.")] = "",
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="Default: the task's first.")] = "",
    form: Annotated[str, typer.Option("--format", metavar="text|json", help="For people, or programs.")] = "text",
    reference: Annotated[
        bool,
        typer.Option("--reference/--no-reference", help="Know results that ship with mirbench, and added ones, too."),
    ] = True,
) -> None:
    """Which of two systems is better on the same clips, how sure that is, where they differ, what each costs."""
    from mirbench.leaderboard.compare import compare as compared
    from mirbench.leaderboard.compare_text import as_json, as_text
    from mirbench.leaderboard.packs import every_pack
    from mirbench.leaderboard.pair import find_pair

    one_of("--format", form, ("text", "json"))
    left_out: list[str] = []
    packs = every_pack(left_out) if reference else []
    if not packs:
        folder_of_runs(runs)
    found = compared(*find_pair(runs, (a, b), left_out, packs, task), metric)
    if form == "json":
        say(json.dumps(as_json(found), indent=1, allow_nan=False), whole=True)
    else:
        say(as_text(found, whole=not is_terminal()))
    end(left_out)
