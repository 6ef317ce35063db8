"""Files of one's own, found and heard as the clips of a task in the classes of a run.

A file is heard whole, at the levels of the run's task (``+normalized``, ``+levels8``). What the task cuts out of its
own files (seconds 30 to 60, say) is not cut out of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mirbench.errors import BadAudio, BadInput, MirbenchError
from mirbench.features import audio, pictures, sound_files
from mirbench.features.walk import walk
from mirbench.places import path_text, user_path
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.types import Clip, Excerpt, Split, Task, excerpts

__all__ = ["Heard", "as_plugin", "hear", "medium_of", "require_some"]

Medium = Literal["audio", "picture"]

_LEVELS = ("normalized", "normalized-files", "levels8", "first-channel")
"""The modifiers of tasks that change what is heard of a file."""


@dataclass(frozen=True)
class Heard:
    """The files that can be used, as clips of a task in the classes of the run, and a line for each other one."""

    task: Task
    clips: tuple[Clip, ...]
    facts: dict[Excerpt, audio.Facts]
    faults: tuple[str, ...]

    def split(self, rows: range) -> Split:
        """Some of them."""
        return Split(self.task, tuple(self.clips[n] for n in rows))


def hear(
    record: RunRecord, files: Sequence[str | Path], medium: Medium, cache: Path, progress: Progress, workers: int
) -> Heard:
    """Find and survey the files, which are heard at the levels of the run's task.

    Parameters
    ----------
    medium : {"audio", "picture"}
        What the task's files are; see `medium_of`.
    """
    found, absent = _listed(files, medium, progress)
    require_some(found, absent)
    clips = [Clip(str(n), path, "test", ()) for n, path in enumerate(found)]
    task = Task(
        "files", "1", "files of one's own", record.kind, tuple(record.classes), ("accuracy",),  # type: ignore[arg-type]
        lambda root, fold: clips, "", len(clips), 0.0, medium=medium, ranges=record.target_ranges,
    )  # fmt: skip
    levels = [word for word in record.spec.task.rpartition("/")[2].split("+")[1:] if word in _LEVELS]
    if "normalized-files" in levels:  # which measures the files as it reads the clips
        known, faults_before = _survey([Excerpt.of(clip) for clip in clips], medium, cache, progress, workers)
        clips[:] = [clip for clip in clips if Excerpt.of(clip) in known]
        absent = [*absent, *faults_before]
        require_some(clips, absent)
    task = replace(Catalogue([as_plugin(task)]).task("+".join(["files", *levels])), name="files", version="1")
    at_levels = task.read_clips(None, 0)
    facts, broken = _survey(excerpts(Split(task, tuple(at_levels))), medium, cache, progress, workers)
    faults = (*absent, *broken)
    if odd := audio.oddities(facts):
        more = f" (and {len(odd) - 1} more)" if len(odd) > 1 else ""
        progress.warn(f"used as it is, and odd: {odd[0]}{more}")
    kept = tuple(clip for clip in at_levels if set(excerpts(Split(task, (clip,)))) & facts.keys())
    require_some(kept, faults)
    return Heard(task, kept, facts, faults)


def require_some(files: Sequence[Any], faults: Sequence[str]) -> None:
    """Refuse where no file can be used, with what is wrong with each."""
    if not files:
        raise BadInput("no file can be used:\n  " + "\n  ".join(faults))


def as_plugin(task: Task) -> Plugin:
    """A plugin that holds the task of the files, by which a catalogue knows it."""
    return Plugin("files", "0" * 64, {task.name: task}, {}, {})


def medium_of(task: str, catalogue: Catalogue) -> Medium:
    """What the task's files are; those of families are audio, and a task that is not known here is taken for that."""
    base = task.partition("+")[0]
    if ":" in base:
        return "audio"
    try:
        return catalogue.task(base).medium
    except MirbenchError:
        return "audio"


def _listed(names: Sequence[str | Path], medium: str, progress: Progress) -> tuple[list[Path], list[str]]:
    """Files, and those of folders, each once; a line for each that is not here. What folders lose else is said."""
    found: dict[Path, None] = {}
    absent: list[str] = []
    for name in names:
        given = user_path(str(name))
        if not given.is_dir():
            found[given] = None
            continue
        inside = walk(given, medium)
        suffixes = pictures.SUFFIXES if medium == "picture" else sound_files.SUFFIXES
        if not inside.files and not inside.faults():
            lost = "".join(f"; {line}" for line in inside.left_out())
            raise BadInput(f"{path_text(given)}: holds no file that ends in {', '.join(suffixes)}{lost}")
        for line in inside.left_out():
            progress.warn(f"{path_text(given)}: {line}")
        absent += inside.faults()
        found |= dict.fromkeys(inside.files)
    return list(found), absent


def _survey(
    every: Sequence[Excerpt], medium: str, cache: Path, progress: Progress, workers: int
) -> tuple[dict[Excerpt, audio.Facts], tuple[str, ...]]:
    """Facts of the files that can be used, and a line for each other one."""
    look = pictures.survey if medium == "picture" else audio.survey
    memo = cache / "files.sqlite"
    try:
        return look(every, memo, progress, workers), ()
    except BadAudio as error:
        faults = error.faults
    good = [place for place in every if not any(line.startswith(f"{place.path}: ") for line in faults)]
    return look(good, memo, progress, workers), faults  # what was looked at is remembered
