"""What a printed number is a number of, and ours of the same.

A quantity is a word, or ``word[argument]``: a metric, ``two-class-f1-per-class[accordion]``, ``median[roc-auc]``,
``chosen[lr]``, ``gain over AST-BS[accuracy]``. The tables `SCORED` and `RECORDED` have them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mirbench.leaderboard.reproduction.answers import Answer, Measured, Unanswered
from mirbench.leaderboard.reproduction.recorded import RECORDED
from mirbench.leaderboard.reproduction.scored import SCORED, gain

__all__ = ["measure"]

_QUANTITIES: Mapping[str, Callable[..., Measured]] = {**SCORED, **RECORDED}
_GAIN = re.compile(r"gain over (.+?)\[(.+)\]")


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
    for pattern, function in _QUANTITIES.items():
        if found := re.fullmatch(pattern, quantity):
            return function(answer, *found.groups())
    raise Unanswered("nothing of ours gives this number")
