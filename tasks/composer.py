"""Beethoven or Mozart, 30 s of piano: shtern2017's Composer, asked of public recordings, those of MAESTRO.

The recordings, their durations and official splits are a frozen list; excerpts are taken from it by a fixed rule. Every
recording gives some, and no recording nor, as far as titles tell, any work is in two splits.

References
----------
Hawthorne et al. (2019), Enabling factorized piano music modeling and generation with the MAESTRO dataset, ICLR.
Shtern, Ejaz, Tzerpos (2017), the set Composer, whose audio was never published.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from mirbench.archive import Archive
from mirbench.errors import MissingData
from mirbench.metrics import SINGLE_LABEL
from mirbench.tasks.layout import few
from mirbench.tasks.splitting import draw_order
from mirbench.tasks.stand_in_music.stand_ins import Step, stand_in, write_scene
from mirbench.types import Clip, Task

__all__ = ["COMPOSERS", "COMPOSER_MAESTRO", "COMPOSER_MAESTRO_DEMO", "Recording", "maestro", "taken"]

COMPOSERS = ("beethoven", "mozart")

_SPLITS = {"train": "train", "validation": "valid", "test": "test"}
_MARGIN = 1.0  # seconds; the durations are those of the MIDI files
_SECONDS, _MOST = 30, 600  # of an excerpt; excerpts a class
_DEMO_SECONDS, _DEMO_MOST, _DEMO_VERSION = 5, 24, "1"

# The rest of this performance of Mozart's K. 280 is in test, and so is another one of it.
_MOVED = {
    "2004/MIDI-Unprocessed_XP_14_R1_2004_04_ORIG_MID--AUDIO_14_R1_2004_06_Track06_wav.wav": "test",
}


@dataclass(frozen=True)
class Recording:
    """One audio file: who composed it, its split, its length in seconds, its path inside the data set."""

    composer: str
    split: str
    seconds: float
    file: str


def maestro() -> list[Recording]:
    """The 184 recordings of MAESTRO 3.0.0 of Beethoven or Mozart alone; the official splits but for one, see above."""
    with (files("mirbench.tasks") / "splits" / "composer_maestro_tracks.csv").open(encoding="utf-8") as table:
        return [
            Recording(
                row["composer"],
                _MOVED.get(row["audio_filename"], _SPLITS[row["split"]]),
                float(row["duration"]),
                row["audio_filename"],
            )
            for row in csv.DictReader(table)
        ]


def taken(recordings: Sequence[Recording], seconds: int, most: int) -> list[Clip]:
    """The excerpts of a task, without audio, in the order of their ids.

    A recording is cut into excerpts side by side. Of a class with more than `most` of them, each split gives its share
    (largest remainders); a split's recordings take turns, in the order of a draw, each time with one excerpt of their
    own, again in the order of a draw.

    Parameters
    ----------
    seconds : int
        Length of an excerpt.
    most : int
        Excerpts a class at most.
    """
    clips: list[Clip] = []
    for composer in COMPOSERS:
        cut: dict[str, list[list[Clip]]] = {split: [] for split in _SPLITS.values()}
        for recording in sorted(recordings, key=lambda recording: draw_order(recording.file)):
            if recording.composer == composer:
                cut[recording.split].append(_excerpts(recording, seconds))
        shares = _shared({split: sum(map(len, parts)) for split, parts in cut.items()}, most)
        for split, parts in cut.items():
            turns = (clip for turn in zip_longest(*parts) for clip in turn if clip is not None)
            clips += [clip for clip, _ in zip(turns, range(shares[split]), strict=False)]
    return sorted(clips, key=lambda clip: clip.id)


def _excerpts(recording: Recording, seconds: int) -> list[Clip]:
    """All excerpts of a recording, in the order of a draw."""
    stem = PurePosixPath(recording.file).stem
    clips = [
        Clip(
            id=f"{stem}@{start}",
            path=None,
            split=recording.split,
            labels=(recording.composer,),
            group=recording.file,
            start=float(start),
            duration=float(seconds),
        )
        for start in range(0, int((recording.seconds - _MARGIN) // seconds) * seconds, seconds)
    ]
    return sorted(clips, key=lambda clip: draw_order(clip.id))


def _shared(held: Mapping[str, int], most: int) -> dict[str, int]:
    """How many each split gives: all it holds, or its share of `most` by largest remainders."""
    total = sum(held.values())
    if total <= most:
        return dict(held)
    shares = {split: most * n // total for split, n in held.items()}
    by_remainder = sorted(held, key=lambda split: -(most * held[split] % total))
    for split in by_remainder[: most - sum(shares.values())]:
        shares[split] += 1
    return shares


def _read(
    name: str,
    recordings: Callable[[], Sequence[Recording]],
    seconds: int,
    most: int,
    root: Path | None,
    fold: int,
) -> list[Clip]:
    clips = taken(recordings(), seconds, most)
    if root is None:
        return clips
    needed = sorted({clip.group for clip in clips})
    folder = root / "maestro-v3.0.0" if (root / "maestro-v3.0.0").is_dir() else root
    if missing := [file for file in needed if not (folder / file).is_file()]:
        raise MissingData(
            f"{name}: {len(missing)} of {len(needed)} recordings are missing in {folder}: {few(missing)}; "
            f"`mirbench show {name}` prints the layout and the archive"
        )
    return [replace(clip, path=folder / clip.group) for clip in clips]


COMPOSER_MAESTRO = Task(
    name="composer-maestro",
    version="1",
    title="Beethoven or Mozart, 30 s of piano from MAESTRO",
    kind="single-label",
    classes=COMPOSERS,
    metrics=SINGLE_LABEL,
    read_clips=partial(_read, "composer-maestro", maestro, _SECONDS, _MOST),
    folder="maestro-v3.0.0",
    n_clips=2 * _MOST,
    clip_seconds=float(_SECONDS),
    datasets=("maestro",),
    archives=(
        Archive(
            "https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0.zip",
            "maestro-v3.0.0.zip",
            "sha256:6680fea5be2339ea15091a249fbd70e49551246ddbd5ca50f1b2352c08c95291",
            n_bytes=101_000_000_000,
            strip=1,
            note="101 GB, and 120 GB unpacked; address, sizes and sha256 from Magenta's page, not tried by us",
        ),
    ),
    reference="Hawthorne et al. (2019), Enabling factorized piano music modeling and generation with the MAESTRO "
    "dataset, ICLR; the question is that of shtern2017's Composer",
    license="CC BY-NC-SA 4.0",
    notes=(
        "layout: maestro-v3.0.0/<year>/<recording>.wav; the 184 recordings of Beethoven or Mozart alone will do",
        "600 excerpts of 30 s a class, as printed for shtern2017's Composer, from 146 and 38 recordings: each is cut "
        "side by side, splits give in proportion to what they hold, recordings take turns in a fixed draw",
        "the official splits but for one recording: of a 2004 performance of Mozart's K. 280, Track04 and Track05 are "
        "in test and Track06 in train; all of it is in test here, so that no work is in two splits, by their titles",
        "durations are those of the MIDI files; excerpts end a second or more before",
        "all are piano recordings of one competition over the years; a pianist may be in several splits",
    ),
    demo="composer-maestro-demo",
)


def _demo_recordings() -> list[Recording]:
    """Eight recordings a composer of four excerpts each."""
    splits = ("train",) * 4 + ("valid",) * 2 + ("test",) * 2
    return [
        Recording(composer, split, 4 * _DEMO_SECONDS + _MARGIN, f"{2004 + number % 3}/{composer}_{number:02}.wav")
        for composer in COMPOSERS
        for number, split in enumerate(splits)
    ]


def _synthesise(root: Path, step: Step) -> None:
    for number, recording in enumerate(_demo_recordings()):
        kind = COMPOSERS.index(recording.composer)
        write_scene(root / recording.file, [kind], len(COMPOSERS), [30, number], recording.seconds)
        step(3)  # of its excerpts are taken, on average


_DEMO = stand_in(COMPOSER_MAESTRO, _synthesise, 2 * _DEMO_MOST, float(_DEMO_SECONDS), _DEMO_VERSION)

COMPOSER_MAESTRO_DEMO = replace(
    _DEMO, read_clips=partial(_read, _DEMO.name, _demo_recordings, _DEMO_SECONDS, _DEMO_MOST)
)
