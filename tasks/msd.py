"""Million Song Dataset: which of Last.fm's 50 most frequent tags a clip has, on audio of one's own.

No audio of it is published, and its labels are published as pickles, which could run code when they are loaded. So the
task reads a plain table, ``tracks.csv``, and `write_tracks` makes that table from the lists that are plain.

References
----------
Bertin-Mahieux, Ellis, Whitman, Lamere (2011), The Million Song Dataset, ISMIR. Choi, Fazekas, Sandler (2016), Automatic
tagging using deep convolutional neural networks, arXiv:1606.00298 (tags and split). Lee, Nam (2017), arXiv:1703.01793
(the split with clips of more than 29.1 s).
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from mirbench.errors import BadInput, MissingData
from mirbench.features.sound_files import SUFFIXES
from mirbench.metrics import TAGGING
from mirbench.tasks.stand_in_music.stand_ins import Step, dealt, stand_in, write_scene
from mirbench.types import BoolArray, Clip, Task

__all__ = ["MSD", "MSD_DEMO", "TAGS", "write_tracks"]

TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip
"""In the published order (keunwoochoi/MSD_split_for_tagging, tags.py), which pretrained taggers follow."""

_SPLITS = ("train", "valid", "test")
_COLUMNS = ("track_id", "split", "tags")
_ID = re.compile("TR[A-Z]{5}[0-9A-F]{11}")
_DEMO_SECONDS, _DEMO_VERSION, _DEMO_SPLITS = 4.0, "1", {"train": 54, "valid": 18, "test": 24}


def _read(name: str, root: Path | None, fold: int) -> list[Clip]:
    if root is None:
        raise MissingData(f"{name}: its tracks are listed in tracks.csv of its folder")
    table = root / "tracks.csv"
    if not table.is_file():
        raise MissingData(f"{name}: {root} holds no tracks.csv; `mirbench show {name}` says how to make it")
    find = _finder(root / "audio")
    return [
        Clip(track_id, find(track_id), split, labels) for track_id, (split, labels) in sorted(_tracks(table).items())
    ]


def _tracks(table: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Split and tags of each track.

    Raises
    ------
    BadInput
        If it is not such a table; names the line.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [field.strip() for field in next(reader, [])]
            if sorted(header) != sorted(_COLUMNS):
                raise BadInput(
                    f"{table}, line 1: the columns {','.join(_COLUMNS)} are needed; it is {','.join(header)}"
                )
            for fields in filter(None, reader):
                where = f"{table}, line {reader.line_num}"
                if len(fields) != len(header):
                    raise BadInput(f"{where}: {len(fields)} fields, {len(header)} are needed")
                row = dict(zip(header, map(str.strip, fields), strict=True))
                if row["track_id"] in found:
                    raise BadInput(f"{where}: {row['track_id']} occurs twice")
                found[row["track_id"]] = _checked(where, row["track_id"], row["split"], row["tags"])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{table}: not readable as a CSV file in UTF-8 ({error})") from error
    return found


def _checked(where: str, track_id: str, split: str, tags: str) -> tuple[str, tuple[str, ...]]:
    if not _ID.fullmatch(track_id):
        raise BadInput(f"{where}: '{track_id}' is no track id of the Million Song Dataset, such as TRAADIN128F931D672")
    if split not in _SPLITS:
        raise BadInput(f"{where}: split '{split}'; one of {', '.join(_SPLITS)} is needed")
    held = {tag.strip() for tag in tags.split("|")} - {""}
    if not held:
        raise BadInput(f"{where}: {track_id} has no tag; tracks with none of the 50 are not in the published split")
    if strange := sorted(held - set(TAGS)):
        raise BadInput(
            f"{where}: the tag '{strange[0]}' is none of the 50, which are written as `mirbench show msd` does"
        )
    return split, tuple(tag for tag in TAGS if tag in held)


def _finder(audio: Path) -> Callable[[str], Path | None]:
    """What finds the audio of a track in audio/A/B/C/, the third to fifth letter of its id; looks into each once."""

    @cache
    def held(letters: str) -> dict[str, Path]:
        folder = audio.joinpath(*letters)
        if not folder.is_dir():
            return {}
        paths = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_file())
        return {path.stem: path for path in paths if path.suffix.lower() in SUFFIXES}

    return lambda track_id: held(track_id[2:5]).get(track_id)


def write_tracks(lists: str | Path, target: str | Path, keep: Sequence[str | Path] = ()) -> dict[str, int]:
    """Make tracks.csv from the plain lists of keunwoochoi/MSD_split_for_tagging; returns how many each split has.

    Parameters
    ----------
    lists : str or Path
        Folder of ``{train,valid,test}_x_msd_id.txt``, a track a line, and ``{train,valid,test}_y.npy``, shape
        (n_tracks, 50), which are taken to have their columns in the order of `TAGS`.
    target : str or Path
        The file to write.
    keep : sequence of str or Path
        Files that name the tracks to keep, none for all of them. Ids are looked for in their bytes and nothing is
        unpickled, so that the filtered_list_train.cP and filtered_list_test.cP of the shorter split will do.

    Raises
    ------
    MissingData
        If a file is absent.
    BadInput
        If a list and its labels do not fit together.
    """
    kept = {name.decode() for path in keep for name in re.findall(_ID.pattern.encode(), _bytes(Path(path)))}
    rows = []
    for split in _SPLITS:
        ids = _bytes(Path(lists) / f"{split}_x_msd_id.txt").decode("ascii", "replace").split()
        present = _labels(Path(lists) / f"{split}_y.npy", len(ids))
        for track_id, row in zip(ids, present, strict=True):
            if row.any() and (track_id in kept or not keep):
                rows.append((track_id, split, "|".join(TAGS[k] for k in np.flatnonzero(row))))
    with Path(target).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([_COLUMNS, *rows])
    return dict(Counter(split for _, split, _ in rows))


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise MissingData(f"{path} is missing; the lists are those of github.com/keunwoochoi/MSD_split_for_tagging")
    return path.read_bytes()


def _labels(path: Path, n_tracks: int) -> BoolArray:
    _bytes(path)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{path}: not an array of numbers ({str(error).partition(chr(10))[0]})") from error
    if values.shape != (n_tracks, len(TAGS)) or not np.isin(values, (0, 1)).all():
        raise BadInput(f"{path}: shape {values.shape}; ({n_tracks}, {len(TAGS)}) of 0 and 1 is needed, a row a track")
    return values.astype(np.bool_)


MSD = Task(
    name="msd",
    version="1",
    title="Million Song Dataset tagging, Last.fm's 50 most frequent tags, on audio of your own",
    kind="multi-label",
    classes=TAGS,
    metrics=TAGGING,
    read_clips=partial(_read, "msd"),
    folder="msd",
    n_clips=0,
    clip_seconds=29.0,
    datasets=("msd",),
    reference="Bertin-Mahieux, Ellis, Whitman, Lamere (2011), The Million Song Dataset, ISMIR; tags and split of Choi, "
    "Fazekas, Sandler, arXiv:1606.00298, and Lee, Nam, arXiv:1703.01793",
    license="that of your own copy of the audio",
    notes=(
        f"layout (ours): msd/tracks.csv with the columns {','.join(_COLUMNS)}, split one of {', '.join(_SPLITS)}, tags "
        "joined by |; and msd/audio/A/B/C/ID.mp3 (or .wav, .flac, …), A, B and C the third to fifth letter of the id",
        "no audio of it is published; papers have used previews of 7digital",
        'tracks.csv from the lists of github.com/keunwoochoi/MSD_split_for_tagging, in LISTS: python -c "from '
        "mirbench.tasks.msd import write_tracks; write_tracks('LISTS', 'msd/tracks.csv')\". Their labels are taken to "
        "be in the order of its tags.py; by their sizes they list 201,680, 12,634 and 28,540 tracks; not tried by us",
        "published split: 201,680 train, 11,774 valid, 28,435 test (minzwon/sota-music-tagging-models, split/msd), the "
        "clips of more than 29.1 s; keep=['filtered_list_train.cP', 'filtered_list_test.cP'] in that call names "
        "them, read for the ids in them and never unpickled. minzwon's loader leaves out 54 broken files besides",
        "columns are in the published order. No source says that artists are apart, and clips have no group",
    ),
    demo="msd-demo",
)


def _synthesise(root: Path, step: Step) -> None:
    """The layout of the card."""
    rows: list[Sequence[str]] = [_COLUMNS]
    for part, (split, n_clips) in enumerate(_DEMO_SPLITS.items()):
        for number, kinds in enumerate(dealt(len(TAGS), n_clips, [2011, part])):
            track_id = _made_up_id(f"{split} {number}")
            path = root.joinpath("audio", *track_id[2:5], f"{track_id}.mp3")
            write_scene(path, kinds, len(TAGS), [2011, part, number], _DEMO_SECONDS)
            rows.append((track_id, split, "|".join(TAGS[kind] for kind in kinds)))
            step(1)
    with (root / "tracks.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _made_up_id(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "TR" + "".join(chr(ord("A") + byte % 26) for byte in digest[:5]) + digest[5:11].hex().upper()[:11]


_STAND_IN = stand_in(MSD, _synthesise, sum(_DEMO_SPLITS.values()), _DEMO_SECONDS, _DEMO_VERSION)
MSD_DEMO = replace(_STAND_IN, read_clips=partial(_read, _STAND_IN.name))
