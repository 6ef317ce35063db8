"""Claims of a paper that are orders of systems, "A > B > C" or "A ~ B" (on par), by a number, or by that of each class.

Printed as ``order[accuracy]`` or ``order of every class[two-class-f1-per-class]``, their value the names of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mirbench.leaderboard.reproduction.answers import Answer, Measured, Unanswered
from mirbench.leaderboard.reproduction.printed import Printed
from mirbench.leaderboard.reproduction.quantities import measure
from mirbench.leaderboard.reproduction.rule import PAR, Verdict, standing, t_half_width

__all__ = ["Order", "judged_order", "named_in"]

_ORDER = re.compile(r"order\[(.+)\]")
_EVERY_CLASS = re.compile(r"order of every class\[(.+)\]")
_SCORES = re.compile(r"n_trainable|epoch_seconds.*")


@dataclass(frozen=True)
class Order:
    """What is found of an order.

    Parameters
    ----------
    step : float
        The least of its steps: by how much a system lies above the next one.
    low, high : float or None
        95 % interval of that step, over seeds on the same clips where there are several, else over clips.
    by : str
        Which step it is.
    """

    verdict: Verdict
    step: float
    low: float | None
    high: float | None
    n_seeds: int | None
    n_clips: int | None
    by: str
    reason: str = ""


def named_in(printed: Printed) -> list[str]:
    """The rows that an order names, in its order; none where the text is no order of rows."""
    if not (_ORDER.fullmatch(printed.quantity) or _EVERY_CLASS.fullmatch(printed.quantity)):
        return []
    return re.split(r" [>~] ", printed.value)


def judged_order(printed: Printed, of_row: Mapping[str, Sequence[Answer]]) -> Order:
    """Whether an order is that of ours.

    Raises
    ------
    Unanswered
        If something that it names is not on record, or nothing gives such an order.
    """
    names = named_in(printed)
    if not names:
        raise Unanswered(printed.note or "nothing of ours answers it")
    signs = re.findall(r" ([>~]) ", printed.value)
    answers = [_first(name, of_row) for name in names]
    found = []
    for quantity in _quantities(printed, answers):
        for (above, below), sign in zip(pairwise(answers), signs, strict=True):
            step = _step(above, below, quantity, of_row)
            verdict = _on_par(step) if sign == "~" else _above(step)
            found.append((verdict, step, f"{above.row} over {below.row}{_of(quantity)}"))
    for verdict in ("differs", "cannot tell", "agrees"):
        if steps := [(step, by) for said, step, by in found if said == verdict]:
            break
    step, by = min(steps, key=lambda each: each[0].value)
    told = next((said for answer in answers if (said := standing(answer))), None)
    other = next((answer.other for answer in answers if answer.other), "")
    low, high = _interval(step)
    return Order(told or verdict, step.value, low, high, step.n_seeds, step.n_clips, by, other)


def _first(name: str, of_row: Mapping[str, Sequence[Answer]]) -> Answer:
    given = of_row.get(name, ())
    for answer in given:
        if answer.systems:
            return answer
    raise Unanswered(next((answer.reason for answer in given if answer.reason), f"nothing of {name} is on record"))


def _quantities(printed: Printed, answers: Sequence[Answer]) -> Iterator[str]:
    if found := _EVERY_CLASS.fullmatch(printed.quantity):
        for name in answers[0].systems[0].record.classes:
            yield f"{found[1]}[{name}]"
    elif found := _ORDER.fullmatch(printed.quantity):
        yield found[1]


def _step(above: Answer, below: Answer, quantity: str, of_row: Mapping[str, Sequence[Answer]]) -> Measured:
    if not _SCORES.fullmatch(quantity):
        return measure(f"gain over {below.row}[{quantity}]", above, {**of_row, below.row: [below]})
    one, other = (measure(quantity, answer, of_row) for answer in (above, below))
    return Measured(one.value - other.value, kind="count", n_seeds=one.n_seeds)


def _interval(step: Measured) -> tuple[float | None, float | None]:
    if step.kind == "count":
        return None, None
    if step.seeds is not None and step.seeds.error is not None:
        half = t_half_width(step.seeds)
        return step.value - half, step.value + half
    return step.low, step.high


def _above(step: Measured) -> Verdict:
    if step.kind == "count":
        return "agrees" if step.value > 0 else "differs"
    low, high = _interval(step)
    if low is None or high is None:
        return "cannot tell"
    return "agrees" if low > 0 else "differs" if high < 0 else "cannot tell"


def _on_par(step: Measured) -> Verdict:
    low, high = _interval(step)
    if low is None or high is None:
        return "cannot tell"
    return "agrees" if max(-low, high) <= PAR else "differs" if low > PAR or high < -PAR else "cannot tell"


def _of(quantity: str) -> str:
    found = re.fullmatch(r".+-per-class\[(.+)\]", quantity)
    return f", {found[1]}" if found else ""
