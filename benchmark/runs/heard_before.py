"""Whether what is tested was learnt from: of two tasks, one of which is tested on the other, both may hold one song."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirbench.errors import BadInput
from mirbench.features.audio import Facts
from mirbench.types import Clip, Excerpt, Task

__all__ = ["refuse_heard_before"]


def refuse_heard_before(task: Task, folds: Sequence[Sequence[Clip]], facts: Mapping[Excerpt, Facts]) -> None:
    """Refuse to test on another task whose audio was learnt from.

    Parameters
    ----------
    folds : sequence of sequence of Clip
        The clips of each fold of a task.
    facts : mapping of Excerpt to Facts
        Of all that is heard.

    Raises
    ------
    BadInput
        If a clip of test is in train or valid, to the byte.
    """
    if "+on:" not in task.name:
        return
    for clips in folds:
        known = {
            (facts[p].sha256, p.start): clip.id for clip in clips if clip.split != "test" and (p := Excerpt.of(clip))
        }
        both = [
            (clip.id, known[held])
            for clip in clips
            if clip.split == "test" and (held := (facts[Excerpt.of(clip)].sha256, clip.start)) in known
        ]
        if both:
            raise BadInput(
                f"{task.name}: {len(both)} clips of test are in train or valid, too, to the byte ({both[0][0]} is "
                f"{both[0][1]}): that would be no test; take them out of one of the two"
            )
