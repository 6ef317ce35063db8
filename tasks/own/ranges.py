"""Between which values the targets of a regression task of one's own are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mirbench.errors import BadInput
from mirbench.types import Clip, Range

__all__ = ["declared_ranges"]

_BEYOND = 0.1
"""Of the width of the values that are listed: so far beyond them on both sides a range goes that nobody declared."""


def declared_ranges(text: str, names: str, clips: Sequence[Clip]) -> dict[str, Range]:
    """The range of each target, by its name.

    Parameters
    ----------
    text : str
        What was declared, as ``1:9`` for all targets, or ``40:250,0:1`` for each in the order of `names`; "" where
        nothing was: a range then goes a tenth of their width beyond the lowest and the highest value listed.
    names : str
        The targets in the order in which they were named, separated by commas; "" where there are none.
    clips : sequence of Clip

    Raises
    ------
    BadInput
        If it is no range, or a value is outside of it.
    """
    if not names:
        return {}
    targets = [name.strip().lower() for name in names.split(",")]
    held = {
        name: [v for c in clips for label, v in zip(c.labels, c.values, strict=True) if label == name]
        for name in targets
    }
    if empty := [name for name in targets if not held[name]]:
        raise BadInput(f"no clip has a value of {empty[0]}; leave it out, or fill in its column")
    if not text:
        return {name: _around(values) for name, values in held.items()}
    parts = text.split(",")
    if len(parts) not in (1, len(targets)):
        raise BadInput(
            f"range={text[:80]!a}: {len(parts)} ranges for {len(targets)} targets; give one for all, or one each"
        )
    ranges = dict(zip(targets, map(_range, parts * (len(targets) if len(parts) == 1 else 1)), strict=True))
    for name, (low, high) in ranges.items():
        if wrong := [value for value in held[name] if not low <= value <= high]:
            raise BadInput(
                f"{name} is {wrong[0]:g} on the list ({len(wrong)} such), outside of its range {low:g}:{high:g}"
            )
    return ranges


def _around(values: Sequence[float]) -> Range:
    low, high = min(values), max(values)
    beyond = _BEYOND * (high - low) or 1.0
    return low - beyond, high + beyond


def _range(text: str) -> Range:
    low, mark, high = text.partition(":")
    try:
        found = float(low), float(high)
    except ValueError:
        found = math.nan, math.nan
    if not mark or not found[0] < found[1] or math.inf in map(abs, found):
        raise BadInput(f"range={text[:40]!a}: the lowest and the highest value are needed, as 1:9")
    return found
