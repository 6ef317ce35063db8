"""What a task holds, class by class: clips of each split, length, loudness. ``mirbench data stats TASK`` prints it.

Loudness is the root mean square of each clip, full scale 1, channels averaged: mean and standard deviation over a class
are the table by which shtern2017 explains what level tells a classifier. Where there is no audio, only clips are
counted. The files of ``tasks/stats`` are such descriptions, made by ``mirbench data stats TASK --json FILE``; by their
``test_sha256`` `mirbench verify --strict` knows the labels of a task whose data are not at hand.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from tabulate import tabulate

from mirbench.features.audio import Facts, heard_rms, heard_seconds
from mirbench.plain_text import printable
from mirbench.runs.scores import Scores
from mirbench.trust.verify import digest
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

__all__ = ["SPLITS", "as_text", "committed", "describe"]

SPLITS = ("train", "valid", "test")


def describe(task: Task, folds: Sequence[Sequence[Clip]], facts: Mapping[Excerpt, Facts]) -> dict[str, Any]:
    """Counts, length and loudness of a task, plain numbers for JSON.

    Parameters
    ----------
    folds : sequence of sequence of Clip
        Clips of every fold; splits are counted in the first, whose counts others share or nearly so.
    facts : mapping of Excerpt to Facts
        From `mirbench.features.audio.survey`; empty where there is no audio, and then nothing but counts is known.

    Returns
    -------
    dict
        ``classes`` has, for each class, the clips in which it is present by split, ``unknown`` clips of which nobody
        judged it, ``minutes``, and ``rms_mean`` and ``rms_sd`` over clips (null where they are not known).
        Of a regression task's targets also ``value_mean``, ``value_sd``, ``value_min`` and ``value_max``.
        ``test_sha256`` has a hash a fold, over ids, labels and groups of its test clips.
    """
    clips = folds[0]
    places = excerpts(Split(task, tuple(clips))) if facts else ()
    heard = {
        clip.id: (heard_seconds(p, facts[p]), heard_rms(p, facts[p])) for clip, p in zip(clips, places, strict=False)
    }
    minutes = sum(seconds for seconds, _ in heard.values()) / 60
    present: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        for name in dict.fromkeys(clip.present):
            present[name].append(clip)
    unknown = Counter(name for clip in clips for name in set(clip.unknown))
    return {
        "task": task.name,
        "version": task.version,
        "kind": task.kind,
        "standing": task.standing,
        "n_folds": len(folds),
        "n_clips": len(clips),
        "n_groups": len({clip.group for clip in clips if clip.group}),
        "splits": {split: sum(clip.split == split for clip in clips) for split in SPLITS},
        "minutes": round(minutes, 2) if heard else None,
        "classes": {
            name: _class(present[name], unknown[name], heard) | (_values(name, present[name]) if task.ranges else {})
            for name in task.classes
        },
        "test_sha256": [_test_sha256(task, clips) for clips in folds],
    }


def committed(name: str) -> Mapping[str, Any] | None:
    """The description of a task that ships with mirbench, if one does."""
    stored = next((path for path in (files("mirbench.tasks") / "stats").iterdir() if path.name == f"{name}.json"), None)
    return json.loads(stored.read_text(encoding="utf-8")) if stored else None


def _test_sha256(task: Task, clips: Sequence[Clip]) -> str:
    split = Split(task, tuple(clip for clip in clips if clip.split == "test"))
    held = Scores.of(split, np.zeros((len(split), len(split.classes)), dtype=np.float32))
    return digest(held.clip_ids, held.hashes, held.groups)


def _class(own: Sequence[Clip], n_unknown: int, heard: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    rms = [heard[clip.id][1] for clip in own if clip.id in heard]
    return {
        **{split: sum(clip.split == split for clip in own) for split in SPLITS},
        "unknown": n_unknown,
        "minutes": round(sum(heard[clip.id][0] for clip in own) / 60, 2) if heard else None,
        "rms_mean": round(float(np.mean(rms)), 4) if rms else None,
        "rms_sd": round(float(np.std(rms, ddof=1)), 4) if len(rms) > 1 else None,
    }


def _values(name: str, own: Sequence[Clip]) -> dict[str, float | None]:
    """Of the clips that have a value of a target, in its unit."""
    held = np.array([clip.values[clip.labels.index(name)] for clip in own], dtype=np.float64)
    return {
        "value_mean": round(float(held.mean()), 4) if len(held) else None,
        "value_sd": round(float(held.std(ddof=1)), 4) if len(held) > 1 else None,
        "value_min": float(held.min()) if len(held) else None,
        "value_max": float(held.max()) if len(held) else None,
    }


_OF_VALUES = {"value_mean": "mean", "value_sd": "SD", "value_min": "lowest", "value_max": "highest"}


def as_text(found: Mapping[str, Any]) -> str:
    """A description as a table for people."""
    of_values = found["kind"] == "regression"
    heads = ["target" if of_values else "class", *SPLITS]
    some_unknown = any(row["unknown"] for row in found["classes"].values())
    heads += ["unknown"] if some_unknown else []
    heads += list(_OF_VALUES.values()) if of_values else []
    heads += ["minutes", "RMS", "SD of RMS"] if found["minutes"] is not None else []
    rows = []
    for name, row in found["classes"].items():
        cells = [printable(name), *(row[split] for split in SPLITS), *([row["unknown"]] if some_unknown else [])]
        if of_values:
            cells += ["—" if row[key] is None else f"{row[key]:.5g}" for key in _OF_VALUES]
        if found["minutes"] is not None:
            cells += [f"{row['minutes']:.1f}", _number(row["rms_mean"]), _number(row["rms_sd"])]
        rows.append(cells)
    counts = ", ".join(f"{n} {split}" for split, n in found["splits"].items())
    title = f"{printable(found['task'])}, version {found['version']}: {found['n_clips']} clips ({counts})"
    title += f", fold 0 of {found['n_folds']}" if found["n_folds"] > 1 else ""
    title += f", {found['n_groups']} groups" if found["n_groups"] else ""
    return f"{title}\n\n{tabulate(rows, heads, tablefmt='github', disable_numparse=True)}"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
