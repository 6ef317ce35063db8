"""The sets of shtern2017 whose audio was never published, as readers for music of one's own.

A folder holds one folder a class, and that any number of files, also inside folders of its own (of artists, albums).
The splits are the paper's rule, by a hash of each file's name (see `mirbench.tasks.retrain`).

References
----------
Shtern, Ejaz, Tzerpos (2017). Its other sets are in `mirbench.tasks.ballroom` and `mirbench.tasks.nsynth`.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from mirbench.errors import BadInput, MissingData
from mirbench.features.walk import require_whole, walk
from mirbench.metrics import SINGLE_LABEL
from mirbench.places import in_bytes, path_text
from mirbench.progress import Progress
from mirbench.tasks.retrain import retrain_split
from mirbench.tasks.stand_in_music.stand_ins import Step, names_by_split, stand_in, write_scene
from mirbench.types import Clip, Task

__all__ = [
    "COMPOSER", "COMPOSER_DEMO", "GENRE_3", "GENRE_3_DEMO", "GENRE_3_SHORT", "GENRE_3_SHORT_DEMO", "GUITAR_TYPE",
    "GUITAR_TYPE_DEMO", "METAL_CLASSICAL", "METAL_CLASSICAL_DEMO", "PER_CLASS", "VOCALIST", "VOCALIST_DEMO",
    "reconstruction",
]  # fmt: skip

Stretch = Callable[[Path], tuple[float, float | None]]
"""Start and duration, in seconds, of what is heard of a file."""

PER_CLASS = 600
"""Clips of each class of these sets (Table 1)."""

_ABOUT_30 = 31.0  # seconds
_DEMO_VERSION = "1"
_DEMO_SPLITS = {"train": 16, "valid": 4, "test": 4}  # files a class
_LONG_DEMO_SPLITS = {"train": 4, "valid": 2, "test": 2}


def reconstruction(printed: str) -> str:
    """What is noted on the card of a task that asks what one of the paper's sets of 30 s asked, of public music."""
    return (
        f"a public reconstruction of shtern2017's {printed} set ({PER_CLASS} clips of 30 s a class), whose audio "
        "was never published: other music, so its numbers stand beside the paper's, not in their place"
    )


def _whole(path: Path) -> tuple[float, float | None]:
    return 0.0, None


def _second_half_minute(path: Path) -> tuple[float, float | None]:
    return 30.0, 30.0


def _thirty_seconds(path: Path) -> tuple[float, float | None]:
    """The whole of a file of up to about 30 s; else seconds 30 to 60, or the last 30 s where it ends before."""
    import soundfile

    try:
        seconds = float(soundfile.info(in_bytes(path)).duration)
    except (soundfile.LibsndfileError, RuntimeError, OSError):
        return 0.0, None  # what is wrong with it is said when it is heard
    if seconds <= _ABOUT_30:
        return 0.0, None
    return min(30.0, math.floor(1000 * (seconds - 30)) / 1000), 30.0


def _reader(name: str, classes: tuple[str, ...], stretch: Stretch) -> Callable[[Path | None, int], list[Clip]]:
    def read_clips(root: Path | None, fold: int) -> list[Clip]:
        layout = f"put music of your own in one folder a class ({'/, '.join(classes)}/), see `mirbench show {name}`"
        if root is None:
            raise MissingData(f"{name}: its audio was never published; {layout}")
        if lacking := [label for label in classes if not (root / label).is_dir()]:
            raise MissingData(
                f"{name}: {root} holds no {'/, '.join(lacking)}/; its audio was never published: {layout}"
            )
        clips = [clip for label in classes for clip in _labelled(name, root / label, stretch)]
        _check_counts(name, classes, clips)
        return clips

    return read_clips


def _labelled(name: str, folder: Path, stretch: Stretch) -> list[Clip]:
    """Clips of one class, by their ids: the path inside the folder of classes, without its suffix."""
    found: dict[str, Path] = {}
    below = walk(folder)
    require_whole(below, f"{name}, {folder.name}")
    for line in below.left_out():
        Progress().warn(f"{name}, {folder.name}: {line}")
    for path in below.files:
        inside = path.relative_to(folder)
        # some systems write é as two characters
        clip_id = unicodedata.normalize("NFC", path_text(f"{folder.name}/{inside.with_suffix('').as_posix()}"))
        if clip_id in found:
            raise BadInput(
                f"{name}: {found[clip_id]} and {path} differ in their suffixes alone; clips are named and split "
                "without it: remove or rename one of them"
            )
        found[clip_id] = path
    clips = []
    for clip_id, path in sorted(found.items()):
        start, duration = stretch(path)
        split = retrain_split(f"{clip_id}.jpg")
        clips.append(Clip(clip_id, path, split, (folder.name,), start=start, duration=duration))
    return clips


def _check_counts(name: str, classes: tuple[str, ...], clips: list[Clip]) -> None:
    held = Counter((clip.labels[0], clip.split) for clip in clips)
    for label in classes:
        counts = {split: held[label, split] for split in ("train", "valid", "test")}
        if 0 in counts.values():
            told = ", ".join(f"{n} in {split}" for split, n in counts.items())
            raise BadInput(
                f"{name}: {label} has {told}; a file's name decides where it goes, and a class needs files in each: "
                "add some, or take folder:PATH, which draws a split of its own"
            )


