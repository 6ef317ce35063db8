"""Whether what is tested was learnt from: a task may hold a file twice, so may two that are tested on each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mirbench.errors import BadInput
from mirbench.features.audio import Facts
from mirbench.types import Clip, Excerpt, Task

__all__ = ["copies", "refuse_heard_before"]


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
        if both := list(copies(clips, facts).items()):
            raise BadInput(
                f"{task.name}: {len(both)} clips of test are in train or valid, too, to the byte ({both[0][0]} is "
                f"{both[0][1]}): that would be no test; take them out of one of the two"
            )


def copies(clips: Iterable[Clip], facts: Mapping[Excerpt, Facts]) -> dict[str, str]:
    """Clips of test that are the same file, from the same place on, as one of train or valid; and which, by their ids.

    Of clips whose files were not looked at nothing is known.
    """
    places = [(clip, Excerpt.of(clip)) for clip in clips if clip.path]
    heard = [(clip, (facts[place].sha256, place.start)) for clip, place in places if place in facts]
    known = {held: clip.id for clip, held in heard if clip.split != "test"}
    return {clip.id: known[held] for clip, held in heard if clip.split == "test" and held in known}
