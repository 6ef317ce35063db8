"""What is said of the clips of a run before it begins: few to test on or to learn from, shorter than the window."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection

from mirbench.features.audio import heard_seconds
from mirbench.features.padding import is_short
from mirbench.registry import Catalogue
from mirbench.runs.plan import Plan

__all__ = ["few_to_test", "fewer_than_shots", "padded_clips"]

_FEW = 20
_ENOUGH_FOR_FOLDS = 15
_Z = 1.96
_SHOTS = re.compile(r"shots(\d+)(?:-draw\d+)?")


def few_to_test(plan: Plan, folds: Collection[int]) -> str:
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
    every = {clip.id for clips in plan.folds for clip in clips}
    if plan.task.n_folds > len(folds):
        return f"{said}; leave --fold out, and the clips of all {plan.task.n_folds} folds are tested"
    if plan.task.n_folds == 1 and len(every) >= max(_ENOUGH_FOR_FOLDS, 2 * n):
        return f"{said}; --task {shlex.quote(plan.request.task + '+folds5')} tests each of its {len(every)} clips once"
    return f"{said}; only more clips help"


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
