"""How the clips of a task are padded: as was asked, or as the card of the source says; and whether any is at all.

Where no clip is shorter than the source's window, nothing is padded, and all ways are one: that of zeros, which no key
holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from mirbench.errors import NotApplicable
from mirbench.features import audio
from mirbench.features.padding import is_short
from mirbench.source import SourceCard
from mirbench.types import Excerpt, Pad, Task

__all__ = ["pad_of", "pads_nothing"]


def pad_of(asked: Pad | Literal[""], task: Task, card: SourceCard | None) -> Pad:
    """How the clips of a task are padded, as far as that is told before they are looked at.

    Parameters
    ----------
    asked : str
        "" is as the card of the source says, where the task's clips may be shorter than its window.

    Raises
    ------
    NotApplicable
        If a way is asked for, and no audio is heard.
    """
    heard = task.medium == "audio" and (card is None or card.kind != "precomputed")
    if asked not in ("", "zeros") and not heard:
        why = f"the clips of {task.name} are pictures" if task.medium != "audio" else "features were computed elsewhere"
        raise NotApplicable(f"--pad {asked}: {why}, and nothing is padded; leave --pad out")
    if asked or card is None or not heard or 0 < card.seconds <= task.clip_seconds:
        return asked or "zeros"
    return card.pad


def pads_nothing(card: SourceCard | None, facts: Mapping[Excerpt, audio.Facts]) -> bool:
    """Whether it is known that no clip is shorter than the source's window."""
    if card is None or not card.seconds or not facts:
        return False  # a method has windows of its own
    if math.isinf(card.seconds):
        return True  # each clip is a window as it is
    rate, window = card.sample_rate, round(card.seconds * card.sample_rate)
    return not any(is_short(round(audio.heard_seconds(at, known) * rate), window) for at, known in facts.items())
