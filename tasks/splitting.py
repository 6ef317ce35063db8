"""Drawing splits: stratified by class, whole groups, the same on every machine.

A draw orders clips by a hash of their ids, so that it depends on no random generator's version, and a clip's place in
the order does not change when others come or go.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mirbench.types import Clip

__all__ = ["SHARES", "draw_order", "drawn_folds", "drawn_split", "partition"]

SHARES: Mapping[str, float] = {"train": 0.70, "valid": 0.15, "test": 0.15}


def draw_order(name: str, draw: int = 0) -> str:
    """What a clip or group is sorted by in a draw: as good as random, and always the same."""
    return hashlib.sha256(f"{draw}|{name}".encode()).hexdigest()


def partition(clips: Sequence[Clip], shares: Mapping[str, float], draw: int = 0) -> dict[str, str]:
    """A part for each clip, so that each part has its share of each class and no group is in two parts.

    Greedy iterative stratification (Sechidis et al. 2011) over groups instead of clips: the rarest class is dealt out
    first, each group to the part that lacks most of that class.

    Parameters
    ----------
    shares : mapping of str to float
        Parts and their shares, which add up to 1.

    Returns
    -------
    dict of str to str
        Part by clip id.

    References
    ----------
    Sechidis, Tsoumakas, Vlahavas (2011), On the stratification of multi-label data.
    """
    groups = _groups(clips)
    labels = {name: Counter(label for clip in members for label in clip.present) for name, members in groups.items()}
    total = Counter(label for count in labels.values() for label in count.elements())
    wanted = {part: {label: share * n for label, n in total.items()} for part, share in shares.items()}
    room = {part: share * len(clips) for part, share in shares.items()}
    held: dict[str, set[str]] = {part: set() for part in shares}  # labels that a part has already
    part_of: dict[str, str] = {}
    order = sorted(groups, key=lambda name: (-len(groups[name]), draw_order(name, draw)))
    with_label: dict[str, list[str]] = {}
    for name in order:
        for label in labels[name]:
            with_label.setdefault(label, []).append(name)
    placed: set[str] = set()
    for label in [*sorted(total, key=lambda name: (total[name], name)), ""]:
        own = [name for name in (with_label[label] if label else order) if name not in placed]
        for rank, name in enumerate(own):
            without = [part for part in shares if label and label not in held[part]]
            # the last groups of a class go where it lacks altogether
            choice = without if without and len(own) - rank <= len(without) else list(shares)
            part = max(choice, key=lambda p: (round(wanted[p].get(label, 0.0), 9), round(room[p], 9)))
            part_of |= {clip.id: part for clip in groups[name]}
            room[part] -= len(groups[name])
            held[part].update(labels[name])
            for heard, count in labels[name].items():
                wanted[part][heard] -= count
        placed.update(own)
    return part_of


def _groups(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """What must stay together: clips of one group; of one file, where no group is said; else each clip by itself."""
    first_of_file: dict[Path, str] = {}
    for clip in clips:
        if clip.path is not None:
            first_of_file[clip.path] = min(clip.id, first_of_file.get(clip.path, clip.id))
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        first = first_of_file[clip.path] if clip.path else clip.id
        name = f"group {clip.group}" if clip.group else f"clip {first}"
        groups.setdefault(name, []).append(clip)
    return groups


def drawn_split(clips: Sequence[Clip], draw: int = 0, shares: Mapping[str, float] = SHARES) -> list[Clip]:
    """The clips with splits drawn anew."""
    parts = partition(clips, shares, draw)
    return [replace(clip, split=parts[clip.id]) for clip in clips]


def drawn_folds(clips: Sequence[Clip], n_folds: int, draw: int = 0) -> dict[str, int]:
    """A fold for each clip by its id; `mirbench.features.clip_list.in_fold` makes splits of it."""
    shares = {str(fold): 1 / n_folds for fold in range(n_folds)}
    return {name: int(part) for name, part in partition(clips, shares, draw).items()}
