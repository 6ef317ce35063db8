"""What is said of the records that could not be read, where many were."""

from __future__ import annotations

from collections.abc import Sequence

from mirbench.plain_text import printable

__all__ = ["said"]

_FEW = 3


def said(left_out: Sequence[str]) -> str:
    """Which were left out and why, in one line."""
    more = f"; and {len(left_out) - _FEW} more (`mirbench verify` names all)" if len(left_out) > _FEW else ""
    count = "1 is left out, for it" if len(left_out) == 1 else f"{len(left_out)} are left out, for they"
    return f"{count} cannot be read: {'; '.join(printable(line, 300) for line in left_out[:_FEW])}{more}"
