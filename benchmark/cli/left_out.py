"""What a command says of the records that it could not read: which, that it went on without them, and exit code 1."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from mirbench.api.left_out import said
from mirbench.plain_text import say

__all__ = ["end"]


def end(left_out: Sequence[str]) -> None:
    """Name what was left out in one line, if anything was, and end with exit code 1.

    Raises
    ------
    typer.Exit
        If anything was left out.
    """
    if not left_out:
        return
    say(f"mirbench: {said(left_out)}", error=True)
    raise typer.Exit(1)
