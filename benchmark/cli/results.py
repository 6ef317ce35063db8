"""Commands that read records: leaderboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mirbench.cli.options import RunsFolder
from mirbench.errors import BadInput


def leaderboard(
    runs: RunsFolder = Path("runs"),
    output: Annotated[Path | None, typer.Option("--output", help="Default: leaderboard.md in the runs folder.")] = None,
) -> None:
    """Print the tables of all records and write them as markdown."""
    from mirbench.leaderboard.render import markdown
    from mirbench.leaderboard.table import boards

    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: no such folder; `mirbench run` makes one")
    found = boards(runs)
    if not found:
        raise BadInput(f"--runs {runs}: no records in it; `mirbench run` makes some")
    text = markdown(found)
    target = output or runs / "leaderboard.md"
    target.write_text(text, encoding="utf-8")
    print(text)
    print(f"written to {target}", file=sys.stderr)
