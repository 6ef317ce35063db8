"""What a printed number is a number of, and ours of the same.

A quantity is a word, or ``word[argument]``: a metric, ``two-class-f1-per-class[accordion]``, ``median[roc-auc]``,
``chosen[lr]``, ``gain over AST-BS[accuracy]``, ``ratio over IDS-NMR[epoch_seconds[cached]]``. The tables `SCORED` and
`RECORDED` have most of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mirbench.leaderboard.reproduction.answers import Answer, Measured, Unanswered
from mirbench.leaderboard.reproduction.recorded import RECORDED
from mirbench.leaderboard.reproduction.scored import SCORED, correlation, gain

__all__ = ["measure"]

_QUANTITIES: Mapping[str, Callable[..., Measured]] = {**SCORED, **RECORDED}
_GAIN = re.compile(r"gain over (.+?)\[(.+)\]")
_RATIO = re.compile(r"ratio over (.+?)\[(.+)\]")
_CORRELATION = re.compile(r"correlation\[n_present of (.+), two-class-f1-per-class\]")


def measure(quantity: str, answer: Answer, others: Mapping[str, Sequence[Answer]]) -> Measured:
    """Our number of a quantity.

    Parameters
    ----------
    others : mapping of str to sequence of Answer
        The answers of every row, for what compares two rows.

    Raises
    ------
    Unanswered
        If there is none.
    """
    if found := _GAIN.fullmatch(quantity):
        return gain(answer, found[1], found[2], others)
    if found := _CORRELATION.fullmatch(quantity):
        return correlation(answer, found[1], others)
    if found := _RATIO.fullmatch(quantity):
        return _ratio(answer, found[1], found[2], others)
    for pattern, function in _QUANTITIES.items():
        if found := re.fullmatch(pattern, quantity):
            return function(answer, *found.groups())
    raise Unanswered("nothing of ours gives this number")


def _ratio(answer: Answer, row: str, quantity: str, others: Mapping[str, Sequence[Answer]]) -> Measured:
    """A quantity divided by that of another row's first answer."""
    own = measure(quantity, answer, others)
    other = next((a for a in others.get(row, ()) if a.systems), None)
    if other is None:
        raise Unanswered(f"nothing of {row} is on record")
    below = measure(quantity, other, others).value
    if not below > 0:
        raise Unanswered(f"{row}: undefined")
    return Measured(own.value / below, kind=own.kind, n_seeds=own.n_seeds)
