"""What is said of the clips of a run before it begins: few, heard before the test, shorter than the window."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection

from mirbench.errors import MirbenchError
from mirbench.features.audio import heard_seconds
from mirbench.features.padding import is_short
from mirbench.registry import Catalogue
from mirbench.runs.heard_before import copies
from mirbench.runs.plan import Plan
from mirbench.tables import LEAVE_OUT, modifier

__all__ = ["few_to_test", "fewer_than_shots", "learnt_by_heart", "padded_clips"]

_FEW = 20
_ENOUGH_FOR_FOLDS = 15
_Z = 1.96
_SHOTS = re.compile(r"shots(\d+)(?:-draw\d+)?")


def few_to_test(plan: Plan, folds: Collection[int], catalogue: Catalogue) -> str:
    """That so few clips are tested that an interval of the score says little, and what to do; "" where there are more.

    Parameters
    ----------
    folds : collection of int
        Those that are run.
    """
    n = len({clip.id for fold in folds for clip in plan.folds[fold] if clip.split == "test"})
    if not 0 < n < _FEW:
        return ""
    least = n / (n + _Z**2)  # Wilson's, of n out of n
    what = f"with all of them right, the 95 % interval of an accuracy begins at {least:.2f}"
    if plan.task.kind == "regression":
        what = "of so few the interval of R² is wide"
    said = f"{'1 test clip' if n == 1 else f'{n} test clips'} of {plan.task.name}: {what}"
    if plan.task.n_folds > len(folds):
        return f"{said}; leave --fold out, and the clips of all {plan.task.n_folds} folds are tested"
    return f"{said}; {_tested_in_folds(plan, catalogue, max(_ENOUGH_FOR_FOLDS, 2 * n)) or 'only more clips help'}"


def _tested_in_folds(plan: Plan, catalogue: Catalogue, needed: int) -> str:
    """The task to ask for in which folds test so many clips or more, and how many; "" where that helps nothing."""
    name = _folded(plan.request.task, catalogue)
    if plan.task.n_folds > 1 or not name:
        return ""
    try:
        task = catalogue.task(name)
        folds = [task.read_clips(plan.data, fold) for fold in range(task.n_folds)]
    except MirbenchError:  # of too few clips no folds can be drawn
        return ""
    tested = {clip.id for clips in folds for clip in clips if clip.split == "test"}
    if len(tested) < needed:
        return ""
    whole = tested >= {clip.id for clips in folds for clip in clips}
    how = f"each of its {len(tested)} clips once" if whole else f"{len(tested)} clips, each once"
    return f"--task {shlex.quote(name)} tests {how}"


def _folded(name: str, catalogue: Catalogue) -> str:
    """The same task in folds, dealt before clips are left out for learning; "" of one that is tested on another."""
    base, words = catalogue.parts(name)
    words = [word for word in words if modifier(word) != "resplit"]  # folds are drawn anew, too
    if any(word.startswith("on:") for word in words):
        return ""
    at = next((k for k, word in enumerate(words) if modifier(word) in LEAVE_OUT), len(words))
    return "+".join([base, *words[:at], "folds5", *words[at:]])


def fewer_than_shots(plan: Plan) -> str:
    """How many classes have fewer clips in train than ``+shotsK`` asks for; "" where each has K."""
    asked = [int(word[1]) for word in map(_SHOTS.fullmatch, plan.task.name.split("+")) if word]
    if not asked or not plan.specs:
        return ""
    train = [clip for clip in plan.folds[plan.specs[0].fold] if clip.split == "train"]
    count = Counter(name for clip in train for name in set(clip.present))
    each = [count[name] for name in plan.task.classes]
    n_short = sum(n < min(asked) for n in each)
    if not n_short:
        return ""
    fold = " in the first fold" if plan.task.n_folds > 1 else ""
    if plan.task.kind == "regression":
        have = f" with a value of {plan.task.classes[each.index(min(each))]}" if len({*each}) > 1 else ""
        return f"+shots{min(asked)}: train has fewer clips than that{have}{fold}: {min(each)}"
    classes = f"{'all' if n_short == len(each) else f'{n_short} of'} {len(each)} classes"
    return f"+shots{min(asked)}: {classes} have fewer train clips than that{fold}, the rarest {min(each)}"


def learnt_by_heart(plan: Plan, folds: Collection[int]) -> str:
    """How many test clips are copies of those that are learnt from, and what to do; "" where none is.

    Parameters
    ----------
    folds : collection of int
        Those that are run.
    """
    alike = {name: first for fold in folds for name, first in copies(plan.folds[fold], plan.facts).items()}
    if not alike:
        return ""
    n_tested = len({clip.id for fold in folds for clip in plan.folds[fold] if clip.split == "test"})
    first, are = min(alike), "are" if len(alike) > 1 else "is"
    return (
        f"{len(alike):,} of {n_tested:,} test clips {are} the same to the byte as a clip of train or valid ({first} "
        f"and {alike[first]}): what is known by heart counts in the score; remove copies, or give those of one "
        "recording the same group (`mirbench data audit` lists them)"
    )


def padded_clips(plan: Plan, catalogue: Catalogue) -> str:
    """How many clips are shorter than the window, and how they are filled; "" where none is."""
    card, own = plan.card, catalogue.own_network(plan.method.name)
    seconds = card.seconds if card else own.seconds if own else 0.0
    if not plan.facts or not plan.specs or not 0 < seconds < float("inf"):
        return ""
    rate = card.sample_rate if card and card.sample_rate else 16_000
    window = round(seconds * rate)
    n = sum(is_short(round(heard_seconds(at, known) * rate), window) for at, known in plan.facts.items())
    whose = card.name if card else plan.method.name
    if not n:
        return ""
    clips = "clip is" if len(plan.facts) == 1 else "clips are"
    by = {"zeros": "zeros behind it", "center": "zeros around it"}.get(plan.specs[0].pad, f"--pad {plan.specs[0].pad}")
    return f"{n:,} of {len(plan.facts):,} {clips} shorter than the window of {whose}, {seconds:g} s, filled by {by}"
