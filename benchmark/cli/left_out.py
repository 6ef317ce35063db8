"""What a command says of the records that it could not read: which, that it went on without them, and exit code 1."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from mirbench.plain_text import printable, say

__all__ = ["end"]

_FEW = 3


def end(left_out: Sequence[str]) -> None:
    """Name what was left out in one line, if anything was, and end with exit code 1.

    Raises
    ------
    typer.Exit
        If anything was left out.
    """
    if not left_out:
        return
    more = f"; and {len(left_out) - _FEW} more (`mirbench verify` names all)" if len(left_out) > _FEW else ""
    count = "1 is left out, for it" if len(left_out) == 1 else f"{len(left_out)} are left out, for they"
    said = "; ".join(printable(line, 300) for line in left_out[:_FEW])
    say(f"mirbench: {count} cannot be read: {said}{more}", error=True)
    raise typer.Exit(1)
