"""Whether the data can be trusted: what `mirbench data audit` finds that would change the answer, a line a kind."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from mirbench.choose.budget import Budget
from mirbench.features.temporary import using
from mirbench.progress import Progress
from mirbench.runs.limits import said_time
from mirbench.runs.plan import Request
from mirbench.tasks.audit.findings import KINDS, Folds, audit
from mirbench.tasks.audit.listening import listen
from mirbench.types import Excerpt, Task

__all__ = ["Trust", "looked_at"]

_SERIOUS = (
    "exact-duplicate", "near-duplicate", "label-conflict", "group-crosses-splits", "unreadable", "silence",
    "out-of-phase", "out-of-scale", "clipping", "names-alike",
)  # fmt: skip
_FEW = 12  # clips, by which the time for all is told


@dataclass(frozen=True)
class Trust:
    """What was found.

    Parameters
    ----------
    lines : tuple of str
        One for each kind of serious finding.
    looked : bool
        Whether the clips were listened to at all; `why_not` says why if not.
    groups_known : bool
        Whether artists or albums are known, so that leaks by them could be seen.
    """

    lines: tuple[str, ...] = ()
    looked: bool = False
    why_not: str = ""
    groups_known: bool = True


def looked_at(task: Task, folds: Folds, request: Request, progress: Progress, budget: Budget) -> Trust:
    """Audit the data, if that fits what is left of the time."""
    clips = {clip.id: clip for fold in folds for clip in fold}
    places = [
        Excerpt(c.path, c.start, c.duration, first_channel=c.first_channel)
        for c in clips.values()
        if c.path is not None
    ]
    groups_known = any(clip.group for clip in clips.values())
    if not places:
        return Trust(why_not="no audio of it is on this machine", groups_known=groups_known)
    with using(request.cache):
        began = time.monotonic()
        listen(places[:_FEW], task.medium == "picture", request.cache / "audit.sqlite", progress, request.workers)
        expected = 1.5 * (time.monotonic() - began) * len(places) / min(_FEW, len(places))
        if expected >= budget.seconds_left:
            why = f"listening to {len(places)} clips takes about {said_time(expected)}"
            return Trust(why_not=why, groups_known=groups_known)
        findings = audit(task, folds, request.cache, progress, request.workers)
    count = Counter((f.kind, f.across) for f in findings if f.kind in _SERIOUS)
    lines = (
        f"{n} × {KINDS[kind]}{', across splits: scores are too good' if across else ''}"
        for (kind, across), n in sorted(count.items(), key=lambda item: (not item[0][1], _SERIOUS.index(item[0][0])))
    )
    return Trust(tuple(lines), True, groups_known=groups_known)