def _card(
    name: str, title: str, classes: tuple[str, ...], stretch: Stretch, notes: tuple[str, ...], folder: str = ""
) -> Task:
    folder = folder or name
    return Task(
        name=name,
        version="1",
        title=title,
        kind="single-label",
        classes=classes,
        metrics=SINGLE_LABEL,
        read_clips=_reader(name, classes, stretch),
        folder=folder,
        n_clips=0,
        clip_seconds=0.0 if stretch is _whole else 30.0,
        manifest=True,
        reference="Shtern, Ejaz, Tzerpos (2017), Tables 1 and 4; split of TensorFlow's image_retraining/retrain.py",
        license="that of your own files",
        notes=(
            f"layout: {folder}/<class>/, any number of audio files of your own, in sub-folders too; shtern2017's were "
            "never published",
            *notes,
            "split as TF's retrain script does (shtern2017), by SHA-1 of '<class>/<path in it without suffix>.jpg' "
            "(our choice of name), about 80/10/10: a clip keeps its split when others come or go",
            "that split does not keep artists or albums apart, so that its scores are optimistic; "
            f"folder:PATH/{folder} with a sub-folder an artist does, and +resplit after it draws others",
        ),
        demo=f"{name}-demo",
    )


_PRINTED = (
    "printed: 600 clips of 30 s in each class; taken here: the whole of a file of up to about 30 s, seconds 30-60 "
)
_30_SECONDS = f"{_PRINTED}of a longer one, or its last 30 s where it ends before (our choice)"

GENRE_3 = _card(
    "genre-3",
    "Classical, metal or rock, whole songs of your own (shtern2017's Genre)",
    ("classical", "metal", "rock"),
    _whole,
    ("printed: 600 whole songs in each class",),
)
GENRE_3_SHORT = _card(
    "genre-3-short",
    "Classical, metal or rock, 30 s of songs of your own (shtern2017's Short Genre)",
    ("classical", "metal", "rock"),
    _second_half_minute,
    ("printed: 600 songs in each class; seconds 30-60 of those of genre-3, so a song needs a minute",),
    folder="genre-3",
)
METAL_CLASSICAL = _card(
    "metal-classical",
    "Classical or metal, whole songs of your own (shtern2017's follow-up)",
    ("classical", "metal"),
    _whole,
    (
        "two classes of genre-3; the paper does not say of which version its 99.1 % is: metal-classical+normalized is "
        "the other",
        "whole songs, as in Genre, are our reading; the 30 s of Short Genre may be meant",
    ),
    folder="genre-3",
)
GUITAR_TYPE = _card(
    "guitar-type",
    "Acoustic or classical guitar, music of your own (shtern2017's Instrument)",
    ("acoustic", "classical"),
    _thirty_seconds,
    (_30_SECONDS, "'classical' is called Spanish in the paper's Table 4"),
)
VOCALIST = _card(
    "vocalist",
    "Female or male vocalist, music of your own (shtern2017's Vocalist)",
    ("female", "male"),
    _thirty_seconds,
    (_30_SECONDS,),
)
COMPOSER = _card(
    "composer",
    "Beethoven or Mozart, music of your own (shtern2017's Composer)",
    ("beethoven", "mozart"),
    _thirty_seconds,
    (_30_SECONDS, "composer-maestro asks the same of public recordings"),
)


def _demo(task: Task, stretch: Stretch, seconds: float, wanted: Mapping[str, int], suffix: str = ".wav") -> Task:
    """A stand-in with a folder of its own; its files, so many of each split a class, are read as the task's are."""

    def synthesise(root: Path, step: Step) -> None:
        for kind, label in enumerate(task.classes):
            supply = (f"{label}/{number:05}" for number in itertools.count())
            for clip_id in names_by_split(supply, lambda clip_id: retrain_split(f"{clip_id}.jpg"), wanted):
                seed = [*clip_id.encode(), *task.name.encode()]
                write_scene(root / f"{clip_id}{suffix}", [kind], len(task.classes), seed, seconds)
                step(1)

    n_clips = len(task.classes) * sum(wanted.values())
    demo = stand_in(task, synthesise, n_clips, min(seconds, 30.0), _DEMO_VERSION)
    own = _reader(demo.name, demo.classes, stretch)
    return replace(demo, folder=f"{task.name}_demo", read_clips=own, manifest=False)


GENRE_3_DEMO = _demo(GENRE_3, _whole, 5.0, _DEMO_SPLITS)
GENRE_3_SHORT_DEMO = _demo(GENRE_3_SHORT, _second_half_minute, 60.5, _LONG_DEMO_SPLITS, ".flac")
METAL_CLASSICAL_DEMO = _demo(METAL_CLASSICAL, _whole, 5.0, _DEMO_SPLITS)
GUITAR_TYPE_DEMO = _demo(GUITAR_TYPE, _thirty_seconds, 5.0, _DEMO_SPLITS)
VOCALIST_DEMO = _demo(VOCALIST, _thirty_seconds, 5.0, _DEMO_SPLITS)
COMPOSER_DEMO = _demo(COMPOSER, _thirty_seconds, 5.0, _DEMO_SPLITS)
